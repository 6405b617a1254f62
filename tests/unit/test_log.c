/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_log.c - messages as they arrive on stderr, which is a socket here that keeps each write(2)
 * apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "log.h"

#define WRITERS 4
#define LINES	LOG_LIMIT_MAX
#define ROUNDS	100

static int saved = -1, reader = -1;

static int capture(void **state)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0)
		return -1;
	saved = dup(STDERR_FILENO);
	reader = fds[0];
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_set_level(LOG_LEVEL_WARNING);
	log_set_raw(false);
	return 0;
}

static int restore(void **state)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
	return 0;
}

/* What one write(2) carried, or "" if there was none. */
static const char *next_line(void)
{
	static char line[4096];
	ssize_t len = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[len > 0 ? len : 0] = '\0';
	return line;
}

static void lines_name_their_level(void **state)
{
	log_set_level(LOG_LEVEL_DEBUG);
	log_error("%s %d", "e", 1);
	log_warning("w");
	log_info("i");
	log_debug("d");
	assert_string_equal(next_line(), "vmm: error: e 1\n");
	assert_string_equal(next_line(), "vmm: warning: w\n");
	assert_string_equal(next_line(), "vmm: info: i\n");
	assert_string_equal(next_line(), "vmm: debug: d\n");
	assert_string_equal(next_line(), "");
}

static void level_is_a_limit(void **state)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};

	for (int limit = LOG_LEVEL_ERROR; limit <= LOG_LEVEL_DEBUG; limit++) {
		log_set_level((enum log_level)limit);
		for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
			log_message((enum log_level)level, "x");
		for (int level = LOG_LEVEL_ERROR; level <= limit; level++)
			assert_non_null(strstr(next_line(), names[level]));
		assert_string_equal(next_line(), "");
	}
}

static void raw_terminal_gets_carriage_returns(void **state)
{
	log_set_raw(true);
	log_error("a");
	log_set_raw(false);
	log_error("b");
	assert_string_equal(next_line(), "vmm: error: a\r\n");
	assert_string_equal(next_line(), "vmm: error: b\n");
}

static void long_message_is_cut_but_ends(void **state)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int raw = 0; raw < 2; raw++) {
		const char *line, *end = raw ? "x\r\n" : "x\n";

		log_set_raw(raw);
		log_error("%s", text);
		line = next_line();
		/* A whole struct error fits. */
		assert_true(strlen(line) > 1024 + strlen("vmm: warning: "));
		assert_string_equal(line + strlen(line) - strlen(end), end);
		assert_string_equal(next_line(), "");
	}
}

static void limited_place_falls_silent(void **state)
{
	struct log_limit limit = {0}, other = {0};

	/* What is not printed does not count. */
	for (int i = 0; i < 100; i++)
		log_limited(&limit, LOG_LEVEL_DEBUG, "hidden");
	for (int i = 0; i < 100; i++)
		log_limited(&limit, LOG_LEVEL_ERROR, "n%d", i);
	log_limited(&other, LOG_LEVEL_ERROR, "other");
	for (int i = 0; i < LOG_LIMIT_MAX; i++) {
		char line[128];

		snprintf(line, sizeof(line), "vmm: error: n%d%s\n", i,
			 i == LOG_LIMIT_MAX - 1 ? " (further ones are not shown)" : "");
		assert_string_equal(next_line(), line);
	}
	assert_string_equal(next_line(), "vmm: error: other\n");
	assert_string_equal(next_line(), "");
}

static struct log_limit shared;
static pthread_barrier_t line_up;

static void *write_lines(void *arg)
{
	pthread_barrier_wait(&line_up);
	for (int i = 0; i < LINES; i++)
		log_limited(&shared, LOG_LEVEL_ERROR, "from a thread");
	return NULL;
}

static void limit_holds_for_all_threads_together(void **state)
{
	pthread_t threads[WRITERS];

	for (int round = 0; round < ROUNDS; round++) {
		unsigned int n = 0, last = 0;

		atomic_store(&shared.count, 0);
		assert_int_equal(pthread_barrier_init(&line_up, NULL, WRITERS), 0);
		for (int i = 0; i < WRITERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
		for (int i = 0; i < WRITERS; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&line_up);
		for (const char *line = next_line(); *line; line = next_line()) {
			assert_memory_equal(line, "vmm: error: from a thread", 25);
			last += strstr(line, "further ones") != NULL;
			n++;
		}
		assert_int_equal(n, LOG_LIMIT_MAX);
		assert_int_equal(last, 1);
	}
}

static void nobody_reads(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	dup2(fd, STDERR_FILENO);
	close(fd);
	log_error("lost");
	close(STDERR_FILENO);
	log_error("lost as well");
	assert_string_equal(next_line(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_name_their_level, capture, restore),
		cmocka_unit_test_setup_teardown(level_is_a_limit, capture, restore),
		cmocka_unit_test_setup_teardown(raw_terminal_gets_carriage_returns, capture,
						restore),
		cmocka_unit_test_setup_teardown(long_message_is_cut_but_ends, capture, restore),
		cmocka_unit_test_setup_teardown(limited_place_falls_silent, capture, restore),
		cmocka_unit_test_setup_teardown(limit_holds_for_all_threads_together, capture,
						restore),
		cmocka_unit_test_setup_teardown(nobody_reads, capture, restore),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
