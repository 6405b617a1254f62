/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session_event.c - V4L2's events of a session: what it has subscribed to, and taking them from the
 * host. See media_device.h.
 *
 * Implements virtio 1.4, media device, "Emit an event". The file is watched for events only while
 * there is a subscription.
 */
#include <errno.h>

#include "devices/media/media_device.h"

/* At one wake-up. The host's own queues are bounded, but may be filled as fast as they empty. */
#define EVENTS_PER_TURN 64

static struct subscription *find(struct session *session, uint32_t type, uint32_t id)
{
	const unsigned int n = MIN(session->subscriptions_n, (unsigned int)SUBSCRIPTIONS_MAX);

	for (unsigned int i = 0; i < n; i++)
		if (session->subscriptions[i].type == type && session->subscriptions[i].id == id)
			return &session->subscriptions[i];
	return NULL;
}

/* One too many, and it is only known that there are some, until all are ended at once. */
static void add(struct session *session, uint32_t type, uint32_t id)
{
	if (session->subscriptions_n > SUBSCRIPTIONS_MAX || find(session, type, id))
		return;
	if (session->subscriptions_n < SUBSCRIPTIONS_MAX)
		session->subscriptions[session->subscriptions_n] =
			(struct subscription) {.type = type, .id = id};
	session->subscriptions_n++;
}

static void end(struct session *session, uint32_t type, uint32_t id)
{
	struct subscription *found = find(session, type, id);

	if (type == V4L2_EVENT_ALL)
		session->subscriptions_n = 0;
	else if (found && session->subscriptions_n <= SUBSCRIPTIONS_MAX)
		*found = session->subscriptions[--session->subscriptions_n];
}

static void post(struct session *session, const struct v4l2_event *event)
{
	struct media *media = session->media;
	struct virtio_media_event_event out = {
		.hdr = {.event = VIRTIO_MEDIA_EVT_EVENT, .session_id = session->id},
		.event = *event,
	};

	event_time_event(media, &out.event);
	if (!backlog_put_event(&session->backlog, &out)) {
		media->lost_n++;
		log_limited(&media->lost_events, LOG_LEVEL_WARNING,
			    "%s: the guest's driver has taken no events for long: %llu are lost so "
			    "far",
			    media->dev.name, (unsigned long long)media->lost_n);
	}
	event_post(session);
}

int session_take_events(struct session *session)
{
	int n = 0;
	int r;

	while (n < EVENTS_PER_TURN) {
		struct v4l2_event event = {};

		r = media_host_ioctl(session, VIDIOC_DQEVENT, &event);
		if (r < 0)
			return n > 0 && r != -ENODEV ? n : r;
		post(session, &event);
		n++;
		if (event.pending == 0)
			break;
	}
	return n;
}

static int subscribe_after(struct session *session, struct media_call *call, int result)
{
	const struct v4l2_event_subscription *arg = &call->payload.arg.subscription;

	if (result != 0)
		return result;
	add(session, arg->type, arg->id);
	dequeue_retry(session);
	/* In V4L2 it is there when the call returns: so the driver gets it before the answer. */
	if (arg->flags & V4L2_EVENT_SUB_FL_SEND_INITIAL) {
		/* Of the guard's making, perhaps. If it is again, POLLPRI will tell. */
		if (session_take_events(session) == -EINTR)
			(void)session_take_events(session);
		event_flush(session->media);
	}
	return 0;
}

const struct media_step session_step_subscribe = {.after = subscribe_after};

static int unsubscribe_after(struct session *session, struct media_call *call, int result)
{
	const struct v4l2_event_subscription *arg = &call->payload.arg.subscription;

	if (result != 0)
		return result;
	end(session, arg->type, arg->id);
	backlog_drop_events(&session->backlog, arg->type, arg->id);
	return 0;
}

const struct media_step session_step_unsubscribe = {.after = unsubscribe_after};
