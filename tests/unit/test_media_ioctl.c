/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_ioctl.c - every ioctl number through a virtio-media device, from a driver's command
 * to the host and back.
 *
 * Virtio 1.4, media device, "V4L2 ioctls". For the arguments see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/ioctl.h"
#include "media_rig.h"

#define ARG_MAX 4096 /* more than any struct */

static struct media_rig rig;
static uint8_t host_says[ARG_MAX], got[ARG_MAX];
static int host_result;

static int begin(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

static void fill(uint8_t *bytes, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static int swap(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	memcpy(got, arg, _IOC_SIZE(cmd));
	if (_IOC_DIR(cmd) & _IOC_READ)
		memcpy(arg, host_says, _IOC_SIZE(cmd));
	return host_result;
}

/* Of the flat ones, and no others: those with pointers or steps have tests of their own. */
static bool is_flat(const struct media_ioctl *entry)
{
	return entry->kind == MEDIA_IOCTL_PASSED && entry->layout == MEDIA_LAYOUT_FLAT;
}

static void whole_structs_pass_both_ways(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	static uint8_t sent[ARG_MAX], back[ARG_MAX];
	unsigned int n = 0;

	host_result = 0;
	for (uint32_t code = 0; code < 256; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);
		const size_t size = media_ioctl_size(entry);

		if (!is_flat(entry))
			continue;
		n++;
		fill(sent, sizeof(sent), code + 1);
		fill(host_says, sizeof(host_says), code + 1000);
		memcpy(back, sent, sizeof(back));
		memset(got, 0, sizeof(got));
		fake_node_answer(rig.node, entry->cmd, &(struct fake_answer) {.fn = swap});
		if (media_driver_ioctl(&rig.md, session, entry->cmd, back) != 0)
			fail_msg("%s", entry->name);
		if (media_ioctl_reads(entry) && memcmp(got, sent, size) != 0)
			fail_msg("%s: the host gets other bytes", entry->name);
		if (memcmp(back, media_ioctl_writes(entry) ? host_says : sent, size) != 0)
			fail_msg("%s: the driver gets other bytes", entry->name);
		assert_int_equal(rig.md.used, 8 + (media_ioctl_writes(entry) ? size : 0));
		assert_int_equal(fake_node_calls(rig.node, entry->cmd), 1);
	}
	assert_true(n >= 45);
}

/* What only the host writes begins as zeros, not as what the host's memory held before. */
static void nothing_of_earlier_commands_gets_to_the_host(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	static const uint8_t zeros[ARG_MAX];
	struct v4l2_format format;

	memset(&format, 0x5a, sizeof(format));
	format.type = CAPTURE;
	memset(host_says, 0, sizeof(host_says));
	host_result = 0;
	for (uint32_t code = 0; code < 256; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);
		uint8_t back[ARG_MAX];

		if (!is_flat(entry) || media_ioctl_reads(entry) || !media_ioctl_size(entry))
			continue;
		media_driver_ioctl(&rig.md, session, VIDIOC_TRY_FMT, &format);
		memset(got, 1, sizeof(got));
		fake_node_answer(rig.node, entry->cmd, &(struct fake_answer) {.fn = swap});
		assert_int_equal(media_driver_ioctl(&rig.md, session, entry->cmd, back), 0);
		assert_memory_equal(got, zeros, media_ioctl_size(entry));
	}
}

static void errors_of_the_host_pass_as_they_are(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	uint8_t back[ARG_MAX] = {0};

	for (uint32_t code = 0; code < 256; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);

		if (!is_flat(entry))
			continue;
		host_result = -(int)(1 + code % 120);
		fake_node_answer(rig.node, entry->cmd, &(struct fake_answer) {.fn = swap});
		assert_int_equal(media_driver_ioctl(&rig.md, session, entry->cmd, back),
				 -host_result);
		/* V4L2 changes these even then: a driver reads the signal's timings. */
		assert_int_equal(rig.md.used,
				 entry->always_payload ? 8 + media_ioctl_size(entry) : 8);
	}
}

/* "Unsupported ioctls" of the specification, by their names. */
static void what_the_specification_replaces_is_enotty(void **state)
{
	static const unsigned long cmds[] = {
		VIDIOC_QUERYCAP,   VIDIOC_DQBUF,      VIDIOC_DQEVENT,
		VIDIOC_G_JPEGCOMP, VIDIOC_S_JPEGCOMP, VIDIOC_LOG_STATUS,
	};
	const uint32_t session = media_rig_open(&rig);
	uint8_t arg[ARG_MAX] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		fake_node_answer(rig.node, cmds[i], &(struct fake_answer) {.result = 0});
		assert_int_equal(media_driver_ioctl(&rig.md, session, cmds[i], arg), ENOTTY);
		assert_int_equal(rig.md.used, 8);
		assert_int_equal(fake_node_calls(rig.node, cmds[i]), 0);
	}
}

/* All numbers, those beyond the 8 bits of an ioctl too: the host sees what is passed and no more.
 */
static void all_other_numbers_are_enotty(void **state)
{
	static const uint32_t large[] = {256, 1000, 0x5600 | 4, 0x80000004, 0xc0cc5604, UINT32_MAX};
	const uint32_t session = media_rig_open(&rig);
	uint8_t arg[ARG_MAX] = {0};
	unsigned int n = 0;

	for (uint32_t code = 0; code < 256; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);

		if (entry->kind == MEDIA_IOCTL_PASSED || entry->kind == MEDIA_IOCTL_HANDLED)
			continue;
		n++;
		assert_int_equal(media_driver_bytes(&rig.md, session, code, arg, sizeof(arg), arg,
						    sizeof(arg)),
				 ENOTTY);
		assert_int_equal(rig.md.used, 8);
		assert_int_equal(fake_node_calls(rig.node, code), 0);
	}
	assert_true(n > 140);
	for (size_t i = 0; i < ARRAY_SIZE(large); i++)
		assert_int_equal(media_driver_bytes(&rig.md, session, large[i], arg, sizeof(arg),
						    arg, sizeof(arg)),
				 ENOTTY);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_G_FMT), 0);
}

static void a_host_without_the_ioctl_is_enotty_too(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_selection selection = {.type = CAPTURE};

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_G_SELECTION, &selection),
			 ENOTTY);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_G_SELECTION), 1);
}

/* Every length short of the struct: refused before the host sees it. */
static void a_payload_that_is_cut_short_is_refused(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	static uint8_t arg[ARG_MAX], back[ARG_MAX];

	for (uint32_t code = 0; code < 256; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);
		const uint32_t size = (uint32_t)media_ioctl_size(entry);
		const uint32_t lengths[] = {0, 1, size / 2, size - 1};

		if ((entry->kind != MEDIA_IOCTL_PASSED && entry->kind != MEDIA_IOCTL_HANDLED) ||
		    !media_ioctl_reads(entry))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			assert_int_equal(media_driver_bytes(&rig.md, session, code, arg, lengths[i],
							    back, sizeof(back)),
					 EINVAL);
			assert_int_equal(rig.md.used, 8);
		}
		assert_int_equal(fake_node_calls(rig.node, entry->cmd), 0);
	}
}

/* An ioctl whose results have no room is not carried out: half of them would look like success. */
static void an_ioctl_without_room_for_its_results_is_refused(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_format format = {.type = CAPTURE}, back;
	static const uint32_t rooms[] = {0, 1, 100, sizeof(format) - 1};

	fake_node_answer(rig.node, VIDIOC_S_FMT, &(struct fake_answer) {.result = 0});
	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
		assert_int_equal(media_driver_bytes(&rig.md, session, _IOC_NR(VIDIOC_S_FMT),
						    &format, sizeof(format), &back, rooms[i]),
				 EINVAL);
		assert_int_equal(rig.md.used, 8);
	}
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_S_FMT), 0);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_S_FMT, &format), 0);
}

static void pointers_of_overlays_stay_with_the_guest(void **state)
{
	static const unsigned long cmds[] = {VIDIOC_G_FMT, VIDIOC_S_FMT, VIDIOC_TRY_FMT};
	static const uint32_t types[] = {V4L2_BUF_TYPE_VIDEO_OVERLAY,
					 V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY};
	const uint32_t session = media_rig_open(&rig);

	for (size_t i = 0; i < 6; i++) {
		struct v4l2_format format = {
			.type = types[i % 2],
			.fmt.win = {.w.left = 5,
				    .clips = (void *)(uintptr_t)0xdead0000,
				    .clipcount = 3,
				    .bitmap = (void *)(uintptr_t)0xbeef0000},
		};
		const struct v4l2_format *at_host;
		struct fake_seen seen;

		fake_node_answer(rig.node, cmds[i / 2], &(struct fake_answer) {.result = 0});
		assert_int_equal(media_driver_ioctl(&rig.md, session, cmds[i / 2], &format), 0);
		seen = fake_node_seen(rig.node, cmds[i / 2]);
		at_host = (const void *)seen.arg;
		assert_int_equal(at_host->fmt.win.w.left, 5);
		assert_null(at_host->fmt.win.clips);
		assert_null(at_host->fmt.win.bitmap);
		assert_int_equal(at_host->fmt.win.clipcount, 0);
		assert_ptr_equal(format.fmt.win.clips, (void *)(uintptr_t)0xdead0000);
		assert_ptr_equal(format.fmt.win.bitmap, (void *)(uintptr_t)0xbeef0000);
	}
}

static void a_host_s_frame_buffer_address_stays_there(void **state)
{
	static const struct v4l2_framebuffer host = {
		.base = (void *)(uintptr_t)0xfd000000,
		.fmt.width = 1024,
	};
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_framebuffer framebuffer = {.base = NULL};

	fake_node_answer(rig.node, VIDIOC_G_FBUF, &(struct fake_answer) {.arg = &host});
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_G_FBUF, &framebuffer), 0);
	assert_int_equal(framebuffer.fmt.width, 1024);
	assert_null(framebuffer.base);
}

/* Blocks of an EDID follow the struct in both directions. */
static void edid_blocks_pass_both_ways(void **state)
{
	struct {
		struct v4l2_edid edid;
		uint8_t blocks[256];
	} __attribute__((packed)) out =
		{
			.edid = {.pad = 1, .blocks = 2, .edid = (void *)(uintptr_t)0x77777777},
		},
				  in = {.edid.pad = 0};
	const uint32_t session = media_rig_open(&rig);
	struct fake_seen seen;

	fill(out.blocks, sizeof(out.blocks), 5);
	fake_node_answer(rig.node, VIDIOC_S_EDID, &(struct fake_answer) {.result = 0});
	assert_int_equal(media_driver_bytes(&rig.md, session, _IOC_NR(VIDIOC_S_EDID), &out,
					    sizeof(out), &in, sizeof(in)),
			 0);
	seen = fake_node_seen(rig.node, VIDIOC_S_EDID);
	assert_memory_equal(seen.data[0], out.blocks, sizeof(seen.data[0]));
	assert_int_equal(rig.md.used, 8 + sizeof(in));
	assert_memory_equal(&in, &out, sizeof(in));
	out.edid.blocks = 257;
	assert_int_equal(media_driver_bytes(&rig.md, session, _IOC_NR(VIDIOC_S_EDID), &out,
					    sizeof(out), &in, sizeof(in)),
			 EINVAL);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_S_EDID), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_structs_pass_both_ways),
		TEST(nothing_of_earlier_commands_gets_to_the_host),
		TEST(errors_of_the_host_pass_as_they_are),
		TEST(what_the_specification_replaces_is_enotty),
		TEST(all_other_numbers_are_enotty),
		TEST(a_host_without_the_ioctl_is_enotty_too),
		TEST(a_payload_that_is_cut_short_is_refused),
		TEST(an_ioctl_without_room_for_its_results_is_refused),
		TEST(pointers_of_overlays_stay_with_the_guest),
		TEST(a_host_s_frame_buffer_address_stays_there),
		TEST(edid_blocks_pass_both_ways),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
