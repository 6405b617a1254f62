/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_virtio.c - tests virtio.c: features, status and what follows a broken ring, as a driver sees
 * them. Buffers are in test_virtio_buffers.c, resets in test_virtio_reset.c.
 */
#include "virtio.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

#define ACKNOWLEDGED (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)
#define NEGOTIATED   (ACKNOWLEDGED | VIRTIO_STATUS_FEATURES_OK)
#define DRIVEN	     (NEGOTIATED | VIRTIO_STATUS_DRIVER_OK)

#define VERSION_1 VIRTIO_FEATURE(VIRTIO_F_VERSION_1)

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

static uint64_t offered(void)
{
	uint64_t features;

	virtio_probe_out(&probe, REG_DEVICE_FEATURES_SEL, 1);
	features = (uint64_t)virtio_probe_in(&probe, REG_DEVICE_FEATURES) << 32;
	virtio_probe_out(&probe, REG_DEVICE_FEATURES_SEL, 0);
	return features | virtio_probe_in(&probe, REG_DEVICE_FEATURES);
}

static void accept_word(uint32_t word, uint32_t bits)
{
	virtio_probe_out(&probe, REG_DRIVER_FEATURES_SEL, word);
	virtio_probe_out(&probe, REG_DRIVER_FEATURES, bits);
}

/* Steps 1 to 5 of 3.1.1. Return: the status after FEATURES_OK was written. */
static uint32_t negotiate(uint64_t features)
{
	virtio_probe_out(&probe, REG_STATUS, 0);
	virtio_probe_sync(&probe);
	virtio_probe_out(&probe, REG_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
	virtio_probe_out(&probe, REG_STATUS, ACKNOWLEDGED);
	accept_word(0, (uint32_t)features);
	accept_word(1, (uint32_t)(features >> 32));
	virtio_probe_out(&probe, REG_STATUS, NEGOTIATED);
	return virtio_probe_in(&probe, REG_STATUS);
}

/* Features. */

static void offers_its_own_features_and_those_of_rings_and_no_other(void **state)
{
	assert_int_equal(offered(), VIRTIO_FEATURE(PROBE_FEATURE) | VERSION_1 |
					    VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) |
					    VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
					    VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) |
					    VIRTIO_FEATURE(VIRTIO_F_RING_RESET));
}

static void offers_no_packed_rings_where_they_are_off(void **state)
{
	const struct virtio_env env = {
		.gmem = probe.driver.gmem,
		.loop = probe.driver.env.loop,
		.split_only = true,
	};
	struct virtio_device dev;

	assert_int_equal(virtio_init(&dev, probe.dev.class, &env, 0, probe_sizes, 1, 0), 0);
	assert_int_equal(dev.offered, VERSION_1 | VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) |
					      VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
					      VIRTIO_FEATURE(VIRTIO_F_RING_RESET));
	virtio_deinit(&dev);
}

static void every_subset_of_the_features_is_accepted_and_again_after_a_reset(void **state)
{
	static const unsigned int bits[] = {
		PROBE_FEATURE,	      VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED, VIRTIO_F_RING_RESET,
	};

	for (unsigned int mask = 0; mask < 1u << ARRAY_SIZE(bits); mask++) {
		uint64_t features = VERSION_1;

		for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
			if (mask >> i & 1)
				features |= VIRTIO_FEATURE(bits[i]);
		for (unsigned int again = 0; again < 3; again++) {
			assert_int_equal(negotiate(features), NEGOTIATED);
			for (unsigned int bit = 0; bit < 64; bit++)
				assert_int_equal(virtio_has_feature(&probe.dev, bit),
						 features >> bit & 1);
		}
	}
}

static void each_feature_that_was_not_offered_is_refused(void **state)
{
	const uint64_t all = offered();

	for (unsigned int bit = 0; bit < 64; bit++)
		if (!(all & VIRTIO_FEATURE(bit)))
			assert_int_equal(negotiate(all | VIRTIO_FEATURE(bit)), ACKNOWLEDGED);
	/* Beyond the first 64, and in words that do not exist. */
	for (uint32_t word = 2; word < 6; word++) {
		negotiate(0);
		accept_word(0, 0);
		accept_word(1, VERSION_1 >> 32);
		accept_word(word, 1u << word);
		virtio_probe_out(&probe, REG_STATUS, NEGOTIATED);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), ACKNOWLEDGED);
	}
	/* Zeroes there are what a driver of more words writes. */
	negotiate(0);
	for (uint32_t word = 0; word < 4; word++)
		accept_word(word, word == 1 ? VERSION_1 >> 32 : 0);
	virtio_probe_out(&probe, REG_STATUS, NEGOTIATED);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), NEGOTIATED);
}

static void version_1_is_required(void **state)
{
	assert_int_equal(negotiate(offered() & ~VERSION_1), ACKNOWLEDGED);
	assert_int_equal(negotiate(0), ACKNOWLEDGED);
	assert_int_equal(negotiate(VERSION_1), NEGOTIATED);
}

static void features_stay_as_they_are_after_features_ok(void **state)
{
	assert_int_equal(negotiate(VERSION_1), NEGOTIATED);
	accept_word(0, UINT32_MAX);
	accept_word(1, 0);
	accept_word(2, UINT32_MAX);
	assert_true(virtio_has_feature(&probe.dev, VIRTIO_F_VERSION_1));
	assert_false(virtio_has_feature(&probe.dev, VIRTIO_F_EVENT_IDX));
	virtio_probe_out(&probe, REG_STATUS, DRIVEN);
	virtio_probe_sync(&probe);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN);
}

/* Status. */

static void status_starts_at_0_and_bits_that_are_set_stay_set(void **state)
{
	static const struct {
		uint32_t write, read;
	} steps[] = {
		{VIRTIO_STATUS_ACKNOWLEDGE, VIRTIO_STATUS_ACKNOWLEDGE},
		{VIRTIO_STATUS_DRIVER, ACKNOWLEDGED},
		{VIRTIO_STATUS_ACKNOWLEDGE, ACKNOWLEDGED},
		{VIRTIO_STATUS_FEATURES_OK, NEGOTIATED},
		{VIRTIO_STATUS_DRIVER_OK, DRIVEN},
		{VIRTIO_STATUS_ACKNOWLEDGE, DRIVEN},
		{VIRTIO_STATUS_FAILED, DRIVEN | VIRTIO_STATUS_FAILED},
		{DRIVEN, DRIVEN | VIRTIO_STATUS_FAILED},
	};

	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
	accept_word(1, VERSION_1 >> 32);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		virtio_probe_out(&probe, REG_STATUS, steps[i].write);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), steps[i].read);
	}
	assert_int_equal(atomic_load(&probe.starts), 1);
}

static void driver_sets_neither_needs_reset_nor_bits_without_a_meaning(void **state)
{
	assert_int_equal(negotiate(VERSION_1), NEGOTIATED);
	virtio_probe_out(&probe, REG_STATUS, NEGOTIATED | VIRTIO_STATUS_NEEDS_RESET | 16 | 32);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), NEGOTIATED);
}

/* 3.4.2: SUSPEND (16) is for those who have negotiated it. */
static void suspend_that_was_not_negotiated_is_ignored(void **state)
{
	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_out(&probe, REG_STATUS, DRIVEN | 16);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN);
	virtio_probe_echo(&probe, 0, 64);
}

static void driver_ok_without_features_ok_has_no_effect(void **state)
{
	negotiate(0);
	virtio_probe_out(&probe, REG_STATUS, ACKNOWLEDGED | VIRTIO_STATUS_DRIVER_OK);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), ACKNOWLEDGED);
	virtio_probe_out(&probe, REG_STATUS, DRIVEN); /* not valid still */
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), ACKNOWLEDGED);
	assert_int_equal(atomic_load(&probe.starts), 0);
}

static void class_is_told_of_start_and_reset_once_each(void **state)
{
	virtio_driver_start(&probe.driver, 0, 16);
	assert_int_equal(atomic_load(&probe.starts), 1);
	virtio_probe_out(&probe, REG_STATUS, DRIVEN);
	virtio_probe_sync(&probe);
	assert_int_equal(atomic_load(&probe.starts), 1);
	assert_int_equal(atomic_load(&probe.resets), 1); /* the driver's own, at first */
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		assert_int_equal(atomic_load(&probe.stopped[i]), 0);
	virtio_probe_out(&probe, REG_STATUS, 0);
	virtio_probe_sync(&probe);
	assert_int_equal(atomic_load(&probe.starts), 1);
	assert_int_equal(atomic_load(&probe.resets), 2);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		assert_int_equal(atomic_load(&probe.stopped[i]), 1);
}

/* DEVICE_NEEDS_RESET. */

/* A buffer that is not in memory. */
static void break_ring(unsigned int queue)
{
	static const struct driver_sg nowhere = {VIRTIO_DRIVER_MEMORY, 10};

	assert_true(driver_ring_add(&probe.driver.rings[queue], &nowhere, 1, 0) >= 0);
	virtio_probe_out(&probe, REG_QUEUE_NOTIFY, queue);
}

static void complain(struct virtio_probe *p)
{
	virtio_needs_reset(&p->dev, "the test wants it");
}

static void broken_ring_needs_reset_and_the_driver_is_told_once(void **state)
{
	unsigned int notified;

	virtio_driver_start(&probe.driver, 0, 16);
	fake_irq_take(&probe.driver.irq);
	break_ring(0);
	virtio_probe_sync(&probe);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN | VIRTIO_STATUS_NEEDS_RESET);
	assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
	assert_int_equal(fake_irq_take(&probe.driver.irq), 1);
	/* It stops; what the driver does now but for a reset is of no effect. */
	notified = atomic_load(&probe.notified[0]) + atomic_load(&probe.notified[1]);
	virtio_probe_send(&probe, 1, 10);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		virtio_probe_out(&probe, REG_QUEUE_NOTIFY, i);
	virtio_probe_out(&probe, REG_STATUS, DRIVEN);
	break_ring(1);
	virtio_probe_run(&probe, complain);
	assert_int_equal(atomic_load(&probe.notified[0]) + atomic_load(&probe.notified[1]),
			 notified);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), DRIVEN | VIRTIO_STATUS_NEEDS_RESET);
	assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
	/* And it recovers. */
	assert_int_equal(virtio_driver_start(&probe.driver, 0, 16), DRIVEN);
	virtio_probe_echo(&probe, 0, 64);
	virtio_probe_echo(&probe, 1, 64);
}

static void ring_that_cannot_be_started_needs_reset(void **state)
{
	static const struct {
		const char *name;
		enum virtio_reg reg;
		uint32_t value;
	} cases[] = {
		{"size 0", REG_QUEUE_SIZE, 0},
		{"size no power of two", REG_QUEUE_SIZE, 12},
		{"size beyond the maximum", REG_QUEUE_SIZE, 128},
		{"misaligned", REG_QUEUE_DESC_LOW, 0x100008},
		{"outside RAM", REG_QUEUE_DEVICE_LOW, 0xfffff000},
		{"wrapping", REG_QUEUE_DRIVER_HIGH, UINT32_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		/* As it is at DRIVER_OK. */
		assert_int_equal(negotiate(VERSION_1), NEGOTIATED);
		virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
		virtio_probe_out(&probe, REG_QUEUE_SIZE, 16);
		virtio_probe_out(&probe, REG_QUEUE_DESC_LOW, 0x100000);
		virtio_probe_out(&probe, REG_QUEUE_DRIVER_LOW, 0x101000);
		virtio_probe_out(&probe, REG_QUEUE_DEVICE_LOW, 0x102000);
		virtio_probe_out(&probe, cases[i].reg, cases[i].value);
		virtio_probe_out(&probe, REG_QUEUE_READY, 1);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), NEGOTIATED);
		virtio_probe_out(&probe, REG_STATUS, DRIVEN);
		assert_true(virtio_driver_needs_reset(&probe.driver));
		/* When it is made ready later. */
		assert_int_equal(virtio_driver_start(&probe.driver, 0, 16), DRIVEN);
		virtio_probe_out(&probe, REG_QUEUE_SEL, 0);
		virtio_probe_out(&probe, REG_QUEUE_READY, 0);
		virtio_probe_sync(&probe);
		virtio_probe_out(&probe, cases[i].reg, cases[i].value);
		virtio_probe_out(&probe, REG_QUEUE_READY, 1);
		assert_true(virtio_driver_needs_reset(&probe.driver));
	}
}

static void guest_that_breaks_its_rings_does_not_flood_the_log(void **state)
{
	const int file = memfd_create("stderr", MFD_CLOEXEC);
	const int before = dup(STDERR_FILENO);
	char text[8192] = "";
	unsigned int lines = 0;

	assert_true(file >= 0 && before >= 0);
	log_set_level(LOG_LEVEL_WARNING);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	for (unsigned int i = 0; i < 3 * LOG_LIMIT_MAX; i++) {
		virtio_driver_start(&probe.driver, 0, 16);
		break_ring(0);
		virtio_probe_sync(&probe);
	}
	dup2(before, STDERR_FILENO);
	close(before);
	assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
	close(file);
	assert_non_null(strstr(text, "vmm: warning: probe: "));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, LOG_LIMIT_MAX);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define THREADED(fn)                                                                               \
	{                                                                                          \
#fn ", in a thread", fn, setup_threaded, teardown, NULL                            \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(offers_its_own_features_and_those_of_rings_and_no_other),
		TEST(offers_no_packed_rings_where_they_are_off),
		TEST(every_subset_of_the_features_is_accepted_and_again_after_a_reset),
		TEST(each_feature_that_was_not_offered_is_refused),
		TEST(version_1_is_required),
		TEST(features_stay_as_they_are_after_features_ok),
		TEST(status_starts_at_0_and_bits_that_are_set_stay_set),
		TEST(driver_sets_neither_needs_reset_nor_bits_without_a_meaning),
		TEST(suspend_that_was_not_negotiated_is_ignored),
		TEST(driver_ok_without_features_ok_has_no_effect),
		TEST(class_is_told_of_start_and_reset_once_each),
		THREADED(class_is_told_of_start_and_reset_once_each),
		TEST(broken_ring_needs_reset_and_the_driver_is_told_once),
		THREADED(broken_ring_needs_reset_and_the_driver_is_told_once),
		TEST(ring_that_cannot_be_started_needs_reset),
		THREADED(ring_that_cannot_be_started_needs_reset),
		TEST(guest_that_breaks_its_rings_does_not_flood_the_log),
	};

	return cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
}
