/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_irq.h - an interrupt line whose edges a test counts. Any thread.
 */
#ifndef VMM_FAKE_IRQ_H
#define VMM_FAKE_IRQ_H

#include "irq.h"

/* fake_irq_init - Return: 0 or -errno. */
int fake_irq_init(struct irq *irq);
void fake_irq_deinit(struct irq *irq);

/* fake_irq_take - Return: edges since the last call. */
unsigned int fake_irq_take(const struct irq *irq);

/* fake_irq_wait - like fake_irq_take(), but waits up to @ms for the first edge. */
unsigned int fake_irq_wait(const struct irq *irq, int ms);

#endif
