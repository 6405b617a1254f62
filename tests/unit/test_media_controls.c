/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_controls.c - extended controls through a virtio-media device: values, strings, arrays
 * in guest memory, errors with their payload.
 *
 * Virtio 1.4, media device, "Handling of pointers to data in ioctl payload", "Handling of pointers
 * to userspace memory in ioctl payload". For the arguments see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

#define POINTER ((void *)(uintptr_t)0x7f0012345678)
#define DATA	((void *)(uintptr_t)0x560087654321)

/* Controls of the host: those below are values, those from here on have a pointer. */
#define FIRST_ARRAY 100u

static struct media_rig rig;
static uint32_t session;
static int host_result;
static uint32_t host_error_idx;
static const unsigned long cmds[] = {VIDIOC_G_EXT_CTRLS, VIDIOC_S_EXT_CTRLS, VIDIOC_TRY_EXT_CTRLS};

static int query(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	struct v4l2_query_ext_ctrl *ctrl = arg;

	ctrl->flags = ctrl->id >= FIRST_ARRAY ? V4L2_CTRL_FLAG_HAS_PAYLOAD : 0;
	return 0;
}

/* As a driver of the host's: values are doubled, arrays have each byte raised by one. */
static int controls_of_host(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	struct v4l2_ext_controls *controls = arg;

	for (uint32_t i = 0; i < controls->count; i++) {
		struct v4l2_ext_control *control = &controls->controls[i];

		if (control->id >= FIRST_ARRAY)
			for (uint32_t k = 0; k < control->size; k++)
				((uint8_t *)control->ptr)[k]++;
		else
			control->value *= 2;
	}
	controls->error_idx = host_error_idx;
	return host_result;
}

static int begin(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	host_result = 0;
	host_error_idx = 0;
	fake_node_answer(rig.node, VIDIOC_QUERY_EXT_CTRL, &(struct fake_answer) {.fn = query});
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		fake_node_answer(rig.node, cmds[i], &(struct fake_answer) {.fn = controls_of_host});
	session = media_rig_open(&rig);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

static void values_pass_both_ways(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct v4l2_ext_control list[3] = {{.id = 1, .value = 10},
						   {.id = 2, .value = -4},
						   {.id = 3, .value = 7}};
		struct v4l2_ext_controls controls = {.which = V4L2_CTRL_CLASS_USER,
						     .count = 3,
						     .controls = POINTER};

		assert_int_equal(media_driver_controls(&rig.md, session, cmds[i], &controls, list,
						       NULL, 0),
				 0);
		assert_int_equal(rig.md.used, 8 + sizeof(controls) + sizeof(list));
		assert_int_equal(list[0].value, 20);
		assert_int_equal(list[1].value, -8);
		assert_int_equal(list[2].value, 14);
		assert_ptr_equal(controls.controls, POINTER);
	}
}

/* 5.22, devicenormative: a pointer comes back as the driver has passed it. */
static void data_is_found_by_its_list_and_written_back_there(void **state)
{
	const uint64_t at = MEDIA_DRIVER_PAGES;
	/* Bytes in pieces of any size, across a page and out of order. */
	const struct virtio_media_sg_entry first[] = {{.start = at + 4090, .len = 10},
						      {.start = at + 100, .len = 20}};
	const struct virtio_media_sg_entry second[] = {{.start = at + 0x9000, .len = 5000}};

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		const struct media_sg sg[] = {{first, 2}, {second, 1}};
		struct v4l2_ext_control list[3] = {
			{.id = FIRST_ARRAY, .size = 30, .ptr = DATA},
			{.id = 2, .value = 3},
			{.id = FIRST_ARRAY + 1, .size = 5000, .ptr = POINTER},
		};
		struct v4l2_ext_controls controls = {.count = 3, .controls = POINTER};
		struct fake_seen seen;

		memset(media_driver_page(&rig.md, at, 0x1000), 0x10, 0x1000);
		memset(media_driver_page(&rig.md, at + 0x1000, 0x1000), 0x20, 0x1000);
		memset(media_driver_page(&rig.md, at + 0x9000, 0x2000), 0x30, 0x2000);
		assert_int_equal(media_driver_controls(&rig.md, session, cmds[i], &controls, list,
						       sg, 2),
				 0);
		seen = fake_node_seen(rig.node, cmds[i]);
		assert_int_equal(seen.controls[0].size, 30);
		assert_int_equal(seen.data[0][0], 0x10);
		assert_int_equal(seen.data[0][6], 0x20);
		assert_int_equal(seen.data[0][10], 0x10);
		assert_ptr_equal(list[0].ptr, DATA);
		assert_ptr_equal(list[2].ptr, POINTER);
		assert_int_equal(list[1].value, 6);
		assert_int_equal(media_driver_page(&rig.md, at + 4089, 1)[0], 0x10);
		assert_int_equal(media_driver_page(&rig.md, at + 4090, 1)[0], 0x11);
		assert_int_equal(media_driver_page(&rig.md, at + 4099, 1)[0], 0x21);
		assert_int_equal(media_driver_page(&rig.md, at + 4100, 1)[0], 0x20);
		assert_int_equal(media_driver_page(&rig.md, at + 119, 1)[0], 0x11);
		assert_int_equal(media_driver_page(&rig.md, at + 120, 1)[0], 0x10);
		assert_int_equal(media_driver_page(&rig.md, at + 0x9000 + 4999, 1)[0], 0x31);
		assert_int_equal(media_driver_page(&rig.md, at + 0x9000 + 5000, 1)[0], 0x30);
		/* Lists are not repeated in the answer. */
		assert_int_equal(rig.md.used, 8 + sizeof(controls) + sizeof(list));
	}
}

static void an_error_keeps_its_payload_and_its_index(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct v4l2_ext_control list[2] = {{.id = 1, .value = 50}, {.id = 2, .value = 60}};
		struct v4l2_ext_controls controls = {.count = 2, .controls = POINTER};

		host_result = -ERANGE;
		host_error_idx = 1;
		assert_int_equal(media_driver_controls(&rig.md, session, cmds[i], &controls, list,
						       NULL, 0),
				 ERANGE);
		assert_int_equal(rig.md.used, 8 + sizeof(controls) + sizeof(list));
		assert_int_equal(controls.error_idx, 1);
		assert_int_equal(list[0].value, 100);
		assert_ptr_equal(controls.controls, POINTER);
	}
}

/* V4L2 says ENOSPC and the size that it takes. */
static int too_small(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	struct v4l2_ext_controls *controls = arg;

	controls->controls[0].size = 4000;
	return -ENOSPC;
}

static void the_size_that_a_control_takes_is_told(void **state)
{
	const struct virtio_media_sg_entry entry = {.start = MEDIA_DRIVER_PAGES, .len = 10};
	const struct media_sg sg = {&entry, 1};
	struct v4l2_ext_control list[1] = {{.id = FIRST_ARRAY, .size = 10, .ptr = DATA}};
	struct v4l2_ext_controls controls = {.count = 1, .controls = POINTER};

	fake_node_answer(rig.node, VIDIOC_G_EXT_CTRLS, &(struct fake_answer) {.fn = too_small});
	memset(media_driver_page(&rig.md, MEDIA_DRIVER_PAGES, 4096), 0x44, 4096);
	assert_int_equal(media_driver_controls(&rig.md, session, VIDIOC_G_EXT_CTRLS, &controls,
					       list, &sg, 1),
			 ENOSPC);
	assert_int_equal(list[0].size, 4000);
	assert_ptr_equal(list[0].ptr, DATA);
	/* Nothing beyond what the guest has given is written. */
	assert_int_equal(media_driver_page(&rig.md, MEDIA_DRIVER_PAGES + 10, 1)[0], 0x44);
}

static void any_which_but_that_of_requests_passes(void **state)
{
	static const struct {
		const char *name;
		uint32_t which;
		bool passes;
	} rows[] = {
		{"current", V4L2_CTRL_WHICH_CUR_VAL, true},
		{"default", V4L2_CTRL_WHICH_DEF_VAL, true},
		{"request", V4L2_CTRL_WHICH_REQUEST_VAL, false},
		{"user", V4L2_CTRL_CLASS_USER, true},
		{"camera", V4L2_CTRL_CLASS_CAMERA, true},
		{"codec", V4L2_CTRL_CLASS_CODEC, true},
		{"minimum of later kernels", 0x0f020000, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct v4l2_ext_control list[1] = {{.id = 1, .value = 5}};
		struct v4l2_ext_controls controls = {.which = rows[i].which,
						     .count = 1,
						     .request_fd = 0};
		const unsigned int before = fake_node_calls(rig.node, VIDIOC_S_EXT_CTRLS);
		uint32_t status = media_driver_controls(&rig.md, session, VIDIOC_S_EXT_CTRLS,
							&controls, list, NULL, 0);
		struct fake_seen seen = fake_node_seen(rig.node, VIDIOC_S_EXT_CTRLS);

		if (status != (rows[i].passes ? 0 : EINVAL) ||
		    seen.calls != before + rows[i].passes)
			fail_msg("%s: %u", rows[i].name, status);
		if (rows[i].passes)
			assert_int_equal(
				((const struct v4l2_ext_controls *)(const void *)seen.arg)->which,
				rows[i].which);
	}
}

/* No number of the guest's is taken for a descriptor. */
static void a_request_fd_never_gets_to_the_host(void **state)
{
	struct v4l2_ext_control list[1] = {{.id = 1, .value = 5}};
	struct v4l2_ext_controls controls = {.count = 1, .request_fd = 2};
	struct fake_seen seen;

	assert_int_equal(media_driver_controls(&rig.md, session, VIDIOC_S_EXT_CTRLS, &controls,
					       list, NULL, 0),
			 0);
	seen = fake_node_seen(rig.node, VIDIOC_S_EXT_CTRLS);
	assert_int_equal(((const struct v4l2_ext_controls *)(const void *)seen.arg)->request_fd, 0);
	assert_int_equal(controls.request_fd, 2);
}

/* A control with a size that is a value for the host: its 8 bytes are no pointer there. */
static void a_size_on_a_value_makes_it_no_pointer(void **state)
{
	const struct virtio_media_sg_entry entry = {.start = MEDIA_DRIVER_PAGES, .len = 8};
	const struct media_sg sg = {&entry, 1};
	struct v4l2_ext_control list[1] = {{.id = 5, .size = 8, .value64 = 3}};
	struct v4l2_ext_controls controls = {.count = 1, .controls = POINTER};
	struct fake_seen seen;

	assert_int_equal(media_driver_controls(&rig.md, session, VIDIOC_S_EXT_CTRLS, &controls,
					       list, &sg, 1),
			 0);
	seen = fake_node_seen(rig.node, VIDIOC_S_EXT_CTRLS);
	assert_int_equal(seen.controls[0].value64, 3);
	assert_int_equal(seen.controls[0].size, 0);
	assert_int_equal(list[0].value64, 6);
}

static void no_controls_is_a_question_too(void **state)
{
	struct v4l2_ext_controls controls = {.which = V4L2_CTRL_CLASS_USER,
					     .count = 0,
					     .controls = POINTER};

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		assert_int_equal(media_driver_controls(&rig.md, session, cmds[i], &controls, NULL,
						       NULL, 0),
				 0);
		assert_int_equal(fake_node_calls(rig.node, cmds[i]), 1);
		assert_ptr_equal(controls.controls, POINTER);
	}
}

static void what_is_wrong_with_lists_and_counts_is_refused(void **state)
{
	const uint64_t ram = MEDIA_DRIVER_PAGES, end_of_ram = VIRTIO_DRIVER_MEMORY;
	const struct {
		const char *name;
		uint32_t count, listed, size;
		struct virtio_media_sg_entry entry;
		uint32_t entries;
	} rows[] = {
		{"more controls than there are", 3, 2, 0, {0}, 0},
		{"more than V4L2 has", 1025, 2, 0, {0}, 0},
		{"very many", UINT32_MAX, 2, 0, {0}, 0},
		{"so many that sizes overflow", 0x0ccccccd, 2, 0, {0}, 0},
		{"no list", 1, 1, 16, {0}, 0},
		{"a list that is too short", 1, 1, 16, {.start = ram, .len = 15}, 1},
		{"an entry of no bytes", 1, 1, 16, {.start = ram, .len = 0}, 1},
		{"outside RAM", 1, 1, 16, {.start = end_of_ram, .len = 16}, 1},
		{"half outside RAM", 1, 1, 16, {.start = end_of_ram - 8, .len = 16}, 1},
		{"a wrap", 1, 1, 16, {.start = UINT64_MAX - 7, .len = 16}, 1},
		{"huge", 1, 1, UINT32_MAX, {.start = ram, .len = UINT32_MAX}, 1},
		{"huge for one entry", 1, 1, 0x80000000, {.start = 0, .len = 0x80000000}, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct {
			struct v4l2_ext_controls controls;
			uint8_t rest[64];
		} out = {.controls = {.count = rows[i].count, .controls = POINTER}};
		struct v4l2_ext_control list[2] = {
			{.id = FIRST_ARRAY, .size = rows[i].size, .ptr = DATA}};
		const uint32_t listed = rows[i].listed * (uint32_t)sizeof(list[0]);
		const uint32_t entries = rows[i].entries * (uint32_t)sizeof(rows[i].entry);
		uint8_t back[256];
		uint32_t status;

		memcpy(out.rest, list, listed);
		memcpy(out.rest + listed, &rows[i].entry, entries);
		status = media_driver_bytes(&rig.md, session, _IOC_NR(VIDIOC_S_EXT_CTRLS), &out,
					    (uint32_t)sizeof(out.controls) + listed + entries, back,
					    sizeof(back));
		if (status == 0 || fake_node_calls(rig.node, VIDIOC_S_EXT_CTRLS) != 0)
			fail_msg("%s: %u", rows[i].name, status);
	}
	values_pass_both_ways(state);
}

static void the_most_controls_there_can_be_pass(void **state)
{
	static struct v4l2_ext_control list[1024];
	struct v4l2_ext_controls controls = {.count = 1024, .controls = POINTER};

	for (unsigned int i = 0; i < 1024; i++)
		list[i] = (struct v4l2_ext_control) {.id = 1, .value = (int)i};
	assert_int_equal(media_driver_controls(&rig.md, session, VIDIOC_G_EXT_CTRLS, &controls,
					       list, NULL, 0),
			 0);
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(list[i].value, 2 * i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(values_pass_both_ways),
		TEST(data_is_found_by_its_list_and_written_back_there),
		TEST(an_error_keeps_its_payload_and_its_index),
		TEST(the_size_that_a_control_takes_is_told),
		TEST(any_which_but_that_of_requests_passes),
		TEST(a_request_fd_never_gets_to_the_host),
		TEST(a_size_on_a_value_makes_it_no_pointer),
		TEST(no_controls_is_a_question_too),
		TEST(what_is_wrong_with_lists_and_counts_is_refused),
		TEST(the_most_controls_there_can_be_pass),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
