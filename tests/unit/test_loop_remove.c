/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_remove.c - the end of a watch in the event loop: whatever its owner does in a callback,
 * and however many events are on their way, none reaches a watch that has ended.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "loop_kinds.h"

#define MANY 300 /* more than there are entries in any ring or batch */

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void remove_in_own_callback(void **state)
{
	struct loop *loop = kind_loop();
	struct probe probe = {.take = true};
	int fd = new_eventfd(1);

	probe.remove = &probe;
	probe_add(loop, &probe, fd, POLLIN);
	settle(loop);
	assert_int_equal(probe.calls, 1);
	assert_false(loop_watch_active(&probe.watch));
	loop_watch_remove(loop, &probe.watch);
	poke(fd);
	settle(loop);
	assert_int_equal(probe.calls, 1);
	loop_free(loop);
	close(fd);
}

static void remove_drops_an_event_of_the_same_batch(void **state)
{
	struct loop *loop = kind_loop();
	struct probe a = {.take = true}, b = {.take = true};
	int fds[] = {new_eventfd(1), new_eventfd(1)};

	a.remove = &b;
	b.remove = &a;
	probe_add(loop, &a, fds[0], POLLIN);
	probe_add(loop, &b, fds[1], POLLIN);
	settle(loop);
	assert_int_equal(a.calls + b.calls, 1);
	loop_free(loop);
	close_pair(fds);
}

static void remove_before_the_loop_runs(void **state)
{
	struct loop *loop = kind_loop();
	struct probe probe = {.take = true};
	int fd = new_eventfd(1);

	probe_add(loop, &probe, fd, POLLIN);
	loop_watch_remove(loop, &probe.watch);
	settle(loop);
	assert_int_equal(probe.calls, 0);
	probe_add(loop, &probe, fd, POLLIN);
	loop_watch_remove(loop, &probe.watch);
	probe_add(loop, &probe, fd, POLLIN);
	settle(loop);
	assert_int_equal(probe.calls, 1);
	loop_free(loop);
	close(fd);
}

/* Of two owners the one that is called first frees both. */
struct owner {
	struct loop_watch watch;
	struct loop *loop;
	struct owner *other;
	unsigned int *calls;
};

static void free_owners(struct loop_watch *watch, uint32_t events)
{
	struct owner *owner = container_of(watch, struct owner, watch);

	++*owner->calls;
	loop_watch_remove(owner->loop, &owner->other->watch);
	loop_watch_remove(owner->loop, &owner->watch);
	free(owner->other);
	free(owner);
}

static void owners_freed_in_a_callback(void **state)
{
	struct loop *loop = kind_loop();
	struct owner *owners[2];
	unsigned int calls = 0;
	int fds[] = {new_eventfd(1), new_eventfd(1)};

	for (int i = 0; i < 2; i++) {
		owners[i] = calloc(1, sizeof(*owners[i]));
		assert_non_null(owners[i]);
	}
	for (int i = 0; i < 2; i++) {
		owners[i]->loop = loop;
		owners[i]->other = owners[!i];
		owners[i]->calls = &calls;
		assert_int_equal(
			loop_watch_add(loop, &owners[i]->watch, fds[i], POLLIN, free_owners), 0);
	}
	settle(loop);
	assert_int_equal(calls, 1);
	poke(fds[0]);
	poke(fds[1]);
	settle(loop);
	assert_int_equal(calls, 1);
	loop_free(loop);
	close_pair(fds);
}

/* Replaces the other watch, whose event is in the same batch, by one of an idle fd. */
struct replacer {
	struct loop_watch watch;
	struct loop *loop;
	struct replacer *other;
	struct probe *idle;
	int fd;
	bool same_fd;
	unsigned int *calls;
};

static void replace(struct loop_watch *watch, uint32_t events)
{
	struct replacer *replacer = container_of(watch, struct replacer, watch);
	const int old = replacer->other->watch.fd;
	int fd = replacer->fd;

	++*replacer->calls;
	loop_watch_remove(replacer->loop, &replacer->other->watch);
	if (replacer->same_fd) {
		assert_int_equal(dup2(fd, old), old);
		fd = old;
	}
	probe_add(replacer->loop, replacer->idle, fd, POLLIN);
}

static void late_event_does_not_reach_the_next_watch(void **state)
{
	for (int same_fd = 0; same_fd < 2; same_fd++) {
		struct loop *loop = kind_loop();
		struct probe idle = {.take = true};
		struct replacer replacers[2];
		unsigned int calls = 0;
		int fds[] = {new_eventfd(1), new_eventfd(1)}, fd = new_eventfd(0);

		for (int i = 0; i < 2; i++) {
			replacers[i] = (struct replacer) {
				.loop = loop,
				.other = &replacers[!i],
				.idle = &idle,
				.fd = fd,
				.same_fd = same_fd,
				.calls = &calls,
			};
			assert_int_equal(loop_watch_add(loop, &replacers[i].watch, fds[i], POLLIN,
							replace),
					 0);
		}
		settle(loop);
		assert_int_equal(calls, 1);
		assert_int_equal(idle.calls, 0);
		poke(fd);
		settle(loop);
		assert_int_equal(idle.calls, 1);
		loop_free(loop);
		close_pair(fds);
		close(fd);
	}
}

static void more_watches_than_entries(void **state)
{
	static struct probe probes[MANY];
	struct probe file = {.take = false};
	struct loop *loop = kind_loop();
	int fds[MANY], fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(probes, 0, sizeof(probes));
	for (size_t i = 0; i < MANY; i++) {
		fds[i] = new_eventfd(1);
		probes[i].take = true;
		probe_add(loop, &probes[i], fds[i], POLLIN);
		/* A file among them stays a file, whatever overflows. */
		if (i == MANY - 10)
			probe_add(loop, &file, fd, POLLIN);
	}
	for (unsigned int n = 1; n < 5; n++) {
		settle(loop);
		for (size_t i = 0; i < MANY; i++) {
			assert_int_equal(probes[i].calls, n);
			poke(fds[i]);
		}
	}
	assert_int_equal(file.calls, 1);
	for (size_t i = 0; i < MANY; i++)
		if (i % 3)
			loop_watch_remove(loop, &probes[i].watch);
	settle(loop);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(probes[i].calls, i % 3 ? 4 : 5);
	loop_free(loop);
	for (size_t i = 0; i < MANY; i++)
		close(fds[i]);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remove_in_own_callback),
		cmocka_unit_test(remove_drops_an_event_of_the_same_batch),
		cmocka_unit_test(remove_before_the_loop_runs),
		cmocka_unit_test(owners_freed_in_a_callback),
		cmocka_unit_test(late_event_does_not_reach_the_next_watch),
		cmocka_unit_test(more_watches_than_entries),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("loop_remove", tests, NULL, NULL);
}
