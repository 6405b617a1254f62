/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_host_limits.c - tests host_limits.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "vmm/host_limits.h"

static void as_many_files_as_the_hard_limit_may_be_open(void **state)
{
	struct rlimit limit, after;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_max > 64);
	limit.rlim_cur = 64;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		host_limits_raise();
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
		assert_int_equal(after.rlim_cur, limit.rlim_max);
		assert_int_equal(after.rlim_max, limit.rlim_max);
		/* Nothing to do the second time. */
		limit.rlim_cur = limit.rlim_max;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_files_as_the_hard_limit_may_be_open),
	};

	return cmocka_run_group_tests_name("host_limits", tests, NULL, NULL);
}
