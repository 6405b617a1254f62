/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_json.c - the configuration file: mistakes with line and column, and round trips.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

#define OTHER_KEYS "kernel, initramfs, cmdline, cpus, serial, acpi, loop, software-kvm, log-level"

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
	{"unknown key, far off", "{\"video\": 2}",
	 "1:2: unknown key video: there are kernel, initramfs, cmdline, cpus, memory, serial, acpi, loop, software-kvm, log-level"},
	{"alias", "{\"mem\": \"1G\"}",
	 "1:2: unknown key mem: did you mean memory? The others are " OTHER_KEYS},
	{"negated name", "{\"no-acpi\": true}",
	 "1:2: unknown key no-acpi: did you mean acpi? The others are kernel, initramfs, cmdline, cpus, memory, serial, loop, software-kvm, log-level"},
	{"config in a config", "{\"config\": \"x\"}",
	 "1:2: unknown key config: there are kernel, initramfs, cmdline, cpus, memory, serial, acpi, loop, software-kvm, log-level"},
	{"action", "{\"dry-run\": true}",
	 "1:2: unknown key dry-run: there are kernel, initramfs, cmdline, cpus, memory, serial, acpi, loop, software-kvm, log-level"},
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
	{"same key in another object",
	 "{\"serial\": {\"kind\": \"pty\"}, \"memory\": {\"kind\": \"pty\"}}",
	 "1:40: memory: unknown key kind: there are size, hugepages, prefault, thp, shared"},
};

static void json_names_place_and_mistake(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err = {0};
		struct config config;
		int r;

		config_init(&config);
		r = config_from_json(&config, "vm.json", mistakes[i].text, strlen(mistakes[i].text),
				     0, &err);
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

	memset(text, '[', sizeof(text));
	config_init(&config);
	assert_int_equal(config_from_json(&config, "x", text, sizeof(text), 0, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too many brackets inside each other"));
	config_deinit(&config);
}

/* Text in, and the same configuration as --dry-run prints it. */
static const struct {
	const char *name;
	const char *in;
	const char *out;
} printed[] = {
	{"defaults", "{}",
	 "{\n  \"cpus\": 1,\n  \"memory\": {\n    \"size\": \"512M\",\n    \"hugepages\": false,\n"
	 "    \"prefault\": false,\n    \"thp\": false,\n    \"shared\": false\n  },\n  \"serial\": {\n"
	 "    \"kind\": \"stdio\"\n  },\n  \"acpi\": true,\n  \"loop\": \"auto\",\n"
	 "  \"software-kvm\": false,\n  \"log-level\": \"warning\"\n}"},
	{"everything",
	 "{\"log-level\": \"debug\", \"software-kvm\": true, \"loop\": \"epoll\", \"acpi\": false,\n"
	 "\"serial\": \"file=a\\\\,b\", \"memory\": \"3G,prefault,thp=yes\", \"cpus\": 32,\n"
	 "\"cmdline\": \"\", \"initramfs\": \"\xc3\xa9\\u20ac\xf0\x9f\x98\x80\", \"kernel\": \"a\\n\\u001b\\\"\\\\/\\u007f\"}",
	 "{\n  \"kernel\": \"a\\n\\u001B\\\"\\\\/\x7f\",\n"
	 "  \"initramfs\": \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",\n  \"cmdline\": \"\",\n"
	 "  \"cpus\": 32,\n  \"memory\": {\n    \"size\": \"3G\",\n    \"hugepages\": false,\n"
	 "    \"prefault\": true,\n    \"thp\": true,\n    \"shared\": false\n  },\n  \"serial\": {\n    \"kind\": \"file\",\n"
	 "    \"file\": \"a,b\"\n  },\n  \"acpi\": false,\n  \"loop\": \"epoll\",\n"
	 "  \"software-kvm\": true,\n  \"log-level\": \"debug\"\n}"},
	{"objects, other units",
	 "{\"memory\": {\"hugepages\": true, \"size\": 18874368}, \"serial\": {\"kind\": \"pty\"}}",
	 "{\n  \"cpus\": 1,\n  \"memory\": {\n    \"size\": \"18M\",\n    \"hugepages\": true,\n"
	 "    \"prefault\": false,\n    \"thp\": false,\n    \"shared\": false\n  },\n  \"serial\": {\n"
	 "    \"kind\": \"pty\"\n  },\n  \"acpi\": true,\n  \"loop\": \"auto\",\n"
	 "  \"software-kvm\": false,\n  \"log-level\": \"warning\"\n}"},
};

static char *reprint(const char *name, const char *text)
{
	struct error err = {0};
	struct config config;
	char *out;

	config_init(&config);
	if (config_from_json(&config, "vm.json", text, strlen(text), 0, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	out = config_to_json(&config);
	config_deinit(&config);
	assert_non_null(out);
	return out;
}

static void json_prints_all_and_reads_it_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(printed); i++) {
		_cleanup_(freep) char *once = reprint(printed[i].name, printed[i].in);
		_cleanup_(freep) char *twice = reprint(printed[i].name, once);

		if (strcmp(once, printed[i].out) != 0)
			fail_msg("%s: %s", printed[i].name, once);
		assert_string_equal(twice, once);
	}
}

/* Each option by itself, away from its default, survives being printed and read. */
static void json_keeps_every_option(void **state)
{
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_field *field = &config_options[i].field;
		static const char *const values[] = {
			[FIELD_BOOL] = NULL,	    [FIELD_UINT] = "7",	      [FIELD_ENUM] = NULL,
			[FIELD_TEXT] = "\x01 text", [FIELD_PATH] = "/a/path",
		};
		_cleanup_(freep) char *once = NULL, *twice = NULL, *plain = reprint("", "{}");
		struct error err = {0};
		struct config config;

		if (!option_stored(&config_options[i]))
			continue;
		config_init(&config);
		if (field->type == FIELD_BOOL)
			*(bool *)field_at(field, &config) ^= true;
		else if (field->type == FIELD_ENUM)
			*(unsigned int *)field_at(field, &config) =
				(unsigned int)field->names_n - 1;
		else if (strcmp(field->name, "memory") == 0)
			config.memory = (struct config_memory) {.size = 33 * MIB, .prefault = true};
		else if (strcmp(field->name, "serial") == 0)
			config.serial.kind = SERIAL_OFF;
		else
			assert_int_equal(field_parse(field, &config, values[field->type], &err), 0);
		once = config_to_json(&config);
		config_deinit(&config);
		assert_string_not_equal(once, plain);
		twice = reprint(field->name, once);
		assert_string_equal(twice, once);
	}
}

static void json_leaves_given_options_alone(void **state)
{
	static const char text[] = "{\"kernel\": \"b\", \"cpus\": 2, \"serial\": \"file=b\"}";
	struct error err = {0};
	struct config config;
	uint64_t given = 0;

	for (size_t i = 0; i < config_options_n; i++)
		if (strcmp(config_options[i].field.name, "cpus") != 0)
			given |= UINT64_C(1) << i;
	config_init(&config);
	config.kernel = strdup("a");
	assert_int_equal(config_from_json(&config, "x", text, sizeof(text) - 1, given, &err), 0);
	assert_string_equal(config.kernel, "a");
	assert_int_equal(config.cpus, 2);
	assert_int_equal(config.serial.kind, SERIAL_STDIO);
	assert_null(config.serial.path);
	config_deinit(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_names_place_and_mistake),
		cmocka_unit_test(json_refuses_deep_nesting),
		cmocka_unit_test(json_prints_all_and_reads_it_back),
		cmocka_unit_test(json_keeps_every_option),
		cmocka_unit_test(json_leaves_given_options_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
