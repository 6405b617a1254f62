/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_camera_controls.c - tests camera_controls.c: what the synthetic camera's controls do to its
 * picture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "camera_rig.h"
#include "devices/media/camera_table.h"
#include "devices/media/jpeg.h"
#include "loop_kinds.h"

static struct camera_rig rig;
static struct test_look neutral;

static int setup(void **state)
{
	camera_rig_init(&rig);
	neutral = camera_look();
	return 0;
}

static int teardown(void **state)
{
	camera_rig_deinit(&rig);
	return 0;
}

static const struct {
	const char *name;
	uint32_t id;
	int32_t value;
	int32_t back;
	struct test_look look; /* what differs from neutral; 0: nothing */
} looks[] = {
	{"brightness", V4L2_CID_BRIGHTNESS, 50, 0, {.brightness = 50}},
	{"contrast", V4L2_CID_CONTRAST, 30, 128, {.contrast = 30}},
	{"saturation", V4L2_CID_SATURATION, 200, 128, {.saturation = 200}},
	{"hue", V4L2_CID_HUE, -90, 0, {.hue = -90}},
	{"gain", V4L2_CID_GAIN, 20, 64, {.gain = 20}},
	{"hflip", V4L2_CID_HFLIP, 1, 0, {.hflip = true}},
	{"vflip", V4L2_CID_VFLIP, 1, 0, {.vflip = true}},
	{"pattern",
	 V4L2_CID_TEST_PATTERN,
	 TEST_PATTERN_SQUARES,
	 0,
	 {.pattern = TEST_PATTERN_SQUARES}},
};

static struct test_look changed(const struct test_look *change)
{
	struct test_look look = neutral;

	look.brightness += change->brightness;
	look.hue += change->hue;
	look.hflip |= change->hflip;
	look.vflip |= change->vflip;
	look.pattern = change->pattern;
	if (change->contrast)
		look.contrast = change->contrast;
	if (change->saturation)
		look.saturation = change->saturation;
	if (change->gain)
		look.gain = change->gain;
	return look;
}

static void controls_change_the_picture(void **state)
{
	const struct v4l2_pix_format pix = camera_rig_format(&rig, V4L2_PIX_FMT_YUYV);

	camera_rig_set(&rig.app, V4L2_CID_AUTOGAIN, 0);
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		const struct test_look look = changed(&looks[i].look);
		struct v4l2_buffer buffer;

		camera_rig_set(&rig.app, looks[i].id, looks[i].value);
		camera_rig_start(&rig);
		camera_rig_next(&rig, &buffer);
		camera_rig_expect(&rig, looks[i].name, &pix, &look, &buffer,
				  rig.frames[buffer.index]);
		camera_rig_stop(&rig);
		camera_rig_set(&rig.app, looks[i].id, looks[i].back);
	}
}

static void automatic_gain_ignores_the_manual_one(void **state)
{
	const struct v4l2_pix_format pix = camera_rig_format(&rig, V4L2_PIX_FMT_YUYV);
	struct v4l2_buffer buffer;

	camera_rig_set(&rig.app, V4L2_CID_GAIN, 20);
	camera_rig_start(&rig);
	camera_rig_next(&rig, &buffer);
	camera_rig_expect(&rig, "automatic", &pix, &neutral, &buffer, rig.frames[buffer.index]);
	camera_rig_stop(&rig);
}

static void bars_can_be_coloured(void **state)
{
	const struct v4l2_pix_format pix = camera_rig_format(&rig, V4L2_PIX_FMT_RGB24);
	struct test_look look = neutral;
	struct v4l2_ext_control control = {.id = CAMERA_CID_BARS, .size = sizeof(look.bars)};
	struct v4l2_ext_controls controls = {.count = 1, .controls = &control};
	struct v4l2_buffer buffer;

	for (uint32_t i = 0; i < TEST_PICTURE_BARS; i++)
		look.bars[i] = 0x102030 * i;
	control.p_u32 = look.bars;
	assert_int_equal(rig_do(&rig.app, VIDIOC_S_EXT_CTRLS, &controls), 0);
	camera_rig_start(&rig);
	camera_rig_next(&rig, &buffer);
	camera_rig_expect(&rig, "bars", &pix, &look, &buffer, rig.frames[buffer.index]);
	camera_rig_stop(&rig);
}

static void quality_changes_the_size_of_jpeg(void **state)
{
	struct v4l2_pix_format pix;
	struct test_look look = neutral;
	struct v4l2_buffer buffer;

	if (!jpeg_possible())
		return;
	pix = camera_rig_format(&rig, V4L2_PIX_FMT_MJPEG);
	look.quality = 10;
	camera_rig_set(&rig.app, V4L2_CID_JPEG_COMPRESSION_QUALITY, 10);
	camera_rig_start(&rig);
	camera_rig_next(&rig, &buffer);
	camera_rig_expect(&rig, "quality", &pix, &look, &buffer, rig.frames[buffer.index]);
	camera_rig_stop(&rig);
}

static void white_balance_resets_colours_and_tells(void **state)
{
	struct v4l2_event_subscription wanted = {.type = V4L2_EVENT_CTRL, .id = V4L2_CID_HUE};
	struct v4l2_control control = {.id = V4L2_CID_SATURATION};
	struct v4l2_event event;

	camera_rig_set(&rig.app, V4L2_CID_HUE, 90);
	camera_rig_set(&rig.app, V4L2_CID_SATURATION, 0);
	assert_int_equal(rig_do(&rig.app, VIDIOC_SUBSCRIBE_EVENT, &wanted), 0);
	camera_rig_set(&rig.app, V4L2_CID_DO_WHITE_BALANCE, 1);
	assert_int_equal(rig_do(&rig.app, VIDIOC_G_CTRL, &control), 0);
	assert_int_equal(control.value, 128);
	assert_int_equal(rig_do(&rig.app, VIDIOC_DQEVENT, &event), 0);
	assert_int_equal(event.u.ctrl.value, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(controls_change_the_picture),
		CASE(automatic_gain_ignores_the_manual_one),
		CASE(bars_can_be_coloured),
		CASE(quality_changes_the_size_of_jpeg),
		CASE(white_balance_resets_colours_and_tells),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
