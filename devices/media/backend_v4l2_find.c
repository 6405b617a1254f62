/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_v4l2_find.c - which of the host's nodes a name stands for, and what kind of node it is.
 *
 * A camera mostly has several nodes (pictures, metadata) of one card and bus_info, and none of the
 * names but those in /dev/v4l/by-id is unique. Main thread.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "devices/media/backend_v4l2_impl.h"
#include "video_nodes.h"

#define BY_ID	   "/dev/v4l/by-id"
#define LISTED_MAX 8 /* of a host's nodes, in a sentence */

/* Names that the kernel gives to nodes, before the number. */
static const struct {
	const char *name;
	uint32_t type;
} types[] = {
	{"video", VIRTIO_MEDIA_TYPE_VIDEO},	{"vbi", VIRTIO_MEDIA_TYPE_VBI},
	{"radio", VIRTIO_MEDIA_TYPE_RADIO},	{"swradio", VIRTIO_MEDIA_TYPE_SDR},
	{"v4l-touch", VIRTIO_MEDIA_TYPE_TOUCH}, {"v4l-subdev", VIRTIO_MEDIA_TYPE_SUBDEV},
};

/* What only one kind of node can do, rarest first. */
static const struct {
	uint32_t caps;
	uint32_t type;
} caps_types[] = {
	{V4L2_CAP_TOUCH, VIRTIO_MEDIA_TYPE_TOUCH},
	{V4L2_CAP_SDR_CAPTURE | V4L2_CAP_SDR_OUTPUT, VIRTIO_MEDIA_TYPE_SDR},
	{V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_VIDEO_OUTPUT |
		 V4L2_CAP_VIDEO_OUTPUT_MPLANE | V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE |
		 V4L2_CAP_META_CAPTURE | V4L2_CAP_META_OUTPUT,
	 VIRTIO_MEDIA_TYPE_VIDEO},
	{V4L2_CAP_VBI_CAPTURE | V4L2_CAP_VBI_OUTPUT | V4L2_CAP_SLICED_VBI_CAPTURE |
		 V4L2_CAP_SLICED_VBI_OUTPUT,
	 VIRTIO_MEDIA_TYPE_VBI},
	{V4L2_CAP_RADIO | V4L2_CAP_MODULATOR, VIRTIO_MEDIA_TYPE_RADIO},
};

uint32_t v4l2_type(const char *id, uint32_t device_caps)
{
	size_t len = strlen(id);

	while (len > 0 && isdigit((unsigned char)id[len - 1]))
		len--;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == len && strncmp(types[i].name, id, len) == 0)
			return types[i].type;
	for (size_t i = 0; i < ARRAY_SIZE(caps_types); i++)
		if (device_caps & caps_types[i].caps)
			return caps_types[i].type;
	return VIRTIO_MEDIA_TYPE_VIDEO;
}

uint32_t v4l2_device_caps(const struct v4l2_capability *capability)
{
	const uint32_t caps = capability->capabilities & V4L2_CAP_DEVICE_CAPS
				      ? capability->device_caps
				      : capability->capabilities;

	return caps & ~(uint32_t)V4L2_CAP_DEVICE_CAPS;
}

int v4l2_query(int fd, struct v4l2_capability *capability)
{
	memset(capability, 0, sizeof(*capability));
	return ioctl(fd, VIDIOC_QUERYCAP, capability) < 0 ? -errno : 0;
}

static const char *card(const struct v4l2_match *match)
{
	return (const char *)match->capability.card;
}

static const char *bus_info(const struct v4l2_match *match)
{
	return (const char *)match->capability.bus_info;
}

static bool has_picture(const struct v4l2_match *match)
{
	const uint32_t metadata = V4L2_CAP_META_CAPTURE | V4L2_CAP_META_OUTPUT;
	const uint32_t caps = v4l2_device_caps(&match->capability);

	return match->type == VIRTIO_MEDIA_TYPE_VIDEO && (caps & V4L2_CAP_STREAMING) &&
	       !(caps & metadata);
}

const struct v4l2_match *v4l2_choose(const struct v4l2_match *matches, size_t n, const char *name,
				     struct error *err)
{
	const struct v4l2_match *best = matches;

	for (size_t i = 1; i < n; i++) {
		if (strcmp(bus_info(&matches[i]), bus_info(matches)) != 0) {
			error_set(err, EINVAL,
				  "by-id=%s: several devices are called so, at %s (%s) and at %s "
				  "(%s): give the path of one of them",
				  name, matches->path, bus_info(matches), matches[i].path,
				  bus_info(&matches[i]));
			return NULL;
		}
		if (has_picture(&matches[i]) && !has_picture(best))
			best = &matches[i];
	}
	return best;
}

/* Names of sysfs are known without opening; a node that is busy or secret has no others. */
static bool is_called(const char *root, const struct video_node *node, const char *name,
		      struct v4l2_match *match)
{
	_cleanup_(closep) int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, node->path);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	memset(match, 0, sizeof(*match));
	snprintf(match->path, sizeof(match->path), "%s", node->path);
	if (fd < 0 || v4l2_query(fd, &match->capability) < 0)
		memset(&match->capability, 0, sizeof(match->capability));
	match->type = v4l2_type(node->id, 0);
	if (match->type == VIRTIO_MEDIA_TYPE_SUBDEV)
		return false;
	return strcmp(node->name, name) == 0 || strcmp(card(match), name) == 0 ||
	       strcmp(bus_info(match), name) == 0;
}

/* A list "intro A, B, C" of names as they come. */
struct list {
	char *text;
	size_t size, len;
	unsigned int n;
};

static void list_add(struct list *list, const char *intro, const char *path, const char *name)
{
	int len;

	if (++list->n > LISTED_MAX + 1)
		return;
	if (list->n == LISTED_MAX + 1)
		len = snprintf(list->text + list->len, list->size - list->len, ", and more");
	else
		len = snprintf(list->text + list->len, list->size - list->len, "%s%s%s%s%s",
			       list->n == 1 ? intro : ", ", path, name[0] ? " (" : "", name,
			       name[0] ? ")" : "");
	list->len = MIN(list->len + (size_t)len, list->size - 1);
}

void v4l2_list(const char *root, char *text, size_t size)
{
	struct list list = {.text = text, .size = size};
	struct video_node *nodes;
	size_t n = video_nodes_list(root, &nodes);

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (v4l2_type(nodes[i].id, 0) != VIRTIO_MEDIA_TYPE_SUBDEV)
			list_add(&list, "this host has ", nodes[i].path, nodes[i].name);
	free(nodes);
	if (list.n == 0)
		snprintf(text, size,
			 "this host has no video node (is the camera plugged in, and its driver "
			 "loaded?)");
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int not_found(const char *root, const char *name, struct error *err)
{
	char folder[PATH_MAX], links[400], nodes[400];
	struct list list = {.text = links, .size = sizeof(links)};
	struct dirent **entries = NULL;
	int n;

	links[0] = '\0';
	snprintf(folder, sizeof(folder), "%s" BY_ID, root);
	n = scandir(folder, &entries, is_visible, versionsort);
	for (int i = 0; i < n; i++) {
		list_add(&list, BY_ID " has ", entries[i]->d_name, "");
		free(entries[i]);
	}
	free(entries);
	v4l2_list(root, nodes, sizeof(nodes));
	return error_set(err, ENOENT, "by-id=%s: no video device is called so: %s%s%s", name, links,
			 list.n ? ", and " : "", nodes);
}

static bool is_link(const char *root, const char *name, char *path, size_t size)
{
	char full[PATH_MAX];
	struct stat st;

	if (strchr(name, '/') || name[0] == '.')
		return false;
	snprintf(path, size, BY_ID "/%s", name);
	return (size_t)snprintf(full, sizeof(full), "%s%s", root, path) < sizeof(full) &&
	       stat(full, &st) == 0;
}

int v4l2_find(const char *root, const char *name, char *path, size_t size, struct error *err)
{
	const struct v4l2_match *match;
	struct v4l2_match *matches;
	struct video_node *nodes;
	size_t n, found = 0;
	int r = 0;

	if (is_link(root, name, path, size))
		return 0;
	n = video_nodes_list(root, &nodes);
	matches = calloc(n + 1, sizeof(*matches));
	if (!matches) {
		free(nodes);
		return error_set(err, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++)
		if (is_called(root, &nodes[i], name, &matches[found]))
			found++;
	if (found == 0) {
		r = not_found(root, name, err);
	} else {
		match = v4l2_choose(matches, found, name, err);
		if (match)
			snprintf(path, size, "%s", match->path);
		else
			r = -EINVAL;
	}
	free(matches);
	free(nodes);
	return r;
}
