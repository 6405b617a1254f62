/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backlog.h - the events of a session that wait for a buffer of the driver's, oldest first.
 *
 * Bounded: a buffer that comes back has its entry in itself, so it is never lost and cannot wait
 * twice; of V4L2's events at most BACKLOG_EVENTS_MAX wait, and the oldest give way, as they do in
 * the kernel. Pure; device's thread.
 */
#ifndef VMM_MEDIA_BACKLOG_H
#define VMM_MEDIA_BACKLOG_H

#include "base.h"
#include "virtio_media.h"

#define BACKLOG_EVENTS_MAX 64

/* struct backlog_entry - one event. Zero-initialised; its owner fills in one of the structs. */
struct backlog_entry {
	union {
		struct virtio_media_event_header hdr; /* .event says which of both it is */
		struct virtio_media_event_dqbuf dqbuf;
		struct virtio_media_event_event event;
	};
	/* private */
	bool waits;
	struct backlog_entry *prev, *next;
};

/* struct backlog - zero-initialised. */
struct backlog {
	/* private */
	struct backlog_entry *first, *last;
	unsigned int events_n; /* of V4L2's events */
};

/* backlog_put - at the end. @entry: does not wait; is its owner's, at one address until it is out.
 */
void backlog_put(struct backlog *backlog, struct backlog_entry *entry);

/* backlog_put_event - a copy of @event, at the end. Return: false if an event was lost by that. */
bool backlog_put_event(struct backlog *backlog, const struct virtio_media_event_event *event);

/* backlog_first - the one to send next; NULL if none waits. Borrowed. */
const struct backlog_entry *backlog_first(const struct backlog *backlog);

/* backlog_take - the first one has been sent: it waits no more. */
void backlog_take(struct backlog *backlog);

/* backlog_drop - @entry of backlog_put() is not to be sent. If it does not wait, nothing happens.
 */
void backlog_drop(struct backlog *backlog, struct backlog_entry *entry);

/*
 * backlog_drop_events - V4L2's events of @type and @id are not to be sent; all of them for type
 * V4L2_EVENT_ALL.
 */
void backlog_drop_events(struct backlog *backlog, uint32_t type, uint32_t id);

/* backlog_clear - none is to be sent. */
void backlog_clear(struct backlog *backlog);

/* backlog_size - bytes of the event in @entry. */
size_t backlog_size(const struct backlog_entry *entry);

#endif
