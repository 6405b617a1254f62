/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_signal.c - eventfds at the event loop's two ends: loop_signal(), and watches of
 * eventfds that nobody reads.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "loop_kinds.h"

#define SIGNALS 1000 /* more than a submission queue holds */
#define WRITES	20000

/* What the loop has added to @fd so far. */
static uint64_t count_of(int fd)
{
	eventfd_t count = 0;

	(void)eventfd_read(fd, &count);
	return count;
}

struct sender {
	struct loop_post post;
	struct loop *loop;
	int fds[2];
	unsigned int n;
};

static void send_and_stop(struct loop_post *post)
{
	struct sender *sender = container_of(post, struct sender, post);

	for (unsigned int i = 0; i < sender->n; i++) {
		loop_signal(sender->loop, sender->fds[0]);
		if (i % 4 == 0)
			loop_signal(sender->loop, sender->fds[1]);
	}
	loop_stop(sender->loop);
}

static void signals_are_out_when_the_run_ends(void **state)
{
	static const unsigned int counts[] = {1, 2, 63, 64, 65, SIGNALS};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct sender sender = {.loop = kind_loop(), .n = counts[i]};

		for (int k = 0; k < 2; k++)
			sender.fds[k] = new_eventfd(0);
		for (int round = 0; round < 3; round++) {
			loop_post(sender.loop, &sender.post, send_and_stop);
			assert_int_equal(loop_run(sender.loop), 0);
			assert_int_equal(count_of(sender.fds[0]), counts[i]);
			assert_int_equal(count_of(sender.fds[1]), (counts[i] + 3) / 4);
		}
		settle(sender.loop);
		assert_int_equal(count_of(sender.fds[0]), 0);
		loop_free(sender.loop);
		for (int k = 0; k < 2; k++)
			close(sender.fds[k]);
	}
}

/* A descriptor may be closed, and its number used again, as soon as the loop does not run. */
static void signal_outside_of_a_run_is_at_once(void **state)
{
	struct loop *loop = kind_loop();
	int fd = new_eventfd(0), other;

	for (int round = 0; round < 2; round++) {
		loop_signal(loop, fd);
		assert_int_equal(count_of(fd), 1);
		other = new_eventfd(0);
		assert_int_equal(dup2(other, fd), fd);
		settle(loop);
		assert_int_equal(count_of(other), 0);
		close(other);
	}
	loop_free(loop);
	close(fd);
}

/* Signals go round: the watch of each eventfd signals the next one. */
struct relay {
	struct loop_watch watch;
	struct loop *loop;
	struct relay *next;
	unsigned int *rounds;
};

static void pass_on(struct loop_watch *watch, uint32_t events)
{
	struct relay *relay = container_of(watch, struct relay, watch);

	if (++*relay->rounds == SIGNALS)
		loop_stop(relay->loop);
	else
		loop_signal(relay->loop, relay->next->watch.fd);
}

static void loop_sees_its_own_signals(void **state)
{
	struct loop *loop = kind_loop();
	struct relay relays[3] = {{.loop = loop}, {.loop = loop}, {.loop = loop}};
	unsigned int rounds = 0;

	for (size_t i = 0; i < ARRAY_SIZE(relays); i++) {
		relays[i].next = &relays[(i + 1) % ARRAY_SIZE(relays)];
		relays[i].rounds = &rounds;
		assert_int_equal(
			loop_watch_add(loop, &relays[i].watch, new_eventfd(0), POLLIN, pass_on), 0);
	}
	poke(relays[0].watch.fd);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(rounds, SIGNALS);
	loop_free(loop);
	for (size_t i = 0; i < ARRAY_SIZE(relays); i++)
		close(relays[i].watch.fd);
}

/* Another thread takes signals and looks at what was written before them. */
struct ledger {
	struct loop_post post;
	struct loop *loop;
	int fd;
	atomic_uint written; /* relaxed: the signals alone bring order */
	uint64_t seen;
	unsigned int late;
};

static void *check_ledger(void *arg)
{
	struct ledger *ledger = arg;
	struct pollfd pollfd = {.fd = ledger->fd, .events = POLLIN};

	while (ledger->seen < WRITES) {
		poll(&pollfd, 1, -1);
		ledger->seen += count_of(ledger->fd);
		if (atomic_load_explicit(&ledger->written, memory_order_relaxed) < ledger->seen)
			ledger->late++;
	}
	return NULL;
}

static void write_ledger(struct loop_post *post)
{
	struct ledger *ledger = container_of(post, struct ledger, post);

	atomic_fetch_add_explicit(&ledger->written, 1, memory_order_relaxed);
	loop_signal(ledger->loop, ledger->fd);
	if (atomic_load_explicit(&ledger->written, memory_order_relaxed) == WRITES)
		loop_stop(ledger->loop);
	else
		loop_post(ledger->loop, post, write_ledger);
}

static void signal_comes_after_what_was_written(void **state)
{
	struct ledger ledger = {.loop = kind_loop(), .fd = new_eventfd(0)};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, check_ledger, &ledger), 0);
	loop_post(ledger.loop, &ledger.post, write_ledger);
	assert_int_equal(loop_run(ledger.loop), 0);
	pthread_join(thread, NULL);
	assert_int_equal(ledger.seen, WRITES);
	assert_int_equal(ledger.late, 0);
	loop_free(ledger.loop);
	close(ledger.fd);
}

static void unread_eventfd_calls_for_each_write(void **state)
{
	struct loop *loop = kind_loop();
	struct probe probe = {.take = false};
	int fd = new_eventfd(0);
	unsigned int before;

	probe_add(loop, &probe, fd, POLLIN);
	settle(loop);
	assert_int_equal(probe.calls, 0);
	for (unsigned int n = 1; n < 100; n++) {
		poke(fd);
		settle(loop);
		assert_int_equal(probe.calls, n);
	}
	/* Writes between two turns of the loop may share a call. */
	for (unsigned int n = 1; n < 400; n += 37) {
		before = probe.calls;
		for (unsigned int i = 0; i < n; i++)
			poke(fd);
		settle(loop);
		assert_true(probe.calls > before && probe.calls <= before + n);
	}
	loop_free(loop);
	close(fd);
}

/* A driver that notifies while its device looks at what there is: no notification may get lost. */
struct bell {
	struct loop_watch watch;
	struct loop *loop;
	atomic_uint rung;
	unsigned int heard;
};

static void hear(struct loop_watch *watch, uint32_t events)
{
	struct bell *bell = container_of(watch, struct bell, watch);

	bell->heard = atomic_load(&bell->rung);
	if (bell->heard == WRITES)
		loop_stop(bell->loop);
}

static void *ring_bell(void *arg)
{
	struct bell *bell = arg;

	for (unsigned int i = 1; i <= WRITES; i++) {
		atomic_store(&bell->rung, i);
		(void)eventfd_write(bell->watch.fd, 1);
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void unread_eventfd_calls_after_the_last_write(void **state)
{
	for (int round = 0; round < 5; round++) {
		struct bell bell = {.loop = kind_loop()};
		pthread_t thread;
		int fd = new_eventfd(0);

		assert_int_equal(loop_watch_add(bell.loop, &bell.watch, fd, POLLIN, hear), 0);
		assert_int_equal(pthread_create(&thread, NULL, ring_bell, &bell), 0);
		/* Without a call after the last write this would not return. */
		assert_int_equal(loop_run(bell.loop), 0);
		pthread_join(thread, NULL);
		assert_int_equal(bell.heard, WRITES);
		loop_free(bell.loop);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_are_out_when_the_run_ends),
		cmocka_unit_test(signal_outside_of_a_run_is_at_once),
		cmocka_unit_test(loop_sees_its_own_signals),
		cmocka_unit_test(signal_comes_after_what_was_written),
		cmocka_unit_test(unread_eventfd_calls_for_each_write),
		cmocka_unit_test(unread_eventfd_calls_after_the_last_write),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("loop_signal", tests, NULL, NULL);
}
