/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_host.c - what this host can do for vmm. See check_host.h.
 *
 * Looks without touching: video nodes are read from sysfs, since opening one may wake a camera.
 */
#include "vmm/check_host.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "loop.h"
#include "video_nodes.h"
#include "vmm/kvm_host.h"

static void report_loop(void)
{
	struct error err = {0};
	struct loop *loop = NULL;

	if (loop_new(&loop, LOOP_URING, 0, &err) == 0)
		printf("io_uring: works\n");
	else
		printf("io_uring: off, epoll is used instead: %s\n", err.text);
	loop_free(loop);
}

static void report_limit(const char *name, int resource, uint64_t unit, const char *unit_name)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return;
	if (limit.rlim_cur == RLIM_INFINITY)
		printf("limit: %s: none\n", name);
	else
		printf("limit: %s: %llu %s\n", name, (unsigned long long)(limit.rlim_cur / unit),
		       unit_name);
}

/* The number behind @key in /proc/meminfo, or 0. */
static unsigned long long meminfo(const char *key)
{
	unsigned long long value = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
			sscanf(line + strlen(key) + 1, "%llu", &value);
			break;
		}
	fclose(file);
	return value;
}

static void report_memory(void)
{
	const unsigned long long huge = meminfo("HugePages_Free");
	const unsigned long long huge_kib = meminfo("Hugepagesize");

	printf("memory: %llu MiB available\n", meminfo("MemAvailable") / KIB);
	printf("memory: %llu huge pages of %llu KiB free (hugepages=on)\n", huge, huge_kib);
}

static void report_video(void)
{
	size_t n = video_nodes_print(stdout);

	if (n == 0)
		printf("video: no nodes: no camera or codec is known to this host\n");
}

bool check_host(void)
{
	bool able = kvm_host_report(stdout);

	report_loop();
	report_limit("open files (RLIMIT_NOFILE)", RLIMIT_NOFILE, 1, "files");
	report_limit("locked memory (RLIMIT_MEMLOCK)", RLIMIT_MEMLOCK, KIB, "KiB");
	report_limit("address space (RLIMIT_AS)", RLIMIT_AS, MIB, "MiB");
	report_memory();
	report_video();
	printf("%s\n", able ? "This host can run vmm."
			    : "This host cannot run vmm: see what is MISSING above.");
	return able;
}
