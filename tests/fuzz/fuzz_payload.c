/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_payload.c - any bytes as the payload of an ioctl command of virtio-media: structs, planes,
 * controls, EDIDs and SG lists.
 *
 * An input is four bytes, the number of the ioctl, how its halves are cut and where they are, what
 * the host does, how much room there is for the answer; then the payload. What is taken holds no
 * pointer of the guest's; what comes back holds none of the host's; and memory that nothing named
 * keeps its bytes.
 */
#include <stdio.h>
#include <string.h>

#include "devices/media/payload.h"

/* Guest memory: two regions that touch. Short, for it is compared each time. */
#define RAM	  UINT64_C(0x1000)
#define RAM_TOUCH UINT64_C(0x3000)
#define RAM_END	  UINT64_C(0x5000)
#define RAM_SIZE  (RAM_END - RAM)

#define REPLY_MAX (64 * KIB)

enum {
	CUT_MASK = 0x3f,    /* bytes of a piece; 0: all in one */
	CUT_IN_PLACE = 0x40 /* both halves are the same bytes */
};

enum {
	HOST_ASKED = 0x01,    /* payload_ask() */
	HOST_POINTERS = 0x02, /* what has data by a pointer, by the lowest bit of its id */
	HOST_WRITES = 0x04,   /* all that it is given, counts and sizes included */
};

struct fuzz {
	struct gmem *gmem;
	struct payload payload;
	struct media_file file;
	const struct media_ioctl *entry;
	const uint8_t *bytes; /* the payload as it was */
	size_t size;
	uint8_t how, host;
	uint8_t *memory;       /* the readable half */
	uint8_t ram[RAM_SIZE]; /* as it is to be */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static int host_ioctl(struct media_file *file, unsigned long cmd, void *arg)
{
	const struct fuzz *fuzz = file->owner;
	struct v4l2_query_ext_ctrl *query = arg;

	require(cmd == VIDIOC_QUERY_EXT_CTRL, "a question");
	if (fuzz->host & HOST_POINTERS && query->id & 1)
		query->flags = V4L2_CTRL_FLAG_HAS_PAYLOAD;
	return 0;
}

static void frame(struct vq_buffer *buffer, const struct fuzz *fuzz, uint8_t *at, size_t len)
{
	const size_t piece = fuzz->how & CUT_MASK ? fuzz->how & CUT_MASK : MAX(len, (size_t)1);

	*buffer = (struct vq_buffer) {.len = (uint32_t)len};
	buffer->iov = calloc(len / piece + 1, sizeof(*buffer->iov));
	require(buffer->iov, "memory");
	for (size_t part; len > 0; at += part, len -= part) {
		part = MIN(piece, len);
		buffer->iov[buffer->n++] = (struct iovec) {at, part};
	}
}

static void fill_ram(struct fuzz *fuzz)
{
	for (size_t i = 0; i < RAM_SIZE; i++)
		fuzz->ram[i] = (uint8_t)(i * 7 + i / 256);
	require(gmem_write(fuzz->gmem, RAM, fuzz->ram, RAM_SIZE) == 0, "RAM");
}

static void check_ram(const struct fuzz *fuzz)
{
	uint8_t now[RAM_SIZE];

	require(gmem_read(fuzz->gmem, RAM, now, RAM_SIZE) == 0, "RAM");
	require(memcmp(now, fuzz->ram, RAM_SIZE) == 0, "memory that was not named is left alone");
}

/* The @i-th of the structs of @size bytes behind the first struct, as the guest has sent it. */
static void sent(const struct fuzz *fuzz, size_t i, void *to, size_t size)
{
	const size_t at = media_ioctl_size(fuzz->entry) + i * size;

	require(at + size <= fuzz->size, "it was sent");
	memcpy(to, fuzz->bytes + at, size);
}

static void check_list(const struct payload_sg *sg, uint32_t len)
{
	uint64_t covered = 0;

	require(sg->len == len, "a list is as long as it should be");
	for (uint32_t i = 0; i < sg->n; i++) {
		const struct virtio_media_sg_entry *entry = &sg->entries[i];

		require(entry->len > 0 && entry->start >= RAM && entry->start < RAM_END &&
				entry->len <= RAM_END - entry->start,
			"an entry is in RAM");
		covered += entry->len;
	}
	require(covered == len, "a list covers its buffer exactly");
}

static void check_buffer(const struct fuzz *fuzz)
{
	const struct payload *payload = &fuzz->payload;
	const struct v4l2_buffer *buffer = &payload->arg.buffer;
	const bool multi = V4L2_TYPE_IS_MULTIPLANAR(buffer->type);
	const bool lists =
		(fuzz->entry->cmd == VIDIOC_QBUF || fuzz->entry->cmd == VIDIOC_PREPARE_BUF) &&
		buffer->memory == V4L2_MEMORY_USERPTR;

	require(payload->planes_n == (multi ? buffer->length : 0), "the number of planes");
	require(payload->planes_n <= VIDEO_MAX_PLANES, "not too many planes");
	if (multi)
		require(buffer->m.planes == (buffer->length ? payload->planes : NULL), "planes");
	for (unsigned int i = 0; i < VIDEO_MAX_PLANES; i++) {
		uint32_t len = 0;

		if (lists && multi && i < payload->planes_n)
			len = payload->planes[i].length;
		else if (lists && !multi && i == 0)
			len = buffer->length;
		check_list(&payload->sg[i], len);
	}
}

/* Each control's data is where the sanitizer knows it, and as long as its size says. */
static void check_controls(struct fuzz *fuzz)
{
	const struct v4l2_ext_controls *arg = &fuzz->payload.arg.controls;

	require(V4L2_CTRL_ID2WHICH(arg->which) != V4L2_CTRL_WHICH_REQUEST_VAL, "no request");
	require(arg->request_fd == 0, "no file descriptor");
	require(arg->count <= PAYLOAD_CONTROLS_MAX, "not too many controls");
	require(!arg->controls == !arg->count, "controls");
	for (uint32_t i = 0; i < arg->count; i++) {
		struct v4l2_ext_control *control = &arg->controls[i], guest;
		uint32_t sum = 0;

		sent(fuzz, i, &guest, sizeof(guest));
		require(control->id == guest.id, "the id");
		if (control->size == 0) {
			require(control->value64 == guest.value64, "a value");
			continue;
		}
		require(fuzz->host & HOST_ASKED && fuzz->host & HOST_POINTERS && guest.id & 1,
			"the host has said that there is a pointer");
		require(control->size == guest.size && control->size <= PAYLOAD_DATA_MAX,
			"the size");
		for (uint32_t b = 0; b < control->size; b++)
			sum += control->p_u8[b];
		require(sum < UINT32_MAX, "data");
		if (fuzz->host & HOST_WRITES)
			memset(control->ptr, 0xc0, control->size);
	}
}

static bool is_overlay(const struct v4l2_format *format)
{
	return format->type == V4L2_BUF_TYPE_VIDEO_OVERLAY ||
	       format->type == V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY;
}

static void check_format(const struct v4l2_format *format)
{
	if (is_overlay(format))
		require(!format->fmt.win.clips && !format->fmt.win.bitmap &&
				!format->fmt.win.clipcount,
			"no clips");
}

static void check_taken(struct fuzz *fuzz)
{
	const struct v4l2_edid *edid = &fuzz->payload.arg.edid;

	switch (fuzz->entry->layout) {
	case MEDIA_LAYOUT_FLAT:
		break;
	case MEDIA_LAYOUT_BUFFER:
		check_buffer(fuzz);
		break;
	case MEDIA_LAYOUT_CONTROLS:
		check_controls(fuzz);
		break;
	case MEDIA_LAYOUT_EDID:
		require(edid->blocks <= PAYLOAD_EDID_BLOCKS_MAX, "not too many blocks");
		require(!edid->edid == !edid->blocks, "blocks");
		if (edid->edid && fuzz->host & HOST_WRITES)
			memset(edid->edid, 0xc1, edid->blocks * 128);
		break;
	case MEDIA_LAYOUT_FORMAT:
		check_format(&fuzz->payload.arg.format);
		break;
	case MEDIA_LAYOUT_CREATE:
		check_format(&fuzz->payload.arg.create.format);
		break;
	case MEDIA_LAYOUT_FRAMEBUFFER:
		require(!fuzz->payload.arg.framebuffer.base, "no address");
		break;
	}
}

/* Where pages of the guest's are to be changed: by data of controls, and in the order of these. */
static void expect_data(struct fuzz *fuzz)
{
	const struct v4l2_ext_controls *arg = &fuzz->payload.arg.controls;
	const struct virtio_media_sg_entry *entry = fuzz->payload.entries;

	if (fuzz->entry->layout != MEDIA_LAYOUT_CONTROLS || !(fuzz->host & HOST_WRITES))
		return;
	for (uint32_t i = 0; i < arg->count; i++) {
		struct v4l2_ext_control guest;

		sent(fuzz, i, &guest, sizeof(guest));
		for (uint32_t left = guest.size; left > 0; left -= entry++->len) {
			require(entry->len <= left, "an entry is cut to fit");
			if (arg->controls[i].size)
				memset(fuzz->ram + (entry->start - RAM), 0xc0, entry->len);
		}
	}
}

/* The host writes to all of the struct that is no pointer of ours; any counts and sizes. */
static void scribble(struct fuzz *fuzz)
{
	struct payload *payload = &fuzz->payload;

	if (!(fuzz->host & HOST_WRITES))
		return;
	switch (fuzz->entry->layout) {
	case MEDIA_LAYOUT_BUFFER:
		payload->arg.buffer.length = fuzz->host * 0x01010101u >> (fuzz->host & 31);
		payload->arg.buffer.type = fuzz->host;
		break;
	case MEDIA_LAYOUT_CONTROLS:
		for (uint32_t i = 0; i < payload->arg.controls.count; i++)
			payload->arg.controls.controls[i].size ^= fuzz->host * 0x01010101u;
		payload->arg.controls.count ^= fuzz->host >> 4;
		payload->arg.controls.request_fd = 3;
		break;
	case MEDIA_LAYOUT_EDID:
		payload->arg.edid.blocks ^= fuzz->host >> 4;
		break;
	case MEDIA_LAYOUT_FORMAT:
		if (is_overlay(&payload->arg.format))
			payload->arg.format.fmt.win.clips = (void *)payload;
		payload->arg.format.type ^= fuzz->host >> 4;
		break;
	case MEDIA_LAYOUT_FRAMEBUFFER:
		payload->arg.framebuffer.base = payload;
		break;
	default:
		memset(payload->arg.bytes, fuzz->host, media_ioctl_size(fuzz->entry));
	}
}

/* An answer, as far as it goes, and what of it is to be as the guest has sent it. */
struct answer {
	const struct fuzz *fuzz;
	const uint8_t *bytes;
	size_t len;
};

static void check_same(const struct answer *answer, size_t at, size_t size)
{
	if (at + size <= answer->len)
		require(memcmp(answer->bytes + at, answer->fuzz->bytes + at, size) == 0,
			"the guest's pointers come back");
}

static void check_clips(const struct answer *answer, size_t at)
{
	struct v4l2_format format;

	memcpy(&format, answer->fuzz->bytes + at, sizeof(format));
	if (!is_overlay(&format))
		return;
	at += offsetof(struct v4l2_format, fmt.win.clips);
	check_same(answer, at, sizeof(format.fmt.win.clips) + sizeof(format.fmt.win.clipcount));
	at += offsetof(struct v4l2_window, bitmap) - offsetof(struct v4l2_window, clips);
	check_same(answer, at, sizeof(format.fmt.win.bitmap));
}

static void check_answer(const struct answer *answer)
{
	const size_t size = media_ioctl_size(answer->fuzz->entry);
	const size_t control = sizeof(struct v4l2_ext_control);
	struct v4l2_buffer buffer;

	switch (answer->fuzz->entry->layout) {
	case MEDIA_LAYOUT_FLAT:
		break;
	case MEDIA_LAYOUT_BUFFER:
		memcpy(&buffer, answer->fuzz->bytes, sizeof(buffer));
		if (V4L2_TYPE_IS_MULTIPLANAR(buffer.type))
			check_same(answer, offsetof(struct v4l2_buffer, m), sizeof(buffer.m));
		break;
	case MEDIA_LAYOUT_CONTROLS:
		check_same(answer, offsetof(struct v4l2_ext_controls, request_fd), 4);
		check_same(answer, offsetof(struct v4l2_ext_controls, controls), 8);
		for (size_t at = size; at < answer->len; at += control)
			check_same(answer, at + offsetof(struct v4l2_ext_control, value64), 8);
		break;
	case MEDIA_LAYOUT_EDID:
		check_same(answer, offsetof(struct v4l2_edid, edid), 8);
		break;
	case MEDIA_LAYOUT_FORMAT:
		check_clips(answer, 0);
		break;
	case MEDIA_LAYOUT_CREATE:
		check_clips(answer, offsetof(struct v4l2_create_buffers, format));
		break;
	case MEDIA_LAYOUT_FRAMEBUFFER:
		for (size_t i = 0; i < sizeof(void *); i++) {
			const size_t at = offsetof(struct v4l2_framebuffer, base) + i;

			require(at >= answer->len || answer->bytes[at] == 0, "no address");
		}
		break;
	}
}

static void answer(struct fuzz *fuzz, size_t room)
{
	const size_t bytes = payload_bytes(&fuzz->payload);
	const bool in_place = fuzz->how & CUT_IN_PLACE && room <= fuzz->size;
	struct vq_buffer writable;
	uint8_t *reply = in_place ? fuzz->memory : malloc(MAX(room, (size_t)1));
	struct iovec *iov;
	size_t written;

	require(reply, "memory");
	frame(&writable, fuzz, reply, room);
	iov = writable.iov;
	written = payload_write(&fuzz->payload, &writable, fuzz->gmem);
	require(written == MIN(room, bytes), "all is written, and no more");
	if (written > 0)
		check_answer(&(struct answer) {fuzz, reply, written});
	free(iov);
	if (!in_place)
		free(reply);
}

static void run(struct fuzz *fuzz, size_t room)
{
	struct vq_buffer readable;
	struct iovec *iov;
	int r;

	frame(&readable, fuzz, fuzz->memory, fuzz->size);
	iov = readable.iov;
	r = payload_read(&fuzz->payload, fuzz->entry, &readable, fuzz->gmem);
	free(iov);
	/* What is read again would be this. */
	memset(fuzz->memory, 0x5a, fuzz->size);
	if (r == 0 && fuzz->host & HOST_ASKED)
		require(payload_ask(&fuzz->payload, &fuzz->file) == 0, "the question is answered");
	if (r == 0) {
		check_taken(fuzz);
		expect_data(fuzz);
		scribble(fuzz);
	} else {
		require(payload_bytes(&fuzz->payload) == 0, "no answer to what was not taken");
	}
	answer(fuzz, room);
	check_ram(fuzz);
	payload_deinit(&fuzz->payload);
}

static struct gmem *make_ram(void)
{
	static const struct gmem_region layout[] = {
		{.gpa = RAM, .size = RAM_TOUCH - RAM},
		{.gpa = RAM_TOUCH, .size = RAM_END - RAM_TOUCH},
	};
	static const struct gmem_options options;
	struct gmem *gmem = NULL;

	require(gmem_new(&gmem, layout, ARRAY_SIZE(layout), &options, NULL) == 0, "RAM");
	return gmem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct media_backend_ops ops = {.ioctl = host_ioctl};
	static struct media_backend backend = {.ops = &ops};
	static struct gmem *gmem;
	static struct fuzz fuzz;

	if (size < 4)
		return 0;
	if (!gmem)
		gmem = make_ram();
	fuzz = (struct fuzz) {
		.gmem = gmem,
		.file = {.backend = &backend, .owner = &fuzz},
		.entry = media_ioctl_find(data[0]),
		.how = data[1],
		.host = data[2],
		.bytes = data + 4,
		.size = size - 4,
	};
	fuzz.memory = malloc(MAX(fuzz.size, (size_t)1));
	require(fuzz.memory, "memory");
	memcpy(fuzz.memory, fuzz.bytes, fuzz.size);
	fill_ram(&fuzz);
	run(&fuzz, data[3] < 0x80 ? data[3] * (size_t)4 : REPLY_MAX);
	free(fuzz.memory);
	return 0;
}
