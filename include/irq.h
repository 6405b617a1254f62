/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.h - one edge-triggered interrupt line into the guest: an eventfd that KVM watches (irqfd).
 *
 * Any thread. Devices raise; only the VM (vm_irq_init()) binds a line to a global system interrupt.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include "base.h"

struct irq {
	int fd;	      /* eventfd, owned; -1: not connected */
	uint32_t gsi; /* global system interrupt */
};

/* irq_raise - one edge. Return: 0 or -errno; 0 as well on a line that is not connected. */
int irq_raise(const struct irq *irq);

#endif
