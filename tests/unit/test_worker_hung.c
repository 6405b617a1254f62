/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_worker_hung.c - tests worker.c: jobs that do not come back. See worker_rig.h.
 */
#include "devices/media/worker.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "worker_rig.h"

/* What has hung is counted until it is released. */
static void wait_strays(unsigned int n)
{
	for (unsigned int i = 0; i < 10000 && worker_strays(worker_rig.worker) > n; i++)
		usleep(1000);
	assert_int_equal(worker_strays(worker_rig.worker), n);
}

static void a_hanging_job_is_left_behind(void **state)
{
	struct job hanging, next;
	double before;

	worker_setup(&limits_hanging);
	hanging = job_make(job_hang, 0);
	next = job_make(job_return, 7);
	before = now_s();
	job_submit(&hanging);
	job_submit(&next);
	worker_run_until(2);
	assert_true(now_s() - before >= 0.300);
	assert_ptr_equal(worker_rig.done[0], &hanging);
	assert_int_equal(hanging.result, -ETIMEDOUT);
	assert_int_equal(next.result, 7);
	assert_int_equal(worker_strays(worker_rig.worker), 1);
	worker_wait_released(1);
	assert_true(atomic_load(&next.is_released));
	assert_false(atomic_load(&hanging.is_released));
	job_wake(&hanging);
	worker_wait_released(1);
	assert_true(atomic_load(&hanging.is_released));
	wait_strays(0);
	worker_teardown();
}

/* Nothing was there to do meanwhile. */
static void after_a_hanging_job_a_thread_comes_with_the_next(void **state)
{
	struct job hanging, next;

	worker_setup(&limits_hanging);
	hanging = job_make(job_hang, 0);
	next = job_make(job_return, 7);
	job_submit(&hanging);
	worker_run_until(1);
	job_submit(&next);
	worker_run_until(2);
	assert_int_equal(next.result, 7);
	job_wake(&hanging);
	worker_wait_released(2);
	worker_teardown();
}

/* It comes back while its end is told: released once, by either of the two. */
static void done_and_wake(struct worker_job *worker_job, int result)
{
	struct job *job = container_of(worker_job, struct job, job);

	job_done(worker_job, result);
	job_wake(job);
	while (worker_strays(worker_rig.worker) > 0)
		usleep(100);
	assert_false(atomic_load(&job->is_released));
}

static void a_job_that_returns_within_done_is_released_after_it(void **state)
{
	struct job job;

	worker_setup(&limits_hanging);
	job = job_make(job_hang, 0);
	job.job.done = done_and_wake;
	job_submit(&job);
	worker_run_until(1);
	worker_wait_released(1);
	assert_int_equal(job.result, -ETIMEDOUT);
	worker_teardown();
}

static void with_too_many_strays_nothing_is_tried(void **state)
{
	struct job hanging[WORKER_STRAYS_MAX], behind, refused, later;

	worker_setup(&limits_hanging);
	behind = job_make(job_return, 0);
	refused = job_make(job_return, 0);
	later = job_make(job_return, 9);
	for (unsigned int i = 0; i < WORKER_STRAYS_MAX; i++) {
		hanging[i] = job_make(job_hang, 0);
		job_submit(&hanging[i]);
	}
	job_submit(&behind);
	worker_run_until(WORKER_STRAYS_MAX + 1);
	assert_int_equal(worker_strays(worker_rig.worker), WORKER_STRAYS_MAX);
	assert_int_equal(behind.result, -EIO);
	assert_int_equal(atomic_load(&behind.runs), 0);
	assert_int_equal(worker_submit(worker_rig.worker, &refused.job), -EIO);
	worker_wait_released(1);
	/* One comes back. */
	job_wake(&hanging[2]);
	worker_wait_released(1);
	assert_true(atomic_load(&hanging[2].is_released));
	wait_strays(WORKER_STRAYS_MAX - 1);
	job_submit(&later);
	worker_run_until(WORKER_STRAYS_MAX + 2);
	assert_int_equal(later.result, 9);
	assert_int_equal(atomic_load(&refused.runs), 0);
	assert_false(atomic_load(&refused.is_released));
	for (unsigned int i = 0; i < WORKER_STRAYS_MAX; i++)
		if (i != 2)
			job_wake(&hanging[i]);
	worker_wait_released(WORKER_STRAYS_MAX); /* the others, and the last one */
	worker_teardown();
}

static void free_leaves_behind_what_hangs(void **state)
{
	struct job hanging, last;

	worker_setup(&limits_hanging);
	hanging = job_make(job_hang, 0);
	last = job_make(job_return, 0);
	job_submit(&hanging);
	job_submit(&last);
	worker_end();
	assert_int_equal(atomic_load(&last.runs), 1);
	assert_true(atomic_load(&last.is_released));
	assert_false(atomic_load(&hanging.is_released));
	worker_wait_released(1);
	/* Its thread has the worker's memory to itself now. */
	job_wake(&hanging);
	worker_wait_released(1);
	assert_false(hanging.is_done || last.is_done);
	worker_teardown();
}

static void free_releases_what_cannot_be_run(void **state)
{
	struct job hanging[WORKER_STRAYS_MAX], behind;

	worker_setup(&limits_hanging);
	for (unsigned int i = 0; i < WORKER_STRAYS_MAX; i++) {
		hanging[i] = job_make(job_hang, 0);
		job_submit(&hanging[i]);
	}
	behind = job_make(job_return, 0);
	job_submit(&behind);
	worker_end();
	worker_wait_released(1);
	assert_true(atomic_load(&behind.is_released));
	assert_int_equal(atomic_load(&behind.runs), 0);
	for (unsigned int i = 0; i < WORKER_STRAYS_MAX; i++)
		job_wake(&hanging[i]);
	worker_wait_released(WORKER_STRAYS_MAX);
	worker_teardown();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hanging_job_is_left_behind),
		cmocka_unit_test(after_a_hanging_job_a_thread_comes_with_the_next),
		cmocka_unit_test(a_job_that_returns_within_done_is_released_after_it),
		cmocka_unit_test(with_too_many_strays_nothing_is_tried),
		cmocka_unit_test(free_leaves_behind_what_hangs),
		cmocka_unit_test(free_releases_what_cannot_be_run),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("worker_hung", tests, NULL, NULL);
}
