/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_schema.c - the table of options, and what only several options together show.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

/* The bit of the option of that name. */
static uint64_t option_bit(const char *name)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (strcmp(config_options[i].field.name, name) == 0)
			return UINT64_C(1) << i;
	fail_msg("there is no --%s", name);
	return 0;
}

/* Any two of name, alias and the name that turns off; letters. */
static void schema_has_each_name_once(void **state)
{
	const char *names[3 * CONFIG_OPTIONS_MAX];
	uint32_t letters[4] = {0};
	size_t n = 0;

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];
		const unsigned char letter = (unsigned char)option->letter;

		names[n++] = option->field.name;
		if (option->alias)
			names[n++] = option->alias;
		if (option->no)
			names[n++] = option->no;
		if (!letter)
			continue;
		assert_false(letters[letter / 32] & UINT32_C(1) << letter % 32);
		letters[letter / 32] |= UINT32_C(1) << letter % 32;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(names[i], names[j]) == 0)
				fail_msg("--%s is there twice", names[i]);
}

#define STDIO_TWICE                                                                                \
	"serial and console both lead to stdio, which only one of them can have: say --serial off"

/* A file's text, on top of what the command line gave; then what becomes of the two. */
static const struct {
	const char *name;
	const char *serial; /* of the command line, or NULL */
	const char *file;
	const char *sentence; /* NULL: fine, and then */
	enum chardev_kind serial_kind, console_kind;
} settled[] = {
	{"nothing", NULL, "{}", NULL, CHARDEV_STDIO, CHARDEV_OFF},
	{"console elsewhere", NULL, "{\"console\": \"pty\"}", NULL, CHARDEV_STDIO, CHARDEV_PTY},
	{"console takes stdio", NULL, "{\"console\": \"stdio\"}", NULL, CHARDEV_OFF, CHARDEV_STDIO},
	{"console takes stdio, serial is elsewhere", NULL,
	 "{\"console\": \"stdio\", \"serial\": \"pty\"}", NULL, CHARDEV_PTY, CHARDEV_STDIO},
	{"console takes stdio, serial was sent elsewhere", "file=a",
	 "{\"console\": \"stdio\", \"serial\": \"stdio\"}", NULL, CHARDEV_FILE, CHARDEV_STDIO},
	{"serial on stdio by default value", NULL, "{\"serial\": {}, \"console\": \"stdio\"}",
	 STDIO_TWICE},
	{"both on stdio, file", NULL, "{\"serial\": \"stdio\", \"console\": \"stdio\"}",
	 STDIO_TWICE},
	{"both on stdio, one each", "stdio", "{\"console\": \"stdio\"}", STDIO_TWICE},
	{"both on a pty", "pty", "{\"console\": \"pty\"}", NULL, CHARDEV_PTY, CHARDEV_PTY},
	{"a socket each", "socket=a", "{\"console\": \"socket=b\"}", NULL, CHARDEV_SOCKET,
	 CHARDEV_SOCKET},
	{"the same socket", "socket=a", "{\"console\": \"socket=a\"}",
	 "serial and console both lead to the socket 'a': each needs one of its own"},
	{"file and socket of one name", "file=a", "{\"console\": \"socket=a\"}", NULL, CHARDEV_FILE,
	 CHARDEV_SOCKET},
};

static void settle_leaves_stdio_to_one(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(settled); i++) {
		struct config config;
		struct error err = {0};
		uint64_t given = 0;
		int r;

		config_init(&config);
		if (settled[i].serial) {
			given = option_bit("serial");
			assert_int_equal(kv_parse(&config_chardev_keys, &config.serial,
						  settled[i].serial, &err),
					 0);
		}
		if (config_from_json(&config, "x", settled[i].file, strlen(settled[i].file), &given,
				     &err) < 0)
			fail_msg("%s: %s", settled[i].name, err.text);
		r = config_settle(&config, given, &err);
		if (r != (settled[i].sentence ? -EINVAL : 0) ||
		    strcmp(err.text, settled[i].sentence ?: "") != 0)
			fail_msg("%s: %d, \"%s\"", settled[i].name, r, err.text);
		if (r == 0 && (config.serial.kind != settled[i].serial_kind ||
			       config.console.kind != settled[i].console_kind))
			fail_msg("%s: %d, %d", settled[i].name, config.serial.kind,
				 config.console.kind);
		config_deinit(&config);
	}
}

static void check_wants_a_kernel(void **state)
{
	struct error err = {0};
	struct config config;

	config_init(&config);
	assert_int_equal(config_check(&config, &err), -EINVAL);
	assert_string_equal(err.text, "no kernel given: name one with --kernel FILE");
	config.kernel = strdup("x");
	assert_int_equal(config_check(&config, &err), 0);
	config_deinit(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_has_each_name_once),
		cmocka_unit_test(settle_leaves_stdio_to_one),
		cmocka_unit_test(check_wants_a_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
