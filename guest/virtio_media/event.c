// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * event.c - V4L2's events: subscriptions, and what waits for DQEVENT.
 *
 * Virtio 1.4, media device, "Emit an event". The device sends an event as soon as there is one, so
 * it is here that they pile up. As in V4L2 each subscription has room for some: then the oldest
 * goes, and of a control, or a source, that has changed again the changes add up, since there is
 * room for one. Subscriptions change under subscribe_mutex and vmedia_device.lock.
 */
#include <linux/slab.h>

#include "virtio_media.h"

/* Of a subscription to anything but a control or a source. */
#define EVENTS_MAX 8

/* Of a session: more than any device has controls. Events look for theirs among them. */
#define SUBSCRIPTIONS_MAX 1024

struct event {
	struct list_head link; /* of vmedia_session.events */
	struct vmedia_subscription *subscription;
	struct v4l2_event event;
};

struct vmedia_subscription {
	struct list_head link; /* of vmedia_session.subscriptions */
	u32 type, id;
	unsigned int first, n; /* of the ring of events that wait */
	unsigned int max;
	struct event events[];
};

static struct vmedia_subscription *find(struct vmedia_session *session, u32 type, u32 id)
{
	struct vmedia_subscription *subscription;

	list_for_each_entry(subscription, &session->subscriptions, link)
		if (subscription->type == type && subscription->id == id)
			return subscription;
	return NULL;
}

static struct event *newest(struct vmedia_subscription *subscription)
{
	const unsigned int last = subscription->first + subscription->n - 1;

	return &subscription->events[last % subscription->max];
}

static void take_oldest(struct vmedia_session *session, struct vmedia_subscription *subscription)
{
	list_del(&subscription->events[subscription->first].link);
	subscription->first = (subscription->first + 1) % subscription->max;
	subscription->n--;
	session->events_n--;
}

/* Return: what has changed by the event that @event comes on top of. */
static void add_changes(struct v4l2_event *event, const struct v4l2_event *before)
{
	if (event->type == V4L2_EVENT_CTRL)
		event->u.ctrl.changes |= before->u.ctrl.changes;
	else if (event->type == V4L2_EVENT_SOURCE_CHANGE)
		event->u.src_change.changes |= before->u.src_change.changes;
}

/* The one before it gets the changes of the one that goes, or, if there is none, the new one. */
static void make_room(struct vmedia_session *session, struct vmedia_subscription *subscription,
		      struct v4l2_event *event)
{
	struct event *oldest = &subscription->events[subscription->first];
	struct event *next = oldest;

	if (subscription->n < subscription->max)
		return;
	next = &subscription->events[(subscription->first + 1) % subscription->max];
	add_changes(subscription->n > 1 ? &next->event : event, &oldest->event);
	take_oldest(session, subscription);
}

/* vmedia_event_deliver - an event has come. Under vmedia_device.lock. */
void vmedia_event_deliver(struct vmedia_session *session, const struct v4l2_event *event)
{
	struct vmedia_subscription *subscription = find(session, event->type, event->id);
	struct v4l2_event copy = *event;
	struct event *slot;

	/* It may have been ended meanwhile. */
	if (!subscription)
		return;
	make_room(session, subscription, &copy);
	subscription->n++;
	slot = newest(subscription);
	slot->event = copy;
	slot->subscription = subscription;
	list_add_tail(&slot->link, &session->events);
	session->events_n++;
	wake_up_all(&session->wait);
}

static void end(struct vmedia_session *session, struct vmedia_subscription *subscription)
{
	struct vmedia_device *device = session->device;

	spin_lock_irq(&device->lock);
	while (subscription->n > 0)
		take_oldest(session, subscription);
	list_del(&subscription->link);
	session->subscriptions_n--;
	spin_unlock_irq(&device->lock);
	kvfree(subscription);
}

static unsigned int room_for(u32 type)
{
	return type == V4L2_EVENT_CTRL || type == V4L2_EVENT_SOURCE_CHANGE ? 1 : EVENTS_MAX;
}

static struct vmedia_subscription *begin(struct vmedia_session *session,
					 const struct v4l2_event_subscription *arg)
{
	const unsigned int max = room_for(arg->type);
	struct vmedia_device *device = session->device;
	struct vmedia_subscription *subscription;

	if (session->subscriptions_n >= SUBSCRIPTIONS_MAX)
		return NULL;
	subscription = kvzalloc(struct_size(subscription, events, max), GFP_KERNEL_ACCOUNT);
	if (!subscription)
		return NULL;
	subscription->type = arg->type;
	subscription->id = arg->id;
	subscription->max = max;
	spin_lock_irq(&device->lock);
	list_add_tail(&subscription->link, &session->subscriptions);
	session->subscriptions_n++;
	spin_unlock_irq(&device->lock);
	return subscription;
}

/* The first event may come before the answer: there is room for it before the device is asked. */
static int subscribe(struct vmedia_call *call)
{
	const struct v4l2_event_subscription *arg = call->arg;
	struct vmedia_subscription *subscription;
	int r;

	if (find(call->session, arg->type, arg->id))
		return vmedia_forward(call);
	subscription = begin(call->session, arg);
	if (!subscription)
		return -ENOMEM;
	r = vmedia_forward(call);
	/* One that was abandoned may still be carried out. */
	if (r < 0 && r != -EINTR)
		end(call->session, subscription);
	return r;
}

/* vmedia_event_subscribe - SUBSCRIBE_EVENT */
int vmedia_event_subscribe(struct vmedia_call *call)
{
	struct vmedia_session *session = call->session;
	int r;

	if (mutex_lock_interruptible(&session->subscribe_mutex))
		return -ERESTARTSYS;
	r = subscribe(call);
	mutex_unlock(&session->subscribe_mutex);
	return r;
}

static void end_all(struct vmedia_session *session)
{
	struct vmedia_subscription *subscription, *next;

	list_for_each_entry_safe(subscription, next, &session->subscriptions, link)
		end(session, subscription);
}

/* vmedia_event_unsubscribe - UNSUBSCRIBE_EVENT */
int vmedia_event_unsubscribe(struct vmedia_call *call)
{
	const struct v4l2_event_subscription *arg = call->arg;
	struct vmedia_session *session = call->session;
	struct vmedia_subscription *subscription;
	int r;

	if (mutex_lock_interruptible(&session->subscribe_mutex))
		return -ERESTARTSYS;
	r = vmedia_forward(call);
	subscription = find(session, arg->type, arg->id);
	if (r == 0 && arg->type == V4L2_EVENT_ALL)
		end_all(session);
	else if (r == 0 && subscription)
		end(session, subscription);
	mutex_unlock(&session->subscribe_mutex);
	return r;
}

/* Under vmedia_device.lock. */
static bool is_over(const struct vmedia_session *session)
{
	return session->error || session->events_n > 0;
}

/* vmedia_event_dequeue - DQEVENT */
int vmedia_event_dequeue(struct vmedia_call *call)
{
	struct vmedia_session *session = call->session;
	struct vmedia_device *device = session->device;
	struct v4l2_event *arg = call->arg;
	struct event *event;
	int r = 0;

	spin_lock_irq(&device->lock);
	if (!call->nonblocking)
		r = wait_event_interruptible_lock_irq(session->wait, is_over(session),
						      device->lock);
	if (r == 0)
		r = session->error;
	if (r == 0 && session->events_n == 0)
		r = -ENOENT;
	if (r == 0) {
		/* In each ring, and so in the list, the oldest is the first. */
		event = list_first_entry(&session->events, struct event, link);
		*arg = event->event;
		take_oldest(session, event->subscription);
		arg->pending = session->events_n;
	}
	spin_unlock_irq(&device->lock);
	return r;
}

/* vmedia_event_free_all - the session is closed. */
void vmedia_event_free_all(struct vmedia_session *session)
{
	end_all(session);
}
