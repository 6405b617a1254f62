/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_virtio_config.c - tests virtio_config.c: the configuration space, virtio 1.4, 2.5 and 3.2.1,
 * as it is seen through virtio-mmio.
 */
#include "virtio.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

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

/* What the probe's bytes are at first; none are there beyond the end. */
static uint64_t expected(unsigned int at, unsigned int width)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < width && at + i < PROBE_CONFIG; i++)
		value |= (uint64_t)(0x10 + at + i) << (i * 8);
	return value;
}

static void configuration_is_readable_before_features_ok_in_any_width(void **state)
{
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
	for (unsigned int width = 1; width <= 8; width *= 2)
		for (unsigned int at = 0; at < PROBE_CONFIG + 16; at++)
			assert_int_equal(bus_read(probe.driver.bus, REG_CONFIG + at, width),
					 expected(at, width));
	assert_int_equal(bus_read(probe.driver.bus, VIRTIO_MMIO_SIZE - 8, 8), 0);
}

static void writes_reach_the_device_as_they_were_made(void **state)
{
	static const struct {
		const char *name;
		unsigned int at, width;
		uint64_t value;
		/* What the device gets; .n 2: in two writes. */
		unsigned int n, lens[2];
		uint8_t bytes[8];
	} cases[] = {
		{"1 byte", 3, 1, 0xa1, 1, {1}, {0xa1}},
		{"2 bytes", 2, 2, 0xa2a1, 1, {2}, {0xa1, 0xa2}},
		{"4 bytes", 4, 4, 0xa4a3a2a1, 1, {4}, {0xa1, 0xa2, 0xa3, 0xa4}},
		{"8 bytes", 8, 8, 0x0807060504030201, 2, {4, 4}, {1, 2, 3, 4, 5, 6, 7, 8}},
		{"the last byte", PROBE_CONFIG - 1, 1, 0xa1, 1, {1}, {0xa1}},
		{"cut at the end", PROBE_CONFIG - 2, 4, 0xa4a3a2a1, 1, {2}, {0xa1, 0xa2}},
		{"cut in the second half",
		 16,
		 8,
		 0x0807060504030201,
		 2,
		 {4, 2},
		 {1, 2, 3, 4, 5, 6}},
		{"second half beyond the end",
		 PROBE_CONFIG - 4,
		 8,
		 0x0807060504030201,
		 1,
		 {4},
		 {1, 2, 3, 4}},
		{"beyond the end", PROBE_CONFIG, 4, 0xa4a3a2a1, 0, {}, {}},
		{"far beyond the end", 0xe00, 1, 0xa1, 0, {}, {}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int at = cases[i].at;
		const uint8_t *bytes = cases[i].bytes;

		print_message("# %s\n", cases[i].name);
		atomic_store(&probe.writes_n, 0);
		bus_write(probe.driver.bus, REG_CONFIG + at, cases[i].width, cases[i].value);
		/* It is done when the write is. */
		assert_int_equal(atomic_load(&probe.writes_n), cases[i].n);
		for (unsigned int n = 0; n < cases[i].n; n++) {
			assert_int_equal(probe.writes[n].offset, at);
			assert_int_equal(probe.writes[n].len, cases[i].lens[n]);
			assert_memory_equal(probe.writes[n].data, bytes, cases[i].lens[n]);
			at += cases[i].lens[n];
			bytes += cases[i].lens[n];
		}
	}
	/* What becomes of it is for the device to say. */
	assert_int_equal(bus_read(probe.driver.bus, REG_CONFIG, 4), expected(0, 4));
}

static void set_byte(struct virtio_probe *p)
{
	const uint8_t byte = bus_read(p->driver.bus, REG_CONFIG + 5, 1) ^ 0xff;

	virtio_set_config(&p->dev, 5, &byte, 1);
}

static void set_same_byte(struct virtio_probe *p)
{
	const uint8_t byte = bus_read(p->driver.bus, REG_CONFIG + 5, 1);

	virtio_set_config(&p->dev, 5, &byte, 1);
}

static void generation_changes_with_the_bytes_and_only_then(void **state)
{
	uint32_t before = virtio_probe_in(&probe, REG_CONFIG_GENERATION);

	virtio_driver_start(&probe.driver, 0, 16);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(virtio_probe_in(&probe, REG_CONFIG_GENERATION), before);
		virtio_probe_run(&probe, set_same_byte);
		assert_int_equal(virtio_probe_in(&probe, REG_CONFIG_GENERATION), before);
		virtio_probe_run(&probe, set_byte);
		assert_int_not_equal(virtio_probe_in(&probe, REG_CONFIG_GENERATION), before);
		before = virtio_probe_in(&probe, REG_CONFIG_GENERATION);
	}
}

static void change_is_notified_from_driver_ok_until_reset(void **state)
{
	virtio_probe_run(&probe, set_byte);
	assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
	assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_run(&probe, set_byte);
	assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
	assert_int_equal(fake_irq_take(&probe.driver.irq), 1);
	virtio_probe_run(&probe, set_same_byte);
	assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
	virtio_probe_out(&probe, REG_STATUS, 0);
	virtio_probe_sync(&probe);
	virtio_probe_run(&probe, set_byte);
	assert_int_equal(virtio_probe_in(&probe, REG_INTERRUPT_STATUS), 0);
	assert_int_equal(fake_irq_take(&probe.driver.irq), 0);
}

#define CHANGES 3000

static void fill_space(struct virtio_probe *p)
{
	static uint8_t round;
	uint8_t bytes[PROBE_CONFIG];

	memset(bytes, round++, sizeof(bytes));
	virtio_set_config(&p->dev, 0, bytes, sizeof(bytes));
}

static void *change_for_a_while(void *arg)
{
	for (unsigned int i = 0; i < CHANGES; i++)
		virtio_probe_run(&probe, fill_space);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

/* A driver that reads as 2.5.1 has it never sees bytes of two states. */
static void reads_between_equal_generations_are_of_one_state(void **state)
{
	unsigned int torn = 0, whole = 0;
	atomic_bool ended = false;
	pthread_t changer;

	virtio_driver_start(&probe.driver, 0, 16);
	virtio_probe_run(&probe, fill_space);
	assert_int_equal(pthread_create(&changer, NULL, change_for_a_while, &ended), 0);
	while (!atomic_load(&ended)) {
		const uint32_t before = virtio_probe_in(&probe, REG_CONFIG_GENERATION);
		uint32_t first, last;

		first = virtio_probe_in(&probe, REG_CONFIG);
		last = virtio_probe_in(&probe, REG_CONFIG + 16);
		if (virtio_probe_in(&probe, REG_CONFIG_GENERATION) != before) {
			torn++;
			continue;
		}
		assert_int_equal(first, last);
		whole++;
	}
	pthread_join(changer, NULL);
	assert_true(whole > 0);
	print_message("# %u changed meanwhile, %u did not\n", torn, whole);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define THREADED(fn)                                                                               \
	{                                                                                          \
#fn ", in a thread", fn, setup_threaded, teardown, NULL                            \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(configuration_is_readable_before_features_ok_in_any_width),
		TEST(writes_reach_the_device_as_they_were_made),
		THREADED(writes_reach_the_device_as_they_were_made),
		TEST(generation_changes_with_the_bytes_and_only_then),
		THREADED(generation_changes_with_the_bytes_and_only_then),
		TEST(change_is_notified_from_driver_ok_until_reset),
		THREADED(change_is_notified_from_driver_ok_until_reset),
		THREADED(reads_between_equal_generations_are_of_one_state),
	};

	return cmocka_run_group_tests_name("virtio_config", tests, NULL, NULL);
}
