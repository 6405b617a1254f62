/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_rig.c - one virtqueue for a test to be the device of. See vq_rig.h.
 */
#include "vq_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PIECE 16

#define SPLIT(i, e)                                                                                \
	{                                                                                          \
		.indirect = (i), .event_idx = (e), .size = 8                                       \
	}
#define PACKED(i, e)                                                                               \
	{                                                                                          \
		.packed = true, .indirect = (i), .event_idx = (e), .size = 8                       \
	}

const struct vq_rig_kind vq_rig_kinds[VQ_RIG_KINDS] = {
	{"split", SPLIT(false, false)},
	{"split, indirect", SPLIT(true, false)},
	{"split, event index", SPLIT(false, true)},
	{"split, indirect, event index", SPLIT(true, true)},
	{"packed", PACKED(false, false)},
	{"packed, indirect", PACKED(true, false)},
	{"packed, event index", PACKED(false, true)},
	{"packed, indirect, event index", PACKED(true, true)},
};

static void interrupt(struct vq *vq, void *owner)
{
	struct vq_rig *rig = owner;

	atomic_fetch_add(&rig->interrupts, 1);
	if (rig->interrupted)
		rig->interrupted(rig);
}

static void drained(struct vq *vq, void *owner)
{
	struct vq_rig *rig = owner;

	atomic_fetch_add(&rig->drained, 1);
}

static const struct vq_ops ops = {
	.interrupt = interrupt,
	.drained = drained,
};

void vq_rig_init(struct vq_rig *rig, const struct vq_rig_kind *kind, uint16_t size)
{
	static const struct gmem_region regions[] = {
		{.gpa = 0, .size = VQ_RIG_LOW},
		{.gpa = VQ_RIG_HIGH, .size = VQ_RIG_HIGH_END - VQ_RIG_HIGH},
	};
	const struct gmem_options options = {.shared = false};
	struct vq_layout layout = kind->layout;

	if (size)
		layout.size = size;
	*rig = (struct vq_rig) {.name = kind->name};
	assert_int_equal(gmem_new(&rig->gmem, regions, ARRAY_SIZE(regions), &options, NULL), 0);
	assert_int_equal(vq_new(&rig->vq, rig->gmem, 3, size ?: VQ_SIZE_MAX, &ops, rig), 0);
	driver_ring_init(&rig->ring, rig->gmem, &layout, VQ_RIG_RING);
	assert_true(rig->ring.end <= VQ_RIG_DATA);
	assert_int_equal(vq_start(rig->vq, &rig->ring.layout), 0);
}

void vq_rig_deinit(struct vq_rig *rig)
{
	vq_free(rig->vq);
	driver_ring_deinit(&rig->ring);
	gmem_free(rig->gmem);
}

void vq_rig_restart(struct vq_rig *rig)
{
	const struct vq_layout layout = rig->ring.layout;

	vq_stop(rig->vq);
	driver_ring_deinit(&rig->ring);
	driver_ring_init(&rig->ring, rig->gmem, &layout, VQ_RIG_RING);
	assert_int_equal(vq_start(rig->vq, &rig->ring.layout), 0);
}

int vq_rig_add(struct vq_rig *rig, unsigned int out_n, unsigned int in_n)
{
	struct driver_sg sg[VQ_SIZE_MAX];

	for (unsigned int i = 0; i < out_n + in_n; i++)
		sg[i] = (struct driver_sg) {VQ_RIG_DATA + i * PIECE, PIECE};
	return driver_ring_add(&rig->ring, sg, out_n, in_n);
}

struct vq_request *vq_rig_pop(struct vq_rig *rig)
{
	struct vq_request *request;
	int r = vq_pop(rig->vq, &request);

	if (r != 1)
		fail_msg("%s: vq_pop() returned %d (%s)", rig->name, r,
			 vq_error(rig->vq) ?: "no error");
	return request;
}

int vq_rig_get(struct vq_rig *rig, uint32_t *len)
{
	int id = driver_ring_get(&rig->ring, len);

	if (id < 0)
		fail_msg("%s: nothing was used", rig->name);
	return id;
}

void vq_rig_fail(const struct vq_rig *rig, const char *what, const char *text, const char *file,
		 int line)
{
	print_error("%s: %s: not so: %s\n", rig->name, what, text);
	_fail(file, line);
	abort();
}
