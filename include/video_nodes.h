/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * video_nodes.h - the host's V4L2 nodes, as sysfs lists them.
 *
 * No node is opened, since that may wake a camera. Any thread.
 */
#ifndef VMM_VIDEO_NODES_H
#define VMM_VIDEO_NODES_H

#include <stdio.h>
#include <sys/types.h>

#include "base.h"

struct video_node {
	char id[64];	 /* "video0" */
	char path[80];	 /* "/dev/video0" */
	char name[128];	 /* of the device, by its driver; "" if unknown */
	char driver[64]; /* "" if unknown */
	dev_t device;	 /* 0 if unknown */
};

/*
 * video_nodes_list - all nodes, sub-devices included, in the order of their names.
 * @root: put in front of "/sys"; "" but in tests.
 * Return: their number; *@out is the caller's to free(), whatever the number is.
 */
size_t video_nodes_list(const char *root, struct video_node **out);

/* video_nodes_print - a line for each node, and who has it open. Return: their number. */
size_t video_nodes_print(FILE *out);

#endif
