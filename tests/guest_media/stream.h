/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h - an application's side of a V4L2 node: open it, stream, look at buffers.
 *
 * For programs that run in a guest, alone: static, in 64 and 32 bits. Captures, and feeds
 * memory-to-memory devices; single- and multi-planar; MMAP and USERPTR. One thread.
 */
#ifndef VMM_TESTS_STREAM_H
#define VMM_TESTS_STREAM_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_BUFFERS 4

/* struct stream_format - what to ask for; zeros leave it as it is. */
struct stream_format {
	uint32_t pixelformat;
	uint32_t width, height; /* pixels */
};

struct stream_plane {
	void *start;
	size_t len; /* bytes */
};

struct stream_queue {
	uint32_t type;	 /* V4L2_BUF_TYPE_; 0: there is none */
	uint32_t memory; /* V4L2_MEMORY_MMAP, V4L2_MEMORY_USERPTR */
	unsigned int n, planes_n;
	size_t sizeimage[VIDEO_MAX_PLANES];
	struct stream_plane planes[STREAM_BUFFERS][VIDEO_MAX_PLANES];
};

struct stream {
	int fd;
	struct stream_queue capture, output;
};

/* struct stream_frame - a captured buffer, until stream_give(). */
struct stream_frame {
	struct v4l2_buffer buffer;
	struct v4l2_plane planes[VIDEO_MAX_PLANES]; /* of multi-planar ones */
};

/* All return 0 or -errno. */

/* stream_open - @stream: to be closed by stream_close(), also if this fails. */
int stream_open(struct stream *stream, const char *path);
void stream_close(struct stream *stream);

/* stream_start - set @format, have buffers of @memory, queue them, STREAMON. */
int stream_start(struct stream *stream, uint32_t memory, const struct stream_format *format);

/* stream_take - wait for a captured frame; feeds the other queue meanwhile. -ETIMEDOUT: none came
 * within @ms. */
int stream_take(struct stream *stream, int ms, struct stream_frame *frame);

/* stream_data - plane number @plane of a frame that was taken. Return: *@len bytes. */
const void *stream_data(const struct stream *stream, const struct stream_frame *frame,
			unsigned int plane, size_t *len);

/* stream_give - queue a frame's buffer again. */
int stream_give(struct stream *stream, struct stream_frame *frame);

/* stream_stop - STREAMOFF, and have no buffers any more. */
int stream_stop(struct stream *stream);

#endif
