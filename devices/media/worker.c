/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - jobs that may take long or never come back, and what is done about it. See worker.h.
 *
 * One lock guards what the threads share. Who runs jobs is a struct runner with a thread of its
 * own; once its job is abandoned it belongs to nobody but that thread. The timer is set anew only
 * when it has expired: while jobs come and go quickly it costs nothing, and an idle worker none at
 * all.
 */
#include "devices/media/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "devices/media/worker_signal.h"
#include "thread.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* A signal that arrives just before the system call is lost: there are some more. */
#define SIGNALS_PER_JOB 5

enum job_state {
	JOB_WAITING,
	JOB_RUNNING,
	JOB_RETURNED,  /* run() has come back; done() has not been called, or is being called */
	JOB_ABANDONED, /* run() goes on; done() is being called */
	JOB_LEFT,      /* run() goes on; whoever comes back from it releases the job */
};

struct job_list {
	struct worker_job *first, *last;
};

/* struct runner - a thread and the job that it does. Guarded by the worker's lock. */
struct runner {
	struct thread thread;
	struct worker *worker;
	struct worker_job *job; /* NULL: it waits for one */
	uint64_t due;		/* when something has to be done about the job */
	uint64_t end;		/* when it is abandoned, once it is .interrupted */
	bool interrupted;
};

struct worker {
	struct loop *loop;
	char name[16];
	struct worker_limits limits;
	struct loop_timer timer;
	bool timing; /* the timer is set. Device's thread */
	struct worker_guard guard;
	pthread_mutex_t lock;  /* guards all below, and the runners */
	pthread_cond_t work;   /* a job waits, or @ending */
	pthread_cond_t quiet;  /* while @ending: the runner has come back from a job */
	struct runner *runner; /* NULL: none has been needed, or its job is abandoned */
	struct job_list waiting, returned;
	struct loop_post post; /* handed over whenever @returned stops being empty */
	atomic_uint strays;    /* written with the lock held */
	bool ending;	       /* worker_free() has begun: the loop is out of reach */
	bool ended;	       /* worker_free() is over: the last stray frees the worker */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void append(struct job_list *list, struct worker_job *job)
{
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

static struct worker_job *take(struct job_list *list)
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
static void serve_returned(struct worker *worker)
{
	struct worker_job *job;

	for (;;) {
		pthread_mutex_lock(&worker->lock);
		job = take(&worker->returned);
		pthread_mutex_unlock(&worker->lock);
		if (!job)
			return;
		job->done(job, job->result);
		job->release(job);
	}
}

static void on_post(struct loop_post *post)
{
	serve_returned(container_of(post, struct worker, post));
}

/* With the lock held. */
static void add_returned(struct worker *worker, struct worker_job *job, int result)
{
	const bool tell = !worker->returned.first && !worker->ending;

	job->state = JOB_RETURNED;
	job->result = result;
	append(&worker->returned, job);
	if (tell)
		loop_post(worker->loop, &worker->post, on_post);
}

/* The runner's thread. */

/* With the lock held. Return: NULL if there will be no more. */
static struct worker_job *wait_for_job(struct worker *worker)
{
	while (!worker->waiting.first && !worker->ending)
		pthread_cond_wait(&worker->work, &worker->lock);
	return take(&worker->waiting);
}

/* With the lock held, but not while the job runs. Return: its result. */
static int run_job(struct runner *runner, struct worker_job *job)
{
	struct worker *worker = runner->worker;
	int result;

	job->state = JOB_RUNNING;
	runner->job = job;
	runner->due = now_ns() + worker->limits.limit_ms * NS_PER_MS;
	runner->interrupted = false;
	do {
		pthread_mutex_unlock(&worker->lock);
		result = job->run(job);
		pthread_mutex_lock(&worker->lock);
	} while (result == -EINTR && !runner->interrupted);
	return result == -EINTR ? -ETIMEDOUT : result;
}

/* With the lock held, which it drops. The job has been abandoned: nobody waits for its thread. */
static void end_as_stray(struct runner *runner, struct worker_job *job)
{
	struct worker *worker = runner->worker;
	const bool ours = job->state == JOB_LEFT;
	bool last;

	job->state = JOB_RETURNED;
	atomic_fetch_sub(&worker->strays, 1);
	last = worker->ended && atomic_load(&worker->strays) == 0;
	pthread_mutex_unlock(&worker->lock);
	if (ours)
		job->release(job);
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
		add_returned(worker, job, result);
		if (worker->ending)
			pthread_cond_signal(&worker->quiet);
	}
	pthread_mutex_unlock(&worker->lock);
}

/* With the lock held. Return: 0, or -errno. */
static int start_runner(struct worker *worker)
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

/* Time. */

/* With the lock held: a runner for the jobs that wait behind an abandoned one, or their end. */
static void go_on(struct worker *worker)
{
	struct worker_job *job;
	int r = -EIO;

	if (worker->waiting.first && atomic_load(&worker->strays) < WORKER_STRAYS_MAX)
		r = start_runner(worker);
	while (r < 0 && (job = take(&worker->waiting)))
		add_returned(worker, job, r);
}

/*
 * With the lock held: do what is due about the job that runs.
 * Return: the job, if it is abandoned by that; NULL.
 */
static struct worker_job *check(struct worker *worker)
{
	struct runner *runner = worker->runner;
	const uint64_t now = now_ns();
	uint64_t grace;

	if (!runner || !runner->job || now < runner->due)
		return NULL;
	grace = (worker->limits.abandon_ms - worker->limits.limit_ms) * NS_PER_MS;
	/* Counted from the first signal, which comes late if this thread has stood still. */
	if (!runner->interrupted)
		runner->end = now + grace;
	runner->interrupted = true;
	if (now < runner->end) {
		runner->due = MIN(now + grace / SIGNALS_PER_JOB + 1, runner->end);
		worker_signal_send(runner->thread.id);
		return NULL;
	}
	/* Neither thread nor memory of it will be waited for. */
	pthread_detach(runner->thread.id);
	runner->job->state = JOB_ABANDONED;
	atomic_fetch_add(&worker->strays, 1);
	worker->runner = NULL;
	go_on(worker);
	return runner->job;
}

/* With the lock held. Return: ns until check() has something to do; 0: no job is there. */
static uint64_t next_check(const struct worker *worker)
{
	const struct runner *runner = worker->runner;
	const uint64_t now = now_ns();

	if (runner && runner->job)
		return runner->due > now ? runner->due - now : 1;
	return worker->waiting.first ? worker->limits.limit_ms * NS_PER_MS : 0;
}

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

static void on_timer(struct loop_timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, timer);
	struct worker_job *abandoned;
	uint64_t next;

	pthread_mutex_lock(&worker->lock);
	abandoned = check(worker);
	next = next_check(worker);
	pthread_mutex_unlock(&worker->lock);
	worker->timing = next > 0;
	if (next > 0)
		(void)loop_timer_set(worker->loop, timer, next, 0, on_timer); /* it has its fd */
	if (abandoned) {
		abandoned->done(abandoned, -ETIMEDOUT);
		leave(worker, abandoned);
	}
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
	r = worker_signal_prepare();
	/* So that it has its descriptor for good: a limit cannot fail later. */
	if (r == 0)
		r = loop_timer_set(loop, &worker->timer, WORKER_LIMIT_MS * NS_PER_MS, 0, on_timer);
	if (r < 0) {
		destroy(worker);
		return r;
	}
	worker->timing = true;
	*out = worker;
	return 0;
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
		r = start_runner(worker);
	if (r == 0) {
		job->worker = worker;
		job->state = JOB_WAITING;
		append(&worker->waiting, job);
		pthread_cond_signal(&worker->work);
	}
	pthread_mutex_unlock(&worker->lock);
	if (r == 0 && !worker->timing) {
		worker->timing = true;
		(void)loop_timer_set(worker->loop, &worker->timer,
				     worker->limits.limit_ms * NS_PER_MS, 0, on_timer);
	}
	return r;
}

unsigned int worker_strays(const struct worker *worker)
{
	return atomic_load(&worker->strays);
}

int worker_guard_begin(struct worker *worker)
{
	return worker_guard_enter(&worker->guard, worker->limits.guard_ms * NS_PER_MS);
}

void worker_guard_end(struct worker *worker)
{
	worker_guard_leave(&worker->guard);
}

/* With the lock held: until nothing waits or runs. */
static void finish(struct worker *worker)
{
	uint64_t next;

	while ((next = next_check(worker)) > 0) {
		const uint64_t until = now_ns() + next;
		const struct timespec when = {
			.tv_sec = (time_t)(until / NS_PER_S),
			.tv_nsec = (long)(until % NS_PER_S),
		};
		struct worker_job *job;

		pthread_cond_timedwait(&worker->quiet, &worker->lock, &when);
		job = check(worker);
		if (job)
			job->state = JOB_LEFT;
	}
}

void worker_free(struct worker *worker)
{
	struct worker_job *job;
	bool last;

	if (!worker)
		return;
	loop_timer_clear(worker->loop, &worker->timer);
	worker_guard_clear(&worker->guard);
	pthread_mutex_lock(&worker->lock);
	worker->ending = true;
	pthread_cond_signal(&worker->work);
	finish(worker);
	pthread_mutex_unlock(&worker->lock);
	if (worker->runner)
		pthread_join(worker->runner->thread.id, NULL);
	free(worker->runner);
	while ((job = take(&worker->returned)))
		job->release(job);
	pthread_mutex_lock(&worker->lock);
	worker->ended = true;
	last = atomic_load(&worker->strays) == 0;
	pthread_mutex_unlock(&worker->lock);
	if (last)
		destroy(worker);
}
