/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload_rig.c - see payload_rig.h. Halves are allocations of their exact size, unless they are to
 * be in guest memory, so that a sanitizer sees what is read or written behind them.
 */
#include "payload_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int host_ioctl(struct media_file *file, unsigned long cmd, void *arg)
{
	struct payload_rig *rig = file->owner;
	struct v4l2_query_ext_ctrl *query = arg;

	assert_int_equal(cmd, VIDIOC_QUERY_EXT_CTRL);
	if (rig->asked_n < RIG_ASKED_MAX)
		rig->asked[rig->asked_n++] = query->id;
	if (rig->ask_result < 0)
		return rig->ask_result;
	for (size_t i = 0; i < ARRAY_SIZE(rig->strings); i++) {
		if (rig->strings[i] == query->id)
			query->flags = V4L2_CTRL_FLAG_HAS_PAYLOAD;
	}
	return 0;
}

static const struct media_backend_ops host_ops = {.ioctl = host_ioctl};

void payload_rig_init(struct payload_rig *rig)
{
	const struct gmem_region layout[] = {
		{.gpa = RIG_LOW, .size = RIG_TOUCH - RIG_LOW},
		{.gpa = RIG_TOUCH, .size = RIG_END - RIG_TOUCH},
	};
	const struct gmem_options options = {0};
	struct error err;

	*rig = (struct payload_rig) {.backend.ops = &host_ops};
	rig->file.backend = &rig->backend;
	rig->file.owner = rig;
	if (gmem_new(&rig->gmem, layout, ARRAY_SIZE(layout), &options, &err) < 0)
		fail_msg("%s", err.text);
}

static void drop(struct payload_rig *rig)
{
	if (rig->whole)
		payload_deinit(&rig->payload);
	free(rig->memory);
	free(rig->reply);
	rig->memory = rig->reply = NULL;
	rig->whole = false;
}

void payload_rig_deinit(struct payload_rig *rig)
{
	drop(rig);
	free(rig->bytes);
	gmem_free(rig->gmem);
}

void payload_rig_begin(struct payload_rig *rig)
{
	drop(rig);
	rig->len = 0;
	rig->asked_n = 0;
}

void payload_rig_add(struct payload_rig *rig, const void *bytes, size_t len)
{
	if (rig->len + len > rig->capacity) {
		rig->capacity = 2 * (rig->len + len);
		rig->bytes = realloc(rig->bytes, rig->capacity);
		assert_non_null(rig->bytes);
	}
	memcpy(rig->bytes + rig->len, bytes, len);
	rig->len += len;
}

void payload_rig_add_sg(struct payload_rig *rig, uint64_t start, uint32_t len)
{
	const struct virtio_media_sg_entry entry = {start, len, 0xdeadbeef};

	payload_rig_add(rig, &entry, sizeof(entry));
}

/* The caller frees buffer->iov as it is now. */
static void frame(const struct payload_rig *rig, struct vq_buffer *buffer, uint8_t *at, size_t len)
{
	size_t piece = rig->cut ? rig->cut : len;

	*buffer = (struct vq_buffer) {.len = (uint32_t)len};
	buffer->iov = calloc((rig->cut ? len / rig->cut : 0) + 2, sizeof(*buffer->iov));
	assert_non_null(buffer->iov);
	if (rig->split)
		piece = rig->split;
	while (len > 0) {
		const size_t part = MIN(piece, len);

		buffer->iov[buffer->n++] = (struct iovec) {at, part};
		at += part;
		len -= part;
		if (rig->split)
			piece = len;
	}
}

int payload_rig_read(struct payload_rig *rig, unsigned long cmd, size_t len)
{
	struct vq_buffer readable;
	struct iovec *iov;
	uint8_t *at;
	int r;

	drop(rig);
	assert_true(len <= rig->len);
	if (rig->in_ram) {
		at = gmem_at(rig->gmem, RIG_COMMAND, len);
	} else {
		at = rig->memory = malloc(len ? len : 1);
	}
	assert_non_null(at);
	if (len)
		memcpy(at, rig->bytes, len);
	frame(rig, &readable, at, len);
	iov = readable.iov;
	r = payload_read(&rig->payload, media_ioctl_find(_IOC_NR(cmd)), &readable, rig->gmem);
	rig->whole = true;
	/* What was read is not looked at again. */
	if (!rig->in_ram && len)
		memset(at, 0x5a, len);
	free(iov);
	return r;
}

int payload_rig_read_all(struct payload_rig *rig, unsigned long cmd)
{
	return payload_rig_read(rig, cmd, rig->len);
}

int payload_rig_ask(struct payload_rig *rig)
{
	return payload_ask(&rig->payload, &rig->file);
}

size_t payload_rig_write(struct payload_rig *rig, size_t room)
{
	struct vq_buffer writable;
	struct iovec *iov;
	uint8_t *at;
	size_t written;

	free(rig->reply);
	rig->reply = at = malloc(room ? room : 1);
	assert_non_null(at);
	if (rig->in_ram)
		at = gmem_at(rig->gmem, RIG_COMMAND, room);
	else if (rig->in_place && room <= rig->len)
		at = rig->memory;
	assert_non_null(at);
	frame(rig, &writable, at, room);
	iov = writable.iov;
	written = payload_write(&rig->payload, &writable, rig->gmem);
	assert_true(written <= room);
	assert_int_equal(writable.len, room - written);
	if (at != rig->reply && room)
		memcpy(rig->reply, at, room);
	free(iov);
	return written;
}

void payload_rig_fill(void *to, size_t len, unsigned int seed)
{
	uint8_t *at = to;

	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(seed * 31 + i * 7 + i / 251 + 1);
}
