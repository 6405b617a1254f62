/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_device.h - a V4L2 node as a guest has it: sessions of a virtio-media device over the host's
 * node, driven by a driver's rings. No guest is needed.
 */
#ifndef VMM_MEDIA_HOST_NODE_DEVICE_H
#define VMM_MEDIA_HOST_NODE_DEVICE_H

#include "node.h"
#include "tap.h"
#include "tests/support/media_driver.h"

struct device {
	struct media_driver md;
	struct tap *tap; /* NULL: nothing between device and node */
	struct node *sessions[64];
	unsigned int sessions_n;
};

/* struct device_options - all zero: io_uring, split rings, no tap. */
struct device_options {
	bool epoll, packed, tapped;
	uint64_t shm; /* bytes of either half of region 0; 0: 64 MiB */
};

/* device_new - over the node at @path, borrowed. All nodes of it are closed before device_free. */
struct device *device_new(const char *path, const struct device_options *options);
void device_free(struct device *device);

/* device_open - a session. */
struct node *device_open(struct device *device);

#endif
