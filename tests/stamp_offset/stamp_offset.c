/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stamp_offset.c - in a guest: how far the clock of a camera's time stamps is ahead of the guest's.
 *
 * A control's initial event (V4L2_EVENT_SUB_FL_SEND_INITIAL) is stamped between the call that asks
 * for it and its return. Each round so bounds the offset from both sides; all bounds together
 * leave a few microseconds. --media ...,timestamps=guest is right up to a constant, which this
 * measures, so that the latency of frames can be told. Run by the guest of ./demo.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/videodev2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define ROUNDS 200

static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return nanoseconds(time);
}

static int first_control(int fd, uint32_t *id)
{
	struct v4l2_query_ext_ctrl query = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};

	while (ioctl(fd, VIDIOC_QUERY_EXT_CTRL, &query) == 0) {
		*id = query.id;
		if (query.type != V4L2_CTRL_TYPE_CTRL_CLASS)
			return 0;
		query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	}
	return -1;
}

/* @low, @high: narrowed. */
static int measure(int fd, uint32_t id, int64_t *low, int64_t *high)
{
	struct v4l2_event_subscription subscription = {.type = V4L2_EVENT_CTRL,
						       .id = id,
						       .flags = V4L2_EVENT_SUB_FL_SEND_INITIAL};
	struct v4l2_event event;
	int64_t before = now(), after, stamp;

	if (ioctl(fd, VIDIOC_SUBSCRIBE_EVENT, &subscription) < 0)
		return -1;
	after = now();
	if (ioctl(fd, VIDIOC_DQEVENT, &event) < 0)
		return -1;
	stamp = nanoseconds(event.timestamp);
	*low = stamp - after > *low ? stamp - after : *low;
	*high = stamp - before < *high ? stamp - before : *high;
	return ioctl(fd, VIDIOC_UNSUBSCRIBE_EVENT, &subscription);
}

int main(int argc, char **argv)
{
	int64_t low = INT64_MIN, high = INT64_MAX;
	uint32_t id;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: stamp_offset NODE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_NONBLOCK);
	if (fd < 0) {
		fprintf(stderr, "stamp_offset: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	if (first_control(fd, &id) < 0) {
		fprintf(stderr, "stamp_offset: %s has no control\n", argv[1]);
		return 1;
	}
	for (int i = 0; i < ROUNDS; i++)
		if (measure(fd, id, &low, &high) < 0) {
			fprintf(stderr, "stamp_offset: %s: events: %s\n", argv[1], strerror(errno));
			return 1;
		}
	if (low > high) {
		fprintf(stderr, "stamp_offset: %s: the clocks do not run alike\n", argv[1]);
		return 1;
	}
	printf("offset %" PRId64 " ns, error %" PRId64 " ns\n", (low + high) / 2, (high - low) / 2);
	return 0;
}
