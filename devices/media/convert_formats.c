/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * convert_formats.c - libv4lconvert, and what it is given to see of a camera. See
 * convert_formats.h.
 *
 * The library asks for the camera's formats, sizes and so on by itself. It is answered here, not by
 * a file descriptor, so that it may be any backend's camera. The one file that knows the library.
 */
#include "devices/media/convert_formats.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <libv4l-plugin.h>
#include <libv4lconvert.h>

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE

/* The library computes with int. */
#define SIDE_MAX 16384u

static const struct {
	uint32_t pixelformat;
	const char *description;
} targets[] = {
	{V4L2_PIX_FMT_RGB24, "24-bit RGB 8-8-8"},
	{V4L2_PIX_FMT_BGR24, "24-bit BGR 8-8-8"},
	{V4L2_PIX_FMT_YUV420, "Planar YUV 4:2:0"},
	{V4L2_PIX_FMT_YVU420, "Planar YVU 4:2:0"},
};

struct convert_formats {
	struct v4lconvert_data *library;
	struct media_file *camera;
	int lost;	   /* -EINTR or -ENODEV of a call that was made for it */
	uint32_t native_n; /* formats of the camera */
	unsigned int offered[ARRAY_SIZE(targets)]; /* indices of targets */
	unsigned int offered_n;
	/* JPEGs of this kind are decoded to RGB first. */
	bool through_rgb;
	uint8_t *rgb;
	size_t rgb_len;
};

/* What the library sees. */

static int ask(struct convert_formats *formats, unsigned long cmd, void *arg)
{
	const int r = formats->camera->backend->ops->ioctl(formats->camera, cmd, arg);

	if (r == -EINTR || r == -ENODEV)
		formats->lost = r;
	return r;
}

static int answer(void *owner, int fd, unsigned long cmd, void *arg)
{
	struct convert_formats *formats = owner;
	int r = -ENOTTY;

	switch (cmd) {
	case VIDIOC_QUERYCAP:
	case VIDIOC_ENUM_FMT:
	case VIDIOC_ENUM_FRAMESIZES:
	case VIDIOC_ENUM_FRAMEINTERVALS:
	case VIDIOC_TRY_FMT:
		r = ask(formats, cmd, arg);
		break;
	case VIDIOC_QUERYCTRL:
		/* A control that the camera has is none that the library makes up. */
		memset(arg, 0, sizeof(struct v4l2_queryctrl));
		r = 0;
		break;
	}
	errno = r < 0 ? -r : 0;
	return r < 0 ? -1 : 0;
}

static const struct libv4l_dev_ops camera_ops = {.ioctl = answer};

/* Before and after a call of the library's, which says -1 or more. */
static void begin(struct convert_formats *formats)
{
	formats->lost = 0;
	errno = 0;
}

static int end(const struct convert_formats *formats, int r)
{
	const int error = errno ? -errno : -EIO;

	if (formats->lost)
		return formats->lost;
	return r < 0 ? error : 0;
}

/* Formats. */

static int count_native(struct convert_formats *formats)
{
	struct v4l2_fmtdesc desc = {.type = CAPTURE};

	while (desc.index < UINT16_MAX && ask(formats, VIDIOC_ENUM_FMT, &desc) == 0)
		desc.index++;
	formats->native_n = desc.index;
	return formats->lost;
}

static bool is_native(struct convert_formats *formats, uint32_t pixelformat)
{
	for (uint32_t i = 0; i < formats->native_n; i++) {
		struct v4l2_fmtdesc desc = {.type = CAPTURE, .index = i};

		if (ask(formats, VIDIOC_ENUM_FMT, &desc) == 0 && desc.pixelformat == pixelformat)
			return true;
	}
	return false;
}

static int find_targets(struct convert_formats *formats)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++) {
		struct v4l2_format format = {.type = CAPTURE}, camera;

		if (is_native(formats, targets[i].pixelformat))
			continue;
		if (formats->lost)
			return formats->lost;
		format.fmt.pix.pixelformat = targets[i].pixelformat;
		format.fmt.pix.width = 640;
		format.fmt.pix.height = 480;
		if (convert_try_fmt(formats, &format, &camera) == 0 &&
		    format.fmt.pix.pixelformat == targets[i].pixelformat)
			formats->offered[formats->offered_n++] = i;
	}
	return formats->lost;
}

int convert_formats_new(struct convert_formats **out, struct media_file *camera)
{
	struct convert_formats *formats = calloc(1, sizeof(*formats));
	int r;

	if (!formats)
		return -ENOMEM;
	formats->camera = camera;
	formats->library = v4lconvert_create_with_dev_ops(-1, formats, &camera_ops);
	r = formats->library ? formats->lost : -ENOMEM;
	if (r == 0)
		r = count_native(formats);
	if (r == 0)
		r = find_targets(formats);
	if (r < 0) {
		convert_formats_free(formats);
		return r;
	}
	*out = formats;
	return 0;
}

void convert_formats_free(struct convert_formats *formats)
{
	if (!formats)
		return;
	v4lconvert_destroy(formats->library);
	free(formats->rgb);
	free(formats);
}

unsigned int convert_formats_n(const struct convert_formats *formats)
{
	return formats->offered_n;
}

bool convert_formats_has(const struct convert_formats *formats, uint32_t pixelformat)
{
	for (unsigned int i = 0; i < formats->offered_n; i++)
		if (targets[formats->offered[i]].pixelformat == pixelformat)
			return true;
	return false;
}

int convert_enum_fmt(struct convert_formats *formats, struct v4l2_fmtdesc *desc)
{
	const uint32_t index = desc->index;
	unsigned int target;

	if (index < formats->native_n)
		return ask(formats, VIDIOC_ENUM_FMT, desc);
	if (index - formats->native_n >= formats->offered_n)
		return -EINVAL;
	target = formats->offered[index - formats->native_n];
	*desc = (struct v4l2_fmtdesc) {
		.index = index,
		.type = CAPTURE,
		.flags = V4L2_FMT_FLAG_EMULATED,
		.pixelformat = targets[target].pixelformat,
	};
	snprintf((char *)desc->description, sizeof(desc->description), "%s",
		 targets[target].description);
	return 0;
}

int convert_enum_framesizes(struct convert_formats *formats, struct v4l2_frmsizeenum *size)
{
	begin(formats);
	return end(formats, v4lconvert_enum_framesizes(formats->library, size));
}

int convert_enum_frameintervals(struct convert_formats *formats, struct v4l2_frmivalenum *interval)
{
	begin(formats);
	memset(interval->reserved, 0, sizeof(interval->reserved));
	return end(formats, v4lconvert_enum_frameintervals(formats->library, interval));
}

/* The library chooses among the camera's formats by the bandwidth that they take. */
static void note_rate(struct convert_formats *formats)
{
	struct v4l2_streamparm parm = {.type = CAPTURE};
	const struct v4l2_fract *interval = &parm.parm.capture.timeperframe;

	if (ask(formats, VIDIOC_G_PARM, &parm) == 0 && interval->numerator > 0)
		v4lconvert_set_fps(formats->library,
				   (int)MIN(interval->denominator / interval->numerator, 10000u));
}

int convert_try_fmt(struct convert_formats *formats, struct v4l2_format *format,
		    struct v4l2_format *camera)
{
	int r;

	format->fmt.pix.width = MIN(format->fmt.pix.width, SIDE_MAX);
	format->fmt.pix.height = MIN(format->fmt.pix.height, SIDE_MAX);
	begin(formats);
	note_rate(formats);
	r = end(formats, v4lconvert_try_format(formats->library, format, camera));
	if (r == 0 && format->fmt.pix.pixelformat != camera->fmt.pix.pixelformat)
		convert_describe(format, camera);
	return r;
}

static bool is_jpeg(const struct v4l2_format *camera)
{
	return camera->fmt.pix.pixelformat == V4L2_PIX_FMT_MJPEG ||
	       camera->fmt.pix.pixelformat == V4L2_PIX_FMT_JPEG;
}

static bool is_rgb(const struct v4l2_format *format)
{
	return format->fmt.pix.pixelformat == V4L2_PIX_FMT_RGB24 ||
	       format->fmt.pix.pixelformat == V4L2_PIX_FMT_BGR24;
}

/* Colours are not touched but by going from YCbCr to RGB. JPEG uses the full range. */
void convert_describe(struct v4l2_format *format, const struct v4l2_format *camera)
{
	const struct v4l2_pix_format *from = &camera->fmt.pix;
	struct v4l2_pix_format pix = {
		.width = format->fmt.pix.width,
		.height = format->fmt.pix.height,
		.pixelformat = format->fmt.pix.pixelformat,
		.field = from->field,
		.colorspace = from->colorspace,
		.priv = V4L2_PIX_FMT_PRIV_MAGIC,
		.xfer_func = from->xfer_func,
	};

	if (is_rgb(format)) {
		pix.colorspace = V4L2_COLORSPACE_SRGB;
	} else {
		pix.ycbcr_enc = from->ycbcr_enc;
		pix.quantization = is_jpeg(camera) ? (uint32_t)V4L2_QUANTIZATION_FULL_RANGE
						   : from->quantization;
	}
	memset(&format->fmt, 0, sizeof(format->fmt));
	format->type = CAPTURE;
	format->fmt.pix = pix;
	v4lconvert_fixup_fmt(format);
}

/* Frames. */

static int64_t convert_once(struct convert_formats *formats, const struct convert_frame *frame)
{
	int r;

	errno = 0;
	r = v4lconvert_convert(formats->library, frame->camera, frame->format, frame->from,
			       (int)frame->from_len, frame->to, (int)frame->to_len);
	if (r < 0)
		return errno ? -errno : -EIO;
	return r;
}

/* The library stops in the middle of a JPEG that it refuses, and chokes on the next one then. */
static int64_t convert(struct convert_formats *formats, const struct convert_frame *frame)
{
	const int64_t r = convert_once(formats, frame);

	return r == -EAGAIN && is_jpeg(frame->camera) ? convert_once(formats, frame) : r;
}

/* As JPEG says: all of 0 to 255 is used. @sum: of four pixels. */
static uint8_t luma(unsigned int r, unsigned int g, unsigned int b)
{
	return (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
}

static uint8_t chroma(const unsigned int sum[3], int r, int g, int b)
{
	const int value = r * (int)sum[0] + g * (int)sum[1] + b * (int)sum[2];

	return (uint8_t)MIN((value / 4 + (128 << 16) + 32767) >> 16, 255);
}

static void add_pixel(const uint8_t *pixel, uint8_t *y, unsigned int sum[3])
{
	*y = luma(pixel[0], pixel[1], pixel[2]);
	for (unsigned int i = 0; i < 3; i++)
		sum[i] += pixel[i];
}

/* @rgb to planes with halved chroma; both sides are even. */
static void split(const uint8_t *rgb, const struct v4l2_pix_format *pix, uint8_t *to)
{
	const size_t width = pix->width, pixels = width * pix->height;
	const bool swapped = pix->pixelformat == V4L2_PIX_FMT_YVU420;
	uint8_t *cb = to + pixels + (swapped ? pixels / 4 : 0);
	uint8_t *cr = to + pixels + (swapped ? 0 : pixels / 4);

	for (size_t y = 0; y < pix->height; y += 2)
		for (size_t x = 0; x < width; x += 2) {
			const size_t upper = y * width + x, lower = upper + width;
			unsigned int sum[3] = {0};

			add_pixel(&rgb[3 * upper], &to[upper], sum);
			add_pixel(&rgb[3 * upper + 3], &to[upper + 1], sum);
			add_pixel(&rgb[3 * lower], &to[lower], sum);
			add_pixel(&rgb[3 * lower + 3], &to[lower + 1], sum);
			*cb++ = chroma(sum, -11059, -21709, 32768);
			*cr++ = chroma(sum, 32768, -27439, -5329);
		}
}

static int64_t convert_through_rgb(struct convert_formats *formats,
				   const struct convert_frame *frame)
{
	struct v4l2_format rgb = *frame->format;
	struct convert_frame first = *frame;
	int64_t r;

	rgb.fmt.pix.pixelformat = V4L2_PIX_FMT_RGB24;
	v4lconvert_fixup_fmt(&rgb);
	if (formats->rgb_len < rgb.fmt.pix.sizeimage) {
		free(formats->rgb);
		formats->rgb = malloc(rgb.fmt.pix.sizeimage);
		formats->rgb_len = formats->rgb ? rgb.fmt.pix.sizeimage : 0;
		if (!formats->rgb)
			return -ENOMEM;
	}
	first.format = &rgb;
	first.to = formats->rgb;
	first.to_len = formats->rgb_len;
	r = convert(formats, &first);
	if (r < 0)
		return r;
	split(formats->rgb, &frame->format->fmt.pix, frame->to);
	return frame->format->fmt.pix.sizeimage;
}

int64_t convert_frame(struct convert_formats *formats, const struct convert_frame *frame)
{
	int64_t r;

	if (frame->from_len > INT_MAX || frame->to_len > INT_MAX ||
	    frame->to_len < frame->format->fmt.pix.sizeimage)
		return -EINVAL;
	if (!formats->through_rgb) {
		r = convert(formats, frame);
		if (r >= 0 || !is_jpeg(frame->camera) || is_rgb(frame->format))
			return r;
	}
	/*
	 * The library decodes a JPEG to planes only if its sides are whole blocks of chroma, which
	 * 1920x1080 is not with 4:2:0. And what it makes of RGB is not of JPEG's range.
	 */
	r = convert_through_rgb(formats, frame);
	formats->through_rgb = r >= 0;
	return r;
}
