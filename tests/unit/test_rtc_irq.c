/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rtc_irq.c - tests rtc.c's alarm, update and periodic interrupts, polled and raised.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "rtc_port.h"

static void set_alarm(struct rtc_port *f, uint8_t hours, uint8_t minutes, uint8_t seconds)
{
	out(f, HOURS_ALARM, hours);
	out(f, MINUTES_ALARM, minutes);
	out(f, SECONDS_ALARM, seconds);
}

static void flags_can_be_polled(void **state)
{
	struct rtc_port *f = *state;

	set_alarm(f, 0xff, 0x00, 0x01); /* a second past each hour */
	out(f, A, 0x2f);		/* 2 Hz */
	assert_int_equal(in(f, C), 0x00);
	rtc_port_pass(499 * MS_NS);
	assert_int_equal(in(f, C), 0x00);
	rtc_port_pass(MS_NS);
	assert_int_equal(in(f, C), 0x40);
	assert_int_equal(in(f, C), 0x00);
	/* Another rate counts from now on. */
	out(f, A, 0x26);
	assert_int_equal(in(f, C), 0x00);
	out(f, A, 0x2f);
	assert_int_equal(in(f, C), 0x00);
	rtc_port_pass(S_NS / 2);
	assert_int_equal(in(f, C), 0x50);
	rtc_port_pass(2 * S_NS);
	assert_int_equal(in(f, C), 0x70);
	assert_int_equal(in(f, C), 0x00);
	rtc_port_pass(3600 * S_NS);
	out(f, A, 0x20); /* periodic off; what was before stays */
	assert_int_equal(in(f, C), 0x70);
	rtc_port_pass(3600 * S_NS);
	assert_int_equal(in(f, C), 0x30);
	/* Read-only, as the next one. */
	out(f, C, 0xff);
	assert_int_equal(in(f, C), 0x00);
	out(f, D, 0x00);
	assert_int_equal(in(f, D), 0x80);
	assert_int_equal(fake_irq_take(&f->irq), 0);
}

static void alarm_goes_off_at_its_time(void **state)
{
	static const struct {
		const char *name;
		uint8_t b, hours, minutes, seconds;
		int64_t after; /* seconds from 23:59:58 on; 0: never */
	} cases[] = {
		{"next second", 0x02, 0x23, 0x59, 0x59, 1},
		{"this second has passed", 0x02, 0x23, 0x59, 0x58, 86400},
		{"tomorrow", 0x02, 0x12, 0x30, 0x15, 45017},
		{"binary", 0x06, 12, 30, 15, 45017},
		{"12 hours, noon", 0x00, 0x92, 0x30, 0x15, 45017},
		{"12 hours, midnight", 0x00, 0x12, 0x30, 0x15, 1817},
		{"each second", 0x02, 0xff, 0xff, 0xff, 1},
		{"each minute", 0x02, 0xc0, 0xfe, 0x57, 59},
		{"each hour", 0x02, 0xff, 0x59, 0x57, 3599},
		{"each second of an hour", 0x02, 0x01, 0xff, 0xff, 3602},
		{"each second of a minute", 0x02, 0xff, 0x01, 0xff, 62},
		{"no such second", 0x02, 0xff, 0xff, 0x60, 0},
		{"no such minute", 0x02, 0xff, 0x99, 0x00, 0},
		{"no such hour", 0x02, 0x24, 0x00, 0x00, 0},
		{"no such hour, binary", 0x06, 191, 0, 0, 0},
	};
	struct rtc_port *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		rtc_port_set_clock(START * S_NS);
		out(f, B, cases[i].b);
		set_alarm(f, cases[i].hours, cases[i].minutes, cases[i].seconds);
		in(f, C);
		rtc_port_pass(((cases[i].after ?: 3 * 86400) - 1) * S_NS);
		assert_int_equal(in(f, C) & 0x20, 0);
		rtc_port_pass(S_NS - 1);
		assert_int_equal(in(f, C) & 0x20, 0);
		rtc_port_pass(1);
		assert_int_equal(in(f, C) & 0x20, cases[i].after ? 0x20 : 0);
	}
}

static void alarm_interrupts(void **state)
{
	struct rtc_port *f = *state;

	/* As Linux's rtc-cmos sets it, for midnight. */
	in(f, C);
	set_alarm(f, 0x00, 0x00, 0x00);
	out(f, B, 0x22);
	in(f, C);
	rtc_port_pass(1990 * MS_NS);
	out(f, B, 0x22); /* the timer goes by the host's clock: have it set anew */
	assert_int_equal(fake_irq_take(&f->irq), 0);
	rtc_port_pass(10 * MS_NS);
	assert_int_equal(rtc_port_wait(f, 10000), 1);
	assert_int_equal(in(f, C), 0xf0);
	assert_int_equal(in(f, C), 0x00);
	assert_int_equal(fake_irq_take(&f->irq), 0);
}

static void update_interrupts_each_second(void **state)
{
	struct rtc_port *f = *state;

	for (int i = 0; i < 3; i++) {
		rtc_port_pass(995 * MS_NS);
		out(f, B, 0x12);
		rtc_port_pass(5 * MS_NS);
		assert_int_equal(rtc_port_wait(f, 10000), 1);
		assert_int_equal(in(f, C) & 0x90, 0x90);
	}
}

static void periodic_interrupts_wait_for_the_guest(void **state)
{
	struct rtc_port *f = *state;

	out(f, B, 0x42); /* 1024 Hz */
	for (int i = 0; i < 5; i++) {
		rtc_port_pass(2 * MS_NS);
		assert_int_equal(rtc_port_wait(f, 10000), 1);
		/* No other one before this one is acknowledged. */
		rtc_port_pass(20 * MS_NS);
		assert_int_equal(rtc_port_wait(f, 20), 0);
		assert_int_equal(in(f, C) & 0xe0, 0xc0);
	}
	out(f, B, 0x02);
	rtc_port_pass(20 * MS_NS);
	assert_int_equal(rtc_port_wait(f, 20), 0);
}

static void enabling_a_flag_that_is_set_interrupts(void **state)
{
	struct rtc_port *f = *state;

	rtc_port_pass(S_NS);
	out(f, B, 0x12);
	assert_int_equal(fake_irq_take(&f->irq), 1);
	/* While it is pending, another one is no edge. */
	out(f, B, 0x52);
	assert_int_equal(fake_irq_take(&f->irq), 0);
	out(f, B, 0x02);
	out(f, B, 0x12);
	assert_int_equal(fake_irq_take(&f->irq), 1);
	assert_int_equal(in(f, C) & 0xd0, 0xd0);
	out(f, B, 0x52);
	assert_int_equal(fake_irq_take(&f->irq), 0);
}

static void timer_goes_by_the_hosts_clock(void **state)
{
	struct rtc_port *f = *state;

	out(f, A, 0x2a); /* 64 Hz */
	out(f, B, 0x42);
	assert_int_equal(rtc_port_wait(f, 10000), 1);
	assert_int_equal(in(f, C) & 0xc0, 0xc0);
}

static void *hammer(void *arg)
{
	struct rtc_port *f = arg;
	uint32_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		seed = seed * 1664525 + 1013904223;
		if (seed >> 31)
			bus_write(f->bus, PORT, 2, seed >> 8 & 0xff0f);
		else
			in(f, seed >> 8 & 0x0f);
		rtc_port_pass(seed >> 12);
	}
	/* The main thread's turn again. */
	out(f, B, 0x02);
	in(f, C);
	loop_stop(f->loop);
	return NULL;
}

static void any_access_beside_the_timer_is_harmless(void **state)
{
	struct rtc_port *f = *state;
	pthread_t thread;

	pthread_create(&thread, NULL, hammer, f);
	assert_int_equal(loop_run(f->loop), 0);
	pthread_join(thread, NULL);
	/* The clock still can be set, and runs. */
	out(f, B, 0x82);
	out(f, A, 0x26);
	out(f, HOURS, 0x12);
	out(f, MINUTES, 0x34);
	out(f, SECONDS, 0x56);
	out(f, B, 0x02);
	rtc_port_pass(S_NS);
	assert_int_equal(rtc_port_time(f), 0x123457);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rtc_port_setup, rtc_port_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flags_can_be_polled),
		TEST(alarm_goes_off_at_its_time),
		TEST(alarm_interrupts),
		TEST(update_interrupts_each_second),
		TEST(periodic_interrupts_wait_for_the_guest),
		TEST(enabling_a_flag_that_is_set_interrupts),
		TEST(any_access_beside_the_timer_is_harmless),
		cmocka_unit_test_setup_teardown(timer_goes_by_the_hosts_clock,
						rtc_port_setup_host_clock, rtc_port_teardown),
	};

	return cmocka_run_group_tests_name("rtc_irq", tests, NULL, NULL);
}
