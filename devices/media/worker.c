/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - jobs that may take long or never come back, and what is done about it. See worker.h.
 *
 * Here: jobs, the threads that run them, and how their end gets to the device's thread. Limits are
 * worker_time.c's.
 */
#include "devices/media/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/media/worker_impl.h"

static void append(struct job_list *list, struct worker_job *job)
{
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

struct worker_job *worker_take(struct job_list *list)
{
	struct worker_job *job = list->first;

	if (job) {
		list->first = job->next;
		if (!list->first)
			list->last = NULL;
	}
	return job;
}

static void destroy(struct worker *worker)
{
	pthread_cond_destroy(&worker->quiet);
	pthread_cond_destroy(&worker->work);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

/* What is done, on the device's thread. */

/* done() is over: release the job, or leave that to its thread. */
static void leave(struct worker *worker, struct worker_job *job)
{
	bool returned;

	pthread_mutex_lock(&worker->lock);
	returned = job->state == JOB_RETURNED;
	if (!returned)
		job->state = JOB_LEFT;
	pthread_mutex_unlock(&worker->lock);
	if (returned)
		job->release(job);
}

void worker_serve(struct worker *worker)
{
	struct worker_job *job;

	for (;;) {
		pthread_mutex_lock(&worker->lock);
		job = worker_take(&worker->told);
		pthread_mutex_unlock(&worker->lock);
		if (!job)
			return;
		worker_guard_job_end(&worker->guard);
		job->done(job, job->result);
		leave(worker, job);
	}
}

static void on_post(struct loop_post *post)
{
	struct worker *worker = container_of(post, struct worker, post);
	bool came_back;

	pthread_mutex_lock(&worker->lock);
	worker->posted = false;
	came_back = worker->stray_is_back;
	worker->stray_is_back = false;
	pthread_mutex_unlock(&worker->lock);
	worker_serve(worker);
	if (came_back && worker->came_back)
		worker->came_back(worker->owner);
}

/* With the lock held. */
static void post(struct worker *worker)
{
	if (worker->posted || worker->ending)
		return;
	worker->posted = true;
	loop_post(worker->loop, &worker->post, on_post);
}

void worker_tell(struct worker *worker, struct worker_job *job, int result)
{
	job->state = JOB_RETURNED;
	job->result = result;
	append(&worker->told, job);
	post(worker);
}

/* The runner's thread. */

/* With the lock held. Return: NULL if there will be no more. */
static struct worker_job *wait_for_job(struct worker *worker)
{
	while (!worker->waiting.first && !worker->ending)
		pthread_cond_wait(&worker->work, &worker->lock);
	return worker_take(&worker->waiting);
}

/* With the lock held, but not while the job runs. Return: its result. */
static int run_job(struct runner *runner, struct worker_job *job)
{
	struct worker *worker = runner->worker;
	int result;

	job->state = JOB_RUNNING;
	runner->job = job;
	runner->due = worker_now() + worker->limits.limit_ms * WORKER_NS_PER_MS;
	runner->interrupted = false;
	do {
		pthread_mutex_unlock(&worker->lock);
		result = job->run(job);
		pthread_mutex_lock(&worker->lock);
	} while (result == -EINTR && !runner->interrupted);
	if (job->finished) {
		pthread_mutex_unlock(&worker->lock);
		job->finished(job);
		pthread_mutex_lock(&worker->lock);
	}
	return result == -EINTR ? -ETIMEDOUT : result;
}

/* With the lock held, which it drops. The job has been abandoned: nobody waits for its thread. */
static void end_as_stray(struct runner *runner, struct worker_job *job)
{
	struct worker *worker = runner->worker;
	bool last;

	if (job->state == JOB_LEFT) {
		pthread_mutex_unlock(&worker->lock);
		job->release(job);
		pthread_mutex_lock(&worker->lock);
	} else {
		job->state = JOB_RETURNED;
	}
	atomic_fetch_sub(&worker->strays, 1);
	last = worker->ended && atomic_load(&worker->strays) == 0;
	worker->stray_is_back = true;
	post(worker);
	pthread_cond_signal(&worker->quiet);
	pthread_mutex_unlock(&worker->lock);
	free(runner);
	if (last)
		destroy(worker);
}

static void run(void *arg)
{
	struct runner *runner = arg;
	struct worker *worker = runner->worker;
	struct worker_job *job;
	int result;

	worker_signal_admit();
	pthread_mutex_lock(&worker->lock);
	while ((job = wait_for_job(worker))) {
		result = run_job(runner, job);
		if (worker->runner != runner) {
			end_as_stray(runner, job);
			return;
		}
		runner->job = NULL;
		worker_tell(worker, job, result);
		pthread_cond_signal(&worker->quiet);
	}
	pthread_mutex_unlock(&worker->lock);
}

int worker_start(struct worker *worker)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	int r;

	if (!runner)
		return -ENOMEM;
	runner->worker = worker;
	r = thread_start(&runner->thread, worker->name, run, runner);
	if (r < 0) {
		free(runner);
		return r;
	}
	worker->runner = runner;
	return 0;
}

/* The contract. */

int worker_new(struct worker **out, struct loop *loop, const char *name)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_condattr_t attr;
	int r;

	if (!worker)
		return -ENOMEM;
	worker->loop = loop;
	snprintf(worker->name, sizeof(worker->name), "%s", name);
	worker->limits = (struct worker_limits) {
		.limit_ms = WORKER_LIMIT_MS,
		.abandon_ms = WORKER_ABANDON_MS,
		.guard_ms = WORKER_GUARD_MS,
	};
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->quiet, &attr);
	pthread_condattr_destroy(&attr);
	worker_guard_init(&worker->guard, loop);
	r = worker_signal_prepare();
	/* So that it has its descriptor for good: a limit cannot fail later. */
	if (r == 0)
		r = worker_watch(worker, WORKER_LIMIT_MS * WORKER_NS_PER_MS);
	if (r < 0) {
		worker_guard_deinit(&worker->guard);
		destroy(worker);
		return r;
	}
	*out = worker;
	return 0;
}

void worker_set_came_back(struct worker *worker, void (*fn)(void *owner), void *owner)
{
	worker->came_back = fn;
	worker->owner = owner;
}

void worker_set_limits(struct worker *worker, const struct worker_limits *limits)
{
	assert(limits->limit_ms > 0 && limits->guard_ms > 0);
	assert(limits->abandon_ms > limits->limit_ms);
	worker->limits = *limits;
	worker->timing = false;
}

int worker_submit(struct worker *worker, struct worker_job *job)
{
	int r = 0;

	assert(loop_is_mine(worker->loop));
	pthread_mutex_lock(&worker->lock);
	if (atomic_load(&worker->strays) >= WORKER_STRAYS_MAX)
		r = -EIO;
	else if (!worker->runner)
		r = worker_start(worker);
	if (r == 0) {
		job->worker = worker;
		job->state = JOB_WAITING;
		append(&worker->waiting, job);
		pthread_cond_signal(&worker->work);
	}
	pthread_mutex_unlock(&worker->lock);
	if (r == 0)
		worker_guard_job_begin(&worker->guard, worker->limits.guard_ms * WORKER_NS_PER_MS);
	if (r == 0 && !worker->timing)
		(void)worker_watch(worker, worker->limits.limit_ms * WORKER_NS_PER_MS);
	return r;
}

unsigned int worker_strays(const struct worker *worker)
{
	return atomic_load(&worker->strays);
}

int worker_guard_begin(struct worker *worker)
{
	return worker_guard_enter(&worker->guard, worker->limits.guard_ms * WORKER_NS_PER_MS);
}

void worker_guard_end(struct worker *worker)
{
	worker_guard_leave(&worker->guard);
}

void worker_free(struct worker *worker)
{
	struct worker_job *job;
	bool last;

	if (!worker)
		return;
	loop_timer_clear(worker->loop, &worker->timer);
	worker_guard_deinit(&worker->guard);
	pthread_mutex_lock(&worker->lock);
	worker->ending = true;
	pthread_cond_signal(&worker->work);
	worker_drain(worker);
	pthread_mutex_unlock(&worker->lock);
	if (worker->runner)
		pthread_join(worker->runner->thread.id, NULL);
	free(worker->runner);
	while ((job = worker_take(&worker->told)))
		leave(worker, job);
	pthread_mutex_lock(&worker->lock);
	worker->ended = true;
	last = atomic_load(&worker->strays) == 0;
	pthread_mutex_unlock(&worker->lock);
	if (last)
		destroy(worker);
}
