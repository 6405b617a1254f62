/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop.c - file descriptors in the event loop: when a watch is called, and when not.
 *
 * Its end, and many at once, are in test_loop_remove.c; timers and posts in test_loop_wake.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "loop_kinds.h"

/* Two ends of something: what is written to [1] can be read from [0]. */
static void pair_eventfd(int fds[2])
{
	fds[0] = new_eventfd(0);
	fds[1] = dup(fds[0]);
	assert_true(fds[1] >= 0);
}

static void pair_socket(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void pair_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
}

static const struct {
	const char *name;
	void (*make)(int fds[2]);
} pairs[] = {
	{"eventfd", pair_eventfd},
	{"socket", pair_socket},
	{"pipe", pair_pipe},
};

/* Eight bytes, as an eventfd wants them. */
static void put(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void check_calls(const struct probe *probe, unsigned int calls, const char *name)
{
	if (probe->calls != calls)
		fail_msg("%s: %u calls instead of %u", name, probe->calls, calls);
}

static void add_reports_what_is_ready_already(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct loop *loop = kind_loop();
		struct probe probe = {.take = true};
		int fds[2];

		pairs[i].make(fds);
		put(fds[1]);
		probe_add(loop, &probe, fds[0], POLLIN);
		settle(loop);
		check_calls(&probe, 1, pairs[i].name);
		assert_int_equal(probe.events, POLLIN);
		assert_true(loop_watch_active(&probe.watch));
		loop_free(loop);
		close_pair(fds);
	}
}

static void add_is_called_again_only_for_new_data(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct loop *loop = kind_loop();
		struct probe probe = {.take = false};
		int fds[2];

		pairs[i].make(fds);
		probe_add(loop, &probe, fds[0], POLLIN);
		settle(loop);
		check_calls(&probe, 0, pairs[i].name);
		put(fds[1]);
		settle(loop);
		check_calls(&probe, 1, pairs[i].name);
		settle(loop);
		check_calls(&probe, 1, pairs[i].name);
		put(fds[1]);
		settle(loop);
		check_calls(&probe, 2, pairs[i].name);
		probe.take = true;
		for (unsigned int n = 3; n < 100; n++) {
			put(fds[1]);
			settle(loop);
			check_calls(&probe, n, pairs[i].name);
		}
		loop_free(loop);
		close_pair(fds);
	}
}

static void once_ends_with_its_first_call(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct loop *loop = kind_loop();
		struct probe probe = {.take = true};
		int fds[2];

		pairs[i].make(fds);
		probe_once(loop, &probe, fds[0], POLLIN);
		assert_true(loop_watch_active(&probe.watch));
		put(fds[1]);
		settle(loop);
		check_calls(&probe, 1, pairs[i].name);
		assert_false(loop_watch_active(&probe.watch));
		put(fds[1]);
		settle(loop);
		check_calls(&probe, 1, pairs[i].name);
		loop_free(loop);
		close_pair(fds);
	}
}

static void once_fires_at_once_for_data_left_behind(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct loop *loop = kind_loop();
		struct probe probe = {.take = false};
		int fds[2];

		pairs[i].make(fds);
		put(fds[1]);
		for (unsigned int n = 1; n < 5; n++) {
			probe_once(loop, &probe, fds[0], POLLIN);
			settle(loop);
			check_calls(&probe, n, pairs[i].name);
		}
		/* From its own callback too, which must not keep the other events waiting. */
		probe.again = true;
		probe_once(loop, &probe, fds[0], POLLIN);
		settle(loop);
		assert_true(probe.calls > 10);
		loop_free(loop);
		close_pair(fds);
	}
}

static void fired_once_watch_leaves_its_fd_to_others(void **state)
{
	struct loop *loop = kind_loop();
	struct probe first = {.take = true}, second = {.take = true};
	int fd = new_eventfd(1);

	probe_once(loop, &first, fd, POLLIN);
	settle(loop);
	probe_add(loop, &second, fd, POLLIN);
	for (unsigned int n = 1; n < 4; n++) {
		poke(fd);
		settle(loop);
		assert_int_equal(second.calls, n);
	}
	loop_watch_remove(loop, &second.watch);
	probe_once(loop, &first, fd, POLLIN);
	poke(fd);
	settle(loop);
	assert_int_equal(first.calls, 2);
	assert_int_equal(second.calls, 3);
	loop_free(loop);
	close(fd);
}

static void unpollable_counts_as_ready(void **state)
{
	static const char *const paths[] = {"/proc/self/exe", "/dev/null", "/"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		static const uint32_t events[] = {POLLIN, POLLIN | POLLOUT, POLLPRI};
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		for (size_t e = 0; e < ARRAY_SIZE(events); e++) {
			struct loop *loop = kind_loop();
			struct probe probe = {.take = false};

			probe_add(loop, &probe, fd, events[e]);
			settle(loop);
			check_calls(&probe, 1, paths[i]);
			assert_int_equal(probe.events, events[e]);
			assert_true(loop_watch_active(&probe.watch));
			settle(loop);
			check_calls(&probe, 1, paths[i]);
			loop_watch_remove(loop, &probe.watch);
			for (unsigned int n = 2; n < 5; n++) {
				probe_once(loop, &probe, fd, events[e]);
				settle(loop);
				check_calls(&probe, n, paths[i]);
				assert_int_equal(probe.events, events[e]);
			}
			probe_once(loop, &probe, fd, events[e]);
			loop_watch_remove(loop, &probe.watch);
			settle(loop);
			check_calls(&probe, 4, paths[i]);
			loop_free(loop);
		}
		close(fd);
	}
}

static void check_hangup(size_t pair, bool once)
{
	struct loop *loop = kind_loop();
	struct probe probe = {.take = false};
	int fds[2];

	pairs[pair].make(fds);
	(once ? probe_once : probe_add)(loop, &probe, fds[0], POLLPRI);
	settle(loop);
	check_calls(&probe, 0, pairs[pair].name);
	close(fds[1]);
	settle(loop);
	check_calls(&probe, 1, pairs[pair].name);
	assert_int_equal(probe.events, POLLHUP);
	loop_free(loop);
	close(fds[0]);
}

static void hangup_is_reported(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		/* An eventfd has no other end. */
		if (pairs[i].make == pair_eventfd)
			continue;
		check_hangup(i, false);
		check_hangup(i, true);
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct sleeper {
	struct loop_timer timer;
	struct loop *loop;
};

static void wake_up(struct loop_timer *timer)
{
	struct sleeper *sleeper = container_of(timer, struct sleeper, timer);

	loop_timer_clear(sleeper->loop, timer);
	loop_stop(sleeper->loop);
}

/* Let time pass, and see that the loop sleeps meanwhile instead of going round and round. */
static void sleep_in(struct loop *loop)
{
	struct sleeper sleeper = {.loop = loop};
	uint64_t start;

	assert_int_equal(loop_timer_set(loop, &sleeper.timer, 200000000, 0, wake_up), 0);
	start = cpu_ns();
	assert_int_equal(loop_run(loop), 0);
	assert_true(cpu_ns() - start < 50000000);
}

/* The kernel's io_uring says POLLRDHUP without being asked; nobody else is to see that. */
static void half_closed_peer_does_not_count(void **state)
{
	for (int once = 0; once < 2; once++) {
		struct loop *loop = kind_loop();
		struct probe probe = {.take = false};
		char bytes[4096] = {0};
		int fds[2];

		pair_socket(fds);
		while (write(fds[0], bytes, sizeof(bytes)) > 0)
			;
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
		(once ? probe_once : probe_add)(loop, &probe, fds[0], POLLOUT);
		settle(loop);
		sleep_in(loop);
		assert_int_equal(probe.calls, 0);
		assert_true(loop_watch_active(&probe.watch));
		while (read(fds[1], bytes, sizeof(bytes)) > 0)
			;
		settle(loop);
		assert_true(once ? probe.calls == 1 : probe.calls >= 1);
		assert_int_equal(probe.events, POLLOUT);
		assert_int_equal(loop_watch_active(&probe.watch), !once);
		/* Nothing holds the socket any more: its peer sees the end. */
		if (!once)
			loop_watch_remove(loop, &probe.watch);
		assert_int_equal(read(fds[1], bytes, 1), -1);
		assert_int_equal(errno, EAGAIN);
		close(fds[0]);
		settle(loop);
		assert_int_equal(read(fds[1], bytes, 1), 0);
		close(fds[1]);
		loop_free(loop);
	}
}

static void never(struct loop_watch *watch, uint32_t events)
{
	fail();
}

static void wrong_adds_are_refused_alike(void **state)
{
	struct loop *loop = kind_loop();
	struct probe probe = {.take = true}, twin = {.take = true};
	struct loop_watch watch = {0};
	int fds[2], closed;

	pair_eventfd(fds);
	closed = dup(fds[0]);
	assert_true(closed >= 0);
	close(closed);
	assert_int_equal(loop_watch_add(loop, &watch, closed, POLLIN, never), -EBADF);
	assert_int_equal(loop_watch_once(loop, &watch, closed, POLLIN, never), -EBADF);
	assert_int_equal(loop_watch_add(loop, &watch, -1, POLLIN, never), -EBADF);
	probe_add(loop, &probe, fds[0], POLLIN);
	assert_int_equal(loop_watch_add(loop, &probe.watch, fds[1], POLLIN, never), -EBUSY);
	assert_int_equal(loop_watch_once(loop, &probe.watch, fds[0], POLLIN, never), -EBUSY);
	assert_int_equal(loop_watch_add(loop, &watch, fds[0], POLLIN, never), -EEXIST);
	assert_int_equal(loop_watch_once(loop, &watch, fds[0], POLLOUT, never), -EEXIST);
	assert_false(loop_watch_active(&watch));
	/* A second descriptor for the same file is another one. */
	probe_add(loop, &twin, fds[1], POLLIN);
	poke(fds[0]);
	settle(loop);
	assert_true(probe.calls + twin.calls >= 1);
	loop_watch_remove(loop, &watch);
	loop_watch_remove(loop, &probe.watch);
	probe_once(loop, &probe, fds[0], POLLIN);
	loop_free(loop);
	close_pair(fds);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_reports_what_is_ready_already),
		cmocka_unit_test(add_is_called_again_only_for_new_data),
		cmocka_unit_test(once_ends_with_its_first_call),
		cmocka_unit_test(once_fires_at_once_for_data_left_behind),
		cmocka_unit_test(fired_once_watch_leaves_its_fd_to_others),
		cmocka_unit_test(unpollable_counts_as_ready),
		cmocka_unit_test(hangup_is_reported),
		cmocka_unit_test(half_closed_peer_does_not_count),
		cmocka_unit_test(wrong_adds_are_refused_alike),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
