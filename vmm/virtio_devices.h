/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_devices.h - the virtio devices that the configuration asks for, and the thread that they
 * share.
 *
 * Main thread; what the devices do then happens on their thread, and goes on while the main thread
 * waits for the vCPUs to end.
 */
#ifndef VMM_VIRTIO_DEVICES_H
#define VMM_VIRTIO_DEVICES_H

#include "base.h"
#include "error.h"
#include "gmem.h"
#include "vmm/config.h"
#include "vmm/virtio_slots.h"

struct virtio_devices;

/* struct virtio_devices_ops - what a device asks of the machine. On the devices' thread. */
struct virtio_devices_ops {
	void (*quit)(void *owner);   /* the console's Ctrl-A x */
	void (*failed)(void *owner); /* the host fails the devices' thread: they are dead */
};

/*
 * virtio_devices_new - make them all and put them into @slots, in the order in which the guest will
 * find them: console, disks, entropy. All pointers are borrowed.
 * Return: 0; or -errno and a sentence. *@out is the caller's to free in any case.
 */
int virtio_devices_new(struct virtio_devices **out, const struct config *config,
		       const struct gmem *gmem, struct virtio_slots *slots,
		       const struct virtio_devices_ops *ops, void *owner, struct error *err);

/*
 * virtio_devices_start - take the terminal, if the console is on it, and let them work.
 * Return: 0, or -errno and a sentence.
 */
int virtio_devices_start(struct virtio_devices *devices, struct error *err);

/*
 * virtio_devices_foreground, virtio_devices_winch - the process was resumed, the terminal has got
 * another size.
 */
void virtio_devices_foreground(struct virtio_devices *devices);
void virtio_devices_winch(struct virtio_devices *devices);

/* virtio_devices_stop - wait until their thread has ended. No vCPU runs. NULL is fine. */
void virtio_devices_stop(struct virtio_devices *devices);

/* virtio_devices_free - after virtio_slots_free(). NULL is fine. */
void virtio_devices_free(struct virtio_devices *devices);

#endif
