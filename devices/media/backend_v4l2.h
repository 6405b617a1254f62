/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_v4l2.h - a V4L2 node of the host behind a media device.
 *
 * At start the node is looked at and closed again: a camera stays free until the guest opens it.
 * Each file is an open file of its own.
 */
#ifndef VMM_MEDIA_BACKEND_V4L2_H
#define VMM_MEDIA_BACKEND_V4L2_H

#include "devices/media/backend.h"
#include "error.h"
#include "loop.h"

/* struct v4l2_source - which node; one of the three. Strings are copied. */
struct v4l2_source {
	const char *path;  /* of any node: /dev/video0, /dev/v4l/by-path/..., /dev/vbi0, ... */
	const char *by_id; /* a link in /dev/v4l/by-id, or what the device is called: its name,
			      card or bus_info */
	int fd;		   /* open already, for reading and writing; -1 */
};

/*
 * backend_v4l2_new - @loop: the device's, for watch(); borrowed. @source->fd is the backend's from
 * now on, unless this fails. Main thread.
 * Return: 0 and *@out, the caller's until ops->free(); -errno and a sentence: no such node (and
 * which there are), no V4L2 node, no permission, busy (and who has it), gone, no streaming.
 */
int backend_v4l2_new(struct media_backend **out, struct loop *loop,
		     const struct v4l2_source *source, struct error *err);

#endif
