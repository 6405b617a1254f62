/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload.c - the payload of an ioctl command: its struct, and the structs whose pointers are
 * simply taken out or followed by blocks of an EDID. See payload.h.
 *
 * Virtio 1.4, 5.22.6.1.5. Planes and controls are in payload_buffer.c and payload_controls.c. Which
 * pointers there are was decided when the struct was read; what host and guest write later on
 * cannot change it. On the device's thread.
 */
#include <errno.h>
#include <string.h>

#include "devices/media/payload_impl.h"

#define EDID_BLOCK   128   /* bytes */
#define ENTRIES_KEPT 16384 /* entries of SG lists: buffers of 64 MiB in single pages */

_Static_assert(sizeof(struct v4l2_enc_idx) <= PAYLOAD_ARG_MAX, "the longest struct of all");
_Static_assert(sizeof(struct virtio_media_sg_entry) == 16, "an SG entry");

static int read_edid(struct payload *payload, struct vq_buffer *readable)
{
	struct v4l2_edid *arg = &payload->arg.edid;
	const size_t len = (size_t)arg->blocks * EDID_BLOCK;

	if (arg->blocks > PAYLOAD_EDID_BLOCKS_MAX)
		return -EINVAL;
	payload->pointers[0] = (uintptr_t)arg->edid;
	payload->restore = true;
	payload->edid_blocks = arg->blocks;
	arg->edid = NULL;
	if (len == 0)
		return 0;
	payload->edid = malloc(len);
	if (!payload->edid)
		return -ENOMEM;
	arg->edid = payload->edid;
	return vq_buffer_get(readable, payload->edid, len) == len ? 0 : -EINVAL;
}

static void restore_edid(struct payload *payload)
{
	payload->arg.edid.edid = (uint8_t *)(uintptr_t)payload->pointers[0];
}

/* Nothing follows the struct: clips and bitmap of the guest's are out of the host's reach. */
static void read_format(struct payload *payload, struct v4l2_format *format)
{
	struct v4l2_window *window = &format->fmt.win;

	if (format->type != V4L2_BUF_TYPE_VIDEO_OVERLAY &&
	    format->type != V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY)
		return;
	payload->pointers[0] = (uintptr_t)window->clips;
	payload->pointers[1] = (uintptr_t)window->bitmap;
	payload->pointers[2] = window->clipcount;
	payload->restore = true;
	window->clips = NULL;
	window->bitmap = NULL;
	window->clipcount = 0;
}

static void restore_format(struct payload *payload, struct v4l2_format *format)
{
	struct v4l2_window *window = &format->fmt.win;

	window->clips = (struct v4l2_clip *)(uintptr_t)payload->pointers[0];
	window->bitmap = (void *)(uintptr_t)payload->pointers[1];
	window->clipcount = (uint32_t)payload->pointers[2];
}

/* A physical address, of use to nobody who is not the machine's owner. */
static void blank_base(struct payload *payload)
{
	payload->arg.framebuffer.base = NULL;
	payload->restore = true;
}

static int read_layout(struct payload *payload, struct vq_buffer *readable, const struct gmem *gmem)
{
	switch (payload->entry->layout) {
	case MEDIA_LAYOUT_FLAT:
		break;
	case MEDIA_LAYOUT_BUFFER:
		return payload_buffer_read(payload, readable, gmem);
	case MEDIA_LAYOUT_CONTROLS:
		return payload_controls_read(payload, readable, gmem);
	case MEDIA_LAYOUT_EDID:
		return read_edid(payload, readable);
	case MEDIA_LAYOUT_FORMAT:
		read_format(payload, &payload->arg.format);
		break;
	case MEDIA_LAYOUT_CREATE:
		read_format(payload, &payload->arg.create.format);
		break;
	case MEDIA_LAYOUT_FRAMEBUFFER:
		blank_base(payload);
		break;
	}
	return 0;
}

int payload_read(struct payload *payload, const struct media_ioctl *entry,
		 struct vq_buffer *readable, const struct gmem *gmem)
{
	const size_t size = media_ioctl_size(entry);
	int r;

	*payload = (struct payload) {
		.entry = entry,
		.entries = payload->entries,
		.entries_room = payload->entries_room,
	};
	if (media_ioctl_reads(entry) && vq_buffer_get(readable, payload->arg.bytes, size) != size)
		return -EINVAL;
	r = read_layout(payload, readable, gmem);
	payload->whole = r == 0;
	return r;
}

static void restore(struct payload *payload, const struct gmem *gmem)
{
	if (!payload->restore)
		return;
	switch (payload->entry->layout) {
	case MEDIA_LAYOUT_FLAT:
		break;
	case MEDIA_LAYOUT_BUFFER:
		payload->arg.buffer.m.userptr = payload->pointers[0];
		break;
	case MEDIA_LAYOUT_CONTROLS:
		payload_controls_restore(payload, gmem);
		break;
	case MEDIA_LAYOUT_EDID:
		restore_edid(payload);
		break;
	case MEDIA_LAYOUT_FORMAT:
		restore_format(payload, &payload->arg.format);
		break;
	case MEDIA_LAYOUT_CREATE:
		restore_format(payload, &payload->arg.create.format);
		break;
	case MEDIA_LAYOUT_FRAMEBUFFER:
		blank_base(payload);
		break;
	}
}

/* What follows the struct: no more of it than the guest has given, whatever the host counts. */
static size_t tail_of(const struct payload *payload, const void **tail)
{
	*tail = NULL;
	switch (payload->entry->layout) {
	case MEDIA_LAYOUT_BUFFER:
		*tail = payload->planes;
		return MIN(payload->arg.buffer.length, payload->planes_n) *
		       sizeof(payload->planes[0]);
	case MEDIA_LAYOUT_CONTROLS:
		*tail = payload->controls;
		return MIN(payload->arg.controls.count, payload->controls_n) *
		       sizeof(payload->controls[0]);
	case MEDIA_LAYOUT_EDID:
		*tail = payload->edid;
		return (size_t)MIN(payload->arg.edid.blocks, payload->edid_blocks) * EDID_BLOCK;
	default:
		return 0;
	}
}

static bool is_written(const struct payload *payload)
{
	return payload->whole && media_ioctl_writes(payload->entry);
}

size_t payload_bytes(const struct payload *payload)
{
	const void *tail;

	if (!is_written(payload))
		return 0;
	return media_ioctl_size(payload->entry) + tail_of(payload, &tail);
}

size_t payload_write(struct payload *payload, struct vq_buffer *writable, const struct gmem *gmem)
{
	const void *tail;
	size_t tail_len, written;

	if (!is_written(payload))
		return 0;
	restore(payload, gmem);
	tail_len = tail_of(payload, &tail);
	written = vq_buffer_put(writable, payload->arg.bytes, media_ioctl_size(payload->entry));
	return written + vq_buffer_put(writable, tail, tail_len);
}

void payload_clear(struct payload *payload)
{
	const bool keep = payload->entries_room <= ENTRIES_KEPT;

	free(payload->controls);
	free(payload->control_data);
	free(payload->data);
	free(payload->edid);
	if (!keep)
		free(payload->entries);
	*payload = (struct payload) {
		.entry = payload->entry,
		.entries = keep ? payload->entries : NULL,
		.entries_room = keep ? payload->entries_room : 0,
	};
}

void payload_deinit(struct payload *payload)
{
	payload_clear(payload);
	free(payload->entries);
	payload->entries = NULL;
	payload->entries_room = 0;
}

void payload_move(struct payload *to, struct payload *from)
{
	*to = *from;
	if (from->entry->layout == MEDIA_LAYOUT_BUFFER && from->arg.buffer.m.planes == from->planes)
		to->arg.buffer.m.planes = to->planes;
	*from = (struct payload) {.entry = from->entry};
}
