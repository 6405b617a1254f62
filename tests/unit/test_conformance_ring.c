/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_conformance_ring.c - clauses of virtio 1.4, 2.7 and 2.8 that bind what a device writes into
 * a ring, and when. See docs/conformance.md; what the rings are for is in test_vq.c.
 *
 * A page that cannot be written or read shows when the device does so: the signal comes in the
 * middle of its work.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "vq_rig.h"

#define PAGE	 UINT64_C(4096)
#define AVAIL	 (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED	 (1u << VRING_PACKED_DESC_F_USED)
#define SPLITS	 4 /* the first of vq_rig_kinds */
#define RING_MAX 16

/* A guarded page, and what there is to see when it is touched for the first time. */
static struct {
	void *page;
	struct vq_rig *rig;
	volatile sig_atomic_t touched;
	struct vring_used_elem elem;
	uint16_t idx;
} guard;

static void page_touched(int signal)
{
	const struct vring_used *used = guard.rig->ring.used;
	const uint16_t size = guard.rig->ring.layout.size;

	guard.touched++;
	mprotect(guard.page, PAGE, PROT_READ | PROT_WRITE);
	if (guard.rig->ring.layout.packed)
		return;
	guard.idx = used->idx;
	guard.elem = used->ring[used->idx % size];
}

/* In the test, for cmocka catches signals on its own behalf around it. */
static void catch_signals(struct sigaction *before)
{
	const struct sigaction handler = {.sa_handler = page_touched};

	assert_int_equal(sigaction(SIGSEGV, &handler, before), 0);
}

static void guard_page(struct vq_rig *rig, uint64_t gpa, int protection)
{
	guard.rig = rig;
	guard.touched = 0;
	guard.page = gmem_at(rig->gmem, gpa, PAGE);
	assert_non_null(guard.page);
	assert_int_equal(mprotect(guard.page, PAGE, protection), 0);
}

/* Have the used ring so that flags and index end a page, and entries begin the next one. */
static void straddle_pages(struct vq_rig *rig)
{
	struct driver_ring *ring = &rig->ring;

	vq_stop(rig->vq);
	ring->layout.device = VQ_RIG_DATA + MIB - 4;
	ring->used = gmem_at(rig->gmem, ring->layout.device, PAGE);
	assert_non_null(ring->used);
	ring->avail_event = (uint16_t *)(void *)&ring->used->ring[ring->layout.size];
	assert_int_equal(vq_start(rig->vq, &ring->layout), 0);
}

/* 2.7.8.2: the device MUST set len before it updates the used index. */
static void used_entry_is_complete_before_the_index(void **state)
{
	struct sigaction before;

	catch_signals(&before);
	for (size_t i = 0; i < SPLITS; i++) {
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 4);
		straddle_pages(&rig);
		for (uint16_t n = 0; n < 10; n++) {
			struct vq_request *request;
			uint32_t len;
			int id;

			/* More than one, so that heads and places in the ring differ. */
			id = vq_rig_add(&rig, 0, 1 + n % 2);
			request = vq_rig_pop(&rig);
			guard_page(&rig, VQ_RIG_DATA + MIB - PAGE, PROT_READ);
			vq_push(rig.vq, request, 16 - n);
			vq_rig_expect(&rig, "stored once", guard.touched == 1);
			vq_rig_expect(&rig, "index was the old one", guard.idx == n);
			vq_rig_expect(&rig, "id was there", guard.elem.id == (uint32_t)id);
			vq_rig_expect(&rig, "length was there", guard.elem.len == 16u - n);
			vq_rig_expect(&rig, "index", rig.ring.used->idx == n + 1);
			vq_rig_expect(&rig, "used", vq_rig_get(&rig, &len) == id);
		}
		vq_rig_deinit(&rig);
	}
	sigaction(SIGSEGV, &before, NULL);
}

/* 2.7.5.1, 2.8.15: readable buffers are not written, writable ones not read; by a ring neither. */
static void queue_touches_no_buffer(void **state)
{
	struct sigaction before;

	catch_signals(&before);
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		struct vq_request *request, *none;
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 0);
		vq_rig_add(&rig, 2, 2);
		guard_page(&rig, VQ_RIG_DATA, PROT_NONE);
		request = vq_rig_pop(&rig);
		vq_push(rig.vq, request, 32);
		vq_notify(rig.vq);
		vq_rig_expect(&rig, "no more", vq_pop(rig.vq, &none) == 0);
		vq_rig_expect(&rig, "untouched", guard.touched == 0);
		/* And the guard does work. */
		*(volatile uint8_t *)guard.page = 1;
		vq_rig_expect(&rig, "touched", guard.touched == 1);
		vq_rig_deinit(&rig);
	}
	sigaction(SIGSEGV, &before, NULL);
}

/* 2.8.15: no use of a descriptor before its AVAIL bit is seen to change; at any place and round. */
static void packed_descriptor_is_not_used_before_its_mark_changes(void **state)
{
	static const uint16_t marks[] = {0, AVAIL, USED, AVAIL | USED};

	for (size_t i = SPLITS; i < VQ_RIG_KINDS; i++) {
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 3);
		for (unsigned int n = 0; n < 20; n++) {
			struct driver_ring *ring = &rig.ring;
			struct vring_packed_desc *desc = &ring->packed[ring->avail_idx];
			const struct vring_packed_desc old = *desc;
			const uint16_t right = ring->avail_wrap ? AVAIL : USED;
			struct vq_request *request;
			uint32_t len;
			int id;

			for (size_t m = 0; m < ARRAY_SIZE(marks); m++) {
				*desc = (struct vring_packed_desc) {VQ_RIG_DATA, 16, 0, marks[m]};
				if (marks[m] == right)
					continue;
				vq_rig_expect(&rig, "mark", vq_pop(rig.vq, &request) == 0);
			}
			*desc = old;
			id = vq_rig_add(&rig, 1, 0);
			request = vq_rig_pop(&rig);
			vq_rig_expect(&rig, "id", request->id == id);
			vq_push(rig.vq, request, 0);
			vq_rig_expect(&rig, "used", vq_rig_get(&rig, &len) == id);
		}
		vq_rig_deinit(&rig);
	}
}

/* @ring, as it is in guest memory. */
static void take_ring(struct vq_rig *rig, struct vring_packed_desc ring[RING_MAX])
{
	const size_t size = rig->ring.layout.size * sizeof(*ring);

	memset(ring, 0, RING_MAX * sizeof(*ring));
	assert_int_equal(gmem_read(rig->gmem, rig->ring.layout.desc, ring, size), 0);
}

/*
 * 2.8.15: no change of a descriptor once it is marked as used. 2.8.6: one used descriptor a list.
 * So each push changes the one descriptor that is next in the ring, and nothing else does.
 */
static void packed_device_writes_one_descriptor_a_buffer_and_once(void **state)
{
	static const unsigned int order[] = {2, 0, 3, 1};

	for (size_t i = SPLITS; i < VQ_RIG_KINDS; i++) {
		const unsigned int step = vq_rig_kinds[i].layout.indirect ? 1 : 3;
		struct vring_packed_desc expected[RING_MAX], now[RING_MAX];
		struct vq_request *requests[ARRAY_SIZE(order)], *none;
		unsigned int at = 0;
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 12);
		for (size_t n = 0; n < ARRAY_SIZE(order); n++)
			vq_rig_add(&rig, 1, 2);
		take_ring(&rig, expected);
		for (size_t n = 0; n < ARRAY_SIZE(order); n++)
			requests[n] = vq_rig_pop(&rig);
		vq_rig_expect(&rig, "no more", vq_pop(rig.vq, &none) == 0);
		for (size_t n = 0; n < ARRAY_SIZE(order); n++, at += step) {
			expected[at].id = requests[order[n]]->id;
			expected[at].len = 5;
			expected[at].flags = AVAIL | USED | VRING_DESC_F_WRITE;
			vq_push(rig.vq, requests[order[n]], 5);
			take_ring(&rig, now);
			assert_memory_equal(now, expected, sizeof(now));
		}
		vq_notify(rig.vq);
		vq_rig_expect(&rig, "no more", vq_pop(rig.vq, &none) == 0);
		take_ring(&rig, now);
		assert_memory_equal(now, expected, sizeof(now));
		vq_rig_deinit(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(used_entry_is_complete_before_the_index),
		cmocka_unit_test(queue_touches_no_buffer),
		cmocka_unit_test(packed_descriptor_is_not_used_before_its_mark_changes),
		cmocka_unit_test(packed_device_writes_one_descriptor_a_buffer_and_once),
	};

	return cmocka_run_group_tests_name("conformance_ring", tests, NULL, NULL);
}
