/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_signal.c - a signal that does nothing but end a system call. See worker_signal.h.
 */
#include "devices/media/worker_signal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>

#define NS_PER_S UINT64_C(1000000000)

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

static void remove_timer(struct worker_guard *guard)
{
	if (guard->thread)
		timer_delete(guard->timer);
	guard->thread = 0;
}

/* Its timer is kept for the next time: mostly one thread asks again and again. */
static int make_timer(struct worker_guard *guard)
{
	const pid_t self = gettid();
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGNAL_INTERRUPT,
		._sigev_un._tid = self, /* glibc 2.36 has no public name for it */
	};

	if (guard->thread == self)
		return 0;
	remove_timer(guard);
	if (timer_create(CLOCK_MONOTONIC, &event, &guard->timer) < 0)
		return -errno;
	guard->thread = self;
	/* And stays so: one that is still under way when the guard ends does no harm. */
	worker_signal_admit();
	return 0;
}

static int set_timer(struct worker_guard *guard, uint64_t ns)
{
	const struct timespec period = {
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S),
	};
	const struct itimerspec when = {.it_value = period, .it_interval = period};

	return timer_settime(guard->timer, 0, &when, NULL) < 0 ? -errno : 0;
}

int worker_guard_enter(struct worker_guard *guard, uint64_t ns)
{
	int r;

	if (guard->depth++ > 0)
		return 0;
	r = make_timer(guard);
	return r < 0 ? r : set_timer(guard, ns);
}

void worker_guard_leave(struct worker_guard *guard)
{
	assert(guard->depth > 0);
	if (--guard->depth == 0 && guard->thread)
		(void)set_timer(guard, 0);
}

void worker_guard_clear(struct worker_guard *guard)
{
	remove_timer(guard);
	guard->depth = 0;
}
