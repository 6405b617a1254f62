/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_hang.c - host calls that take long or never come back, under a virtio-media device.
 *
 * A driver waits five seconds for a command. For the arguments see media_rig.h; a node that says
 * that it never blocks has nothing to do here but once.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "media_rig.h"

#define DRIVER_WAITS_MS 5000u

static struct media_rig rig;

static const uint32_t codec_types[] = {OUTPUT_MP, CAPTURE_MP, 0};

static int begin(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = codec_types, .m2m = true}};

	media_rig_init(&rig, &options);
	fake_node_answer(rig.node, VIDIOC_S_FMT, &(struct fake_answer) {.result = 0});
	fake_node_answer(rig.node, VIDIOC_G_FMT, &(struct fake_answer) {.result = 0});
	return 0;
}

static bool all_closed(struct media_rig *r)
{
	return fake_node_opened(r->node) == fake_node_closed(r->node);
}

static bool two_opened(struct media_rig *r)
{
	return fake_node_opened(r->node) == 2;
}

static int end(void **state)
{
	fake_node_wake(rig.node);
	media_rig_deinit(&rig);
	return 0;
}

/* A command whose memory is its own. */
struct sent {
	struct {
		struct virtio_media_cmd_ioctl head;
		union {
			struct v4l2_format format;
			struct v4l2_buffer buffer;
			uint32_t type;
		};
	} out;
	uint8_t in[8 + sizeof(struct v4l2_format)];
	struct media_command command;
};

static void send(struct sent *sent, uint32_t session, unsigned long cmd)
{
	sent->out.head = (struct virtio_media_cmd_ioctl) {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_IOCTL},
		.session_id = session,
		.code = _IOC_NR(cmd),
	};
	sent->command = (struct media_command) {
		.out = &sent->out,
		.out_len = (uint32_t)(sizeof(sent->out.head) + _IOC_SIZE(cmd)),
		.in = sent->in,
		.in_len = (uint32_t)(8 + _IOC_SIZE(cmd)),
	};
	media_driver_send(&rig.md, &sent->command);
}

static uint32_t status_of(const struct sent *sent)
{
	return ((const struct virtio_media_resp_header *)(const void *)sent->in)->status;
}

static void set_format(struct sent *sent, uint32_t session)
{
	memset(sent, 0, sizeof(*sent));
	sent->out.format.type = CAPTURE_MP;
	send(sent, session, VIDIOC_S_FMT);
}

static bool is_waiting(struct media_rig *r)
{
	return fake_node_waiting(r->node);
}

static uint32_t probe(uint32_t session)
{
	struct v4l2_format format = {.type = CAPTURE_MP};

	return media_driver_ioctl(&rig.md, session, VIDIOC_G_FMT, &format);
}

/* Slow, but within what a driver waits: it is waited for, and frames of others go on. */
static void a_slow_call_stalls_no_other_sessions_frames(void **state)
{
	const uint32_t slow = media_rig_open(&rig);
	const uint32_t other = media_rig_streaming(&rig, CAPTURE_MP, 8);
	struct media_event event;
	struct sent sent;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP);
	set_format(&sent, slow);
	media_rig_until(&rig, is_waiting);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(fake_node_complete(rig.node, 1, CAPTURE_MP, 1, 0, 1), i);
		assert_int_equal(media_rig_frame(&rig, other, &event), i);
	}
	assert_false(sent.command.done);
	fake_node_wake(rig.node);
	media_driver_wait(&rig.md, &sent.command);
	assert_int_equal(status_of(&sent), 0);
	assert_int_equal(probe(slow), 0);
}

/* A driver with one lock for all: commands behind a slow one are done in their order, all of them.
 */
static void commands_behind_a_slow_one_are_all_answered(void **state)
{
	const uint32_t slow = media_rig_open(&rig), other = media_rig_open(&rig);
	static struct sent sent[20];

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP);
	set_format(&sent[0], slow);
	media_rig_until(&rig, is_waiting);
	fake_node_hang(rig.node, VIDIOC_G_CROP, FAKE_RUN); /* nothing else waits */
	for (unsigned int i = 1; i < 20; i++) {
		memset(&sent[i], 0, sizeof(sent[i]));
		send(&sent[i], i & 1 ? other : slow, VIDIOC_G_FMT);
	}
	fake_node_wake(rig.node);
	for (unsigned int i = 0; i < 20; i++) {
		media_driver_wait(&rig.md, &sent[i].command);
		assert_int_equal(status_of(&sent[i]), 0);
	}
}

static void check_hang(enum fake_hang how)
{
	const uint32_t hung = media_rig_streaming(&rig, CAPTURE_MP, 2);
	const uint32_t other = media_rig_streaming(&rig, CAPTURE_MP, 2);
	const uint32_t offset = media_rig_offset(&rig, hung, CAPTURE_MP, 0, 0);
	struct media_event event;
	uint64_t addr, len;
	struct sent sent;

	fake_node_hang(rig.node, VIDIOC_S_FMT, how);
	set_format(&sent, hung);
	assert_true(media_driver_within(&rig.md, &sent.command, DRIVER_WAITS_MS));
	assert_int_equal(status_of(&sent), EIO);
	/* The session is given up: its buffers come back, nothing of it reaches the host. */
	for (unsigned int i = 0; i < 2; i++) {
		media_rig_frame(&rig, hung, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
	assert_int_equal(probe(hung), EIO);
	assert_int_equal(media_rig_qbuf(&rig, hung, CAPTURE_MP, 0), EIO);
	assert_int_equal(media_driver_mmap(&rig.md, hung, 0, offset, &addr, &len), EIO);
	/* The others work as before. */
	assert_int_equal(probe(other), 0);
	fake_node_complete(rig.node, 1, CAPTURE_MP, 1, 0, 1);
	media_rig_frame(&rig, other, &event);
	assert_false(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	media_driver_alive(&rig.md);
	/* It can be closed, and its id is not given out before. */
	media_driver_close(&rig.md, hung);
	assert_int_equal(probe(hung), EINVAL);
	media_driver_close(&rig.md, other);
	fake_node_wake(rig.node);
	media_rig_until(&rig, all_closed);
}

static void a_call_that_hangs_is_answered_in_time(void **state)
{
	check_hang(FAKE_SLEEP);
}

static void a_call_that_no_signal_ends_is_answered_in_time(void **state)
{
	check_hang(FAKE_SLEEP_HARD);
}

static void an_open_that_hangs_is_answered_in_time(void **state)
{
	static const struct virtio_media_cmd_header out = {.cmd = VIRTIO_MEDIA_CMD_OPEN};
	static struct virtio_media_resp_open in;
	struct media_command command = {
		.out = &out, .out_len = sizeof(out), .in = &in, .in_len = sizeof(in)};
	const uint32_t other = media_rig_open(&rig);

	fake_node_hang(rig.node, FAKE_OPEN, FAKE_SLEEP_HARD);
	media_driver_send(&rig.md, &command);
	assert_true(media_driver_within(&rig.md, &command, DRIVER_WAITS_MS));
	assert_int_equal(in.hdr.status, EIO);
	assert_int_equal(probe(other), 0);
	/* What is opened too late is closed again. */
	fake_node_wake(rig.node);
	media_rig_until(&rig, two_opened);
	media_driver_close(&rig.md, other);
	media_rig_until(&rig, all_closed);
}

static void a_close_that_hangs_holds_up_nobody_for_long(void **state)
{
	const uint32_t hung = media_rig_open(&rig), other = media_rig_open(&rig);
	const struct virtio_media_cmd_close out = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_CLOSE},
		.session_id = hung,
	};
	struct media_command command = {.out = &out, .out_len = sizeof(out)};

	fake_node_hang(rig.node, FAKE_CLOSE, FAKE_SLEEP_HARD);
	media_driver_send(&rig.md, &command);
	assert_true(media_driver_within(&rig.md, &command, DRIVER_WAITS_MS));
	assert_int_equal(probe(other), 0);
	fake_node_wake(rig.node);
}

/* QBUF is called on the device's own thread: it gives up too, and goes on. */
static void a_qbuf_that_hangs_is_answered_in_time(void **state)
{
	const uint32_t hung = media_rig_streaming(&rig, CAPTURE_MP, 2);
	const uint32_t other = media_rig_streaming(&rig, OUTPUT_MP, 2);
	struct sent sent = {.out.buffer = {.type = OUTPUT_MP, .memory = V4L2_MEMORY_MMAP}};

	assert_int_equal(media_rig_reqbufs(&rig, hung, OUTPUT_MP, V4L2_MEMORY_MMAP, 2), 0);
	fake_node_hang(rig.node, VIDIOC_QBUF, FAKE_SLEEP);
	send(&sent, hung, VIDIOC_QBUF);
	assert_true(media_driver_within(&rig.md, &sent.command, DRIVER_WAITS_MS));
	assert_int_equal(status_of(&sent), EIO);
	fake_node_wake(rig.node);
	assert_int_equal(probe(hung), EIO);
	assert_int_equal(probe(other), 0);
}

static void a_dqbuf_that_hangs_is_given_up(void **state)
{
	const uint32_t hung = media_rig_streaming(&rig, CAPTURE_MP, 2);
	const uint32_t other = media_rig_open(&rig);
	struct media_event event;
	struct sent sent;

	fake_node_hang(rig.node, VIDIOC_DQBUF, FAKE_SLEEP);
	fake_node_complete(rig.node, 0, CAPTURE_MP, 1, 0, 1);
	media_rig_until(&rig, is_waiting);
	memset(&sent, 0, sizeof(sent));
	send(&sent, other, VIDIOC_G_FMT);
	assert_true(media_driver_within(&rig.md, &sent.command, DRIVER_WAITS_MS));
	assert_int_equal(status_of(&sent), 0);
	for (unsigned int i = 0; i < 2; i++) {
		media_rig_frame(&rig, hung, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
	fake_node_wake(rig.node);
}

/* What the hardware has spoilt has one. */
static void buffers_that_are_given_up_have_no_time(void **state)
{
	const uint32_t hung = media_rig_open(&rig);
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, hung, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct v4l2_buffer buffer = {.type = CAPTURE_MP,
					     .index = i,
					     .memory = V4L2_MEMORY_MMAP,
					     .length = VIDEO_MAX_PLANES,
					     .timestamp = {.tv_sec = 7, .tv_usec = 8}};

		assert_int_equal(media_driver_buffer(&rig.md, hung, VIDIOC_QBUF, &buffer, planes,
						     NULL, 0),
				 0);
	}
	assert_int_equal(media_rig_stream(&rig, hung, CAPTURE_MP, true), 0);
	fake_node_hang(rig.node, VIDIOC_DQBUF, FAKE_SLEEP);
	fake_node_complete(rig.node, 0, CAPTURE_MP, 1, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		media_rig_frame(&rig, hung, &event);
		assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR);
		assert_int_equal(event.dqbuf.buffer.timestamp.tv_sec, 0);
		assert_int_equal(event.dqbuf.buffer.timestamp.tv_usec, 0);
	}
	fake_node_wake(rig.node);
}

static void a_driver_may_reset_meanwhile(void **state)
{
	struct sent sent;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	set_format(&sent, media_rig_streaming(&rig, CAPTURE_MP, 2));
	media_rig_until(&rig, is_waiting);
	media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
	assert_false(sent.command.done); /* nor written to */
	/* A machine that is new works, though the last one's call still hangs. */
	assert_int_equal(probe(media_rig_streaming(&rig, CAPTURE_MP, 2)), 0);
	fake_node_wake(rig.node);
}

static void a_driver_may_close_meanwhile(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct virtio_media_cmd_close out = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_CLOSE},
		.session_id = session,
	};
	struct media_command command = {.out = &out, .out_len = sizeof(out)};
	struct sent sent;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP);
	set_format(&sent, session);
	media_rig_until(&rig, is_waiting);
	media_driver_send(&rig.md, &command);
	assert_true(media_driver_within(&rig.md, &command, DRIVER_WAITS_MS));
	media_driver_wait(&rig.md, &sent.command);
	media_rig_until(&rig, all_closed);
	media_driver_alive(&rig.md);
}

static bool is_freed(struct media_rig *r)
{
	return fake_node_freed(r->node);
}

/* The machine ends although the host hangs: what is left behind is its business. */
static void the_machine_may_end_meanwhile(void **state)
{
	struct sent sent;

	begin(state);
	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	set_format(&sent, media_rig_streaming(&rig, CAPTURE_MP, 2));
	media_rig_until(&rig, is_waiting);
	fake_node_orphan(rig.node);
	media_driver_deinit(&rig.md);
	assert_false(fake_node_freed(rig.node));
	fake_node_wake(rig.node);
	for (unsigned int i = 0; i < 10000 && !is_freed(&rig); i++)
		nanosleep(&(struct timespec) {.tv_nsec = 1000000}, NULL);
	assert_true(is_freed(&rig));
	assert_true(all_closed(&rig));
	assert_null(fake_node_problem(rig.node));
	fake_node_free(rig.node);
}

/* A node that says that it never waits has its calls on the device's thread, in their order. */
static void without_blocking_calls_there_is_no_second_thread(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, 2);
	static struct fake_call calls[64];
	unsigned int n;

	assert_int_equal(probe(session), 0);
	n = fake_node_log(rig.node, calls, ARRAY_SIZE(calls));
	assert_true(n >= 5);
	for (unsigned int i = 0; i < n; i++)
		assert_true(calls[i].on_loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest slow[] = {
		TEST(a_slow_call_stalls_no_other_sessions_frames),
		TEST(commands_behind_a_slow_one_are_all_answered),
		TEST(a_call_that_hangs_is_answered_in_time),
		TEST(a_call_that_no_signal_ends_is_answered_in_time),
		TEST(an_open_that_hangs_is_answered_in_time),
		TEST(a_close_that_hangs_holds_up_nobody_for_long),
		TEST(a_qbuf_that_hangs_is_answered_in_time),
		TEST(a_dqbuf_that_hangs_is_given_up),
		TEST(buffers_that_are_given_up_have_no_time),
		TEST(a_driver_may_reset_meanwhile),
		TEST(a_driver_may_close_meanwhile),
		cmocka_unit_test(the_machine_may_end_meanwhile),
	};
	const struct CMUnitTest quick[] = {
		TEST(without_blocking_calls_there_is_no_second_thread),
	};

	if (!media_rig_select(argc, argv))
		return 0;
	return media_rig_slow() ? cmocka_run_group_tests(slow, NULL, NULL)
				: cmocka_run_group_tests(quick, NULL, NULL);
}
