/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_camera.c - the synthetic camera through a virtio-media device, as an application in
 * the guest uses it: format, controls, frames.
 *
 * For the arguments see media_rig.h ("slow" is of no meaning here).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/backend_test.h"
#include "media_rig.h"

#define WIDTH  64u
#define HEIGHT 48u
#define LINE   (WIDTH * 2) /* YUYV */
#define FRAME  (LINE * HEIGHT)

static struct media_rig rig; /* .node is not used */
static unsigned int fds;

static int begin(void **state)
{
	static const struct camera_options options = {
		.width = WIDTH, .height = HEIGHT, .frames = 200, .seconds = 1, .formats = "YUYV"};
	struct media_backend *backend;
	struct error err;

	fds = media_driver_fds();
	media_driver_init(&rig.md, media_rig_kind(), true, false);
	if (backend_test_new(&backend, rig.md.driver.env.loop, &options, &err) < 0)
		fail_msg("%s", err.text);
	media_driver_attach(&rig.md, backend, NULL);
	media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
	return 0;
}

static int end(void **state)
{
	media_driver_deinit(&rig.md);
	assert_int_equal(media_driver_fds(), fds);
	return 0;
}

static void check_stamp(const uint8_t *frame, uint32_t sequence)
{
	struct camera_stamp stamp;

	memcpy(&stamp, frame + LINE - sizeof(stamp), sizeof(stamp));
	assert_int_equal(stamp.magic, CAMERA_STAMP_MAGIC);
	assert_int_equal(stamp.sequence, sequence);
}

static void its_format_can_be_asked_for_and_set(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_fmtdesc desc = {.type = CAPTURE};
	struct v4l2_frmsizeenum size = {.pixel_format = V4L2_PIX_FMT_YUYV};
	struct v4l2_format format = {.type = CAPTURE};
	struct v4l2_streamparm parm = {.type = CAPTURE};

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_ENUM_FMT, &desc), 0);
	assert_int_equal(desc.pixelformat, V4L2_PIX_FMT_YUYV);
	desc.index = 1;
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_ENUM_FMT, &desc), EINVAL);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_ENUM_FRAMESIZES, &size), 0);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.width, WIDTH);
	assert_int_equal(format.fmt.pix.sizeimage, FRAME);
	format.fmt.pix.width = 320;
	format.fmt.pix.height = 240;
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_S_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.bytesperline, 640);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_G_PARM, &parm), 0);
	assert_int_equal(parm.parm.capture.timeperframe.denominator, 200);
}

static void its_frames_are_seen_in_region_0(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
	struct media_event event;
	uint64_t addr[4], len;
	uint32_t last = 0;

	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(media_driver_mmap(&rig.md, session, 0,
						   media_rig_offset(&rig, session, CAPTURE, i, 0),
						   &addr[i], &len),
				 0);
		assert_int_equal(len, FRAME);
	}
	for (unsigned int n = 0; n < 60; n++) {
		const uint32_t index = media_rig_frame(&rig, session, &event);
		const struct v4l2_buffer *buffer = &event.dqbuf.buffer;

		assert_int_equal(buffer->bytesused, FRAME);
		assert_true(n == 0 || buffer->sequence > last);
		last = buffer->sequence;
		check_stamp(media_driver_at(&rig.md, addr[index]), last);
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, index), 0);
	}
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
}

static void its_frames_land_in_shared_pages_too(void **state)
{
	/* Two whole pages, in the wrong order, are more than a frame. */
	const struct virtio_media_sg_entry entries[] = {
		{.start = MEDIA_DRIVER_PAGES + 0x5000, .len = 4096},
		{.start = MEDIA_DRIVER_PAGES + 0x2000, .len = FRAME - 4096},
	};
	const struct media_sg sg = {entries, 2};
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_buffer buffer = {.type = CAPTURE,
				     .memory = V4L2_MEMORY_USERPTR,
				     .length = FRAME,
				     .m.userptr = 0x1234000};
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_USERPTR, 1), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	for (unsigned int n = 0; n < 20; n++) {
		struct v4l2_buffer again = buffer;

		memset(media_driver_page(&rig.md, entries[1].start, 4096), 0xee, 4096);
		assert_int_equal(media_driver_buffer(&rig.md, session, VIDIOC_QBUF, &again, NULL,
						     &sg, 1),
				 0);
		media_rig_frame(&rig, session, &event);
		assert_int_equal(event.dqbuf.buffer.m.userptr, 0x1234000);
		check_stamp(media_driver_page(&rig.md, entries[0].start, 4096),
			    event.dqbuf.buffer.sequence);
		/* A picture has no byte of 0xee throughout; behind it nothing is written. */
		assert_int_equal(*media_driver_page(&rig.md, entries[1].start + entries[1].len, 1),
				 0xee);
		assert_memory_not_equal(
			media_driver_page(&rig.md, entries[1].start, 1024),
			media_driver_page(&rig.md, entries[1].start + entries[1].len, 1024), 1024);
	}
}

static void its_controls_can_be_set_and_tell_of_it(void **state)
{
	const uint32_t session = media_rig_open(&rig), other = media_rig_open(&rig);
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL, .id = V4L2_CID_BRIGHTNESS};
	struct v4l2_query_ext_ctrl query = {.id = V4L2_CID_BRIGHTNESS};
	struct v4l2_ext_control list[1] = {{.id = V4L2_CID_BRIGHTNESS}};
	struct v4l2_ext_controls controls = {.count = 1};
	struct media_event event;

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_QUERY_EXT_CTRL, &query), 0);
	assert_int_equal(media_driver_ioctl(&rig.md, other, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	list[0].value = (int)query.maximum;
	assert_int_equal(media_driver_controls(&rig.md, session, VIDIOC_S_EXT_CTRLS, &controls,
					       list, NULL, 0),
			 0);
	media_driver_event(&rig.md, &event);
	assert_int_equal(event.hdr.session_id, other);
	assert_int_equal(event.event.event.u.ctrl.value, query.maximum);
	list[0].value = 0;
	assert_int_equal(media_driver_controls(&rig.md, other, VIDIOC_G_EXT_CTRLS, &controls, list,
					       NULL, 0),
			 0);
	assert_int_equal(list[0].value, query.maximum);
	list[0].id = V4L2_CID_BRIGHTNESS + 0x8000;
	assert_int_equal(media_driver_controls(&rig.md, other, VIDIOC_G_EXT_CTRLS, &controls, list,
					       NULL, 0),
			 EINVAL);
	assert_int_equal(rig.md.used, 8 + sizeof(controls) + sizeof(list));
	assert_int_equal(controls.error_idx, 1);
}

static void an_initial_event_is_there_with_the_answer(void **state)
{
	struct v4l2_event_subscription sub = {
		.type = V4L2_EVENT_CTRL,
		.id = V4L2_CID_BRIGHTNESS,
		.flags = V4L2_EVENT_SUB_FL_SEND_INITIAL,
	};
	const uint32_t session = media_rig_open(&rig);
	struct media_event event;

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	assert_true(media_driver_take(&rig.md, &event));
	assert_int_equal(event.hdr.session_id, session);
	assert_int_equal(event.event.event.id, V4L2_CID_BRIGHTNESS);
}

static void one_session_at_a_time_has_its_queue(void **state)
{
	const uint32_t first = media_rig_streaming(&rig, CAPTURE, 2);
	const uint32_t second = media_rig_open(&rig);
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, second, CAPTURE, V4L2_MEMORY_MMAP, 2), EBUSY);
	media_rig_frame(&rig, first, &event);
	media_driver_close(&rig.md, first);
	media_driver_sync(&rig.md);
	while (media_driver_take(&rig.md, &event))
		;
	assert_int_equal(media_rig_reqbufs(&rig, second, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, second, CAPTURE, 0), 0);
	assert_int_equal(media_rig_stream(&rig, second, CAPTURE, true), 0);
	media_rig_frame(&rig, second, &event);
}

static void streams_begin_and_end_as_often_as_one_likes(void **state)
{
	for (unsigned int n = 0; n < 40; n++) {
		const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2 + n % 6);
		struct media_event event;

		media_rig_frame(&rig, session, &event);
		if (n % 3 == 0)
			assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
		if (n % 5 == 0)
			media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
		else
			media_driver_close(&rig.md, session);
		media_driver_sync(&rig.md);
		while (media_driver_take(&rig.md, &event))
			;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(its_format_can_be_asked_for_and_set),
		TEST(its_frames_are_seen_in_region_0),
		TEST(its_frames_land_in_shared_pages_too),
		TEST(its_controls_can_be_set_and_tell_of_it),
		TEST(an_initial_event_is_there_with_the_answer),
		TEST(one_session_at_a_time_has_its_queue),
		TEST(streams_begin_and_end_as_often_as_one_likes),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
