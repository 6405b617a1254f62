/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_json.c - a configuration file's text, JSON (RFC 8259), read off the schema.
 *
 * One object with the long options' names as keys; a composite option is an object too, or the
 * string that the command line would have; a list is an array of such. jansson parses and finds
 * mistakes of syntax; mistakes of meaning get their line and column from json_locate(). Main
 * thread.
 */
#include "vmm/config_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "vmm/json_locate.h"

#define PATH_MAX_DEPTH 3 /* option, element of a list, key in a composite */

/* What is being read, and where in it. */
struct source {
	const char *name;
	const char *text;
	size_t len;
	struct json_step path[PATH_MAX_DEPTH];
	size_t depth;
	struct error *err;
};

/* Put "NAME:LINE:COLUMN" in front of the sentence. */
static void prefix_place(const struct source *source, size_t offset)
{
	struct json_place place = json_place_at(source->text, MIN(offset, source->len));

	error_prefix(source->err, "%.400s:%u:%u", source->name, place.line, place.column);
}

/* Complete a sentence about the key or the value at the current path. */
static int fail(const struct source *source, int r, enum json_part part)
{
	/* An unknown key is named in its own sentence. */
	for (size_t i = source->depth - (part == JSON_PART_KEY); i-- > 0;) {
		const struct json_step *step = &source->path[i];

		if (step->key)
			error_prefix(source->err, "%.80s", step->key);
		else
			error_prefix(source->err, "element %zu", step->index + 1);
	}
	prefix_place(source,
		     json_locate(source->text, source->len, source->path, source->depth, part));
	return r;
}

static const char *type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a fractional number";
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	default:
		return "null";
	}
}

static int wrong_type(const struct source *source, const char *right, const json_t *json)
{
	return fail(source,
		    error_set(source->err, EINVAL, "the value must be %s, not %s", right,
			      type_name(json)),
		    JSON_PART_VALUE);
}

static int read_text(const struct source *source, const struct config_field *field, void *base,
		     const char *text)
{
	int r = field_parse(field, base, text, source->err);

	return r < 0 ? fail(source, r, JSON_PART_VALUE) : 0;
}

static int read_number(const struct source *source, const struct config_field *field, void *base,
		       const json_t *json)
{
	char text[24];

	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	return read_text(source, field, base, text);
}

static int read_field(struct source *source, const struct config_field *field, void *base,
		      json_t *json);

static int read_object(struct source *source, const struct config_composite *composite, void *value,
		       json_t *object)
{
	uint64_t given = 0;
	const char *key;
	json_t *json;
	int r;

	json_object_foreach(object, key, json)
	{
		const struct config_field *field;

		source->path[source->depth++] = (struct json_step) {.key = key};
		field = composite_find(composite, key, &given, source->err);
		if (!field)
			return fail(source, -EINVAL, JSON_PART_KEY);
		r = read_field(source, field, value, json);
		if (r < 0)
			return r;
		source->depth--;
	}
	r = composite->settle ? composite->settle(value, given, source->err) : 0;
	return r < 0 ? fail(source, r, JSON_PART_VALUE) : 0;
}

/* One more item of a list: an element of the array, or the one that stands without an array. */
static int read_item(struct source *source, const struct config_field *field, void *base,
		     json_t *json)
{
	void *item;
	int r;

	if (!json_is_object(json) && !json_is_string(json))
		return wrong_type(source, "an object, or a string as on the command line", json);
	if (json_is_string(json))
		return read_text(source, field, base, json_string_value(json));
	r = list_add(field, base, &item, source->err);
	if (r < 0)
		return fail(source, r, JSON_PART_VALUE);
	r = read_object(source, field->composite, item, json);
	if (r < 0)
		return r;
	r = list_check(field, base, source->err);
	return r < 0 ? fail(source, r, JSON_PART_VALUE) : 0;
}

static int read_list(struct source *source, const struct config_field *field, void *base,
		     json_t *array)
{
	json_t *json;
	size_t i;

	json_array_foreach(array, i, json)
	{
		int r;

		source->path[source->depth++] = (struct json_step) {.index = i};
		r = read_item(source, field, base, json);
		if (r < 0)
			return r;
		source->depth--;
	}
	return 0;
}

static int read_field(struct source *source, const struct config_field *field, void *base,
		      json_t *json)
{
	const char *right = "a string";

	switch (field->type) {
	case FIELD_BOOL:
		if (json_is_boolean(json)) {
			*(bool *)field_at(field, base) = json_is_true(json);
			return 0;
		}
		right = "true or false";
		break;
	case FIELD_UINT:
	case FIELD_FD:
		if (json_is_integer(json))
			return read_number(source, field, base, json);
		right = "a whole number";
		break;
	case FIELD_SIZE:
		if (json_is_integer(json))
			return read_number(source, field, base, json);
		if (json_is_string(json))
			return read_text(source, field, base, json_string_value(json));
		right = "a string such as '512M', or a number of bytes";
		break;
	case FIELD_ENUM:
	case FIELD_TEXT:
	case FIELD_PATH:
	case FIELD_NAME:
	case FIELD_LABEL:
	case FIELD_WORDS:
	case FIELD_FRAME:
		if (json_is_string(json))
			return read_text(source, field, base, json_string_value(json));
		break;
	case FIELD_RATE:
		if (json_is_integer(json))
			return read_number(source, field, base, json);
		if (json_is_string(json))
			return read_text(source, field, base, json_string_value(json));
		right = "a whole number, or a string such as '30000/1001'";
		break;
	case FIELD_COMPOSITE:
		if (json_is_object(json))
			return read_object(source, field->composite, field_at(field, base), json);
		if (json_is_string(json))
			return read_text(source, field, base, json_string_value(json));
		right = "an object, or a string as on the command line";
		break;
	case FIELD_LIST:
		if (json_is_array(json))
			return read_list(source, field, base, json);
		if (json_is_object(json) || json_is_string(json))
			return read_item(source, field, base, json);
		right = "an array of objects, or one object or string";
		break;
	}
	return wrong_type(source, right, json);
}

static int unknown_option(const struct source *source, const char *key)
{
	const char *names[CONFIG_OPTIONS_MAX], *hint = NULL;
	size_t n = 0;

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *option = &config_options[i];

		if (!option_stored(option))
			continue;
		names[n++] = option->field.name;
		if ((option->alias && strcmp(option->alias, key) == 0) ||
		    (option->no && strcmp(option->no, key) == 0))
			hint = option->field.name;
	}
	return fail(source, suggest_error(source->err, "key", "", key, names, n, hint),
		    JSON_PART_KEY);
}

static const struct config_option *find_option(const char *key)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (option_stored(&config_options[i]) &&
		    strcmp(config_options[i].field.name, key) == 0)
			return &config_options[i];
	return NULL;
}

/* @spare: takes what is only checked. */
static int read_root(struct source *source, struct config *config, struct config *spare,
		     uint64_t *given, json_t *root)
{
	const char *key;
	json_t *json;

	if (!json_is_object(root)) {
		error_set(source->err, EINVAL, "a configuration is one object, {...}, not %s",
			  type_name(root));
		return fail(source, -EINVAL, JSON_PART_VALUE);
	}
	json_object_foreach(root, key, json)
	{
		const struct config_option *option = find_option(key);
		uint64_t bit;
		int r;

		source->path[0] = (struct json_step) {.key = key};
		source->depth = 1;
		if (!option)
			return unknown_option(source, key);
		bit = UINT64_C(1) << (option - config_options);
		r = read_field(source, &option->field, *given & bit ? spare : config, json);
		if (r < 0)
			return r;
		*given |= bit;
	}
	return 0;
}

static bool is_blank(const struct source *source)
{
	for (size_t i = 0; i < source->len; i++)
		if (!source->text[i] || !strchr(" \t\r\n", source->text[i]))
			return false;
	return true;
}

/* Where the token starts behind which jansson stopped: it quotes a short one in its text. */
static size_t token_start(const struct source *source, const json_error_t *error)
{
	size_t end = MIN((size_t)MAX(error->position, 0), source->len), at = end;
	const char *near = strstr(error->text, " near '");
	size_t len;

	if (json_error_code(error) == json_error_numeric_overflow) {
		while (at > 0 && source->text[at - 1] &&
		       strchr("+-.0123456789eE", source->text[at - 1]))
			at--;
		return at;
	}
	if (!near)
		return end;
	near += strlen(" near '");
	len = strlen(near) - 1;
	return len <= end && memcmp(source->text + end - len, near, len) == 0 ? end - len : end;
}

/* The opening quote of the string that ends at @end. */
static size_t string_start(const struct source *source, size_t end)
{
	size_t at = end - 1;

	while (at > 0) {
		size_t escapes = 0;

		at--;
		if (source->text[at] != '"')
			continue;
		while (escapes < at && source->text[at - escapes - 1] == '\\')
			escapes++;
		if (escapes % 2 == 0)
			break;
	}
	return at;
}

static int syntax_error(const struct source *source, const json_error_t *error)
{
	size_t at = token_start(source, error), end = (size_t)MAX(error->position, 0);
	int r = -EINVAL;

	switch (json_error_code(error)) {
	case json_error_out_of_memory:
		return error_set(source->err, ENOMEM, "out of memory");
	case json_error_duplicate_key:
		at = string_start(source, end);
		error_set(source->err, EINVAL, "the key %.*s is given twice",
			  (int)MIN(end - at, 80U), source->text + at);
		break;
	case json_error_null_character:
	case json_error_null_byte_in_key:
		error_set(source->err, EINVAL, "a string cannot hold \\u0000");
		break;
	case json_error_stack_overflow:
		error_set(source->err, EINVAL, "too many brackets inside each other");
		break;
	default:
		if (is_blank(source))
			error_set(source->err, EINVAL, "there is nothing but blanks");
		else
			error_set(source->err, EINVAL, "this is not valid JSON: %s", error->text);
	}
	prefix_place(source, at);
	return r;
}

int config_from_json(struct config *config, const char *name, const char *text, size_t len,
		     uint64_t *given, struct error *err)
{
	struct source source = {.name = name, .text = text, .len = len, .err = err};
	struct config spare;
	json_error_t error;
	json_t *root;
	int r;

	root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!root)
		return syntax_error(&source, &error);
	config_init(&spare);
	r = read_root(&source, config, &spare, given, root);
	config_deinit(&spare);
	json_decref(root);
	return r;
}
