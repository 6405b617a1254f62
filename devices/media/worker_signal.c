/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_signal.c - a signal that does nothing but end a system call. See worker_signal.h.
 */
#include "devices/media/worker_signal.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* vCPUs are stopped by SIGRTMIN. */
#define SIGNAL_INTERRUPT (SIGRTMIN + 1)

static void on_signal(int signal)
{
	/* Its arrival is all that is needed: a system call that sleeps returns EINTR. */
}

int worker_signal_prepare(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	return sigaction(SIGNAL_INTERRUPT, &action, NULL) < 0 ? -errno : 0;
}

void worker_signal_admit(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL_INTERRUPT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void worker_signal_send(pthread_t thread)
{
	pthread_kill(thread, SIGNAL_INTERRUPT);
}

void worker_signal_send_to(pid_t tid)
{
	(void)tgkill(getpid(), tid, SIGNAL_INTERRUPT);
}
