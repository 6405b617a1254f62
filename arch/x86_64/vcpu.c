/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vcpu.c - the state of an x86_64 vCPU that does not depend on what it boots: CPUID,
 * model-specific registers, local APIC.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "arch/x86_64/x86.h"

/* Model-specific registers: Intel SDM volume 4. */
#define MSR_MISC_ENABLE	     0x1a0
#define MISC_ENABLE_FAST_STR 0x1
#define MSR_MTRR_DEF_TYPE    0x2ff
#define MTRR_WRITE_BACK	     0x6
#define MTRR_ENABLE	     0x800

/* Local APIC registers: Intel SDM volume 3A, 10.4. */
#define APIC_SPIV	  0x0f0
#define APIC_SPIV_ENABLED 0x100
#define APIC_LVT_TIMER	  0x320
#define APIC_LVT_LINT0	  0x350
#define APIC_LVT_LINT1	  0x360
#define APIC_LVT_MASKED	  (1u << 16)
#define APIC_MODE_EXTINT  (7u << 8)
#define APIC_MODE_NMI	  (4u << 8)

static uint32_t apic_read(const struct kvm_lapic_state *apic, size_t reg)
{
	uint32_t value;

	memcpy(&value, apic->regs + reg, sizeof(value));
	return value;
}

static void apic_write(struct kvm_lapic_state *apic, size_t reg, uint32_t value)
{
	memcpy(apic->regs + reg, &value, sizeof(value));
}

int x86_set_msr(const struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	/* A head, then one entry. */
	_Alignas(struct kvm_msrs)
		uint8_t buffer[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *msrs = (struct kvm_msrs *)(void *)buffer;
	int n;

	msrs->nmsrs = 1;
	msrs->entries[0].index = index;
	msrs->entries[0].data = value;
	/* KVM returns the number of registers that it took. */
	n = ioctl(vcpu_fd(vcpu), KVM_SET_MSRS, msrs);
	return n < 0 ? -errno : n;
}

/* KVM may refuse what it does not know. */
static int set_msr(const struct vcpu *vcpu, uint32_t index, uint64_t value, struct error *err)
{
	int r = x86_set_msr(vcpu, index, value);

	return r < 0 ? error_set(err, -r, "KVM_SET_MSRS failed: %s", strerror(-r)) : 0;
}

static int set_msrs(const struct vcpu *vcpu, struct error *err)
{
	int r = set_msr(vcpu, MSR_MISC_ENABLE, MISC_ENABLE_FAST_STR, err);

	if (r == 0)
		r = set_msr(vcpu, MSR_MTRR_DEF_TYPE, MTRR_ENABLE | MTRR_WRITE_BACK, err);
	return r;
}

/* As a PC's firmware leaves it: the PIC comes in through LINT0, LINT1 is the NMI. */
static int set_lapic(const struct vcpu *vcpu, struct error *err)
{
	struct kvm_lapic_state apic;

	if (ioctl(vcpu_fd(vcpu), KVM_GET_LAPIC, &apic) < 0)
		return error_set(err, errno, "KVM_GET_LAPIC failed: %s", strerror(errno));
	if (vcpu_index(vcpu) == 0)
		apic_write(&apic, APIC_LVT_LINT0, APIC_MODE_EXTINT);
	apic_write(&apic, APIC_LVT_LINT1, APIC_MODE_NMI);
	if (ioctl(vcpu_fd(vcpu), KVM_SET_LAPIC, &apic) < 0)
		return error_set(err, errno, "KVM_SET_LAPIC failed: %s", strerror(errno));
	return 0;
}

int arch_vcpu_init(struct vcpu *vcpu, struct arch_cpuid *cpuid, struct error *err)
{
	int r = x86_set_cpuid(vcpu, cpuid, err);

	if (r == 0)
		r = set_msrs(vcpu, err);
	if (r == 0)
		r = set_lapic(vcpu, err);
	return r;
}

bool arch_vcpu_is_emergency(const struct vcpu *vcpu)
{
	struct kvm_lapic_state apic;

	if (ioctl(vcpu_fd(vcpu), KVM_GET_LAPIC, &apic) < 0)
		return false;
	return (apic_read(&apic, APIC_SPIV) & APIC_SPIV_ENABLED) &&
	       !(apic_read(&apic, APIC_LVT_TIMER) & APIC_LVT_MASKED);
}
