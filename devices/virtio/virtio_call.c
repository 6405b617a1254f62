/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_call.c - hand work over from a vCPU's thread to the device's. See virtio_impl.h.
 *
 * The call lives in the device and not on the stack of who waits, so that a vCPU which has to stop
 * can leave it behind: the device's thread may be blocked in the host's kernel for long.
 */
#include <assert.h>
#include <time.h>

#include "devices/virtio/virtio_impl.h"
#include "vcpu.h"

#define STEP_NS	 (100 * 1000 * 1000)
#define NS_PER_S (1000 * 1000 * 1000)

int call_init(struct virtio_call *call)
{
	pthread_condattr_t attr;
	int code;

	code = pthread_condattr_init(&attr);
	if (code)
		return -code;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	code = pthread_cond_init(&call->done, &attr);
	pthread_condattr_destroy(&attr);
	if (code)
		return -code;
	pthread_mutex_init(&call->lock, NULL);
	return 0;
}

void call_deinit(struct virtio_call *call)
{
	pthread_mutex_destroy(&call->lock);
	pthread_cond_destroy(&call->done);
}

static void posted(struct loop_post *post)
{
	struct virtio_call *call = container_of(post, struct virtio_call, post);

	call->fn(container_of(call, struct virtio_device, call));
}

void call_run(struct virtio_device *dev, void (*fn)(struct virtio_device *dev))
{
	struct virtio_call *call = &dev->call;

	if (loop_is_mine(dev->loop)) {
		fn(dev);
		return;
	}
	pthread_mutex_lock(&call->lock);
	assert(!call->busy); /* its operands are in use, its post is in a list */
	call->busy = true;
	pthread_mutex_unlock(&call->lock);
	call->fn = fn;
	loop_post(dev->loop, &call->post, posted);
	call_wait(dev);
}

bool call_wait(struct virtio_device *dev)
{
	struct virtio_call *call = &dev->call;
	struct timespec until;
	bool done;

	if (loop_is_mine(dev->loop))
		return true;
	pthread_mutex_lock(&call->lock);
	/* In steps, for a stopped vCPU's signal does not end the wait. */
	while (call->busy && !vcpu_stopping()) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += STEP_NS;
		if (until.tv_nsec >= NS_PER_S) {
			until.tv_nsec -= NS_PER_S;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&call->done, &call->lock, &until);
	}
	done = !call->busy;
	pthread_mutex_unlock(&call->lock);
	return done;
}

void call_done(struct virtio_device *dev)
{
	struct virtio_call *call = &dev->call;

	pthread_mutex_lock(&call->lock);
	if (call->busy) {
		call->busy = false;
		pthread_cond_broadcast(&call->done);
	}
	pthread_mutex_unlock(&call->lock);
}
