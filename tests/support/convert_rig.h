/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * convert_rig.h - a virtio-media device over a converting backend over a fake camera. A media_rig
 * (media_rig.h), whose arguments and helpers it has.
 *
 * The camera has one format, YUYV or MJPEG, of one size. Its frames are of one byte, which stays
 * what it is when YUYV becomes planes.
 */
#ifndef VMM_TEST_CONVERT_RIG_H
#define VMM_TEST_CONVERT_RIG_H

#include "media_rig.h"

#define CONVERT_WIDTH  64
#define CONVERT_HEIGHT 32
#define CONVERT_RAW    (CONVERT_WIDTH * CONVERT_HEIGHT * 2) /* bytes of a frame of the camera's */
#define CONVERT_BYTES  (CONVERT_WIDTH * CONVERT_HEIGHT * 3 / 2) /* and of the guest's, YUV420 */

struct convert_rig {
	struct media_rig media;
	uint32_t native;	     /* the camera's format */
	struct v4l2_format standing; /* what it is set to */
};

/* convert_rig_init - one at a time. media_rig_deinit() ends it. */
void convert_rig_init(struct convert_rig *rig, uint32_t native);

/* convert_rig_set - S_FMT. Return: status. */
uint32_t convert_rig_set(struct convert_rig *rig, uint32_t session, uint32_t pixelformat,
			 struct v4l2_format *format);

/* convert_rig_open - a session with YUV420 set and @buffers buffers. */
uint32_t convert_rig_open(struct convert_rig *rig, uint32_t buffers);

/* convert_rig_start - the same, with all queued and streaming. */
uint32_t convert_rig_start(struct convert_rig *rig, uint32_t buffers);

/* convert_rig_file - the camera's file of the last session. */
unsigned int convert_rig_file(struct convert_rig *rig);

/* convert_rig_complete - the camera has a frame. See fake_node_complete(). */
void convert_rig_complete(struct convert_rig *rig, uint8_t fill, uint32_t flags, uint32_t used);

/* convert_rig_map - a buffer as the guest sees it. */
const uint8_t *convert_rig_map(struct convert_rig *rig, uint32_t session, uint32_t index);

/* convert_rig_expect - @len bytes at @at are @fill. */
void convert_rig_expect(const uint8_t *at, uint8_t fill, size_t len);

#endif
