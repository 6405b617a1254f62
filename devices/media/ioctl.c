/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ioctl.c - the table of V4L2's ioctls: what a virtio-media device does with each. See ioctl.h.
 *
 * Virtio 1.4, 5.22.6.1.5, "V4L2 ioctls", and its "Unsupported ioctls". Numbers, structs and
 * directions are those of <linux/videodev2.h>. Sub-devices (v4l2-subdev.h) use some of the same
 * numbers for other structs; there is none behind this device. Constant data, any thread.
 */
#include "devices/media/ioctl.h"

#include "virtio_media.h"

/* The wire has the 64-bit layout, which must be ours: 5.22.6.1.5. */
_Static_assert(sizeof(struct v4l2_buffer) == 88, "v4l2_buffer");
_Static_assert(sizeof(struct v4l2_plane) == 64, "v4l2_plane");
_Static_assert(sizeof(struct v4l2_format) == 208, "v4l2_format");
_Static_assert(sizeof(struct v4l2_create_buffers) == 256, "v4l2_create_buffers");
_Static_assert(sizeof(struct v4l2_remove_buffers) == 64, "v4l2_remove_buffers");
_Static_assert(sizeof(struct v4l2_ext_controls) == 32, "v4l2_ext_controls");
_Static_assert(sizeof(struct v4l2_ext_control) == 20, "v4l2_ext_control");
_Static_assert(sizeof(struct v4l2_edid) == 40, "v4l2_edid");
_Static_assert(sizeof(struct v4l2_framebuffer) == 48, "v4l2_framebuffer");
_Static_assert(sizeof(struct v4l2_event) == 136, "v4l2_event");

/* The name is taken before the preprocessor puts the number in its place. */
#define ENTRY(text, ioctl, ...) [_IOC_NR(ioctl)] = {.name = (text), .cmd = (ioctl), __VA_ARGS__}

#define PASSED(ioctl) ENTRY(#ioctl, ioctl, .kind = MEDIA_IOCTL_PASSED)

#define REPLACED(ioctl, reason) ENTRY(#ioctl, ioctl, .kind = MEDIA_IOCTL_REPLACED, .why = (reason))

#define REFUSED(ioctl, reason) ENTRY(#ioctl, ioctl, .kind = MEDIA_IOCTL_REFUSED, .why = (reason))

#define HANDLED(ioctl, by, how, reason)                                                            \
	ENTRY(#ioctl, ioctl, .kind = MEDIA_IOCTL_HANDLED, .handler = MEDIA_HANDLE_##by,            \
	      .layout = MEDIA_LAYOUT_##how, .why = (reason))

/* Passed, but what is a pointer in the struct is not; _ALWAYS: written back on errors as well. */
#define SHAPED(ioctl, how, reason)                                                                 \
	ENTRY(#ioctl, ioctl, .kind = MEDIA_IOCTL_PASSED, .layout = MEDIA_LAYOUT_##how,             \
	      .why = (reason))

#define SHAPED_ALWAYS(ioctl, how, reason)                                                          \
	ENTRY(#ioctl, ioctl, .kind = MEDIA_IOCTL_PASSED, .layout = MEDIA_LAYOUT_##how,             \
	      .always_payload = true, .why = (reason))

#define WHY_FORMAT   "clips and bitmap of overlays stay with the guest"
#define WHY_CONTROLS "data by SG list; requests are refused; payload on errors too"
#define WHY_EDID     "blocks follow the struct; payload on errors too"
#define WHY_JPEGCOMP "the specification: replaced by the controls of the JPEG class"
#define WHY_DEBUG    "registers of the host's hardware"

static const struct media_ioctl ioctls[] = {
	REPLACED(VIDIOC_QUERYCAP, "the configuration space"),
	PASSED(VIDIOC_ENUM_FMT),
	SHAPED(VIDIOC_G_FMT, FORMAT, WHY_FORMAT),
	SHAPED(VIDIOC_S_FMT, FORMAT, WHY_FORMAT),
	HANDLED(VIDIOC_REQBUFS, REQBUFS, FLAT, "keeps count of buffers; memory types"),
	HANDLED(VIDIOC_QUERYBUF, QUERYBUF, BUFFER, "offsets of our own"),
	SHAPED(VIDIOC_G_FBUF, FRAMEBUFFER, "the physical address is blanked"),
	REFUSED(VIDIOC_S_FBUF, "a physical address of the host's"),
	REFUSED(VIDIOC_OVERLAY, "would draw on the host's screen"),
	HANDLED(VIDIOC_QBUF, QBUF, BUFFER, "guest memory; arms dequeuing"),
	REFUSED(VIDIOC_EXPBUF, "gives out a file descriptor; VIRTIO_OBJECT is not offered"),
	REPLACED(VIDIOC_DQBUF, "DQBUF events"),
	HANDLED(VIDIOC_STREAMON, STREAMON, FLAT, "arms dequeuing"),
	HANDLED(VIDIOC_STREAMOFF, STREAMOFF, FLAT, "ends dequeuing, drops the queue's events"),
	PASSED(VIDIOC_G_PARM),
	PASSED(VIDIOC_S_PARM),
	PASSED(VIDIOC_G_STD),
	PASSED(VIDIOC_S_STD),
	PASSED(VIDIOC_ENUMSTD),
	PASSED(VIDIOC_ENUMINPUT),
	PASSED(VIDIOC_G_CTRL),
	PASSED(VIDIOC_S_CTRL),
	PASSED(VIDIOC_G_TUNER),
	PASSED(VIDIOC_S_TUNER),
	PASSED(VIDIOC_G_AUDIO),
	PASSED(VIDIOC_S_AUDIO),
	PASSED(VIDIOC_QUERYCTRL),
	PASSED(VIDIOC_QUERYMENU),
	PASSED(VIDIOC_G_INPUT),
	PASSED(VIDIOC_S_INPUT),
	SHAPED_ALWAYS(VIDIOC_G_EDID, EDID, WHY_EDID),
	SHAPED_ALWAYS(VIDIOC_S_EDID, EDID, WHY_EDID),
	PASSED(VIDIOC_G_OUTPUT),
	PASSED(VIDIOC_S_OUTPUT),
	PASSED(VIDIOC_ENUMOUTPUT),
	PASSED(VIDIOC_G_AUDOUT),
	PASSED(VIDIOC_S_AUDOUT),
	PASSED(VIDIOC_G_MODULATOR),
	PASSED(VIDIOC_S_MODULATOR),
	PASSED(VIDIOC_G_FREQUENCY),
	PASSED(VIDIOC_S_FREQUENCY),
	PASSED(VIDIOC_CROPCAP),
	PASSED(VIDIOC_G_CROP),
	PASSED(VIDIOC_S_CROP),
	REFUSED(VIDIOC_G_JPEGCOMP, WHY_JPEGCOMP),
	REFUSED(VIDIOC_S_JPEGCOMP, WHY_JPEGCOMP),
	PASSED(VIDIOC_QUERYSTD),
	SHAPED(VIDIOC_TRY_FMT, FORMAT, WHY_FORMAT),
	PASSED(VIDIOC_ENUMAUDIO),
	PASSED(VIDIOC_ENUMAUDOUT),
	PASSED(VIDIOC_G_PRIORITY),
	PASSED(VIDIOC_S_PRIORITY),
	PASSED(VIDIOC_G_SLICED_VBI_CAP),
	REFUSED(VIDIOC_LOG_STATUS, "the specification: the driver's own; writes to the host's log"),
	SHAPED_ALWAYS(VIDIOC_G_EXT_CTRLS, CONTROLS, WHY_CONTROLS),
	SHAPED_ALWAYS(VIDIOC_S_EXT_CTRLS, CONTROLS, WHY_CONTROLS),
	SHAPED_ALWAYS(VIDIOC_TRY_EXT_CTRLS, CONTROLS, WHY_CONTROLS),
	PASSED(VIDIOC_ENUM_FRAMESIZES),
	PASSED(VIDIOC_ENUM_FRAMEINTERVALS),
	PASSED(VIDIOC_G_ENC_INDEX),
	HANDLED(VIDIOC_ENCODER_CMD, CODEC_CMD, FLAT, "may let dequeuing go on"),
	PASSED(VIDIOC_TRY_ENCODER_CMD),
	REFUSED(VIDIOC_DBG_S_REGISTER, WHY_DEBUG),
	REFUSED(VIDIOC_DBG_G_REGISTER, WHY_DEBUG),
	PASSED(VIDIOC_S_HW_FREQ_SEEK),
	PASSED(VIDIOC_S_DV_TIMINGS),
	PASSED(VIDIOC_G_DV_TIMINGS),
	REPLACED(VIDIOC_DQEVENT, "EVENT events"),
	HANDLED(VIDIOC_SUBSCRIBE_EVENT, SUBSCRIBE, FLAT, "watches for events"),
	HANDLED(VIDIOC_UNSUBSCRIBE_EVENT, UNSUBSCRIBE, FLAT, "watches for events no longer"),
	HANDLED(VIDIOC_CREATE_BUFS, CREATE_BUFS, CREATE,
		"keeps count of buffers; memory types; " WHY_FORMAT),
	HANDLED(VIDIOC_PREPARE_BUF, PREPARE_BUF, BUFFER, "guest memory"),
	PASSED(VIDIOC_G_SELECTION),
	PASSED(VIDIOC_S_SELECTION),
	HANDLED(VIDIOC_DECODER_CMD, CODEC_CMD, FLAT, "may let dequeuing go on"),
	PASSED(VIDIOC_TRY_DECODER_CMD),
	PASSED(VIDIOC_ENUM_DV_TIMINGS),
	SHAPED_ALWAYS(VIDIOC_QUERY_DV_TIMINGS, FLAT, "payload on errors too"),
	PASSED(VIDIOC_DV_TIMINGS_CAP),
	PASSED(VIDIOC_ENUM_FREQ_BANDS),
	REFUSED(VIDIOC_DBG_G_CHIP_INFO, WHY_DEBUG),
	PASSED(VIDIOC_QUERY_EXT_CTRL),
	HANDLED(VIDIOC_REMOVE_BUFS, REMOVE_BUFS, FLAT, "keeps count of buffers"),
};

static const struct media_ioctl unknown = {.name = "unknown", .kind = MEDIA_IOCTL_UNKNOWN};

const struct media_ioctl *media_ioctl_find(uint32_t code)
{
	if (code >= ARRAY_SIZE(ioctls) || !ioctls[code].name)
		return &unknown;
	return &ioctls[code];
}
