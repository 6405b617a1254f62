/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_args_list.c - the command line: options that are repeated, with and without a file.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config.h"

#define ARGS_MAX 12

/* @file: text of the file that --config names as "FILE", or NULL. */
static int read_args(struct config *config, const char *const *args, const char *file,
		     struct error *err)
{
	char *argv[ARGS_MAX + 1] = {strdup("vmm")}, path[32] = "";
	enum config_action action;
	int fds[2], argc = 1, r;

	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	if (file)
		assert_int_equal(write(fds[1], file, strlen(file)), strlen(file));
	close(fds[1]);
	for (; args[argc - 1]; argc++)
		argv[argc] = strdup(strcmp(args[argc - 1], "FILE") == 0 ? path : args[argc - 1]);
	config_init(config);
	r = config_from_args(config, argc, argv, &action, err);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	close(fds[0]);
	return r;
}

static const char two_disks[] = "{\"disk\": [\"f,readonly\", {\"path\": \"g\"}]}";

static const struct {
	const char *name;
	const char *args[ARGS_MAX];
	struct config_disk disks[4]; /* up to one without a path */
} good[] = {
	{"none", {NULL}, {{NULL}}},
	{"one", {"--disk", "a"}, {{(char[]) {"a"}}}},
	{"three, among others",
	 {"--disk=c,readonly", "-c4", "--disk", "a", "--no-rng", "--disk", "b,direct=on"},
	 {{(char[]) {"c"}, .readonly = true}, {(char[]) {"a"}}, {(char[]) {"b"}, .direct = true}}},
	{"of the file",
	 {"--config", "FILE"},
	 {{(char[]) {"f"}, .readonly = true}, {(char[]) {"g"}}}},
	{"instead of the file's",
	 {"--disk", "g,direct", "--config", "FILE"},
	 {{(char[]) {"g"}, .direct = true}}},
	{"instead of the file's, behind it",
	 {"--config", "FILE", "--disk", "a", "--disk", "f"},
	 {{(char[]) {"a"}}, {(char[]) {"f"}}}},
};

static void args_repeat_disks(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct error err = {0};
		struct config got;
		size_t n = 0;

		if (read_args(&got, good[i].args, two_disks, &err) < 0)
			fail_msg("%s: %s", good[i].name, err.text);
		for (const struct config_disk *want = good[i].disks; want->path; want++, n++)
			if (n >= got.disks_n || strcmp(got.disks[n].path, want->path) != 0 ||
			    got.disks[n].readonly != want->readonly ||
			    got.disks[n].direct != want->direct ||
			    got.disks[n].discard == want->readonly)
				fail_msg("%s: disk %zu is read wrongly", good[i].name, n);
		if (got.disks_n != n)
			fail_msg("%s: %zu disks", good[i].name, got.disks_n);
		config_deinit(&got);
	}
}

static void args_check_disks_that_they_replace(void **state)
{
	static const char *const args[] = {"--disk", "x", "--config", "FILE", NULL};
	struct error err = {0};
	struct config config;
	char want[64];
	int fd;

	assert_int_equal(read_args(&config, args, "{\"disk\": [\"a\",\n\"a\"]}", &err), -EINVAL);
	assert_int_equal(config.disks_n, 1);
	assert_int_equal(sscanf(err.text, "/dev/fd/%d:", &fd), 1);
	snprintf(want, sizeof(want), "/dev/fd/%d:2:1: disk: element 2: the path 'a' is ", fd);
	assert_ptr_equal(strstr(err.text, want), err.text);
	config_deinit(&config);
}

static void args_limit_disks(void **state)
{
	char names[CONFIG_DISKS_MAX + 1][24], *argv[CONFIG_DISKS_MAX + 2] = {names[0]};
	struct error err = {0};
	enum config_action action;
	struct config config;

	for (int i = 0; i <= CONFIG_DISKS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "--disk=%d", i + 1);
		argv[i + 1] = names[i];
	}
	config_init(&config);
	assert_int_equal(config_from_args(&config, CONFIG_DISKS_MAX + 1, argv, &action, &err), 0);
	assert_int_equal(config.disks_n, CONFIG_DISKS_MAX);
	config_deinit(&config);
	config_init(&config);
	assert_int_equal(config_from_args(&config, CONFIG_DISKS_MAX + 2, argv, &action, &err),
			 -EINVAL);
	assert_string_equal(err.text,
			    "--disk '65': there are 64 before it, and no more are possible");
	config_deinit(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(args_repeat_disks),
		cmocka_unit_test(args_check_disks_that_they_replace),
		cmocka_unit_test(args_limit_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
