/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * x86.h - what the files of arch/x86_64 share.
 */
#ifndef VMM_X86_H
#define VMM_X86_H

#include "arch.h"

/* x86_set_cpuid - give @vcpu its CPUID. @cpuid's table is adapted in place, vCPU after vCPU. */
int x86_set_cpuid(const struct vcpu *vcpu, struct arch_cpuid *cpuid, struct error *err);

#endif
