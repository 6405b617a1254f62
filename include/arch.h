/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arch.h - what differs between processor architectures: where memory lies, which controllers KVM
 * emulates, how the first vCPU starts. One implementation a build, in arch/<name>/.
 */
#ifndef VMM_ARCH_H
#define VMM_ARCH_H

#include "base.h"
#include "error.h"
#include "firmware.h"
#include "gmem.h"
#include "vcpu.h"
#include "vm.h"

/*
 * arch_memory_layout - where @size bytes of RAM go.
 * Return: the number of regions.
 */
size_t arch_memory_layout(uint64_t size, struct gmem_region layout[GMEM_REGIONS_MAX]);

/*
 * arch_memory_map - what a firmware tells the kernel about @gmem: RAM and what is reserved in it.
 * Return: the number of entries.
 */
size_t arch_memory_map(const struct gmem *gmem, struct memmap_entry map[MEMMAP_MAX]);

/*
 * arch_virtio_mmio - where the machine has room for virtio-mmio device @index.
 * Return: true and *@at with an interrupt line of its own; false if no line is left.
 */
bool arch_virtio_mmio(unsigned int index, struct acpi_mmio *at);

/* arch_has_virtualization - the processor that this runs on has VT-x or AMD-V, or passes it on. */
bool arch_has_virtualization(void);

/* arch_check_memory - guest physical addresses up to the end of @gmem exist on this host. */
int arch_check_memory(const struct gmem *gmem, struct error *err);

/* arch_vm_init - interrupt controllers and timers of the machine. Before the first vCPU. */
int arch_vm_init(struct vm *vm, struct error *err);

/*
 * struct arch_cpuid - what the guest's CPUID will say, read from KVM once for all vCPUs.
 */
struct arch_cpuid;
int arch_cpuid_new(struct arch_cpuid **out, const struct vm *vm, unsigned int cpus,
		   struct error *err);
void arch_cpuid_free(struct arch_cpuid *cpuid);

/*
 * arch_vcpu_init - CPUID, model-specific registers, local interrupt controller of one vCPU.
 * Before vcpu_start().
 */
int arch_vcpu_init(struct vcpu *vcpu, struct arch_cpuid *cpuid, struct error *err);

/*
 * arch_vcpu_boot - put the first vCPU at a kernel's entry, with the tables in @gmem that the boot
 * protocol wants to be there.
 */
int arch_vcpu_boot(struct vcpu *vcpu, const struct gmem *gmem, const struct boot_entry *entry,
		   struct error *err);

/*
 * arch_vcpu_is_emergency - whether a reset that the vCPU asks for now is a crashed kernel's.
 * A Linux kernel that restarts in order first puts the local interrupt controller back to the
 * state that a BIOS leaves it in; one that panics (panic=-1) resets with it still running.
 * On the vCPU's own thread.
 */
bool arch_vcpu_is_emergency(const struct vcpu *vcpu);

#endif
