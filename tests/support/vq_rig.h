/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_rig.h - one virtqueue between a driver's ring and nothing: the test is the device.
 *
 * Guest memory has a hole, as on a real machine. Test's thread, but for what is atomic.
 */
#ifndef VMM_TEST_VQ_RIG_H
#define VMM_TEST_VQ_RIG_H

#include <stdatomic.h>

#include "gmem.h"
#include "tests/support/driver_ring.h"
#include "vq.h"

#define VQ_RIG_LOW	(32 * MIB)	  /* bytes of the region that begins at 0 */
#define VQ_RIG_HIGH	(64 * MIB)	  /* where the second one begins */
#define VQ_RIG_HIGH_END (68 * MIB)	  /* and where it ends */
#define VQ_RIG_RING	UINT64_C(0x10000) /* where the ring is */
#define VQ_RIG_DATA	(24 * MIB)	  /* free for buffers from here to VQ_RIG_LOW */

struct vq_rig_kind {
	const char *name;
	struct vq_layout layout; /* 8 entries; addresses are the ring's business */
};

/* vq_rig_kinds - split and packed, each with and without INDIRECT_DESC and EVENT_IDX. */
#define VQ_RIG_KINDS 8
extern const struct vq_rig_kind vq_rig_kinds[VQ_RIG_KINDS];

struct vq_rig {
	const char *name;
	struct gmem *gmem;
	struct vq *vq;
	struct driver_ring ring;
	atomic_uint interrupts, drained;
	void (*interrupted)(struct vq_rig *rig); /* called as well if not NULL */
};

/*
 * vq_rig_init - a live queue of @size entries, the most that the device allows; 0: of the kind's
 * own size, where the device allows VQ_SIZE_MAX.
 */
void vq_rig_init(struct vq_rig *rig, const struct vq_rig_kind *kind, uint16_t size);
void vq_rig_deinit(struct vq_rig *rig);

/* vq_rig_restart - stop the queue, which is drained, and start it with a ring as at first. */
void vq_rig_restart(struct vq_rig *rig);

/* vq_rig_add - a buffer of @out_n readable pieces, then @in_n writable ones, of 16 bytes each. */
int vq_rig_add(struct vq_rig *rig, unsigned int out_n, unsigned int in_n);

/* vq_rig_pop - the next request. The test fails if there is none. */
struct vq_request *vq_rig_pop(struct vq_rig *rig);

/* vq_rig_get - take a used buffer, which is there. Return: its id. */
int vq_rig_get(struct vq_rig *rig, uint32_t *len);

/* vq_rig_expect - the test fails, and says which @what and what kind of ring it was, if not @ok. */
#define vq_rig_expect(rig, what, ok)                                                               \
	do {                                                                                       \
		if (!(ok))                                                                         \
			vq_rig_fail(rig, what, #ok, __FILE__, __LINE__);                           \
	} while (0)
_noreturn_ void vq_rig_fail(const struct vq_rig *rig, const char *what, const char *text,
			    const char *file, int line);

#endif
