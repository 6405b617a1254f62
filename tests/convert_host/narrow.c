/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * narrow.c - a camera that has forgotten all of its formats but one. See narrow.h.
 */
#include "narrow.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct narrow {
	struct media_backend backend;
	struct media_backend_ops ops;
	struct media_backend *below;
	uint32_t pixelformat;
};

struct narrow_file {
	struct media_file file;
	struct media_file *below;
};

static struct narrow *narrow_of(struct media_backend *backend)
{
	return container_of(backend, struct narrow, backend);
}

static struct narrow_file *file_of(struct media_file *file)
{
	return container_of(file, struct narrow_file, file);
}

static void ready(struct media_file *below, uint32_t events)
{
	struct narrow_file *file = below->owner;

	file->file.ready(&file->file, events);
}

static int narrow_open(struct media_backend *backend, struct media_file **out)
{
	struct media_backend *below = narrow_of(backend)->below;
	struct narrow_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	r = below->ops->open(below, &file->below);
	if (r < 0) {
		free(file);
		return r;
	}
	file->file.backend = backend;
	file->below->ready = ready;
	file->below->owner = file;
	*out = &file->file;
	return 0;
}

static void narrow_close(struct media_file *media_file)
{
	struct narrow_file *file = file_of(media_file);

	file->below->backend->ops->close(file->below);
	free(file);
}

static int enum_fmt(struct narrow_file *file, struct v4l2_fmtdesc *desc)
{
	const uint32_t wanted = narrow_of(file->file.backend)->pixelformat;
	int r;

	if (desc->index > 0)
		return -EINVAL;
	do
		r = file->below->backend->ops->ioctl(file->below, VIDIOC_ENUM_FMT, desc);
	while (r == 0 && desc->pixelformat != wanted && ++desc->index);
	desc->index = 0;
	return r;
}

static int narrow_ioctl(struct media_file *media_file, unsigned long cmd, void *arg)
{
	struct narrow_file *file = file_of(media_file);

	if (cmd == VIDIOC_ENUM_FMT)
		return enum_fmt(file, arg);
	if (cmd == VIDIOC_TRY_FMT || cmd == VIDIOC_S_FMT)
		((struct v4l2_format *)arg)->fmt.pix.pixelformat =
			narrow_of(media_file->backend)->pixelformat;
	return file->below->backend->ops->ioctl(file->below, cmd, arg);
}

static int narrow_map(struct media_file *media_file, const struct media_plane_id *plane, void *at,
		      size_t len, bool writable)
{
	struct media_file *below = file_of(media_file)->below;

	return below->backend->ops->map(below, plane, at, len, writable);
}

static int narrow_watch(struct media_file *media_file, uint32_t events)
{
	struct media_file *below = file_of(media_file)->below;

	return below->backend->ops->watch(below, events);
}

static void narrow_free(struct media_backend *backend)
{
	struct narrow *narrow = narrow_of(backend);

	narrow->below->ops->free(narrow->below);
	free(narrow);
}

struct media_backend *narrow_new(struct media_backend *below, uint32_t pixelformat)
{
	struct narrow *narrow = calloc(1, sizeof(*narrow));

	assert_non_null(narrow);
	narrow->below = below;
	narrow->pixelformat = pixelformat;
	narrow->backend = *below;
	narrow->ops = (struct media_backend_ops) {
		.blocking = below->ops->blocking,
		.open = narrow_open,
		.close = narrow_close,
		.ioctl = narrow_ioctl,
		.map = narrow_map,
		.watch = narrow_watch,
		.free = narrow_free,
	};
	narrow->backend.ops = &narrow->ops;
	return &narrow->backend;
}
