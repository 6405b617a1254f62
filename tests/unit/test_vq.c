/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vq.c - requests through a virtqueue of either kind: what comes out, what goes back, and the
 * queue's life. Notifications are in test_vq_notify.c, lies in test_vq_hostile.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vq_rig.h"

#define PAGE UINT64_C(4096)

/* Run @test with each kind of ring. */
static void for_each_kind(void (*test)(struct vq_rig *rig), uint16_t size)
{
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], size);
		test(&rig);
		vq_rig_deinit(&rig);
	}
}

/* @sg, laid out in a row of pages with lengths of their own. */
static void make_sg(struct driver_sg *sg, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		sg[i] = (struct driver_sg) {VQ_RIG_DATA + i * PAGE + i, 1 + i % 100};
}

static void check_half(struct vq_rig *rig, const char *what, const struct vq_buffer *half,
		       const struct driver_sg *sg, unsigned int n)
{
	uint32_t len = 0;

	vq_rig_expect(rig, what, half->n == n);
	for (unsigned int i = 0; i < n; i++) {
		vq_rig_expect(rig, what, half->iov[i].iov_len == sg[i].len);
		vq_rig_expect(rig, what,
			      half->iov[i].iov_base == gmem_at(rig->gmem, sg[i].gpa, sg[i].len));
		len += sg[i].len;
	}
	vq_rig_expect(rig, what, half->len == len);
}

static void come_as_given(struct vq_rig *rig)
{
	static const struct {
		const char *name;
		unsigned int out_n, in_n;
	} cases[] = {
		{"one to read", 1, 0},
		{"one to write", 0, 1},
		{"one of each", 1, 1},
		{"several of each", 3, 4},
		{"as many as a slot holds", 6, 6},
		{"one more than a slot holds", 12, 1},
		{"twice what a slot holds", 4, 20},
		{"as many as the queue has entries", 10, 22},
		{"that many to read", 32, 0},
		{"that many to write", 0, 32},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const unsigned int out_n = cases[i].out_n, in_n = cases[i].in_n;
		const uint32_t written = in_n ? (uint32_t)i : 0;
		const char *name = cases[i].name;
		struct driver_sg sg[32];
		struct vq_request *request, *none;
		uint32_t len;
		int id;

		make_sg(sg, out_n + in_n);
		id = driver_ring_add(&rig->ring, sg, out_n, in_n);
		vq_rig_expect(rig, name, id >= 0);
		request = vq_rig_pop(rig);
		vq_rig_expect(rig, name, request->vq == rig->vq && request->id == id);
		check_half(rig, name, &request->readable, sg, out_n);
		check_half(rig, name, &request->writable, sg + out_n, in_n);
		vq_rig_expect(rig, name, vq_pop(rig->vq, &none) == 0);
		vq_rig_expect(rig, name, vq_in_flight(rig->vq) == 1);
		vq_push(rig->vq, request, MIN(written, request->writable.len));
		vq_rig_expect(rig, name, vq_in_flight(rig->vq) == 0);
		vq_rig_expect(rig, name, vq_rig_get(rig, &len) == id && len == (in_n ? i : 0));
		vq_rig_expect(rig, name, driver_ring_get(&rig->ring, &len) == -EAGAIN);
	}
}

static void pieces_come_as_the_driver_gave_them(void **state)
{
	for_each_kind(come_as_given, 32);
}

/* 2.7.5.3.2: descriptors of the table, and then one that refers to another. */
static void chain_may_end_in_an_indirect_table(void **state)
{
	struct vq_rig rig;
	struct driver_sg sg[20];
	uint8_t *table;
	struct vq_request *request;
	struct driver_ring *ring = &rig.ring;

	vq_rig_init(&rig, &vq_rig_kinds[1], 32);
	make_sg(sg, ARRAY_SIZE(sg));
	/* A table that is not aligned, and whose order is not that of its entries. */
	table = gmem_at(rig.gmem, ring->indirect_at + 3, 16 * 17);
	for (uint16_t i = 0; i < 17; i++) {
		const uint16_t flags = VRING_DESC_F_WRITE | (i < 16 ? VRING_DESC_F_NEXT : 0);
		const struct vring_desc desc = {sg[i + 3].gpa, sg[i + 3].len, flags,
						(i + 1) * 5 % 17};

		memcpy(table + i * 5 % 17 * sizeof(desc), &desc, sizeof(desc));
	}
	assert_int_equal(driver_ring_add(ring, sg, 1, 0), 0);
	for (uint16_t i = 0; i < 3; i++)
		ring->desc[i] =
			(struct vring_desc) {sg[i].gpa, sg[i].len, VRING_DESC_F_NEXT, i + 1};
	/* WRITE says nothing here, and is ignored. */
	ring->desc[3] = (struct vring_desc) {ring->indirect_at + 3, 16 * 17,
					     VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0};
	request = vq_rig_pop(&rig);
	check_half(&rig, "direct", &request->readable, sg, 3);
	check_half(&rig, "table", &request->writable, sg + 3, 17);
	vq_push(rig.vq, request, 0);
	vq_rig_deinit(&rig);
}

/* 2.8.7: in a packed ring's table, WRITE is the only flag that means something. */
static void reserved_flags_in_a_packed_table_are_ignored(void **state)
{
	struct vq_rig rig;
	struct driver_sg sg[3];
	struct vring_packed_desc *table;
	struct vq_request *request;

	vq_rig_init(&rig, &vq_rig_kinds[5], 0);
	make_sg(sg, 3);
	assert_int_equal(driver_ring_add(&rig.ring, sg, 2, 1), 0);
	table = gmem_at(rig.gmem, rig.ring.packed[0].addr, 16 * 3);
	for (size_t i = 0; i < 3; i++) {
		table[i].flags |= (uint16_t)~VRING_DESC_F_WRITE;
		table[i].id = 0xffff;
	}
	request = vq_rig_pop(&rig);
	check_half(&rig, "readable", &request->readable, sg, 2);
	check_half(&rig, "writable", &request->writable, sg + 2, 1);
	vq_push(rig.vq, request, 0);
	vq_rig_deinit(&rig);
}

static void back_in_another_order(struct vq_rig *rig)
{
	static const unsigned int order[] = {3, 0, 7, 1, 6, 2, 5, 4};
	struct vq_request *requests[8], *none;
	bool seen[8] = {false};

	for (unsigned int round = 0; round < 5; round++) {
		int ids[8];

		for (unsigned int i = 0; i < 8; i++)
			ids[i] = vq_rig_add(rig, 0, 1);
		for (unsigned int i = 0; i < 8; i++) {
			requests[i] = vq_rig_pop(rig);
			vq_rig_expect(rig, "order", requests[i]->id == ids[i]);
			vq_rig_expect(rig, "slot", requests[i]->slot < 8);
			seen[requests[i]->slot] = true;
		}
		for (unsigned int i = 0; i < 8; i++) {
			vq_rig_expect(rig, "slots differ", seen[i]);
			seen[i] = false;
		}
		vq_rig_expect(rig, "no more", vq_pop(rig->vq, &none) == 0);
		for (unsigned int i = 0; i < 8; i++)
			vq_push(rig->vq, requests[order[i]], i);
		for (unsigned int i = 0; i < 8; i++) {
			uint32_t len;

			vq_rig_expect(rig, "id", vq_rig_get(rig, &len) == ids[order[i]]);
			vq_rig_expect(rig, "length", len == i);
		}
	}
}

static void requests_go_back_in_any_order(void **state)
{
	for_each_kind(back_in_another_order, 8);
}

/* Requests of one to three pieces, three in flight, the oldest but one first. */
static void run_long(struct vq_rig *rig)
{
	struct vq_request *flight[3];
	unsigned int n = 0;
	uint32_t len;

	for (unsigned int i = 0; i < 140000; i++) {
		vq_rig_expect(rig, "room", vq_rig_add(rig, i % 3, 1) >= 0);
		flight[n] = vq_rig_pop(rig);
		vq_rig_expect(rig, "pieces", flight[n]->readable.n == i % 3);
		vq_rig_expect(rig, "pieces", flight[n]->writable.n == 1);
		if (++n == ARRAY_SIZE(flight)) {
			const int id = flight[1]->id;

			vq_push(rig->vq, flight[1], i % 17);
			flight[1] = flight[--n];
			vq_rig_expect(rig, "id", vq_rig_get(rig, &len) == id);
			vq_rig_expect(rig, "length", len == i % 17);
		}
	}
	while (n)
		vq_push(rig->vq, flight[--n], 0);
}

static void indices_and_counters_wrap(void **state)
{
	for_each_kind(run_long, 16);
}

static void packed_ring_may_have_any_size(void **state)
{
	static const uint16_t sizes[] = {1, 2, 3, 7, 100, 1000, 1023, 1024};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_(freep) struct vq_request **all = calloc(sizes[i], sizeof(*all));
		struct vq_rig rig;
		uint32_t len;

		vq_rig_init(&rig, &vq_rig_kinds[4], sizes[i]);
		for (unsigned int round = 0; round < 3; round++) {
			for (unsigned int j = 0; j < sizes[i]; j++)
				assert_true(vq_rig_add(&rig, 1, 0) >= 0);
			assert_int_equal(vq_rig_add(&rig, 1, 0), -ENOSPC);
			for (unsigned int j = 0; j < sizes[i]; j++)
				all[j] = vq_rig_pop(&rig);
			assert_int_equal(vq_in_flight(rig.vq), sizes[i]);
			for (unsigned int j = sizes[i]; j > 0; j--)
				vq_push(rig.vq, all[j - 1], 0);
			for (unsigned int j = 0; j < sizes[i]; j++)
				vq_rig_get(&rig, &len);
		}
		vq_rig_deinit(&rig);
	}
}

/* What the driver changes afterwards is no concern of a request. */
static void scribble(struct vq_rig *rig)
{
	struct vq_request *request;
	struct driver_sg sg[3];
	uint32_t len;
	int id;

	make_sg(sg, 3);
	id = driver_ring_add(&rig->ring, sg, 1, 2);
	request = vq_rig_pop(rig);
	memset(gmem_at(rig->gmem, rig->ring.layout.desc, 16 * 8), 0xff, 16 * 8);
	if (rig->ring.layout.indirect)
		memset(gmem_at(rig->gmem, rig->ring.indirect_at, 16 * 64), 0xff, 16 * 64);
	check_half(rig, "readable", &request->readable, sg, 1);
	check_half(rig, "writable", &request->writable, sg + 1, 2);
	vq_push(rig->vq, request, 4);
	vq_rig_expect(rig, "used", vq_rig_get(rig, &len) == id && len == 4);
}

static void requests_are_copies(void **state)
{
	for_each_kind(scribble, 8);
}

/* 2.7.5.1, 2.7.6: the device writes nothing but the used ring. */
static void only_the_device_area_of_a_split_ring_is_written(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		struct vq_request *request, *none;
		struct vq_rig rig;
		uint8_t *before, *ring;
		size_t size;

		vq_rig_init(&rig, &vq_rig_kinds[i], 0);
		vq_rig_add(&rig, 1, 2);
		size = rig.ring.layout.device - rig.ring.layout.desc;
		ring = gmem_at(rig.gmem, rig.ring.layout.desc, size);
		before = malloc(size);
		assert_non_null(before);
		memcpy(before, ring, size);
		request = vq_rig_pop(&rig);
		assert_int_equal(vq_pop(rig.vq, &none), 0);
		vq_push(rig.vq, request, 7);
		vq_notify(rig.vq);
		assert_memory_equal(ring, before, size);
		assert_int_equal(rig.ring.used->ring[0].len, 7);
		assert_int_equal(rig.ring.used->idx, 1);
		free(before);
		vq_rig_deinit(&rig);
	}
}

/* 2.8.3, 2.8.4: WRITE says whether the length means something. */
static void used_packed_descriptors_say_whether_they_were_written(void **state)
{
	struct vq_rig rig;

	vq_rig_init(&rig, &vq_rig_kinds[4], 3);
	for (uint32_t i = 0; i < 7; i++) {
		const bool first_round = i / 3 % 2 == 0;
		const struct vring_packed_desc *desc = &rig.ring.packed[i % 3];
		int id = vq_rig_add(&rig, 0, 1);
		uint32_t len;

		vq_push(rig.vq, vq_rig_pop(&rig), i % 2);
		assert_int_equal(desc->flags,
				 (first_round ? 0x8080 : 0) | (i % 2 ? VRING_DESC_F_WRITE : 0));
		assert_int_equal(desc->id, id);
		assert_int_equal(desc->len, i % 2);
		vq_rig_get(&rig, &len);
	}
	vq_rig_deinit(&rig);
}

static void give_by_budget(struct vq_rig *rig)
{
	struct vq_request *request;

	for (unsigned int i = 0; i < 3; i++)
		vq_rig_add(rig, 1, 0);
	vq_set_budget(rig->vq, 2);
	vq_push(rig->vq, vq_rig_pop(rig), 0);
	vq_push(rig->vq, vq_rig_pop(rig), 0);
	vq_rig_expect(rig, "not used up yet", !vq_starved(rig->vq));
	vq_rig_expect(rig, "used up", vq_pop(rig->vq, &request) == 0 && vq_starved(rig->vq));
	vq_set_budget(rig->vq, 2);
	vq_rig_expect(rig, "a new one", !vq_starved(rig->vq));
	vq_push(rig->vq, vq_rig_pop(rig), 0);
	vq_rig_expect(rig, "empty", vq_pop(rig->vq, &request) == 0 && !vq_starved(rig->vq));
}

static void budget_ends_the_giving(void **state)
{
	for_each_kind(give_by_budget, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_come_as_the_driver_gave_them),
		cmocka_unit_test(chain_may_end_in_an_indirect_table),
		cmocka_unit_test(reserved_flags_in_a_packed_table_are_ignored),
		cmocka_unit_test(requests_go_back_in_any_order),
		cmocka_unit_test(indices_and_counters_wrap),
		cmocka_unit_test(packed_ring_may_have_any_size),
		cmocka_unit_test(requests_are_copies),
		cmocka_unit_test(only_the_device_area_of_a_split_ring_is_written),
		cmocka_unit_test(used_packed_descriptors_say_whether_they_were_written),
		cmocka_unit_test(budget_ends_the_giving),
	};

	return cmocka_run_group_tests_name("vq", tests, NULL, NULL);
}
