/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_control_ext.c - several controls of an emulated V4L2 device at once: all or none. See emu.h.
 *
 * VIDIOC_G_EXT_CTRLS, TRY_EXT_CTRLS, S_EXT_CTRLS. V4L2's rule for error_idx: of TRY it is the index
 * of the control that is wrong; of the other two it is the count if nothing has been done yet. On
 * the thread of the loop.
 */
#include <errno.h>
#include <string.h>

#include "devices/media/emu_impl.h"

/* Can the ioctl be about what .which says: 0 for any control, the id of a class, the defaults? */
static int check_which(struct emu_file *file, const struct v4l2_ext_controls *user, bool get)
{
	const uint32_t which = user->which;

	if (which == V4L2_CTRL_WHICH_CUR_VAL)
		return 0;
	if (which == V4L2_CTRL_WHICH_DEF_VAL)
		return get ? 0 : -EINVAL;
	/* Requests, minima and maxima are no classes either. */
	return emu_control_find(&file->context->controls, which | 1) ? 0 : -EINVAL;
}

static size_t bytes_of(const struct emu_control *control)
{
	return control->info->elems * sizeof(*control->elements);
}

/* Is @one a control that the ioctl can be about, with enough room? */
static int check(struct emu_file *file, uint32_t which, struct v4l2_ext_control *one, bool get)
{
	const struct emu_control *control = emu_control_find(&file->context->controls, one->id);

	if (which && which != V4L2_CTRL_WHICH_DEF_VAL && V4L2_CTRL_ID2WHICH(one->id) != which)
		return -EINVAL;
	if (!control)
		return -EINVAL;
	if (!emu_control_is_array(control))
		return 0;
	if (one->size < bytes_of(control)) {
		if (!get)
			return -EFAULT;
		one->size = (uint32_t)bytes_of(control);
		return -ENOSPC;
	}
	one->size = (uint32_t)bytes_of(control);
	return 0;
}

/* Return: 0; -errno, and .error_idx is the index of the first that is wrong. */
static int check_all(struct emu_file *file, struct v4l2_ext_controls *user, bool get)
{
	int r = 0;

	for (uint32_t i = 0; i < user->count && r == 0; i++) {
		user->error_idx = i;
		r = check(file, user->which, &user->controls[i], get);
	}
	return r;
}

static void get_one(struct emu_context *context, bool defaults, struct v4l2_ext_control *one)
{
	const struct emu_control *control = emu_control_find(&context->controls, one->id);
	const struct emu_control_info *info = control->info;
	int64_t value;

	if (emu_control_is_array(control)) {
		const uint32_t *elements = defaults ? info->defaults : control->elements;

		for (uint32_t i = 0; i < info->elems; i++)
			one->p_u32[i] = elements[i];
		return;
	}
	value = defaults ? info->default_value : emu_control_get(context, control);
	if (info->type == V4L2_CTRL_TYPE_INTEGER64)
		one->value64 = value;
	else
		one->value = (int32_t)value;
}

int emu_g_ext_ctrls(struct emu_file *file, void *arg)
{
	struct v4l2_ext_controls *user = arg;
	struct emu_context *context = file->context;
	int r;

	if (context->controls.n == 0)
		return -ENOTTY;
	memset(user->reserved, 0, sizeof(user->reserved));
	r = check_which(file, user, true);
	if (r == 0)
		r = check_all(file, user, true);
	user->error_idx = user->count;
	for (uint32_t i = 0; i < user->count && r == 0; i++)
		if (emu_control_find(&context->controls, user->controls[i].id)->flags &
		    V4L2_CTRL_FLAG_WRITE_ONLY)
			r = -EACCES;
	for (uint32_t i = 0; i < user->count && r == 0; i++)
		get_one(context, user->which == V4L2_CTRL_WHICH_DEF_VAL, &user->controls[i]);
	return r;
}

static int64_t value_of(const struct emu_control *control, const struct v4l2_ext_control *one)
{
	return control->info->type == V4L2_CTRL_TYPE_INTEGER64 ? one->value64 : one->value;
}

/* Makes the value of @one fit. */
static int try_one(struct emu_context *context, struct v4l2_ext_control *one)
{
	const struct emu_control *control = emu_control_find(&context->controls, one->id);
	const struct emu_control_info *info = control->info;
	int64_t value;
	int r;

	if (control->flags & V4L2_CTRL_FLAG_READ_ONLY)
		return -EACCES;
	if (emu_control_is_array(control)) {
		for (uint32_t i = 0; i < info->elems; i++) {
			value = one->p_u32[i];
			emu_control_fit(info, &value);
			one->p_u32[i] = (uint32_t)value;
		}
		return 0;
	}
	value = value_of(control, one);
	r = emu_control_fit(info, &value);
	if (r < 0)
		return r;
	if (info->type == V4L2_CTRL_TYPE_INTEGER64)
		one->value64 = value;
	else
		one->value = (int32_t)value;
	return 0;
}

int emu_try_ext_ctrls(struct emu_file *file, void *arg)
{
	struct v4l2_ext_controls *user = arg;
	int r;

	if (file->context->controls.n == 0)
		return -ENOTTY;
	memset(user->reserved, 0, sizeof(user->reserved));
	user->error_idx = user->count;
	r = check_which(file, user, false);
	if (r == 0)
		r = check_all(file, user, false);
	for (uint32_t i = 0; i < user->count && r == 0; i++) {
		user->error_idx = i;
		r = try_one(file->context, &user->controls[i]);
	}
	if (r == 0)
		user->error_idx = user->count;
	return r;
}

int emu_s_ext_ctrls(struct emu_file *file, void *arg)
{
	struct v4l2_ext_controls *user = arg;
	struct emu_context *context = file->context;
	int r = emu_try_ext_ctrls(file, arg);

	if (r == -ENOTTY)
		return r;
	user->error_idx = user->count;
	for (uint32_t i = 0; i < user->count && r == 0; i++) {
		const struct v4l2_ext_control *one = &user->controls[i];
		struct emu_control *control = emu_control_find(&context->controls, one->id);

		if (emu_control_is_array(control))
			emu_control_set(context, file, control, 0, one->p_u32);
		else
			emu_control_set(context, file, control, value_of(control, one), NULL);
	}
	return r;
}
