/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread.h - a thread of vmm's own: a vCPU's, or one that serves devices.
 *
 * All threads but the main one are started here, so that all of them leave the signals from outside
 * to the main thread, and can tell a crash of theirs even when it is the overflow of their stack.
 */
#ifndef VMM_THREAD_H
#define VMM_THREAD_H

#include <pthread.h>

#include "base.h"

/* struct thread - embedded in its owner, at one address until the thread is joined. */
struct thread {
	pthread_t id; /* to join or signal it */
	/* private */
	void (*fn)(void *arg);
	void *arg;
	char name[16];
};

/*
 * thread_start - run @fn(@arg) in a thread of its own, which the caller joins by pthread_join().
 * @name: for ps(1) and debuggers; what exceeds 15 characters is cut.
 * All signals are blocked in it but those of a crash. Any thread. Return: 0, or -errno.
 */
int thread_start(struct thread *thread, const char *name, void (*fn)(void *arg), void *arg);

#endif
