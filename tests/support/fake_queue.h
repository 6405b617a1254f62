/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_queue.h - a queue of V4L2 buffers of a fake node: for fake_node.c alone.
 *
 * Follows the kernel's documentation of REQBUFS, QBUF, DQBUF and their like. The node's lock
 * is held.
 */
#ifndef VMM_TEST_FAKE_QUEUE_H
#define VMM_TEST_FAKE_QUEUE_H

#include "fake_node.h"

enum fake_state { FAKE_IDLE, FAKE_QUEUED, FAKE_DONE };

struct fake_buffer {
	bool used; /* it exists */
	enum fake_state state;
	unsigned int planes_n;
	struct {
		int fd;
		uint8_t *at;
		uint32_t length, bytesused, data_offset, offset;
		uint64_t userptr;
		int dmabuf;
	} planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer last; /* as it was queued */
	uint32_t flags;		 /* when done */
	uint64_t order;		 /* of QBUF, then of completion */
};

struct fake_queue {
	const struct fake_options *options;
	uint32_t type, memory;
	int owner; /* file, or -1 */
	bool streaming;
	bool last; /* the LAST buffer has been dequeued */
	uint32_t offset;
	uint32_t sequence;
	uint64_t order;
	struct fake_buffer *buffers; /* FAKE_BUFFERS of them, or NULL */
};

void fake_queue_init(struct fake_queue *queue, const struct fake_options *options, uint32_t type);
void fake_queue_deinit(struct fake_queue *queue);

/* fake_queue_ioctl - any ioctl about buffers, by @file. Return: 0 or -errno. */
int fake_queue_ioctl(struct fake_queue *queue, unsigned int file, unsigned long cmd, void *arg);

/* fake_queue_release - @file is closed. */
void fake_queue_release(struct fake_queue *queue, unsigned int file);

/* fake_queue_buffer - NULL if there is none. */
struct fake_buffer *fake_queue_buffer(struct fake_queue *queue, uint32_t index);

int fake_queue_complete(struct fake_queue *queue, uint8_t fill, uint32_t flags, uint32_t used);

/* fake_queue_poll - of POLLIN or POLLOUT, POLLERR. */
uint32_t fake_queue_poll(const struct fake_queue *queue);

unsigned int fake_queue_count(const struct fake_queue *queue, enum fake_state state);
unsigned int fake_queue_buffers(const struct fake_queue *queue);

#endif
