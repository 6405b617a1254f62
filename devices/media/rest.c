/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rest.c - when a session is not looked at for a while, because it would lead to nothing: the host
 * has failed, or holds a lock. See media_device.h.
 *
 * A driver may have one lock for all of its sessions. If a call at the worker has it, to dequeue
 * would hold up the device's thread for each session in turn until it is interrupted: after the
 * first time all of them rest, until the call has come back or was given up. If no call is known
 * that has it, commands have their turn before it is tried again. Device's thread.
 */
#include <time.h>

#include "devices/media/media_device.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

#define TURN_MS 1

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void on_timer(struct loop_timer *timer);

/* Return: false if there can be no timer: nobody can rest. */
static bool set_timer(struct media *media, int64_t now, int64_t until)
{
	if (media->rest_ends_ns && media->rest_ends_ns <= until)
		return true;
	if (loop_timer_set(media->dev.loop, &media->rest_timer,
			   (uint64_t)MAX(until - now, INT64_C(1)), 0, on_timer) < 0)
		return false;
	media->rest_ends_ns = until;
	return true;
}

/* End what is over by now. Return: when the next rest is; 0: there is none. */
static int64_t look(struct media *media, int64_t now)
{
	int64_t next = 0;

	for (unsigned int i = 0; i < MEDIA_BUCKETS; i++)
		for (struct session *session = media->sessions[i]; session;
		     session = session->next) {
			if (session->rests_ns && session->rests_ns <= now)
				session->rests_ns = 0;
			dequeue_update(session);
			if (session->rests_ns && (next == 0 || session->rests_ns < next))
				next = session->rests_ns;
		}
	return next;
}

static void on_timer(struct loop_timer *timer)
{
	struct media *media = container_of(timer, struct media, rest_timer);
	const int64_t now = now_ns();
	int64_t next;

	media->rest_ends_ns = 0;
	/* Otherwise it is for that call's end to say. */
	if (!media->worker || !worker_busy(media->worker))
		media->blocked = false;
	next = look(media, now);
	if (next)
		(void)set_timer(media, now, next); /* it has its fd */
}

void rest_begin(struct session *session, unsigned int ms)
{
	const int64_t now = now_ns(), until = now + ms * NS_PER_MS;

	if (set_timer(session->media, now, until))
		session->rests_ns = until;
}

bool rest_all(struct media *media)
{
	const bool busy = media->worker && worker_busy(media->worker);
	const int64_t now = now_ns();

	media->blocked = busy || set_timer(media, now, now + TURN_MS * NS_PER_MS);
	return busy;
}

void rest_over(struct media *media)
{
	if (!media->blocked)
		return;
	media->blocked = false;
	(void)look(media, 0);
}

void rest_end(struct media *media)
{
	if (media->dev.loop)
		loop_timer_clear(media->dev.loop, &media->rest_timer);
}
