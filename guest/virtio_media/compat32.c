// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * compat32.c - structs of programs of 32 bits, on a kernel of 64: from and to the layout of the
 * wire.
 *
 * Virtio 1.4, 5.22.6.1.5: the driver translates. A struct is described as pieces that only move,
 * and numbers that get wider: pointers, unions with one, seconds. Structs that are not here are
 * the same in both. Constant tables; in a process.
 */
#include <linux/compat.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "virtio_media.h"

#ifdef CONFIG_COMPAT

struct buffer32 {
	u32 index, type, bytesused, flags, field;
	compat_s64 tv_sec, tv_usec;
	struct v4l2_timecode timecode;
	u32 sequence, memory, m, length, reserved2, request_fd;
};

/* Of programs whose time_t has 32 bits. */
struct buffer32_time32 {
	u32 index, type, bytesused, flags, field;
	s32 tv_sec, tv_usec;
	struct v4l2_timecode timecode;
	u32 sequence, memory, m, length, reserved2, request_fd;
};

struct plane32 {
	u32 bytesused, length, m, data_offset, reserved[11];
};

struct event32 {
	u32 type;
	union {
		compat_s64 value64;
		u8 data[64];
	} u;
	u32 pending, sequence;
	compat_s64 tv_sec, tv_nsec;
	u32 id, reserved[8];
};

struct event32_time32 {
	u32 type;
	union {
		compat_s64 value64;
		u8 data[64];
	} u;
	u32 pending, sequence;
	s32 tv_sec, tv_nsec;
	u32 id, reserved[8];
};

struct window32 {
	struct v4l2_rect w;
	u32 field, chromakey, clips, clipcount, bitmap;
	u8 global_alpha;
};

struct format32 {
	u32 type;
	union {
		struct window32 win;
		u8 raw_data[200];
	} fmt;
};

struct create_buffers32 {
	u32 index, count, memory;
	struct format32 format;
	u32 rest[8]; /* capabilities and what follows */
};

struct standard32 {
	u32 index;
	compat_u64 id;
	u8 name[24];
	struct v4l2_fract frameperiod;
	u32 framelines, reserved[4];
};

struct input32 {
	u32 index;
	u8 name[32];
	u32 type, audioset, tuner;
	compat_u64 std;
	u32 status, capabilities, reserved[3];
};

struct framebuffer32 {
	u32 capability, flags, base, fmt[8];
};

struct edid32 {
	u32 pad, start_block, blocks, reserved[5], edid;
};

struct ext_controls32 {
	u32 which, count, error_idx, request_fd, reserved, controls;
};

enum kind {
	SAME,	  /* .size bytes */
	UNSIGNED, /* 4 bytes are 8, with zeros: pointers, offsets */
	SIGNED,	  /* with the sign: time */
};

struct piece {
	enum kind kind;
	u16 at32, at, size;
};

struct layout {
	u16 size32, size;
	const struct piece *pieces;
	unsigned int n;
};

/* @first32 and @first: the same field. */
#define MOVED(type32, type, first32, first, bytes)                                                 \
	{                                                                                          \
		SAME, offsetof(struct type32, first32), offsetof(struct type, first), (bytes)      \
	}
#define WIDER(what, type32, type, first32, first)                                                  \
	{                                                                                          \
		what, offsetof(struct type32, first32), offsetof(struct type, first), 4            \
	}
#define LAYOUT(type32, type, list)                                                                 \
	{                                                                                          \
		sizeof(struct type32), sizeof(struct type), (list), ARRAY_SIZE(list)               \
	}

static const struct piece buffer_pieces[] = {
	MOVED(buffer32, v4l2_buffer, index, index, 20),
	MOVED(buffer32, v4l2_buffer, tv_sec, timestamp.tv_sec, 8),
	MOVED(buffer32, v4l2_buffer, tv_usec, timestamp.tv_usec, 8),
	MOVED(buffer32, v4l2_buffer, timecode, timecode, sizeof(struct v4l2_timecode) + 8),
	WIDER(UNSIGNED, buffer32, v4l2_buffer, m, m),
	MOVED(buffer32, v4l2_buffer, length, length, 12),
};

static const struct piece buffer_time32_pieces[] = {
	MOVED(buffer32_time32, v4l2_buffer, index, index, 20),
	WIDER(SIGNED, buffer32_time32, v4l2_buffer, tv_sec, timestamp.tv_sec),
	WIDER(SIGNED, buffer32_time32, v4l2_buffer, tv_usec, timestamp.tv_usec),
	MOVED(buffer32_time32, v4l2_buffer, timecode, timecode, sizeof(struct v4l2_timecode) + 8),
	WIDER(UNSIGNED, buffer32_time32, v4l2_buffer, m, m),
	MOVED(buffer32_time32, v4l2_buffer, length, length, 12),
};

static const struct piece plane_pieces[] = {
	MOVED(plane32, v4l2_plane, bytesused, bytesused, 8),
	WIDER(UNSIGNED, plane32, v4l2_plane, m, m),
	MOVED(plane32, v4l2_plane, data_offset, data_offset, 48),
};

static const struct piece event_pieces[] = {
	MOVED(event32, v4l2_event, type, type, 4),
	MOVED(event32, v4l2_event, u, u, 64),
	MOVED(event32, v4l2_event, pending, pending, 8),
	MOVED(event32, v4l2_event, tv_sec, timestamp.tv_sec, 8),
	MOVED(event32, v4l2_event, tv_nsec, timestamp.tv_nsec, 8),
	MOVED(event32, v4l2_event, id, id, 36),
};

static const struct piece event_time32_pieces[] = {
	MOVED(event32_time32, v4l2_event, type, type, 4),
	MOVED(event32_time32, v4l2_event, u, u, 64),
	MOVED(event32_time32, v4l2_event, pending, pending, 8),
	WIDER(SIGNED, event32_time32, v4l2_event, tv_sec, timestamp.tv_sec),
	WIDER(SIGNED, event32_time32, v4l2_event, tv_nsec, timestamp.tv_nsec),
	MOVED(event32_time32, v4l2_event, id, id, 36),
};

static const struct piece format_pieces[] = {
	MOVED(format32, v4l2_format, type, type, 4),
	MOVED(format32, v4l2_format, fmt, fmt, 200),
};

static const struct piece overlay_pieces[] = {
	MOVED(format32, v4l2_format, type, type, 4),
	MOVED(format32, v4l2_format, fmt.win.w, fmt.win.w, sizeof(struct v4l2_rect) + 8),
	WIDER(UNSIGNED, format32, v4l2_format, fmt.win.clips, fmt.win.clips),
	MOVED(format32, v4l2_format, fmt.win.clipcount, fmt.win.clipcount, 4),
	WIDER(UNSIGNED, format32, v4l2_format, fmt.win.bitmap, fmt.win.bitmap),
	MOVED(format32, v4l2_format, fmt.win.global_alpha, fmt.win.global_alpha, 1),
};

static const struct piece create_pieces[] = {
	MOVED(create_buffers32, v4l2_create_buffers, index, index, 12),
	MOVED(create_buffers32, v4l2_create_buffers, format.type, format.type, 4),
	MOVED(create_buffers32, v4l2_create_buffers, format.fmt, format.fmt, 200),
	MOVED(create_buffers32, v4l2_create_buffers, rest, capabilities, 32),
};

static const struct piece standard_pieces[] = {
	MOVED(standard32, v4l2_standard, index, index, 4),
	MOVED(standard32, v4l2_standard, id, id, 8),
	MOVED(standard32, v4l2_standard, name, name, 24 + sizeof(struct v4l2_fract) + 20),
};

static const struct piece input_pieces[] = {
	MOVED(input32, v4l2_input, index, index, 48),
	MOVED(input32, v4l2_input, std, std, 28),
};

static const struct piece framebuffer_pieces[] = {
	MOVED(framebuffer32, v4l2_framebuffer, capability, capability, 8),
	WIDER(UNSIGNED, framebuffer32, v4l2_framebuffer, base, base),
	MOVED(framebuffer32, v4l2_framebuffer, fmt, fmt, 32),
};

static const struct piece edid_pieces[] = {
	MOVED(edid32, v4l2_edid, pad, pad, 32),
	WIDER(UNSIGNED, edid32, v4l2_edid, edid, edid),
};

static const struct piece controls_pieces[] = {
	MOVED(ext_controls32, v4l2_ext_controls, which, which, 20),
	WIDER(UNSIGNED, ext_controls32, v4l2_ext_controls, controls, controls),
};

static const struct layout plane_layout = LAYOUT(plane32, v4l2_plane, plane_pieces);
static const struct layout overlay_layout = LAYOUT(format32, v4l2_format, overlay_pieces);

#define NUMBER32(cmd, type32) (((cmd) & ~IOCSIZE_MASK) | (sizeof(struct type32) << IOCSIZE_SHIFT))
#define IOCTL(ioctl, type32, type, list)                                                           \
	{                                                                                          \
		NUMBER32(ioctl, type32), ioctl, LAYOUT(type32, type, list)                         \
	}
#define BUFFER(ioctl)	     IOCTL(ioctl, buffer32, v4l2_buffer, buffer_pieces)
#define BUFFER_TIME32(ioctl) IOCTL(ioctl, buffer32_time32, v4l2_buffer, buffer_time32_pieces)
#define FORMAT(ioctl)	     IOCTL(ioctl, format32, v4l2_format, format_pieces)
#define CONTROLS(ioctl)	     IOCTL(ioctl, ext_controls32, v4l2_ext_controls, controls_pieces)

static const struct ioctl32 {
	unsigned int cmd32, cmd;
	struct layout layout;
} ioctls[] = {
	FORMAT(VIDIOC_G_FMT),
	FORMAT(VIDIOC_S_FMT),
	FORMAT(VIDIOC_TRY_FMT),
	BUFFER(VIDIOC_QUERYBUF),
	BUFFER_TIME32(VIDIOC_QUERYBUF),
	BUFFER(VIDIOC_QBUF),
	BUFFER_TIME32(VIDIOC_QBUF),
	BUFFER(VIDIOC_DQBUF),
	BUFFER_TIME32(VIDIOC_DQBUF),
	BUFFER(VIDIOC_PREPARE_BUF),
	BUFFER_TIME32(VIDIOC_PREPARE_BUF),
	IOCTL(VIDIOC_DQEVENT, event32, v4l2_event, event_pieces),
	IOCTL(VIDIOC_DQEVENT, event32_time32, v4l2_event, event_time32_pieces),
	IOCTL(VIDIOC_CREATE_BUFS, create_buffers32, v4l2_create_buffers, create_pieces),
	IOCTL(VIDIOC_G_FBUF, framebuffer32, v4l2_framebuffer, framebuffer_pieces),
	IOCTL(VIDIOC_S_FBUF, framebuffer32, v4l2_framebuffer, framebuffer_pieces),
	IOCTL(VIDIOC_ENUMSTD, standard32, v4l2_standard, standard_pieces),
	IOCTL(VIDIOC_ENUMINPUT, input32, v4l2_input, input_pieces),
	IOCTL(VIDIOC_G_EDID, edid32, v4l2_edid, edid_pieces),
	IOCTL(VIDIOC_S_EDID, edid32, v4l2_edid, edid_pieces),
	CONTROLS(VIDIOC_G_EXT_CTRLS),
	CONTROLS(VIDIOC_S_EXT_CTRLS),
	CONTROLS(VIDIOC_TRY_EXT_CTRLS),
};

static const struct ioctl32 *find(unsigned int cmd32)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (ioctls[i].cmd32 == cmd32)
			return &ioctls[i];
	return NULL;
}

static void widen(const struct layout *layout, void *to, const void *from)
{
	unsigned int i;

	for (i = 0; i < layout->n; i++) {
		const struct piece *piece = &layout->pieces[i];
		const void *at32 = from + piece->at32;
		s64 wide;

		if (piece->kind == SAME) {
			memcpy(to + piece->at, at32, piece->size);
			continue;
		}
		wide = piece->kind == SIGNED ? *(const s32 *)at32 : *(const u32 *)at32;
		memcpy(to + piece->at, &wide, sizeof(wide));
	}
}

/* Little endian: the lower half comes first. */
static void narrow(const struct layout *layout, void *to, const void *from)
{
	unsigned int i;

	for (i = 0; i < layout->n; i++) {
		const struct piece *piece = &layout->pieces[i];

		memcpy(to + piece->at32, from + piece->at, piece->size);
	}
}

static bool is_overlay(u32 type)
{
	return type == V4L2_BUF_TYPE_VIDEO_OVERLAY || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY;
}

/* @arg: begins with the type, if it is a format. */
static const struct layout *layout_of(const struct ioctl32 *ioctl, const void *arg)
{
	if (ioctl->layout.pieces == format_pieces && is_overlay(*(const u32 *)arg))
		return &overlay_layout;
	return &ioctl->layout;
}

unsigned int vmedia_compat_cmd(unsigned int cmd32)
{
	const struct ioctl32 *ioctl = find(cmd32);

	return ioctl ? ioctl->cmd : cmd32;
}

int vmedia_compat_get(unsigned int cmd32, void *arg, void __user *user)
{
	const struct ioctl32 *ioctl = find(cmd32);
	void *copy = memdup_user(user, ioctl->layout.size32);

	if (IS_ERR(copy))
		return PTR_ERR(copy);
	widen(layout_of(ioctl, copy), arg, copy);
	kfree(copy);
	return 0;
}

int vmedia_compat_put(unsigned int cmd32, const void *arg, void __user *user)
{
	const struct ioctl32 *ioctl = find(cmd32);
	void *copy = kzalloc(ioctl->layout.size32, GFP_KERNEL);
	int r;

	if (!copy)
		return -ENOMEM;
	narrow(layout_of(ioctl, arg), copy, arg);
	r = copy_to_user(user, copy, ioctl->layout.size32) ? -EFAULT : 0;
	kfree(copy);
	return r;
}

int vmedia_compat_get_planes(struct v4l2_plane *planes, unsigned int n, void __user *user)
{
	struct plane32 plane;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (copy_from_user(&plane, user + i * sizeof(plane), sizeof(plane)))
			return -EFAULT;
		widen(&plane_layout, &planes[i], &plane);
	}
	return 0;
}

int vmedia_compat_put_planes(const struct v4l2_plane *planes, unsigned int n, void __user *user)
{
	struct plane32 plane;
	unsigned int i;

	for (i = 0; i < n; i++) {
		narrow(&plane_layout, &plane, &planes[i]);
		if (copy_to_user(user + i * sizeof(plane), &plane, sizeof(plane)))
			return -EFAULT;
	}
	return 0;
}

#endif
