/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c - commands of the driver: what they are, and how they are answered. See media_device.h.
 *
 * Implements virtio 1.4, media device, "Command Virtqueue", "Mapping a MMAP buffer", "Unmapping a
 * MMAP buffer". Each half of a command is a row of bytes wherever the driver has cut it. All of the
 * readable one is read before anything is written: both may be the same pages.
 */
#include <errno.h>
#include <string.h>

#include "devices/media/media_device.h"

/* What a driver must leave room for, even if the command has no response struct of its own. */
#define HEADER_BYTES sizeof(struct virtio_media_resp_header)

union command {
	struct virtio_media_cmd_header hdr;
	struct virtio_media_cmd_close close;
	struct virtio_media_cmd_ioctl ioctl;
	struct virtio_media_cmd_mmap mmap;
	struct virtio_media_cmd_munmap munmap;
};

void media_answer(struct vq_request *request, const void *response, size_t size)
{
	struct vq *vq = request->vq;

	vq_push(vq, request, (uint32_t)vq_buffer_put(&request->writable, response, size));
	/* At once, so that no event overtakes the answer of the command that has caused it. */
	vq_notify(vq);
}

void media_answer_status(struct vq_request *request, int result)
{
	const struct virtio_media_resp_header hdr = {.status = (uint32_t)-result};

	media_answer(request, &hdr, sizeof(hdr));
}

static void command_open(struct media *media, struct vq_request *request,
			 const union command *command)
{
	session_open(media, request);
}

/* There is no response: of a session that does not exist nothing can be said. */
static void command_close(struct media *media, struct vq_request *request,
			  const union command *command)
{
	struct session *session = session_find(media, command->close.session_id);

	if (session)
		session_close(session, request);
	else
		media_answer(request, NULL, 0);
}

static void command_ioctl(struct media *media, struct vq_request *request,
			  const union command *command)
{
	session_ioctl(media, request, &command->ioctl);
}

static void command_mmap(struct media *media, struct vq_request *request,
			 const union command *command)
{
	struct virtio_media_resp_mmap resp = {};
	const int r = session_map(media, &command->mmap, &resp);

	if (r < 0)
		media_answer_status(request, r);
	else
		media_answer(request, &resp, sizeof(resp));
}

static void command_munmap(struct media *media, struct vq_request *request,
			   const union command *command)
{
	const int r = media_window_unmap(media->window, command->munmap.driver_addr);

	media_answer_status(request, r);
}

/* Bytes of the command, and of the response if all goes well, without a payload. */
static const struct {
	size_t size, response;
	void (*fn)(struct media *media, struct vq_request *request, const union command *command);
} commands[] = {
	[VIRTIO_MEDIA_CMD_OPEN] = {sizeof(struct virtio_media_cmd_header),
				   sizeof(struct virtio_media_resp_open), command_open},
	[VIRTIO_MEDIA_CMD_CLOSE] = {sizeof(struct virtio_media_cmd_close), 0, command_close},
	[VIRTIO_MEDIA_CMD_IOCTL] = {sizeof(struct virtio_media_cmd_ioctl), HEADER_BYTES,
				    command_ioctl},
	[VIRTIO_MEDIA_CMD_MMAP] = {sizeof(struct virtio_media_cmd_mmap),
				   sizeof(struct virtio_media_resp_mmap), command_mmap},
	[VIRTIO_MEDIA_CMD_MUNMAP] = {sizeof(struct virtio_media_cmd_munmap), HEADER_BYTES,
				     command_munmap},
};

/* Not carried out. A driver that left no room for a header learns of it by the length 0. */
static void refuse(struct media *media, struct vq_request *request, int result, const char *why)
{
	log_limited(&media->short_commands, LOG_LEVEL_WARNING,
		    "%s: a command of the guest's is not carried out: %s", media->dev.name, why);
	if (request->writable.len < HEADER_BYTES)
		media_answer(request, NULL, 0);
	else
		media_answer_status(request, result);
}

void media_command(struct media *media, struct vq_request *request)
{
	union command command = {};
	uint8_t *bytes = (uint8_t *)&command;
	const size_t hdr = sizeof(command.hdr);
	size_t size;

	if (vq_buffer_get(&request->readable, bytes, hdr) < hdr) {
		refuse(media, request, -EINVAL, "it is too short for any");
		return;
	}
	/* As for an ioctl that does not exist: the one kind of command that drivers try out. */
	if (command.hdr.cmd >= ARRAY_SIZE(commands) || !commands[command.hdr.cmd].fn) {
		refuse(media, request, -ENOTTY, "there is no such command");
		return;
	}
	size = commands[command.hdr.cmd].size - hdr;
	if (vq_buffer_get(&request->readable, bytes + hdr, size) < size) {
		refuse(media, request, -EINVAL, "it is too short");
		return;
	}
	if (request->writable.len < commands[command.hdr.cmd].response) {
		refuse(media, request, -EINVAL, "there is no room for the response");
		return;
	}
	commands[command.hdr.cmd].fn(media, request, &command);
}
