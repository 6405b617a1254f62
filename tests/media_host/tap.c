/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.c - stands between a media device and its backend, and notes what the host has handed out.
 * See tap.h.
 *
 * Calls come as backend.h says: on the device's thread, but for what the worker is given; a lock
 * guards what both may touch. Memory that was mapped stays so until the file is closed.
 */
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "frames.h"

#define TYPES	 16
#define BUFFERS	 32
#define RECORDS	 4096 /* that are not taken */
#define NO_BYTES ((uint8_t *)MAP_FAILED)

struct tap {
	struct media_backend backend;
	struct media_backend *real;
	const char *path;
	pthread_mutex_t lock;
	struct tap_record records[RECORDS];
	bool taken[RECORDS];
	unsigned int first, n; /* of records; wraps */
	unsigned int lost;
};

struct tap_memory {
	uint8_t *at;
	uint32_t len;
};

struct tap_file {
	struct media_file file;
	struct media_file *real;
	int fd; /* the real one's, borrowed */
	struct tap_memory memory[TYPES][BUFFERS][VIDEO_MAX_PLANES];
};

static struct tap *tap_of(struct media_backend *backend)
{
	return container_of(backend, struct tap, backend);
}

static struct tap_file *file_of(struct media_file *file)
{
	return container_of(file, struct tap_file, file);
}

/* Files. */

static void on_ready(struct media_file *real, uint32_t events)
{
	struct tap_file *file = real->owner;

	file->file.ready(&file->file, events);
}

/* The newest descriptor of the node: the highest is, as none was closed since. */
static int find_fd(const char *path)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		const int fd = atoi(entry->d_name);
		char link[256] = "";

		if (readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1) > 0 &&
		    strcmp(link, path) == 0)
			found = MAX(found, fd);
	}
	closedir(dir);
	return found;
}

static int tap_open(struct media_backend *backend, struct media_file **out)
{
	struct tap *tap = tap_of(backend);
	struct tap_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	r = tap->real->ops->open(tap->real, &file->real);
	if (r < 0) {
		free(file);
		return r;
	}
	file->file.backend = backend;
	file->real->owner = file;
	file->real->ready = on_ready;
	file->fd = find_fd(tap->path);
	*out = &file->file;
	return 0;
}

static void forget(struct tap_file *file, uint32_t type)
{
	for (unsigned int i = 0; i < BUFFERS; i++)
		for (unsigned int plane = 0; plane < VIDEO_MAX_PLANES; plane++) {
			struct tap_memory *memory = &file->memory[type][i][plane];

			if (memory->at && memory->at != NO_BYTES)
				munmap(memory->at, memory->len);
			memory->at = NULL;
		}
}

static void tap_close(struct media_file *media_file)
{
	struct tap_file *file = file_of(media_file);

	for (uint32_t type = 0; type < TYPES; type++)
		forget(file, type);
	file->real->backend->ops->close(file->real);
	free(file);
}

/* Records. */

/* The memory of a buffer, mapped here the first time. V4L2 maps output buffers for writing only. */
static void learn(struct tap_file *file, const struct v4l2_buffer *from)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
	struct v4l2_buffer buffer = {
		.type = from->type,
		.index = from->index,
		.memory = V4L2_MEMORY_MMAP,
	};
	const bool multi = V4L2_TYPE_IS_MULTIPLANAR(from->type);
	const int prot = PROT_READ | (V4L2_TYPE_IS_OUTPUT(from->type) ? PROT_WRITE : 0);

	if (from->index >= BUFFERS || from->type >= TYPES ||
	    file->memory[from->type][from->index][0].at)
		return;
	if (multi) {
		buffer.m.planes = planes;
		buffer.length = VIDEO_MAX_PLANES;
	}
	if (ioctl(file->fd, VIDIOC_QUERYBUF, &buffer) < 0)
		return;
	for (unsigned int i = 0; i < (multi ? buffer.length : 1); i++) {
		struct tap_memory *memory = &file->memory[from->type][from->index][i];
		const uint32_t offset = multi ? planes[i].m.mem_offset : buffer.m.offset;

		memory->len = multi ? planes[i].length : buffer.length;
		memory->at = mmap(NULL, memory->len, prot, MAP_SHARED, file->fd, (off_t)offset);
	}
}

static uint64_t sum_of(const struct tap_file *file, const struct v4l2_buffer *buffer)
{
	const bool multi = V4L2_TYPE_IS_MULTIPLANAR(buffer->type);
	struct frame_plane planes[VIDEO_MAX_PLANES];
	unsigned int n = 0;

	if (buffer->index >= BUFFERS || buffer->type >= TYPES)
		return 0;
	for (; n < (multi ? MIN(buffer->length, (uint32_t)VIDEO_MAX_PLANES) : 1); n++) {
		const struct tap_memory *memory = &file->memory[buffer->type][buffer->index][n];
		const uint32_t used = multi ? buffer->m.planes[n].bytesused : buffer->bytesused;

		if (!memory->at || memory->at == NO_BYTES)
			return 0;
		planes[n] = (struct frame_plane) {memory->at, MIN(used, memory->len)};
	}
	return frame_sum(planes, n);
}

static void note(struct tap *tap, const struct v4l2_buffer *buffer, uint64_t sum)
{
	pthread_mutex_lock(&tap->lock);
	if (tap->n == RECORDS) {
		tap->lost++;
	} else {
		const unsigned int at = (tap->first + tap->n++) % RECORDS;

		tap->taken[at] = false;
		tap->records[at] = (struct tap_record) {
			.type = buffer->type,
			.index = buffer->index,
			.sequence = buffer->sequence,
			.bytesused = buffer->bytesused,
			.flags = buffer->flags,
			.field = buffer->field,
			.timestamp = buffer->timestamp,
			.sum = sum,
		};
	}
	pthread_mutex_unlock(&tap->lock);
}

bool tap_take(struct tap *tap, uint32_t type, struct tap_record *record)
{
	bool found = false;

	pthread_mutex_lock(&tap->lock);
	assert_int_equal(tap->lost, 0);
	for (unsigned int i = 0; i < tap->n && !found; i++) {
		const unsigned int at = (tap->first + i) % RECORDS;

		if (tap->taken[at] || tap->records[at].type != type)
			continue;
		found = true;
		tap->taken[at] = true;
		*record = tap->records[at];
	}
	while (tap->n > 0 && tap->taken[tap->first]) {
		tap->first = (tap->first + 1) % RECORDS;
		tap->n--;
	}
	pthread_mutex_unlock(&tap->lock);
	return found;
}

/* Calls. An output buffer is looked at before the host has it, a capture buffer after. */

static int tap_ioctl(struct media_file *media_file, unsigned long cmd, void *arg)
{
	struct tap_file *file = file_of(media_file);
	struct tap *tap = tap_of(media_file->backend);
	struct media_file *real = file->real;
	const struct v4l2_buffer *buffer = arg;
	uint64_t sum = 0;
	int r;

	if (cmd == VIDIOC_REQBUFS && ((struct v4l2_requestbuffers *)arg)->type < TYPES)
		forget(file, ((struct v4l2_requestbuffers *)arg)->type);
	if (cmd == VIDIOC_QBUF) {
		learn(file, buffer);
		if (V4L2_TYPE_IS_OUTPUT(buffer->type))
			sum = sum_of(file, buffer);
	}
	r = real->backend->ops->ioctl(real, cmd, arg);
	if (r == 0 && cmd == VIDIOC_QBUF && V4L2_TYPE_IS_OUTPUT(buffer->type))
		note(tap, buffer, sum);
	if (r == 0 && cmd == VIDIOC_DQBUF && V4L2_TYPE_IS_CAPTURE(buffer->type))
		note(tap, buffer, sum_of(file, buffer));
	return r;
}

static int tap_map(struct media_file *file, const struct media_plane_id *plane, void *at,
		   size_t len, bool writable)
{
	struct media_file *real = file_of(file)->real;

	return real->backend->ops->map(real, plane, at, len, writable);
}

static int tap_watch(struct media_file *file, uint32_t events)
{
	struct media_file *real = file_of(file)->real;

	return real->backend->ops->watch(real, events);
}

static void tap_free_backend(struct media_backend *backend)
{
	struct tap *tap = tap_of(backend);

	tap->real->ops->free(tap->real);
	tap->real = NULL;
}

static const struct media_backend_ops ops = {
	.blocking = true,
	.open = tap_open,
	.close = tap_close,
	.ioctl = tap_ioctl,
	.map = tap_map,
	.watch = tap_watch,
	.free = tap_free_backend,
};

struct tap *tap_new(const char *path, struct media_backend *backend, struct media_backend **out)
{
	struct tap *tap = calloc(1, sizeof(*tap));

	assert_non_null(tap);
	assert_true(backend->ops->blocking);
	tap->real = backend;
	tap->path = path;
	tap->backend = *backend;
	tap->backend.ops = &ops;
	pthread_mutex_init(&tap->lock, NULL);
	*out = &tap->backend;
	return tap;
}

void tap_free(struct tap *tap)
{
	assert_null(tap->real);
	pthread_mutex_destroy(&tap->lock);
	free(tap);
}
