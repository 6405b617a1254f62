/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_event.c - events of an emulated V4L2 device. See emu.h.
 *
 * VIDIOC_SUBSCRIBE_EVENT, UNSUBSCRIBE_EVENT, DQEVENT. A file keeps one event of each type and id
 * that it has subscribed to, so what a guest does not fetch cannot pile up: a newer event takes the
 * place of the older one and adds its changes, as in V4L2. On the thread of the loop.
 */
#include <assert.h>
#include <errno.h>
#include <time.h>

#include "devices/media/emu_impl.h"

static struct emu_subscription **find(struct emu_file *file, uint32_t type, uint32_t id)
{
	struct emu_subscription **link = &file->subscriptions;

	while (*link && ((*link)->type != type || (*link)->id != id))
		link = &(*link)->next;
	return link;
}

/* What would be lost of the older event. */
static void merge(struct v4l2_event *event, const struct v4l2_event *older)
{
	if (event->type == V4L2_EVENT_CTRL)
		event->u.ctrl.changes |= older->u.ctrl.changes;
	else if (event->type == V4L2_EVENT_SOURCE_CHANGE)
		event->u.src_change.changes |= older->u.src_change.changes;
}

static void deliver(struct emu_file *file, struct emu_subscription *subscription,
		    const struct v4l2_event *event)
{
	struct v4l2_event kept = {
		.type = event->type,
		.u = event->u,
		.sequence = ++file->sequence,
		.id = event->id,
	};

	clock_gettime(CLOCK_MONOTONIC, &kept.timestamp);
	if (subscription->pending)
		merge(&kept, &subscription->event);
	else
		file->pending++;
	subscription->pending = true;
	subscription->event = kept;
}

void emu_event_send(struct emu_context *context, const struct emu_file *except,
		    const struct v4l2_event *event)
{
	for (struct emu_file *file = context->emu->files; file; file = file->next) {
		struct emu_subscription *subscription = *find(file, event->type, event->id);

		if (file->context != context || !subscription)
			continue;
		if (file != except || subscription->flags & V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK)
			deliver(file, subscription, event);
	}
	emu_kick(context->emu);
}

/* Of a class there is nothing to tell. */
static void send_initial(struct emu_file *file, struct emu_subscription *subscription)
{
	const struct emu_control *control =
		emu_control_find(&file->context->controls, subscription->id);
	uint32_t changes = V4L2_EVENT_CTRL_CH_FLAGS;
	struct v4l2_event event;

	if (control->info->type == V4L2_CTRL_TYPE_CTRL_CLASS)
		return;
	if (!(control->flags & V4L2_CTRL_FLAG_WRITE_ONLY))
		changes |= V4L2_EVENT_CTRL_CH_VALUE;
	emu_control_event(file->context, control, changes, &event);
	deliver(file, subscription, &event);
}

static bool is_offered(const struct emu_file *file, uint32_t type, uint32_t id)
{
	if (type == V4L2_EVENT_CTRL)
		return emu_control_find(&file->context->controls, id);
	return type < 32 && emu_of(file)->setup->events & 1u << type;
}

static bool has_events(const struct emu_file *file)
{
	const struct emu_setup *setup = emu_of(file)->setup;

	return setup->controls_n > 0 || setup->events;
}

int emu_subscribe_event(struct emu_file *file, void *arg)
{
	const struct v4l2_event_subscription *wanted = arg;
	struct emu_subscription *subscription;

	if (!has_events(file))
		return -ENOTTY;
	if (!is_offered(file, wanted->type, wanted->id))
		return -EINVAL;
	if (*find(file, wanted->type, wanted->id))
		return 0;
	subscription = calloc(1, sizeof(*subscription));
	if (!subscription)
		return -ENOMEM;
	subscription->type = wanted->type;
	subscription->id = wanted->id;
	subscription->flags = wanted->flags;
	subscription->next = file->subscriptions;
	file->subscriptions = subscription;
	if (wanted->type == V4L2_EVENT_CTRL && wanted->flags & V4L2_EVENT_SUB_FL_SEND_INITIAL)
		send_initial(file, subscription);
	return 0;
}

static void unsubscribe(struct emu_file *file, struct emu_subscription **link)
{
	struct emu_subscription *subscription = *link;

	*link = subscription->next;
	file->pending -= subscription->pending;
	free(subscription);
}

void emu_events_deinit(struct emu_file *file)
{
	while (file->subscriptions)
		unsubscribe(file, &file->subscriptions);
	assert(file->pending == 0);
}

int emu_unsubscribe_event(struct emu_file *file, void *arg)
{
	const struct v4l2_event_subscription *unwanted = arg;
	struct emu_subscription **link;

	if (!has_events(file))
		return -ENOTTY;
	if (unwanted->type == V4L2_EVENT_ALL) {
		emu_events_deinit(file);
		return 0;
	}
	link = find(file, unwanted->type, unwanted->id);
	if (*link)
		unsubscribe(file, link);
	return 0;
}

/* By their sequence numbers, which may have wrapped, the oldest goes first. */
int emu_dqevent(struct emu_file *file, void *arg)
{
	struct emu_subscription *oldest = NULL;
	struct v4l2_event *event = arg;

	if (!has_events(file))
		return -ENOTTY;
	for (struct emu_subscription *one = file->subscriptions; one; one = one->next)
		if (one->pending &&
		    (!oldest || (int32_t)(one->event.sequence - oldest->event.sequence) < 0))
			oldest = one;
	if (!oldest)
		return -ENOENT;
	oldest->pending = false;
	file->pending--;
	*event = oldest->event;
	event->pending = file->pending;
	return 0;
}
