/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - raise an interrupt line: one write to its eventfd. See irq.h.
 */
#include "irq.h"

#include <errno.h>

int irq_raise(const struct irq *irq)
{
	const uint64_t one = 1;

	if (irq->fd < 0)
		return 0;
	if (write(irq->fd, &one, sizeof(one)) < 0)
		return errno == EAGAIN ? 0 : -errno; /* EAGAIN: raised 2^64 - 1 times already */
	return 0;
}
