/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial_driver.c - models of drivers. See serial_driver.h.
 */
#include "serial_driver.h"

#include "fake_irq.h"

enum {
	IER_RECEIVED = 0x01,
	IER_TRANSMITTED = 0x02,
	IER_LINE = 0x04,
	LSR_READY = 0x01,
	LSR_EMPTY = 0x20,
};

static uint8_t get(struct serial_driver *driver, unsigned int reg)
{
	if (driver->meanwhile)
		driver->meanwhile(driver);
	return in(driver->port, reg);
}

static void put(struct serial_driver *driver, unsigned int reg, uint8_t value)
{
	if (driver->meanwhile)
		driver->meanwhile(driver);
	out(driver->port, reg, value);
}

static void take(struct serial_driver *driver)
{
	const uint8_t byte = get(driver, DATA);
	const size_t at = atomic_fetch_add(&driver->received_n, 1);

	if (at < sizeof(driver->received))
		driver->received[at] = byte;
}

static bool give(struct serial_driver *driver)
{
	if (driver->data_at == driver->data_n)
		return false;
	put(driver, DATA, driver->data[driver->data_at++]);
	return true;
}

static void enable(struct serial_driver *driver, uint8_t ier)
{
	driver->ier = ier;
	put(driver, IER, ier);
}

/* serial8250_startup() and _set_termios(): FIFOs with trigger level 8. */
static void linux_open(struct serial_driver *driver)
{
	put(driver, FCR, 0x01);
	put(driver, FCR, 0x07);
	put(driver, FCR, 0x00);
	put(driver, LCR, 0x03);
	put(driver, MCR, 0x0b);
	enable(driver, IER_RECEIVED | IER_LINE);
	put(driver, FCR, 0x01);
	put(driver, FCR, 0x87);
}

/* serial8250_interrupt() and serial8250_handle_irq(): until no cause is left. */
static void linux_handler(struct serial_driver *driver)
{
	for (int pass = 0; pass < 512 && !(get(driver, IIR) & 0x01); pass++) {
		uint8_t lsr;

		pthread_mutex_lock(&driver->lock);
		lsr = get(driver, LSR);
		for (int i = 0; i < 256 && lsr & LSR_READY; i++) {
			take(driver);
			lsr = get(driver, LSR);
		}
		get(driver, MSR);
		if (lsr & LSR_EMPTY && driver->ier & IER_TRANSMITTED) {
			for (int i = 0; i < 16 && give(driver); i++)
				;
			if (driver->data_at == driver->data_n)
				enable(driver, driver->ier & (uint8_t)~IER_TRANSMITTED);
		}
		pthread_mutex_unlock(&driver->lock);
	}
}

/* serial8250_start_tx() */
static void linux_start(struct serial_driver *driver)
{
	if (!(driver->ier & IER_TRANSMITTED))
		enable(driver, driver->ier | IER_TRANSMITTED);
}

/* The data sheet's way without FIFOs: one cause is identified and served an interrupt. */
static void byte_open(struct serial_driver *driver)
{
	put(driver, FCR, 0x00);
	put(driver, LCR, 0x03);
	put(driver, MCR, 0x0b);
	enable(driver, IER_RECEIVED | IER_TRANSMITTED);
}

static void byte_handler(struct serial_driver *driver)
{
	pthread_mutex_lock(&driver->lock);
	switch (get(driver, IIR) & 0x0f) {
	case 0x04:
		take(driver);
		break;
	case 0x02:
		driver->idle = !give(driver);
		break;
	}
	pthread_mutex_unlock(&driver->lock);
}

static void byte_start(struct serial_driver *driver)
{
	if (driver->idle)
		driver->idle = !give(driver);
}

/* Goes by the line status only: what is never identified stays pending. */
static void status_handler(struct serial_driver *driver)
{
	uint8_t lsr;

	pthread_mutex_lock(&driver->lock);
	lsr = get(driver, LSR);
	if (lsr & LSR_READY)
		take(driver);
	if (lsr & LSR_EMPTY)
		driver->idle = !give(driver);
	pthread_mutex_unlock(&driver->lock);
}

const struct serial_model serial_models[SERIAL_MODELS] = {
	{
		.name = "Linux",
		.open = linux_open,
		.handler = linux_handler,
		.start = linux_start,
	},
	{
		.name = "one cause an interrupt",
		.open = byte_open,
		.handler = byte_handler,
		.start = byte_start,
	},
	{
		.name = "line status only",
		.open = byte_open,
		.handler = status_handler,
		.start = byte_start,
	},
};

void serial_driver_init(struct serial_driver *driver, const struct serial_model *model,
			struct serial_port *port)
{
	driver->model = model;
	driver->port = port;
	driver->meanwhile = NULL;
	pthread_mutex_init(&driver->lock, NULL);
	driver->idle = true;
	driver->data = NULL;
	driver->data_n = 0;
	driver->data_at = 0;
	atomic_init(&driver->received_n, 0);
	model->open(driver);
}

void serial_driver_deinit(struct serial_driver *driver)
{
	pthread_mutex_destroy(&driver->lock);
}

void serial_driver_send(struct serial_driver *driver, const uint8_t *data, size_t len)
{
	pthread_mutex_lock(&driver->lock);
	if (driver->data_at == driver->data_n) {
		driver->data = data;
		driver->data_at = 0;
		driver->data_n = 0;
	}
	driver->data_n += len;
	driver->model->start(driver);
	pthread_mutex_unlock(&driver->lock);
}

void serial_driver_serve(struct serial_driver *driver, int ms)
{
	for (unsigned int edges = fake_irq_wait(&driver->port->irq, ms); edges;
	     edges = fake_irq_take(&driver->port->irq))
		driver->model->handler(driver);
}
