/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_emu_control_ext.c - tests emu_control_ext.c: several controls at once, and error_idx.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "emu_rig.h"

#define CONTROLS_MAX 3
#define REQUEST	     0x0f010000 /* V4L2_CTRL_WHICH_REQUEST_VAL */
#define MINIMUM	     0x0f020000 /* newer than Debian 12's header */

static struct emu_rig rig;
static struct rig_file *file;

static int setup(void **state)
{
	emu_rig_init(&rig, RIG_CAMERA);
	file = emu_rig_open(&rig, 0);
	return 0;
}

static int teardown(void **state)
{
	emu_rig_deinit(&rig);
	return 0;
}

static int call(unsigned long cmd, uint32_t which, struct v4l2_ext_control *controls, uint32_t n,
		uint32_t *error_idx)
{
	struct v4l2_ext_controls user = {
		.which = which,
		.count = n,
		.error_idx = 99,
		.reserved = {77},
		.controls = controls,
	};
	int r = rig_do(file, cmd, &user);

	assert_int_equal(user.reserved[0], 0);
	assert_int_equal(user.count, n);
	assert_int_equal(user.which, which);
	*error_idx = user.error_idx;
	return r;
}

static const struct {
	const char *name;
	uint32_t which;
	uint32_t ids[CONTROLS_MAX];
	int get, set;	/* results; TRY's is SET's */
	uint32_t index; /* error_idx of TRY. Of the other two it is the count */
} cases[] = {
	{"nothing", 0, {0}, 0, 0, 0},
	{"two", 0, {RIG_CID_PLAIN, RIG_CID_MENU}, 0, 0, 2},
	{"of a class", V4L2_CTRL_CLASS_USER, {RIG_CID_PLAIN, RIG_CID_AUTO}, 0, 0, 2},
	{"no control, of a class", V4L2_CTRL_CLASS_USER, {0}, 0, 0, 0},
	{"no control, of no class", V4L2_CTRL_CLASS_FLASH, {0}, -EINVAL, -EINVAL, 0},
	{"no class", V4L2_CTRL_CLASS_FLASH, {RIG_CID_PLAIN}, -EINVAL, -EINVAL, 1},
	{"of another class",
	 V4L2_CTRL_CLASS_USER,
	 {RIG_CID_PLAIN, RIG_CID_MENU},
	 -EINVAL,
	 -EINVAL,
	 1},
	{"unknown", 0, {RIG_CID_PLAIN, V4L2_CID_CONTRAST}, -EINVAL, -EINVAL, 1},
	{"private base", 0, {V4L2_CID_PRIVATE_BASE}, -EINVAL, -EINVAL, 0},
	{"read-only", 0, {RIG_CID_PLAIN, RIG_CID_COUNT}, 0, -EACCES, 1},
	{"class", 0, {RIG_CID_PLAIN, RIG_CID_MENU, V4L2_CID_USER_CLASS}, -EACCES, -EACCES, 2},
	{"button", 0, {RIG_CID_PLAIN, RIG_CID_BUTTON}, -EACCES, 0, 2},
	{"defaults", V4L2_CTRL_WHICH_DEF_VAL, {RIG_CID_PLAIN}, 0, -EINVAL, 1},
	{"no control, defaults", V4L2_CTRL_WHICH_DEF_VAL, {0}, 0, -EINVAL, 0},
	{"request", REQUEST, {RIG_CID_PLAIN}, -EINVAL, -EINVAL, 1},
	{"no control, request", REQUEST, {0}, -EINVAL, -EINVAL, 0},
	{"minima", MINIMUM, {RIG_CID_PLAIN}, -EINVAL, -EINVAL, 1},
};

static void error_idx_follows_the_rule(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct v4l2_ext_control controls[CONTROLS_MAX] = {0};
		uint32_t n = 0, index;

		while (n < CONTROLS_MAX && cases[i].ids[n]) {
			controls[n].id = cases[i].ids[n];
			n++;
		}
		rig_expect(cases[i].name,
			   call(VIDIOC_G_EXT_CTRLS, cases[i].which, controls, n, &index),
			   cases[i].get);
		rig_expect(cases[i].name, (int)index, (int)n);
		rig_expect(cases[i].name,
			   call(VIDIOC_TRY_EXT_CTRLS, cases[i].which, controls, n, &index),
			   cases[i].set);
		rig_expect(cases[i].name, (int)index, (int)cases[i].index);
		rig_expect(cases[i].name,
			   call(VIDIOC_S_EXT_CTRLS, cases[i].which, controls, n, &index),
			   cases[i].set);
		rig_expect(cases[i].name, (int)index, (int)n);
	}
}

static int32_t value_of(uint32_t id)
{
	struct v4l2_control control = {.id = id};

	assert_int_equal(rig_do(file, VIDIOC_G_CTRL, &control), 0);
	return control.value;
}

static void set_changes_all_or_none(void **state)
{
	struct v4l2_ext_control controls[] = {
		{.id = RIG_CID_PLAIN, .value = 8},
		{.id = RIG_CID_MENU, .value = 9},
	};
	uint32_t index;

	assert_int_equal(call(VIDIOC_S_EXT_CTRLS, 0, controls, 2, &index), -ERANGE);
	assert_int_equal(index, 2);
	assert_int_equal(value_of(RIG_CID_PLAIN), -1);
	controls[1].value = 0;
	assert_int_equal(call(VIDIOC_S_EXT_CTRLS, 0, controls, 2, &index), 0);
	assert_int_equal(value_of(RIG_CID_PLAIN), 8);
	assert_int_equal(value_of(RIG_CID_MENU), 0);
}

static void try_makes_fit_and_changes_nothing(void **state)
{
	uint32_t elements[] = {0, 24, 5000};
	struct v4l2_ext_control controls[] = {
		{.id = RIG_CID_PLAIN, .value = 100},
		{.id = RIG_CID_ARRAY, .size = sizeof(elements), .p_u32 = elements},
	};
	uint32_t index;

	assert_int_equal(call(VIDIOC_TRY_EXT_CTRLS, 0, controls, 2, &index), 0);
	assert_int_equal(controls[0].value, 20);
	assert_int_equal(elements[0], 10);
	assert_int_equal(elements[1], 20);
	assert_int_equal(elements[2], 1000);
	assert_int_equal(value_of(RIG_CID_PLAIN), -1);
	assert_int_equal(rig.sets, 0);
	elements[0] = elements[1] = elements[2] = 0;
	assert_int_equal(call(VIDIOC_G_EXT_CTRLS, 0, controls, 2, &index), 0);
	assert_int_equal(elements[1], 20);
	assert_int_equal(elements[2], 30);
}

static void arrays_need_room(void **state)
{
	uint32_t elements[] = {100, 200, 300, 12345};
	struct v4l2_ext_control control = {.id = RIG_CID_ARRAY, .p_u32 = elements};
	uint32_t index;

	for (uint32_t size = 0; size < 12; size += 4) {
		control.size = size;
		assert_int_equal(call(VIDIOC_G_EXT_CTRLS, 0, &control, 1, &index), -ENOSPC);
		assert_int_equal(control.size, 12);
		control.size = size;
		assert_int_equal(call(VIDIOC_S_EXT_CTRLS, 0, &control, 1, &index), -EFAULT);
	}
	/* More is fine, and left alone. */
	control.size = sizeof(elements);
	assert_int_equal(call(VIDIOC_S_EXT_CTRLS, 0, &control, 1, &index), 0);
	assert_int_equal(control.size, 12);
	assert_int_equal(rig.set_id, RIG_CID_ARRAY);
	assert_int_equal(elements[3], 12345);
	memset(elements, 0, 12);
	control.size = sizeof(elements);
	assert_int_equal(call(VIDIOC_G_EXT_CTRLS, 0, &control, 1, &index), 0);
	assert_int_equal(control.size, 12);
	assert_int_equal(elements[2], 300);
	assert_int_equal(elements[3], 12345);
	assert_int_equal(call(VIDIOC_G_EXT_CTRLS, V4L2_CTRL_WHICH_DEF_VAL, &control, 1, &index), 0);
	assert_int_equal(elements[2], 30);
}

static void values_have_all_their_bits(void **state)
{
	struct v4l2_ext_control controls[] = {
		{.id = RIG_CID_COUNT},
		{.id = RIG_CID_PLAIN, .value64 = -1},
	};
	uint32_t index;

	rig.count = INT64_C(0x123456789abcdef);
	assert_int_equal(call(VIDIOC_G_EXT_CTRLS, 0, controls, 2, &index), 0);
	assert_int_equal(controls[0].value64, rig.count);
	assert_int_equal(controls[1].value, -1);
	controls[1].value = 5;
	assert_int_equal(call(VIDIOC_S_EXT_CTRLS, 0, &controls[1], 1, &index), 0);
	assert_int_equal(call(VIDIOC_G_EXT_CTRLS, V4L2_CTRL_WHICH_DEF_VAL, controls, 2, &index), 0);
	assert_int_equal(controls[0].value64, 0);
	assert_int_equal(controls[1].value, -1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(error_idx_follows_the_rule),	 CASE(set_changes_all_or_none),
		CASE(try_makes_fit_and_changes_nothing), CASE(arrays_need_room),
		CASE(values_have_all_their_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
