/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_config.c - any bytes as a configuration file, or as a command line.
 *
 * An input that starts with '-' is a command line, an argument a line; any other is a file. What is
 * refused comes with a sentence; what is taken is printed and read again, which changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/config.h"

#define ARGS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, text);
	abort();
}

static void require_sentence(const struct error *err)
{
	require(err->text[0], "refused without a sentence", "");
	for (const char *at = err->text; *at; at++)
		require((unsigned char)*at >= 0x20, "control character", err->text);
}

/* What config_to_json() prints reads back as the same configuration. */
static void require_round_trip(const struct config *config)
{
	_cleanup_(freep) char *once = config_to_json(config);
	_cleanup_(freep) char *twice = NULL;
	struct error err = {0};
	struct config copy;
	uint64_t given = 0;

	require(once, "not printed", "");
	config_init(&copy);
	require(config_from_json(&copy, "again", once, strlen(once), &given, &err) == 0,
		"printed, but refused", err.text);
	require(config_settle(&copy, given, &err) == 0, "printed, but does not settle", err.text);
	twice = config_to_json(&copy);
	require(twice && strcmp(once, twice) == 0, "changed by a round trip", once);
	config_deinit(&copy);
}

/* "fuzz:LINE:COLUMN: " with a line and a column that the text has. */
static void require_place(const char *sentence, const char *text, size_t size)
{
	unsigned int line = 0, column = 0, lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	require(sscanf(sentence, "fuzz:%u:%u: ", &line, &column) == 2, "no place", sentence);
	require(line >= 1 && line <= lines && column >= 1 && column <= size + 1, "wrong place",
		sentence);
}

static void run_file(const char *text, size_t size)
{
	struct error err = {0};
	struct config config;
	uint64_t given = 0;

	config_init(&config);
	if (config_from_json(&config, "fuzz", text, size, &given, &err) < 0) {
		require_sentence(&err);
		require_place(err.text, text, size);
	} else if (config_settle(&config, given, &err) < 0) {
		require_sentence(&err);
	} else {
		require_round_trip(&config);
	}
	config_deinit(&config);
}

static void run_args(const char *text, size_t size)
{
	_cleanup_(freep) char *copy = strndup(text, size);
	char *argv[ARGS_MAX + 1] = {(char[]) {"vmm"}};
	enum config_action action;
	struct error err = {0};
	struct config config;
	int argc = 1;

	for (char *at = copy; at && argc < ARGS_MAX; argc++)
		argv[argc] = strsep(&at, "\n");
	/* Not any file of this machine: it could be a terminal, and the result would vary. */
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "--config", 8) == 0)
			return;
	config_init(&config);
	if (config_from_args(&config, argc, argv, &action, &err) == 0)
		require_round_trip(&config);
	else
		require_sentence(&err);
	config_deinit(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (size > 0 && text[0] == '-')
		run_args(text, size);
	else
		run_file(text, size);
	return 0;
}
