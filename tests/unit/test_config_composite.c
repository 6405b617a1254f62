/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_composite.c - what goes together in the options of several values, and what does not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

#define PATH(text) ((char[]) {text})

static const struct {
	const char *text;
	struct config_chardev chardev;
} chardevs[] = {
	{"stdio", {CHARDEV_STDIO}},
	{"off", {CHARDEV_OFF}},
	{"pty", {CHARDEV_PTY}},
	{"kind=pty", {CHARDEV_PTY}},
	{"file=a", {CHARDEV_FILE, PATH("a")}},
	{"file,file=a", {CHARDEV_FILE, PATH("a")}},
	{"file=a,kind=file", {CHARDEV_FILE, PATH("a")}},
	{"socket=a\\,b", {CHARDEV_SOCKET, PATH("a,b")}},
	{"kind=socket,socket=a", {CHARDEV_SOCKET, PATH("a")}},
};

static void chardev_follows_from_its_path(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(chardevs); i++) {
		/* Neither default is the one that a row would leave alone. */
		struct config_chardev got = {.kind = i ? CHARDEV_STDIO : CHARDEV_OFF};
		const struct config_chardev *want = &chardevs[i].chardev;
		struct error err = {0};

		if (kv_parse(&config_chardev_keys, &got, chardevs[i].text, &err) < 0)
			fail_msg("%s: %s", chardevs[i].text, err.text);
		if (got.kind != want->kind || !got.path != !want->path ||
		    (got.path && strcmp(got.path, want->path) != 0))
			fail_msg("%s: %d, %s", chardevs[i].text, got.kind, got.path);
		free(got.path);
	}
}

static const struct {
	const char *text;
	struct config_disk disk;
} disks[] = {
	{"a", {.path = PATH("a"), .discard = true}},
	{"a,readonly", {.path = PATH("a"), .readonly = true}},
	{"a,direct,discard=off", {.path = PATH("a"), .direct = true}},
	{"a,id=root 1,readonly=off", {.path = PATH("a"), .id = PATH("root 1"), .discard = true}},
	{"id=12345678901234567890,discard=on,path=/dev/sdb",
	 {.path = PATH("/dev/sdb"), .id = PATH("12345678901234567890"), .discard = true}},
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void disk_has_defaults(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
		const struct config_disk *want = &disks[i].disk;
		struct config_disk got;
		struct error err = {0};

		memcpy(&got, config_disk_list.item_defaults, sizeof(got));
		if (kv_parse(&config_disk_keys, &got, disks[i].text, &err) < 0)
			fail_msg("%s: %s", disks[i].text, err.text);
		if (!same_text(got.path, want->path) || !same_text(got.id, want->id) ||
		    got.readonly != want->readonly || got.direct != want->direct ||
		    got.discard != want->discard)
			fail_msg("%s: read wrongly", disks[i].text);
		free(got.path);
		free(got.id);
	}
}

static const struct {
	const struct config_composite *keys;
	const char *text;
	const char *sentence;
} mistakes[] = {
	{&config_memory_keys, "1G,hugepages,thp",
	 "hugepages=on and thp=on exclude each other: pages of the hugepages pool are never "
	 "transparent ones"},
	{&config_memory_keys, "17M,hugepages", "with hugepages=on the size is a multiple of 2M"},
	{&config_chardev_keys, "file", "no file is named: write file=PATH"},
	{&config_chardev_keys, "socket", "no socket is named: write socket=PATH"},
	{&config_chardev_keys, "stdio,file=a", "kind=stdio and file=PATH exclude each other"},
	{&config_chardev_keys, "file,socket=a", "kind=file and socket=PATH exclude each other"},
	{&config_chardev_keys, "socket,file=a", "kind=socket and file=PATH exclude each other"},
	{&config_chardev_keys, "file=a,socket=b", "file=PATH and socket=PATH exclude each other"},
	{&config_chardev_keys, "sock=a",
	 "unknown key sock: did you mean socket? The others are kind, file"},
	{&config_chardev_keys, "tty",
	 "kind: unknown value tty: did you mean pty? The others are stdio, off, file, socket"},
	{&config_chardev_keys, "file=a,kind", "kind lacks a value: kind=stdio|off|pty|file|socket"},
	{&config_disk_keys, "readonly", "no image is named: write path=PATH"},
	{&config_disk_keys, "a,readonly,discard",
	 "discard=on needs a disk that can be written: leave out discard or readonly"},
	{&config_disk_keys, "id=a", "no image is named: write path=PATH"},
	{&config_disk_keys, "path=", "path: the value is empty"},
	{&config_disk_keys, "a,id=", "id: the value is empty"},
	{&config_disk_keys, "a,id=123456789012345678901",
	 "id: '123456789012345678901' is 21 bytes long: at most 20 are possible"},
	{&config_disk_keys, "a,id=caf\xc3\xa9", "id: byte 4 is not printable ASCII"},
	{&config_disk_keys, "a,read-only",
	 "unknown key read-only: did you mean readonly? The others are path, id, direct, discard"},
	{&config_virtio_keys, "off", "unknown key off: there are packed"},
	{&config_virtio_keys, "packed=2", "packed: '2' is neither on nor off"},
};

static void composite_names_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		const struct config_composite *keys = mistakes[i].keys;
		struct error err = {0};
		struct config config = {0}; /* room for any of them */
		int r = kv_parse(keys, &config, mistakes[i].text, &err);

		if (r != -EINVAL || strcmp(err.text, mistakes[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", mistakes[i].text, r, err.text);
		for (size_t j = 0; j < keys->fields_n; j++)
			field_free(&keys->fields[j], &config);
	}
}

static void disks_have_a_path_each(void **state)
{
	struct config_disk two[] = {{.path = PATH("a")},
				    {.path = PATH("./a")},
				    {.path = PATH("a")}};
	struct error err = {0};

	assert_int_equal(config_disk_list.check(two, 1, &err), 0);
	assert_int_equal(config_disk_list.check(two, 2, &err), 0);
	assert_int_equal(config_disk_list.check(two, 3, &err), -EINVAL);
	assert_string_equal(err.text,
			    "the path 'a' is that of another disk already: each disk needs "
			    "an image of its own");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chardev_follows_from_its_path),
		cmocka_unit_test(disk_has_defaults),
		cmocka_unit_test(composite_names_mistakes),
		cmocka_unit_test(disks_have_a_path_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
