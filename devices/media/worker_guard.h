/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_guard.h - sees to it that a call of a device's own thread cannot hang in the host.
 *
 * A thread of its own looks once in a while whether a call is under way, and sends it the signal of
 * worker_signal.h if so. To be guarded costs the device's thread no system call: what looks after
 * quick calls must not make them slow. While no calls are made nobody looks.
 */
#ifndef VMM_MEDIA_WORKER_GUARD_H
#define VMM_MEDIA_WORKER_GUARD_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base.h"
#include "thread.h"

/* struct worker_guard - embedded. Members are private. */
struct worker_guard {
	struct thread thread;
	bool started;	     /* there is a thread */
	pthread_t guarded;   /* who has called last */
	atomic_int tid;	     /* the same, as the kernel knows it */
	atomic_uint calls;   /* that have begun or ended: odd while one is under way */
	atomic_bool resting; /* the next call has to wake the thread */
	uint64_t period_ns;
	sem_t wake; /* a call has begun, or .ending */
	atomic_bool ending;
};

/* worker_guard_init - before all else. */
void worker_guard_init(struct worker_guard *guard);

/*
 * worker_guard_enter - a call begins: if it sleeps in the host when @ns nanoseconds are over, and
 * as often as that again, it is interrupted with EINTR. @ns: of the first time counts. A leave is
 * due in any case. One thread at a time; calls do not nest. Return: 0; -errno and nothing is
 * interrupted.
 */
int worker_guard_enter(struct worker_guard *guard, uint64_t ns);
void worker_guard_leave(struct worker_guard *guard);

/* worker_guard_deinit - whether there is something to leave or not. Any thread, in the end. */
void worker_guard_deinit(struct worker_guard *guard);

#endif
