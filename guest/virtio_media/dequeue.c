// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * dequeue.c - DQBUF and poll(): buffers that the device has given back in DQBUF events.
 *
 * Virtio 1.4, media device, "Dequeue buffer". The rules are those of V4L2's own queues
 * (videobuf2): what DQBUF says of a queue that does not stream or is past its LAST buffer, and when
 * poll() says POLLERR. Pointers and offsets of an event mean nothing; those of QBUF are told, and
 * its lengths bound what programs are told to read.
 */
#include <linux/sched/signal.h>

#include "virtio_media.h"

static void deliver(struct vmedia_queue *queue, struct vmedia_buffer *buffer,
		    const struct virtio_media_event_dqbuf *event)
{
	buffer->buffer = event->buffer;
	memcpy(buffer->planes, event->planes, sizeof(buffer->planes));
	if (buffer->state == VMEDIA_QUEUEING)
		buffer->returned = true;
	else
		vmedia_queue_set_state(queue, buffer, VMEDIA_DONE);
}

/* vmedia_dequeue_deliver - an event has come. Under vmedia_device.lock. */
void vmedia_dequeue_deliver(struct vmedia_session *session,
			    const struct virtio_media_event_dqbuf *event)
{
	struct vmedia_queue *queue = vmedia_queue_find(session, event->buffer.type);
	struct vmedia_buffer *buffer;

	if (!queue)
		return;
	buffer = xa_load(&queue->buffers, event->buffer.index);
	/* What was queued before STREAMOFF may be told of after it. */
	if (!buffer || (buffer->state != VMEDIA_QUEUEING && buffer->state != VMEDIA_QUEUED))
		return;
	deliver(queue, buffer, event);
}

/* Under vmedia_device.lock. Return: 0: there is a buffer; -EAGAIN: there may be one later. */
static int try_queue(const struct vmedia_queue *queue)
{
	if (queue->session->error)
		return queue->session->error;
	if (!queue->streaming)
		return -EINVAL;
	if (!list_empty(&queue->done))
		return 0;
	/* The device gives nothing either, until the codec goes on. */
	return queue->last ? -EPIPE : -EAGAIN;
}

static unsigned int planes_of(const struct vmedia_buffer *buffer)
{
	return min3(buffer->buffer.length, buffer->planes_n, (u32)VIDEO_MAX_PLANES);
}

/* @told: in the event, for a device that has not said it when the buffer was queued. */
static u32 length_of(const struct vmedia_buffer *buffer, unsigned int i, u32 told)
{
	if (buffer->lengths[i] || buffer->memory != V4L2_MEMORY_MMAP)
		return buffer->lengths[i];
	return told;
}

static void fill_plane(const struct vmedia_buffer *buffer, unsigned int i, struct v4l2_plane *plane)
{
	*plane = buffer->planes[i];
	plane->m.userptr = buffer->m[i];
	plane->length = length_of(buffer, i, plane->length);
	plane->bytesused = min(plane->bytesused, plane->length);
	plane->data_offset = min(plane->data_offset, plane->bytesused);
}

/* Under vmedia_device.lock. Return: planes that were filled in. */
static unsigned int fill(struct vmedia_queue *queue, const struct vmedia_buffer *buffer,
			 struct v4l2_buffer *arg, struct v4l2_plane *planes)
{
	struct v4l2_plane *pointer = arg->m.planes;
	unsigned int i, n;

	*arg = buffer->buffer;
	arg->index = buffer->index;
	arg->type = queue->type;
	arg->memory = buffer->memory;
	arg->flags &= ~(V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_PREPARED |
			V4L2_BUF_FLAG_REQUEST_FD);
	arg->request_fd = 0;
	if (!V4L2_TYPE_IS_MULTIPLANAR(queue->type)) {
		arg->m.userptr = buffer->m[0];
		arg->length = length_of(buffer, 0, arg->length);
		arg->bytesused = min(arg->bytesused, arg->length);
		return 0;
	}
	n = planes_of(buffer);
	for (i = 0; i < n; i++)
		fill_plane(buffer, i, &planes[i]);
	arg->m.planes = pointer;
	arg->length = n;
	return n;
}

/* Moves a buffer, and its @pages. Under vmedia_device.lock. Return: -errno: nothing has changed. */
static int take(struct vmedia_call *call, struct vmedia_queue *queue, struct vmedia_pages *pages[])
{
	struct v4l2_buffer *arg = call->arg;
	struct vmedia_buffer *buffer;
	unsigned int n;
	int r;

	r = try_queue(queue);
	if (r < 0)
		return r;
	buffer = list_first_entry(&queue->done, struct vmedia_buffer, link);
	/* As V4L2: it stays, and the application may ask again with more room. */
	if (V4L2_TYPE_IS_MULTIPLANAR(queue->type) && arg->length < planes_of(buffer))
		return -EINVAL;
	if (!vmedia_queue_is_output(queue) && buffer->buffer.flags & V4L2_BUF_FLAG_LAST)
		queue->last = true;
	n = fill(queue, buffer, arg, call->array);
	/* The event is older than what mmap() and munmap() have done since. */
	arg->flags &= ~V4L2_BUF_FLAG_MAPPED;
	vmedia_mapping_flag(call->session, arg, call->array, n);
	memcpy(pages, buffer->pages, sizeof(buffer->pages));
	memset(buffer->pages, 0, sizeof(buffer->pages));
	vmedia_queue_set_state(queue, buffer, VMEDIA_IDLE);
	return 0;
}

/*
 * A device that gives up on a buffer may not have it back from its host. That has no time; what the
 * hardware has spoilt does.
 */
static bool is_given_up(const struct v4l2_buffer *arg)
{
	return arg->flags & V4L2_BUF_FLAG_ERROR && !arg->timestamp.tv_sec &&
	       !arg->timestamp.tv_usec;
}

/* vmedia_dequeue - DQBUF */
int vmedia_dequeue(struct vmedia_call *call)
{
	const struct v4l2_buffer *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->type);
	struct vmedia_device *device = call->session->device;
	wait_queue_head_t *wait = &call->session->wait;
	struct vmedia_pages *pages[VIDEO_MAX_PLANES];
	unsigned int i;
	int r = 0;

	if (!queue)
		return -EINVAL;
	spin_lock_irq(&device->lock);
	/* As V4L2: one at a time. */
	if (queue->waiting) {
		r = -EBUSY;
	} else if (!call->nonblocking) {
		queue->waiting = true;
		r = wait_event_interruptible_lock_irq(*wait, try_queue(queue) != -EAGAIN,
						      device->lock);
		queue->waiting = false;
	}
	if (r == 0)
		r = take(call, queue, pages);
	spin_unlock_irq(&device->lock);
	for (i = 0; i < VIDEO_MAX_PLANES && r == 0; i++) {
		if (is_given_up(arg))
			vmedia_parking_add(&queue->parking, pages[i]);
		else
			vmedia_pages_unpin(pages[i]);
	}
	return r;
}

/* poll() */

#define CAPTURE_EVENTS (EPOLLIN | EPOLLRDNORM)
#define OUTPUT_EVENTS  (EPOLLOUT | EPOLLWRNORM)

static bool is_m2m(const struct vmedia_device *device)
{
	return device->video.device_caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE);
}

static __poll_t ready(const struct vmedia_queue *queue)
{
	if (vmedia_queue_is_output(queue))
		return list_empty(&queue->done) ? 0 : OUTPUT_EVENTS;
	/* Past the LAST buffer DQBUF does not wait. */
	return list_empty(&queue->done) && !queue->last ? 0 : CAPTURE_EVENTS;
}

/* Both queues at once: an error only if none of them can ever give anything. */
static __poll_t poll_m2m(const struct vmedia_session *session)
{
	bool possible = false;
	__poll_t mask = 0;
	unsigned int i;

	for (i = 1; i < VMEDIA_QUEUES; i++) {
		const struct vmedia_queue *queue = &session->queues[i];

		if (queue->streaming && (queue->queued > 0 || queue->last))
			possible = true;
		mask |= ready(queue);
	}
	return possible ? mask : EPOLLERR;
}

/* The queue that streams; a node of one direction has one at a time. */
static __poll_t poll_one(const struct vmedia_session *session)
{
	unsigned int i;

	for (i = 1; i < VMEDIA_QUEUES; i++) {
		const struct vmedia_queue *queue = &session->queues[i];

		if (!queue->streaming)
			continue;
		/* Nobody has queued a buffer that could come. */
		if (!vmedia_queue_is_output(queue) && queue->unused)
			return EPOLLERR;
		return ready(queue);
	}
	return EPOLLERR;
}

/*
 * vmedia_dequeue_poll - what can be dequeued. @requested: what the application asked for; V4L2 says
 * nothing of a direction that it did not ask for. Under vmedia_device.lock.
 */
__poll_t vmedia_dequeue_poll(struct vmedia_session *session, __poll_t requested)
{
	const struct video_device *video = &session->device->video;
	const __poll_t own = video->vfl_dir == VFL_DIR_TX ? OUTPUT_EVENTS : CAPTURE_EVENTS;

	if (!(video->device_caps & V4L2_CAP_STREAMING))
		return 0;
	if (is_m2m(session->device))
		return requested & (CAPTURE_EVENTS | OUTPUT_EVENTS) ? poll_m2m(session) : 0;
	return requested & own ? poll_one(session) : 0;
}
