/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exit_code.h - how vmm ends, as its parent process sees it. --help and vmm(1) list the same.
 *
 * A guest's own exit codes do not exist, so 0 is the guest that powered itself off. 1 to 31 stay
 * free for wrappers, 126 and up belong to the shell.
 */
#ifndef VMM_EXIT_CODE_H
#define VMM_EXIT_CODE_H

enum exit_code {
	EXIT_POWER_OFF = 0, /* the guest powered off; --help, --dry-run, ... did their work */
	EXIT_RESET = 32,    /* the guest asked for a reset or reboot; start vmm again for it */
	EXIT_CRASH = 33,    /* vmm itself crashed: a bad access, a failed assertion */
	EXIT_PANIC = 34,    /* the guest's kernel panicked, or a vCPU triple-faulted */
	EXIT_CONFIG = 35,   /* the configuration is wrong, or a file that it names is */
	EXIT_HOST = 36,	    /* this host cannot do it: no KVM, no memory, a feature is missing */
	EXIT_KVM = 37,	    /* KVM failed while the guest ran */
	EXIT_ENDED = 38,    /* ended from outside: second SIGTERM, Ctrl-A x, another signal */
};

#endif
