/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_worker_wait.c - tests worker_time.c: waiting for jobs, and what is told of late ones. See
 * worker_rig.h.
 */
#include "devices/media/worker.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "worker_rig.h"

/* Has a job's thread said so? */
static bool is_set(void *arg)
{
	const atomic_bool *set = arg;

	return atomic_load(set);
}

static atomic_bool finished;

static void note_finished(struct worker_job *job)
{
	atomic_store(&finished, true);
}

static struct job make(int (*fn)(struct job *job), int value)
{
	struct job job = job_make(fn, value);

	atomic_store(&finished, false);
	job.job.finished = note_finished;
	return job;
}

static void it_ends_with_the_job_that_makes_it_so(void **state)
{
	struct job job;

	worker_setup(&limits_patient);
	job = make(job_return, 3);
	job_submit(&job);
	assert_true(worker_wait(worker_rig.worker, is_set, &finished, 10000));
	/* The loop's business. */
	assert_false(job.is_done);
	worker_run_until(1);
	assert_int_equal(job.result, 3);
	worker_teardown();
}

static void it_ends_after_its_time(void **state)
{
	struct job job;
	double before;

	worker_setup(&limits_patient);
	job = make(job_sleep, 0);
	job_submit(&job);
	before = now_s();
	assert_false(worker_wait(worker_rig.worker, is_set, &finished, 50));
	assert_true(now_s() - before >= 0.050);
	assert_true(now_s() - before < 5);
	assert_true(worker_busy(worker_rig.worker));
	job_wake(&job);
	assert_true(worker_wait(worker_rig.worker, is_set, &finished, 10000));
	worker_run_until(1);
	assert_int_equal(job.result, 0);
	assert_false(worker_busy(worker_rig.worker));
	worker_teardown();
}

/* With a limit of a minute. */
static void a_job_that_nobody_wants_is_interrupted_at_once(void **state)
{
	struct job job, next;
	double before;

	worker_setup(&limits_patient);
	next = make(job_return, 7);
	job = make(job_sleep, 0);
	worker_hurry(worker_rig.worker); /* nothing is there to hurry */
	job_submit(&job);
	job_wait_running(&job);
	job_submit(&next);
	before = now_s();
	worker_hurry(worker_rig.worker);
	assert_true(worker_wait(worker_rig.worker, is_set, &finished, 10000));
	worker_run_until(2);
	assert_true(now_s() - before < 5);
	assert_int_equal(job.result, -ETIMEDOUT);
	assert_int_equal(atomic_load(&job.runs), 1);
	/* The next one is wanted. */
	assert_int_equal(next.result, 7);
	worker_teardown();
}

/* Limits hold: while it waits no timer of the loop's is served. */
static void what_hangs_is_abandoned_meanwhile(void **state)
{
	struct job hanging, next;

	worker_setup(&limits_hanging);
	hanging = job_make(job_hang, 0);
	next = make(job_return, 7);
	job_submit(&hanging);
	job_submit(&next);
	assert_true(worker_wait(worker_rig.worker, is_set, &finished, 10000));
	assert_int_equal(worker_strays(worker_rig.worker), 1);
	assert_false(hanging.is_done || next.is_done);
	worker_run_until(2);
	assert_ptr_equal(worker_rig.done[0], &hanging);
	assert_int_equal(hanging.result, -ETIMEDOUT);
	assert_int_equal(next.result, 7);
	job_wake(&hanging);
	worker_wait_released(2);
	worker_teardown();
}

/* Hurried or not, it has the time that it would have had. */
static void hurry_abandons_no_earlier(void **state)
{
	struct job job;
	double before;

	worker_setup(&limits_hanging);
	job = make(job_hang, 0);
	before = now_s();
	job_submit(&job);
	job_wait_running(&job);
	worker_hurry(worker_rig.worker);
	worker_run_until(1);
	assert_true(now_s() - before >= 0.300);
	assert_int_equal(job.result, -ETIMEDOUT);
	job_wake(&job);
	worker_wait_released(1);
	worker_teardown();
}

static void a_stray_that_comes_back_ends_it_too(void **state)
{
	struct job job;

	worker_setup(&limits_hanging);
	job = make(job_hang, 0);
	job_submit(&job);
	worker_run_until(1);
	assert_false(atomic_load(&finished));
	job_wake(&job);
	assert_true(worker_wait(worker_rig.worker, is_set, &finished, 10000));
	worker_wait_released(1);
	worker_teardown();
}

static unsigned int back;

static void came_back(void *owner)
{
	assert_ptr_equal(owner, &back);
	back++;
	loop_stop(worker_rig.loop);
}

static void of_a_stray_that_comes_back_the_loop_is_told(void **state)
{
	struct job job;

	worker_setup(&limits_hanging);
	back = 0;
	worker_set_came_back(worker_rig.worker, came_back, &back);
	job = make(job_hang, 0);
	job_submit(&job);
	worker_run_until(1);
	assert_int_equal(back, 0);
	job_wake(&job);
	assert_int_equal(loop_run(worker_rig.loop), 0);
	assert_int_equal(back, 1);
	assert_int_equal(worker_strays(worker_rig.worker), 0);
	assert_true(atomic_load(&job.is_released));
	worker_teardown();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_ends_with_the_job_that_makes_it_so),
		cmocka_unit_test(it_ends_after_its_time),
		cmocka_unit_test(a_job_that_nobody_wants_is_interrupted_at_once),
		cmocka_unit_test(what_hangs_is_abandoned_meanwhile),
		cmocka_unit_test(hurry_abandons_no_earlier),
		cmocka_unit_test(a_stray_that_comes_back_ends_it_too),
		cmocka_unit_test(of_a_stray_that_comes_back_the_loop_is_told),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("worker_wait", tests, NULL, NULL);
}
