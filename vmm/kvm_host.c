/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm_host.c - what KVM of this host can do. See kvm_host.h.
 */
#include "vmm/kvm_host.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "vm.h"

static const struct {
	int cap;
	bool number; /* the answer is a count, not yes or no */
	const char *name;
	const char *use;
} capabilities[] = {
	{KVM_CAP_NR_VCPUS, true, "KVM_CAP_NR_VCPUS", "vCPUs recommended at most"},
	{KVM_CAP_MAX_VCPUS, true, "KVM_CAP_MAX_VCPUS", "vCPUs at most"},
	{KVM_CAP_NR_MEMSLOTS, true, "KVM_CAP_NR_MEMSLOTS", "memory slots"},
	{KVM_CAP_IRQFD, false, "KVM_CAP_IRQFD", "interrupts by eventfd"},
	{KVM_CAP_IOEVENTFD, false, "KVM_CAP_IOEVENTFD", "notifications by eventfd"},
	{KVM_CAP_IOEVENTFD_ANY_LENGTH, false, "KVM_CAP_IOEVENTFD_ANY_LENGTH",
	 "fast notifications on MMIO"},
	{KVM_CAP_READONLY_MEM, false, "KVM_CAP_READONLY_MEM", "read-only memory"},
	{KVM_CAP_TSC_DEADLINE_TIMER, false, "KVM_CAP_TSC_DEADLINE_TIMER", "TSC deadline timer"},
	{KVM_CAP_ADJUST_CLOCK, false, "KVM_CAP_ADJUST_CLOCK", "paravirtual clock"},
};

/* Name of the loaded module that makes KVM go, or NULL. */
static const char *kvm_module(void)
{
	static const char *const paths[][2] = {
		{"/sys/module/kvm_intel", "kvm_intel"},
		{"/sys/module/kvm_amd", "kvm_amd"},
		{"/sys/module/kvm_pvm", "kvm_pvm"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (access(paths[i][0], F_OK) == 0)
			return paths[i][1];
	return NULL;
}

bool kvm_host_report(FILE *out)
{
	struct error err = {0};
	struct vm *vm = NULL;
	const char *module = kvm_module();
	bool hardware = arch_has_virtualization();

	if (vm_new(&vm, &err) < 0) {
		fprintf(out, "KVM: MISSING: %s\n", err.text);
		return false;
	}
	fprintf(out, "KVM: /dev/kvm works, module %s\n", module ?: "built in or unknown");
	if (hardware)
		fprintf(out, "KVM: the processor has hardware virtualization\n");
	else
		fprintf(out, "KVM: MISSING: the processor shows no hardware virtualization (vmx or "
			     "svm): KVM interprets each instruction, and no Linux kernel boots\n");
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		int r = ioctl(vm_fd(vm), KVM_CHECK_EXTENSION, capabilities[i].cap);

		if (capabilities[i].number)
			fprintf(out, "KVM: %s: %d %s\n", capabilities[i].name, r,
				capabilities[i].use);
		else
			fprintf(out, "KVM: %s: %s (%s)\n", capabilities[i].name,
				r > 0 ? "yes" : "no", capabilities[i].use);
	}
	vm_free(vm);
	return hardware;
}
