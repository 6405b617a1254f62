/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dequeue.c - takes from the host what is done: buffers and events, for DQBUF and EVENT events.
 * See media_device.h.
 *
 * Implements virtio 1.4, media device, "Dequeue buffer". A file is watched exactly while something
 * can be dequeued, once at a time: each call takes one buffer of each queue and watches again,
 * since to ask the watch for more costs nothing, and a DQBUF that finds nothing costs a call. What
 * fails is not tried again until there is something new, so that no error makes this spin.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "devices/media/media_device.h"

/*
 * Wake-ups in a row with nothing behind them until waiting is given up. Some of them mean nothing:
 * a poll that was interrupted looks like an error. Errors count for more.
 */
#define FRUITLESS_MAX	64
#define FRUITLESS_ERROR 16

static bool is_armed(const struct media_queue *queue)
{
	return queue && queue->streaming && queue->queued > 0 && !queue->last && !queue->stalled &&
	       !queue->held;
}

static uint32_t wanted(const struct session *session)
{
	uint32_t events = 0;

	if (session->error || session->stalled)
		return 0;
	for (uint32_t i = 0; i < MEDIA_QUEUES; i++)
		if (is_armed(session->file->queues[i]))
			events |= media_queue_direction(i);
	if (session->subscriptions_n > 0 && !session->held)
		events |= POLLPRI;
	return events;
}

void dequeue_update(struct session *session)
{
	struct media_file *file = session->file->file;
	const uint32_t events = wanted(session);
	int r;

	if (events == session->watched)
		return;
	r = file->backend->ops->watch(file, events);
	session->watched = r < 0 ? 0 : events;
	if (r < 0)
		log_limited(&session->media->no_watch, LOG_LEVEL_WARNING,
			    "%s: cannot wait for frames: %s", session->media->dev.name,
			    strerror(-r));
}

void dequeue_retry(struct session *session, struct media_queue *queue)
{
	session->stalled = false;
	session->fruitless = 0;
	if (queue)
		queue->stalled = false;
}

/* Buffers. */

/* A buffer's memory as the guest knows it, which was noted when it was queued. */
static void deliver(struct session *session, struct media_queue *queue, struct media_buffer *buffer,
		    const struct v4l2_buffer *from, const struct v4l2_plane *planes)
{
	struct virtio_media_event_dqbuf *event = &buffer->entry.dqbuf;
	const bool multiplanar = V4L2_TYPE_IS_MULTIPLANAR(queue->type);
	const unsigned int n = MIN(from->length, (uint32_t)VIDEO_MAX_PLANES);
	const uint64_t m = event->buffer.m.userptr;
	const uint32_t memory = event->buffer.memory;

	event->buffer = *from;
	event->buffer.memory = memory;
	event->buffer.m.userptr = m;
	event->buffer.request_fd = 0;
	event_time_buffer(session->media, &event->buffer);
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++) {
		const uint64_t plane_m = event->planes[i].m.userptr;

		event->planes[i] = multiplanar && i < n ? planes[i] : (struct v4l2_plane) {};
		event->planes[i].m.userptr = multiplanar && i < n ? plane_m : 0;
	}
	backlog_put(&session->backlog, &buffer->entry);
	event_post(session);
}

static void copy_to_guest(const struct media_queue *queue, struct media_buffer *buffer,
			  const struct v4l2_buffer *from, const struct v4l2_plane *planes)
{
	const bool multiplanar = V4L2_TYPE_IS_MULTIPLANAR(queue->type);

	if (queue->memory != V4L2_MEMORY_USERPTR || media_queue_direction(queue->type) != POLLIN)
		return;
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++) {
		const uint32_t used = multiplanar ? planes[i].bytesused : from->bytesused;

		if (buffer->pages[i])
			pages_to_guest(buffer->pages[i], MIN(used, buffer->pages_len[i]));
	}
}

static void take(struct session *session, struct media_queue *queue, const struct v4l2_buffer *from,
		 const struct v4l2_plane *planes)
{
	struct media_buffer *buffer = media_queue_buffer(queue, from->index);

	if (from->flags & V4L2_BUF_FLAG_LAST && media_queue_direction(queue->type) == POLLIN)
		queue->last = true;
	if (!buffer || !buffer->queued) {
		log_limited(&session->media->odd_buffers, LOG_LEVEL_WARNING,
			    "%s: the host gave back buffer %u, which the guest has not queued",
			    session->media->dev.name, from->index);
		return;
	}
	buffer->queued = false;
	queue->queued--;
	copy_to_guest(queue, buffer, from, planes);
	deliver(session, queue, buffer, from, planes);
}

static int dequeue(struct session *session, struct media_queue *queue)
{
	struct media_file *file = session->file->file;
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_buffer buffer = {.type = queue->type, .memory = queue->host_memory};
	int r;

	if (V4L2_TYPE_IS_MULTIPLANAR(queue->type)) {
		buffer.m.planes = planes;
		buffer.length = VIDEO_MAX_PLANES;
	}
	r = file->backend->ops->ioctl(file, VIDIOC_DQBUF, &buffer);
	if (r == 0)
		take(session, queue, &buffer, planes);
	return r;
}

/* Interrupted by the worker's guard: the loop has its turn before it is tried again. */
static void interrupted(struct session *session)
{
	if (media_too_late(&session->interrupted_ns))
		session_fail(session, -EIO);
}

/* @events: what was reported. Return: was there anything? */
static bool try_queue(struct session *session, struct media_queue *queue, uint32_t events)
{
	const int r = dequeue(session, queue);

	if (r != -EINTR)
		session->interrupted_ns = 0;
	switch (r) {
	case 0:
		return true;
	case -EAGAIN:
		break;
	case -EINTR:
		interrupted(session);
		break;
	case -EPIPE:
		queue->last = true;
		break;
	case -ENODEV:
		session_fail(session, -ENODEV);
		break;
	case -EIO:
		/*
		 * With POLLERR it is for good: V4L2 gives nothing back until STREAMOFF, which a
		 * guest that waits for a buffer would never send.
		 */
		if (events & POLLERR)
			media_queue_fail(session, queue);
		queue->stalled = true;
		break;
	default:
		queue->stalled = true;
	}
	return false;
}

/* V4L2's events. Return: were there any? */
static bool try_events(struct session *session)
{
	const int r = session_take_events(session);

	if (r != -EINTR)
		session->interrupted_ns = 0;
	if (r == -EINTR)
		interrupted(session);
	else if (r == -ENODEV)
		session_fail(session, -ENODEV);
	return r > 0;
}

/* One try at all that may have something, by what was reported. Return: was there anything? */
static bool try_all(struct session *session, uint32_t events)
{
	const uint32_t watched = session->watched;
	const bool error = events & (POLLERR | POLLHUP);
	bool found = false;

	if (watched & POLLPRI && (error || events & POLLPRI))
		found |= try_events(session);
	for (uint32_t i = 0; i < MEDIA_QUEUES && !session->error; i++) {
		struct media_queue *queue = session->file->queues[i];

		if (is_armed(queue) && (error || events & media_queue_direction(i)))
			found |= try_queue(session, queue, events);
	}
	return found;
}

void dequeue_ready(struct media_file *file, uint32_t events)
{
	struct session *session = file->owner;
	struct media *media = session->media;
	const bool found = try_all(session, events);

	session->watched = 0; /* a watch is for once */
	if (found)
		session->fruitless = 0;
	else if (session->interrupted_ns == 0)
		session->fruitless += events & (POLLERR | POLLHUP) ? FRUITLESS_ERROR : 1;
	if (session->fruitless >= FRUITLESS_MAX)
		session->stalled = true;
	dequeue_update(session);
	event_flush(media);
}

void dequeue_probe(struct session *session)
{
	for (uint32_t i = 0; i < MEDIA_QUEUES && !session->error; i++)
		if (is_armed(session->file->queues[i]))
			(void)try_queue(session, session->file->queues[i], 0);
}
