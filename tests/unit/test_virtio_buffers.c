/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_virtio_buffers.c - tests virtio.c: available and used buffers, their notifications, and that
 * no queue keeps the thread for itself.
 */
#include "virtio.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

#define NEGOTIATED (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)
#define DRIVEN	   (NEGOTIATED | VIRTIO_STATUS_DRIVER_OK)

static struct virtio_probe probe;

static int setup(void **state)
{
	virtio_probe_init(&probe, LOOP_EPOLL, false);
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

static void buffers_pass_on_every_kind_of_ring(void **state)
{
	static const uint32_t lens[] = {1, 2, 3, 100, 1000, 4096};

	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		print_message("# %s\n", virtio_rings[i].name);
		assert_int_equal(virtio_driver_start(&probe.driver, virtio_rings[i].features, 128),
				 DRIVEN);
		/* Each ring goes round several times. */
		for (unsigned int n = 0; n < 300; n++)
			virtio_probe_echo(&probe, n % PROBE_QUEUES, lens[n % ARRAY_SIZE(lens)]);
	}
}

static void used_buffers_are_notified_and_not_if_unwanted(void **state)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		struct driver_ring *ring = &probe.driver.rings[0];

		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&probe.driver, virtio_rings[i].features, 16);
		driver_ring_enable_interrupts(ring);
		fake_irq_take(&probe.driver.irq);
		virtio_probe_echo(&probe, 0, 10);
		assert_int_equal(fake_irq_wait(&probe.driver.irq, 10000), 1);
		assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS),
				 VIRTIO_INTERRUPT_USED);
		virtio_probe_out(&probe, REG_INTERRUPT_ACK, VIRTIO_INTERRUPT_USED);
		driver_ring_disable_interrupts(ring);
		virtio_probe_echo(&probe, 0, 10);
		virtio_probe_sync(&probe);
		assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
		assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
	}
}

/* 2.1.2. The driver fills its queue and notifies, too early, and then once more. */
static void nothing_is_consumed_or_notified_before_driver_ok(void **state)
{
	unsigned int notified[PROBE_QUEUES];

	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_out(&probe, REG_STATUS, 0);
	virtio_probe_sync(&probe);
	virtio_probe_out(&probe, REG_DRIVER_FEATURES_SEL, 1);
	virtio_probe_out(&probe, REG_DRIVER_FEATURES, 1);
	virtio_probe_out(&probe, REG_STATUS, NEGOTIATED);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++) {
		const struct vq_layout *layout = &probe.driver.rings[i].layout;

		notified[i] = atomic_load(&probe.notified[i]);
		virtio_probe_out(&probe, REG_QUEUE_SEL, i);
		virtio_probe_out(&probe, REG_QUEUE_SIZE, layout->size);
		virtio_probe_out(&probe, REG_QUEUE_DESC_LOW, (uint32_t)layout->desc);
		virtio_probe_out(&probe, REG_QUEUE_DRIVER_LOW, (uint32_t)layout->driver);
		virtio_probe_out(&probe, REG_QUEUE_DEVICE_LOW, (uint32_t)layout->device);
		virtio_probe_out(&probe, REG_QUEUE_READY, 1);
		virtio_probe_send(&probe, i, 20);
		virtio_probe_out(&probe, REG_QUEUE_NOTIFY, i);
	}
	virtio_probe_sync(&probe);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++) {
		assert_int_equal(atomic_load(&probe.popped[i]), 0);
		assert_int_equal(atomic_load(&probe.notified[i]), notified[i]);
		assert_int_equal(probe.driver.rings[i].used->idx, 0);
	}
	assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
	assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
	/* Then it takes them without having to be told again. */
	virtio_probe_out(&probe, REG_STATUS, DRIVEN);
	virtio_probe_sync(&probe);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		assert_int_equal(probe.driver.rings[i].used->idx, 1);
}

static void queue_that_is_not_ready_is_not_touched(void **state)
{
	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_out(&probe, REG_QUEUE_SEL, 1);
	virtio_probe_out(&probe, REG_QUEUE_READY, 0);
	virtio_probe_sync(&probe);
	assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_READY), 0);
	virtio_probe_send(&probe, 1, 20);
	virtio_probe_out(&probe, REG_QUEUE_NOTIFY, 1);
	virtio_probe_sync(&probe);
	assert_int_equal(probe.driver.rings[1].used->idx, 0);
	assert_int_equal(atomic_load(&probe.popped[1]), 0);
	virtio_probe_echo(&probe, 0, 64);
	virtio_probe_echo(&probe, 2, 64);
	/* It has stopped once, and not again with the others. */
	virtio_probe_out(&probe, REG_STATUS, 0);
	virtio_probe_sync(&probe);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		assert_int_equal(atomic_load(&probe.stopped[i]), 1);
}

static void queue_made_ready_after_driver_ok_is_served(void **state)
{
	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_out(&probe, REG_QUEUE_SEL, 1);
	virtio_probe_out(&probe, REG_QUEUE_READY, 0);
	virtio_probe_sync(&probe);
	virtio_probe_out(&probe, REG_QUEUE_READY, 1);
	virtio_probe_echo(&probe, 1, 64);
}

/* As a guest on another processor would that fills its queue without an end. */
static void fill_again(struct virtio_probe *p, unsigned int queue)
{
	uint32_t len;

	if (queue == 0 && driver_ring_get(&p->driver.rings[0], &len) >= 0)
		virtio_probe_send(p, 0, 10);
}

static void queue_that_is_never_empty_lets_others_have_their_turn(void **state)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		uint32_t len;

		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&probe.driver, virtio_rings[i].features, 8);
		probe.answered = fill_again;
		atomic_store(&probe.popped[0], 0);
		atomic_store(&probe.notified[0], 0);
		virtio_probe_send(&probe, 0, 10);
		virtio_driver_kick(&probe.driver, 0);
		virtio_probe_send(&probe, 1, 10);
		virtio_driver_kick(&probe.driver, 1);
		virtio_driver_settle(&probe.driver);
		assert_true(driver_ring_get(&probe.driver.rings[1], &len) >= 0);
		/* As many requests a turn as the queue has entries, with no new notification. */
		assert_true(atomic_load(&probe.notified[0]) > 3);
		assert_int_equal(atomic_load(&probe.popped[0]),
				 8 * atomic_load(&probe.notified[0]));
		probe.answered = NULL;
	}
}

static void fill_again_and_notify(struct virtio_probe *p, unsigned int queue)
{
	fill_again(p, queue);
	virtio_probe_out(p, REG_QUEUE_NOTIFY, queue);
}

static void notifications_give_a_busy_queue_no_more_turns(void **state)
{
	unsigned int without, with;

	virtio_driver_start(&probe.driver, 0, 8);
	probe.answered = fill_again;
	virtio_probe_send(&probe, 0, 10);
	virtio_probe_out(&probe, REG_QUEUE_NOTIFY, 0);
	virtio_driver_settle(&probe.driver);
	atomic_store(&probe.notified[0], 0);
	virtio_driver_settle(&probe.driver);
	without = atomic_exchange(&probe.notified[0], 0);
	probe.answered = fill_again_and_notify;
	virtio_driver_settle(&probe.driver);
	with = atomic_load(&probe.notified[0]);
	assert_true(without > 0);
	assert_in_range(with, without - 1, without + 1);
}

/* For classes whose work comes from elsewhere: what a turn left of its budget is not theirs. */
static void pops_between_notifications_are_not_limited(void **state)
{
	uint32_t len;

	virtio_driver_start(&probe.driver, VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC), 8);
	for (unsigned int i = 0; i < 3; i++)
		virtio_probe_send(&probe, 0, 10);
	virtio_driver_kick(&probe.driver, 0);
	virtio_driver_settle(&probe.driver);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(driver_ring_get(&probe.driver.rings[0], &len) >= 0);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 8; i++)
			virtio_probe_send(&probe, 0, 10);
		virtio_probe_pop(&probe);
		for (unsigned int i = 0; i < 8; i++)
			assert_true(driver_ring_get(&probe.driver.rings[0], &len) >= 0);
	}
}

static void kick_serves_a_queue_that_is_live_and_no_other(void **state)
{
	unsigned int before;

	virtio_kick(&probe.dev, 0);
	virtio_probe_sync(&probe);
	assert_int_equal(atomic_load(&probe.notified[0]), 0);
	virtio_driver_start(&probe.driver, 0, 8);
	before = atomic_load(&probe.notified[0]);
	virtio_kick(&probe.dev, 0);
	virtio_kick(&probe.dev, 0);
	virtio_probe_sync(&probe);
	assert_int_equal(atomic_load(&probe.notified[0]), before + 1);
	virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
	virtio_probe_out(&probe, REG_QUEUE_READY, 0);
	virtio_probe_sync(&probe);
	virtio_kick(&probe.dev, 0);
	virtio_probe_sync(&probe);
	assert_int_equal(atomic_load(&probe.notified[0]), before + 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define THREADED(fn)                                                                               \
	{                                                                                          \
#fn ", in a thread", fn, setup_threaded, teardown, NULL                            \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(buffers_pass_on_every_kind_of_ring),
		THREADED(buffers_pass_on_every_kind_of_ring),
		TEST(used_buffers_are_notified_and_not_if_unwanted),
		THREADED(used_buffers_are_notified_and_not_if_unwanted),
		TEST(nothing_is_consumed_or_notified_before_driver_ok),
		THREADED(nothing_is_consumed_or_notified_before_driver_ok),
		TEST(queue_that_is_not_ready_is_not_touched),
		THREADED(queue_that_is_not_ready_is_not_touched),
		TEST(queue_made_ready_after_driver_ok_is_served),
		TEST(queue_that_is_never_empty_lets_others_have_their_turn),
		TEST(notifications_give_a_busy_queue_no_more_turns),
		TEST(pops_between_notifications_are_not_limited),
		TEST(kick_serves_a_queue_that_is_live_and_no_other),
	};

	return cmocka_run_group_tests_name("virtio_buffers", tests, NULL, NULL);
}
