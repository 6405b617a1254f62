/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_core.c - what the core of the virtio-media device (session*.c, queue.c, dequeue.c of
 * devices/media/) keeps of its own about buffers, while events wait and calls are under way.
 *
 * For the arguments see media_rig.h.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/offset.h"
#include "media_rig.h"

static struct media_rig rig;

static int begin(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	return 0;
}

static int begin_without_events(void **state)
{
	static const struct media_rig_options options = {.no_events = true};

	media_rig_init(&rig, &options);
	return 0;
}

static int begin_planes(void **state)
{
	static const uint32_t types[] = {CAPTURE_MP, 0};
	static const struct media_rig_options options = {
		.fake = {.types = types, .planes = VIDEO_MAX_PLANES, .length = 4096}};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	fake_node_wake(rig.node);
	media_rig_deinit(&rig);
	return 0;
}

/* An ioctl whose argument is one number, without waiting for it. */
struct sent {
	struct {
		struct virtio_media_cmd_ioctl head;
		uint32_t number;
	} out;
	struct virtio_media_resp_header in;
	struct media_command command;
};

static void send(struct sent *sent, uint32_t session, unsigned long cmd, uint32_t number)
{
	*sent = (struct sent) {
		.out = {.head = {.hdr = {.cmd = VIRTIO_MEDIA_CMD_IOCTL},
				 .session_id = session,
				 .code = _IOC_NR(cmd)},
			.number = number},
	};
	sent->command = (struct media_command) {
		.out = &sent->out,
		.out_len = sizeof(sent->out),
		.in = &sent->in,
		.in_len = sizeof(sent->in),
	};
	media_driver_send(&rig.md, &sent->command);
}

static bool is_waiting(struct media_rig *r)
{
	return fake_node_waiting(r->node);
}

/* While a command hangs: others would wait for it. Return: no event comes. */
static bool is_quiet(void)
{
	struct media_event event;

	media_driver_pause(&rig.md, 50);
	return !media_driver_take(&rig.md, &event);
}

/* To the host it is free again; to the driver, who has not heard of it, it is queued. */
static void a_buffer_whose_event_waits_is_not_queued_again(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;
	struct media_event event;
	unsigned int calls;

	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 7, 0, 10), 0);
	media_driver_sync(&rig.md);
	calls = fake_node_calls(rig.node, VIDIOC_QBUF);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), EINVAL);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_QBUF), calls);
	assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE, 0, &buffer, planes), 0);
	assert_true(buffer.flags & V4L2_BUF_FLAG_DONE);
	media_driver_fill(&rig.md, 2, 608);
	assert_int_equal(media_rig_frame(&rig, session, &event), 0);
	assert_true(media_driver_quiet(&rig.md));
	assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE, 0, &buffer, planes), 0);
	assert_false(buffer.flags & V4L2_BUF_FLAG_DONE);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
}

/* So many rounds of all offsets of so many buffers are more than there are offsets. */
enum { BUFFERS = 32, ROUNDS = OFFSET_MAX / (BUFFERS * VIDEO_MAX_PLANES) + 10 };

static void ask_for_offsets(uint32_t session)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;

	for (uint32_t i = 0; i < BUFFERS; i++) {
		assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE_MP, i, &buffer, planes),
				 0);
		for (unsigned int p = 0; p < VIDEO_MAX_PLANES; p++)
			assert_int_not_equal(planes[p].m.mem_offset, 0);
	}
}

static void offsets_are_free_again_with_their_buffers(void **state)
{
	const uint32_t session = media_rig_open(&rig);

	for (unsigned int round = 0; round < ROUNDS; round++) {
		assert_int_equal(
			media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, BUFFERS), 0);
		ask_for_offsets(session);
	}
}

/* Who does not own the buffers may ask for them as well, and map them. */
static void offsets_are_free_again_with_their_session(void **state)
{
	const uint32_t owner = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, owner, CAPTURE_MP, V4L2_MEMORY_MMAP, BUFFERS), 0);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		const uint32_t session = media_rig_open(&rig);

		ask_for_offsets(session);
		media_driver_close(&rig.md, session);
	}
}

/* Whatever becomes of it: an event of the session may be a command's own consequence. */
static void events_wait_for_the_answer_of_their_sessions_command(void **state)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_EOS};
	const struct v4l2_event eos = {.type = V4L2_EVENT_EOS};
	const uint32_t busy = media_rig_open(&rig), other = media_rig_open(&rig);
	struct media_event event;
	struct sent sent;

	assert_int_equal(media_driver_ioctl(&rig.md, busy, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	assert_int_equal(media_driver_ioctl(&rig.md, other, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	fake_node_answer(rig.node, VIDIOC_S_PRIORITY, &(struct fake_answer) {.result = 0});
	fake_node_hang(rig.node, VIDIOC_S_PRIORITY, FAKE_SLEEP);
	send(&sent, busy, VIDIOC_S_PRIORITY, V4L2_PRIORITY_DEFAULT);
	media_rig_until(&rig, is_waiting);
	fake_node_event(rig.node, &eos, false);
	media_driver_event(&rig.md, &event);
	assert_int_equal(event.hdr.session_id, other);
	assert_true(is_quiet());
	assert_false(sent.command.done);
	fake_node_wake(rig.node);
	media_driver_wait(&rig.md, &sent.command);
	assert_int_equal(sent.in.status, 0);
	media_driver_event(&rig.md, &event);
	assert_int_equal(event.hdr.session_id, busy);
	assert_int_equal(event.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
}

static void no_frame_is_taken_while_streamoff_is_under_way(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	unsigned int calls;
	struct sent sent;

	fake_node_hang(rig.node, VIDIOC_STREAMOFF, FAKE_SLEEP);
	send(&sent, session, VIDIOC_STREAMOFF, CAPTURE);
	media_rig_until(&rig, is_waiting);
	calls = fake_node_calls(rig.node, VIDIOC_DQBUF);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 7, 0, 10), 0);
	assert_true(is_quiet());
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_DQBUF), calls);
	fake_node_wake(rig.node);
	media_driver_wait(&rig.md, &sent.command);
	assert_int_equal(sent.in.status, 0);
	assert_true(media_driver_quiet(&rig.md));
}

/* It did not end: what was held back comes. */
static void frames_come_when_streamoff_has_failed(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	struct media_event event;

	fake_node_answer(rig.node, VIDIOC_STREAMOFF, &(struct fake_answer) {.result = -EBUSY});
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), EBUSY);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 7, 0, 10), 0);
	assert_int_equal(media_rig_frame(&rig, session, &event), 0);
}

#define TEST(name, begins) cmocka_unit_test_setup_teardown(name, begins, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest any[] = {
		TEST(a_buffer_whose_event_waits_is_not_queued_again, begin_without_events),
		TEST(offsets_are_free_again_with_their_buffers, begin_planes),
		TEST(offsets_are_free_again_with_their_session, begin_planes),
		TEST(frames_come_when_streamoff_has_failed, begin),
	};
	const struct CMUnitTest slow[] = {
		TEST(events_wait_for_the_answer_of_their_sessions_command, begin),
		TEST(no_frame_is_taken_while_streamoff_is_under_way, begin),
	};

	if (!media_rig_select(argc, argv))
		return 0;
	/* The second group is of calls that are under way while the device does other things. */
	return media_rig_slow() ? cmocka_run_group_tests(slow, NULL, NULL)
				: cmocka_run_group_tests(any, NULL, NULL);
}
