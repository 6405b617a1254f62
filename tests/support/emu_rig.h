/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_rig.h - an emulated V4L2 device of a test's own, and its applications, called by the backend
 * ops as the media device calls them. One thread: the test's, which also runs the loop.
 */
#ifndef VMM_TEST_EMU_RIG_H
#define VMM_TEST_EMU_RIG_H

#include "devices/media/emu.h"
#include "devices/media/ioctl.h"

#define RIG_FILES_MAX 4

enum rig_shape {
	RIG_CAMERA, /* a capture queue for all files, with controls and an input */
	RIG_CODEC,  /* a capture and an output queue for each file */
	RIG_BARE,   /* a capture queue and nothing else */
};

/* What the rig's devices offer. */
#define RIG_LENGTH (64u * 48 * 2) /* of a picture in the format that is set at first */

enum rig_cid {
	RIG_CID_PLAIN = V4L2_CID_BRIGHTNESS, /* -10 to 20 by 3, 5 at first is -1 */
	RIG_CID_AUTO = V4L2_CID_AUTOGAIN,    /* BOOLEAN, set */
	RIG_CID_MANUAL = V4L2_CID_GAIN,	     /* 0 to 100, inactive while AUTO is set */
	RIG_CID_BUTTON = V4L2_CID_DO_WHITE_BALANCE,
	RIG_CID_COUNT = V4L2_CID_CAMERA_CLASS_BASE + 0x1000, /* INTEGER64, read-only, volatile */
	RIG_CID_MENU = V4L2_CID_TEST_PATTERN,		     /* "a", "b", "c" */
	RIG_CID_ARRAY = V4L2_CID_IMAGE_PROC_CLASS_BASE + 0x1000, /* 3 of U32, 10 to 1000 */
};

/* struct rig_file - an application's file, and how it was called back. */
struct rig_file {
	struct media_file *file; /* NULL: not open */
	struct emu_rig *rig;
	unsigned int calls;
	uint32_t events;	     /* of the last call */
	uint32_t again;		     /* watch() these from the callback */
	struct rig_file *to_close;   /* from the callback */
	struct rig_file *to_silence; /* from the callback: watch() nothing */
};

struct emu_rig {
	struct emu emu;
	struct loop *loop;
	struct emu_setup setup;
	struct rig_file files[RIG_FILES_MAX];
	/* Calls of the device. */
	unsigned int starts, stops, queued, sets, frees;
	uint32_t set_id; /* of the last one */
	int start_result;
	int64_t count; /* RIG_CID_COUNT */
};

void emu_rig_init(struct emu_rig *rig, enum rig_shape shape);
void emu_rig_deinit(struct emu_rig *rig); /* closes all files */

/* emu_rig_open - file @i of the rig. */
struct rig_file *emu_rig_open(struct emu_rig *rig, unsigned int i);
void emu_rig_close(struct rig_file *file);

/* emu_rig_queue - of @file's context. */
struct emu_queue *emu_rig_queue(const struct rig_file *file, uint32_t type);

/* emu_rig_finish - the device has done the next buffer of the queue. */
void emu_rig_finish(struct emu_queue *queue, uint32_t bytesused, uint32_t sequence, uint32_t flags);

/* Of any backend, whose file it is. */
int rig_do(struct rig_file *file, unsigned long cmd, void *arg);
void rig_watch(struct rig_file *file, uint32_t events);
void rig_adopt(struct rig_file *file, struct media_file *media_file);

/* Short ways to common ioctls; 0 or -errno. */
int rig_reqbufs(struct rig_file *file, uint32_t type, uint32_t memory, uint32_t count);
int rig_qbuf(struct rig_file *file, uint32_t type, uint32_t memory, uint32_t index);
int rig_dqbuf(struct rig_file *file, uint32_t type, struct v4l2_buffer *out);
int rig_querybuf(struct rig_file *file, uint32_t type, uint32_t index, struct v4l2_buffer *out);
int rig_stream(struct rig_file *file, uint32_t type, bool on);

/* rig_expect - fails the test with @what if @got is not @wanted. */
void rig_expect(const char *what, int got, int wanted);

/* rig_is_zero - for reserved fields. */
bool rig_is_zero(const void *bytes, size_t len);

#endif
