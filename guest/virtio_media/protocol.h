/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * protocol.h - the wire protocol of virtio-media: commands, their responses, events.
 *
 * Virtio 1.4, section "Media Device". Headers are little endian; payloads are V4L2's structs in
 * their 64-bit, little-endian layout, which must be that of the kernel.
 */
#ifndef VIRTIO_MEDIA_PROTOCOL_H
#define VIRTIO_MEDIA_PROTOCOL_H

#include <linux/build_bug.h>
#include <linux/types.h>
#include <linux/videodev2.h>

#if !defined(CONFIG_64BIT) || defined(CONFIG_CPU_BIG_ENDIAN)
#error "V4L2's structs have to be 64-bit and little endian; other kernels need a translation"
#endif

#define VIRTIO_ID_MEDIA_DEVICE 48

/* Virtqueues */
enum { VIRTIO_MEDIA_COMMANDQ, VIRTIO_MEDIA_EVENTQ, VIRTIO_MEDIA_QUEUES };

/* The one shared memory region: mapped MMAP buffers */
#define VIRTIO_MEDIA_SHM_MMAP 0

/* Configuration space. @device_type: enum vfl_devnode_type. @card: NUL unless it is full. */
struct virtio_media_config {
	__le32 device_caps;
	__le32 device_type;
	u8 card[32];
};

enum virtio_media_cmd {
	VIRTIO_MEDIA_CMD_OPEN = 1,
	VIRTIO_MEDIA_CMD_CLOSE = 2,
	VIRTIO_MEDIA_CMD_IOCTL = 3,
	VIRTIO_MEDIA_CMD_MMAP = 4,
	VIRTIO_MEDIA_CMD_MUNMAP = 5,
};

struct virtio_media_cmd_header {
	__le32 cmd;
	__le32 reserved;
};

/* @status: 0, or a positive errno */
struct virtio_media_resp_header {
	__le32 status;
	__le32 reserved;
};

struct virtio_media_cmd_open {
	struct virtio_media_cmd_header hdr;
};

struct virtio_media_resp_open {
	struct virtio_media_resp_header hdr;
	__le32 session_id;
	__le32 reserved;
};

/* Has no response. */
struct virtio_media_cmd_close {
	struct virtio_media_cmd_header hdr;
	__le32 session_id;
	__le32 reserved;
};

/* @code: _IOC_NR() of a VIDIOC_. The payload follows, as it does behind the response's header. */
struct virtio_media_cmd_ioctl {
	struct virtio_media_cmd_header hdr;
	__le32 session_id;
	__le32 code;
};

#define VIRTIO_MEDIA_MMAP_FLAG_RW 1

struct virtio_media_cmd_mmap {
	struct virtio_media_cmd_header hdr;
	__le32 session_id;
	__le32 flags;
	__le32 offset;
};

/* @driver_addr: offset in the region, bytes. @len: of the buffer, bytes. */
struct virtio_media_resp_mmap {
	struct virtio_media_resp_header hdr;
	__le64 driver_addr;
	__le64 len;
};

struct virtio_media_cmd_munmap {
	struct virtio_media_cmd_header hdr;
	__le64 driver_addr;
};

/* A piece of guest memory that stands for a pointer of the payload. @start: physical address. */
struct virtio_media_sg_entry {
	__le64 start;
	__le32 len;
	__le32 reserved;
};

enum virtio_media_evt {
	VIRTIO_MEDIA_EVT_ERROR = 0,
	VIRTIO_MEDIA_EVT_DQBUF = 1,
	VIRTIO_MEDIA_EVT_EVENT = 2,
};

struct virtio_media_event_header {
	__le32 event;
	__le32 session_id;
};

struct virtio_media_event_error {
	struct virtio_media_event_header hdr;
	__le32 error;
	__le32 reserved;
};

struct virtio_media_event_dqbuf {
	struct virtio_media_event_header hdr;
	struct v4l2_buffer buffer;
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
};

struct virtio_media_event_event {
	struct virtio_media_event_header hdr;
	struct v4l2_event event;
};

union virtio_media_event {
	struct virtio_media_event_header hdr;
	struct virtio_media_event_error error;
	struct virtio_media_event_dqbuf dqbuf;
	struct virtio_media_event_event event;
};

static_assert(sizeof(struct virtio_media_config) == 40);
static_assert(sizeof(struct virtio_media_resp_open) == 16);
static_assert(sizeof(struct virtio_media_cmd_close) == 16);
static_assert(sizeof(struct virtio_media_cmd_ioctl) == 16);
static_assert(sizeof(struct virtio_media_cmd_mmap) == 20);
static_assert(sizeof(struct virtio_media_resp_mmap) == 24);
static_assert(sizeof(struct virtio_media_cmd_munmap) == 16);
static_assert(sizeof(struct virtio_media_sg_entry) == 16);
static_assert(sizeof(struct virtio_media_event_error) == 16);
static_assert(sizeof(struct virtio_media_event_event) == 144);
static_assert(sizeof(struct virtio_media_event_dqbuf) == 608);
static_assert(sizeof(struct v4l2_ext_control) == 20);

#endif
