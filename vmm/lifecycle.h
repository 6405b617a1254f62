/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lifecycle.h - how a running machine ends, and with which exit code.
 *
 * The first reason counts. Ending stops all vCPUs and the main loop; it does not wait, so a vCPU
 * may end the machine from inside a register write. Any thread.
 */
#ifndef VMM_LIFECYCLE_H
#define VMM_LIFECYCLE_H

#include <stdatomic.h>

#include "base.h"
#include "exit_code.h"
#include "loop.h"
#include "machine.h"
#include "vcpu.h"

struct lifecycle {
	struct machine machine; /* devices ask here */
	struct loop *loop;
	struct vcpu **vcpus; /* borrowed */
	unsigned int vcpus_n;
	/* Whether a reset by this vCPU is a crashed kernel's. */
	bool (*is_emergency)(const struct vcpu *vcpu);
	bool hardware; /* KVM here runs guest code on the processor, not in an interpreter */
	atomic_int code;
};

/* lifecycle_init - @loop and @is_emergency are borrowed. */
void lifecycle_init(struct lifecycle *life, struct loop *loop,
		    bool (*is_emergency)(const struct vcpu *vcpu), bool hardware);

/* lifecycle_set_vcpus - what to stop; before the first one starts. */
void lifecycle_set_vcpus(struct lifecycle *life, struct vcpu **vcpus, unsigned int n);

/*
 * lifecycle_end - end the machine with @code unless it is ending already.
 * Return: whether this call decided it.
 */
bool lifecycle_end(struct lifecycle *life, enum exit_code code);

/* lifecycle_vcpu_ended - struct vcpu_env's ended(); @owner is the struct lifecycle. */
void lifecycle_vcpu_ended(void *owner, enum vcpu_end end, const char *text);

/* lifecycle_code - the exit code. After the loop has stopped. */
enum exit_code lifecycle_code(const struct lifecycle *life);

#endif
