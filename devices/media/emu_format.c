/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_format.c - formats and frame sizes of an emulated V4L2 device. See emu.h.
 *
 * VIDIOC_ENUM_FMT, ENUM_FRAMESIZES, G_FMT, TRY_FMT, S_FMT. A format that the device does not offer
 * is made one that it does, never an error. On the thread of the loop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/media/emu_impl.h"

/* What a compressed picture may need, however small it is: tables take their room as well. */
#define COMPRESSED_BYTES_MIN UINT64_C(4096)

const struct emu_format *emu_format_find(const struct emu_stream *stream, uint32_t pixelformat)
{
	for (unsigned int i = 0; i < stream->formats_n; i++)
		if (stream->formats[i].pixelformat == pixelformat)
			return &stream->formats[i];
	return NULL;
}

static bool is_discrete(const struct emu_size *size)
{
	return size->range.step_width == 0;
}

/* Is @side one of @min to @max by @step? */
static bool is_step(uint32_t side, uint32_t min, uint32_t max, uint32_t step)
{
	return side >= min && side <= max && (side - min) % step == 0;
}

const struct emu_size *emu_size_find(const struct emu_format *format, uint32_t width,
				     uint32_t height)
{
	for (unsigned int i = 0; i < format->sizes_n; i++) {
		const struct v4l2_frmsize_stepwise *range = &format->sizes[i].range;

		if (is_discrete(&format->sizes[i])
			    ? width == range->min_width && height == range->min_height
			    : is_step(width, range->min_width, range->max_width,
				      range->step_width) &&
				      is_step(height, range->min_height, range->max_height,
					      range->step_height))
			return &format->sizes[i];
	}
	return NULL;
}

static uint32_t distance(uint32_t a, uint32_t b)
{
	return a > b ? a - b : b - a;
}

static uint32_t nearest_step(uint32_t side, uint32_t min, uint32_t max, uint32_t step)
{
	const uint32_t steps = (max - min) / step;

	side = MIN(MAX(side, min), max) - min;
	return min + MIN((side + step / 2) / step, steps) * step;
}

/* The size of @format that is nearest to @width by @height, and these made fit. */
static const struct emu_size *nearest_size(const struct emu_format *format, uint32_t *width,
					   uint32_t *height)
{
	const struct emu_size *best = &format->sizes[0];
	uint64_t least = UINT64_MAX;

	if (!is_discrete(best)) {
		const struct v4l2_frmsize_stepwise *range = &best->range;

		*width =
			nearest_step(*width, range->min_width, range->max_width, range->step_width);
		*height = nearest_step(*height, range->min_height, range->max_height,
				       range->step_height);
		return best;
	}
	for (unsigned int i = 0; i < format->sizes_n; i++) {
		const struct v4l2_frmsize_stepwise *range = &format->sizes[i].range;
		const uint64_t off = (uint64_t)distance(*width, range->min_width) +
				     distance(*height, range->min_height);

		if (off < least) {
			least = off;
			best = &format->sizes[i];
		}
	}
	*width = best->range.min_width;
	*height = best->range.min_height;
	return best;
}

static uint32_t picture_bytes(const struct emu_format *format, uint32_t width, uint32_t height)
{
	const uint64_t bytes = (uint64_t)width * height * format->pair_bytes / 2;
	const bool compressed = format->flags & V4L2_FMT_FLAG_COMPRESSED;

	return (uint32_t)(compressed ? MAX(bytes, COMPRESSED_BYTES_MIN) : bytes);
}

/* Makes @pix what the stream can do, as near to what it was as possible. */
static void fit(const struct emu_stream *stream, struct v4l2_pix_format *pix,
		const struct emu_format **format_out, const struct emu_size **size_out)
{
	const struct emu_format *format = emu_format_find(stream, pix->pixelformat);
	uint32_t width = pix->width, height = pix->height;

	if (!format)
		format = &stream->formats[0];
	*size_out = nearest_size(format, &width, &height);
	*format_out = format;
	*pix = (struct v4l2_pix_format) {
		.width = width,
		.height = height,
		.pixelformat = format->pixelformat,
		.field = V4L2_FIELD_NONE,
		.bytesperline = width * format->line_bytes,
		.sizeimage = picture_bytes(format, width, height),
		.colorspace = format->colorspace,
		.priv = V4L2_PIX_FMT_PRIV_MAGIC,
		.ycbcr_enc = format->ycbcr_enc,
		.quantization = format->quantization,
		.xfer_func = format->xfer_func,
	};
}

static void set(struct emu_queue *queue, struct v4l2_pix_format *pix)
{
	fit(queue->stream, pix, &queue->format, &queue->size);
	queue->pix = *pix;
	queue->interval = emu_interval_nearest(queue->size, queue->interval);
}

void emu_format_init(struct emu_queue *queue)
{
	struct v4l2_pix_format pix = {
		.width = queue->stream->width,
		.height = queue->stream->height,
		.pixelformat = queue->stream->formats[0].pixelformat,
	};

	queue->interval = queue->stream->interval;
	set(queue, &pix);
}

int emu_enum_fmt(struct emu_file *file, void *arg)
{
	struct v4l2_fmtdesc *desc = arg;
	const struct emu_queue *queue = emu_queue_find(file->context, desc->type);
	const struct emu_format *format;

	if (!queue || desc->index >= queue->stream->formats_n)
		return -EINVAL;
	format = &queue->stream->formats[desc->index];
	*desc = (struct v4l2_fmtdesc) {
		.index = desc->index,
		.type = desc->type,
		.flags = format->flags,
		.pixelformat = format->pixelformat,
	};
	snprintf((char *)desc->description, sizeof(desc->description), "%s", format->description);
	return 0;
}

/* Of any queue: the ioctl does not name one. */
static const struct emu_format *find_anywhere(const struct emu_file *file, uint32_t pixelformat)
{
	const struct emu_setup *setup = emu_of(file)->setup;
	const struct emu_format *format = NULL;

	for (unsigned int i = 0; i < setup->streams_n && !format; i++)
		format = emu_format_find(&setup->streams[i], pixelformat);
	return format;
}

int emu_enum_framesizes(struct emu_file *file, void *arg)
{
	struct v4l2_frmsizeenum *frame = arg;
	const struct emu_format *format = find_anywhere(file, frame->pixel_format);
	const struct emu_size *size;

	if (!format || frame->index >= format->sizes_n)
		return -EINVAL;
	size = &format->sizes[frame->index];
	*frame = (struct v4l2_frmsizeenum) {
		.index = frame->index,
		.pixel_format = frame->pixel_format,
	};
	if (is_discrete(size)) {
		frame->type = V4L2_FRMSIZE_TYPE_DISCRETE;
		frame->discrete.width = size->range.min_width;
		frame->discrete.height = size->range.min_height;
	} else {
		frame->type = size->range.step_width == 1 && size->range.step_height == 1
				      ? V4L2_FRMSIZE_TYPE_CONTINUOUS
				      : V4L2_FRMSIZE_TYPE_STEPWISE;
		frame->stepwise = size->range;
	}
	return 0;
}

/* All of the union, so that nothing of an application's is left behind struct v4l2_pix_format. */
static void give(struct v4l2_format *format, const struct v4l2_pix_format *pix)
{
	memset(&format->fmt, 0, sizeof(format->fmt));
	format->fmt.pix = *pix;
}

int emu_g_fmt(struct emu_file *file, void *arg)
{
	struct v4l2_format *format = arg;
	const struct emu_queue *queue = emu_queue_find(file->context, format->type);

	if (!queue)
		return -EINVAL;
	give(format, &queue->pix);
	return 0;
}

int emu_try_fmt(struct emu_file *file, void *arg)
{
	struct v4l2_format *format = arg;
	const struct emu_queue *queue = emu_queue_find(file->context, format->type);
	struct v4l2_pix_format pix = format->fmt.pix;
	const struct emu_format *unused_format;
	const struct emu_size *unused_size;

	if (!queue)
		return -EINVAL;
	fit(queue->stream, &pix, &unused_format, &unused_size);
	give(format, &pix);
	return 0;
}

int emu_s_fmt(struct emu_file *file, void *arg)
{
	struct v4l2_format *format = arg;
	struct emu_queue *queue = emu_queue_find(file->context, format->type);
	struct v4l2_pix_format pix = format->fmt.pix;

	if (!queue)
		return -EINVAL;
	if (queue->buffers_n > 0 || queue->streaming)
		return -EBUSY;
	set(queue, &pix);
	give(format, &pix);
	return 0;
}
