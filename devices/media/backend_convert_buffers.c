/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_convert_buffers.c - the guest's buffers while frames are converted. See
 * backend_convert.h.
 *
 * VIDIOC_REQBUFS, CREATE_BUFS, REMOVE_BUFS, QUERYBUF, PREPARE_BUF, QBUF, DQBUF, STREAMON,
 * STREAMOFF. What V4L2 demands of a queue the emulated device does (emu.h); here the camera follows
 * it, or goes ahead. Only of memory type MMAP. The two never wait under the lock.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/media/backend_convert_impl.h"
#include "devices/media/ioctl.h"

static void lock(struct convert_file *file)
{
	pthread_mutex_lock(&convert_backend_of(file)->lock);
}

static void unlock(struct convert_file *file)
{
	pthread_mutex_unlock(&convert_backend_of(file)->lock);
}

static int locked_ioctl(struct convert_file *file, unsigned long cmd, void *arg)
{
	int r;

	lock(file);
	r = convert_buffers_ioctl(file, cmd, arg);
	unlock(file);
	return r;
}

/* The emulated device has USERPTR, too, which is of no use here. */
static uint32_t capabilities(uint32_t all)
{
	return all & ~(uint32_t)V4L2_BUF_CAP_SUPPORTS_USERPTR;
}

/* Of a call that came back when the file was closed: nothing is looked at. */
static int own(struct convert_file *file)
{
	int r;

	lock(file);
	r = file->closed ? -EIO : 0;
	file->owns = r == 0;
	unlock(file);
	return r;
}

/* All that @file has, if it may give it up. */
static int free_all(struct convert_file *file)
{
	struct v4l2_requestbuffers none = {.type = CONVERT_TYPE, .memory = V4L2_MEMORY_MMAP};
	bool owns;
	int r;

	lock(file);
	r = convert_buffers_ioctl(file, VIDIOC_REQBUFS, &none);
	owns = file->owns;
	if (r == 0)
		file->owns = false;
	unlock(file);
	return r == 0 && owns ? convert_slots_release(file) : r;
}

static int reqbufs(struct convert_file *file, void *arg)
{
	struct v4l2_requestbuffers *request = arg;
	int r;

	if (request->memory != V4L2_MEMORY_MMAP) {
		request->capabilities = capabilities(V4L2_BUF_CAP_SUPPORTS_MMAP);
		return -EINVAL;
	}
	r = free_all(file);
	if (r < 0 || request->count == 0) {
		if (r == 0)
			r = locked_ioctl(file, VIDIOC_REQBUFS, request);
		request->capabilities = capabilities(request->capabilities);
		return r;
	}
	r = convert_format_restore(file);
	if (r == 0)
		r = convert_slots_request(file, &request->count);
	if (r < 0)
		return r;
	r = own(file);
	if (r == 0)
		r = locked_ioctl(file, VIDIOC_REQBUFS, request);
	request->capabilities = capabilities(request->capabilities);
	if (r < 0)
		(void)free_all(file);
	return r;
}

/* How many more buffers the camera has to have for @count more of the guest's. */
static int missing(struct convert_file *file, uint32_t count, uint32_t *out)
{
	const struct emu_queue *queue = convert_queue(file);
	int r = 0;

	lock(file);
	if (queue->owner && !file->owns)
		r = -EBUSY;
	else if (queue->buffers_n + count > file->slots_n)
		*out = queue->buffers_n + count - file->slots_n;
	unlock(file);
	return r;
}

static int create_bufs(struct convert_file *file, void *arg)
{
	struct v4l2_create_buffers *create = arg;
	uint32_t more = 0, added;
	bool first;
	int r;

	if (create->memory != V4L2_MEMORY_MMAP)
		return -EINVAL;
	create->count = MIN(create->count, (uint32_t)VIDEO_MAX_FRAME);
	lock(file);
	first = !file->owns;
	r = create->format.fmt.pix.sizeimage < convert_queue(file)->pix.sizeimage ? -EINVAL : 0;
	unlock(file);
	if (r == 0 && create->count > 0)
		r = missing(file, create->count, &more);
	if (r == 0 && first && more > 0)
		r = convert_format_restore(file);
	added = more;
	if (r == 0 && more > 0)
		r = convert_slots_add(file, &added);
	if (r == 0 && create->count > 0)
		r = own(file);
	if (r < 0)
		return r;
	create->count -= more - added;
	r = locked_ioctl(file, VIDIOC_CREATE_BUFS, create);
	create->capabilities = capabilities(create->capabilities);
	if (r < 0 && first)
		(void)free_all(file);
	return r;
}

static int remove_bufs(struct convert_file *file, void *arg)
{
	return locked_ioctl(file, VIDIOC_REMOVE_BUFS, arg);
}

static int querybuf(struct convert_file *file, void *arg)
{
	return locked_ioctl(file, VIDIOC_QUERYBUF, arg);
}

static int prepare_buf(struct convert_file *file, void *arg)
{
	return locked_ioctl(file, VIDIOC_PREPARE_BUF, arg);
}

/* Will the emulated device take it? With the lock. */
static bool can_queue(struct convert_file *file, const struct v4l2_buffer *user)
{
	const struct emu_queue *queue = convert_queue(file);
	const struct emu_buffer *buffer =
		user->index < EMU_BUFFERS_MAX ? queue->buffers[user->index] : NULL;

	return file->owns && buffer && buffer->state == EMU_BUFFER_DEQUEUED &&
	       user->memory == V4L2_MEMORY_MMAP && !(user->flags & V4L2_BUF_FLAG_REQUEST_FD);
}

static int qbuf(struct convert_file *file, void *arg)
{
	int r = 0;

	lock(file);
	if (can_queue(file, arg))
		r = convert_slots_queue(file);
	if (r == 0)
		r = convert_buffers_ioctl(file, VIDIOC_QBUF, arg);
	unlock(file);
	return r;
}

/* The error of the camera's that is due. It is told once, unless the camera is gone. */
static int take_error(struct convert_file *file)
{
	const int r = file->error;

	if (r != -ENODEV) {
		file->error = 0;
		file->error_events = 0;
	}
	return r ? r : -EAGAIN;
}

static int dqbuf(struct convert_file *file, void *arg)
{
	int r;

	lock(file);
	convert_collect(file);
	r = convert_buffers_ioctl(file, VIDIOC_DQBUF, arg);
	if (r == -EAGAIN) {
		r = convert_take(file);
		if (r == 0)
			r = convert_buffers_ioctl(file, VIDIOC_DQBUF, arg);
		else if (r != -EINTR)
			r = take_error(file);
	}
	unlock(file);
	return r;
}

/* Streaming. */

static int64_t convert(void *converter, const struct convert_frame *frame)
{
	return convert_frame(converter, frame);
}

static void free_formats(void *converter)
{
	convert_formats_free(converter);
}

static void done(void *owner)
{
	convert_kick(owner);
}

static const struct convert_thread_ops thread_ops = {
	.convert = convert,
	.free = free_formats,
	.done = done,
};

/* Of its own, since those of the file may be asked meanwhile. */
static int start_thread(struct convert_file *file, struct convert_thread **out)
{
	struct convert_formats *formats;
	int r = convert_formats_new(&formats, file->camera);

	if (r < 0)
		return r;
	return convert_thread_new(out, &thread_ops, formats, convert_backend_of(file));
}

/* Return: 0; CONVERT_PASS: it streams already; -errno. */
static int check_streamon(struct convert_file *file)
{
	const struct emu_queue *queue = convert_queue(file);

	if (queue->owner && !file->owns)
		return -EBUSY;
	if (queue->buffers_n == 0)
		return -EINVAL;
	return queue->streaming ? CONVERT_PASS : 0;
}

static int streamon(struct convert_file *file, void *arg)
{
	struct convert_thread *thread;
	int r;

	lock(file);
	r = check_streamon(file);
	unlock(file);
	if (r != 0)
		return MIN(r, 0);
	r = start_thread(file, &thread);
	if (r < 0)
		return r;
	r = convert_camera_ioctl(file, VIDIOC_STREAMON, arg);
	lock(file);
	if (r == 0 && file->closed)
		r = -EIO;
	if (r == 0)
		r = convert_buffers_ioctl(file, VIDIOC_STREAMON, arg);
	if (r == 0) {
		file->thread = thread;
		file->error = 0;
		file->error_events = 0;
	}
	unlock(file);
	if (r < 0)
		convert_thread_free(thread);
	return r;
}

static int streamoff(struct convert_file *file, void *arg)
{
	bool owns;
	int r;

	lock(file);
	owns = file->owns;
	unlock(file);
	if (!owns)
		return locked_ioctl(file, VIDIOC_STREAMOFF, arg);
	convert_stop(file);
	r = convert_camera_ioctl(file, VIDIOC_STREAMOFF, arg);
	lock(file);
	if (r == 0 && file->closed)
		r = -EIO;
	if (r == 0) {
		r = convert_buffers_ioctl(file, VIDIOC_STREAMOFF, arg);
		convert_slots_idle(file);
	}
	file->error = r == -EINTR ? 0 : r;
	unlock(file);
	return r;
}

static const struct {
	unsigned long cmd;
	int (*fn)(struct convert_file *file, void *arg);
	size_t type; /* where V4L2_BUF_TYPE_ is in its struct */
} ioctls[] = {
	{VIDIOC_REQBUFS, reqbufs, offsetof(struct v4l2_requestbuffers, type)},
	{VIDIOC_CREATE_BUFS, create_bufs, offsetof(struct v4l2_create_buffers, format.type)},
	{VIDIOC_REMOVE_BUFS, remove_bufs, offsetof(struct v4l2_remove_buffers, type)},
	{VIDIOC_QUERYBUF, querybuf, offsetof(struct v4l2_buffer, type)},
	{VIDIOC_PREPARE_BUF, prepare_buf, offsetof(struct v4l2_buffer, type)},
	{VIDIOC_QBUF, qbuf, offsetof(struct v4l2_buffer, type)},
	{VIDIOC_DQBUF, dqbuf, offsetof(struct v4l2_buffer, type)},
	{VIDIOC_STREAMON, streamon, 0},
	{VIDIOC_STREAMOFF, streamoff, 0},
};

int convert_buffers_do(struct convert_file *file, unsigned long cmd, void *arg)
{
	uint32_t type;
	bool set;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		if (ioctls[i].cmd != cmd)
			continue;
		memcpy(&type, (const uint8_t *)arg + ioctls[i].type, sizeof(type));
		lock(file);
		set = convert_backend_of(file)->set;
		unlock(file);
		return set && type == CONVERT_TYPE ? ioctls[i].fn(file, arg) : CONVERT_PASS;
	}
	return CONVERT_PASS;
}

void convert_buffers_close(struct convert_file *file)
{
	convert_stop(file);
	lock(file);
	file->buffers->backend->ops->close(file->buffers);
	file->owns = false;
	unlock(file);
	convert_slots_unmap(file);
}
