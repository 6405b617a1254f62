/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_slots.c - where virtio-mmio devices sit in the machine. See virtio_slots.h.
 */
#include "vmm/virtio_slots.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "devices/virtio/mmio.h"

struct slot {
	struct virtio_device *dev;
	struct virtio_mmio *mmio;
	struct irq irq;
	unsigned int notify_n; /* ioeventfds that are in place */
};

#define SLOTS_MAX 64 /* more than any machine has lines */

struct virtio_slots {
	struct vm *vm;
	struct bus *mmio;
	struct slot slots[SLOTS_MAX];
	struct acpi_mmio list[SLOTS_MAX];
	size_t n;
};

int virtio_slots_new(struct virtio_slots **out, struct vm *vm, struct bus *mmio)
{
	struct virtio_slots *slots = calloc(1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	slots->vm = vm;
	slots->mmio = mmio;
	*out = slots;
	return 0;
}

static uint64_t notify_address(const struct acpi_mmio *at)
{
	return at->base + VIRTIO_MMIO_QUEUE_NOTIFY;
}

static void remove_slot(struct virtio_slots *slots, size_t i)
{
	struct slot *slot = &slots->slots[i];

	while (slot->notify_n > 0) {
		slot->notify_n--;
		(void)vm_ioeventfd_remove(slots->vm, notify_address(&slots->list[i]),
					  slot->notify_n,
					  virtio_notify_fd(slot->dev, slot->notify_n));
	}
	virtio_set_irq(slot->dev, NULL);
	vm_irq_deinit(&slot->irq);
	virtio_mmio_free(slot->mmio);
	slot->mmio = NULL;
}

void virtio_slots_free(struct virtio_slots *slots)
{
	if (!slots)
		return;
	while (slots->n > 0)
		remove_slot(slots, --slots->n);
	free(slots);
}

static int add_notify(struct virtio_slots *slots, struct slot *slot, const struct acpi_mmio *at)
{
	int r = 0;

	while (slot->notify_n < slot->dev->queues_n && r == 0) {
		r = vm_ioeventfd_add(slots->vm, notify_address(at), slot->notify_n,
				     virtio_notify_fd(slot->dev, slot->notify_n));
		if (r == 0)
			slot->notify_n++;
	}
	return r;
}

int virtio_slots_add(struct virtio_slots *slots, struct virtio_device *dev, struct error *err)
{
	struct slot *slot = &slots->slots[slots->n];
	struct acpi_mmio *at = &slots->list[slots->n];
	int r;

	if (slots->n == SLOTS_MAX || !arch_virtio_mmio((unsigned int)slots->n, at))
		return error_set(err, ENOSPC,
				 "%s: all interrupt lines are taken; a machine has room for %zu "
				 "virtio devices",
				 dev->name, slots->n);
	*slot = (struct slot) {.dev = dev, .irq.fd = -1};
	r = vm_irq_init(slots->vm, &slot->irq, at->gsi, err);
	if (r < 0)
		return r;
	slots->n++;
	virtio_set_irq(dev, &slot->irq);
	r = virtio_mmio_new(&slot->mmio, dev);
	if (r == 0)
		r = virtio_mmio_attach(slot->mmio, slots->mmio, at->base);
	if (r == 0)
		r = add_notify(slots, slot, at);
	if (r < 0)
		return error_set(err, -r, "%s: cannot be put into the machine: %s", dev->name,
				 strerror(-r));
	return 0;
}

size_t virtio_slots_list(const struct virtio_slots *slots, const struct acpi_mmio **list)
{
	*list = slots->list;
	return slots->n;
}

char *virtio_slots_cmdline(const struct virtio_slots *slots, const char *cmdline)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	/* In front: what follows a "--" of the user's is not the kernel's. */
	for (size_t i = 0; i < slots->n; i++)
		fprintf(out, "virtio_mmio.device=%lluK@0x%llx:%u ",
			(unsigned long long)(slots->list[i].size / KIB),
			(unsigned long long)slots->list[i].base, slots->list[i].gsi);
	fputs(cmdline, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
