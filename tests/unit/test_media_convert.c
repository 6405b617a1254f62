/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_convert.c - tests backend_convert*.c between a virtio-media device and a fake camera:
 * what a guest gets whose camera's frames are converted. For the arguments see media_rig.h.
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

static int end(void **state)
{
	media_rig_deinit(&rig.media);
	return 0;
}

static void guest_sees_both_kinds_of_formats(void **state)
{
	static const uint32_t formats[] = {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_RGB24,
					   V4L2_PIX_FMT_BGR24, V4L2_PIX_FMT_YUV420,
					   V4L2_PIX_FMT_YVU420};
	const uint32_t session = media_rig_open(&rig.media);
	struct v4l2_frmsizeenum size = {.pixel_format = V4L2_PIX_FMT_YUV420};
	struct v4l2_fmtdesc desc = {.type = CAPTURE};
	struct v4l2_format format;

	for (; desc.index < ARRAY_SIZE(formats); desc.index++) {
		assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_ENUM_FMT, &desc),
				 0);
		assert_int_equal(desc.pixelformat, formats[desc.index]);
		assert_int_equal(desc.flags, desc.index ? V4L2_FMT_FLAG_EMULATED : 0);
	}
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_ENUM_FMT, &desc),
			 EINVAL);
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_ENUM_FRAMESIZES, &size),
			 0);
	assert_int_equal(size.discrete.width, CONVERT_WIDTH);
	for (uint32_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const uint32_t calls = fake_node_calls(rig.media.node, VIDIOC_S_FMT);
		struct v4l2_format tried = {.type = CAPTURE};

		tried.fmt.pix.pixelformat = formats[i];
		assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_TRY_FMT, &tried),
				 0);
		assert_int_equal(fake_node_calls(rig.media.node, VIDIOC_S_FMT), calls);
		assert_int_equal(convert_rig_set(&rig, session, formats[i], &format), 0);
		assert_int_equal(rig.standing.fmt.pix.pixelformat, V4L2_PIX_FMT_YUYV);
		assert_int_equal(format.fmt.pix.pixelformat, formats[i]);
		assert_int_equal(format.fmt.pix.sizeimage, tried.fmt.pix.sizeimage);
		memset(&tried.fmt, 0, sizeof(tried.fmt));
		assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_G_FMT, &tried),
				 0);
		assert_memory_equal(&tried.fmt.pix, &format.fmt.pix, sizeof(tried.fmt.pix));
	}
}

static void frames_are_converted(void **state)
{
	const uint32_t session = convert_rig_start(&rig, 3);
	const uint8_t *at[3];
	struct media_event event;
	struct v4l2_buffer buffer;
	struct v4l2_plane planes[VIDEO_MAX_PLANES];

	for (uint32_t i = 0; i < 3; i++)
		at[i] = convert_rig_map(&rig, session, i);
	for (unsigned int n = 0; n < 10; n++) {
		uint32_t index;

		convert_rig_complete(&rig, (uint8_t)(0x20 + n), 0, CONVERT_RAW);
		index = media_rig_frame(&rig.media, session, &event);
		assert_int_equal(index, n % 3);
		assert_int_equal(event.dqbuf.buffer.bytesused, CONVERT_BYTES);
		assert_int_equal(event.dqbuf.buffer.length, CONVERT_BYTES);
		assert_int_equal(event.dqbuf.buffer.sequence, n);
		assert_int_equal(event.dqbuf.buffer.timestamp.tv_sec, FAKE_STAMP_S);
		assert_int_equal(event.dqbuf.buffer.timestamp.tv_usec, n);
		assert_false(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
		convert_rig_expect(at[index], (uint8_t)(0x20 + n), CONVERT_BYTES);
		/* The camera has no more than the guest has queued. */
		assert_int_equal(fake_node_queued(rig.media.node, convert_rig_file(&rig), CAPTURE),
				 2);
		assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, index), 0);
		assert_int_equal(fake_node_queued(rig.media.node, convert_rig_file(&rig), CAPTURE),
				 3);
	}
	assert_int_equal(media_rig_querybuf(&rig.media, session, CAPTURE, 1, &buffer, planes), 0);
	assert_true(buffer.flags & V4L2_BUF_FLAG_QUEUED);
	assert_true(media_driver_quiet(&rig.media.md));
	assert_int_equal(fake_node_early(rig.media.node), 0);
}

static void frames_of_the_cameras_own_format_pass(void **state)
{
	const uint32_t session = convert_rig_open(&rig, 0);
	struct v4l2_format format;
	struct media_event event;
	const uint8_t *at;

	assert_int_equal(convert_rig_set(&rig, session, V4L2_PIX_FMT_YUYV, &format), 0);
	assert_int_equal(media_rig_reqbufs(&rig.media, session, CAPTURE, MMAP, 2), 0);
	at = convert_rig_map(&rig, session, 0);
	assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, 0), 0);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), 0);
	convert_rig_complete(&rig, 0x77, 0, CONVERT_RAW - 5);
	assert_int_equal(media_rig_frame(&rig.media, session, &event), 0);
	assert_int_equal(event.dqbuf.buffer.bytesused, CONVERT_RAW - 5);
	convert_rig_expect(at, 0x77, CONVERT_RAW - 5);
	/* The very memory of the camera. */
	*fake_node_memory(rig.media.node, convert_rig_file(&rig), CAPTURE, 0, 0) = 0x12;
	assert_int_equal(*at, 0x12);
}

static void streams_end_and_begin(void **state)
{
	const uint32_t session = convert_rig_start(&rig, 2);
	struct media_event event;

	for (unsigned int n = 0; n < 20; n++) {
		convert_rig_complete(&rig, (uint8_t)n, 0, CONVERT_RAW);
		/* It may be anywhere on its way now. */
		if (n % 2)
			media_driver_pause(&rig.media.md, 1);
		assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, false), 0);
		while (media_driver_take(&rig.media.md, &event))
			;
		for (uint32_t i = 0; i < 2; i++)
			assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, i), 0);
		assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), 0);
	}
	convert_rig_complete(&rig, 0x5a, 0, CONVERT_RAW);
	assert_int_equal(media_rig_frame(&rig.media, session, &event), 0);
	convert_rig_expect(convert_rig_map(&rig, session, 0), 0x5a, CONVERT_BYTES);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, false), 0);
	assert_int_equal(media_rig_reqbufs(&rig.media, session, CAPTURE, MMAP, 0), 0);
	assert_int_equal(fake_node_buffers(rig.media.node), 0);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), EINVAL);
}

static void session_is_closed_in_mid_stream(void **state)
{
	for (unsigned int n = 0; n < 10; n++) {
		const uint32_t session = convert_rig_start(&rig, 3);
		const unsigned int opened = fake_node_opened(rig.media.node);

		convert_rig_complete(&rig, 1, 0, CONVERT_RAW);
		convert_rig_complete(&rig, 2, 0, CONVERT_RAW);
		media_driver_close(&rig.media.md, session);
		media_rig_closed(&rig.media, opened);
		assert_int_equal(fake_node_buffers(rig.media.node), 0);
	}
}

static void one_session_at_a_time_has_buffers(void **state)
{
	const uint32_t first = convert_rig_start(&rig, 2), other = media_rig_open(&rig.media);
	struct v4l2_create_buffers create = {.count = 1, .memory = MMAP};
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_format format = {.type = CAPTURE};
	struct v4l2_buffer buffer;

	/* What is set is the device's. */
	assert_int_equal(media_driver_ioctl(&rig.media.md, other, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, V4L2_PIX_FMT_YUV420);
	create.format = format;
	assert_int_equal(convert_rig_set(&rig, other, V4L2_PIX_FMT_RGB24, &format), EBUSY);
	assert_int_equal(convert_rig_set(&rig, first, V4L2_PIX_FMT_YUYV, &format), EBUSY);
	assert_int_equal(media_rig_reqbufs(&rig.media, other, CAPTURE, MMAP, 2), EBUSY);
	assert_int_equal(media_driver_ioctl(&rig.media.md, other, VIDIOC_CREATE_BUFS, &create),
			 EBUSY);
	assert_int_equal(media_rig_stream(&rig.media, other, CAPTURE, true), EBUSY);
	assert_int_equal(media_rig_stream(&rig.media, other, CAPTURE, false), EBUSY);
	assert_int_equal(media_rig_qbuf(&rig.media, other, CAPTURE, 0), EBUSY);
	assert_int_equal(media_rig_querybuf(&rig.media, other, CAPTURE, 0, &buffer, planes), 0);
	assert_int_equal(media_rig_reqbufs(&rig.media, first, CAPTURE, MMAP, 2), EBUSY);
	assert_int_equal(media_rig_stream(&rig.media, first, CAPTURE, true), 0);
	media_driver_close(&rig.media.md, first);
	assert_int_equal(media_rig_reqbufs(&rig.media, other, CAPTURE, MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig.media, other, CAPTURE, 7), EINVAL);
	assert_int_equal(media_rig_qbuf(&rig.media, other, CAPTURE, 1), 0);
	assert_int_equal(media_rig_qbuf(&rig.media, other, CAPTURE, 1), EINVAL);
	assert_int_equal(fake_node_queued(rig.media.node, convert_rig_file(&rig), CAPTURE), 1);
}

static void memory_of_the_guests_is_refused(void **state)
{
	const uint32_t session = convert_rig_open(&rig, 0);
	struct v4l2_requestbuffers request = {.type = CAPTURE, .memory = MMAP};

	assert_int_equal(media_rig_reqbufs(&rig.media, session, CAPTURE, V4L2_MEMORY_USERPTR, 2),
			 EINVAL);
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_REQBUFS, &request), 0);
	assert_true(request.capabilities & V4L2_BUF_CAP_SUPPORTS_MMAP);
	assert_false(request.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR);
}

static void buffers_are_created_and_removed(void **state)
{
	const uint32_t session = convert_rig_open(&rig, 0);
	struct v4l2_create_buffers create = {.count = 2, .memory = MMAP, .format.type = CAPTURE};
	struct media_event event;

	create.format.fmt.pix.sizeimage = CONVERT_BYTES - 1;
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_CREATE_BUFS, &create),
			 EINVAL);
	assert_int_equal(fake_node_buffers(rig.media.node), 0);
	create.format.fmt.pix.sizeimage = CONVERT_BYTES;
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_CREATE_BUFS, &create),
			 0);
	assert_int_equal(create.index, 0);
	create.count = 1;
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_CREATE_BUFS, &create),
			 0);
	assert_int_equal(create.index, 2);
	assert_int_equal(fake_node_buffers(rig.media.node), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, i), 0);
	assert_int_equal(media_rig_stream(&rig.media, session, CAPTURE, true), 0);
	for (uint32_t i = 0; i < 3; i++) {
		convert_rig_complete(&rig, (uint8_t)i, 0, CONVERT_RAW);
		assert_int_equal(media_rig_frame(&rig.media, session, &event), i);
		convert_rig_expect(convert_rig_map(&rig, session, i), (uint8_t)i, CONVERT_BYTES);
	}
}

static void events_pass_beside_frames(void **state)
{
	const uint32_t session = convert_rig_start(&rig, 2);
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL, .id = V4L2_CID_BRIGHTNESS};
	const struct v4l2_event event = {.type = V4L2_EVENT_CTRL, .id = V4L2_CID_BRIGHTNESS};
	struct media_event got;

	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_SUBSCRIBE_EVENT, &sub),
			 0);
	for (unsigned int n = 0; n < 6; n++) {
		fake_node_event(rig.media.node, &event, false);
		media_driver_event(&rig.media.md, &got);
		assert_int_equal(got.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
		convert_rig_complete(&rig, (uint8_t)n, 0, CONVERT_RAW);
		assert_int_equal(media_rig_frame(&rig.media, session, &got), n % 2);
		assert_int_equal(media_rig_qbuf(&rig.media, session, CAPTURE, n % 2), 0);
	}
}

static void other_ioctls_are_the_cameras(void **state)
{
	static const struct v4l2_control control = {.id = V4L2_CID_GAIN, .value = 17};
	static const struct fake_answer answer = {.arg = &control};
	const uint32_t session = convert_rig_open(&rig, 0);
	struct v4l2_control got = {.id = V4L2_CID_GAIN};

	fake_node_answer(rig.media.node, VIDIOC_G_CTRL, &answer);
	assert_int_equal(media_driver_ioctl(&rig.media.md, session, VIDIOC_G_CTRL, &got), 0);
	assert_int_equal(got.value, 17);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(guest_sees_both_kinds_of_formats),
		TEST(frames_are_converted),
		TEST(frames_of_the_cameras_own_format_pass),
		TEST(streams_end_and_begin),
		TEST(session_is_closed_in_mid_stream),
		TEST(one_session_at_a_time_has_buffers),
		TEST(memory_of_the_guests_is_refused),
		TEST(buffers_are_created_and_removed),
		TEST(events_pass_beside_frames),
		TEST(other_ioctls_are_the_cameras),
	};

	if (!media_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
