/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_time.c - what is done about a job that takes too long, and waiting for jobs. See worker.h.
 *
 * The timer is set anew only when it has expired: while jobs come and go quickly it costs nothing,
 * and an idle worker none at all. Device's thread, whose loop cannot serve the timer while it waits
 * for jobs: then the limits are looked after right there.
 */
#include <assert.h>
#include <errno.h>
#include <time.h>

#include "devices/media/worker_impl.h"

/* A signal that arrives just before the system call is lost: there are some more. */
#define SIGNALS_PER_JOB 5

uint64_t worker_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * WORKER_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* With the lock held: a runner for the jobs that wait behind an abandoned one, or their end. */
static void go_on(struct worker *worker)
{
	struct worker_job *job;
	int r = -EIO;

	if (worker->waiting.first && atomic_load(&worker->strays) < WORKER_STRAYS_MAX)
		r = worker_start(worker);
	while (r < 0 && (job = worker_take(&worker->waiting)))
		worker_tell(worker, job, -EIO);
}

/* From the first signal until the job is abandoned. */
static uint64_t grace_of(const struct worker *worker)
{
	return (worker->limits.abandon_ms - worker->limits.limit_ms) * WORKER_NS_PER_MS;
}

/* With the lock held: neither thread nor memory of it will be waited for. */
static void abandon(struct worker *worker)
{
	struct runner *runner = worker->runner;

	pthread_detach(runner->thread.id);
	worker_tell(worker, runner->job, -ETIMEDOUT);
	runner->job->state = JOB_ABANDONED;
	atomic_fetch_add(&worker->strays, 1);
	worker->runner = NULL;
	go_on(worker);
}

/* With the lock held: do what is due about the job that runs. */
static void check(struct worker *worker)
{
	const uint64_t grace = grace_of(worker);
	struct runner *runner = worker->runner;
	const uint64_t now = worker_now();

	if (!runner || !runner->job || now < runner->due)
		return;
	/* Counted from the first signal, which comes late if this thread has stood still. */
	if (!runner->interrupted)
		runner->end = now + grace;
	runner->interrupted = true;
	if (now >= runner->end) {
		abandon(worker);
		return;
	}
	runner->due = MIN(now + grace / SIGNALS_PER_JOB + 1, runner->end);
	worker_signal_send(runner->thread.id);
}

/* With the lock held. Return: ns until check() has something to do; 0: no job is there. */
static uint64_t next_check(const struct worker *worker)
{
	const struct runner *runner = worker->runner;
	const uint64_t now = worker_now();

	if (runner && runner->job)
		return runner->due > now ? runner->due - now : 1;
	return worker->waiting.first ? worker->limits.limit_ms * WORKER_NS_PER_MS : 0;
}

static void on_timer(struct loop_timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, timer);
	uint64_t next;

	pthread_mutex_lock(&worker->lock);
	check(worker);
	next = next_check(worker);
	pthread_mutex_unlock(&worker->lock);
	worker->timing = next > 0;
	if (next > 0)
		(void)worker_watch(worker, next); /* it has its fd */
	worker_serve(worker);
}

int worker_watch(struct worker *worker, uint64_t ns)
{
	worker->timing = true;
	return loop_timer_set(worker->loop, &worker->timer, ns, 0, on_timer);
}

/* With the lock held: until a job has come back, or something is due, or @ns are over. */
static void sleep_for(struct worker *worker, uint64_t ns)
{
	const uint64_t until = worker_now() + ns;
	const struct timespec when = {
		.tv_sec = (time_t)(until / WORKER_NS_PER_S),
		.tv_nsec = (long)(until % WORKER_NS_PER_S),
	};

	pthread_cond_timedwait(&worker->quiet, &worker->lock, &when);
	check(worker);
}

void worker_drain(struct worker *worker)
{
	uint64_t next;

	while ((next = next_check(worker)) > 0)
		sleep_for(worker, next);
}

void worker_hurry(struct worker *worker)
{
	const uint64_t now = worker_now();
	struct runner *runner;

	pthread_mutex_lock(&worker->lock);
	runner = worker->runner;
	if (runner && runner->job && !runner->interrupted) {
		runner->end = MAX(runner->due, now) + grace_of(worker);
		runner->due = now;
		runner->interrupted = true;
	}
	check(worker);
	pthread_mutex_unlock(&worker->lock);
}

bool worker_wait(struct worker *worker, bool (*is_so)(void *arg), void *arg, unsigned int ms)
{
	const uint64_t end = worker_now() + ms * WORKER_NS_PER_MS;
	uint64_t now, next;
	bool r;

	assert(loop_is_mine(worker->loop));
	pthread_mutex_lock(&worker->lock);
	while (!(r = is_so(arg)) && (now = worker_now()) < end) {
		next = next_check(worker);
		sleep_for(worker, next ? MIN(next, end - now) : end - now);
	}
	pthread_mutex_unlock(&worker->lock);
	return r;
}

bool worker_busy(struct worker *worker)
{
	bool busy;

	pthread_mutex_lock(&worker->lock);
	busy = worker->waiting.first || (worker->runner && worker->runner->job);
	pthread_mutex_unlock(&worker->lock);
	return busy;
}
