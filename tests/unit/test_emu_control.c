/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_emu_control.c - tests emu_control.c: what controls there are, and their values one by one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "emu_rig.h"

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

static const uint32_t all[] = {
	V4L2_CID_USER_CLASS, RIG_CID_PLAIN,	    RIG_CID_BUTTON, RIG_CID_AUTO,
	RIG_CID_MANUAL,	     V4L2_CID_CAMERA_CLASS, RIG_CID_COUNT,  V4L2_CID_IMAGE_PROC_CLASS,
	RIG_CID_MENU,	     RIG_CID_ARRAY,
};

static int query(uint32_t id, struct v4l2_query_ext_ctrl *out)
{
	memset(out, 0xff, sizeof(*out));
	out->id = id;
	return rig_do(file, VIDIOC_QUERY_EXT_CTRL, out);
}

/* The last of all is the array. */
static void query_walks_over_all_controls(void **state)
{
	static const struct {
		const char *name;
		uint32_t flags;
		size_t first, end;
	} cases[] = {
		{"simple", V4L2_CTRL_FLAG_NEXT_CTRL, 0, ARRAY_SIZE(all) - 1},
		{"compound", V4L2_CTRL_FLAG_NEXT_COMPOUND, ARRAY_SIZE(all) - 1, ARRAY_SIZE(all)},
		{"both", V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND, 0,
		 ARRAY_SIZE(all)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct v4l2_query_ext_ctrl control;
		struct v4l2_queryctrl old = {0};
		uint32_t id = 0;

		for (size_t k = cases[i].first; k < cases[i].end; k++) {
			rig_expect(cases[i].name, query(id | cases[i].flags, &control), 0);
			rig_expect(cases[i].name, (int)control.id, (int)all[k]);
			assert_true(rig_is_zero(control.reserved, sizeof(control.reserved)));
			old.id = id | cases[i].flags;
			rig_expect(cases[i].name, rig_do(file, VIDIOC_QUERYCTRL, &old), 0);
			rig_expect(cases[i].name, (int)old.id, (int)all[k]);
			id = control.id;
		}
		rig_expect(cases[i].name, query(id | cases[i].flags, &control), -EINVAL);
	}
}

static const struct {
	const char *name;
	uint32_t id, type, flags;
	int64_t minimum, maximum;
	uint64_t step;
	int64_t default_value;
	uint32_t elem_size, elems, dims;
} described[] = {
	{"class", V4L2_CID_USER_CLASS, V4L2_CTRL_TYPE_CTRL_CLASS,
	 V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY, 0, 0, 0, 0, 4, 1, 0},
	{"integer", RIG_CID_PLAIN, V4L2_CTRL_TYPE_INTEGER, 0, -10, 20, 3, -1, 4, 1, 0},
	{"button", RIG_CID_BUTTON, V4L2_CTRL_TYPE_BUTTON,
	 V4L2_CTRL_FLAG_WRITE_ONLY | V4L2_CTRL_FLAG_EXECUTE_ON_WRITE, 0, 0, 0, 0, 4, 1, 0},
	{"boolean", RIG_CID_AUTO, V4L2_CTRL_TYPE_BOOLEAN, 0, 0, 1, 1, 1, 4, 1, 0},
	{"automatic", RIG_CID_MANUAL, V4L2_CTRL_TYPE_INTEGER, V4L2_CTRL_FLAG_INACTIVE, 0, 100, 1,
	 50, 4, 1, 0},
	{"64 bits", RIG_CID_COUNT, V4L2_CTRL_TYPE_INTEGER64,
	 V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE, 0, INT64_MAX, 1, 0, 8, 1, 0},
	{"menu", RIG_CID_MENU, V4L2_CTRL_TYPE_MENU, 0, 0, 2, 1, 1, 4, 1, 0},
	{"array", RIG_CID_ARRAY, V4L2_CTRL_TYPE_U32, V4L2_CTRL_FLAG_HAS_PAYLOAD, 10, 1000, 10, 10,
	 4, 3, 1},
};

static void query_describes_a_control(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(described); i++) {
		struct v4l2_query_ext_ctrl control;

		if (query(described[i].id, &control) != 0 || control.id != described[i].id ||
		    control.type != described[i].type || control.flags != described[i].flags ||
		    control.minimum != described[i].minimum ||
		    control.maximum != described[i].maximum || control.step != described[i].step ||
		    control.default_value != described[i].default_value ||
		    control.elem_size != described[i].elem_size ||
		    control.elems != described[i].elems ||
		    control.nr_of_dims != described[i].dims ||
		    control.dims[0] != (described[i].dims ? described[i].elems : 0))
			fail_msg("%s", described[i].name);
	}
}

/* In 32 bits there is no room for the range of the others. */
static void old_query_describes_what_fits(void **state)
{
	struct v4l2_queryctrl control = {.id = RIG_CID_PLAIN};

	assert_int_equal(rig_do(file, VIDIOC_QUERYCTRL, &control), 0);
	assert_string_equal((const char *)control.name, "Plain");
	assert_int_equal(control.minimum, -10);
	assert_int_equal(control.maximum, 20);
	assert_int_equal(control.step, 3);
	assert_int_equal(control.default_value, -1);
	control.id = RIG_CID_ARRAY;
	assert_int_equal(rig_do(file, VIDIOC_QUERYCTRL, &control), 0);
	assert_int_equal(control.minimum | control.maximum | control.step, 0);
	assert_int_equal(control.default_value, 0);
	control.id = RIG_CID_COUNT;
	assert_int_equal(rig_do(file, VIDIOC_QUERYCTRL, &control), 0);
	assert_int_equal(control.maximum, 0);
}

static void query_of_what_there_is_not_is_einval(void **state)
{
	static const uint32_t absent[] = {0, V4L2_CID_CONTRAST, V4L2_CID_PRIVATE_BASE, UINT32_MAX};
	struct v4l2_query_ext_ctrl control;

	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		assert_int_equal(query(absent[i], &control), -EINVAL);
}

static void menu_has_names(void **state)
{
	struct v4l2_querymenu item;

	for (uint32_t i = 0; i < 4; i++) {
		memset(&item, 0xff, sizeof(item));
		item.id = RIG_CID_MENU;
		item.index = i;
		assert_int_equal(rig_do(file, VIDIOC_QUERYMENU, &item), i < 3 ? 0 : -EINVAL);
		if (i == 2)
			assert_string_equal((const char *)item.name, "c");
		if (i < 3)
			assert_int_equal(item.reserved, 0);
	}
	item.index = 0;
	item.id = RIG_CID_PLAIN;
	assert_int_equal(rig_do(file, VIDIOC_QUERYMENU, &item), -EINVAL);
	item.id = V4L2_CID_CONTRAST;
	assert_int_equal(rig_do(file, VIDIOC_QUERYMENU, &item), -EINVAL);
}

static int set(uint32_t id, int32_t *value)
{
	struct v4l2_control control = {.id = id, .value = *value};
	int r = rig_do(file, VIDIOC_S_CTRL, &control);

	*value = control.value;
	return r;
}

static int get(uint32_t id, int32_t *value)
{
	struct v4l2_control control = {.id = id};
	int r = rig_do(file, VIDIOC_G_CTRL, &control);

	*value = control.value;
	return r;
}

static void values_are_made_fit(void **state)
{
	static const struct {
		const char *name;
		uint32_t id;
		int32_t value;
		int result;
		int32_t wanted; /* also if it was refused: what was there before */
	} cases[] = {
		{"as it is", RIG_CID_PLAIN, 2, 0, 2},
		{"nearest step below", RIG_CID_PLAIN, 3, 0, 2},
		{"nearest step above", RIG_CID_PLAIN, 4, 0, 5},
		{"minimum", RIG_CID_PLAIN, -10, 0, -10},
		{"below the minimum", RIG_CID_PLAIN, INT32_MIN, 0, -10},
		{"above the maximum", RIG_CID_PLAIN, INT32_MAX, 0, 20},
		{"true", RIG_CID_AUTO, -7, 0, 1},
		{"false", RIG_CID_AUTO, 0, 0, 0},
		{"menu", RIG_CID_MENU, 2, 0, 2},
		{"no item", RIG_CID_MENU, 3, -ERANGE, 2},
		{"no item below", RIG_CID_MENU, -1, -ERANGE, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int32_t value = cases[i].value;

		rig_expect(cases[i].name, set(cases[i].id, &value), cases[i].result);
		if (cases[i].result == 0)
			rig_expect(cases[i].name, value, cases[i].wanted);
		rig_expect(cases[i].name, get(cases[i].id, &value), 0);
		rig_expect(cases[i].name, value, cases[i].wanted);
	}
}

static void old_ioctls_refuse_what_they_cannot_do(void **state)
{
	static const struct {
		const char *name;
		uint32_t id;
		int get, set;
	} cases[] = {
		{"class", V4L2_CID_USER_CLASS, -EACCES, -EACCES},
		{"button", RIG_CID_BUTTON, -EACCES, 0},
		{"64 bits", RIG_CID_COUNT, -EINVAL, -EINVAL},
		{"array", RIG_CID_ARRAY, -EINVAL, -EINVAL},
		{"unknown", V4L2_CID_CONTRAST, -EINVAL, -EINVAL},
		{"next", RIG_CID_PLAIN | V4L2_CTRL_FLAG_NEXT_CTRL, -EINVAL, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int32_t value = 0;

		rig_expect(cases[i].name, get(cases[i].id, &value), cases[i].get);
		rig_expect(cases[i].name, set(cases[i].id, &value), cases[i].set);
	}
}

static void device_is_told_of_changes_only(void **state)
{
	int32_t value = -1;

	assert_int_equal(set(RIG_CID_PLAIN, &value), 0);
	assert_int_equal(rig.sets, 0);
	value = 5;
	assert_int_equal(set(RIG_CID_PLAIN, &value), 0);
	assert_int_equal(rig.sets, 1);
	assert_int_equal(rig.set_id, RIG_CID_PLAIN);
	/* A button is pressed each time. */
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(set(RIG_CID_BUTTON, &value), 0);
	assert_int_equal(rig.sets, 3);
	assert_int_equal(rig.set_id, RIG_CID_BUTTON);
}

static void automatic_makes_the_manual_one_inactive(void **state)
{
	struct v4l2_query_ext_ctrl control;
	int32_t value = 0;

	assert_int_equal(set(RIG_CID_AUTO, &value), 0);
	assert_int_equal(query(RIG_CID_MANUAL, &control), 0);
	assert_int_equal(control.flags, 0);
	value = 1;
	assert_int_equal(set(RIG_CID_AUTO, &value), 0);
	assert_int_equal(query(RIG_CID_MANUAL, &control), 0);
	assert_int_equal(control.flags, V4L2_CTRL_FLAG_INACTIVE);
	/* It can be set all the same. */
	value = 7;
	assert_int_equal(set(RIG_CID_MANUAL, &value), 0);
	assert_int_equal(get(RIG_CID_MANUAL, &value), 0);
	assert_int_equal(value, 7);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(query_walks_over_all_controls),
		CASE(query_describes_a_control),
		CASE(old_query_describes_what_fits),
		CASE(query_of_what_there_is_not_is_einval),
		CASE(menu_has_names),
		CASE(values_are_made_fit),
		CASE(old_ioctls_refuse_what_they_cannot_do),
		CASE(device_is_told_of_changes_only),
		CASE(automatic_makes_the_manual_one_inactive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
