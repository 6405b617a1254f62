/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_locate.h - where in a JSON text a value stands, for messages about what it means.
 *
 * jansson tells positions of syntax errors only. So when a value turns out wrong, its text is
 * walked once more. Any thread.
 */
#ifndef VMM_JSON_LOCATE_H
#define VMM_JSON_LOCATE_H

#include "base.h"

struct json_place {
	unsigned int line;   /* from 1 */
	unsigned int column; /* from 1; in characters, a tab is one */
};

/* json_place_at - line and column of a byte. @offset: at most the length of the UTF-8 @text. */
struct json_place json_place_at(const char *text, size_t offset);

/* struct json_step - one step inwards: to a key of an object, or to an element of an array. */
struct json_step {
	const char *key; /* decoded; NULL: @index counts */
	size_t index;	 /* from 0 */
};

enum json_part {
	JSON_PART_KEY,
	JSON_PART_VALUE,
};

/*
 * json_locate - the byte at which the key or the value starts that @path leads to.
 * @text: @len bytes that jansson has accepted (other bytes do no harm, but lead anywhere).
 * @path: @n steps from the outermost value inwards; n = 0 is the whole value. An element of an
 * array has no key; its value stands for it.
 * Return: an offset into @text; that of the innermost value found, if the path leads nowhere.
 */
size_t json_locate(const char *text, size_t len, const struct json_step *path, size_t n,
		   enum json_part part);

#endif
