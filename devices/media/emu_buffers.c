/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_buffers.c - buffers of an emulated V4L2 device: how they come, go and are mapped. See emu.h.
 *
 * VIDIOC_REQBUFS, CREATE_BUFS, REMOVE_BUFS. After videobuf2: the file that has allocated buffers
 * owns the queue until it has freed them; freed buffers that are mapped live on. On the thread of
 * the loop.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/media/emu_impl.h"
#include "devices/media/ioctl.h"

/* Newer than Debian 12's header. */
#ifndef V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS
#define V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS (1 << 8)
#endif

#define CAPABILITIES                                                                               \
	(V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_USERPTR |                              \
	 V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS | V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS)

static bool is_memory(uint32_t memory)
{
	return memory == V4L2_MEMORY_MMAP || memory == V4L2_MEMORY_USERPTR;
}

static uint64_t footprint(uint32_t length)
{
	return ALIGN_UP((uint64_t)length, EMU_BUFFER_ALIGN);
}

static void free_buffer(struct emu_queue *queue, uint32_t index)
{
	struct emu_buffer *buffer = queue->buffers[index];

	if (buffer->memory)
		queue->bytes -= footprint(buffer->length);
	emu_memory_put(buffer->memory);
	free(buffer);
	queue->buffers[index] = NULL;
	queue->buffers_n--;
}

void emu_buffers_free(struct emu_queue *queue)
{
	assert(!queue->streaming);
	queue->queued = queue->done = (struct emu_fifo) {0};
	for (uint32_t i = 0; i < EMU_BUFFERS_MAX; i++)
		if (queue->buffers[i])
			free_buffer(queue, i);
	queue->memory = 0;
	queue->owner = NULL;
}

/* The first of @count free indices in a row, or of as many as there are: *@count. */
static uint32_t find_indices(const struct emu_queue *queue, uint32_t *count)
{
	uint32_t best = 0, best_n = 0;

	for (uint32_t i = 0, n = 0; i < EMU_BUFFERS_MAX && best_n < *count; i++) {
		n = queue->buffers[i] ? 0 : n + 1;
		if (n > best_n) {
			best_n = n;
			best = i + 1 - n;
		}
	}
	*count = best_n;
	return best;
}

static int add_buffer(struct emu_queue *queue, uint32_t index, uint32_t length,
		      uint32_t memory_type)
{
	struct emu_buffer *buffer = calloc(1, sizeof(*buffer));
	int r;

	if (!buffer)
		return -ENOMEM;
	buffer->index = index;
	buffer->length = length;
	buffer->field = queue->pix.field;
	if (memory_type == V4L2_MEMORY_MMAP) {
		r = emu_memory_new(&buffer->memory, footprint(length));
		if (r < 0) {
			free(buffer);
			return r;
		}
		buffer->offset = (uint32_t)(index * EMU_BUFFER_ALIGN);
		buffer->data = emu_memory_base(buffer->memory);
		queue->bytes += footprint(length);
	}
	queue->buffers[index] = buffer;
	queue->buffers_n++;
	return 0;
}

/*
 * Adds up to @count buffers, as many as there are indices and memory for, from *@first on.
 * Return: their number, at least 1; -errno.
 */
static int allocate(struct emu_queue *queue, uint32_t count, uint32_t length, uint32_t memory_type,
		    uint32_t *first)
{
	uint32_t added = 0;
	int r = 0;

	*first = find_indices(queue, &count);
	if (count == 0)
		return -ENOBUFS;
	if (memory_type == V4L2_MEMORY_MMAP) {
		const uint64_t room = EMU_QUEUE_BYTES_MAX - queue->bytes;

		if (length > EMU_BUFFER_BYTES_MAX || room < footprint(length))
			return -ENOMEM;
		count = (uint32_t)MIN((uint64_t)count, room / footprint(length));
	}
	while (added < count && r == 0) {
		r = add_buffer(queue, *first + added, length, memory_type);
		added += r == 0;
	}
	if (added == 0)
		return r;
	queue->memory = memory_type;
	return (int)added;
}

int emu_reqbufs(struct emu_file *file, void *arg)
{
	struct v4l2_requestbuffers *request = arg;
	struct emu_queue *queue = emu_queue_find(file->context, request->type);
	uint32_t first;
	int r;

	if (!queue || !is_memory(request->memory))
		return -EINVAL;
	request->capabilities = CAPABILITIES;
	request->flags = 0;
	memset(request->reserved, 0, sizeof(request->reserved));
	if (emu_queue_busy(queue, file) || queue->streaming)
		return -EBUSY;
	emu_queue_cancel(queue);
	emu_buffers_free(queue);
	if (request->count == 0)
		return 0;
	r = allocate(queue, MIN(request->count, (uint32_t)EMU_BUFFERS_MAX), queue->pix.sizeimage,
		     request->memory, &first);
	if (r < 0)
		return r;
	queue->owner = file;
	request->count = (uint32_t)r;
	return 0;
}

int emu_create_bufs(struct emu_file *file, void *arg)
{
	struct v4l2_create_buffers *create = arg;
	struct emu_queue *queue = emu_queue_find(file->context, create->format.type);
	const uint32_t length = create->format.fmt.pix.sizeimage;
	int r;

	if (!queue || !is_memory(create->memory))
		return -EINVAL;
	create->capabilities = CAPABILITIES;
	create->flags = 0;
	memset(create->reserved, 0, sizeof(create->reserved));
	if (create->count == 0) {
		create->index = queue->buffers_n;
		return 0;
	}
	if (emu_queue_busy(queue, file))
		return -EBUSY;
	if (queue->buffers_n > 0 && queue->memory != create->memory)
		return -EINVAL;
	if (length < queue->pix.sizeimage)
		return -EINVAL;
	r = allocate(queue, create->count, length, create->memory, &create->index);
	if (r < 0)
		return r;
	queue->owner = file;
	create->count = (uint32_t)r;
	return 0;
}

int emu_remove_bufs(struct emu_file *file, void *arg)
{
	struct v4l2_remove_buffers *removed = arg;
	struct emu_queue *queue = emu_queue_find(file->context, removed->type);

	if (!queue)
		return -EINVAL;
	memset(removed->reserved, 0, sizeof(removed->reserved));
	if (removed->count == 0)
		return 0;
	if (emu_queue_busy(queue, file))
		return -EBUSY;
	if (removed->index >= EMU_BUFFERS_MAX || removed->count > EMU_BUFFERS_MAX - removed->index)
		return -EINVAL;
	for (uint32_t i = 0; i < removed->count; i++) {
		const struct emu_buffer *buffer = queue->buffers[removed->index + i];

		if (!buffer)
			return -EINVAL;
		if (buffer->state != EMU_BUFFER_DEQUEUED)
			return -EBUSY;
	}
	for (uint32_t i = 0; i < removed->count; i++)
		free_buffer(queue, removed->index + i);
	return 0;
}

int emu_buffers_map(struct emu_file *file, const struct media_plane_id *plane, void *at, size_t len,
		    bool writable)
{
	const struct emu_queue *queue = emu_queue_find(file->context, plane->type);
	const struct emu_buffer *buffer;

	if (!queue || plane->index >= EMU_BUFFERS_MAX || plane->plane != 0)
		return -EINVAL;
	/* Not only the owner's: as mmap(2) of a node. */
	buffer = queue->buffers[plane->index];
	if (!buffer || !buffer->memory || plane->mem_offset != buffer->offset ||
	    plane->length != buffer->length || len > footprint(buffer->length))
		return -EINVAL;
	return emu_memory_map(buffer->memory, at, len, writable);
}
