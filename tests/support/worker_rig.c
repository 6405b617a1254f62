/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_rig.c - a worker and jobs for it. See worker_rig.h.
 */
#include "worker_rig.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "loop_kinds.h"

const struct worker_limits limits_hanging = {.limit_ms = 80, .abandon_ms = 300, .guard_ms = 5};
const struct worker_limits limits_interrupting = {
	.limit_ms = 80,
	.abandon_ms = 20000,
	.guard_ms = 5,
};
const struct worker_limits limits_patient = {
	.limit_ms = 60000,
	.abandon_ms = 61000,
	.guard_ms = 5,
};

struct worker_rig worker_rig;

void worker_setup(const struct worker_limits *limits)
{
	memset(&worker_rig, 0, sizeof(worker_rig));
	worker_rig.loop = kind_loop();
	sem_init(&worker_rig.released, 0, 0);
	assert_int_equal(worker_new(&worker_rig.worker, worker_rig.loop, "test-worker"), 0);
	worker_set_limits(worker_rig.worker, limits);
}

void worker_end(void)
{
	worker_free(worker_rig.worker);
	worker_rig.worker = NULL;
}

void worker_teardown(void)
{
	worker_end();
	loop_free(worker_rig.loop);
	sem_destroy(&worker_rig.released);
	while (worker_rig.fds_n > 0)
		close(worker_rig.fds[--worker_rig.fds_n]);
}

void worker_run_until(unsigned int n)
{
	worker_rig.stop_at = n;
	if (worker_rig.done_n < n)
		assert_int_equal(loop_run(worker_rig.loop), 0);
	assert_int_equal(worker_rig.done_n, n);
}

void worker_wait_released(unsigned int n)
{
	while (n-- > 0)
		while (sem_wait(&worker_rig.released) < 0)
			assert_int_equal(errno, EINTR);
}

static int run(struct worker_job *worker_job)
{
	struct job *job = container_of(worker_job, struct job, job);

	if (atomic_fetch_add(&job->runs, 1) == 0)
		job->order = atomic_fetch_add(&worker_rig.runs, 1);
	return job->fn(job);
}

void job_done(struct worker_job *worker_job, int result)
{
	struct job *job = container_of(worker_job, struct job, job);

	assert_false(job->is_done);
	assert_true(loop_is_mine(worker_rig.loop));
	job->is_done = true;
	job->result = result;
	worker_rig.done[worker_rig.done_n++] = job;
	if (worker_rig.done_n == worker_rig.stop_at)
		loop_stop(worker_rig.loop);
}

/* Not freed, so that the test can look at it. */
static void release(struct worker_job *worker_job)
{
	struct job *job = container_of(worker_job, struct job, job);

	if (atomic_exchange(&job->is_released, true))
		abort();
	sem_post(&worker_rig.released);
}

struct job job_make(int (*fn)(struct job *job), int value)
{
	struct job job = {
		.job = {.run = run, .done = job_done, .release = release},
		.fn = fn,
		.value = value,
	};

	assert_in_range(worker_rig.fds_n, 0, 2 * JOBS_MAX - 2);
	assert_int_equal(pipe(job.fds), 0);
	worker_rig.fds[worker_rig.fds_n++] = job.fds[0];
	worker_rig.fds[worker_rig.fds_n++] = job.fds[1];
	return job;
}

void job_submit(struct job *job)
{
	assert_int_equal(worker_submit(worker_rig.worker, &job->job), 0);
}

void job_wait_running(struct job *job)
{
	while (atomic_load(&job->runs) == 0)
		usleep(1000);
}

int job_return(struct job *job)
{
	return job->value;
}

/* As the system call does. */
int job_sleep(struct job *job)
{
	char byte;

	return read(job->fds[0], &byte, 1) < 0 ? -errno : job->value;
}

int job_hang(struct job *job)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = job_sleep(job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

void job_wake(struct job *job)
{
	assert_int_equal(write(job->fds[1], "", 1), 1);
}

double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
