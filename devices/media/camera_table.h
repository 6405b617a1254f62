/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * camera_table.h - what the synthetic camera can do: formats, sizes, rates, controls. Main thread.
 */
#ifndef VMM_MEDIA_CAMERA_TABLE_H
#define VMM_MEDIA_CAMERA_TABLE_H

#include "devices/media/backend_test.h"
#include "devices/media/emu.h"
#include "error.h"

/* More than there are. */
#define CAMERA_FORMATS_MAX   4
#define CAMERA_SIZES_MAX     16
#define CAMERA_INTERVALS_MAX 16
#define CAMERA_CONTROLS_MAX  32

/* Controls of our own. Frames of the sensor since STREAMON; colours of the bars, 0xRRGGBB. */
#define CAMERA_CID_FRAMES (V4L2_CID_CAMERA_CLASS_BASE + 0x1000)
#define CAMERA_CID_BARS	  (V4L2_CID_IMAGE_PROC_CLASS_BASE + 0x1000)

#define CAMERA_SATURATION_NEUTRAL 128
#define CAMERA_GAIN_NEUTRAL	  64
#define CAMERA_QUALITY		  85

/* struct camera_table - points into itself: filled where it stays. */
struct camera_table {
	struct emu_format formats[CAMERA_FORMATS_MAX];
	unsigned int formats_n;
	struct emu_size sizes[CAMERA_SIZES_MAX];
	unsigned int sizes_n;
	struct v4l2_fract intervals[CAMERA_INTERVALS_MAX]; /* shortest first */
	unsigned int intervals_n;
	struct emu_control_info controls[CAMERA_CONTROLS_MAX];
	unsigned int controls_n;
	/* Set at first. */
	uint32_t width, height;
	struct v4l2_fract interval;
};

/* camera_table_fill - Return: 0; -EINVAL and a sentence that names what is possible. */
int camera_table_fill(struct camera_table *table, const struct camera_options *options,
		      struct error *err);

/* camera_controls_fill - the part about controls. @jpeg: there is MJPEG. */
void camera_controls_fill(struct camera_table *table, bool jpeg);

#endif
