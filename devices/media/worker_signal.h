/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_signal.h - the signal that gets a thread out of a system call in which it sleeps: sent by
 * another thread, or by a clock.
 *
 * Its handler does nothing and does not let the call restart, so the call fails with EINTR. All
 * threads but those that admit it have it blocked (thread.h).
 */
#ifndef VMM_MEDIA_WORKER_SIGNAL_H
#define VMM_MEDIA_WORKER_SIGNAL_H

#include <pthread.h>
#include <time.h>

#include "base.h"

/* worker_signal_prepare - before all else. Any thread, any number of times. Return: 0, -errno. */
int worker_signal_prepare(void);

/* worker_signal_admit - the calling thread takes the signal from now on. */
void worker_signal_admit(void);

/* worker_signal_send - to @thread, which runs and has admitted it. */
void worker_signal_send(pthread_t thread);

/*
 * struct worker_guard - a clock that sends the signal to one thread again and again. Embedded,
 * zero-initialised; cleared before its owner goes away. Of the thread that it guards.
 */
struct worker_guard {
	timer_t timer;
	pid_t thread; /* that the timer signals; 0: there is no timer */
	unsigned int depth;
};

/*
 * worker_guard_enter - signal the calling thread every @ns nanoseconds, if that is not done yet.
 * A leave is due in any case. Return: 0; -errno and there are no signals.
 */
int worker_guard_enter(struct worker_guard *guard, uint64_t ns);
void worker_guard_leave(struct worker_guard *guard);

/* worker_guard_clear - release, whether there is something to leave or not. Any thread. */
void worker_guard_clear(struct worker_guard *guard);

#endif
