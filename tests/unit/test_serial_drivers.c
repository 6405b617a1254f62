/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_serial_drivers.c - tests serial.c with whole drivers behind an edge-triggered pin, and with
 * several threads at once.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "serial_driver.h"
#include "serial_port.h"

#define BYTES 60000 /* each way */

/* The probes of autoconfig(), autoconfig_16550a() and size_fifo() in Linux's 8250_port.c. */
static void linux_driver_identifies_a_16550a(void **state)
{
	struct serial_port *port = *state;
	uint8_t ier, first, second, mcr, lcr, fcr, low, high;
	unsigned int n;

	/* Something is there. */
	ier = in(port, IER);
	out(port, IER, 0x00);
	assert_int_equal(in(port, IER) & 0x0f, 0x00);
	out(port, IER, 0x0f);
	assert_int_equal(in(port, IER) & 0x0f, 0x0f);
	out(port, IER, ier);
	mcr = in(port, MCR);
	lcr = in(port, LCR);
	/* Its modem lines loop back. */
	out(port, MCR, 0x1a);
	assert_int_equal(in(port, MSR) & 0xf0, 0x90);
	out(port, MCR, mcr);
	/* It has working FIFOs. */
	out(port, LCR, 0xbf);
	out(port, FCR, 0x00);
	out(port, LCR, 0x00);
	out(port, FCR, 0x01);
	assert_int_equal(in(port, IIR) >> 6, 3);
	/* No enhanced feature register, in neither place. */
	out(port, LCR, 0x80);
	assert_int_not_equal(in(port, FCR), 0);
	out(port, LCR, 0xbf);
	assert_int_not_equal(in(port, FCR), 0);
	/* No second bank: EXCR1 does not follow the loop bit. */
	out(port, LCR, 0x00);
	first = in(port, MCR);
	out(port, LCR, 0xe0);
	second = in(port, IIR);
	if (!((first ^ second) & 0x10)) {
		out(port, LCR, 0x00);
		out(port, MCR, first ^ 0x10);
		out(port, LCR, 0xe0);
		second = in(port, IIR);
		out(port, LCR, 0x00);
		out(port, MCR, first);
		assert_false((first ^ second) & 0x10);
	}
	/* No FIFO of 64 bytes. */
	out(port, LCR, 0x00);
	out(port, FCR, 0x21);
	first = in(port, IIR) >> 5;
	out(port, FCR, 0x01);
	out(port, LCR, 0x80);
	out(port, FCR, 0x21);
	second = in(port, IIR) >> 5;
	out(port, FCR, 0x01);
	out(port, LCR, 0x00);
	assert_false(first == 6 && second == 7);
	/* No unit enable bit. */
	out(port, IER, 0x40);
	assert_int_equal(in(port, IER) & 0x40, 0x00);
	out(port, IER, 0x00);
	/* The FIFO overruns after 16 bytes. */
	fcr = in(port, FCR);
	out(port, FCR, 0x07);
	out(port, MCR, 0x10);
	out(port, LCR, 0x80);
	low = in(port, DATA);
	high = in(port, IER);
	out(port, DATA, 0x01);
	out(port, IER, 0x00);
	out(port, LCR, 0x03);
	for (unsigned int i = 0; i < 256; i++)
		out(port, DATA, (uint8_t)i);
	for (n = 0; n < 256 && in(port, LSR) & 0x01; n++)
		assert_int_equal(in(port, DATA), n);
	assert_int_equal(n, 16);
	out(port, FCR, fcr);
	out(port, MCR, mcr);
	out(port, LCR, 0x80);
	out(port, DATA, low);
	out(port, IER, high);
	out(port, LCR, lcr);
	assert_int_equal(port->sent_n, 0);
	assert_int_equal(fake_irq_take(&port->irq), 0);
}

/* The tests of serial8250_do_startup(), after which it would work around a bad chip. */
static void linux_driver_starts_without_workarounds(void **state)
{
	struct serial_port *port = *state;

	out(port, FCR, 0x01);
	out(port, FCR, 0x07);
	out(port, FCR, 0x00);
	in(port, LSR);
	in(port, DATA);
	in(port, IIR);
	in(port, MSR);
	assert_int_not_equal(in(port, LSR), 0xff);
	/* "THR empty" comes again when it is enabled again (UART_BUG_THRE). */
	assert_true(in(port, LSR) & 0x20);
	out(port, IER, 0x02);
	assert_int_equal(in(port, IIR) & 0x0f, 0x02);
	out(port, IER, 0x00);
	out(port, IER, 0x02);
	assert_int_equal(in(port, IIR) & 0x0f, 0x02);
	out(port, IER, 0x00);
	/* With OUT2 it comes when it is enabled (UART_BUG_TXEN), as an interrupt, too. */
	out(port, LCR, 0x03);
	out(port, MCR, 0x08);
	assert_int_equal(fake_irq_take(&port->irq), 0);
	out(port, IER, 0x02);
	assert_true(in(port, LSR) & 0x40);
	assert_int_equal(in(port, IIR) & 0x0f, 0x02);
	assert_int_equal(fake_irq_take(&port->irq), 1);
	out(port, IER, 0x00);
	assert_int_equal(in(port, IIR) & 0x0f, 0x01);
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void random_fill(uint8_t *data, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)random_next(&seed);
}

/* A host that types, a guest that prints and takes interrupts. */
static struct conversation {
	struct serial_port port;
	struct serial_driver driver;
	uint8_t typed[BYTES], printed[BYTES];
	size_t typed_at, printed_at;
	uint32_t seed;
} talk;

static void type_some(struct conversation *c, size_t max)
{
	size_t len = MIN(random_next(&c->seed) % max + 1, BYTES - c->typed_at);

	c->typed_at += serial_input(c->port.serial, &c->typed[c->typed_at], len);
}

static void print_some(struct conversation *c, size_t max)
{
	size_t len = MIN(random_next(&c->seed) % max + 1, BYTES - c->printed_at);

	serial_driver_send(&c->driver, &c->printed[c->printed_at], len);
	c->printed_at += len;
}

static void type_now_and_then(struct serial_driver *driver)
{
	if (random_next(&talk.seed) % 8 == 0)
		type_some(&talk, 20);
}

static void conversation_begin(const struct serial_model *model)
{
	print_message("# %s\n", model->name);
	assert_int_equal(serial_port_init(&talk.port), 0);
	talk.typed_at = 0;
	talk.printed_at = 0;
	talk.seed = 1;
	random_fill(talk.typed, BYTES, 2);
	random_fill(talk.printed, BYTES, 3);
	serial_driver_init(&talk.driver, model, &talk.port);
}

static void conversation_end(void)
{
	assert_int_equal(talk.driver.received_n, BYTES);
	assert_memory_equal(talk.driver.received, talk.typed, BYTES);
	assert_int_equal(talk.port.sent_n, BYTES);
	assert_memory_equal(talk.port.sent, talk.printed, BYTES);
	serial_driver_deinit(&talk.driver);
	serial_port_deinit(&talk.port);
}

/* The host types between any two accesses of the guest. */
static void no_interrupt_is_lost(void **state)
{
	for (size_t i = 0; i < SERIAL_MODELS; i++) {
		conversation_begin(&serial_models[i]);
		talk.driver.meanwhile = type_now_and_then;
		for (int step = 0; step < 10 * BYTES; step++) {
			if (random_next(&talk.seed) % 4 == 0)
				print_some(&talk, 50);
			if (random_next(&talk.seed) % 4 == 0)
				type_some(&talk, 200);
			if (random_next(&talk.seed) % 2 == 0)
				serial_driver_serve(&talk.driver, 0);
			if (talk.printed_at == BYTES && talk.typed_at == BYTES)
				break;
		}
		serial_driver_serve(&talk.driver, 0);
		conversation_end();
	}
}

static void *take_interrupts(void *arg)
{
	struct conversation *c = arg;

	/* Silence for so long is an interrupt that was lost. */
	for (int idle = 0; idle < 200; idle++) {
		size_t before = c->driver.received_n + c->port.sent_n;

		serial_driver_serve(&c->driver, 50);
		if (c->driver.received_n == BYTES && c->port.sent_n == BYTES)
			break;
		if (c->driver.received_n + c->port.sent_n != before)
			idle = 0;
	}
	return NULL;
}

static void *print_all(void *arg)
{
	struct conversation *c = arg;
	uint32_t seed = 4;

	while (c->printed_at < BYTES) {
		size_t len = MIN(random_next(&seed) % 50 + 1, BYTES - c->printed_at);

		serial_driver_send(&c->driver, &c->printed[c->printed_at], len);
		c->printed_at += len;
	}
	return NULL;
}

static void no_interrupt_is_lost_between_threads(void **state)
{
	pthread_t taker, printer;

	for (size_t i = 0; i < SERIAL_MODELS; i++) {
		conversation_begin(&serial_models[i]);
		pthread_create(&taker, NULL, take_interrupts, &talk);
		pthread_create(&printer, NULL, print_all, &talk);
		for (int idle = 0; talk.typed_at < BYTES && idle < 10000;) {
			unsigned int ready = talk.port.ready;

			type_some(&talk, 3000);
			/* When it took less, it says when to go on. */
			for (; serial_input_room(talk.port.serial) == 0 &&
			       talk.port.ready == ready && idle < 10000;
			     idle++)
				usleep(1000);
		}
		pthread_join(printer, NULL);
		pthread_join(taker, NULL);
		conversation_end();
	}
}

static void *hammer(void *arg)
{
	static atomic_uint hammers;
	struct serial_port *port = arg;
	uint32_t seed = atomic_fetch_add(&hammers, 1);

	for (int i = 0; i < 20000; i++) {
		const uint32_t word = random_next(&seed);
		const unsigned int size = 1u << (word >> 4) % 4;
		const uint64_t at = PORT + word % 8;

		if (word & 0x80)
			bus_write(port->bus, at, size, random_next(&seed));
		else
			bus_read(port->bus, at, size);
	}
	return NULL;
}

static void any_access_from_any_thread_is_harmless(void **state)
{
	struct serial_port *port = *state;
	pthread_t threads[2];
	uint8_t data[64];

	random_fill(data, sizeof(data), 5);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, hammer, port);
	for (int i = 0; i < 20000; i++) {
		size_t room = serial_input_room(port->serial);
		size_t taken = serial_input(port->serial, data, sizeof(data));

		assert_in_range(room, 0, SERIAL_QUEUE_MAX);
		/* Nobody else puts something in. */
		assert_in_range(taken, MIN(room, sizeof(data)), sizeof(data));
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	/* It still is the chip that it was, and has its input. */
	out(port, LCR, 0x03);
	out(port, MCR, 0x10);
	out(port, FCR, 0x03);
	out(port, DATA, 0x42);
	assert_int_equal(in(port, DATA), 0x42);
	out(port, MCR, 0x0b);
	out(port, IER, 0x01);
	for (size_t left = SERIAL_QUEUE_MAX - serial_input_room(port->serial); left > 0; left--) {
		assert_int_equal(in(port, LSR) & 0x01, 0x01);
		in(port, DATA);
	}
	assert_int_equal(in(port, LSR) & 0x01, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serial_port_setup, serial_port_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(linux_driver_identifies_a_16550a),
		TEST(linux_driver_starts_without_workarounds),
		cmocka_unit_test(no_interrupt_is_lost),
		cmocka_unit_test(no_interrupt_is_lost_between_threads),
		TEST(any_access_from_any_thread_is_harmless),
	};

	return cmocka_run_group_tests_name("serial_drivers", tests, NULL, NULL);
}
