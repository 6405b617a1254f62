/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vma_budget.c - tests vma_budget.c: never more than there is, for all threads together.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "devices/media/vma_budget.h"

static void expect_left(size_t left)
{
	assert_false(vma_budget_take(left + 1));
	assert_true(vma_budget_take(left));
	vma_budget_give(left);
}

static void no_more_than_there_is_can_be_taken(void **state)
{
	expect_left(VMA_BUDGET_MAX);
	assert_false(vma_budget_take(SIZE_MAX));
	assert_true(vma_budget_take(0));
	assert_true(vma_budget_take(VMA_BUDGET_MAX - 3));
	expect_left(3);
	assert_false(vma_budget_take(SIZE_MAX));
	assert_false(vma_budget_take(SIZE_MAX - VMA_BUDGET_MAX + 4));
	assert_true(vma_budget_take(3));
	assert_true(vma_budget_take(0));
	vma_budget_give(VMA_BUDGET_MAX);
	expect_left(VMA_BUDGET_MAX);
}

static atomic_size_t held;
static atomic_bool too_many;
static pthread_barrier_t start;

static void *take_and_give(void *arg)
{
	const size_t n = *(const size_t *)arg;

	pthread_barrier_wait(&start);
	for (unsigned int i = 0; i < 1000000; i++) {
		if (!vma_budget_take(n))
			continue;
		if (atomic_fetch_add(&held, n) + n > VMA_BUDGET_MAX)
			atomic_store(&too_many, true);
		atomic_fetch_sub(&held, n);
		vma_budget_give(n);
	}
	return NULL;
}

/* Each two of them are too many. */
static void threads_share_it(void **state)
{
	size_t shares[] = {VMA_BUDGET_MAX, VMA_BUDGET_MAX / 2 + 1, VMA_BUDGET_MAX / 2 + 2};
	pthread_t threads[ARRAY_SIZE(shares)];

	pthread_barrier_init(&start, NULL, ARRAY_SIZE(shares));
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &shares[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	assert_false(atomic_load(&too_many));
	expect_left(VMA_BUDGET_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_there_is_can_be_taken),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests_name("vma_budget", tests, NULL, NULL);
}
