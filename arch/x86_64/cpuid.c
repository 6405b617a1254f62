/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpuid.c - what the guest's CPUID says: what KVM can give on this host, with the topology of the
 * virtual machine put in.
 *
 * One package, one thread a core, APIC id = vCPU index. Intel SDM volume 2A "CPUID" and AMD APM
 * volume 3 appendix E name the leaves. Main thread.
 */
#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "arch/x86_64/x86.h"

#define ENTRIES_MAX 256

/* Leaves */
#define LEAF_FEATURES	    0x1
#define LEAF_CACHES	    0x4
#define LEAF_PERFMON	    0xa
#define LEAF_TOPOLOGY	    0xb
#define LEAF_TOPOLOGY_V2    0x1f
#define LEAF_AMD_FEATURES   0x80000001
#define LEAF_ADDRESS_SIZES  0x80000008
#define LEAF_AMD_PERFMON_V2 0x80000022
#define LEAF_AMD_CACHES	    0x8000001d
#define LEAF_AMD_TOPOLOGY   0x8000001e

/* Leaf 1 */
#define ECX_VMX		 (1u << 5)
#define ECX_TSC_DEADLINE (1u << 24)
#define ECX_HYPERVISOR	 (1u << 31)
#define EDX_HTT		 (1u << 28)

/* Leaf 0x80000001 */
#define ECX_CMP_LEGACY	 (1u << 1)
#define ECX_SVM		 (1u << 2)
#define ECX_PERFCTR_CORE (1u << 23)
#define ECX_PERFCTR_NB	 (1u << 24)
#define ECX_PERFCTR_LLC	 (1u << 28)

/* Leaf 0xb: level types */
#define LEVEL_SMT  1
#define LEVEL_CORE 2

struct arch_cpuid {
	unsigned int cpus;
	unsigned int id_bits; /* of an APIC id: 2^id_bits >= cpus */
	bool tsc_deadline;
	struct kvm_cpuid2 *table; /* as KVM gave it; set_topology() adapts it to each vCPU */
};

bool arch_has_virtualization(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (__get_cpuid(LEAF_FEATURES, &eax, &ebx, &ecx, &edx) && (ecx & ECX_VMX))
		return true;
	return __get_cpuid(LEAF_AMD_FEATURES, &eax, &ebx, &ecx, &edx) && (ecx & ECX_SVM);
}

int arch_cpuid_new(struct arch_cpuid **out, const struct vm *vm, unsigned int cpus,
		   struct error *err)
{
	struct arch_cpuid *cpuid = calloc(1, sizeof(*cpuid));
	int r;

	if (!cpuid)
		return error_set(err, ENOMEM, "out of memory");
	cpuid->cpus = cpus;
	while ((1u << cpuid->id_bits) < cpus)
		cpuid->id_bits++;
	cpuid->tsc_deadline =
		ioctl(vm_kvm_fd(vm), KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	/* Room for the leaves that set_extended_topology() may add. */
	cpuid->table = calloc(1, sizeof(*cpuid->table) +
					 (ENTRIES_MAX + 3) * sizeof(struct kvm_cpuid_entry2));
	if (!cpuid->table) {
		r = error_set(err, ENOMEM, "out of memory");
		goto fail;
	}
	cpuid->table->nent = ENTRIES_MAX;
	if (ioctl(vm_kvm_fd(vm), KVM_GET_SUPPORTED_CPUID, cpuid->table) < 0) {
		r = error_set(err, errno, "KVM_GET_SUPPORTED_CPUID failed: %s", strerror(errno));
		goto fail;
	}
	*out = cpuid;
	return 0;
fail:
	arch_cpuid_free(cpuid);
	return r;
}

void arch_cpuid_free(struct arch_cpuid *cpuid)
{
	if (!cpuid)
		return;
	free(cpuid->table);
	free(cpuid);
}

static void set_features(const struct arch_cpuid *cpuid, struct kvm_cpuid_entry2 *e, uint32_t id)
{
	e->ebx = (e->ebx & 0x0000ffff) | (1u << cpuid->id_bits) << 16 | id << 24;
	e->ecx |= ECX_HYPERVISOR;
	if (cpuid->tsc_deadline)
		e->ecx |= ECX_TSC_DEADLINE;
	if (cpuid->cpus > 1)
		e->edx |= EDX_HTT;
	else
		e->edx &= ~EDX_HTT;
}

/* Levels 1 and 2 belong to one core, the last level to the package. */
static uint32_t cache_sharing(const struct arch_cpuid *cpuid, uint32_t eax)
{
	const uint32_t level = (eax >> 5) & 7;
	const uint32_t sharing = level >= 3 ? (1u << cpuid->id_bits) - 1 : 0;

	return (eax & ~(0xfffu << 14)) | sharing << 14;
}

static void set_caches(const struct arch_cpuid *cpuid, struct kvm_cpuid_entry2 *e)
{
	if (!(e->eax & 0x1f))
		return;
	e->eax = cache_sharing(cpuid, e->eax);
	e->eax = (e->eax & ~(0x3fu << 26)) | ((1u << cpuid->id_bits) - 1) << 26;
}

static void set_amd_features(const struct arch_cpuid *cpuid, struct kvm_cpuid_entry2 *e)
{
	/* No performance counters: they would be the host's. */
	e->ecx &= ~(ECX_PERFCTR_CORE | ECX_PERFCTR_NB | ECX_PERFCTR_LLC | ECX_CMP_LEGACY);
	if (cpuid->cpus > 1)
		e->ecx |= ECX_CMP_LEGACY;
}

static void clear(struct kvm_cpuid_entry2 *e)
{
	e->eax = e->ebx = e->ecx = e->edx = 0;
}

/* Leaf 0xb: the SMT level has one thread, the core level all cores. */
static void set_extended_topology(const struct arch_cpuid *cpuid, struct kvm_cpuid_entry2 *e,
				  uint32_t id)
{
	clear(e);
	e->ecx = e->index & 0xff;
	e->edx = id;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= LEVEL_SMT << 8;
	} else if (e->index == 1) {
		e->eax = cpuid->id_bits;
		e->ebx = cpuid->cpus;
		e->ecx |= LEVEL_CORE << 8;
	}
}

static void set_topology(const struct arch_cpuid *cpuid, struct kvm_cpuid_entry2 *e, uint32_t id)
{
	switch (e->function) {
	case LEAF_FEATURES:
		set_features(cpuid, e, id);
		break;
	case LEAF_CACHES:
		set_caches(cpuid, e);
		break;
	case LEAF_PERFMON:
	case LEAF_AMD_PERFMON_V2:
	case LEAF_TOPOLOGY_V2: /* tells no more than leaf 0xb */
		clear(e);
		break;
	case LEAF_TOPOLOGY:
		set_extended_topology(cpuid, e, id);
		break;
	case LEAF_AMD_FEATURES:
		set_amd_features(cpuid, e);
		break;
	case LEAF_ADDRESS_SIZES:
		e->ecx = (e->ecx & ~0xf0ffu) | cpuid->id_bits << 12 | (cpuid->cpus - 1);
		break;
	case LEAF_AMD_CACHES:
		if (e->eax & 0x1f)
			e->eax = cache_sharing(cpuid, e->eax);
		break;
	case LEAF_AMD_TOPOLOGY:
		e->eax = id;
		e->ebx = id; /* core id; one thread a core */
		e->ecx = 0;  /* node 0, one node a package */
		break;
	}
}

/* KVM may report leaf 0xb with fewer sub-leaves than the topology needs. */
static void complete_extended_topology(struct kvm_cpuid2 *table)
{
	struct kvm_cpuid_entry2 *first = NULL;
	unsigned int have = 0;

	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == LEAF_TOPOLOGY) {
			first = first ?: &table->entries[i];
			have |= 1u << MIN(table->entries[i].index, 31u);
		}
	if (!first)
		return;
	for (uint32_t index = 0; index < 3; index++)
		if (!(have & (1u << index)))
			table->entries[table->nent++] = (struct kvm_cpuid_entry2) {
				.function = LEAF_TOPOLOGY,
				.index = index,
				.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			};
}

int x86_set_cpuid(const struct vcpu *vcpu, struct arch_cpuid *cpuid, struct error *err)
{
	struct kvm_cpuid2 *table = cpuid->table;

	complete_extended_topology(table);
	for (uint32_t i = 0; i < table->nent; i++)
		set_topology(cpuid, &table->entries[i], vcpu_index(vcpu));
	if (ioctl(vcpu_fd(vcpu), KVM_SET_CPUID2, table) < 0)
		return error_set(err, errno, "KVM refuses the CPUID of vCPU %u: %s",
				 vcpu_index(vcpu), strerror(errno));
	return 0;
}
