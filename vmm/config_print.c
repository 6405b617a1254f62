/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_print.c - what --dry-run prints: the configuration as JSON (RFC 8259), written off the
 * schema so that config_json.c takes it back. Main thread.
 */
#include <jansson.h>

#include "vmm/config_schema.h"

/* Return: a new reference; NULL out of memory. *@none is set for what is not given. */
static json_t *write_field(const struct config_field *field, const void *base, bool *none);

static json_t *write_object(const struct config_composite *composite, const void *value)
{
	json_t *object = json_object();

	for (size_t i = 0; i < composite->fields_n; i++) {
		const struct config_field *field = &composite->fields[i];
		bool none = false;
		json_t *json;

		if (field->only_with &&
		    field->only_with !=
			    *(const unsigned int *)field_at(&composite->fields[0], value))
			continue;
		json = write_field(field, value, &none);
		if (none)
			continue;
		if (json_object_set_new(object, field->name, json) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *write_list(const struct config_field *list, const void *base)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list_count(list, base); i++) {
		json_t *json = write_object(list->composite, list_item(list, base, i));

		if (json_array_append_new(array, json) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *write_field(const struct config_field *field, const void *base, bool *none)
{
	const void *at = field_at(field, base);
	char size[SIZE_TEXT_MAX], frame[FRAME_TEXT_MAX];

	switch (field->type) {
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	case FIELD_UINT:
		return json_integer(*(const unsigned int *)at);
	case FIELD_SIZE:
		size_format(size, *(const uint64_t *)at);
		return json_string(size);
	case FIELD_ENUM:
		return json_string(field->names[*(const unsigned int *)at]);
	case FIELD_TEXT:
	case FIELD_PATH:
	case FIELD_NAME:
	case FIELD_LABEL:
	case FIELD_WORDS:
		*none = !*(const char *const *)at;
		return *none ? NULL : json_string(*(const char *const *)at);
	case FIELD_FD:
		*none = *(const int *)at < 0;
		return *none ? NULL : json_integer(*(const int *)at);
	case FIELD_FRAME:
		frame_size_format(frame, at);
		*none = !*frame;
		return *none ? NULL : json_string(frame);
	case FIELD_RATE:
		frame_rate_format(frame, at);
		*none = !*frame;
		return *none ? NULL : json_string(frame);
	case FIELD_COMPOSITE:
		return write_object(field->composite, at);
	case FIELD_LIST:
		return write_list(field, base);
	}
	return NULL;
}

char *config_to_json(const struct config *config)
{
	json_t *root = json_object();
	char *text = NULL;

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_field *field = &config_options[i].field;
		bool none = false;
		json_t *json;

		if (!option_stored(&config_options[i]))
			continue;
		json = write_field(field, config, &none);
		if (!none && json_object_set_new(root, field->name, json) < 0)
			goto out;
	}
	text = json_dumps(root, JSON_INDENT(2));
out:
	json_decref(root);
	return text;
}
