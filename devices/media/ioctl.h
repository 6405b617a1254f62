/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ioctl.h - every ioctl of V4L2, as a virtio-media device sees it: one table, constant data.
 *
 * Virtio 1.4, media device, "V4L2 ioctls": a command names an ioctl by its number within type 'V'.
 * docs/media.md has the same table for readers, and a test compares the two.
 */
#ifndef VMM_MEDIA_IOCTL_H
#define VMM_MEDIA_IOCTL_H

#include <linux/videodev2.h>

#include "base.h"

/* Newer than Debian 12's header. */
#ifndef VIDIOC_REMOVE_BUFS
struct v4l2_remove_buffers {
	__u32 index;
	__u32 count;
	__u32 type;
	__u32 reserved[13];
};
#define VIDIOC_REMOVE_BUFS _IOWR('V', 104, struct v4l2_remove_buffers)
#endif

enum media_ioctl_kind {
	MEDIA_IOCTL_UNKNOWN,  /* no such number: ENOTTY */
	MEDIA_IOCTL_PASSED,   /* whole struct to the host and back */
	MEDIA_IOCTL_HANDLED,  /* as passed, with a step of our own before or after: .handler */
	MEDIA_IOCTL_REPLACED, /* ENOTTY: configuration space or events take its place */
	MEDIA_IOCTL_REFUSED,  /* ENOTTY: .why */
};

/* The step of our own: session_ioctl.c has one entry for each. */
enum media_handler {
	MEDIA_HANDLE_NOTHING,
	MEDIA_HANDLE_REQBUFS,
	MEDIA_HANDLE_CREATE_BUFS,
	MEDIA_HANDLE_REMOVE_BUFS,
	MEDIA_HANDLE_QUERYBUF,
	MEDIA_HANDLE_QBUF,
	MEDIA_HANDLE_PREPARE_BUF,
	MEDIA_HANDLE_STREAMON,
	MEDIA_HANDLE_STREAMOFF,
	MEDIA_HANDLE_CODEC_CMD, /* DECODER_CMD, ENCODER_CMD: may let dequeuing go on */
	MEDIA_HANDLE_SUBSCRIBE, /* SUBSCRIBE_EVENT */
	MEDIA_HANDLE_UNSUBSCRIBE,
	MEDIA_HANDLERS
};

/* What follows the struct, or is a pointer in it: payload.c. */
enum media_layout {
	MEDIA_LAYOUT_FLAT,	  /* no pointers */
	MEDIA_LAYOUT_BUFFER,	  /* struct v4l2_buffer */
	MEDIA_LAYOUT_CONTROLS,	  /* struct v4l2_ext_controls */
	MEDIA_LAYOUT_EDID,	  /* struct v4l2_edid */
	MEDIA_LAYOUT_FORMAT,	  /* struct v4l2_format: clips and bitmap of overlays */
	MEDIA_LAYOUT_CREATE,	  /* struct v4l2_create_buffers: has a struct v4l2_format */
	MEDIA_LAYOUT_FRAMEBUFFER, /* struct v4l2_framebuffer: base */
};

struct media_ioctl {
	const char *name;  /* "VIDIOC_QBUF" */
	unsigned long cmd; /* VIDIOC_QBUF: number, size and direction are in it */
	enum media_ioctl_kind kind;
	enum media_layout layout;
	enum media_handler handler;
	bool always_payload; /* written back on errors as well */
	const char *why;     /* for docs/media.md; NULL if simply passed */
};

/*
 * media_ioctl_find - the entry for number @code of a command. Any thread.
 * Return: never NULL; one of kind MEDIA_IOCTL_UNKNOWN for what videodev2.h does not define.
 */
const struct media_ioctl *media_ioctl_find(uint32_t code);

/* media_ioctl_size - bytes of its struct; 0 for none. */
static inline size_t media_ioctl_size(const struct media_ioctl *entry)
{
	return _IOC_SIZE(entry->cmd);
}

/* media_ioctl_reads, media_ioctl_writes - does the device read, does it write a payload? */
static inline bool media_ioctl_reads(const struct media_ioctl *entry)
{
	return _IOC_DIR(entry->cmd) & _IOC_WRITE;
}

static inline bool media_ioctl_writes(const struct media_ioctl *entry)
{
	return _IOC_DIR(entry->cmd) & _IOC_READ;
}

#endif
