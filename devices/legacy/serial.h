/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.h - a serial port as PCs have it: a 16550A with FIFOs of 16 bytes.
 *
 * The line is infinitely fast: what the guest transmits is out at once, and input is received as
 * soon as the guest listens. Registers are served on vCPU threads; input may come from any thread.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include "base.h"
#include "bus.h"
#include "irq.h"

#define SERIAL_PORTS	 8    /* I/O ports */
#define SERIAL_QUEUE_MAX 4096 /* bytes of input that wait in front of the receiver's FIFO */

struct serial;

/*
 * struct serial_ops - what the port is connected to. Both run on the vCPU thread that made the
 * access, without the port's lock, so they may block (that vCPU, at the user's wish) and may call
 * serial_input(). A guest that writes from two vCPUs at once without a lock of its own makes two
 * calls at once.
 */
struct serial_ops {
	/* @data: @len bytes, borrowed for the call. May be NULL: the bytes vanish. */
	void (*output)(void *owner, const uint8_t *data, size_t len);
	/*
	 * There is room for input again: comes once after serial_input() took less than it was
	 * given, or serial_input_room() said 0, when half of the queue is free. May be NULL.
	 */
	void (*input_ready)(void *owner);
};

/*
 * serial_new - @irq, @ops, @owner: borrowed until serial_free().
 * Return: 0 and *@out; -ENOMEM.
 */
int serial_new(struct serial **out, const struct irq *irq, const struct serial_ops *ops,
	       void *owner);

/* serial_free - after the last vCPU and the last source of input have stopped. NULL is fine. */
void serial_free(struct serial *serial);

/* serial_attach - SERIAL_PORTS ports from @base on. Return: 0 or -errno, as bus_attach(). */
int serial_attach(struct serial *serial, struct bus *bus, uint64_t base);

/*
 * serial_input - bytes arrive for the guest. Never blocks. Any thread.
 * They wait in a queue until the guest listens: until it enables the receive interrupt or polls
 * the line status. So what is typed or piped in while a kernel boots is not swallowed when its
 * driver resets the FIFOs.
 * Return: bytes taken, fewer than @len when the queue is full; the caller keeps the rest for
 * input_ready(). One that looks for escape keys has to go on reading meanwhile.
 */
size_t serial_input(struct serial *serial, const uint8_t *data, size_t len);

/* serial_input_room - how many bytes serial_input() would take now. Any thread. */
size_t serial_input_room(struct serial *serial);

#endif
