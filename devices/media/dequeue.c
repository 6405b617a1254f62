/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dequeue.c - takes from the host what is done: buffers and events, for DQBUF and EVENT events.
 * See media_device.h.
 *
 * Implements virtio 1.4, media device, "Dequeue buffer". A file is watched exactly while something
 * can be dequeued, once at a time: each call takes one buffer of each queue and watches again,
 * since to ask the watch for more costs nothing, and a DQBUF that finds nothing costs a call. What
 * fails is tried again, but with rests, so that no error makes this spin, and not for ever: then
 * the guest gets its buffers back with V4L2_BUF_FLAG_ERROR, for it waits for them.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "devices/media/media_device.h"

/*
 * Wake-ups in a row with nothing behind them, or errors of a queue: some of them mean nothing (a
 * poll that was interrupted looks like an error); after some more there are rests in between; in
 * the end the buffers are given up, and what is left to wait for, events, has longer rests.
 */
#define FRUITLESS_QUICK 3
#define FRUITLESS_MAX	64
#define REST_MS		20
#define REST_LONG_MS	1000

static bool is_armed(const struct media_queue *queue)
{
	return queue && queue->streaming && queue->queued > 0 && !queue->last && !queue->held;
}

static uint32_t wanted(const struct session *session)
{
	uint32_t events = 0;

	if (session->error || session->rests_ns || session->media->blocked)
		return 0;
	for (uint32_t i = 0; i < MEDIA_QUEUES; i++)
		if (is_armed(session->file->queues[i]))
			events |= media_queue_direction(i);
	if (session->subscriptions_n > 0 && !session->held)
		events |= POLLPRI;
	return events;
}

/* Nothing was behind a report, or there can be none. */
static void be_fruitless(struct session *session)
{
	session->fruitless = MIN(session->fruitless + 1, (unsigned int)FRUITLESS_MAX);
	if (session->fruitless == FRUITLESS_MAX)
		for (uint32_t i = 0; i < MEDIA_QUEUES; i++)
			if (is_armed(session->file->queues[i]))
				media_queue_fail(session, session->file->queues[i]);
	if (session->fruitless > FRUITLESS_QUICK)
		rest_begin(session, session->fruitless < FRUITLESS_MAX ? REST_MS : REST_LONG_MS);
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
	if (r == 0)
		return;
	log_limited(&session->media->no_watch, LOG_LEVEL_WARNING, "%s: cannot wait for frames: %s",
		    session->media->dev.name, strerror(-r));
	/* It is tried again after a rest. */
	session->fruitless = MAX(session->fruitless, (unsigned int)FRUITLESS_QUICK);
	be_fruitless(session);
}

void dequeue_retry(struct session *session)
{
	session->rests_ns = 0;
	session->fruitless = 0;
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

/* Return: was it one of the guest's? */
static bool take(struct session *session, struct media_queue *queue, const struct v4l2_buffer *from,
		 const struct v4l2_plane *planes)
{
	struct media_buffer *buffer = media_queue_buffer(queue, from->index);

	if (from->flags & V4L2_BUF_FLAG_LAST && media_queue_direction(queue->type) == POLLIN)
		queue->last = true;
	if (!buffer || !buffer->queued) {
		log_limited(&session->media->odd_buffers, LOG_LEVEL_WARNING,
			    "%s: the host gave back buffer %u, which the guest has not queued",
			    session->media->dev.name, from->index);
		return false;
	}
	buffer->queued = false;
	queue->queued--;
	queue->starting = false;
	queue->errors = 0;
	copy_to_guest(queue, buffer, from, planes);
	deliver(session, queue, buffer, from, planes);
	return true;
}

/* Return: 1; 0: a buffer that nobody knows; -errno. */
static int dequeue(struct session *session, struct media_queue *queue)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_buffer buffer = {.type = queue->type, .memory = queue->host_memory};
	int r;

	if (V4L2_TYPE_IS_MULTIPLANAR(queue->type)) {
		buffer.m.planes = planes;
		buffer.length = VIDEO_MAX_PLANES;
	}
	r = media_host_ioctl(session, VIDIOC_DQBUF, &buffer);
	return r == 0 ? take(session, queue, &buffer, planes) : r;
}

/*
 * By the worker's guard: the loop has its turn before any session is tried again. Who waits for a
 * call at the worker is not to blame.
 */
static void interrupted(struct session *session)
{
	if (rest_all(session->media))
		session->interrupted_ns = 0;
	else if (media_too_late(&session->interrupted_ns))
		session_fail(session, -EIO);
}

/* It may be better next time. But a guest that waits for a buffer for ever is told. */
static void count_error(struct session *session, struct media_queue *queue)
{
	if (++queue->errors < FRUITLESS_MAX)
		return;
	queue->errors = 0;
	media_queue_fail(session, queue);
}

/* @events: what was reported. Return: was there anything? */
static bool try_queue(struct session *session, struct media_queue *queue, uint32_t events)
{
	const int r = dequeue(session, queue);

	if (r != -EINTR)
		session->interrupted_ns = 0;
	switch (r) {
	case 1:
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
		else
			count_error(session, queue);
		break;
	default:
		count_error(session, queue);
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

static bool may_go_on(const struct session *session)
{
	return !session->error && !session->media->blocked;
}

/* One try at all that may have something, by what was reported. Return: was there anything? */
static bool try_all(struct session *session, uint32_t events)
{
	const uint32_t watched = session->watched;
	const bool error = events & (POLLERR | POLLHUP);
	bool found = false;

	if (watched & POLLPRI && (error || events & POLLPRI))
		found |= try_events(session);
	for (uint32_t i = 0; i < MEDIA_QUEUES && may_go_on(session); i++) {
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
	bool found;

	/* It was reported before, and will be again. */
	if (media->blocked) {
		session->watched = 0;
		return;
	}
	found = try_all(session, events);
	session->watched = 0; /* a watch is for once */
	if (found)
		session->fruitless = 0;
	else if (!media->blocked)
		be_fruitless(session);
	dequeue_update(session);
	event_flush(media);
}

void dequeue_probe(struct session *session)
{
	for (uint32_t i = 0; i < MEDIA_QUEUES && may_go_on(session); i++) {
		struct media_queue *queue = session->file->queues[i];

		/* Armed or not: past the LAST buffer the others are to come back as well. */
		if (queue && queue->streaming && queue->queued > 0)
			(void)try_queue(session, queue, 0);
	}
}
