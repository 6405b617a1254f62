/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_queue.c - a queue of buffers of an emulated V4L2 device: to the device and back. See emu.h.
 *
 * VIDIOC_QUERYBUF, PREPARE_BUF, QBUF, DQBUF, STREAMON, STREAMOFF, and what poll() says, all after
 * videobuf2. On the thread of the loop.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "devices/media/emu_impl.h"

/* What an application says of an output buffer, and a device of a capture one. */
#define FLAGS_FROM_USER                                                                            \
	(V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME |                  \
	 V4L2_BUF_FLAG_BFRAME | V4L2_BUF_FLAG_TSTAMP_SRC_MASK)
#define FLAGS_FROM_DEVICE                                                                          \
	(V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME |                  \
	 V4L2_BUF_FLAG_BFRAME | V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST)

static void fifo_put(struct emu_fifo *fifo, struct emu_buffer *buffer)
{
	buffer->next = NULL;
	if (fifo->last)
		fifo->last->next = buffer;
	else
		fifo->first = buffer;
	fifo->last = buffer;
}

static struct emu_buffer *fifo_take(struct emu_fifo *fifo)
{
	struct emu_buffer *buffer = fifo->first;

	fifo->first = buffer->next;
	if (!fifo->first)
		fifo->last = NULL;
	return buffer;
}

bool emu_queue_busy(const struct emu_queue *queue, const struct emu_file *file)
{
	return queue->owner && queue->owner != file;
}

/* The queue of @type, if @file may use it. */
static int find_queue(struct emu_file *file, uint32_t type, struct emu_queue **out)
{
	*out = emu_queue_find(file->context, type);
	if (!*out)
		return -EINVAL;
	return emu_queue_busy(*out, file) ? -EBUSY : 0;
}

static struct emu_buffer *find_buffer(const struct emu_queue *queue, uint32_t index)
{
	return index < EMU_BUFFERS_MAX ? queue->buffers[index] : NULL;
}

/* struct v4l2_buffer as the application gets it. */
static void give(const struct emu_queue *queue, const struct emu_buffer *buffer,
		 struct v4l2_buffer *user)
{
	uint32_t flags = (buffer->flags & ~(uint32_t)V4L2_BUF_FLAG_TSTAMP_SRC_MASK) |
			 queue->stream->timestamp;

	/* A copied time stamp keeps the source that came with it. */
	if (queue->stream->timestamp & V4L2_BUF_FLAG_TIMESTAMP_COPY)
		flags |= buffer->flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK;
	if (buffer->state == EMU_BUFFER_QUEUED)
		flags |= V4L2_BUF_FLAG_QUEUED;
	else if (buffer->state == EMU_BUFFER_DONE)
		flags |= V4L2_BUF_FLAG_DONE;
	else if (buffer->prepared)
		flags |= V4L2_BUF_FLAG_PREPARED;
	*user = (struct v4l2_buffer) {
		.index = buffer->index,
		.type = queue->stream->type,
		.bytesused = buffer->bytesused,
		.flags = flags,
		.field = buffer->field,
		.timestamp = buffer->timestamp,
		.timecode = buffer->timecode,
		.sequence = buffer->sequence,
		.memory = queue->memory,
		.length = buffer->length,
	};
	if (queue->memory == V4L2_MEMORY_MMAP)
		user->m.offset = buffer->offset;
	else
		user->m.userptr = buffer->userptr;
}

int emu_querybuf(struct emu_file *file, void *arg)
{
	struct v4l2_buffer *user = arg;
	const struct emu_queue *queue = emu_queue_find(file->context, user->type);
	const struct emu_buffer *buffer = queue ? find_buffer(queue, user->index) : NULL;

	if (!buffer)
		return -EINVAL;
	give(queue, buffer, user);
	return 0;
}

/* Takes over what the application says of a buffer. Nothing is changed on an error. */
static int prepare(const struct emu_queue *queue, struct emu_buffer *buffer,
		   const struct v4l2_buffer *user)
{
	const bool output = emu_is_output(queue);
	uint32_t length = buffer->length;

	if (queue->memory == V4L2_MEMORY_USERPTR) {
		length = user->length;
		if (user->m.userptr == 0 || length < queue->pix.sizeimage)
			return -EINVAL;
	}
	if (output && (user->bytesused > length || user->field == V4L2_FIELD_ALTERNATE))
		return -EINVAL;
	if (queue->memory == V4L2_MEMORY_USERPTR) {
		buffer->userptr = user->m.userptr;
		buffer->data = (void *)(uintptr_t)user->m.userptr;
		buffer->length = length;
	}
	buffer->sequence = 0;
	buffer->timestamp = (struct timeval) {0};
	buffer->timecode = (struct v4l2_timecode) {0};
	buffer->flags = 0;
	buffer->bytesused = 0;
	buffer->field = queue->pix.field;
	if (output) {
		buffer->flags = user->flags & FLAGS_FROM_USER;
		buffer->bytesused = user->bytesused ? user->bytesused : length;
		if (buffer->flags & V4L2_BUF_FLAG_TIMECODE)
			buffer->timecode = user->timecode;
		if (queue->stream->timestamp & V4L2_BUF_FLAG_TIMESTAMP_COPY)
			buffer->timestamp = user->timestamp;
	}
	buffer->prepared = true;
	return 0;
}

/* The buffer of QBUF or PREPARE_BUF. */
static int find_idle(struct emu_file *file, const struct v4l2_buffer *user,
		     struct emu_queue **queue, struct emu_buffer **out)
{
	int r = find_queue(file, user->type, queue);

	if (r < 0)
		return r;
	*out = find_buffer(*queue, user->index);
	if (!*out || user->memory != (*queue)->memory)
		return -EINVAL;
	if (user->flags & V4L2_BUF_FLAG_REQUEST_FD)
		return -EBADR;
	return (*out)->state == EMU_BUFFER_DEQUEUED ? 0 : -EINVAL;
}

int emu_prepare_buf(struct emu_file *file, void *arg)
{
	struct v4l2_buffer *user = arg;
	struct emu_queue *queue;
	struct emu_buffer *buffer;
	int r = find_idle(file, user, &queue, &buffer);

	if (r == 0 && buffer->prepared)
		r = -EINVAL;
	if (r == 0)
		r = prepare(queue, buffer, user);
	if (r == 0)
		give(queue, buffer, user);
	return r;
}

int emu_qbuf(struct emu_file *file, void *arg)
{
	struct v4l2_buffer *user = arg;
	struct emu_queue *queue;
	struct emu_buffer *buffer;
	int r = find_idle(file, user, &queue, &buffer);

	if (r == 0 && !buffer->prepared)
		r = prepare(queue, buffer, user);
	if (r < 0)
		return r;
	buffer->state = EMU_BUFFER_QUEUED;
	fifo_put(&queue->queued, buffer);
	queue->fed = true;
	give(queue, buffer, user);
	if (queue->streaming && queue->context->emu->setup->class->queued)
		queue->context->emu->setup->class->queued(queue);
	return 0;
}

/* Given back to the application. */
static void dequeue(const struct emu_queue *queue, struct emu_buffer *buffer)
{
	buffer->state = EMU_BUFFER_DEQUEUED;
	buffer->prepared = false;
	if (queue->memory == V4L2_MEMORY_USERPTR)
		buffer->data = NULL;
}

int emu_dqbuf(struct emu_file *file, void *arg)
{
	struct v4l2_buffer *user = arg;
	struct emu_queue *queue;
	struct emu_buffer *buffer;
	int r = find_queue(file, user->type, &queue);

	if (r < 0)
		return r;
	if (!queue->streaming)
		return -EINVAL;
	if (queue->ended)
		return -EPIPE;
	if (!queue->done.first)
		return -EAGAIN;
	buffer = fifo_take(&queue->done);
	dequeue(queue, buffer);
	if (buffer->flags & V4L2_BUF_FLAG_LAST)
		queue->ended = true;
	give(queue, buffer, user);
	return 0;
}

int emu_streamon(struct emu_file *file, void *arg)
{
	const uint32_t type = *(const uint32_t *)arg;
	struct emu_queue *queue;
	int r = find_queue(file, type, &queue);

	if (r < 0)
		return r;
	if (queue->streaming)
		return 0;
	if (queue->buffers_n == 0)
		return -EINVAL;
	queue->streaming = true;
	r = queue->context->emu->setup->class->start(queue);
	if (r < 0)
		queue->streaming = false;
	return r;
}

int emu_streamoff(struct emu_file *file, void *arg)
{
	const uint32_t type = *(const uint32_t *)arg;
	struct emu_queue *queue;
	int r = find_queue(file, type, &queue);

	if (r == 0)
		emu_queue_cancel(queue);
	return r;
}

void emu_queue_cancel(struct emu_queue *queue)
{
	if (queue->streaming)
		queue->context->emu->setup->class->stop(queue);
	queue->streaming = false;
	queue->ended = false;
	queue->fed = false;
	queue->queued = queue->done = (struct emu_fifo) {0};
	for (uint32_t i = 0; i < EMU_BUFFERS_MAX; i++)
		if (queue->buffers[i])
			dequeue(queue, queue->buffers[i]);
}

uint32_t emu_queue_poll(const struct emu_queue *queue, const struct emu_file *file)
{
	/* Who does not own the queue has nothing to dequeue, whatever the owner has. */
	if (!queue->streaming || queue->owner != file)
		return POLLERR;
	if (!queue->fed && !emu_is_output(queue))
		return POLLERR;
	if (!queue->done.first && !queue->ended)
		return 0;
	return emu_is_output(queue) ? POLLOUT : POLLIN;
}

struct emu_buffer *emu_queue_next(const struct emu_queue *queue)
{
	return queue->queued.first;
}

void emu_queue_done(struct emu_queue *queue, struct emu_buffer *buffer)
{
	assert(queue->streaming && buffer == queue->queued.first);
	fifo_take(&queue->queued);
	buffer->state = EMU_BUFFER_DONE;
	buffer->flags &= FLAGS_FROM_DEVICE | V4L2_BUF_FLAG_TSTAMP_SRC_MASK;
	assert(buffer->bytesused <= buffer->length);
	fifo_put(&queue->done, buffer);
	emu_kick(queue->context->emu);
}
