/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testvm.h - a machine of one or more vCPUs around a tiny guest, with a device that writes down
 * what the guest tells. Made of the parts that vmm itself is made of.
 */
#ifndef VMM_TESTS_TESTVM_H
#define VMM_TESTS_TESTVM_H

#include <pthread.h>

#include "arch.h"
#include "bus.h"
#include "gmem.h"
#include "irq.h"
#include "vcpu.h"
#include "vm.h"

#define TESTVM_CODE	UINT64_C(0x100000)
#define TESTVM_RESULT	0x100
#define TESTVM_DONE	0x110
#define TESTVM_MMIO	UINT64_C(0xd0000000)
#define TESTVM_INFO	UINT64_C(0x7654000) /* given to the guest as its boot information */
#define TESTVM_TOLD_MAX 64

/* What ended the guest. */
enum testvm_end {
	TESTVM_RUNNING,
	TESTVM_SAID_DONE,
	TESTVM_REQUESTED, /* by testvm_finish(), say from a device's machine_request */
	TESTVM_SHUTDOWN,
	TESTVM_CANNOT_EMULATE,
	TESTVM_FAILED,
};

struct testvm {
	struct gmem *gmem;
	struct vm *vm;
	struct bus *pio, *mmio;
	struct vcpu_env env;
	struct vcpu *vcpu;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t told[TESTVM_TOLD_MAX]; /* values written to the result port */
	unsigned int told_size[TESTVM_TOLD_MAX];
	unsigned int told_n;
	uint8_t device[16]; /* the MMIO device is memory */
	unsigned int device_writes;
	enum testvm_end end;
	char text[160]; /* what the vCPU said at its end */
};

/* testvm_have_kvm - whether /dev/kvm can be opened. */
bool testvm_have_kvm(void);

void testvm_init(struct testvm *t);
void testvm_deinit(struct testvm *t);

/* testvm_boot - copy a guest in and point the vCPU to it as @protocol does. */
void testvm_boot(struct testvm *t, enum boot_protocol protocol, const uint8_t *code,
		 const uint8_t *end);

/* testvm_boot_real - the same in real mode, below 64 KiB. */
void testvm_boot_real(struct testvm *t, const uint8_t *code, const uint8_t *end);

/* testvm_start - run, without waiting. */
void testvm_start(struct testvm *t);

/* testvm_wait_told - wait until the guest has told @n values, or ended. */
void testvm_wait_told(struct testvm *t, unsigned int n);

/* testvm_wait - wait for the end; fails the test after a minute. */
enum testvm_end testvm_wait(struct testvm *t);

/* testvm_finish - end it from a device. */
void testvm_finish(struct testvm *t);

#endif
