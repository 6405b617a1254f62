/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vq_notify.c - when driver and device tell each other of buffers, and when not: flags and
 * event indices of both kinds of ring (virtio 1.4, 2.7.7, 2.7.10, 2.8.10).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "vq_rig.h"

#define PAGE UINT64_C(4096)

static void for_each_kind(void (*test)(struct vq_rig *rig), uint16_t size)
{
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], size);
		test(&rig);
		vq_rig_deinit(&rig);
	}
}

/* Add, and say whether the driver would notify the device of it. */
static bool add_kicks(struct vq_rig *rig)
{
	vq_rig_expect(rig, "room", vq_rig_add(rig, 1, 1) >= 0);
	return driver_ring_needs_kick(&rig->ring);
}

/* Return: interrupts since the last call. */
static unsigned int interrupts(struct vq_rig *rig)
{
	return atomic_exchange(&rig->interrupts, 0);
}

/* Use one request: pop, push, get. */
static void turn(struct vq_rig *rig)
{
	uint32_t len;

	vq_push(rig->vq, vq_rig_pop(rig), 0);
	vq_rig_get(rig, &len);
}

static void ask_when_empty(struct vq_rig *rig)
{
	struct vq_request *request;

	vq_rig_expect(rig, "the first is announced", add_kicks(rig));
	for (unsigned int i = 0; i < 30; i++) {
		turn(rig);
		vq_rig_expect(rig, "more while the device is busy", !add_kicks(rig));
		vq_rig_expect(rig, "even more", !add_kicks(rig));
		turn(rig);
		turn(rig);
		vq_rig_expect(rig, "empty", vq_pop(rig->vq, &request) == 0);
		vq_rig_expect(rig, "still empty", vq_pop(rig->vq, &request) == 0);
		vq_rig_expect(rig, "after that", add_kicks(rig));
	}
}

static void device_asks_for_a_notification_when_it_finds_nothing(void **state)
{
	for_each_kind(ask_when_empty, 8);
}

/* What the driver left in the device's area, from another life, does not count. */
static void ask_at_start(struct vq_rig *rig)
{
	const uint16_t bytes[2] = {0x1234, VRING_PACKED_EVENT_FLAG_DISABLE};

	vq_stop(rig->vq);
	if (rig->ring.layout.packed) {
		gmem_write(rig->gmem, rig->ring.layout.device, bytes, sizeof(bytes));
	} else {
		rig->ring.used->flags = VRING_USED_F_NO_NOTIFY;
		*rig->ring.avail_event = 0x1234;
	}
	vq_rig_expect(rig, "start", vq_start(rig->vq, &rig->ring.layout) == 0);
	vq_rig_expect(rig, "flags", rig->ring.layout.packed || rig->ring.used->flags == 0);
	vq_rig_expect(rig, "the first is announced", add_kicks(rig));
}

static void device_asks_for_a_notification_at_start(void **state)
{
	for_each_kind(ask_at_start, 8);
}

/*
 * The driver adds a buffer at the worst moment: after the device has seen an empty ring, and before
 * it has asked for a notification, of which the driver sees nothing. The device's area is a page
 * that cannot be written, so the signal comes with the store that asks.
 */
static struct {
	struct vq_rig *rig;
	void *page;
	unsigned int stores;
	bool kicks;
} worst;

static void store_to_device_area(int signal)
{
	worst.stores++;
	if (worst.stores == 1)
		worst.kicks = add_kicks(worst.rig);
	mprotect(worst.page, PAGE, PROT_READ | PROT_WRITE);
}

static void add_at_the_worst_moment(struct vq_rig *rig)
{
	struct driver_ring *ring = &rig->ring;
	struct vq_request *request;

	/* The device area to a page of its own. */
	vq_stop(rig->vq);
	ring->layout.device = VQ_RIG_DATA + MIB;
	worst.rig = rig;
	worst.stores = 0;
	worst.page = gmem_at(rig->gmem, ring->layout.device, PAGE);
	ring->used = worst.page;
	ring->avail_event = (uint16_t *)(void *)&ring->used->ring[ring->layout.size];
	ring->device_event = worst.page;
	vq_rig_expect(rig, "start", vq_start(rig->vq, &ring->layout) == 0);

	vq_rig_add(rig, 1, 0);
	driver_ring_needs_kick(ring);
	turn(rig);
	mprotect(worst.page, PAGE, PROT_READ);
	vq_rig_expect(rig, "found", vq_pop(rig->vq, &request) == 1);
	vq_rig_expect(rig, "not announced", worst.stores > 0 && !worst.kicks);
	mprotect(worst.page, PAGE, PROT_READ | PROT_WRITE);
}

static void buffer_added_while_the_device_asks_is_found(void **state)
{
	const struct sigaction handler = {.sa_handler = store_to_device_area};
	struct sigaction before;

	sigaction(SIGSEGV, &handler, &before);
	for_each_kind(add_at_the_worst_moment, 8);
	sigaction(SIGSEGV, &before, NULL);
}

/* 2.7.10.2, with EVENT_IDX: flags stay 0. Without: avail_event stays as it was. */
static void split_device_uses_flags_or_index_but_not_both(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		const bool event_idx = vq_rig_kinds[i].layout.event_idx;
		struct vq_request *request;
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 0);
		for (unsigned int turns = 0; turns < 3; turns++) {
			vq_rig_add(&rig, 1, 0);
			vq_rig_add(&rig, 1, 0);
			turn(&rig);
			assert_int_equal(rig.ring.used->flags,
					 event_idx ? 0 : VRING_USED_F_NO_NOTIFY);
			turn(&rig);
			assert_int_equal(vq_pop(rig.vq, &request), 0);
			assert_int_equal(rig.ring.used->flags, 0);
			assert_int_equal(*rig.ring.avail_event, event_idx ? 2 * turns + 2 : 0);
		}
		vq_rig_deinit(&rig);
	}
}

static void interrupt_if_wanted(struct vq_rig *rig)
{
	vq_notify(rig->vq);
	vq_rig_expect(rig, "nothing used", interrupts(rig) == 0);
	for (unsigned int i = 0; i < 30; i++) {
		vq_rig_add(rig, 1, 1);
		vq_rig_add(rig, 1, 1);
		driver_ring_enable_interrupts(&rig->ring);
		turn(rig);
		vq_rig_expect(rig, "not before it is asked for", interrupts(rig) == 0);
		turn(rig);
		vq_notify(rig->vq);
		vq_rig_expect(rig, "one for two", interrupts(rig) == 1);
		vq_notify(rig->vq);
		vq_rig_expect(rig, "once", interrupts(rig) == 0);
		vq_rig_add(rig, 1, 1);
		driver_ring_disable_interrupts(&rig->ring);
		turn(rig);
		vq_notify(rig->vq);
		vq_rig_expect(rig, "disabled", interrupts(rig) == 0);
		driver_ring_enable_interrupts(&rig->ring);
		vq_notify(rig->vq);
		vq_rig_expect(rig, "enabled too late", interrupts(rig) == 0);
	}
}

static void driver_is_interrupted_if_it_wants(void **state)
{
	for_each_kind(interrupt_if_wanted, 8);
}

/* 2.7.7.2, 2.8.10: the driver's other field says nothing. */
static void driver_wish_of_the_other_kind_is_ignored(void **state)
{
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		const struct vq_layout *layout = &vq_rig_kinds[i].layout;
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 0);
		vq_rig_add(&rig, 1, 0);
		if (layout->packed) {
			/* A descriptor far away, which is not a wish without EVENT_IDX; and the
			 * reserved value is none to be silent. */
			rig.ring.driver_event->off_wrap = 0x8005;
			rig.ring.driver_event->flags =
				layout->event_idx ? 3 : VRING_PACKED_EVENT_FLAG_DESC;
		} else if (layout->event_idx) {
			rig.ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
		} else {
			*rig.ring.used_event = 5;
		}
		turn(&rig);
		vq_notify(rig.vq);
		vq_rig_expect(&rig, "ignored", interrupts(&rig) == 1);
		vq_rig_deinit(&rig);
	}
}

/*
 * The driver asks for an interrupt at the used entry that is @ahead from where it is, at every
 * place of the ring, and the device uses @step at a time: it comes with the step that reaches it,
 * and only then.
 */
static void event_at(struct vq_rig *rig, unsigned int turns, unsigned int ahead, unsigned int step)
{
	const unsigned int size = rig->ring.layout.size;
	struct driver_ring *ring = &rig->ring;

	for (unsigned int i = 0; i < turns; i++) {
		unsigned int at = ring->used_idx + ahead;
		bool wrap = ring->used_wrap;

		if (ring->layout.packed && at >= size) {
			at -= size;
			wrap = !wrap;
		}
		if (ring->layout.packed) {
			ring->driver_event->off_wrap = (uint16_t)(at | (wrap ? 0x8000u : 0));
			ring->driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
		} else {
			*ring->used_event = (uint16_t)at;
		}
		for (unsigned int used = 0; used < 2 * size - step; used += step) {
			const bool due = ahead >= used && ahead < used + step;

			for (unsigned int j = 0; j < step; j++) {
				driver_ring_add_direct(ring, &(struct driver_sg) {VQ_RIG_DATA, 8},
						       1, 0);
				turn(rig);
			}
			vq_notify(rig->vq);
			if (interrupts(rig) != due)
				fail_msg("%s: %u ahead in steps of %u, after %u", rig->name, ahead,
					 step, used);
		}
	}
}

static void event_index_is_met_exactly(void **state)
{
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		if (!vq_rig_kinds[i].layout.event_idx)
			continue;
		for (unsigned int ahead = 0; ahead < 8; ahead++)
			for (unsigned int step = 1; step < 8; step++) {
				struct vq_rig rig;

				vq_rig_init(&rig, &vq_rig_kinds[i], 8);
				event_at(&rig, 16, ahead, step);
				vq_rig_deinit(&rig);
			}
	}
}

/* 2.7.7.2: the index goes from 65535 to 0. */
static void event_index_is_met_where_the_used_index_wraps(void **state)
{
	struct vq_rig rig;

	vq_rig_init(&rig, &vq_rig_kinds[2], 4);
	for (unsigned int i = 0; i < 65536 - 20; i++) {
		vq_rig_add(&rig, 1, 0);
		turn(&rig);
	}
	vq_notify(rig.vq);
	interrupts(&rig);
	event_at(&rig, 10, 2, 1);
	assert_true(rig.ring.used_idx > 0 && rig.ring.used_idx < 1000);
	vq_rig_deinit(&rig);
}

/* More used entries than an index can count, before the device calls vq_notify(). */
static void use_many(struct vq_rig *rig)
{
	for (unsigned int i = 0; i < 65536 + 3; i++) {
		vq_rig_add(rig, 1, 0);
		turn(rig);
		if (i == 2)
			driver_ring_enable_interrupts(&rig->ring);
	}
	vq_notify(rig->vq);
	vq_rig_expect(rig, "interrupt", interrupts(rig) == 1);
}

static void many_used_buffers_are_not_forgotten(void **state)
{
	for_each_kind(use_many, 8);
}

/* 2.8.10: an event in the middle of a list is met by the list. */
static void packed_event_within_a_list_is_met(void **state)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct driver_sg sg[3];
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[6], 7);
		for (unsigned int j = 0; j < 3; j++)
			sg[j] = (struct driver_sg) {VQ_RIG_DATA, 4};
		rig.ring.driver_event->off_wrap = (uint16_t)(0x8000 | i);
		rig.ring.driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
		driver_ring_add(&rig.ring, sg, 3, 0);
		turn(&rig);
		vq_notify(rig.vq);
		assert_int_equal(interrupts(&rig), i < 3);
		vq_rig_deinit(&rig);
	}
}

/* Several budgets' worth: while the device is only interrupted, it is not told. */
static void stay_silent(struct vq_rig *rig)
{
	struct vq_request *request;

	vq_rig_expect(rig, "the first is announced", add_kicks(rig));
	for (unsigned int i = 0; i < 20; i++) {
		vq_set_budget(rig->vq, 1);
		turn(rig);
		vq_rig_expect(rig, "no more", vq_pop(rig->vq, &request) == 0);
		vq_rig_expect(rig, "used up", vq_starved(rig->vq));
		vq_rig_expect(rig, "not announced", !add_kicks(rig));
	}
}

static void driver_is_not_asked_while_the_budget_is_used_up(void **state)
{
	for_each_kind(stay_silent, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_asks_for_a_notification_when_it_finds_nothing),
		cmocka_unit_test(device_asks_for_a_notification_at_start),
		cmocka_unit_test(buffer_added_while_the_device_asks_is_found),
		cmocka_unit_test(split_device_uses_flags_or_index_but_not_both),
		cmocka_unit_test(driver_is_interrupted_if_it_wants),
		cmocka_unit_test(driver_wish_of_the_other_kind_is_ignored),
		cmocka_unit_test(event_index_is_met_exactly),
		cmocka_unit_test(event_index_is_met_where_the_used_index_wraps),
		cmocka_unit_test(many_used_buffers_are_not_forgotten),
		cmocka_unit_test(packed_event_within_a_list_is_met),
		cmocka_unit_test(driver_is_not_asked_while_the_budget_is_used_up),
	};

	return cmocka_run_group_tests_name("vq_notify", tests, NULL, NULL);
}
