/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_sent.h - commands for a virtio-media device that are sent and not waited for.
 *
 * For tests of calls that hang. The memory of a command is its own, and stays until it is done.
 */
#ifndef VMM_TEST_MEDIA_SENT_H
#define VMM_TEST_MEDIA_SENT_H

#include "media_rig.h"

struct media_sent {
	struct {
		struct virtio_media_cmd_ioctl head;
		union {
			struct v4l2_format format;
			struct v4l2_buffer buffer;
			uint32_t type;
		};
	} out;
	uint8_t in[8 + sizeof(struct v4l2_format)];
	struct media_command command;
};

/* media_sent_ioctl - with what is in sent->out behind the header. */
void media_sent_ioctl(struct media_rig *rig, struct media_sent *sent, uint32_t session,
		      unsigned long cmd);

/* media_sent_format - S_FMT of @type. */
void media_sent_format(struct media_rig *rig, struct media_sent *sent, uint32_t session,
		       uint32_t type);

/* media_sent_close - CLOSE. */
void media_sent_close(struct media_rig *rig, struct media_sent *sent, uint32_t session);

/* media_sent_status - of its answer, once it is done. */
uint32_t media_sent_status(const struct media_sent *sent);

/* media_sent_sleeps - for media_rig_until(): a call of the node's sleeps. */
bool media_sent_sleeps(struct media_rig *rig);

#endif
