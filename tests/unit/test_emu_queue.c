/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_emu_queue.c - tests emu_queue.c: buffers go to the device and come back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "emu_rig.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT	V4L2_BUF_TYPE_VIDEO_OUTPUT
#define MMAP	V4L2_MEMORY_MMAP
#define USERPTR V4L2_MEMORY_USERPTR

#define STATES                                                                                     \
	(V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_PREPARED | V4L2_BUF_FLAG_ERROR)

static struct emu_rig rig;
static struct rig_file *file;
static uint8_t memory[2][RIG_LENGTH];

static int setup(void **state)
{
	emu_rig_init(&rig, RIG_CAMERA);
	file = emu_rig_open(&rig, 0);
	return 0;
}

static int setup_codec(void **state)
{
	emu_rig_init(&rig, RIG_CODEC);
	file = emu_rig_open(&rig, 0);
	return 0;
}

static int teardown(void **state)
{
	emu_rig_deinit(&rig);
	return 0;
}

static void request(uint32_t type, uint32_t kind, uint32_t count)
{
	assert_int_equal(rig_reqbufs(file, type, kind, count), 0);
}

static void expect_state(uint32_t index, uint32_t wanted)
{
	struct v4l2_buffer buffer;

	assert_int_equal(rig_querybuf(file, CAPTURE, index, &buffer), 0);
	assert_int_equal(buffer.flags & STATES, wanted);
}

static void querybuf_describes_a_buffer(void **state)
{
	struct v4l2_buffer buffers[2], absent;

	request(CAPTURE, MMAP, 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(rig_querybuf(file, CAPTURE, i, &buffers[i]), 0);
		assert_int_equal(buffers[i].index, i);
		assert_int_equal(buffers[i].type, CAPTURE);
		assert_int_equal(buffers[i].memory, MMAP);
		assert_int_equal(buffers[i].length, RIG_LENGTH);
		assert_int_equal(buffers[i].flags, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
		assert_int_equal(buffers[i].reserved2, 0);
		assert_int_equal(buffers[i].request_fd, 0);
	}
	/* For mmap(2), whose offsets are whole pages, of any guest. */
	assert_int_not_equal(buffers[1].m.offset, buffers[0].m.offset);
	assert_int_equal(buffers[1].m.offset % (64 * KIB), 0);
	assert_int_equal(rig_querybuf(file, CAPTURE, 2, &absent), -EINVAL);
	assert_int_equal(rig_querybuf(file, CAPTURE, UINT32_MAX, &absent), -EINVAL);
	assert_int_equal(rig_querybuf(file, OUTPUT, 0, &absent), -EINVAL);
}

static void states_follow_the_buffer(void **state)
{
	struct v4l2_buffer buffer = {.type = CAPTURE, .memory = MMAP, .flags = UINT32_MAX};

	request(CAPTURE, MMAP, 2);
	expect_state(0, 0);
	buffer.flags &= ~(uint32_t)V4L2_BUF_FLAG_REQUEST_FD;
	assert_int_equal(rig_do(file, VIDIOC_PREPARE_BUF, &buffer), 0);
	assert_int_equal(buffer.flags, V4L2_BUF_FLAG_PREPARED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
	expect_state(0, V4L2_BUF_FLAG_PREPARED);
	assert_int_equal(rig_do(file, VIDIOC_PREPARE_BUF, &buffer), -EINVAL);
	assert_int_equal(rig_do(file, VIDIOC_QBUF, &buffer), 0);
	assert_int_equal(buffer.flags, V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
	assert_int_equal(rig_do(file, VIDIOC_QBUF, &buffer), -EINVAL);
	assert_int_equal(rig_do(file, VIDIOC_PREPARE_BUF, &buffer), -EINVAL);
	assert_int_equal(rig.queued, 0);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	expect_state(0, V4L2_BUF_FLAG_QUEUED);
	emu_rig_finish(emu_rig_queue(file, CAPTURE), 100, 0, V4L2_BUF_FLAG_ERROR);
	expect_state(0, V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_ERROR);
	assert_int_equal(rig_do(file, VIDIOC_QBUF, &buffer), -EINVAL);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), 0);
	assert_int_equal(buffer.flags, V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
	expect_state(0, V4L2_BUF_FLAG_ERROR);
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(rig.queued, 1);
	expect_state(0, V4L2_BUF_FLAG_QUEUED);
}

static void qbuf_refuses(void **state)
{
	static const struct {
		const char *name;
		struct v4l2_buffer buffer;
		int wanted;
	} cases[] = {
		{"no type", {.memory = MMAP}, -EINVAL},
		{"other type", {.type = OUTPUT, .memory = MMAP}, -EINVAL},
		{"other memory", {.type = CAPTURE, .memory = USERPTR}, -EINVAL},
		{"index", {.type = CAPTURE, .memory = MMAP, .index = 2}, -EINVAL},
		{"index beyond all", {.type = CAPTURE, .memory = MMAP, .index = 32}, -EINVAL},
		{"request",
		 {.type = CAPTURE, .memory = MMAP, .flags = V4L2_BUF_FLAG_REQUEST_FD},
		 -EBADR},
	};

	request(CAPTURE, MMAP, 2);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct v4l2_buffer buffer = cases[i].buffer;

		rig_expect(cases[i].name, rig_do(file, VIDIOC_QBUF, &buffer), cases[i].wanted);
		buffer = cases[i].buffer;
		rig_expect(cases[i].name, rig_do(file, VIDIOC_PREPARE_BUF, &buffer),
			   cases[i].wanted);
	}
	expect_state(0, 0);
	expect_state(1, 0);
}

static int give(unsigned long cmd, uint32_t index, void *at, uint32_t length,
		struct v4l2_buffer *buffer)
{
	*buffer = (struct v4l2_buffer) {
		.type = CAPTURE,
		.memory = USERPTR,
		.index = index,
		.length = length,
		.m.userptr = (unsigned long)at,
	};
	return rig_do(file, cmd, buffer);
}

static void userptr_is_where_the_application_says(void **state)
{
	struct v4l2_buffer buffer;

	request(CAPTURE, USERPTR, 2);
	assert_int_equal(rig_querybuf(file, CAPTURE, 0, &buffer), 0);
	assert_int_equal(buffer.length, RIG_LENGTH);
	assert_int_equal(give(VIDIOC_QBUF, 0, NULL, RIG_LENGTH, &buffer), -EINVAL);
	assert_int_equal(give(VIDIOC_QBUF, 0, memory[0], RIG_LENGTH - 1, &buffer), -EINVAL);
	assert_int_equal(give(VIDIOC_QBUF, 0, memory[0], 0, &buffer), -EINVAL);
	expect_state(0, 0);
	assert_int_equal(give(VIDIOC_QBUF, 0, memory[0], RIG_LENGTH, &buffer), 0);
	/* What is prepared stays; the same buffer can be somewhere else each time. */
	assert_int_equal(give(VIDIOC_PREPARE_BUF, 1, memory[1], RIG_LENGTH, &buffer), 0);
	assert_int_equal(give(VIDIOC_QBUF, 1, NULL, 0, &buffer), 0);
	assert_int_equal(buffer.m.userptr, (unsigned long)memory[1]);
	assert_int_equal(buffer.length, RIG_LENGTH);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_ptr_equal(emu_queue_next(emu_rig_queue(file, CAPTURE))->data, memory[0]);
	emu_rig_finish(emu_rig_queue(file, CAPTURE), RIG_LENGTH, 0, 0);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), 0);
	assert_int_equal(buffer.memory, USERPTR);
	assert_int_equal(buffer.m.userptr, (unsigned long)memory[0]);
	/* It is the application's again. */
	assert_null(emu_rig_queue(file, CAPTURE)->buffers[0]->data);
	emu_rig_finish(emu_rig_queue(file, CAPTURE), RIG_LENGTH, 1, 0);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), 0);
	assert_int_equal(buffer.m.userptr, (unsigned long)memory[1]);
	assert_int_equal(give(VIDIOC_QBUF, 1, memory[0], 2 * RIG_LENGTH, &buffer), 0);
	assert_int_equal(buffer.length, 2 * RIG_LENGTH);
	assert_ptr_equal(emu_queue_next(emu_rig_queue(file, CAPTURE))->data, memory[0]);
}

static void dqbuf_returns_what_the_device_has_done_in_order(void **state)
{
	static const uint32_t order[] = {2, 0, 1};
	struct v4l2_buffer buffer;

	request(CAPTURE, MMAP, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, order[i]), 0);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), -EINVAL);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), -EAGAIN);
	for (uint32_t i = 0; i < 3; i++)
		emu_rig_finish(emu_rig_queue(file, CAPTURE), 10 + i, 5 + i, 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), 0);
		assert_int_equal(buffer.index, order[i]);
		assert_int_equal(buffer.bytesused, 10 + i);
		assert_int_equal(buffer.sequence, 5 + i);
		assert_int_equal(buffer.timestamp.tv_sec, 6 + i);
		assert_int_equal(buffer.timestamp.tv_usec, 7);
		assert_int_equal(buffer.field, V4L2_FIELD_NONE);
	}
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), -EAGAIN);
	/* Nothing of the last time is left. */
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(rig_querybuf(file, CAPTURE, 0, &buffer), 0);
	assert_int_equal(buffer.sequence, 0);
	assert_int_equal(buffer.timestamp.tv_sec, 0);
	assert_int_equal(buffer.bytesused, 0);
}

static void streamon_needs_buffers_and_a_willing_device(void **state)
{
	assert_int_equal(rig_stream(file, CAPTURE, true), -EINVAL);
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	assert_int_equal(rig_stream(file, OUTPUT, true), -EINVAL);
	assert_int_equal(rig_stream(file, OUTPUT, false), -EINVAL);
	assert_int_equal(rig.starts, 0);
	request(CAPTURE, MMAP, 1);
	rig.start_result = -EIO;
	assert_int_equal(rig_stream(file, CAPTURE, true), -EIO);
	assert_int_equal(rig.starts, 1);
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	assert_int_equal(rig.stops, 0);
	rig.start_result = 0;
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(rig.starts, 2);
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	assert_int_equal(rig.stops, 1);
}

/* Of each state one: prepared, queued, done. Also when there was no streaming. */
static void streamoff_takes_all_buffers_back(void **state)
{
	struct v4l2_buffer buffer = {.type = CAPTURE, .memory = MMAP, .index = 2};

	request(CAPTURE, MMAP, 3);
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
		assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 1), 0);
		assert_int_equal(rig_do(file, VIDIOC_PREPARE_BUF, &buffer), 0);
		if (round == 1) {
			assert_int_equal(rig_stream(file, CAPTURE, true), 0);
			emu_rig_finish(emu_rig_queue(file, CAPTURE), 1, 0, 0);
		}
		assert_int_equal(rig_stream(file, CAPTURE, false), 0);
		for (uint32_t i = 0; i < 3; i++)
			expect_state(i, 0);
		assert_null(emu_queue_next(emu_rig_queue(file, CAPTURE)));
	}
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), -EAGAIN);
}

static void last_buffer_is_followed_by_epipe(void **state)
{
	struct v4l2_buffer buffer;

	request(CAPTURE, MMAP, 2);
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	emu_rig_finish(emu_rig_queue(file, CAPTURE), 0, 0, V4L2_BUF_FLAG_LAST);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), 0);
	assert_true(buffer.flags & V4L2_BUF_FLAG_LAST);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), -EPIPE);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), -EPIPE);
	assert_int_equal(rig_stream(file, CAPTURE, false), 0);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(rig_dqbuf(file, CAPTURE, &buffer), -EAGAIN);
}

static int put(uint32_t index, uint32_t bytesused, uint32_t field, struct v4l2_buffer *buffer)
{
	*buffer = (struct v4l2_buffer) {
		.type = OUTPUT,
		.memory = MMAP,
		.index = index,
		.bytesused = bytesused,
		.field = field,
		.flags = V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_KEYFRAME |
			 V4L2_BUF_FLAG_TSTAMP_SRC_SOE | V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST,
		.timestamp = {.tv_sec = 42, .tv_usec = 43},
		.timecode = {.type = V4L2_TC_TYPE_30FPS, .seconds = 17},
	};
	return rig_do(file, VIDIOC_QBUF, buffer);
}

static void output_buffers_keep_what_the_application_says(void **state)
{
	const uint32_t flags = V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_KEYFRAME |
			       V4L2_BUF_FLAG_TSTAMP_SRC_SOE | V4L2_BUF_FLAG_TIMESTAMP_COPY;
	struct v4l2_buffer buffer;

	request(OUTPUT, MMAP, 2);
	assert_int_equal(put(0, RIG_LENGTH + 1, V4L2_FIELD_NONE, &buffer), -EINVAL);
	assert_int_equal(put(0, 1, V4L2_FIELD_ALTERNATE, &buffer), -EINVAL);
	assert_int_equal(put(0, 77, V4L2_FIELD_ANY, &buffer), 0);
	assert_int_equal(buffer.bytesused, 77);
	assert_int_equal(buffer.field, V4L2_FIELD_NONE);
	assert_int_equal(buffer.flags, flags | V4L2_BUF_FLAG_QUEUED);
	assert_int_equal(buffer.timestamp.tv_sec, 42);
	/* No bytes: all. */
	assert_int_equal(put(1, 0, V4L2_FIELD_NONE, &buffer), 0);
	assert_int_equal(buffer.bytesused, RIG_LENGTH);
	assert_int_equal(rig_stream(file, OUTPUT, true), 0);
	emu_queue_done(emu_rig_queue(file, OUTPUT), emu_queue_next(emu_rig_queue(file, OUTPUT)));
	assert_int_equal(rig_dqbuf(file, OUTPUT, &buffer), 0);
	assert_int_equal(buffer.flags, flags);
	assert_int_equal(buffer.timestamp.tv_usec, 43);
	assert_int_equal(buffer.timecode.seconds, 17);
}

#define CASE(name, with) cmocka_unit_test_setup_teardown(name, with, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(querybuf_describes_a_buffer, setup),
		CASE(states_follow_the_buffer, setup),
		CASE(qbuf_refuses, setup),
		CASE(userptr_is_where_the_application_says, setup),
		CASE(dqbuf_returns_what_the_device_has_done_in_order, setup),
		CASE(streamon_needs_buffers_and_a_willing_device, setup),
		CASE(streamoff_takes_all_buffers_back, setup),
		CASE(last_buffer_is_followed_by_epipe, setup_codec),
		CASE(output_buffers_keep_what_the_application_says, setup_codec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
