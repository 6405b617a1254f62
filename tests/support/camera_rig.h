/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * camera_rig.h - a synthetic camera of 160x64 pixels and 1000 frames a second, with two
 * applications, of which the first looks at frames. On either loop (loop_kinds.h).
 */
#ifndef VMM_TEST_CAMERA_RIG_H
#define VMM_TEST_CAMERA_RIG_H

#include "devices/media/backend_test.h"
#include "devices/media/test_picture.h"
#include "emu_rig.h"

#define CAMERA_RIG_WIDTH   160
#define CAMERA_RIG_HEIGHT  64
#define CAMERA_RIG_BUFFERS 3

struct camera_rig {
	struct loop *loop;
	struct media_backend *backend;
	struct rig_file app, other;
	struct test_picture *painter;
	uint8_t *frames[CAMERA_RIG_BUFFERS]; /* MMAP buffers, mapped while streaming */
	size_t frame_len;
};

void camera_rig_init(struct camera_rig *rig);
void camera_rig_deinit(struct camera_rig *rig);

/* camera_rig_format - set it. Return: what was set. */
struct v4l2_pix_format camera_rig_format(struct camera_rig *rig, uint32_t pixelformat);

/* camera_rig_start - all buffers are queued. camera_rig_stop - none are left. */
void camera_rig_start(struct camera_rig *rig);
void camera_rig_stop(struct camera_rig *rig);
void camera_rig_unmap(struct camera_rig *rig);

/* camera_rig_next - wait for a frame as the media device does: watch, be called back, dequeue. */
void camera_rig_next(struct camera_rig *rig, struct v4l2_buffer *buffer);
void camera_rig_give_back(struct camera_rig *rig, const struct v4l2_buffer *buffer);

/* camera_rig_set - a control, by @file. */
void camera_rig_set(struct rig_file *file, uint32_t id, int32_t value);

/* camera_stamp_of - the stamp in a frame of @len bytes; fails the test if there is none. */
struct camera_stamp camera_stamp_of(const struct v4l2_pix_format *pix, const uint8_t *bytes,
				    size_t len);

/* camera_look - as the camera's controls are at first. */
struct test_look camera_look(void);

/* camera_rig_expect - the frame is what the painter says, but for the stamp. */
void camera_rig_expect(struct camera_rig *rig, const char *name, const struct v4l2_pix_format *pix,
		       const struct test_look *look, const struct v4l2_buffer *buffer,
		       const uint8_t *bytes);

#endif
