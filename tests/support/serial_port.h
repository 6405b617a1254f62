/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial_port.h - a serial port on a bus of its own, for tests that act as its driver.
 *
 * What the guest sends is kept; calls of input_ready() are counted.
 */
#ifndef VMM_SERIAL_PORT_H
#define VMM_SERIAL_PORT_H

#include <stdatomic.h>

#include "bus.h"
#include "devices/legacy/serial.h"
#include "irq.h"

#define PORT 0x3f8

/* Registers, by their offset. */
enum { DATA, IER, IIR, FCR = IIR, LCR, MCR, LSR, MSR, SCR };

struct serial_port {
	struct bus *bus;
	struct serial *serial;
	struct irq irq;
	uint8_t sent[1 << 17];
	atomic_size_t sent_n;
	atomic_uint ready;
};

/* serial_port_init - Return: 0 or -errno. */
int serial_port_init(struct serial_port *port);
void serial_port_deinit(struct serial_port *port);

/* serial_port_setup, serial_port_teardown - as cmocka calls them; *@state is a struct serial_port.
 */
int serial_port_setup(void **state);
int serial_port_teardown(void **state);

static inline uint8_t in(struct serial_port *port, unsigned int reg)
{
	return (uint8_t)bus_read(port->bus, PORT + reg, 1);
}

static inline void out(struct serial_port *port, unsigned int reg, uint8_t value)
{
	bus_write(port->bus, PORT + reg, 1, value);
}

#endif
