/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_convert_camera.c - the camera's buffers behind those of the guest, and what happens to a
 * frame in one. See backend_convert.h.
 *
 * They are pairs only by number: for each buffer that the guest has queued the camera has one,
 * whichever. A frame goes into the guest's buffer that has waited for longest.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/media/backend_convert_impl.h"

static size_t whole_pages(size_t len)
{
	return ALIGN_UP(len, (size_t)sysconf(_SC_PAGESIZE));
}

/* The camera's buffers. */

static void set_slots(struct convert_file *file, unsigned int n)
{
	struct convert_backend *backend = convert_backend_of(file);

	pthread_mutex_lock(&backend->lock);
	file->slots_n = MIN(n, (unsigned int)VIDEO_MAX_FRAME);
	pthread_mutex_unlock(&backend->lock);
}

/* Whose clock the time stamps are of, and of which moment: as the camera says. */
static int note_timestamp(struct convert_file *file)
{
	struct convert_backend *backend = convert_backend_of(file);
	struct v4l2_buffer buffer = {.type = CONVERT_TYPE};
	const int r = convert_camera_ioctl(file, VIDIOC_QUERYBUF, &buffer);

	if (r < 0)
		return r;
	pthread_mutex_lock(&backend->lock);
	backend->stream.timestamp =
		buffer.flags & (V4L2_BUF_FLAG_TIMESTAMP_MASK | V4L2_BUF_FLAG_TSTAMP_SRC_MASK);
	pthread_mutex_unlock(&backend->lock);
	return 0;
}

int convert_slots_request(struct convert_file *file, uint32_t *n)
{
	struct v4l2_requestbuffers request = {
		.count = MIN(*n, (uint32_t)VIDEO_MAX_FRAME),
		.type = CONVERT_TYPE,
		.memory = V4L2_MEMORY_MMAP,
	};
	int r = convert_camera_ioctl(file, VIDIOC_REQBUFS, &request);

	if (r < 0)
		return r;
	set_slots(file, request.count);
	r = note_timestamp(file);
	if (r < 0) {
		(void)convert_slots_release(file);
		return r;
	}
	*n = MIN(request.count, (uint32_t)VIDEO_MAX_FRAME);
	return 0;
}

int convert_slots_add(struct convert_file *file, uint32_t *n)
{
	struct convert_backend *backend = convert_backend_of(file);
	struct v4l2_create_buffers create = {.memory = V4L2_MEMORY_MMAP};
	int r;

	pthread_mutex_lock(&backend->lock);
	create.count = MIN(*n, VIDEO_MAX_FRAME - file->slots_n);
	create.format = backend->camera_format;
	pthread_mutex_unlock(&backend->lock);
	if (create.count == 0)
		return -ENOBUFS;
	r = convert_camera_ioctl(file, VIDIOC_CREATE_BUFS, &create);
	if (r < 0)
		return r;
	set_slots(file, create.index + create.count);
	*n = create.count;
	return create.index == 0 ? note_timestamp(file) : 0;
}

void convert_slots_unmap(struct convert_file *file)
{
	for (unsigned int i = 0; i < file->slots_n; i++)
		if (file->slots[i].at)
			munmap(file->slots[i].at, file->slots[i].len);
	memset(file->slots, 0, sizeof(file->slots));
	file->slots_n = 0;
}

int convert_slots_release(struct convert_file *file)
{
	struct v4l2_requestbuffers none = {.type = CONVERT_TYPE, .memory = V4L2_MEMORY_MMAP};

	convert_slots_unmap(file);
	return convert_camera_ioctl(file, VIDIOC_REQBUFS, &none);
}

int convert_slots_queue(struct convert_file *file)
{
	struct v4l2_buffer buffer = {.type = CONVERT_TYPE, .memory = V4L2_MEMORY_MMAP};
	int r;

	while (buffer.index < file->slots_n && file->slots[buffer.index].queued)
		buffer.index++;
	assert(buffer.index < file->slots_n);
	r = convert_camera_ioctl(file, VIDIOC_QBUF, &buffer);
	file->slots[buffer.index].queued = r == 0;
	return r;
}

void convert_slots_idle(struct convert_file *file)
{
	for (unsigned int i = 0; i < file->slots_n; i++)
		file->slots[i].queued = false;
}

/* Mapped when it is needed for the first time, which is on the device's thread. */
static int map_slot(struct convert_file *file, uint32_t index)
{
	const struct v4l2_pix_format *pix = &convert_backend_of(file)->camera_format.fmt.pix;
	struct v4l2_buffer buffer = {.type = CONVERT_TYPE, .index = index};
	struct media_plane_id plane = {.type = CONVERT_TYPE, .index = index};
	struct convert_slot *slot = &file->slots[index];
	size_t len;
	void *at;
	int r;

	if (slot->at)
		return 0;
	r = convert_camera_ioctl(file, VIDIOC_QUERYBUF, &buffer);
	if (r < 0)
		return r;
	plane.mem_offset = buffer.m.offset;
	plane.length = buffer.length;
	len = whole_pages(buffer.length) + whole_pages(CONVERT_OVERREAD(pix));
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		  -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	r = file->camera->backend->ops->map(file->camera, &plane, at, whole_pages(buffer.length),
					    true);
	if (r < 0) {
		munmap(at, len);
		return r;
	}
	slot->at = at;
	slot->len = len;
	return 0;
}

/* A frame. */

/* @result: bytes, or -errno. */
static void finish(struct convert_file *file, int64_t result)
{
	struct emu_queue *queue = convert_queue(file);
	struct emu_buffer *to = emu_queue_next(queue);

	to->bytesused = result < 0 ? 0 : (uint32_t)result;
	if (result < 0)
		to->flags |= V4L2_BUF_FLAG_ERROR;
	emu_queue_done(queue, to);
}

static void submit(struct convert_file *file, struct emu_buffer *to, const struct v4l2_buffer *from)
{
	const struct convert_backend *backend = convert_backend_of(file);
	const struct convert_slot *slot = &file->slots[from->index];
	const struct convert_frame frame = {
		.camera = &backend->camera_format,
		.format = &backend->format,
		.from = slot->at,
		.from_len = MIN((size_t)from->bytesused, slot->len),
		.to = to->data,
		.to_len = to->length,
	};

	file->reading = from->index;
	file->writing = to->memory;
	emu_memory_get(to->memory);
	convert_thread_submit(file->thread, &frame);
}

int convert_take(struct convert_file *file)
{
	struct v4l2_buffer from = {.type = CONVERT_TYPE, .memory = V4L2_MEMORY_MMAP};
	struct emu_buffer *to = file->owns ? emu_queue_next(convert_queue(file)) : NULL;
	int r;

	if (!to || !file->thread || file->error || convert_thread_busy(file->thread))
		return -EAGAIN;
	r = convert_camera_ioctl(file, VIDIOC_DQBUF, &from);
	if (r == 0 && from.index >= file->slots_n)
		r = -EIO;
	if (r < 0) {
		if (r != -EAGAIN && r != -EINTR)
			file->error = r;
		return r;
	}
	file->slots[from.index].queued = false;
	to->sequence = from.sequence;
	to->timestamp = from.timestamp;
	to->field = from.field;
	to->flags = from.flags & V4L2_BUF_FLAG_ERROR;
	if (to->flags || from.bytesused == 0 || map_slot(file, from.index) < 0)
		finish(file, -EIO);
	else
		submit(file, to, &from);
	return 0;
}

void convert_collect(struct convert_file *file)
{
	struct convert_backend *backend = convert_backend_of(file);
	int64_t result;

	if (!file->thread || !convert_thread_collect(file->thread, &result))
		return;
	if (result < 0)
		log_limited(&backend->undecoded, LOG_LEVEL_WARNING,
			    "%s: a frame cannot be converted: %s", backend->backend.name,
			    strerror((int)-result));
	emu_memory_put(file->writing);
	file->writing = NULL;
	finish(file, result);
}

void convert_stop(struct convert_file *file)
{
	struct convert_backend *backend = convert_backend_of(file);
	struct convert_thread *thread;
	bool ended;

	pthread_mutex_lock(&backend->lock);
	thread = file->thread;
	file->thread = NULL;
	pthread_mutex_unlock(&backend->lock);
	ended = convert_thread_free(thread);
	pthread_mutex_lock(&backend->lock);
	if (ended)
		emu_memory_put(file->writing);
	else
		/* Its memory is left with the decoder. */
		file->slots[file->reading].at = NULL;
	file->writing = NULL;
	pthread_mutex_unlock(&backend->lock);
	if (!ended)
		log_warning("%s: a frame takes forever to convert: given up",
			    backend->backend.name);
}
