/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_v4l2_impl.h - between the files of the V4L2 backend: finding a node, opening it, mapping
 * its buffers.
 *
 * @root in some functions is put in front of "/dev" and "/sys": "" but in tests.
 */
#ifndef VMM_MEDIA_BACKEND_V4L2_IMPL_H
#define VMM_MEDIA_BACKEND_V4L2_IMPL_H

#include <limits.h>
#include <linux/videodev2.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "devices/media/backend_v4l2.h"
#include "video_nodes.h"
#include "virtio_media.h"

/* backend_v4l2_find.c: names. */

/* struct v4l2_match - a node that answers to a name. */
struct v4l2_match {
	char path[80];
	uint32_t type;			   /* VIRTIO_MEDIA_TYPE_ */
	struct v4l2_capability capability; /* zeros if it could not be opened */
};

/* v4l2_type - VIRTIO_MEDIA_TYPE_ of a node that sysfs calls @id, or by its @device_caps. */
uint32_t v4l2_type(const char *id, uint32_t device_caps);

/* v4l2_device_caps - what this node can do, of all that the device can. */
uint32_t v4l2_device_caps(const struct v4l2_capability *capability);

/*
 * v4l2_choose - one of @n matches for @name: of one device's nodes the first with a picture.
 * Return: it, or NULL and a sentence if these are several devices.
 */
const struct v4l2_match *v4l2_choose(const struct v4l2_match *matches, size_t n, const char *name,
				     struct error *err);

/*
 * v4l2_find - the path of the node that @name (v4l2_source.by_id) stands for. Opens nodes, if it
 * is no link's name. Return: 0 and @path; -ENOENT, -EINVAL and a sentence.
 */
int v4l2_find(const char *root, const char *name, char *path, size_t size, struct error *err);

/* v4l2_list - for a sentence: "this host has /dev/video0 (a camera), /dev/video1 (...)". */
void v4l2_list(const char *root, char *text, size_t size);

/* v4l2_query - VIDIOC_QUERYCAP. Return: 0 or -errno. */
int v4l2_query(int fd, struct v4l2_capability *capability);

/* backend_v4l2_place.c: where a node is. */

/* struct v4l2_place - "" for what sysfs does not tell. */
struct v4l2_place {
	char name[64];	       /* what the driver calls the node */
	char parent[PATH_MAX]; /* folder of the device that it belongs to */
};

/* v4l2_place_read - of the node with number @device. */
void v4l2_place_read(const char *root, dev_t device, struct v4l2_place *place);

/* v4l2_place_same - @moves: it may be another device, in another socket. */
bool v4l2_place_same(const struct v4l2_place *place, const struct v4l2_place *other, bool moves);

/*
 * v4l2_place_find - the nodes that are at @place now. No node is opened.
 * Return: their number; *@out is the caller's to free(), whatever the number is.
 */
size_t v4l2_place_find(const char *root, const struct v4l2_place *place, bool moves,
		       struct video_node **out);

/* backend_v4l2_node.c: one node. */

/* struct v4l2_node - where sessions open it, and what it was at start. */
struct v4l2_node {
	char what[160]; /* for sentences: "video node '/dev/video0'" */
	char path[PATH_MAX];
	int fd;	      /* given open; -1 */
	bool fd_only; /* @path cannot be opened: one session at a time, on @fd */
	bool moves;   /* found by a name that is the same in any socket */
	atomic_bool fd_used;
	dev_t device;
	struct v4l2_place place;
	uint32_t type;
	struct v4l2_capability capability;
};

/*
 * v4l2_node_check - can what @st describes be a node that a guest can use? It is not opened.
 * Return: 0; -errno and a sentence that begins with @what.
 */
int v4l2_node_check(const char *root, const char *what, const struct stat *st, struct error *err);

/* v4l2_node_judge - does what a node says of itself do for a guest? As v4l2_node_check(). */
int v4l2_node_judge(const char *what, uint32_t type, const struct v4l2_capability *capability,
		    struct error *err);

/* v4l2_node_init - find and look at it. @node: zeros. Return: 0; -errno and a sentence. */
int v4l2_node_init(struct v4l2_node *node, const struct v4l2_source *source, struct error *err);

/* v4l2_node_deinit - closes node->fd. */
void v4l2_node_deinit(struct v4l2_node *node);

/*
 * v4l2_node_open - for one session: at the node's path or, if it has gone from there, wherever its
 * device has put it since. Any thread. Return: a descriptor, for v4l2_node_close(); or -errno:
 * -ENODEV if there is none, or only another device at that path.
 */
int v4l2_node_open(struct v4l2_node *node);
void v4l2_node_close(struct v4l2_node *node, int fd);

/* backend_v4l2_map.c: buffers. */

struct v4l2_mapper {
	bool no_export; /* the driver has no VIDIOC_EXPBUF */
	int sink;	/* what is read to touch pages goes here */
};

/* v4l2_mapper_init - Return: 0 or -errno. v4l2_mapper_deinit: of one that is initialised. */
int v4l2_mapper_init(struct v4l2_mapper *mapper);
void v4l2_mapper_deinit(struct v4l2_mapper *mapper);

/* v4l2_map - see media_backend_ops.map. */
int v4l2_map(struct v4l2_mapper *mapper, int fd, const struct media_plane_id *plane, void *at,
	     size_t len, bool writable);

/*
 * v4l2_touch - read a byte of each page, so that no first access is left to the guest.
 * Return: 0; -EFAULT if a page cannot be read (it raises no signal).
 */
int v4l2_touch(const struct v4l2_mapper *mapper, const void *at, size_t len);

#endif
