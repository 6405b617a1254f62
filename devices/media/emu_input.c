/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_input.c - inputs of an emulated V4L2 device: which camera is looked through. See emu.h.
 *
 * VIDIOC_ENUMINPUT, G_INPUT, S_INPUT. On the thread of the loop.
 */
#include <errno.h>
#include <stdio.h>

#include "devices/media/emu_impl.h"

int emu_enuminput(struct emu_file *file, void *arg)
{
	const struct emu_setup *setup = emu_of(file)->setup;
	struct v4l2_input *input = arg;
	const uint32_t index = input->index;

	if (setup->inputs_n == 0)
		return -ENOTTY;
	if (index >= setup->inputs_n)
		return -EINVAL;
	*input = (struct v4l2_input) {.index = index, .type = V4L2_INPUT_TYPE_CAMERA};
	snprintf((char *)input->name, sizeof(input->name), "%s", setup->inputs[index]);
	return 0;
}

int emu_g_input(struct emu_file *file, void *arg)
{
	const struct emu *emu = emu_of(file);

	if (emu->setup->inputs_n == 0)
		return -ENOTTY;
	*(int *)arg = (int)emu->input;
	return 0;
}

int emu_s_input(struct emu_file *file, void *arg)
{
	struct emu *emu = emu_of(file);
	const uint32_t index = *(const uint32_t *)arg;

	if (emu->setup->inputs_n == 0)
		return -ENOTTY;
	if (index >= emu->setup->inputs_n)
		return -EINVAL;
	emu->input = index;
	return 0;
}
