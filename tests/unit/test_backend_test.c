/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_backend_test.c - tests backend_test.c: the synthetic camera takes frames by the clock. Its
 * tables are tested in test_camera_table.c, controls in test_camera_controls.c, the picture in
 * test_test_picture.c.
 *
 * On either loop. Nothing here depends on how fast the machine is: only order and counts.
 */
#include "devices/media/backend_test.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "camera_rig.h"
#include "devices/media/camera_table.h"
#include "devices/media/jpeg.h"
#include "loop_kinds.h"
#include "virtio_media.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define USERPTR V4L2_MEMORY_USERPTR
#define GUARD	0xa5
#define US	INT64_C(1000000)

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

static void camera_says_what_it_is(void **state)
{
	assert_string_equal(rig.backend->name, "test");
	assert_string_equal(rig.backend->card, "vmm test camera");
	assert_int_equal(rig.backend->device_caps,
			 V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT);
	assert_int_equal(rig.backend->device_type, VIRTIO_MEDIA_TYPE_VIDEO);
	assert_false(rig.backend->ops->blocking);
}

static void camera_starts_with_what_the_user_asked_for(void **state)
{
	struct v4l2_format format = {.type = CAPTURE};
	struct v4l2_streamparm parm = {.type = CAPTURE};

	assert_int_equal(rig_do(&rig.app, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, V4L2_PIX_FMT_YUYV);
	assert_int_equal(format.fmt.pix.width, CAMERA_RIG_WIDTH);
	assert_int_equal(format.fmt.pix.height, CAMERA_RIG_HEIGHT);
	assert_int_equal(rig_do(&rig.app, VIDIOC_G_PARM, &parm), 0);
	assert_int_equal(parm.parm.capture.timeperframe.numerator, 1);
	assert_int_equal(parm.parm.capture.timeperframe.denominator, 1000);
}

static int64_t microseconds(const struct timeval *time)
{
	return time->tv_sec * US + time->tv_usec;
}

/* The buffer tells the same as the stamp, and both tell of a moment between start and now. */
static void check_frames(const char *name, const struct v4l2_pix_format *pix)
{
	struct camera_stamp last = {0};
	struct timespec now;
	int64_t time = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	time = now.tv_sec * US + now.tv_nsec / 1000;
	for (unsigned int n = 0; n < 20; n++) {
		struct v4l2_buffer buffer;
		struct camera_stamp stamp;

		camera_rig_next(&rig, &buffer);
		stamp = camera_stamp_of(pix, rig.frames[buffer.index], buffer.bytesused);
		rig_expect(name, (int)stamp.sequence, (int)buffer.sequence);
		if (n > 0 && (stamp.sequence <= last.sequence || stamp.ticks <= last.ticks))
			fail_msg("%s: frame %u is not later", name, stamp.sequence);
		if (microseconds(&buffer.timestamp) < time)
			fail_msg("%s: time of frame %u", name, stamp.sequence);
		rig_expect(name, (int)buffer.flags, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
		rig_expect(name, (int)buffer.field, V4L2_FIELD_NONE);
		camera_rig_expect(&rig, name, pix, &neutral, &buffer, rig.frames[buffer.index]);
		last = stamp;
		time = microseconds(&buffer.timestamp);
		camera_rig_give_back(&rig, &buffer);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (time > now.tv_sec * US + now.tv_nsec / 1000)
		fail_msg("%s: time of the last frame", name);
}

static const struct {
	const char *name;
	uint32_t pixelformat;
} formats[] = {
	{"YUYV", V4L2_PIX_FMT_YUYV},
	{"NV12", V4L2_PIX_FMT_NV12},
	{"RGB3", V4L2_PIX_FMT_RGB24},
	{"MJPG", V4L2_PIX_FMT_MJPEG},
};

static void frames_come_in_order_and_stamped(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct v4l2_pix_format pix;

		if (formats[i].pixelformat == V4L2_PIX_FMT_MJPEG && !jpeg_possible())
			continue;
		pix = camera_rig_format(&rig, formats[i].pixelformat);
		camera_rig_start(&rig);
		check_frames(formats[i].name, &pix);
		camera_rig_stop(&rig);
	}
}

static int64_t frames_counted(void)
{
	struct v4l2_ext_control control = {.id = CAMERA_CID_FRAMES};
	struct v4l2_ext_controls controls = {.count = 1, .controls = &control};

	assert_int_equal(rig_do(&rig.other, VIDIOC_G_EXT_CTRLS, &controls), 0);
	return control.value64;
}

static void wait_until_counted(int64_t count)
{
	while (frames_counted() < count)
		;
}

/* The sensor goes on while the application has all buffers, and while the loop is busy. */
static void frames_that_nobody_has_time_for_are_missing(void **state)
{
	struct v4l2_buffer buffers[CAMERA_RIG_BUFFERS], buffer;

	camera_rig_format(&rig, V4L2_PIX_FMT_YUYV);
	camera_rig_start(&rig);
	for (unsigned int i = 0; i < CAMERA_RIG_BUFFERS; i++)
		camera_rig_next(&rig, &buffers[i]);
	wait_until_counted(buffers[CAMERA_RIG_BUFFERS - 1].sequence + 10);
	assert_int_equal(rig_dqbuf(&rig.app, CAPTURE, &buffer), -EAGAIN);
	camera_rig_give_back(&rig, &buffers[0]);
	camera_rig_give_back(&rig, &buffers[1]);
	camera_rig_next(&rig, &buffer);
	assert_int_equal(buffer.index, buffers[0].index);
	assert_true(buffer.sequence >= buffers[CAMERA_RIG_BUFFERS - 1].sequence + 10);
	/* One frame for all that the timer missed. */
	wait_until_counted(buffer.sequence + 20);
	camera_rig_next(&rig, &buffers[2]);
	assert_int_equal(buffers[2].index, buffers[1].index);
	assert_true(buffers[2].sequence >= buffer.sequence + 19);
	camera_rig_stop(&rig);
}

static void each_streaming_counts_from_its_start(void **state)
{
	struct v4l2_buffer buffer = {.sequence = 0};

	camera_rig_format(&rig, V4L2_PIX_FMT_YUYV);
	assert_int_equal(frames_counted(), 0);
	camera_rig_start(&rig);
	while (buffer.sequence < 50) {
		camera_rig_next(&rig, &buffer);
		assert_true(buffer.sequence < frames_counted());
		camera_rig_give_back(&rig, &buffer);
	}
	camera_rig_stop(&rig);
	assert_int_equal(frames_counted(), 0);
	/* However slow the machine is, at some time it is fast enough to get one of the first. */
	do {
		camera_rig_start(&rig);
		camera_rig_next(&rig, &buffer);
		camera_rig_stop(&rig);
	} while (buffer.sequence >= 50);
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Neither memory nor timer. */
static void streaming_leaves_nothing_open(void **state)
{
	const unsigned int before = open_files();
	struct v4l2_buffer buffer;

	camera_rig_format(&rig, V4L2_PIX_FMT_YUYV);
	camera_rig_start(&rig);
	camera_rig_next(&rig, &buffer);
	assert_true(open_files() > before);
	camera_rig_stop(&rig);
	assert_int_equal(open_files(), before);
}

static void nothing_comes_after_streamoff(void **state)
{
	camera_rig_format(&rig, V4L2_PIX_FMT_YUYV);
	camera_rig_start(&rig);
	wait_until_counted(2);
	rig_watch(&rig.app, POLLIN);
	camera_rig_stop(&rig);
	settle(rig.loop);
	assert_int_equal(rig.app.calls, 1);
	assert_int_equal(rig.app.events, POLLERR);
}

/* A file that goes away in mid-stream, with the timer set and its callback due. */
static void close_in_mid_stream_stops_the_sensor(void **state)
{
	struct media_file *again;

	camera_rig_format(&rig, V4L2_PIX_FMT_YUYV);
	camera_rig_start(&rig);
	rig_watch(&rig.app, POLLIN);
	wait_until_counted(2);
	rig.backend->ops->close(rig.app.file);
	camera_rig_unmap(&rig);
	settle(rig.loop);
	assert_int_equal(rig.app.calls, 0);
	assert_int_equal(frames_counted(), 0);
	assert_int_equal(rig.backend->ops->open(rig.backend, &again), 0);
	rig_adopt(&rig.app, again);
	camera_rig_start(&rig);
	camera_rig_stop(&rig);
}

static void userptr_frames_go_where_the_application_says(void **state)
{
	const struct v4l2_pix_format pix = camera_rig_format(&rig, V4L2_PIX_FMT_NV12);
	const size_t len = pix.sizeimage;
	uint8_t *memory = malloc(len + 2);
	struct v4l2_buffer buffer = {
		.type = CAPTURE,
		.memory = USERPTR,
		.length = pix.sizeimage,
	};

	assert_non_null(memory);
	memset(memory, GUARD, len + 2);
	buffer.m.userptr = (unsigned long)&memory[1];
	assert_int_equal(rig_reqbufs(&rig.app, CAPTURE, USERPTR, 1), 0);
	assert_int_equal(rig_do(&rig.app, VIDIOC_QBUF, &buffer), 0);
	assert_int_equal(rig_stream(&rig.app, CAPTURE, true), 0);
	camera_rig_next(&rig, &buffer);
	assert_int_equal(buffer.m.userptr, (unsigned long)&memory[1]);
	camera_rig_expect(&rig, "USERPTR", &pix, &neutral, &buffer, &memory[1]);
	assert_int_equal(memory[0], GUARD);
	assert_int_equal(memory[len + 1], GUARD);
	assert_int_equal(rig_stream(&rig.app, CAPTURE, false), 0);
	free(memory);
}

/* Tables and stamp are most of such a frame. */
static void smallest_jpeg_frames_fit(void **state)
{
	const struct camera_options options = {
		.width = CAMERA_SIDE_MIN,
		.height = CAMERA_SIDE_MIN,
		.frames = 1000,
		.seconds = 1,
		.formats = "MJPG",
	};
	uint32_t bars[TEST_PICTURE_BARS] = {0xffffff, 0, 0xff0000, 0xff00, 0xff, 0xffff00};
	struct v4l2_ext_control control = {
		.id = CAMERA_CID_BARS,
		.size = sizeof(bars),
		.p_u32 = bars,
	};
	struct v4l2_ext_controls colours = {.count = 1, .controls = &control};
	static struct camera_rig small;
	struct media_file *opened;
	struct error err;

	if (!jpeg_possible())
		return;
	small = (struct camera_rig) {.loop = kind_loop()};
	assert_int_equal(backend_test_new(&small.backend, small.loop, &options, &err), 0);
	assert_int_equal(small.backend->ops->open(small.backend, &opened), 0);
	rig_adopt(&small.app, opened);
	camera_rig_set(&small.app, V4L2_CID_JPEG_COMPRESSION_QUALITY, 100);
	camera_rig_set(&small.app, V4L2_CID_SATURATION, 255);
	assert_int_equal(rig_do(&small.app, VIDIOC_S_EXT_CTRLS, &colours), 0);
	camera_rig_set(&small.app, V4L2_CID_SATURATION, 255);
	for (int pattern = 0; pattern < TEST_PATTERNS; pattern++) {
		struct v4l2_buffer buffer;

		camera_rig_set(&small.app, V4L2_CID_TEST_PATTERN, pattern);
		camera_rig_start(&small);
		for (unsigned int i = 0; i < 32; i++) {
			camera_rig_next(&small, &buffer); /* with no error */
			assert_true(buffer.bytesused > 0);
			camera_rig_give_back(&small, &buffer);
		}
		camera_rig_stop(&small);
	}
	small.backend->ops->close(opened);
	small.backend->ops->free(small.backend);
	loop_free(small.loop);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(camera_says_what_it_is),
		CASE(camera_starts_with_what_the_user_asked_for),
		CASE(frames_come_in_order_and_stamped),
		CASE(frames_that_nobody_has_time_for_are_missing),
		CASE(each_streaming_counts_from_its_start),
		CASE(streaming_leaves_nothing_open),
		CASE(nothing_comes_after_streamoff),
		CASE(close_in_mid_stream_stops_the_sensor),
		CASE(smallest_jpeg_frames_fit),
		CASE(userptr_frames_go_where_the_application_says),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
