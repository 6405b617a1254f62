/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_epoll.c - the event loop's waiting over epoll(7), for hosts where io_uring is off.
 *
 * Adds are edge-triggered; a once-watch is level-triggered and switched off by its first event.
 * File operations go to threads, see loop_io_pool.h. The loop's thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "loop_impl.h"
#include "loop_io_pool.h"

#define EVENTS_MAX 32 /* fetched in one turn; the others come in the next */

struct epoll_loop {
	struct loop loop;
	int fd;
	struct loop_io_pool *pool; /* NULL without LOOP_FILE_IO */
};

static struct epoll_loop *epoll_loop(struct loop *loop)
{
	return container_of(loop, struct epoll_loop, loop);
}

static int start(struct loop *loop)
{
	return 0;
}

static int arm(struct loop *loop, struct loop_slot *slot, uint64_t id)
{
	const int fd = epoll_loop(loop)->fd;
	struct epoll_event event = {
		.events = slot->watch->events | (slot->once ? EPOLLONESHOT : EPOLLET),
		.data.u64 = id,
	};

	/* A once-watch that has fired leaves its descriptor in the set, switched off. */
	if (epoll_ctl(fd, EPOLL_CTL_MOD, slot->watch->fd, &event) == 0)
		return 0;
	if (errno == ENOENT && epoll_ctl(fd, EPOLL_CTL_ADD, slot->watch->fd, &event) == 0)
		return 0;
	return -errno;
}

static void disarm(struct loop *loop, struct loop_slot *slot, uint64_t id)
{
	/* Fails for a descriptor that cannot be polled and so is not in the set. */
	(void)epoll_ctl(epoll_loop(loop)->fd, EPOLL_CTL_DEL, slot->watch->fd, NULL);
}

static int turn(struct loop *loop)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(epoll_loop(loop)->fd, events, EVENTS_MAX, -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		loop_fire(loop, events[i].data.u64, events[i].events);
	return 0;
}

static int io_submit(struct loop *loop, struct loop_io *io)
{
	return loop_io_pool_submit(epoll_loop(loop)->pool, io);
}

static void io_cancel(struct loop *loop, struct loop_io *io)
{
	loop_io_pool_cancel(epoll_loop(loop)->pool, io);
}

static void io_drain(struct loop *loop)
{
	loop_io_pool_drain(epoll_loop(loop)->pool);
}

static void epoll_free(struct loop *loop)
{
	struct epoll_loop *epoll = epoll_loop(loop);

	loop_io_pool_free(epoll->pool);
	closep(&epoll->fd);
	free(epoll);
}

static const struct loop_ops epoll_ops = {
	.name = "epoll",
	.free = epoll_free,
	.start = start,
	.arm = arm,
	.disarm = disarm,
	.turn = turn,
	.io_submit = io_submit,
	.io_cancel = io_cancel,
	.io_drain = io_drain,
};

int loop_epoll_new(struct loop **out, unsigned int ops, struct error *err)
{
	struct epoll_loop *epoll = calloc(1, sizeof(*epoll));
	int r = 0;

	if (!epoll)
		return error_set(err, ENOMEM, "out of memory");
	epoll->loop.ops = &epoll_ops;
	epoll->loop.file_io = ops & LOOP_FILE_IO;
	epoll->fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll->fd < 0)
		r = error_set(err, errno, "cannot create an epoll set: %s", strerror(errno));
	else if (epoll->loop.file_io && loop_io_pool_new(&epoll->pool, &epoll->loop) < 0)
		r = error_set(err, ENOMEM, "out of memory");
	if (r < 0) {
		epoll_free(&epoll->loop);
		return r;
	}
	*out = &epoll->loop;
	return 0;
}
