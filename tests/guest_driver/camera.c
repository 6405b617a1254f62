/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * camera.c - a node, its buffers, and frames that prove what they are. See camera.h.
 *
 * The synthetic camera writes each frame's number into the last bytes of its first line (struct
 * camera_stamp, devices/media/backend_test.h): a frame that is old, torn, or another buffer's does
 * not have the number that DQBUF told.
 */
#include "camera.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STAMP_MAGIC 0x706d7473u

struct stamp {
	uint32_t magic, sequence;
	uint64_t ticks;
};

_Noreturn void fail(const char *file, int line, const char *format, ...)
{
	va_list list;

	printf("guest_driver: %s:%d: ", file, line);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

pid_t fork_child(void)
{
	const pid_t child = fork();

	need(child >= 0, "fork: %s", strerror(errno));
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

int xioctl(int fd, unsigned long cmd, void *arg)
{
	int r;

	do
		r = ioctl(fd, cmd, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? errno : 0;
}

void camera_open(struct camera *camera, int flags)
{
	struct v4l2_format format = {.type = CAPTURE};
	int r;

	*camera = (struct camera) {.fd = open(NODE, O_RDWR | flags)};
	need(camera->fd >= 0, "open: %s", strerror(errno));
	format.fmt.pix.width = WIDTH;
	format.fmt.pix.height = HEIGHT;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	r = xioctl(camera->fd, VIDIOC_S_FMT, &format);
	need(r == 0, "S_FMT: %s", strerror(r));
	need(format.fmt.pix.bytesperline == LINE && format.fmt.pix.sizeimage == FRAME,
	     "S_FMT says %u bytes a line, %u a frame", format.fmt.pix.bytesperline,
	     format.fmt.pix.sizeimage);
}

void camera_close(struct camera *camera)
{
	close(camera->fd);
}

static void map(struct camera *camera, unsigned int i)
{
	struct v4l2_buffer buffer = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP, .index = i};
	int r = xioctl(camera->fd, VIDIOC_QUERYBUF, &buffer);

	need(r == 0, "QUERYBUF %u: %s", i, strerror(r));
	need(buffer.length >= FRAME, "a buffer has %u bytes", buffer.length);
	camera->length = buffer.length;
	camera->offset[i] = buffer.m.offset;
	camera->data[i] = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, camera->fd,
			       buffer.m.offset);
	need(camera->data[i] != MAP_FAILED, "mmap %u: %s", i, strerror(errno));
}

void camera_request(struct camera *camera, uint32_t memory, unsigned int n, unsigned int shift)
{
	struct v4l2_requestbuffers request = {.type = CAPTURE, .memory = memory, .count = n};
	int r = xioctl(camera->fd, VIDIOC_REQBUFS, &request);

	need(r == 0, "REQBUFS of memory %u: %s", memory, strerror(r));
	need(request.count == n, "REQBUFS gives %u buffers for %u", request.count, n);
	camera->memory = memory;
	camera->n = n;
	camera->length = FRAME;
	for (unsigned int i = 0; i < n; i++) {
		if (memory == V4L2_MEMORY_MMAP) {
			map(camera, i);
			continue;
		}
		camera->data[i] = aligned_alloc(4096, FRAME + 4096);
		need(camera->data[i], "no memory");
		camera->data[i] += shift;
		/* Pages that are not there before they are queued. */
		madvise(camera->data[i] - shift, FRAME + 4096, MADV_DONTNEED);
	}
}

void camera_release(struct camera *camera)
{
	struct v4l2_requestbuffers request = {.type = CAPTURE, .memory = camera->memory};
	int r;

	for (unsigned int i = 0; i < camera->n; i++)
		if (camera->memory == V4L2_MEMORY_MMAP)
			need(munmap(camera->data[i], camera->length) == 0, "munmap: %s",
			     strerror(errno));
	r = xioctl(camera->fd, VIDIOC_REQBUFS, &request);
	need(r == 0, "REQBUFS(0): %s", strerror(r));
	camera->n = 0;
}

static struct v4l2_buffer describe(const struct camera *camera, unsigned int index)
{
	struct v4l2_buffer buffer = {.type = CAPTURE, .memory = camera->memory, .index = index};

	if (camera->memory == V4L2_MEMORY_USERPTR) {
		buffer.m.userptr = (unsigned long)camera->data[index];
		buffer.length = FRAME;
	}
	return buffer;
}

void camera_queue(struct camera *camera, unsigned int index)
{
	struct v4l2_buffer buffer = describe(camera, index);
	int r = xioctl(camera->fd, VIDIOC_QBUF, &buffer);

	need(r == 0, "QBUF %u: %s", index, strerror(r));
}

void camera_queue_all(struct camera *camera)
{
	for (unsigned int i = 0; i < camera->n; i++)
		camera_queue(camera, i);
}

void camera_on(struct camera *camera)
{
	uint32_t type = CAPTURE;
	int r = xioctl(camera->fd, VIDIOC_STREAMON, &type);

	need(r == 0, "STREAMON: %s", strerror(r));
	camera->any = false;
}

void camera_off(struct camera *camera)
{
	uint32_t type = CAPTURE;
	int r = xioctl(camera->fd, VIDIOC_STREAMOFF, &type);

	need(r == 0, "STREAMOFF: %s", strerror(r));
}

static void check_frame(struct camera *camera, const struct v4l2_buffer *buffer)
{
	const uint8_t *data = camera->data[buffer->index];
	struct stamp stamp;

	need(buffer->bytesused == FRAME, "a frame of %u bytes", buffer->bytesused);
	memcpy(&stamp, data + LINE - sizeof(stamp), sizeof(stamp));
	need(stamp.magic == STAMP_MAGIC, "buffer %u has no stamp but %#x", buffer->index,
	     stamp.magic);
	need(stamp.sequence == buffer->sequence, "frame %u is in the buffer of %u", stamp.sequence,
	     buffer->sequence);
	need(!camera->any || buffer->sequence > camera->last, "frame %u comes behind %u",
	     buffer->sequence, camera->last);
	need(buffer->timestamp.tv_sec > 0 || buffer->timestamp.tv_usec > 0, "no time stamp");
	camera->last = buffer->sequence;
	camera->any = true;
	if (camera->memory == V4L2_MEMORY_USERPTR)
		need(buffer->m.userptr == (unsigned long)data, "a buffer has moved to %#lx",
		     buffer->m.userptr);
	else
		need(buffer->m.offset == camera->offset[buffer->index], "offset %#x of buffer %u",
		     buffer->m.offset, buffer->index);
}

int camera_dequeue(struct camera *camera, struct v4l2_buffer *buffer)
{
	int r;

	*buffer = (struct v4l2_buffer) {.type = CAPTURE, .memory = camera->memory};
	r = xioctl(camera->fd, VIDIOC_DQBUF, buffer);
	if (r)
		return r;
	need(buffer->index < camera->n, "DQBUF gives buffer %u of %u", buffer->index, camera->n);
	need(!(buffer->flags & V4L2_BUF_FLAG_ERROR), "frame %u is an error", buffer->sequence);
	check_frame(camera, buffer);
	return 0;
}

uint32_t camera_query(struct camera *camera, unsigned int index)
{
	struct v4l2_buffer buffer = {.type = CAPTURE, .memory = camera->memory, .index = index};
	int r = xioctl(camera->fd, VIDIOC_QUERYBUF, &buffer);

	need(r == 0, "QUERYBUF %u: %s", index, strerror(r));
	return buffer.flags;
}

void camera_stream(struct camera *camera, unsigned int frames)
{
	struct v4l2_buffer buffer;

	for (unsigned int i = 0; i < frames; i++) {
		int r = camera_dequeue(camera, &buffer);

		need(r == 0, "DQBUF: %s", strerror(r));
		/* The next frame has to write its own. */
		memset(camera->data[buffer.index], 0, LINE);
		camera_queue(camera, buffer.index);
	}
}
