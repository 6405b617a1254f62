/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_plain.c - a V4L2 node as any program has it: open(2), ioctl(2), mmap(2), poll(2).
 *
 * See node.h. Test's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "node.h"

struct plain {
	struct node node;
	int fd;
	uint32_t streaming; /* types, as bits */
	uint32_t queued[32];
	bool events; /* subscribed to some */
};

static struct plain *plain_of(struct node *node)
{
	return container_of(node, struct plain, node);
}

static void plain_close(struct node *node)
{
	close(plain_of(node)->fd);
	free(plain_of(node));
}

/* What there is to wait for. */
static void note(struct plain *plain, unsigned long cmd, const void *arg)
{
	const uint32_t type = cmd == VIDIOC_QBUF ? ((const struct v4l2_buffer *)arg)->type
						 : *(const uint32_t *)arg;

	if (cmd == VIDIOC_QBUF) {
		plain->queued[type % 32]++;
	} else if (cmd == VIDIOC_STREAMON) {
		plain->streaming |= 1u << type;
	} else if (cmd == VIDIOC_STREAMOFF) {
		plain->streaming &= ~(1u << type);
		plain->queued[type % 32] = 0;
	} else if (cmd == VIDIOC_SUBSCRIBE_EVENT) {
		plain->events = true;
	}
}

static int plain_ioctl(struct node *node, unsigned long cmd, void *arg)
{
	struct plain *plain = plain_of(node);

	if (ioctl(plain->fd, cmd, arg) < 0)
		return -errno;
	if (cmd == VIDIOC_QBUF || cmd == VIDIOC_STREAMON || cmd == VIDIOC_STREAMOFF ||
	    cmd == VIDIOC_SUBSCRIBE_EVENT)
		note(plain, cmd, arg);
	return 0;
}

static void plain_capability(struct node *node, struct v4l2_capability *capability)
{
	assert_int_equal(ioctl(plain_of(node)->fd, VIDIOC_QUERYCAP, capability), 0);
}

static uint8_t *plain_map(struct node *node, uint32_t offset, uint32_t len, bool writable)
{
	const int prot = PROT_READ | (writable ? PROT_WRITE : 0);
	void *at = mmap(NULL, len, prot, MAP_SHARED, plain_of(node)->fd, (off_t)offset);

	if (at == MAP_FAILED)
		fail_msg("mmap: %s", strerror(errno));
	return at;
}

static void plain_unmap(struct node *node, uint8_t *at, uint32_t len)
{
	assert_int_equal(munmap(at, len), 0);
}

static bool dequeue(struct plain *plain, uint32_t type, struct node_event *event)
{
	*event = (struct node_event) {
		.is_buffer = true,
		.buffer = {.type = type, .memory = V4L2_MEMORY_MMAP},
	};
	if (V4L2_TYPE_IS_MULTIPLANAR(type)) {
		event->buffer.m.planes = event->planes;
		event->buffer.length = VIDEO_MAX_PLANES;
	}
	if (ioctl(plain->fd, VIDIOC_DQBUF, &event->buffer) == 0) {
		plain->queued[type]--;
		return true;
	}
	/* EPIPE: after the last one. */
	if (errno != EAGAIN && errno != EPIPE)
		fail_msg("DQBUF: %s", strerror(errno));
	return false;
}

static bool try_all(struct plain *plain, struct node_event *event)
{
	*event = (struct node_event) {.is_buffer = false};
	if (plain->events && ioctl(plain->fd, VIDIOC_DQEVENT, &event->event) == 0)
		return true;
	for (uint32_t type = 0; type < 32; type++)
		if (plain->streaming & 1u << type && plain->queued[type] > 0 &&
		    dequeue(plain, type, event))
			return true;
	return false;
}

static bool plain_next(struct node *node, struct node_event *event, int ms)
{
	struct plain *plain = plain_of(node);
	struct pollfd pfd = {.fd = plain->fd, .events = POLLIN | POLLOUT | POLLPRI};

	while (!try_all(plain, event))
		if (poll(&pfd, 1, ms) <= 0)
			return false;
	return true;
}

static const struct node_ops ops = {
	.close = plain_close,
	.ioctl = plain_ioctl,
	.capability = plain_capability,
	.map = plain_map,
	.unmap = plain_unmap,
	.next = plain_next,
};

struct node *node_plain_open(const char *path)
{
	struct plain *plain = calloc(1, sizeof(*plain));

	assert_non_null(plain);
	plain->node.ops = &ops;
	plain->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (plain->fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return &plain->node;
}
