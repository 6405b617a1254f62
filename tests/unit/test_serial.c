/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_serial.c - tests serial.c's registers and interrupts through the bus, as drivers use them.
 */
#include "devices/legacy/serial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "serial_port.h"

/* Ready for interrupts, with FIFOs, as Linux leaves an open port. */
static void port_open(struct serial_port *port, uint8_t ier)
{
	out(port, FCR, 0x81);
	out(port, MCR, 0x0b);
	in(port, MSR);
	out(port, IER, ier);
	fake_irq_take(&port->irq);
}

static void registers_keep_what_they_have_bits_for(void **state)
{
	static const struct {
		const char *name;
		unsigned int reg;
		uint8_t lcr, written, read;
	} cases[] = {
		{.name = "scratch", .reg = SCR, .written = 0xa5, .read = 0xa5},
		{.name = "scratch, inverted", .reg = SCR, .written = 0x5a, .read = 0x5a},
		{.name = "interrupt enable", .reg = IER, .written = 0xff, .read = 0x0f},
		{.name = "no interrupt", .reg = IER, .written = 0x00, .read = 0x00},
		{.name = "modem control", .reg = MCR, .written = 0xff, .read = 0x1f},
		{.name = "line control", .reg = LCR, .written = 0x7f, .read = 0x7f},
		{.name = "divisor, low", .reg = DATA, .lcr = 0x80, .written = 0x0c, .read = 0x0c},
		{.name = "divisor, high", .reg = IER, .lcr = 0x80, .written = 0xfe, .read = 0xfe},
		{.name = "line status is read-only", .reg = LSR, .written = 0x00, .read = 0x60},
		{.name = "modem status is read-only", .reg = MSR, .written = 0x0f, .read = 0xb0},
	};
	struct serial_port *port = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		out(port, MCR, 0x00);
		in(port, MSR);
		out(port, LCR, cases[i].lcr);
		out(port, cases[i].reg, cases[i].written);
		assert_int_equal(in(port, cases[i].reg), cases[i].read);
	}
	assert_int_equal(port->sent_n, 0);
}

static void divisor_is_apart_from_data_and_enables(void **state)
{
	struct serial_port *port = *state;

	out(port, IER, 0x05);
	out(port, LCR, 0x83);
	out(port, DATA, 0x01);
	out(port, IER, 0x02);
	assert_int_equal(port->sent_n, 0);
	out(port, LCR, 0x03);
	assert_int_equal(in(port, IER), 0x05);
	out(port, DATA, 0x41);
	assert_int_equal(port->sent_n, 1);
	assert_int_equal(port->sent[0], 0x41);
	out(port, LCR, 0x83);
	assert_int_equal(in(port, DATA), 0x01);
	assert_int_equal(in(port, IER), 0x02);
}

static void wide_access_is_one_byte_after_the_other(void **state)
{
	struct serial_port *port = *state;

	bus_write(port->bus, PORT + LCR, 2, 0x0183);
	assert_int_equal(in(port, LCR), 0x83);
	assert_int_equal(in(port, MCR), 0x01);
	/* DLAB takes effect for a later access only; LCR, MCR, LSR, MSR in one. */
	assert_int_equal(bus_read(port->bus, PORT + LCR, 4), 0xb0600183);
	out(port, LCR, 0x03);
	bus_write(port->bus, PORT + DATA, 2, 0x0241);
	assert_int_equal(port->sent_n, 1);
	assert_int_equal(port->sent[0], 0x41);
	assert_int_equal(in(port, IER), 0x02);
	/* Beyond the end nobody answers, for no part of it. */
	assert_int_equal(bus_read(port->bus, PORT + SCR, 2), 0xffff);
}

static void modem_lines_report_changes_in_loop_mode(void **state)
{
	static const struct {
		const char *name;
		uint8_t mcr;
		uint8_t msr; /* with the deltas from the row above */
	} steps[] = {
		{.name = "not in loop mode: all ready", .mcr = 0x00, .msr = 0xb0},
		{.name = "loop: nothing", .mcr = 0x10, .msr = 0x0b},
		{.name = "DTR is DSR", .mcr = 0x11, .msr = 0x22},
		{.name = "RTS is CTS", .mcr = 0x12, .msr = 0x13},
		{.name = "OUT1 is RI: its begin is no change", .mcr = 0x14, .msr = 0x41},
		{.name = "OUT2 is DCD, end of RI", .mcr = 0x18, .msr = 0x8c},
		{.name = "the same again", .mcr = 0x18, .msr = 0x80},
		{.name = "out of loop mode", .mcr = 0x08, .msr = 0xb3},
	};
	struct serial_port *port = *state;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		print_message("# %s\n", steps[i].name);
		out(port, MCR, steps[i].mcr);
		assert_int_equal(in(port, MSR), steps[i].msr);
		assert_int_equal(in(port, MSR), steps[i].msr & 0xf0);
	}
}

static void loop_mode_overruns_and_says_so(void **state)
{
	struct serial_port *port = *state;

	/* Without FIFOs there is room for one byte, and a later one wins. */
	out(port, MCR, 0x10);
	out(port, DATA, 1);
	assert_int_equal(in(port, LSR), 0x61);
	out(port, DATA, 2);
	out(port, IER, 0x04);
	assert_int_equal(in(port, IIR), 0x06);
	assert_int_equal(in(port, LSR), 0x63);
	assert_int_equal(in(port, LSR), 0x61);
	assert_int_equal(in(port, IIR), 0x01);
	assert_int_equal(in(port, DATA), 2);
	assert_int_equal(in(port, LSR), 0x60);
	assert_int_equal(in(port, DATA), 0);
	/* With FIFOs 16, and a later one is lost. */
	out(port, FCR, 0x01);
	for (uint8_t i = 0; i < 17; i++)
		out(port, DATA, i);
	assert_int_equal(in(port, LSR), 0x63);
	for (uint8_t i = 0; i < 16; i++)
		assert_int_equal(in(port, DATA), i);
	assert_int_equal(in(port, LSR), 0x60);
	assert_int_equal(port->sent_n, 0);
}

static void fifo_reset_drops_what_was_looped_back(void **state)
{
	static const uint8_t resets[] = {0x03, 0x00, 0x01};
	struct serial_port *port = *state;

	out(port, MCR, 0x10);
	out(port, FCR, 0x01);
	for (size_t i = 0; i < ARRAY_SIZE(resets); i++) {
		out(port, DATA, 0x55);
		assert_int_equal(in(port, LSR), 0x61);
		out(port, FCR, resets[i]);
		assert_int_equal(in(port, LSR), 0x60);
	}
	/* Neither "transmitter reset" nor a new trigger level touches it. */
	out(port, DATA, 0x55);
	out(port, FCR, 0x05);
	out(port, FCR, 0xc1);
	assert_int_equal(in(port, LSR), 0x61);
	/* Bits without "FIFO enable" are not programmed. */
	out(port, FCR, 0x00);
	out(port, DATA, 0x55);
	out(port, FCR, 0x02);
	assert_int_equal(in(port, LSR), 0x61);
	/* Nor does it survive the loop. */
	out(port, MCR, 0x00);
	assert_int_equal(in(port, LSR), 0x60);
	out(port, MCR, 0x10);
	assert_int_equal(in(port, LSR), 0x60);
}

static void interrupts_are_identified_by_priority(void **state)
{
	struct serial_port *port = *state;

	/* All four causes at once, by an overrun and changed lines in loop mode. */
	out(port, FCR, 0x81); /* trigger at 8 */
	out(port, IER, 0x0f);
	out(port, MCR, 0x10);
	for (uint8_t i = 0; i < 17; i++)
		out(port, DATA, i);
	assert_int_equal(in(port, IIR), 0xc6);
	in(port, LSR);
	for (unsigned int left = 16; left > 0; left--) {
		assert_int_equal(in(port, IIR), left >= 8 ? 0xc4 : 0xcc);
		in(port, DATA);
	}
	assert_int_equal(in(port, IIR), 0xc2);
	assert_int_equal(in(port, IIR), 0xc0);
	in(port, MSR);
	assert_int_equal(in(port, IIR), 0xc1);
	/* Disconnected in loop mode: OUT2 is a loop line. */
	assert_int_equal(fake_irq_take(&port->irq), 0);
}

static void trigger_level_is_programmable(void **state)
{
	static const uint8_t levels[] = {1, 4, 8, 14};
	struct serial_port *port = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(levels); i++) {
		port_open(port, 0x01);
		out(port, FCR, (uint8_t)(0x01 | i << 6));
		for (unsigned int n = 1; n <= 16; n++) {
			assert_int_equal(serial_input(port->serial, (const uint8_t *)"x", 1), 1);
			assert_int_equal(in(port, IIR), n >= levels[i] ? 0xc4 : 0xcc);
		}
		for (unsigned int n = 0; n < 16; n++)
			in(port, DATA);
		assert_int_equal(in(port, IIR), 0xc1);
	}
}

static void out2_gates_the_line(void **state)
{
	struct serial_port *port = *state;

	out(port, MCR, 0x03);
	out(port, IER, 0x03);
	serial_input(port->serial, (const uint8_t *)"a", 1);
	assert_int_equal(in(port, IIR), 0x04);
	assert_int_equal(fake_irq_take(&port->irq), 0);
	out(port, MCR, 0x0b);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	out(port, MCR, 0x03);
	out(port, MCR, 0x0b);
	assert_int_equal(fake_irq_take(&port->irq), 1);
}

static void news_is_an_edge(void **state)
{
	struct serial_port *port = *state;

	port_open(port, 0x00);
	out(port, IER, 0x02);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	/* Data while "THR empty" is pending. */
	out(port, IER, 0x03);
	assert_int_equal(fake_irq_take(&port->irq), 0);
	serial_input(port->serial, (const uint8_t *)"ab", 2);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	assert_int_equal(in(port, IIR), 0xcc);
	/* More data; a byte taken while one is left; the last one. */
	serial_input(port->serial, (const uint8_t *)"c", 1);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	assert_int_equal(in(port, DATA), 'a');
	assert_int_equal(fake_irq_take(&port->irq), 1);
	assert_int_equal(in(port, DATA), 'b');
	assert_int_equal(fake_irq_take(&port->irq), 1);
	assert_int_equal(in(port, DATA), 'c');
	assert_int_equal(fake_irq_take(&port->irq), 1);
	/* "THR empty" is still there; its identification ends it, a byte sent brings it back. */
	assert_int_equal(in(port, IIR), 0xc2);
	assert_int_equal(in(port, IIR), 0xc1);
	assert_int_equal(fake_irq_take(&port->irq), 0);
	out(port, DATA, 'x');
	assert_int_equal(fake_irq_take(&port->irq), 1);
	out(port, DATA, 'y');
	assert_int_equal(fake_irq_take(&port->irq), 1);
	assert_int_equal(in(port, IIR), 0xc2);
	/* Other registers do nothing. */
	out(port, IER, 0x03);
	out(port, LCR, 0x03);
	out(port, SCR, 0x00);
	in(port, LSR);
	in(port, MSR);
	assert_int_equal(fake_irq_take(&port->irq), 0);
}

static void change_of_what_is_pending_is_an_edge(void **state)
{
	struct serial_port *port = *state;

	/* "THR empty" first, then data with it, then data alone, then both. */
	serial_input(port->serial, (const uint8_t *)"a", 1);
	port_open(port, 0x00);
	out(port, IER, 0x02);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	out(port, IER, 0x03);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	out(port, IER, 0x01);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	out(port, IER, 0x03);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	/* Changed lines and an overrun, left over from loop mode, and one after the other read. */
	out(port, IER, 0x0e);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	out(port, MCR, 0x18);
	for (int i = 0; i < 17; i++)
		out(port, DATA, 0x00);
	assert_int_equal(fake_irq_take(&port->irq), 0);
	out(port, MCR, 0x08);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	in(port, LSR);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	in(port, MSR);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	in(port, IIR);
	assert_int_equal(fake_irq_take(&port->irq), 0);
}

static void input_waits_until_the_guest_listens(void **state)
{
	struct serial_port *port = *state;

	assert_int_equal(serial_input(port->serial, (const uint8_t *)"hello", 5), 5);
	/* What Linux's driver does while it starts: nothing of this may swallow a byte. */
	for (int i = 0; i < 10; i++) {
		out(port, FCR, 0x01);
		out(port, FCR, 0x07);
		out(port, FCR, 0x00);
		for (int j = 0; j < 4; j++)
			assert_int_equal(in(port, LSR), 0x60);
		assert_int_equal(in(port, DATA), 0);
	}
	port_open(port, 0x05);
	assert_int_equal(in(port, LSR), 0x61);
	/* Settings change once more, with some of it in the FIFO. */
	assert_int_equal(in(port, DATA), 'h');
	fake_irq_take(&port->irq);
	out(port, FCR, 0x87);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	for (const char *c = "ello"; *c; c++)
		assert_int_equal(in(port, DATA), *c);
	assert_int_equal(in(port, LSR), 0x60);
}

static void input_reaches_a_guest_that_polls(void **state)
{
	struct serial_port *port = *state;
	int polls = 0;

	assert_int_equal(serial_input(port->serial, (const uint8_t *)"ok", 2), 2);
	while (!(in(port, LSR) & 0x01))
		assert_in_range(++polls, 0, 100);
	assert_int_equal(in(port, DATA), 'o');
	assert_int_equal(in(port, LSR), 0x61);
	assert_int_equal(in(port, DATA), 'k');
	assert_int_equal(in(port, LSR), 0x60);
	assert_int_equal(fake_irq_take(&port->irq), 0);
}

static void input_stays_out_of_the_loop(void **state)
{
	struct serial_port *port = *state;

	port_open(port, 0x01);
	serial_input(port->serial, (const uint8_t *)"in", 2);
	out(port, MCR, 0x1b);
	assert_int_equal(in(port, LSR), 0x60);
	serial_input(port->serial, (const uint8_t *)"put", 3);
	out(port, DATA, 'L');
	assert_int_equal(in(port, DATA), 'L');
	assert_int_equal(in(port, LSR), 0x60);
	fake_irq_take(&port->irq);
	out(port, MCR, 0x0b);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	for (const char *c = "input"; *c; c++)
		assert_int_equal(in(port, DATA), *c);
	assert_int_equal(port->sent_n, 0);
}

static void full_queue_says_when_there_is_room(void **state)
{
	struct serial_port *port = *state;
	uint8_t data[SERIAL_QUEUE_MAX + 10];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	assert_int_equal(serial_input_room(port->serial), SERIAL_QUEUE_MAX);
	assert_int_equal(serial_input(port->serial, data, 100), 100);
	assert_int_equal(serial_input_room(port->serial), SERIAL_QUEUE_MAX - 100);
	port_open(port, 0x01);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(in(port, DATA), data[i]);
	assert_int_equal(port->ready, 0); /* nobody was refused */
	/* Taken in part: half of the queue free, once. */
	assert_int_equal(serial_input(port->serial, data, sizeof(data)), SERIAL_QUEUE_MAX);
	assert_int_equal(serial_input(port->serial, data, 1), 0);
	for (size_t i = 0; i < SERIAL_QUEUE_MAX; i++) {
		assert_int_equal(port->ready, i >= SERIAL_QUEUE_MAX / 2);
		assert_int_equal(in(port, DATA), data[i]);
	}
	assert_int_equal(port->ready, 1);
	/* Taken whole, but then asked for room. */
	assert_int_equal(serial_input(port->serial, data, SERIAL_QUEUE_MAX), SERIAL_QUEUE_MAX);
	assert_int_equal(serial_input_room(port->serial), 0);
	for (size_t i = 0; i < SERIAL_QUEUE_MAX; i++)
		in(port, DATA);
	assert_int_equal(port->ready, 2);
}

static void output_goes_nowhere_without_a_host(void **state)
{
	static const struct serial_ops none;
	const struct irq irq = {.fd = -1};
	struct serial *serial;
	struct bus *bus;
	uint8_t data[SERIAL_QUEUE_MAX] = {0};

	assert_int_equal(serial_new(&serial, &irq, &none, NULL), 0);
	assert_int_equal(bus_new(&bus, 64 * KIB), 0);
	assert_int_equal(serial_attach(serial, bus, PORT), 0);
	bus_write(bus, PORT + MCR, 1, 0x08);
	bus_write(bus, PORT + IER, 1, 0x0f);
	bus_write(bus, PORT + DATA, 1, 'x');
	assert_int_equal(serial_input(serial, data, sizeof(data)), sizeof(data));
	assert_int_equal(serial_input(serial, data, 1), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		bus_read(bus, PORT + DATA, 1);
	assert_int_equal(serial_input_room(serial), SERIAL_QUEUE_MAX);
	bus_free(bus);
	serial_free(serial);
	serial_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serial_port_setup, serial_port_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_keep_what_they_have_bits_for),
		TEST(divisor_is_apart_from_data_and_enables),
		TEST(wide_access_is_one_byte_after_the_other),
		TEST(modem_lines_report_changes_in_loop_mode),
		TEST(loop_mode_overruns_and_says_so),
		TEST(fifo_reset_drops_what_was_looped_back),
		TEST(interrupts_are_identified_by_priority),
		TEST(trigger_level_is_programmable),
		TEST(out2_gates_the_line),
		TEST(news_is_an_edge),
		TEST(change_of_what_is_pending_is_an_edge),
		TEST(input_waits_until_the_guest_listens),
		TEST(input_reaches_a_guest_that_polls),
		TEST(input_stays_out_of_the_loop),
		TEST(full_queue_says_when_there_is_room),
		TEST(output_goes_nowhere_without_a_host),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
