/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signals.c - signalfd for requests from outside, a handler for what ends us. See signals.h.
 */
#include "vmm/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "exit_code.h"
#include "vmm/terminal.h"

/* What vmm does to itself when it crashes. */
static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};

/* What else ends a process, unless it is handled; the real-time signals do as well. */
static const int enders[] = {
	SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPOLL, SIGXCPU, SIGSTKFLT, SIGPWR,
};

/* What signals_init() reads. */
static const int requests[] = {
	SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGTTIN, SIGTTOU, SIGWINCH,
};

/* What a system call reports as well, to the one who can tell what to do. */
static const int reported[] = {SIGPIPE, SIGXFSZ};

static uint8_t crash_stack[SIGNALS_CRASH_STACK];

/* What the parent had ignored stays so: nohup, a script's background job. */
static void requests_set(sigset_t *set)
{
	struct sigaction action;

	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (sigaction(requests[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(set, requests[i]);
}

/* A signal that a program earns by its own doing may still have been sent by another. */
static bool is_crash(int signal, const siginfo_t *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		if (crashes[i] == signal)
			return info->si_code > 0 || info->si_pid == getpid();
	return false;
}

/* Only functions that are safe in a signal handler; one write, so that lines do not mix. */
static void on_fatal(int signal, siginfo_t *info, void *context)
{
	const bool crash = is_crash(signal, info);
	const char *name = sigabbrev_np(signal);
	const char number[] = {(char)('0' + signal / 10), (char)('0' + signal % 10), '\0'};
	char text[80] = "vmm: error: ";

	terminal_restore();
	strcat(text, crash ? "vmm itself crashed: " : "ended by signal ");
	strcat(text, name ? "SIG" : "");
	strcat(text, name ? name : number); /* real-time signals have no names */
	strcat(text, "\n");
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		text[0] = '\0'; /* nowhere to say so */
	_exit(crash ? EXIT_CRASH : EXIT_ENDED);
}

/* Unless the parent, a sanitizer or a profiler has something else in mind. */
static void handle_if_default(int signal, const struct sigaction *action)
{
	struct sigaction before;

	if (sigaction(signal, action, &before) == 0 && before.sa_handler != SIG_DFL)
		sigaction(signal, &before, NULL);
}

void signals_prepare(void)
{
	/* A stack of its own, for a crash may be the overflow of the main thread's. */
	const stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof(crash_stack)};
	const struct sigaction action = {
		.sa_sigaction = on_fatal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND,
	};
	sigset_t set;

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &action, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(enders); i++)
		handle_if_default(enders[i], &action);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		handle_if_default(i, &action);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(reported); i++)
		sigaddset(&set, reported[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void signals_block(void)
{
	sigset_t set;

	requests_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void signals_of_threads(sigset_t *set)
{
	sigfillset(set);
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigdelset(set, crashes[i]);
}

static void stop_like_a_shell_job(struct signals *signals)
{
	terminal_restore();
	kill(getpid(), SIGSTOP);
	signals->ops->resumed(signals->owner);
}

static void handle(struct signals *signals, uint32_t signal)
{
	switch (signal) {
	case SIGTERM:
	case SIGINT:
		signals->ops->terminate(signals->owner);
		break;
	case SIGHUP:
		signals->ops->hangup(signals->owner);
		break;
	case SIGQUIT:
		signals->ops->quit(signals->owner);
		break;
	case SIGTSTP:
		stop_like_a_shell_job(signals);
		break;
	case SIGCONT:
		signals->ops->resumed(signals->owner);
		break;
	case SIGWINCH:
		if (signals->ops->winch)
			signals->ops->winch(signals->owner);
		break;
	}
}

static void on_readable(struct loop_watch *watch, uint32_t events)
{
	struct signals *signals = container_of(watch, struct signals, watch);
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == sizeof(info))
		handle(signals, info.ssi_signo);
}

int signals_init(struct signals *signals, struct loop *loop, const struct signals_ops *ops,
		 void *owner, struct error *err)
{
	sigset_t set;
	int r;

	*signals = (struct signals) {.loop = loop, .ops = ops, .owner = owner};
	requests_set(&set);
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return error_set(err, errno, "cannot make a signalfd: %s", strerror(errno));
	r = loop_watch_add(loop, &signals->watch, signals->fd, POLLIN, on_readable);
	if (r < 0)
		return error_set(err, -r, "cannot watch signals: %s", strerror(-r));
	return 0;
}

void signals_deinit(struct signals *signals)
{
	if (!signals->loop)
		return;
	loop_watch_remove(signals->loop, &signals->watch);
	closep(&signals->fd);
	signals->loop = NULL;
}
