/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_thread.c - tests thread.c: what a thread finds when it starts. That it can tell of its crash
 * is tested in test_signals.c.
 */
#include "thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/signals.h"

struct seen {
	pthread_t id;
	char name[16];
	sigset_t blocked;
	stack_t stack;
};

static void look(void *arg)
{
	struct seen *seen = arg;

	seen->id = pthread_self();
	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
	sigaltstack(NULL, &seen->stack);
}

static void start_and_join(struct seen *seen, const char *name)
{
	struct thread thread;

	assert_int_equal(thread_start(&thread, name, look, seen), 0);
	assert_int_equal(pthread_join(thread.id, NULL), 0);
	assert_true(pthread_equal(thread.id, seen->id));
}

static void name_is_cut_to_what_linux_takes(void **state)
{
	struct seen seen;

	start_and_join(&seen, "vcpu31");
	assert_string_equal(seen.name, "vcpu31");
	start_and_join(&seen, "media-0123456789");
	assert_string_equal(seen.name, "media-012345678");
}

static void only_crashes_are_not_blocked(void **state)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
	sigset_t before, after;
	struct seen seen;

	sigemptyset(&before);
	sigaddset(&before, SIGTERM);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	start_and_join(&seen, "x");
	for (int signal = 1; signal <= SIGRTMAX; signal++) {
		bool crash = signal == SIGKILL || signal == SIGSTOP;

		if (signal > SIGSYS && signal < SIGRTMIN)
			continue; /* the C library's own */
		for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
			crash |= signal == crashes[i];
		if (sigismember(&seen.blocked, signal) == crash)
			fail_msg("signal %d", signal);
	}
	/* The caller's are as they were. */
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int signal = 1; signal <= SIGRTMAX; signal++)
		assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

static void fatal_signals_have_a_stack(void **state)
{
	struct seen seen;

	start_and_join(&seen, "x");
	assert_int_equal(seen.stack.ss_flags & SS_DISABLE, 0);
	assert_int_equal(seen.stack.ss_size, SIGNALS_CRASH_STACK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_cut_to_what_linux_takes),
		cmocka_unit_test(only_crashes_are_not_blocked),
		cmocka_unit_test(fatal_signals_have_a_stack),
	};

	return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
