/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_guard.h - sees to it that a device's own thread cannot hang in the host.
 *
 * A thread of its own looks now and then whether the other one gets on: a call that lasts, and a
 * loop that does not answer (where it polls, a host's driver may make it wait for a lock), are sent
 * the signal of worker_signal.h. To be guarded costs the device's thread no system call as long as
 * it makes calls: what looks after quick calls must not make them slow. While it makes none, and no
 * job of the worker's is under way, nobody looks.
 */
#ifndef VMM_MEDIA_WORKER_GUARD_H
#define VMM_MEDIA_WORKER_GUARD_H

#include <semaphore.h>
#include <stdatomic.h>

#include "base.h"
#include "loop.h"
#include "thread.h"

/* struct worker_guard - embedded. Members are private. */
struct worker_guard {
	struct thread thread;
	bool started, failed; /* to start it */
	struct loop *loop;    /* borrowed */
	struct loop_post probe;
	atomic_bool asked;   /* the loop, which has not answered */
	atomic_int tid;	     /* who has called last */
	atomic_uint calls;   /* that have begun or ended: odd while one is under way */
	atomic_uint jobs;    /* under way */
	atomic_bool resting; /* the next call or job has to wake the thread */
	uint64_t period_ns;
	sem_t wake;
	atomic_bool ending;
};

/* worker_guard_init - @loop: of the thread to guard. */
void worker_guard_init(struct worker_guard *guard, struct loop *loop);

/*
 * worker_guard_enter - a call begins: if it still sleeps in the host after one to two times @ns
 * nanoseconds it is interrupted with EINTR, and as often as that again. @ns: of the first time
 * counts. A leave is due in any case. Device's thread; calls do not nest.
 * Return: 0; -errno and nothing is interrupted.
 */
int worker_guard_enter(struct worker_guard *guard, uint64_t ns);
void worker_guard_leave(struct worker_guard *guard);

/*
 * worker_guard_job_begin, _end - a job goes to the worker; it has come back, or was given up. While
 * there is one the loop is looked after even without calls. Device's thread.
 */
void worker_guard_job_begin(struct worker_guard *guard, uint64_t ns);
void worker_guard_job_end(struct worker_guard *guard);

/* worker_guard_deinit - whether there is something to leave or not. Any thread; the loop has ended.
 */
void worker_guard_deinit(struct worker_guard *guard);

#endif
