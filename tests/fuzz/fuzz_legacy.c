/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_legacy.c - any bytes as what a guest does to the legacy devices, and what comes in
 * meanwhile.
 *
 * An input is a row of records: a byte that says what happens, and its operands; what is missing
 * at the end is 0. After it each device is as usable as before.
 */
#include <stdio.h>
#include <string.h>

#include "devices/legacy/acpi_pm.h"
#include "devices/legacy/i8042.h"
#include "devices/legacy/pvpanic.h"
#include "devices/legacy/rtc.h"
#include "devices/legacy/serial.h"
#include "fake_irq.h"
#include "fake_machine.h"
#include "log.h"

#define PORT_SERIAL  0x3f8
#define PORT_I8042   0x60
#define PORT_RTC     0x70
#define PORT_PM	     0x600
#define PORT_PVPANIC 0x505

/* A record's first byte. */
enum {
	RECORD_RANGE = 0x07,	    /* index of ranges[]; beyond them: see below */
	RECORD_WRITE = 0x08,	    /* else read */
	RECORD_SIZE_SHIFT = 4,	    /* two bits: 1, 2, 4 or 8 bytes */
	RECORD_PASS = 0x05,	    /* operand: how long, its cube in 100 us */
	RECORD_TYPE = 0x06,	    /* operand: bytes of input */
	RECORD_POWER_BUTTON = 0x07, /* no operand */
};

static const struct {
	uint64_t base, size;
} ranges[] = {
	{PORT_SERIAL, SERIAL_PORTS}, {PORT_I8042, 5},	{PORT_RTC, RTC_PORTS},
	{PORT_PM, ACPI_PM_PORTS},    {PORT_PVPANIC, 1},
};

struct machine_under_test {
	struct fake_machine machine;
	struct irq irq;
	struct bus *bus;
	struct serial *serial;
	struct i8042 *i8042;
	struct rtc *rtc;
	struct acpi_pm *pm;
	struct pvpanic *pvpanic;
	uint64_t typed; /* bytes of input so far; each is its number */
};

static int64_t clock_ns;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static int64_t clock_now(void)
{
	return clock_ns;
}

static void output(void *owner, const uint8_t *data, size_t len)
{
	require(len == 1, "one byte of output a write");
}

static void input_ready(void *owner)
{
	struct machine_under_test *m = owner;

	require(serial_input_room(m->serial) > 0, "room when input_ready() says so");
}

static const struct serial_ops serial_ops = {
	.output = output,
	.input_ready = input_ready,
};

static void init(struct machine_under_test *m)
{
	static struct loop *loop;
	int r = 0;

	*m = (struct machine_under_test) {.irq.fd = -1};
	clock_ns = INT64_C(1700000000) * 1000000000;
	log_set_level(LOG_LEVEL_ERROR);
	if (!loop)
		r = loop_new(&loop, LOOP_EPOLL, 0, NULL);
	fake_machine_init(&m->machine);
	r = r ?: fake_irq_init(&m->irq);
	r = r ?: bus_new(&m->bus, 64 * KIB);
	r = r ?: serial_new(&m->serial, &m->irq, &serial_ops, m);
	r = r ?: serial_attach(m->serial, m->bus, PORT_SERIAL);
	r = r ?: i8042_new(&m->i8042, &m->machine.machine);
	r = r ?: i8042_attach(m->i8042, m->bus, PORT_I8042);
	r = r ?: rtc_new(&m->rtc, loop, &m->irq);
	r = r ?: rtc_attach(m->rtc, m->bus, PORT_RTC);
	r = r ?: acpi_pm_new(&m->pm, &m->machine.machine, &m->irq);
	r = r ?: acpi_pm_attach(m->pm, m->bus, PORT_PM);
	r = r ?: pvpanic_new(&m->pvpanic, &m->machine.machine);
	r = r ?: pvpanic_attach(m->pvpanic, m->bus, PORT_PVPANIC);
	require(r == 0, "the machine made");
	i8042_set_irq(m->i8042, &m->irq);
	rtc_set_clock(m->rtc, clock_now);
}

static void deinit(struct machine_under_test *m)
{
	pvpanic_free(m->pvpanic);
	acpi_pm_free(m->pm);
	rtc_free(m->rtc);
	i8042_free(m->i8042);
	serial_free(m->serial);
	bus_free(m->bus);
	fake_irq_deinit(&m->irq);
}

static uint8_t in(struct machine_under_test *m, uint64_t port)
{
	return (uint8_t)bus_read(m->bus, port, 1);
}

static void out(struct machine_under_test *m, uint64_t port, uint8_t value)
{
	bus_write(m->bus, port, 1, value);
}

static void type(struct machine_under_test *m, size_t len)
{
	const size_t room = serial_input_room(m->serial);
	uint8_t data[256];

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(m->typed + i);
	require(serial_input(m->serial, data, len) == MIN(len, room),
		"input taken as there is room");
	m->typed += MIN(len, room);
}

/* What is left of the input comes out in order and whole, by interrupts. */
static void check_serial(struct machine_under_test *m)
{
	size_t left = SERIAL_QUEUE_MAX - serial_input_room(m->serial);

	require(left <= SERIAL_QUEUE_MAX && left <= m->typed, "the queue's length");
	out(m, PORT_SERIAL + 3, 0x03);
	out(m, PORT_SERIAL + 4, 0x0b);
	out(m, PORT_SERIAL + 1, 0x00);
	out(m, PORT_SERIAL + 2, 0x01);
	in(m, PORT_SERIAL + 5); /* an overrun */
	fake_irq_take(&m->irq);
	out(m, PORT_SERIAL + 1, 0x01);
	for (; left > 0; left--) {
		require(fake_irq_take(&m->irq) == 1, "an edge for each byte");
		require((in(m, PORT_SERIAL + 2) & 0xc5) == 0xc4, "data identified");
		require(in(m, PORT_SERIAL + 5) == 0x61, "data ready");
		require(in(m, PORT_SERIAL) == (uint8_t)(m->typed - left), "input in order");
	}
	require(in(m, PORT_SERIAL + 5) == 0x60, "no data");
	require(fake_irq_take(&m->irq) == 0, "no edge without data");
}

static void check_i8042(struct machine_under_test *m)
{
	require(!(in(m, PORT_I8042 + 4) & 0x02), "input buffer empty");
	out(m, PORT_I8042 + 4, 0xaa);
	require(in(m, PORT_I8042 + 4) & 0x01, "an answer");
	require(in(m, PORT_I8042) == 0x55, "the self test's answer");
	require(!(in(m, PORT_I8042 + 4) & 0x01), "no more answers");
}

static uint8_t rtc_in(struct machine_under_test *m, uint8_t reg)
{
	out(m, PORT_RTC, reg);
	return in(m, PORT_RTC + 1);
}

static void check_rtc(struct machine_under_test *m)
{
	bus_write(m->bus, PORT_RTC, 2, 0x260a);
	bus_write(m->bus, PORT_RTC, 2, 0x060b);
	require(rtc_in(m, 0) < 60 && rtc_in(m, 2) < 60 && rtc_in(m, 4) < 24, "a time");
	require(rtc_in(m, 7) - 1 < 31 && rtc_in(m, 8) - 1 < 12 && rtc_in(m, 9) < 100, "a date");
	require(rtc_in(m, 6) - 1 < 7, "a day of the week");
	require(rtc_in(m, 13) == 0x80, "a good battery");
	rtc_in(m, 12);
	clock_ns += 1000000000;
	require((rtc_in(m, 12) & 0x50) == 0x50, "it runs");
}

static void check_acpi(struct machine_under_test *m)
{
	fake_machine_init(&m->machine);
	require(!(in(m, PORT_PM) & 0xe3) && !(in(m, PORT_PM + 1) & 0x7f), "no reserved bits");
	in(m, PORT_PM + 4);
	fake_irq_take(&m->irq);
	acpi_pm_press_power_button(m->pm);
	require(fake_irq_take(&m->irq) == 1, "the power button's edge");
	require(in(m, PORT_PM + 4) == 0x01 && in(m, PORT_PM + 4) == 0, "the event, once");
	require(fake_machine_idle(&m->machine), "no request");
	out(m, PORT_PM, 0x34);
	require(fake_machine_take(&m->machine, MACHINE_POWER_OFF) == 1, "power off");
	out(m, PORT_PVPANIC, 0x01);
	require(fake_machine_take(&m->machine, MACHINE_PANIC) == 1, "panic");
}

/* The next @n bytes, little endian. */
static uint64_t take(const uint8_t **data, size_t *size, size_t n)
{
	uint8_t bytes[8] = {0};
	uint64_t value;

	if (*size)
		memcpy(bytes, *data, MIN(n, *size));
	*data += MIN(n, *size);
	*size -= MIN(n, *size);
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void run_access(struct machine_under_test *m, uint8_t record, const uint8_t **data,
		       size_t *size)
{
	const uint64_t base = ranges[record & RECORD_RANGE].base;
	const uint64_t port = base + take(data, size, 1) % ranges[record & RECORD_RANGE].size;
	const unsigned int width = 1u << (record >> RECORD_SIZE_SHIFT & 3);

	if (record & RECORD_WRITE)
		bus_write(m->bus, port, width, take(data, size, width));
	else
		bus_read(m->bus, port, width);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine_under_test m;
	uint64_t operand;

	init(&m);
	while (size) {
		const uint8_t record = (uint8_t)take(&data, &size, 1);

		switch (record & RECORD_RANGE) {
		case RECORD_PASS:
			operand = take(&data, &size, 1);
			clock_ns += (int64_t)(operand * operand * operand) * 100000;
			break;
		case RECORD_TYPE:
			type(&m, take(&data, &size, 1));
			break;
		case RECORD_POWER_BUTTON:
			acpi_pm_press_power_button(m.pm);
			break;
		default:
			run_access(&m, record, &data, &size);
		}
	}
	check_serial(&m);
	check_i8042(&m);
	check_rtc(&m);
	check_acpi(&m);
	deinit(&m);
	return 0;
}
