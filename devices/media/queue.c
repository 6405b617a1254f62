/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.c - what a session has of one type of buffers: which of them the host has, their offsets,
 * their guest memory. See media_device.h.
 *
 * The buffers themselves are the host's. A record of one is made when the guest first names it, so
 * that a count of the guest's or the host's costs nothing by itself. Device's thread.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "devices/media/media_device.h"

/* Overlays have no buffers. */
static const uint32_t directions[MEDIA_QUEUES] = {
	[V4L2_BUF_TYPE_VIDEO_CAPTURE] = POLLIN,
	[V4L2_BUF_TYPE_VIDEO_OUTPUT] = POLLOUT,
	[V4L2_BUF_TYPE_VBI_CAPTURE] = POLLIN,
	[V4L2_BUF_TYPE_VBI_OUTPUT] = POLLOUT,
	[V4L2_BUF_TYPE_SLICED_VBI_CAPTURE] = POLLIN,
	[V4L2_BUF_TYPE_SLICED_VBI_OUTPUT] = POLLOUT,
	[V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE] = POLLIN,
	[V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE] = POLLOUT,
	[V4L2_BUF_TYPE_SDR_CAPTURE] = POLLIN,
	[V4L2_BUF_TYPE_SDR_OUTPUT] = POLLOUT,
	[V4L2_BUF_TYPE_META_CAPTURE] = POLLIN,
	[V4L2_BUF_TYPE_META_OUTPUT] = POLLOUT,
};

uint32_t media_queue_direction(uint32_t type)
{
	return type < MEDIA_QUEUES ? directions[type] : 0;
}

struct media_queue *media_queue_find(const struct session *session, uint32_t type)
{
	return media_queue_direction(type) ? session->file->queues[type] : NULL;
}

int media_queue_make(struct session *session, uint32_t type, struct media_queue **out)
{
	struct media_queue *queue = media_queue_find(session, type);

	*out = queue;
	if (queue || !media_queue_direction(type))
		return 0;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->type = type;
	session->file->queues[type] = queue;
	*out = queue;
	return 0;
}

struct media_buffer *media_queue_buffer(const struct media_queue *queue, uint32_t index)
{
	return index < queue->buffers_n ? queue->buffers[index] : NULL;
}

static int grow(struct media_queue *queue, uint32_t n)
{
	struct media_buffer **buffers;

	if (n <= queue->buffers_n)
		return 0;
	buffers = reallocarray(queue->buffers, n, sizeof(struct media_buffer *));
	if (!buffers)
		return -ENOMEM;
	for (uint32_t i = queue->buffers_n; i < n; i++)
		buffers[i] = NULL;
	queue->buffers = buffers;
	queue->buffers_n = n;
	return 0;
}

int media_queue_add(struct media_queue *queue, uint32_t index, struct media_buffer **out)
{
	int r;

	*out = media_queue_buffer(queue, index);
	if (*out || index >= queue->end)
		return 0;
	r = grow(queue, index + 1);
	if (r < 0)
		return r;
	queue->buffers[index] = calloc(1, sizeof(struct media_buffer));
	*out = queue->buffers[index];
	return *out ? 0 : -ENOMEM;
}

void media_queue_charge(struct session *session, struct media_queue *queue, uint32_t n)
{
	queue->charged += n;
	session->media->buffers_n += n;
}

void media_queue_refund(struct session *session, struct media_queue *queue, uint32_t n)
{
	n = MIN(n, queue->charged);
	queue->charged -= n;
	session->media->buffers_n -= n;
}

int media_queue_offsets(struct session *session, const struct media_queue *queue, uint32_t index,
			unsigned int planes)
{
	struct media_buffer *buffer = media_queue_buffer(queue, index);

	for (unsigned int i = 0; i < planes; i++) {
		const struct offset_plane plane = {
			.owner = session,
			.type = queue->type,
			.index = index,
			.plane = i,
		};
		int r;

		if (buffer->offsets[i])
			continue;
		r = offset_take(session->media->offsets, &plane, &buffer->offsets[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The host does not have it, and no event tells of it. */
static void settle(struct session *session, struct media_queue *queue, struct media_buffer *buffer)
{
	queue->queued -= buffer->queued;
	buffer->queued = false;
	buffer->prepared = false;
	backlog_drop(&session->backlog, &buffer->entry);
}

void media_queue_stop(struct session *session, struct media_queue *queue)
{
	queue->streaming = false;
	queue->last = false;
	queue->errors = 0;
	for (uint32_t i = 0; i < queue->buffers_n; i++)
		if (queue->buffers[i])
			settle(session, queue, queue->buffers[i]);
	assert(queue->queued == 0);
}

static void give_offsets(struct session *session, struct media_buffer *buffer)
{
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++) {
		if (buffer->offsets[i])
			offset_give(session->media->offsets, buffer->offsets[i]);
		buffer->offsets[i] = 0;
	}
}

static void free_buffer(struct media_buffer *buffer)
{
	if (!buffer)
		return;
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++)
		pages_free(buffer->pages[i]);
	free(buffer);
}

void media_queue_forget(struct session *session, struct media_queue *queue, uint32_t index,
			uint32_t n)
{
	const uint32_t end = (uint32_t)MIN((uint64_t)index + n, (uint64_t)queue->buffers_n);

	for (uint32_t i = index; i < end; i++) {
		struct media_buffer *buffer = queue->buffers[i];

		if (!buffer)
			continue;
		settle(session, queue, buffer);
		give_offsets(session, buffer);
		free_buffer(buffer);
		queue->buffers[i] = NULL;
	}
}

/* Without a time: a driver can tell it from one that the hardware has spoilt, and gave back. */
static void fail_buffer(struct session *session, struct media_queue *queue,
			struct media_buffer *buffer)
{
	struct virtio_media_event_dqbuf *event = &buffer->entry.dqbuf;
	const uint32_t states = V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_PREPARED;

	queue->queued--;
	buffer->queued = false;
	event->buffer.flags = (event->buffer.flags & ~states) | V4L2_BUF_FLAG_ERROR;
	event->buffer.bytesused = 0;
	event->buffer.timestamp = (struct timeval) {};
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++)
		event->planes[i].bytesused = 0;
	backlog_put(&session->backlog, &buffer->entry);
	event_post(session);
}

void media_queue_fail(struct session *session, struct media_queue *queue)
{
	for (uint32_t i = 0; i < queue->buffers_n; i++)
		if (queue->buffers[i] && queue->buffers[i]->queued)
			fail_buffer(session, queue, queue->buffers[i]);
}

void media_queue_detach(struct session *session, struct media_queue *queue)
{
	media_queue_stop(session, queue);
	media_queue_refund(session, queue, queue->charged);
	for (uint32_t i = 0; i < queue->buffers_n; i++)
		if (queue->buffers[i])
			give_offsets(session, queue->buffers[i]);
}

void media_queue_free(struct media_queue *queue)
{
	if (!queue)
		return;
	for (uint32_t i = 0; i < queue->buffers_n; i++)
		free_buffer(queue->buffers[i]);
	free(queue->buffers);
	free(queue);
}
