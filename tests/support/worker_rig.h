/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_rig.h - a worker, its loop, and jobs that note what becomes of them.
 *
 * A job that sleeps reads from a pipe. One that hangs does so with all signals blocked, as a call
 * does that sleeps uninterruptibly in the host's driver. What fails here fails the test.
 */
#ifndef VMM_TESTS_WORKER_RIG_H
#define VMM_TESTS_WORKER_RIG_H

#include <semaphore.h>
#include <stdatomic.h>

#include "devices/media/worker.h"

#define JOBS_MAX 16 /* of one test */

/* For jobs that hang; that are interrupted, on a machine that is busy; that end in time. */
extern const struct worker_limits limits_hanging, limits_interrupting, limits_patient;

struct job {
	struct worker_job job;
	int (*fn)(struct job *job);
	int fds[2]; /* a pipe */
	int value;  /* that it returns */
	atomic_uint runs;
	unsigned int order; /* in which it ran */
	bool is_done;
	int result;
	atomic_bool is_released;
};

struct worker_rig {
	struct loop *loop;
	struct worker *worker;
	unsigned int stop_at; /* done() is called so often, then the loop stops */
	unsigned int done_n;
	struct job *done[JOBS_MAX]; /* in order */
	atomic_uint runs;
	sem_t released;
	int fds[2 * JOBS_MAX]; /* of all pipes */
	unsigned int fds_n;
};

extern struct worker_rig worker_rig; /* of the test that runs */

/* worker_setup - a loop of the kind that was chosen (loop_kinds.h), and a worker. */
void worker_setup(const struct worker_limits *limits);
void worker_teardown(void);

/* worker_end - free the worker, and nothing else. */
void worker_end(void);

/* worker_run_until - run the loop until @n jobs altogether are done. */
void worker_run_until(unsigned int n);

/* worker_wait_released - until @n more jobs are released. */
void worker_wait_released(unsigned int n);

/* job_make - a job that does @fn. It stays where it is first put until the test ends. */
struct job job_make(int (*fn)(struct job *job), int value);
void job_submit(struct job *job);
void job_wait_running(struct job *job);

/* job_return, job_sleep, job_hang - for job_make(). The latter two end with job_wake(). */
int job_return(struct job *job);
int job_sleep(struct job *job);
int job_hang(struct job *job);
void job_wake(struct job *job);

/* job_done - what is called with a job's end. */
void job_done(struct worker_job *job, int result);

/* now_s - seconds on CLOCK_MONOTONIC. */
double now_s(void);

#endif
