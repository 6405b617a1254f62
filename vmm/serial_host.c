/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial_host.c - the serial port and the host's end of its line. See serial_host.h.
 *
 * What the guest writes goes out on its vCPU's thread; what comes in, on the main thread, waits
 * there until the port has room.
 */
#include "vmm/serial_host.h"

#include <errno.h>
#include <stdio.h>

#include "devices/legacy/serial.h"
#include "vmm/chardev.h"

struct serial_host {
	const struct serial_host_ops *ops;
	void *owner;
	struct serial *serial;
	struct chardev *chardev; /* NULL until it is opened */
};

static void serial_to_host(void *owner, const uint8_t *data, size_t len)
{
	struct serial_host *host = owner;

	chardev_output(host->chardev, data, len);
}

static void serial_has_room(void *owner)
{
	struct serial_host *host = owner;

	chardev_resume(host->chardev);
}

static const struct serial_ops serial_ops = {
	.output = serial_to_host,
	.input_ready = serial_has_room,
};

static size_t host_room(void *owner)
{
	struct serial_host *host = owner;

	return serial_input_room(host->serial);
}

static void host_to_serial(void *owner, const uint8_t *data, size_t len)
{
	struct serial_host *host = owner;

	serial_input(host->serial, data, len);
}

static void host_quit(void *owner)
{
	struct serial_host *host = owner;

	host->ops->quit(host->owner);
}

static const struct chardev_ops chardev_ops = {
	.room = host_room,
	.input = host_to_serial,
	.quit = host_quit,
};

int serial_host_new(struct serial_host **out, const struct irq *irq,
		    const struct serial_host_ops *ops, void *owner)
{
	struct serial_host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return -ENOMEM;
	host->ops = ops;
	host->owner = owner;
	r = serial_new(&host->serial, irq, &serial_ops, host);
	if (r < 0) {
		free(host);
		return r;
	}
	*out = host;
	return 0;
}

void serial_host_free(struct serial_host *host)
{
	if (!host)
		return;
	serial_free(host->serial);
	chardev_free(host->chardev);
	free(host);
}

int serial_host_attach(struct serial_host *host, struct bus *pio, uint64_t port)
{
	return serial_attach(host->serial, pio, port);
}

int serial_host_open(struct serial_host *host, const struct config_chardev *config,
		     struct loop *loop, struct error *err)
{
	int r = chardev_new(&host->chardev, "serial", config, loop, err);

	if (r < 0)
		return r;
	if (chardev_path(host->chardev))
		fprintf(stderr, "vmm: serial port at %s\n", chardev_path(host->chardev));
	return 0;
}

int serial_host_start(struct serial_host *host, struct error *err)
{
	return chardev_start(host->chardev, &chardev_ops, host, err);
}

void serial_host_foreground(struct serial_host *host)
{
	chardev_foreground(host->chardev);
}
