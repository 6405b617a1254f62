/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * windowvm.h - a machine of up to four vCPUs with a window of memory that a media device shares
 * with the guest. Around testvm.h; what is mapped in the window is the test's plane_backend.
 */
#ifndef VMM_TESTS_WINDOWVM_H
#define VMM_TESTS_WINDOWVM_H

#include <stdatomic.h>

#include "devices/media/window.h"
#include "tests/support/plane_backend.h"
#include "testvm.h"

#define WINDOWVM_VCPUS_MAX 4

extern const uint8_t guest_sweep[], guest_sweep_end[], guest_kinds[], guest_kinds_end[];

/* struct work - what a guest is to do, and what it has done: window_guests.S. */
struct work {
	uint64_t start, end, stride;
	uint64_t reads, writes; /* whether to */
	uint64_t value;
	uint64_t again;
	uint64_t rounds, sum;
};

struct windowvm {
	struct testvm t;
	struct vcpu *others[WINDOWVM_VCPUS_MAX - 1]; /* besides t.vcpu */
	unsigned int vcpus;
	struct plane_backend planes;
	struct media_window *window;
	uint64_t half, gpa;
	uint8_t *host;
	struct vcpu_fault fault;
	atomic_uint repairs; /* successful calls of media_window_repair() */
	atomic_uint exits;   /* writes to the read-only half that reached the bus */
};

/* windowvm_init - @half: bytes. The guest has all of the window in its page tables. */
void windowvm_init(struct windowvm *vm, uint64_t half, unsigned int vcpus);
void windowvm_deinit(struct windowvm *vm);

/* windowvm_work - of vCPU @vcpu, in the guest's memory. */
struct work *windowvm_work(const struct windowvm *vm, unsigned int vcpu);

/* windowvm_start - let all vCPUs run the guest from @code to @end, each with its copy of @work. */
void windowvm_start(struct windowvm *vm, const uint8_t *code, const uint8_t *end,
		    const struct work *work);

/* windowvm_running - nothing has ended the machine. */
bool windowvm_running(struct windowvm *vm);

/* windowvm_wait - all have done their work; fails the test if the machine ends. */
void windowvm_wait(struct windowvm *vm);

/* windowvm_stop - end the vCPUs. */
void windowvm_stop(struct windowvm *vm);

/* WINDOWVM_RUN - all of that with guest @name and members of a struct work. */
#define WINDOWVM_RUN(vm, name, ...)                                                                \
	do {                                                                                       \
		const struct work work_ = {__VA_ARGS__};                                           \
		windowvm_start(vm, guest_##name, guest_##name##_end, &work_);                      \
		windowvm_wait(vm);                                                                 \
		windowvm_stop(vm);                                                                 \
	} while (0)

#endif
