/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * driver_ring.h - the driver's side of a virtqueue, for tests: what a guest would do, and what it
 * must not.
 *
 * Follows virtio 1.4, 2.7.13 and 2.8.21. Works directly on guest memory; the test's thread plays
 * the guest. For lies, a test changes the ring's bytes itself by the pointers that are here.
 */
#ifndef VMM_TEST_DRIVER_RING_H
#define VMM_TEST_DRIVER_RING_H

#include <linux/virtio_ring.h>

#include "gmem.h"
#include "vq.h"

struct driver_ring {
	const struct gmem *gmem;
	struct vq_layout layout; /* what to tell the device */
	uint64_t end;		 /* gpa behind all that the ring occupies */

	/* Split: pointers into guest memory. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t *used_event, *avail_event;

	/* Packed: pointers into guest memory. */
	struct vring_packed_desc *packed;
	struct vring_packed_desc_event *driver_event, *device_event;

	/* The driver's own state. */
	uint16_t *next;	   /* of free descriptors / ids */
	uint16_t *chain_n; /* by head or id: ring descriptors that it takes */
	uint16_t free_head, free_n;
	uint16_t avail_idx, used_idx; /* packed: positions in the ring */
	bool avail_wrap, used_wrap;
	uint16_t kicked; /* avail_idx at the last driver_ring_needs_kick() */
	bool kicked_wrap;
	uint64_t indirect_at; /* gpa: one table for each head */
};

/* struct driver_sg - a piece of a buffer, in guest physical memory. */
struct driver_sg {
	uint64_t gpa;
	uint32_t len;
};

/*
 * driver_ring_init - an empty ring of @layout's kind, size and features at @gpa (4096-aligned), its
 * addresses filled in; room for indirect tables of @size entries each follows it.
 */
void driver_ring_init(struct driver_ring *ring, const struct gmem *gmem,
		      const struct vq_layout *layout, uint64_t gpa);
void driver_ring_deinit(struct driver_ring *ring);

/*
 * driver_ring_add - make a buffer available: @out_n readable pieces, then @in_n writable ones; by
 * an indirect table if the layout has the feature and there is more than one piece.
 * Return: head or buffer id, or -ENOSPC.
 */
int driver_ring_add(struct driver_ring *ring, const struct driver_sg *sg, unsigned int out_n,
		    unsigned int in_n);

/* driver_ring_add_direct - the same, always as a chain in the ring itself. */
int driver_ring_add_direct(struct driver_ring *ring, const struct driver_sg *sg, unsigned int out_n,
			   unsigned int in_n);

/* driver_ring_needs_kick - does the device want a notification for what was added since? */
bool driver_ring_needs_kick(struct driver_ring *ring);

/* driver_ring_get - take a used buffer. Return: its head or id and *@len; -EAGAIN if there is none.
 */
int driver_ring_get(struct driver_ring *ring, uint32_t *len);

/*
 * driver_ring_enable_interrupts, driver_ring_disable_interrupts - by flags, or with EVENT_IDX by
 * asking for one at the next used buffer.
 */
void driver_ring_enable_interrupts(struct driver_ring *ring);
void driver_ring_disable_interrupts(struct driver_ring *ring);

#endif
