/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_devices.h - the media devices that the configuration asks for, each with a thread and a
 * window of guest physical addresses of its own.
 *
 * Main thread, but for what vCPUs call through struct vcpu_env. What the devices do happens on
 * their threads.
 */
#ifndef VMM_MEDIA_DEVICES_H
#define VMM_MEDIA_DEVICES_H

#include "base.h"
#include "error.h"
#include "gmem.h"
#include "vcpu.h"
#include "vm.h"
#include "vmm/config.h"
#include "vmm/virtio_slots.h"

struct media_devices;

/* struct media_devices_ops - what a device asks of the machine. On the device's thread. */
struct media_devices_ops {
	void (*failed)(void *owner); /* the host fails this thread: the device is dead */
};

/*
 * media_devices_new - make them all and put them into @slots, in the order in which they are
 * configured. All pointers are borrowed.
 * Return: 0; or -errno and a sentence. *@out is the caller's to free in any case.
 */
int media_devices_new(struct media_devices **out, const struct config *config,
		      const struct gmem *gmem, struct vm *vm, struct virtio_slots *slots,
		      const struct media_devices_ops *ops, void *owner, struct error *err);

/* media_devices_env - fill in what vCPUs need for them. Before the first vCPU runs. */
void media_devices_env(struct media_devices *devices, struct vcpu_env *env);

/* media_devices_start - let them work. Return: 0, or -errno and a sentence. */
int media_devices_start(struct media_devices *devices, struct error *err);

/* media_devices_stop - wait until their threads have ended. No vCPU runs. NULL is fine. */
void media_devices_stop(struct media_devices *devices);

/* media_devices_free - after virtio_slots_free() and vm_free(). NULL is fine. */
void media_devices_free(struct media_devices *devices);

#endif
