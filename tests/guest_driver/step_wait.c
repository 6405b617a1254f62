/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_wait.c - programs that wait, and what ends that: STREAMOFF, a signal, the device's end.
 *
 * The device's end is made by whoever runs step_unplug: it takes the driver off the device when the
 * step has said "ready".
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"

#define PROCESSES 8
#define CROWD	  400 /* commands; a ring has 256 entries */

static void wait_child(pid_t child, int expected)
{
	int status;

	need(waitpid(child, &status, 0) == child && status == expected, "a child ended with %#x",
	     status);
}

void step_streamoff(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;
	struct v4l2_format format = {.type = CAPTURE};
	pid_t child;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_MMAP, 2, 0);
	camera_on(&camera);
	child = fork_child();
	if (child == 0) {
		const int r = camera_dequeue(&camera, &buffer);

		need(r == EINVAL, "DQBUF ended with: %s", strerror(r));
		_exit(0);
	}
	usleep(500000);
	/* It waits, and nobody waits for it. */
	need(waitpid(child, NULL, WNOHANG) == 0, "DQBUF did not wait");
	need(xioctl(camera.fd, VIDIOC_G_FMT, &format) == 0, "G_FMT");
	camera_off(&camera);
	wait_child(child, 0);
	camera_release(&camera);
	camera_close(&camera);
}

/* As V4L2: one at a time waits in DQBUF. */
void step_busy(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;
	pid_t child;
	int r;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_MMAP, 2, 0);
	camera_on(&camera);
	child = fork_child();
	if (child == 0) {
		r = camera_dequeue(&camera, &buffer);
		_exit(r);
	}
	usleep(500000);
	/* Should it wait, it is woken. */
	alarm(10);
	r = camera_dequeue(&camera, &buffer);
	need(r == EBUSY, "a second DQBUF: %s", strerror(r));
	alarm(0);
	camera_queue_all(&camera);
	wait_child(child, 0);
	need(camera_dequeue(&camera, &buffer) == 0, "no frame");
	camera_off(&camera);
	camera_release(&camera);
	camera_close(&camera);
}

void step_killed(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		const uint32_t memory = i == 1 ? V4L2_MEMORY_USERPTR : V4L2_MEMORY_MMAP;
		const pid_t child = fork_child();
		struct camera camera;

		if (child == 0) {
			camera_open(&camera, 0);
			camera_request(&camera, memory, 4, 0);
			camera_queue_all(&camera);
			camera_on(&camera);
			camera_stream(&camera, 1000000);
			_exit(1);
		}
		usleep(700000);
		kill(child, SIGKILL);
		wait_child(child, SIGKILL);
		/* Nothing of it is left. */
		camera_open(&camera, 0);
		camera_request(&camera, memory, 4, 0);
		camera_queue_all(&camera);
		camera_on(&camera);
		camera_stream(&camera, 3);
		camera_off(&camera);
		camera_release(&camera);
		camera_close(&camera);
	}
}

/* One streams, all ask and set. */
void step_processes(void)
{
	pid_t children[PROCESSES];

	for (unsigned int i = 0; i < PROCESSES; i++) {
		children[i] = fork_child();
		if (children[i] > 0)
			continue;
		for (unsigned int turn = 0; turn < 20; turn++) {
			struct v4l2_control control = {.id = V4L2_CID_HUE, .value = 5 * (int)i};
			struct v4l2_fmtdesc desc = {.type = CAPTURE};
			struct v4l2_capability cap;
			struct camera camera;

			camera_open(&camera, 0);
			need(xioctl(camera.fd, VIDIOC_QUERYCAP, &cap) == 0, "QUERYCAP");
			need(xioctl(camera.fd, VIDIOC_ENUM_FMT, &desc) == 0, "ENUM_FMT");
			need(xioctl(camera.fd, VIDIOC_S_CTRL, &control) == 0, "S_CTRL");
			camera_close(&camera);
		}
		_exit(0);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		wait_child(children[i], 0);
}

/* More at a time than the ring has room for: they wait for room, and all are answered. */
void step_crowd(void)
{
	pid_t children[CROWD];
	struct camera camera;
	int go[2];
	char byte;

	camera_open(&camera, 0);
	need(pipe(go) == 0, "pipe: %s", strerror(errno));
	for (unsigned int i = 0; i < CROWD; i++) {
		children[i] = fork_child();
		if (children[i] > 0)
			continue;
		close(go[1]);
		/* Until all are there. */
		need(read(go[0], &byte, 1) == 0, "no end of the pipe");
		for (unsigned int turn = 0; turn < 10; turn++) {
			struct v4l2_format format = {.type = CAPTURE};
			const int r = xioctl(camera.fd, VIDIOC_G_FMT, &format);

			need(r == 0 && format.fmt.pix.width == WIDTH, "G_FMT: %s", strerror(r));
		}
		_exit(0);
	}
	close(go[1]);
	for (unsigned int i = 0; i < CROWD; i++)
		wait_child(children[i], 0);
	camera_close(&camera);
}

/* Streams until it is killed. */
void step_hold(void)
{
	struct camera camera;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_MMAP, 4, 0);
	camera_queue_all(&camera);
	camera_on(&camera);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		camera_stream(&camera, 1000);
}

static sigjmp_buf back;

static void on_bus_error(int number)
{
	(void)number;
	siglongjmp(back, 1);
}

static bool is_gone(const volatile uint8_t *data)
{
	signal(SIGBUS, on_bus_error);
	if (sigsetjmp(back, 1) == 0) {
		(void)*data;
		return false;
	}
	return true;
}

void step_unplug(void)
{
	struct v4l2_format format = {.type = CAPTURE};
	struct v4l2_event event;
	struct camera camera;
	struct v4l2_buffer buffer;
	struct pollfd fd;
	pid_t poller, waiter;
	int r;

	camera_open(&camera, 0);
	camera_request(&camera, V4L2_MEMORY_MMAP, 4, 0);
	poller = fork_child();
	if (poller == 0) {
		fd = (struct pollfd) {.fd = camera.fd, .events = POLLPRI};
		need(poll(&fd, 1, 60000) == 1 && fd.revents & POLLERR && fd.revents & POLLHUP,
		     "poll says %#x", fd.revents);
		_exit(0);
	}
	waiter = fork_child();
	if (waiter == 0) {
		r = xioctl(camera.fd, VIDIOC_DQEVENT, &event);
		need(r == ENODEV, "DQEVENT: %s", strerror(r));
		_exit(0);
	}
	camera_on(&camera);
	printf("ready\n");
	fflush(stdout);
	/* Nothing is queued. */
	r = camera_dequeue(&camera, &buffer);
	need(r == ENODEV, "DQBUF: %s", strerror(r));
	r = xioctl(camera.fd, VIDIOC_G_FMT, &format);
	need(r == ENODEV, "G_FMT: %s", strerror(r));
	wait_child(poller, 0);
	wait_child(waiter, 0);
	/* Pages go a moment later than the word of it. */
	for (unsigned int i = 0; i < 100 && !is_gone(camera.data[0]); i++)
		usleep(100000);
	need(is_gone(camera.data[0]), "the buffer is still mapped");
	camera_close(&camera);
}
