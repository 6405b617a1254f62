/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_limits.h - this process's resource limits, see setrlimit(2). Main thread, before others run.
 */
#ifndef VMM_HOST_LIMITS_H
#define VMM_HOST_LIMITS_H

/*
 * host_limits_raise - as many open files as the hard limit allows: a guest's media sessions have
 * descriptors for each file and each buffer. If that fails there are as many as before.
 */
void host_limits_raise(void);

#endif
