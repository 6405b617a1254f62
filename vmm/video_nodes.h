/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * video_nodes.h - the host's V4L2 nodes and who has them open, read from sysfs and /proc.
 */
#ifndef VMM_VIDEO_NODES_H
#define VMM_VIDEO_NODES_H

#include <stdio.h>

#include "base.h"

/* video_nodes_print - a line for each node. No node is opened. Return: their number. */
size_t video_nodes_print(FILE *out);

#endif
