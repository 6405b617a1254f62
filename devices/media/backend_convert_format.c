/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_convert_format.c - formats of a camera whose frames are converted. See backend_convert.h.
 *
 * VIDIOC_ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS, G_FMT, TRY_FMT, S_FMT. What is set is the
 * device's and not the file's, as with any V4L2 device; the camera may have other users on the
 * host, so what it is set to now is asked for each time.
 */
#include <errno.h>
#include <string.h>

#include "devices/media/backend_convert_impl.h"

static bool is_same(const struct v4l2_format *a, const struct v4l2_format *b)
{
	return a->fmt.pix.pixelformat == b->fmt.pix.pixelformat &&
	       a->fmt.pix.width == b->fmt.pix.width && a->fmt.pix.height == b->fmt.pix.height;
}

static int enum_fmt(struct convert_file *file, void *arg)
{
	struct v4l2_fmtdesc *desc = arg;

	return desc->type == CONVERT_TYPE ? convert_enum_fmt(file->formats, desc) : CONVERT_PASS;
}

static int enum_framesizes(struct convert_file *file, void *arg)
{
	struct v4l2_frmsizeenum *size = arg;

	if (!convert_formats_has(file->formats, size->pixel_format))
		return CONVERT_PASS;
	return convert_enum_framesizes(file->formats, size);
}

static int enum_frameintervals(struct convert_file *file, void *arg)
{
	struct v4l2_frmivalenum *interval = arg;

	if (!convert_formats_has(file->formats, interval->pixel_format))
		return CONVERT_PASS;
	return convert_enum_frameintervals(file->formats, interval);
}

static int g_fmt(struct convert_file *file, void *arg)
{
	struct convert_backend *backend = convert_backend_of(file);
	struct v4l2_format *format = arg;
	int r;

	if (format->type != CONVERT_TYPE)
		return CONVERT_PASS;
	r = convert_camera_ioctl(file, VIDIOC_G_FMT, format);
	pthread_mutex_lock(&backend->lock);
	if (r == 0 && backend->set && is_same(format, &backend->camera_format))
		*format = backend->format;
	pthread_mutex_unlock(&backend->lock);
	return r;
}

static int try_fmt(struct convert_file *file, void *arg)
{
	struct v4l2_format *format = arg, camera;

	if (format->type != CONVERT_TYPE ||
	    !convert_formats_has(file->formats, format->fmt.pix.pixelformat))
		return CONVERT_PASS;
	return convert_try_fmt(file->formats, format, &camera);
}

static int set_native(struct convert_file *file, struct v4l2_format *format)
{
	struct convert_backend *backend = convert_backend_of(file);
	const int r = convert_camera_ioctl(file, VIDIOC_S_FMT, format);

	if (r < 0)
		return r;
	pthread_mutex_lock(&backend->lock);
	backend->set = false;
	pthread_mutex_unlock(&backend->lock);
	return 0;
}

/* The camera is set to @camera. */
static int set_converted(struct convert_file *file, const struct v4l2_format *format,
			 const struct v4l2_format *camera)
{
	struct convert_backend *backend = convert_backend_of(file);
	struct v4l2_format buffers = *format;
	int r;

	pthread_mutex_lock(&backend->lock);
	r = convert_buffers_ioctl(file, VIDIOC_S_FMT, &buffers);
	if (r == 0 && buffers.fmt.pix.sizeimage != format->fmt.pix.sizeimage)
		r = -EINVAL;
	if (r == 0) {
		backend->set = true;
		backend->format = *format;
		backend->camera_format = *camera;
	}
	pthread_mutex_unlock(&backend->lock);
	return r;
}

static int s_fmt(struct convert_file *file, void *arg)
{
	struct convert_backend *backend = convert_backend_of(file);
	struct v4l2_format *format = arg, camera, promised;
	bool busy;
	int r;

	if (format->type != CONVERT_TYPE)
		return CONVERT_PASS;
	pthread_mutex_lock(&backend->lock);
	busy = convert_queue(file)->owner;
	pthread_mutex_unlock(&backend->lock);
	if (busy)
		return -EBUSY;
	if (!convert_formats_has(file->formats, format->fmt.pix.pixelformat))
		return set_native(file, format);
	r = convert_try_fmt(file->formats, format, &camera);
	if (r < 0)
		return r;
	if (format->fmt.pix.pixelformat == camera.fmt.pix.pixelformat)
		return set_native(file, format);
	promised = camera;
	r = convert_camera_ioctl(file, VIDIOC_S_FMT, &camera);
	if (r < 0)
		return r;
	/* TRY_FMT had another answer: not a format that the library knows to convert, perhaps. */
	if (!is_same(&camera, &promised)) {
		*format = camera;
		return set_native(file, format);
	}
	convert_describe(format, &camera);
	return set_converted(file, format, &camera);
}

int convert_format_restore(struct convert_file *file)
{
	struct convert_backend *backend = convert_backend_of(file);
	struct v4l2_format now = {.type = CONVERT_TYPE}, wanted;
	int r;

	pthread_mutex_lock(&backend->lock);
	wanted = backend->camera_format;
	pthread_mutex_unlock(&backend->lock);
	r = convert_camera_ioctl(file, VIDIOC_G_FMT, &now);
	if (r < 0 || is_same(&now, &wanted))
		return r;
	now = wanted;
	r = convert_camera_ioctl(file, VIDIOC_S_FMT, &now);
	if (r < 0)
		return r;
	return is_same(&now, &wanted) ? 0 : -EBUSY;
}

int convert_format_ioctl(struct convert_file *file, unsigned long cmd, void *arg)
{
	switch (cmd) {
	case VIDIOC_ENUM_FMT:
		return enum_fmt(file, arg);
	case VIDIOC_ENUM_FRAMESIZES:
		return enum_framesizes(file, arg);
	case VIDIOC_ENUM_FRAMEINTERVALS:
		return enum_frameintervals(file, arg);
	case VIDIOC_G_FMT:
		return g_fmt(file, arg);
	case VIDIOC_TRY_FMT:
		return try_fmt(file, arg);
	case VIDIOC_S_FMT:
		return s_fmt(file, arg);
	default:
		return CONVERT_PASS;
	}
}
