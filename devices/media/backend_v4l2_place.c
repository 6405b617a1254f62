/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_v4l2_place.c - where a node is in the host's tree of devices, and to find it there again.
 *
 * The number in a node's name says little: a device that comes back while a program still has its
 * old node open gets new numbers, and its other nodes may get those that were free. What stays are
 * the device that the node belongs to and what its driver calls it. Any thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "devices/media/backend_v4l2_impl.h"

static void read_name(const char *folder, char *name, int size)
{
	char path[PATH_MAX + 8];
	FILE *file;

	name[0] = '\0';
	snprintf(path, sizeof(path), "%s/name", folder);
	file = fopen(path, "re");
	if (!file)
		return;
	if (!fgets(name, size, file))
		name[0] = '\0';
	fclose(file);
	name[strcspn(name, "\n")] = '\0';
}

void v4l2_place_read(const char *root, dev_t device, struct v4l2_place *place)
{
	char folder[PATH_MAX], link[PATH_MAX + 8];

	snprintf(folder, sizeof(folder), "%s/sys/dev/char/%u:%u", root, major(device),
		 minor(device));
	read_name(folder, place->name, sizeof(place->name));
	snprintf(link, sizeof(link), "%s/device", folder);
	if (!realpath(link, place->parent))
		place->parent[0] = '\0';
}

bool v4l2_place_same(const struct v4l2_place *place, const struct v4l2_place *other, bool moves)
{
	return strcmp(place->name, other->name) == 0 &&
	       (moves || strcmp(place->parent, other->parent) == 0);
}

size_t v4l2_place_find(const char *root, const struct v4l2_place *place, bool moves,
		       struct video_node **out)
{
	struct video_node *nodes;
	const size_t n = video_nodes_list(root, &nodes);
	size_t found = 0;

	/* Without sysfs all are nameless. */
	for (size_t i = 0; i < n && place->name[0]; i++) {
		struct v4l2_place other;

		v4l2_place_read(root, nodes[i].device, &other);
		if (v4l2_place_same(place, &other, moves))
			nodes[found++] = nodes[i];
	}
	*out = nodes;
	return found;
}
