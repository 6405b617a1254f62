/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_convert_bad.c - tests backend_convert*.c when the camera or its frames are not as they
 * should be. For the arguments see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "convert_rig.h"

#define MMAP V4L2_MEMORY_MMAP

static struct convert_rig rig;

static int begin(void **state)
{
	convert_rig_init(&rig, V4L2_PIX_FMT_YUYV);
	return 0;
}

static int begin_jpeg(void **state)
{
	convert_rig_init(&rig, V4L2_PIX_FMT_MJPEG);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig.media);
	return 0;
}

static void bad_frames_are_marked(void **state)
{
	const uint32_t session = convert_rig_start(&rig, 2);
	const uint8_t *at = convert_rig_map(&rig, session, 0);
	struct media_event event;
	static const struct {
		uint32_t flags, used;
	} bad[] = {{V4L2_BUF_FLAG_ERROR, CONVERT_RAW}, {0, 0}, {0, CONVERT_RAW / 2}};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t index;

		convert_rig_complete(&rig, 9, bad[i].flags, bad[i].used);
		index = media_rig_frame(&rig.media, session, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
		assert_int_equal(event.dqbuf.buffer.bytesused, 0);
		assert_int_equal(event.dqbuf.buffer.sequence, i);
		assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, index), 0);
	}
	convert_rig_complete(&rig, 1, 0, CONVERT_RAW);
	media_rig_frame(&rig.media, session, &event);
	convert_rig_complete(&rig, 2, 0, CONVERT_RAW);
	assert_int_equal(media_rig_frame(&rig.media, session, &event), 0);
	assert_false(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	convert_rig_expect(at, 2, CONVERT_BYTES);
}

static void frames_that_cannot_be_decoded_are_marked(void **state)
{
	const uint32_t session = convert_rig_start(&rig, 2);
	struct media_event event;

	for (unsigned int n = 0; n < 5; n++) {
		uint32_t index;

		convert_rig_complete(&rig, (uint8_t)(n * 63), 0, 2000);
		index = media_rig_frame(&rig.media, session, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
		assert_int_equal(event.dqbuf.buffer.sequence, n);
		assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, index), 0);
	}
}

static void unplugged_camera_gives_buffers_back(void **state)
{
	const uint32_t session = convert_rig_start(&rig, 4);
	const uint8_t *at = convert_rig_map(&rig, session, 0);
	struct v4l2_format format = {.type = CAPTURE};
	struct media_event event;
	uint32_t seen = 0;

	convert_rig_complete(&rig, 0x33, 0, CONVERT_RAW);
	assert_int_equal(media_rig_frame(&rig.media, session, &event), 0);
	fake_node_unplug(rig.media.node);
	for (unsigned int i = 1; i < 4; i++) {
		seen |= 1u << media_rig_frame(&rig.media, session, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
	assert_int_equal(seen, 0xe);
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_G_FMT, &format), ENODEV);
	convert_rig_expect(at, 0x33, CONVERT_BYTES);
	media_driver_close(&rig.media.md, session);
	convert_rig_expect(at, 0x33, CONVERT_BYTES);
}

static void camera_is_set_again_if_somebody_else_has_set_it(void **state)
{
	const uint32_t session = convert_rig_open(&rig, 0);
	struct v4l2_format format = {.type = CAPTURE};

	rig.standing.fmt.pix.width = 2 * CONVERT_WIDTH;
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, V4L2_PIX_FMT_YUYV);
	assert_int_equal(media_rig_reqbufs(&rig.media, session, CAPTURE, MMAP, 2), 0);
	assert_int_equal(rig.standing.fmt.pix.width, CONVERT_WIDTH);
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, V4L2_PIX_FMT_YUV420);
}

static void camera_that_is_not_to_be_had_is_told(void **state)
{
	static const struct fake_answer busy = {.result = -EBUSY};
	const uint32_t session = convert_rig_open(&rig, 0);

	fake_node_answer(rig.media.node, VIDIOC_REQBUFS, &busy);
	assert_int_equal(media_rig_reqbufs(&rig.media, session, CAPTURE, MMAP, 2), EBUSY);
	fake_node_answer(rig.media.node, VIDIOC_REQBUFS, NULL);
	assert_int_equal(media_rig_reqbufs(&rig.media, session, CAPTURE, MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, 0), 0);
	fake_node_answer(rig.media.node, VIDIOC_STREAMON, &busy);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), EBUSY);
	fake_node_answer(rig.media.node, VIDIOC_STREAMON, NULL);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), 0);
}

static void camera_that_fails_for_good_gives_buffers_back(void **state)
{
	static const struct fake_answer fails = {.result = -EIO};
	const uint32_t session = convert_rig_start(&rig, 3);
	struct media_event event;

	fake_node_answer(rig.media.node, VIDIOC_DQBUF, &fails);
	fake_node_poll_error(rig.media.node);
	for (unsigned int i = 0; i < 3; i++) {
		media_rig_frame(&rig.media, session, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
	fake_node_answer(rig.media.node, VIDIOC_DQBUF, NULL);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, false), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, i), 0);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), 0);
	convert_rig_complete(&rig, 3, 0, CONVERT_RAW);
	assert_int_equal(media_rig_frame(&rig.media, session, &event), 0);
}

/* Three seconds of waiting. */
static void camera_that_is_always_interrupted_is_given_up(void **state)
{
	static const struct fake_answer interrupted = {.result = -EINTR};
	const uint32_t session = convert_rig_start(&rig, 2);
	struct v4l2_format format = {.type = CAPTURE};
	struct media_event event;

	/* Not if it is once. */
	fake_node_answer(rig.media.node, VIDIOC_DQBUF, &interrupted);
	convert_rig_complete(&rig, 5, 0, CONVERT_RAW);
	media_driver_pause(&rig.media.md, 20);
	fake_node_answer(rig.media.node, VIDIOC_DQBUF, NULL);
	assert_int_equal(media_rig_frame(&rig.media, session, &event), 0);
	assert_false(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	fake_node_answer(rig.media.node, VIDIOC_DQBUF, &interrupted);
	convert_rig_complete(&rig, 6, 0, CONVERT_RAW);
	assert_int_equal(media_rig_frame(&rig.media, session, &event), 1);
	assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_G_FMT, &format), EIO);
}

/* Three seconds of waiting, in the variant that may wait. */
static void camera_that_hangs_ends_its_session_only(void **state)
{
	const uint32_t session = convert_rig_open(&rig, 2);
	struct v4l2_format format = {.type = CAPTURE};

	if (media_rig_slow()) {
		fake_node_hang(rig.media.node, VIDIOC_STREAMON, FAKE_SLEEP);
		assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), EIO);
		assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_G_FMT, &format),
				 EIO);
		fake_node_wake(rig.media.node);
	}
	media_driver_close(&rig.media.md, session);
	media_driver_alive(&rig.media.md);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(bad_frames_are_marked),
		cmocka_unit_test_setup_teardown(frames_that_cannot_be_decoded_are_marked,
						begin_jpeg, end),
		TEST(unplugged_camera_gives_buffers_back),
		TEST(camera_is_set_again_if_somebody_else_has_set_it),
		TEST(camera_that_is_not_to_be_had_is_told),
		TEST(camera_that_fails_for_good_gives_buffers_back),
		TEST(camera_that_is_always_interrupted_is_given_up),
		TEST(camera_that_hangs_ends_its_session_only),
	};

	if (!media_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
