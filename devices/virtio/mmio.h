/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mmio.h - the virtio-mmio transport, version 2: a register file in front of a device.
 *
 * Implements virtio 1.4, 4.2. Register accesses come from any vCPU's thread.
 */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include "bus.h"
#include "virtio.h"

#define VIRTIO_MMIO_SIZE	 UINT64_C(0x1000) /* bytes of address space */
#define VIRTIO_MMIO_QUEUE_NOTIFY UINT64_C(0x050)  /* where an ioeventfd belongs, 4 bytes */

struct virtio_mmio;

/*
 * virtio_mmio_new - a transport for @dev, which is initialised and stays as long as this.
 * Return: 0 and *@out, owned by the caller; -ENOMEM.
 */
int virtio_mmio_new(struct virtio_mmio **out, struct virtio_device *dev);

/* virtio_mmio_free - after the bus is gone. NULL is fine. */
void virtio_mmio_free(struct virtio_mmio *mmio);

/* virtio_mmio_attach - answer [@base, @base + VIRTIO_MMIO_SIZE). Return: as bus_attach(). */
int virtio_mmio_attach(struct virtio_mmio *mmio, struct bus *bus, uint64_t base);

#endif
