// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * ioctl.c - the table of V4L2's ioctls, and the command that carries one to the device.
 *
 * Virtio 1.4, media device, "V4L2 ioctls". What is not in the table is ENOTTY here; what is there
 * may be so at the device. Structs go as they are, so that what V4L2 checks is checked once, by the
 * host's, and what it says is the host's word. In a process.
 */
#include <linux/slab.h>
#include <linux/version.h>

#include "virtio_media.h"

/* QUERYCAP: from the configuration space. The version is that of V4L2, which is the kernel's. */
static int querycap(struct vmedia_call *call)
{
	const struct vmedia_device *device = call->session->device;
	struct v4l2_capability *arg = call->arg;

	strscpy(arg->driver, "virtio-media", sizeof(arg->driver));
	strscpy(arg->card, device->card, sizeof(arg->card));
	strscpy(arg->bus_info, device->bus_info, sizeof(arg->bus_info));
	arg->version = LINUX_VERSION_CODE;
	arg->device_caps = device->video.device_caps | V4L2_CAP_EXT_PIX_FORMAT;
	arg->capabilities = arg->device_caps | V4L2_CAP_DEVICE_CAPS;
	return 0;
}

/* S_HW_FREQ_SEEK waits for a station, at the device; what is wrong with it comes first. */
static int hw_freq_seek(struct vmedia_call *call)
{
	const struct video_device *video = &call->session->device->video;
	const struct v4l2_hw_freq_seek *arg = call->arg;
	const u32 type =
		video->vfl_type == VFL_TYPE_RADIO ? V4L2_TUNER_RADIO : V4L2_TUNER_ANALOG_TV;

	if (call->nonblocking && video->device_caps & V4L2_CAP_HW_FREQ_SEEK && arg->type == type &&
	    arg->tuner == 0)
		return -EAGAIN;
	return vmedia_forward(call);
}

#define ENTRY(ioctl, ...)  [_IOC_NR(ioctl)] = {.cmd = (ioctl), __VA_ARGS__}
#define PASSED(ioctl)	   ENTRY(ioctl, .handle = vmedia_forward)
#define HANDLED(ioctl, by) ENTRY(ioctl, .handle = (by))
#define CONTROLS(ioctl)                                                                            \
	ENTRY(ioctl, .layout = VMEDIA_CONTROLS, .always_copy = true,                               \
	      .handle = vmedia_control_handle)
#define EDID(ioctl)                                                                                \
	ENTRY(ioctl, .layout = VMEDIA_EDID, .always_copy = true, .handle = vmedia_forward)
#define BUFFER(ioctl, by) ENTRY(ioctl, .layout = VMEDIA_BUFFER, .handle = (by))

static const struct vmedia_ioctl ioctls[] = {
	HANDLED(VIDIOC_QUERYCAP, querycap),
	PASSED(VIDIOC_ENUM_FMT),
	PASSED(VIDIOC_G_FMT),
	PASSED(VIDIOC_S_FMT),
	HANDLED(VIDIOC_REQBUFS, vmedia_queue_reqbufs),
	BUFFER(VIDIOC_QUERYBUF, vmedia_buffer_querybuf),
	PASSED(VIDIOC_G_FBUF),
	PASSED(VIDIOC_S_FBUF),
	PASSED(VIDIOC_OVERLAY),
	BUFFER(VIDIOC_QBUF, vmedia_buffer_qbuf),
	BUFFER(VIDIOC_DQBUF, vmedia_dequeue),
	HANDLED(VIDIOC_STREAMON, vmedia_queue_streamon),
	HANDLED(VIDIOC_STREAMOFF, vmedia_queue_streamoff),
	HANDLED(VIDIOC_G_PARM, vmedia_readwrite_parm),
	HANDLED(VIDIOC_S_PARM, vmedia_readwrite_parm),
	PASSED(VIDIOC_G_STD),
	PASSED(VIDIOC_S_STD),
	PASSED(VIDIOC_ENUMSTD),
	PASSED(VIDIOC_ENUMINPUT),
	PASSED(VIDIOC_G_CTRL),
	PASSED(VIDIOC_S_CTRL),
	HANDLED(VIDIOC_G_TUNER, vmedia_readwrite_tuner),
	PASSED(VIDIOC_S_TUNER),
	PASSED(VIDIOC_G_AUDIO),
	PASSED(VIDIOC_S_AUDIO),
	PASSED(VIDIOC_QUERYCTRL),
	PASSED(VIDIOC_QUERYMENU),
	PASSED(VIDIOC_G_INPUT),
	PASSED(VIDIOC_S_INPUT),
	EDID(VIDIOC_G_EDID),
	EDID(VIDIOC_S_EDID),
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
	PASSED(VIDIOC_QUERYSTD),
	PASSED(VIDIOC_TRY_FMT),
	PASSED(VIDIOC_ENUMAUDIO),
	PASSED(VIDIOC_ENUMAUDOUT),
	PASSED(VIDIOC_G_PRIORITY),
	PASSED(VIDIOC_S_PRIORITY),
	PASSED(VIDIOC_G_SLICED_VBI_CAP),
	CONTROLS(VIDIOC_G_EXT_CTRLS),
	CONTROLS(VIDIOC_S_EXT_CTRLS),
	CONTROLS(VIDIOC_TRY_EXT_CTRLS),
	PASSED(VIDIOC_ENUM_FRAMESIZES),
	PASSED(VIDIOC_ENUM_FRAMEINTERVALS),
	PASSED(VIDIOC_G_ENC_INDEX),
	HANDLED(VIDIOC_ENCODER_CMD, vmedia_queue_codec_cmd),
	PASSED(VIDIOC_TRY_ENCODER_CMD),
	HANDLED(VIDIOC_S_HW_FREQ_SEEK, hw_freq_seek),
	PASSED(VIDIOC_S_DV_TIMINGS),
	PASSED(VIDIOC_G_DV_TIMINGS),
	HANDLED(VIDIOC_DQEVENT, vmedia_event_dequeue),
	HANDLED(VIDIOC_SUBSCRIBE_EVENT, vmedia_event_subscribe),
	HANDLED(VIDIOC_UNSUBSCRIBE_EVENT, vmedia_event_unsubscribe),
	HANDLED(VIDIOC_CREATE_BUFS, vmedia_queue_create_bufs),
	BUFFER(VIDIOC_PREPARE_BUF, vmedia_buffer_prepare),
	PASSED(VIDIOC_G_SELECTION),
	PASSED(VIDIOC_S_SELECTION),
	HANDLED(VIDIOC_DECODER_CMD, vmedia_queue_codec_cmd),
	PASSED(VIDIOC_TRY_DECODER_CMD),
	PASSED(VIDIOC_ENUM_DV_TIMINGS),
	ENTRY(VIDIOC_QUERY_DV_TIMINGS, .always_copy = true, .handle = vmedia_forward),
	PASSED(VIDIOC_DV_TIMINGS_CAP),
	PASSED(VIDIOC_ENUM_FREQ_BANDS),
	PASSED(VIDIOC_QUERY_EXT_CTRL),
	HANDLED(VIDIOC_REMOVE_BUFS, vmedia_queue_remove_bufs),
};

/* vmedia_ioctl_find - @cmd: whole, since others share the numbers. Return: NULL if unknown. */
const struct vmedia_ioctl *vmedia_ioctl_find(unsigned int cmd)
{
	const unsigned int code = _IOC_NR(cmd);

	if (code >= ARRAY_SIZE(ioctls) || ioctls[code].cmd != cmd)
		return NULL;
	return &ioctls[code];
}

/* Where the struct of @call has its pointer; NULL if nothing follows. */
static void **pointer_of(const struct vmedia_call *call)
{
	if (call->array_len == 0)
		return NULL;
	switch (call->info->layout) {
	case VMEDIA_BUFFER:
		return (void **)&((struct v4l2_buffer *)call->arg)->m.planes;
	case VMEDIA_CONTROLS:
		return (void **)&((struct v4l2_ext_controls *)call->arg)->controls;
	case VMEDIA_EDID:
		return (void **)&((struct v4l2_edid *)call->arg)->edid;
	default:
		return NULL;
	}
}

static struct vmedia_command *make_command(const struct vmedia_call *call)
{
	const unsigned int cmd = call->info->cmd;
	const size_t size = _IOC_SIZE(cmd);
	const size_t entries_len = call->entries_n * sizeof(*call->entries);
	size_t out_len = sizeof(struct virtio_media_cmd_ioctl);
	size_t in_len = sizeof(struct virtio_media_resp_header);
	struct virtio_media_cmd_ioctl *ioctl;
	struct vmedia_command *command;
	void *at;

	if (_IOC_DIR(cmd) & _IOC_WRITE)
		out_len += size + call->array_len + entries_len;
	if (_IOC_DIR(cmd) & _IOC_READ)
		in_len += size + call->array_len;
	command = vmedia_command_new(call->session->device, out_len, in_len);
	if (!command)
		return NULL;
	command->session = call->session;
	ioctl = command->out;
	ioctl->hdr.cmd = cpu_to_le32(VIRTIO_MEDIA_CMD_IOCTL);
	ioctl->session_id = cpu_to_le32(call->session->id);
	ioctl->code = cpu_to_le32(_IOC_NR(cmd));
	if (_IOC_DIR(cmd) & _IOC_WRITE) {
		at = ioctl + 1;
		memcpy(at, call->arg, size);
		memcpy(at + size, call->array, call->array_len);
		memcpy(at + size + call->array_len, call->entries, entries_len);
	}
	return command;
}

/* Return: 0, or -errno of the device. */
static int read_answer(struct vmedia_call *call, const struct vmedia_command *command)
{
	const unsigned int cmd = call->info->cmd;
	const size_t size = _IOC_SIZE(cmd);
	const void *at = command->in + sizeof(struct virtio_media_resp_header);
	const int status = vmedia_command_status(command);
	size_t left;

	if (!(_IOC_DIR(cmd) & _IOC_READ) || command->used < at - command->in)
		return status;
	left = command->used - (at - command->in);
	if (left < size)
		return status < 0 ? status : -EIO;
	memcpy(call->arg, at, size);
	memcpy(call->array, at + size, min(left - size, call->array_len));
	call->written = true;
	return status;
}

/*
 * vmedia_forward - have @call carried out by the device.
 * Return: 0, or -errno; @call->written: its struct is the device's. -EINTR: the process is killed,
 * and the device may still do it.
 */
int vmedia_forward(struct vmedia_call *call)
{
	void **pointer = pointer_of(call);
	void *value = pointer ? *pointer : NULL;
	struct vmedia_command *command;
	int r;

	/* No address of ours is the device's business. */
	if (pointer)
		*pointer = NULL;
	command = make_command(call);
	if (pointer)
		*pointer = value;
	if (!command)
		return -ENOMEM;
	command->bounce = call->bounce;
	if (call->lender) {
		command->orphan = vmedia_parking_orphan;
		command->context = call->lender;
		vmedia_parking_lend(call->lender);
	}
	r = vmedia_command_run(command);
	if (r == -EINTR) {
		call->bounce = NULL;
		return r;
	}
	if (call->lender)
		vmedia_parking_return(call->lender);
	command->bounce = NULL;
	call->sent = command->sent;
	if (r == 0)
		r = read_answer(call, command);
	if (pointer)
		*pointer = value;
	vmedia_command_free(command);
	return r;
}
