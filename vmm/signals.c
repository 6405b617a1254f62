/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signals.c - signalfd for the ones from outside, a handler for the fatal ones. See signals.h.
 */
#include "vmm/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "exit_code.h"
#include "vmm/terminal.h"

/* Our crashes, and what else would end the process with the terminal still raw. */
static const int fatal[] = {
	SIGSEGV, SIGBUS,  SIGILL,    SIGFPE,  SIGABRT, SIGSYS,	SIGTRAP,
	SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGALRM, SIGPOLL, SIGXCPU,
};

static uint8_t crash_stack[16 * KIB];

static void blocked_set(sigset_t *set)
{
	static const int blocked[] = {SIGTERM, SIGINT,	SIGHUP,	 SIGQUIT, SIGTSTP,
				      SIGCONT, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ};
	struct sigaction inherited;

	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(blocked); i++) {
		/* What the parent had ignored stays so: nohup, a script's background job. */
		if (sigaction(blocked[i], NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN)
			continue;
		sigaddset(set, blocked[i]);
	}
}

/* Only functions that are safe in a signal handler. */
static void on_fatal(int signal)
{
	static const char before[] = "vmm: error: vmm itself crashed: ";
	const char *name = sigabbrev_np(signal);

	terminal_restore();
	if (write(STDERR_FILENO, before, sizeof(before) - 1) < 0 ||
	    write(STDERR_FILENO, "SIG", 3) < 0 || write(STDERR_FILENO, name, strlen(name)) < 0 ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(EXIT_CRASH);
	_exit(EXIT_CRASH);
}

void signals_block(void)
{
	/* A stack of its own, for a crash may be the overflow of the main thread's. */
	const stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof(crash_stack)};
	const struct sigaction action = {
		.sa_handler = on_fatal,
		.sa_flags = SA_ONSTACK | (int)SA_RESETHAND,
	};
	sigset_t set;

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &action, NULL);
	blocked_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
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
	blocked_set(&set);
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
