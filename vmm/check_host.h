/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_host.h - --check-host: what this host can do and what it lacks, in words. Main thread.
 */
#ifndef VMM_CHECK_HOST_H
#define VMM_CHECK_HOST_H

#include "base.h"

/* check_host - print the report to stdout. Return: whether vmm can run a kernel here. */
bool check_host(void);

#endif
