/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node.h - an open V4L2 node, by either of two ways: system calls, as any V4L2 program has it
 * (node_plain.c), or the virtio-media device, as a guest has it (node_device.c).
 *
 * What uses a node cannot tell the difference, so that two runs of the same steps can be compared.
 * Whatever should not happen fails the test (cmocka). Test's thread.
 */
#ifndef VMM_MEDIA_HOST_NODE_H
#define VMM_MEDIA_HOST_NODE_H

#include <linux/videodev2.h>

#include "base.h"

struct node;

/* struct node_event - what a node hands out by itself: a buffer that is done, or an event. */
struct node_event {
	bool is_buffer;
	struct v4l2_buffer buffer;
	struct v4l2_plane planes[VIDEO_MAX_PLANES]; /* of a multi-planar buffer */
	struct v4l2_event event;
};

struct node_ops {
	void (*close)(struct node *node);
	/*
	 * ioctl - @arg: its struct with all pointers in it, as ioctl(2) has it; but not QUERYCAP,
	 * DQBUF and DQEVENT. Return: 0 or -errno.
	 */
	int (*ioctl)(struct node *node, unsigned long cmd, void *arg);
	/* capability - of QUERYCAP: .card and .device_caps. */
	void (*capability)(struct node *node, struct v4l2_capability *capability);
	/* map, unmap - a plane, by the offset that QUERYBUF says. */
	uint8_t *(*map)(struct node *node, uint32_t offset, uint32_t len, bool writable);
	void (*unmap)(struct node *node, uint8_t *at, uint32_t len);
	/* next - wait for what comes next, at most @ms. Return: did anything come? */
	bool (*next)(struct node *node, struct node_event *event, int ms);
};

/* struct node - embedded in each kind of node. */
struct node {
	const struct node_ops *ops;
};

#define NODE_PATIENCE_MS 20000

struct node *node_plain_open(const char *path);

/* --- node.c --- */

/* node_ioctl - one that must succeed. */
void node_ioctl(struct node *node, unsigned long cmd, void *arg);

/* node_next - one that must come, within NODE_PATIENCE_MS. */
void node_next(struct node *node, struct node_event *event);

/* node_control - find a control by its name, "Horizontal Movement". */
void node_control(struct node *node, const char *name, struct v4l2_query_ext_ctrl *query);

/* node_set - a control of any integer type. */
void node_set(struct node *node, const char *name, int64_t value);

/* node_is - does it have one of these capabilities (V4L2_CAP_)? */
bool node_is(struct node *node, uint32_t caps);

#endif
