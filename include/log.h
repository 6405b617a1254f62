/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - messages for the person who runs vmm, one line each on stderr: "vmm: warning: ...".
 *
 * Any thread; a line is written with one write(2), so lines never mix. While the terminal is in
 * raw mode the line ends in CR LF. What a guest can cause is logged through log_limited().
 */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <stdatomic.h>

#include "base.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* log_set_level - print messages up to @level; the default is LOG_LEVEL_WARNING. */
void log_set_level(enum log_level level);

/* log_set_raw - @raw: stderr is a terminal in raw mode, end lines with CR LF. */
void log_set_raw(bool raw);

void log_message(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...)	 log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* struct log_limit - one per place that a guest can make log; zero-initialised. */
struct log_limit {
	atomic_uint count;
};

/* log_limited - like log_message, but only the first LOG_LIMIT_MAX times for this @limit. */
#define LOG_LIMIT_MAX 10
void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
	_printf_(3, 4);

#endif
