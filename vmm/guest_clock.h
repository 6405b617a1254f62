/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest_clock.h - what a guest's CLOCK_MONOTONIC shows when the host's shows so much.
 *
 * A Linux guest counts from the moment at which its kernel turned on the clock that KVM offers.
 * That moment is known to some microseconds. But until the kernel has all its clock sources it
 * counts timer interrupts instead, and misses those for which it has no time: its clock is then
 * behind by a constant, some hundredths of a second, or more if it prints much while it boots. A
 * guest that does not use KVM's clock is taken to have started with the machine.
 */
#ifndef VMM_GUEST_CLOCK_H
#define VMM_GUEST_CLOCK_H

#include "base.h"
#include "error.h"
#include "vcpu.h"
#include "vm.h"

struct guest_clock;

/*
 * guest_clock_new - watch the clock of @vm, which outlives it. Main thread, before the first vCPU
 * runs. Return: 0 and *@out, owned by the caller; or -errno and a sentence: this host cannot do it.
 */
int guest_clock_new(struct guest_clock **out, struct vm *vm, struct error *err);

/* guest_clock_free - nobody asks any more, no vCPU runs. NULL is fine. */
void guest_clock_free(struct guest_clock *clock);

/* guest_clock_exits - for struct vcpu_env. Borrowed. */
struct vcpu_exits *guest_clock_exits(struct guest_clock *clock);

/*
 * guest_clock_translate - @ns: of the host's CLOCK_MONOTONIC. Any thread.
 * Return: the same moment by the guest's.
 */
int64_t guest_clock_translate(struct guest_clock *clock, int64_t ns);

#endif
