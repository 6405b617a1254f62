/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * i8042.h - the PC's keyboard controller, for its line that resets the machine.
 *
 * It is whole enough that a driver finds it, finds neither keyboard nor mouse, and waits for
 * neither. Registers are served on vCPU threads.
 */
#ifndef VMM_I8042_H
#define VMM_I8042_H

#include "base.h"
#include "bus.h"
#include "irq.h"
#include "machine.h"

struct i8042;

/* i8042_new - @machine: borrowed until i8042_free(). Return: 0 and *@out; -ENOMEM. */
int i8042_new(struct i8042 **out, struct machine *machine);

/* i8042_free - after the last vCPU has stopped. NULL is fine. */
void i8042_free(struct i8042 *i8042);

/*
 * i8042_attach - the ports @base (data) and @base + 4 (command and status), and none between them,
 * which are the timer's. Return: 0 or -errno, as bus_attach().
 */
int i8042_attach(struct i8042 *i8042, struct bus *bus, uint64_t base);

/*
 * i8042_set_irq - connect the keyboard's interrupt, which is 1 on a PC. @irq: borrowed until
 * i8042_free(). Before the first access. Without it a driver that waits for the keyboard's first
 * answer by interrupt learns only by time-out that there is none.
 */
void i8042_set_irq(struct i8042 *i8042, const struct irq *irq);

#endif
