/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * terminal.h - the terminal that vmm was started from: raw while the guest has it, and as it was
 * before on every way out.
 *
 * A process has one terminal, so the state is the module's. It is touched only after
 * terminal_take(), by the thread that reads it; terminal_restore() may come from any.
 */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

#include "base.h"

/*
 * terminal_take - put the terminal behind @fd into raw mode, remembering how it was.
 * Return: 1; 0 if this process is in the background and must not touch it now; -errno.
 */
int terminal_take(int fd);

/* terminal_size - in characters; 0 by 0 if nobody knows. Any thread. Return: 0 or -errno. */
int terminal_size(int fd, uint16_t *cols, uint16_t *rows);

/*
 * terminal_restore - give it back as it was; may be called at any time, any number of times, and
 * from a signal handler.
 */
void terminal_restore(void);

#endif
