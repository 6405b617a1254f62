/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_field.c - one value of the configuration: from text, checked, into its place.
 *
 * The command line, "key=value" and JSON all come through here, so that a value means the same
 * and a mistake reads the same wherever it is written.
 */
#include "vmm/config_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int parse_bool(const char *text, bool *value, struct error *err)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"on", true},	{"true", true},	  {"yes", true},
		{"off", false}, {"false", false}, {"no", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i].word) == 0) {
			*value = words[i].value;
			return 0;
		}
	}
	return error_set(err, EINVAL, "'%.80s' is neither on nor off", text);
}

int digits_parse(const char **text, uint64_t *value)
{
	int r = 0;

	*value = 0;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(**text - '0'), value))
			r = -ERANGE;
	return r;
}

void size_format(char to[SIZE_TEXT_MAX], uint64_t bytes)
{
	static const char units[] = "KMGT";
	const char *unit = units;

	if (bytes == 0 || bytes % KIB) {
		snprintf(to, SIZE_TEXT_MAX, "%" PRIu64, bytes);
		return;
	}
	for (bytes /= KIB; unit[1] && bytes % KIB == 0; bytes /= KIB)
		unit++;
	snprintf(to, SIZE_TEXT_MAX, "%" PRIu64 "%c", bytes, *unit);
}

static void number_format(const struct config_field *field, char to[SIZE_TEXT_MAX], uint64_t value)
{
	if (field->type == FIELD_SIZE)
		size_format(to, value);
	else
		snprintf(to, SIZE_TEXT_MAX, "%" PRIu64, value);
}

static int range_error(const struct config_field *field, const char *text, const char *what,
		       struct error *err)
{
	char min[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX];

	number_format(field, min, field->min);
	number_format(field, max, field->max);
	return error_set(err, EINVAL, "%.80s is %s: it must be from %s to %s", text, what, min,
			 max);
}

/* @rest: what follows the digits. Return: 0 and *@shift, or -EINVAL and a sentence. */
static int parse_unit(const char *text, const char *rest, unsigned int *shift, struct error *err)
{
	static const char units[] = "KMGT";
	const char *unit;

	*shift = 0;
	if (!*rest)
		return 0;
	unit = strchr(units, *rest & ~0x20); /* upper case */
	if (unit && *unit && (!rest[1] || strcasecmp(rest + 1, "ib") == 0)) {
		*shift = 10 * (unsigned int)(unit - units + 1);
		return 0;
	}
	if (*rest == '.')
		return error_set(err, EINVAL,
				 "'%.80s' is not a whole number: write 1536M instead of 1.5G",
				 text);
	return error_set(err, EINVAL,
			 "'%.80s' ends in an unknown unit: there are K, M, G and T (or KiB, ...)",
			 text);
}

static int parse_number(const struct config_field *field, const char *text, uint64_t *value,
			struct error *err)
{
	const char *rest = text;
	unsigned int shift = 0;
	uint64_t number;
	bool huge;
	int r;

	if (text[0] == '-' && text[1] >= '0' && text[1] <= '9')
		return range_error(field, text, "negative", err);
	huge = digits_parse(&rest, &number) < 0;
	if (rest == text || (*rest && field->type != FIELD_SIZE))
		return error_set(err, EINVAL, "'%.80s' is not a %s", text,
				 field->type == FIELD_SIZE ? "size, such as 512M or 2G"
							   : "whole number");
	if (field->type == FIELD_SIZE) {
		r = parse_unit(text, rest, &shift, err);
		if (r < 0)
			return r;
	}
	if (huge || number > field->max >> shift)
		return range_error(field, text, "too large", err);
	if (!*rest && field->min >= MIB && number < MIB && number * MIB >= field->min &&
	    number * MIB <= field->max)
		return error_set(err, EINVAL,
				 "%s means bytes, which is too small: write %sM for that many MiB",
				 text, text);
	number <<= shift;
	if (number < field->min)
		return range_error(field, text, "too small", err);
	if (field->multiple && number % field->multiple) {
		char multiple[SIZE_TEXT_MAX];

		number_format(field, multiple, field->multiple);
		return error_set(err, EINVAL, "%.80s is not a multiple of %s", text, multiple);
	}
	*value = number;
	return 0;
}

static int parse_enum(const struct config_field *field, const char *text, unsigned int *value,
		      struct error *err)
{
	for (size_t i = 0; i < field->names_n; i++) {
		if (strcmp(text, field->names[i]) == 0) {
			*value = (unsigned int)i;
			return 0;
		}
	}
	return suggest_error(err, "value", "", text, field->names, field->names_n, NULL);
}

/* The length of the UTF-8 character at @at (RFC 3629, section 4), 0 if it is none. */
static size_t utf8_char(const unsigned char *at)
{
	/* The first byte decides the length and what the second may be. */
	static const struct {
		unsigned char first, last;
		unsigned char second_first, second_last;
		unsigned char len;
	} forms[] = {
		{0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (at[0] < forms[i].first || at[0] > forms[i].last)
			continue;
		if (forms[i].len == 1)
			return 1;
		if (at[1] < forms[i].second_first || at[1] > forms[i].second_last)
			return 0;
		for (size_t j = 2; j < forms[i].len; j++)
			if ((at[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

static int parse_text(const char *text, char **value, struct error *err)
{
	char *copy;

	/* --dry-run prints JSON, and JSON has no other encoding. */
	for (const char *at = text; *at;) {
		size_t len = utf8_char((const unsigned char *)at);

		if (len == 0)
			return error_set(err, EINVAL, "byte %zu is not valid UTF-8", at - text + 1);
		at += len;
	}
	copy = strdup(text);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	free(*value);
	*value = copy;
	return 0;
}

static int too_long(const struct config_field *field, const char *text, struct error *err)
{
	return error_set(err, EINVAL, "'%.80s' is %zu bytes long: at most %" PRIu64 " are possible",
			 text, strlen(text), field->max);
}

/* A name goes where a device has a few bytes for it, in no encoding but ASCII. */
static int parse_name(const struct config_field *field, const char *text, char **value,
		      struct error *err)
{
	const size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return error_set(err, EINVAL, "byte %zu is not printable ASCII", i + 1);
	if (len > field->max)
		return too_long(field, text, err);
	return parse_text(text, value, err);
}

static int parse_label(const struct config_field *field, const char *text, char **value,
		       struct error *err)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return error_set(err, EINVAL, "byte %zu is a control character",
					 at - text + 1);
	if (strlen(text) > field->max)
		return too_long(field, text, err);
	return parse_text(text, value, err);
}

/* Words that are all of .names, each once; kept as they are written, for their order counts. */
static int parse_words(const struct config_field *field, const char *text, char **value,
		       struct error *err)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *cursor = copy, *word;
	uint64_t seen = 0;

	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	while ((word = strsep(&cursor, ":"))) {
		unsigned int name = 0;
		int r;

		if (!*word)
			return error_set(err, EINVAL, "there is nothing next to a colon");
		r = parse_enum(field, word, &name, err);
		if (r < 0)
			return r;
		if (seen & UINT64_C(1) << name)
			return error_set(err, EINVAL, "%s is given twice", word);
		seen |= UINT64_C(1) << name;
	}
	return parse_text(text, value, err);
}

/* One more item of a list. */
static int parse_item(const struct config_field *field, void *base, const char *text,
		      struct error *err)
{
	void *item;
	int r;

	r = list_add(field, base, &item, err);
	if (r == 0)
		r = kv_parse(field->composite, item, text, err);
	if (r == 0)
		r = list_check(field, base, err);
	return r;
}

int field_parse(const struct config_field *field, void *base, const char *text, struct error *err)
{
	void *at = field_at(field, base);
	uint64_t number;
	int r;

	if (!*text && field->type != FIELD_TEXT)
		return error_set(err, EINVAL, "the value is empty");
	switch (field->type) {
	case FIELD_BOOL:
		return parse_bool(text, at, err);
	case FIELD_UINT:
		r = parse_number(field, text, &number, err);
		if (r == 0)
			*(unsigned int *)at = (unsigned int)number;
		return r;
	case FIELD_SIZE:
		return parse_number(field, text, at, err);
	case FIELD_ENUM:
		return parse_enum(field, text, at, err);
	case FIELD_TEXT:
	case FIELD_PATH:
		return parse_text(text, at, err);
	case FIELD_NAME:
		return parse_name(field, text, at, err);
	case FIELD_LABEL:
		return parse_label(field, text, at, err);
	case FIELD_WORDS:
		return parse_words(field, text, at, err);
	case FIELD_FD:
		r = parse_number(field, text, &number, err);
		if (r == 0)
			*(int *)at = (int)number;
		return r;
	case FIELD_FRAME:
		return frame_size_parse(field, text, at, err);
	case FIELD_RATE:
		return frame_rate_parse(field, text, at, err);
	case FIELD_COMPOSITE:
		return kv_parse(field->composite, at, text, err);
	case FIELD_LIST:
		return parse_item(field, base, text, err);
	}
	return -EINVAL;
}

void field_free(const struct config_field *field, void *base)
{
	char **string;

	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_PATH:
	case FIELD_NAME:
	case FIELD_LABEL:
	case FIELD_WORDS:
		string = field_at(field, base);
		free(*string);
		*string = NULL;
		break;
	case FIELD_COMPOSITE:
		for (size_t i = 0; i < field->composite->fields_n; i++)
			field_free(&field->composite->fields[i], field_at(field, base));
		break;
	case FIELD_LIST:
		list_free(field, base);
		break;
	case FIELD_BOOL:
	case FIELD_UINT:
	case FIELD_SIZE:
	case FIELD_ENUM:
	case FIELD_FD:
	case FIELD_FRAME:
	case FIELD_RATE:
		break;
	}
}
