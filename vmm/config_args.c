/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_args.c - the command line, read off the schema.
 *
 * Syntax as in POSIX, chapter 12.2, with GNU's long options: "-c4", "-c 4", "-vv", "--cpus 4",
 * "--cpus=4"; long options are not abbreviated. An own walk instead of getopt_long(), since that
 * cannot say which option was meant nor that one is given twice. Runs once, on the main thread.
 */
#include "vmm/config_schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct args {
	struct config *config;
	char **next, **end; /* what is still to be read */
	uint64_t given;	    /* mask of options */
	uint64_t negated;   /* of those, the ones given as --no-X */
	const char *file;   /* of --config */
	const struct config_option *action;
	unsigned int verbose;
};

/* One option as it is written: "--memory", "--mem", "--no-acpi" or "-m". */
struct spelling {
	const struct config_option *option;
	char name[32];
	bool negated;
};

#define LONG_NAMES_MAX (3 * CONFIG_OPTIONS_MAX) /* name, alias and no-name of each */

static int unknown_long(const char *name, struct error *err)
{
	const char *names[LONG_NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];

		names[n++] = option->field.name;
		if (option->alias)
			names[n++] = option->alias;
		if (option->no)
			names[n++] = option->no;
	}
	return suggest_error(err, "option", "--", name, names, n, NULL);
}

static int unknown_letter(char letter, struct error *err)
{
	const char given[2] = {letter};
	char letters[CONFIG_OPTIONS_MAX][2];
	const char *names[CONFIG_OPTIONS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < config_options_n; i++) {
		if (!config_options[i].letter)
			continue;
		letters[n][0] = config_options[i].letter;
		letters[n][1] = '\0';
		names[n] = letters[n];
		n++;
	}
	return suggest_error(err, "option", "-", given, names, n, NULL);
}

static bool name_is(const char *name, size_t len, const char *other)
{
	return other && strlen(other) == len && memcmp(name, other, len) == 0;
}

/* @name: @len bytes behind "--". Return: whether there is such an option; then *@spelling. */
static bool find_long(const char *name, size_t len, struct spelling *spelling)
{
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];
		bool negated = name_is(name, len, option->no);

		if (!negated && !name_is(name, len, option->field.name) &&
		    !name_is(name, len, option->alias))
			continue;
		*spelling = (struct spelling) {.option = option, .negated = negated};
		snprintf(spelling->name, sizeof(spelling->name), "--%.*s", (int)len, name);
		return true;
	}
	return false;
}

static bool find_letter(char letter, struct spelling *spelling)
{
	for (size_t i = 0; i < config_options_n; i++) {
		if (!letter || config_options[i].letter != letter)
			continue;
		*spelling = (struct spelling) {.option = &config_options[i]};
		snprintf(spelling->name, sizeof(spelling->name), "-%c", letter);
		return true;
	}
	return false;
}

/* "--X" and "--no-X"; "--X=on", "--X off" and the like are understood too. */
static bool is_switch(const struct config_option *option)
{
	return option_stored(option) && option->field.type == FIELD_BOOL;
}

static bool needs_value(const struct config_option *option)
{
	return option_stored(option) ? !is_switch(option) : option->command == COMMAND_CONFIG;
}

static bool may_have_value(const struct spelling *spelling)
{
	return needs_value(spelling->option) || (is_switch(spelling->option) && !spelling->negated);
}

static bool next_is_on_or_off(const struct args *args)
{
	return args->next < args->end &&
	       (strcmp(*args->next, "on") == 0 || strcmp(*args->next, "off") == 0);
}

/* Note that an option is there; refuse it a second time, by whatever name, unless it is a list. */
static int note_given(struct args *args, const struct spelling *spelling, struct error *err)
{
	const struct config_option *option = spelling->option;
	const uint64_t bit = UINT64_C(1) << (option - config_options);
	const char *name = option->field.name;

	if (option->command == COMMAND_VERBOSE)
		return 0;
	if (option_stored(option) && option->field.type == FIELD_LIST) {
		args->given |= bit;
		return 0;
	}
	if ((args->given & bit) && spelling->negated != !!(args->negated & bit))
		return error_set(err, EINVAL, "--%s and --%s exclude each other", name, option->no);
	if ((args->given & bit) && spelling->name[1] == '-' && !spelling->negated &&
	    strcmp(spelling->name + 2, name) != 0)
		return error_set(err, EINVAL, "%s: that is --%s, which is given already",
				 spelling->name, name);
	if (args->given & bit)
		return error_set(err, EINVAL, "--%s is given twice",
				 spelling->negated ? option->no : name);
	args->given |= bit;
	if (spelling->negated)
		args->negated |= bit;
	return 0;
}

/* The value of an option that needs one and has it in the next argument. */
static int next_value(struct args *args, const struct spelling *spelling, const char **value,
		      struct error *err)
{
	struct spelling other;
	char arg[64];

	arg_format(&spelling->option->field, arg, sizeof(arg));
	if (args->next == args->end)
		return error_set(err, EINVAL, "%s lacks a value: %s %s", spelling->name,
				 spelling->name, arg);
	*value = *args->next++;
	if (strncmp(*value, "--", 2) == 0 && find_long(*value + 2, strlen(*value + 2), &other))
		return error_set(err, EINVAL,
				 "%s lacks a value: %s %s (if %s is meant as one: --%s=%s)",
				 spelling->name, spelling->name, arg, other.name,
				 spelling->option->field.name, other.name);
	return 0;
}

static int take_stored(struct args *args, const struct spelling *spelling, const char *value,
		       struct error *err)
{
	const struct config_field *field = &spelling->option->field;
	int r;

	if (is_switch(spelling->option) && !value) {
		*(bool *)field_at(field, args->config) = !spelling->negated;
		return 0;
	}
	r = field_parse(field, args->config, value, err);
	/* Of several, the value tells which. */
	if (r < 0 && field->type == FIELD_LIST && *value)
		error_prefix(err, "%s '%.80s'", spelling->name, value);
	else if (r < 0)
		error_prefix(err, "%s", spelling->name);
	return r;
}

/* @value: NULL if there is none. */
static int take_option(struct args *args, const struct spelling *spelling, const char *value,
		       struct error *err)
{
	const struct config_option *option = spelling->option;
	int r;

	r = note_given(args, spelling, err);
	if (r < 0)
		return r;
	switch (option->command) {
	case COMMAND_NONE:
		return take_stored(args, spelling, value, err);
	case COMMAND_CONFIG:
		if (!*value)
			return error_set(err, EINVAL, "%s: the value is empty", spelling->name);
		args->file = value;
		return 0;
	case COMMAND_VERBOSE:
		args->verbose++;
		return 0;
	case COMMAND_ACTION:
		if (args->action && option->action != CONFIG_HELP &&
		    option->action != CONFIG_VERSION)
			return error_set(err, EINVAL, "--%s and --%s exclude each other",
					 args->action->field.name, option->field.name);
		args->action = option;
		return 0;
	}
	return -EINVAL;
}

/* @text: what stands behind "--". */
static int take_long(struct args *args, const char *text, struct error *err)
{
	size_t len = strcspn(text, "=");
	const char *value = text[len] ? text + len + 1 : NULL;
	struct spelling spelling;
	int r;

	if (!find_long(text, len, &spelling)) {
		char name[81];

		snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name)), text);
		return unknown_long(name, err);
	}
	if (value && !may_have_value(&spelling)) {
		if (spelling.option->no)
			return error_set(err, EINVAL, "%s takes no value: say --%s or --%s",
					 spelling.name, spelling.option->field.name,
					 spelling.option->no);
		return error_set(err, EINVAL, "%s takes no value", spelling.name);
	}
	if (!value && needs_value(spelling.option)) {
		r = next_value(args, &spelling, &value, err);
		if (r < 0)
			return r;
	} else if (!value && may_have_value(&spelling) && next_is_on_or_off(args)) {
		value = *args->next++;
	}
	return take_option(args, &spelling, value, err);
}

/* @text: what stands behind "-", one or more letters, the last perhaps with its value. */
static int take_letters(struct args *args, const char *text, struct error *err)
{
	struct spelling spelling;
	int r;

	while (*text) {
		const char *value = NULL;

		if (!find_letter(*text, &spelling))
			return unknown_letter(*text, err);
		text++;
		if (needs_value(spelling.option)) {
			value = text;
			text = "";
			r = *value ? 0 : next_value(args, &spelling, &value, err);
			if (r < 0)
				return r;
		}
		r = take_option(args, &spelling, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The action ends the reading: what follows does not matter any more. */
static bool ends_reading(const struct args *args)
{
	return args->action &&
	       (args->action->action == CONFIG_HELP || args->action->action == CONFIG_VERSION);
}

static int take_all(struct args *args, struct error *err)
{
	while (args->next < args->end && !ends_reading(args)) {
		const char *text = *args->next++;
		int r;

		if (strcmp(text, "--") == 0 && args->next == args->end)
			return 0;
		if (strcmp(text, "--") == 0)
			return error_set(err, EINVAL,
					 "unexpected argument '%.80s': nothing may follow --",
					 *args->next);
		if (text[0] != '-' || !text[1])
			return error_set(err, EINVAL,
					 "unexpected argument '%.80s': a kernel is named with "
					 "--kernel FILE, other options are listed by --help",
					 text);
		r = text[1] == '-' ? take_long(args, text + 2, err)
				   : take_letters(args, text + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int config_from_args(struct config *config, int argc, char **argv, enum config_action *action,
		     struct error *err)
{
	struct args args = {.config = config, .next = argv, .end = argv + argc};
	_cleanup_(freep) char *text = NULL;
	size_t len;
	int r;

	if (argc > 0)
		args.next++;
	r = take_all(&args, err);
	if (r < 0)
		return r;
	*action = args.action ? args.action->action : CONFIG_RUN;
	if (ends_reading(&args))
		return 0;
	if (args.file) {
		r = config_file_read(args.file, &text, &len, err);
		if (r == 0)
			r = config_from_json(config, args.file, text, len, &args.given, err);
		if (r < 0)
			return r;
	}
	r = config_settle(config, args.given, err);
	if (r < 0)
		return r;
	args.verbose = MIN(args.verbose, (unsigned int)(LOG_LEVEL_DEBUG - config->log_level));
	config->log_level += args.verbose;
	return 0;
}
