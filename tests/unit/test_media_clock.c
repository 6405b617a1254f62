/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_clock.c - time stamps of a virtio-media device: the host's monotonic clock, told as
 * the guest's where that is asked for.
 *
 * For the arguments see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

#define NS_PER_S INT64_C(1000000000)
#define BEHIND	 INT64_C(4000) /* seconds that the guest's clock is behind the host's */

static struct media_rig rig;

static int64_t to_guest(struct media_clock *clock, int64_t ns)
{
	return ns - BEHIND * NS_PER_S;
}

static struct media_clock guest_clock = {to_guest};

static void begin(struct media_clock *clock, bool copy)
{
	const struct media_rig_options options = {.media.clock = clock, .fake.copy_stamps = copy};

	media_rig_init(&rig, &options);
}

static void the_hosts_stamps_pass_as_they_are(void **state)
{
	struct media_event event;
	uint32_t session;

	begin(NULL, false);
	session = media_rig_streaming(&rig, CAPTURE, 2);
	fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
	media_rig_frame(&rig, session, &event);
	assert_int_equal(event.dqbuf.buffer.timestamp.tv_sec, FAKE_STAMP_S);
	media_rig_deinit(&rig);
}

static void stamps_are_told_in_the_guests_time(void **state)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;
	struct media_event event;
	uint32_t session;

	begin(&guest_clock, false);
	session = media_rig_streaming(&rig, CAPTURE, 4);
	for (unsigned int i = 0; i < 4; i++) {
		fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
		media_rig_frame(&rig, session, &event);
		assert_int_equal(event.dqbuf.buffer.timestamp.tv_sec, FAKE_STAMP_S - BEHIND);
		assert_int_equal(event.dqbuf.buffer.timestamp.tv_usec, i);
		assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE, i, &buffer, planes), 0);
		assert_int_equal(buffer.timestamp.tv_sec, FAKE_STAMP_S - BEHIND);
	}
	media_rig_deinit(&rig);
}

/* A codec's stamps are what the guest itself has put there. */
static void copied_stamps_are_the_guests_already(void **state)
{
	struct v4l2_buffer buffer = {
		.type = CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
		.timestamp = {123456, 789},
	};
	struct media_event event;
	uint32_t session;

	begin(&guest_clock, true);
	session = media_rig_open(&rig);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_driver_buffer(&rig.md, session, VIDIOC_QBUF, &buffer, NULL, NULL, 0),
			 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
	media_rig_frame(&rig, session, &event);
	assert_int_equal(event.dqbuf.buffer.timestamp.tv_sec, 123456);
	assert_int_equal(event.dqbuf.buffer.timestamp.tv_usec, 789);
	media_rig_deinit(&rig);
}

static void stamps_of_events_are_told_in_the_guests_time_too(void **state)
{
	const struct v4l2_event event = {.type = V4L2_EVENT_EOS, .timestamp = {4001, 5}};
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_EOS};
	struct media_event seen;
	uint32_t session;

	begin(&guest_clock, false);
	session = media_rig_open(&rig);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	fake_node_event(rig.node, &event, false);
	media_driver_event(&rig.md, &seen);
	assert_int_equal(seen.event.event.timestamp.tv_sec, 1);
	assert_int_equal(seen.event.event.timestamp.tv_nsec, 5);
	media_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hosts_stamps_pass_as_they_are),
		cmocka_unit_test(stamps_are_told_in_the_guests_time),
		cmocka_unit_test(copied_stamps_are_the_guests_already),
		cmocka_unit_test(stamps_of_events_are_told_in_the_guests_time_too),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
