/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_unplug.c - the host's node goes away under a virtio-media device.
 *
 * Buffers come back with an error, ioctls say ENODEV, mappings and the rest stay; there is no ERROR
 * event, since drivers free a session at that while its file is open. For the arguments see
 * media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

static struct media_rig rig;

static const uint32_t codec_types[] = {OUTPUT_MP, CAPTURE_MP, 0};

static int begin(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	return 0;
}

static int begin_codec(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = codec_types, .m2m = true}};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

/* The next @n events are buffers of @session with an error, each another one. */
static void all_come_back(uint32_t session, uint32_t type, uint32_t n)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct media_event event;
		const uint32_t index = media_rig_frame(&rig, session, &event);

		assert_int_equal(event.dqbuf.buffer.type, type);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
		assert_false(event.dqbuf.buffer.flags &
			     (V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE));
		assert_true(index < n && !(seen & 1u << index));
		seen |= 1u << index;
	}
}

static void expect_enodev(uint32_t session)
{
	struct v4l2_format format = {.type = CAPTURE};
	uint64_t addr, len;

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_G_FMT, &format), ENODEV);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 1), ENODEV);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), ENODEV);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 4), ENODEV);
	assert_int_not_equal(media_driver_mmap(&rig.md, session, 0, 0x10000, &addr, &len), 0);
}

static void queued_buffers_come_back_with_an_error(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);

	fake_node_unplug(rig.node);
	all_come_back(session, CAPTURE, 4);
	assert_true(media_driver_quiet(&rig.md));
	expect_enodev(session);
}

static void frames_from_before_come_first(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
	struct media_event event;

	fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
	assert_int_equal(media_rig_frame(&rig, session, &event), 0);
	assert_false(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	fake_node_unplug(rig.node);
	for (uint32_t i = 1; i < 4; i++) {
		media_rig_frame(&rig, session, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
	assert_true(media_driver_quiet(&rig.md));
}

static void both_queues_and_all_sessions_are_told(void **state)
{
	enum { SESSIONS = 3 };
	uint32_t sessions[SESSIONS], left[SESSIONS][2];

	for (unsigned int i = 0; i < SESSIONS; i++) {
		sessions[i] = media_rig_streaming(&rig, OUTPUT_MP, 3);
		assert_int_equal(
			media_rig_reqbufs(&rig, sessions[i], CAPTURE_MP, V4L2_MEMORY_MMAP, 2), 0);
		assert_int_equal(media_rig_qbuf(&rig, sessions[i], CAPTURE_MP, 1), 0);
		assert_int_equal(media_rig_stream(&rig, sessions[i], CAPTURE_MP, true), 0);
		left[i][0] = 3;
		left[i][1] = 1;
	}
	fake_node_unplug(rig.node);
	for (unsigned int n = 0; n < SESSIONS * 4; n++) {
		struct media_event event;
		unsigned int i = 0;

		media_driver_event(&rig.md, &event);
		assert_int_equal(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
		while (sessions[i] != event.hdr.session_id)
			assert_true(++i < SESSIONS);
		assert_true(left[i][event.dqbuf.buffer.type == CAPTURE_MP]-- > 0);
	}
	assert_true(media_driver_quiet(&rig.md));
}

static void sessions_can_be_closed_and_none_opened(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2), idle = media_rig_open(&rig);
	uint32_t other;

	fake_node_unplug(rig.node);
	all_come_back(session, CAPTURE, 2);
	assert_int_equal(media_driver_open(&rig.md, &other), ENODEV);
	expect_enodev(idle);
	media_driver_close(&rig.md, session);
	media_driver_close(&rig.md, idle);
	media_driver_sync(&rig.md);
	media_rig_closed(&rig, 2);
}

static void mappings_stay_and_can_be_ended(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	uint64_t addr, len;
	uint8_t *at;

	assert_int_equal(media_driver_mmap(&rig.md, session, 1,
					   media_rig_offset(&rig, session, CAPTURE, 0, 0), &addr,
					   &len),
			 0);
	at = media_driver_at(&rig.md, addr);
	at[0] = 1;
	fake_node_unplug(rig.node);
	all_come_back(session, CAPTURE, 2);
	assert_int_equal(at[0], 1);
	media_driver_close(&rig.md, session);
	media_driver_sync(&rig.md);
	assert_int_equal(at[0], 1);
	assert_int_equal(media_driver_munmap(&rig.md, addr), 0);
}

static void a_driver_without_event_buffers_is_told_later(void **state)
{
	static const struct media_rig_options options = {.no_events = true};
	uint32_t session;

	media_rig_deinit(&rig);
	media_rig_init(&rig, &options);
	session = media_rig_streaming(&rig, CAPTURE, 4);
	fake_node_unplug(rig.node);
	media_driver_sync(&rig.md);
	media_driver_fill(&rig.md, 2, 608);
	all_come_back(session, CAPTURE, 4);
}

/* STREAMOFF of an application that tidies up: nothing comes afterwards. */
static void streamoff_after_it_is_quiet(void **state)
{
	static const struct media_rig_options options = {.no_events = true};
	uint32_t session;

	media_rig_deinit(&rig);
	media_rig_init(&rig, &options);
	session = media_rig_streaming(&rig, CAPTURE, 4);
	fake_node_unplug(rig.node);
	media_driver_sync(&rig.md);
	media_rig_stream(&rig, session, CAPTURE, false);
	media_driver_close(&rig.md, session);
	media_driver_fill(&rig.md, 8, 608);
	assert_true(media_driver_quiet(&rig.md));
}

/* Nobody waits for frames or events: found out by the next command, and without a spin. */
static void it_is_found_out_by_an_ioctl(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	unsigned int wakes;

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	fake_node_unplug(rig.node);
	expect_enodev(session);
	wakes = fake_node_wakes(rig.node);
	media_driver_pause(&rig.md, 50);
	assert_true(fake_node_wakes(rig.node) - wakes < 3);
}

/* A decoder's queue where nothing is waited for: what is still queued there is not forgotten. */
static void behind_the_last_buffer_the_others_come_back_too(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, 4);
	struct media_event event;

	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE_MP, 1, V4L2_BUF_FLAG_LAST, 1), 0);
	media_rig_frame(&rig, session, &event);
	assert_false(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	fake_node_unplug(rig.node);
	expect_enodev(session);
	for (uint32_t i = 1; i < 4; i++) {
		assert_int_equal(media_rig_frame(&rig, session, &event), i);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
}

static void who_waits_for_events_does_not_spin(void **state)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_EOS};
	const uint32_t session = media_rig_open(&rig);
	unsigned int wakes, calls;

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	fake_node_unplug(rig.node);
	media_driver_sync(&rig.md);
	wakes = fake_node_wakes(rig.node);
	calls = fake_node_calls(rig.node, VIDIOC_DQEVENT);
	media_driver_pause(&rig.md, 50);
	assert_int_equal(fake_node_wakes(rig.node), wakes);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_DQEVENT), calls);
	expect_enodev(session);
}

static void it_may_happen_at_any_moment(void **state)
{
	for (unsigned int i = 0; i < 60; i++) {
		uint32_t session;

		if (i)
			begin(state);
		session = media_rig_streaming(&rig, CAPTURE, 4);
		if (i % 3 == 0)
			fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
		fake_node_unplug(rig.node);
		if (i % 2)
			media_rig_qbuf(&rig, session, CAPTURE, 0);
		if (i % 4 == 0)
			media_rig_stream(&rig, session, CAPTURE, false);
		if (i % 5 == 0)
			media_driver_close(&rig.md, session);
		if (i % 7 == 0)
			media_driver_start(&rig.md, media_rig_features(), 4);
		if (i < 59)
			end(state);
	}
}

#define TEST(name, begins) cmocka_unit_test_setup_teardown(name, begins, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(queued_buffers_come_back_with_an_error, begin),
		TEST(frames_from_before_come_first, begin),
		TEST(both_queues_and_all_sessions_are_told, begin_codec),
		TEST(sessions_can_be_closed_and_none_opened, begin),
		TEST(mappings_stay_and_can_be_ended, begin),
		TEST(a_driver_without_event_buffers_is_told_later, begin),
		TEST(streamoff_after_it_is_quiet, begin),
		TEST(it_is_found_out_by_an_ioctl, begin),
		TEST(behind_the_last_buffer_the_others_come_back_too, begin_codec),
		TEST(who_waits_for_events_does_not_spin, begin),
		TEST(it_may_happen_at_any_moment, begin),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
