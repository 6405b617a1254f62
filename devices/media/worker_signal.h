/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_signal.h - the signal that gets a thread out of a system call in which it sleeps.
 *
 * Its handler does nothing and does not let the call restart, so the call fails with EINTR. All
 * threads but those that admit it have it blocked (thread.h).
 */
#ifndef VMM_MEDIA_WORKER_SIGNAL_H
#define VMM_MEDIA_WORKER_SIGNAL_H

#include <pthread.h>

#include "base.h"

/* worker_signal_prepare - before all else. Any thread, any number of times. Return: 0, -errno. */
int worker_signal_prepare(void);

/* worker_signal_admit - the calling thread takes the signal from now on. */
void worker_signal_admit(void);

/* worker_signal_send - to @thread, which has admitted it and has not been joined. */
void worker_signal_send(pthread_t thread);

/* worker_signal_send_to - the same to the thread with id @tid, which may be gone. */
void worker_signal_send_to(pid_t tid);

#endif
