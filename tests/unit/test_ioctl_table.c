/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ioctl_table.c - the table of V4L2's ioctls: complete, in the 64-bit layout, and the same as
 * the one in docs/media.md, which is this program's argument.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/ioctl.h"
#include "devices/media/payload.h"

#define CODES 256

static const char *document;

/*
 * Every ioctl of videodev2.h, with the number that the kernel knows it by on 64-bit machines: what
 * a guest has in mind, whatever the header says that this is compiled with.
 */
static const struct {
	const char *name;
	unsigned long cmd;
} known[CODES] = {
	/* clang-format off */
	[0] = {"VIDIOC_QUERYCAP", 0x80685600},
	[2] = {"VIDIOC_ENUM_FMT", 0xc0405602},
	[4] = {"VIDIOC_G_FMT", 0xc0d05604},
	[5] = {"VIDIOC_S_FMT", 0xc0d05605},
	[8] = {"VIDIOC_REQBUFS", 0xc0145608},
	[9] = {"VIDIOC_QUERYBUF", 0xc0585609},
	[10] = {"VIDIOC_G_FBUF", 0x8030560a},
	[11] = {"VIDIOC_S_FBUF", 0x4030560b},
	[14] = {"VIDIOC_OVERLAY", 0x4004560e},
	[15] = {"VIDIOC_QBUF", 0xc058560f},
	[16] = {"VIDIOC_EXPBUF", 0xc0405610},
	[17] = {"VIDIOC_DQBUF", 0xc0585611},
	[18] = {"VIDIOC_STREAMON", 0x40045612},
	[19] = {"VIDIOC_STREAMOFF", 0x40045613},
	[21] = {"VIDIOC_G_PARM", 0xc0cc5615},
	[22] = {"VIDIOC_S_PARM", 0xc0cc5616},
	[23] = {"VIDIOC_G_STD", 0x80085617},
	[24] = {"VIDIOC_S_STD", 0x40085618},
	[25] = {"VIDIOC_ENUMSTD", 0xc0485619},
	[26] = {"VIDIOC_ENUMINPUT", 0xc050561a},
	[27] = {"VIDIOC_G_CTRL", 0xc008561b},
	[28] = {"VIDIOC_S_CTRL", 0xc008561c},
	[29] = {"VIDIOC_G_TUNER", 0xc054561d},
	[30] = {"VIDIOC_S_TUNER", 0x4054561e},
	[33] = {"VIDIOC_G_AUDIO", 0x80345621},
	[34] = {"VIDIOC_S_AUDIO", 0x40345622},
	[36] = {"VIDIOC_QUERYCTRL", 0xc0445624},
	[37] = {"VIDIOC_QUERYMENU", 0xc02c5625},
	[38] = {"VIDIOC_G_INPUT", 0x80045626},
	[39] = {"VIDIOC_S_INPUT", 0xc0045627},
	[40] = {"VIDIOC_G_EDID", 0xc0285628},
	[41] = {"VIDIOC_S_EDID", 0xc0285629},
	[46] = {"VIDIOC_G_OUTPUT", 0x8004562e},
	[47] = {"VIDIOC_S_OUTPUT", 0xc004562f},
	[48] = {"VIDIOC_ENUMOUTPUT", 0xc0485630},
	[49] = {"VIDIOC_G_AUDOUT", 0x80345631},
	[50] = {"VIDIOC_S_AUDOUT", 0x40345632},
	[54] = {"VIDIOC_G_MODULATOR", 0xc0445636},
	[55] = {"VIDIOC_S_MODULATOR", 0x40445637},
	[56] = {"VIDIOC_G_FREQUENCY", 0xc02c5638},
	[57] = {"VIDIOC_S_FREQUENCY", 0x402c5639},
	[58] = {"VIDIOC_CROPCAP", 0xc02c563a},
	[59] = {"VIDIOC_G_CROP", 0xc014563b},
	[60] = {"VIDIOC_S_CROP", 0x4014563c},
	[61] = {"VIDIOC_G_JPEGCOMP", 0x808c563d},
	[62] = {"VIDIOC_S_JPEGCOMP", 0x408c563e},
	[63] = {"VIDIOC_QUERYSTD", 0x8008563f},
	[64] = {"VIDIOC_TRY_FMT", 0xc0d05640},
	[65] = {"VIDIOC_ENUMAUDIO", 0xc0345641},
	[66] = {"VIDIOC_ENUMAUDOUT", 0xc0345642},
	[67] = {"VIDIOC_G_PRIORITY", 0x80045643},
	[68] = {"VIDIOC_S_PRIORITY", 0x40045644},
	[69] = {"VIDIOC_G_SLICED_VBI_CAP", 0xc0745645},
	[70] = {"VIDIOC_LOG_STATUS", 0x00005646},
	[71] = {"VIDIOC_G_EXT_CTRLS", 0xc0205647},
	[72] = {"VIDIOC_S_EXT_CTRLS", 0xc0205648},
	[73] = {"VIDIOC_TRY_EXT_CTRLS", 0xc0205649},
	[74] = {"VIDIOC_ENUM_FRAMESIZES", 0xc02c564a},
	[75] = {"VIDIOC_ENUM_FRAMEINTERVALS", 0xc034564b},
	[76] = {"VIDIOC_G_ENC_INDEX", 0x8818564c},
	[77] = {"VIDIOC_ENCODER_CMD", 0xc028564d},
	[78] = {"VIDIOC_TRY_ENCODER_CMD", 0xc028564e},
	[79] = {"VIDIOC_DBG_S_REGISTER", 0x4038564f},
	[80] = {"VIDIOC_DBG_G_REGISTER", 0xc0385650},
	[82] = {"VIDIOC_S_HW_FREQ_SEEK", 0x40305652},
	[87] = {"VIDIOC_S_DV_TIMINGS", 0xc0845657},
	[88] = {"VIDIOC_G_DV_TIMINGS", 0xc0845658},
	[89] = {"VIDIOC_DQEVENT", 0x80885659},
	[90] = {"VIDIOC_SUBSCRIBE_EVENT", 0x4020565a},
	[91] = {"VIDIOC_UNSUBSCRIBE_EVENT", 0x4020565b},
	[92] = {"VIDIOC_CREATE_BUFS", 0xc100565c},
	[93] = {"VIDIOC_PREPARE_BUF", 0xc058565d},
	[94] = {"VIDIOC_G_SELECTION", 0xc040565e},
	[95] = {"VIDIOC_S_SELECTION", 0xc040565f},
	[96] = {"VIDIOC_DECODER_CMD", 0xc0485660},
	[97] = {"VIDIOC_TRY_DECODER_CMD", 0xc0485661},
	[98] = {"VIDIOC_ENUM_DV_TIMINGS", 0xc0945662},
	[99] = {"VIDIOC_QUERY_DV_TIMINGS", 0x80845663},
	[100] = {"VIDIOC_DV_TIMINGS_CAP", 0xc0905664},
	[101] = {"VIDIOC_ENUM_FREQ_BANDS", 0xc0405665},
	[102] = {"VIDIOC_DBG_G_CHIP_INFO", 0xc0c85666},
	[103] = {"VIDIOC_QUERY_EXT_CTRL", 0xc0e85667},
	[104] = {"VIDIOC_REMOVE_BUFS", 0xc0405668},
	/* clang-format on */
};

static void every_ioctl_has_an_entry_and_no_other_number_does(void **state)
{
	for (uint32_t code = 0; code < CODES; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);

		assert_non_null(entry->name);
		if (known[code].name)
			assert_string_equal(entry->name, known[code].name);
		if ((entry->kind != MEDIA_IOCTL_UNKNOWN) != !!known[code].name)
			fail_msg("%u is %s", code, entry->name);
	}
}

static void codes_are_those_of_64_bit_machines(void **state)
{
	for (uint32_t code = 0; code < CODES; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);

		if (!known[code].name)
			continue;
		if (entry->cmd != known[code].cmd)
			fail_msg("%s is %#lx", entry->name, entry->cmd);
		assert_int_equal(_IOC_NR(entry->cmd), code);
		assert_int_equal(_IOC_TYPE(entry->cmd), 'V');
		assert_in_range(media_ioctl_size(entry), 0, PAYLOAD_ARG_MAX);
	}
}

static void numbers_beyond_the_table_are_unknown(void **state)
{
	static const uint32_t codes[] = {1,	     105,	 191,	     192,
					 255,	     256,	 1024,	     65536,
					 0x7fffffff, 0x80000000, 0xc0585609, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		const struct media_ioctl *entry = media_ioctl_find(codes[i]);

		assert_int_equal(entry->kind, MEDIA_IOCTL_UNKNOWN);
		assert_int_equal(media_ioctl_size(entry), 0);
		assert_false(media_ioctl_reads(entry) || media_ioctl_writes(entry));
	}
}

/* All entries for which @is says so are in @names, and the other way round. */
static void check_set(bool (*is)(const struct media_ioctl *entry), const unsigned long *cmds,
		      size_t n)
{
	for (uint32_t code = 0; code < CODES; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);
		bool listed = false;

		for (size_t i = 0; i < n; i++)
			listed |= _IOC_NR(cmds[i]) == code;
		if (is(entry) != listed)
			fail_msg("%s", entry->name);
	}
}

static bool is_replaced(const struct media_ioctl *entry)
{
	return entry->kind == MEDIA_IOCTL_REPLACED;
}

static bool is_refused(const struct media_ioctl *entry)
{
	return entry->kind == MEDIA_IOCTL_REFUSED;
}

static bool is_always(const struct media_ioctl *entry)
{
	return entry->always_payload;
}

static void what_the_specification_replaces_is_replaced(void **state)
{
	static const unsigned long cmds[] = {VIDIOC_QUERYCAP, VIDIOC_DQBUF, VIDIOC_DQEVENT};

	check_set(is_replaced, cmds, ARRAY_SIZE(cmds));
}

static void nothing_but_what_reaches_into_the_host_is_refused(void **state)
{
	static const unsigned long cmds[] = {
		VIDIOC_G_JPEGCOMP,     VIDIOC_S_JPEGCOMP,     VIDIOC_LOG_STATUS,
		VIDIOC_DBG_S_REGISTER, VIDIOC_DBG_G_REGISTER, VIDIOC_DBG_G_CHIP_INFO,
		VIDIOC_EXPBUF,	       VIDIOC_S_FBUF,	      VIDIOC_OVERLAY,
	};

	check_set(is_refused, cmds, ARRAY_SIZE(cmds));
}

static void errors_have_a_payload_where_v4l2_says_so(void **state)
{
	static const unsigned long cmds[] = {
		VIDIOC_G_EXT_CTRLS, VIDIOC_S_EXT_CTRLS, VIDIOC_TRY_EXT_CTRLS,
		VIDIOC_G_EDID,	    VIDIOC_S_EDID,	VIDIOC_QUERY_DV_TIMINGS,
	};

	check_set(is_always, cmds, ARRAY_SIZE(cmds));
}

static void structs_with_pointers_are_treated_as_such(void **state)
{
	static const struct {
		unsigned long cmd;
		enum media_layout layout;
	} cases[] = {
		{VIDIOC_QUERYBUF, MEDIA_LAYOUT_BUFFER},
		{VIDIOC_QBUF, MEDIA_LAYOUT_BUFFER},
		{VIDIOC_PREPARE_BUF, MEDIA_LAYOUT_BUFFER},
		{VIDIOC_G_EXT_CTRLS, MEDIA_LAYOUT_CONTROLS},
		{VIDIOC_S_EXT_CTRLS, MEDIA_LAYOUT_CONTROLS},
		{VIDIOC_TRY_EXT_CTRLS, MEDIA_LAYOUT_CONTROLS},
		{VIDIOC_G_EDID, MEDIA_LAYOUT_EDID},
		{VIDIOC_S_EDID, MEDIA_LAYOUT_EDID},
		{VIDIOC_G_FMT, MEDIA_LAYOUT_FORMAT},
		{VIDIOC_S_FMT, MEDIA_LAYOUT_FORMAT},
		{VIDIOC_TRY_FMT, MEDIA_LAYOUT_FORMAT},
		{VIDIOC_CREATE_BUFS, MEDIA_LAYOUT_CREATE},
		{VIDIOC_G_FBUF, MEDIA_LAYOUT_FRAMEBUFFER},
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(media_ioctl_find(_IOC_NR(cases[i].cmd))->layout, cases[i].layout);
	for (uint32_t code = 0; code < CODES; code++)
		n += media_ioctl_find(code)->layout != MEDIA_LAYOUT_FLAT;
	assert_int_equal(n, ARRAY_SIZE(cases));
}

static void handlers_belong_to_handled_ioctls(void **state)
{
	bool used[MEDIA_HANDLERS] = {true};

	for (uint32_t code = 0; code < CODES; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);

		if ((entry->kind == MEDIA_IOCTL_HANDLED) != !!entry->handler)
			fail_msg("%s", entry->name);
		if (entry->kind > MEDIA_IOCTL_PASSED && !entry->why)
			fail_msg("%s: why?", entry->name);
		used[entry->handler] = true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(used); i++)
		assert_true(used[i]);
}

/* docs/media.md */

static void expect_row(uint32_t code, char *row, size_t size)
{
	static const char *const directions[] = {"none", "W", "R", "WR"};
	static const char *const kinds[] = {
		[MEDIA_IOCTL_PASSED] = "passed",
		[MEDIA_IOCTL_HANDLED] = "handled",
		[MEDIA_IOCTL_REPLACED] = "replaced",
		[MEDIA_IOCTL_REFUSED] = "refused",
	};
	const struct media_ioctl *entry = media_ioctl_find(code);

	snprintf(row, size, "| %u | %s | %s | %s | %s%s|\n", code, entry->name,
		 directions[_IOC_DIR(entry->cmd)], kinds[entry->kind], entry->why ? entry->why : "",
		 entry->why ? " " : "");
}

/* The first row of the table, behind its head. */
static FILE *open_table(void)
{
	FILE *file = fopen(document, "r");
	char line[512];

	if (!file)
		fail_msg("%s: %s", document, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "| number |", 10) == 0 && fgets(line, sizeof(line), file))
			return file;
	}
	fclose(file);
	fail_msg("%s has no table of ioctls", document);
	return NULL;
}

static void document_has_the_same_table(void **state)
{
	char row[512], expected[512];
	FILE *file = open_table();

	for (uint32_t code = 0; code < CODES; code++) {
		if (media_ioctl_find(code)->kind == MEDIA_IOCTL_UNKNOWN)
			continue;
		expect_row(code, expected, sizeof(expected));
		if (!fgets(row, sizeof(row), file))
			fail_msg("there is no row %s", expected);
		assert_string_equal(row, expected);
	}
	if (fgets(row, sizeof(row), file))
		assert_string_equal(row, "\n");
	fclose(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ioctl_has_an_entry_and_no_other_number_does),
		cmocka_unit_test(codes_are_those_of_64_bit_machines),
		cmocka_unit_test(numbers_beyond_the_table_are_unknown),
		cmocka_unit_test(what_the_specification_replaces_is_replaced),
		cmocka_unit_test(nothing_but_what_reaches_into_the_host_is_refused),
		cmocka_unit_test(errors_have_a_payload_where_v4l2_says_so),
		cmocka_unit_test(structs_with_pointers_are_treated_as_such),
		cmocka_unit_test(handlers_belong_to_handled_ioctls),
		cmocka_unit_test(document_has_the_same_table),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s docs/media.md\n", argv[0]);
		return 1;
	}
	document = argv[1];
	return cmocka_run_group_tests_name("ioctl_table", tests, NULL, NULL);
}
