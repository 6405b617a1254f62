/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_convert.c - a camera whose frames are converted: files, which ioctl goes where, and who
 * waits for what. See backend_convert.h.
 *
 * The camera is watched only while its file here is, so that there is nothing to end when that is
 * closed, on whatever thread. Calls of the camera's may hang and come back late: each holds a
 * reference, and the last one closes the camera's file, or frees the camera.
 */
#include "devices/media/backend_convert.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "devices/media/backend_convert_impl.h"
#include "virtio_media.h"

static struct convert_backend *backend_of(struct media_backend *backend)
{
	return container_of(backend, struct convert_backend, backend);
}

static struct convert_file *file_of(struct media_file *file)
{
	return container_of(file, struct convert_file, file);
}

/* References. */

static void put_backend(struct convert_backend *backend)
{
	if (atomic_fetch_sub(&backend->refs, 1) > 1)
		return;
	emu_deinit(&backend->buffers);
	pthread_mutex_destroy(&backend->lock);
	backend->camera->ops->free(backend->camera);
	free(backend);
}

static void put_file(struct convert_file *file)
{
	struct convert_backend *backend = convert_backend_of(file);

	if (atomic_fetch_sub(&file->refs, 1) > 1)
		return;
	convert_formats_free(file->formats);
	file->camera->backend->ops->close(file->camera);
	free(file);
	put_backend(backend);
}

/* Waiting. On the device's thread. */

/* What of file->wanted the guest's buffers have. With the lock. */
static uint32_t poll_buffers(struct convert_file *file)
{
	uint32_t events = 0;

	if (!file->owns || !(file->wanted & POLLIN))
		return 0;
	if (file->error)
		events |= POLLIN | file->error_events;
	events |= emu_queue_poll(convert_queue(file),
				 container_of(file->buffers, struct emu_file, file));
	return events & (POLLIN | POLLERR | POLLHUP);
}

static int watch_camera(struct convert_file *file, uint32_t events)
{
	int r;

	if (events == file->watched)
		return 0;
	r = file->camera->backend->ops->watch(file->camera, events);
	file->watched = r < 0 ? 0 : events;
	return r;
}

/* Watch the camera for what only it can tell. */
static int arm(struct convert_file *file)
{
	struct convert_backend *backend = convert_backend_of(file);
	uint32_t events = file->wanted;

	pthread_mutex_lock(&backend->lock);
	convert_collect(file);
	if (file->owns && events & POLLIN) {
		if (poll_buffers(file)) {
			events &= ~(uint32_t)POLLIN;
			convert_kick(backend);
		} else if (file->thread && convert_thread_busy(file->thread)) {
			events &= ~(uint32_t)POLLIN;
		}
	}
	pthread_mutex_unlock(&backend->lock);
	return watch_camera(file, events);
}

static void tell(struct convert_file *file, uint32_t events)
{
	file->wanted = 0;
	file->due = 0;
	(void)watch_camera(file, 0);
	file->file.ready(&file->file, events);
}

/* A file that is closed is not waited for, so what is due stays open until it is told. */
static struct convert_file *find_due(struct convert_backend *backend)
{
	struct convert_file *file;

	pthread_mutex_lock(&backend->lock);
	for (file = backend->files; file && !file->due;)
		file = file->next;
	pthread_mutex_unlock(&backend->lock);
	return file;
}

static void serve(struct loop_post *post)
{
	struct convert_backend *backend = container_of(post, struct convert_backend, post);
	struct convert_file *file;

	atomic_store(&backend->posted, false);
	pthread_mutex_lock(&backend->lock);
	for (file = backend->files; file; file = file->next) {
		convert_collect(file);
		file->due = poll_buffers(file);
	}
	pthread_mutex_unlock(&backend->lock);
	while ((file = find_due(backend)))
		tell(file, file->due);
}

void convert_kick(struct convert_backend *backend)
{
	if (!atomic_exchange(&backend->posted, true))
		loop_post(backend->loop, &backend->post, serve);
}

/* Return: what of @events, of the camera's, is for the guest. */
static uint32_t camera_events(struct convert_file *file, uint32_t events)
{
	struct convert_backend *backend = convert_backend_of(file);
	const uint32_t errors = events & (POLLERR | POLLHUP);
	uint32_t told = events;
	int r;

	pthread_mutex_lock(&backend->lock);
	if (file->owns && file->wanted & POLLIN) {
		told &= POLLPRI;
		r = convert_take(file);
		if (file->error)
			file->error_events = errors;
		else if (r == -EAGAIN)
			told |= errors;
		else if (r == -EINTR)
			told |= POLLIN; /* who calls DQBUF counts these */
		told |= poll_buffers(file);
	}
	pthread_mutex_unlock(&backend->lock);
	return told;
}

static void camera_ready(struct media_file *camera, uint32_t events)
{
	struct convert_file *file = camera->owner;
	uint32_t told;

	file->watched = 0;
	told = camera_events(file, events);
	if (told)
		tell(file, told);
	else
		(void)arm(file);
}

static int watch(struct media_file *media_file, uint32_t events)
{
	struct convert_file *file = file_of(media_file);

	file->wanted = events & (POLLIN | POLLOUT | POLLPRI);
	file->due = 0;
	return arm(file);
}

/* Files. */

static int open_buffers(struct convert_backend *backend, struct convert_file *file)
{
	int r;

	pthread_mutex_lock(&backend->lock);
	r = backend->buffers.backend.ops->open(&backend->buffers.backend, &file->buffers);
	if (r == 0) {
		file->next = backend->files;
		backend->files = file;
	}
	pthread_mutex_unlock(&backend->lock);
	return r;
}

static int open_file(struct media_backend *media_backend, struct media_file **out)
{
	struct convert_backend *backend = backend_of(media_backend);
	struct convert_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	r = backend->camera->ops->open(backend->camera, &file->camera);
	if (r < 0) {
		free(file);
		return r;
	}
	atomic_init(&file->refs, 1);
	atomic_fetch_add(&backend->refs, 1);
	file->file.backend = media_backend;
	file->camera->ready = camera_ready;
	file->camera->owner = file;
	r = convert_formats_new(&file->formats, file->camera);
	if (r == 0)
		r = open_buffers(backend, file);
	if (r < 0) {
		put_file(file);
		return r;
	}
	*out = &file->file;
	return 0;
}

static void close_file(struct media_file *media_file)
{
	struct convert_file *file = file_of(media_file);
	struct convert_backend *backend = convert_backend_of(file);
	struct convert_file **link = &backend->files;

	pthread_mutex_lock(&backend->lock);
	file->closed = true;
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	pthread_mutex_unlock(&backend->lock);
	convert_buffers_close(file);
	put_file(file);
}

static int do_ioctl(struct media_file *media_file, unsigned long cmd, void *arg)
{
	struct convert_file *file = file_of(media_file);
	int r;

	atomic_fetch_add(&file->refs, 1);
	r = convert_format_ioctl(file, cmd, arg);
	if (r == CONVERT_PASS)
		r = convert_buffers_do(file, cmd, arg);
	if (r == CONVERT_PASS)
		r = convert_camera_ioctl(file, cmd, arg);
	put_file(file);
	return r;
}

static int map(struct media_file *media_file, const struct media_plane_id *plane, void *at,
	       size_t len, bool writable)
{
	struct convert_file *file = file_of(media_file);
	struct convert_backend *backend = convert_backend_of(file);
	int r = CONVERT_PASS;

	pthread_mutex_lock(&backend->lock);
	if (backend->set && plane->type == CONVERT_TYPE)
		r = file->buffers->backend->ops->map(file->buffers, plane, at, len, writable);
	pthread_mutex_unlock(&backend->lock);
	if (r == CONVERT_PASS)
		r = file->camera->backend->ops->map(file->camera, plane, at, len, writable);
	return r;
}

static void free_backend(struct media_backend *media_backend)
{
	put_backend(backend_of(media_backend));
}

static const struct media_backend_ops ops = {
	.open = open_file,
	.close = close_file,
	.ioctl = do_ioctl,
	.map = map,
	.watch = watch,
	.free = free_backend,
};

/* The guest's buffers. */

static int start(struct emu_queue *queue)
{
	return 0;
}

static void stop(struct emu_queue *queue)
{
}

/* Part of the backend. */
static void free_nothing(struct emu *emu)
{
}

static const struct emu_class buffers_class = {.start = start, .stop = stop, .free = free_nothing};

/* Any size: what there is depends on the camera. */
static const struct emu_size any_size = {
	.range = {.min_width = 1,
		  .max_width = 1 << 15,
		  .step_width = 1,
		  .min_height = 1,
		  .max_height = 1 << 15,
		  .step_height = 1},
};

#define FORMAT(format, line, pair)                                                                 \
	{                                                                                          \
		.pixelformat = (format), .line_bytes = (line), .pair_bytes = (pair),               \
		.sizes = &any_size, .sizes_n = 1,                                                  \
	}

static const struct emu_format buffers_formats[] = {
	FORMAT(V4L2_PIX_FMT_RGB24, 3, 6),
	FORMAT(V4L2_PIX_FMT_BGR24, 3, 6),
	FORMAT(V4L2_PIX_FMT_YUV420, 1, 3),
	FORMAT(V4L2_PIX_FMT_YVU420, 1, 3),
};

static int make_buffers(struct convert_backend *backend)
{
	backend->stream = (struct emu_stream) {
		.type = CONVERT_TYPE,
		.formats = buffers_formats,
		.formats_n = ARRAY_SIZE(buffers_formats),
		.width = 640,
		.height = 480,
	};
	backend->setup = (struct emu_setup) {
		.class = &buffers_class,
		.streams = &backend->stream,
		.streams_n = 1,
	};
	return emu_init(&backend->buffers, backend->loop, &backend->setup);
}

/* The backend. */

bool backend_convert_possible(void)
{
	return true;
}

static int check_camera(const struct media_backend *camera, struct error *err)
{
	const uint32_t needed = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
	const uint32_t other = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE |
			       V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_VIDEO_M2M |
			       V4L2_CAP_VIDEO_M2M_MPLANE;

	if (camera->device_type == VIRTIO_MEDIA_TYPE_VIDEO &&
	    (camera->device_caps & needed) == needed && !(camera->device_caps & other))
		return 0;
	return error_set(err, EOPNOTSUPP,
			 "convert=on is for cameras, which '%s' is not: it has to capture video, "
			 "single-planar and streaming, and nothing else",
			 camera->name);
}

/* Not an error: another camera may be there when the guest opens it. */
static void warn_if_useless(struct media_backend *camera)
{
	struct convert_formats *formats;
	struct media_file *file;

	if (camera->ops->open(camera, &file) < 0)
		return;
	if (convert_formats_new(&formats, file) == 0) {
		if (convert_formats_n(formats) == 0)
			log_warning(
				"convert=on changes nothing for '%s': there is no format that can "
				"be converted, or nothing to convert to that it does not have",
				camera->name);
		convert_formats_free(formats);
	}
	camera->ops->close(file);
}

int backend_convert_new(struct media_backend **out, struct loop *loop, struct media_backend *camera,
			struct error *err)
{
	struct convert_backend *backend;
	int r = check_camera(camera, err);

	backend = r == 0 ? calloc(1, sizeof(*backend)) : NULL;
	if (!backend) {
		camera->ops->free(camera);
		return r < 0 ? r : error_set(err, ENOMEM, "out of memory");
	}
	backend->backend = *camera;
	backend->ops = ops;
	backend->ops.blocking = camera->ops->blocking;
	backend->backend.ops = &backend->ops;
	backend->camera = camera;
	backend->loop = loop;
	atomic_init(&backend->refs, 1);
	pthread_mutex_init(&backend->lock, NULL);
	r = make_buffers(backend);
	if (r < 0) {
		put_backend(backend);
		return error_set(err, -r, "out of memory");
	}
	warn_if_useless(camera);
	*out = &backend->backend;
	return 0;
}
