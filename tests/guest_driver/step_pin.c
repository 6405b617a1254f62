/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_pin.c - memory that is pinned for the device, and calls that fail or are given up meanwhile.
 *
 * Whoever runs this looks afterwards whether all pages have been given back, and for step_abandoned
 * lets the device run only when the guest has nothing else to do.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"

#define TRIES 20

static struct v4l2_buffer describe(const struct camera *camera, uint32_t index)
{
	return (struct v4l2_buffer) {
		.type = CAPTURE,
		.memory = V4L2_MEMORY_USERPTR,
		.index = index,
		.m.userptr = (unsigned long)camera->data[0],
		.length = FRAME,
	};
}

static int prepare(const struct camera *camera)
{
	struct v4l2_buffer buffer = describe(camera, 0);

	return xioctl(camera->fd, VIDIOC_PREPARE_BUF, &buffer);
}

static void end_child(pid_t child, int *status)
{
	kill(child, SIGKILL);
	need(waitpid(child, status, 0) == child, "waitpid: %s", strerror(errno));
}

/*
 * A process that shares the file is killed in the middle of @cmd, which it tries again and again
 * while that is EINVAL. Return: -1: that came in time; else how the ioctl had ended.
 */
static int kill_in(const struct camera *camera, unsigned long cmd, uint32_t index)
{
	struct v4l2_buffer buffer = describe(camera, index);
	pid_t busy, child;
	int status;

	busy = fork_child();
	while (busy == 0)
		;
	child = fork_child();
	if (child == 0) {
		int r;

		do
			r = xioctl(camera->fd, cmd, &buffer);
		while (r == EINVAL);
		_exit(r);
	}
	usleep(200000);
	end_child(child, &status);
	end_child(busy, &(int) {0});
	return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

static void give_up(struct camera *camera, unsigned long cmd)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		const int r = kill_in(camera, cmd, 0);

		if (r < 0)
			return;
		need(r == 0, "the child: %s", strerror(r));
		camera_off(camera);
	}
	need(false, "the device answers %u commands faster than a process is killed", TRIES);
}

void step_abandoned(void)
{
	struct camera camera;
	int r;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_USERPTR, 1, 0);
	/* The device may come to it yet: until STREAMOFF nobody has the buffer. */
	give_up(&camera, VIDIOC_PREPARE_BUF);
	for (unsigned int i = 0; i < 3; i++) {
		r = prepare(&camera);
		need(r == EINVAL, "PREPARE_BUF after one that was given up: %s", strerror(r));
	}
	camera_off(&camera);
	r = prepare(&camera);
	need(r == 0, "PREPARE_BUF after STREAMOFF: %s", strerror(r));
	camera_off(&camera);
	give_up(&camera, VIDIOC_QBUF);
	camera_off(&camera);
	camera_queue(&camera, 0);
	camera_off(&camera);
	/* The last index that there is. */
	for (unsigned int i = 0; i < 5; i++) {
		r = kill_in(&camera, VIDIOC_QBUF, UINT32_MAX);
		need(r < 0, "QBUF of buffer 0xffffffff: %s", strerror(r));
	}
	camera_release(&camera);
	/* And one that is given up when nothing comes after it but the end. */
	camera_request(&camera, V4L2_MEMORY_USERPTR, 1, 0);
	give_up(&camera, VIDIOC_QBUF);
	camera_close(&camera);
}

static unsigned long pinned(void)
{
	unsigned long n = 0;
	char line[128];
	FILE *file = fopen("/proc/vmstat", "r");

	need(file, "/proc/vmstat: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "nr_foll_pin_acquired %lu", &n) == 1)
			break;
	fclose(file);
	return n;
}

/* The same two megabytes, half a gigabyte long: a list that no ring has room for. */
void step_huge(void)
{
	const size_t part = 2 << 20, len = 512 << 20;
	const int fd = memfd_create("part", 0);
	struct camera camera;
	struct v4l2_buffer buffer;
	unsigned long before;
	uint8_t *data;
	int r;

	need(fd >= 0 && ftruncate(fd, part) == 0, "memfd: %s", strerror(errno));
	data = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	need(data != MAP_FAILED, "mmap: %s", strerror(errno));
	for (size_t at = 0; at < len; at += part)
		need(mmap(data + at, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
			     MAP_FAILED,
		     "mmap: %s", strerror(errno));
	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_USERPTR, 1, 0);
	buffer = describe(&camera, 0);
	buffer.m.userptr = (unsigned long)data;
	buffer.length = len;
	before = pinned();
	r = xioctl(camera.fd, VIDIOC_QBUF, &buffer);
	need(r == E2BIG, "QBUF of %zu bytes: %s", len, strerror(r));
	need(pinned() == before, "%lu pages were pinned for nothing", pinned() - before);
	camera_queue(&camera, 0);
	camera_release(&camera);
	camera_close(&camera);
	munmap(data, len);
	close(fd);
}

/* A buffer that cannot be queued costs no more than once, and its memory can be had again. */
void step_failed(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_USERPTR, 2, 0);
	for (unsigned int i = 0; i < 300; i++) {
		buffer = describe(&camera, 1 + i % 5);
		buffer.length = FRAME / 2;
		need(xioctl(camera.fd, VIDIOC_QBUF, &buffer) == EINVAL, "half a frame is queued");
	}
	need(xioctl(camera.fd, VIDIOC_QBUF,
		    &(struct v4l2_buffer) {.type = CAPTURE,
					   .memory = V4L2_MEMORY_USERPTR,
					   .index = 1024}) == EINVAL,
	     "there is buffer 1024");
	camera_queue_all(&camera);
	camera_on(&camera);
	camera_stream(&camera, 4);
	camera_off(&camera);
	camera_release(&camera);
	camera_close(&camera);
}
