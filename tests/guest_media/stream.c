/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.c - an application's side of a V4L2 node. See stream.h.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int call(const struct stream *stream, unsigned long cmd, void *arg)
{
	int r;

	do
		r = ioctl(stream->fd, cmd, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static bool is_mplane(uint32_t type)
{
	return V4L2_TYPE_IS_MULTIPLANAR(type);
}

int stream_open(struct stream *stream, const char *path)
{
	struct v4l2_capability capability = {};
	uint32_t caps;
	int r;

	memset(stream, 0, sizeof(*stream));
	stream->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (stream->fd < 0)
		return -errno;
	r = call(stream, VIDIOC_QUERYCAP, &capability);
	if (r < 0)
		return r;
	caps = capability.device_caps;
	if (caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)) {
		const bool mplane = caps & V4L2_CAP_VIDEO_M2M_MPLANE;

		stream->capture.type =
			mplane ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE;
		stream->output.type =
			mplane ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_OUTPUT;
		return 0;
	}
	if (caps & V4L2_CAP_VIDEO_CAPTURE)
		stream->capture.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	else if (caps & V4L2_CAP_VIDEO_CAPTURE_MPLANE)
		stream->capture.type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
	else
		return -ENOTTY;
	return 0;
}

static void unmap(struct stream_queue *queue)
{
	for (unsigned int i = 0; i < queue->n; i++)
		for (unsigned int j = 0; j < queue->planes_n; j++)
			if (queue->planes[i][j].start)
				munmap(queue->planes[i][j].start, queue->planes[i][j].len);
	memset(queue->planes, 0, sizeof(queue->planes));
	queue->n = 0;
}

void stream_close(struct stream *stream)
{
	unmap(&stream->capture);
	unmap(&stream->output);
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

static void note_sizes(struct stream_queue *queue, const struct v4l2_format *format)
{
	if (!is_mplane(queue->type)) {
		queue->planes_n = 1;
		queue->sizeimage[0] = format->fmt.pix.sizeimage;
		return;
	}
	queue->planes_n = format->fmt.pix_mp.num_planes;
	for (unsigned int i = 0; i < queue->planes_n; i++)
		queue->sizeimage[i] = format->fmt.pix_mp.plane_fmt[i].sizeimage;
}

static void wish_mplane(struct v4l2_pix_format_mplane *mp, const struct stream_format *wanted)
{
	if (wanted->pixelformat)
		mp->pixelformat = wanted->pixelformat;
	if (!wanted->width)
		return;
	mp->width = wanted->width;
	mp->height = wanted->height;
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++)
		mp->plane_fmt[i].bytesperline = 0;
}

static void wish_single(struct v4l2_pix_format *sp, const struct stream_format *wanted)
{
	if (wanted->pixelformat)
		sp->pixelformat = wanted->pixelformat;
	if (!wanted->width)
		return;
	sp->width = wanted->width;
	sp->height = wanted->height;
	sp->bytesperline = 0;
}

static int set_format(struct stream *stream, struct stream_queue *queue,
		      const struct stream_format *wanted)
{
	struct v4l2_format format = {.type = queue->type};
	const bool mplane = is_mplane(queue->type);
	int r = call(stream, VIDIOC_G_FMT, &format);

	if (r < 0)
		return r;
	if (mplane)
		wish_mplane(&format.fmt.pix_mp, wanted);
	else
		wish_single(&format.fmt.pix, wanted);
	if (wanted->pixelformat || wanted->width)
		r = call(stream, VIDIOC_S_FMT, &format);
	if (r < 0)
		return r;
	note_sizes(queue, &format);
	if (wanted->pixelformat && wanted->pixelformat != (mplane ? format.fmt.pix_mp.pixelformat
								  : format.fmt.pix.pixelformat))
		return -EINVAL;
	return 0;
}

static void prepare(struct stream_frame *frame, const struct stream_queue *queue, uint32_t index)
{
	memset(frame, 0, sizeof(*frame));
	frame->buffer.type = queue->type;
	frame->buffer.memory = queue->memory;
	frame->buffer.index = index;
	if (is_mplane(queue->type)) {
		frame->buffer.length = VIDEO_MAX_PLANES;
		frame->buffer.m.planes = frame->planes;
	}
}

/* Pages of our own, or the driver's buffer. */
static int map_plane(struct stream *stream, struct stream_queue *queue, uint32_t index,
		     unsigned int plane, size_t len, uint32_t offset)
{
	struct stream_plane *out = &queue->planes[index][plane];
	void *start;

	if (queue->memory == V4L2_MEMORY_MMAP)
		start = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, stream->fd,
			     (off_t)offset);
	else
		start = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return -errno;
	out->start = start;
	out->len = len;
	return 0;
}

static int map_buffer(struct stream *stream, struct stream_queue *queue, uint32_t index)
{
	const bool mmaps = queue->memory == V4L2_MEMORY_MMAP;
	struct stream_frame frame;
	int r = 0;

	prepare(&frame, queue, index);
	if (mmaps)
		r = call(stream, VIDIOC_QUERYBUF, &frame.buffer);
	for (unsigned int i = 0; i < queue->planes_n && r == 0; i++) {
		const bool mplane = is_mplane(queue->type);
		size_t len = queue->sizeimage[i];

		if (mmaps)
			len = mplane ? frame.planes[i].length : frame.buffer.length;
		r = map_plane(stream, queue, index, i, len,
			      mplane ? frame.planes[i].m.mem_offset : frame.buffer.m.offset);
	}
	return r;
}

static void point_to_pages(const struct stream_queue *queue, struct stream_frame *frame)
{
	const struct stream_plane *planes = queue->planes[frame->buffer.index];

	if (!is_mplane(queue->type)) {
		frame->buffer.m.userptr = (unsigned long)planes[0].start;
		frame->buffer.length = (uint32_t)planes[0].len;
		return;
	}
	for (unsigned int i = 0; i < queue->planes_n; i++) {
		frame->planes[i].m.userptr = (unsigned long)planes[i].start;
		frame->planes[i].length = (uint32_t)planes[i].len;
	}
}

static int queue_buffer(struct stream *stream, struct stream_queue *queue, uint32_t index)
{
	struct stream_frame frame;

	prepare(&frame, queue, index);
	if (is_mplane(queue->type))
		frame.buffer.length = queue->planes_n;
	if (queue->memory == V4L2_MEMORY_USERPTR)
		point_to_pages(queue, &frame);
	if (V4L2_TYPE_IS_OUTPUT(queue->type)) {
		frame.buffer.field = V4L2_FIELD_NONE;
		if (!is_mplane(queue->type))
			frame.buffer.bytesused = (uint32_t)queue->sizeimage[0];
		for (unsigned int i = 0; is_mplane(queue->type) && i < queue->planes_n; i++)
			frame.planes[i].bytesused = (uint32_t)queue->sizeimage[i];
	}
	return call(stream, VIDIOC_QBUF, &frame.buffer);
}

static int start_queue(struct stream *stream, struct stream_queue *queue, uint32_t memory,
		       const struct stream_format *format)
{
	struct v4l2_requestbuffers request = {
		.type = queue->type,
		.memory = memory,
		.count = STREAM_BUFFERS,
	};
	int r;

	if (!queue->type)
		return 0;
	queue->memory = memory;
	r = set_format(stream, queue, format);
	if (r == 0)
		r = call(stream, VIDIOC_REQBUFS, &request);
	if (r < 0)
		return r;
	queue->n = request.count < STREAM_BUFFERS ? request.count : STREAM_BUFFERS;
	for (uint32_t i = 0; i < queue->n && r == 0; i++) {
		r = map_buffer(stream, queue, i);
		if (r == 0)
			r = queue_buffer(stream, queue, i);
	}
	return r ?: call(stream, VIDIOC_STREAMON, &queue->type);
}

int stream_start(struct stream *stream, uint32_t memory, const struct stream_format *format)
{
	static const struct stream_format as_it_is;
	int r = start_queue(stream, &stream->output, memory, &as_it_is);

	return r ?: start_queue(stream, &stream->capture, memory, format);
}

static int dequeue(struct stream *stream, const struct stream_queue *queue,
		   struct stream_frame *frame)
{
	prepare(frame, queue, 0);
	return call(stream, VIDIOC_DQBUF, &frame->buffer);
}

/* What was read goes in again. */
static int feed(struct stream *stream)
{
	struct stream_frame frame;
	int r = 0;

	if (!stream->output.type)
		return 0;
	while (r == 0) {
		r = dequeue(stream, &stream->output, &frame);
		if (r == 0)
			r = queue_buffer(stream, &stream->output, frame.buffer.index);
	}
	return r == -EAGAIN ? 0 : r;
}

int stream_take(struct stream *stream, int ms, struct stream_frame *frame)
{
	struct pollfd ready = {.fd = stream->fd, .events = POLLIN};
	int r = 0;

	if (stream->output.type)
		ready.events |= POLLOUT;
	while (r == 0) {
		r = feed(stream);
		if (r == 0)
			r = dequeue(stream, &stream->capture, frame);
		if (r != -EAGAIN)
			return r;
		r = poll(&ready, 1, ms);
		if (r < 0 && errno != EINTR)
			return -errno;
		r = r == 0 ? -ETIMEDOUT : 0;
	}
	return r;
}

const void *stream_data(const struct stream *stream, const struct stream_frame *frame,
			unsigned int plane, size_t *len)
{
	const bool mplane = is_mplane(stream->capture.type);

	*len = mplane ? frame->planes[plane].bytesused : frame->buffer.bytesused;
	return stream->capture.planes[frame->buffer.index][plane].start;
}

int stream_give(struct stream *stream, struct stream_frame *frame)
{
	return queue_buffer(stream, &stream->capture, frame->buffer.index);
}

static int stop_queue(struct stream *stream, struct stream_queue *queue)
{
	struct v4l2_requestbuffers none = {.type = queue->type, .memory = queue->memory};
	int r;

	if (!queue->type)
		return 0;
	r = call(stream, VIDIOC_STREAMOFF, &queue->type);
	unmap(queue);
	return r ?: call(stream, VIDIOC_REQBUFS, &none);
}

int stream_stop(struct stream *stream)
{
	int r = stop_queue(stream, &stream->output);

	return stop_queue(stream, &stream->capture) ?: r;
}
