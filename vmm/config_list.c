/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_list.c - options that may be repeated: an owned array of composites that grows item by
 * item. See config_schema.h.
 */
#include "vmm/config_schema.h"

#include <errno.h>
#include <string.h>

/* Where the pointer to the first item lies, and where their number. */
static void **items_at(const struct config_field *field, const void *base)
{
	return field_at(field, base);
}

static size_t *count_at(const struct config_field *field, const void *base)
{
	return (size_t *)((uintptr_t)base + field->list->count);
}

size_t list_count(const struct config_field *field, const void *base)
{
	return *count_at(field, base);
}

void *list_item(const struct config_field *field, const void *base, size_t index)
{
	return (char *)*items_at(field, base) + index * field->list->item_size;
}

int list_add(const struct config_field *field, void *base, void **item, struct error *err)
{
	const struct config_list *list = field->list;
	size_t *n = count_at(field, base);
	void *longer;

	if (*n >= list->max)
		return error_set(err, EINVAL, "there are %zu before it, and no more are possible",
				 *n);
	longer = reallocarray(*items_at(field, base), *n + 1, list->item_size);
	if (!longer)
		return error_set(err, ENOMEM, "out of memory");
	*items_at(field, base) = longer;
	*item = list_item(field, base, (*n)++);
	memcpy(*item, list->item_defaults, list->item_size);
	return 0;
}

int list_check(const struct config_field *field, const void *base, struct error *err)
{
	if (!field->list->check)
		return 0;
	return field->list->check(*items_at(field, base), list_count(field, base), err);
}

void list_free(const struct config_field *field, void *base)
{
	const struct config_composite *composite = field->composite;

	for (size_t i = 0; i < list_count(field, base); i++)
		for (size_t j = 0; j < composite->fields_n; j++)
			field_free(&composite->fields[j], list_item(field, base, i));
	free(*items_at(field, base));
	*items_at(field, base) = NULL;
	*count_at(field, base) = 0;
}
