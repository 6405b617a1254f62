/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_rig.c - a virtio-media device over a fake V4L2 node. See media_rig.h.
 */
#include "media_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static enum loop_kind kind = LOOP_EPOLL;
static bool packed, slow;

bool media_rig_select(int argc, char **argv)
{
	struct loop *loop;
	struct error err;

	/* Warnings of what the tests do on purpose. */
	log_set_level(LOG_LEVEL_ERROR);
	for (int i = 1; i < argc; i++) {
		packed |= strcmp(argv[i], "packed") == 0;
		slow |= strcmp(argv[i], "slow") == 0;
		if (strcmp(argv[i], "uring") == 0)
			kind = LOOP_URING;
	}
	if (kind == LOOP_EPOLL)
		return true;
	if (loop_new(&loop, kind, LOOP_FILE_IO, &err) < 0) {
		printf("1..0 # SKIP %s\n", err.text);
		return false;
	}
	loop_free(loop);
	return true;
}

enum loop_kind media_rig_kind(void)
{
	return kind;
}

uint64_t media_rig_features(void)
{
	const uint64_t both = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);

	return packed ? both | VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) |
				VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)
		      : both;
}

bool media_rig_slow(void)
{
	return slow;
}

void media_rig_init(struct media_rig *rig, const struct media_rig_options *options)
{
	struct media_options media = media_driver_defaults();
	struct fake_options fake = options->fake;

	rig->fds = media_driver_fds();
	fake.blocking = slow && !options->quick;
	media.label = options->media.label;
	media.clock = options->media.clock;
	if (options->media.shm)
		media.shm = options->media.shm;
	if (options->media.sessions_max)
		media.sessions_max = options->media.sessions_max;
	if (options->media.buffers_max)
		media.buffers_max = options->media.buffers_max;
	media_driver_init(&rig->md, kind, !options->alone, options->private_memory);
	rig->node = fake_node_new(rig->md.driver.env.loop, &fake);
	media_driver_attach(&rig->md, fake_node_backend(rig->node), &media);
	media_driver_start(&rig->md, media_rig_features(),
			   options->no_events ? 0
			   : options->events  ? options->events
					      : MEDIA_DRIVER_EVENTS);
}

/* A call that was given up outlives the device, until its thread has had its turn. */
static void wait_until_freed(struct fake_node *node)
{
	for (unsigned int ms = 0; ms < 10000 && !fake_node_freed(node); ms++)
		usleep(1000);
}

void media_rig_deinit(struct media_rig *rig)
{
	const char *problem;

	media_driver_deinit(&rig->md);
	wait_until_freed(rig->node);
	problem = fake_node_problem(rig->node);
	if (problem)
		fail_msg("the device broke a rule: %s", problem);
	assert_true(fake_node_freed(rig->node));
	assert_int_equal(fake_node_opened(rig->node), fake_node_closed(rig->node));
	fake_node_free(rig->node);
	assert_int_equal(media_driver_fds(), rig->fds);
}

uint32_t media_rig_open(struct media_rig *rig)
{
	return media_driver_session(&rig->md);
}

uint32_t media_rig_reqbufs(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t memory,
			   uint32_t count)
{
	struct v4l2_requestbuffers arg = {.count = count, .type = type, .memory = memory};

	return media_driver_ioctl(&rig->md, session, VIDIOC_REQBUFS, &arg);
}

static uint32_t with_planes(struct media_rig *rig, uint32_t session, unsigned long cmd,
			    struct v4l2_buffer *buffer, struct v4l2_plane *planes)
{
	if (V4L2_TYPE_IS_MULTIPLANAR(buffer->type))
		buffer->length = VIDEO_MAX_PLANES;
	return media_driver_buffer(&rig->md, session, cmd, buffer, planes, NULL, 0);
}

uint32_t media_rig_querybuf(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t index,
			    struct v4l2_buffer *buffer, struct v4l2_plane *planes)
{
	memset(planes, 0, VIDEO_MAX_PLANES * sizeof(*planes));
	*buffer = (struct v4l2_buffer) {.type = type, .index = index};
	return with_planes(rig, session, VIDIOC_QUERYBUF, buffer, planes);
}

uint32_t media_rig_qbuf(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t index)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
	struct v4l2_buffer buffer = {.type = type, .index = index, .memory = V4L2_MEMORY_MMAP};

	return with_planes(rig, session, VIDIOC_QBUF, &buffer, planes);
}

uint32_t media_rig_stream(struct media_rig *rig, uint32_t session, uint32_t type, bool on)
{
	return media_driver_ioctl(&rig->md, session, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF,
				  &type);
}

uint32_t media_rig_offset(struct media_rig *rig, uint32_t session, uint32_t type, uint32_t index,
			  unsigned int plane)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;

	assert_int_equal(media_rig_querybuf(rig, session, type, index, &buffer, planes), 0);
	return V4L2_TYPE_IS_MULTIPLANAR(type) ? planes[plane].m.mem_offset : buffer.m.offset;
}

uint32_t media_rig_streaming(struct media_rig *rig, uint32_t type, uint32_t n)
{
	const uint32_t session = media_rig_open(rig);

	assert_int_equal(media_rig_reqbufs(rig, session, type, V4L2_MEMORY_MMAP, n), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(media_rig_qbuf(rig, session, type, i), 0);
	assert_int_equal(media_rig_stream(rig, session, type, true), 0);
	return session;
}

uint32_t media_rig_frame(struct media_rig *rig, uint32_t session, struct media_event *event)
{
	media_driver_event(&rig->md, event);
	assert_int_equal(event->len, sizeof(event->dqbuf));
	assert_int_equal(event->hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	assert_int_equal(event->hdr.session_id, session);
	return event->dqbuf.buffer.index;
}

void media_rig_until(struct media_rig *rig, bool (*fn)(struct media_rig *rig))
{
	for (unsigned int i = 0; i < 10000; i++) {
		if (fn(rig))
			return;
		media_driver_pause(&rig->md, 1);
	}
	fail_msg("it does not come about");
}

void media_rig_closed(struct media_rig *rig, unsigned int n)
{
	for (unsigned int i = 0; i < 10000 && fake_node_closed(rig->node) < n; i++)
		media_driver_pause(&rig->md, 1);
	assert_int_equal(fake_node_closed(rig->node), n);
}
