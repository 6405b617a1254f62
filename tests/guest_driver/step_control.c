/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_control.c - controls with data behind a pointer, and events.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"

#define BAR_COLOURS (V4L2_CTRL_CLASS_IMAGE_PROC | 0x1900)
#define BARS	    8

static int subscribe(const struct camera *camera, uint32_t id, uint32_t flags)
{
	struct v4l2_event_subscription arg = {.type = V4L2_EVENT_CTRL, .id = id, .flags = flags};

	return xioctl(camera->fd, VIDIOC_SUBSCRIBE_EVENT, &arg);
}

static void set(const struct camera *camera, int32_t value)
{
	struct v4l2_control control = {.id = V4L2_CID_BRIGHTNESS, .value = value};
	int r = xioctl(camera->fd, VIDIOC_S_CTRL, &control);

	need(r == 0, "S_CTRL: %s", strerror(r));
}

static bool has_event(const struct camera *camera, int timeout_ms)
{
	struct pollfd fd = {.fd = camera->fd, .events = POLLPRI};

	return poll(&fd, 1, timeout_ms) == 1 && fd.revents & POLLPRI;
}

void step_event(void)
{
	struct camera camera, other;
	struct v4l2_event event = {};
	int r, status;
	pid_t child;

	camera_open(&camera, O_NONBLOCK);
	camera_open(&other, 0);
	need(xioctl(camera.fd, VIDIOC_DQEVENT, &event) == ENOENT, "an event of nothing");
	r = subscribe(&camera, V4L2_CID_BRIGHTNESS, V4L2_EVENT_SUB_FL_SEND_INITIAL);
	need(r == 0, "SUBSCRIBE_EVENT: %s", strerror(r));
	/* The initial one is there when the call returns. */
	r = xioctl(camera.fd, VIDIOC_DQEVENT, &event);
	need(r == 0, "no initial event: %s", strerror(r));
	need(event.type == V4L2_EVENT_CTRL && event.id == V4L2_CID_BRIGHTNESS && event.pending == 0,
	     "event %u of %#x, %u more", event.type, event.id, event.pending);
	need(!has_event(&camera, 0), "POLLPRI without an event");
	set(&other, 17);
	need(has_event(&camera, 10000), "no POLLPRI for a change");
	r = xioctl(camera.fd, VIDIOC_DQEVENT, &event);
	need(r == 0 && event.u.ctrl.value == 17, "DQEVENT: %s, value %d", strerror(r),
	     event.u.ctrl.value);
	/* Blocking. */
	fcntl(camera.fd, F_SETFL, 0);
	child = fork_child();
	if (child == 0) {
		usleep(300000);
		set(&other, 18);
		_exit(0);
	}
	r = xioctl(camera.fd, VIDIOC_DQEVENT, &event);
	need(r == 0 && event.u.ctrl.value == 18, "DQEVENT: %s, value %d", strerror(r),
	     event.u.ctrl.value);
	need(waitpid(child, &status, 0) == child && status == 0, "the child ended with %#x",
	     status);
	camera_close(&other);
	camera_close(&camera);
}

void step_merge(void)
{
	struct v4l2_event_subscription all = {.type = V4L2_EVENT_ALL};
	struct camera camera, other;
	struct v4l2_event event = {};

	camera_open(&camera, O_NONBLOCK);
	camera_open(&other, 0);
	need(subscribe(&camera, V4L2_CID_BRIGHTNESS, 0) == 0, "SUBSCRIBE_EVENT");
	need(subscribe(&camera, V4L2_CID_CONTRAST, V4L2_EVENT_SUB_FL_SEND_INITIAL) == 0,
	     "SUBSCRIBE_EVENT");
	for (int32_t i = 0; i < 50; i++)
		set(&other, i);
	usleep(200000);
	/* Of each control the last. */
	need(xioctl(camera.fd, VIDIOC_DQEVENT, &event) == 0 && event.id == V4L2_CID_CONTRAST &&
		     event.pending == 1,
	     "event of %#x, %u more", event.id, event.pending);
	need(xioctl(camera.fd, VIDIOC_DQEVENT, &event) == 0 && event.u.ctrl.value == 49 &&
		     event.pending == 0,
	     "value %d, %u more", event.u.ctrl.value, event.pending);
	set(&other, 7);
	need(has_event(&camera, 10000), "no event");
	need(xioctl(camera.fd, VIDIOC_UNSUBSCRIBE_EVENT, &all) == 0, "UNSUBSCRIBE_EVENT");
	need(!has_event(&camera, 0), "an event outlives its subscription");
	set(&other, 8);
	need(!has_event(&camera, 200), "an event without a subscription");
	camera_close(&other);
	camera_close(&camera);
}

static int controls(const struct camera *camera, unsigned long cmd,
		    struct v4l2_ext_control *control, unsigned int n, uint32_t *error)
{
	struct v4l2_ext_controls arg = {.count = n, .controls = control};
	int r = xioctl(camera->fd, cmd, &arg);

	*error = arg.error_idx;
	return r;
}

void step_array(void)
{
	uint32_t before[BARS], colours[BARS], read[BARS + 1], error;
	struct v4l2_ext_control array = {.id = BAR_COLOURS, .size = sizeof(before)};
	struct v4l2_ext_control pair[2];
	struct camera camera;
	int r;

	camera_open(&camera, 0);
	array.p_u32 = before;
	r = controls(&camera, VIDIOC_G_EXT_CTRLS, &array, 1, &error);
	need(r == 0 && array.p_u32 == before, "G_EXT_CTRLS: %s", strerror(r));
	for (unsigned int i = 0; i < BARS; i++)
		colours[i] = 0x010203 * (i + 1);
	array.p_u32 = colours;
	r = controls(&camera, VIDIOC_S_EXT_CTRLS, &array, 1, &error);
	need(r == 0, "S_EXT_CTRLS: %s", strerror(r));
	/* More room than it takes; and a value with a size that means nothing. */
	memset(read, 0xee, sizeof(read));
	pair[0] = (struct v4l2_ext_control) {.id = V4L2_CID_BRIGHTNESS, .size = 0x12345678};
	pair[1] = (struct v4l2_ext_control) {.id = BAR_COLOURS, .size = sizeof(read)};
	pair[1].p_u32 = read;
	set(&camera, 21);
	r = controls(&camera, VIDIOC_G_EXT_CTRLS, pair, 2, &error);
	need(r == 0, "G_EXT_CTRLS: %s", strerror(r));
	need(memcmp(read, colours, sizeof(colours)) == 0, "the array is another");
	need(read[BARS] == 0xeeeeeeee, "more was written than there is");
	need(pair[0].value == 21 && pair[0].size == 0x12345678, "value %d, size %#x", pair[0].value,
	     pair[0].size);
	/* Too little room: it says how much. */
	array.size = 4;
	r = controls(&camera, VIDIOC_G_EXT_CTRLS, &array, 1, &error);
	need(r == ENOSPC && array.size == sizeof(colours), "too little room: %s, size %u",
	     strerror(r), array.size);
	array.size = sizeof(before);
	array.p_u32 = (void *)4096;
	r = controls(&camera, VIDIOC_S_EXT_CTRLS, &array, 1, &error);
	need(r == EFAULT, "an array of nobody's: %s", strerror(r));
	array.p_u32 = before;
	r = controls(&camera, VIDIOC_S_EXT_CTRLS, &array, 1, &error);
	need(r == 0, "S_EXT_CTRLS: %s", strerror(r));
	pair[0] = (struct v4l2_ext_control) {.id = V4L2_CID_BRIGHTNESS, .value = 1};
	pair[1] = (struct v4l2_ext_control) {.id = 0x123, .value = 1};
	r = controls(&camera, VIDIOC_TRY_EXT_CTRLS, pair, 2, &error);
	need(r == EINVAL && error == 1, "an unknown control: %s, error_idx %u", strerror(r), error);
	camera_close(&camera);
}
