/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * event.c - events on their way to the driver. See media_device.h.
 *
 * Implements virtio 1.4, media device, "Event Virtqueue". Every event goes through its session's
 * backlog, and out as soon as the driver has a buffer for it; sessions take turns. Buffers are
 * popped only to be filled, so none is ever in flight.
 */
#include <errno.h>

#include "devices/media/media_device.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_US INT64_C(1000)
#define US_PER_S  INT64_C(1000000)

#define SECONDS_MAX (INT64_MAX / NS_PER_S)

static void append(struct session *session)
{
	struct media *media = session->media;

	session->next_waiting = NULL;
	if (media->waiting_last)
		media->waiting_last->next_waiting = session;
	else
		media->waiting = session;
	media->waiting_last = session;
	session->waiting = true;
}

static struct session *take_first(struct media *media)
{
	struct session *session = media->waiting;

	media->waiting = session->next_waiting;
	if (!media->waiting)
		media->waiting_last = NULL;
	session->waiting = false;
	return session;
}

void event_post(struct session *session)
{
	if (!session->waiting)
		append(session);
}

void event_forget(struct session *session)
{
	struct media *media = session->media;
	struct session *last = NULL;

	if (!session->waiting)
		return;
	if (media->waiting == session) {
		take_first(media);
		return;
	}
	last = media->waiting;
	while (last->next_waiting != session)
		last = last->next_waiting;
	last->next_waiting = session->next_waiting;
	if (media->waiting_last == session)
		media->waiting_last = last;
	session->waiting = false;
}

/* What a session waited with may have been dropped. Return: NULL if nobody waits. */
static struct session *next_session(struct media *media)
{
	while (media->waiting && !backlog_first(&media->waiting->backlog))
		take_first(media);
	return media->waiting;
}

/* Fills @request for the first session, or gives it back if the event does not fit into it. */
static void send(struct media *media, struct vq *vq, struct vq_request *request)
{
	struct session *session = media->waiting;
	const struct backlog_entry *entry = backlog_first(&session->backlog);
	const size_t size = backlog_size(entry);

	if (request->writable.len < size) {
		log_limited(&media->short_events, LOG_LEVEL_WARNING,
			    "%s: a buffer of the guest's for events has %u bytes: at least %zu are "
			    "needed",
			    media->dev.name, (unsigned int)request->writable.len, size);
		vq_push(vq, request, 0);
		return;
	}
	vq_push(vq, request, (uint32_t)vq_buffer_put(&request->writable, &entry->dqbuf, size));
	backlog_take(&session->backlog);
	take_first(media);
	if (backlog_first(&session->backlog))
		append(session);
}

void event_flush(struct media *media)
{
	struct vq *vq = virtio_vq(&media->dev, VIRTIO_MEDIA_EVENTQ);
	/* A driver that gives back buffers all the time shall not keep the thread here. */
	unsigned int turns = MEDIA_QUEUE_SIZE;
	struct vq_request *request;
	int r = 0;

	while (next_session(media) && turns > 0 && (r = vq_pop(vq, &request)) > 0) {
		send(media, vq, request);
		turns--;
	}
	if (r < 0)
		virtio_needs_reset(&media->dev, vq_error(vq));
	vq_notify(vq);
	if (media->waiting && turns == 0)
		virtio_kick(&media->dev, VIRTIO_MEDIA_EVENTQ);
}

/*
 * @seconds, @ns: of the host's, or of the guest's own making. Return: false if that is no moment
 * since the host's boot, which stays as it is.
 */
static bool to_guest(const struct media *media, int64_t seconds, int64_t ns, int64_t *out)
{
	if (!media->clock || seconds < 0 || seconds >= SECONDS_MAX || ns < 0 || ns >= NS_PER_S)
		return false;
	if (seconds == 0 && ns == 0)
		return false;
	*out = MAX(media->clock->to_guest(media->clock, seconds * NS_PER_S + ns), INT64_C(0));
	return true;
}

void event_time_buffer(const struct media *media, struct v4l2_buffer *buffer)
{
	struct timeval *at = &buffer->timestamp;
	int64_t ns;

	/* Copied ones are the guest's own. */
	if ((buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC ||
	    at->tv_usec < 0 || at->tv_usec >= US_PER_S)
		return;
	if (!to_guest(media, at->tv_sec, at->tv_usec * NS_PER_US, &ns))
		return;
	at->tv_sec = ns / NS_PER_S;
	at->tv_usec = ns % NS_PER_S / NS_PER_US;
}

void event_time_event(const struct media *media, struct v4l2_event *event)
{
	struct timespec *at = &event->timestamp;
	int64_t ns;

	if (!to_guest(media, at->tv_sec, at->tv_nsec, &ns))
		return;
	at->tv_sec = ns / NS_PER_S;
	at->tv_nsec = ns % NS_PER_S;
}
