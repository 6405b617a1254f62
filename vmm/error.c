/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - the sentence that goes with an errno. See error.h.
 */
#include "error.h"

#include <errno.h>
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

/*
 * Codes that no file, name or number of the user's leads to. ENOSPC is not among them: guest memory
 * that is too small for a kernel has the same code as a full disk.
 */
static bool is_hosts(int code)
{
	static const int codes[] = {
		EDQUOT, EFAULT, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSYS, ESTALE, ETIMEDOUT,
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

static void set(struct error *err, bool host, const char *fmt, va_list ap)
{
	if (!err)
		return;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	replace_controls(err->text);
	err->host = host;
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, is_hosts(code), fmt, ap);
	va_end(ap);
	return -code;
}

int error_set_host(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, true, fmt, ap);
	va_end(ap);
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
