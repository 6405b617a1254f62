/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial_driver.h - how guests drive a serial port by interrupts, behind an edge-triggered pin.
 *
 * A model's handler runs only upon an edge, and again if one came meanwhile, as a local APIC has
 * it. The guest's own lock makes a model safe on several vCPU threads.
 */
#ifndef VMM_SERIAL_DRIVER_H
#define VMM_SERIAL_DRIVER_H

#include <pthread.h>

#include "serial_port.h"

struct serial_driver;

/* struct serial_model - one way to write a driver. */
struct serial_model {
	const char *name;
	void (*open)(struct serial_driver *driver);
	void (*handler)(struct serial_driver *driver); /* one interrupt */
	void (*start)(struct serial_driver *driver);   /* there is something to send */
};

/* All models: as Linux, and two that move one byte an interrupt. */
#define SERIAL_MODELS 3
extern const struct serial_model serial_models[SERIAL_MODELS];

struct serial_driver {
	const struct serial_model *model;
	struct serial_port *port;
	/* What happens elsewhere between two accesses; may be NULL. */
	void (*meanwhile)(struct serial_driver *driver);
	pthread_mutex_t lock;
	uint8_t ier;
	bool idle;	     /* the transmitter has nothing to do */
	const uint8_t *data; /* to be sent */
	size_t data_n;
	size_t data_at;
	uint8_t received[1 << 17];
	atomic_size_t received_n;
};

void serial_driver_init(struct serial_driver *driver, const struct serial_model *model,
			struct serial_port *port);
void serial_driver_deinit(struct serial_driver *driver);

/*
 * serial_driver_send - @data goes out, borrowed until it has. It follows in memory what was given
 * before.
 */
void serial_driver_send(struct serial_driver *driver, const uint8_t *data, size_t len);

/* serial_driver_serve - run the handler for all edges there are, and wait @ms for the first. */
void serial_driver_serve(struct serial_driver *driver, int ms);

#endif
