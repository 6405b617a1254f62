/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_payload_controls.c - extended controls in ioctl commands: values, and data by SG list.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "payload_rig.h"

#define ROOM	4096
#define POINTER UINT64_C(0xfedcba9876543210) /* of the guest's, to the controls */

#define NUMBER	UINT32_C(0x00980900) /* ids of controls */
#define STRING	UINT32_C(0x009a0901)
#define ARRAY	UINT32_C(0x009a0902)
#define UNKNOWN UINT32_C(0x009a0903)

static struct payload_rig rig;

static const unsigned long control_cmds[] = {VIDIOC_G_EXT_CTRLS, VIDIOC_S_EXT_CTRLS,
					     VIDIOC_TRY_EXT_CTRLS};

static void begin(uint32_t which, uint32_t count)
{
	struct v4l2_ext_controls controls = {
		.which = which,
		.count = count,
		.error_idx = 0x11,
		.request_fd = 0x22,
		.reserved = {0x33},
		.controls = (void *)POINTER,
	};

	payload_rig_begin(&rig);
	payload_rig_add(&rig, &controls, sizeof(controls));
}

static void add(uint32_t id, uint32_t size, uint64_t value)
{
	const struct v4l2_ext_control control = {
		.id = id,
		.size = size,
		.reserved2 = {0x44},
		.value64 = (int64_t)value,
	};

	payload_rig_add(&rig, &control, sizeof(control));
}

static struct v4l2_ext_control reply_of(unsigned int i)
{
	struct v4l2_ext_control control;

	memcpy(&control, rig.reply + sizeof(struct v4l2_ext_controls) + i * sizeof(control),
	       sizeof(control));
	return control;
}

/* One control with @len bytes at RIG_LOW, which hold a pattern. */
static void begin_data(uint32_t id, uint32_t len)
{
	uint8_t *at = gmem_at(rig.gmem, RIG_LOW, len);

	assert_non_null(at);
	payload_rig_fill(at, len, 1);
	begin(V4L2_CTRL_WHICH_CUR_VAL, 1);
	add(id, len, 0x7f0000001000);
	payload_rig_add_sg(&rig, RIG_LOW, len);
}

static void values_go_in_and_come_back(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, 1023, 1024};

	for (size_t i = 0; i < ARRAY_SIZE(counts) * ARRAY_SIZE(control_cmds); i++) {
		const uint32_t n = counts[i / ARRAY_SIZE(control_cmds)];
		const size_t len =
			sizeof(struct v4l2_ext_controls) + n * sizeof(struct v4l2_ext_control);
		struct v4l2_ext_controls *host = &rig.payload.arg.controls;

		begin(V4L2_CTRL_WHICH_DEF_VAL, n);
		for (uint32_t c = 0; c < n; c++)
			add(NUMBER + c, 0, UINT64_C(0x8070605040302010) + c);
		assert_int_equal(
			payload_rig_read_all(&rig, control_cmds[i % ARRAY_SIZE(control_cmds)]), 0);
		assert_int_equal(payload_rig_ask(&rig), 0);
		assert_int_equal(rig.asked_n, 0);
		assert_int_equal(host->which, V4L2_CTRL_WHICH_DEF_VAL);
		assert_int_equal(host->count, n);
		if (n)
			assert_memory_equal(host->controls, rig.bytes + sizeof(*host),
					    n * sizeof(host->controls[0]));
		else
			assert_null(host->controls);
		assert_int_equal(payload_bytes(&rig.payload), len);
		assert_int_equal(payload_rig_write(&rig, len), len);
		assert_memory_equal(rig.reply, rig.bytes, len);
	}
}

static void what_the_host_says_comes_back_and_the_guests_pointer_with_it(void **state)
{
	struct v4l2_ext_controls *host = &rig.payload.arg.controls, reply;

	begin(V4L2_CTRL_WHICH_CUR_VAL, 2);
	add(NUMBER, 0, 1);
	add(NUMBER + 1, 0, 2);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_S_EXT_CTRLS), 0);
	host->error_idx = 1;
	host->controls[0].value = 100;
	host->controls[1].value64 = -5;
	payload_rig_write(&rig, ROOM);
	memcpy(&reply, rig.reply, sizeof(reply));
	assert_int_equal(reply.error_idx, 1);
	assert_int_equal(reply.request_fd, 0x22);
	assert_ptr_equal(reply.controls, POINTER);
	assert_int_equal(reply_of(0).value, 100);
	assert_int_equal(reply_of(1).value64, -5);
}

static void requests_are_refused_and_their_fd_never_seen(void **state)
{
	static const struct {
		uint32_t which;
		int result;
	} cases[] = {
		{V4L2_CTRL_WHICH_CUR_VAL, 0},
		{V4L2_CTRL_WHICH_DEF_VAL, 0},
		{0x0f020000, 0}, /* MIN_VAL and MAX_VAL of newer kernels */
		{0x0f030000, 0},
		{V4L2_CTRL_CLASS_USER, 0},
		{V4L2_CTRL_WHICH_REQUEST_VAL, -EINVAL},
		/* A kernel that looks at some of the bits only must not see one, either. */
		{V4L2_CTRL_WHICH_REQUEST_VAL | 1, -EINVAL},
		{V4L2_CTRL_WHICH_REQUEST_VAL | 0xf0000000, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t cmd = 0; cmd < ARRAY_SIZE(control_cmds); cmd++) {
			begin(cases[i].which, 1);
			add(NUMBER, 0, 0);
			assert_int_equal(payload_rig_read_all(&rig, control_cmds[cmd]),
					 cases[i].result);
			if (cases[i].result == 0)
				assert_int_equal(rig.payload.arg.controls.request_fd, 0);
			else
				assert_int_equal(payload_rig_write(&rig, ROOM), 0);
		}
	}
}

static void controls_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint32_t count, there;
		size_t less;
	} cases[] = {
		{"one too many", 1025, 1025, 0},
		{"bytes that wrap", 0x0ccccccd, 1, 0}, /* times 20 is 4, in 32 bits */
		{"as many as can be said", UINT32_MAX, 1, 0},
		{"none of one", 1, 0, 0},
		{"a byte short", 2, 2, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(V4L2_CTRL_WHICH_CUR_VAL, cases[i].count);
		for (uint32_t c = 0; c < cases[i].there; c++)
			add(NUMBER, 0, 0);
		if (payload_rig_read(&rig, VIDIOC_G_EXT_CTRLS, rig.len - cases[i].less) != -EINVAL)
			fail_msg("%s: is taken", cases[i].name);
		assert_int_equal(payload_rig_write(&rig, ROOM), 0);
	}
}

static void count_of_the_host_is_not_trusted(void **state)
{
	static const uint32_t answers[] = {0, 1, 3, 1024, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		begin(V4L2_CTRL_WHICH_CUR_VAL, 2);
		add(NUMBER, 0, 1);
		add(NUMBER, 0, 2);
		assert_int_equal(payload_rig_read_all(&rig, VIDIOC_G_EXT_CTRLS), 0);
		rig.payload.arg.controls.count = answers[i];
		assert_int_equal(payload_rig_write(&rig, ROOM),
				 sizeof(struct v4l2_ext_controls) +
					 MIN(answers[i], 2u) * sizeof(struct v4l2_ext_control));
	}
}

/* Data. */

static void data_is_copied_in_and_back_where_it_came_from(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(control_cmds); i++) {
		const struct v4l2_ext_control *host;
		uint8_t expected[300], got[300];

		payload_rig_fill(gmem_at(rig.gmem, RIG_LOW, 4096), 4096, 1);
		begin(V4L2_CTRL_WHICH_CUR_VAL, 3);
		add(STRING, 10, 0x1000);
		add(NUMBER, 0, 7);
		add(ARRAY, 300, 0x2000);
		payload_rig_add_sg(&rig, RIG_LOW + 1000, 3);
		payload_rig_add_sg(&rig, RIG_LOW + 3, 7);
		payload_rig_add_sg(&rig, RIG_LOW + 2000, 299);
		payload_rig_add_sg(&rig, RIG_LOW + 1999, 50);
		assert_int_equal(payload_rig_read_all(&rig, control_cmds[i]), 0);
		assert_int_equal(payload_rig_ask(&rig), 0);
		host = rig.payload.arg.controls.controls;
		assert_int_equal(host[0].size, 10);
		assert_int_equal(host[2].size, 300);
		assert_memory_equal(host[0].ptr, gmem_at(rig.gmem, RIG_LOW + 1000, 3), 3);
		assert_memory_equal(host[0].p_u8 + 3, gmem_at(rig.gmem, RIG_LOW + 3, 7), 7);
		assert_memory_equal(host[2].ptr, gmem_at(rig.gmem, RIG_LOW + 2000, 299), 299);
		assert_memory_equal(host[2].p_u8 + 299, gmem_at(rig.gmem, RIG_LOW + 1999, 1), 1);
		payload_rig_fill(host[0].ptr, 10, 50);
		payload_rig_fill(host[2].ptr, 300, 60);
		payload_rig_write(&rig, ROOM);
		payload_rig_fill(expected, 10, 50);
		gmem_read(rig.gmem, RIG_LOW + 1000, got, 3);
		gmem_read(rig.gmem, RIG_LOW + 3, got + 3, 7);
		assert_memory_equal(got, expected, 10);
		payload_rig_fill(expected, 300, 60);
		gmem_read(rig.gmem, RIG_LOW + 2000, got, 299);
		gmem_read(rig.gmem, RIG_LOW + 1999, got + 299, 1);
		assert_memory_equal(got, expected, 300);
		assert_int_equal(reply_of(0).value64, 0x1000);
		assert_int_equal(reply_of(1).value64, 7);
		assert_int_equal(reply_of(2).value64, 0x2000);
	}
}

static void size_that_the_host_wants_is_told_but_not_used(void **state)
{
	uint8_t before[64];

	begin_data(STRING, 16);
	payload_rig_fill(gmem_at(rig.gmem, RIG_LOW, 64), 64, 9);
	gmem_read(rig.gmem, RIG_LOW, before, 64);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_G_EXT_CTRLS), 0);
	assert_int_equal(payload_rig_ask(&rig), 0);
	/* As for ENOSPC: the data is as long as it was. */
	rig.payload.arg.controls.controls[0].size = 0x100000;
	payload_rig_write(&rig, ROOM);
	assert_int_equal(reply_of(0).size, 0x100000);
	assert_int_equal(reply_of(0).value64, 0x7f0000001000);
	assert_memory_equal(gmem_at(rig.gmem, RIG_LOW, 64), before, 64);
}

static void no_pointer_of_the_host_becomes_a_value(void **state)
{
	static const uint32_t ids[] = {NUMBER, UNKNOWN};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		const struct v4l2_ext_control *host;

		rig.ask_result = ids[i] == UNKNOWN ? -EINVAL : 0;
		begin_data(ids[i], 64);
		assert_int_equal(payload_rig_read_all(&rig, VIDIOC_S_EXT_CTRLS), 0);
		assert_int_equal(payload_rig_ask(&rig), 0);
		/* It is the guest's value, and no size that would make it a pointer. */
		host = rig.payload.arg.controls.controls;
		assert_int_equal(host->value64, 0x7f0000001000);
		assert_int_equal(host->size, 0);
		rig.payload.arg.controls.controls[0].value = 12;
		payload_rig_write(&rig, ROOM);
		assert_int_equal(reply_of(0).value, 12);
		assert_int_equal(reply_of(0).size, 64);
	}
	rig.ask_result = 0;
}

static void no_pointer_is_given_to_a_host_that_was_not_asked(void **state)
{
	begin_data(STRING, 64);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_S_EXT_CTRLS), 0);
	assert_int_equal(rig.payload.arg.controls.controls[0].size, 0);
	assert_int_equal(rig.payload.arg.controls.controls[0].value64, 0x7f0000001000);
	payload_rig_write(&rig, ROOM);
	assert_int_equal(reply_of(0).size, 64);
	assert_int_equal(reply_of(0).value64, 0x7f0000001000);
}

static void the_host_is_asked_for_the_very_control(void **state)
{
	/* With these bits it would be asked for the one behind it. */
	begin_data(STRING | V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND, 8);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_S_EXT_CTRLS), 0);
	assert_int_equal(payload_rig_ask(&rig), 0);
	assert_int_equal(rig.asked_n, 1);
	assert_int_equal(rig.asked[0], STRING);
	assert_int_equal(rig.payload.arg.controls.controls[0].size, 8);
}

static void the_host_is_asked_again_where_it_was_interrupted(void **state)
{
	static const int errors[] = {-EINTR, -ENODEV, -EIO};

	begin_data(STRING, 8);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_S_EXT_CTRLS), 0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		rig.ask_result = errors[i];
		assert_int_equal(payload_rig_ask(&rig), errors[i]);
		assert_int_equal(rig.payload.arg.controls.controls[0].size, 0);
	}
	rig.ask_result = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(payload_rig_ask(&rig), 0);
		assert_int_equal(rig.payload.arg.controls.controls[0].size, 8);
		assert_memory_equal(rig.payload.arg.controls.controls[0].ptr,
				    gmem_at(rig.gmem, RIG_LOW, 8), 8);
	}
	rig.ask_result = -ENOTTY; /* a host without such controls */
	assert_int_equal(payload_rig_ask(&rig), 0);
	assert_int_equal(rig.payload.arg.controls.controls[0].size, 0);
	rig.ask_result = 0;
}

static void only_controls_have_a_host_to_ask(void **state)
{
	const struct v4l2_edid edid = {0};

	payload_rig_begin(&rig);
	payload_rig_add(&rig, &edid, sizeof(edid));
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_G_EDID), 0);
	assert_int_equal(payload_rig_ask(&rig), 0);
	assert_int_equal(rig.asked_n, 0);
}

static void data_is_limited(void **state)
{
	static const struct {
		const char *name;
		uint32_t sizes[4];
		int result;
	} cases[] = {
		{"all there may be", {PAYLOAD_DATA_MAX}, 0},
		{"one more", {PAYLOAD_DATA_MAX + 1}, -E2BIG},
		{"one more, by the second", {PAYLOAD_DATA_MAX, 1}, -E2BIG},
		{"two that wrap to none", {1u << 31, 1u << 31}, -E2BIG},
		{"two that wrap to one", {1u << 31, (1u << 31) + 1}, -E2BIG},
		{"one that wraps when it is rounded up", {UINT32_MAX}, -E2BIG},
		{"four of all", {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}, -E2BIG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(V4L2_CTRL_WHICH_CUR_VAL, 4);
		for (size_t c = 0; c < 4; c++)
			add(STRING, cases[i].sizes[c], 0);
		for (size_t c = 0; c < 4; c++) {
			if (cases[i].sizes[c])
				payload_rig_add_sg(&rig, RIG_LOW, cases[i].sizes[c]);
		}
		if (payload_rig_read_all(&rig, VIDIOC_S_EXT_CTRLS) != cases[i].result)
			fail_msg("%s", cases[i].name);
		if (cases[i].result < 0)
			assert_int_equal(payload_rig_write(&rig, ROOM), 0);
	}
}

static void lists_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint64_t start;
		uint32_t len, less;
		int result;
	} cases[] = {
		{"an empty entry", RIG_LOW, 0, 0, -EINVAL},
		{"a list that is too short", RIG_LOW, 7, 0, -EINVAL},
		{"an entry that is a byte short", RIG_LOW, 8, 1, -EINVAL},
		{"no entry", RIG_LOW, 8, 16, -EINVAL},
		{"no RAM", RIG_END, 8, 0, -EFAULT},
		{"the end of RAM", RIG_END - 7, 8, 0, -EFAULT},
		{"an address that wraps", UINT64_MAX - 3, 8, 0, -EFAULT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(V4L2_CTRL_WHICH_CUR_VAL, 2);
		add(STRING, 8, 0);
		add(STRING, 8, 0);
		payload_rig_add_sg(&rig, RIG_LOW, 8);
		payload_rig_add_sg(&rig, cases[i].start, cases[i].len);
		if (payload_rig_read(&rig, VIDIOC_G_EXT_CTRLS, rig.len - cases[i].less) !=
		    cases[i].result)
			fail_msg("%s", cases[i].name);
		assert_int_equal(payload_rig_write(&rig, ROOM), 0);
	}
}

static void framing_does_not_matter(void **state)
{
	uint8_t *data = gmem_at(rig.gmem, RIG_LOW, 12), expected[12];
	struct v4l2_ext_control *host;

	begin(V4L2_CTRL_WHICH_CUR_VAL, 2);
	add(STRING, 5, 0x1000);
	add(ARRAY, 7, 0x2000);
	payload_rig_add_sg(&rig, RIG_LOW, 5);
	payload_rig_add_sg(&rig, RIG_LOW + 5, 7);
	for (size_t i = 0; i < 2 * (rig.len - 1); i++) {
		const size_t len = sizeof(struct v4l2_ext_controls) + 2 * sizeof(*host);

		rig.in_place = i & 1;
		rig.split = 1 + i / 2;
		payload_rig_fill(data, 12, 3);
		assert_int_equal(payload_rig_read_all(&rig, VIDIOC_S_EXT_CTRLS), 0);
		assert_int_equal(payload_rig_ask(&rig), 0);
		host = rig.payload.arg.controls.controls;
		assert_memory_equal(host[0].ptr, data, 5);
		assert_memory_equal(host[1].ptr, data + 5, 7);
		payload_rig_fill(host[0].ptr, 5, 4);
		payload_rig_fill(host[1].ptr, 7, 5);
		assert_int_equal(payload_rig_write(&rig, len), len);
		assert_memory_equal(rig.reply, rig.bytes, len);
		payload_rig_fill(expected, 5, 4);
		payload_rig_fill(expected + 5, 7, 5);
		assert_memory_equal(data, expected, 12);
	}
}

static void data_may_be_the_command_itself(void **state)
{
	const size_t len = sizeof(struct v4l2_ext_controls) + sizeof(struct v4l2_ext_control);
	struct v4l2_ext_control *host;

	/* Struct, control and list, read as data of the control, and then written over. */
	rig.in_ram = true;
	begin(V4L2_CTRL_WHICH_CUR_VAL, 1);
	add(ARRAY, (uint32_t)len + 16, 0x1000);
	payload_rig_add_sg(&rig, RIG_COMMAND, (uint32_t)len + 16);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_G_EXT_CTRLS), 0);
	assert_int_equal(payload_rig_ask(&rig), 0);
	host = rig.payload.arg.controls.controls;
	assert_memory_equal(host->ptr, rig.bytes, len + 16);
	memset(host->ptr, 0xff, len + 16);
	assert_int_equal(payload_rig_write(&rig, len), len);
	assert_memory_equal(rig.reply, rig.bytes, len);
}

static int setup(void **state)
{
	payload_rig_init(&rig);
	rig.strings[0] = STRING;
	rig.strings[1] = ARRAY;
	return 0;
}

static int teardown(void **state)
{
	payload_rig_deinit(&rig);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_go_in_and_come_back),
		TEST(what_the_host_says_comes_back_and_the_guests_pointer_with_it),
		TEST(requests_are_refused_and_their_fd_never_seen),
		TEST(controls_that_cannot_be_are_refused),
		TEST(count_of_the_host_is_not_trusted),
		TEST(data_is_copied_in_and_back_where_it_came_from),
		TEST(size_that_the_host_wants_is_told_but_not_used),
		TEST(no_pointer_of_the_host_becomes_a_value),
		TEST(no_pointer_is_given_to_a_host_that_was_not_asked),
		TEST(the_host_is_asked_for_the_very_control),
		TEST(the_host_is_asked_again_where_it_was_interrupted),
		TEST(only_controls_have_a_host_to_ask),
		TEST(data_is_limited),
		TEST(lists_that_cannot_be_are_refused),
		TEST(framing_does_not_matter),
		TEST(data_may_be_the_command_itself),
	};

	return cmocka_run_group_tests_name("payload_controls", tests, NULL, NULL);
}
