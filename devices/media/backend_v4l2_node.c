/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_v4l2_node.c - one node of the host: is it of use to a guest, and opening it.
 *
 * All that a user can have got wrong about a node is said here, in one sentence each. Main thread
 * but for v4l2_node_open() and v4l2_node_close().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "device_holder.h"
#include "devices/media/backend_v4l2_impl.h"
#include "log.h"

#define VIDEO_MAJOR 81 /* of all V4L2 nodes: Documentation/admin-guide/devices.txt */
#define LIST_MAX    500

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a directory";
	case S_IFBLK:
		return "a block device";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	default:
		return "of an unknown kind";
	}
}

/* Last part of the link that sysfs has for @device: its @what; or "". */
static void read_link(const char *root, dev_t device, const char *what, char *name, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/sys/dev/char/%u:%u%s", root, major(device), minor(device),
		 what);
	len = readlink(path, target, sizeof(target) - 1);
	target[MAX(len, (ssize_t)0)] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, size, "%.31s", slash ? slash + 1 : target);
}

/* sysfs has a folder of that name; its own name is that of the node. */
static void read_id(const char *root, dev_t device, char *id, size_t size)
{
	read_link(root, device, "", id, size);
}

int v4l2_node_check(const char *root, const char *what, const struct stat *st, struct error *err)
{
	char subsystem[32], id[32], list[LIST_MAX];

	if (!S_ISCHR(st->st_mode))
		return error_set(err, S_ISDIR(st->st_mode) ? EISDIR : EINVAL,
				 "%s is %s: a V4L2 node such as /dev/video0 is needed", what,
				 kind_name(st->st_mode));
	v4l2_list(root, list, sizeof(list));
	read_link(root, st->st_rdev, "/subsystem", subsystem, sizeof(subsystem));
	if (strcmp(subsystem, "media") == 0)
		return error_set(err, EINVAL,
				 "%s is a media controller, which only arranges what video nodes "
				 "do: give one of these nodes: %s",
				 what, list);
	if (major(st->st_rdev) != VIDEO_MAJOR)
		return error_set(err, EINVAL, "%s is a device, but no V4L2 node: %s", what, list);
	read_id(root, st->st_rdev, id, sizeof(id));
	if (v4l2_type(id, 0) == VIRTIO_MEDIA_TYPE_SUBDEV)
		return error_set(err, EINVAL,
				 "%s is a sub-device, one stage of a camera without pictures of "
				 "its own: give the camera's video node: %s",
				 what, list);
	return 0;
}

int v4l2_node_judge(const char *what, uint32_t type, const struct v4l2_capability *capability,
		    struct error *err)
{
	/* A radio's sound goes another way. */
	if (type == VIRTIO_MEDIA_TYPE_RADIO || (v4l2_device_caps(capability) & V4L2_CAP_STREAMING))
		return 0;
	return error_set(err, ENOTSUP,
			 "%s (%s, driver %s) cannot stream: its data can only be had by read() and "
			 "write(), which a guest does not have",
			 what, (const char *)capability->card, (const char *)capability->driver);
}

static int say_busy(const struct v4l2_node *node, struct error *err)
{
	char holders[200];

	device_holders_text(node->device, holders, sizeof(holders));
	return error_set(err, EBUSY, "%s is in use by %s: it can be opened once at a time",
			 node->what,
			 holders[0] ? holders : "a program that this user may not know of");
}

static int say_open(const struct v4l2_node *node, int code, struct error *err)
{
	switch (code) {
	case EACCES:
	case EPERM:
		return error_set(err, code,
				 "%s: no permission to read and write it: its group (mostly "
				 "'video') may; is this user in it?",
				 node->what);
	case EBUSY:
		return say_busy(node, err);
	case ENODEV:
	case ENXIO:
	case EIO:
		return error_set(err, code, "%s is there, but its device is not: %s", node->what,
				 strerror(code));
	default:
		return error_set(err, code, "cannot open %s: %s", node->what, strerror(code));
	}
}

static int open_path(const char *path)
{
	const int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* On a descriptor of the node: what it is. */
static int look(struct v4l2_node *node, int fd, struct error *err)
{
	int r = v4l2_query(fd, &node->capability);
	char id[32];

	if (r == -ENOTTY || r == -EINVAL)
		return error_set(err, -r, "%s is no V4L2 node: it does not know VIDIOC_QUERYCAP",
				 node->what);
	if (r < 0)
		return say_open(node, -r, err);
	v4l2_place_read("", node->device, &node->place);
	read_id("", node->device, id, sizeof(id));
	node->type = v4l2_type(id, v4l2_device_caps(&node->capability));
	return v4l2_node_judge(node->what, node->type, &node->capability, err);
}

/* The descriptor itself has to do: there is no other way to the node. */
static int use_fd_only(struct v4l2_node *node, int code, struct error *err)
{
	const int flags = fcntl(node->fd, F_GETFL);

	if ((flags & O_ACCMODE) != O_RDWR)
		return error_set(err, code,
				 "%s is not open for writing, and cannot be opened anew (%s): open "
				 "it for reading and writing",
				 node->what, strerror(code));
	/* A dequeue must not wait. */
	if (fcntl(node->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_set(err, errno, "%s: %s", node->what, strerror(errno));
	node->fd_only = true;
	return look(node, node->fd, err);
}

static int look_at_node(struct v4l2_node *node, struct error *err)
{
	_cleanup_(closep) int fd = open_path(node->path);

	if (fd >= 0)
		return look(node, fd, err);
	return node->fd >= 0 ? use_fd_only(node, -fd, err) : say_open(node, -fd, err);
}

static int init_fd(struct v4l2_node *node, int fd, struct error *err)
{
	struct stat st;
	int r;

	snprintf(node->what, sizeof(node->what), "descriptor %d", fd);
	snprintf(node->path, sizeof(node->path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0)
		return error_set(err, errno,
				 "%s is not open: give vmm an open node when it is started, for "
				 "example by %d<>/dev/video0 in a shell",
				 node->what, fd);
	r = v4l2_node_check("", node->what, &st, err);
	if (r < 0)
		return r;
	node->device = st.st_rdev;
	node->fd = fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return look_at_node(node, err);
}

static int say_stat(const struct v4l2_node *node, int code, struct error *err)
{
	char list[LIST_MAX];

	if (code == EACCES)
		return error_set(err, code,
				 "%s: no permission to search one of the folders above it",
				 node->what);
	if (code != ENOENT)
		return error_set(err, code, "%s: %s", node->what, strerror(code));
	v4l2_list("", list, sizeof(list));
	return error_set(err, code, "%s does not exist: %s", node->what, list);
}

static int init_path(struct v4l2_node *node, struct error *err)
{
	struct stat st;
	int r;

	snprintf(node->what, sizeof(node->what), "video node '%.140s'", node->path);
	if (stat(node->path, &st) < 0)
		return say_stat(node, errno, err);
	r = v4l2_node_check("", node->what, &st, err);
	if (r < 0)
		return r;
	node->device = st.st_rdev;
	return look_at_node(node, err);
}

int v4l2_node_init(struct v4l2_node *node, const struct v4l2_source *source, struct error *err)
{
	int r = 0;

	node->fd = -1;
	if (!source->path && !source->by_id) {
		r = init_fd(node, source->fd, err);
		/* The caller's to close. */
		if (r < 0)
			node->fd = -1;
		return r;
	}
	node->moves = source->by_id;
	if (source->by_id)
		r = v4l2_find("", source->by_id, node->path, sizeof(node->path), err);
	else if ((size_t)snprintf(node->path, sizeof(node->path), "%s", source->path) >=
		 sizeof(node->path))
		r = error_set(err, ENAMETOOLONG, "a video node cannot have a path that long");
	return r < 0 ? r : init_path(node, err);
}

void v4l2_node_deinit(struct v4l2_node *node)
{
	closep(&node->fd);
}

/*
 * One that was there before may come back; its path may go to another one first. Where sysfs cannot
 * be read what the node says of itself has to do.
 */
static bool is_same(const struct v4l2_node *node, int fd, const struct v4l2_capability *now)
{
	const struct v4l2_capability *then = &node->capability;
	struct v4l2_place place;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	v4l2_place_read("", st.st_rdev, &place);
	if (place.name[0] && !v4l2_place_same(&node->place, &place, node->moves))
		return false;
	return memcmp(now->driver, then->driver, sizeof(now->driver)) == 0 &&
	       memcmp(now->card, then->card, sizeof(now->card)) == 0 &&
	       (node->moves || memcmp(now->bus_info, then->bus_info, sizeof(now->bus_info)) == 0) &&
	       v4l2_device_caps(now) == v4l2_device_caps(then);
}

static int open_fd_only(struct v4l2_node *node)
{
	int fd;

	if (atomic_exchange(&node->fd_used, true))
		return -EBUSY;
	fd = fcntl(node->fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		return fd;
	atomic_store(&node->fd_used, false);
	return -errno;
}

/* Return: a descriptor, -ENODEV if there is no device or another one, of which @now tells then. */
static int open_same(const struct v4l2_node *node, const char *path, struct v4l2_capability *now)
{
	int fd, r;

	memset(now, 0, sizeof(*now));
	fd = open_path(path);
	/* The node of a device that was unplugged. */
	if (fd == -ENOENT || fd == -ENXIO)
		return -ENODEV;
	if (fd < 0)
		return fd;
	r = v4l2_query(fd, now);
	if (r == 0 && is_same(node, fd, now))
		return fd;
	close(fd);
	return r ?: -ENODEV;
}

/*
 * A camera's nodes may have one name and differ in what they can do. If they do not differ in that
 * either, none is guessed. Return: a descriptor; -ENODEV; another -errno of the one that there is.
 */
static int open_elsewhere(const struct v4l2_node *node)
{
	static struct log_limit limit;
	struct v4l2_capability now;
	struct video_node *nodes;
	const size_t n = v4l2_place_find("", &node->place, node->moves, &nodes);
	int found = -ENODEV;

	for (size_t i = 0; i < n; i++) {
		const int fd = open_same(node, nodes[i].path, &now);

		if (fd == -ENODEV)
			continue;
		if (found >= 0) {
			if (fd >= 0)
				close(fd);
			closep(&found);
			found = -ENODEV;
			break;
		}
		found = fd;
		log_limited(&limit, LOG_LEVEL_INFO, "%s has come back as %s", node->what,
			    nodes[i].path);
	}
	free(nodes);
	return found;
}

int v4l2_node_open(struct v4l2_node *node)
{
	static struct log_limit limit;
	struct v4l2_capability now;
	int fd;

	if (node->fd_only)
		return open_fd_only(node);
	fd = open_same(node, node->path, &now);
	/* Who gives a descriptor means no other node. */
	if (fd != -ENODEV || node->fd >= 0)
		return fd;
	fd = open_elsewhere(node);
	if (fd < 0 && now.driver[0])
		log_limited(&limit, LOG_LEVEL_WARNING,
			    "%s is another device now (%s at %s, was %s at %s): not given to the "
			    "guest",
			    node->what, (const char *)now.card, (const char *)now.bus_info,
			    (const char *)node->capability.card,
			    (const char *)node->capability.bus_info);
	return fd;
}

/* The open file goes on to live, so what a session may have left in it goes here. */
static void clean(int fd)
{
	struct v4l2_event_subscription all = {.type = V4L2_EVENT_ALL};
	enum v4l2_priority priority = V4L2_PRIORITY_DEFAULT;

	(void)ioctl(fd, VIDIOC_UNSUBSCRIBE_EVENT, &all);
	(void)ioctl(fd, VIDIOC_S_PRIORITY, &priority);
}

void v4l2_node_close(struct v4l2_node *node, int fd)
{
	if (node->fd_only)
		clean(fd);
	close(fd);
	if (node->fd_only)
		atomic_store(&node->fd_used, false);
}
