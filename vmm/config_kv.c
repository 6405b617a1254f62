/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_kv.c - the grammar of options that consist of several values: "512M,prefault=on,thp".
 *
 *	composite = item *( "," item )
 *	item      = key "=" value / flag / value
 *
 * The last form, a value without its key, is possible in the first place only and belongs to the
 * first field. A flag is the key of a boolean and turns it on; a lone "on" or "off" would not say
 * what it turns, so a first field that is a boolean needs its key. A backslash in front of a comma
 * or a backslash makes it part of the value.
 */
#include "vmm/config_schema.h"

#include <errno.h>
#include <string.h>

struct item {
	const char *word;  /* the key, or all of it if there is no '=' */
	const char *value; /* behind the first '=', or NULL */
};

/*
 * Take the next item off *@cursor, which becomes NULL behind the last; works in place.
 * Return: 0, or -EINVAL and a sentence.
 */
static int next_item(char **cursor, struct item *item, struct error *err)
{
	char *in = *cursor, *out = in;

	*item = (struct item) {.word = in};
	for (; *in && *in != ','; in++) {
		if (*in == '=' && !item->value) {
			*out++ = '\0';
			item->value = out;
			continue;
		}
		if (*in == '\\') {
			in++;
			if (*in != ',' && *in != '\\')
				return error_set(err, EINVAL,
						 "a backslash that is meant as such is written "
						 "twice, a comma is written \\,");
		}
		*out++ = *in;
	}
	*cursor = *in ? in + 1 : NULL;
	*out = '\0';
	return 0;
}

const struct config_field *composite_find(const struct config_composite *composite, const char *key,
					  uint64_t *given, struct error *err)
{
	const char *names[CONFIG_OPTIONS_MAX];

	for (size_t i = 0; i < composite->fields_n; i++) {
		names[i] = composite->fields[i].name;
		if (strcmp(names[i], key) != 0)
			continue;
		if (*given & UINT64_C(1) << i) {
			error_set(err, EINVAL, "%s is given twice", key);
			return NULL;
		}
		*given |= UINT64_C(1) << i;
		return &composite->fields[i];
	}
	suggest_error(err, "key", "", key, names, composite->fields_n, NULL);
	return NULL;
}

static bool is_flag(const struct config_composite *composite, const char *word)
{
	for (size_t i = 0; i < composite->fields_n; i++)
		if (strcmp(composite->fields[i].name, word) == 0)
			return composite->fields[i].type == FIELD_BOOL;
	return false;
}

static int take_item(const struct config_composite *composite, void *value, struct item item,
		     bool first, uint64_t *given, struct error *err)
{
	const struct config_field *field;
	char arg[64];
	int r;

	if (!item.value && is_flag(composite, item.word)) {
		item.value = "on";
	} else if (!item.value && first && composite->fields[0].type != FIELD_BOOL) {
		item.value = item.word;
		item.word = composite->fields[0].name;
	} else if (!*item.word && item.value) {
		return error_set(err, EINVAL, "there is no key in front of '=%.80s'", item.value);
	} else if (!*item.word) {
		return error_set(err, EINVAL, "there is nothing next to a comma");
	}
	field = composite_find(composite, item.word, given, err);
	if (!field)
		return -EINVAL;
	arg_format(field, arg, sizeof(arg));
	if (!item.value)
		return error_set(err, EINVAL, "%s lacks a value: %s=%s", field->name, field->name,
				 arg);
	r = field_parse(field, value, item.value, err);
	if (r < 0)
		error_prefix(err, "%s", field->name);
	return r;
}

int kv_parse(const struct config_composite *composite, void *value, const char *text,
	     struct error *err)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *cursor = copy;
	uint64_t given = 0;

	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	while (cursor) {
		bool first = cursor == copy;
		struct item item;
		int r;

		r = next_item(&cursor, &item, err);
		if (r == 0)
			r = take_item(composite, value, item, first, &given, err);
		if (r < 0)
			return r;
	}
	return composite->settle ? composite->settle(value, given, err) : 0;
}
