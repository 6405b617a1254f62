/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h - one buffer queue of a V4L2 node, with MMAP buffers. Whichever way the node is reached.
 */
#ifndef VMM_MEDIA_HOST_STREAM_H
#define VMM_MEDIA_HOST_STREAM_H

#include "frames.h"
#include "node.h"

#define STREAM_BUFFERS_MAX 32

struct stream {
	struct node *node;
	uint32_t type;
	unsigned int n; /* buffers */
	unsigned int planes_n;
	struct frame_plane memory[STREAM_BUFFERS_MAX][FRAME_PLANES_MAX]; /* whole planes */
};

/* stream_init - have about @n buffers, all mapped. The format has been set. */
void stream_init(struct stream *stream, struct node *node, uint32_t type, unsigned int n);

/* stream_deinit - unmap, and give the buffers back. Not streaming. */
void stream_deinit(struct stream *stream);

/* stream_put - QBUF. @used: bytes of each plane of an output buffer; NULL: the whole planes. */
void stream_put(struct stream *stream, unsigned int index, const uint32_t *used);

/* stream_put_all - QBUF all buffers, of a capture queue. */
void stream_put_all(struct stream *stream);

void stream_on(struct stream *stream);
void stream_off(struct stream *stream);

/* stream_frame - what @buffer, which has come back, holds. Return: the number of planes. */
unsigned int stream_frame(const struct stream *stream, const struct v4l2_buffer *buffer,
			  struct frame_plane *planes);

#endif
