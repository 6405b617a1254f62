/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_buffer.c - one half of a request as a row of bytes, wherever the driver has cut it. See vq.h.
 *
 * virtio 1.4, 2.7.4: the device makes no assumption about the framing. Works on the request's own
 * copy of the pieces; the bytes are the guest's. Device's thread.
 */
#include <string.h>

#include "vq.h"

/* The first @len bytes, which are in the first piece, are done with. */
static void advance(struct vq_buffer *buffer, size_t len)
{
	struct iovec *first = buffer->iov;

	buffer->len -= (uint32_t)len;
	first->iov_base = (uint8_t *)first->iov_base + len;
	first->iov_len -= len;
	if (first->iov_len == 0) {
		buffer->iov++;
		buffer->n--;
	}
}

size_t vq_buffer_get(struct vq_buffer *buffer, void *to, size_t len)
{
	const size_t whole = MIN(len, (size_t)buffer->len);
	uint8_t *at = to;

	for (size_t left = whole, part; left > 0; left -= part, at += part) {
		part = MIN(left, buffer->iov->iov_len);
		memcpy(at, buffer->iov->iov_base, part);
		advance(buffer, part);
	}
	return whole;
}

size_t vq_buffer_put(struct vq_buffer *buffer, const void *from, size_t len)
{
	const size_t whole = MIN(len, (size_t)buffer->len);
	const uint8_t *at = from;

	for (size_t left = whole, part; left > 0; left -= part, at += part) {
		part = MIN(left, buffer->iov->iov_len);
		memcpy(buffer->iov->iov_base, at, part);
		advance(buffer, part);
	}
	return whole;
}

size_t vq_buffer_skip(struct vq_buffer *buffer, size_t len)
{
	const size_t whole = MIN(len, (size_t)buffer->len);

	for (size_t left = whole, part; left > 0; left -= part) {
		part = MIN(left, buffer->iov->iov_len);
		advance(buffer, part);
	}
	return whole;
}

void vq_buffer_truncate(struct vq_buffer *buffer, uint32_t len)
{
	while (buffer->len > len) {
		struct iovec *last = &buffer->iov[buffer->n - 1];
		const size_t part = MIN(last->iov_len, (size_t)(buffer->len - len));

		buffer->len -= (uint32_t)part;
		last->iov_len -= part;
		if (last->iov_len == 0)
			buffer->n--;
	}
}

uint8_t *vq_buffer_chop(struct vq_buffer *buffer)
{
	const struct iovec *last;
	uint8_t *byte;

	if (buffer->n == 0)
		return NULL;
	last = &buffer->iov[buffer->n - 1];
	byte = (uint8_t *)last->iov_base + last->iov_len - 1;
	vq_buffer_truncate(buffer, buffer->len - 1);
	return byte;
}
