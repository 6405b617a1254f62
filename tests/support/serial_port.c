/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial_port.c - a serial port on a bus of its own. See serial_port.h.
 */
#include "serial_port.h"

#include "fake_irq.h"

static void output(void *owner, const uint8_t *data, size_t len)
{
	struct serial_port *port = owner;

	for (size_t i = 0; i < len; i++) {
		size_t at = atomic_fetch_add(&port->sent_n, 1);

		if (at < sizeof(port->sent))
			port->sent[at] = data[i];
	}
}

static void input_ready(void *owner)
{
	struct serial_port *port = owner;

	atomic_fetch_add(&port->ready, 1);
}

static const struct serial_ops ops = {
	.output = output,
	.input_ready = input_ready,
};

int serial_port_init(struct serial_port *port)
{
	int r;

	atomic_init(&port->sent_n, 0);
	atomic_init(&port->ready, 0);
	port->irq.fd = -1;
	port->serial = NULL;
	r = bus_new(&port->bus, 64 * KIB);
	if (r == 0)
		r = fake_irq_init(&port->irq);
	if (r == 0)
		r = serial_new(&port->serial, &port->irq, &ops, port);
	if (r == 0)
		r = serial_attach(port->serial, port->bus, PORT);
	return r;
}

void serial_port_deinit(struct serial_port *port)
{
	bus_free(port->bus);
	serial_free(port->serial);
	fake_irq_deinit(&port->irq);
}

int serial_port_setup(void **state)
{
	static struct serial_port port;

	*state = &port;
	return serial_port_init(&port);
}

int serial_port_teardown(void **state)
{
	serial_port_deinit(*state);
	return 0;
}
