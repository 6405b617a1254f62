/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_irq.c - an interrupt line, with the test in KVM's place at the eventfd.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "irq.h"

static struct irq new_irq(void)
{
	struct irq irq = {.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .gsi = 5};

	assert_true(irq.fd >= 0);
	return irq;
}

static void each_raise_is_one_edge(void **state)
{
	struct irq irq = new_irq();
	eventfd_t count;

	for (unsigned int n = 1; n < 4; n++) {
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(irq_raise(&irq), 0);
		assert_int_equal(eventfd_read(irq.fd, &count), 0);
		assert_int_equal(count, n);
	}
	assert_int_equal(eventfd_read(irq.fd, &count), -1);
	assert_int_equal(errno, EAGAIN);
	close(irq.fd);
}

static void unconnected_line_swallows(void **state)
{
	const struct irq irq = {.fd = -1};

	assert_int_equal(irq_raise(&irq), 0);
}

static void full_counter_is_raised_already(void **state)
{
	struct irq irq = new_irq();

	assert_int_equal(eventfd_write(irq.fd, UINT64_MAX - 1), 0);
	assert_int_equal(irq_raise(&irq), 0);
	close(irq.fd);
}

static void host_failure_is_returned(void **state)
{
	struct irq irq = new_irq();

	close(irq.fd);
	assert_int_equal(irq_raise(&irq), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_raise_is_one_edge),
		cmocka_unit_test(unconnected_line_swallows),
		cmocka_unit_test(full_counter_is_raised_already),
		cmocka_unit_test(host_failure_is_returned),
	};

	return cmocka_run_group_tests_name("irq", tests, NULL, NULL);
}
