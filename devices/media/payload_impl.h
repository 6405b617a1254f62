/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload_impl.h - what the files of payload.c share: lists of guest memory, and the structs that
 * something follows. See payload.h.
 */
#ifndef VMM_MEDIA_PAYLOAD_IMPL_H
#define VMM_MEDIA_PAYLOAD_IMPL_H

#include "devices/media/payload.h"

/* struct payload_control - one control of a command, as the driver has given it. */
struct payload_control {
	uint64_t value;	      /* the union: a pointer of the guest's if it has data */
	uint32_t size;	      /* bytes of data; 0 for none */
	bool pointer;	      /* payload_ask(): the host has a pointer to the copy */
	uint8_t *data;	      /* the copy, in payload->data */
	struct payload_sg sg; /* where it came from and goes to */
};

/* struct payload_lists - the SG lists of a command, one behind the other. */
struct payload_lists {
	const struct gmem *gmem;
	struct virtio_media_sg_entry *next; /* in payload->entries */
	uint32_t left;
	bool capped; /* there were more than a command may have */
};

/*
 * payload_lists_load - take all that is left in @readable for lists.
 * Return: 0 or -ENOMEM. payload->entries has them, also for who frees it.
 */
int payload_lists_load(struct payload_lists *lists, struct payload *payload,
		       struct vq_buffer *readable, const struct gmem *gmem);

/*
 * payload_lists_take - the next list, which covers @len bytes; none for 0.
 * Return: 0 and *@sg; -EINVAL (ends too early, or has an empty entry); -EFAULT (not RAM); -E2BIG
 * (ends where PAYLOAD_SG_MAX does).
 */
int payload_lists_take(struct payload_lists *lists, uint32_t len, struct payload_sg *sg);

/* payload_sg_get, payload_sg_put - copy all of it out, in. Its bytes are RAM. */
void payload_sg_get(const struct payload_sg *sg, void *to, const struct gmem *gmem);
void payload_sg_put(const struct payload_sg *sg, const void *from, const struct gmem *gmem);

/* MEDIA_LAYOUT_BUFFER: what follows the struct, in and out. */
int payload_buffer_read(struct payload *payload, struct vq_buffer *readable,
			const struct gmem *gmem);

/* MEDIA_LAYOUT_CONTROLS, the same; _restore puts data and pointers of the controls back. */
int payload_controls_read(struct payload *payload, struct vq_buffer *readable,
			  const struct gmem *gmem);
void payload_controls_restore(struct payload *payload, const struct gmem *gmem);

#endif
