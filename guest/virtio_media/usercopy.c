// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * usercopy.c - an ioctl of an application: its struct and what follows it come in, results go out.
 *
 * V4L2's own function for this, video_ioctl2(), also judges each ioctl by what the driver says that
 * it can do, which here is known to the device alone. What is copied when is the same. Programs of
 * 32 bits: compat32.c. In a process.
 */
#include <linux/compat.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "virtio_media.h"

#define EDID_BLOCK	128 /* bytes */
#define EDID_BLOCKS_MAX 256

/* Notes what follows the struct. Return: 0; -EINVAL. */
static int measure(struct vmedia_call *call)
{
	switch (call->info->layout) {
	case VMEDIA_FLAT:
		break;
	case VMEDIA_BUFFER: {
		const struct v4l2_buffer *arg = call->arg;

		if (!V4L2_TYPE_IS_MULTIPLANAR(arg->type))
			break;
		if (arg->length > VIDEO_MAX_PLANES)
			return -EINVAL;
		call->array_len = arg->length * sizeof(struct v4l2_plane);
		call->user_array = (void __force __user *)arg->m.planes;
		break;
	}
	case VMEDIA_CONTROLS: {
		const struct v4l2_ext_controls *arg = call->arg;

		if (arg->count > V4L2_CID_MAX_CTRLS)
			return -EINVAL;
		call->array_len = arg->count * sizeof(struct v4l2_ext_control);
		call->user_array = (void __force __user *)arg->controls;
		break;
	}
	case VMEDIA_EDID: {
		const struct v4l2_edid *arg = call->arg;

		if (arg->blocks > EDID_BLOCKS_MAX)
			return -EINVAL;
		call->array_len = (size_t)arg->blocks * EDID_BLOCK;
		call->user_array = (void __force __user *)arg->edid;
		break;
	}
	}
	return 0;
}

static bool is_planes_of_32_bits(const struct vmedia_call *call)
{
	return in_compat_syscall() && call->info->layout == VMEDIA_BUFFER;
}

static int get_array(struct vmedia_call *call)
{
	int r;

	r = measure(call);
	if (r < 0 || call->array_len == 0)
		return r;
	call->array = kvzalloc(call->array_len, GFP_KERNEL);
	if (!call->array)
		return -ENOMEM;
	if (is_planes_of_32_bits(call))
		return vmedia_compat_get_planes(call->array,
						call->array_len / sizeof(struct v4l2_plane),
						call->user_array);
	return copy_from_user(call->array, call->user_array, call->array_len) ? -EFAULT : 0;
}

static int put_array(const struct vmedia_call *call)
{
	if (call->array_len == 0)
		return 0;
	if (is_planes_of_32_bits(call))
		return vmedia_compat_put_planes(call->array,
						call->array_len / sizeof(struct v4l2_plane),
						call->user_array);
	return copy_to_user(call->user_array, call->array, call->array_len) ? -EFAULT : 0;
}

/* @cmd: as the application calls it. */
static int get(struct vmedia_call *call, unsigned int cmd, void __user *user)
{
	if (!(_IOC_DIR(cmd) & _IOC_WRITE))
		return 0;
	if (cmd != call->info->cmd)
		return vmedia_compat_get(cmd, call->arg, user);
	return copy_from_user(call->arg, user, _IOC_SIZE(cmd)) ? -EFAULT : 0;
}

static int put(const struct vmedia_call *call, unsigned int cmd, void __user *user)
{
	if (!(_IOC_DIR(cmd) & _IOC_READ))
		return 0;
	if (cmd != call->info->cmd)
		return vmedia_compat_put(cmd, call->arg, user);
	return copy_to_user(user, call->arg, _IOC_SIZE(cmd)) ? -EFAULT : 0;
}

static int do_call(struct vmedia_call *call, unsigned int cmd, void __user *user)
{
	int r;

	r = get(call, cmd, user);
	if (r == 0)
		r = get_array(call);
	if (r < 0)
		return r;
	r = call->info->handle(call);
	if (r < 0 && !(call->info->always_copy && call->written))
		return r;
	if (put_array(call) < 0 || put(call, cmd, user) < 0)
		return -EFAULT;
	return r;
}

/* vmedia_ioctl - ioctl() of all programs. */
long vmedia_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vmedia_session *session = vmedia_session_of(file);
	struct vmedia_call call = {
		.session = session,
		.nonblocking = file->f_flags & O_NONBLOCK,
	};
	int r;

	call.info = vmedia_ioctl_find(in_compat_syscall() ? vmedia_compat_cmd(cmd) : cmd);
	if (!call.info)
		return -ENOTTY;
	if (READ_ONCE(session->error))
		return -ENODEV;
	call.arg = kzalloc(_IOC_SIZE(call.info->cmd), GFP_KERNEL);
	if (!call.arg)
		return -ENOMEM;
	r = do_call(&call, cmd, (void __user *)arg);
	kvfree(call.entries);
	kvfree(call.bounce);
	kvfree(call.array);
	kfree(call.arg);
	return r;
}
