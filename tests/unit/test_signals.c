/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_signals.c - tests signals.c: how a process ends that crashes or is ended from outside, and
 * what it leaves behind. What the loop reads is in test_signals_loop.c.
 */
#include "vmm/signals.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>

#include <cmocka.h>

#include "child.h"
#include "exit_code.h"
#include "thread.h"
#include "vmm/terminal.h"

static int terminal = -1; /* the slave end */

static void prepare(void)
{
	signals_prepare();
	if (terminal_take(terminal) != 1)
		_exit(1); /* none of the expected codes */
}

static void write_nowhere(void)
{
	volatile uint8_t *volatile nowhere = (uint8_t *)(uintptr_t)8;

	prepare();
	*nowhere = 1;
}

static void read_behind_the_end_of_a_file(void)
{
	int fd = memfd_create("empty", 0);
	volatile uint8_t *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	prepare();
	(void)page[0];
}

static void fail_an_assertion(void)
{
	prepare();
	abort();
}

static void meet_no_instruction(void)
{
	prepare();
	__builtin_trap();
}

static void overflow(void)
{
	prepare();
	child_overflow();
}

static void in_a_thread(void (*fn)(void *arg))
{
	struct thread thread;

	prepare();
	if (thread_start(&thread, "crash", fn, NULL) == 0)
		pthread_join(thread.id, NULL);
}

static void thread_writes_nowhere(void *arg)
{
	volatile uint8_t *volatile nowhere = (uint8_t *)(uintptr_t)8;

	*nowhere = 1;
}

static void thread_overflows(void *arg)
{
	child_overflow();
}

static void write_nowhere_in_a_thread(void)
{
	in_a_thread(thread_writes_nowhere);
}

static void overflow_in_a_thread(void)
{
	in_a_thread(thread_overflows);
}

static void be_sent(int signal)
{
	prepare();
	if (fork() == 0) {
		kill(getppid(), signal);
		_exit(0);
	}
	pause();
}

static void be_sent_a_crash(void)
{
	be_sent(SIGSEGV);
}

static void be_sent_a_user_signal(void)
{
	be_sent(SIGUSR2);
}

static void be_sent_a_signal_without_a_name(void)
{
	be_sent(SIGRTMAX);
}

static void let_an_alarm_go_off(void)
{
	prepare();
	alarm(1);
	pause();
}

static void end_by_a_signal_of_the_loops(void)
{
	prepare();
	terminal_restore(); /* nobody has taken it before signals_block() */
	raise(SIGTERM);
}

static void end_with_an_ignored_signal(void)
{
	signal(SIGUSR1, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prepare();
	signals_block();
	raise(SIGUSR1);
	raise(SIGHUP);
	terminal_restore();
}

static void end_with_a_broken_pipe(void)
{
	int fds[2];

	prepare();
	if (pipe(fds) == 0)
		close(fds[0]);
	if (write(fds[1], "x", 1) < 0)
		terminal_restore();
}

struct end_case {
	const char *name;
	void (*fn)(void);
	int exit_code; /* or -signal */
	const char *text;
};

static const struct end_case end_cases[] = {
	{"writes nowhere", write_nowhere, EXIT_CRASH, "vmm itself crashed: SIGSEGV"},
	{"reads behind the end of a file", read_behind_the_end_of_a_file, EXIT_CRASH,
	 "vmm itself crashed: SIGBUS"},
	{"fails an assertion", fail_an_assertion, EXIT_CRASH, "vmm itself crashed: SIGABRT"},
	{"meets no instruction", meet_no_instruction, EXIT_CRASH, "vmm itself crashed: SIGILL"},
	{"overflows the stack", overflow, EXIT_CRASH, "vmm itself crashed: SIGSEGV"},
	{"a thread writes nowhere", write_nowhere_in_a_thread, EXIT_CRASH,
	 "vmm itself crashed: SIGSEGV"},
	{"a thread overflows its stack", overflow_in_a_thread, EXIT_CRASH,
	 "vmm itself crashed: SIGSEGV"},
	{"is sent a crash", be_sent_a_crash, EXIT_ENDED, "ended by signal SIGSEGV"},
	{"is sent a user's signal", be_sent_a_user_signal, EXIT_ENDED, "ended by signal SIGUSR2"},
	{"is sent a signal without a name", be_sent_a_signal_without_a_name, EXIT_ENDED,
	 "ended by signal 64"},
	{"an alarm goes off", let_an_alarm_go_off, EXIT_ENDED, "ended by signal SIGALRM"},
	{"a signal of the loop's before there is one", end_by_a_signal_of_the_loops, -SIGTERM,
	 NULL},
	{"what the parent ignores", end_with_an_ignored_signal, 0, NULL},
	{"a broken pipe", end_with_a_broken_pipe, 0, NULL},
};

static int how(int status)
{
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void every_end_says_so_and_restores_the_terminal(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(end_cases); i++) {
		const struct end_case *c = &end_cases[i];
		struct termios before, after;
		struct child child;
		char expected[80] = "";

		assert_int_equal(tcgetattr(terminal, &before), 0);
		child_run(&child, c->fn);
		if (c->text)
			snprintf(expected, sizeof(expected), "vmm: error: %s\n", c->text);
		if (how(child.status) != c->exit_code || strcmp(child.text, expected) != 0)
			fail_msg("%s: %d, '%s'", c->name, how(child.status), child.text);
		assert_int_equal(tcgetattr(terminal, &after), 0);
		if (before.c_lflag != after.c_lflag || before.c_iflag != after.c_iflag ||
		    before.c_oflag != after.c_oflag)
			fail_msg("%s: the terminal is left raw", c->name);
	}
}

static void *block(void *arg)
{
	sigset_t *blocked = arg;

	signals_block();
	pthread_sigmask(SIG_SETMASK, NULL, blocked);
	return NULL;
}

/* In a thread, for the sake of the main thread's mask. */
static void block_keeps_requests_for_the_loop(void **state)
{
	static const int kept[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGTSTP,
				   SIGCONT, SIGTTIN, SIGTTOU, SIGWINCH};
	pthread_t thread;
	sigset_t blocked;

	assert_int_equal(pthread_create(&thread, NULL, block, &blocked), 0);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_int_equal(sigismember(&blocked, kept[i]), 1);
	assert_int_equal(sigismember(&blocked, SIGSEGV), 0);
	assert_int_equal(sigismember(&blocked, SIGUSR1), 0);
}

static int setup(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -1;
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	return terminal < 0 ? -1 : 0;
}

/* A shell's background job inherits some as ignored, which signals.c leaves so. */
static void default_signals(void)
{
	for (int signal = 1; signal < SIGRTMIN; signal++)
		(void)sigaction(signal, &(struct sigaction) {.sa_handler = SIG_DFL}, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_end_says_so_and_restores_the_terminal),
		cmocka_unit_test(block_keeps_requests_for_the_loop),
	};

	default_signals();
	return cmocka_run_group_tests_name("signals", tests, setup, NULL);
}
