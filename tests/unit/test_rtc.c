/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rtc.c - tests rtc.c's time and memory as drivers use them.
 */
#include "devices/legacy/rtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "rtc_port.h"

static void registers_show_the_time_in_bcd(void **state)
{
	static const struct {
		const char *name;
		int64_t s;
		uint64_t date, time;
		uint8_t weekday;
	} cases[] = {
		{"epoch", 0, 0x19700101, 0x000000, 5},
		{"leap day of a century", 951782400, 0x20000229, 0x000000, 3},
		{"end of a leap day", 1709251199, 0x20240229, 0x235959, 5},
		{"after 2^31", INT64_C(2147483648), 0x20380119, 0x031408, 3},
		{"after no leap day", INT64_C(4107542400), 0x21000301, 0x000000, 2},
		{"a far year", INT64_C(7258118399), 0x21991231, 0x235959, 3},
	};
	struct rtc_port *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		rtc_port_set_clock(cases[i].s * S_NS + S_NS / 3);
		assert_int_equal(rtc_port_date(f), cases[i].date);
		assert_int_equal(rtc_port_time(f), cases[i].time);
		assert_int_equal(in(f, WEEKDAY), cases[i].weekday);
	}
}

static void modes_change_the_format(void **state)
{
	static const struct {
		const char *name;
		int hour;
		uint8_t bcd_24, bcd_12, binary_24, binary_12;
	} cases[] = {
		{"midnight", 0, 0x00, 0x12, 0, 12},	 {"morning", 9, 0x09, 0x09, 9, 9},
		{"before noon", 11, 0x11, 0x11, 11, 11}, {"noon", 12, 0x12, 0x92, 12, 0x8c},
		{"afternoon", 13, 0x13, 0x81, 13, 0x81}, {"night", 23, 0x23, 0x91, 23, 0x8b},
	};
	struct rtc_port *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		rtc_port_set_clock((1735603200 + cases[i].hour * 3600 + 59) * S_NS);
		out(f, B, 0x02);
		assert_int_equal(in(f, HOURS), cases[i].bcd_24);
		out(f, B, 0x00);
		assert_int_equal(in(f, HOURS), cases[i].bcd_12);
		out(f, B, 0x06);
		assert_int_equal(in(f, HOURS), cases[i].binary_24);
		assert_int_equal(rtc_port_date(f), 20 << 24 | 24 << 16 | 12 << 8 | 31);
		assert_int_equal(in(f, SECONDS), 59);
		out(f, B, 0x04);
		assert_int_equal(in(f, HOURS), cases[i].binary_12);
		/* What is read can be written, in each mode. */
		for (uint8_t mode = 0; mode <= 0x06; mode += 2) {
			out(f, B, mode);
			out(f, HOURS, in(f, HOURS));
			out(f, B, 0x02);
			assert_int_equal(in(f, HOURS), cases[i].bcd_24);
		}
	}
}

static void time_is_the_hosts(void **state)
{
	struct rtc_port *f = *state;
	time_t before, after;
	struct tm tm;
	uint64_t day, seconds;

	do {
		before = time(NULL);
		day = rtc_port_date(f);
		seconds = rtc_port_time(f);
		after = time(NULL);
	} while (before != after);
	gmtime_r(&before, &tm);
	assert_int_equal((day >> 4 & 15) * 10 + (day & 15), tm.tm_mday);
	assert_int_equal((seconds >> 12 & 15) * 10 + (seconds >> 8 & 15), tm.tm_min);
	assert_int_equal((seconds >> 4 & 15) * 10 + (seconds & 15), tm.tm_sec);
}

/* mc146818_set_time() of Linux */
static void linux_set_time(struct rtc_port *f)
{
	const uint8_t b = in(f, B), a = in(f, A);

	out(f, B, b | 0x80);
	out(f, A, a | 0x70);
	out(f, YEAR, 0x31);
	out(f, MONTH, 0x12);
	out(f, DAY, 0x31);
	rtc_port_pass(5 * S_NS); /* it stands still meanwhile */
	out(f, HOURS, 0x23);
	out(f, MINUTES, 0x59);
	out(f, SECONDS, 0x58);
	out(f, CENTURY, 0x20);
	assert_int_equal(rtc_port_time(f), 0x235958);
	out(f, B, b);
	rtc_port_pass(S_NS);
	out(f, A, a);
}

static void guest_sets_the_clock(void **state)
{
	struct rtc_port *f = *state;

	rtc_port_pass(S_NS / 3);
	linux_set_time(f);
	assert_int_equal(rtc_port_date(f), 0x20311231);
	assert_int_equal(rtc_port_time(f), 0x235958);
	/* The divider was reset: the next second comes after half of one. */
	rtc_port_pass(499 * MS_NS);
	assert_int_equal(rtc_port_time(f), 0x235958);
	rtc_port_pass(2 * MS_NS);
	assert_int_equal(rtc_port_time(f), 0x235959);
	rtc_port_pass(S_NS);
	assert_int_equal(rtc_port_date(f), 0x20320101);
	assert_int_equal(rtc_port_time(f), 0x000000);
	/* The host's clock may be set back. */
	rtc_port_pass(-2 * S_NS);
	assert_int_equal(rtc_port_time(f), 0x235958);
}

static void time_stands_still_while_it_is_set(void **state)
{
	struct rtc_port *f = *state;

	rtc_port_pass(S_NS / 4);
	in(f, C);
	out(f, B, 0x92); /* with "update" enabled, which SET disables */
	assert_int_equal(in(f, B), 0x82);
	rtc_port_pass(100 * S_NS);
	assert_int_equal(rtc_port_time(f), 0x235958);
	assert_int_equal(in(f, C), 0x40);
	out(f, MINUTES, 0x30);
	out(f, B, 0x02);
	assert_int_equal(rtc_port_date(f), 0x20240228);
	assert_int_equal(rtc_port_time(f), 0x233058);
	/* The divider ran on. */
	rtc_port_pass(749 * MS_NS);
	assert_int_equal(rtc_port_time(f), 0x233058);
	rtc_port_pass(2 * MS_NS);
	assert_int_equal(rtc_port_time(f), 0x233059);
}

static void register_can_be_set_while_the_clock_runs(void **state)
{
	struct rtc_port *f = *state;

	rtc_port_pass(S_NS / 4);
	out(f, YEAR, 0x19);
	out(f, HOURS, 0x05);
	assert_int_equal(rtc_port_date(f), 0x20190228);
	assert_int_equal(rtc_port_time(f), 0x055958);
	rtc_port_pass(2 * S_NS);
	assert_int_equal(rtc_port_time(f), 0x060000);
}

static void any_byte_makes_a_time(void **state)
{
	static const uint8_t regs[] = {SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY};
	struct rtc_port *f = *state;

	for (uint8_t mode = 0; mode <= 0x06; mode += 2) {
		for (size_t r = 0; r < ARRAY_SIZE(regs); r++) {
			for (unsigned int value = 0; value < 256; value++) {
				out(f, B, mode | 0x80);
				for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
					out(f, regs[i], value & 1 ? 0xff : 0x01);
				out(f, regs[r], (uint8_t)value);
				out(f, B, 0x06);
				assert_in_range(in(f, SECONDS), 0, 59);
				assert_in_range(in(f, MINUTES), 0, 59);
				assert_in_range(in(f, HOURS), 0, 23);
				assert_in_range(in(f, WEEKDAY), 1, 7);
				assert_in_range(in(f, DAY), 1, 31);
				assert_in_range(in(f, MONTH), 1, 12);
				assert_in_range(in(f, YEAR), 0, 99);
				out(f, B, mode);
				out(f, regs[r], (uint8_t)value); /* and while it runs */
			}
		}
	}
}

static void update_shows_shortly_before_the_second(void **state)
{
	struct rtc_port *f = *state;

	/* Linux waits for its end before it reads the time. */
	assert_int_equal(in(f, A), 0x26);
	rtc_port_pass(S_NS - 245000);
	assert_int_equal(in(f, A), 0x26);
	rtc_port_pass(2000);
	assert_int_equal(in(f, A), 0xa6);
	assert_int_equal(rtc_port_time(f), 0x235958);
	rtc_port_pass(243000);
	assert_int_equal(in(f, A), 0x26);
	assert_int_equal(rtc_port_time(f), 0x235959);
	/* It cannot be written, and there is none while the clock is being set. */
	out(f, A, 0xa6);
	assert_int_equal(in(f, A), 0x26);
	rtc_port_pass(S_NS - 1000);
	assert_int_equal(in(f, A), 0xa6);
	out(f, B, 0x82);
	assert_int_equal(in(f, A), 0x26);
}

static void memory_is_memory(void **state)
{
	struct rtc_port *f = *state;

	for (uint8_t i = D + 1; i < 128; i++) {
		if (i == CENTURY)
			continue;
		assert_int_equal(in(f, i), 0);
		out(f, i, (uint8_t)~i);
	}
	for (uint8_t i = D + 1; i < 128; i++) {
		if (i == CENTURY)
			continue;
		/* The top bit of the index is the NMI's. */
		assert_int_equal(in(f, i | 0x80), (uint8_t)~i);
	}
	/* The index cannot be read; a word is index and data. */
	assert_int_equal(bus_read(f->bus, PORT, 1), 0xff);
	bus_write(f->bus, PORT, 2, 0xa50f);
	assert_int_equal(bus_read(f->bus, PORT + 1, 1), 0xa5);
	assert_int_equal(bus_read(f->bus, PORT, 2), 0xa5ff);
	assert_int_equal(rtc_port_date(f), 0x20240228);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rtc_port_setup, rtc_port_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_show_the_time_in_bcd),
		TEST(modes_change_the_format),
		TEST(guest_sets_the_clock),
		TEST(time_stands_still_while_it_is_set),
		TEST(register_can_be_set_while_the_clock_runs),
		TEST(any_byte_makes_a_time),
		TEST(update_shows_shortly_before_the_second),
		TEST(memory_is_memory),
		cmocka_unit_test_setup_teardown(time_is_the_hosts, rtc_port_setup_host_clock,
						rtc_port_teardown),
	};

	return cmocka_run_group_tests_name("rtc", tests, NULL, NULL);
}
