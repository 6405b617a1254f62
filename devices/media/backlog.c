/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backlog.c - a list of events; those of V4L2 are allocated, since they wait only when a driver is
 * slow. See backlog.h.
 */
#include "devices/media/backlog.h"

#include <assert.h>

static bool is_event(const struct backlog_entry *entry)
{
	return entry->hdr.event == VIRTIO_MEDIA_EVT_EVENT;
}

void backlog_put(struct backlog *backlog, struct backlog_entry *entry)
{
	assert(!entry->waits);
	entry->waits = true;
	entry->next = NULL;
	entry->prev = backlog->last;
	if (backlog->last)
		backlog->last->next = entry;
	else
		backlog->first = entry;
	backlog->last = entry;
}

/* Take @entry out of the list, and free it if it is ours. */
static void remove_entry(struct backlog *backlog, struct backlog_entry *entry)
{
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		backlog->first = entry->next;
	if (entry->next)
		entry->next->prev = entry->prev;
	else
		backlog->last = entry->prev;
	entry->waits = false;
	entry->prev = entry->next = NULL;
	if (!is_event(entry))
		return;
	backlog->events_n--;
	free(entry);
}

static void drop_oldest_event(struct backlog *backlog)
{
	struct backlog_entry *entry = backlog->first;

	while (!is_event(entry))
		entry = entry->next;
	remove_entry(backlog, entry);
}

bool backlog_put_event(struct backlog *backlog, const struct virtio_media_event_event *event)
{
	const bool full = backlog->events_n == BACKLOG_EVENTS_MAX;
	struct backlog_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return false;
	if (full)
		drop_oldest_event(backlog);
	entry->event = *event;
	backlog_put(backlog, entry);
	backlog->events_n++;
	return !full;
}

const struct backlog_entry *backlog_first(const struct backlog *backlog)
{
	return backlog->first;
}

void backlog_take(struct backlog *backlog)
{
	assert(backlog->first);
	remove_entry(backlog, backlog->first);
}

void backlog_drop(struct backlog *backlog, struct backlog_entry *entry)
{
	if (entry->waits)
		remove_entry(backlog, entry);
}

void backlog_drop_events(struct backlog *backlog, uint32_t type, uint32_t id)
{
	struct backlog_entry *next;

	for (struct backlog_entry *entry = backlog->first; entry; entry = next) {
		const struct v4l2_event *event = &entry->event.event;

		next = entry->next;
		if (is_event(entry) &&
		    (type == V4L2_EVENT_ALL || (event->type == type && event->id == id)))
			remove_entry(backlog, entry);
	}
}

void backlog_clear(struct backlog *backlog)
{
	while (backlog->first)
		remove_entry(backlog, backlog->first);
}

size_t backlog_size(const struct backlog_entry *entry)
{
	return is_event(entry) ? sizeof(entry->event) : sizeof(entry->dqbuf);
}
