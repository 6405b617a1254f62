/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signals.h - what signals from outside mean, and what a crash of vmm's own does.
 *
 * SIGTERM, SIGINT and SIGHUP ask the guest to power off; SIGQUIT ends at once; SIGTSTP and SIGCONT
 * give the terminal back and take it again. They are blocked in all threads and read by the loop.
 */
#ifndef VMM_SIGNALS_H
#define VMM_SIGNALS_H

#include "base.h"
#include "error.h"
#include "loop.h"

struct signals_ops {
	void (*terminate)(void *owner); /* SIGTERM, SIGINT */
	void (*hangup)(void *owner);	/* SIGHUP, which shell and kernel may both send */
	void (*quit)(void *owner);	/* SIGQUIT */
	void (*resumed)(void *owner);	/* after a stop, or brought to the foreground */
};

struct signals {
	struct loop *loop;
	struct loop_watch watch;
	const struct signals_ops *ops;
	void *owner;
	int fd;
};

/*
 * signals_block - before any other thread exists: block what signals_init() will read, and
 * SIGPIPE and SIGXFSZ, which write() reports, and let a fatal signal restore the terminal and end
 * with EXIT_CRASH.
 */
void signals_block(void);

/* signals_init - call @ops on the loop's thread. Return: 0, or -errno and a sentence. */
int signals_init(struct signals *signals, struct loop *loop, const struct signals_ops *ops,
		 void *owner, struct error *err);
void signals_deinit(struct signals *signals);

#endif
