/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_worker_guard.c - tests worker_guard.c: what interrupts the calls of a device's own thread.
 */
#include "devices/media/worker.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "other_threads.h"
#include "worker_rig.h"

static void a_guard_interrupts_its_own_thread(void **state)
{
	int fds[2];
	char byte;

	worker_setup(&limits_hanging);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(worker_guard_begin(worker_rig.worker), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read(fds[0], &byte, 1), -1);
		assert_int_equal(errno, EINTR);
	}
	worker_guard_end(worker_rig.worker);
	close(fds[0]);
	close(fds[1]);
	worker_teardown();
}

/* Sleeps for many a guard's period. Return: was it interrupted? */
static bool is_interrupted(void)
{
	const struct timespec time = {.tv_nsec = 100 * 1000 * 1000};

	return nanosleep(&time, NULL) < 0;
}

/* The same, where it should be: a busy host may be late. */
static bool is_interrupted_soon(void)
{
	const struct timespec time = {.tv_sec = 60};

	return nanosleep(&time, NULL) < 0;
}

static atomic_uint signals;

static void count_signal(int signal)
{
	atomic_fetch_add(&signals, 1);
}

static void stop_loop(struct loop_timer *timer)
{
	loop_stop(worker_rig.loop);
}

/* The loop runs, with nothing to do, for many a guard's period. */
static void be_idle(void)
{
	struct loop_timer timer = {};

	assert_int_equal(loop_timer_set(worker_rig.loop, &timer, 100000000, 0, stop_loop), 0);
	assert_int_equal(loop_run(worker_rig.loop), 0);
	loop_timer_clear(worker_rig.loop, &timer);
}

static void an_idle_loop_is_not_interrupted(void **state)
{
	const struct sigaction action = {.sa_handler = count_signal};

	worker_setup(&limits_patient);
	assert_int_equal(sigaction(SIGRTMIN + 1, &action, NULL), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(worker_guard_begin(worker_rig.worker), 0);
		assert_true(is_interrupted_soon());
		assert_true(is_interrupted_soon());
		worker_guard_end(worker_rig.worker);
		atomic_store(&signals, 0);
		be_idle();
		/* A busy host may be late with the answer to the first question. */
		assert_true(atomic_load(&signals) < 10);
	}
	assert_int_equal(worker_guard_begin(worker_rig.worker), 0);
	assert_true(is_interrupted_soon());
	/* Not ended: that is free's business. */
	worker_end();
	assert_false(is_interrupted());
	worker_teardown();
}

/* Nobody looks while there is nothing to see. */
static void a_guard_rests_until_there_are_calls(void **state)
{
	unsigned int waits = 0;
	unsigned long before;

	worker_setup(&limits_hanging);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(worker_guard_begin(worker_rig.worker), 0);
		assert_true(is_interrupted_soon());
		worker_guard_end(worker_rig.worker);
		do {
			before = other_threads_sleeps();
			be_idle();
		} while (other_threads_sleeps() != before && ++waits < 100);
		assert_int_equal(other_threads_sleeps(), before);
	}
	worker_teardown();
}

/* A callback of the loop that sleeps, as the loop itself may where it polls. */
struct sleeper {
	struct loop_post post;
	bool interrupted;
};

static void sleep_in_loop(struct loop_post *post)
{
	struct sleeper *sleeper = container_of(post, struct sleeper, post);

	sleeper->interrupted = is_interrupted_soon();
	loop_stop(worker_rig.loop);
}

static void check_loop_is_interrupted(void)
{
	struct sleeper sleeper = {};

	loop_post(worker_rig.loop, &sleeper.post, sleep_in_loop);
	assert_int_equal(loop_run(worker_rig.loop), 0);
	assert_true(sleeper.interrupted);
}

static void a_loop_that_hangs_is_interrupted(void **state)
{
	struct job job;

	worker_setup(&limits_patient);
	assert_int_equal(worker_guard_begin(worker_rig.worker), 0);
	worker_guard_end(worker_rig.worker);
	check_loop_is_interrupted();
	/* Long after the last call, but with a job. */
	be_idle();
	job = job_make(job_sleep, 0);
	job_submit(&job);
	be_idle();
	check_loop_is_interrupted();
	job_wake(&job);
	worker_run_until(1);
	worker_teardown();
}

static void *guard_and_look(void *arg)
{
	bool *interrupted = arg;

	if (worker_guard_begin(worker_rig.worker) == 0)
		*interrupted = is_interrupted_soon();
	worker_guard_end(worker_rig.worker);
	return NULL;
}

static void a_guard_follows_the_thread_that_asks(void **state)
{
	bool there = false;
	pthread_t thread;

	worker_setup(&limits_hanging);
	assert_int_equal(pthread_create(&thread, NULL, guard_and_look, &there), 0);
	assert_false(is_interrupted());
	pthread_join(thread, NULL);
	assert_true(there);
	assert_int_equal(worker_guard_begin(worker_rig.worker), 0);
	assert_true(is_interrupted_soon());
	worker_guard_end(worker_rig.worker);
	worker_teardown();
}

struct waker {
	struct loop_timer timer;
	struct job *job;
	unsigned int left;
};

static void wake_at_last(struct loop_timer *timer)
{
	struct waker *waker = container_of(timer, struct waker, timer);

	if (--waker->left == 0)
		job_wake(waker->job);
}

/* The loop goes on as ever while it is interrupted all the time, and so do jobs. */
static void a_guard_does_not_disturb_the_loop(void **state)
{
	struct waker waker = {.left = 10};
	struct job job;

	worker_setup(&limits_patient);
	job = job_make(job_sleep, 6);
	waker.job = &job;
	assert_int_equal(worker_guard_begin(worker_rig.worker), 0);
	job_submit(&job);
	assert_int_equal(
		loop_timer_set(worker_rig.loop, &waker.timer, 20000000, 20000000, wake_at_last), 0);
	worker_run_until(1);
	loop_timer_clear(worker_rig.loop, &waker.timer);
	assert_int_equal(waker.left, 0);
	assert_int_equal(job.result, 6);
	assert_int_equal(atomic_load(&job.runs), 1);
	worker_guard_end(worker_rig.worker);
	worker_teardown();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guard_interrupts_its_own_thread),
		cmocka_unit_test(an_idle_loop_is_not_interrupted),
		cmocka_unit_test(a_guard_rests_until_there_are_calls),
		cmocka_unit_test(a_loop_that_hangs_is_interrupted),
		cmocka_unit_test(a_guard_follows_the_thread_that_asks),
		cmocka_unit_test(a_guard_does_not_disturb_the_loop),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("worker_guard", tests, NULL, NULL);
}
