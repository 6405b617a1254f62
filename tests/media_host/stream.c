/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.c - one buffer queue of a V4L2 node, with MMAP buffers. See stream.h.
 */
#include "stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool is_multiplanar(const struct stream *stream)
{
	return V4L2_TYPE_IS_MULTIPLANAR(stream->type);
}

static void prepare(const struct stream *stream, struct v4l2_buffer *buffer,
		    struct v4l2_plane *planes, unsigned int index)
{
	memset(planes, 0, VIDEO_MAX_PLANES * sizeof(*planes));
	*buffer = (struct v4l2_buffer) {
		.type = stream->type,
		.index = index,
		.memory = V4L2_MEMORY_MMAP,
	};
	if (is_multiplanar(stream)) {
		buffer->m.planes = planes;
		buffer->length = stream->planes_n ? stream->planes_n : VIDEO_MAX_PLANES;
	}
}

static void map_buffer(struct stream *stream, unsigned int index)
{
	const bool writable = V4L2_TYPE_IS_OUTPUT(stream->type);
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;

	prepare(stream, &buffer, planes, index);
	node_ioctl(stream->node, VIDIOC_QUERYBUF, &buffer);
	stream->planes_n = is_multiplanar(stream) ? buffer.length : 1;
	for (unsigned int i = 0; i < stream->planes_n; i++) {
		const uint32_t offset =
			is_multiplanar(stream) ? planes[i].m.mem_offset : buffer.m.offset;
		struct frame_plane *memory = &stream->memory[index][i];

		memory->len = is_multiplanar(stream) ? planes[i].length : buffer.length;
		memory->bytes = stream->node->ops->map(stream->node, offset, memory->len, writable);
	}
}

void stream_init(struct stream *stream, struct node *node, uint32_t type, unsigned int n)
{
	struct v4l2_requestbuffers request = {
		.count = n,
		.type = type,
		.memory = V4L2_MEMORY_MMAP,
	};

	memset(stream, 0, sizeof(*stream));
	stream->node = node;
	stream->type = type;
	node_ioctl(node, VIDIOC_REQBUFS, &request);
	assert_in_range(request.count, 1, STREAM_BUFFERS_MAX);
	stream->n = request.count;
	for (unsigned int i = 0; i < stream->n; i++)
		map_buffer(stream, i);
}

void stream_deinit(struct stream *stream)
{
	struct v4l2_requestbuffers none = {.type = stream->type, .memory = V4L2_MEMORY_MMAP};

	for (unsigned int i = 0; i < stream->n; i++)
		for (unsigned int plane = 0; plane < stream->planes_n; plane++)
			stream->node->ops->unmap(stream->node, stream->memory[i][plane].bytes,
						 stream->memory[i][plane].len);
	node_ioctl(stream->node, VIDIOC_REQBUFS, &none);
}

void stream_put(struct stream *stream, unsigned int index, const uint32_t *used)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;

	prepare(stream, &buffer, planes, index);
	if (V4L2_TYPE_IS_OUTPUT(stream->type)) {
		for (unsigned int i = 0; i < stream->planes_n; i++)
			planes[i].bytesused = used ? used[i] : stream->memory[index][i].len;
		buffer.bytesused = planes[0].bytesused;
		buffer.field = V4L2_FIELD_NONE;
	}
	node_ioctl(stream->node, VIDIOC_QBUF, &buffer);
}

void stream_put_all(struct stream *stream)
{
	for (unsigned int i = 0; i < stream->n; i++)
		stream_put(stream, i, NULL);
}

void stream_on(struct stream *stream)
{
	int type = (int)stream->type;

	node_ioctl(stream->node, VIDIOC_STREAMON, &type);
}

void stream_off(struct stream *stream)
{
	int type = (int)stream->type;

	node_ioctl(stream->node, VIDIOC_STREAMOFF, &type);
}

unsigned int stream_frame(const struct stream *stream, const struct v4l2_buffer *buffer,
			  struct frame_plane *planes)
{
	assert_true(buffer->type == stream->type && buffer->index < stream->n);
	for (unsigned int i = 0; i < stream->planes_n; i++) {
		planes[i] = stream->memory[buffer->index][i];
		planes[i].len =
			is_multiplanar(stream) ? buffer->m.planes[i].bytesused : buffer->bytesused;
		assert_true(planes[i].len <= stream->memory[buffer->index][i].len);
	}
	return stream->planes_n;
}
