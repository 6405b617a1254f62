/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_json.c - the configuration file: mistakes with line and column, and lists.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

#define DEVICE_KEYS "serial, console, disk, media, rng, virtio, loop, software-kvm, log-level"
#define OTHER_KEYS  "kernel, initramfs, cmdline, cpus, acpi, " DEVICE_KEYS
#define ALL_KEYS    "kernel, initramfs, cmdline, cpus, memory, acpi, " DEVICE_KEYS

static const struct {
	const char *name;
	const char *text;
	const char *sentence; /* behind the file's name and ':' */
} mistakes[] = {
	{"blank", " \n\t", "2:2: there is nothing but blanks"},
	{"array", "\n [1]", "2:2: a configuration is one object, {...}, not an array"},
	{"string", "\"x\"", "1:1: a configuration is one object, {...}, not a string"},
	{"word", "{\n  \"acpi\": ture\n}",
	 "2:11: this is not valid JSON: invalid token near 'ture'"},
	{"comma at the end", "{\"cpus\": 1,}",
	 "1:12: this is not valid JSON: string or '}' expected near '}'"},
	{"cut off", "{\"cpus\": 1\n", "2:1: this is not valid JSON: '}' expected near end of file"},
	{"garbage behind", "{} x", "1:4: this is not valid JSON: end of file expected near 'x'"},
	{"comment", "// no\n{}", "1:1: this is not valid JSON: invalid token near '/'"},
	{"two commas", "{\n  \"cpus\": 2,,\n}",
	 "2:13: this is not valid JSON: string or '}' expected near ','"},
	{"huge number", "{\"cpus\":\t123456789012345678901}",
	 "1:10: this is not valid JSON: too big integer"},
	{"byte outside UTF-8", "{\"kernel\": \"\xff\"}",
	 "1:12: this is not valid JSON: unable to decode byte 0xff near '\"'"},
	{"NUL in a value", "{\"kernel\": \"\\u0000\"}", "1:12: a string cannot hold \\u0000"},
	{"NUL in a key", "{\"\\u0000\": 1}", "1:2: a string cannot hold \\u0000"},
	{"key twice", "{\"cpus\": 1,\n \"cpus\": 2}", "2:2: the key \"cpus\" is given twice"},
	{"key twice, inside", "{\"memory\": {\"thp\": true, \"thp\": true}}",
	 "1:26: the key \"thp\" is given twice"},
	{"long key twice",
	 "{\"a key of more than twenty \\\"letters\\\"\": 1, \"a key of more than twenty \\\"letters\\\"\": 2}",
	 "1:46: the key \"a key of more than twenty \\\"letters\\\"\" is given twice"},
	{"unknown key", "{\n\t\"cpus\": 2,\n\t\"memry\": \"1G\"\n}",
	 "3:2: unknown key memry: did you mean memory? The others are " OTHER_KEYS},
	{"unknown key, far off", "{\"video\": 2}", "1:2: unknown key video: there are " ALL_KEYS},
	{"alias", "{\"mem\": \"1G\"}",
	 "1:2: unknown key mem: did you mean memory? The others are " OTHER_KEYS},
	{"negated name", "{\"no-acpi\": true}",
	 "1:2: unknown key no-acpi: did you mean acpi? The others are kernel, initramfs, cmdline, cpus, memory, " DEVICE_KEYS},
	{"config in a config", "{\"config\": \"x\"}",
	 "1:2: unknown key config: there are " ALL_KEYS},
	{"action", "{\"dry-run\": true}", "1:2: unknown key dry-run: there are " ALL_KEYS},
	{"unknown key, inside", "{\"memory\":\n  {\"size\": \"1G\", \"hugepage\": true}}",
	 "2:18: memory: unknown key hugepage: did you mean hugepages? The others are size, prefault, thp, shared"},
	{"key behind wide letters", "{\"cmdline\": \"\xc3\xa9\xf0\x9f\x98\x80\", \"cpus\": 0}",
	 "1:27: cpus: 0 is too small: it must be from 1 to 32"},
	{"key with escapes", "{\"kern\\u0065l\": \"x\", \"\\u0063pus\": 0}",
	 "1:35: cpus: 0 is too small: it must be from 1 to 32"},
	{"negative", "{\"cpus\": -1}", "1:10: cpus: -1 is negative: it must be from 1 to 32"},
	{"fraction", "{\"cpus\": 2.0}",
	 "1:10: cpus: the value must be a whole number, not a fractional number"},
	{"number as string", "{\"cpus\": \"2\"}",
	 "1:10: cpus: the value must be a whole number, not a string"},
	{"null", "{\"kernel\": null}", "1:12: kernel: the value must be a string, not null"},
	{"array as string", "{\"kernel\": [\"x\"]}",
	 "1:12: kernel: the value must be a string, not an array"},
	{"empty path", "{\"kernel\": \"\"}", "1:12: kernel: the value is empty"},
	{"switch as string", "{\"acpi\": \"off\"}",
	 "1:10: acpi: the value must be true or false, not a string"},
	{"switch as number", "{\"acpi\": 0}",
	 "1:10: acpi: the value must be true or false, not a number"},
	{"unknown value", "{\"loop\": \"uing\"}",
	 "1:10: loop: unknown value uing: did you mean uring? The others are auto, epoll"},
	{"composite as number", "{\"memory\": 536870912}",
	 "1:12: memory: the value must be an object, or a string as on the command line, not a number"},
	{"composite as true", "{\"serial\": true}",
	 "1:12: serial: the value must be an object, or a string as on the command line, not true"},
	{"size as true", "{\"memory\": {\"size\": true}}",
	 "1:21: memory: size: the value must be a string such as '512M', or a number of bytes, not true"},
	{"size without unit", "{\"memory\": {\"size\": 512}}",
	 "1:21: memory: size: 512 means bytes, which is too small: write 512M for that many MiB"},
	{"size in composite string", "{\"memory\":\n \"1M,thp\"}",
	 "2:2: memory: size: 1M is too small: it must be from 16M to 4T"},
	{"what does not fit together", "{\"memory\": {\"hugepages\": true,\n\"thp\": true}}",
	 "1:12: memory: hugepages=on and thp=on exclude each other: pages of the hugepages pool are never transparent ones"},
	{"serial file without path", "{\"acpi\": true,\n\n  \"serial\": {\"kind\": \"file\"}}",
	 "3:13: serial: no file is named: write file=PATH"},
	{"file and socket", "{\"serial\": {\"file\": \"a\", \"socket\": \"a\"}}",
	 "1:12: serial: file=PATH and socket=PATH exclude each other"},
	{"virtio as true", "{\"virtio\": true}",
	 "1:12: virtio: the value must be an object, or a string as on the command line, not true"},
	{"list as number", "{\"disk\": 1}",
	 "1:10: disk: the value must be an array of objects, or one object or string, not a number"},
	{"element as number", "{\"disk\": [\"a\",\n 1]}",
	 "2:2: disk: element 2: the value must be an object, or a string as on the command line, not a number"},
	{"list in a list", "{\"disk\": [[\"a\"]]}",
	 "1:11: disk: element 1: the value must be an object, or a string as on the command line, not an array"},
	{"null in a list", "{\"disk\": [{\"path\": \"a\"}, null]}",
	 "1:26: disk: element 2: the value must be an object, or a string as on the command line, not null"},
	{"unknown key in an element",
	 "{\"disk\": [\n  {\"path\": \"a\"},\n  {\"path\": \"b\", \"read-only\": true}\n]}",
	 "3:17: disk: element 2: unknown key read-only: did you mean readonly? The others are path, id, direct, discard"},
	{"unknown key in the only one", "{\"disk\": {\"path\": \"b\", \"ID\": \"x\"}}",
	 "1:24: disk: unknown key ID: there are path, readonly, id, direct, discard"},
	{"key twice in an element",
	 "{\"disk\": [{\"path\": \"a\"},\n{\"path\": \"b\", \"path\": \"c\"}]}",
	 "2:15: the key \"path\" is given twice"},
	{"wrong value in an element",
	 "{\"disk\": [\"a\", {\"path\": \"b\",\n\"direct\": \"yes\"}]}",
	 "2:11: disk: element 2: direct: the value must be true or false, not a string"},
	{"id too long", "{\"disk\": [{\"path\": \"a\", \"id\":\n  \"a name of 21 letters!\"}]}",
	 "2:3: disk: element 1: id: 'a name of 21 letters!' is 21 bytes long: at most 20 are possible"},
	{"id with a wide letter", "{\"disk\": {\"path\": \"a\", \"id\": \"\xc3\xa9\"}}",
	 "1:30: disk: id: byte 1 is not printable ASCII"},
	{"id as number", "{\"disk\": {\"path\": \"a\", \"id\": 5}}",
	 "1:30: disk: id: the value must be a string, not a number"},
	{"element without path", "{\"disk\": [{\"path\": \"a\"},\n {\"readonly\": true}]}",
	 "2:2: disk: element 2: no image is named: write path=PATH"},
	{"empty element", "{\"disk\": [{}]}",
	 "1:11: disk: element 1: no image is named: write path=PATH"},
	{"empty string as element", "{\"disk\": [\"\"]}",
	 "1:11: disk: element 1: the value is empty"},
	{"mistake in a string of a list", "{\"disk\": [\"a\", \"b\", \"c,x=1\"]}",
	 "1:21: disk: element 3: unknown key x: there are path, readonly, id, direct, discard"},
	{"path twice", "{\"disk\": [{\"path\": \"a\"}, \"b\",\n \"a,readonly\"]}",
	 "2:2: disk: element 3: the path 'a' is that of another disk already: each disk needs an image of its own"},
	{"path twice, as objects", "{\"disk\": [{\"path\": \"a\"},\n {\"path\": \"a\"}]}",
	 "2:2: disk: element 2: the path 'a' is that of another disk already: each disk needs an image of its own"},
	{"same key in another object",
	 "{\"serial\": {\"kind\": \"pty\"}, \"memory\": {\"kind\": \"pty\"}}",
	 "1:40: memory: unknown key kind: there are size, hugepages, prefault, thp, shared"},
};

static void json_names_place_and_mistake(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err = {0};
		struct config config;
		uint64_t given = 0;
		int r;

		config_init(&config);
		r = config_from_json(&config, "vm.json", mistakes[i].text, strlen(mistakes[i].text),
				     &given, &err);
		config_deinit(&config);
		if (r != -EINVAL || strncmp(err.text, "vm.json:", 8) != 0 ||
		    strcmp(err.text + 8, mistakes[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", mistakes[i].name, r, err.text);
	}
}

static void json_refuses_deep_nesting(void **state)
{
	char text[10000];
	struct error err = {0};
	struct config config;
	uint64_t given = 0;

	memset(text, '[', sizeof(text));
	config_init(&config);
	assert_int_equal(config_from_json(&config, "x", text, sizeof(text), &given, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too many brackets inside each other"));
	config_deinit(&config);
}

/* Every way to write them; an element of any list. */
static const struct {
	const char *name;
	const char *text;
	size_t n;
} lists[] = {
	{"no key", "{}", 0},
	{"empty array", "{\"disk\": []}", 0},
	{"one object", "{\"disk\": {\"path\": \"1\", \"readonly\": true}}", 1},
	{"one string", "{\"disk\": \"1,readonly\"}", 1},
	{"array of one", "{\"disk\": [{\"readonly\": true, \"path\": \"1\"}]}", 1},
	{"array of objects and strings",
	 "{\"disk\": [{\"path\": \"1\", \"readonly\": true}, \"2,readonly=on\", "
	 "{\"path\": \"3\", \"readonly\": true}]}",
	 3},
};

static void json_reads_lists(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct error err = {0};
		struct config config;
		uint64_t given = 0;

		config_init(&config);
		if (config_from_json(&config, "x", lists[i].text, strlen(lists[i].text), &given,
				     &err) < 0)
			fail_msg("%s: %s", lists[i].name, err.text);
		if (config.disks_n != lists[i].n)
			fail_msg("%s: %zu", lists[i].name, config.disks_n);
		for (size_t j = 0; j < lists[i].n; j++) {
			const char path[] = {(char)('1' + j), '\0'};

			assert_string_equal(config.disks[j].path, path);
			assert_true(config.disks[j].readonly && !config.disks[j].discard);
			assert_false(config.disks[j].direct);
			assert_null(config.disks[j].id);
		}
		config_deinit(&config);
	}
}

static void json_limits_lists(void **state)
{
	char text[16 * CONFIG_DISKS_MAX + 64];
	struct error err = {0};
	struct config config;
	uint64_t given = 0;
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "{\"disk\": [\n\"0\"");
	for (size_t i = 1; i <= CONFIG_DISKS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ",\n \"%zu\"", i);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "]}");
	config_init(&config);
	assert_int_equal(config_from_json(&config, "x", text, len, &given, &err), -EINVAL);
	assert_string_equal(
		err.text,
		"x:66:2: disk: element 65: there are 64 before it, and no more are possible");
	config_deinit(&config);
}

static void json_leaves_given_options_alone(void **state)
{
	static const char text[] = "{\"kernel\": \"b\", \"cpus\": 2, \"serial\": \"file=b\", "
				   "\"disk\": [\"b\", \"c\"]}";
	struct error err = {0};
	struct config config;
	uint64_t given = 0, cpus = 0, acpi = 0;

	for (size_t i = 0; i < config_options_n; i++) {
		if (strcmp(config_options[i].field.name, "cpus") == 0)
			cpus = UINT64_C(1) << i;
		else if (strcmp(config_options[i].field.name, "acpi") == 0)
			acpi = UINT64_C(1) << i;
		else
			given |= UINT64_C(1) << i;
	}
	config_init(&config);
	config.kernel = strdup("a");
	assert_int_equal(config_from_json(&config, "x", text, sizeof(text) - 1, &given, &err), 0);
	assert_string_equal(config.kernel, "a");
	assert_int_equal(config.cpus, 2);
	assert_int_equal(config.serial.kind, CHARDEV_STDIO);
	assert_null(config.serial.path);
	assert_int_equal(config.disks_n, 0);
	/* What the file holds is given now, too. */
	assert_true(given & cpus);
	assert_false(given & acpi);
	config_deinit(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_names_place_and_mistake),
		cmocka_unit_test(json_refuses_deep_nesting),
		cmocka_unit_test(json_reads_lists),
		cmocka_unit_test(json_limits_lists),
		cmocka_unit_test(json_leaves_given_options_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
