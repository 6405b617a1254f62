/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.c - a 16550A. See serial.h.
 *
 * After National Semiconductor's data sheet of the PC16550D ("8.0 Registers"), wired as in a PC:
 * the modem control output OUT2 gates the interrupt. Registers, queue and FIFO belong to one lock,
 * held for a few instructions and never across a callback. The interrupt line is an edge, so the
 * question is when to send one: see update().
 */
#include "devices/legacy/serial.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "devices/legacy/byte_ports.h"

enum reg {
	REG_DATA, /* RBR, THR; with DLAB the divisor's low byte */
	REG_IER,  /* with DLAB the divisor's high byte */
	REG_IIR,  /* read */
	REG_FCR = REG_IIR,
	REG_LCR,
	REG_MCR,
	REG_LSR,
	REG_MSR,
	REG_SCR,
};

/* Interrupt causes, by their bit in the interrupt enable register. */
enum cause {
	CAUSE_RECEIVED = 0x01,
	CAUSE_TRANSMITTED = 0x02,
	CAUSE_LINE = 0x04,
	CAUSE_MODEM = 0x08,
	CAUSE_ALL = 0x0f,
};

enum {
	IIR_MODEM = 0x00,
	IIR_NONE = 0x01,
	IIR_TRANSMITTED = 0x02,
	IIR_RECEIVED = 0x04,
	IIR_LINE = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFOS = 0xc0,

	FCR_ENABLE = 0x01,
	FCR_CLEAR_RECEIVER = 0x02,
	FCR_TRIGGER_SHIFT = 6,

	LCR_8N1 = 0x03,
	LCR_DLAB = 0x80,

	MCR_DTR = 0x01,
	MCR_RTS = 0x02,
	MCR_OUT1 = 0x04,
	MCR_OUT2 = 0x08,
	MCR_LOOP = 0x10,
	MCR_ALL = 0x1f,

	LSR_DATA_READY = 0x01,
	LSR_OVERRUN = 0x02,
	LSR_TRANSMITTER_EMPTY = 0x60, /* THRE and TEMT */

	MSR_DELTA_RING = 0x04, /* TERI: only the end of the signal counts */
	MSR_DELTA_SHIFT = 4,   /* from a line's bit to its delta's */
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RING = 0x40,
	MSR_DCD = 0x80,
};

#define FIFO_SIZE 16

/*
 * A guest that reads the line status this often since it reset the FIFOs is polling for input.
 * Drivers read it a few times while they start, before they drop what is in the receiver.
 */
#define POLLS_MIN 16

struct serial {
	const struct irq *irq;
	const struct serial_ops *ops;
	void *owner;

	pthread_mutex_t lock;
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	uint8_t msr_delta;
	bool fifos;	     /* enabled */
	uint8_t trigger;     /* bytes in the FIFO from which on data counts as received */
	bool overrun;	     /* LSR's bit */
	bool transmitted;    /* "THR empty" has not been reported by IIR yet */
	uint8_t told;	     /* causes that the last edge told of */
	unsigned int polls;  /* of LSR, up to POLLS_MIN */
	bool starved;	     /* somebody waits for input_ready() */
	size_t shown;	     /* bytes at the head of the queue that the receiver's FIFO holds */
	size_t looped;	     /* bytes that it holds in loop mode, from loop[0] on */
	size_t head, queued; /* input */
	uint8_t loop[FIFO_SIZE];
	uint8_t queue[SERIAL_QUEUE_MAX];
};

/* Whatever is pending after this access is news to the guest. See update(). */
static void causes_renew(struct serial *serial)
{
	serial->told = 0;
}

static size_t fifo_capacity(const struct serial *serial)
{
	return serial->fifos ? FIFO_SIZE : 1;
}

static size_t fifo_level(const struct serial *serial)
{
	return serial->mcr & MCR_LOOP ? serial->looped : serial->shown;
}

/*
 * Bytes from the host are only lent to the FIFO: clearing it puts them back, as if they had been
 * on the line still. A driver clears it each time that a program changes the line's settings.
 */
static void fifo_clear(struct serial *serial)
{
	serial->shown = 0;
	serial->looped = 0;
	causes_renew(serial);
}

static void fifo_fill(struct serial *serial)
{
	const bool listens = serial->ier & CAUSE_RECEIVED || serial->polls >= POLLS_MIN;

	if (listens && !(serial->mcr & MCR_LOOP))
		serial->shown = MIN(serial->queued, fifo_capacity(serial));
}

static uint8_t fifo_pop(struct serial *serial)
{
	uint8_t byte;

	if (fifo_level(serial) == 0)
		return 0;
	causes_renew(serial);
	if (serial->mcr & MCR_LOOP) {
		byte = serial->loop[0];
		memmove(&serial->loop[0], &serial->loop[1], --serial->looped);
		return byte;
	}
	byte = serial->queue[serial->head];
	serial->head = (serial->head + 1) % SERIAL_QUEUE_MAX;
	serial->queued--;
	serial->shown--;
	return byte;
}

/* The transmitter feeds the receiver, which is the one case in which it can overrun. */
static void loop_back(struct serial *serial, uint8_t byte)
{
	if (serial->looped < fifo_capacity(serial)) {
		serial->loop[serial->looped++] = byte;
		return;
	}
	serial->overrun = true;
	if (!serial->fifos)
		serial->loop[0] = byte;
}

static uint8_t pending_causes(const struct serial *serial)
{
	uint8_t causes = 0;

	if (fifo_level(serial) > 0)
		causes |= CAUSE_RECEIVED;
	if (serial->transmitted)
		causes |= CAUSE_TRANSMITTED;
	if (serial->overrun)
		causes |= CAUSE_LINE;
	if (serial->msr_delta)
		causes |= CAUSE_MODEM;
	return causes & serial->ier;
}

/*
 * update - after any change: move input on, and send an edge if there is news.
 *
 * The chip's own line is a level, which rises with the first cause and falls with the last. A
 * driver that leaves its handler while one is left would wait behind an edge-triggered pin for
 * ever. So here any change of what is pending is an edge, unless nothing is. And on a line without
 * delay data follows data without a gap: reading RBR takes a byte but the next one is there,
 * writing THR fills it but it is empty again. That is news, too, or a driver that moves one byte
 * an interrupt would stop. The price is a handler now and then that finds nothing to do.
 */
static void update(struct serial *serial)
{
	uint8_t causes;

	fifo_fill(serial);
	/* In loop mode the outputs are disconnected, OUT2 with them. */
	causes = (serial->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 ? pending_causes(serial) : 0;
	if (causes && causes != serial->told)
		(void)irq_raise(serial->irq);
	serial->told = causes;
}

/* By priority; the character time-out comes at once, since no more will follow. */
static uint8_t read_iir(struct serial *serial)
{
	const uint8_t fifos = serial->fifos ? IIR_FIFOS : 0;
	const uint8_t causes = pending_causes(serial);

	if (causes & CAUSE_LINE)
		return fifos | IIR_LINE;
	if (causes & CAUSE_RECEIVED) {
		if (serial->fifos && fifo_level(serial) < serial->trigger)
			return fifos | IIR_TIMEOUT;
		return fifos | IIR_RECEIVED;
	}
	if (causes & CAUSE_TRANSMITTED) {
		serial->transmitted = false;
		return fifos | IIR_TRANSMITTED;
	}
	return fifos | (causes & CAUSE_MODEM ? IIR_MODEM : IIR_NONE);
}

static uint8_t read_lsr(struct serial *serial)
{
	uint8_t lsr = LSR_TRANSMITTER_EMPTY;

	if (fifo_level(serial) > 0)
		lsr |= LSR_DATA_READY;
	if (serial->overrun)
		lsr |= LSR_OVERRUN;
	serial->overrun = false;
	if (serial->polls < POLLS_MIN)
		serial->polls++;
	return lsr;
}

/* The modem's lines: all ready; in loop mode the control outputs come back. */
static uint8_t modem_lines(uint8_t mcr)
{
	uint8_t lines = 0;

	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (mcr & MCR_OUT1)
		lines |= MSR_RING;
	if (mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return lines;
}

static uint8_t read_msr(struct serial *serial)
{
	const uint8_t msr = modem_lines(serial->mcr) | serial->msr_delta;

	serial->msr_delta = 0;
	return msr;
}

static void write_mcr(struct serial *serial, uint8_t value)
{
	const uint8_t mcr = value & MCR_ALL;
	const uint8_t before = modem_lines(serial->mcr), after = modem_lines(mcr);
	uint8_t delta = (before ^ after) >> MSR_DELTA_SHIFT;

	if (after & MSR_RING)
		delta &= (uint8_t)~MSR_DELTA_RING;
	serial->msr_delta |= delta;
	if ((mcr ^ serial->mcr) & MCR_LOOP)
		fifo_clear(serial);
	serial->mcr = mcr;
}

static void write_fcr(struct serial *serial, uint8_t value)
{
	static const uint8_t triggers[] = {1, 4, 8, 14};
	const bool fifos = value & FCR_ENABLE;

	/* Switching the FIFOs clears them; the clear bits count only while they are on. */
	if (fifos != serial->fifos || (fifos && value & FCR_CLEAR_RECEIVER)) {
		fifo_clear(serial);
		serial->polls = 0;
	}
	serial->fifos = fifos;
	serial->trigger = triggers[value >> FCR_TRIGGER_SHIFT];
}

static void write_ier(struct serial *serial, uint8_t value)
{
	/* The transmitter is empty, and says so again to whoever starts to ask. */
	if (value & ~serial->ier & CAUSE_TRANSMITTED)
		serial->transmitted = true;
	serial->ier = value & CAUSE_ALL;
}

static uint8_t read_register(struct serial *serial, uint64_t offset)
{
	const bool dlab = serial->lcr & LCR_DLAB;

	switch ((enum reg)offset) {
	case REG_DATA:
		return dlab ? serial->dll : fifo_pop(serial);
	case REG_IER:
		return dlab ? serial->dlm : serial->ier;
	case REG_IIR:
		return read_iir(serial);
	case REG_LCR:
		return serial->lcr;
	case REG_MCR:
		return serial->mcr;
	case REG_LSR:
		return read_lsr(serial);
	case REG_MSR:
		return read_msr(serial);
	case REG_SCR:
		return serial->scr;
	}
	return 0xff;
}

static uint8_t read_byte(void *dev, uint64_t offset)
{
	struct serial *serial = dev;
	bool ready;
	uint8_t value;

	pthread_mutex_lock(&serial->lock);
	value = read_register(serial, offset);
	update(serial);
	ready = serial->starved && serial->queued <= SERIAL_QUEUE_MAX / 2;
	if (ready)
		serial->starved = false;
	pthread_mutex_unlock(&serial->lock);
	if (ready && serial->ops->input_ready)
		serial->ops->input_ready(serial->owner);
	return value;
}

/* Return: true if @value goes out on the line. */
static bool write_register(struct serial *serial, uint64_t offset, uint8_t value)
{
	const bool dlab = serial->lcr & LCR_DLAB;

	switch ((enum reg)offset) {
	case REG_DATA:
		if (dlab) {
			serial->dll = value;
			return false;
		}
		causes_renew(serial);
		serial->transmitted = true;
		if (!(serial->mcr & MCR_LOOP))
			return true;
		loop_back(serial, value);
		return false;
	case REG_IER:
		if (dlab)
			serial->dlm = value;
		else
			write_ier(serial, value);
		return false;
	case REG_FCR:
		write_fcr(serial, value);
		return false;
	case REG_LCR:
		serial->lcr = value;
		return false;
	case REG_MCR:
		write_mcr(serial, value);
		return false;
	case REG_SCR:
		serial->scr = value;
		return false;
	case REG_LSR:
	case REG_MSR:
		return false;
	}
	return false;
}

static void write_byte(void *dev, uint64_t offset, uint8_t value)
{
	struct serial *serial = dev;
	bool out;

	pthread_mutex_lock(&serial->lock);
	out = write_register(serial, offset, value);
	update(serial);
	pthread_mutex_unlock(&serial->lock);
	if (out && serial->ops->output)
		serial->ops->output(serial->owner, &value, 1);
}

static uint64_t serial_read(void *dev, uint64_t offset, unsigned int size)
{
	return byte_ports_read(dev, offset, size, read_byte);
}

static void serial_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	byte_ports_write(dev, offset, size, value, write_byte);
}

static const struct bus_ops bus_ops = {
	.read = serial_read,
	.write = serial_write,
};

int serial_new(struct serial **out, const struct irq *irq, const struct serial_ops *ops,
	       void *owner)
{
	struct serial *serial = calloc(1, sizeof(*serial));

	if (!serial)
		return -ENOMEM;
	serial->irq = irq;
	serial->ops = ops;
	serial->owner = owner;
	/* As firmware leaves it: 115200 baud, 8n1. */
	serial->dll = 1;
	serial->lcr = LCR_8N1;
	serial->trigger = 1;
	serial->transmitted = true;
	pthread_mutex_init(&serial->lock, NULL);
	*out = serial;
	return 0;
}

void serial_free(struct serial *serial)
{
	if (!serial)
		return;
	pthread_mutex_destroy(&serial->lock);
	free(serial);
}

int serial_attach(struct serial *serial, struct bus *bus, uint64_t base)
{
	return bus_attach(bus, base, SERIAL_PORTS, &bus_ops, serial, "serial");
}

size_t serial_input(struct serial *serial, const uint8_t *data, size_t len)
{
	size_t taken;

	pthread_mutex_lock(&serial->lock);
	taken = MIN(len, SERIAL_QUEUE_MAX - serial->queued);
	for (size_t i = 0; i < taken; i++) {
		size_t at = (serial->head + serial->queued) % SERIAL_QUEUE_MAX;

		serial->queue[at] = data[i];
		serial->queued++;
	}
	if (taken < len)
		serial->starved = true;
	/* For a handler that gave up while there was more. */
	if (taken > 0)
		causes_renew(serial);
	update(serial);
	pthread_mutex_unlock(&serial->lock);
	return taken;
}

size_t serial_input_room(struct serial *serial)
{
	size_t room;

	pthread_mutex_lock(&serial->lock);
	room = SERIAL_QUEUE_MAX - serial->queued;
	if (room == 0)
		serial->starved = true;
	pthread_mutex_unlock(&serial->lock);
	return room;
}
