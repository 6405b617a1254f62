/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * camera_controls.c - controls of the synthetic camera. See camera_table.h.
 *
 * All of them change the picture, but for the count of frames. There is one of nearly each kind,
 * for those who test with this camera. Main thread.
 */
#include <assert.h>

#include "devices/media/camera_table.h"
#include "devices/media/test_picture.h"

static const char *const patterns[] = {
	[TEST_PATTERN_BARS] = "Colour Bars",
	[TEST_PATTERN_RAMP] = "Ramp",
	[TEST_PATTERN_SQUARES] = "Squares",
	[TEST_PATTERN_WHITE] = "White",
};

static const uint32_t bars[TEST_PICTURE_BARS] = {
	0xffffff, 0xffff00, 0x00ffff, 0x00ff00, 0xff00ff, 0xff0000, 0x0000ff, 0x000000,
};

#define CLASS(id_, name_)                                                                          \
	{                                                                                          \
		.id = (id_), .type = V4L2_CTRL_TYPE_CTRL_CLASS, .name = (name_)                    \
	}

static const struct emu_control_info controls[] = {
	CLASS(V4L2_CID_USER_CLASS, "User Controls"),
	{
		.id = V4L2_CID_BRIGHTNESS,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Brightness",
		.flags = V4L2_CTRL_FLAG_SLIDER,
		.minimum = -128,
		.maximum = 127,
		.step = 1,
	},
	{
		.id = V4L2_CID_CONTRAST,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Contrast",
		.flags = V4L2_CTRL_FLAG_SLIDER,
		.maximum = 255,
		.step = 1,
		.default_value = 128,
	},
	{
		.id = V4L2_CID_SATURATION,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Saturation",
		.flags = V4L2_CTRL_FLAG_SLIDER,
		.maximum = 255,
		.step = 1,
		.default_value = CAMERA_SATURATION_NEUTRAL,
	},
	{
		.id = V4L2_CID_HUE,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Hue",
		.flags = V4L2_CTRL_FLAG_SLIDER,
		.minimum = -180,
		.maximum = 180,
		.step = 5,
	},
	{
		.id = V4L2_CID_DO_WHITE_BALANCE,
		.type = V4L2_CTRL_TYPE_BUTTON,
		.name = "Do White Balance",
		.flags = V4L2_CTRL_FLAG_UPDATE,
	},
	{
		.id = V4L2_CID_AUTOGAIN,
		.type = V4L2_CTRL_TYPE_BOOLEAN,
		.name = "Gain, Automatic",
		.flags = V4L2_CTRL_FLAG_UPDATE,
		.maximum = 1,
		.step = 1,
		.default_value = 1,
	},
	{
		.id = V4L2_CID_GAIN,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Gain",
		.flags = V4L2_CTRL_FLAG_SLIDER,
		.maximum = 255,
		.step = 1,
		.default_value = CAMERA_GAIN_NEUTRAL,
		.automatic = V4L2_CID_AUTOGAIN,
	},
	{
		.id = V4L2_CID_HFLIP,
		.type = V4L2_CTRL_TYPE_BOOLEAN,
		.name = "Horizontal Flip",
		.maximum = 1,
		.step = 1,
	},
	{
		.id = V4L2_CID_VFLIP,
		.type = V4L2_CTRL_TYPE_BOOLEAN,
		.name = "Vertical Flip",
		.maximum = 1,
		.step = 1,
	},
	CLASS(V4L2_CID_CAMERA_CLASS, "Camera Controls"),
	{
		.id = CAMERA_CID_FRAMES,
		.type = V4L2_CTRL_TYPE_INTEGER64,
		.name = "Frames",
		.flags = V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE,
		.maximum = INT64_MAX,
		.step = 1,
	},
	CLASS(V4L2_CID_JPEG_CLASS, "JPEG Compression Controls"),
	{
		.id = V4L2_CID_JPEG_COMPRESSION_QUALITY,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Compression Quality",
		.flags = V4L2_CTRL_FLAG_SLIDER,
		.minimum = 1,
		.maximum = 100,
		.step = 1,
		.default_value = CAMERA_QUALITY,
	},
	CLASS(V4L2_CID_IMAGE_PROC_CLASS, "Image Processing Controls"),
	{
		.id = V4L2_CID_TEST_PATTERN,
		.type = V4L2_CTRL_TYPE_MENU,
		.name = "Test Pattern",
		.maximum = TEST_PATTERNS - 1,
		.step = 1,
		.default_value = TEST_PATTERN_BARS,
		.menu = patterns,
	},
	{
		.id = CAMERA_CID_BARS,
		.type = V4L2_CTRL_TYPE_U32,
		.name = "Bar Colours",
		.maximum = 0xffffff,
		.step = 1,
		.default_value = 0xffffff,
		.defaults = bars,
		.elems = TEST_PICTURE_BARS,
	},
};

static_assert(ARRAY_SIZE(controls) <= CAMERA_CONTROLS_MAX, "room");
static_assert(ARRAY_SIZE(patterns) == TEST_PATTERNS, "a name for each");

void camera_controls_fill(struct camera_table *table, bool jpeg)
{
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++)
		if (jpeg || V4L2_CTRL_ID2WHICH(controls[i].id) != V4L2_CTRL_CLASS_JPEG)
			table->controls[table->controls_n++] = controls[i];
}
