/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_console.c - tests console.c's output, input, size and emergency writes as a driver and a
 * host see them. What a driver does wrong is in test_console_hostile.c.
 */
#include "devices/console.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "console_rig.h"
#include "fake_irq.h"

#define DATA	 VIRTIO_DRIVER_DATA
#define EMERG_WR (MMIO_CONFIG + 8)

static int setup(void **state)
{
	static struct console_rig rig;

	console_rig_init(&rig);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	console_rig_deinit(*state);
	return 0;
}

static void fill(uint8_t *data, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251 + seed);
}

static void offers_size_and_emergency_write_on_one_port(void **state)
{
	struct console_rig *rig = *state;
	uint32_t low;

	assert_int_equal(virtio_driver_read(&rig->driver, MMIO_DEVICE_ID), 3);
	virtio_driver_write(&rig->driver, MMIO_DEVICE_FEATURES_SEL, 0);
	low = virtio_driver_read(&rig->driver, MMIO_DEVICE_FEATURES);
	assert_int_equal(low & 0x00ffffff, 0x5);
	/* Without MULTIPORT there are two queues. */
	for (uint32_t i = 0; i < 3; i++) {
		virtio_driver_write(&rig->driver, MMIO_QUEUE_SEL, i);
		assert_int_equal(virtio_driver_read(&rig->driver, MMIO_QUEUE_SIZE_MAX) > 0, i < 2);
	}
}

/* --- output --- */

static void output_arrives_whatever_its_framing(void **state)
{
	static const struct {
		const char *name;
		unsigned int n;
		uint32_t lens[6];
	} cases[] = {
		{.name = "one byte", .n = 1, .lens = {1}},
		{.name = "one piece", .n = 1, .lens = {5000}},
		{.name = "pieces of one byte", .n = 6, .lens = {1, 1, 1, 1, 1, 1}},
		{.name = "uneven pieces", .n = 4, .lens = {3, 4096, 1, 777}},
		{.name = "more than a turn's worth", .n = 2, .lens = {200000, 300001}},
	};
	struct console_rig *rig = *state;
	static uint8_t data[600000];

	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		console_rig_start(rig, console_rings[i].features);
		for (size_t j = 0; j < ARRAY_SIZE(cases); j++) {
			struct driver_sg sg[6];
			uint64_t gpa = DATA;
			size_t len = 0;

			print_message("# %s: %s\n", console_rings[i].name, cases[j].name);
			for (unsigned int k = 0; k < cases[j].n; k++) {
				sg[k] = (struct driver_sg) {.gpa = gpa, .len = cases[j].lens[k]};
				fill(&data[len], sg[k].len, (unsigned int)(i + j));
				console_rig_write(rig, gpa, &data[len], sg[k].len);
				len += sg[k].len;
				gpa += sg[k].len + 1000;
			}
			console_rig_forget(rig);
			console_rig_add(rig, TRANSMIT, sg, cases[j].n, 0);
			assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
			console_rig_output(rig, data, len);
		}
	}
}

static void output_keeps_the_order_of_its_buffers(void **state)
{
	struct console_rig *rig = *state;
	uint8_t expected[300];

	fill(expected, sizeof(expected), 1);
	console_rig_write(rig, DATA, expected, sizeof(expected));
	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		print_message("# %s\n", console_rings[i].name);
		console_rig_start(rig, console_rings[i].features);
		console_rig_forget(rig);
		for (unsigned int at = 0, used = 0; at < sizeof(expected); at += 5) {
			struct driver_sg sg = {.gpa = DATA + at, .len = 5};

			/* A ring of 16 is full now and then. */
			if (at / 5 - used == 16) {
				console_rig_used(rig, TRANSMIT);
				used++;
			}
			console_rig_add(rig, TRANSMIT, &sg, 1, 0);
		}
		console_rig_output(rig, expected, sizeof(expected));
	}
}

/* What the host does not take stays in the queue, in order, and nothing is sent twice. */
static void output_waits_for_the_host(void **state)
{
	struct console_rig *rig = *state;
	uint8_t expected[30];
	struct driver_sg sg[] = {{.gpa = DATA, .len = 10}, {.gpa = DATA + 10, .len = 10}};
	struct driver_sg next = {.gpa = DATA + 20, .len = 10};

	fill(expected, sizeof(expected), 2);
	console_rig_write(rig, DATA, expected, sizeof(expected));
	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		print_message("# %s\n", console_rings[i].name);
		console_rig_start(rig, console_rings[i].features);
		console_rig_forget(rig);
		console_rig_allow(rig, 13, false);
		console_rig_add(rig, TRANSMIT, sg, 2, 0);
		console_rig_output(rig, expected, 13);
		console_rig_add(rig, TRANSMIT, &next, 1, 0);
		console_rig_none_used(rig, TRANSMIT);
		/* Nobody asks a host's end that is full. */
		assert_int_equal(rig->calls, 2);
		console_rig_allow(rig, 3, true);
		console_rig_output(rig, expected, 16);
		console_rig_none_used(rig, TRANSMIT);
		console_rig_allow(rig, 4, true);
		assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
		console_rig_none_used(rig, TRANSMIT);
		console_rig_allow(rig, SIZE_MAX, true);
		assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
		console_rig_output(rig, expected, sizeof(expected));
	}
}

/* --- input --- */

static void input_arrives_in_the_buffers_of_the_driver(void **state)
{
	static const struct {
		const char *name;
		size_t len;	   /* of the input */
		uint32_t piece[2]; /* of each buffer */
		uint32_t used[4];  /* lengths */
	} cases[] = {
		{.name = "a key", .len = 1, .piece = {4096}, .used = {1}},
		{.name = "fills a buffer", .len = 64, .piece = {64}, .used = {64}},
		{.name = "over pieces", .len = 50, .piece = {7, 60}, .used = {50}},
		{.name = "more than a buffer", .len = 65, .piece = {32}, .used = {32, 32, 1}},
		{.name = "small buffers", .len = 7, .piece = {1, 1}, .used = {2, 2, 2, 1}},
	};
	struct console_rig *rig = *state;
	uint8_t data[128], got[128];

	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(cases); j++) {
			const unsigned int pieces = cases[j].piece[1] ? 2 : 1;
			size_t at = 0;

			print_message("# %s: %s\n", console_rings[i].name, cases[j].name);
			console_rig_start(rig, console_rings[i].features);
			fill(data, sizeof(data), (unsigned int)(i + j));
			for (uint64_t b = 0; b < 4; b++) {
				const uint64_t gpa = DATA + b * 0x10000;
				struct driver_sg sg[] = {
					{.gpa = gpa, .len = cases[j].piece[0]},
					{.gpa = gpa + cases[j].piece[0], .len = cases[j].piece[1]},
				};

				console_rig_add(rig, RECEIVE, sg, 0, pieces);
			}
			console_rig_none_used(rig, RECEIVE);
			assert_int_equal(console_rig_input(rig, data, cases[j].len), cases[j].len);
			for (uint64_t b = 0; b < 4 && cases[j].used[b]; b++) {
				assert_int_equal(console_rig_used(rig, RECEIVE), cases[j].used[b]);
				gmem_read(rig->driver.gmem, DATA + b * 0x10000, &got[at],
					  cases[j].used[b]);
				at += cases[j].used[b];
			}
			assert_int_equal(at, cases[j].len);
			assert_memory_equal(got, data, at);
			console_rig_none_used(rig, RECEIVE);
		}
	}
}

/* A buffer of input, used at once; into the same place each time. */
static void take_input(struct console_rig *rig, const void *expected, uint32_t len)
{
	struct driver_sg sg = {.gpa = DATA, .len = len};
	uint8_t got[CONSOLE_INPUT_MAX];

	console_rig_add(rig, RECEIVE, &sg, 0, 1);
	assert_int_equal(console_rig_used(rig, RECEIVE), len);
	assert_int_equal(gmem_read(rig->driver.gmem, DATA, got, len), 0);
	assert_memory_equal(got, expected, len);
}

static void input_waits_for_buffers(void **state)
{
	struct console_rig *rig = *state;
	uint8_t data[CONSOLE_INPUT_MAX + 100];

	fill(data, sizeof(data), 3);
	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		print_message("# %s\n", console_rings[i].name);
		console_rig_start(rig, console_rings[i].features);
		/* The queue's ends are elsewhere each time. */
		assert_int_equal(console_rig_input(rig, data, 1000), 1000);
		take_input(rig, data, 1000);
		assert_int_equal(console_rig_room(rig), CONSOLE_INPUT_MAX);
		assert_int_equal(console_rig_input(rig, data, sizeof(data)), CONSOLE_INPUT_MAX);
		assert_int_equal(console_rig_room(rig), 0);
		take_input(rig, data, 2048);
		assert_int_equal(console_rig_room(rig), 2048);
		assert_int_equal(console_rig_input(rig, &data[CONSOLE_INPUT_MAX], 100), 100);
		take_input(rig, &data[2048], CONSOLE_INPUT_MAX - 2048 + 100);
	}
}

static void room_is_announced_once_to_who_was_refused(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		bool ask;
		unsigned int readys;
	} cases[] = {
		{.name = "all was taken", .len = CONSOLE_INPUT_MAX, .readys = 0},
		{.name = "not all was taken", .len = CONSOLE_INPUT_MAX + 1, .readys = 1},
		{.name = "asked for room", .len = CONSOLE_INPUT_MAX, .ask = true, .readys = 1},
	};
	struct console_rig *rig = *state;
	uint8_t data[CONSOLE_INPUT_MAX + 1];
	unsigned int before;

	fill(data, sizeof(data), 4);
	console_rig_start(rig, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		before = console_rig_readys(rig);
		assert_int_equal(console_rig_input(rig, data, cases[i].len), CONSOLE_INPUT_MAX);
		if (cases[i].ask)
			assert_int_equal(console_rig_room(rig), 0);
		/* When half of the queue is free. */
		take_input(rig, data, 2047);
		assert_int_equal(console_rig_readys(rig), before);
		take_input(rig, &data[2047], 1);
		assert_int_equal(console_rig_readys(rig), before + cases[i].readys);
		take_input(rig, &data[2048], 2048);
		assert_int_equal(console_rig_readys(rig), before + cases[i].readys);
	}
}

static void input_comes_before_the_driver_and_outlives_it(void **state)
{
	struct console_rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		print_message("# %s\n", console_rings[i].name);
		virtio_driver_write(&rig->driver, MMIO_STATUS, 0);
		assert_int_equal(console_rig_input(rig, "root\n", 5), 5);
		console_rig_start(rig, console_rings[i].features);
		take_input(rig, "roo", 3);
		console_rig_start(rig, console_rings[i].features);
		take_input(rig, "t\n", 2);
	}
}

/* --- size --- */

static uint32_t read_size(struct console_rig *rig)
{
	return virtio_driver_read(&rig->driver, MMIO_CONFIG);
}

static void size_is_in_the_configuration_space(void **state)
{
	struct console_rig *rig = *state;

	assert_int_equal(read_size(rig), 0);
	console_rig_resize(rig, 0x0150, 0x0044);
	assert_int_equal(read_size(rig), 0x00440150);
	assert_int_equal(bus_read(rig->driver.bus, MMIO_CONFIG, 2), 0x0150);
	assert_int_equal(bus_read(rig->driver.bus, MMIO_CONFIG + 2, 2), 0x0044);
	/* It is the host's: a driver cannot change it, nor does a reset. */
	virtio_driver_write(&rig->driver, MMIO_CONFIG, 0x00010001);
	console_rig_start(rig, 0);
	assert_int_equal(read_size(rig), 0x00440150);
	console_rig_output(rig, "", 0);
}

static void resize_is_told_by_a_configuration_change(void **state)
{
	struct console_rig *rig = *state;
	uint32_t generation;

	/* Without a driver nobody is interrupted. */
	console_rig_resize(rig, 80, 24);
	assert_int_equal(fake_irq_take(&rig->driver.irq), 0);
	console_rig_resize(rig, 0, 0);
	console_rig_start(rig, 0);
	generation = virtio_driver_read(&rig->driver, MMIO_CONFIG_GENERATION);
	console_rig_resize(rig, 132, 43);
	assert_int_equal(fake_irq_wait(&rig->driver.irq, 10000), 1);
	assert_int_equal(virtio_driver_read(&rig->driver, MMIO_INTERRUPT_STATUS),
			 VIRTIO_INTERRUPT_CONFIG);
	assert_int_not_equal(virtio_driver_read(&rig->driver, MMIO_CONFIG_GENERATION), generation);
	assert_int_equal(read_size(rig), 43 << 16 | 132);
	/* The same size again is no news. */
	console_rig_resize(rig, 132, 43);
	console_rig_none_used(rig, RECEIVE);
	assert_int_equal(fake_irq_take(&rig->driver.irq), 0);
}

/* For Linux up to 6.1, which reads the size only when a change is told. */
static void known_size_is_told_when_the_driver_starts(void **state)
{
	struct console_rig *rig = *state;

	console_rig_resize(rig, 80, 24);
	virtio_driver_start(&rig->driver, VIRTIO_FEATURE(0), 16);
	assert_int_equal(fake_irq_wait(&rig->driver.irq, 10000), 1);
	assert_int_equal(virtio_driver_read(&rig->driver, MMIO_INTERRUPT_STATUS),
			 VIRTIO_INTERRUPT_CONFIG);
}

/* --- emergency writes --- */

/* 5.3.5.1: "MUST allow a write to emerg_wr, even on an unconfigured device". */
static void emergency_write_works_in_any_state(void **state)
{
	static const struct {
		const char *name;
		uint8_t status;
	} cases[] = {
		{.name = "after reset", .status = 0},
		{.name = "seen by a driver", .status = 3},
		{.name = "the driver gave up", .status = 0x83},
	};
	struct console_rig *rig = *state;
	struct driver_sg outside = {.gpa = VIRTIO_DRIVER_MEMORY, .len = 1};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		virtio_driver_write(&rig->driver, MMIO_STATUS, 0);
		virtio_driver_write(&rig->driver, MMIO_STATUS, cases[i].status);
		console_rig_forget(rig);
		virtio_driver_write(&rig->driver, EMERG_WR, 'a' + (uint32_t)i);
		console_rig_output(rig, &"abc"[i], 1);
	}
	print_message("# running\n");
	console_rig_start(rig, 0);
	console_rig_forget(rig);
	virtio_driver_write(&rig->driver, EMERG_WR, '!');
	console_rig_output(rig, "!", 1);
	print_message("# with a broken ring\n");
	console_rig_add(rig, TRANSMIT, &outside, 1, 0);
	assert_true(virtio_driver_needs_reset(&rig->driver));
	virtio_driver_write(&rig->driver, EMERG_WR, '?');
	console_rig_output(rig, "!?", 2);
}

/* 5.3.5.1: "SHOULD transmit the lower byte". */
static void emergency_write_transmits_the_lower_byte(void **state)
{
	static const struct {
		const char *name;
		uint64_t offset;
		unsigned int size;
		uint32_t value;
		const char *out;
	} cases[] = {
		{.name = "32 bits", .offset = 8, .size = 4, .value = 0x11223341, .out = "A"},
		{.name = "16 bits", .offset = 8, .size = 2, .value = 0x3342, .out = "B"},
		{.name = "8 bits", .offset = 8, .size = 1, .value = 0x43, .out = "C"},
		{.name = "another byte of it", .offset = 9, .size = 1, .value = 0x44, .out = ""},
		{.name = "the half above", .offset = 10, .size = 2, .value = 0x45, .out = ""},
		{.name = "the field before", .offset = 4, .size = 4, .value = 0x46, .out = ""},
	};
	struct console_rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		console_rig_forget(rig);
		bus_write(rig->driver.bus, MMIO_CONFIG + cases[i].offset, cases[i].size,
			  cases[i].value);
		console_rig_output(rig, cases[i].out, strlen(cases[i].out));
	}
	/* Nor is it kept as if it were a register. */
	assert_int_equal(virtio_driver_read(&rig->driver, EMERG_WR), 0);
}

static void emergency_writes_wait_for_the_host_up_to_a_bound(void **state)
{
	struct console_rig *rig = *state;
	struct driver_sg sg = {.gpa = DATA, .len = 5};
	uint8_t expected[2048];

	console_rig_write(rig, DATA, "stuck", 5);
	console_rig_start(rig, 0);
	console_rig_allow(rig, 2, false);
	console_rig_add(rig, TRANSMIT, &sg, 1, 0);
	console_rig_output(rig, "st", 2);
	/* They do not wait for what was there before. */
	for (const char *c = "oops"; *c; c++)
		virtio_driver_write(&rig->driver, EMERG_WR, (uint32_t)*c);
	console_rig_allow(rig, 3, true);
	console_rig_output(rig, "stoop", 5);
	console_rig_none_used(rig, TRANSMIT);
	console_rig_allow(rig, SIZE_MAX, true);
	assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
	console_rig_output(rig, "stoopsuck", 9);

	fill(expected, sizeof(expected), 4);
	console_rig_forget(rig);
	console_rig_allow(rig, 0, false);
	for (size_t i = 0; i < sizeof(expected); i++)
		virtio_driver_write(&rig->driver, EMERG_WR, expected[i]);
	console_rig_allow(rig, SIZE_MAX, true);
	console_rig_output(rig, expected, 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(offers_size_and_emergency_write_on_one_port, setup,
						teardown),
		cmocka_unit_test_setup_teardown(output_arrives_whatever_its_framing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(output_keeps_the_order_of_its_buffers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(output_waits_for_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(input_arrives_in_the_buffers_of_the_driver, setup,
						teardown),
		cmocka_unit_test_setup_teardown(input_waits_for_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(room_is_announced_once_to_who_was_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(input_comes_before_the_driver_and_outlives_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(size_is_in_the_configuration_space, setup,
						teardown),
		cmocka_unit_test_setup_teardown(known_size_is_told_when_the_driver_starts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(resize_is_told_by_a_configuration_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(emergency_write_works_in_any_state, setup,
						teardown),
		cmocka_unit_test_setup_teardown(emergency_write_transmits_the_lower_byte, setup,
						teardown),
		cmocka_unit_test_setup_teardown(emergency_writes_wait_for_the_host_up_to_a_bound,
						setup, teardown),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
