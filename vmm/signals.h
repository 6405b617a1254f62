/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signals.h - what signals from outside mean, and what a crash of vmm's own does.
 *
 * While the machine is prepared, signals do what they do to any program. Once it runs, SIGTERM,
 * SIGINT and SIGHUP ask the guest to power off, SIGQUIT ends at once, SIGTSTP and SIGCONT give the
 * terminal back and take it again, SIGWINCH tells of its new size: these are blocked in all threads
 * and read by the loop. What else would end the process restores the terminal first.
 */
#ifndef VMM_SIGNALS_H
#define VMM_SIGNALS_H

#include <signal.h>

#include "base.h"
#include "error.h"
#include "loop.h"

/* Bytes of stack for a fatal signal: more than the largest state of a processor (AMX) takes. */
#define SIGNALS_CRASH_STACK (32 * KIB)

struct signals_ops {
	void (*terminate)(void *owner); /* SIGTERM, SIGINT */
	void (*hangup)(void *owner);	/* SIGHUP, which shell and kernel may both send */
	void (*quit)(void *owner);	/* SIGQUIT */
	void (*resumed)(void *owner);	/* after a stop, or brought to the foreground */
	void (*winch)(void *owner);	/* SIGWINCH; may be NULL */
};

struct signals {
	struct loop *loop;
	struct loop_watch watch;
	const struct signals_ops *ops;
	void *owner;
	int fd;
};

/*
 * signals_prepare - first of all: block SIGPIPE and SIGXFSZ, which write() reports. Let a fatal
 * signal restore the terminal and end with EXIT_CRASH if vmm has caused it, with EXIT_ENDED if
 * somebody has sent it.
 */
void signals_prepare(void);

/*
 * signals_block - from here on, keep what signals_init() reads for the loop. Before the terminal
 * is taken and before a guest has something to lose. Main thread; others have them blocked already
 * (thread.h).
 */
void signals_block(void);

/* signals_of_threads - what is blocked in threads beside the main one: all but crashes. */
void signals_of_threads(sigset_t *set);

/* signals_init - call @ops on the loop's thread. Return: 0, or -errno and a sentence. */
int signals_init(struct signals *signals, struct loop *loop, const struct signals_ops *ops,
		 void *owner, struct error *err);
void signals_deinit(struct signals *signals);

#endif
