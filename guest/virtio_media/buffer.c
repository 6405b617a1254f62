// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * buffer.c - QBUF, PREPARE_BUF and QUERYBUF: a buffer goes to the device.
 *
 * Virtio 1.4, media device, "Memory Types". MMAP: the device's buffers, with offsets of its own
 * choice. SHARED_PAGES is USERPTR: pages of the application are pinned from QBUF, or PREPARE_BUF,
 * to DQBUF and go by SG lists. If either fails, the device may have them all the same: parking.c.
 * Under vmedia_queue.mutex.
 */
#include <linux/slab.h>

#include "virtio_media.h"

static bool is_multiplanar(const struct v4l2_buffer *arg)
{
	return V4L2_TYPE_IS_MULTIPLANAR(arg->type);
}

static unsigned int planes_of(const struct vmedia_call *call)
{
	const struct v4l2_buffer *arg = call->arg;

	return is_multiplanar(arg) ? call->array_len / sizeof(struct v4l2_plane) : 1;
}

static u64 get_m(const struct vmedia_call *call, unsigned int i)
{
	const struct v4l2_buffer *arg = call->arg;
	const struct v4l2_plane *planes = call->array;

	return is_multiplanar(arg) ? planes[i].m.userptr : arg->m.userptr;
}

static u32 get_length(const struct vmedia_call *call, unsigned int i)
{
	const struct v4l2_buffer *arg = call->arg;
	const struct v4l2_plane *planes = call->array;

	return is_multiplanar(arg) ? planes[i].length : arg->length;
}

/* SHARED_PAGES */

/*
 * A list has an entry for each page at worst, and the ring takes a page of them by each descriptor;
 * some of these are the rest of the command's. Said before so much memory is pinned and listed.
 */
static int check_size(const struct vmedia_call *call)
{
	const u64 descriptors = call->session->device->ring_size;
	const u64 per_page = PAGE_SIZE / sizeof(struct virtio_media_sg_entry);
	unsigned int i;
	u64 pages = 0;

	for (i = 0; i < planes_of(call); i++)
		pages += DIV_ROUND_UP(offset_in_page(get_m(call, i)) + (u64)get_length(call, i),
				      PAGE_SIZE);
	return pages + 3 * per_page > descriptors * per_page ? -E2BIG : 0;
}

static void unpin(struct vmedia_buffer *buffer)
{
	unsigned int i;

	for (i = 0; i < VIDEO_MAX_PLANES; i++) {
		vmedia_pages_unpin(buffer->pages[i]);
		buffer->pages[i] = NULL;
	}
}

static int pin(struct vmedia_call *call, struct vmedia_buffer *buffer)
{
	const struct v4l2_buffer *arg = call->arg;
	const bool write = !V4L2_TYPE_IS_OUTPUT(arg->type);
	unsigned int i;
	int r;

	r = check_size(call);
	if (r < 0)
		return r;
	for (i = 0; i < planes_of(call); i++) {
		struct vmedia_pages *pages;

		if (get_length(call, i) == 0)
			continue;
		pages = vmedia_pages_pin(get_m(call, i), get_length(call, i), write);
		if (IS_ERR(pages)) {
			unpin(buffer);
			return PTR_ERR(pages);
		}
		buffer->pages[i] = pages;
	}
	return 0;
}

static int make_lists(struct vmedia_call *call, const struct vmedia_buffer *buffer)
{
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < VIDEO_MAX_PLANES; i++)
		n += vmedia_pages_entries(buffer->pages[i], NULL);
	if (n == 0)
		return 0;
	call->entries = kvmalloc_array(n, sizeof(*call->entries), GFP_KERNEL_ACCOUNT);
	if (!call->entries)
		return -ENOMEM;
	for (i = 0; i < VIDEO_MAX_PLANES; i++)
		call->entries_n +=
			vmedia_pages_entries(buffer->pages[i], call->entries + call->entries_n);
	return 0;
}

/* As the application knows it. */
static void note_memory(const struct vmedia_call *call, struct vmedia_buffer *buffer)
{
	unsigned int i;

	for (i = 0; i < planes_of(call); i++) {
		buffer->m[i] = get_m(call, i);
		buffer->lengths[i] = get_length(call, i);
	}
}

/* V4L2 does not look at what QBUF says of the memory of a buffer that was prepared. */
static void set_prepared(struct vmedia_call *call, const struct vmedia_buffer *buffer)
{
	struct v4l2_buffer *arg = call->arg;
	struct v4l2_plane *planes = call->array;
	unsigned int i;

	if (!is_multiplanar(arg)) {
		arg->m.userptr = buffer->m[0];
		arg->length = buffer->lengths[0];
		return;
	}
	for (i = 0; i < planes_of(call); i++) {
		planes[i].m.userptr = buffer->m[i];
		planes[i].length = buffer->lengths[i];
	}
}

static int share(struct vmedia_call *call, struct vmedia_queue *queue, struct vmedia_buffer *buffer,
		 enum vmedia_buffer_state before)
{
	const struct v4l2_buffer *arg = call->arg;
	int r;

	if (arg->memory != V4L2_MEMORY_USERPTR)
		return 0;
	call->lender = queue;
	if (before == VMEDIA_PREPARED) {
		set_prepared(call, buffer);
	} else {
		r = vmedia_parking_room(&queue->parking);
		if (r == 0)
			r = pin(call, buffer);
		if (r < 0)
			return r;
		note_memory(call, buffer);
	}
	return make_lists(call, buffer);
}

/* The record of the buffer that @call names, made if there is none. */
static struct vmedia_buffer *find_or_make(struct vmedia_queue *queue, u32 index)
{
	struct vmedia_buffer *buffer = xa_load(&queue->buffers, index);
	int r;

	if (buffer)
		return buffer;
	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->index = index;
	r = xa_insert(&queue->buffers, index, buffer, GFP_KERNEL);
	if (r == 0)
		return buffer;
	kfree(buffer);
	return ERR_PTR(r);
}

/* What DQBUF has done to a buffer before has been done to all of it. */
static enum vmedia_buffer_state get_state(struct vmedia_queue *queue,
					  const struct vmedia_buffer *buffer)
{
	struct vmedia_device *device = queue->session->device;
	enum vmedia_buffer_state state;

	spin_lock_irq(&device->lock);
	state = buffer->state;
	spin_unlock_irq(&device->lock);
	return state;
}

static void set_state(struct vmedia_queue *queue, struct vmedia_buffer *buffer,
		      enum vmedia_buffer_state state)
{
	struct vmedia_device *device = queue->session->device;

	spin_lock_irq(&device->lock);
	/* An event may come as soon as the device works on it. */
	buffer->returned = false;
	vmedia_queue_set_state(queue, buffer, state);
	spin_unlock_irq(&device->lock);
}

/* Now that the device has told how many planes there are, and the offsets and sizes of its own. */
static void note(struct vmedia_call *call, struct vmedia_queue *queue, struct vmedia_buffer *buffer)
{
	const struct v4l2_buffer *arg = call->arg;

	buffer->memory = call->lender ? V4L2_MEMORY_USERPTR : V4L2_MEMORY_MMAP;
	buffer->planes_n = planes_of(call);
	if (V4L2_TYPE_IS_MULTIPLANAR(queue->type))
		buffer->planes_n = min(buffer->planes_n, arg->length);
	if (!call->lender)
		note_memory(call, buffer);
}

static void end_qbuf(struct vmedia_call *call, struct vmedia_queue *queue,
		     struct vmedia_buffer *buffer)
{
	struct vmedia_device *device = queue->session->device;

	spin_lock_irq(&device->lock);
	note(call, queue, buffer);
	queue->unused = false;
	vmedia_queue_set_state(queue, buffer, buffer->returned ? VMEDIA_DONE : VMEDIA_QUEUED);
	spin_unlock_irq(&device->lock);
}

/*
 * QBUF or PREPARE_BUF has failed. The pages were not lent if the device was never told of them, and
 * else are lost to us. Of one that was prepared before nothing has changed.
 */
static void take_back(struct vmedia_call *call, struct vmedia_queue *queue,
		      struct vmedia_buffer *buffer, enum vmedia_buffer_state before)
{
	set_state(queue, buffer, before);
	/* There may be no buffer of that index at all. */
	if (before == VMEDIA_IDLE)
		vmedia_queue_remove(queue, buffer->index, 1, !call->sent);
}

/*
 * While the device works on it the buffer has state @during. A call that was abandoned leaves it
 * so: it may still succeed, and who shares the file may not use the buffer until STREAMOFF.
 */
static int send(struct vmedia_call *call, struct vmedia_queue *queue, struct vmedia_buffer *buffer,
		enum vmedia_buffer_state before, enum vmedia_buffer_state during)
{
	int r;

	r = share(call, queue, buffer, before);
	if (r < 0) {
		take_back(call, queue, buffer, before);
		return r;
	}
	set_state(queue, buffer, during);
	r = vmedia_forward(call);
	if (r < 0 && r != -EINTR)
		take_back(call, queue, buffer, before);
	return r;
}

static int qbuf(struct vmedia_call *call, struct vmedia_queue *queue, struct vmedia_buffer *buffer)
{
	const enum vmedia_buffer_state before = get_state(queue, buffer);
	int r;

	/* The device would take one that has come back and was not dequeued here. */
	if (before != VMEDIA_IDLE && before != VMEDIA_PREPARED)
		return -EINVAL;
	r = send(call, queue, buffer, before, VMEDIA_QUEUEING);
	if (r == 0)
		end_qbuf(call, queue, buffer);
	return r;
}

static int prepare(struct vmedia_call *call, struct vmedia_queue *queue,
		   struct vmedia_buffer *buffer)
{
	int r;

	if (get_state(queue, buffer) != VMEDIA_IDLE)
		return -EINVAL;
	r = send(call, queue, buffer, VMEDIA_IDLE, VMEDIA_PREPARING);
	if (r == 0) {
		note(call, queue, buffer);
		set_state(queue, buffer, VMEDIA_PREPARED);
	}
	return r;
}

static int give(struct vmedia_call *call,
		int (*fn)(struct vmedia_call *call, struct vmedia_queue *queue,
			  struct vmedia_buffer *buffer))
{
	const struct v4l2_buffer *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->type);
	struct vmedia_buffer *buffer;
	int r;

	/* The device has the words for it. Descriptors mean nothing there. */
	if (!queue || (arg->memory != V4L2_MEMORY_MMAP && arg->memory != V4L2_MEMORY_USERPTR))
		return vmedia_forward(call);
	if (arg->index >= VMEDIA_BUFFERS_MAX)
		return -EINVAL;
	if (mutex_lock_interruptible(&queue->mutex))
		return -ERESTARTSYS;
	buffer = find_or_make(queue, arg->index);
	r = IS_ERR(buffer) ? PTR_ERR(buffer) : fn(call, queue, buffer);
	mutex_unlock(&queue->mutex);
	/* What the answer says of the application's own doing. */
	if (r == 0)
		vmedia_mapping_flag(call->session, call->arg, call->array, planes_of(call));
	return r;
}

/* vmedia_buffer_qbuf - QBUF */
int vmedia_buffer_qbuf(struct vmedia_call *call)
{
	return give(call, qbuf);
}

/* vmedia_buffer_prepare - PREPARE_BUF */
int vmedia_buffer_prepare(struct vmedia_call *call)
{
	return give(call, prepare);
}

/*
 * What the device says of @buffer, by what the application knows: the device has dequeued it when
 * its event came.
 */
static void correct(const struct vmedia_buffer *buffer, struct v4l2_buffer *arg)
{
	const u32 states = V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_PREPARED;

	switch (buffer->state) {
	case VMEDIA_IDLE:
	case VMEDIA_PREPARING:
	case VMEDIA_PREPARED:
		return;
	case VMEDIA_QUEUEING:
	case VMEDIA_QUEUED:
		/* On its way, or not yet with the device. */
		if (!(arg->flags & states))
			arg->flags |= V4L2_BUF_FLAG_QUEUED;
		return;
	case VMEDIA_DONE:
		arg->flags &= ~states;
		arg->flags |= V4L2_BUF_FLAG_DONE | (buffer->buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
}

/* vmedia_buffer_querybuf - QUERYBUF; without the mutex, since it changes nothing. */
int vmedia_buffer_querybuf(struct vmedia_call *call)
{
	struct v4l2_buffer *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->type);
	struct vmedia_device *device = call->session->device;
	struct vmedia_buffer *buffer;
	int r;

	r = vmedia_forward(call);
	if (r < 0 || !queue)
		return r;
	spin_lock_irq(&device->lock);
	buffer = xa_load(&queue->buffers, arg->index);
	if (buffer)
		correct(buffer, arg);
	spin_unlock_irq(&device->lock);
	vmedia_mapping_flag(call->session, arg, call->array, planes_of(call));
	return 0;
}
