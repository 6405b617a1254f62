/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.c - the controllers of an x86_64 machine that KVM emulates: PIC, I/O APIC, local APICs, PIT.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "arch/x86_64/memory_map.h"

int arch_vm_init(struct vm *vm, struct error *err)
{
	/* The dummy keeps port 0x61, by which old code measures time, inside the kernel. */
	const struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	const uint64_t identity = MAP_KVM_IDENTITY;

	/* Pages that KVM on Intel hides in the guest's address space for real mode. */
	if (ioctl(vm_fd(vm), KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return error_set(err, errno, "KVM_SET_IDENTITY_MAP_ADDR failed: %s",
				 strerror(errno));
	if (ioctl(vm_fd(vm), KVM_SET_TSS_ADDR, (unsigned long)MAP_KVM_TSS) < 0)
		return error_set(err, errno, "KVM_SET_TSS_ADDR failed: %s", strerror(errno));
	if (ioctl(vm_fd(vm), KVM_CREATE_IRQCHIP, 0) < 0)
		return error_set(err, errno, "KVM cannot create the interrupt controllers: %s",
				 strerror(errno));
	if (ioctl(vm_fd(vm), KVM_CREATE_PIT2, &pit) < 0)
		return error_set(err, errno, "KVM cannot create the timer: %s", strerror(errno));
	return 0;
}
