/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_control.c - controls of an emulated V4L2 device: what there are, their values, who hears of a
 * change. See emu.h.
 *
 * VIDIOC_QUERYCTRL, QUERY_EXT_CTRL, QUERYMENU, G_CTRL, S_CTRL; the EXT ones are in
 * emu_control_ext.c. After the kernel's control framework. On the thread of the loop.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/media/emu_impl.h"

bool emu_control_is_array(const struct emu_control *control)
{
	return control->info->elems > 0;
}

struct emu_control *emu_control_find(const struct emu_controls *controls, uint32_t id)
{
	for (unsigned int i = 0; i < controls->n; i++)
		if (controls->list[i].info->id == id)
			return &controls->list[i];
	return NULL;
}

int64_t emu_control_value(const struct emu_controls *controls, uint32_t id)
{
	const struct emu_control *control = emu_control_find(controls, id);

	assert(control && !emu_control_is_array(control));
	return control->value;
}

int64_t emu_control_get(struct emu_context *context, const struct emu_control *control)
{
	if (control->flags & V4L2_CTRL_FLAG_VOLATILE)
		return context->emu->setup->class->control_get(context, control);
	return control->value;
}

/* Life. */

static uint32_t type_flags(const struct emu_control_info *info)
{
	switch (info->type) {
	case V4L2_CTRL_TYPE_CTRL_CLASS:
		return V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY;
	case V4L2_CTRL_TYPE_BUTTON:
		return V4L2_CTRL_FLAG_WRITE_ONLY | V4L2_CTRL_FLAG_EXECUTE_ON_WRITE;
	case V4L2_CTRL_TYPE_U32:
		return V4L2_CTRL_FLAG_HAS_PAYLOAD;
	default:
		return 0;
	}
}

static int init_control(struct emu_control *control, const struct emu_control_info *info)
{
	const size_t bytes = info->elems * sizeof(*control->elements);

	control->info = info;
	control->flags = info->flags | type_flags(info);
	control->value = info->default_value;
	if (info->elems == 0)
		return 0;
	control->elements = malloc(bytes);
	if (!control->elements)
		return -ENOMEM;
	memcpy(control->elements, info->defaults, bytes);
	return 0;
}

/* Controls that a set automatic one takes over are inactive. @tell: it has just changed. */
static void update_inactive(struct emu_context *context, const struct emu_control *automatic,
			    bool tell)
{
	struct emu_controls *controls = &context->controls;

	for (unsigned int i = 0; i < controls->n; i++) {
		struct emu_control *control = &controls->list[i];
		struct v4l2_event event;

		if (control->info->automatic != automatic->info->id)
			continue;
		control->flags &= ~(uint32_t)V4L2_CTRL_FLAG_INACTIVE;
		if (automatic->value)
			control->flags |= V4L2_CTRL_FLAG_INACTIVE;
		if (!tell)
			continue;
		emu_control_event(context, control, V4L2_EVENT_CTRL_CH_FLAGS, &event);
		emu_event_send(context, NULL, &event);
	}
}

int emu_controls_init(struct emu_context *context)
{
	const struct emu_setup *setup = context->emu->setup;
	struct emu_controls *controls = &context->controls;

	if (setup->controls_n == 0)
		return 0;
	controls->list = calloc(setup->controls_n, sizeof(*controls->list));
	if (!controls->list)
		return -ENOMEM;
	for (unsigned int i = 0; i < setup->controls_n; i++) {
		assert(i == 0 || setup->controls[i - 1].id < setup->controls[i].id);
		if (init_control(&controls->list[i], &setup->controls[i]) < 0)
			return -ENOMEM;
		controls->n++;
	}
	for (unsigned int i = 0; i < controls->n; i++)
		update_inactive(context, &controls->list[i], false);
	return 0;
}

void emu_controls_deinit(struct emu_controls *controls)
{
	for (unsigned int i = 0; i < controls->n; i++)
		free(controls->list[i].elements);
	free(controls->list);
	*controls = (struct emu_controls) {0};
}

/* Values. */

/* The multiple of the step that is nearest, counted from the minimum. */
static int64_t to_step(const struct emu_control_info *info, int64_t value)
{
	const uint64_t step = (uint64_t)info->step;
	uint64_t off, last;

	if (value <= info->minimum)
		return info->minimum;
	value = MIN(value, info->maximum);
	off = (uint64_t)value - (uint64_t)info->minimum;
	last = ((uint64_t)info->maximum - (uint64_t)info->minimum) / step;
	return info->minimum +
	       (int64_t)(MIN(off / step + (off % step > (step - 1) / 2), last) * step);
}

int emu_control_fit(const struct emu_control_info *info, int64_t *value)
{
	switch (info->type) {
	case V4L2_CTRL_TYPE_BOOLEAN:
		*value = *value != 0;
		return 0;
	case V4L2_CTRL_TYPE_MENU:
		return *value < info->minimum || *value > info->maximum ? -ERANGE : 0;
	case V4L2_CTRL_TYPE_BUTTON:
		*value = 0;
		return 0;
	default:
		*value = to_step(info, *value);
		return 0;
	}
}

void emu_control_event(struct emu_context *context, const struct emu_control *control,
		       uint32_t changes, struct v4l2_event *event)
{
	const struct emu_control_info *info = control->info;
	const bool array = emu_control_is_array(control);

	*event = (struct v4l2_event) {.type = V4L2_EVENT_CTRL, .id = info->id};
	event->u.ctrl.changes = changes;
	event->u.ctrl.type = info->type;
	event->u.ctrl.flags = control->flags;
	if (array)
		return;
	if (info->type == V4L2_CTRL_TYPE_INTEGER64)
		event->u.ctrl.value64 = emu_control_get(context, control);
	else
		event->u.ctrl.value = (int32_t)emu_control_get(context, control);
	event->u.ctrl.minimum = (int32_t)info->minimum;
	event->u.ctrl.maximum = (int32_t)info->maximum;
	event->u.ctrl.step = (int32_t)info->step;
	event->u.ctrl.default_value = (int32_t)info->default_value;
}

/* Return: was it another value? A button is new each time. */
static bool store(struct emu_control *control, int64_t value, const uint32_t *elements)
{
	const size_t bytes = control->info->elems * sizeof(*elements);
	bool changed = control->value != value || control->info->type == V4L2_CTRL_TYPE_BUTTON;

	if (emu_control_is_array(control)) {
		changed = memcmp(control->elements, elements, bytes) != 0;
		memcpy(control->elements, elements, bytes);
	} else {
		control->value = value;
	}
	return changed;
}

void emu_control_set(struct emu_context *context, const struct emu_file *file,
		     struct emu_control *control, int64_t value, const uint32_t *elements)
{
	const struct emu_class *class = context->emu->setup->class;
	struct v4l2_event event;

	if (!store(control, value, elements))
		return;
	emu_control_event(context, control, V4L2_EVENT_CTRL_CH_VALUE, &event);
	emu_event_send(context, file, &event);
	update_inactive(context, control, true);
	if (class->control_set)
		class->control_set(context, control);
}

void emu_control_change(struct emu_context *context, uint32_t id, int64_t value)
{
	struct emu_control *control = emu_control_find(&context->controls, id);

	assert(control && !emu_control_is_array(control));
	emu_control_set(context, NULL, control, value, NULL);
}

/* Queries. */

static const struct emu_control *find_next(const struct emu_controls *controls, uint32_t after,
					   uint32_t flags)
{
	for (unsigned int i = 0; i < controls->n; i++) {
		const struct emu_control *control = &controls->list[i];
		const uint32_t kind = emu_control_is_array(control) ? V4L2_CTRL_FLAG_NEXT_COMPOUND
								    : V4L2_CTRL_FLAG_NEXT_CTRL;

		if (control->info->id > after && flags & kind)
			return control;
	}
	return NULL;
}

int emu_query_ext_ctrl(struct emu_file *file, void *arg)
{
	const uint32_t next = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
	const struct emu_controls *controls = &file->context->controls;
	struct v4l2_query_ext_ctrl *query = arg;
	const struct emu_control *control;
	const struct emu_control_info *info;

	if (controls->n == 0)
		return -ENOTTY;
	if (query->id & next)
		control = find_next(controls, query->id & ~next, query->id);
	else
		control = emu_control_find(controls, query->id);
	if (!control)
		return -EINVAL;
	info = control->info;
	*query = (struct v4l2_query_ext_ctrl) {
		.id = info->id,
		.type = info->type,
		.minimum = info->minimum,
		.maximum = info->maximum,
		.step = (uint64_t)info->step,
		.default_value = info->default_value,
		.flags = control->flags,
		.elem_size = info->type == V4L2_CTRL_TYPE_INTEGER64 ? 8 : 4,
		.elems = MAX(info->elems, 1u),
		.nr_of_dims = emu_control_is_array(control),
		.dims = {info->elems},
	};
	snprintf(query->name, sizeof(query->name), "%s", info->name);
	return 0;
}

/* The range of what does not fit into 32 bits is 0. */
int emu_queryctrl(struct emu_file *file, void *arg)
{
	struct v4l2_queryctrl *user = arg;
	struct v4l2_query_ext_ctrl query = {.id = user->id};
	int r = emu_query_ext_ctrl(file, &query);

	if (r < 0)
		return r;
	*user = (struct v4l2_queryctrl) {
		.id = query.id,
		.type = query.type,
		.flags = query.flags,
	};
	memcpy(user->name, query.name, sizeof(user->name));
	if (query.type == V4L2_CTRL_TYPE_INTEGER64 || query.type >= V4L2_CTRL_COMPOUND_TYPES)
		return 0;
	user->minimum = (int32_t)query.minimum;
	user->maximum = (int32_t)query.maximum;
	user->step = (int32_t)query.step;
	user->default_value = (int32_t)query.default_value;
	return 0;
}

int emu_querymenu(struct emu_file *file, void *arg)
{
	struct v4l2_querymenu *menu = arg;
	const struct emu_control *control = emu_control_find(&file->context->controls, menu->id);

	if (file->context->controls.n == 0)
		return -ENOTTY;
	if (!control || control->info->type != V4L2_CTRL_TYPE_MENU)
		return -EINVAL;
	if (menu->index < control->info->minimum || menu->index > control->info->maximum)
		return -EINVAL;
	*menu = (struct v4l2_querymenu) {.id = menu->id, .index = menu->index};
	snprintf((char *)menu->name, sizeof(menu->name), "%s", control->info->menu[menu->index]);
	return 0;
}

/* The control that an ioctl with a value of 32 bits can be about. */
static int find_simple(struct emu_file *file, uint32_t id, struct emu_control **out)
{
	struct emu_controls *controls = &file->context->controls;

	if (controls->n == 0)
		return -ENOTTY;
	*out = emu_control_find(controls, id);
	if (!*out || emu_control_is_array(*out) || (*out)->info->type == V4L2_CTRL_TYPE_INTEGER64)
		return -EINVAL;
	return 0;
}

int emu_g_ctrl(struct emu_file *file, void *arg)
{
	struct v4l2_control *user = arg;
	struct emu_control *control;
	int r = find_simple(file, user->id, &control);

	if (r < 0)
		return r;
	if (control->flags & V4L2_CTRL_FLAG_WRITE_ONLY)
		return -EACCES;
	user->value = (int32_t)emu_control_get(file->context, control);
	return 0;
}

int emu_s_ctrl(struct emu_file *file, void *arg)
{
	struct v4l2_control *user = arg;
	struct emu_control *control;
	int64_t value = user->value;
	int r = find_simple(file, user->id, &control);

	if (r < 0)
		return r;
	if (control->flags & V4L2_CTRL_FLAG_READ_ONLY)
		return -EACCES;
	r = emu_control_fit(control->info, &value);
	if (r < 0)
		return r;
	emu_control_set(file->context, file, control, value, NULL);
	user->value = (int32_t)value;
	return 0;
}
