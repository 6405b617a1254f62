/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_json_locate.c - where a value stands in a JSON text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/json_locate.h"

static const struct {
	const char *name;
	const char *text;
	struct json_step path[3];
	size_t n;
	enum json_part part;
	size_t offset;
} cases[] = {
	{"the whole", " \n{}", {{NULL}}, 0, JSON_PART_VALUE, 2},
	{"key", "{ \"a\" : 1}", {{"a"}}, 1, JSON_PART_KEY, 2},
	{"value", "{ \"a\" : 1}", {{"a"}}, 1, JSON_PART_VALUE, 8},
	{"behind a string", "{\"b\": \"}\\\"a\\\\\", \"a\": 1}", {{"a"}}, 1, JSON_PART_KEY, 16},
	{"behind an object",
	 "{\"b\": {\"a\": [\"]\"]}, \"a\": 1}",
	 {{"a"}},
	 1,
	 JSON_PART_VALUE,
	 25},
	{"behind an array", "{\"b\": [{\"a\": 2}, []], \"a\": 1}", {{"a"}}, 1, JSON_PART_VALUE, 27},
	{"behind words", "{\"b\": true, \"c\": -1e5, \"a\": 1}", {{"a"}}, 1, JSON_PART_VALUE, 28},
	{"inside",
	 "{\"b\": {\"a\": 1}, \"a\": {\"c\": 2, \"b\": 3}}",
	 {{"a"}, {"b"}},
	 2,
	 JSON_PART_VALUE,
	 35},
	{"inside, key", "{\"a\":{\"b\":3}}", {{"a"}, {"b"}}, 2, JSON_PART_KEY, 6},
	{"no such key", "{\"a\": 1}", {{"b"}}, 1, JSON_PART_KEY, 0},
	{"no such key inside", "{\"a\": {\"c\": 1}}", {{"a"}, {"b"}}, 2, JSON_PART_KEY, 6},
	{"not an object", "{\"a\": 1}", {{"a"}, {"b"}}, 2, JSON_PART_VALUE, 6},
	{"prefix of a key", "{\"ab\": 1, \"a\": 2}", {{"a"}}, 1, JSON_PART_KEY, 10},
	{"key is a prefix", "{\"a\": 1, \"ab\": 2}", {{"ab"}}, 1, JSON_PART_KEY, 9},
	{"empty key", "{\"a\": 1, \"\": 2}", {{""}}, 1, JSON_PART_VALUE, 13},
	{"escaped letter", "{\"\\u0041\": 1}", {{"A"}}, 1, JSON_PART_VALUE, 11},
	{"escapes",
	 "{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\": 1}",
	 {{"\"\\/\b\f\n\r\t"}},
	 1,
	 JSON_PART_VALUE,
	 21},
	{"two bytes", "{\"\\u00e9\": 1}", {{"\xc3\xa9"}}, 1, JSON_PART_VALUE, 11},
	{"three bytes", "{\"\\u20AC\": 1}", {{"\xe2\x82\xac"}}, 1, JSON_PART_VALUE, 11},
	{"surrogates", "{\"\\ud83d\\uDE00x\": 1}", {{"\xf0\x9f\x98\x80x"}}, 1, JSON_PART_VALUE, 18},
	{"other escaped key", "{\"\\u0042\": 1, \"A\": 2}", {{"A"}}, 1, JSON_PART_KEY, 14},
	{"first element", "[ 5, 6]", {{NULL, 0}}, 1, JSON_PART_VALUE, 2},
	{"element is its own key", "[5, 6]", {{NULL, 1}}, 1, JSON_PART_KEY, 4},
	{"element behind others",
	 "[[1, 2], {\"a\": [3]}, \"],\", true , 6]",
	 {{NULL, 4}},
	 1,
	 JSON_PART_VALUE,
	 34},
	{"key in an element",
	 "{\"a\": [{\"b\": 1}, {\"c\": 2, \"b\": 3}]}",
	 {{"a"}, {NULL, 1}, {"b"}},
	 3,
	 JSON_PART_VALUE,
	 31},
	{"element of an element",
	 "[[], [1, 2, 3]]",
	 {{NULL, 1}, {NULL, 2}},
	 2,
	 JSON_PART_VALUE,
	 12},
	{"no such element", "{\"a\": [1, 2]}", {{"a"}, {NULL, 2}}, 2, JSON_PART_VALUE, 6},
	{"element of nothing", "{\"a\": []}", {{"a"}, {NULL, 0}}, 2, JSON_PART_VALUE, 6},
	{"element of an object", "{\"a\": {\"b\": 1}}", {{"a"}, {NULL, 0}}, 2, JSON_PART_VALUE, 6},
	{"key of an array", "{\"a\": [\"b\", 1]}", {{"a"}, {"b"}}, 2, JSON_PART_VALUE, 6},
};

static void locate_finds_paths(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t offset = json_locate(cases[i].text, strlen(cases[i].text), cases[i].path,
					    cases[i].n, cases[i].part);

		if (offset != cases[i].offset)
			fail_msg("%s: %zu", cases[i].name, offset);
	}
}

/* Every beginning of a text, in memory of exactly its size: a sanitizer sees what lies beyond. */
static void locate_stays_inside(void **state)
{
	static const char text[] =
		" {\"\\ud83d\\ude00\\\\\" : {\"b\\\"\" : [1, {}]}, \"a\": {\"b\": [2, 3]}}";
	const struct json_step path[] = {{"a"}, {"b"}, {NULL, 1}};

	for (size_t len = 0; len < sizeof(text); len++) {
		char *part = malloc(len);

		assert_true(part || len == 0);
		memcpy(part, text, len);
		assert_in_range(json_locate(part, len, path, ARRAY_SIZE(path), JSON_PART_VALUE), 0,
				len);
		free(part);
	}
}

static void place_counts_characters(void **state)
{
	static const char text[] = "a\xc3\xa9\t\xf0\x9f\x98\x80x\ny";
	static const struct {
		size_t offset;
		unsigned int line, column;
	} places[] = {{0, 1, 1}, {1, 1, 2},  {3, 1, 3}, {4, 1, 4},
		      {8, 1, 5}, {10, 2, 1}, {11, 2, 2}};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct json_place place = json_place_at(text, places[i].offset);

		assert_int_equal(place.line, places[i].line);
		assert_int_equal(place.column, places[i].column);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locate_finds_paths),
		cmocka_unit_test(locate_stays_inside),
		cmocka_unit_test(place_counts_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
