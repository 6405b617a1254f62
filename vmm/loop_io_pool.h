/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_io_pool.h - file operations of an epoll loop, carried out by a few threads.
 *
 * Belongs to the loop, whose thread makes all calls. Threads, all named "loop-io", are started when
 * none is free, up to LOOP_IO_THREADS, and end when they have been idle for some seconds.
 */
#ifndef VMM_LOOP_IO_POOL_H
#define VMM_LOOP_IO_POOL_H

#include "loop_impl.h"

#define LOOP_IO_THREADS 8

struct loop_io_pool;

/* loop_io_pool_new - a pool without threads. Return: 0 and *@out, owned by the caller; -ENOMEM. */
int loop_io_pool_new(struct loop_io_pool **out, struct loop *loop);

/* loop_io_pool_free - it was drained, or has nothing to do. NULL is fine. */
void loop_io_pool_free(struct loop_io_pool *pool);

/*
 * loop_io_pool_submit - have @io carried out; loop_io_finish() then tells, on the loop's thread.
 * Return: 0; -errno if there is no thread, and none can be started.
 */
int loop_io_pool_submit(struct loop_io_pool *pool, struct loop_io *io);

/* loop_io_pool_cancel - see loop_io_cancel(). What a thread has begun it also ends. */
void loop_io_pool_cancel(struct loop_io_pool *pool, struct loop_io *io);

/* loop_io_pool_drain - see loop_io_drain(). The threads end. */
void loop_io_pool_drain(struct loop_io_pool *pool);

#endif
