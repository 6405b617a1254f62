// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * parking.c - pages of an application that the device may still write to, though nobody can say
 * for which buffer: QBUF failed, or was abandoned, or the buffer was given up.
 *
 * No error proves that the device, or the host behind it, has let go of a buffer. Such pages stay
 * pinned until it says so of all: STREAMOFF, REQBUFS or CLOSE has succeeded, and no command with
 * pages is still on its way. In a process.
 */
#include "virtio_media.h"

/* Planes, all of different memory. More of them are of a program that wants to pin memory. */
#define PARKED_MAX 64

void vmedia_parking_init(struct vmedia_parking *parking)
{
	mutex_init(&parking->mutex);
	INIT_LIST_HEAD(&parking->pages);
	atomic_set(&parking->lent, 0);
}

/* vmedia_parking_room - Return: 0; -ENOMEM if no more pages may be lent, until STREAMOFF. */
int vmedia_parking_room(struct vmedia_parking *parking)
{
	return READ_ONCE(parking->n) < PARKED_MAX ? 0 : -ENOMEM;
}

static bool is_parked(const struct vmedia_parking *parking, const struct vmedia_pages *pages)
{
	const struct vmedia_pages *other;

	list_for_each_entry(other, &parking->pages, link)
		if (vmedia_pages_equal(other, pages))
			return true;
	return false;
}

/*
 * vmedia_parking_add - keep @pages pinned, which are not the caller's any more. NULL is fine.
 * Memory that is there is pinned already: who queues a buffer that fails again and again holds no
 * more of it.
 */
void vmedia_parking_add(struct vmedia_parking *parking, struct vmedia_pages *pages)
{
	if (!pages)
		return;
	mutex_lock(&parking->mutex);
	if (!is_parked(parking, pages)) {
		list_add_tail(&pages->link, &parking->pages);
		WRITE_ONCE(parking->n, parking->n + 1);
		pages = NULL;
	}
	mutex_unlock(&parking->mutex);
	vmedia_pages_unpin(pages);
}

/* vmedia_parking_clear - the device has let go of all. */
void vmedia_parking_clear(struct vmedia_parking *parking)
{
	struct vmedia_pages *pages, *next;
	LIST_HEAD(free);

	mutex_lock(&parking->mutex);
	list_splice_init(&parking->pages, &free);
	WRITE_ONCE(parking->n, 0);
	mutex_unlock(&parking->mutex);
	list_for_each_entry_safe(pages, next, &free, link)
		vmedia_pages_unpin(pages);
}

/* vmedia_parking_lend - a command is about to tell the device of pages of @queue. */
void vmedia_parking_lend(struct vmedia_queue *queue)
{
	vmedia_session_get(queue->session);
	atomic_inc(&queue->parking.lent);
}

/* vmedia_parking_return - it has come back. */
void vmedia_parking_return(struct vmedia_queue *queue)
{
	atomic_dec(&queue->parking.lent);
	vmedia_session_put(queue->session);
}

/* vmedia_parking_orphan - the same of one that was abandoned. */
void vmedia_parking_orphan(struct vmedia_command *command)
{
	vmedia_parking_return(command->context);
}
