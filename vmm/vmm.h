/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm.h - one virtual machine from its configuration to its end.
 */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include "exit_code.h"
#include "vmm/config.h"

/*
 * vmm_run - make the machine that @config describes, run it, release everything and give the
 * terminal back. What goes wrong is logged. Called once, on the main thread, before any other
 * thread exists. Return: how it ended.
 */
enum exit_code vmm_run(const struct config *config);

#endif
