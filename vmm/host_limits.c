/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_limits.c - the soft limit of open files is for programs that use select(2), which cannot
 * see descriptors beyond 1023; nothing here does. See host_limits.h.
 */
#include "vmm/host_limits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "log.h"

void host_limits_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("cannot raise the limit of open files: %s", strerror(errno));
}
