/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - the sentence that goes with an errno. See error.h.
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Those of ASCII, and U+0080 to U+009F: some terminals obey them in UTF-8 as well. */
static void replace_controls(char *text)
{
	for (; *text; text++) {
		const unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

		if (c < 0x20 || c == 0x7f)
			text[0] = '?';
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			text[0] = text[1] = '?';
	}
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
		replace_controls(err->text);
	}
	return -code;
}

void error_prefix(struct error *err, const char *fmt, ...)
{
	char prefix[ERROR_TEXT_MAX];
	size_t len;
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	replace_controls(prefix);
	len = strnlen(prefix, sizeof(prefix) - 3);
	memcpy(prefix + len, ": ", 2);
	len += 2;
	memmove(err->text + len, err->text, sizeof(err->text) - len);
	memcpy(err->text, prefix, len);
	err->text[sizeof(err->text) - 1] = '\0';
}
