/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_commands.c - the commands of virtio-media, as a driver puts them together. See
 * media_driver.h.
 *
 * Virtio 1.4, media device, "Device Operation". What follows a struct comes in the order of the
 * pointers in it; lists of guest memory only in the readable half. Test's thread.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_driver.h"

#define NO_STATUS UINT32_MAX /* the answer is too short to have one */

static uint32_t call(struct media_driver *md, const void *out, uint32_t out_len, void *in,
		     uint32_t in_len)
{
	struct media_command command = {
		.out = out,
		.out_len = out_len,
		.in = in,
		.in_len = in_len,
		.cut = md->cut,
	};

	media_driver_call(md, &command);
	md->used = command.used;
	return command.used < 4 ? NO_STATUS : *(uint32_t *)in;
}

uint32_t media_driver_open(struct media_driver *md, uint32_t *session)
{
	const struct virtio_media_cmd_header out = {
		.cmd = VIRTIO_MEDIA_CMD_OPEN, .reserved = 0x5eed5eed, /* stale, ignored */
	};
	struct virtio_media_resp_open in = {.session_id = 0};
	uint32_t status = call(md, &out, sizeof(out), &in, sizeof(in));

	if (status == 0)
		assert_int_equal(md->used, sizeof(in));
	*session = in.session_id;
	return status;
}

uint32_t media_driver_session(struct media_driver *md)
{
	uint32_t session;

	assert_int_equal(media_driver_open(md, &session), 0);
	return session;
}

void media_driver_close(struct media_driver *md, uint32_t session)
{
	const struct virtio_media_cmd_close out = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_CLOSE},
		.session_id = session,
		.reserved = 0x5eed5eed,
	};

	call(md, &out, sizeof(out), NULL, 0);
	assert_int_equal(md->used, 0);
}

uint32_t media_driver_mmap(struct media_driver *md, uint32_t session, uint32_t flags,
			   uint32_t offset, uint64_t *addr, uint64_t *len)
{
	const struct virtio_media_cmd_mmap out = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_MMAP},
		.session_id = session,
		.flags = flags,
		.offset = offset,
	};
	struct virtio_media_resp_mmap in = {.driver_addr = 0};
	uint32_t status = call(md, &out, sizeof(out), &in, sizeof(in));

	if (status == 0) {
		assert_int_equal(md->used, sizeof(in));
		*addr = in.driver_addr;
		*len = in.len;
	}
	return status;
}

uint32_t media_driver_munmap(struct media_driver *md, uint64_t addr)
{
	const struct virtio_media_cmd_munmap out = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_MUNMAP},
		.driver_addr = addr,
	};
	struct virtio_media_resp_header in = {.status = 0};
	uint32_t status = call(md, &out, sizeof(out), &in, sizeof(in));

	assert_int_equal(md->used, sizeof(in));
	return status;
}

uint32_t media_driver_bytes(struct media_driver *md, uint32_t session, uint32_t code,
			    const void *out, uint32_t out_len, void *in, uint32_t in_len)
{
	const struct virtio_media_cmd_ioctl head = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_IOCTL, .reserved = 0x5eed5eed},
		.session_id = session,
		.code = code,
	};
	const uint32_t resp = sizeof(struct virtio_media_resp_header);
	_cleanup_(freep) uint8_t *readable = malloc(sizeof(head) + out_len);
	_cleanup_(freep) uint8_t *writable = malloc(resp + in_len);
	struct media_command command = {
		.out = readable,
		.out_len = (uint32_t)sizeof(head) + out_len,
		.in = writable,
		.in_len = resp + in_len,
		.cut = md->cut,
		.in_place = md->in_place,
	};

	assert_non_null(readable);
	assert_non_null(writable);
	memcpy(readable, &head, sizeof(head));
	if (out_len)
		memcpy(readable + sizeof(head), out, out_len);
	media_driver_call(md, &command);
	md->used = command.used;
	assert_true(md->used >= resp);
	if (in && md->used > resp)
		memcpy(in, writable + resp, md->used - resp);
	return ((const struct virtio_media_resp_header *)(void *)writable)->status;
}

/* A struct, what follows it in both directions, and guest memory. */
struct parts {
	void *arg, *tail;
	uint32_t tail_len;
	const struct media_sg *sg;
	unsigned int sg_n;
};

static uint32_t ioctl_parts(struct media_driver *md, uint32_t session, unsigned long cmd,
			    const struct parts *parts)
{
	const uint32_t size = _IOC_SIZE(cmd), both = size + parts->tail_len;
	const uint32_t out = _IOC_DIR(cmd) & _IOC_WRITE ? both : 0;
	const uint32_t in = _IOC_DIR(cmd) & _IOC_READ ? both : 0;
	_cleanup_(freep) uint8_t *bytes = NULL;
	uint32_t sg_bytes = 0, at = both, status, back;

	for (unsigned int i = 0; i < parts->sg_n; i++)
		sg_bytes += parts->sg[i].n * (uint32_t)sizeof(*parts->sg[i].entries);
	bytes = malloc(both + sg_bytes + 1);
	assert_non_null(bytes);
	if (size)
		memcpy(bytes, parts->arg, size);
	if (parts->tail_len)
		memcpy(bytes + size, parts->tail, parts->tail_len);
	for (unsigned int i = 0; i < parts->sg_n; i++) {
		const uint32_t n = parts->sg[i].n * (uint32_t)sizeof(*parts->sg[i].entries);

		if (n)
			memcpy(bytes + at, parts->sg[i].entries, n);
		at += n;
	}
	status = media_driver_bytes(md, session, _IOC_NR(cmd), bytes, out ? out + sg_bytes : 0,
				    bytes, in);
	back = md->used - (uint32_t)sizeof(struct virtio_media_resp_header);
	if (back) {
		memcpy(parts->arg, bytes, MIN(back, size));
		if (back > size)
			memcpy(parts->tail, bytes + size, back - size);
	}
	return status;
}

uint32_t media_driver_ioctl(struct media_driver *md, uint32_t session, unsigned long cmd, void *arg)
{
	const struct parts parts = {.arg = arg};

	return ioctl_parts(md, session, cmd, &parts);
}

uint32_t media_driver_buffer(struct media_driver *md, uint32_t session, unsigned long cmd,
			     struct v4l2_buffer *buffer, struct v4l2_plane *planes,
			     const struct media_sg *sg, unsigned int sg_n)
{
	const bool multi = V4L2_TYPE_IS_MULTIPLANAR(buffer->type);
	const struct parts parts = {
		.arg = buffer,
		.tail = planes,
		.tail_len = multi ? buffer->length * (uint32_t)sizeof(*planes) : 0,
		.sg = sg,
		.sg_n = sg_n,
	};

	return ioctl_parts(md, session, cmd, &parts);
}

uint32_t media_driver_controls(struct media_driver *md, uint32_t session, unsigned long cmd,
			       struct v4l2_ext_controls *controls, struct v4l2_ext_control *list,
			       const struct media_sg *sg, unsigned int sg_n)
{
	const struct parts parts = {
		.arg = controls,
		.tail = list,
		.tail_len = controls->count * (uint32_t)sizeof(*list),
		.sg = sg,
		.sg_n = sg_n,
	};

	return ioctl_parts(md, session, cmd, &parts);
}

void media_driver_alive(struct media_driver *md)
{
	const uint32_t session = media_driver_session(md);

	media_driver_close(md, session);
}
