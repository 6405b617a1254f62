/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtc.c - an MC146818 with alarm, periodic and update interrupts. See rtc.h.
 *
 * After Motorola's data sheet of the MC146818, with the century where PCs keep it. No register
 * ticks: time and flags are worked out from the host's clock when the guest looks, and a timer
 * runs only while an interrupt is enabled. One lock guards all, for a few instructions or one
 * timerfd_settime().
 */
#include "devices/legacy/rtc.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/timerfd.h>
#include <time.h>

#include "devices/legacy/byte_ports.h"
#include "devices/legacy/calendar.h"

enum reg {
	REG_SECONDS,
	REG_SECONDS_ALARM,
	REG_MINUTES,
	REG_MINUTES_ALARM,
	REG_HOURS,
	REG_HOURS_ALARM,
	REG_WEEKDAY, /* 1: Sunday */
	REG_DAY,
	REG_MONTH,
	REG_YEAR,
	REG_A,
	REG_B,
	REG_C,
	REG_D,
	REG_CENTURY = RTC_CENTURY,
	REGS = 128,
};

enum {
	A_RATE = 0x0f,
	A_DIVIDER_RESET = 0x60, /* DV: 11x */
	A_DIVIDER_32KHZ = 0x20,
	A_RATE_1024HZ = 0x06,
	A_UPDATING = 0x80,

	B_24_HOURS = 0x02,
	B_BINARY = 0x04,
	B_UPDATE = 0x10, /* interrupt enables; the same bits in C are their flags */
	B_ALARM = 0x20,
	B_PERIODIC = 0x40,
	B_SET = 0x80,

	C_FLAGS = B_UPDATE | B_ALARM | B_PERIODIC,
	C_INTERRUPT = 0x80,

	D_VALID = 0x80,

	HOURS_PM = 0x80,
	ALARM_ANY = 0xc0, /* an alarm byte from here on matches all */
};

#define NS_PER_S INT64_C(1000000000)

/* "Updating" shows for the data sheet's 244 us before the seconds change. */
#define UPDATING_FROM (NS_PER_S - 244000)

/* The seconds change half a second after the divider is let go. */
#define DIVIDER_START (NS_PER_S / 2)

struct moment {
	int64_t s;  /* since 1970 */
	int64_t ns; /* 0 to NS_PER_S - 1 */
};

struct rtc {
	struct loop *loop;
	const struct irq *irq;
	int64_t (*now_ns)(void);
	struct loop_watch watch;
	int timer; /* timerfd */

	pthread_mutex_t lock;
	uint8_t index;
	uint8_t cmos[REGS];
	int64_t offset_s;   /* guest's time - host's time: whole seconds, and then */
	int64_t phase_ns;   /* 0 to NS_PER_S - 1 */
	struct moment seen; /* up to here register C's flags are worked out */
	int64_t seen_tick;
	bool raised; /* the interrupt line */
	bool armed;  /* the timer runs */
};

static int64_t host_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static struct moment now(const struct rtc *rtc)
{
	const int64_t ns = rtc->now_ns() + rtc->phase_ns;

	return (struct moment) {.s = ns / NS_PER_S + rtc->offset_s, .ns = ns % NS_PER_S};
}

/* The registers' format. */

static uint8_t encode(const struct rtc *rtc, int value)
{
	if (rtc->cmos[REG_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

/* Any byte has a value, up to 165 in BCD. */
static int decode(const struct rtc *rtc, uint8_t byte)
{
	return rtc->cmos[REG_B] & B_BINARY ? byte : (byte >> 4) * 10 + (byte & 0x0f);
}

static uint8_t encode_hours(const struct rtc *rtc, int hours)
{
	if (rtc->cmos[REG_B] & B_24_HOURS)
		return encode(rtc, hours);
	return encode(rtc, (hours + 11) % 12 + 1) | (hours >= 12 ? HOURS_PM : 0);
}

static int decode_hours(const struct rtc *rtc, uint8_t byte)
{
	if (rtc->cmos[REG_B] & B_24_HOURS)
		return decode(rtc, byte);
	return decode(rtc, byte & (uint8_t)~HOURS_PM) % 12 + (byte & HOURS_PM ? 12 : 0);
}

static void time_to_registers(struct rtc *rtc, int64_t s)
{
	struct calendar date;

	calendar_from_seconds(&date, s);
	rtc->cmos[REG_SECONDS] = encode(rtc, date.seconds);
	rtc->cmos[REG_MINUTES] = encode(rtc, date.minutes);
	rtc->cmos[REG_HOURS] = encode_hours(rtc, date.hours);
	rtc->cmos[REG_WEEKDAY] = encode(rtc, date.weekday);
	rtc->cmos[REG_DAY] = encode(rtc, date.day);
	rtc->cmos[REG_MONTH] = encode(rtc, date.month);
	rtc->cmos[REG_YEAR] = encode(rtc, date.year % 100);
	rtc->cmos[REG_CENTURY] = encode(rtc, date.year / 100);
}

static int64_t time_from_registers(const struct rtc *rtc)
{
	const struct calendar date = {
		.year = decode(rtc, rtc->cmos[REG_CENTURY]) * 100 +
			decode(rtc, rtc->cmos[REG_YEAR]),
		.month = decode(rtc, rtc->cmos[REG_MONTH]),
		.day = decode(rtc, rtc->cmos[REG_DAY]),
		.hours = decode_hours(rtc, rtc->cmos[REG_HOURS]),
		.minutes = decode(rtc, rtc->cmos[REG_MINUTES]),
		.seconds = decode(rtc, rtc->cmos[REG_SECONDS]),
	};

	return calendar_to_seconds(&date);
}

static bool divider_reset(const struct rtc *rtc)
{
	return (rtc->cmos[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

/* The time stands still in the registers, for the guest to set it. */
static bool frozen(const struct rtc *rtc)
{
	return rtc->cmos[REG_B] & B_SET || divider_reset(rtc);
}

/* Ticks of the periodic interrupt per second; 0: none. */
static int64_t periodic_rate(const struct rtc *rtc)
{
	const unsigned int rate = rtc->cmos[REG_A] & A_RATE;

	if (rate == 0 || divider_reset(rtc))
		return 0;
	return 32768 >> ((rate <= 2 ? rate + 7 : rate) - 1);
}

/* Since the second began. */
static int64_t tick_of(const struct rtc *rtc, struct moment at)
{
	return at.ns * periodic_rate(rtc) / NS_PER_S;
}

/* Return: -1: matches all; -2: matches nothing, being no number below @end. */
static int decode_alarm(const struct rtc *rtc, enum reg reg, int end)
{
	const uint8_t byte = rtc->cmos[reg];
	int value;

	if (byte >= ALARM_ANY)
		return -1;
	value = reg == REG_HOURS_ALARM ? decode_hours(rtc, byte) : decode(rtc, byte);
	return value < end ? value : -2;
}

/* The first second after @s at which the alarm goes off; INT64_MAX: never. */
static int64_t next_alarm(const struct rtc *rtc, int64_t s)
{
	const int hour = decode_alarm(rtc, REG_HOURS_ALARM, 24);
	const int minute = decode_alarm(rtc, REG_MINUTES_ALARM, 60);
	const int second = decode_alarm(rtc, REG_SECONDS_ALARM, 60);

	if (hour == -2 || minute == -2 || second == -2)
		return INT64_MAX;
	/* On to the next hour, minute or second: some 150 steps at most. */
	for (int64_t at = s + 1;;) {
		const int of_day = calendar_second_of_day(at);

		if (hour != -1 && of_day / 3600 != hour)
			at += 3600 - of_day % 3600;
		else if (minute != -1 && of_day / 60 % 60 != minute)
			at += 60 - of_day % 60;
		else if (second != -1 && of_day % 60 != second)
			at++;
		else
			return at;
	}
}

static void timer_set(struct rtc *rtc, int64_t in_ns)
{
	/* Absolute, so that an alarm keeps its time when the host's clock is set. */
	const int64_t at = host_now_ns() + in_ns;
	const struct itimerspec spec = {
		.it_value = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S},
	};

	timerfd_settime(rtc->timer, TFD_TIMER_ABSTIME, &spec, NULL);
	rtc->armed = true;
}

static void timer_clear(struct rtc *rtc)
{
	static const struct itimerspec none;

	if (rtc->armed)
		timerfd_settime(rtc->timer, 0, &none, NULL);
	rtc->armed = false;
}

/* Set the timer to the next interrupt; there is none while the last one is not acknowledged. */
static void timer_update(struct rtc *rtc)
{
	const uint8_t enabled = rtc->cmos[REG_B] & C_FLAGS;
	const int64_t rate = periodic_rate(rtc);
	const struct moment at = rtc->seen;
	int64_t next_ns = INT64_MAX;

	if (!rtc->raised && enabled & B_PERIODIC && rate)
		next_ns = ((rtc->seen_tick + 1) * NS_PER_S + rate - 1) / rate - at.ns;
	if (!rtc->raised && enabled & B_UPDATE && !frozen(rtc))
		next_ns = MIN(next_ns, NS_PER_S - at.ns);
	if (!rtc->raised && enabled & B_ALARM && !frozen(rtc)) {
		const int64_t alarm = next_alarm(rtc, at.s);

		if (alarm != INT64_MAX)
			next_ns = MIN(next_ns, (alarm - at.s) * NS_PER_S - at.ns);
	}
	if (next_ns == INT64_MAX)
		timer_clear(rtc);
	else
		timer_set(rtc, next_ns);
}

/* Forget what lies between the last look and now: the clock or its rate was set. */
static void flags_restart(struct rtc *rtc)
{
	rtc->seen = now(rtc);
	rtc->seen_tick = tick_of(rtc, rtc->seen);
}

/* Note in register C what has happened since the last look. */
static void flags_collect(struct rtc *rtc)
{
	const struct moment from = rtc->seen;
	const int64_t from_tick = rtc->seen_tick;
	uint8_t *flags = &rtc->cmos[REG_C];

	flags_restart(rtc);
	if (periodic_rate(rtc) && (rtc->seen.s != from.s || rtc->seen_tick != from_tick))
		*flags |= B_PERIODIC;
	if (frozen(rtc) || rtc->seen.s <= from.s)
		return;
	*flags |= B_UPDATE;
	if (next_alarm(rtc, from.s) <= rtc->seen.s)
		*flags |= B_ALARM;
}

/* After any change of flags or enables. */
static void interrupt_update(struct rtc *rtc)
{
	const bool raised = rtc->cmos[REG_C] & rtc->cmos[REG_B] & C_FLAGS;

	if (raised && !rtc->raised)
		(void)irq_raise(rtc->irq);
	rtc->raised = raised;
	timer_update(rtc);
}

/* Up to the weekday, each second one is an alarm's. */
static bool is_time(uint8_t reg)
{
	return reg == REG_CENTURY || (reg <= REG_YEAR && (reg >= REG_WEEKDAY || reg % 2 == 0));
}

/* Let the clock run from what the registers say. */
static void time_start(struct rtc *rtc, bool divider)
{
	if (divider) {
		const int64_t ns = rtc->now_ns();

		rtc->phase_ns = (DIVIDER_START - ns % NS_PER_S + NS_PER_S) % NS_PER_S;
	}
	rtc->offset_s += time_from_registers(rtc) - now(rtc).s;
	flags_restart(rtc);
}

static void write_control(struct rtc *rtc, uint8_t reg, uint8_t value)
{
	const bool was_frozen = frozen(rtc), was_reset = divider_reset(rtc);

	rtc->cmos[reg] = value;
	if (frozen(rtc) && !was_frozen)
		time_to_registers(rtc, rtc->seen.s);
	else if (!frozen(rtc) && was_frozen)
		time_start(rtc, was_reset);
	else
		rtc->seen_tick = tick_of(rtc, rtc->seen);
}

static void write_register(struct rtc *rtc, uint8_t reg, uint8_t value)
{
	flags_collect(rtc);
	switch (reg) {
	case REG_A:
		write_control(rtc, reg, value & (uint8_t)~A_UPDATING);
		break;
	case REG_B:
		/* Setting the time switches the update interrupt off. */
		write_control(rtc, reg, value & B_SET ? value & (uint8_t)~B_UPDATE : value);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		if (is_time(reg) && !frozen(rtc)) {
			time_to_registers(rtc, rtc->seen.s);
			rtc->cmos[reg] = value;
			time_start(rtc, false);
		} else {
			rtc->cmos[reg] = value;
		}
	}
	interrupt_update(rtc);
}

static uint8_t read_register(struct rtc *rtc, uint8_t reg)
{
	uint8_t value;

	switch (reg) {
	case REG_A:
		value = rtc->cmos[REG_A];
		return value | (!frozen(rtc) && now(rtc).ns >= UPDATING_FROM ? A_UPDATING : 0);
	case REG_C:
		flags_collect(rtc);
		value = rtc->cmos[REG_C];
		if (value & rtc->cmos[REG_B] & C_FLAGS)
			value |= C_INTERRUPT;
		rtc->cmos[REG_C] = 0;
		interrupt_update(rtc);
		return value;
	case REG_D:
		return D_VALID;
	default:
		if (is_time(reg) && !frozen(rtc))
			time_to_registers(rtc, now(rtc).s);
		return rtc->cmos[reg];
	}
}

static uint8_t read_byte(void *dev, uint64_t offset)
{
	struct rtc *rtc = dev;
	uint8_t value;

	if (offset == 0)
		return 0xff; /* the index cannot be read */
	pthread_mutex_lock(&rtc->lock);
	value = read_register(rtc, rtc->index);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void write_byte(void *dev, uint64_t offset, uint8_t value)
{
	struct rtc *rtc = dev;

	pthread_mutex_lock(&rtc->lock);
	if (offset == 0)
		rtc->index = value % REGS; /* the top bit masks the NMI */
	else
		write_register(rtc, rtc->index, value);
	pthread_mutex_unlock(&rtc->lock);
}

static uint64_t rtc_read(void *dev, uint64_t offset, unsigned int size)
{
	return byte_ports_read(dev, offset, size, read_byte);
}

static void rtc_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	byte_ports_write(dev, offset, size, value, write_byte);
}

static const struct bus_ops bus_ops = {
	.read = rtc_read,
	.write = rtc_write,
};

static void timer_expired(struct loop_watch *watch, uint32_t events)
{
	struct rtc *rtc = container_of(watch, struct rtc, watch);
	uint64_t times;

	if (read(rtc->timer, &times, sizeof(times)) < 0)
		return; /* set anew meanwhile */
	pthread_mutex_lock(&rtc->lock);
	flags_collect(rtc);
	interrupt_update(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

int rtc_new(struct rtc **out, struct loop *loop, const struct irq *irq)
{
	struct rtc *rtc = calloc(1, sizeof(*rtc));
	int r;

	if (!rtc)
		return -ENOMEM;
	rtc->loop = loop;
	rtc->irq = irq;
	rtc->now_ns = host_now_ns;
	rtc->cmos[REG_A] = A_DIVIDER_32KHZ | A_RATE_1024HZ;
	rtc->cmos[REG_B] = B_24_HOURS;
	pthread_mutex_init(&rtc->lock, NULL);
	flags_restart(rtc);
	rtc->timer = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	r = rtc->timer < 0 ? -errno : 0;
	if (r == 0)
		r = loop_watch_add(loop, &rtc->watch, rtc->timer, POLLIN, timer_expired);
	if (r < 0) {
		rtc_free(rtc);
		return r;
	}
	*out = rtc;
	return 0;
}

void rtc_free(struct rtc *rtc)
{
	if (!rtc)
		return;
	loop_watch_remove(rtc->loop, &rtc->watch);
	if (rtc->timer >= 0)
		close(rtc->timer);
	pthread_mutex_destroy(&rtc->lock);
	free(rtc);
}

int rtc_attach(struct rtc *rtc, struct bus *bus, uint64_t base)
{
	return bus_attach(bus, base, RTC_PORTS, &bus_ops, rtc, "rtc");
}

void rtc_set_clock(struct rtc *rtc, int64_t (*now_ns)(void))
{
	pthread_mutex_lock(&rtc->lock);
	rtc->now_ns = now_ns;
	flags_restart(rtc);
	pthread_mutex_unlock(&rtc->lock);
}
