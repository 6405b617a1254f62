/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_help.c - --help: it fits the terminal and leaves nothing out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "exit_code.h"
#include "vmm/config_schema.h"

static char *help;

static int write_help(void **state)
{
	size_t len;
	FILE *out = open_memstream(&help, &len);

	if (!out)
		return -1;
	help_write(out);
	return fclose(out);
}

static int free_help(void **state)
{
	free(help);
	return 0;
}

static void help_fits_80_columns(void **state)
{
	size_t lines = 0;

	for (const char *line = help; *line; lines++) {
		size_t len = strcspn(line, "\n");

		if (len > 80 || (len > 0 && line[len - 1] == ' '))
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		assert_int_equal(line[len], '\n');
		line += len + 1;
	}
	assert_true(lines > 40);
}

/* @word stands in the help, and no letter follows it. */
static void assert_listed(const char *word)
{
	const char *at = help;

	while ((at = strstr(at, word))) {
		at += strlen(word);
		if (strchr(" ,\n=", *at))
			return;
	}
	fail_msg("%s is not listed", word);
}

static void help_lists_every_name(void **state)
{
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];
		const struct config_composite *composite = option->field.composite;
		const char *const names[] = {option->field.name, option->alias, option->no};
		const char letter[] = {'-', option->letter, '\0'};
		char name[40];

		for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
			if (!names[j])
				continue;
			snprintf(name, sizeof(name), "--%s", names[j]);
			assert_listed(name);
		}
		assert_listed(letter[1] ? letter : "--help");
		for (size_t j = 0; composite && j < composite->fields_n; j++)
			assert_listed(composite->fields[j].name);
	}
}

static void help_tells_limits_and_defaults(void **state)
{
	static const char *const texts[] = {
		"number of virtual CPUs, 1 to 32 (1)\n",
		"; 16M to 4T (512M)\n",
		"how devices wait for events (auto)\n",
		"--loop auto|uring|epoll ",
		"command line (on)\n",
		"      --rng, --no-rng  ",
		"--serial stdio|off|pty|file=PATH|socket=PATH\n",
		"file, or a socket (stdio)\n",
		"file, or a socket (off)\n",
		"        path=PATH             raw image or block device\n",
		" readonly=on|off       the guest cannot write to it (off)\n",
		"freed on the host (on)\n", /* default of a list's items */
		"        packed=on|off ",
		"      --media PATH|by-id=NAME|fd=N|test[,KEY=VALUE...]\n",
		"read-only; 2M to 64G (1G)\n",
		"        timestamps=host|guest whose monotonic clock frames are stamped by (host)\n",
		"open at a time, 1 to 1024 (128)\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strstr(help, texts[i]))
			fail_msg("'%s' is missing", texts[i]);
}

static void help_lists_exit_codes(void **state)
{
	static const enum exit_code codes[] = {EXIT_POWER_OFF, EXIT_RESET, EXIT_CRASH, EXIT_PANIC,
					       EXIT_CONFIG,    EXIT_HOST,  EXIT_KVM,   EXIT_ENDED};
	const char *list = strstr(help, "\nExit codes\n");

	assert_non_null(list);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		char line[16];

		snprintf(line, sizeof(line), "\n  %d ", codes[i]);
		if (!strstr(list, line))
			fail_msg("exit code %d is missing", codes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_fits_80_columns),
		cmocka_unit_test(help_lists_every_name),
		cmocka_unit_test(help_tells_limits_and_defaults),
		cmocka_unit_test(help_lists_exit_codes),
	};

	return cmocka_run_group_tests(tests, write_help, free_help);
}
