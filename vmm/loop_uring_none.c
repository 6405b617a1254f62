/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_uring_none.c - in place of loop_uring.c where vmm is built without liburing.
 */
#include <errno.h>

#include "loop_impl.h"

int loop_uring_new(struct loop **out, unsigned int ops, unsigned int rung, struct error *err)
{
	return error_set(err, ENOSYS,
			 "this vmm was built without io_uring: use --loop epoll, or build it with "
			 "liburing (-During=enabled)");
}
