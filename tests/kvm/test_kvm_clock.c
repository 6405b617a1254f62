/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kvm_clock.c - tests guest_clock.c and arch/'s clock with a guest that turns on the clock
 * that KVM offers, several times. Exits with 77 where there is no KVM.
 *
 * What is measured is large beside what a busy machine may add: a pause of half a second is either
 * counted or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "testvm.h"
#include "vmm/guest_clock.h"

#define TIME	 0x120
#define READINGS 4
#define MS	 INT64_C(1000000)
#define PAUSE_MS 500
#define SLACK_MS 200

extern const uint8_t guest_clock_code[], guest_clock_code_end[];

struct reading {
	int64_t kvm;   /* what the clock showed to the guest */
	int64_t guest; /* the moment at which it told that, translated */
	int64_t host;  /* the same moment by the host's clock */
};

struct rig {
	struct testvm t;
	struct guest_clock *clock;
	uint32_t low;
	bool high;
	struct reading readings[READINGS + 1];
	unsigned int n;
};

static int64_t host_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 * MS + now.tv_nsec;
}

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS};

	nanosleep(&time, NULL);
}

/* On the vCPU's thread; after each reading the guest stands still for a while. */
static void time_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct rig *rig = dev;

	if (!rig->high) {
		rig->low = (uint32_t)value;
		rig->high = true;
		return;
	}
	rig->high = false;
	if (rig->n < READINGS) {
		struct reading *reading = &rig->readings[rig->n];

		reading->host = host_now();
		reading->kvm = (int64_t)(value << 32 | rig->low);
		reading->guest = guest_clock_translate(rig->clock, reading->host);
	}
	rig->n++;
	pause_ms(PAUSE_MS);
}

static const struct bus_ops time_ops = {.write = time_write};

static int setup(void **state)
{
	static struct rig rig;
	struct error err = {0};

	rig = (struct rig) {0};
	testvm_init(&rig.t);
	assert_int_equal(bus_attach(rig.t.pio, TIME, 4, &time_ops, &rig, "time"), 0);
	if (guest_clock_new(&rig.clock, rig.t.vm, &err) < 0)
		fail_msg("%s", err.text);
	rig.t.env.exits = guest_clock_exits(rig.clock);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	testvm_deinit(&rig->t);
	guest_clock_free(rig->clock);
	return 0;
}

static void assert_about(int64_t ns, int64_t want_ms, const char *what)
{
	if (ns < (want_ms - 1) * MS || ns > (want_ms + SLACK_MS) * MS)
		fail_msg("%s: %lld us, and not %lld ms", what, (long long)ns / 1000,
			 (long long)want_ms);
}

/* Linux's own clock starts when it turns KVM's on, not with the machine. */
static void clock_starts_when_the_guest_turns_it_on(void **state)
{
	struct rig *rig = *state;
	const struct reading *readings = rig->readings;

	testvm_boot(&rig->t, BOOT_LINUX64, guest_clock_code, guest_clock_code_end);
	pause_ms(PAUSE_MS);
	testvm_start(&rig->t);
	assert_int_equal(testvm_wait(&rig->t), TESTVM_SAID_DONE);
	assert_int_equal(rig->n, READINGS);
	assert_true(readings[0].kvm > PAUSE_MS * MS);
	assert_about(readings[0].guest, 0, "turned on");
	assert_about(readings[1].guest, PAUSE_MS, "later");
	assert_about(readings[2].guest, 2 * PAUSE_MS, "turned on once more, as by another vCPU");
	assert_about(readings[3].guest, 0, "turned off and on, as by another kernel");
	/* It runs as the guest's own does. */
	assert_about(readings[1].guest - readings[0].guest,
		     (readings[1].kvm - readings[0].kvm) / MS, "guest's rate");
	assert_about(readings[2].guest - readings[0].guest,
		     (readings[2].host - readings[0].host) / MS, "host's rate");
}

static void clock_that_nobody_turns_on_starts_with_the_machine(void **state)
{
	struct rig *rig = *state;
	const int64_t now = host_now();
	int64_t kvm;

	assert_int_equal(arch_clock_read(rig->t.vm, &kvm), 0);
	assert_about(guest_clock_translate(rig->clock, now) - kvm, -SLACK_MS / 2, "now");
	assert_about(guest_clock_translate(rig->clock, now - 7000 * MS) - kvm, -7000 - SLACK_MS / 2,
		     "seven seconds ago");
}

/* What is measured once a second changes by next to nothing: the two clocks run alike. */
static void clock_that_is_measured_again_hardly_moves(void **state)
{
	struct rig *rig = *state;
	const int64_t now = host_now(), first = guest_clock_translate(rig->clock, now);
	int64_t second;

	pause_ms(1100);
	second = guest_clock_translate(rig->clock, now);
	assert_true(second - first > -5 * MS && second - first < 5 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(clock_starts_when_the_guest_turns_it_on),
		TEST(clock_that_nobody_turns_on_starts_with_the_machine),
		TEST(clock_that_is_measured_again_hardly_moves),
	};

	if (!testvm_have_kvm()) {
		puts("no usable /dev/kvm on this machine");
		return 77;
	}
	return cmocka_run_group_tests_name("kvm_clock", tests, NULL, NULL);
}
