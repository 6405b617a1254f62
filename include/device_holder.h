/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device_holder.h - which processes have a device open, so that "busy" can be told with a name.
 *
 * Read from /proc: of other users' processes nothing is known without privileges. Takes
 * milliseconds. Any thread.
 */
#ifndef VMM_DEVICE_HOLDER_H
#define VMM_DEVICE_HOLDER_H

#include <sys/types.h>

#include "base.h"

struct device_holder {
	pid_t pid;
	char name[32]; /* of the program, without control characters */
};

/*
 * device_holders - find the other processes that have a node of @device open, by whatever path.
 * @max: of @holders. Return: their number, at most @max.
 */
size_t device_holders(dev_t device, struct device_holder *holders, size_t max);

/* device_holders_text - for a sentence: "mpv (process 12), cheese (process 345)"; or "". */
void device_holders_text(dev_t device, char *text, size_t size);

#endif
