/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_field.c - single values: sizes and their units, numbers, names, UTF-8.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

/* A size without limits, and one with those of a memory. */
static const struct config_field any = {.type = FIELD_SIZE, .max = UINT64_MAX};
static const struct config_field memory = {
	.type = FIELD_SIZE,
	.min = 16 * MIB,
	.max = 4 * TIB,
	.multiple = 4 * KIB,
};
static const struct config_field text = {.type = FIELD_TEXT};

static const struct {
	const struct config_field *field;
	const char *text;
	uint64_t bytes;
} sizes[] = {
	{&any, "0", 0},
	{&any, "1", 1},
	{&any, "007", 7},
	{&any, "3K", 3 * KIB},
	{&any, "3k", 3 * KIB},
	{&any, "3KiB", 3 * KIB},
	{&any, "3mib", 3 * MIB},
	{&any, "3M", 3 * MIB},
	{&any, "3g", 3 * GIB},
	{&any, "3GIB", 3 * GIB},
	{&any, "3T", 3 * TIB},
	{&any, "18446744073709551615", UINT64_MAX},
	{&any, "16777215T", 16777215 * TIB},
	{&memory, "16M", 16 * MIB},
	{&memory, "16777216", 16 * MIB},
	{&memory, "16388K", 16388 * KIB},
	{&memory, "4T", 4 * TIB},
	{&memory, "4096GiB", 4 * TIB},
};

static void field_reads_sizes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct error err = {0};
		uint64_t bytes = 99;

		if (field_parse(sizes[i].field, &bytes, sizes[i].text, &err) < 0)
			fail_msg("%s: %s", sizes[i].text, err.text);
		if (bytes != sizes[i].bytes)
			fail_msg("%s: %" PRIu64, sizes[i].text, bytes);
	}
}

static const struct {
	const struct config_field *field;
	const char *text;
	const char *sentence;
} mistakes[] = {
	{&any, "", "the value is empty"},
	{&any, "M", "'M' is not a size, such as 512M or 2G"},
	{&any, "x", "'x' is not a size, such as 512M or 2G"},
	{&any, "-", "'-' is not a size, such as 512M or 2G"},
	{&any, "--1", "'--1' is not a size, such as 512M or 2G"},
	{&any, "1 M", "'1 M' ends in an unknown unit: there are K, M, G and T (or KiB, ...)"},
	{&any, "1MB", "'1MB' ends in an unknown unit: there are K, M, G and T (or KiB, ...)"},
	{&any, "1Mi", "'1Mi' ends in an unknown unit: there are K, M, G and T (or KiB, ...)"},
	{&any, "1P", "'1P' ends in an unknown unit: there are K, M, G and T (or KiB, ...)"},
	{&any, "0x10", "'0x10' ends in an unknown unit: there are K, M, G and T (or KiB, ...)"},
	{&any, "1.5G", "'1.5G' is not a whole number: write 1536M instead of 1.5G"},
	{&any, "18446744073709551616",
	 "18446744073709551616 is too large: it must be from 0 to 18446744073709551615"},
	{&any, "16777216T", "16777216T is too large: it must be from 0 to 18446744073709551615"},
	{&memory, "-16M", "-16M is negative: it must be from 16M to 4T"},
	{&memory, "0", "0 is too small: it must be from 16M to 4T"},
	{&memory, "15", "15 is too small: it must be from 16M to 4T"},
	{&memory, "16", "16 means bytes, which is too small: write 16M for that many MiB"},
	{&memory, "1048575",
	 "1048575 means bytes, which is too small: write 1048575M for that many MiB"},
	{&memory, "1048576", "1048576 is too small: it must be from 16M to 4T"},
	{&memory, "16777215", "16777215 is too small: it must be from 16M to 4T"},
	{&memory, "16777217", "16777217 is not a multiple of 4K"},
	{&memory, "4398046511105", "4398046511105 is too large: it must be from 16M to 4T"},
	{&memory, "5T", "5T is too large: it must be from 16M to 4T"},
};

static void field_names_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err = {0};
		uint64_t bytes = 99;
		int r = field_parse(mistakes[i].field, &bytes, mistakes[i].text, &err);

		if (r != -EINVAL || strcmp(err.text, mistakes[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", mistakes[i].text, r, err.text);
		assert_int_equal(bytes, 99);
	}
}

static const struct {
	uint64_t bytes;
	const char *text;
} formats[] = {
	{0, "0"},
	{1, "1"},
	{1023, "1023"},
	{KIB, "1K"},
	{1536 * MIB, "1536M"},
	{2 * GIB, "2G"},
	{1024 * TIB, "1024T"},
	{UINT64_MAX, "18446744073709551615"},
};

static void size_is_written_without_loss(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		char got[SIZE_TEXT_MAX];

		size_format(got, formats[i].bytes);
		assert_string_equal(got, formats[i].text);
	}
}

/* RFC 3629: no later byte alone, no overlong form, no surrogate, nothing beyond U+10FFFF. */
static const struct {
	const char *text;
	int bad_byte; /* from 1; 0: valid */
} encodings[] = {
	{"", 0},
	{"\x01\x7f", 0},
	{"\xc2\x80\xdf\xbf", 0},
	{"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 0},
	{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 0},
	{"a\x80", 2},
	{"\xc0\x80", 1},
	{"\xc1\xbf", 1},
	{"\xe0\x9f\xbf", 1},
	{"ab\xed\xa0\x80", 3},
	{"\xf0\x8f\xbf\xbf", 1},
	{"\xf4\x90\x80\x80", 1},
	{"\xf5\x80\x80\x80", 1},
	{"\xff", 1},
	{"\xc3", 1},
	{"\xe2\x82", 1},
	{"\xf0\x9f\x98", 1},
	{"\xe2\x82\x41", 1},
};

static void text_must_be_utf8(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
		char *value = NULL, want[64] = "";
		struct error err = {0};
		int r = field_parse(&text, &value, encodings[i].text, &err);

		if (encodings[i].bad_byte)
			snprintf(want, sizeof(want), "byte %d is not valid UTF-8",
				 encodings[i].bad_byte);
		if (r != (encodings[i].bad_byte ? -EINVAL : 0) || strcmp(err.text, want) != 0)
			fail_msg("row %zu: %d, \"%s\"", i, r, err.text);
		if (r == 0)
			assert_string_equal(value, encodings[i].text);
		field_free(&text, &value);
	}
}

static const struct config_field name = {.type = FIELD_NAME, .max = 5};

static const struct {
	const char *text;
	const char *sentence; /* NULL: fine */
} names[] = {
	{"a", NULL},
	{" ~!\"\\", NULL},
	{"12345", NULL},
	{"", "the value is empty"},
	{"123456", "'123456' is 6 bytes long: at most 5 are possible"},
	{"ab\x7f", "byte 3 is not printable ASCII"},
	{"\x1f", "byte 1 is not printable ASCII"},
	{"a\n", "byte 2 is not printable ASCII"},
	{"a\xc3\xa9", "byte 2 is not printable ASCII"},
};

static void name_is_short_and_printable(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct error err = {0};
		char *value = strdup("old");
		const char *want = names[i].sentence ? "old" : names[i].text;
		int r = field_parse(&name, &value, names[i].text, &err);

		if (r != (names[i].sentence ? -EINVAL : 0) ||
		    strcmp(err.text, names[i].sentence ?: "") != 0)
			fail_msg("row %zu: %d, \"%s\"", i, r, err.text);
		assert_string_equal(value, want);
		field_free(&name, &value);
		assert_null(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field_reads_sizes),
		cmocka_unit_test(field_names_mistakes),
		cmocka_unit_test(size_is_written_without_loss),
		cmocka_unit_test(text_must_be_utf8),
		cmocka_unit_test(name_is_short_and_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
