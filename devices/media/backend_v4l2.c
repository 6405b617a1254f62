/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_v4l2.c - a V4L2 node of the host as a backend. See backend_v4l2.h and backend.h.
 *
 * Calls into the node may hang, and their threads be left behind: whoever comes back late must find
 * the backend, so each call and each file holds a reference. What files do is V4L2's business; all
 * that is added here is a word about who has the camera, and an early release of its buffers.
 */
#include "devices/media/backend_v4l2.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

#include "device_holder.h"
#include "devices/media/backend_v4l2_impl.h"
#include "log.h"

/* Looking for who has a camera takes a while, and a guest may ask without end. */
#define BUSY_PERIOD_S 10

struct v4l2_backend {
	struct media_backend backend;
	struct loop *loop;
	struct v4l2_node node;
	struct v4l2_mapper mapper;
	atomic_uint refs;
	atomic_ullong busy_next; /* s on CLOCK_MONOTONIC: when to look again */
	struct log_limit busy_limit;
};

struct v4l2_file {
	struct media_file file;
	struct loop_watch watch;
	int fd;
	int nested;	 /* an epoll descriptor that watches .fd, for the loop to watch; or -1 */
	uint32_t events; /* of .fd that it watches */
	uint32_t queues; /* types of buffers that have been asked for, as bits */
};

static struct v4l2_backend *v4l2_backend(struct media_backend *backend)
{
	return container_of(backend, struct v4l2_backend, backend);
}

static struct v4l2_file *v4l2_file(struct media_file *file)
{
	return container_of(file, struct v4l2_file, file);
}

static void get(struct v4l2_backend *backend)
{
	atomic_fetch_add(&backend->refs, 1);
}

static void put(struct v4l2_backend *backend)
{
	if (atomic_fetch_sub(&backend->refs, 1) > 1)
		return;
	v4l2_mapper_deinit(&backend->mapper);
	v4l2_node_deinit(&backend->node);
	free(backend);
}

/* Say who has the device, if it is another program. */
static void report_busy(struct v4l2_backend *backend)
{
	unsigned long long next = atomic_load(&backend->busy_next);
	struct timespec now;
	char holders[200];

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((unsigned long long)now.tv_sec < next ||
	    !atomic_compare_exchange_strong(&backend->busy_next, &next,
					    (unsigned long long)now.tv_sec + BUSY_PERIOD_S))
		return;
	device_holders_text(backend->node.device, holders, sizeof(holders));
	if (holders[0])
		log_limited(&backend->busy_limit, LOG_LEVEL_WARNING,
			    "the guest cannot use %s now: it is in use by %s", backend->node.what,
			    holders);
}

/*
 * io_uring's poll can wait for two things of a file at a time. A memory-to-memory device has three:
 * either queue, and events. An epoll descriptor stands for them as one.
 */
static bool needs_nested(const struct v4l2_backend *backend)
{
	return backend->backend.device_caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE);
}

/* Return: 0 or -errno. */
static int make_nested(struct v4l2_file *file)
{
	struct epoll_event none = {.events = 0};
	int r;

	file->nested = epoll_create1(EPOLL_CLOEXEC);
	if (file->nested < 0)
		return -errno;
	if (epoll_ctl(file->nested, EPOLL_CTL_ADD, file->fd, &none) == 0)
		return 0;
	r = -errno;
	closep(&file->nested);
	return r;
}

static int open_file(struct media_backend *media_backend, struct media_file **out)
{
	struct v4l2_backend *backend = v4l2_backend(media_backend);
	struct v4l2_file *file = calloc(1, sizeof(*file));
	int r = 0;

	if (!file)
		return -ENOMEM;
	get(backend);
	file->file.backend = media_backend;
	file->nested = -1;
	file->fd = v4l2_node_open(&backend->node);
	if (file->fd < 0)
		r = file->fd;
	else if (needs_nested(backend))
		r = make_nested(file);
	if (r < 0) {
		if (r == -EBUSY)
			report_busy(backend);
		if (file->fd >= 0)
			v4l2_node_close(&backend->node, file->fd);
		free(file);
		put(backend);
		return r;
	}
	*out = &file->file;
	return 0;
}

/*
 * Stop the queues here, where it may take its time. The file may have a reference left that is
 * dropped elsewhere (a mapping of it; a poll, which the loop ends with its next turn), and the
 * last one would do it then. What is mapped lives on.
 */
static void release_queues(const struct v4l2_file *file)
{
	int r = 0;

	for (unsigned int type = 0; type < 32 && r != -EINTR && r != -ENODEV; type++) {
		struct v4l2_requestbuffers none = {.type = type, .memory = V4L2_MEMORY_MMAP};
		const int type_arg = (int)type;

		if (!(file->queues & 1u << type))
			continue;
		r = ioctl(file->fd, VIDIOC_STREAMOFF, &type_arg) < 0 ? -errno : 0;
		if (r == 0)
			r = ioctl(file->fd, VIDIOC_REQBUFS, &none) < 0 ? -errno : 0;
	}
}

static void close_file(struct media_file *media_file)
{
	struct v4l2_backend *backend = v4l2_backend(media_file->backend);
	struct v4l2_file *file = v4l2_file(media_file);

	assert(!loop_watch_active(&file->watch));
	release_queues(file);
	closep(&file->nested);
	v4l2_node_close(&backend->node, file->fd);
	free(file);
	put(backend);
}

/* Before the call, since nobody looks at @file after it. */
static void note_queue(struct v4l2_file *file, unsigned long cmd, const void *arg)
{
	uint32_t type = UINT32_MAX;

	if (cmd == VIDIOC_REQBUFS)
		type = ((const struct v4l2_requestbuffers *)arg)->type;
	else if (cmd == VIDIOC_CREATE_BUFS)
		type = ((const struct v4l2_create_buffers *)arg)->format.type;
	if (type < 32)
		file->queues |= 1u << type;
}

/* Another program's doing, if any is: our own sessions get EBUSY for more than these. */
static bool tells_of_others(unsigned long cmd)
{
	return cmd == VIDIOC_REQBUFS || cmd == VIDIOC_CREATE_BUFS || cmd == VIDIOC_STREAMON ||
	       cmd == VIDIOC_S_FMT;
}

/*
 * Drivers refuse to seek a station for a descriptor that must not wait. There is no other command
 * meanwhile, and what is dequeued is there.
 */
static int seek(int fd, void *arg)
{
	const int flags = fcntl(fd, F_GETFL);
	int r;

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	r = ioctl(fd, VIDIOC_S_HW_FREQ_SEEK, arg) < 0 ? -errno : 0;
	(void)fcntl(fd, F_SETFL, flags);
	return r;
}

static int do_ioctl(struct media_file *media_file, unsigned long cmd, void *arg)
{
	struct v4l2_backend *backend = v4l2_backend(media_file->backend);
	struct v4l2_file *file = v4l2_file(media_file);
	int r;

	note_queue(file, cmd, arg);
	get(backend);
	if (cmd == VIDIOC_S_HW_FREQ_SEEK)
		r = seek(file->fd, arg);
	else
		r = ioctl(file->fd, cmd, arg) < 0 ? -errno : 0;
	if (r == -EBUSY && tells_of_others(cmd))
		report_busy(backend);
	put(backend);
	return r;
}

static int map(struct media_file *media_file, const struct media_plane_id *plane, void *at,
	       size_t len, bool writable)
{
	struct v4l2_backend *backend = v4l2_backend(media_file->backend);

	return v4l2_map(&backend->mapper, v4l2_file(media_file)->fd, plane, at, len, writable);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
	struct v4l2_file *file = container_of(watch, struct v4l2_file, watch);

	file->file.ready(&file->file, events);
}

static void on_nested(struct loop_watch *watch, uint32_t events)
{
	struct v4l2_file *file = container_of(watch, struct v4l2_file, watch);
	struct loop *loop = v4l2_backend(file->file.backend)->loop;
	struct epoll_event event;

	if (epoll_wait(file->nested, &event, 1, 0) == 1)
		file->file.ready(&file->file, event.events);
	else /* it was ready, and is not any more */
		(void)loop_watch_once(loop, watch, file->nested, POLLIN, on_nested);
}

/* Return: 0 or -errno. */
static int watch_nested(struct loop *loop, struct v4l2_file *file, uint32_t events)
{
	struct epoll_event event = {.events = events};

	if (file->events != events && epoll_ctl(file->nested, EPOLL_CTL_MOD, file->fd, &event) < 0)
		return -errno;
	file->events = events;
	if (loop_watch_active(&file->watch))
		return 0;
	return loop_watch_once(loop, &file->watch, file->nested, POLLIN, on_nested);
}

static int watch_file(struct media_file *media_file, uint32_t events)
{
	struct loop *loop = v4l2_backend(media_file->backend)->loop;
	struct v4l2_file *file = v4l2_file(media_file);

	if (events && file->nested >= 0)
		return watch_nested(loop, file, events);
	/* Mostly it is what has been asked for already. */
	if (loop_watch_active(&file->watch) && file->watch.events == events)
		return 0;
	loop_watch_remove(loop, &file->watch);
	return events ? loop_watch_once(loop, &file->watch, file->fd, events, on_ready) : 0;
}

static void free_backend(struct media_backend *media_backend)
{
	put(v4l2_backend(media_backend));
}

static const struct media_backend_ops ops = {
	.blocking = true,
	.open = open_file,
	.close = close_file,
	.ioctl = do_ioctl,
	.map = map,
	.watch = watch_file,
	.free = free_backend,
};

static void describe(struct v4l2_backend *backend)
{
	const struct v4l2_node *node = &backend->node;
	struct media_backend *base = &backend->backend;

	base->ops = &ops;
	snprintf(base->name, sizeof(base->name), "%.63s", node->fd < 0 ? node->path : node->what);
	base->device_caps = v4l2_device_caps(&node->capability);
	base->device_type = node->type;
	/* The kernel ends it with a NUL; what is behind that is nobody's business. */
	snprintf(base->card, sizeof(base->card), "%s", (const char *)node->capability.card);
}

int backend_v4l2_new(struct media_backend **out, struct loop *loop,
		     const struct v4l2_source *source, struct error *err)
{
	struct v4l2_backend *backend = calloc(1, sizeof(*backend));
	int r;

	if (!backend)
		return error_set(err, ENOMEM, "out of memory");
	backend->loop = loop;
	atomic_init(&backend->refs, 1);
	r = v4l2_mapper_init(&backend->mapper);
	if (r < 0) {
		error_set(err, -r, "cannot make a memory file: %s", strerror(-r));
		free(backend);
		return r;
	}
	r = v4l2_node_init(&backend->node, source, err);
	if (r < 0) {
		put(backend);
		return r;
	}
	describe(backend);
	*out = &backend->backend;
	return 0;
}
