/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.c - the clock that KVM offers to x86_64 guests: kvm-clock.
 *
 * Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW: each vCPU writes the address of a
 * page there, with bit 0 set, and KVM keeps the time in it. A filter (api.rst, 4.97,
 * KVM_X86_SET_MSR_FILTER) turns that write into an exit; it happens once a vCPU and boot.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "arch/x86_64/x86.h"

#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01
#define SYSTEM_TIME_ENABLED	1

int arch_clock_watch(struct vm *vm)
{
	const struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = {KVM_MSR_EXIT_REASON_FILTER},
	};
	/* A bit each register, 0: not by itself. KVM reads it in whole words of the kernel's. */
	uint64_t denied = 0;
	const struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] =
			{
				.flags = KVM_MSR_FILTER_WRITE,
				.base = MSR_KVM_SYSTEM_TIME_NEW,
				.nmsrs = 1,
				.bitmap = (uint8_t *)&denied,
			},
	};

	if (ioctl(vm_fd(vm), KVM_CHECK_EXTENSION, KVM_CAP_X86_MSR_FILTER) <= 0)
		return -ENOSYS;
	if (ioctl(vm_fd(vm), KVM_ENABLE_CAP, &cap) < 0)
		return -errno;
	return ioctl(vm_fd(vm), KVM_X86_SET_MSR_FILTER, &filter) < 0 ? -errno : 0;
}

enum arch_clock_change arch_clock_exit(struct vcpu *vcpu, struct kvm_run *run)
{
	if (run->exit_reason != KVM_EXIT_X86_WRMSR || run->msr.index != MSR_KVM_SYSTEM_TIME_NEW)
		return ARCH_CLOCK_NONE;
	if (x86_set_msr(vcpu, run->msr.index, run->msr.data) != 1) {
		run->msr.error = 1; /* a general protection fault for the guest */
		return ARCH_CLOCK_KEPT;
	}
	run->msr.error = 0;
	return run->msr.data & SYSTEM_TIME_ENABLED ? ARCH_CLOCK_ON : ARCH_CLOCK_OFF;
}

int arch_clock_read(const struct vm *vm, int64_t *ns)
{
	struct kvm_clock_data data = {0};

	if (ioctl(vm_fd(vm), KVM_GET_CLOCK, &data) < 0)
		return -errno;
	*ns = (int64_t)data.clock;
	return 0;
}
