// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * readwrite.c - what the device's V4L2 says of read() and write(), which are not offered here.
 *
 * Virtio 1.4's media device has no commands for them, so the node has no V4L2_CAP_READWRITE; what
 * else would tell an application that there are frames or blocks to read is taken back, too. In a
 * process.
 */
#include "virtio_media.h"

/* vmedia_readwrite_parm - G_PARM, S_PARM: the numbers of buffers are those of read() and write().
 */
int vmedia_readwrite_parm(struct vmedia_call *call)
{
	struct v4l2_streamparm *arg = call->arg;
	int r;

	r = vmedia_forward(call);
	if (r < 0)
		return r;
	if (V4L2_TYPE_IS_OUTPUT(arg->type))
		arg->parm.output.writebuffers = 0;
	else
		arg->parm.capture.readbuffers = 0;
	return 0;
}

/* vmedia_readwrite_tuner - G_TUNER: blocks of RDS would have to be read. */
int vmedia_readwrite_tuner(struct vmedia_call *call)
{
	const struct vmedia_device *device = call->session->device;
	struct v4l2_tuner *arg = call->arg;
	int r;

	r = vmedia_forward(call);
	if (r == 0 && !(device->video.device_caps & V4L2_CAP_RDS_CAPTURE)) {
		arg->capability &= ~(V4L2_TUNER_CAP_RDS | V4L2_TUNER_CAP_RDS_BLOCK_IO |
				     V4L2_TUNER_CAP_RDS_CONTROLS);
		arg->rxsubchans &= ~V4L2_TUNER_SUB_RDS;
	}
	return r;
}

/* vmedia_readwrite_caps - @caps: the device's. Return: those of the node. */
u32 vmedia_readwrite_caps(u32 caps)
{
	if (caps & V4L2_CAP_READWRITE)
		caps &= ~V4L2_CAP_RDS_CAPTURE;
	return caps & ~(V4L2_CAP_READWRITE | V4L2_CAP_ASYNCIO);
}
