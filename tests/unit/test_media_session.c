/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_session.c - sessions of a virtio-media device: ids, caps, ends, resets.
 *
 * Virtio 1.4, media device, "Open device", "Close device". For the arguments see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

static struct media_rig rig;

static int begin(void **state)
{
	static const struct media_rig_options options = {.media.sessions_max = 20};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

static uint32_t probe(uint32_t session)
{
	struct v4l2_format format = {.type = CAPTURE};

	fake_node_answer(rig.node, VIDIOC_G_FMT, &(struct fake_answer) {.result = 0});
	return media_driver_ioctl(&rig.md, session, VIDIOC_G_FMT, &format);
}

static void each_session_has_an_id_and_a_file_of_its_own(void **state)
{
	uint32_t sessions[20];

	for (unsigned int i = 0; i < 20; i++) {
		sessions[i] = media_rig_open(&rig);
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(sessions[i], sessions[k]);
	}
	assert_int_equal(fake_node_opened(rig.node), 20);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(probe(sessions[i]), 0);
		assert_int_equal(fake_node_seen(rig.node, VIDIOC_G_FMT).file, i);
	}
}

static void a_closed_session_is_gone(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	uint64_t addr, len;

	media_driver_close(&rig.md, session);
	assert_int_equal(probe(session), EINVAL);
	assert_int_equal(rig.md.used, 8);
	assert_int_not_equal(media_driver_mmap(&rig.md, session, 0, 0, &addr, &len), 0);
	media_driver_close(&rig.md, session);
	media_driver_sync(&rig.md);
	media_rig_closed(&rig, 1);
}

static void ids_that_were_never_given_are_unknown(void **state)
{
	static const uint32_t ids[] = {0, 1, 2, 1000, 0x80000000, UINT32_MAX - 1, UINT32_MAX};
	const uint32_t session = media_rig_open(&rig);

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		if (ids[i] == session)
			continue;
		assert_int_equal(probe(ids[i]), EINVAL);
		media_driver_close(&rig.md, ids[i]);
	}
	assert_int_equal(probe(session), 0);
}

static void sessions_have_a_cap(void **state)
{
	uint32_t sessions[20], session;

	for (unsigned int i = 0; i < 20; i++)
		sessions[i] = media_rig_open(&rig);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_not_equal(media_driver_open(&rig.md, &session), 0);
		assert_int_equal(fake_node_opened(rig.node), 20);
	}
	media_driver_close(&rig.md, sessions[7]);
	session = media_rig_open(&rig);
	assert_int_equal(probe(session), 0);
	assert_int_not_equal(media_driver_open(&rig.md, &session), 0);
}

static void an_open_that_the_host_refuses_says_why(void **state)
{
	static const int errors[] = {EBUSY, ENODEV, EACCES, EMFILE, EIO};
	uint32_t session;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		fake_node_open_result(rig.node, -errors[i]);
		assert_int_equal(media_driver_open(&rig.md, &session), errors[i]);
	}
	fake_node_open_result(rig.node, 0);
	media_driver_alive(&rig.md);
}

static void a_thousand_sessions_one_after_another_leave_nothing(void **state)
{
	unsigned int fds = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		media_driver_alive(&rig.md);
		if (i == 0) {
			media_driver_sync(&rig.md);
			fds = media_driver_fds();
		}
	}
	media_driver_sync(&rig.md);
	assert_int_equal(media_driver_fds(), fds);
	media_rig_closed(&rig, 1000);
}

static void closing_while_it_streams_ends_all_of_it(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);

	media_driver_close(&rig.md, session);
	media_driver_sync(&rig.md);
	media_rig_closed(&rig, 1);
	assert_int_equal(fake_node_buffers(rig.node), 0);
	assert_true(media_driver_quiet(&rig.md));
}

/* The second session's frames are its own, whatever becomes of the first. */
static void the_end_of_one_session_leaves_the_others_alone(void **state)
{
	const uint32_t first = media_rig_streaming(&rig, CAPTURE, 2);
	uint32_t second;
	struct media_event event;

	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1), 0);
	media_rig_frame(&rig, first, &event);
	media_driver_close(&rig.md, first);
	second = media_rig_streaming(&rig, CAPTURE, 2);
	assert_int_equal(fake_node_complete(rig.node, 1, CAPTURE, 1, 0, 1), 0);
	media_rig_frame(&rig, second, &event);
}

static void a_reset_closes_all_files_and_mappings(void **state)
{
	const uint32_t first = media_rig_streaming(&rig, CAPTURE, 4);
	const uint32_t second = media_rig_open(&rig);
	uint64_t addr, len;

	assert_int_equal(media_driver_mmap(&rig.md, first, 1,
					   media_rig_offset(&rig, first, CAPTURE, 0, 0), &addr,
					   &len),
			 0);
	assert_true(media_window_mapped(media_window(rig.md.media)) > 0);
	media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
	media_driver_sync(&rig.md);
	media_rig_closed(&rig, 2);
	assert_int_equal(media_window_mapped(media_window(rig.md.media)), 0);
	assert_int_equal(probe(first), EINVAL);
	assert_int_equal(probe(second), EINVAL);
	assert_int_not_equal(media_driver_munmap(&rig.md, addr), 0);
	media_rig_streaming(&rig, CAPTURE, 4);
}

static void a_reset_amid_frames_loses_no_descriptor(void **state)
{
	unsigned int fds = 0;

	for (unsigned int i = 0; i < 50; i++) {
		media_rig_streaming(&rig, CAPTURE, 4);
		for (unsigned int k = 0; k < 4; k++)
			fake_node_complete(rig.node, i, CAPTURE, 1, 0, 1);
		media_driver_start(&rig.md, media_rig_features(), i % 3);
		media_rig_closed(&rig, i + 1);
		if (i == 0)
			fds = media_driver_fds();
	}
	assert_int_equal(media_driver_fds(), fds);
}

/* Whatever is in flight when the machine ends is dropped, and everything given back. */
static void the_device_may_end_at_any_moment(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
	struct media_command open = {.out_len = 8, .in_len = 16};
	const struct virtio_media_cmd_header out = {.cmd = VIRTIO_MEDIA_CMD_OPEN};

	assert_int_equal(probe(session), 0);
	open.out = &out;
	fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
	media_driver_send(&rig.md, &open);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(each_session_has_an_id_and_a_file_of_its_own),
		TEST(a_closed_session_is_gone),
		TEST(ids_that_were_never_given_are_unknown),
		TEST(sessions_have_a_cap),
		TEST(an_open_that_the_host_refuses_says_why),
		TEST(a_thousand_sessions_one_after_another_leave_nothing),
		TEST(closing_while_it_streams_ends_all_of_it),
		TEST(the_end_of_one_session_leaves_the_others_alone),
		TEST(a_reset_closes_all_files_and_mappings),
		TEST(a_reset_amid_frames_loses_no_descriptor),
		TEST(the_device_may_end_at_any_moment),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
