/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * other_threads.c - voluntary context switches, by /proc/self/task. See other_threads.h.
 */
#include "other_threads.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Of a line of thread @tid's status, or "" if that has just ended. */
static void status_of(const char *tid, const char *key, char value[static 32])
{
	const size_t len = strlen(key);
	char path[64], line[128];
	FILE *status;

	value[0] = '\0';
	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", tid);
	status = fopen(path, "re");
	if (!status)
		return;
	while (fgets(line, sizeof(line), status))
		if (strncmp(line, key, len) == 0)
			snprintf(value, 32, "%.31s", line + len);
	fclose(status);
}

/* A sanitizer's thread has the program's name, and never rests. */
static bool is_of_the_program(const char *tid)
{
	char name[32], program[32], main_thread[24];

	snprintf(main_thread, sizeof(main_thread), "%d", (int)getpid());
	status_of(main_thread, "Name:", program);
	status_of(tid, "Name:", name);
	return strcmp(name, program) != 0;
}

unsigned long other_threads_sleeps(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned long sum = 0;

	assert_non_null(tasks);
	while ((entry = readdir(tasks)))
		if (atoi(entry->d_name) > 0 && is_of_the_program(entry->d_name)) {
			char sleeps[32];

			status_of(entry->d_name, "voluntary_ctxt_switches:", sleeps);
			sum += strtoul(sleeps, NULL, 10);
		}
	closedir(tasks);
	return sum;
}
