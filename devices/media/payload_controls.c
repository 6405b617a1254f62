/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload_controls.c - what follows a struct v4l2_ext_controls in a command: the controls, and SG
 * lists of the data of strings, arrays and compound types. See payload.h.
 *
 * Virtio 1.4, 5.22.6.1.5, "Handling of pointers to userspace memory in ioctl payload". Data is
 * copied into the host's memory and back, since V4L2 does so as well. On the device's thread but
 * for payload_ask().
 */
#include <errno.h>

#include "devices/media/payload_impl.h"

#define DATA_ALIGN 16 /* of each copy: of any type that is behind such a pointer */

static int read_array(struct payload *payload, struct vq_buffer *readable)
{
	struct v4l2_ext_controls *arg = &payload->arg.controls;
	const size_t len = arg->count * sizeof(*payload->controls);

	payload->controls_n = arg->count;
	payload->controls = malloc(len);
	payload->control_data = calloc(arg->count, sizeof(*payload->control_data));
	if (!payload->controls || !payload->control_data)
		return -ENOMEM;
	arg->controls = payload->controls;
	return vq_buffer_get(readable, payload->controls, len) == len ? 0 : -EINVAL;
}

/* Return: bytes of all copies. Host and guest both look at @size later on: this is what was said.
 */
static uint64_t note_sizes(struct payload *payload)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < payload->controls_n; i++) {
		struct v4l2_ext_control *control = &payload->controls[i];
		struct payload_control *data = &payload->control_data[i];

		data->value = (uint64_t)control->value64;
		data->size = control->size;
		total += ALIGN_UP((uint64_t)data->size, DATA_ALIGN);
		control->size = 0;
	}
	return total;
}

static int read_data(struct payload *payload, uint64_t total, struct vq_buffer *readable,
		     const struct gmem *gmem)
{
	struct payload_lists lists;
	uint8_t *at;
	int r;

	payload->data = at = malloc(total);
	if (!at)
		return -ENOMEM;
	r = payload_lists_load(&lists, payload, readable, gmem);
	for (unsigned int i = 0; i < payload->controls_n && r == 0; i++) {
		struct payload_control *data = &payload->control_data[i];

		if (data->size == 0)
			continue;
		r = payload_lists_take(&lists, data->size, &data->sg);
		if (r < 0)
			break;
		data->data = at;
		payload_sg_get(&data->sg, at, gmem);
		at += ALIGN_UP(data->size, DATA_ALIGN);
	}
	return r;
}

int payload_controls_read(struct payload *payload, struct vq_buffer *readable,
			  const struct gmem *gmem)
{
	struct v4l2_ext_controls *arg = &payload->arg.controls;
	uint64_t total;
	int r;

	/* The kernel masks it in this way before it looks. */
	if (V4L2_CTRL_ID2WHICH(arg->which) == V4L2_CTRL_WHICH_REQUEST_VAL)
		return -EINVAL;
	if (arg->count > PAYLOAD_CONTROLS_MAX)
		return -EINVAL;
	payload->pointers[0] = (uintptr_t)arg->controls;
	payload->pointers[1] = (uint32_t)arg->request_fd;
	payload->restore = true;
	arg->controls = NULL;
	arg->request_fd = 0;
	if (arg->count == 0)
		return 0;
	r = read_array(payload, readable);
	if (r < 0)
		return r;
	total = note_sizes(payload);
	if (total > PAYLOAD_DATA_MAX)
		return -E2BIG;
	return total ? read_data(payload, total, readable, gmem) : 0;
}

/* Return: 1 if @id has a pointer to its data, 0 if it has a value or is unknown; -errno. */
static int ask(struct media_file *file, uint32_t id)
{
	/* The host looks at these bits alone when it sets a control; others ask for the next one.
	 */
	struct v4l2_query_ext_ctrl query = {.id = id & V4L2_CTRL_ID_MASK};
	int r;

	r = file->backend->ops->ioctl(file, VIDIOC_QUERY_EXT_CTRL, &query);
	if (r == -EINVAL || r == -ENOTTY)
		return 0;
	return r < 0 ? r : !!(query.flags & V4L2_CTRL_FLAG_HAS_PAYLOAD);
}

int payload_ask(struct payload *payload, struct media_file *file)
{
	for (unsigned int i = 0; i < payload->controls_n; i++) {
		struct v4l2_ext_control *control = &payload->controls[i];
		struct payload_control *data = &payload->control_data[i];
		int r;

		if (data->size == 0)
			continue;
		r = ask(file, control->id);
		if (r < 0)
			return r;
		data->pointer = r;
		control->size = r ? data->size : 0;
		if (r)
			control->ptr = data->data;
		else
			control->value64 = (int64_t)data->value;
	}
	return 0;
}

void payload_controls_restore(struct payload *payload, const struct gmem *gmem)
{
	struct v4l2_ext_controls *arg = &payload->arg.controls;

	arg->controls = (struct v4l2_ext_control *)(uintptr_t)payload->pointers[0];
	arg->request_fd = (int32_t)payload->pointers[1];
	for (unsigned int i = 0; i < payload->controls_n; i++) {
		struct v4l2_ext_control *control = &payload->controls[i];
		const struct payload_control *data = &payload->control_data[i];

		if (!data->pointer) {
			if (data->size)
				control->size = data->size;
			continue;
		}
		/* The host may have changed the size, to say how much it takes. */
		payload_sg_put(&data->sg, data->data, gmem);
		control->value64 = (int64_t)data->value;
	}
}
