/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_rig.h - a virtio-media device over a fake V4L2 node, and a guest's driver, which is the
 * test.
 *
 * The program's arguments choose the loop ("epoll", "uring"), the rings ("packed"; else split) and
 * whether the node's calls may wait ("slow"; else they never do). When it ends, a rig fails the
 * test if the device broke a rule of backend.h, or left a file or a descriptor open.
 */
#ifndef VMM_TEST_MEDIA_RIG_H
#define VMM_TEST_MEDIA_RIG_H

#include "fake_node.h"
#include "media_driver.h"

#define CAPTURE	   V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT	   V4L2_BUF_TYPE_VIDEO_OUTPUT
#define CAPTURE_MP V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
#define OUTPUT_MP  V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE

struct media_rig {
	struct media_driver md;
	struct fake_node *node;
	unsigned int fds;
};

/* struct media_rig_options - of one rig; all zero is what most tests want. */
struct media_rig_options {
	struct fake_options fake;   /* .blocking is set by the program's argument */
	struct media_options media; /* members that are 0 have their defaults */
	bool private_memory;
	bool quick;	     /* never blocking, for tests that need the device's own thread */
	bool alone;	     /* no thread: the loop runs when the test waits */
	unsigned int events; /* 0: MEDIA_DRIVER_EVENTS */
	bool no_events;
};

/* media_rig_select - read the arguments. Return: false if this host cannot do it: a skip. */
bool media_rig_select(int argc, char **argv);
enum loop_kind media_rig_kind(void);
uint64_t media_rig_features(void);
bool media_rig_slow(void); /* the node may block */

void media_rig_init(struct media_rig *rig, const struct media_rig_options *options);
void media_rig_deinit(struct media_rig *rig);

/* media_rig_open - Return: a new session; its file is the fake's last one. */
uint32_t media_rig_open(struct media_rig *rig);

/* Buffers, with as many planes as the type asks for. Return: status. */
uint32_t media_rig_reqbufs(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t memory,
			   uint32_t count);
uint32_t media_rig_querybuf(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t index,
			    struct v4l2_buffer *buffer, struct v4l2_plane *planes);
uint32_t media_rig_qbuf(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t index);
uint32_t media_rig_stream(struct media_rig *rig, uint32_t session, uint32_t type, bool on);

/* media_rig_offset - of plane @plane of an MMAP buffer, as the device gives it. */
uint32_t media_rig_offset(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t index,
			  unsigned int plane);

/* media_rig_streaming - open, @n MMAP buffers of @type, all queued, streaming. Return: session. */
uint32_t media_rig_streaming(struct media_rig *rig, uint32_t type, uint32_t n);

/* media_rig_frame - the next event is a DQBUF of @session. Return: its index. */
uint32_t media_rig_frame(struct media_rig *rig, uint32_t session, struct media_event *event);

/* media_rig_closed - wait at most ten seconds until @n files are closed, then expect no more. */
void media_rig_closed(struct media_rig *rig, unsigned int n);

/* media_rig_until - wait at most ten seconds for @fn to be true. */
void media_rig_until(struct media_rig *rig, bool (*fn)(struct media_rig *rig));

#endif
