/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_guard.c - a thread that looks after the calls of a device's own. See worker_guard.h.
 *
 * The two share a number, which only the guarded thread changes. That a call begins while this
 * thread goes to rest is not missed: one of them says first what it does, and the other looks.
 */
#include "devices/media/worker_guard.h"

#include <assert.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "devices/media/worker_signal.h"

#define NS_PER_S UINT64_C(1000000000)

static bool is_call(unsigned int calls)
{
	return calls & 1;
}

/* Until a call begins. @calls: when this thread last looked. */
static void rest(struct worker_guard *guard, unsigned int calls)
{
	atomic_store(&guard->resting, true);
	while (!atomic_load(&guard->ending) && atomic_load(&guard->calls) == calls)
		(void)sem_wait(&guard->wake);
	atomic_store(&guard->resting, false);
}

static void sleep_for(struct worker_guard *guard, uint64_t sleep_ns)
{
	struct timespec until;
	uint64_t ns;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = (uint64_t)until.tv_nsec + sleep_ns;
	until.tv_sec += (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	while (!atomic_load(&guard->ending) && r == 0)
		r = sem_clockwait(&guard->wake, CLOCK_MONOTONIC, &until);
}

/* A call is under way: mostly one that has just begun, and is best left alone. */
static void see_to(struct worker_guard *guard, unsigned int calls)
{
	sleep_for(guard, guard->period_ns / 16);
	if (atomic_load(&guard->calls) == calls)
		worker_signal_send_to(atomic_load(&guard->tid));
}

static void look(void *arg)
{
	struct worker_guard *guard = arg;
	unsigned int before, calls;

	while (!atomic_load(&guard->ending)) {
		before = atomic_load(&guard->calls);
		sleep_for(guard, guard->period_ns);
		calls = atomic_load(&guard->calls);
		if (is_call(calls))
			see_to(guard, calls);
		else if (calls == before)
			rest(guard, calls);
	}
}

static int start(struct worker_guard *guard, uint64_t ns)
{
	int r;

	guard->period_ns = ns;
	r = thread_start(&guard->thread, "media-guard", look, guard);
	guard->started = r == 0;
	return r;
}

/* Mostly one thread asks again and again. */
static void note_thread(struct worker_guard *guard)
{
	const pthread_t self = pthread_self();

	if (guard->guarded == self)
		return;
	guard->guarded = self;
	atomic_store(&guard->tid, gettid());
	/* And stays so: a signal that is still under way when a call ends does no harm. */
	worker_signal_admit();
}

/* There is one writer: no need of an atomic addition. */
static void count(struct worker_guard *guard)
{
	atomic_store(&guard->calls, atomic_load_explicit(&guard->calls, memory_order_relaxed) + 1);
}

void worker_guard_init(struct worker_guard *guard)
{
	sem_init(&guard->wake, 0, 0);
}

int worker_guard_enter(struct worker_guard *guard, uint64_t ns)
{
	assert(!is_call(atomic_load(&guard->calls)));
	note_thread(guard);
	count(guard);
	if (!guard->started)
		return start(guard, ns);
	if (atomic_load(&guard->resting) && atomic_exchange(&guard->resting, false))
		sem_post(&guard->wake);
	return 0;
}

void worker_guard_leave(struct worker_guard *guard)
{
	assert(is_call(atomic_load(&guard->calls)));
	count(guard);
}

void worker_guard_deinit(struct worker_guard *guard)
{
	if (guard->started) {
		atomic_store(&guard->ending, true);
		sem_post(&guard->wake);
		pthread_join(guard->thread.id, NULL);
	}
	sem_destroy(&guard->wake);
}
