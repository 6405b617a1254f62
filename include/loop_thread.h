/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_thread.h - a thread that runs a loop, for devices that the main thread shall not wait for.
 *
 * Made, started and stopped by the main thread.
 */
#ifndef VMM_LOOP_THREAD_H
#define VMM_LOOP_THREAD_H

#include "base.h"
#include "error.h"
#include "loop.h"

struct loop_thread;

/*
 * loop_thread_new - a loop whose thread does not run yet: until then the caller may use the loop.
 * @kind, @ops: as for loop_new(). @name: of the thread, at most 15 characters.
 * Return: 0 and *@out, owned by the caller; or -errno and a sentence.
 */
int loop_thread_new(struct loop_thread **out, enum loop_kind kind, unsigned int ops,
		    const char *name, struct error *err);

/* loop_thread_loop - its loop. Borrowed. */
struct loop *loop_thread_loop(const struct loop_thread *thread);

/*
 * loop_thread_on_failure - call @failed on the thread if its loop fails: nothing is served any
 * more. Before loop_thread_start(). @owner: borrowed.
 */
void loop_thread_on_failure(struct loop_thread *thread, void (*failed)(void *owner), void *owner);

/*
 * loop_thread_start - run. Signals that the main thread takes are blocked in it. On return the loop
 * is that thread's: loop_is_mine() is false for all others.
 * Return: 0 or -errno.
 */
int loop_thread_start(struct loop_thread *thread);

/*
 * loop_thread_stop - end the loop and wait for its thread, if it was started. File operations in
 * flight are cancelled and waited for, uncalled, as in loop_free(). From then on the loop is the
 * caller's again, to take devices apart; it does not run any more.
 */
void loop_thread_stop(struct loop_thread *thread);

/* loop_thread_free - stop, free the loop. NULL is fine. */
void loop_thread_free(struct loop_thread *thread);

#endif
