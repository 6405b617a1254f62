/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_event.c - events of a virtio-media device: subscriptions, and
 * what happens when the driver has no buffer for them.
 *
 * Virtio 1.4, media device, "Event Virtqueue", "Emit an event". For the arguments see media_rig.h.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

#define CID V4L2_CID_BRIGHTNESS

static struct media_rig rig;

static const uint32_t codec_types[] = {OUTPUT_MP, CAPTURE_MP, 0};

static int begin(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	return 0;
}

static int begin_without_buffers(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = codec_types, .m2m = true}, .no_events = true};

	media_rig_init(&rig, &options);
	rig.md.keep_events = true;
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

static uint32_t subscribe(uint32_t session, unsigned long cmd, uint32_t type, uint32_t flags)
{
	struct v4l2_event_subscription sub = {.type = type, .id = CID, .flags = flags};

	return media_driver_ioctl(&rig.md, session, cmd, &sub);
}

static void tell(uint32_t type, int32_t value)
{
	const struct v4l2_event event = {.type = type, .id = CID, .u.ctrl.value = value};

	fake_node_event(rig.node, &event, false);
}

static void a_subscription_brings_events_until_it_ends(void **state)
{
	const uint32_t session = media_rig_open(&rig), other = media_rig_open(&rig);
	struct media_event event;

	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	assert_int_equal(rig.md.used, 8); /* written by the driver alone */
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), POLLPRI);
	assert_int_equal(fake_node_watched(rig.node, 1), 0);
	for (int i = 0; i < 10; i++) {
		tell(V4L2_EVENT_CTRL, i);
		media_driver_event(&rig.md, &event);
		assert_int_equal(event.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
		assert_int_equal(event.hdr.session_id, session);
		assert_int_equal(event.event.event.id, CID);
		assert_int_equal(event.event.event.u.ctrl.value, i);
		assert_int_equal(event.event.event.sequence, i);
	}
	assert_int_equal(subscribe(session, VIDIOC_UNSUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	tell(V4L2_EVENT_CTRL, 1);
	assert_true(media_driver_quiet(&rig.md));
	media_driver_close(&rig.md, other);
}

static void all_subscriptions_end_together_if_asked(void **state)
{
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_EOS, 0), 0);
	assert_int_equal(subscribe(session, VIDIOC_UNSUBSCRIBE_EVENT, V4L2_EVENT_ALL, 0), 0);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	assert_int_not_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_ALL, 0), 0);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
}

static void one_of_two_subscriptions_may_end(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct media_event event;

	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_EOS, 0), 0);
	assert_int_equal(subscribe(session, VIDIOC_UNSUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	tell(V4L2_EVENT_CTRL, 5);
	tell(V4L2_EVENT_EOS, 6);
	media_driver_event(&rig.md, &event);
	assert_int_equal(event.event.event.type, V4L2_EVENT_EOS);
}

/* Events are served while frames are, and the other way round. */
static void events_and_frames_come_together(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
	unsigned int frames = 0, events = 0;
	struct media_event event;

	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1) >= 0);
		tell(V4L2_EVENT_CTRL, 1);
	}
	for (unsigned int i = 0; i < 8; i++) {
		media_driver_event(&rig.md, &event);
		frames += event.hdr.event == VIRTIO_MEDIA_EVT_DQBUF;
		events += event.hdr.event == VIRTIO_MEDIA_EVT_EVENT;
	}
	assert_int_equal(frames, 4);
	assert_int_equal(events, 4);
	tell(V4L2_EVENT_CTRL, 1); /* nothing is queued any more */
	media_driver_event(&rig.md, &event);
	assert_int_equal(event.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
	assert_int_equal(fake_node_early(rig.node), 0);
}

/* No buffers. */

static uint32_t frames_of(uint32_t file, uint32_t n)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, n);

	for (uint32_t i = 0; i < n; i++)
		assert_true(fake_node_complete(rig.node, file, CAPTURE_MP, 1, 0, 1) >= 0);
	return session;
}

static void frames_wait_for_a_buffer_of_the_drivers(void **state)
{
	const uint32_t session = frames_of(0, 32);
	struct media_event event;

	media_driver_sync(&rig.md);
	media_driver_alive(&rig.md); /* commands go on */
	for (uint32_t i = 0; i < 32; i++) {
		media_driver_fill(&rig.md, 1, 608);
		assert_int_equal(media_rig_frame(&rig, session, &event), i);
	}
}

static void a_driver_with_one_buffer_gets_everything(void **state)
{
	uint32_t next[8] = {0};
	uint32_t sessions[8];
	struct media_event event;

	for (uint32_t i = 0; i < 8; i++)
		sessions[i] = frames_of(i, 8);
	media_driver_fill(&rig.md, 1, 608);
	rig.md.keep_events = false;
	for (unsigned int n = 0; n < 64; n++) {
		uint32_t i = 0;

		media_driver_event(&rig.md, &event);
		while (sessions[i] != event.hdr.session_id)
			assert_true(++i < 8);
		assert_int_equal(event.dqbuf.buffer.index, next[i]++);
	}
	assert_true(media_driver_quiet(&rig.md));
}

/* As many as a driver in the field has, and more sessions than that. */
static void sixteen_buffers_serve_many_sessions(void **state)
{
	enum { SESSIONS = 32 };
	uint32_t sessions[SESSIONS], got[SESSIONS] = {0};
	struct media_event event;

	media_driver_fill(&rig.md, 16, 608);
	rig.md.keep_events = false;
	for (uint32_t i = 0; i < SESSIONS; i++)
		sessions[i] = media_rig_streaming(&rig, CAPTURE_MP, 4);
	for (unsigned int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < SESSIONS; i++)
			for (unsigned int k = 0; k < 4; k++)
				fake_node_complete(rig.node, i, CAPTURE_MP, 1, 0, 1);
		for (unsigned int n = 0; n < SESSIONS * 4; n++) {
			uint32_t i = 0;

			media_driver_event(&rig.md, &event);
			while (sessions[i] != event.hdr.session_id)
				assert_true(++i < SESSIONS);
			assert_int_equal(event.dqbuf.buffer.sequence, got[i]++);
			assert_int_equal(media_rig_qbuf(&rig, sessions[i], CAPTURE_MP,
							event.dqbuf.buffer.index),
					 0);
		}
	}
}

/* V4L2's events beyond the bound are dropped, the oldest; frames never. */
static void the_backlog_is_bounded_and_loses_no_frame(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, 4);
	unsigned int frames = 0, events = 0, newest = 0;
	struct media_event event;

	assert_int_equal(subscribe(session, VIDIOC_SUBSCRIBE_EVENT, V4L2_EVENT_CTRL, 0), 0);
	for (unsigned int i = 0; i < 4; i++)
		fake_node_complete(rig.node, 0, CAPTURE_MP, 1, 0, 1);
	for (int i = 0; i < 2000; i++) {
		tell(V4L2_EVENT_CTRL, i);
		if (i % 100 == 0)
			media_driver_sync(&rig.md);
	}
	media_driver_sync(&rig.md);
	media_driver_fill(&rig.md, 200, 608);
	media_driver_sync(&rig.md);
	while (media_driver_take(&rig.md, &event)) {
		frames += event.hdr.event == VIRTIO_MEDIA_EVT_DQBUF;
		if (event.hdr.event != VIRTIO_MEDIA_EVT_EVENT)
			continue;
		events++;
		newest = (unsigned int)event.event.event.u.ctrl.value;
	}
	assert_int_equal(frames, 4);
	assert_true(events >= 16 && events <= 199);
	assert_int_equal(newest, 1999);
}

/* Stale frames confuse drivers: what waits for a buffer is dropped with the queue, no other's. */
static void streamoff_drops_the_frames_of_its_queue(void **state)
{
	const uint32_t session = frames_of(0, 4);
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, session, OUTPUT_MP, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, OUTPUT_MP, 1), 0);
	assert_int_equal(media_rig_stream(&rig, session, OUTPUT_MP, true), 0);
	fake_node_complete(rig.node, 0, OUTPUT_MP, 1, 0, 1);
	media_driver_sync(&rig.md);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, false), 0);
	media_driver_fill(&rig.md, 8, 608);
	media_driver_event(&rig.md, &event);
	assert_int_equal(event.dqbuf.buffer.type, OUTPUT_MP);
	assert_true(media_driver_quiet(&rig.md));
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, i), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, true), 0);
	fake_node_complete(rig.node, 0, CAPTURE_MP, 1, 0, 1);
	media_rig_frame(&rig, session, &event);
	assert_int_equal(event.dqbuf.buffer.type, CAPTURE_MP);
}

static void reqbufs_drops_the_frames_of_its_queue_too(void **state)
{
	const uint32_t session = frames_of(0, 4);

	media_driver_sync(&rig.md);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, false), 0);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 0), 0);
	media_driver_fill(&rig.md, 8, 608);
	assert_true(media_driver_quiet(&rig.md));
}

/* Of a closed session nothing comes any more: its id may soon be another's. */
static void closing_drops_what_waits(void **state)
{
	const uint32_t session = frames_of(0, 4), other = frames_of(1, 2);
	struct media_event event;

	media_driver_sync(&rig.md);
	media_driver_close(&rig.md, session);
	media_driver_fill(&rig.md, 8, 608);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(media_rig_frame(&rig, other, &event), i);
	assert_true(media_driver_quiet(&rig.md));
}

/* Too small for a DQBUF: neither cut nor lost. */
static void a_small_buffer_costs_no_frame(void **state)
{
	static const uint32_t sizes[] = {1, 8, 16, 144, 607};
	const uint32_t session = frames_of(0, 2);
	struct media_event event;
	unsigned int empty = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		media_driver_fill(&rig.md, 1, sizes[i]);
	media_driver_fill(&rig.md, 4, 608);
	for (uint32_t i = 0; i < 2;) {
		media_driver_event(&rig.md, &event);
		if (event.len == 0) {
			empty++;
			continue;
		}
		assert_int_equal(event.len, 608);
		assert_int_equal(event.hdr.session_id, session);
		assert_int_equal(event.dqbuf.buffer.index, i++);
	}
	assert_true(empty <= ARRAY_SIZE(sizes));
}

static void a_large_buffer_is_used_in_part(void **state)
{
	const uint32_t session = frames_of(0, 1);
	struct media_event event;

	media_driver_fill(&rig.md, 1, 4000);
	media_rig_frame(&rig, session, &event);
	assert_int_equal(event.len, 608);
}

#define TEST(name, begins) cmocka_unit_test_setup_teardown(name, begins, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_subscription_brings_events_until_it_ends, begin),
		TEST(all_subscriptions_end_together_if_asked, begin),
		TEST(one_of_two_subscriptions_may_end, begin),
		TEST(events_and_frames_come_together, begin),
		TEST(frames_wait_for_a_buffer_of_the_drivers, begin_without_buffers),
		TEST(a_driver_with_one_buffer_gets_everything, begin_without_buffers),
		TEST(sixteen_buffers_serve_many_sessions, begin_without_buffers),
		TEST(the_backlog_is_bounded_and_loses_no_frame, begin_without_buffers),
		TEST(streamoff_drops_the_frames_of_its_queue, begin_without_buffers),
		TEST(reqbufs_drops_the_frames_of_its_queue_too, begin_without_buffers),
		TEST(closing_drops_what_waits, begin_without_buffers),
		TEST(a_small_buffer_costs_no_frame, begin_without_buffers),
		TEST(a_large_buffer_is_used_in_part, begin_without_buffers),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
