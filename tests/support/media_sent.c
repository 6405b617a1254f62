/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_sent.c - commands that are sent and not waited for. See media_sent.h.
 */
#include "media_sent.h"

#include <string.h>

void media_sent_ioctl(struct media_rig *rig, struct media_sent *sent, uint32_t session,
		      unsigned long cmd)
{
	sent->out.head = (struct virtio_media_cmd_ioctl) {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_IOCTL},
		.session_id = session,
		.code = _IOC_NR(cmd),
	};
	sent->command = (struct media_command) {
		.out = &sent->out,
		.out_len = (uint32_t)(sizeof(sent->out.head) + _IOC_SIZE(cmd)),
		.in = sent->in,
		.in_len = (uint32_t)(8 + _IOC_SIZE(cmd)),
	};
	media_driver_send(&rig->md, &sent->command);
}

void media_sent_format(struct media_rig *rig, struct media_sent *sent, uint32_t session,
		       uint32_t type)
{
	memset(sent, 0, sizeof(*sent));
	sent->out.format.type = type;
	media_sent_ioctl(rig, sent, session, VIDIOC_S_FMT);
}

void media_sent_close(struct media_rig *rig, struct media_sent *sent, uint32_t session)
{
	memset(sent, 0, sizeof(*sent));
	sent->out.head.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE;
	sent->out.head.session_id = session;
	sent->command = (struct media_command) {
		.out = &sent->out,
		.out_len = sizeof(struct virtio_media_cmd_close),
	};
	media_driver_send(&rig->md, &sent->command);
}

uint32_t media_sent_status(const struct media_sent *sent)
{
	return ((const struct virtio_media_resp_header *)(const void *)sent->in)->status;
}

bool media_sent_sleeps(struct media_rig *rig)
{
	return fake_node_waiting(rig->node);
}
