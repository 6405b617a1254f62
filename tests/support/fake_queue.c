/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_queue.c - a queue of V4L2 buffers of a fake node. See fake_queue.h.
 *
 * As strict as the kernel's videobuf2 where a device could go wrong: ownership, states, types of
 * memory, POLLERR without anything to wait for, EPIPE behind the LAST buffer.
 */
#include "fake_queue.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE UINT64_C(4096)

void fake_queue_init(struct fake_queue *queue, const struct fake_options *options, uint32_t type)
{
	*queue = (struct fake_queue) {.options = options, .type = type, .owner = -1};
}

static void drop_buffer(struct fake_buffer *buffer)
{
	for (unsigned int i = 0; i < buffer->planes_n; i++) {
		if (!buffer->planes[i].at)
			continue;
		munmap(buffer->planes[i].at, ALIGN_UP(buffer->planes[i].length, PAGE));
		close(buffer->planes[i].fd);
	}
	*buffer = (struct fake_buffer) {.used = false};
}

static void drop_all(struct fake_queue *queue)
{
	if (queue->buffers)
		for (unsigned int i = 0; i < FAKE_BUFFERS; i++)
			drop_buffer(&queue->buffers[i]);
	free(queue->buffers);
	queue->buffers = NULL;
	queue->owner = -1;
	queue->streaming = false;
	queue->last = false;
	/* Offsets start over. */
	queue->offset = 0;
}

void fake_queue_deinit(struct fake_queue *queue)
{
	drop_all(queue);
}

void fake_queue_release(struct fake_queue *queue, unsigned int file)
{
	if (queue->owner == (int)file)
		drop_all(queue);
}

unsigned int fake_queue_buffers(const struct fake_queue *queue)
{
	unsigned int n = 0;

	for (unsigned int i = 0; queue->buffers && i < FAKE_BUFFERS; i++)
		n += queue->buffers[i].used;
	return n;
}

unsigned int fake_queue_count(const struct fake_queue *queue, enum fake_state state)
{
	unsigned int n = 0;

	for (unsigned int i = 0; queue->buffers && i < FAKE_BUFFERS; i++)
		n += queue->buffers[i].used && queue->buffers[i].state == state;
	return n;
}

static bool multi(const struct fake_queue *queue)
{
	return V4L2_TYPE_IS_MULTIPLANAR(queue->type);
}

static uint32_t plane_length(const struct fake_queue *queue, unsigned int plane)
{
	const uint32_t length = queue->options->length ? queue->options->length : FAKE_LENGTH;

	return plane == 0 ? length : MAX(length / 2, 1u);
}

static bool make_buffer(struct fake_queue *queue, struct fake_buffer *buffer)
{
	const unsigned int planes = queue->options->planes ? queue->options->planes : 2;

	buffer->used = true;
	buffer->planes_n = multi(queue) ? planes : 1;
	for (unsigned int i = 0; i < buffer->planes_n; i++) {
		const uint32_t length = plane_length(queue, i);
		const uint64_t bytes = ALIGN_UP((uint64_t)length, PAGE);

		buffer->planes[i].length = length;
		if (queue->memory != V4L2_MEMORY_MMAP)
			continue;
		buffer->planes[i].fd = memfd_create("fake plane", MFD_CLOEXEC);
		if (buffer->planes[i].fd < 0 || ftruncate(buffer->planes[i].fd, (off_t)bytes) < 0)
			return false;
		buffer->planes[i].at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
					    buffer->planes[i].fd, 0);
		if (buffer->planes[i].at == MAP_FAILED)
			return false;
		buffer->planes[i].offset = queue->offset;
		if (queue->options->m2m && !V4L2_TYPE_IS_OUTPUT(queue->type))
			buffer->planes[i].offset += FAKE_CAPTURE_OFFSET;
		queue->offset += (uint32_t)bytes;
	}
	return true;
}

static bool memory_ok(const struct fake_queue *queue, uint32_t memory)
{
	switch (memory) {
	case V4L2_MEMORY_MMAP:
		return !queue->options->no_mmap;
	case V4L2_MEMORY_USERPTR:
		return !queue->options->no_userptr;
	case V4L2_MEMORY_DMABUF:
		return !queue->options->no_dmabuf;
	default:
		return false;
	}
}

static uint32_t capabilities(const struct fake_queue *queue)
{
	uint32_t caps = V4L2_BUF_CAP_SUPPORTS_REQUESTS | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS;

	caps |= queue->options->no_mmap ? 0 : V4L2_BUF_CAP_SUPPORTS_MMAP;
	caps |= queue->options->no_userptr ? 0 : V4L2_BUF_CAP_SUPPORTS_USERPTR;
	caps |= queue->options->no_dmabuf ? 0 : V4L2_BUF_CAP_SUPPORTS_DMABUF;
	return caps;
}

/* Make up to @n more. Return: how many; the first one's *@index. */
static unsigned int grow(struct fake_queue *queue, unsigned int n, uint32_t *index)
{
	unsigned int made = 0, at = 0;

	if (!queue->buffers)
		queue->buffers = calloc(FAKE_BUFFERS, sizeof(*queue->buffers));
	while (queue->buffers && at < FAKE_BUFFERS && queue->buffers[at].used)
		at++;
	*index = at;
	for (; queue->buffers && made < n && at < FAKE_BUFFERS; at++, made++)
		if (queue->buffers[at].used || !make_buffer(queue, &queue->buffers[at]))
			break;
	return made;
}

static int reqbufs(struct fake_queue *queue, unsigned int file, struct v4l2_requestbuffers *arg)
{
	uint32_t index;

	arg->capabilities = capabilities(queue);
	if (!memory_ok(queue, arg->memory))
		return -EINVAL;
	if (queue->streaming)
		return -EBUSY;
	drop_all(queue);
	if (arg->count == 0)
		return 0;
	queue->memory = arg->memory;
	queue->owner = (int)file;
	arg->count = grow(queue, MIN(MAX(arg->count, 2u), (uint32_t)FAKE_BUFFERS), &index);
	return arg->count ? 0 : -ENOMEM;
}

static int create_bufs(struct fake_queue *queue, unsigned int file, struct v4l2_create_buffers *arg)
{
	arg->capabilities = capabilities(queue);
	arg->index = fake_queue_buffers(queue);
	if (!memory_ok(queue, arg->memory) || (queue->buffers && queue->memory != arg->memory))
		return -EINVAL;
	if (arg->count == 0)
		return 0;
	queue->memory = arg->memory;
	queue->owner = (int)file;
	arg->count = grow(queue, arg->count, &arg->index);
	return arg->count ? 0 : -ENOMEM;
}

static int remove_bufs(struct fake_queue *queue, uint32_t index, uint32_t count)
{
	if (index > FAKE_BUFFERS || count > FAKE_BUFFERS - index || !queue->buffers)
		return -EINVAL;
	for (uint32_t i = index; i < index + count; i++)
		if (!queue->buffers[i].used || queue->buffers[i].state != FAKE_IDLE)
			return queue->buffers[i].used ? -EBUSY : -EINVAL;
	for (uint32_t i = index; i < index + count; i++)
		drop_buffer(&queue->buffers[i]);
	return 0;
}

struct fake_buffer *fake_queue_buffer(struct fake_queue *queue, uint32_t index)
{
	return queue->buffers && index < FAKE_BUFFERS && queue->buffers[index].used
		       ? &queue->buffers[index]
		       : NULL;
}

/* The host's addresses and numbers get into the answer as they do in the kernel. */
static void describe_plane(const struct fake_queue *queue, const struct fake_buffer *buffer,
			   unsigned int i, struct v4l2_plane *plane)
{
	plane->bytesused = buffer->planes[i].bytesused;
	plane->length = buffer->planes[i].length;
	plane->data_offset = buffer->planes[i].data_offset;
	if (queue->memory == V4L2_MEMORY_MMAP)
		plane->m.mem_offset = buffer->planes[i].offset;
	else if (queue->memory == V4L2_MEMORY_USERPTR)
		plane->m.userptr = buffer->planes[i].userptr;
	else
		plane->m.fd = buffer->planes[i].dmabuf;
}

static int describe(const struct fake_queue *queue, const struct fake_buffer *buffer,
		    struct v4l2_buffer *arg)
{
	struct v4l2_plane plane = {.length = 0};

	arg->index = (uint32_t)(buffer - queue->buffers);
	arg->type = queue->type;
	arg->memory = queue->memory;
	arg->field = buffer->last.field;
	arg->sequence = buffer->last.sequence;
	arg->timestamp = buffer->last.timestamp;
	arg->timecode = buffer->last.timecode;
	arg->flags = queue->options->copy_stamps ? V4L2_BUF_FLAG_TIMESTAMP_COPY
						 : V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	arg->flags |= buffer->flags;
	arg->flags |= buffer->state == FAKE_QUEUED ? V4L2_BUF_FLAG_QUEUED : 0;
	arg->flags |= buffer->state == FAKE_DONE ? V4L2_BUF_FLAG_DONE : 0;
	if (multi(queue)) {
		if (!arg->m.planes || arg->length < buffer->planes_n)
			return -EINVAL;
		for (unsigned int i = 0; i < buffer->planes_n; i++)
			describe_plane(queue, buffer, i, &arg->m.planes[i]);
		arg->length = buffer->planes_n;
		return 0;
	}
	describe_plane(queue, buffer, 0, &plane);
	arg->bytesused = plane.bytesused;
	arg->length = plane.length;
	arg->m.userptr = plane.m.userptr;
	return 0;
}

static int take_planes(struct fake_queue *queue, struct fake_buffer *buffer,
		       const struct v4l2_buffer *arg)
{
	if (multi(queue) && (!arg->m.planes || arg->length < buffer->planes_n))
		return -EINVAL;
	for (unsigned int i = 0; i < buffer->planes_n; i++) {
		const struct v4l2_plane single = {
			.bytesused = arg->bytesused,
			.length = arg->length,
			.m.userptr = arg->m.userptr,
		};
		const struct v4l2_plane *plane = multi(queue) ? &arg->m.planes[i] : &single;

		if (queue->memory != V4L2_MEMORY_MMAP &&
		    (plane->length < plane_length(queue, i) || !plane->m.userptr))
			return -EINVAL;
		if (queue->memory == V4L2_MEMORY_USERPTR) {
			buffer->planes[i].userptr = plane->m.userptr;
			buffer->planes[i].length = plane->length;
		} else if (queue->memory == V4L2_MEMORY_DMABUF) {
			buffer->planes[i].dmabuf = plane->m.fd;
			buffer->planes[i].length = plane->length;
		}
		buffer->planes[i].bytesused = plane->bytesused;
		buffer->planes[i].data_offset = plane->data_offset;
	}
	return 0;
}

static int qbuf(struct fake_queue *queue, struct v4l2_buffer *arg, bool prepare)
{
	struct fake_buffer *buffer = fake_queue_buffer(queue, arg->index);
	int r;

	if (!buffer || arg->memory != queue->memory || buffer->state != FAKE_IDLE)
		return -EINVAL;
	if (arg->flags & V4L2_BUF_FLAG_REQUEST_FD)
		return -EBADR;
	r = take_planes(queue, buffer, arg);
	if (r < 0)
		return r;
	buffer->last = *arg;
	buffer->flags = 0;
	if (!prepare) {
		buffer->state = FAKE_QUEUED;
		buffer->order = ++queue->order;
		if (queue->options->complete_all && queue->streaming)
			fake_queue_complete(queue, 0, 0, 1);
	}
	return describe(queue, buffer, arg);
}

/* The one of @state that came first. */
static struct fake_buffer *first(const struct fake_queue *queue, enum fake_state state)
{
	struct fake_buffer *best = NULL;

	for (unsigned int i = 0; queue->buffers && i < FAKE_BUFFERS; i++) {
		struct fake_buffer *buffer = &queue->buffers[i];

		if (buffer->used && buffer->state == state &&
		    (!best || buffer->order < best->order))
			best = buffer;
	}
	return best;
}

int fake_queue_complete(struct fake_queue *queue, uint8_t fill, uint32_t flags, uint32_t used)
{
	struct fake_buffer *buffer = queue->streaming ? first(queue, FAKE_QUEUED) : NULL;
	const bool capture = !V4L2_TYPE_IS_OUTPUT(queue->type);

	if (!buffer)
		return -ENOENT;
	for (unsigned int i = 0; capture && i < buffer->planes_n; i++) {
		uint8_t *at = queue->memory == V4L2_MEMORY_MMAP
				      ? buffer->planes[i].at
				      : (uint8_t *)(uintptr_t)buffer->planes[i].userptr;

		if (queue->memory != V4L2_MEMORY_DMABUF)
			memset(at, fill, buffer->planes[i].length);
		buffer->planes[i].bytesused = MIN(used, buffer->planes[i].length);
	}
	buffer->state = FAKE_DONE;
	buffer->order = ++queue->order;
	buffer->flags = flags;
	buffer->last.sequence = queue->sequence++;
	if (!queue->options->copy_stamps)
		buffer->last.timestamp = (struct timeval) {FAKE_STAMP_S, buffer->last.sequence};
	return (int)(buffer - queue->buffers);
}

static int dqbuf(struct fake_queue *queue, struct v4l2_buffer *arg)
{
	struct fake_buffer *buffer;
	int r;

	if (!queue->buffers || !queue->streaming)
		return -EINVAL;
	if (queue->last)
		return -EPIPE;
	buffer = first(queue, FAKE_DONE);
	if (!buffer)
		return -EAGAIN;
	if (multi(queue) && (!arg->m.planes || arg->length < buffer->planes_n))
		return -EINVAL;
	queue->last = buffer->flags & V4L2_BUF_FLAG_LAST;
	buffer->state = FAKE_IDLE;
	r = describe(queue, buffer, arg);
	if (queue->memory == V4L2_MEMORY_USERPTR)
		for (unsigned int i = 0; i < buffer->planes_n; i++)
			buffer->planes[i].userptr = 0;
	return r;
}

static int stream(struct fake_queue *queue, bool on)
{
	if (on && !queue->buffers)
		return -EINVAL;
	queue->streaming = on;
	queue->last = false;
	for (unsigned int i = 0; !on && queue->buffers && i < FAKE_BUFFERS; i++)
		queue->buffers[i].state = FAKE_IDLE;
	return 0;
}

uint32_t fake_queue_poll(const struct fake_queue *queue)
{
	const uint32_t ready = V4L2_TYPE_IS_OUTPUT(queue->type) ? POLLOUT : POLLIN;

	if (!queue->streaming)
		return POLLERR;
	if (queue->last || fake_queue_count(queue, FAKE_DONE))
		return ready;
	return fake_queue_count(queue, FAKE_QUEUED) ? 0 : POLLERR;
}

static bool owned(const struct fake_queue *queue, unsigned int file)
{
	return queue->owner < 0 || queue->owner == (int)file;
}

int fake_queue_ioctl(struct fake_queue *queue, unsigned int file, unsigned long cmd, void *arg)
{
	const struct v4l2_buffer *buffer = arg;
	const uint32_t *words = arg;
	struct fake_buffer *found;

	if (cmd == VIDIOC_QUERYBUF) {
		found = fake_queue_buffer(queue, buffer->index);
		return found ? describe(queue, found, arg) : -EINVAL;
	}
	if (!owned(queue, file))
		return -EBUSY;
	switch (cmd) {
	case VIDIOC_REQBUFS:
		return reqbufs(queue, file, arg);
	case VIDIOC_CREATE_BUFS:
		return create_bufs(queue, file, arg);
	case VIDIOC_PREPARE_BUF:
	case VIDIOC_QBUF:
		return qbuf(queue, arg, cmd == VIDIOC_PREPARE_BUF);
	case VIDIOC_DQBUF:
		return dqbuf(queue, arg);
	case VIDIOC_STREAMON:
	case VIDIOC_STREAMOFF:
		return stream(queue, cmd == VIDIOC_STREAMON);
	default: /* REMOVE_BUFS: index, count, type */
		return remove_bufs(queue, words[0], words[1]);
	}
}
