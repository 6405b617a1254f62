/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.c - one line on stderr for each message. See log.h.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static atomic_int log_level = LOG_LEVEL_WARNING;
static atomic_bool log_raw;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

void log_set_raw(bool raw)
{
	atomic_store_explicit(&log_raw, raw, memory_order_relaxed);
}

static void log_line(enum log_level level, const char *note, const char *fmt, va_list ap)
{
	char line[1200];
	const char *end = atomic_load_explicit(&log_raw, memory_order_relaxed) ? "\r\n" : "\n";
	const size_t max = sizeof(line) - 3;
	size_t len;

	len = (size_t)snprintf(line, max, "vmm: %s: ", level_names[level]);
	vsnprintf(line + len, max - len, fmt, ap);
	len = strlen(line);
	snprintf(line + len, max - len, "%s", note);
	strcat(line, end);
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return; /* nowhere to say so */
}

void log_message(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	log_line(level, "", fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	unsigned int count;
	va_list ap;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	/* Stops counting at the limit, so that it cannot wrap round to 0. */
	count = atomic_load_explicit(&limit->count, memory_order_relaxed);
	if (count >= LOG_LIMIT_MAX)
		return;
	count = atomic_fetch_add_explicit(&limit->count, 1, memory_order_relaxed);
	if (count >= LOG_LIMIT_MAX)
		return;
	va_start(ap, fmt);
	log_line(level, count == LOG_LIMIT_MAX - 1 ? " (further ones are not shown)" : "", fmt, ap);
	va_end(ap);
}
