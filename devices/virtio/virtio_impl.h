/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_impl.h - between virtio.c, virtio_config.c and virtio_call.c.
 */
#ifndef VMM_VIRTIO_IMPL_H
#define VMM_VIRTIO_IMPL_H

#include "virtio.h"

/*
 * virtio_interrupt - tell the driver: a bit of InterruptStatus and an edge. Nothing happens before
 * DRIVER_OK and after a reset has begun. Device's thread.
 */
void virtio_interrupt(struct virtio_device *dev, unsigned int bit);

/* call_init - Return: 0 or -errno; then call_deinit() is not due. */
int call_init(struct virtio_call *call);
void call_deinit(struct virtio_call *call);

/*
 * call_run - let the device's thread run @fn, whose operands are in dev->call, and wait until that
 * thread has said call_done(), or until this vCPU is stopped. On the device's own thread @fn is
 * simply called. With virtio_lock() held.
 */
void call_run(struct virtio_device *dev, void (*fn)(struct virtio_device *dev));

/*
 * call_wait - wait for a call that a stopped vCPU has left behind. With dev->control held.
 * Return: false if this vCPU is stopped as well and it is still not done.
 */
bool call_wait(struct virtio_device *dev);

/* call_done - what was asked for is complete; nothing happens if nothing was. Device's thread. */
void call_done(struct virtio_device *dev);

#endif
