/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_node.h - a V4L2 node that does what a test tells it: a media_backend for tests of the
 * virtio-media device.
 *
 * It has buffer queues that behave as V4L2's do, and events; every other ioctl answers what the
 * test has put into a table, and ENOTTY without. It notes what it is given. Its memory is memfds.
 * A rule of backend.h that the device breaks is kept as a sentence. Functions here: any thread.
 */
#ifndef VMM_TEST_FAKE_NODE_H
#define VMM_TEST_FAKE_NODE_H

#include <linux/videodev2.h>
#include <pthread.h>

#include "devices/media/backend.h"
#include "loop.h"

#define FAKE_TYPES   15 /* V4L2_BUF_TYPE_ are below it */
#define FAKE_FILES   2048
#define FAKE_BUFFERS VIDEO_MAX_FRAME
#define FAKE_CALLS   4096   /* that are noted */
#define FAKE_LENGTH  70000u /* bytes of a plane: not a whole number of pages */

#define FAKE_STAMP_S 5000 /* seconds of all time stamps; microseconds: the sequence number */

/* Offsets of the capture side of a mem-to-mem file begin here, as the kernel's do. */
#define FAKE_CAPTURE_OFFSET 0x40000000u

struct fake_options {
	const uint32_t *types; /* V4L2_BUF_TYPE_, ends with 0; NULL: VIDEO_CAPTURE alone */
	unsigned int planes;   /* of multi-planar buffers; 0: 2 */
	uint32_t length;       /* bytes of each plane; 0: FAKE_LENGTH */
	bool m2m;	       /* each file has queues of its own, and offsets that start over */
	bool no_userptr, no_dmabuf, no_mmap;
	bool blocking;	   /* as in backend.h */
	bool no_remap;	   /* map() fails with ENODEV */
	bool copy_stamps;  /* a buffer comes back with the time that it was queued with */
	bool complete_all; /* QBUF while streaming completes the buffer at once */
	uint32_t device_caps, device_type;
	const char *card;
};

/* struct fake_call - what came in. */
struct fake_call {
	unsigned int file;
	unsigned long cmd;
	int result;
	bool on_loop; /* on the device's thread */
};

/* struct fake_seen - the last call of one ioctl: its struct and what it pointed to. */
struct fake_seen {
	unsigned int calls;
	unsigned int file;
	uint8_t arg[256];
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_ext_control controls[64];
	uint8_t data[64][128]; /* of controls with a size, or [0] the EDID */
};

struct fake_node;

/* struct fake_answer - what an ioctl does from now on. */
struct fake_answer {
	int result;
	const void *arg; /* the struct that comes back; NULL: as it came */
	/* Instead of both, or after them; @arg is the host's struct. Return: the result. */
	int (*fn)(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg);
};

enum fake_hang {
	FAKE_RUN,
	FAKE_SLEEP,	 /* until fake_node_wake() or a signal: EINTR */
	FAKE_SLEEP_HARD, /* until fake_node_wake() */
};

/* Stand for open() and close() in the place of an ioctl; no number of an ioctl is theirs. */
#define FAKE_OPEN  254ul
#define FAKE_CLOSE 255ul

/* fake_node_new - it stays after the device has freed its backend, until fake_node_free(). */
struct fake_node *fake_node_new(struct loop *loop, const struct fake_options *options);
void fake_node_free(struct fake_node *node);
struct media_backend *fake_node_backend(struct fake_node *node);

/* fake_node_problem - what the device has done against the rules; NULL: nothing. */
const char *fake_node_problem(struct fake_node *node);

/* Script. @cmd: a VIDIOC_ code; of the table of ioctls, one entry by number. */
void fake_node_answer(struct fake_node *node, unsigned long cmd, const struct fake_answer *answer);
void fake_node_hang(struct fake_node *node, unsigned long cmd, enum fake_hang how);
void fake_node_wake(struct fake_node *node);
void fake_node_open_result(struct fake_node *node, int result);
void fake_node_unplug(struct fake_node *node);

/* fake_node_orphan - the loop will go away while a call of the node's still sleeps. */
void fake_node_orphan(struct fake_node *node);

/*
 * fake_node_complete - the hardware is done with the first buffer of queue @type of @file: all of
 * its planes are filled with the byte @fill if it is a capture buffer. @flags: V4L2_BUF_FLAG_
 * besides. @used: bytesused of each plane.
 * Return: its index; -ENOENT if none is queued or the queue does not stream.
 */
int fake_node_complete(struct fake_node *node, unsigned int file, uint32_t type, uint8_t fill,
		       uint32_t flags, uint32_t used);

/* fake_node_event - an event for all files that have subscribed to it, or @force for all. */
void fake_node_event(struct fake_node *node, const struct v4l2_event *event, bool force);

/* fake_node_poll_error - the next watch of a file reports POLLERR although all is well. */
void fake_node_poll_error(struct fake_node *node);

/* What there is. @file: in the order of their opening, from 0. */
struct fake_seen fake_node_seen(struct fake_node *node, unsigned long cmd);
unsigned int fake_node_calls(struct fake_node *node, unsigned long cmd);
unsigned int fake_node_opened(struct fake_node *node);
unsigned int fake_node_closed(struct fake_node *node);
bool fake_node_freed(struct fake_node *node);
unsigned int fake_node_queued(struct fake_node *node, unsigned int file, uint32_t type);
uint32_t fake_node_watched(struct fake_node *node, unsigned int file);
unsigned int fake_node_buffers(struct fake_node *node); /* that exist, of all files */
unsigned int fake_node_maps(struct fake_node *node);	/* calls of map() */

/* fake_node_early - watches that only found POLLERR: armed without a chance. */
unsigned int fake_node_early(struct fake_node *node);

/* fake_node_file_size - heap that a file takes until fake_node_free(), closed or not. */
size_t fake_node_file_size(void);

/* fake_node_wakes - calls of ready(). */
unsigned int fake_node_wakes(struct fake_node *node);

/* fake_node_waiting - is a call sleeping, as fake_node_hang() wants it? */
bool fake_node_waiting(struct fake_node *node);

/* fake_node_log - the calls so far, at most @n of them, oldest first. Return: how many. */
unsigned int fake_node_log(struct fake_node *node, struct fake_call *calls, unsigned int n);

/* fake_node_memory - an MMAP buffer's plane as the node has it. Borrowed; NULL: no such thing. */
uint8_t *fake_node_memory(struct fake_node *node, unsigned int file, uint32_t type,
			  unsigned int index, unsigned int plane);

#endif
