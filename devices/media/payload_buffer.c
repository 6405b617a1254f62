/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload_buffer.c - what follows a struct v4l2_buffer in a command: planes, and SG lists of guest
 * memory. See payload.h.
 *
 * Virtio 1.4, 5.22.6.1.5, "Handling of pointers to data in ioctl payload", and 5.22.6.1.8,
 * "SHARED_PAGES". Planes and SG lists are read here; what becomes of m.offset, m.userptr and m.fd
 * is the business of who knows the buffer. On the device's thread.
 */
#include <errno.h>

#include "devices/media/payload_impl.h"

static int read_planes(struct payload *payload, struct vq_buffer *readable)
{
	struct v4l2_buffer *buffer = &payload->arg.buffer;
	const size_t len = buffer->length * sizeof(payload->planes[0]);

	if (buffer->length > VIDEO_MAX_PLANES)
		return -EINVAL;
	payload->pointers[0] = buffer->m.userptr;
	payload->restore = true;
	payload->planes_n = buffer->length;
	buffer->m.planes = buffer->length ? payload->planes : NULL;
	return vq_buffer_get(readable, payload->planes, len) == len ? 0 : -EINVAL;
}

static int read_lists(struct payload *payload, struct vq_buffer *readable, const struct gmem *gmem)
{
	const bool multiplanar = V4L2_TYPE_IS_MULTIPLANAR(payload->arg.buffer.type);
	const unsigned int n = multiplanar ? payload->planes_n : 1;
	struct payload_lists lists;
	int r;

	r = payload_lists_load(&lists, payload, readable, gmem);
	for (unsigned int i = 0; i < n && r == 0; i++) {
		const uint32_t len =
			multiplanar ? payload->planes[i].length : payload->arg.buffer.length;

		r = payload_lists_take(&lists, len, &payload->sg[i]);
	}
	return r;
}

int payload_buffer_read(struct payload *payload, struct vq_buffer *readable,
			const struct gmem *gmem)
{
	const unsigned long cmd = payload->entry->cmd;
	int r = 0;

	if (V4L2_TYPE_IS_MULTIPLANAR(payload->arg.buffer.type))
		r = read_planes(payload, readable);
	if (r == 0 && (cmd == VIDIOC_QBUF || cmd == VIDIOC_PREPARE_BUF) &&
	    payload->arg.buffer.memory == V4L2_MEMORY_USERPTR)
		r = read_lists(payload, readable, gmem);
	return r;
}
