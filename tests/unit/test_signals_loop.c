/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_signals_loop.c - tests signals.c: which request of the user's each signal is, once a loop
 * reads them. SIGTSTP is tested with the whole program, which it stops.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "vmm/signals.h"

struct told {
	unsigned int terminate, hangup, quit, resumed, winch;
};

static void on_terminate(void *owner)
{
	((struct told *)owner)->terminate++;
}

static void on_hangup(void *owner)
{
	((struct told *)owner)->hangup++;
}

static void on_quit(void *owner)
{
	((struct told *)owner)->quit++;
}

static void on_resumed(void *owner)
{
	((struct told *)owner)->resumed++;
}

static void on_winch(void *owner)
{
	((struct told *)owner)->winch++;
}

static const struct signals_ops ops = {
	.terminate = on_terminate,
	.hangup = on_hangup,
	.quit = on_quit,
	.resumed = on_resumed,
	.winch = on_winch,
};

static void each_signal_is_one_request(void **state)
{
	static const struct {
		const char *name;
		int signal;
		struct told told;
	} cases[] = {
		{"SIGTERM", SIGTERM, {.terminate = 1}},
		{"SIGINT", SIGINT, {.terminate = 1}},
		{"SIGHUP", SIGHUP, {.hangup = 1}},
		{"SIGQUIT", SIGQUIT, {.quit = 1}},
		{"SIGCONT", SIGCONT, {.resumed = 1}},
		{"SIGWINCH", SIGWINCH, {.winch = 1}},
		{"SIGTTIN", SIGTTIN, {0}},
		{"SIGTTOU", SIGTTOU, {0}},
	};
	struct signals signals;
	struct told told;
	struct loop *loop = kind_loop();
	struct error err;

	signals_block();
	assert_int_equal(signals_init(&signals, loop, &ops, &told, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		told = (struct told) {0};
		raise(cases[i].signal);
		settle(loop);
		assert_memory_equal(&told, &cases[i].told, sizeof(told));
	}
	signals_deinit(&signals);
	loop_free(loop);
}

static void window_need_not_matter(void **state)
{
	struct signals_ops without = ops;
	struct signals signals;
	struct told told = {0};
	struct loop *loop = kind_loop();
	struct error err;

	without.winch = NULL;
	signals_block();
	assert_int_equal(signals_init(&signals, loop, &without, &told, &err), 0);
	raise(SIGWINCH);
	raise(SIGHUP);
	settle(loop);
	assert_int_equal(told.hangup, 1);
	signals_deinit(&signals);
	loop_free(loop);
}

/* A shell's background job inherits some as ignored, which signals.c leaves so. */
static void default_signals(void)
{
	for (int signal = 1; signal < SIGRTMIN; signal++)
		(void)sigaction(signal, &(struct sigaction) {.sa_handler = SIG_DFL}, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_signal_is_one_request),
		cmocka_unit_test(window_need_not_matter),
	};

	if (!kind_select(argc, argv))
		return 0;
	default_signals();
	return cmocka_run_group_tests_name("signals_loop", tests, NULL, NULL);
}
