// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * control.c - G/S/TRY_EXT_CTRLS: controls whose data is behind a pointer.
 *
 * Virtio 1.4, media device, "Handling of pointers to userspace memory in ioctl payload". Whether a
 * control has a pointer only the device knows: applications leave anything in the size of those
 * that have a value, and V4L2 does not look at it. Data goes by a copy in the kernel's memory. In a
 * process.
 */
#include <linux/compat.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "virtio_media.h"

/* Bytes of all data of a call. */
#define DATA_MAX   (4 << 20)
/* Of each copy: of any type that may be there. */
#define DATA_ALIGN 16

struct data {
	s64 value; /* the control's own: a value, or the application's pointer */
	u32 size;  /* bytes, as the application says */
	u32 used;  /* bytes that there can be */
	bool pointer;
	size_t at; /* in the copy */
};

static void __user *pointer_of(const struct data *data)
{
	if (in_compat_syscall())
		return compat_ptr((u32)data->value);
	return u64_to_user_ptr((u64)data->value);
}

/* Return: bytes that control @id has behind its pointer; 0 if it has a value; -errno. */
static s64 ask(struct vmedia_session *session, u32 id)
{
	struct v4l2_query_ext_ctrl query = {.id = id & V4L2_CTRL_ID_MASK};
	struct vmedia_call call = {
		.session = session,
		.info = vmedia_ioctl_find(VIDIOC_QUERY_EXT_CTRL),
		.arg = &query,
	};
	u64 elements = 1;
	unsigned int i;
	int r;

	r = vmedia_forward(&call);
	if (r == -EINVAL || r == -ENOTTY)
		return 0;
	if (r < 0)
		return r;
	if (!(query.flags & V4L2_CTRL_FLAG_HAS_PAYLOAD))
		return 0;
	/* Of an array whose length varies .elems is what it has now. */
	for (i = 0; i < min_t(u32, query.nr_of_dims, V4L2_CTRL_MAX_DIMS); i++)
		if (check_mul_overflow(elements, (u64)query.dims[i], &elements))
			return -E2BIG;
	elements = max_t(u64, elements, query.elems);
	if (check_mul_overflow(elements, (u64)query.elem_size, &elements) || elements > DATA_MAX)
		return -E2BIG;
	return max_t(u64, elements, 1);
}

/* Return: bytes of the copy of all data; -errno. */
static ssize_t look(struct vmedia_call *call, struct data *data, unsigned int n)
{
	struct v4l2_ext_control *controls = call->array;
	size_t total = 0;
	unsigned int i;
	s64 bytes;

	for (i = 0; i < n; i++) {
		data[i].value = controls[i].value64;
		data[i].size = controls[i].size;
		if (data[i].size == 0)
			continue;
		bytes = ask(call->session, controls[i].id);
		if (bytes < 0)
			return bytes;
		data[i].pointer = bytes > 0;
		data[i].used = min_t(u64, bytes, data[i].size);
		data[i].at = total;
		/* The device asks for a list of all that the size says. */
		if (data[i].pointer)
			total += ALIGN((u64)data[i].size, DATA_ALIGN);
		if (total > DATA_MAX)
			return -E2BIG;
	}
	return total;
}

static int make_lists(struct vmedia_call *call, const struct data *data, unsigned int n)
{
	size_t entries = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (data[i].pointer)
			entries += vmedia_pages_kernel_entries(call->bounce + data[i].at,
							       data[i].size, NULL);
	call->entries = kvmalloc_array(entries, sizeof(*call->entries), GFP_KERNEL);
	if (!call->entries)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		if (data[i].pointer)
			call->entries_n +=
				vmedia_pages_kernel_entries(call->bounce + data[i].at, data[i].size,
							    call->entries + call->entries_n);
	return 0;
}

static int copy_in(struct vmedia_call *call, struct data *data, unsigned int n)
{
	struct v4l2_ext_control *controls = call->array;
	unsigned int i;
	ssize_t total;

	total = look(call, data, n);
	if (total < 0)
		return total;
	for (i = 0; i < n; i++) {
		if (data[i].pointer)
			controls[i].value64 = 0;
		else
			controls[i].size = 0;
	}
	if (total == 0)
		return 0;
	call->bounce = kvzalloc(total, GFP_KERNEL);
	if (!call->bounce)
		return -ENOMEM;
	for (i = 0; i < n && call->info->cmd != VIDIOC_G_EXT_CTRLS; i++)
		if (data[i].pointer &&
		    copy_from_user(call->bounce + data[i].at, pointer_of(&data[i]), data[i].used))
			return -EFAULT;
	return make_lists(call, data, n);
}

static int copy_out(struct vmedia_call *call, const struct data *data, unsigned int n, int result)
{
	struct v4l2_ext_control *controls = call->array;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!data[i].pointer) {
			/* With a size of 0 it may have been found to need one. */
			if (data[i].size)
				controls[i].size = data[i].size;
			continue;
		}
		controls[i].value64 = data[i].value;
		if (result == 0 &&
		    copy_to_user(pointer_of(&data[i]), call->bounce + data[i].at, data[i].used))
			return -EFAULT;
	}
	return result;
}

/* vmedia_control_handle - G_EXT_CTRLS, S_EXT_CTRLS, TRY_EXT_CTRLS */
int vmedia_control_handle(struct vmedia_call *call)
{
	const unsigned int n = call->array_len / sizeof(struct v4l2_ext_control);
	struct data *data;
	int r;

	if (n == 0)
		return vmedia_forward(call);
	data = kvcalloc(n, sizeof(*data), GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	r = copy_in(call, data, n);
	if (r == 0) {
		r = vmedia_forward(call);
		/* Else the process is about to end, and its memory the command's. */
		if (r != -EINTR)
			r = copy_out(call, data, n, r);
	}
	kvfree(data);
	return r;
}
