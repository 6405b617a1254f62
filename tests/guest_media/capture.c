/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c - captures frames from a V4L2 node to a file, and says what it saw, but for the time.
 *
 *    capture NODE FORMAT WIDTHxHEIGHT FRAMES mmap|userptr FILE
 *
 * What differs between 32 and 64 bits in V4L2 (pointers, times: buffers, planes, controls, events)
 * is used here, so that what one build of it prints can be compared with what another one does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

#include "stream.h"

#define FRAME_MS 30000

/* A frame's time is near now. The clocks of emulated machines go differently by some percent. */
#define AGE_MAX_S 60

/* Of a string or an array. */
#define DATA_MAX 65536

static int fail(const char *what, int r)
{
	fprintf(stderr, "capture: %s: %s\n", what, strerror(-r));
	return EXIT_FAILURE;
}

static void print_bytes(const uint8_t *data, size_t n)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (sum * 31 + data[i]) & 0xffffffff;
	printf(" %zu bytes, sum %08lx", n, sum);
}

/* Return: 0 or -errno. */
static int print_control(int fd, const struct v4l2_query_ext_ctrl *query)
{
	static uint8_t data[DATA_MAX];
	struct v4l2_ext_control control = {.id = query->id};
	struct v4l2_ext_controls controls = {.count = 1, .controls = &control};
	const bool has_data = query->flags & V4L2_CTRL_FLAG_HAS_PAYLOAD;
	const size_t size = (size_t)query->elems * query->elem_size;

	if (has_data && size > sizeof(data))
		return -E2BIG;
	memset(data, 0, sizeof(data));
	if (has_data) {
		control.ptr = data;
		control.size = (uint32_t)size;
	}
	if (ioctl(fd, VIDIOC_G_EXT_CTRLS, &controls) < 0)
		return -errno;
	printf("%s:", query->name);
	if (has_data)
		print_bytes(data, size);
	else if (query->type == V4L2_CTRL_TYPE_INTEGER64)
		printf(" %lld", (long long)control.value64);
	else
		printf(" %d", control.value);
	putchar('\n');
	return 0;
}

/* What the driver changes by itself is left out. */
static int print_controls(int fd)
{
	const uint32_t next = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
	const uint32_t without = V4L2_CTRL_FLAG_VOLATILE | V4L2_CTRL_FLAG_READ_ONLY |
				 V4L2_CTRL_FLAG_WRITE_ONLY | V4L2_CTRL_FLAG_DISABLED;
	struct v4l2_query_ext_ctrl query = {.id = next};
	int r = 0;

	for (; r == 0 && ioctl(fd, VIDIOC_QUERY_EXT_CTRL, &query) == 0; query.id |= next)
		if (!(query.flags & without) && query.type != V4L2_CTRL_TYPE_BUTTON &&
		    query.type != V4L2_CTRL_TYPE_CTRL_CLASS)
			r = print_control(fd, &query);
	return r;
}

/* The first control that there is, set to what it is: its event says the same. */
static int print_event(int fd)
{
	struct v4l2_query_ext_ctrl query = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
	struct v4l2_event_subscription subscription = {.type = V4L2_EVENT_CTRL};
	struct v4l2_event event = {};

	while (ioctl(fd, VIDIOC_QUERY_EXT_CTRL, &query) == 0 &&
	       query.type == V4L2_CTRL_TYPE_CTRL_CLASS)
		query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	subscription.id = query.id;
	subscription.flags = V4L2_EVENT_SUB_FL_SEND_INITIAL;
	if (ioctl(fd, VIDIOC_SUBSCRIBE_EVENT, &subscription) < 0 ||
	    ioctl(fd, VIDIOC_DQEVENT, &event) < 0)
		return -errno;
	printf("event %u of control %#x: changes %#x, value %d, from %d to %d, pending %u\n",
	       event.type, event.id, event.u.ctrl.changes, event.u.ctrl.value, event.u.ctrl.minimum,
	       event.u.ctrl.maximum, event.pending);
	return ioctl(fd, VIDIOC_UNSUBSCRIBE_EVENT, &subscription) < 0 ? -errno : 0;
}

/*
 * How many frames were lost before this one is nobody's fault where all is slow. Return: -ERANGE
 * if number or time are not those of a frame which has just come.
 */
static int check_time(const struct v4l2_buffer *buffer, struct v4l2_buffer *last)
{
	const struct timeval *time = &buffer->timestamp;
	struct timespec now;
	long long age;
	bool later;

	clock_gettime(CLOCK_MONOTONIC, &now);
	age = now.tv_sec - time->tv_sec;
	later = last->length == 0 ||
		(timercmp(time, &last->timestamp, >) && buffer->sequence >= last->sequence);
	if (!later || age < -AGE_MAX_S || age > AGE_MAX_S) {
		fprintf(stderr,
			"capture: frame %u at %lld.%06ld, %lld s ago, is after %u at %lld.%06ld\n",
			buffer->sequence, (long long)time->tv_sec, (long)time->tv_usec, age,
			last->sequence, (long long)last->timestamp.tv_sec,
			(long)last->timestamp.tv_usec);
		return -ERANGE;
	}
	*last = *buffer;
	return 0;
}

static int save(struct stream *stream, const struct stream_frame *frame, FILE *out)
{
	printf("buffer %u, field %u, flags %#x:", frame->buffer.index, frame->buffer.field,
	       frame->buffer.flags);
	for (unsigned int i = 0; i < stream->capture.planes_n; i++) {
		size_t len;
		const void *data = stream_data(stream, frame, i, &len);

		if (fwrite(data, len, 1, out) != 1)
			return -EIO;
		print_bytes(data, len);
	}
	putchar('\n');
	return 0;
}

static int capture(struct stream *stream, unsigned int frames, FILE *out)
{
	struct v4l2_buffer last = {};
	int r = 0;

	for (unsigned int i = 0; i < frames && r == 0; i++) {
		struct stream_frame frame;

		r = stream_take(stream, FRAME_MS, &frame);
		if (r == 0)
			r = check_time(&frame.buffer, &last);
		if (r == 0)
			r = save(stream, &frame, out);
		if (r == 0)
			r = stream_give(stream, &frame);
	}
	return r ?: stream_stop(stream);
}

static int run(char **argv, const struct stream_format *format)
{
	const bool is_mmap = strcmp(argv[5], "mmap") == 0;
	FILE *out = fopen(argv[6], "we");
	struct stream stream;
	int r;

	if (!out)
		return fail(argv[6], -errno);
	r = stream_open(&stream, argv[1]);
	if (r < 0)
		return fail(argv[1], r);
	r = stream_start(&stream, is_mmap ? V4L2_MEMORY_MMAP : V4L2_MEMORY_USERPTR, format);
	if (r < 0)
		return fail("start", r);
	/* Some have the size of the picture. */
	r = print_controls(stream.fd);
	if (r < 0)
		return fail("controls", r);
	r = print_event(stream.fd);
	if (r < 0)
		return fail("events", r);
	r = capture(&stream, (unsigned int)atoi(argv[4]), out);
	if (r < 0)
		return fail("frames", r);
	stream_close(&stream);
	return fclose(out) == 0 ? EXIT_SUCCESS : fail(argv[6], -errno);
}

int main(int argc, char **argv)
{
	struct stream_format format = {};

	if (argc != 7 || strlen(argv[2]) != 4 ||
	    sscanf(argv[3], "%ux%u", &format.width, &format.height) != 2) {
		fprintf(stderr,
			"usage: capture NODE FORMAT WIDTHxHEIGHT FRAMES mmap|userptr FILE\n");
		return EXIT_FAILURE;
	}
	format.pixelformat = v4l2_fourcc((uint32_t)argv[2][0], (uint32_t)argv[2][1],
					 (uint32_t)argv[2][2], (uint32_t)argv[2][3]);
	return run(argv, &format);
}
