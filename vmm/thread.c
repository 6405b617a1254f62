/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread.c - start a thread with its signals in order. See thread.h.
 */
#include "thread.h"

#include <signal.h>
#include <stdio.h>

#include "vmm/signals.h"

/*
 * The stack for its fatal signals is the far end of the thread's own: what overflows is the other
 * one. What was installed before (a sanitizer's) is put back, for its owner frees it.
 */
static void *run(void *arg)
{
	struct thread *thread = arg;
	uint8_t crash_stack[SIGNALS_CRASH_STACK];
	const stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof(crash_stack)};
	stack_t before;

	sigaltstack(&stack, &before);
	pthread_setname_np(pthread_self(), thread->name);
	thread->fn(thread->arg);
	sigaltstack(&before, NULL);
	return NULL;
}

int thread_start(struct thread *thread, const char *name, void (*fn)(void *arg), void *arg)
{
	sigset_t mask, before;
	int code;

	thread->fn = fn;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	/* Inherited, so that there is no moment in which the new thread takes a signal. */
	signals_of_threads(&mask);
	pthread_sigmask(SIG_SETMASK, &mask, &before);
	code = pthread_create(&thread->id, NULL, run, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -code;
}
