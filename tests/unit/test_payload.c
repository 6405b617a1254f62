/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_payload.c - structs of ioctls from a command to the host and back: all of them, EDIDs, and
 * those whose pointers stay out. Buffers and controls have tests of their own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "payload_rig.h"

#define ROOM	   4096
#define EDID_BLOCK 128u

static struct payload_rig rig;

/* Every ioctl that reaches a host and whose struct is all. */
static const struct media_ioctl *next_flat(uint32_t *code)
{
	while (*code < 256) {
		const struct media_ioctl *entry = media_ioctl_find((*code)++);

		if ((entry->kind == MEDIA_IOCTL_PASSED || entry->kind == MEDIA_IOCTL_HANDLED) &&
		    entry->layout == MEDIA_LAYOUT_FLAT)
			return entry;
	}
	return NULL;
}

static void begin_filled(size_t len, unsigned int seed)
{
	uint8_t bytes[PAYLOAD_ARG_MAX];

	payload_rig_fill(bytes, len, seed);
	payload_rig_begin(&rig);
	payload_rig_add(&rig, bytes, len);
}

static void every_struct_goes_in_and_comes_back_whole(void **state)
{
	const struct media_ioctl *entry;
	unsigned int n = 0;

	for (uint32_t code = 0; (entry = next_flat(&code)); n++) {
		const size_t size = media_ioctl_size(entry);
		const size_t out = media_ioctl_writes(entry) ? size : 0;
		uint8_t expected[PAYLOAD_ARG_MAX];

		begin_filled(size, code);
		assert_int_equal(payload_rig_read_all(&rig, entry->cmd), 0);
		if (media_ioctl_reads(entry))
			assert_memory_equal(rig.payload.arg.bytes, rig.bytes, size);
		payload_rig_fill(rig.payload.arg.bytes, size, code + 1);
		payload_rig_fill(expected, size, code + 1);
		if (payload_bytes(&rig.payload) != out || payload_rig_write(&rig, ROOM) != out ||
		    memcmp(rig.reply, expected, out))
			fail_msg("%s does not come back", entry->name);
	}
	assert_in_range(n, 50, 100);
}

static void struct_that_the_host_fills_in_is_empty_before(void **state)
{
	static const uint8_t zeroes[PAYLOAD_ARG_MAX];
	const struct media_ioctl *entry;
	unsigned int n = 0;

	for (uint32_t code = 0; (entry = next_flat(&code));) {
		if (media_ioctl_reads(entry))
			continue;
		begin_filled(media_ioctl_size(entry), code);
		assert_int_equal(payload_rig_read_all(&rig, entry->cmd), 0);
		assert_memory_equal(rig.payload.arg.bytes, zeroes, PAYLOAD_ARG_MAX);
		assert_int_equal(payload_rig_read(&rig, entry->cmd, 0), 0);
		n++;
	}
	assert_in_range(n, 8, 20);
}

static void bytes_behind_the_payload_are_ignored(void **state)
{
	const uint32_t input = 3;

	begin_filled(4, 1);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_G_INPUT), 0);
	memcpy(rig.payload.arg.bytes, &input, sizeof(input));
	assert_int_equal(payload_rig_write(&rig, ROOM), sizeof(input));
	assert_memory_equal(rig.reply, &input, sizeof(input));
	begin_filled(100, 2);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_S_INPUT), 0);
	assert_int_equal(payload_bytes(&rig.payload), sizeof(input));
	assert_memory_equal(rig.payload.arg.bytes, rig.bytes, sizeof(input));
	assert_int_equal(rig.payload.arg.bytes[sizeof(input)], 0);
}

static void short_struct_is_refused(void **state)
{
	for (uint32_t code = 0; code < 256; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);
		const size_t size = media_ioctl_size(entry);
		const size_t lens[] = {0, 1, size / 2, size - 1};

		if (!media_ioctl_reads(entry))
			continue;
		begin_filled(size, code);
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			if (payload_rig_read(&rig, entry->cmd, lens[i]) != -EINVAL)
				fail_msg("%s with %zu bytes", entry->name, lens[i]);
			/* And there is nothing to be written back. */
			assert_int_equal(payload_bytes(&rig.payload), 0);
			assert_int_equal(payload_rig_write(&rig, ROOM), 0);
		}
	}
}

static void reply_is_cut_where_the_room_ends(void **state)
{
	struct v4l2_edid edid = {.blocks = 1};
	const size_t whole = sizeof(edid) + EDID_BLOCK;
	uint8_t expected[sizeof(edid) + EDID_BLOCK];

	payload_rig_begin(&rig);
	payload_rig_add(&rig, &edid, sizeof(edid));
	payload_rig_fill(expected, sizeof(expected), 1);
	payload_rig_add(&rig, expected + sizeof(edid), EDID_BLOCK);
	memcpy(expected, &edid, sizeof(edid));
	for (size_t room = 0; room <= whole + 1; room++) {
		assert_int_equal(payload_rig_read_all(&rig, VIDIOC_G_EDID), 0);
		assert_int_equal(payload_bytes(&rig.payload), whole);
		assert_int_equal(payload_rig_write(&rig, room), MIN(room, whole));
		assert_memory_equal(rig.reply, expected, MIN(room, whole));
	}
}

/* Clips and bitmap of overlays. */

static const unsigned long format_cmds[] = {VIDIOC_G_FMT, VIDIOC_S_FMT, VIDIOC_TRY_FMT,
					    VIDIOC_CREATE_BUFS};

/* Where the host gets the format of the command. */
static struct v4l2_format *format_of(unsigned long cmd)
{
	return cmd == VIDIOC_CREATE_BUFS ? &rig.payload.arg.create.format : &rig.payload.arg.format;
}

static void read_format(unsigned long cmd, const struct v4l2_format *format)
{
	struct v4l2_create_buffers create = {.index = 1, .count = 2, .memory = 3};

	create.format = *format;
	payload_rig_begin(&rig);
	if (cmd == VIDIOC_CREATE_BUFS)
		payload_rig_add(&rig, &create, sizeof(create));
	else
		payload_rig_add(&rig, format, sizeof(*format));
	assert_int_equal(payload_rig_read_all(&rig, cmd), 0);
}

static void clips_and_bitmap_of_overlays_stay_with_the_guest(void **state)
{
	static const uint32_t types[] = {V4L2_BUF_TYPE_VIDEO_OVERLAY,
					 V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY};

	for (size_t i = 0; i < ARRAY_SIZE(format_cmds) * ARRAY_SIZE(types); i++) {
		const unsigned long cmd = format_cmds[i / ARRAY_SIZE(types)];
		struct v4l2_format format, *host = format_of(cmd);
		size_t len;

		payload_rig_fill(&format, sizeof(format), 7);
		format.type = types[i % ARRAY_SIZE(types)];
		read_format(cmd, &format);
		assert_null(host->fmt.win.clips);
		assert_null(host->fmt.win.bitmap);
		assert_int_equal(host->fmt.win.clipcount, 0);
		/* What the host puts there is of no use to a guest. */
		host->fmt.win.clips = (void *)&rig;
		host->fmt.win.bitmap = &rig;
		host->fmt.win.clipcount = 5;
		host->fmt.win.chromakey = format.fmt.win.chromakey = 0x123456;
		len = payload_rig_write(&rig, ROOM);
		assert_int_equal(len, _IOC_SIZE(cmd));
		assert_memory_equal(rig.reply +
					    (cmd == VIDIOC_CREATE_BUFS
						     ? offsetof(struct v4l2_create_buffers, format)
						     : 0),
				    &format, sizeof(format));
	}
}

static void formats_without_pointers_pass_as_they_are(void **state)
{
	for (uint32_t type = 0; type < 20; type++) {
		struct v4l2_format format;

		if (type == V4L2_BUF_TYPE_VIDEO_OVERLAY ||
		    type == V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(format_cmds); i++) {
			payload_rig_fill(&format, sizeof(format), type);
			format.type = type;
			read_format(format_cmds[i], &format);
			assert_memory_equal(format_of(format_cmds[i]), &format, sizeof(format));
			payload_rig_write(&rig, ROOM);
			assert_memory_equal(rig.reply, rig.bytes, _IOC_SIZE(format_cmds[i]));
		}
	}
}

static void type_that_the_host_changes_does_not_change_what_is_put_back(void **state)
{
	struct v4l2_format format, *host = format_of(VIDIOC_G_FMT);

	payload_rig_fill(&format, sizeof(format), 3);
	format.type = V4L2_BUF_TYPE_VIDEO_OVERLAY;
	read_format(VIDIOC_G_FMT, &format);
	host->type = format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	host->fmt.win.clips = (void *)&rig;
	payload_rig_write(&rig, ROOM);
	assert_memory_equal(rig.reply, &format, sizeof(format));
}

static void address_of_the_frame_buffer_is_blanked(void **state)
{
	struct v4l2_framebuffer *host = &rig.payload.arg.framebuffer, reply;

	payload_rig_begin(&rig);
	assert_int_equal(payload_rig_read_all(&rig, VIDIOC_G_FBUF), 0);
	*host = (struct v4l2_framebuffer) {.flags = 5, .base = (void *)0xfe000000, .fmt.width = 9};
	assert_int_equal(payload_rig_write(&rig, ROOM), sizeof(reply));
	memcpy(&reply, rig.reply, sizeof(reply));
	assert_null(reply.base);
	assert_int_equal(reply.flags, 5);
	assert_int_equal(reply.fmt.width, 9);
}

/* EDIDs. */

static const unsigned long edid_cmds[] = {VIDIOC_G_EDID, VIDIOC_S_EDID};

static int read_edid(unsigned long cmd, uint32_t blocks, size_t bytes)
{
	struct v4l2_edid edid = {.blocks = blocks, .edid = (uint8_t *)0x1234567890abcdef};
	uint8_t data[257 * EDID_BLOCK];

	payload_rig_begin(&rig);
	payload_rig_add(&rig, &edid, sizeof(edid));
	payload_rig_fill(data, bytes, blocks);
	payload_rig_add(&rig, data, bytes);
	return payload_rig_read_all(&rig, cmd);
}

static void edid_blocks_follow_in_both_directions(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, 255, 256};

	for (size_t i = 0; i < ARRAY_SIZE(counts) * 2; i++) {
		const size_t len = counts[i / 2] * (size_t)EDID_BLOCK;
		struct v4l2_edid *host = &rig.payload.arg.edid;
		uint8_t expected[256 * EDID_BLOCK + sizeof(*host)];

		assert_int_equal(read_edid(edid_cmds[i & 1], counts[i / 2], len), 0);
		if (len == 0) {
			assert_null(host->edid);
		} else {
			assert_memory_equal(host->edid, rig.bytes + sizeof(*host), len);
			payload_rig_fill(host->edid, len, 77);
		}
		memcpy(expected, rig.bytes, sizeof(*host));
		payload_rig_fill(expected + sizeof(*host), len, 77);
		assert_int_equal(payload_bytes(&rig.payload), sizeof(*host) + len);
		assert_int_equal(payload_rig_write(&rig, sizeof(expected)), sizeof(*host) + len);
		assert_memory_equal(rig.reply, expected, sizeof(*host) + len);
	}
}

static void edid_that_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *name;
		uint32_t blocks;
		size_t bytes;
	} cases[] = {
		{"a block too many", 257, 257 * EDID_BLOCK},
		{"bytes that wrap to none", 1u << 25, 0},
		{"bytes that wrap to a block", (1u << 25) + 1, EDID_BLOCK},
		{"all blocks there can be", UINT32_MAX, EDID_BLOCK},
		{"no block of one", 1, 0},
		{"a byte short", 2, 2 * EDID_BLOCK - 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		if (read_edid(edid_cmds[i & 1], cases[i / 2].blocks, cases[i / 2].bytes) != -EINVAL)
			fail_msg("%s is taken", cases[i / 2].name);
		assert_int_equal(payload_rig_write(&rig, ROOM), 0);
	}
}

static void edid_count_of_the_host_is_told_but_not_trusted(void **state)
{
	static const uint32_t answers[] = {0, 1, 2, 3, 256, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct v4l2_edid reply;
		size_t len;

		assert_int_equal(read_edid(VIDIOC_G_EDID, 2, 2 * EDID_BLOCK), 0);
		rig.payload.arg.edid.blocks = answers[i];
		len = payload_rig_write(&rig, ROOM);
		assert_int_equal(len, sizeof(reply) + MIN(answers[i], 2u) * EDID_BLOCK);
		memcpy(&reply, rig.reply, sizeof(reply));
		assert_int_equal(reply.blocks, answers[i]);
		assert_ptr_equal(reply.edid, 0x1234567890abcdef);
	}
}

static void framing_does_not_matter(void **state)
{
	const size_t whole = sizeof(struct v4l2_edid) + EDID_BLOCK;

	for (size_t i = 0; i < 2 * (whole - 1); i++) {
		rig.in_place = i & 1;
		rig.split = 1 + i / 2;
		assert_int_equal(read_edid(VIDIOC_S_EDID, 1, EDID_BLOCK), 0);
		assert_int_equal(payload_rig_write(&rig, whole), whole);
		assert_memory_equal(rig.reply, rig.bytes, whole);
	}
	rig.split = 0;
	for (rig.cut = 1; rig.cut <= 64; rig.cut++) {
		assert_int_equal(read_edid(VIDIOC_S_EDID, 1, EDID_BLOCK), 0);
		assert_int_equal(payload_rig_write(&rig, whole), whole);
		assert_memory_equal(rig.reply, rig.bytes, whole);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_struct_goes_in_and_comes_back_whole),
		TEST(struct_that_the_host_fills_in_is_empty_before),
		TEST(bytes_behind_the_payload_are_ignored),
		TEST(short_struct_is_refused),
		TEST(reply_is_cut_where_the_room_ends),
		TEST(clips_and_bitmap_of_overlays_stay_with_the_guest),
		TEST(formats_without_pointers_pass_as_they_are),
		TEST(type_that_the_host_changes_does_not_change_what_is_put_back),
		TEST(address_of_the_frame_buffer_is_blanked),
		TEST(edid_blocks_follow_in_both_directions),
		TEST(edid_that_cannot_be_is_refused),
		TEST(edid_count_of_the_host_is_told_but_not_trusted),
		TEST(framing_does_not_matter),
	};

	return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
