/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * x86.h - what the files of arch/x86_64 share.
 */
#ifndef VMM_X86_H
#define VMM_X86_H

#include "arch.h"

/* x86_window - arch_window() of a machine whose RAM ends at @ram_end, with @bits of addresses. */
int x86_window(uint64_t ram_end, unsigned int bits, uint64_t *next, uint64_t size, uint64_t *gpa,
	       struct error *err);

/* x86_set_cpuid - give @vcpu its CPUID. @cpuid's table is adapted in place, vCPU after vCPU. */
int x86_set_cpuid(const struct vcpu *vcpu, struct arch_cpuid *cpuid, struct error *err);

/*
 * x86_set_msr - set a model-specific register. Before vcpu_start(), or on the vCPU's own thread.
 * Return: 1; 0 if KVM does not know the register or refuses the value; -errno.
 */
int x86_set_msr(const struct vcpu *vcpu, uint32_t index, uint64_t value);

#endif
