/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_wake.c - what wakes the event loop besides file descriptors: timers, posts and stops,
 * from its own thread and from others.
 *
 * Nothing here depends on how fast the machine is, but for the meson time-out.
 */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

#include "loop_kinds.h"

#define MS	     UINT64_C(1000000)
#define HOUR	     (UINT64_C(3600) * 1000 * MS)
#define POST_THREADS 4
#define POSTS	     10000

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

/* Stops the loop when it has been called often enough. */
struct alarm {
	struct loop_timer timer;
	struct loop *loop;
	unsigned int calls, stop_at;
	bool clear;
	uint64_t again; /* set anew, this many ns ahead */
};

static void ring(struct loop_timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, timer);

	alarm->calls++;
	if (alarm->clear)
		loop_timer_clear(alarm->loop, timer);
	if (alarm->again)
		assert_int_equal(loop_timer_set(alarm->loop, timer, alarm->again, 0, ring), 0);
	if (alarm->calls == alarm->stop_at)
		loop_stop(alarm->loop);
}

static void alarm_set(struct loop *loop, struct alarm *alarm, uint64_t first, uint64_t interval)
{
	alarm->loop = loop;
	assert_int_equal(loop_timer_set(loop, &alarm->timer, first, interval, ring), 0);
}

static void wait_expired(const struct alarm *alarm)
{
	struct pollfd pollfd = {.fd = alarm->timer.watch.fd, .events = POLLIN};

	assert_int_equal(poll(&pollfd, 1, -1), 1);
}

static void timer_fires_once_and_not_early(void **state)
{
	struct loop *loop = kind_loop();
	struct alarm alarm = {.stop_at = 1};
	uint64_t start = now();

	alarm_set(loop, &alarm, 3 * MS, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_true(now() - start >= 3 * MS);
	settle(loop);
	assert_int_equal(alarm.calls, 1);
	/* It can be set again. */
	alarm_set(loop, &alarm, 1, 0);
	alarm.stop_at = 2;
	assert_int_equal(loop_run(loop), 0);
	loop_timer_clear(loop, &alarm.timer);
	loop_free(loop);
}

static void timer_repeats_until_cleared(void **state)
{
	struct loop *loop = kind_loop();
	struct alarm alarm = {.stop_at = 5}, later = {.stop_at = 1};
	uint64_t start = now();

	alarm_set(loop, &alarm, 1, MS);
	assert_int_equal(loop_run(loop), 0);
	assert_true(now() - start >= 4 * MS);
	assert_int_equal(alarm.calls, 5);
	alarm.clear = true;
	alarm.stop_at = 6;
	assert_int_equal(loop_run(loop), 0);
	assert_false(loop_watch_active(&alarm.timer.watch));
	alarm_set(loop, &later, 5 * MS, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(alarm.calls, 6);
	loop_timer_clear(loop, &later.timer);
	loop_timer_clear(loop, &later.timer);
	loop_timer_clear(loop, &alarm.timer);
	loop_free(loop);
}

static void timer_set_anew_forgets_the_old_time(void **state)
{
	struct loop *loop = kind_loop();
	struct alarm alarm = {.stop_at = 1};

	alarm_set(loop, &alarm, 1, 0);
	wait_expired(&alarm);
	alarm_set(loop, &alarm, HOUR, 0);
	settle(loop);
	assert_int_equal(alarm.calls, 0);
	alarm_set(loop, &alarm, 1, HOUR);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(alarm.calls, 1);
	loop_timer_clear(loop, &alarm.timer);
	loop_free(loop);
}

static unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void timer_set_from_its_callback(void **state)
{
	const unsigned int fds = open_fds();
	struct loop *loop = kind_loop();
	struct alarm alarm = {.stop_at = 20, .again = 1};
	struct alarm cleared = {.stop_at = 40, .again = 1, .clear = true};

	alarm_set(loop, &alarm, 1, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(alarm.calls, 20);
	loop_timer_clear(loop, &alarm.timer);
	/* Released and made again each time. */
	alarm_set(loop, &cleared, 1, HOUR);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(cleared.calls, 40);
	loop_timer_clear(loop, &cleared.timer);
	loop_free(loop);
	assert_int_equal(open_fds(), fds);
}

/* Two timers expire together; the first to be called puts the other off. */
static struct alarm *rival[2];

static void put_off(struct loop_timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, timer);
	struct alarm *other = rival[alarm == rival[0]];

	alarm->calls++;
	assert_int_equal(loop_timer_set(alarm->loop, &other->timer, HOUR, 0, put_off), 0);
}

static void timer_put_off_in_the_same_batch(void **state)
{
	struct loop *loop = kind_loop();
	struct alarm alarms[2] = {{.loop = loop}, {.loop = loop}};

	for (int i = 0; i < 2; i++) {
		rival[i] = &alarms[i];
		assert_int_equal(loop_timer_set(loop, &alarms[i].timer, 1, 0, put_off), 0);
		wait_expired(&alarms[i]);
	}
	settle(loop);
	assert_int_equal(alarms[0].calls + alarms[1].calls, 1);
	for (int i = 0; i < 2; i++)
		loop_timer_clear(loop, &alarms[i].timer);
	loop_free(loop);
}

/* Two timers expire together; the first to be called clears and frees both. */
static struct alarm *couple[2];

static void free_couple(struct loop_timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, timer);
	struct loop *loop = alarm->loop;

	for (int i = 0; i < 2; i++) {
		loop_timer_clear(loop, &couple[i]->timer);
		free(couple[i]);
		couple[i] = NULL;
	}
}

static void timers_freed_in_a_callback(void **state)
{
	struct loop *loop = kind_loop();

	for (int i = 0; i < 2; i++) {
		couple[i] = calloc(1, sizeof(*couple[i]));
		assert_non_null(couple[i]);
		couple[i]->loop = loop;
		assert_int_equal(loop_timer_set(loop, &couple[i]->timer, 1, MS, free_couple), 0);
		wait_expired(couple[i]);
	}
	settle(loop);
	assert_null(couple[0]);
	assert_null(couple[1]);
	loop_free(loop);
}

/* One of many numbered posts. */
struct parcel {
	struct loop_post post;
	struct loop *loop;
	unsigned int thread, number;
};

static unsigned int arrived[POST_THREADS], total;

static void arrive(struct loop_post *post)
{
	struct parcel *parcel = container_of(post, struct parcel, post);

	assert_int_equal(parcel->number, arrived[parcel->thread]);
	arrived[parcel->thread]++;
	if (++total == POST_THREADS * POSTS)
		loop_stop(parcel->loop);
	free(parcel);
}

struct poster {
	struct loop *loop;
	unsigned int thread;
};

static void *post_many(void *arg)
{
	const struct poster *poster = arg;

	for (unsigned int i = 0; i < POSTS; i++) {
		struct parcel *parcel = malloc(sizeof(*parcel));

		if (!parcel)
			abort();
		*parcel = (struct parcel) {
			.loop = poster->loop,
			.thread = poster->thread,
			.number = i,
		};
		loop_post(poster->loop, &parcel->post, arrive);
	}
	return NULL;
}

static void posts_arrive_in_order(void **state)
{
	struct loop *loop = kind_loop();
	struct poster posters[POST_THREADS];
	pthread_t threads[POST_THREADS];

	total = 0;
	for (unsigned int i = 0; i < POST_THREADS; i++) {
		arrived[i] = 0;
		posters[i] = (struct poster) {.loop = loop, .thread = i};
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
	}
	assert_int_equal(loop_run(loop), 0);
	for (unsigned int i = 0; i < POST_THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(arrived[i], POSTS);
	}
	loop_free(loop);
}

struct counted {
	struct loop_post post;
	struct loop *loop;
	unsigned int calls, repeat;
};

static void count(struct loop_post *post)
{
	struct counted *counted = container_of(post, struct counted, post);

	counted->calls++;
	if (counted->calls < counted->repeat)
		loop_post(counted->loop, post, count);
}

static void posts_wait_for_the_loop_to_run(void **state)
{
	struct loop *loop = kind_loop();
	struct counted first = {.loop = loop}, second = {.loop = loop, .repeat = 7};

	loop_post(loop, &first.post, count);
	loop_post(loop, &second.post, count);
	settle(loop);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 7);
	/* What is never served is dropped. */
	loop_post(loop, &first.post, count);
	loop_free(loop);
	assert_int_equal(first.calls, 1);
}

static void stop_before_run(void **state)
{
	struct loop *loop = kind_loop();
	struct alarm alarm = {.stop_at = 1};

	loop_stop(loop);
	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
	/* Both stops are used up: only the timer ends this. */
	alarm_set(loop, &alarm, MS, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(alarm.calls, 1);
	loop_timer_clear(loop, &alarm.timer);
	loop_free(loop);
}

/* A loop of its own thread. */
struct runner {
	struct loop *loop;
	pthread_t thread;
	int result;
};

static void *run(void *arg)
{
	struct runner *runner = arg;

	runner->result = loop_run(runner->loop);
	return NULL;
}

static void runner_make(struct runner *runner)
{
	runner->loop = kind_loop();
	runner->result = -1;
}

static void runner_go(struct runner *runner)
{
	assert_int_equal(pthread_create(&runner->thread, NULL, run, runner), 0);
}

static void stop_from_another_thread(void **state)
{
	for (int i = 0; i < 200; i++) {
		struct runner runner;
		struct probe probe = {.take = true};
		int fd = new_eventfd(1);

		/* Made and filled here, run there, emptied and freed here again. */
		runner_make(&runner);
		probe_add(runner.loop, &probe, fd, POLLIN);
		runner_go(&runner);
		loop_stop(runner.loop);
		pthread_join(runner.thread, NULL);
		assert_int_equal(runner.result, 0);
		assert_true(probe.calls <= 1);
		loop_watch_remove(runner.loop, &probe.watch);
		loop_free(runner.loop);
		close(fd);
	}
}

/* A ball between two loops. */
struct ball {
	struct loop_post post;
	struct loop *sides[2];
	unsigned int flights;
};

static void hit(struct loop_post *post)
{
	struct ball *ball = container_of(post, struct ball, post);

	if (++ball->flights == 1000) {
		loop_stop(ball->sides[0]);
		loop_stop(ball->sides[1]);
		return;
	}
	loop_post(ball->sides[ball->flights % 2], post, hit);
}

static void loops_post_to_each_other(void **state)
{
	struct runner runners[2];
	struct ball ball = {.flights = 0};

	for (int i = 0; i < 2; i++) {
		runner_make(&runners[i]);
		ball.sides[i] = runners[i].loop;
	}
	loop_post(ball.sides[0], &ball.post, hit);
	for (int i = 0; i < 2; i++)
		runner_go(&runners[i]);
	for (int i = 0; i < 2; i++) {
		pthread_join(runners[i].thread, NULL);
		assert_int_equal(runners[i].result, 0);
	}
	assert_int_equal(ball.flights, 1000);
	loop_free(ball.sides[0]);
	loop_free(ball.sides[1]);
}

/* A loop that runs inside a callback of another one, on the same thread. */
static void run_inner(struct loop_post *post)
{
	struct counted *counted = container_of(post, struct counted, post);
	struct loop *inner = kind_loop();
	struct counted in = {.loop = inner};

	loop_post(inner, &in.post, count);
	settle(inner);
	loop_free(inner);
	counted->calls += in.calls;
}

static void loop_runs_inside_another(void **state)
{
	struct loop *loop = kind_loop();
	struct counted outer = {.loop = loop};

	loop_post(loop, &outer.post, run_inner);
	settle(loop);
	assert_int_equal(outer.calls, 1);
	loop_free(loop);
}

static atomic_uint signals;

static void on_signal(int number)
{
	atomic_fetch_add(&signals, 1);
}

static void signals_do_not_end_the_loop(void **state)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct sigaction old;
	struct runner runner;

	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	runner_make(&runner);
	runner_go(&runner);
	for (unsigned int i = 1; i <= 50; i++) {
		assert_int_equal(pthread_kill(runner.thread, SIGUSR1), 0);
		while (atomic_load(&signals) < i)
			sched_yield();
	}
	loop_stop(runner.loop);
	pthread_join(runner.thread, NULL);
	assert_int_equal(runner.result, 0);
	loop_free(runner.loop);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_fires_once_and_not_early),
		cmocka_unit_test(timer_repeats_until_cleared),
		cmocka_unit_test(timer_set_anew_forgets_the_old_time),
		cmocka_unit_test(timer_set_from_its_callback),
		cmocka_unit_test(timer_put_off_in_the_same_batch),
		cmocka_unit_test(timers_freed_in_a_callback),
		cmocka_unit_test(posts_arrive_in_order),
		cmocka_unit_test(posts_wait_for_the_loop_to_run),
		cmocka_unit_test(stop_before_run),
		cmocka_unit_test(stop_from_another_thread),
		cmocka_unit_test(loops_post_to_each_other),
		cmocka_unit_test(loop_runs_inside_another),
		cmocka_unit_test(signals_do_not_end_the_loop),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("loop_wake", tests, NULL, NULL);
}
