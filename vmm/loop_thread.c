/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_thread.c - a thread that runs a loop. See loop_thread.h.
 */
#include "loop_thread.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "thread.h"
#include "vmm/loop_impl.h"

struct loop_thread {
	struct thread thread;
	struct loop *loop;
	char name[16];
	bool started;
	int result; /* of loop_run() */
	void (*failed)(void *owner);
	void *owner;
	struct loop_post first;
	sem_t running; /* or has ended already */
};

static void on_first(struct loop_post *post)
{
	sem_post(&container_of(post, struct loop_thread, first)->running);
}

static void run(void *arg)
{
	struct loop_thread *thread = arg;

	thread->result = loop_run(thread->loop);
	if (thread->result < 0) {
		log_error("the event loop of thread %s failed: %s", thread->name,
			  strerror(-thread->result));
		if (thread->failed)
			thread->failed(thread->owner);
	}
	sem_post(&thread->running);
	/* Only this thread can, and the devices are taken apart without it. */
	loop_io_drain(thread->loop);
}

int loop_thread_new(struct loop_thread **out, enum loop_kind kind, unsigned int ops,
		    const char *name, struct error *err)
{
	struct loop_thread *thread = calloc(1, sizeof(*thread));
	int r;

	if (!thread)
		return error_set(err, ENOMEM, "out of memory");
	sem_init(&thread->running, 0, 0);
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	r = loop_new(&thread->loop, kind, ops, err);
	if (r < 0) {
		free(thread);
		return r;
	}
	*out = thread;
	return 0;
}

struct loop *loop_thread_loop(const struct loop_thread *thread)
{
	return thread->loop;
}

void loop_thread_on_failure(struct loop_thread *thread, void (*failed)(void *owner), void *owner)
{
	thread->failed = failed;
	thread->owner = owner;
}

int loop_thread_start(struct loop_thread *thread)
{
	int r = thread_start(&thread->thread, thread->name, run, thread);

	if (r < 0)
		return r;
	thread->started = true;
	/* From here on the loop is not the caller's any more: see loop_is_mine(). */
	loop_post(thread->loop, &thread->first, on_first);
	while (sem_wait(&thread->running) < 0 && errno == EINTR)
		;
	return thread->result;
}

void loop_thread_stop(struct loop_thread *thread)
{
	if (!thread->started)
		return;
	loop_stop(thread->loop);
	pthread_join(thread->thread.id, NULL);
	thread->started = false;
	/* A loop that failed is its thread's to the end. */
	atomic_store(&thread->loop->runner, NULL);
}

void loop_thread_free(struct loop_thread *thread)
{
	if (!thread)
		return;
	loop_thread_stop(thread);
	loop_free(thread->loop);
	sem_destroy(&thread->running);
	free(thread);
}
