/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testvm.c - a machine for tiny guests. See testvm.h.
 */
#include "testvm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <cmocka.h>

#define RAM	  (4 * MIB)
#define REAL_CODE UINT64_C(0x1000)
#define TIMEOUT_S 60

bool testvm_have_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	closep(&fd);
	return fd >= 0;
}

static void end_with(struct testvm *t, enum testvm_end end, const char *text)
{
	pthread_mutex_lock(&t->lock);
	if (t->end == TESTVM_RUNNING) {
		t->end = end;
		snprintf(t->text, sizeof(t->text), "%s", text ?: "");
	}
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void testvm_finish(struct testvm *t)
{
	end_with(t, TESTVM_REQUESTED, NULL);
	vcpu_stop(t->vcpu);
}

static void on_ended(void *owner, enum vcpu_end end, const char *text)
{
	static const enum testvm_end ends[] = {
		[VCPU_SHUTDOWN] = TESTVM_SHUTDOWN,
		[VCPU_CANNOT_EMULATE] = TESTVM_CANNOT_EMULATE,
		[VCPU_FAILED] = TESTVM_FAILED,
	};

	end_with(owner, ends[end], text);
}

static uint64_t result_read(void *dev, uint64_t offset, unsigned int size)
{
	return UINT64_C(0xa1b2c3d4e5f60718);
}

static void result_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct testvm *t = dev;

	pthread_mutex_lock(&t->lock);
	if (t->told_n < TESTVM_TOLD_MAX) {
		t->told[t->told_n] = value;
		t->told_size[t->told_n++] = size;
	}
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static const struct bus_ops result_ops = {.read = result_read, .write = result_write};

static void done_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct testvm *t = dev;

	end_with(t, TESTVM_SAID_DONE, NULL);
	vcpu_stop(t->vcpu);
}

static const struct bus_ops done_ops = {.write = done_write};

static uint64_t device_read(void *dev, uint64_t offset, unsigned int size)
{
	struct testvm *t = dev;
	uint64_t value = 0;

	if (offset + size <= sizeof(t->device))
		memcpy(&value, t->device + offset, size);
	return value;
}

static void device_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct testvm *t = dev;

	t->device_writes++;
	if (offset + size <= sizeof(t->device))
		memcpy(t->device + offset, &value, size);
}

static const struct bus_ops device_ops = {.read = device_read, .write = device_write};

void testvm_init(struct testvm *t)
{
	const struct gmem_options options = {0};
	struct gmem_region layout[GMEM_REGIONS_MAX];
	struct arch_cpuid *cpuid = NULL;
	struct error err = {0};
	pthread_condattr_t attr;

	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);

	assert_int_equal(
		gmem_new(&t->gmem, layout, arch_memory_layout(RAM, layout), &options, &err), 0);
	assert_int_equal(vm_new(&t->vm, &err), 0);
	assert_int_equal(vm_add_memory(t->vm, t->gmem, &err), 0);
	assert_int_equal(arch_vm_init(t->vm, &err), 0);
	assert_int_equal(bus_new(&t->pio, 64 * KIB), 0);
	assert_int_equal(bus_new(&t->mmio, 0), 0);
	assert_int_equal(bus_attach(t->pio, TESTVM_RESULT, 4, &result_ops, t, "result"), 0);
	assert_int_equal(bus_attach(t->pio, TESTVM_DONE, 1, &done_ops, t, "done"), 0);
	assert_int_equal(bus_attach(t->mmio, TESTVM_MMIO, 0x100, &device_ops, t, "device"), 0);
	t->env = (struct vcpu_env) {
		.pio = t->pio,
		.mmio = t->mmio,
		.ended = on_ended,
		.owner = t,
	};
	assert_int_equal(vcpu_new(&t->vcpu, t->vm, 0, &t->env, &err), 0);
	assert_int_equal(arch_cpuid_new(&cpuid, t->vm, 1, &err), 0);
	assert_int_equal(arch_vcpu_init(t->vcpu, cpuid, &err), 0);
	arch_cpuid_free(cpuid);
}

void testvm_deinit(struct testvm *t)
{
	vcpu_free(t->vcpu);
	bus_free(t->mmio);
	bus_free(t->pio);
	vm_free(t->vm);
	gmem_free(t->gmem);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}

void testvm_boot(struct testvm *t, enum boot_protocol protocol, const uint8_t *code,
		 const uint8_t *end)
{
	const struct boot_entry entry = {
		.protocol = protocol,
		.entry = TESTVM_CODE,
		.info = TESTVM_INFO,
	};
	struct error err = {0};

	assert_int_equal(gmem_write(t->gmem, TESTVM_CODE, code, (uint64_t)(end - code)), 0);
	assert_int_equal(arch_vcpu_boot(t->vcpu, t->gmem, &entry, &err), 0);
}

void testvm_boot_real(struct testvm *t, const uint8_t *code, const uint8_t *end)
{
	const struct kvm_regs regs = {.rip = REAL_CODE, .rflags = 2};
	struct kvm_sregs sregs;

	assert_int_equal(gmem_write(t->gmem, REAL_CODE, code, (uint64_t)(end - code)), 0);
	assert_int_equal(ioctl(vcpu_fd(t->vcpu), KVM_GET_SREGS, &sregs), 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	assert_int_equal(ioctl(vcpu_fd(t->vcpu), KVM_SET_SREGS, &sregs), 0);
	assert_int_equal(ioctl(vcpu_fd(t->vcpu), KVM_SET_REGS, &regs), 0);
}

void testvm_start(struct testvm *t)
{
	assert_int_equal(vcpu_start(t->vcpu), 0);
}

static void wait_changed(struct testvm *t)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TIMEOUT_S;
	if (pthread_cond_timedwait(&t->changed, &t->lock, &until) != 0) {
		pthread_mutex_unlock(&t->lock);
		fail_msg("the guest told %u values and then nothing for a minute", t->told_n);
	}
}

void testvm_wait_told(struct testvm *t, unsigned int n)
{
	pthread_mutex_lock(&t->lock);
	while (t->told_n < n && t->end == TESTVM_RUNNING)
		wait_changed(t);
	pthread_mutex_unlock(&t->lock);
}

enum testvm_end testvm_wait(struct testvm *t)
{
	enum testvm_end end;

	pthread_mutex_lock(&t->lock);
	while (t->end == TESTVM_RUNNING)
		wait_changed(t);
	end = t->end;
	pthread_mutex_unlock(&t->lock);
	return end;
}
