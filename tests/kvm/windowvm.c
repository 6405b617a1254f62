/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * windowvm.c - a machine with a window of shared memory. See windowvm.h.
 */
#include "windowvm.h"

#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "arch/x86_64/memory_map.h"

#define PAGE UINT64_C(4096)

/* Of the guest's RAM. */
#define WORK	    UINT64_C(0x180000)
#define DIRECTORIES UINT64_C(0x200000)

#define PTE_PRESENT_WRITE UINT64_C(0x03)
#define PTE_HUGE	  UINT64_C(0x80)

static bool repair(struct vcpu_fault *fault, uint64_t gpa)
{
	struct windowvm *vm = container_of(fault, struct windowvm, fault);
	uint64_t offset = MEDIA_WINDOW_ANYWHERE;

	if (gpa != VCPU_FAULT_ANYWHERE) {
		if (gpa < vm->gpa || gpa - vm->gpa >= 2 * vm->half)
			return false;
		offset = gpa - vm->gpa;
	}
	if (!media_window_repair(vm->window, offset))
		return false;
	atomic_fetch_add(&vm->repairs, 1);
	return true;
}

static void swallow(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct windowvm *vm = dev;

	atomic_fetch_add(&vm->exits, 1);
}

static const struct bus_ops swallow_ops = {.write = swallow};

/* The page tables of a booting kernel end at 4 GiB; the window is mapped behind that. */
static void write_page_tables(const struct windowvm *vm)
{
	const uint64_t pdpt = MAP_PAGE_TABLES + PAGE;

	for (uint64_t gib = vm->gpa / GIB; gib * GIB < vm->gpa + 2 * vm->half; gib++) {
		const uint64_t at = DIRECTORIES + (gib - vm->gpa / GIB) * PAGE;
		const uint64_t pointer = at | PTE_PRESENT_WRITE;
		uint64_t directory[512];

		for (uint64_t i = 0; i < ARRAY_SIZE(directory); i++)
			directory[i] = (gib * GIB + i * 2 * MIB) | PTE_PRESENT_WRITE | PTE_HUGE;
		assert_int_equal(gmem_write(vm->t.gmem, at, directory, sizeof(directory)), 0);
		assert_int_equal(gmem_write(vm->t.gmem, pdpt + gib * sizeof(uint64_t), &pointer,
					    sizeof(pointer)),
				 0);
	}
}

void windowvm_init(struct windowvm *vm, uint64_t half, unsigned int vcpus)
{
	struct arch_cpuid *cpuid = NULL;
	struct error err = {0};
	uint64_t next = 0;

	memset(vm, 0, sizeof(*vm));
	testvm_init(&vm->t);
	/* So that what it takes of the host's memory is not taken for the window's. */
	assert_int_equal(gmem_zero(vm->t.gmem, 0, gmem_size(vm->t.gmem)), 0);
	vm->half = half;
	plane_backend_init(&vm->planes);
	assert_int_equal(media_window_new(&vm->window, half, &err), 0);
	vm->host = media_window_host(vm->window);
	assert_int_equal(arch_window(vm->t.gmem, &next, 2 * half, &vm->gpa, &err), 0);
	assert_int_equal(vm_add_window(vm->t.vm, vm->gpa, vm->host, half, false, &err), 0);
	assert_int_equal(vm_add_window(vm->t.vm, vm->gpa + half, vm->host + half, half, true, &err),
			 0);
	assert_int_equal(bus_attach(vm->t.mmio, vm->gpa + half, half, &swallow_ops, vm, "window"),
			 0);
	vm->fault.repair = repair;
	vm->t.env.fault = &vm->fault;

	vm->vcpus = vcpus;
	assert_int_equal(arch_cpuid_new(&cpuid, vm->t.vm, WINDOWVM_VCPUS_MAX, &err), 0);
	for (unsigned int i = 1; i < vcpus; i++) {
		struct vcpu **vcpu = &vm->others[i - 1];

		assert_int_equal(vcpu_new(vcpu, vm->t.vm, i, &vm->t.env, &err), 0);
		assert_int_equal(arch_vcpu_init(*vcpu, cpuid, &err), 0);
	}
	arch_cpuid_free(cpuid);
}

void windowvm_stop(struct windowvm *vm)
{
	vcpu_free(vm->t.vcpu);
	vm->t.vcpu = NULL;
	for (unsigned int i = 1; i < vm->vcpus; i++)
		vcpu_free(vm->others[i - 1]);
	vm->vcpus = 0;
}

void windowvm_deinit(struct windowvm *vm)
{
	windowvm_stop(vm);
	testvm_deinit(&vm->t);
	media_window_free(vm->window);
	plane_backend_deinit(&vm->planes);
}

struct work *windowvm_work(const struct windowvm *vm, unsigned int vcpu)
{
	return gmem_at(vm->t.gmem, WORK + vcpu * PAGE, sizeof(struct work));
}

void windowvm_start(struct windowvm *vm, const uint8_t *code, const uint8_t *end,
		    const struct work *work)
{
	const struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct error err = {0};

	assert_int_equal(gmem_write(vm->t.gmem, TESTVM_CODE, code, (uint64_t)(end - code)), 0);
	for (unsigned int i = 0; i < vm->vcpus; i++) {
		struct vcpu *vcpu = i ? vm->others[i - 1] : vm->t.vcpu;
		const struct boot_entry entry = {
			.protocol = BOOT_LINUX64,
			.entry = TESTVM_CODE,
			.info = WORK + i * PAGE,
		};

		*windowvm_work(vm, i) = *work;
		assert_int_equal(arch_vcpu_boot(vcpu, vm->t.gmem, &entry, &err), 0);
		assert_int_equal(ioctl(vcpu_fd(vcpu), KVM_SET_MP_STATE, &runnable), 0);
	}
	write_page_tables(vm);
	for (unsigned int i = 0; i < vm->vcpus; i++)
		assert_int_equal(vcpu_start(i ? vm->others[i - 1] : vm->t.vcpu), 0);
}

bool windowvm_running(struct windowvm *vm)
{
	bool running;

	pthread_mutex_lock(&vm->t.lock);
	running = vm->t.end == TESTVM_RUNNING;
	pthread_mutex_unlock(&vm->t.lock);
	return running;
}

void windowvm_wait(struct windowvm *vm)
{
	testvm_wait_told(&vm->t, vm->vcpus);
	if (!windowvm_running(vm))
		fail_msg("the machine has ended: %d %s", vm->t.end, vm->t.text);
	assert_int_equal(vm->t.told_n, vm->vcpus);
}
