/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_kv.c - the "key=value" grammar, on a composite that is only the test's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

struct disk {
	char *path;
	bool ro, direct;
	unsigned int queues, cache;
	uint64_t given;
};

static int keep_given(void *value, uint64_t given, struct error *err)
{
	struct disk *disk = value;

	disk->given = given;
	return disk->direct && !disk->ro ? error_set(err, EINVAL, "direct needs ro") : 0;
}

static const char *const caches[] = {"none", "write"};

static const struct config_field fields[] = {
	{.name = "path", .arg = "FILE", .type = FIELD_PATH, .offset = offsetof(struct disk, path)},
	{.name = "ro", .type = FIELD_BOOL, .offset = offsetof(struct disk, ro)},
	{.name = "direct", .type = FIELD_BOOL, .offset = offsetof(struct disk, direct)},
	{.name = "queues",
	 .arg = "N",
	 .type = FIELD_UINT,
	 .min = 1,
	 .max = 8,
	 .offset = offsetof(struct disk, queues)},
	{.name = "cache",
	 .type = FIELD_ENUM,
	 .names = caches,
	 .names_n = ARRAY_SIZE(caches),
	 .offset = offsetof(struct disk, cache)},
};

static const struct config_composite composite = {
	.fields = fields,
	.fields_n = ARRAY_SIZE(fields),
	.settle = keep_given,
};

/* The switches alone: the first field is one. */
static const struct config_composite switches = {
	.fields = fields + 1,
	.fields_n = 2,
};

static const struct {
	const char *name;
	const char *text;
	struct disk disk;
} good[] = {
	{"first key left out", "a.img", {.path = (char[]) {"a.img"}, .given = 1}},
	{"first key given", "path=a.img", {.path = (char[]) {"a.img"}, .given = 1}},
	{"first key later", "ro=off,path=a", {.path = (char[]) {"a"}, .given = 3}},
	{"all", "a,ro=on,direct=true,queues=8,cache=write", {(char[]) {"a"}, true, true, 8, 1, 31}},
	{"bare booleans", "a,ro,direct", {(char[]) {"a"}, true, true, 0, 0, 7}},
	{"bare boolean in front", "ro,path=a", {.path = (char[]) {"a"}, .ro = true, .given = 3}},
	{"yes and no", "a,ro=yes,direct=no", {.path = (char[]) {"a"}, .ro = true, .given = 7}},
	{"false", "a,ro=false", {.path = (char[]) {"a"}, .given = 3}},
	{"= in a value", "path=a=b=c", {.path = (char[]) {"a=b=c"}, .given = 1}},
	{"escaped comma", "a\\,b,ro", {.path = (char[]) {"a,b"}, .ro = true, .given = 3}},
	{"escaped backslash", "path=a\\\\", {.path = (char[]) {"a\\"}, .given = 1}},
	{"backslash, then comma", "a\\\\,ro", {.path = (char[]) {"a\\"}, .ro = true, .given = 3}},
};

static void kv_reads_values(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct disk *want = &good[i].disk;
		struct error err = {0};
		struct disk got = {0};

		if (kv_parse(&composite, &got, good[i].text, &err) < 0)
			fail_msg("%s: %s", good[i].name, err.text);
		if (strcmp(got.path, want->path) != 0 || got.ro != want->ro ||
		    got.direct != want->direct || got.queues != want->queues ||
		    got.cache != want->cache || got.given != want->given)
			fail_msg("%s: read wrongly", good[i].name);
		free(got.path);
	}
}

static const struct {
	const char *text;
	bool ro, direct;
} switched[] = {
	{"ro", true, false},
	{"ro=off,direct", false, true},
	{"direct=on,ro=on", true, true},
};

static void kv_reads_switches_by_name(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(switched); i++) {
		struct error err = {0};
		struct disk disk = {0};

		if (kv_parse(&switches, &disk, switched[i].text, &err) < 0)
			fail_msg("%s: %s", switched[i].text, err.text);
		assert_int_equal(disk.ro, switched[i].ro);
		assert_int_equal(disk.direct, switched[i].direct);
	}
}

static const struct {
	const char *name;
	const char *text;
	const char *sentence;
} mistakes[] = {
	{"nothing", "", "path: the value is empty"},
	{"empty value", "path=", "path: the value is empty"},
	{"empty boolean", "a,ro=", "ro: the value is empty"},
	{"empty key", "=a", "there is no key in front of '=a'"},
	{"comma at the end", "a,", "there is nothing next to a comma"},
	{"two commas", "a,,ro", "there is nothing next to a comma"},
	{"key without value", "a,queues", "queues lacks a value: queues=N"},
	{"names without value", "a,cache", "cache lacks a value: cache=none|write"},
	{"value out of range", "a,queues=9", "queues: 9 is too large: it must be from 1 to 8"},
	{"garbage behind a value", "a,queues=2;", "queues: '2;' is not a whole number"},
	{"no boolean", "a,ro=maybe", "ro: 'maybe' is neither on nor off"},
	{"boolean in capitals", "a,ro=ON", "ro: 'ON' is neither on nor off"},
	{"key twice", "a,ro,ro=off", "ro is given twice"},
	{"first key twice", "a,path=b", "path is given twice"},
	{"near key", "a,dirct",
	 "unknown key dirct: did you mean direct? The others are path, ro, queues, cache"},
	{"far key", "a,readonly",
	 "unknown key readonly: there are path, ro, direct, queues, cache"},
	{"key with a blank", "a, ro",
	 "unknown key  ro: did you mean ro? The others are path, direct, queues, cache"},
	{"backslash at the end", "a\\",
	 "a backslash that is meant as such is written twice, a comma is written \\,"},
	{"unknown escape", "path=C:\\n",
	 "a backslash that is meant as such is written twice, a comma is written \\,"},
	{"what does not fit together", "a,direct", "direct needs ro"},
};

static void kv_names_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err = {0};
		struct disk disk = {0};
		int r = kv_parse(&composite, &disk, mistakes[i].text, &err);

		free(disk.path);
		if (r != -EINVAL || strcmp(err.text, mistakes[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", mistakes[i].name, r, err.text);
	}
}

static void kv_refuses_a_switch_without_its_name(void **state)
{
	static const char *const words[] = {"on", "off", "off,direct"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct error err = {0};
		struct disk disk = {0};

		assert_int_equal(kv_parse(&switches, &disk, words[i], &err), -EINVAL);
		if (strncmp(err.text, "unknown key o", 13) != 0)
			fail_msg("%s: \"%s\"", words[i], err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kv_reads_values),
		cmocka_unit_test(kv_reads_switches_by_name),
		cmocka_unit_test(kv_names_mistakes),
		cmocka_unit_test(kv_refuses_a_switch_without_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
