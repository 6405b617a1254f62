/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_irq.c - the eventfd of a struct irq without KVM behind it. See fake_irq.h.
 */
#include "fake_irq.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

int fake_irq_init(struct irq *irq)
{
	irq->gsi = 0;
	irq->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return irq->fd < 0 ? -errno : 0;
}

void fake_irq_deinit(struct irq *irq)
{
	if (irq->fd >= 0)
		close(irq->fd);
	irq->fd = -1;
}

unsigned int fake_irq_take(const struct irq *irq)
{
	uint64_t count;

	return read(irq->fd, &count, sizeof(count)) < 0 ? 0 : (unsigned int)count;
}

unsigned int fake_irq_wait(const struct irq *irq, int ms)
{
	struct pollfd pfd = {.fd = irq->fd, .events = POLLIN};

	poll(&pfd, 1, ms);
	return fake_irq_take(irq);
}
