/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_bus.c - which device answers an address, and how it sees the access.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bus.h"

/* Remembers its last access and answers with a fixed value. */
struct recorder {
	unsigned int reads, writes;
	uint64_t offset, value, answer;
	unsigned int size;
};

static uint64_t record_read(void *dev, uint64_t offset, unsigned int size)
{
	struct recorder *recorder = dev;

	recorder->reads++;
	recorder->offset = offset;
	recorder->size = size;
	return recorder->answer;
}

static void record_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct recorder *recorder = dev;

	recorder->writes++;
	recorder->offset = offset;
	recorder->size = size;
	recorder->value = value;
}

static const struct bus_ops recorder_ops = {.read = record_read, .write = record_write};
static const struct bus_ops no_ops = {.read = NULL};

static struct bus *new_bus(uint64_t size)
{
	struct bus *bus;

	assert_int_equal(bus_new(&bus, size), 0);
	return bus;
}

static void attach(struct bus *bus, uint64_t base, uint64_t size, struct recorder *recorder)
{
	assert_int_equal(bus_attach(bus, base, size, &recorder_ops, recorder, "recorder"), 0);
}

static void device_sees_offset_and_masked_value(void **state)
{
	static const struct {
		unsigned int size;
		uint64_t mask;
	} cases[] = {
		{1, UINT64_C(0xff)},
		{2, UINT64_C(0xffff)},
		{4, UINT64_C(0xffffffff)},
		{8, UINT64_MAX},
	};
	const uint64_t pattern = UINT64_C(0xfedcba9876543210);
	struct recorder recorder = {.answer = pattern};
	struct bus *bus = new_bus(0);

	attach(bus, 0x1000, 0x20, &recorder);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bus_write(bus, 0x1008, cases[i].size, pattern);
		assert_int_equal(recorder.writes, i + 1);
		assert_int_equal(recorder.offset, 8);
		assert_int_equal(recorder.size, cases[i].size);
		assert_true(recorder.value == (pattern & cases[i].mask));
		recorder.size = 0;
		assert_true(bus_read(bus, 0x1010, cases[i].size) == (pattern & cases[i].mask));
		assert_int_equal(recorder.reads, i + 1);
		assert_int_equal(recorder.offset, 0x10);
		assert_int_equal(recorder.size, cases[i].size);
	}
	bus_free(bus);
}

static void access_must_lie_inside_one_range(void **state)
{
	static const struct {
		const char *name;
		uint64_t addr;
		unsigned int size;
		int device; /* of two, or -1 */
	} cases[] = {
		{"before", 0xfff, 1, -1},
		{"across the start", 0xffe, 4, -1},
		{"first byte", 0x1000, 1, 0},
		{"last bytes", 0x1004, 4, 0},
		{"one too far", 0x1005, 4, -1},
		{"across to the neighbour", 0x1007, 2, -1},
		{"neighbour's first", 0x1008, 8, 1},
		{"neighbour too small", 0x1009, 8, -1},
		{"behind", 0x1010, 1, -1},
		{"far behind", UINT64_MAX, 1, -1},
		{"across the end of all", UINT64_MAX - 1, 8, -1},
	};
	struct recorder recorders[2] = {{.answer = 0}};
	struct bus *bus = new_bus(0);

	attach(bus, 0x1008, 8, &recorders[1]);
	attach(bus, 0x1000, 8, &recorders[0]);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value, ones = cases[i].size == 8 ? UINT64_MAX
							  : (UINT64_C(1) << 8 * cases[i].size) - 1;

		for (int d = 0; d < 2; d++)
			recorders[d] = (struct recorder) {.answer = 0x40U + (unsigned int)d};
		value = bus_read(bus, cases[i].addr, cases[i].size);
		bus_write(bus, cases[i].addr, cases[i].size, 0);
		if (value != (cases[i].device < 0 ? ones : 0x40U + (unsigned int)cases[i].device))
			fail_msg("%s: read %#llx", cases[i].name, (unsigned long long)value);
		for (int d = 0; d < 2; d++)
			if (recorders[d].reads != (d == cases[i].device) ||
			    recorders[d].writes != (d == cases[i].device))
				fail_msg("%s: device %d has %u reads, %u writes", cases[i].name, d,
					 recorders[d].reads, recorders[d].writes);
	}
	bus_free(bus);
}

static void attach_checks_its_range(void **state)
{
	static const struct {
		const char *name;
		uint64_t base, size;
		int result;
	} cases[] = {
		{"empty", 0x100, 0, -EINVAL},
		{"starts beyond the bus", 0x10000, 1, -EINVAL},
		{"ends beyond the bus", 0xffff, 2, -EINVAL},
		{"wraps", 0xfff0, UINT64_MAX, -EINVAL},
		{"same range", 0x1000, 0x100, -EEXIST},
		{"inside", 0x1010, 1, -EEXIST},
		{"around", 0xf00, 0x1000, -EEXIST},
		{"over the first byte", 0xfff, 2, -EEXIST},
		{"over the last byte", 0x10ff, 1, -EEXIST},
		{"touches from below", 0xfff, 1, 0},
		{"touches from above", 0x1100, 0x100, 0},
		{"whole rest", 0x1200, 0xee00, 0},
		{"first address", 0, 1, 0},
	};
	struct recorder recorder = {.answer = 0};
	struct bus *bus = new_bus(0x10000);

	attach(bus, 0x1000, 0x100, &recorder);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = bus_attach(bus, cases[i].base, cases[i].size, &recorder_ops, &recorder,
				   "recorder");

		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].name, r);
	}
	bus_free(bus);
}

static void range_may_end_with_the_address_space(void **state)
{
	struct recorder recorder = {.answer = 7};
	struct bus *bus = new_bus(0);

	assert_int_equal(bus_attach(bus, UINT64_MAX, 2, &recorder_ops, &recorder, "wraps"),
			 -EINVAL);
	attach(bus, UINT64_MAX - 7, 8, &recorder);
	assert_int_equal(bus_read(bus, UINT64_MAX - 7, 8), 7);
	assert_int_equal(bus_read(bus, UINT64_MAX, 1), 7);
	assert_int_equal(recorder.offset, 7);
	bus_free(bus);
}

/* In whatever order they come. */
static void many_devices_are_told_apart(void **state)
{
	enum { DEVICES = 97 };
	static struct recorder recorders[DEVICES];
	struct bus *bus = new_bus(0);

	memset(recorders, 0, sizeof(recorders));
	for (unsigned int i = 0; i < DEVICES; i++) {
		unsigned int at = i * 31 % DEVICES;

		recorders[at].answer = at;
		attach(bus, UINT64_C(0x1000) * at, 0x800, &recorders[at]);
	}
	for (unsigned int i = 0; i < DEVICES; i++) {
		assert_int_equal(bus_read(bus, UINT64_C(0x1000) * i + 0x7ff, 1), i);
		assert_int_equal(bus_read(bus, UINT64_C(0x1000) * i + 0x800, 1), 0xff);
	}
	bus_free(bus);
}

static void device_without_ops_reads_as_ones(void **state)
{
	struct bus *bus = new_bus(0);

	assert_int_equal(bus_attach(bus, 0, 8, &no_ops, NULL, "silent"), 0);
	assert_int_equal(bus_read(bus, 0, 2), 0xffff);
	bus_write(bus, 0, 2, 1);
	bus_free(bus);
	bus_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_sees_offset_and_masked_value),
		cmocka_unit_test(access_must_lie_inside_one_range),
		cmocka_unit_test(attach_checks_its_range),
		cmocka_unit_test(range_may_end_with_the_address_space),
		cmocka_unit_test(many_devices_are_told_apart),
		cmocka_unit_test(device_without_ops_reads_as_ones),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
