/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_io_pool.c - threads that carry out file operations. See loop_io_pool.h.
 *
 * One lock guards it all. What is done goes to the loop as one post for as many operations as there
 * are by then, so a loop that is busy is not woken for each.
 */
#include "loop_io_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "thread.h"

#define IDLE_S 3

enum worker_state {
	WORKER_NONE,
	WORKER_RUNS,
	WORKER_ENDED, /* to be joined */
};

struct worker {
	struct thread thread;
	struct loop_io_pool *pool;
	enum worker_state state;
};

struct loop_io_pool {
	struct loop *loop;
	struct loop_post post; /* handed over whenever @done stops being empty */
	pthread_mutex_t lock;  /* guards all below */
	pthread_cond_t work;   /* something waits, or @ending */
	pthread_cond_t ended;  /* a worker did */
	struct loop_io_list waiting, done;
	unsigned int waiting_n;
	unsigned int workers_n; /* that run */
	unsigned int busy_n;	/* of these, are in a system call */
	bool ending;
	struct worker workers[LOOP_IO_THREADS];
};

static struct timespec in_seconds(unsigned int s)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_sec += (time_t)s;
	return when;
}

static int64_t carry_out(const struct loop_io *io)
{
	ssize_t r = -1;

	switch (io->op) {
	case LOOP_IO_READ:
		r = preadv(io->fd, io->iov, (int)io->iov_n, (off_t)io->offset);
		break;
	case LOOP_IO_WRITE:
		r = pwritev(io->fd, io->iov, (int)io->iov_n, (off_t)io->offset);
		break;
	case LOOP_IO_SYNC:
		r = fdatasync(io->fd);
		break;
	case LOOP_IO_ALLOCATE:
		r = fallocate(io->fd, io->mode, (off_t)io->offset, (off_t)io->len);
		break;
	}
	return r < 0 ? -errno : r;
}

static void serve_done(struct loop_post *post)
{
	struct loop_io_pool *pool = container_of(post, struct loop_io_pool, post);
	struct loop_io_list done;
	struct loop_io *io;

	pthread_mutex_lock(&pool->lock);
	done = pool->done;
	pool->done = (struct loop_io_list) {.first = NULL};
	pthread_mutex_unlock(&pool->lock);
	while ((io = loop_io_take(&done)))
		loop_io_finish(pool->loop, io, io->result);
}

/* With the lock held. Return: the loop has to be told, without the lock. */
static bool add_done(struct loop_io_pool *pool, struct loop_io *io, int64_t result)
{
	bool first = !pool->done.first;

	io->result = result;
	io->state = LOOP_IO_DONE;
	loop_io_append(&pool->done, io);
	return first;
}

/* Return: false if nothing came for so long that the worker may go. */
static bool wait_for_work(struct loop_io_pool *pool)
{
	const struct timespec until = in_seconds(IDLE_S);
	int code = 0;

	while (code == 0 && !pool->waiting.first && !pool->ending)
		code = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
	return pool->waiting.first;
}

static void work(void *arg)
{
	struct worker *worker = arg;
	struct loop_io_pool *pool = worker->pool;
	struct loop_io *io;

	pthread_mutex_lock(&pool->lock);
	while (pool->waiting.first || wait_for_work(pool)) {
		int64_t result;
		bool tell;

		io = loop_io_take(&pool->waiting);
		pool->waiting_n--;
		pool->busy_n++;
		io->state = LOOP_IO_RUNNING;
		pthread_mutex_unlock(&pool->lock);
		result = carry_out(io);
		pthread_mutex_lock(&pool->lock);
		pool->busy_n--;
		tell = add_done(pool, io, result);
		if (!tell)
			continue;
		pthread_mutex_unlock(&pool->lock);
		loop_post(pool->loop, &pool->post, serve_done);
		pthread_mutex_lock(&pool->lock);
	}
	pool->workers_n--;
	worker->state = WORKER_ENDED;
	pthread_cond_signal(&pool->ended);
	pthread_mutex_unlock(&pool->lock);
}

/* With the lock held. Return: 0, or -errno. */
static int start_worker(struct loop_io_pool *pool)
{
	struct worker *worker = pool->workers;
	int r;

	while (worker->state == WORKER_RUNS)
		worker++;
	if (worker->state == WORKER_ENDED)
		pthread_join(worker->thread.id, NULL);
	worker->pool = pool;
	r = thread_start(&worker->thread, "loop-io", work, worker);
	worker->state = r == 0 ? WORKER_RUNS : WORKER_NONE;
	pool->workers_n += r == 0;
	return r;
}

int loop_io_pool_submit(struct loop_io_pool *pool, struct loop_io *io)
{
	int r = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->waiting_n + pool->busy_n >= pool->workers_n && pool->workers_n < LOOP_IO_THREADS)
		r = start_worker(pool);
	if (pool->workers_n > 0) {
		io->state = LOOP_IO_WAITING;
		loop_io_append(&pool->waiting, io);
		pool->waiting_n++;
		pthread_cond_signal(&pool->work);
		r = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

void loop_io_pool_cancel(struct loop_io_pool *pool, struct loop_io *io)
{
	bool tell = false;

	pthread_mutex_lock(&pool->lock);
	if (io->state == LOOP_IO_WAITING) {
		loop_io_unlink(&pool->waiting, io);
		pool->waiting_n--;
		tell = add_done(pool, io, -ECANCELED);
	}
	pthread_mutex_unlock(&pool->lock);
	if (tell)
		loop_post(pool->loop, &pool->post, serve_done);
}

void loop_io_pool_drain(struct loop_io_pool *pool)
{
	struct timespec until = in_seconds(LOOP_IO_PATIENCE);

	pthread_mutex_lock(&pool->lock);
	pool->waiting = pool->done = (struct loop_io_list) {.first = NULL};
	pool->waiting_n = 0;
	pool->ending = true;
	pthread_cond_broadcast(&pool->work);
	while (pool->workers_n > 0) {
		if (pthread_cond_timedwait(&pool->ended, &pool->lock, &until) != ETIMEDOUT)
			continue;
		loop_io_report_wait(pool->workers_n);
		until = in_seconds(LOOP_IO_PATIENCE);
	}
	pool->done = (struct loop_io_list) {.first = NULL};
	pthread_mutex_unlock(&pool->lock);
	for (struct worker *worker = pool->workers; worker < pool->workers + LOOP_IO_THREADS;
	     worker++) {
		if (worker->state == WORKER_ENDED)
			pthread_join(worker->thread.id, NULL);
		worker->state = WORKER_NONE;
	}
}

int loop_io_pool_new(struct loop_io_pool **out, struct loop *loop)
{
	struct loop_io_pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attr;

	if (!pool)
		return -ENOMEM;
	pool->loop = loop;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work, &attr);
	pthread_cond_init(&pool->ended, &attr);
	pthread_condattr_destroy(&attr);
	*out = pool;
	return 0;
}

void loop_io_pool_free(struct loop_io_pool *pool)
{
	if (!pool)
		return;
	/* Idle threads are there without any operation. */
	loop_io_pool_drain(pool);
	pthread_cond_destroy(&pool->ended);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
