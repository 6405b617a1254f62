/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * convert_thread.c - a thread that converts frames. See convert_thread.h.
 *
 * One lock guards what it shares with its owner. If it is left behind it frees everything itself,
 * should it ever come back.
 */
#include "devices/media/convert_thread.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "thread.h"

enum convert_state {
	CONVERT_IDLE,
	CONVERT_RUNNING, /* a frame is submitted */
	CONVERT_DONE,	 /* and can be collected */
};

struct convert_thread {
	struct thread thread;
	const struct convert_thread_ops *ops;
	void *converter;
	void *owner;
	unsigned int patience_ms;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	enum convert_state state;
	struct convert_frame frame;
	struct v4l2_format camera, format; /* of the frame: nobody else's */
	int64_t result;
	bool ending;
	bool ended; /* the thread is about to return */
	bool left;
};

static void destroy(struct convert_thread *thread)
{
	thread->ops->free(thread->converter);
	pthread_cond_destroy(&thread->changed);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
}

/* With the lock held, but not while it computes. */
static void work(struct convert_thread *thread)
{
	int64_t result;

	pthread_mutex_unlock(&thread->lock);
	result = thread->ops->convert(thread->converter, &thread->frame);
	pthread_mutex_lock(&thread->lock);
	thread->result = result;
	thread->state = CONVERT_DONE;
	if (!thread->ending)
		thread->ops->done(thread->owner);
}

static void run(void *arg)
{
	struct convert_thread *thread = arg;
	bool left;

	pthread_mutex_lock(&thread->lock);
	while (!thread->ending) {
		if (thread->state == CONVERT_RUNNING)
			work(thread);
		else
			pthread_cond_wait(&thread->changed, &thread->lock);
	}
	thread->ended = true;
	left = thread->left;
	pthread_cond_signal(&thread->changed);
	pthread_mutex_unlock(&thread->lock);
	if (left)
		destroy(thread);
}

int convert_thread_new(struct convert_thread **out, const struct convert_thread_ops *ops,
		       void *converter, void *owner)
{
	struct convert_thread *thread = calloc(1, sizeof(*thread));
	pthread_condattr_t attr;
	int r;

	if (!thread) {
		ops->free(converter);
		return -ENOMEM;
	}
	thread->ops = ops;
	thread->converter = converter;
	thread->owner = owner;
	thread->patience_ms = CONVERT_PATIENCE_MS;
	pthread_mutex_init(&thread->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->changed, &attr);
	pthread_condattr_destroy(&attr);
	r = thread_start(&thread->thread, "media-convert", run, thread);
	if (r < 0) {
		destroy(thread);
		return r;
	}
	*out = thread;
	return 0;
}

void convert_thread_set_patience(struct convert_thread *thread, unsigned int ms)
{
	thread->patience_ms = ms;
}

bool convert_thread_busy(struct convert_thread *thread)
{
	bool busy;

	pthread_mutex_lock(&thread->lock);
	busy = thread->state != CONVERT_IDLE;
	pthread_mutex_unlock(&thread->lock);
	return busy;
}

void convert_thread_submit(struct convert_thread *thread, const struct convert_frame *frame)
{
	pthread_mutex_lock(&thread->lock);
	assert(thread->state == CONVERT_IDLE);
	thread->camera = *frame->camera;
	thread->format = *frame->format;
	thread->frame = *frame;
	thread->frame.camera = &thread->camera;
	thread->frame.format = &thread->format;
	thread->state = CONVERT_RUNNING;
	pthread_cond_signal(&thread->changed);
	pthread_mutex_unlock(&thread->lock);
}

bool convert_thread_collect(struct convert_thread *thread, int64_t *result)
{
	bool done;

	pthread_mutex_lock(&thread->lock);
	done = thread->state == CONVERT_DONE;
	if (done) {
		*result = thread->result;
		thread->state = CONVERT_IDLE;
	}
	pthread_mutex_unlock(&thread->lock);
	return done;
}

/* With the lock held. Return: false if the thread has not ended by then. */
static bool wait_for_end(struct convert_thread *thread)
{
	struct timespec until;
	int code = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += thread->patience_ms / 1000;
	until.tv_nsec += (long)(thread->patience_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!thread->ended && code == 0)
		code = pthread_cond_timedwait(&thread->changed, &thread->lock, &until);
	return thread->ended;
}

bool convert_thread_free(struct convert_thread *thread)
{
	bool ended;

	if (!thread)
		return true;
	pthread_mutex_lock(&thread->lock);
	thread->ending = true;
	pthread_cond_signal(&thread->changed);
	ended = wait_for_end(thread);
	if (!ended) {
		thread->left = true;
		pthread_detach(thread->thread.id);
	}
	pthread_mutex_unlock(&thread->lock);
	if (!ended)
		return false;
	pthread_join(thread->thread.id, NULL);
	destroy(thread);
	return true;
}
