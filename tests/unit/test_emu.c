/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_emu.c - tests emu.c and emu_input.c: files, priorities, who is told that something is ready,
 * and which ioctls a device knows.
 */
#include "devices/media/emu.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "emu_rig.h"
#include "loop_kinds.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT	V4L2_BUF_TYPE_VIDEO_OUTPUT
#define MMAP	V4L2_MEMORY_MMAP

static struct emu_rig rig;

static int setup(void **state)
{
	emu_rig_init(&rig, RIG_CAMERA);
	return 0;
}

static int setup_codec(void **state)
{
	emu_rig_init(&rig, RIG_CODEC);
	return 0;
}

static int setup_bare(void **state)
{
	emu_rig_init(&rig, RIG_BARE);
	return 0;
}

static int teardown(void **state)
{
	emu_rig_deinit(&rig);
	return 0;
}

/* Streams with two buffers, of which @queued are with the device. */
static void stream(struct rig_file *file, uint32_t type, uint32_t queued)
{
	assert_int_equal(rig_reqbufs(file, type, MMAP, 2), 0);
	for (uint32_t i = 0; i < queued; i++)
		assert_int_equal(rig_qbuf(file, type, MMAP, i), 0);
	assert_int_equal(rig_stream(file, type, true), 0);
}

static void finish(struct rig_file *file, uint32_t type)
{
	emu_rig_finish(emu_rig_queue(file, type), 1, 0, 0);
}

/* Whoever watches @events is told @wanted once the loop runs; 0: nothing. */
static void expect_ready(struct rig_file *file, uint32_t wanted)
{
	const unsigned int calls = file->calls;

	settle(rig.loop);
	assert_int_equal(file->calls, calls + (wanted != 0));
	if (wanted)
		assert_int_equal(file->events, wanted);
}

/* Watching. */

static void watch_says_error_when_nothing_can_come(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	rig_watch(file, POLLIN);
	expect_ready(file, POLLERR);
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 2), 0);
	rig_watch(file, POLLIN | POLLPRI);
	expect_ready(file, POLLERR);
	/* Streaming, but nothing has been queued yet, */
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	rig_watch(file, POLLIN);
	expect_ready(file, POLLERR);
	/* or not since the last time, */
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	rig_watch(file, POLLIN);
	expect_ready(file, POLLERR);
	/* or not of these buffers. */
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
	stream(file, CAPTURE, 0);
	rig_watch(file, POLLIN);
	expect_ready(file, POLLERR);
}

static void watch_for_events_does_not_hear_of_buffers(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	rig_watch(file, POLLPRI);
	expect_ready(file, 0);
	stream(file, CAPTURE, 2);
	finish(file, CAPTURE);
	expect_ready(file, 0);
}

static void watch_tells_of_a_buffer_once(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	stream(file, CAPTURE, 2);
	rig_watch(file, POLLIN);
	expect_ready(file, 0);
	finish(file, CAPTURE);
	assert_int_equal(file->calls, 0);
	expect_ready(file, POLLIN);
	finish(file, CAPTURE);
	expect_ready(file, 0);
	/* Two are there: at once. */
	rig_watch(file, POLLIN);
	expect_ready(file, POLLIN);
}

static void watch_hears_of_the_end_of_streaming(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	stream(file, CAPTURE, 2);
	rig_watch(file, POLLIN);
	expect_ready(file, 0);
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	expect_ready(file, POLLERR);
}

static void watch_replaces_what_was_asked_before(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	stream(file, CAPTURE, 2);
	finish(file, CAPTURE);
	rig_watch(file, POLLIN);
	rig_watch(file, POLLPRI);
	expect_ready(file, 0);
	rig_watch(file, POLLIN);
	rig_watch(file, 0);
	expect_ready(file, 0);
	rig_watch(file, POLLIN);
	rig_watch(file, POLLIN);
	expect_ready(file, POLLIN);
	expect_ready(file, 0);
}

static void watch_for_buffers_does_not_hear_of_events(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);
	struct v4l2_event_subscription wanted = {
		.type = V4L2_EVENT_CTRL,
		.id = RIG_CID_PLAIN,
		.flags = V4L2_EVENT_SUB_FL_SEND_INITIAL,
	};

	stream(file, CAPTURE, 2);
	assert_int_equal(rig_do(file, VIDIOC_SUBSCRIBE_EVENT, &wanted), 0);
	rig_watch(file, POLLIN);
	expect_ready(file, 0);
	finish(file, CAPTURE);
	expect_ready(file, POLLIN);
	rig_watch(file, POLLIN | POLLPRI);
	expect_ready(file, POLLIN | POLLPRI);
}

/* Half-way through telling: the first that is told changes the other's mind. */
static void watch_may_end_by_anothers_callback(void **state)
{
	struct rig_file *a = emu_rig_open(&rig, 0), *b = emu_rig_open(&rig, 1);

	a->to_silence = b;
	b->to_silence = a;
	rig_watch(a, POLLIN);
	rig_watch(b, POLLIN);
	settle(rig.loop);
	assert_int_equal(a->calls + b->calls, 1);
}

static void watch_may_be_renewed_from_the_callback(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	stream(file, CAPTURE, 2);
	finish(file, CAPTURE);
	file->again = POLLPRI;
	rig_watch(file, POLLIN);
	expect_ready(file, POLLIN);
	expect_ready(file, 0);
	file->again = 0;
	rig_watch(file, POLLIN);
	expect_ready(file, POLLIN);
}

static void callback_may_close_any_file(void **state)
{
	struct rig_file *own = emu_rig_open(&rig, 0);

	own->to_close = own;
	rig_watch(own, POLLIN);
	settle(rig.loop);
	assert_null(own->file);
	assert_int_equal(own->calls, 1);
	/* Each closes the other: one of the two is not called. */
	struct rig_file *a = emu_rig_open(&rig, 1), *b = emu_rig_open(&rig, 2);

	a->to_close = b;
	b->to_close = a;
	rig_watch(a, POLLIN);
	rig_watch(b, POLLIN);
	settle(rig.loop);
	assert_int_equal(a->calls + b->calls, 1);
	assert_true(!a->file != !b->file);
}

static void close_ends_a_watch_that_is_due(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	rig_watch(file, POLLIN);
	emu_rig_close(file);
	settle(rig.loop);
	assert_int_equal(file->calls, 0);
}

static void only_the_owner_hears_of_its_buffers(void **state)
{
	struct rig_file *owner = emu_rig_open(&rig, 0), *other = emu_rig_open(&rig, 1);

	stream(owner, CAPTURE, 2);
	rig_watch(owner, POLLIN);
	finish(owner, CAPTURE);
	rig_watch(other, POLLIN);
	settle(rig.loop);
	assert_int_equal(owner->events, POLLIN);
	assert_int_equal(other->events, POLLERR);
}

static void queues_of_both_directions_are_told_apart(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);

	stream(file, CAPTURE, 1);
	stream(file, OUTPUT, 1);
	rig_watch(file, POLLIN | POLLOUT);
	expect_ready(file, 0);
	finish(file, OUTPUT);
	expect_ready(file, POLLOUT);
	finish(file, CAPTURE);
	rig_watch(file, POLLIN | POLLOUT);
	expect_ready(file, POLLIN | POLLOUT);
	rig_watch(file, POLLIN);
	expect_ready(file, POLLIN);
}

/* After the end of the stream there is EPIPE to be fetched. */
static void watch_tells_of_the_end_of_the_stream(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0);
	struct v4l2_buffer buffer;

	stream(file, CAPTURE, 2);
	emu_rig_finish(emu_rig_queue(file, CAPTURE), 1, 0, V4L2_BUF_FLAG_LAST);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), 0);
	rig_watch(file, POLLIN);
	expect_ready(file, POLLIN);
}

/* Files. */

static void contexts_per_file_are_apart(void **state)
{
	struct rig_file *a = emu_rig_open(&rig, 0), *b = emu_rig_open(&rig, 1);
	struct v4l2_control control = {.id = RIG_CID_PLAIN, .value = 2};

	stream(a, CAPTURE, 1);
	stream(b, CAPTURE, 1);
	assert_int_equal(rig_do(a, VIDIOC_S_CTRL, &control), 0);
	assert_int_equal(rig_do(b, VIDIOC_G_CTRL, &control), 0);
	assert_int_equal(control.value, -1);
	rig_watch(a, POLLIN);
	rig_watch(b, POLLIN);
	finish(b, CAPTURE);
	settle(rig.loop);
	assert_int_equal(a->calls, 0);
	assert_int_equal(b->events, POLLIN);
	emu_rig_close(a);
	assert_int_equal(rig.stops, 1);
}

static void close_stops_and_gives_the_queue_away(void **state)
{
	struct rig_file *a = emu_rig_open(&rig, 0), *b = emu_rig_open(&rig, 1);

	stream(a, CAPTURE, 2);
	emu_rig_close(b);
	assert_int_equal(rig.stops, 0);
	b = emu_rig_open(&rig, 1);
	assert_int_equal(rig_reqbufs(b, CAPTURE, MMAP, 1), -EBUSY);
	emu_rig_close(a);
	assert_int_equal(rig.stops, 1);
	assert_int_equal(rig_reqbufs(b, CAPTURE, MMAP, 1), 0);
}

static void set_priority(struct rig_file *file, uint32_t priority, int wanted)
{
	rig_expect("S_PRIORITY", rig_do(file, VIDIOC_S_PRIORITY, &priority), wanted);
}

static void expect_priority(struct rig_file *file, uint32_t wanted)
{
	uint32_t priority = 77;

	assert_int_equal(rig_do(file, VIDIOC_G_PRIORITY, &priority), 0);
	assert_int_equal(priority, wanted);
}

/* The union is large enough for all of these. */
union argument {
	uint32_t number;
	struct v4l2_format format;
	struct v4l2_streamparm parm;
	struct v4l2_requestbuffers request;
	struct v4l2_create_buffers create;
	struct v4l2_remove_buffers remove;
	struct v4l2_control control;
	struct v4l2_ext_controls controls;
	uint8_t bytes[1024];
};

static const struct {
	const char *name;
	unsigned long cmd;
	bool refused;
} under_priority[] = {
	{"S_FMT", VIDIOC_S_FMT, true},
	{"S_PARM", VIDIOC_S_PARM, true},
	{"REQBUFS", VIDIOC_REQBUFS, true},
	{"CREATE_BUFS", VIDIOC_CREATE_BUFS, true},
	{"REMOVE_BUFS", VIDIOC_REMOVE_BUFS, true},
	{"STREAMON", VIDIOC_STREAMON, true},
	{"STREAMOFF", VIDIOC_STREAMOFF, true},
	{"S_CTRL", VIDIOC_S_CTRL, true},
	{"S_EXT_CTRLS", VIDIOC_S_EXT_CTRLS, true},
	{"S_INPUT", VIDIOC_S_INPUT, true},
	{"S_PRIORITY", VIDIOC_S_PRIORITY, true},
	{"G_INPUT", VIDIOC_G_INPUT, false},
	{"TRY_EXT_CTRLS", VIDIOC_TRY_EXT_CTRLS, false},
	{"G_PRIORITY", VIDIOC_G_PRIORITY, false},
};

static void lower_priority_changes_nothing(void **state)
{
	struct rig_file *low = emu_rig_open(&rig, 0), *high = emu_rig_open(&rig, 1);

	expect_priority(low, V4L2_PRIORITY_DEFAULT);
	set_priority(high, V4L2_PRIORITY_RECORD, 0);
	expect_priority(low, V4L2_PRIORITY_RECORD);
	for (size_t i = 0; i < ARRAY_SIZE(under_priority); i++) {
		union argument argument = {.number = 0};

		rig_expect(under_priority[i].name, rig_do(low, under_priority[i].cmd, &argument),
			   under_priority[i].refused ? -EBUSY : 0);
	}
	set_priority(low, V4L2_PRIORITY_INTERACTIVE, -EBUSY);
	set_priority(high, V4L2_PRIORITY_INTERACTIVE, 0);
	set_priority(low, V4L2_PRIORITY_RECORD, 0);
	set_priority(low, V4L2_PRIORITY_UNSET, -EINVAL);
	set_priority(low, V4L2_PRIORITY_RECORD + 1, -EINVAL);
	emu_rig_close(low);
	expect_priority(high, V4L2_PRIORITY_INTERACTIVE);
}

/* Ioctls. */

static void unknown_ioctls_are_enotty(void **state)
{
	static const unsigned long
		cmds[] =
			{
				VIDIOC_QUERYCAP,	 VIDIOC_G_SELECTION,
				VIDIOC_CROPCAP,		 VIDIOC_G_STD,
				VIDIOC_EXPBUF,		 VIDIOC_G_JPEGCOMP,
				_IOWR('V', 4, uint32_t), /* the number of G_FMT, another struct */
				_IO('V', 255),
			};
	struct rig_file *file = emu_rig_open(&rig, 0);
	union argument argument;

	memset(&argument, 0xff, sizeof(argument));
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		assert_int_equal(rig_do(file, cmds[i], &argument), -ENOTTY);
	for (size_t i = 0; i < sizeof(argument); i++)
		assert_int_equal(argument.bytes[i], 0xff);
}

static void what_a_device_has_not_is_enotty(void **state)
{
	static const struct {
		const char *name;
		unsigned long cmd;
	} cmds[] = {
		{"QUERYCTRL", VIDIOC_QUERYCTRL},
		{"QUERY_EXT_CTRL", VIDIOC_QUERY_EXT_CTRL},
		{"QUERYMENU", VIDIOC_QUERYMENU},
		{"G_CTRL", VIDIOC_G_CTRL},
		{"S_CTRL", VIDIOC_S_CTRL},
		{"G_EXT_CTRLS", VIDIOC_G_EXT_CTRLS},
		{"TRY_EXT_CTRLS", VIDIOC_TRY_EXT_CTRLS},
		{"S_EXT_CTRLS", VIDIOC_S_EXT_CTRLS},
		{"SUBSCRIBE_EVENT", VIDIOC_SUBSCRIBE_EVENT},
		{"UNSUBSCRIBE_EVENT", VIDIOC_UNSUBSCRIBE_EVENT},
		{"DQEVENT", VIDIOC_DQEVENT},
		{"ENUMINPUT", VIDIOC_ENUMINPUT},
		{"G_INPUT", VIDIOC_G_INPUT},
		{"S_INPUT", VIDIOC_S_INPUT},
		{"G_PARM", VIDIOC_G_PARM},
		{"S_PARM", VIDIOC_S_PARM},
	};
	struct rig_file *file = emu_rig_open(&rig, 0);

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		union argument argument = {.number = CAPTURE};

		rig_expect(cmds[i].name, rig_do(file, cmds[i].cmd, &argument), -ENOTTY);
	}
}

static void inputs_are_listed_and_chosen(void **state)
{
	struct rig_file *file = emu_rig_open(&rig, 0), *other = emu_rig_open(&rig, 1);
	struct v4l2_input input;
	uint32_t number = 1;

	memset(&input, 0xff, sizeof(input));
	input.index = 1;
	assert_int_equal(rig_do(file, VIDIOC_ENUMINPUT, &input), 0);
	assert_string_equal((const char *)input.name, "Back");
	assert_int_equal(input.type, V4L2_INPUT_TYPE_CAMERA);
	assert_int_equal(input.status | input.audioset | input.tuner | input.capabilities, 0);
	assert_true(rig_is_zero(input.reserved, sizeof(input.reserved)));
	input.index = 2;
	assert_int_equal(rig_do(file, VIDIOC_ENUMINPUT, &input), -EINVAL);
	assert_int_equal(rig_do(file, VIDIOC_S_INPUT, &number), 0);
	number = 2;
	assert_int_equal(rig_do(file, VIDIOC_S_INPUT, &number), -EINVAL);
	assert_int_equal(rig_do(other, VIDIOC_G_INPUT, &number), 0);
	assert_int_equal(number, 1);
}

#define CASE(name, with) cmocka_unit_test_setup_teardown(name, with, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(watch_says_error_when_nothing_can_come, setup),
		CASE(watch_for_events_does_not_hear_of_buffers, setup),
		CASE(watch_for_buffers_does_not_hear_of_events, setup),
		CASE(watch_tells_of_a_buffer_once, setup),
		CASE(watch_hears_of_the_end_of_streaming, setup),
		CASE(watch_replaces_what_was_asked_before, setup),
		CASE(watch_may_end_by_anothers_callback, setup),
		CASE(watch_may_be_renewed_from_the_callback, setup),
		CASE(callback_may_close_any_file, setup),
		CASE(close_ends_a_watch_that_is_due, setup),
		CASE(only_the_owner_hears_of_its_buffers, setup),
		CASE(queues_of_both_directions_are_told_apart, setup_codec),
		CASE(watch_tells_of_the_end_of_the_stream, setup_codec),
		CASE(contexts_per_file_are_apart, setup_codec),
		CASE(close_stops_and_gives_the_queue_away, setup),
		CASE(lower_priority_changes_nothing, setup),
		CASE(unknown_ioctls_are_enotty, setup),
		CASE(what_a_device_has_not_is_enotty, setup_bare),
		CASE(inputs_are_listed_and_chosen, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
