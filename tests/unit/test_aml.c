/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_aml.c - tests aml.c: the byte code of single terms, at the edges of their encodings
 * (ACPI 6.5, chapter 20). That whole tables mean what they should is test_dsdt.c's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/aml.h"

#define GUARD 0xa5

/* The code that was written equals @expected. */
static void expect(const struct aml *aml, const void *expected, size_t expected_len)
{
	size_t len;

	assert_int_equal(aml_finish(aml, &len), 0);
	assert_int_equal(len, expected_len);
	assert_memory_equal(aml->data, expected, expected_len);
}

static void integers_take_their_shortest_form(void **state)
{
	static const struct {
		uint64_t value;
		size_t len;
		uint8_t bytes[9];
	} cases[] = {
		{0, 1, {0x00}},
		{1, 1, {0x01}},
		{2, 2, {0x0a, 0x02}},
		{0xff, 2, {0x0a, 0xff}},
		{0x100, 3, {0x0b, 0x00, 0x01}},
		{0xffff, 3, {0x0b, 0xff, 0xff}},
		{0x10000, 5, {0x0c, 0x00, 0x00, 0x01, 0x00}},
		{0xffffffff, 5, {0x0c, 0xff, 0xff, 0xff, 0xff}},
		{UINT64_C(0x100000000), 9, {0x0e, 0, 0, 0, 0, 1, 0, 0, 0}},
		{UINT64_C(0x8877665544332211),
		 9,
		 {0x0e, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t code[16];
		struct aml aml;

		aml_init(&aml, code, sizeof(code));
		aml_integer(&aml, cases[i].value);
		expect(&aml, cases[i].bytes, cases[i].len);
	}
}

/* A container's length counts itself, so its size grows one byte earlier than it seems. */
static void container_lengths_take_one_to_four_bytes(void **state)
{
	static const struct {
		size_t content; /* bytes behind the length */
		size_t len;
		uint8_t bytes[4];
	} cases[] = {
		{5, 1, {0x06}},
		{62, 1, {0x3f}},
		{63, 2, {0x41, 0x04}},
		{64, 2, {0x42, 0x04}},
		{0xffd, 2, {0x4f, 0xff}},
		{0xffe, 3, {0x81, 0x00, 0x01}},
		{0xffffc, 3, {0x8f, 0xff, 0xff}},
		{0xffffd, 4, {0xc1, 0x00, 0x00, 0x01}},
		{0x123456, 4, {0xca, 0x45, 0x23, 0x01}},
	};
	const size_t max = 2 * MIB;
	uint8_t *code = malloc(max);

	assert_non_null(code);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aml aml;
		size_t len;

		aml_init(&aml, code, max);
		aml_scope(&aml, "_SB");
		for (size_t n = 4; n < cases[i].content; n++)
			aml_op(&aml, (enum aml_op)(n & 0x7f));
		aml_end(&aml);
		assert_int_equal(aml_finish(&aml, &len), 0);
		assert_int_equal(len, 1 + cases[i].len + cases[i].content);
		assert_int_equal(code[0], 0x10);
		assert_memory_equal(code + 1, cases[i].bytes, cases[i].len);
		assert_memory_equal(code + 1 + cases[i].len, "_SB_", 4);
		for (size_t n = 4; n < cases[i].content; n++)
			assert_int_equal(code[1 + cases[i].len + n], n & 0x7f);
	}
	free(code);
}

static void names_are_padded_to_four_characters(void **state)
{
	static const char *const names[][2] = {
		{"A", "\x08"
		      "A___"},
		{"_SB", "\x08_SB_"},
		{"VR1F", "\x08VR1F"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint8_t code[16];
		struct aml aml;

		aml_init(&aml, code, sizeof(code));
		aml_name(&aml, names[i][0]);
		expect(&aml, names[i][1], 5);
	}
}

static void containers_nest(void **state)
{
	static const uint8_t expected[] = {
		0x10, 0x21, '_',  'S',	'B',  '_',	  /* Scope (_SB) */
		0x5b, 0x82, 0x1a, 'D',	'E',  'V',  '_',  /* Device (DEV) */
		0x08, '_',  'U',  'I',	'D',  0x0a, 7,	  /* Name (_UID, 7) */
		0x14, 0x0d, '_',  'E',	'V',  'T',  0x09, /* Method (_EVT, 1, Serialized) */
		0xa0, 0x06, 0x7b, 0x60, 0x01, 0x00,	  /* If (Local0 & 1) */
		0x70,					  /* Store */
	};
	uint8_t code[64];
	struct aml aml;

	aml_init(&aml, code, sizeof(code));
	aml_scope(&aml, "_SB");
	aml_device(&aml, "DEV");
	aml_name(&aml, "_UID");
	aml_integer(&aml, 7);
	aml_method(&aml, "_EVT", 1);
	aml_if(&aml);
	aml_op(&aml, AML_AND);
	aml_op(&aml, AML_LOCAL0);
	aml_integer(&aml, 1);
	aml_op(&aml, AML_NULL_TARGET);
	aml_op(&aml, AML_STORE);
	for (unsigned int i = 0; i < 4; i++)
		aml_end(&aml);
	expect(&aml, expected, sizeof(expected));
}

static void packages_and_strings(void **state)
{
	static const uint8_t expected[] = {0x12, 0x08, 0x02, 0x01, 0x0d, 'a', 'b', 'c', 0x00};
	uint8_t code[16];
	struct aml aml;

	aml_init(&aml, code, sizeof(code));
	aml_package(&aml, 2);
	aml_integer(&aml, 1);
	aml_string(&aml, "abc");
	aml_end(&aml);
	expect(&aml, expected, sizeof(expected));
}

static void regions_and_fields(void **state)
{
	static const uint8_t expected[] = {
		0x5b, 0x80, 'P',  'O', 'R', 'T', 0x01, 0x0b, 0x04, 0x06, 0x01, /* region */
		0x5b, 0x81, 0x10, 'P', 'O', 'R', 'T',  0x01,		       /* field */
		'L',  'O',  'W',  '_', 8,   'H', 'I',  'G',  'H',  63,	       /* units */
	};
	uint8_t code[64];
	struct aml aml;

	aml_init(&aml, code, sizeof(code));
	aml_io_region(&aml, "PORT", 0x604, 1);
	aml_byte_field(&aml, "PORT");
	aml_field_unit(&aml, "LOW", 8);
	aml_field_unit(&aml, "HIGH", 63);
	aml_end(&aml);
	expect(&aml, expected, sizeof(expected));
}

static void resources_end_with_a_tag_and_state_their_size(void **state)
{
	static const uint8_t expected[] = {
		0x11, 0x16, 0x0a, 0x13,				      /* Buffer (19) */
		0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08,	      /* ports */
		0x89, 0x06, 0x00, 0x0b, 0x01, 0x04, 0x03, 0x02, 0x01, /* shared interrupt */
		0x79, 0x00,
	};
	uint8_t code[64];
	struct aml aml;

	aml_init(&aml, code, sizeof(code));
	aml_resources(&aml);
	aml_resource_io(&aml, 0x3f8, 8);
	aml_resource_interrupt(&aml, 0x01020304, true);
	aml_end(&aml);
	expect(&aml, expected, sizeof(expected));
}

static void memory_takes_the_descriptor_that_fits(void **state)
{
	static const struct {
		uint64_t base, size;
		uint8_t type;
	} cases[] = {
		{0, 1, 0x86},
		{0xd0000000, 0x1000, 0x86},
		{4 * GIB - 0x1000, 0x1000, 0x86},
		{4 * GIB - 0x1000, 0x1001, 0x8a},
		{4 * GIB, 0x1000, 0x8a},
		{0, 4 * GIB, 0x8a},
		{UINT64_MAX, 1, 0x8a},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t base = 0, size = 0, last = 0;
		uint8_t code[64];
		struct aml aml;
		size_t len;

		aml_init(&aml, code, sizeof(code));
		aml_resource_memory(&aml, cases[i].base, cases[i].size);
		assert_int_equal(aml_finish(&aml, &len), 0);
		assert_int_equal(code[0], cases[i].type);
		assert_int_equal(code[1] + 3, len); /* the length leaves out the first 3 bytes */
		assert_int_equal(code[2], 0);
		if (cases[i].type == 0x86) {
			memcpy(&base, code + 4, 4);
			memcpy(&size, code + 8, 4);
		} else {
			memcpy(&base, code + 14, 8);
			memcpy(&last, code + 22, 8);
			memcpy(&size, code + 38, 8);
			assert_int_equal(last, cases[i].base + cases[i].size - 1);
		}
		assert_int_equal(base, cases[i].base);
		assert_int_equal(size, cases[i].size);
	}
}

static void write_sample(struct aml *aml)
{
	aml_device(aml, "DEV");
	aml_name(aml, "_CRS");
	aml_resources(aml);
	for (unsigned int i = 0; i < 20; i++)
		aml_resource_memory(aml, i * 0x1000, 0x1000);
	aml_end(aml);
	aml_end(aml);
}

static void full_buffer_is_counted_on_and_not_exceeded(void **state)
{
	uint8_t code[512];
	struct aml aml;
	size_t needed, len;

	aml_init(&aml, NULL, 0);
	write_sample(&aml);
	assert_int_equal(aml_finish(&aml, &needed), -ENOSPC);
	assert_in_range(needed, 20 * 12, sizeof(code) - 1);
	for (size_t max = 0; max <= needed; max++) {
		memset(code, GUARD, sizeof(code));
		aml_init(&aml, code, max);
		write_sample(&aml);
		assert_int_equal(aml_finish(&aml, &len), max < needed ? -ENOSPC : 0);
		assert_int_equal(len, needed);
		for (size_t i = max; i < sizeof(code); i++)
			assert_int_equal(code[i], GUARD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_take_their_shortest_form),
		cmocka_unit_test(container_lengths_take_one_to_four_bytes),
		cmocka_unit_test(names_are_padded_to_four_characters),
		cmocka_unit_test(containers_nest),
		cmocka_unit_test(packages_and_strings),
		cmocka_unit_test(regions_and_fields),
		cmocka_unit_test(resources_end_with_a_tag_and_state_their_size),
		cmocka_unit_test(memory_takes_the_descriptor_that_fits),
		cmocka_unit_test(full_buffer_is_counted_on_and_not_exceeded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
