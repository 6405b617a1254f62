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
 * ARCH_GUEST_PAGE - bytes of the largest page that a guest kernel may be built for. What a guest
 * maps piece by piece starts and ends at such a border.
 */
#ifdef __aarch64__
#define ARCH_GUEST_PAGE (64 * KIB)
#else
#define ARCH_GUEST_PAGE (4 * KIB)
#endif

/*
 * arch_window - where a range of @size bytes goes that is neither RAM nor registers, say a region
 * of memory that a device shares with the guest: above RAM and above 4 GiB, 1 GiB aligned.
 * @next: where the range before this one ended, 0 for the first; moved on.
 * Return: 0 and *@gpa; -E2BIG and a sentence if the guest's processor has no such addresses.
 */
int arch_window(const struct gmem *gmem, uint64_t *next, uint64_t size, uint64_t *gpa,
		struct error *err);

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

/* What a vCPU does to the clock that KVM offers to guests (kvm-clock). */
enum arch_clock_change {
	ARCH_CLOCK_NONE, /* this exit is none of the clock's */
	ARCH_CLOCK_ON,
	ARCH_CLOCK_OFF,
	ARCH_CLOCK_KEPT, /* the guest asked for nonsense and was told so */
};

/*
 * arch_clock_watch - have a vCPU leave KVM_RUN when its guest turns that clock on or off.
 * Return: 0, or -errno: KVM of this host cannot do it.
 */
int arch_clock_watch(struct vm *vm);

/*
 * arch_clock_exit - is that why KVM left @vcpu? Then do what the guest asked for. On the vCPU's
 * thread. Return: what it was.
 */
enum arch_clock_change arch_clock_exit(struct vcpu *vcpu, struct kvm_run *run);

/*
 * arch_clock_read - what that clock shows now, ns since the machine was made. Any thread.
 * Return: 0 and *@ns; -errno.
 */
int arch_clock_read(const struct vm *vm, int64_t *ns);

#endif
