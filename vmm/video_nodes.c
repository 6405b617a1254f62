/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * video_nodes.c - the host's V4L2 nodes. See video_nodes.h.
 */
#include "vmm/video_nodes.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>

#define SYSFS_CLASS "/sys/class/video4linux"

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* First line of a small file, without its newline and without control characters; or "". */
static void read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, size, file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	for (char *c = line; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
}

/* Whether any descriptor of the process refers to @path. */
static bool holds(const char *pid, const char *path)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	char name[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	snprintf(name, sizeof(name), "/proc/%s/fd", pid);
	dir = opendir(name);
	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (strcmp(target, path) == 0)
			return true;
	}
	return false;
}

static void print_holders(FILE *out, const char *path)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char name[PATH_MAX], command[64];

	while (proc && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, path))
			continue;
		snprintf(name, sizeof(name), "/proc/%s/comm", entry->d_name);
		read_line(name, command, sizeof(command));
		fprintf(out, ", held by %s (process %s)", command, entry->d_name);
	}
}

static void print_node(FILE *out, const char *node)
{
	char path[PATH_MAX], target[PATH_MAX], name[128];
	const char *driver = "unknown";
	ssize_t len;

	snprintf(path, sizeof(path), SYSFS_CLASS "/%s/name", node);
	read_line(path, name, sizeof(name));
	snprintf(path, sizeof(path), SYSFS_CLASS "/%s/device/driver", node);
	len = readlink(path, target, sizeof(target) - 1);
	if (len > 0) {
		target[len] = '\0';
		driver = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	}
	snprintf(path, sizeof(path), "/dev/%s", node);
	fprintf(out, "video: %s: %s, driver %s", path, name, driver);
	print_holders(out, path);
	fputc('\n', out);
}

size_t video_nodes_print(FILE *out)
{
	struct dirent **nodes = NULL;
	int n = scandir(SYSFS_CLASS, &nodes, NULL, versionsort);
	size_t printed = 0;

	for (int i = 0; i < n; i++) {
		if (nodes[i]->d_name[0] != '.') {
			print_node(out, nodes[i]->d_name);
			printed++;
		}
		free(nodes[i]);
	}
	free(nodes);
	return printed;
}
