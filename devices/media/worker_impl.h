/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_impl.h - what the files of worker.c share: the worker, its runners, its lists of jobs.
 *
 * One lock guards what the threads share. Who runs jobs is a struct runner with a thread of its
 * own; once its job is abandoned it belongs to nobody but that thread.
 */
#ifndef VMM_MEDIA_WORKER_IMPL_H
#define VMM_MEDIA_WORKER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "devices/media/worker.h"
#include "devices/media/worker_guard.h"
#include "devices/media/worker_signal.h"
#include "thread.h"

#define WORKER_NS_PER_MS UINT64_C(1000000)
#define WORKER_NS_PER_S	 UINT64_C(1000000000)

enum job_state {
	JOB_WAITING,
	JOB_RUNNING,
	JOB_RETURNED,  /* run() has come back; done() has not been called, or is being called */
	JOB_ABANDONED, /* run() goes on; done() has not been called, or is being called */
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
	void (*came_back)(void *owner); /* or NULL */
	void *owner;
	struct loop_timer timer;
	bool timing; /* the timer is set. Device's thread */
	struct worker_guard guard;
	pthread_mutex_t lock;  /* guards all below, and the runners */
	pthread_cond_t work;   /* a job waits, or @ending */
	pthread_cond_t quiet;  /* some job has come back */
	struct runner *runner; /* NULL: none has been needed, or its job is abandoned */
	struct job_list waiting;
	struct job_list told; /* returned or abandoned: done() is due */
	struct loop_post post;
	bool posted;	    /* the loop has it */
	bool stray_is_back; /* since the last post */
	atomic_uint strays; /* written with the lock held */
	bool ending;	    /* worker_free() has begun: the loop is out of reach */
	bool ended;	    /* worker_free() is over: the last stray frees the worker */
};

/* worker.c, with the lock held. */

/* worker_tell - done() of @job is due, with @result. */
void worker_tell(struct worker *worker, struct worker_job *job, int result);

/* worker_take - the first of @list; NULL. */
struct worker_job *worker_take(struct job_list *list);

/* worker_start - a runner, and its thread. Return: 0, or -errno. */
int worker_start(struct worker *worker);

/* worker.c, without it, on the device's thread: call done() where it is due. */
void worker_serve(struct worker *worker);

/* worker_time.c */

uint64_t worker_now(void); /* ns on CLOCK_MONOTONIC */

/* worker_watch - a job waits: its time runs. @timer: the worker's, on the device's thread. */
int worker_watch(struct worker *worker, uint64_t ns);

/* worker_drain - with the lock held: until nothing waits or runs, within the limits. */
void worker_drain(struct worker *worker);

#endif
