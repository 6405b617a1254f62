/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_conformance_queue.c - clauses of virtio 1.4, 2.6.1 about a queue that was reset and what the
 * driver does with it afterwards. See docs/conformance.md; resets with requests in flight are in
 * test_virtio_reset.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

#define RING_RESET VIRTIO_FEATURE(VIRTIO_F_RING_RESET)

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

/* Guest memory that holds queue 0: all three areas and the tables of its descriptors. */
struct ring_copy {
	uint64_t len;
	uint8_t *bytes;
};

static struct ring_copy take_ring(void)
{
	const struct driver_ring *ring = &probe.driver.rings[0];
	struct ring_copy copy = {.len = ring->end - ring->layout.desc};

	copy.bytes = malloc(copy.len);
	assert_non_null(copy.bytes);
	assert_int_equal(gmem_read(probe.driver.gmem, ring->layout.desc, copy.bytes, copy.len), 0);
	return copy;
}

static void assert_ring(struct ring_copy *before)
{
	struct ring_copy after = take_ring();

	assert_int_equal(before->len, after.len);
	assert_memory_equal(before->bytes, after.bytes, after.len);
	free(before->bytes);
	free(after.bytes);
}

/* Work of the class's own, that comes from elsewhere. */
static void kick_and_pop(struct virtio_probe *p)
{
	virtio_kick(&p->dev, 0);
	virtio_probe_pop(p);
}

/* 2.6.1.1.1: after its reset a queue MUST NOT execute requests, nor notify the driver. */
static void queue_that_was_reset_executes_nothing_and_is_silent(void **state)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		struct ring_copy before;
		unsigned int popped;

		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&probe.driver, virtio_rings[i].features | RING_RESET, 16);
		driver_ring_enable_interrupts(&probe.driver.rings[0]);
		virtio_probe_echo(&probe, 0, 10);
		virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
		virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
		virtio_probe_sync(&probe);
		assert_int_equal(virtio_probe_in(&probe, REG_QUEUE_RESET), 0);
		virtio_probe_out(&probe, REG_INTERRUPT_ACK, VIRTIO_INTERRUPT_USED);
		fake_irq_take(&probe.driver.irq);
		popped = atomic_load(&probe.popped[0]);
		for (unsigned int n = 0; n < 3; n++)
			virtio_probe_send(&probe, 0, 10);
		before = take_ring();
		virtio_probe_out(&probe, REG_QUEUE_NOTIFY, 0);
		virtio_probe_run(&probe, kick_and_pop);
		assert_int_equal(atomic_load(&probe.popped[0]), popped);
		assert_ring(&before);
		assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
		assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
		/* It is the queue that is silent, not the device. */
		virtio_probe_echo(&probe, 1, 10);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define THREADED(fn)                                                                               \
	{                                                                                          \
#fn ", in a thread", fn, setup_threaded, teardown, NULL                            \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(queue_that_was_reset_executes_nothing_and_is_silent),
		THREADED(queue_that_was_reset_executes_nothing_and_is_silent),
	};

	return cmocka_run_group_tests_name("conformance_queue", tests, NULL, NULL);
}
