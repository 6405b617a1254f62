/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_stream.c - frames by both kinds of memory, and all ways to wait for them.
 *
 * What V4L2's documentation says of poll(): POLLERR without streaming, or with nothing queued ever;
 * POLLIN with a frame.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <unistd.h>

#include "camera.h"

#define FRAMES 12

static void stream(uint32_t memory, unsigned int shift)
{
	struct camera camera;

	camera_open(&camera, 0);
	/* Twice: a second start is not the first. */
	for (unsigned int i = 0; i < 2; i++) {
		camera_request(&camera, memory, 4, shift);
		camera_queue_all(&camera);
		camera_on(&camera);
		camera_stream(&camera, FRAMES);
		camera_off(&camera);
		camera_queue_all(&camera);
		camera_on(&camera);
		camera_stream(&camera, 2);
		camera_off(&camera);
		camera_release(&camera);
	}
	camera_close(&camera);
}

void step_mmap(void)
{
	stream(V4L2_MEMORY_MMAP, 0);
}

void step_userptr(void)
{
	stream(V4L2_MEMORY_USERPTR, 0);
}

void step_userptr_unaligned(void)
{
	stream(V4L2_MEMORY_USERPTR, 100);
}

static short poll_now(const struct camera *camera, short events)
{
	struct pollfd fd = {.fd = camera->fd, .events = events};
	int r = poll(&fd, 1, 0);

	need(r >= 0, "poll: %s", strerror(errno));
	return r ? fd.revents : 0;
}

void step_poll(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;
	struct pollfd fd;

	camera_open(&camera, 0);
	fd = (struct pollfd) {.fd = camera.fd, .events = POLLIN};
	need(poll_now(&camera, POLLIN) == POLLERR, "no POLLERR before there are buffers");
	need(poll_now(&camera, POLLOUT) == 0, "POLLOUT of a camera");
	need(poll_now(&camera, POLLPRI) == 0, "POLLPRI without an event");
	camera_request(&camera, V4L2_MEMORY_MMAP, 2, 0);
	need(poll_now(&camera, POLLIN) == POLLERR, "no POLLERR before STREAMON");
	camera_on(&camera);
	need(poll_now(&camera, POLLIN) == POLLERR, "no POLLERR with nothing queued");
	camera_queue_all(&camera);
	for (unsigned int i = 0; i < FRAMES; i++) {
		need(poll(&fd, 1, 10000) == 1 && fd.revents == POLLIN, "poll says %#x", fd.revents);
		need(camera_dequeue(&camera, &buffer) == 0, "no frame behind POLLIN");
		camera_queue(&camera, buffer.index);
	}
	/* Both frames are taken, none is queued: it waits. */
	need(camera_dequeue(&camera, &buffer) == 0 && camera_dequeue(&camera, &buffer) == 0,
	     "frames do not end");
	need(poll(&fd, 1, 200) == 0, "poll says %#x of an empty queue", fd.revents);
	camera_off(&camera);
	need(poll_now(&camera, POLLIN) == POLLERR, "no POLLERR after STREAMOFF");
	camera_release(&camera);
	camera_close(&camera);
}

void step_select(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;

	camera_open(&camera, O_NONBLOCK);
	camera_request(&camera, V4L2_MEMORY_MMAP, 3, 0);
	camera_queue_all(&camera);
	camera_on(&camera);
	for (unsigned int i = 0; i < FRAMES; i++) {
		struct timeval timeout = {.tv_sec = 10};
		fd_set set;

		FD_ZERO(&set);
		FD_SET(camera.fd, &set);
		need(select(camera.fd + 1, &set, NULL, NULL, &timeout) == 1, "select saw nothing");
		need(camera_dequeue(&camera, &buffer) == 0, "no frame behind select");
		camera_queue(&camera, buffer.index);
	}
	camera_off(&camera);
	camera_release(&camera);
	camera_close(&camera);
}

void step_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct camera camera;
	struct v4l2_buffer buffer;
	unsigned int frames = 0;
	int epoll, r;

	camera_open(&camera, O_NONBLOCK);
	epoll = epoll_create1(0);
	camera_request(&camera, V4L2_MEMORY_MMAP, 3, 0);
	camera_queue_all(&camera);
	camera_on(&camera);
	need(epoll_ctl(epoll, EPOLL_CTL_ADD, camera.fd, &event) == 0, "epoll_ctl: %s",
	     strerror(errno));
	/* Edges: each frame has to wake, though the one before was not polled away. */
	while (frames < FRAMES) {
		need(epoll_wait(epoll, &event, 1, 10000) == 1, "no edge after %u frames", frames);
		while ((r = camera_dequeue(&camera, &buffer)) == 0) {
			frames++;
			camera_queue(&camera, buffer.index);
		}
		need(r == EAGAIN, "DQBUF: %s", strerror(r));
	}
	camera_off(&camera);
	camera_release(&camera);
	close(epoll);
	camera_close(&camera);
}

void step_nonblocking(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;

	camera_open(&camera, O_NONBLOCK);
	camera_request(&camera, V4L2_MEMORY_MMAP, 2, 0);
	need(camera_dequeue(&camera, &buffer) == EINVAL, "DQBUF without STREAMON is not EINVAL");
	camera_on(&camera);
	need(camera_dequeue(&camera, &buffer) == EAGAIN, "DQBUF without a frame is not EAGAIN");
	camera_off(&camera);
	camera_release(&camera);
	camera_close(&camera);
}

static void wait_for_frame(const struct camera *camera)
{
	struct pollfd fd = {.fd = camera->fd, .events = POLLIN};

	need(poll(&fd, 1, 10000) == 1 && fd.revents == POLLIN, "poll says %#x", fd.revents);
}

void step_flags(void)
{
	const uint32_t states = V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_PREPARED;
	struct camera camera;
	struct v4l2_buffer buffer;
	uint32_t flags;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_MMAP, 1, 0);
	flags = camera_query(&camera, 0);
	need((flags & states) == 0 && flags & V4L2_BUF_FLAG_MAPPED, "new: flags %#x", flags);
	camera_queue(&camera, 0);
	flags = camera_query(&camera, 0);
	need((flags & states) == V4L2_BUF_FLAG_QUEUED, "queued: flags %#x", flags);
	camera_on(&camera);
	wait_for_frame(&camera);
	/* The device has dequeued it, the program has not. */
	flags = camera_query(&camera, 0);
	need((flags & states) == V4L2_BUF_FLAG_DONE, "done: flags %#x", flags);
	buffer = (struct v4l2_buffer) {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	need(xioctl(camera.fd, VIDIOC_QBUF, &buffer) == EINVAL, "a done buffer can be queued");
	need(camera_dequeue(&camera, &buffer) == 0, "no frame");
	need((buffer.flags & states) == 0 && buffer.flags & V4L2_BUF_FLAG_MAPPED,
	     "dequeued: flags %#x", buffer.flags);
	flags = camera_query(&camera, 0);
	need((flags & states) == 0, "dequeued: QUERYBUF has flags %#x", flags);
	camera_queue(&camera, 0);
	camera_off(&camera);
	flags = camera_query(&camera, 0);
	need((flags & states) == 0, "after STREAMOFF: flags %#x", flags);
	need(munmap(camera.data[0], camera.length) == 0, "munmap: %s", strerror(errno));
	flags = camera_query(&camera, 0);
	need(!(flags & V4L2_BUF_FLAG_MAPPED), "unmapped: flags %#x", flags);
	camera.n = 0;
	camera_release(&camera);
	camera_close(&camera);
}

void step_prepare(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;
	int r;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_USERPTR, 1, 0);
	buffer = (struct v4l2_buffer) {.type = CAPTURE, .memory = V4L2_MEMORY_USERPTR};
	buffer.m.userptr = 4096;
	buffer.length = FRAME;
	need(xioctl(camera.fd, VIDIOC_QBUF, &buffer) == EFAULT, "memory of nobody can be queued");
	buffer.m.userptr = (unsigned long)camera.data[0];
	r = xioctl(camera.fd, VIDIOC_PREPARE_BUF, &buffer);
	need(r == 0, "PREPARE_BUF: %s", strerror(r));
	need(camera_query(&camera, 0) & V4L2_BUF_FLAG_PREPARED, "it is not prepared");
	/* What was prepared is what is queued, whatever QBUF says. */
	buffer.m.userptr = 0;
	buffer.length = 0;
	r = xioctl(camera.fd, VIDIOC_QBUF, &buffer);
	need(r == 0, "QBUF: %s", strerror(r));
	camera_on(&camera);
	need(camera_dequeue(&camera, &buffer) == 0, "no frame");
	camera_off(&camera);
	camera_release(&camera);
	camera_close(&camera);
}
