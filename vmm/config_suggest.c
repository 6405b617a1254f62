/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_suggest.c - the sentence about an unknown name: which one was meant, which others exist.
 *
 * Nearness is the edit distance in which swapping two neighbours counts once (optimal string
 * alignment).
 */
#include "vmm/config_schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 32

/* Return: how many letters to add, drop, change or swap; NAME_MAX_LEN if a name is too long. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][NAME_MAX_LEN + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *above = rows[(i + 2) % 3], *swap = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned int change = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = MIN(above[j], row[j - 1]) + 1;
			row[j] = MIN(row[j], change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], swap[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

static const char *nearest(const char *given, const char *const *names, size_t names_n)
{
	const char *best = NULL;
	unsigned int best_distance = NAME_MAX_LEN;

	for (size_t i = 0; i < names_n; i++) {
		unsigned int distance = edit_distance(given, names[i]);
		size_t longer = MAX(strlen(given), strlen(names[i]));

		/* At least three letters in five are right, or it was not meant. */
		if (distance < best_distance && distance * 5 <= longer * 2) {
			best = names[i];
			best_distance = distance;
		}
	}
	return best;
}

int suggest_error(struct error *err, const char *what, const char *dash, const char *given,
		  const char *const *names, size_t names_n, const char *hint)
{
	const char *separator = "";
	char list[ERROR_TEXT_MAX / 2] = "";
	size_t len = 0;

	if (!hint)
		hint = nearest(given, names, names_n);
	for (size_t i = 0; i < names_n && len < sizeof(list); i++) {
		if (hint && strcmp(hint, names[i]) == 0)
			continue;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s%s", separator, dash,
					names[i]);
		separator = ", ";
	}
	if (!hint)
		return error_set(err, EINVAL, "unknown %s %s%.80s: there are %s", what, dash, given,
				 list);
	return error_set(err, EINVAL, "unknown %s %s%.80s: did you mean %s%s?%s%s", what, dash,
			 given, dash, hint, *list ? " The others are " : "", list);
}
