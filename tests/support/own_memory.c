/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * own_memory.c - what this process's memory looks like to the kernel. See own_memory.h.
 */
#include "own_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static FILE *open_proc(const char *path)
{
	FILE *in = fopen(path, "re");

	assert_non_null(in);
	return in;
}

uint64_t own_memory_touched(void)
{
	FILE *in = open_proc("/proc/self/status");
	unsigned long long kib = 0;
	char line[128];

	while (fgets(line, sizeof(line), in) && sscanf(line, "RssAnon: %llu kB", &kib) != 1)
		;
	fclose(in);
	assert_true(kib > 0);
	return kib * KIB;
}

uint64_t own_memory_touched_in(const void *at, uint64_t len)
{
	FILE *in = open_proc("/proc/self/smaps");
	unsigned long long start, end, kib;
	bool inside = false;
	uint64_t sum = 0;
	char line[512];

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			inside = (uintptr_t)at + len > start && (uintptr_t)at < end;
		else if (inside && sscanf(line, "Anonymous: %llu kB", &kib) == 1)
			sum += kib * KIB;
	}
	fclose(in);
	return sum;
}

unsigned int own_memory_mappings(void)
{
	FILE *in = open_proc("/proc/self/maps");
	unsigned int n = 0;
	int c;

	while ((c = getc(in)) != EOF)
		n += c == '\n';
	fclose(in);
	return n;
}

void own_memory_flags(const void *at, char flags[OWN_MEMORY_FLAGS_MAX])
{
	FILE *in = open_proc("/proc/self/smaps");
	unsigned long long start, end;
	bool inside = false;
	char line[512];

	flags[0] = 0;
	while (!flags[0] && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			inside = (uintptr_t)at >= start && (uintptr_t)at < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, OWN_MEMORY_FLAGS_MAX, "%.200s", line + 8);
	}
	fclose(in);
}
