/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_print.c - what --dry-run prints, and that --config takes it back unchanged.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

/* The configuration that @text makes, or fails the test. */
static void read_json(struct config *config, const char *name, const char *text)
{
	struct error err = {0};
	uint64_t given = 0;

	config_init(config);
	if (config_from_json(config, "vm.json", text, strlen(text), &given, &err) < 0 ||
	    config_settle(config, given, &err) < 0)
		fail_msg("%s: %s", name, err.text);
}

static char *reprint(const char *name, const char *text)
{
	struct config config;
	char *out;

	read_json(&config, name, text);
	out = config_to_json(&config);
	config_deinit(&config);
	assert_non_null(out);
	return out;
}

/* Text in, and the same configuration as --dry-run prints it. */
static const struct {
	const char *name;
	const char *in;
	const char *out;
} printed[] = {
	{"defaults", "{}",
	 "{\n  \"cpus\": 1,\n  \"memory\": {\n    \"size\": \"512M\",\n    \"hugepages\": false,\n"
	 "    \"prefault\": false,\n    \"thp\": false,\n    \"shared\": false\n  },\n"
	 "  \"acpi\": true,\n  \"serial\": {\n    \"kind\": \"stdio\"\n  },\n"
	 "  \"console\": {\n    \"kind\": \"off\"\n  },\n  \"disk\": [],\n  \"media\": [],\n"
	 "  \"rng\": true,\n"
	 "  \"virtio\": {\n    \"packed\": true\n  },\n  \"loop\": \"auto\",\n"
	 "  \"software-kvm\": false,\n  \"log-level\": \"warning\"\n}"},
	{"everything",
	 "{\"log-level\": \"debug\", \"software-kvm\": true, \"loop\": \"epoll\", \"acpi\": false,\n"
	 "\"virtio\": \"packed=off\", \"rng\": false,\n"
	 "\"disk\": [\"a\\\\,b,id= ~,direct\", {\"discard\": false, \"readonly\": true, \"path\": \"c,d\"}],\n"
	 "\"console\": \"socket=/run/c\", \"serial\": \"file=a\\\\,b\",\n"
	 "\"media\": [\"./test,label=a\\\\,b,shm=64M,convert\", {\"fps\": \"50/4\", \"test\": true,\n"
	 "\"formats\": \"RGB3:NV12\", \"size\": \"64x48\"}, \"fd=9,timestamps=guest\", \"by-id=a b\"],\n"
	 "\"memory\": \"3G,prefault,thp=yes\", \"cpus\": 32,\n"
	 "\"cmdline\": \"\", \"initramfs\": \"\xc3\xa9\\u20ac\xf0\x9f\x98\x80\", \"kernel\": \"a\\n\\u001b\\\"\\\\/\\u007f\"}",
	 "{\n  \"kernel\": \"a\\n\\u001B\\\"\\\\/\x7f\",\n"
	 "  \"initramfs\": \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",\n  \"cmdline\": \"\",\n"
	 "  \"cpus\": 32,\n  \"memory\": {\n    \"size\": \"3G\",\n    \"hugepages\": false,\n"
	 "    \"prefault\": true,\n    \"thp\": true,\n    \"shared\": true\n  },\n"
	 "  \"acpi\": false,\n  \"serial\": {\n    \"kind\": \"file\",\n    \"file\": \"a,b\"\n  },\n"
	 "  \"console\": {\n    \"kind\": \"socket\",\n    \"socket\": \"/run/c\"\n  },\n"
	 "  \"disk\": [\n    {\n      \"path\": \"a,b\",\n      \"readonly\": false,\n"
	 "      \"id\": \" ~\",\n      \"direct\": true,\n      \"discard\": true\n    },\n"
	 "    {\n      \"path\": \"c,d\",\n      \"readonly\": true,\n"
	 "      \"direct\": false,\n      \"discard\": false\n    }\n  ],\n"
	 "  \"media\": [\n    {\n      \"path\": \"./test\",\n      \"test\": false,\n"
	 "      \"label\": \"a,b\",\n      \"shm\": \"64M\",\n      \"timestamps\": \"host\",\n"
	 "      \"convert\": true,\n      \"sessions\": 128,\n      \"buffers\": 1024\n    },\n"
	 "    {\n      \"test\": true,\n      \"shm\": \"1G\",\n      \"timestamps\": \"host\",\n"
	 "      \"convert\": false,\n      \"sessions\": 128,\n      \"buffers\": 1024,\n"
	 "      \"size\": \"64x48\",\n      \"fps\": \"25/2\",\n      \"formats\": \"RGB3:NV12\"\n    },\n"
	 "    {\n      \"fd\": 9,\n      \"test\": false,\n      \"shm\": \"1G\",\n"
	 "      \"timestamps\": \"guest\",\n      \"convert\": false,\n      \"sessions\": 128,\n"
	 "      \"buffers\": 1024\n    },\n    {\n      \"by-id\": \"a b\",\n      \"test\": false,\n"
	 "      \"shm\": \"1G\",\n      \"timestamps\": \"host\",\n      \"convert\": false,\n"
	 "      \"sessions\": 128,\n      \"buffers\": 1024\n    }\n  ],\n"
	 "  \"rng\": false,\n  \"virtio\": {\n    \"packed\": false\n  },\n  \"loop\": \"epoll\",\n"
	 "  \"software-kvm\": true,\n  \"log-level\": \"debug\"\n}"},
	{"objects, other units, one disk",
	 "{\"memory\": {\"hugepages\": true, \"size\": 18874368}, \"serial\": {\"kind\": \"pty\"},\n"
	 "\"console\": \"stdio\", \"disk\": \"x\"}",
	 "{\n  \"cpus\": 1,\n  \"memory\": {\n    \"size\": \"18M\",\n    \"hugepages\": true,\n"
	 "    \"prefault\": false,\n    \"thp\": false,\n    \"shared\": false\n  },\n"
	 "  \"acpi\": true,\n  \"serial\": {\n    \"kind\": \"pty\"\n  },\n"
	 "  \"console\": {\n    \"kind\": \"stdio\"\n  },\n"
	 "  \"disk\": [\n    {\n      \"path\": \"x\",\n      \"readonly\": false,\n"
	 "      \"direct\": false,\n      \"discard\": true\n    }\n  ],\n  \"media\": [],\n"
	 "  \"rng\": true,\n"
	 "  \"virtio\": {\n    \"packed\": true\n  },\n  \"loop\": \"auto\",\n"
	 "  \"software-kvm\": false,\n  \"log-level\": \"warning\"\n}"},
};

static void print_is_read_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(printed); i++) {
		_cleanup_(freep) char *once = reprint(printed[i].name, printed[i].in);
		_cleanup_(freep) char *twice = reprint(printed[i].name, once);

		if (strcmp(once, printed[i].out) != 0)
			fail_msg("%s: %s", printed[i].name, once);
		assert_string_equal(twice, once);
	}
}

/* What follows from another option is printed, so that reading it back needs no guess. */
static void print_tells_what_was_settled(void **state)
{
	_cleanup_(freep) char *once = reprint("console", "{\"console\": \"stdio\"}");
	_cleanup_(freep) char *twice = reprint("again", once);

	assert_non_null(strstr(once, "\"serial\": {\n    \"kind\": \"off\"\n  },\n"
				     "  \"console\": {\n    \"kind\": \"stdio\"\n  }"));
	assert_string_equal(twice, once);
}

/* An array as long as it may be, whose order and values come back. */
static void print_keeps_a_full_list(void **state)
{
	_cleanup_(freep) char *once = NULL, *twice = NULL;
	char args[CONFIG_DISKS_MAX][64], *argv[CONFIG_DISKS_MAX + 1] = {args[0]};
	struct config config, copy;
	struct error err = {0};
	enum config_action action;

	for (int i = 0; i < CONFIG_DISKS_MAX; i++) {
		snprintf(args[i], sizeof(args[i]), "--disk=disk%d.img%s%s,id=%d", 99 - i,
			 i % 2 ? ",readonly" : "", i % 3 ? ",discard=off" : "", i);
		argv[i + 1] = args[i];
	}
	config_init(&config);
	assert_int_equal(config_from_args(&config, CONFIG_DISKS_MAX + 1, argv, &action, &err), 0);
	assert_int_equal(config.disks_n, CONFIG_DISKS_MAX);
	once = config_to_json(&config);
	read_json(&copy, "full", once);
	assert_int_equal(copy.disks_n, config.disks_n);
	for (size_t i = 0; i < copy.disks_n; i++) {
		assert_string_equal(copy.disks[i].path, config.disks[i].path);
		assert_string_equal(copy.disks[i].id, config.disks[i].id);
		assert_int_equal(copy.disks[i].readonly, i % 2);
		assert_int_equal(copy.disks[i].discard, i % 6 == 0);
	}
	twice = config_to_json(&copy);
	assert_string_equal(twice, once);
	config_deinit(&copy);
	config_deinit(&config);
}

/* Each option by itself, away from its default, survives being printed and read. */
static void print_keeps_every_option(void **state)
{
	static const char *const values[] = {
		[FIELD_UINT] = "7",
		[FIELD_TEXT] = "\x01 text",
		[FIELD_PATH] = "/a/path",
		[FIELD_NAME] = "a name",
	};
	static const struct {
		const char *name, *value;
	} composites[] = {
		{"memory", "33M,prefault"}, {"serial", "off"},	     {"console", "socket=x"},
		{"disk", "x,id=y"},	    {"media", "test,fps=7"}, {"virtio", "packed=off"},
	};

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_field *field = &config_options[i].field;
		_cleanup_(freep) char *once = NULL, *twice = NULL, *plain = reprint("", "{}");
		const char *value = field->type < ARRAY_SIZE(values) ? values[field->type] : NULL;
		struct error err = {0};
		struct config config;

		if (!option_stored(&config_options[i]))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(composites); j++)
			if (strcmp(field->name, composites[j].name) == 0)
				value = composites[j].value;
		config_init(&config);
		if (field->type == FIELD_BOOL)
			*(bool *)field_at(field, &config) ^= true;
		else if (field->type == FIELD_ENUM)
			*(unsigned int *)field_at(field, &config) =
				(unsigned int)field->names_n - 1;
		else if (!value)
			fail_msg("--%s has no row", field->name);
		else
			assert_int_equal(field_parse(field, &config, value, &err), 0);
		once = config_to_json(&config);
		config_deinit(&config);
		assert_string_not_equal(once, plain);
		twice = reprint(field->name, once);
		assert_string_equal(twice, once);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(print_is_read_back),
		cmocka_unit_test(print_tells_what_was_settled),
		cmocka_unit_test(print_keeps_a_full_list),
		cmocka_unit_test(print_keeps_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
