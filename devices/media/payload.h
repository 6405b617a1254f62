/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload.h - the payload of one ioctl command, taken out of the descriptor chain into the host's
 * memory, and put back.
 *
 * Virtio 1.4, media device, "Ioctls payload", "Handling of pointers to data in ioctl payload",
 * "Handling of pointers to userspace memory in ioctl payload". Everything is read before anything
 * is written, since the two halves of a chain may be the same pages. No number of the guest's is
 * left where the host would take it for a pointer, and no pointer of the host's gets out. Pure but
 * for guest memory; on the device's thread.
 */
#ifndef VMM_MEDIA_PAYLOAD_H
#define VMM_MEDIA_PAYLOAD_H

#include "base.h"
#include "devices/media/backend.h"
#include "devices/media/ioctl.h"
#include "gmem.h"
#include "virtio_media.h"
#include "vq.h"

#define PAYLOAD_ARG_MAX		2304	    /* bytes of any struct of V4L2, with room */
#define PAYLOAD_CONTROLS_MAX	1024	    /* of one command: V4L2_CID_MAX_CTRLS */
#define PAYLOAD_DATA_MAX	(4 * MIB)   /* of all controls of one command */
#define PAYLOAD_SG_MAX		(256 * KIB) /* entries of one command: 1 GiB of single pages */
#define PAYLOAD_EDID_BLOCKS_MAX 256

/* struct payload_sg - guest memory behind one pointer; covers @len bytes exactly. */
struct payload_sg {
	struct virtio_media_sg_entry *entries; /* of the payload's; the last is cut to fit */
	uint32_t n;
	uint32_t len;
};

/*
 * struct payload - zero-initialised or read. The members down to .sg are the handlers' to look at
 * and change between payload_read() and payload_write().
 */
struct payload {
	const struct media_ioctl *entry;
	/* The ioctl's argument with the host's pointers in it, in host memory. */
	union {
		uint8_t bytes[PAYLOAD_ARG_MAX];
		struct v4l2_buffer buffer;
		struct v4l2_requestbuffers reqbufs;
		struct v4l2_create_buffers create;
		struct v4l2_remove_buffers remove;
		struct v4l2_ext_controls controls;
		struct v4l2_event_subscription subscription;
		struct v4l2_edid edid;
		struct v4l2_format format;
		struct v4l2_framebuffer framebuffer;
		enum v4l2_buf_type type; /* STREAMON, STREAMOFF */
		_Alignas(16) uint8_t align;
	} arg;
	/*
	 * MEDIA_LAYOUT_BUFFER, multi-planar: arg.buffer.m.planes points here while the host has it.
	 * As the driver has filled them in, m.userptr included; what becomes of m in both
	 * directions is the handlers' business (session_buffer.c), not payload_write()'s.
	 */
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	unsigned int planes_n; /* 0: single-planar, or none */
	/* QBUF and PREPARE_BUF with V4L2_MEMORY_USERPTR: guest memory of each plane, or of [0]. */
	struct payload_sg sg[VIDEO_MAX_PLANES];
	/* private */
	bool whole;			     /* payload_read() has succeeded */
	bool restore;			     /* pointers of the struct's are to be put back */
	uint64_t pointers[VIDEO_MAX_PLANES]; /* of the guest's */
	struct v4l2_ext_control *controls;
	struct payload_control *control_data; /* one each: guest's pointer, SG list, copy */
	unsigned int controls_n;
	uint8_t *data; /* copies of all controls' data */
	uint8_t *edid;
	uint32_t edid_blocks;
	struct virtio_media_sg_entry *entries;
	uint32_t entries_room;
};

/*
 * payload_read - take the payload of @entry off @readable, which starts right behind the command,
 * to its end. What is left in @readable is ignored (old drivers append to G_INPUT).
 * Return: 0; -EINVAL (too short for the struct or for what the struct announces; more planes,
 * controls or EDID blocks than there can be); -EFAULT (an SG entry outside RAM); -E2BIG; -ENOMEM.
 * payload_deinit() is due in any case.
 */
int payload_read(struct payload *payload, const struct media_ioctl *entry,
		 struct vq_buffer *readable, const struct gmem *gmem);

/*
 * payload_ask - before the ioctl itself, on the thread that calls it: ask the host which of the
 * controls that come with data have a pointer to it, and which a value. Without it all are values,
 * because a pointer of ours, set as a value, could be read back by the guest, and a value of the
 * guest's could be taken for a pointer. Nothing to do for other payloads. May be called again.
 * Return: 0; -errno of the backend.
 */
int payload_ask(struct payload *payload, struct media_file *file);

/*
 * payload_write - put the payload back: control data into the guest's pages; the struct, with the
 * guest's pointers in it, and what follows it onto the end of @writable. Once for a payload;
 * nothing if payload_read() has failed. Return: bytes written to @writable, fewer than there are if
 * it is too short.
 */
size_t payload_write(struct payload *payload, struct vq_buffer *writable, const struct gmem *gmem);

/* payload_bytes - what payload_write() would write to a half that is long enough. */
size_t payload_bytes(const struct payload *payload);

void payload_deinit(struct payload *payload);

/* payload_clear - the same, but for memory that the next payload_read() can use again. */
void payload_clear(struct payload *payload);

/* payload_move - @to, not initialised, takes what @from has, which is as after payload_deinit(). */
void payload_move(struct payload *to, struct payload *from);

#endif
