/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_guard.c - a thread that looks after a device's own. See worker_guard.h.
 *
 * The two share numbers, which only the guarded thread changes. That a call begins while this
 * thread goes to rest is not missed: one of them says first what it does, and the other looks.
 */
#include "devices/media/worker_guard.h"

#include <assert.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "devices/media/worker_signal.h"

#define NS_PER_S UINT64_C(1000000000)

/* Of the period: that the loop has for its answer. */
#define ANSWER_PART 8

static bool is_call(unsigned int calls)
{
	return calls & 1;
}

/* The guard's own thread. */

/* Until a call or a job begins. @calls: when this thread last looked. */
static void rest(struct worker_guard *guard, unsigned int calls)
{
	atomic_store(&guard->resting, true);
	while (!atomic_load(&guard->ending) && atomic_load(&guard->calls) == calls &&
	       atomic_load(&guard->jobs) == 0)
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

static void on_probe(struct loop_post *post)
{
	struct worker_guard *guard = container_of(post, struct worker_guard, probe);

	atomic_store(&guard->asked, false);
}

/* Return: has the loop nothing to do, rather than hang? */
static bool loop_answers(struct worker_guard *guard)
{
	if (!atomic_exchange(&guard->asked, true))
		loop_post(guard->loop, &guard->probe, on_probe);
	sleep_for(guard, guard->period_ns / ANSWER_PART);
	return !atomic_load(&guard->asked);
}

static void look(void *arg)
{
	struct worker_guard *guard = arg;
	unsigned int before;

	while (!atomic_load(&guard->ending)) {
		before = atomic_load(&guard->calls);
		sleep_for(guard, guard->period_ns);
		if (atomic_load(&guard->calls) != before)
			continue;
		if (is_call(before) || !loop_answers(guard))
			worker_signal_send_to(atomic_load(&guard->tid));
		else if (atomic_load(&guard->jobs) == 0)
			rest(guard, before);
	}
}

/* The guarded thread. */

/* Mostly it is the same one as ever. */
static void note_thread(struct worker_guard *guard)
{
	static _Thread_local pid_t self;

	if (self == 0) {
		self = gettid();
		/* For good: a signal that is still under way when a call ends does no harm. */
		worker_signal_admit();
	}
	if (atomic_load_explicit(&guard->tid, memory_order_relaxed) != self)
		atomic_store(&guard->tid, self);
}

/* Not tried again: each call would try. */
static int start(struct worker_guard *guard, uint64_t ns)
{
	int r;

	if (guard->failed)
		return -EAGAIN;
	guard->period_ns = ns;
	r = thread_start(&guard->thread, "media-guard", look, guard);
	guard->started = r == 0;
	guard->failed = r < 0;
	return r;
}

static int wake(struct worker_guard *guard, uint64_t ns)
{
	if (!guard->started)
		return start(guard, ns);
	if (atomic_load(&guard->resting) && atomic_exchange(&guard->resting, false))
		sem_post(&guard->wake);
	return 0;
}

/* There is one writer: no need of an atomic addition. */
static void add(atomic_uint *number, unsigned int n)
{
	atomic_store(number, atomic_load_explicit(number, memory_order_relaxed) + n);
}

void worker_guard_init(struct worker_guard *guard, struct loop *loop)
{
	guard->loop = loop;
	sem_init(&guard->wake, 0, 0);
}

int worker_guard_enter(struct worker_guard *guard, uint64_t ns)
{
	assert(!is_call(atomic_load(&guard->calls)));
	note_thread(guard);
	add(&guard->calls, 1);
	return wake(guard, ns);
}

void worker_guard_leave(struct worker_guard *guard)
{
	assert(is_call(atomic_load(&guard->calls)));
	add(&guard->calls, 1);
}

void worker_guard_job_begin(struct worker_guard *guard, uint64_t ns)
{
	note_thread(guard);
	add(&guard->jobs, 1);
	(void)wake(guard, ns);
}

void worker_guard_job_end(struct worker_guard *guard)
{
	assert(atomic_load(&guard->jobs) > 0);
	add(&guard->jobs, -1U);
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
