/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_worker.c - tests worker.c: order, the limit, the end of a worker. See worker_rig.h.
 */
#include "devices/media/worker.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "worker_rig.h"

/* Interrupted by somebody else, twice. */
static int eintr_twice(struct job *job)
{
	return atomic_load(&job->runs) <= 2 ? -EINTR : job->value;
}

static int eintr_always(struct job *job)
{
	usleep(1000);
	return -EINTR;
}

/* Notices the signal, but has its own answer. */
static int finish_when_interrupted(struct job *job)
{
	return job_sleep(job) == -EINTR ? job->value : -EIO;
}

static void jobs_run_one_by_one_in_order(void **state)
{
	struct job jobs[JOBS_MAX];

	worker_setup(&limits_patient);
	for (int i = 0; i < JOBS_MAX; i++) {
		jobs[i] = job_make(job_return, 100 + i);
		job_submit(&jobs[i]);
		assert_false(jobs[i].is_done); /* only from the loop */
	}
	worker_run_until(JOBS_MAX);
	for (unsigned int i = 0; i < JOBS_MAX; i++) {
		assert_ptr_equal(worker_rig.done[i], &jobs[i]);
		assert_int_equal(jobs[i].order, i);
		assert_int_equal(jobs[i].result, 100 + (int)i);
		assert_int_equal(atomic_load(&jobs[i].runs), 1);
	}
	worker_wait_released(JOBS_MAX);
	worker_teardown();
}

static void a_job_waits_for_the_one_before(void **state)
{
	struct job first, second;

	worker_setup(&limits_patient);
	first = job_make(job_sleep, 0);
	second = job_make(job_return, 0);
	job_submit(&first);
	job_submit(&second);
	job_wait_running(&first);
	usleep(20000);
	assert_int_equal(atomic_load(&second.runs), 0);
	job_wake(&first);
	worker_run_until(2);
	assert_int_equal(first.order, 0);
	worker_teardown();
}

static struct job *follower;

static void done_and_submit(struct worker_job *worker_job, int result)
{
	job_done(worker_job, result);
	job_submit(follower);
}

static void a_job_can_be_submitted_from_done(void **state)
{
	struct job first, second;

	worker_setup(&limits_patient);
	first = job_make(job_return, 1);
	first.job.done = done_and_submit;
	second = job_make(job_return, 2);
	follower = &second;
	job_submit(&first);
	worker_run_until(2);
	assert_int_equal(first.result, 1);
	assert_int_equal(second.result, 2);
	worker_teardown();
}

/* The next threads would get stacks larger than any address space. */
static void set_stacks(size_t size)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstacksize(&attr, size), 0);
	assert_int_equal(pthread_setattr_default_np(&attr), 0);
	pthread_attr_destroy(&attr);
}

static void without_a_thread_submit_fails(void **state)
{
	pthread_attr_t attr;
	struct job job;
	size_t size;

	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_getstacksize(&attr, &size), 0);
	pthread_attr_destroy(&attr);
	worker_setup(&limits_patient);
	job = job_make(job_return, 4);
	set_stacks((size_t)1 << 50);
	assert_int_equal(worker_submit(worker_rig.worker, &job.job), -EAGAIN);
	set_stacks(size);
	job_submit(&job);
	worker_run_until(1);
	assert_int_equal(job.result, 4);
	worker_teardown();
}

static void a_sleeping_job_is_interrupted_at_the_limit(void **state)
{
	struct job sleeper, next;
	double before;

	worker_setup(&limits_interrupting);
	sleeper = job_make(job_sleep, 0);
	next = job_make(job_return, 7);
	before = now_s();
	job_submit(&sleeper);
	job_submit(&next);
	worker_run_until(2);
	assert_true(now_s() - before >= 0.080);
	assert_int_equal(sleeper.result, -ETIMEDOUT);
	assert_int_equal(atomic_load(&sleeper.runs), 1);
	assert_int_equal(next.result, 7);
	assert_int_equal(worker_strays(worker_rig.worker), 0);
	worker_wait_released(2);
	worker_teardown();
}

/* All of it: while the loop does not run, its thread is interrupted. */
static void sleep_ms(long ms)
{
	struct timespec left = {.tv_nsec = ms * 1000000};

	while (nanosleep(&left, &left) < 0)
		;
}

/* The timer of the one before must not be taken for that of the next. */
static void each_job_has_the_limit_to_itself(void **state)
{
	static const struct worker_limits limits = {
		.limit_ms = 500,
		.abandon_ms = 20000,
		.guard_ms = 5,
	};
	struct job jobs[5];
	double before;

	worker_setup(&limits);
	for (unsigned int i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = job_make(job_sleep, 0);
	before = now_s();
	for (unsigned int i = 0; i < ARRAY_SIZE(jobs); i++) {
		job_submit(&jobs[i]);
		if (i == 0) {
			/* Uses most of the time. */
			sleep_ms(250);
			job_wake(&jobs[i]);
		}
	}
	worker_run_until(1);
	assert_int_equal(jobs[0].result, 0);
	worker_run_until(2);
	assert_int_equal(jobs[1].result, -ETIMEDOUT);
	assert_true(now_s() - before >= 0.75);
	for (unsigned int i = 2; i < ARRAY_SIZE(jobs); i++)
		job_wake(&jobs[i]);
	worker_run_until(ARRAY_SIZE(jobs));
	for (unsigned int i = 2; i < ARRAY_SIZE(jobs); i++)
		assert_int_equal(jobs[i].result, 0);
	worker_teardown();
}

static void stop(struct loop_timer *timer)
{
	loop_stop(worker_rig.loop);
}

/* The worker has put its clock away. */
static void the_limit_holds_after_a_pause(void **state)
{
	struct loop_timer timer = {.fn = NULL};
	struct job first, second;

	worker_setup(&limits_interrupting);
	first = job_make(job_return, 0);
	second = job_make(job_sleep, 0);
	job_submit(&first);
	worker_run_until(1);
	worker_rig.stop_at = 0;
	assert_int_equal(loop_timer_set(worker_rig.loop, &timer, 200000000, 0, stop), 0);
	assert_int_equal(loop_run(worker_rig.loop), 0);
	loop_timer_clear(worker_rig.loop, &timer);
	job_submit(&second);
	worker_run_until(2);
	assert_int_equal(second.result, -ETIMEDOUT);
	worker_teardown();
}

static void eintr_within_the_limit_runs_again(void **state)
{
	struct job job;

	worker_setup(&limits_patient);
	job = job_make(eintr_twice, 3);
	job_submit(&job);
	worker_run_until(1);
	assert_int_equal(job.result, 3);
	assert_int_equal(atomic_load(&job.runs), 3);
	worker_teardown();
}

static void eintr_for_ever_ends_at_the_limit(void **state)
{
	struct job job;

	worker_setup(&limits_interrupting);
	job = job_make(eintr_always, 0);
	job_submit(&job);
	worker_run_until(1);
	assert_int_equal(job.result, -ETIMEDOUT);
	assert_in_range(atomic_load(&job.runs), 2, 1000);
	worker_teardown();
}

static void an_answer_after_the_limit_is_still_one(void **state)
{
	struct job job;

	worker_setup(&limits_interrupting);
	job = job_make(finish_when_interrupted, 5);
	job_submit(&job);
	worker_run_until(1);
	assert_int_equal(job.result, 5);
	worker_teardown();
}

static void free_runs_what_waits_and_calls_nobody(void **state)
{
	struct job jobs[4];

	worker_setup(&limits_patient);
	for (int i = 0; i < (int)ARRAY_SIZE(jobs); i++) {
		jobs[i] = job_make(i == 0 ? job_sleep : job_return, 0);
		job_submit(&jobs[i]);
	}
	job_wait_running(&jobs[0]);
	job_wake(&jobs[0]);
	worker_end();
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		assert_int_equal(atomic_load(&jobs[i].runs), 1);
		assert_true(atomic_load(&jobs[i].is_released));
		assert_false(jobs[i].is_done);
	}
	worker_teardown();
}

static void free_interrupts_what_sleeps(void **state)
{
	struct job jobs[2];

	worker_setup(&limits_interrupting);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = job_make(job_sleep, 0);
		job_submit(&jobs[i]);
	}
	worker_end();
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		assert_int_equal(atomic_load(&jobs[i].runs), 1);
		assert_true(atomic_load(&jobs[i].is_released));
		assert_false(jobs[i].is_done);
	}
	worker_teardown();
}

static void free_of_an_idle_or_absent_worker(void **state)
{
	worker_free(NULL);
	worker_setup(&limits_patient);
	worker_teardown();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_one_by_one_in_order),
		cmocka_unit_test(a_job_waits_for_the_one_before),
		cmocka_unit_test(a_job_can_be_submitted_from_done),
		cmocka_unit_test(without_a_thread_submit_fails),
		cmocka_unit_test(a_sleeping_job_is_interrupted_at_the_limit),
		cmocka_unit_test(each_job_has_the_limit_to_itself),
		cmocka_unit_test(the_limit_holds_after_a_pause),
		cmocka_unit_test(eintr_within_the_limit_runs_again),
		cmocka_unit_test(eintr_for_ever_ends_at_the_limit),
		cmocka_unit_test(an_answer_after_the_limit_is_still_one),
		cmocka_unit_test(free_runs_what_waits_and_calls_nobody),
		cmocka_unit_test(free_interrupts_what_sleeps),
		cmocka_unit_test(free_of_an_idle_or_absent_worker),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
