/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vq_life.c - a virtqueue's life (vq.c): start and what can be wrong with it, stop with and
 * without requests in flight, another start.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vq_rig.h"

#define HIGH VQ_RIG_HIGH
#define LOW  VQ_RIG_LOW
#define END  VQ_RIG_HIGH_END

/* Sizes of the areas of a split ring of 8 entries. */
#define DESC   128
#define DRIVER 22
#define DEVICE 70

static void wrong_rings_are_refused(void **state)
{
	static const char mis_desc[] = "the descriptor area is not aligned to 16 bytes";
	static const char mis_driver[] = "the driver area is not aligned";
	static const char mis_device[] = "the device area is not aligned";
	static const char out_desc[] = "the descriptor area is not all in RAM";
	static const char out_driver[] = "the driver area is not all in RAM";
	static const char out_device[] = "the device area is not all in RAM";
	static const struct {
		const char *name;
		bool packed;
		uint16_t size;
		uint64_t desc, driver, device;
		int result;
		const char *error;
	} cases[] = {
		{"split", false, 8, 0x1000, 0x2000, 0x3000, 0, NULL},
		{"packed", true, 8, 0x1000, 0x2000, 0x3000, 0, NULL},
		{"no entries", false, 0, 0x1000, 0x2000, 0x3000, -EINVAL,
		 "a queue without entries"},
		{"no entries, packed", true, 0, 0x1000, 0x2000, 0x3000, -EINVAL,
		 "a queue without entries"},
		{"the maximum", false, 64, 0x1000, 0x2000, 0x3000, 0, NULL},
		{"beyond it", false, 128, 0x1000, 0x2000, 0x3000, -EINVAL,
		 "a queue with more entries than the device allows"},
		{"beyond it by one, packed", true, 65, 0x1000, 0x2000, 0x3000, -EINVAL,
		 "a queue with more entries than the device allows"},
		{"largest number", true, 65535, 0x1000, 0x2000, 0x3000, -EINVAL,
		 "a queue with more entries than the device allows"},
		{"no power of two", false, 12, 0x1000, 0x2000, 0x3000, -EINVAL,
		 "a split queue whose size is not a power of two"},
		{"no power of two, packed", true, 12, 0x1000, 0x2000, 0x3000, 0, NULL},
		{"least alignments", false, 8, 0x1010, 0x2002, 0x3004, 0, NULL},
		{"least alignments, packed", true, 8, 0x1010, 0x2004, 0x3004, 0, NULL},
		{"desc at 8", false, 8, 0x1008, 0x2000, 0x3000, -EINVAL, mis_desc},
		{"desc at 8, packed", true, 8, 0x1008, 0x2000, 0x3000, -EINVAL, mis_desc},
		{"driver at 1", false, 8, 0x1000, 0x2001, 0x3000, -EINVAL, mis_driver},
		{"driver at 2, packed", true, 8, 0x1000, 0x2002, 0x3000, -EINVAL, mis_driver},
		{"device at 2", false, 8, 0x1000, 0x2000, 0x3002, -EINVAL, mis_device},
		{"device at 2, packed", true, 8, 0x1000, 0x2000, 0x3002, -EINVAL, mis_device},
		{"up to the hole", false, 8, LOW - DESC, LOW - DRIVER, LOW - DEVICE - 2, 0, NULL},
		{"up to the hole, packed", true, 8, LOW - DESC, LOW - 4, LOW - 4, 0, NULL},
		{"up to the end", false, 8, END - DESC, END - DRIVER, END - DEVICE - 2, 0, NULL},
		{"from the high region's start", false, 8, HIGH, HIGH, HIGH, 0, NULL},
		{"desc into the hole", false, 8, LOW - DESC + 16, 0, 0, -EFAULT, out_desc},
		{"desc into the hole, packed", true, 8, LOW - DESC + 16, 0, 0, -EFAULT, out_desc},
		{"driver into the hole", false, 8, 0, LOW - DRIVER + 2, 0, -EFAULT, out_driver},
		{"device into the hole", false, 8, 0, 0, LOW - DEVICE + 2, -EFAULT, out_device},
		{"desc in the hole", false, 8, LOW, 0, 0, -EFAULT, out_desc},
		{"driver in the hole, packed", true, 8, 0, LOW, 0, -EFAULT, out_driver},
		{"device in the hole, packed", true, 8, 0, 0, HIGH - 4, -EFAULT, out_device},
		{"desc behind the end", false, 8, END, 0, 0, -EFAULT, out_desc},
		{"device behind the end", false, 8, 0, 0, END, -EFAULT, out_device},
		{"desc wraps", false, 8, UINT64_MAX - 15, 0, 0, -EFAULT, out_desc},
		{"driver wraps", false, 8, 0, UINT64_MAX - 1, 0, -EFAULT, out_driver},
		{"device wraps", false, 8, 0, 0, UINT64_MAX - 3, -EFAULT, out_device},
		{"driver wraps, packed", true, 8, 0, UINT64_MAX - 3, 0, -EFAULT, out_driver},
	};
	static const struct vq_ops ops;
	struct vq_rig rig;

	vq_rig_init(&rig, &vq_rig_kinds[0], 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vq_layout layout = {
			.packed = cases[i].packed,
			.event_idx = true,
			.size = cases[i].size,
			.desc = cases[i].desc,
			.driver = cases[i].driver,
			.device = cases[i].device,
		};
		const bool ok = cases[i].result == 0;
		const char *name = cases[i].name;
		struct vq_request *request;
		struct vq *vq;

		assert_int_equal(vq_new(&vq, rig.gmem, 7, 64, &ops, NULL), 0);
		vq_rig_expect(&rig, name, vq_index(vq) == 7 && vq_size_max(vq) == 64);
		vq_rig_expect(&rig, name, vq_start(vq, &layout) == cases[i].result);
		vq_rig_expect(&rig, name, vq_live(vq) == ok);
		vq_rig_expect(&rig, name, !vq_error(vq) == ok);
		if (!ok)
			assert_string_equal(vq_error(vq), cases[i].error);
		vq_rig_expect(&rig, name, vq_pop(vq, &request) == (ok ? 0 : -EPROTO));
		vq_notify(vq);
		vq_free(vq);
	}
	vq_rig_deinit(&rig);
}

static void queue_that_failed_to_start_can_be_started(void **state)
{
	struct vq_layout layout;
	struct vq_request *request;
	struct vq_rig rig;

	vq_rig_init(&rig, &vq_rig_kinds[0], 0);
	layout = rig.ring.layout;
	vq_stop(rig.vq);
	layout.desc++;
	assert_int_equal(vq_start(rig.vq, &layout), -EINVAL);
	assert_int_equal(vq_pop(rig.vq, &request), -EPROTO);
	vq_stop(rig.vq);
	assert_int_equal(rig.drained, 2);
	assert_null(vq_error(rig.vq));
	assert_int_equal(vq_pop(rig.vq, &request), 0);
	layout.desc--;
	assert_int_equal(vq_start(rig.vq, &layout), 0);
	vq_rig_add(&rig, 1, 0);
	vq_push(rig.vq, vq_rig_pop(&rig), 0);
	vq_rig_deinit(&rig);
}

/* After a stop the ring is the driver's: not one byte of it is read for a pop or written. */
static void stop(struct vq_rig *rig)
{
	const uint64_t size = rig->ring.indirect_at - VQ_RIG_RING;
	uint8_t *ring = gmem_at(rig->gmem, VQ_RIG_RING, size);
	_cleanup_(freep) uint8_t *before = malloc(size);
	struct vq_request *flight[2], *none;

	assert_non_null(before);
	for (unsigned int i = 0; i < 4; i++)
		vq_rig_add(rig, 1, 1);
	flight[0] = vq_rig_pop(rig);
	flight[1] = vq_rig_pop(rig);
	vq_push(rig->vq, vq_rig_pop(rig), 1);
	memcpy(before, ring, size);
	vq_stop(rig->vq);
	vq_rig_expect(rig, "stopped", !vq_live(rig->vq) && rig->drained == 0);
	vq_rig_expect(rig, "no request", vq_pop(rig->vq, &none) == 0);
	vq_rig_expect(rig, "in flight", vq_in_flight(rig->vq) == 2);
	/* What they are of is still there, for the device to finish. */
	memset(flight[1]->writable.iov[0].iov_base, 1, 1);
	vq_push(rig->vq, flight[1], 1);
	vq_rig_expect(rig, "one in flight", rig->drained == 0);
	vq_stop(rig->vq);
	vq_rig_expect(rig, "stopped twice", rig->drained == 0);
	vq_push(rig->vq, flight[0], 16);
	vq_rig_expect(rig, "drained", rig->drained == 1 && vq_in_flight(rig->vq) == 0);
	vq_notify(rig->vq);
	vq_rig_expect(rig, "no interrupt", rig->interrupts == 0);
	vq_rig_expect(rig, "nothing written", memcmp(before, ring, size) == 0);
}

static void stopped_queue_leaves_the_ring_alone(void **state)
{
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 8);
		stop(&rig);
		vq_rig_deinit(&rig);
	}
}

static void idle_queue_is_drained_at_once(void **state)
{
	struct vq_rig rig;

	vq_rig_init(&rig, &vq_rig_kinds[0], 0);
	vq_stop(rig.vq);
	assert_int_equal(rig.drained, 1);
	/* Not live any more: drained as well. */
	vq_stop(rig.vq);
	assert_int_equal(rig.drained, 2);
	vq_rig_deinit(&rig);
	vq_free(NULL);
}

/* Some requests, two of them unused when the queue is stopped. */
static void use(struct vq_rig *rig)
{
	struct vq_request *flight[2];
	uint32_t len;

	for (unsigned int i = 0; i < 2 * rig->ring.layout.size; i++) {
		vq_rig_add(rig, 1, 2);
		vq_push(rig->vq, vq_rig_pop(rig), 3);
		vq_rig_get(rig, &len);
		vq_rig_expect(rig, "length", len == 3);
	}
	vq_rig_add(rig, 1, 0);
	vq_rig_add(rig, 1, 0);
	flight[0] = vq_rig_pop(rig);
	flight[1] = vq_rig_pop(rig);
	vq_notify(rig->vq);
	vq_stop(rig->vq);
	vq_push(rig->vq, flight[0], 0);
	vq_push(rig->vq, flight[1], 0);
}

/* 2.6.1: available and used state are the initial ones, whatever the queue was before. */
static void queue_starts_over_as_another_kind(void **state)
{
	static const uint16_t sizes[] = {8, 4, 64, 1024, 8};
	struct vq_rig rig;

	vq_rig_init(&rig, &vq_rig_kinds[0], 0);
	vq_stop(rig.vq);
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * VQ_RIG_KINDS; i++) {
		const struct vq_rig_kind *kind = &vq_rig_kinds[i * 3 % VQ_RIG_KINDS];
		struct vq_layout layout = kind->layout;

		layout.size = sizes[i % ARRAY_SIZE(sizes)];
		rig.name = kind->name;
		driver_ring_deinit(&rig.ring);
		driver_ring_init(&rig.ring, rig.gmem, &layout, VQ_RIG_RING);
		vq_rig_expect(&rig, "start", vq_start(rig.vq, &rig.ring.layout) == 0);
		use(&rig);
		vq_rig_expect(&rig, "drained", rig.drained == i + 2);
	}
	vq_rig_deinit(&rig);
}

/* A Linux that is short of memory makes the ring smaller, not the tables. */
static void table_may_be_longer_than_a_reduced_ring(void **state)
{
	struct vring_desc table[12];
	struct vq_rig rig;
	struct vq_layout layout = vq_rig_kinds[1].layout;
	struct vq_request *request;

	vq_rig_init(&rig, &vq_rig_kinds[1], 0);
	vq_stop(rig.vq);
	layout.size = 8;
	assert_true(layout.indirect && !layout.packed);
	driver_ring_deinit(&rig.ring);
	driver_ring_init(&rig.ring, rig.gmem, &layout, VQ_RIG_RING);
	assert_int_equal(vq_start(rig.vq, &rig.ring.layout), 0);
	vq_rig_add(&rig, 1, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++)
		table[i] =
			(struct vring_desc) {VQ_RIG_DATA, 4, VRING_DESC_F_NEXT, (uint16_t)(i + 1)};
	table[ARRAY_SIZE(table) - 1].flags = 0;
	gmem_write(rig.gmem, rig.ring.indirect_at, table, sizeof(table));
	rig.ring.desc[0] =
		(struct vring_desc) {rig.ring.indirect_at, sizeof(table), VRING_DESC_F_INDIRECT, 0};
	request = vq_rig_pop(&rig);
	assert_int_equal(request->readable.n, ARRAY_SIZE(table));
	assert_int_equal(request->readable.len, 4 * ARRAY_SIZE(table));
	vq_push(rig.vq, request, 0);
	vq_rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_rings_are_refused),
		cmocka_unit_test(queue_that_failed_to_start_can_be_started),
		cmocka_unit_test(stopped_queue_leaves_the_ring_alone),
		cmocka_unit_test(idle_queue_is_drained_at_once),
		cmocka_unit_test(queue_starts_over_as_another_kind),
		cmocka_unit_test(table_may_be_longer_than_a_reduced_ring),
	};

	return cmocka_run_group_tests_name("vq_life", tests, NULL, NULL);
}
