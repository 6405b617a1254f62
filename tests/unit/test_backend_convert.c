/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_backend_convert.c - tests backend_convert.c over the synthetic camera: the guest's picture
 * is the camera's. What a camera can do wrong is in test_media_convert.c. On either loop.
 */
#include "devices/media/backend_convert.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "camera_rig.h"
#include "loop_kinds.h"
#include "picture_match.h"
#include "virtio_media.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE

static struct camera_rig rig;

static struct media_backend *camera(const char *formats)
{
	const struct camera_options options = {
		.width = CAMERA_RIG_WIDTH,
		.height = CAMERA_RIG_HEIGHT,
		.frames = 1000,
		.seconds = 1,
		.formats = formats,
	};
	struct media_backend *backend;
	struct error err;

	assert_int_equal(backend_test_new(&backend, rig.loop, &options, &err), 0);
	return backend;
}

static void begin(const char *formats)
{
	struct media_file *files[2];
	struct error err;

	rig = (struct camera_rig) {.loop = kind_loop()};
	assert_int_equal(backend_convert_new(&rig.backend, rig.loop, camera(formats), &err), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(rig.backend->ops->open(rig.backend, &files[i]), 0);
	rig_adopt(&rig.app, files[0]);
	rig_adopt(&rig.other, files[1]);
	assert_int_equal(test_picture_new(&rig.painter, CAMERA_RIG_WIDTH), 0);
}

static const struct {
	const char *name;
	const char *camera;
	uint32_t source, target;
	double mean;
} cases[] = {
	{"YUYV to YU12", "YUYV", V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_YUV420, 0.25},
	{"YUYV to RGB3", "YUYV", V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_RGB24, 8},
	{"MJPG to YU12", "MJPG", V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUV420, 4},
	{"MJPG to RGB3", "MJPG", V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_RGB24, 8},
};

static void guests_picture_is_the_cameras(void **state)
{
	const struct test_look look = camera_look();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct v4l2_pix_format pix;
		uint32_t last = 0;

		begin(cases[i].camera);
		pix = camera_rig_format(&rig, cases[i].target);
		camera_rig_start(&rig);
		for (unsigned int n = 0; n < 10; n++) {
			struct v4l2_buffer buffer;
			struct match match;

			camera_rig_next(&rig, &buffer);
			rig_expect(cases[i].name, (int)buffer.bytesused, (int)pix.sizeimage);
			rig_expect(cases[i].name, (int)buffer.flags,
				   V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
			if (n > 0 && buffer.sequence <= last)
				fail_msg("%s: frame %u is not later", cases[i].name,
					 buffer.sequence);
			last = buffer.sequence;
			match = picture_match(rig.painter, &look, buffer.sequence, cases[i].source,
					      &pix, rig.frames[buffer.index]);
			if (match.mean > cases[i].mean)
				fail_msg("%s: frame %u is off by %.2f", cases[i].name,
					 buffer.sequence, match.mean);
			camera_rig_give_back(&rig, &buffer);
		}
		camera_rig_stop(&rig);
		camera_rig_deinit(&rig);
	}
}

static void controls_and_rates_are_the_cameras(void **state)
{
	struct v4l2_streamparm parm = {.type = CAPTURE};
	struct test_look look = camera_look();
	struct v4l2_pix_format pix;
	struct v4l2_buffer buffer;

	begin("MJPG");
	pix = camera_rig_format(&rig, V4L2_PIX_FMT_RGB24);
	camera_rig_set(&rig.other, V4L2_CID_VFLIP, 1);
	look.vflip = true;
	assert_int_equal(rig_do(&rig.app, VIDIOC_G_PARM, &parm), 0);
	assert_int_equal(parm.parm.capture.timeperframe.denominator, 1000);
	camera_rig_start(&rig);
	camera_rig_next(&rig, &buffer);
	assert_true(picture_match(rig.painter, &look, buffer.sequence, V4L2_PIX_FMT_MJPEG, &pix,
				  rig.frames[buffer.index])
			    .mean < 8);
	look.vflip = false;
	assert_true(picture_match(rig.painter, &look, buffer.sequence, V4L2_PIX_FMT_MJPEG, &pix,
				  rig.frames[buffer.index])
			    .mean > 8);
	camera_rig_stop(&rig);
	camera_rig_deinit(&rig);
}

static void frames_of_the_cameras_own_format_are_not_touched(void **state)
{
	const struct test_look look = camera_look();
	struct v4l2_pix_format pix;
	struct v4l2_buffer buffer;

	begin("YUYV:MJPG");
	camera_rig_format(&rig, V4L2_PIX_FMT_RGB24);
	pix = camera_rig_format(&rig, V4L2_PIX_FMT_MJPEG);
	camera_rig_start(&rig);
	camera_rig_next(&rig, &buffer);
	camera_rig_expect(&rig, "MJPG", &pix, &look, &buffer, rig.frames[buffer.index]);
	camera_rig_stop(&rig);
	camera_rig_deinit(&rig);
}

static void a_frame_may_be_on_its_way_at_the_end(void **state)
{
	for (unsigned int n = 0; n < 10; n++) {
		struct v4l2_buffer buffer;

		begin("MJPG");
		camera_rig_format(&rig, V4L2_PIX_FMT_RGB24);
		camera_rig_start(&rig);
		camera_rig_next(&rig, &buffer);
		rig_watch(&rig.app, POLLIN);
		settle(rig.loop);
		rig_watch(&rig.app, 0);
		camera_rig_unmap(&rig);
		camera_rig_deinit(&rig);
	}
}

/* Frames by the thread that converts, events by the camera. */
static void who_has_been_told_is_not_told_again(void **state)
{
	struct v4l2_event_subscription sub = {
		.type = V4L2_EVENT_CTRL,
		.id = V4L2_CID_BRIGHTNESS,
		.flags = 0,
	};
	struct v4l2_buffer buffer;

	begin("MJPG");
	assert_int_equal(rig_do(&rig.app, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	camera_rig_format(&rig, V4L2_PIX_FMT_RGB24);
	camera_rig_start(&rig);
	rig_watch(&rig.app, POLLIN | POLLPRI);
	while (rig.app.calls == 0) {
		settle(rig.loop);
		usleep(1000);
	}
	assert_int_equal(rig.app.events, POLLIN);
	camera_rig_set(&rig.other, V4L2_CID_BRIGHTNESS, 3);
	settle(rig.loop);
	assert_int_equal(rig.app.calls, 1);
	assert_int_equal(rig_dqbuf(&rig.app, CAPTURE, &buffer), 0);
	rig_watch(&rig.app, POLLPRI);
	settle(rig.loop);
	assert_int_equal(rig.app.calls, 2);
	assert_int_equal(rig.app.events, POLLPRI);
	camera_rig_stop(&rig);
	camera_rig_deinit(&rig);
}

static int never(struct media_backend *backend, struct media_file **out)
{
	fail_msg("opened");
	return -EIO;
}

static unsigned int freed;

static void count(struct media_backend *backend)
{
	freed++;
}

static void what_is_no_camera_is_refused(void **state)
{
	static const struct media_backend_ops ops = {.open = never, .free = count};
	static const struct {
		const char *name;
		uint32_t caps, type;
	} others[] = {
		{"cannot stream", V4L2_CAP_VIDEO_CAPTURE, VIRTIO_MEDIA_TYPE_VIDEO},
		{"multi-planar", V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING,
		 VIRTIO_MEDIA_TYPE_VIDEO},
		{"codec", V4L2_CAP_VIDEO_M2M | V4L2_CAP_STREAMING, VIRTIO_MEDIA_TYPE_VIDEO},
		{"output too", V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING,
		 VIRTIO_MEDIA_TYPE_VIDEO},
		{"VBI", V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VBI_CAPTURE | V4L2_CAP_STREAMING,
		 VIRTIO_MEDIA_TYPE_VBI},
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct media_backend other = {
			.ops = &ops,
			.name = "/dev/video7",
			.device_caps = others[i].caps,
			.device_type = others[i].type,
		};
		struct media_backend *backend;
		struct error err;

		rig_expect(others[i].name, backend_convert_new(&backend, NULL, &other, &err),
			   -EOPNOTSUPP);
		assert_non_null(strstr(err.text, "'/dev/video7'"));
		assert_int_equal(freed, i + 1);
	}
	assert_true(backend_convert_possible());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests_picture_is_the_cameras),
		cmocka_unit_test(controls_and_rates_are_the_cameras),
		cmocka_unit_test(frames_of_the_cameras_own_format_are_not_touched),
		cmocka_unit_test(a_frame_may_be_on_its_way_at_the_end),
		cmocka_unit_test(who_has_been_told_is_not_told_again),
		cmocka_unit_test(what_is_no_camera_is_refused),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
