/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h - a negative errno together with the one sentence that a user reads.
 *
 * For what fails at start because of the user's input or the host: the callee knows what is wrong
 * and what would be right, the caller at the edge prints it once. Owned by the caller, on its
 * stack. Not for the data path, where -errno alone is returned.
 */
#ifndef VMM_ERROR_H
#define VMM_ERROR_H

#include "base.h"

#define ERROR_TEXT_MAX 1024

struct error {
	char text[ERROR_TEXT_MAX]; /* one sentence, no final period or newline; "" if none was set
				    */
	bool host;		   /* the host's fault: nothing that the user asked for is wrong */
};

/*
 * error_set - state what went wrong.
 * @err: filled; may be NULL when the caller does not want the text. @code: positive errno.
 * Text that is too long is cut. A control character in it becomes '?', so that a file name or a
 * configuration cannot drive the user's terminal. @err->host follows from @code: what only a host
 * can be short of or fail at (ENOMEM, EMFILE, EIO, ...) is its fault, all else the user's.
 * Return: -@code, so that "return error_set(err, EINVAL, ...)" reads naturally. Any thread.
 */
int error_set(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);

/* error_set_host - error_set() for what is the host's fault whatever @code says. */
int error_set_host(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);

/*
 * error_prefix - put "where: " in front of a text that a callee has set.
 * Any thread.
 */
void error_prefix(struct error *err, const char *fmt, ...) _printf_(2, 3);

#endif
