/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_kinds.c - one test program for each implementation of the event loop. See loop_kinds.h.
 */
#include "loop_kinds.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "vmm/loop_impl.h"

/* More than any number of events in these tests takes turns. */
#define SETTLE_TURNS 40

static bool uring;
static unsigned int rung;

bool kind_select(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "epoll";
	struct loop *loop;
	struct error err;

	uring = strcmp(kind, "epoll") != 0;
	rung = strcmp(kind, "uring-plain") == 0 ? LOOP_URING_RUNGS - 1 : 0;
	if (!uring)
		return true;
	if (loop_new(&loop, LOOP_URING, 0, &err) == 0) {
		loop_free(loop);
		return true;
	}
	printf("1..0 # SKIP %s\n", err.text);
	return false;
}

enum loop_kind kind_chosen(void)
{
	return uring ? LOOP_URING : LOOP_EPOLL;
}

struct loop *kind_loop_for(unsigned int ops)
{
	struct loop *loop;
	struct error err;
	int r;

	r = uring ? loop_uring_new(&loop, ops, rung, &err) : loop_epoll_new(&loop, ops, &err);
	if (r == 0)
		r = loop_complete(&loop, loop, &err);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_string_equal(loop_name(loop), uring ? "io_uring" : "epoll");
	return loop;
}

struct loop *kind_loop(void)
{
	return kind_loop_for(0);
}

struct settling {
	struct loop_post post;
	struct loop *loop;
	unsigned int turns;
};

static void settle_turn(struct loop_post *post)
{
	struct settling *settling = container_of(post, struct settling, post);

	if (settling->turns-- == 0)
		loop_stop(settling->loop);
	else
		loop_post(settling->loop, post, settle_turn);
}

void settle(struct loop *loop)
{
	struct settling settling = {.loop = loop, .turns = SETTLE_TURNS};

	loop_post(loop, &settling.post, settle_turn);
	assert_int_equal(loop_run(loop), 0);
}

static void called(struct loop_watch *watch, uint32_t events)
{
	struct probe *probe = container_of(watch, struct probe, watch);
	char bytes[64];

	probe->calls++;
	probe->events = events;
	while (probe->take && read(watch->fd, bytes, sizeof(bytes)) > 0)
		;
	if (probe->remove)
		loop_watch_remove(probe->loop, &probe->remove->watch);
	if (probe->again)
		probe_once(probe->loop, probe, watch->fd, watch->events);
}

void probe_add(struct loop *loop, struct probe *probe, int fd, uint32_t events)
{
	probe->loop = loop;
	assert_int_equal(loop_watch_add(loop, &probe->watch, fd, events, called), 0);
}

void probe_once(struct loop *loop, struct probe *probe, int fd, uint32_t events)
{
	probe->loop = loop;
	assert_int_equal(loop_watch_once(loop, &probe->watch, fd, events, called), 0);
}

int new_eventfd(unsigned int count)
{
	int fd = eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

void poke(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}
