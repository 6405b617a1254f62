/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial_host.h - the serial port: the guest's device and the host's end of its line, put together.
 *
 * Made, started and freed on the main thread, whose loop serves the host's end.
 */
#ifndef VMM_SERIAL_HOST_H
#define VMM_SERIAL_HOST_H

#include "base.h"
#include "bus.h"
#include "error.h"
#include "irq.h"
#include "loop.h"
#include "vmm/config.h"

struct serial_host;

/* struct serial_host_ops - what the host's end asks of the machine. Main thread. */
struct serial_host_ops {
	void (*quit)(void *owner); /* Ctrl-A x */
};

/*
 * serial_host_new - a port that the guest does not see yet and that leads nowhere. All pointers are
 * borrowed. Return: 0 and *@out, owned by the caller; -errno.
 */
int serial_host_new(struct serial_host **out, const struct irq *irq,
		    const struct serial_host_ops *ops, void *owner);

/* serial_host_free - no vCPU runs. NULL is fine. */
void serial_host_free(struct serial_host *host);

/* serial_host_attach - let the guest have it at @port of @pio. Return: 0 or -errno. */
int serial_host_attach(struct serial_host *host, struct bus *pio, uint64_t port);

/*
 * serial_host_open - open the host's end that @config names, and say on standard error where it is,
 * if nobody could know. Return: 0; or -errno and a sentence.
 */
int serial_host_open(struct serial_host *host, const struct config_chardev *config,
		     struct loop *loop, struct error *err);

/*
 * serial_host_start - take the terminal, if that is where it leads, and listen. After
 * serial_host_open(). Return: 0; or -errno and a sentence.
 */
int serial_host_start(struct serial_host *host, struct error *err);

/* serial_host_foreground - the process was resumed. After serial_host_start(). */
void serial_host_foreground(struct serial_host *host);

#endif
