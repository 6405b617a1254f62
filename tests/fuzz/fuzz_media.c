/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_media.c - any bytes as what a guest's driver does to a virtio-media device, and a V4L2 node
 * of the host's behind it.
 *
 * An input is a byte that chooses rings and node, then a row of records: a byte that says what
 * happens, and its operands; what is missing at the end is 0. The node is the fake one, whose
 * problem with the device, if it has one, is a finding. After it, a reset and a driver that keeps
 * to the rules, the device is as usable as before, and all files but one are closed.
 */
#include <stdio.h>
#include <string.h>

#include "fake_node.h"
#include "log.h"
#include "media_driver.h"

#define QUEUE_EVENTS 4
#define PAYLOAD_MAX  1024
#define FILES_MAX    1500 /* of the fake's, which keeps them all */
#define TYPES_N	     4

enum record {
	RECORD_BYTES,	 /* length, room, cut; bytes: any command */
	RECORD_OPEN,	 /* a session, in the next place of eight */
	RECORD_CLOSE,	 /* place */
	RECORD_IOCTL,	 /* place, number, room; length, bytes: a payload */
	RECORD_REQBUFS,	 /* place, type and memory, count */
	RECORD_QBUF,	 /* place, type and memory, index; pieces of guest memory */
	RECORD_STREAM,	 /* place, type and on or off */
	RECORD_MMAP,	 /* place, flags, type, index */
	RECORD_MUNMAP,	 /* which: one that was mapped, and bytes beside it */
	RECORD_COMPLETE, /* file, type, flags: a frame */
	RECORD_EVENT,	 /* type: an event of V4L2's for all files */
	RECORD_HOST,	 /* number, result: the host's answer from now on */
	RECORD_EVENTQ,	 /* how many, size: more buffers for events */
	RECORD_UNPLUG,
	RECORD_START, /* features: a new life */
	RECORD_KINDS,
};

/* First byte of an input. */
enum {
	CHOOSE_PACKED = 0x01,
	CHOOSE_INDIRECT = 0x02,
	CHOOSE_EVENT_IDX = 0x04,
	CHOOSE_M2M = 0x08,
	CHOOSE_NO_USERPTR = 0x10,
	CHOOSE_COMPLETE_ALL = 0x20,
	CHOOSE_IN_PLACE = 0x40,
};

struct fuzz {
	struct media_driver md;
	struct fake_node *node;
	const uint8_t *data;
	size_t size;
	uint32_t sessions[8];
	unsigned int next;
	uint64_t maps[8];
	unsigned int maps_n;
	bool unplugged;
};

static const uint32_t types[TYPES_N + 1] = {
	V4L2_BUF_TYPE_VIDEO_CAPTURE,
	V4L2_BUF_TYPE_VIDEO_OUTPUT,
	V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
	V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
	0,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* The next @n bytes, little endian. */
static uint64_t take(struct fuzz *fuzz, size_t n)
{
	uint8_t bytes[8] = {0};
	uint64_t value;

	n = MIN(n, fuzz->size);
	if (n)
		memcpy(bytes, fuzz->data, n);
	fuzz->data += n;
	fuzz->size -= n;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static size_t take_bytes(struct fuzz *fuzz, uint8_t *to, size_t n)
{
	n = MIN(n, fuzz->size);
	n = MIN(n, (size_t)PAYLOAD_MAX);
	if (n)
		memcpy(to, fuzz->data, n);
	fuzz->data += n;
	fuzz->size -= n;
	return n;
}

static uint32_t take_session(struct fuzz *fuzz)
{
	return fuzz->sessions[take(fuzz, 1) % 8];
}

static void start(struct fuzz *fuzz, uint8_t choice)
{
	uint64_t features = 0;

	if (choice & CHOOSE_PACKED)
		features |= VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
	if (choice & CHOOSE_INDIRECT)
		features |= VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
	if (choice & CHOOSE_EVENT_IDX)
		features |= VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
	media_driver_start(&fuzz->md, features, QUEUE_EVENTS);
	memset(fuzz->sessions, 0, sizeof(fuzz->sessions));
	fuzz->maps_n = 0;
}

static void run_bytes(struct fuzz *fuzz)
{
	static uint8_t in[PAYLOAD_MAX], out[PAYLOAD_MAX];
	const uint32_t len = (uint32_t)take(fuzz, 1), room = (uint32_t)take(fuzz, 1);
	struct media_command command = {.out = out, .in = in, .in_len = room};

	command.cut = (uint32_t)take(fuzz, 1) % 32;
	command.out_len = (uint32_t)take_bytes(fuzz, out, len);
	if (command.out_len + room > 0)
		media_driver_call(&fuzz->md, &command);
}

static void run_ioctl(struct fuzz *fuzz)
{
	static uint8_t out[PAYLOAD_MAX], in[4096];
	const uint32_t session = take_session(fuzz), code = (uint32_t)take(fuzz, 1);
	const uint32_t room = (uint32_t)take(fuzz, 1) * 16;
	const size_t len = take_bytes(fuzz, out, take(fuzz, 2));

	media_driver_bytes(&fuzz->md, session, code, out, (uint32_t)len, in, room);
}

static void run_reqbufs(struct fuzz *fuzz)
{
	const uint32_t session = take_session(fuzz), kind = (uint32_t)take(fuzz, 1);
	struct v4l2_requestbuffers arg = {
		.type = types[kind % TYPES_N],
		.memory = 1 + (kind >> 4) % 4,
		.count = (uint32_t)take(fuzz, 1),
	};

	media_driver_ioctl(&fuzz->md, session, VIDIOC_REQBUFS, &arg);
}

/* Pieces lie in the test's pages, or somewhat beyond all memory. */
static void run_qbuf(struct fuzz *fuzz)
{
	const uint32_t session = take_session(fuzz), kind = (uint32_t)take(fuzz, 1);
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct virtio_media_sg_entry entries[8];
	struct v4l2_buffer buffer = {
		.type = types[kind % TYPES_N],
		.memory = 1 + (kind >> 4) % 4,
		.index = (uint32_t)take(fuzz, 1),
	};
	const uint32_t shape = (uint32_t)take(fuzz, 1);
	struct media_sg sg = {entries, shape % 8};

	buffer.length =
		V4L2_TYPE_IS_MULTIPLANAR(buffer.type) ? shape >> 4 & 7 : (uint32_t)take(fuzz, 3);
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++)
		planes[i] = (struct v4l2_plane) {.length = i ? 0 : (uint32_t)take(fuzz, 3)};
	for (uint32_t i = 0; i < sg.n; i++)
		entries[i] = (struct virtio_media_sg_entry) {
			.start = MEDIA_DRIVER_PAGES + take(fuzz, 3) * 4,
			.len = (uint32_t)take(fuzz, 3),
		};
	media_driver_buffer(&fuzz->md, session, kind & 0x80 ? VIDIOC_PREPARE_BUF : VIDIOC_QBUF,
			    &buffer, planes, &sg, 1);
}

static void run_stream(struct fuzz *fuzz)
{
	const uint32_t session = take_session(fuzz), kind = (uint32_t)take(fuzz, 1);
	uint32_t type = types[kind % TYPES_N];

	media_driver_ioctl(&fuzz->md, session, kind & 0x80 ? VIDIOC_STREAMOFF : VIDIOC_STREAMON,
			   &type);
}

static void run_mmap(struct fuzz *fuzz)
{
	const uint32_t session = take_session(fuzz), kind = (uint32_t)take(fuzz, 1);
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
	struct v4l2_buffer buffer = {
		.type = types[kind % TYPES_N],
		.index = (uint32_t)take(fuzz, 1) % 32,
	};
	const bool multi = V4L2_TYPE_IS_MULTIPLANAR(buffer.type);
	uint64_t addr, len;
	uint32_t offset;

	buffer.length = multi ? VIDEO_MAX_PLANES : 0;
	media_driver_buffer(&fuzz->md, session, VIDIOC_QUERYBUF, &buffer, planes, NULL, 0);
	offset = multi ? planes[kind >> 4 & 1].m.mem_offset : buffer.m.offset;
	if (media_driver_mmap(&fuzz->md, session, kind >> 5, offset, &addr, &len) != 0)
		return;
	/* All of it is there, as whatever it is mapped. */
	require(len > 0 && addr + len <= 2 * media_window_half(media_window(fuzz->md.media)),
		"a mapping within the region");
	(void)*(volatile uint8_t *)media_driver_at(&fuzz->md, addr + len - 1);
	fuzz->maps[fuzz->maps_n++ % 8] = addr;
}

static void run_host(struct fuzz *fuzz)
{
	const unsigned long nr = take(fuzz, 1);
	const struct fake_answer answer = {.result = -(int)(take(fuzz, 1) % 134)};

	/* A host that says that QUERYBUF or REQBUFS succeeds without doing it is none. */
	if (answer.result == 0 && (nr == 8 || nr == 9 || nr == 17 || nr == 89 || nr == 92))
		return;
	fake_node_answer(fuzz->node, nr, answer.result == -1 ? NULL : &answer);
}

static void drop_events(struct fuzz *fuzz)
{
	struct media_event event;

	while (media_driver_take(&fuzz->md, &event))
		require(event.len == 0 || event.len == 144 || event.len == 608,
			"an event of a length that there is");
}

static void run_record(struct fuzz *fuzz)
{
	struct v4l2_event event = {.type = 0};
	uint32_t *place;

	switch ((enum record)(take(fuzz, 1) % RECORD_KINDS)) {
	case RECORD_BYTES:
		run_bytes(fuzz);
		break;
	case RECORD_OPEN:
		place = &fuzz->sessions[fuzz->next++ % 8];
		if (fake_node_opened(fuzz->node) < FILES_MAX)
			media_driver_open(&fuzz->md, place);
		break;
	case RECORD_CLOSE:
		media_driver_close(&fuzz->md, take_session(fuzz));
		break;
	case RECORD_IOCTL:
		run_ioctl(fuzz);
		break;
	case RECORD_REQBUFS:
		run_reqbufs(fuzz);
		break;
	case RECORD_QBUF:
		run_qbuf(fuzz);
		break;
	case RECORD_STREAM:
		run_stream(fuzz);
		break;
	case RECORD_MMAP:
		run_mmap(fuzz);
		break;
	case RECORD_MUNMAP:
		media_driver_munmap(&fuzz->md, fuzz->maps[take(fuzz, 1) % 8] + take(fuzz, 2) * 512);
		break;
	case RECORD_COMPLETE:
		fake_node_complete(fuzz->node, (unsigned int)take(fuzz, 1),
				   types[take(fuzz, 1) % TYPES_N], 1,
				   (uint32_t)take(fuzz, 3) & ~(uint32_t)V4L2_BUF_FLAG_REQUEST_FD,
				   (uint32_t)take(fuzz, 3));
		break;
	case RECORD_EVENT:
		event.type = (uint32_t)take(fuzz, 1) % 8;
		fake_node_event(fuzz->node, &event, take(fuzz, 1) & 1);
		break;
	case RECORD_HOST:
		run_host(fuzz);
		break;
	case RECORD_EVENTQ:
		if (fuzz->md.event_slots < 64)
			media_driver_fill(&fuzz->md, (unsigned int)take(fuzz, 1) % 8,
					  1 + (uint32_t)take(fuzz, 2) % 1024);
		break;
	case RECORD_UNPLUG:
		fake_node_unplug(fuzz->node);
		fuzz->unplugged = true;
		break;
	case RECORD_START:
		start(fuzz, (uint8_t)take(fuzz, 1));
		break;
	case RECORD_KINDS:
		break;
	}
	drop_events(fuzz);
}

static void check(struct fuzz *fuzz, uint8_t choice)
{
	const char *problem;
	uint32_t session;

	start(fuzz, choice);
	fake_node_open_result(fuzz->node, 0);
	require(fake_node_opened(fuzz->node) == fake_node_closed(fuzz->node), "no file is left");
	require(media_window_mapped(media_window(fuzz->md.media)) == 0, "nothing is mapped");
	require((media_driver_open(&fuzz->md, &session) == 0) == !fuzz->unplugged, "a session");
	problem = fake_node_problem(fuzz->node);
	if (problem)
		require(false, problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	struct fake_options options = {.types = types, .length = 9000};
	struct media_options media = media_driver_defaults();
	uint8_t choice;

	fuzz = (struct fuzz) {.data = data, .size = size};
	choice = (uint8_t)take(&fuzz, 1);
	options.m2m = choice & CHOOSE_M2M;
	options.no_userptr = choice & CHOOSE_NO_USERPTR;
	options.complete_all = choice & CHOOSE_COMPLETE_ALL;
	media.shm = 2 * MIB;
	media.sessions_max = 16;
	media.buffers_max = 64;
	log_set_level(LOG_LEVEL_ERROR);
	media_driver_init(&fuzz.md, LOOP_EPOLL, false, false);
	fuzz.md.in_place = choice & CHOOSE_IN_PLACE;
	fuzz.node = fake_node_new(fuzz.md.driver.env.loop, &options);
	media_driver_attach(&fuzz.md, fake_node_backend(fuzz.node), &media);
	start(&fuzz, choice);
	while (fuzz.size)
		run_record(&fuzz);
	check(&fuzz, choice);
	media_driver_deinit(&fuzz.md);
	require(fake_node_freed(fuzz.node), "the backend is freed");
	fake_node_free(fuzz.node);
	return 0;
}
