/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_slots.h - where virtio-mmio devices sit in the machine: register file, interrupt line,
 * notification eventfds. Whatever a device is, it gets the next slot.
 *
 * Main thread, before the first vCPU runs and after the last has ended.
 */
#ifndef VMM_VIRTIO_SLOTS_H
#define VMM_VIRTIO_SLOTS_H

#include "base.h"
#include "bus.h"
#include "error.h"
#include "firmware.h"
#include "virtio.h"
#include "vm.h"

struct virtio_slots;

/* virtio_slots_new - none taken yet. @vm, @mmio: borrowed. Return: 0 and *@out; -ENOMEM. */
int virtio_slots_new(struct virtio_slots **out, struct vm *vm, struct bus *mmio);

/* virtio_slots_free - before the devices are freed. NULL is fine. */
void virtio_slots_free(struct virtio_slots *slots);

/*
 * virtio_slots_add - put @dev into the next slot: its notifications reach it by ioeventfd, its
 * interrupts the guest by irqfd. @dev: borrowed.
 * Return: 0; -ENOSPC if all interrupt lines are taken, -errno; and a sentence.
 */
int virtio_slots_add(struct virtio_slots *slots, struct virtio_device *dev, struct error *err);

/* virtio_slots_list - for ACPI. Return: how many are taken; *@list is borrowed. */
size_t virtio_slots_list(const struct virtio_slots *slots, const struct acpi_mmio **list);

/*
 * virtio_slots_cmdline - @cmdline with a virtio_mmio.device= for each slot, for a machine without
 * ACPI (Documentation/admin-guide/kernel-parameters.txt).
 * Return: a string to free(); NULL out of memory.
 */
char *virtio_slots_cmdline(const struct virtio_slots *slots, const char *cmdline);

#endif
