/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rng.c - tests rng.c: the entropy device, virtio 1.4, 5.4, driven as a guest would.
 */
#include "devices/rng.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

#define REQUEST_MAX (64 * KIB)
#define GUARD	    0x5a

static struct virtio_driver driver;
static struct rng *rng;

static int set_up(enum loop_kind kind, bool threaded)
{
	virtio_driver_init(&driver, kind, threaded);
	assert_int_equal(rng_new(&rng, &driver.env), 0);
	virtio_driver_attach(&driver, rng_device(rng));
	return 0;
}

static int setup(void **state)
{
	return set_up(LOOP_EPOLL, false);
}

static int setup_threaded(void **state)
{
	return set_up(LOOP_AUTO, true);
}

static int setup_epoll(void **state)
{
	return set_up(LOOP_EPOLL, true);
}

static int teardown(void **state)
{
	virtio_driver_detach(&driver);
	rng_free(rng);
	virtio_driver_deinit(&driver);
	return 0;
}

static uint8_t *memory(uint64_t at, uint64_t len)
{
	uint8_t *bytes = gmem_at(driver.gmem, VIRTIO_DRIVER_DATA + at, len);

	assert_non_null(bytes);
	return bytes;
}

/* Ask with pieces, of which @out_n are readable. Return: the used length. */
static uint32_t ask(const struct driver_sg *sg, unsigned int out_n, unsigned int in_n)
{
	uint32_t len = UINT32_MAX;
	int id;

	id = driver_ring_add(&driver.rings[0], sg, out_n, in_n);
	assert_true(id >= 0);
	virtio_driver_kick(&driver, 0);
	assert_int_equal(virtio_driver_wait(&driver, 0, &len), id);
	return len;
}

static bool is_guard(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != GUARD)
			return false;
	return true;
}

static void is_an_entropy_device_with_one_queue_and_nothing_else(void **state)
{
	assert_int_equal(virtio_driver_read(&driver, REG_DEVICE_ID), 4);
	virtio_driver_write(&driver, REG_QUEUE_SEL, 0);
	assert_int_equal(virtio_driver_read(&driver, REG_QUEUE_SIZE_MAX), 64);
	virtio_driver_write(&driver, REG_QUEUE_SEL, 1);
	assert_int_equal(virtio_driver_read(&driver, REG_QUEUE_SIZE_MAX), 0);
	/* No feature bits of its own, no configuration. */
	virtio_driver_write(&driver, REG_DEVICE_FEATURES_SEL, 0);
	assert_int_equal(virtio_driver_read(&driver, REG_DEVICE_FEATURES) & 0xffffff, 0);
	assert_int_equal(virtio_driver_read(&driver, REG_CONFIG), 0);
}

static void whole_request_is_filled_in_all_its_pieces_and_not_beside(void **state)
{
	static const struct driver_sg sg[] = {
		{VIRTIO_DRIVER_DATA + 16, 64},
		{VIRTIO_DRIVER_DATA + 112, 1},
		{VIRTIO_DRIVER_DATA + 4096, 3000},
	};

	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&driver, virtio_rings[i].features, 64);
		for (unsigned int round = 0; round < 100; round++) {
			const uint8_t *bytes = memory(0, 8192);

			memset(memory(0, 8192), GUARD, 8192);
			assert_int_equal(ask(sg, 0, 3), 3065);
			assert_true(is_guard(bytes, 16));
			assert_false(is_guard(bytes + 16, 32));
			assert_false(is_guard(bytes + 48, 32));
			assert_true(is_guard(bytes + 80, 32));
			assert_true(is_guard(bytes + 113, 4096 - 113));
			assert_false(is_guard(bytes + 4096, 32));
			assert_false(is_guard(bytes + 4096 + 3000 - 32, 32));
			assert_true(is_guard(bytes + 4096 + 3000, 4096 - 3000));
		}
	}
}

/* Every value of a byte in 64 KiB, half of the bits, and no block twice. */
static void bytes_look_random(void **state)
{
	static const struct driver_sg sg = {VIRTIO_DRIVER_DATA, REQUEST_MAX};
	const uint8_t *bytes = memory(0, REQUEST_MAX);
	unsigned int seen[256] = {0}, ones = 0;
	uint8_t first[64];

	virtio_driver_start(&driver, 0, 64);
	assert_int_equal(ask(&sg, 0, 1), REQUEST_MAX);
	for (size_t i = 0; i < REQUEST_MAX; i++) {
		seen[bytes[i]]++;
		ones += (unsigned int)__builtin_popcount(bytes[i]);
	}
	for (unsigned int i = 0; i < 256; i++)
		assert_in_range(seen[i], 100, 500);
	assert_in_range(ones, REQUEST_MAX * 8 * 49 / 100, REQUEST_MAX * 8 * 51 / 100);
	memcpy(first, bytes, sizeof(first));
	assert_int_equal(ask(&sg, 0, 1), REQUEST_MAX);
	assert_memory_not_equal(first, bytes, sizeof(first));
}

static void long_request_gets_64_kib(void **state)
{
	static const struct driver_sg sg[] = {
		{VIRTIO_DRIVER_DATA, REQUEST_MAX - 10},
		{VIRTIO_DRIVER_DATA + REQUEST_MAX, MIB},
	};
	const uint8_t *bytes = memory(0, 2 * MIB);

	memset(memory(0, 2 * MIB), GUARD, 2 * MIB);
	virtio_driver_start(&driver, 0, 64);
	assert_int_equal(ask(sg, 0, 2), REQUEST_MAX);
	assert_false(is_guard(bytes + REQUEST_MAX, 10));
	assert_true(is_guard(bytes + REQUEST_MAX + 10, MIB));
}

static void request_of_very_many_pieces_gets_one_or_more_bytes(void **state)
{
	struct driver_sg sg[64];

	for (unsigned int i = 0; i < 64; i++)
		sg[i] = (struct driver_sg) {VIRTIO_DRIVER_DATA + i * 4, 1};
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		uint32_t len;

		print_message("# %s\n", virtio_rings[i].name);
		memset(memory(0, 256), GUARD, 256);
		virtio_driver_start(&driver, virtio_rings[i].features, 64);
		len = ask(sg, 0, 64);
		assert_in_range(len, 1, 64);
		/* What was not said to be written was not. */
		assert_true(is_guard(memory(len * 4, 256 - len * 4), 256 - len * 4));
	}
}

/* 5.4.6.1 forbids them; they are not written, and what is writable is filled all the same. */
static void readable_pieces_are_left_alone(void **state)
{
	static const struct driver_sg sg[] = {
		{VIRTIO_DRIVER_DATA, 100},
		{VIRTIO_DRIVER_DATA + 4096, 100},
	};

	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		print_message("# %s\n", virtio_rings[i].name);
		memset(memory(0, 8192), GUARD, 8192);
		virtio_driver_start(&driver, virtio_rings[i].features, 64);
		assert_int_equal(ask(sg, 1, 1), 100);
		assert_true(is_guard(memory(0, 4096), 4096));
		assert_false(is_guard(memory(4096, 100), 100));
		/* Readable ones alone are worth nothing, but come back. */
		assert_int_equal(ask(sg, 2, 0), 0);
		assert_int_equal(ask(sg, 0, 1), 100);
	}
}

/* More than the device gives out in one turn of its thread. */
static void full_queue_of_long_requests_is_answered_to_the_last(void **state)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&driver, virtio_rings[i].features, 64);
		for (unsigned int n = 0; n < 64; n++) {
			const struct driver_sg sg = {VIRTIO_DRIVER_DATA + n * REQUEST_MAX,
						     REQUEST_MAX};

			assert_true(driver_ring_add(&driver.rings[0], &sg, 0, 1) >= 0);
		}
		virtio_driver_kick(&driver, 0);
		for (unsigned int n = 0; n < 64; n++) {
			uint32_t len = 0;

			assert_true(virtio_driver_wait(&driver, 0, &len) >= 0);
			assert_int_equal(len, REQUEST_MAX);
		}
	}
}

/* A turn of the thread is short: others' posts are served between two requests. */
static void long_requests_leave_turns_to_others(void **state)
{
	uint32_t len;

	virtio_driver_start(&driver, 0, 64);
	for (unsigned int n = 0; n < 64; n++) {
		const struct driver_sg sg = {VIRTIO_DRIVER_DATA + n * REQUEST_MAX, REQUEST_MAX};

		assert_true(driver_ring_add(&driver.rings[0], &sg, 0, 1) >= 0);
	}
	virtio_driver_kick(&driver, 0);
	/* These are too few turns for all, but it goes on by itself. */
	virtio_driver_settle(&driver);
	for (unsigned int n = 0; n < 8; n++)
		assert_true(driver_ring_get(&driver.rings[0], &len) >= 0);
	assert_true(driver.rings[0].used->idx < 64);
	for (unsigned int n = 8; n < 64; n++)
		assert_true(virtio_driver_wait(&driver, 0, &len) >= 0);
}

static void driver_is_interrupted_for_its_bytes(void **state)
{
	static const struct driver_sg sg = {VIRTIO_DRIVER_DATA, 32};

	virtio_driver_start(&driver, 0, 64);
	driver_ring_enable_interrupts(&driver.rings[0]);
	assert_true(driver_ring_add(&driver.rings[0], &sg, 0, 1) >= 0);
	virtio_driver_kick(&driver, 0);
	if (!driver.threaded)
		virtio_driver_settle(&driver);
	assert_int_equal(fake_irq_wait(&driver.irq, 10000), 1);
	assert_int_equal(virtio_driver_read(&driver, REG_INTERRUPT_STATUS), VIRTIO_INTERRUPT_USED);
}

static void broken_ring_needs_reset_and_works_after_it(void **state)
{
	static const struct driver_sg sg = {VIRTIO_DRIVER_DATA, 32};
	static const struct driver_sg nowhere = {VIRTIO_DRIVER_MEMORY, 32};
	uint32_t len;

	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		print_message("# %s\n", virtio_rings[i].name);
		log_set_level(LOG_LEVEL_ERROR);
		virtio_driver_start(&driver, virtio_rings[i].features, 64);
		assert_int_equal(ask(&sg, 0, 1), 32);
		assert_true(driver_ring_add(&driver.rings[0], &nowhere, 0, 1) >= 0);
		virtio_driver_kick(&driver, 0);
		assert_int_equal(virtio_driver_wait(&driver, 0, &len), -EIO);
		assert_true(virtio_driver_needs_reset(&driver));
		virtio_driver_start(&driver, virtio_rings[i].features, 64);
		assert_int_equal(ask(&sg, 0, 1), 32);
	}
}

static void free_of_none_is_fine(void **state)
{
	rng_free(NULL);
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
		TEST(is_an_entropy_device_with_one_queue_and_nothing_else),
		BOTH(whole_request_is_filled_in_all_its_pieces_and_not_beside),
		TEST(bytes_look_random),
		TEST(long_request_gets_64_kib),
		BOTH(request_of_very_many_pieces_gets_one_or_more_bytes),
		BOTH(readable_pieces_are_left_alone),
		BOTH(full_queue_of_long_requests_is_answered_to_the_last),
		TEST(long_requests_leave_turns_to_others),
		BOTH(driver_is_interrupted_for_its_bytes),
		BOTH(broken_ring_needs_reset_and_works_after_it),
		cmocka_unit_test(free_of_none_is_fine),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
