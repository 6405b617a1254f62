/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest_clock.c - from the host's monotonic clock to the guest's. See guest_clock.h.
 *
 * The clock that KVM offers runs as the host's CLOCK_MONOTONIC_RAW does. The host's time service
 * moves CLOCK_MONOTONIC against that by up to 500 ppm, so the difference of the two is measured
 * again every second.
 */
#include "vmm/guest_clock.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "arch.h"

#define SECOND_NS INT64_C(1000000000)
#define SAMPLES	  3

struct guest_clock {
	struct vm *vm;
	struct vcpu_exits exits;
	pthread_mutex_t lock;
	uint64_t on;	 /* vCPUs whose guest has turned KVM's clock on, a bit each */
	int64_t zero;	 /* what it showed when the first of them did */
	int64_t ahead;	 /* of the host's monotonic clock, ns */
	int64_t sampled; /* when, by the host's monotonic clock */
};

static int64_t host_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Read KVM's clock between two looks at the host's; the closest two tell most. */
static int sample(struct guest_clock *clock)
{
	int64_t closest = INT64_MAX;

	for (unsigned int i = 0; i < SAMPLES; i++) {
		int64_t before = host_now(), kvm, after;
		int r = arch_clock_read(clock->vm, &kvm);

		if (r < 0)
			return r;
		after = host_now();
		if (after - before >= closest)
			continue;
		closest = after - before;
		clock->ahead = kvm - (before + closest / 2);
		clock->sampled = after;
	}
	return 0;
}

/* Secondary processors follow the first; a kernel that makes way for another turns all off. */
static bool take_exit(struct vcpu_exits *exits, struct vcpu *vcpu, struct kvm_run *run)
{
	struct guest_clock *clock = container_of(exits, struct guest_clock, exits);
	const uint64_t bit = UINT64_C(1) << vcpu_index(vcpu);
	const enum arch_clock_change change = arch_clock_exit(vcpu, run);

	if (change == ARCH_CLOCK_NONE)
		return false;
	pthread_mutex_lock(&clock->lock);
	if (change == ARCH_CLOCK_OFF)
		clock->on &= ~bit;
	if (change == ARCH_CLOCK_ON) {
		if (!clock->on)
			(void)arch_clock_read(clock->vm, &clock->zero);
		clock->on |= bit;
	}
	pthread_mutex_unlock(&clock->lock);
	return true;
}

int guest_clock_new(struct guest_clock **out, struct vm *vm, struct error *err)
{
	struct guest_clock *clock = calloc(1, sizeof(*clock));
	int r;

	if (!clock)
		return error_set(err, ENOMEM, "out of memory");
	clock->vm = vm;
	clock->exits.take = take_exit;
	pthread_mutex_init(&clock->lock, NULL);
	r = sample(clock);
	if (r == 0)
		r = arch_clock_watch(vm);
	if (r < 0) {
		guest_clock_free(clock);
		return error_set(
			err, -r,
			"KVM of this host cannot tell the guest's clock: a newer kernel is "
			"needed for timestamps=guest (%s)",
			strerror(-r));
	}
	*out = clock;
	return 0;
}

void guest_clock_free(struct guest_clock *clock)
{
	if (!clock)
		return;
	pthread_mutex_destroy(&clock->lock);
	free(clock);
}

struct vcpu_exits *guest_clock_exits(struct guest_clock *clock)
{
	return &clock->exits;
}

int64_t guest_clock_translate(struct guest_clock *clock, int64_t ns)
{
	int64_t guest;

	pthread_mutex_lock(&clock->lock);
	/* Should it fail now, what was measured last is still about right. */
	if (host_now() - clock->sampled >= SECOND_NS)
		(void)sample(clock);
	guest = ns + clock->ahead - clock->zero;
	pthread_mutex_unlock(&clock->lock);
	return guest;
}
