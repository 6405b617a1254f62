/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vcpu.h - one virtual CPU: a thread in KVM_RUN that hands port and memory accesses to the buses.
 *
 * Made on the main thread, set up by arch/ through its descriptor, started once, stopped once.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "base.h"
#include "bus.h"
#include "error.h"
#include "vm.h"

struct vcpu;

/* Why a vCPU ended by itself. */
enum vcpu_end {
	VCPU_SHUTDOWN,	     /* triple fault */
	VCPU_CANNOT_EMULATE, /* KVM met an instruction that it does not know */
	VCPU_FAILED,	     /* KVM_RUN failed, or KVM reported an internal error */
};

/*
 * struct vcpu_fault - who is asked when the host cannot give the guest the memory that it touches;
 * embedded in its owner, who outlives the vCPUs.
 */
struct vcpu_fault {
	/*
	 * @gpa: what the guest touches, or VCPU_FAULT_ANYWHERE, since most kernels do not tell. On
	 * the vCPU's thread, on several at once. Return: whether something was put right.
	 */
	bool (*repair)(struct vcpu_fault *fault, uint64_t gpa);
};
#define VCPU_FAULT_ANYWHERE UINT64_MAX

struct kvm_run; /* <linux/kvm.h> */

/*
 * struct vcpu_exits - who takes the exits that only one architecture has; embedded in its owner,
 * who outlives the vCPUs.
 */
struct vcpu_exits {
	/*
	 * @run: how KVM left @vcpu. On the vCPU's thread, on several at once. Return: whether this
	 * was for it to deal with, and the guest goes on.
	 */
	bool (*take)(struct vcpu_exits *exits, struct vcpu *vcpu, struct kvm_run *run);
};

/* struct vcpu_env - what a vCPU lives in; borrowed, the same for all vCPUs of a machine. */
struct vcpu_env {
	const struct bus *pio;
	const struct bus *mmio;
	struct vcpu_fault *fault; /* NULL: such an access ends the vCPU */
	struct vcpu_exits *exits; /* NULL: such an exit ends the vCPU */
	/* On the vCPU's thread. @text: what happened, for VCPU_FAILED and VCPU_CANNOT_EMULATE. */
	void (*ended)(void *owner, enum vcpu_end end, const char *text);
	void *owner;
};

/*
 * vcpu_new - create vCPU @index of @vm; its thread does not run yet.
 * Return: 0 and *@out, or -errno and a sentence.
 */
int vcpu_new(struct vcpu **out, struct vm *vm, unsigned int index, const struct vcpu_env *env,
	     struct error *err);

/*
 * vcpu_join - stop the thread and wait for it, if it was started. A vCPU may stop the others, so
 * all are joined before the first is freed.
 */
void vcpu_join(struct vcpu *vcpu);

/* vcpu_free - after vcpu_join(), or joins itself. NULL is fine. */
void vcpu_free(struct vcpu *vcpu);

/* vcpu_fd - for arch/, before vcpu_start() or on the vCPU's own thread. Borrowed. */
int vcpu_fd(const struct vcpu *vcpu);
unsigned int vcpu_index(const struct vcpu *vcpu);

/* vcpu_start - run. Return: 0, or -errno if no thread can be made. */
int vcpu_start(struct vcpu *vcpu);

/*
 * vcpu_stop - make the vCPU leave KVM_RUN, and any system call that a device is blocked in, soon
 * and for good. Does not wait. Any thread.
 */
void vcpu_stop(struct vcpu *vcpu);

/* vcpu_current - the vCPU whose thread this is, or NULL. For devices' callbacks. */
struct vcpu *vcpu_current(void);

/* vcpu_stopping - this thread is a vCPU's that was told to stop: give up what would block. */
bool vcpu_stopping(void);

#endif
