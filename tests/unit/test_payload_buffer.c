/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_payload_buffer.c - buffers in ioctl commands: planes, and SG lists of guest memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "payload_rig.h"

#define ROOM	4096
#define POINTER UINT64_C(0x123456789abcdef0)

#define SINGLE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define MULTI  V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE

static struct payload_rig rig;

static const unsigned long buffer_cmds[] = {VIDIOC_QUERYBUF, VIDIOC_QBUF, VIDIOC_PREPARE_BUF};

static void begin(uint32_t type, uint32_t memory, uint32_t length)
{
	struct v4l2_buffer buffer;

	payload_rig_fill(&buffer, sizeof(buffer), type);
	buffer.type = type;
	buffer.memory = memory;
	buffer.length = length;
	buffer.m.userptr = POINTER;
	payload_rig_begin(&rig);
	payload_rig_add(&rig, &buffer, sizeof(buffer));
}

static void add_plane(uint32_t length)
{
	struct v4l2_plane plane;

	payload_rig_fill(&plane, sizeof(plane), (unsigned int)rig.len);
	plane.length = length;
	payload_rig_add(&rig, &plane, sizeof(plane));
}

static void planes_follow_in_both_directions(void **state)
{
	static const uint32_t types[] = {V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
					 V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE};

	for (size_t i = 0; i < ARRAY_SIZE(buffer_cmds) * ARRAY_SIZE(types); i++) {
		for (uint32_t n = 1; n <= VIDEO_MAX_PLANES; n++) {
			const size_t len =
				sizeof(struct v4l2_buffer) + n * sizeof(struct v4l2_plane);
			struct v4l2_buffer *host = &rig.payload.arg.buffer;

			begin(types[i % 2], V4L2_MEMORY_MMAP, n);
			for (uint32_t plane = 0; plane < n; plane++)
				add_plane(plane);
			assert_int_equal(payload_rig_read_all(&rig, buffer_cmds[i / 2]), 0);
			assert_ptr_equal(host->m.planes, rig.payload.planes);
			assert_int_equal(rig.payload.planes_n, n);
			assert_memory_equal(rig.payload.planes, rig.bytes + sizeof(*host),
					    n * sizeof(struct v4l2_plane));
			/* The host writes to the last one. */
			host->m.planes[n - 1].bytesused = 0x77;
			((struct v4l2_plane *)(void *)(rig.bytes + len))[-1].bytesused = 0x77;
			assert_int_equal(payload_bytes(&rig.payload), len);
			assert_int_equal(payload_rig_write(&rig, ROOM), len);
			assert_memory_equal(rig.reply, rig.bytes, len);
		}
	}
}

static void pointer_to_planes_comes_back_even_without_planes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(buffer_cmds); i++) {
		begin(MULTI, V4L2_MEMORY_USERPTR, 0);
		assert_int_equal(payload_rig_read_all(&rig, buffer_cmds[i]), 0);
		assert_null(rig.payload.arg.buffer.m.planes);
		assert_int_equal(rig.payload.planes_n, 0);
		assert_int_equal(payload_rig_write(&rig, ROOM), sizeof(struct v4l2_buffer));
		assert_memory_equal(rig.reply, rig.bytes, sizeof(struct v4l2_buffer));
	}
}

static void planes_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint32_t length, planes;
		size_t less;
	} cases[] = {
		{"one too many", VIDEO_MAX_PLANES + 1, VIDEO_MAX_PLANES + 1, 0},
		{"bytes that wrap to none", 1u << 26, 1, 0},
		{"as many as can be said", UINT32_MAX, 1, 0},
		{"none of one", 1, 0, 0},
		{"a byte short", 1, 1, 1},
		{"one short", 8, 7, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t cmd = 0; cmd < ARRAY_SIZE(buffer_cmds); cmd++) {
			begin(MULTI, V4L2_MEMORY_MMAP, cases[i].length);
			for (uint32_t plane = 0; plane < cases[i].planes; plane++)
				add_plane(0);
			if (payload_rig_read(&rig, buffer_cmds[cmd], rig.len - cases[i].less) !=
			    -EINVAL)
				fail_msg("%s: is taken", cases[i].name);
			assert_int_equal(payload_rig_write(&rig, ROOM), 0);
		}
	}
}

static void length_of_the_host_is_told_but_not_trusted(void **state)
{
	static const uint32_t answers[] = {0, 1, 2, 3, 8, 9, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct v4l2_buffer reply;
		size_t len;

		begin(MULTI, V4L2_MEMORY_MMAP, 2);
		add_plane(1);
		add_plane(2);
		assert_int_equal(payload_rig_read_all(&rig, VIDIOC_QUERYBUF), 0);
		rig.payload.arg.buffer.length = answers[i];
		len = payload_rig_write(&rig, ROOM);
		assert_int_equal(len,
				 sizeof(reply) + MIN(answers[i], 2u) * sizeof(struct v4l2_plane));
		memcpy(&reply, rig.reply, sizeof(reply));
		assert_int_equal(reply.length, answers[i]);
		assert_int_equal(reply.m.userptr, POINTER);
	}
}

static void type_that_the_host_changes_gives_no_pointer_away(void **state)
{
	struct v4l2_buffer reply;

	begin(MULTI, V4L2_MEMORY_MMAP, 1);
	add_plane(1);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_QUERYBUF), 0);
	rig.payload.arg.buffer.type = SINGLE;
	payload_rig_write(&rig, ROOM);
	memcpy(&reply, rig.reply, sizeof(reply));
	assert_int_equal(reply.m.userptr, POINTER);
}

static void what_a_single_plane_points_to_is_left_to_others(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(buffer_cmds); i++) {
		begin(SINGLE, V4L2_MEMORY_MMAP, 5000);
		assert_int_equal(payload_rig_read_all(&rig, buffer_cmds[i]), 0);
		assert_memory_equal(&rig.payload.arg.buffer, rig.bytes, sizeof(struct v4l2_buffer));
		assert_int_equal(rig.payload.planes_n, 0);
		rig.payload.arg.buffer.m.userptr = 0x1000;
		assert_int_equal(payload_rig_write(&rig, ROOM), sizeof(struct v4l2_buffer));
		assert_memory_equal(rig.reply, &rig.payload.arg.buffer, sizeof(struct v4l2_buffer));
	}
}

/* SG lists of one buffer. */

#define PLANES_MAX  4
#define ENTRIES_MAX 6

static const struct list_case {
	const char *name;
	uint32_t type;
	uint32_t lengths[PLANES_MAX]; /* of planes, or of the buffer */
	struct {
		uint64_t start;
		uint32_t len;
	} entries[ENTRIES_MAX];
	uint32_t less; /* bytes that the last one lacks */
	int result;
	struct {
		uint32_t first, n, last; /* entry, entries, bytes of the last of them */
	} lists[PLANES_MAX];
} lists[] = {
	{"one", SINGLE, {8192}, {{RIG_LOW, 8192}}, 0, 0, {{0, 1, 8192}}},
	{"a byte", SINGLE, {1}, {{RIG_END - 1, 1}}, 0, 0, {{0, 1, 1}}},
	{"none for no bytes", SINGLE, {0}, {{0}}, 0, 0, {{0}}},
	{"scattered",
	 SINGLE,
	 {5000},
	 {{RIG_LOW + 100, 3996}, {RIG_TOUCH, 4}, {RIG_LOW, 1000}},
	 0,
	 0,
	 {{0, 3, 1000}}},
	{"the last is cut to fit", SINGLE, {5}, {{RIG_LOW, 4}, {RIG_LOW, 4096}}, 0, 0, {{0, 2, 1}}},
	{"what is cut off need not be RAM", SINGLE, {5}, {{RIG_END - 5, 4096}}, 0, 0, {{0, 1, 5}}},
	{"the longest entry is cut as well",
	 SINGLE,
	 {5},
	 {{RIG_LOW, UINT32_MAX}},
	 0,
	 0,
	 {{0, 1, 5}}},
	{"all are the same bytes",
	 SINGLE,
	 {12},
	 {{RIG_LOW, 4}, {RIG_LOW, 4}, {RIG_LOW, 4}},
	 0,
	 0,
	 {{0, 3, 4}}},
	{"across regions that touch", SINGLE, {20}, {{RIG_TOUCH - 10, 20}}, 0, 0, {{0, 1, 20}}},
	{"all of RAM",
	 SINGLE,
	 {RIG_END - RIG_LOW},
	 {{RIG_LOW, RIG_END - RIG_LOW}},
	 0,
	 0,
	 {{0, 1, RIG_END - RIG_LOW}}},
	{"more than is needed", SINGLE, {4}, {{RIG_LOW, 4}, {0, 0}, {0, 1}}, 0, 0, {{0, 1, 4}}},
	{"one a plane",
	 MULTI,
	 {8, 16},
	 {{RIG_LOW, 8}, {RIG_LOW + 64, 16}},
	 0,
	 0,
	 {{0, 1, 8}, {1, 1, 16}}},
	{"none for a plane of no bytes",
	 MULTI,
	 {0, 8, 0, 9},
	 {{RIG_LOW, 8}, {RIG_LOW, 9}},
	 0,
	 0,
	 {{0, 0, 0}, {0, 1, 8}, {0, 0, 0}, {1, 1, 9}}},
	{"a plane starts with an entry of its own",
	 MULTI,
	 {6, 6},
	 {{RIG_LOW, 4}, {RIG_LOW + 8, 100}, {RIG_LOW + 32, 100}},
	 0,
	 0,
	 {{0, 2, 2}, {2, 1, 6}}},
	{"no entry", SINGLE, {1}, {{0}}, 0, -EINVAL, {{0}}},
	{"it ends too early", SINGLE, {9}, {{RIG_LOW, 4}, {RIG_LOW, 4}}, 0, -EINVAL, {{0}}},
	{"an entry that is a byte short", SINGLE, {8}, {{RIG_LOW, 8}}, 1, -EINVAL, {{0}}},
	{"nothing for the second plane", MULTI, {4, 4}, {{RIG_LOW, 100}}, 0, -EINVAL, {{0}}},
	{"an empty entry", SINGLE, {4}, {{RIG_LOW, 0}, {RIG_LOW, 4}}, 0, -EINVAL, {{0}}},
	{"an empty entry later",
	 SINGLE,
	 {8},
	 {{RIG_LOW, 4}, {RIG_LOW, 0}, {RIG_LOW, 4}},
	 0,
	 -EINVAL,
	 {{0}}},
	{"in front of RAM", SINGLE, {4}, {{RIG_LOW - 1, 4}}, 0, -EFAULT, {{0}}},
	{"behind RAM", SINGLE, {4}, {{RIG_END, 4}}, 0, -EFAULT, {{0}}},
	{"across the end of RAM", SINGLE, {4}, {{RIG_END - 3, 4}}, 0, -EFAULT, {{0}}},
	{"an address that wraps", SINGLE, {8}, {{UINT64_MAX - 3, 8}}, 0, -EFAULT, {{0}}},
	{"a length that leads round to RAM",
	 SINGLE,
	 {UINT32_MAX},
	 {{RIG_LOW - UINT64_C(0x80000000), UINT32_MAX}},
	 0,
	 -EFAULT,
	 {{0}}},
	{"all that a length can say",
	 SINGLE,
	 {UINT32_MAX},
	 {{RIG_LOW, UINT32_MAX}},
	 0,
	 -EFAULT,
	 {{0}}},
	{"the second plane is not RAM", MULTI, {4, 4}, {{RIG_LOW, 4}, {0, 4}}, 0, -EFAULT, {{0}}},
};

static unsigned int planes_of(const struct list_case *list)
{
	unsigned int n = PLANES_MAX;

	while (n > 1 && !list->lengths[n - 1])
		n--;
	return n;
}

static void begin_list(const struct list_case *list)
{
	const unsigned int planes = planes_of(list);
	unsigned int n = ENTRIES_MAX;

	while (n > 0 && !list->entries[n - 1].start && !list->entries[n - 1].len)
		n--;
	begin(list->type, V4L2_MEMORY_USERPTR, list->type == MULTI ? planes : list->lengths[0]);
	for (unsigned int i = 0; i < planes && list->type == MULTI; i++)
		add_plane(list->lengths[i]);
	for (unsigned int i = 0; i < n; i++)
		payload_rig_add_sg(&rig, list->entries[i].start, list->entries[i].len);
	rig.len -= list->less;
}

static void check_list(const struct list_case *list, int r)
{
	const struct payload *payload = &rig.payload;
	const struct virtio_media_sg_entry *all = payload->entries;

	if (r != list->result)
		fail_msg("%s: %d", list->name, r);
	for (unsigned int i = 0; i < PLANES_MAX && r == 0; i++) {
		const struct payload_sg *sg = &payload->sg[i];
		const uint32_t first = list->lists[i].first, n = list->lists[i].n;
		uint64_t covered = 0;

		if (sg->n != n || sg->len != list->lengths[i] ||
		    (n &&
		     (sg->entries != all + first || sg->entries[n - 1].len != list->lists[i].last)))
			fail_msg("%s: list %u", list->name, i);
		for (unsigned int e = 0; e < n; e++) {
			assert_int_equal(sg->entries[e].start, list->entries[first + e].start);
			covered += sg->entries[e].len;
		}
		assert_int_equal(covered, sg->len);
	}
}

static void lists_cover_each_plane_exactly_and_lie_in_ram(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		begin_list(&lists[i]);
		check_list(&lists[i], payload_rig_read_all(&rig, VIDIOC_QBUF));
		check_list(&lists[i], payload_rig_read_all(&rig, VIDIOC_PREPARE_BUF));
	}
}

static void lists_may_be_cut_at_any_byte(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		begin_list(&lists[i]);
		for (rig.split = 1; rig.split < rig.len; rig.split++)
			check_list(&lists[i], payload_rig_read_all(&rig, VIDIOC_QBUF));
		rig.split = 0;
		for (rig.cut = 1; rig.cut < 24; rig.cut++)
			check_list(&lists[i], payload_rig_read_all(&rig, VIDIOC_QBUF));
		rig.cut = 0;
	}
}

static void lists_are_not_repeated_in_the_reply(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const size_t len = sizeof(struct v4l2_buffer) +
				   (lists[i].type == MULTI ? planes_of(&lists[i]) : 0) *
					   sizeof(struct v4l2_plane);

		begin_list(&lists[i]);
		rig.in_place = i & 1;
		if (payload_rig_read_all(&rig, VIDIOC_QBUF) < 0)
			continue;
		assert_int_equal(payload_rig_write(&rig, len), len);
		assert_memory_equal(rig.reply, rig.bytes, len);
	}
}

static void lists_follow_no_other_memory_and_no_other_ioctl(void **state)
{
	static const uint32_t memories[] = {
		V4L2_MEMORY_MMAP,   V4L2_MEMORY_OVERLAY, V4L2_MEMORY_DMABUF, 0, 77,
		V4L2_MEMORY_USERPTR};

	for (size_t i = 0; i < ARRAY_SIZE(memories) * ARRAY_SIZE(buffer_cmds); i++) {
		const uint32_t memory = memories[i / ARRAY_SIZE(buffer_cmds)];
		const unsigned long cmd = buffer_cmds[i % ARRAY_SIZE(buffer_cmds)];

		if (memory == V4L2_MEMORY_USERPTR && cmd != VIDIOC_QUERYBUF)
			continue;
		begin(SINGLE, memory, 4096);
		assert_int_equal(payload_rig_read_all(&rig, cmd), 0);
		assert_int_equal(rig.payload.sg[0].n, 0);
		begin(MULTI, memory, 1);
		add_plane(4096);
		assert_int_equal(payload_rig_read_all(&rig, cmd), 0);
		assert_int_equal(rig.payload.sg[0].n, 0);
		assert_null(rig.payload.entries);
	}
}

static void entries_are_limited(void **state)
{
	for (uint32_t more = 0; more < 3; more++) {
		const uint32_t n = PAYLOAD_SG_MAX + more;
		const int r = more == 1 ? -E2BIG : 0;

		/* The last ones are not needed. */
		begin(SINGLE, V4L2_MEMORY_USERPTR, more == 2 ? n - 2 : n);
		for (uint32_t i = 0; i < n; i++)
			payload_rig_add_sg(&rig, RIG_LOW + i % 4096, 1);
		assert_int_equal(payload_rig_read_all(&rig, VIDIOC_QBUF), r);
		if (r == 0)
			assert_int_equal(rig.payload.sg[0].n, PAYLOAD_SG_MAX);
	}
}

static int setup(void **state)
{
	payload_rig_init(&rig);
	return 0;
}

static int teardown(void **state)
{
	payload_rig_deinit(&rig);
	return 0;
}

static const struct list_case *find_list(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i].type == type && lists[i].result == 0 && lists[i].lists[0].n > 0)
			return &lists[i];
	fail_msg("no such case");
	return NULL;
}

static void what_moves_takes_its_planes_and_lists_along(void **state)
{
	const struct list_case *list = find_list(MULTI);
	struct virtio_media_sg_entry *entries;
	struct payload moved;

	begin_list(list);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_QBUF), 0);
	entries = rig.payload.entries;
	payload_move(&moved, &rig.payload);
	assert_ptr_equal(moved.arg.buffer.m.planes, moved.planes);
	assert_ptr_equal(moved.entries, entries);
	assert_ptr_equal(moved.sg[0].entries, entries);
	assert_null(rig.payload.entries);
	assert_int_equal(payload_bytes(&rig.payload), 0);
	/* Whoever frees the old one does not harm the new one. */
	payload_deinit(&rig.payload);
	rig.payload = moved;
	check_list(list, 0);
}

static void memory_of_lists_is_kept_for_the_next_one(void **state)
{
	begin_list(find_list(SINGLE));
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_QBUF), 0);
	payload_clear(&rig.payload);
	assert_non_null(rig.payload.entries);
	assert_true(rig.payload.entries_room > 0);
	assert_int_equal(payload_bytes(&rig.payload), 0);
	payload_deinit(&rig.payload);
	assert_null(rig.payload.entries);
	assert_int_equal(rig.payload.entries_room, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(planes_follow_in_both_directions),
		TEST(pointer_to_planes_comes_back_even_without_planes),
		TEST(planes_that_cannot_be_are_refused),
		TEST(length_of_the_host_is_told_but_not_trusted),
		TEST(type_that_the_host_changes_gives_no_pointer_away),
		TEST(what_a_single_plane_points_to_is_left_to_others),
		TEST(lists_cover_each_plane_exactly_and_lie_in_ram),
		TEST(lists_may_be_cut_at_any_byte),
		TEST(lists_are_not_repeated_in_the_reply),
		TEST(lists_follow_no_other_memory_and_no_other_ioctl),
		TEST(entries_are_limited),
		TEST(what_moves_takes_its_planes_and_lists_along),
		TEST(memory_of_lists_is_kept_for_the_next_one),
	};

	return cmocka_run_group_tests_name("payload_buffer", tests, NULL, NULL);
}
