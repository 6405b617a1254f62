/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_driver.h - a guest's driver of one virtio-mmio device, for tests: registers over a bus,
 * queues in guest memory, interrupts counted.
 *
 * Follows virtio 1.4, 3.1.1 and 4.2.3. The device's loop runs on a thread of its own, as in the
 * real machine (virtio_driver_init()), or, for fuzzers, on the test's thread whenever that calls
 * virtio_driver_settle().
 */
#ifndef VMM_TEST_VIRTIO_DRIVER_H
#define VMM_TEST_VIRTIO_DRIVER_H

#include "bus.h"
#include "devices/virtio/mmio.h"
#include "irq.h"
#include "loop.h"
#include "loop_thread.h"
#include "tests/support/driver_ring.h"
#include "virtio.h"

#define VIRTIO_DRIVER_QUEUES 8
#define VIRTIO_DRIVER_MEMORY (64 * MIB)		 /* of the guest: one region from 0 on */
#define VIRTIO_DRIVER_DATA   UINT64_C(0x1000000) /* free for the test's buffers from here on */

struct virtio_driver {
	struct gmem *gmem;
	struct loop_thread *thread;
	struct bus *bus;
	struct irq irq; /* fake_irq.h */
	struct virtio_env env;
	struct virtio_device *dev; /* the test's */
	struct virtio_mmio *mmio;
	struct driver_ring rings[VIRTIO_DRIVER_QUEUES];
	unsigned int rings_n;
	bool threaded;
};

/*
 * virtio_driver_init - guest memory, loop and bus, so that the test can make its device with
 * ->env. @threaded: the loop gets its own thread with virtio_driver_attach().
 */
void virtio_driver_init(struct virtio_driver *driver, enum loop_kind kind, bool threaded);

/* virtio_driver_attach - put @dev on the bus at 0 and start the loop's thread. */
void virtio_driver_attach(struct virtio_driver *driver, struct virtio_device *dev);

/* virtio_driver_detach - stop thread and transport; the test then frees its device, then deinit. */
void virtio_driver_detach(struct virtio_driver *driver);
void virtio_driver_deinit(struct virtio_driver *driver);

uint32_t virtio_driver_read(struct virtio_driver *driver, uint64_t offset);
void virtio_driver_write(struct virtio_driver *driver, uint64_t offset, uint32_t value);

/*
 * virtio_driver_start - reset, negotiate exactly @features (VERSION_1 is added), set up all queues
 * with @size entries (less where the device's maximum is less), DRIVER_OK.
 * Return: the status then read.
 */
uint8_t virtio_driver_start(struct virtio_driver *driver, uint64_t features, uint16_t size);

/* virtio_driver_kick - write QueueNotify, if the device wants to be notified. */
void virtio_driver_kick(struct virtio_driver *driver, unsigned int queue);

/*
 * virtio_driver_wait - for a used buffer of @queue, at most ten seconds. Looks at the ring and
 * leaves interrupts alone, for the test to count.
 * Return: its id and *@len; -ETIMEDOUT; -EIO if the device says NEEDS_RESET.
 */
int virtio_driver_wait(struct virtio_driver *driver, unsigned int queue, uint32_t *len);

/* virtio_driver_settle - not threaded: run the loop until all that is there has been served. */
void virtio_driver_settle(struct virtio_driver *driver);

/*
 * virtio_driver_needs_reset - wait until the device says NEEDS_RESET, at most ten seconds.
 * Return: whether it does, and whether a configuration change notification came.
 */
bool virtio_driver_needs_reset(struct virtio_driver *driver);

#endif
