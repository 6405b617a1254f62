/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * video_nodes.c - the host's V4L2 nodes. See video_nodes.h.
 */
#include "video_nodes.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "device_holder.h"

#define SYSFS_CLASS "/sys/class/video4linux"

#define HOLDERS_MAX 16

/* First line of a small file, without its newline and without control characters; or "". */
static void read_line(const char *folder, const char *id, const char *file_name, char *line,
		      int size)
{
	char path[PATH_MAX + 300];
	FILE *file;

	line[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s/%s", folder, id, file_name);
	file = fopen(path, "re");
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

static void read_driver(const char *folder, const char *id, char *driver, size_t size)
{
	char path[PATH_MAX + 300], target[PATH_MAX];
	const char *slash;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s/device/driver", folder, id);
	len = readlink(path, target, sizeof(target) - 1);
	target[MAX(len, (ssize_t)0)] = '\0';
	slash = strrchr(target, '/');
	snprintf(driver, size, "%.63s", slash ? slash + 1 : target);
}

static void read_node(struct video_node *node, const char *folder, const char *id)
{
	unsigned int major_number, minor_number;
	char numbers[32];

	memset(node, 0, sizeof(*node));
	snprintf(node->id, sizeof(node->id), "%.63s", id);
	snprintf(node->path, sizeof(node->path), "/dev/%s", node->id);
	read_line(folder, id, "name", node->name, sizeof(node->name));
	read_driver(folder, id, node->driver, sizeof(node->driver));
	read_line(folder, id, "dev", numbers, sizeof(numbers));
	if (sscanf(numbers, "%u:%u", &major_number, &minor_number) == 2)
		node->device = makedev(major_number, minor_number);
}

size_t video_nodes_list(const char *root, struct video_node **out)
{
	struct dirent **entries = NULL;
	struct video_node *nodes = NULL;
	char folder[PATH_MAX];
	size_t found = 0;
	int n;

	snprintf(folder, sizeof(folder), "%s" SYSFS_CLASS, root);
	n = scandir(folder, &entries, NULL, versionsort);
	if (n > 0)
		nodes = calloc((size_t)n, sizeof(*nodes));
	for (int i = 0; i < n; i++) {
		if (nodes && entries[i]->d_name[0] != '.')
			read_node(&nodes[found++], folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	*out = nodes;
	return found;
}

static void print_node(FILE *out, const struct video_node *node)
{
	struct device_holder holders[HOLDERS_MAX];
	size_t n = 0;

	if (node->device)
		n = device_holders(node->device, holders, ARRAY_SIZE(holders));
	fprintf(out, "video: %s: %s, driver %s", node->path, node->name,
		node->driver[0] ? node->driver : "unknown");
	for (size_t i = 0; i < n; i++)
		fprintf(out, ", held by %s (process %d)", holders[i].name, (int)holders[i].pid);
	fputc('\n', out);
}

size_t video_nodes_print(FILE *out)
{
	struct video_node *nodes;
	size_t n = video_nodes_list("", &nodes);

	for (size_t i = 0; i < n; i++)
		print_node(out, &nodes[i]);
	free(nodes);
	return n;
}
