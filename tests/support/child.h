/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * child.h - run a function in a process of its own, for tests of what ends a process.
 */
#ifndef VMM_TESTS_CHILD_H
#define VMM_TESTS_CHILD_H

#include "base.h"

struct child {
	char text[512]; /* what it has written to standard error, terminated */
	int status;	/* of waitpid() */
};

/* child_run - @fn in a child; one that returns exits with 0. What fails here aborts. */
void child_run(struct child *child, void (*fn)(void));

/* child_overflow - use up the stack of the calling thread. Does not return. */
void child_overflow(void);

#endif
