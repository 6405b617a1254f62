/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_media.h - the wire protocol of virtio-media: commands, their responses, events.
 *
 * Virtio 1.4, media device. All numbers are little endian, as the hosts that we run on are; what
 * <linux/videodev2.h> defines is in its 64-bit layout. `status` and `error` are positive errno.
 */
#ifndef VMM_VIRTIO_MEDIA_H
#define VMM_VIRTIO_MEDIA_H

#include <linux/videodev2.h>

#include "base.h"

/* Virtqueues */
enum { VIRTIO_MEDIA_COMMANDQ, VIRTIO_MEDIA_EVENTQ, VIRTIO_MEDIA_QUEUES };

/* The one shared memory region: mapped MMAP buffers */
#define VIRTIO_MEDIA_SHM_MMAP 0

/* Configuration space. @device_type: VFL_TYPE_ of the kernel. @card: padded with NUL. */
struct virtio_media_config {
	uint32_t device_caps;
	uint32_t device_type;
	char card[32];
};

/* Values of virtio_media_config.device_type: the kernel's enum vfl_devnode_type. */
enum virtio_media_type {
	VIRTIO_MEDIA_TYPE_VIDEO = 0,
	VIRTIO_MEDIA_TYPE_VBI = 1,
	VIRTIO_MEDIA_TYPE_RADIO = 2,
	VIRTIO_MEDIA_TYPE_SUBDEV = 3,
	VIRTIO_MEDIA_TYPE_SDR = 4,
	VIRTIO_MEDIA_TYPE_TOUCH = 5,
};

enum virtio_media_cmd {
	VIRTIO_MEDIA_CMD_OPEN = 1,
	VIRTIO_MEDIA_CMD_CLOSE = 2,
	VIRTIO_MEDIA_CMD_IOCTL = 3,
	VIRTIO_MEDIA_CMD_MMAP = 4,
	VIRTIO_MEDIA_CMD_MUNMAP = 5,
};

struct virtio_media_cmd_header {
	uint32_t cmd;
	uint32_t reserved;
};

struct virtio_media_resp_header {
	uint32_t status;
	uint32_t reserved;
};

struct virtio_media_resp_open {
	struct virtio_media_resp_header hdr;
	uint32_t session_id;
	uint32_t reserved;
};

/* Without a response. */
struct virtio_media_cmd_close {
	struct virtio_media_cmd_header hdr;
	uint32_t session_id;
	uint32_t reserved;
};

/* The ioctl's payload follows it, and its response header, as the ioctl's direction says. */
struct virtio_media_cmd_ioctl {
	struct virtio_media_cmd_header hdr;
	uint32_t session_id;
	uint32_t code; /* _IOC_NR() of a VIDIOC_ */
};

#define VIRTIO_MEDIA_MMAP_FLAG_RW 1u

struct virtio_media_cmd_mmap {
	struct virtio_media_cmd_header hdr;
	uint32_t session_id;
	uint32_t flags;
	uint32_t offset;
};

struct virtio_media_resp_mmap {
	struct virtio_media_resp_header hdr;
	uint64_t driver_addr; /* offset in the region */
	uint64_t len;
};

struct virtio_media_cmd_munmap {
	struct virtio_media_cmd_header hdr;
	uint64_t driver_addr;
};

/* A piece of guest memory behind a pointer of the payload. */
struct virtio_media_sg_entry {
	uint64_t start; /* guest physical */
	uint32_t len;
	uint32_t reserved;
};

enum virtio_media_evt {
	VIRTIO_MEDIA_EVT_ERROR = 0,
	VIRTIO_MEDIA_EVT_DQBUF = 1,
	VIRTIO_MEDIA_EVT_EVENT = 2,
};

struct virtio_media_event_header {
	uint32_t event;
	uint32_t session_id;
};

struct virtio_media_event_error {
	struct virtio_media_event_header hdr;
	uint32_t error;
	uint32_t reserved;
};

#define VIRTIO_MEDIA_MAX_PLANES 8

struct virtio_media_event_dqbuf {
	struct virtio_media_event_header hdr;
	struct v4l2_buffer buffer;
	struct v4l2_plane planes[VIRTIO_MEDIA_MAX_PLANES];
};

struct virtio_media_event_event {
	struct virtio_media_event_header hdr;
	struct v4l2_event event;
};

/* Drivers look at these sizes. */
_Static_assert(sizeof(struct virtio_media_config) == 40, "configuration");
_Static_assert(sizeof(struct virtio_media_resp_open) == 16, "OPEN");
_Static_assert(sizeof(struct virtio_media_cmd_close) == 16, "CLOSE");
_Static_assert(sizeof(struct virtio_media_cmd_ioctl) == 16, "IOCTL");
_Static_assert(sizeof(struct virtio_media_cmd_mmap) == 20, "MMAP");
_Static_assert(sizeof(struct virtio_media_resp_mmap) == 24, "MMAP");
_Static_assert(sizeof(struct virtio_media_cmd_munmap) == 16, "MUNMAP");
_Static_assert(sizeof(struct virtio_media_event_error) == 16, "ERROR");
_Static_assert(sizeof(struct virtio_media_event_event) == 144, "EVENT");
_Static_assert(sizeof(struct virtio_media_event_dqbuf) == 608, "DQBUF");

#endif
