/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - a program for guests that puts the virtio_media driver to the test, step by step, on
 * the synthetic camera (--media test). See camera.h.
 *
 * guest_driver STEP... does these; it prints "ok STEP" for each, or a sentence, and ends with 1.
 */
#include <stdio.h>
#include <string.h>

#include "camera.h"

static const struct {
	const char *name;
	void (*fn)(void);
} steps[] = {
	{"mmap", step_mmap},
	{"userptr", step_userptr},
	{"userptr-unaligned", step_userptr_unaligned},
	{"poll", step_poll},
	{"select", step_select},
	{"epoll", step_epoll},
	{"nonblocking", step_nonblocking},
	{"flags", step_flags},
	{"prepare", step_prepare},
	{"fork", step_fork},
	{"split", step_split},
	{"readonly", step_readonly},
	{"orphan", step_orphan},
	{"refused", step_refused},
	{"remap", step_remap},
	{"cacheable", step_cacheable},
	{"event", step_event},
	{"merge", step_merge},
	{"array", step_array},
	{"abandoned", step_abandoned},
	{"huge", step_huge},
	{"failed", step_failed},
	{"busy", step_busy},
	{"streamoff", step_streamoff},
	{"killed", step_killed},
	{"processes", step_processes},
	{"crowd", step_crowd},
	{"hold", step_hold},
	{"unplug", step_unplug},
};

static bool run(const char *name)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(steps[i].name, name) != 0)
			continue;
		steps[i].fn();
		printf("ok %s\n", name);
		fflush(stdout);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		need(run(argv[i]), "there is no step '%s'", argv[i]);
	return 0;
}
