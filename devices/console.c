/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console.c - a virtio console of one port. See console.h.
 *
 * Output goes from the guest's memory straight to the host's end. What that does not take stays
 * where it is, in the one request that is being sent, so a guest is as slow as its host's end and
 * nothing is buffered without bound. Input is copied through a queue, for it may come before the
 * guest has buffers.
 */
#include "devices/console.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 5.3.2 */
enum { QUEUE_RECEIVE, QUEUE_TRANSMIT, QUEUES };

/* 5.3.3: numbers of bits */
enum { F_SIZE = 0, F_EMERG_WRITE = 2 };

/* 5.3.4: offsets; max_nr_ports, at 4, is without meaning here and 0 */
enum { CONFIG_COLS = 0, CONFIG_EMERG_WR = 8, CONFIG_LEN = 12 };

#define QUEUE_SIZE 64

/*
 * What one turn of output may cost before the thread's other devices have theirs: bytes, and for
 * each call of ops->output() as many as the system call behind it is worth.
 */
#define TURN_COST_MAX (64 * KIB)
#define CALL_COST     256

/* Emergency writes that wait for the host's end. More are lost: the driver cannot be told. */
#define EMERGENCY_MAX 1024

struct console {
	struct virtio_device dev;
	const struct console_ops *ops;
	void *owner;
	struct vq_request *sending; /* of the transmit queue: not all of it is out yet */
	bool blocked;		    /* the host's end is full */
	bool sized;		    /* the window's size is known */
	bool starved;		    /* somebody waits for input_ready() */
	size_t head, queued;	    /* input */
	size_t emergency_n;
	uint8_t emergency[EMERGENCY_MAX];
	uint8_t queue[CONSOLE_INPUT_MAX];
};

static struct console *console_of(struct virtio_device *dev)
{
	return container_of(dev, struct console, dev);
}

/* Output. */

/* Not while the host's end is full. Return: bytes taken. */
static size_t output(struct console *console, const uint8_t *data, size_t len)
{
	size_t taken = console->ops->output(console->owner, data, len);

	assert(taken <= len);
	console->blocked = taken < len;
	return taken;
}

/*
 * Sends what is left of the request, as far as the host's end and the turn allow.
 * Return: true if that was all of it.
 */
static bool send_request(struct console *console, size_t *cost)
{
	struct vq_buffer *left = &console->sending->readable;

	while (left->len > 0 && !console->blocked && *cost < TURN_COST_MAX) {
		const size_t len = MIN(left->iov[0].iov_len, (size_t)(TURN_COST_MAX - *cost));
		const size_t taken = output(console, left->iov[0].iov_base, len);

		vq_buffer_skip(left, taken);
		*cost += taken + CALL_COST;
	}
	return left->len == 0;
}

/* Return: 1 if there is a request to send; 0; -EPROTO. */
static int next_request(struct console *console, struct vq *vq)
{
	struct vq_request *request;
	int r;

	if (console->sending)
		return 1;
	r = vq_pop(vq, &request);
	if (r > 0)
		console->sending = request;
	return r;
}

static void transmit(struct console *console, struct vq *vq)
{
	size_t cost = 0;
	int r = 0;

	while ((r = next_request(console, vq)) > 0) {
		if (!send_request(console, &cost))
			break;
		vq_push(vq, console->sending, 0);
		console->sending = NULL;
	}
	if (r < 0)
		virtio_needs_reset(&console->dev, vq_error(vq));
	else if (console->sending && !console->blocked)
		virtio_kick(&console->dev, QUEUE_TRANSMIT);
	vq_notify(vq);
}

/* Goes before what is in the ring: a guest that writes so will hardly do anything after it. */
static void send_emergency(struct console *console)
{
	size_t taken;

	if (console->emergency_n == 0 || console->blocked)
		return;
	taken = output(console, console->emergency, console->emergency_n);
	console->emergency_n -= taken;
	memmove(&console->emergency[0], &console->emergency[taken], console->emergency_n);
}

/*
 * 5.3.5.1: at any time, whatever the state of driver and queues. The lower byte counts; drivers
 * write a field as a whole or in part but not across (4.2.2.2), so the access begins with it.
 */
static void write_config(struct virtio_device *dev, unsigned int offset, const void *data,
			 unsigned int len)
{
	struct console *console = console_of(dev);

	if (offset != CONFIG_EMERG_WR || console->emergency_n == EMERGENCY_MAX)
		return;
	console->emergency[console->emergency_n++] = *(const uint8_t *)data;
	send_emergency(console);
}

void console_output_ready(struct console *console)
{
	console->blocked = false;
	send_emergency(console);
	if (!console->blocked)
		virtio_kick(&console->dev, QUEUE_TRANSMIT);
}

/* Input. */

static size_t input_room(const struct console *console)
{
	return CONSOLE_INPUT_MAX - console->queued;
}

/* Return: bytes written; 0 into a buffer that the driver did not make writable. */
static uint32_t fill_buffer(struct console *console, struct vq_buffer *buffer)
{
	uint32_t written = 0;
	size_t n;

	do {
		n = vq_buffer_put(buffer, &console->queue[console->head],
				  MIN(console->queued, CONSOLE_INPUT_MAX - console->head));
		console->head = (console->head + n) % CONSOLE_INPUT_MAX;
		console->queued -= n;
		written += (uint32_t)n;
	} while (n > 0 && console->queued > 0);
	return written;
}

static void receive(struct console *console, struct vq *vq)
{
	struct vq_request *request;
	int r = 0;

	while (console->queued > 0 && (r = vq_pop(vq, &request)) > 0)
		vq_push(vq, request, fill_buffer(console, &request->writable));
	if (r < 0)
		virtio_needs_reset(&console->dev, vq_error(vq));
	vq_notify(vq);
	if (console->starved && input_room(console) >= CONSOLE_INPUT_MAX / 2) {
		console->starved = false;
		if (console->ops->input_ready)
			console->ops->input_ready(console->owner);
	}
}

size_t console_input(struct console *console, const uint8_t *data, size_t len)
{
	const size_t taken = MIN(len, input_room(console));

	for (size_t i = 0; i < taken; i++) {
		const size_t at = (console->head + console->queued) % CONSOLE_INPUT_MAX;

		console->queue[at] = data[i];
		console->queued++;
	}
	if (taken < len)
		console->starved = true;
	if (taken > 0)
		virtio_kick(&console->dev, QUEUE_RECEIVE);
	return taken;
}

size_t console_input_room(struct console *console)
{
	const size_t room = input_room(console);

	if (room == 0)
		console->starved = true;
	return room;
}

/* The device. */

/* Linux up to 6.1 and some later ones read the size only when they are told of a change. */
static void start(struct virtio_device *dev)
{
	if (console_of(dev)->sized && virtio_has_feature(dev, F_SIZE))
		virtio_notify_config(dev);
}

static void notify(struct virtio_device *dev, struct vq *vq)
{
	if (vq_index(vq) == QUEUE_RECEIVE)
		receive(console_of(dev), vq);
	else
		transmit(console_of(dev), vq);
}

/* Of the receive queue nothing is ever in flight. */
static void stop(struct virtio_device *dev, struct vq *vq)
{
	struct console *console = console_of(dev);

	if (vq_index(vq) != QUEUE_TRANSMIT || !console->sending)
		return;
	vq_push(vq, console->sending, 0);
	console->sending = NULL;
}

static const struct virtio_class class = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.start = start,
	.notify = notify,
	.stop = stop,
	.write_config = write_config,
};

void console_resize(struct console *console, uint16_t cols, uint16_t rows)
{
	const uint8_t size[] = {
		(uint8_t)cols,
		(uint8_t)(cols >> 8),
		(uint8_t)rows,
		(uint8_t)(rows >> 8),
	};

	console->sized = cols || rows;
	virtio_set_config(&console->dev, CONFIG_COLS, size, sizeof(size));
}

struct virtio_device *console_device(struct console *console)
{
	return &console->dev;
}

int console_new(struct console **out, const struct virtio_env *env, const struct console_ops *ops,
		void *owner)
{
	static const uint16_t sizes[QUEUES] = {QUEUE_SIZE, QUEUE_SIZE};
	const uint64_t features = VIRTIO_FEATURE(F_SIZE) | VIRTIO_FEATURE(F_EMERG_WRITE);
	struct console *console = calloc(1, sizeof(*console));
	int r;

	if (!console)
		return -ENOMEM;
	console->ops = ops;
	console->owner = owner;
	r = virtio_init(&console->dev, &class, env, features, sizes, QUEUES, CONFIG_LEN);
	if (r < 0) {
		console_free(console);
		return r;
	}
	snprintf(console->dev.name, sizeof(console->dev.name), "console");
	*out = console;
	return 0;
}

void console_free(struct console *console)
{
	if (!console)
		return;
	virtio_deinit(&console->dev);
	free(console);
}
