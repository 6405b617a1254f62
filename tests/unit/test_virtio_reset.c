/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_virtio_reset.c - tests virtio.c: resets of the device (virtio 1.4, 2.4) and of one queue
 * (2.6.1), at any moment, with requests in flight.
 */
#include "virtio.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

#define RING_RESET VIRTIO_FEATURE(VIRTIO_F_RING_RESET)

#define DRIVEN                                                                                     \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |            \
	 VIRTIO_STATUS_DRIVER_OK)

static struct virtio_probe probe;

static int setup(void **state)
{
	virtio_probe_init(&probe, LOOP_EPOLL, false);
	return 0;
}

static int setup_epoll(void **state)
{
	virtio_probe_init(&probe, LOOP_EPOLL, true);
	return 0;
}

static int setup_threaded(void **state)
{
	virtio_probe_init(&probe, LOOP_AUTO, true);
	return 0;
}

static int teardown(void **state)
{
	virtio_probe_deinit(&probe);
	return 0;
}

/* Have @n requests of @queue in flight. */
static void put_in_flight(unsigned int queue, unsigned int n)
{
	const unsigned int popped = atomic_load(&probe.popped[queue]);

	for (unsigned int i = 0; i < n; i++)
		virtio_probe_send(&probe, queue, 10);
	virtio_driver_kick(&probe.driver, queue);
	virtio_probe_sync(&probe);
	assert_int_equal(atomic_load(&probe.popped[queue]), popped + n);
}

/* What the device may write of @queue, for a look whether it did. */
struct used_part {
	uint8_t bytes[4096];
};

static void take_used_part(unsigned int queue, struct used_part *part)
{
	const struct vq_layout *layout = &probe.driver.rings[queue].layout;
	const uint64_t at = layout->packed ? layout->desc : layout->device;
	const size_t len = layout->packed ? layout->size * 16u : 6 + 8u * layout->size;

	memset(part, 0, sizeof(*part));
	assert_true(len <= sizeof(part->bytes));
	assert_int_equal(gmem_read(probe.driver.gmem, at, part->bytes, len), 0);
}

static void assert_used_part(unsigned int queue, const struct used_part *before)
{
	struct used_part after;

	take_used_part(queue, &after);
	assert_memory_equal(before, &after, sizeof(after));
}

static void reset_clears_status_interrupts_and_queues(void **state)
{
	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_echo(&probe, 0, 10);
	virtio_probe_sync(&probe);
	assert_int_not_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
	virtio_probe_out(&probe, REG_STATUS, 0);
	virtio_probe_sync(&probe);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
	assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++) {
		virtio_probe_out(&probe, REG_QUEUE_SEL, i);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 0);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_SIZE_MAX), probe_sizes[i]);
	}
	/* Features are forgotten: without VERSION_1 there is no FEATURES_OK. */
	virtio_probe_out(&probe, REG_STATUS, VIRTIO_STATUS_FEATURES_OK);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
}

/* In a thread: the write itself waits. */
static void reset_is_complete_when_the_write_of_0_is(void **state)
{
	for (unsigned int i = 0; i < 100; i++) {
		virtio_driver_start(&probe.driver, virtio_rings[i % VIRTIO_RINGS].features, 16);
		virtio_probe_run(&probe, virtio_probe_hold);
		probe.push_late = i % 2;
		put_in_flight(0, i % 8);
		virtio_probe_out(&probe, REG_STATUS, 0);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
		assert_int_equal(probe.held_n, 0);
	}
}

static void nothing_is_touched_or_notified_after_a_reset(void **state)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		struct used_part before[PROBE_QUEUES];
		unsigned int popped[PROBE_QUEUES];

		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&probe.driver, virtio_rings[i].features, 16);
		virtio_probe_out(&probe, REG_STATUS, 0);
		virtio_probe_sync(&probe);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
		fake_irq_take(&probe.driver.irq);
		for (unsigned int q = 0; q < PROBE_QUEUES; q++) {
			virtio_probe_send(&probe, q, 10);
			take_used_part(q, &before[q]);
			popped[q] = atomic_load(&probe.popped[q]);
			virtio_probe_out(&probe, REG_QUEUE_NOTIFY, q);
		}
		virtio_probe_sync(&probe);
		for (unsigned int q = 0; q < PROBE_QUEUES; q++) {
			assert_int_equal(atomic_load(&probe.popped[q]), popped[q]);
			assert_used_part(q, &before[q]);
		}
		assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
		assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
	}
}

/* On one thread, so that the moments in between can be looked at. */
static void reset_waits_for_requests_in_flight_and_uses_none(void **state)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		struct used_part before[2];
		unsigned int resets;

		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&probe.driver, virtio_rings[i].features, 16);
		virtio_probe_out(&probe, REG_QUEUE_SEL, 2);
		virtio_probe_out(&probe, REG_QUEUE_READY, 0);
		virtio_probe_hold_stubbornly(&probe);
		put_in_flight(0, 5);
		put_in_flight(1, 2);
		take_used_part(0, &before[0]);
		take_used_part(1, &before[1]);
		resets = atomic_load(&probe.resets);
		virtio_probe_out(&probe, REG_STATUS, 0);
		virtio_driver_settle(&probe.driver);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN);
		/* A second one changes nothing, nor does anything else. */
		virtio_probe_out(&probe, REG_STATUS, 0);
		virtio_probe_out(&probe, REG_STATUS, DRIVEN | VIRTIO_STATUS_FAILED);
		for (unsigned int queue = 0; queue < PROBE_QUEUES; queue++) {
			virtio_probe_out(&probe, REG_QUEUE_SEL, queue);
			virtio_probe_out(&probe, REG_QUEUE_READY, queue == 2);
			virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
		}
		virtio_probe_out(&probe, REG_QUEUE_NOTIFY, 0);
		virtio_needs_reset(&probe.dev, "too late");
		virtio_driver_settle(&probe.driver);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN);
		assert_int_equal(atomic_load(&probe.resets), resets);
		fake_irq_take(&probe.driver.irq);
		virtio_probe_run(&probe, virtio_probe_release);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
		assert_int_equal(atomic_load(&probe.resets), resets + 1);
		assert_used_part(0, &before[0]);
		assert_used_part(1, &before[1]);
		assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
		assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
		probe.hold = probe.stubborn = false;
		virtio_driver_start(&probe.driver, virtio_rings[i].features, 16);
		for (unsigned int queue = 0; queue < PROBE_QUEUES; queue++)
			virtio_probe_echo(&probe, queue, 100);
	}
}

/* The class is in the middle of a request of its own when it pushes the last one. */
static void class_forgets_nothing_while_it_pushes(void **state)
{
	for (unsigned int late = 0; late < 2; late++) {
		virtio_driver_start(&probe.driver, 0, 16);
		probe.hold = true;
		probe.push_late = late;
		put_in_flight(0, 3);
		put_in_flight(1, 3);
		virtio_probe_out(&probe, REG_STATUS, 0);
		virtio_driver_settle(&probe.driver);
		/* The probe counts a reset that comes while it holds requests as a mistake. */
		assert_int_equal(atomic_load(&probe.foreign), 0);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
		probe.hold = false;
	}
}

/* 2.6.1 */

static void reset_of_a_queue_without_the_feature_is_ignored(void **state)
{
	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
	virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
	virtio_probe_sync(&probe);
	assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 1);
	assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
	virtio_probe_echo(&probe, 0, 100);
}

static void queue_reset_reads_1_until_its_requests_are_back(void **state)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		struct used_part before;

		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&probe.driver, virtio_rings[i].features | RING_RESET, 16);
		virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
		virtio_probe_hold_stubbornly(&probe);
		put_in_flight(0, 3);
		take_used_part(0, &before);
		fake_irq_take(&probe.driver.irq);
		virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
		virtio_driver_settle(&probe.driver);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 1);
		/* Of no effect: again, 0, not ready, ready. */
		virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
		virtio_probe_out(&probe, REG_QUEUE_RESET, 0);
		virtio_probe_out(&probe, REG_QUEUE_READY, 0);
		virtio_probe_out(&probe, REG_QUEUE_READY, 1);
		virtio_driver_settle(&probe.driver);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 1);
		virtio_probe_run(&probe, virtio_probe_release);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 0);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN);
		/* It executes nothing and does not notify. */
		assert_used_part(0, &before);
		assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
		assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
		/* The others go on. */
		probe.hold = probe.stubborn = false;
		virtio_probe_echo(&probe, 1, 10);
	}
}

static void set_up_queue(unsigned int queue, const struct vq_layout *layout)
{
	virtio_probe_out(&probe, REG_QUEUE_SEL, queue);
	virtio_probe_out(&probe, REG_QUEUE_SIZE, layout->size);
	virtio_probe_out(&probe, REG_QUEUE_DESC_LOW, (uint32_t)layout->desc);
	virtio_probe_out(&probe, REG_QUEUE_DRIVER_LOW, (uint32_t)layout->driver);
	virtio_probe_out(&probe, REG_QUEUE_DEVICE_LOW, (uint32_t)layout->device);
	virtio_probe_out(&probe, REG_QUEUE_READY, 1);
}

static void queue_starts_over_after_its_reset_even_with_another_size(void **state)
{
	static const uint16_t sizes[] = {16, 16, 4, 64, 2, 32};

	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		struct driver_ring *ring = &probe.driver.rings[0];

		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&probe.driver, virtio_rings[i].features | RING_RESET, 64);
		for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
			struct vq_layout layout = ring->layout;

			for (unsigned int k = 0; k < 21; k++) {
				virtio_probe_echo(&probe, 0, 10);
				virtio_probe_echo(&probe, 1, 10);
			}
			virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
			virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
			virtio_probe_sync(&probe);
			assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
			assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 0);
			driver_ring_deinit(ring);
			layout.size = sizes[n];
			driver_ring_init(ring, probe.driver.gmem, &layout,
					 VIRTIO_DRIVER_DATA + MIB);
			set_up_queue(0, &ring->layout);
			assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 1);
			assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
		}
	}
}

/* What it was told before is gone, so that a queue without a size is not a queue. */
static void queue_forgets_its_layout_when_it_is_reset(void **state)
{
	virtio_driver_start(&probe.driver, RING_RESET, 16);
	virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
	virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
	virtio_probe_sync(&probe);
	virtio_probe_out(&probe, REG_QUEUE_READY, 1);
	assert_true(virtio_driver_needs_reset(&probe.driver));
}

static void device_reset_ends_a_queue_reset(void **state)
{
	virtio_driver_start(&probe.driver, RING_RESET, 16);
	virtio_probe_hold_stubbornly(&probe);
	put_in_flight(0, 3);
	virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
	virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
	virtio_driver_settle(&probe.driver);
	virtio_probe_out(&probe, REG_STATUS, 0);
	virtio_driver_settle(&probe.driver);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN);
	virtio_probe_run(&probe, virtio_probe_release);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
	assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
	assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 0);
	probe.hold = probe.stubborn = false;
	virtio_driver_start(&probe.driver, RING_RESET, 16);
	virtio_probe_echo(&probe, 0, 100);
}

static void queue_that_is_not_ready_stops_when_its_requests_are_back(void **state)
{
	struct used_part before;

	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_hold_stubbornly(&probe);
	put_in_flight(0, 3);
	take_used_part(0, &before);
	virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
	virtio_probe_out(&probe, REG_QUEUE_READY, 0);
	virtio_driver_settle(&probe.driver);
	assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 1);
	virtio_probe_run(&probe, virtio_probe_release);
	assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 0);
	assert_used_part(0, &before);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define BOTH(fn)                                                                                   \
	TEST(fn), {#fn ", in a thread", fn, setup_threaded, teardown, NULL},                       \
	{                                                                                          \
#fn ", in a thread, epoll", fn, setup_epoll, teardown, NULL                        \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(reset_clears_status_interrupts_and_queues),
		cmocka_unit_test_setup_teardown(reset_is_complete_when_the_write_of_0_is,
						setup_threaded, teardown),
		BOTH(nothing_is_touched_or_notified_after_a_reset),
		TEST(reset_waits_for_requests_in_flight_and_uses_none),
		TEST(class_forgets_nothing_while_it_pushes),
		BOTH(reset_of_a_queue_without_the_feature_is_ignored),
		TEST(queue_reset_reads_1_until_its_requests_are_back),
		BOTH(queue_starts_over_after_its_reset_even_with_another_size),
		BOTH(queue_forgets_its_layout_when_it_is_reset),
		TEST(device_reset_ends_a_queue_reset),
		TEST(queue_that_is_not_ready_stops_when_its_requests_are_back),
	};

	return cmocka_run_group_tests_name("virtio_reset", tests, NULL, NULL);
}
