/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node.c - what tests do with any V4L2 node, whichever way it is reached. See node.h.
 */
#include "node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void node_ioctl(struct node *node, unsigned long cmd, void *arg)
{
	const int r = node->ops->ioctl(node, cmd, arg);

	if (r < 0)
		fail_msg("ioctl %u: %s", (unsigned int)_IOC_NR(cmd), strerror(-r));
}

void node_next(struct node *node, struct node_event *event)
{
	if (!node->ops->next(node, event, NODE_PATIENCE_MS))
		fail_msg("neither a buffer nor an event comes");
}

void node_control(struct node *node, const char *name, struct v4l2_query_ext_ctrl *query)
{
	uint32_t id = 0;

	for (;;) {
		*query = (struct v4l2_query_ext_ctrl) {
			.id = id | V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND,
		};
		if (node->ops->ioctl(node, VIDIOC_QUERY_EXT_CTRL, query) < 0)
			fail_msg("there is no control \"%s\"", name);
		if (strcmp(query->name, name) == 0)
			return;
		id = query->id;
	}
}

void node_set(struct node *node, const char *name, int64_t value)
{
	struct v4l2_query_ext_ctrl query;
	struct v4l2_ext_control control;
	struct v4l2_ext_controls controls = {
		.which = V4L2_CTRL_WHICH_CUR_VAL,
		.count = 1,
		.controls = &control,
	};

	node_control(node, name, &query);
	control = (struct v4l2_ext_control) {.id = query.id};
	if (query.type == V4L2_CTRL_TYPE_INTEGER64)
		control.value64 = value;
	else
		control.value = (int32_t)value;
	node_ioctl(node, VIDIOC_S_EXT_CTRLS, &controls);
}

bool node_is(struct node *node, uint32_t caps)
{
	struct v4l2_capability capability;

	node->ops->capability(node, &capability);
	return capability.device_caps & caps;
}
