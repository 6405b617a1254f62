/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_describe.c - all that a node says of itself, as text: every ioctl that only asks, for every
 * type, index and control. See steps.h.
 *
 * Two descriptions are the same exactly if each answer is, error codes included.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "steps.h"

#define NONE	  0xff
#define INDEX_MAX 64
#define TYPES	  15
#define ARG_MAX	  2304

/* Where in its struct an ioctl has the index and the type of what it is about. */
struct question {
	const char *name;
	unsigned long cmd;
	uint8_t index_at, type_at;
};

static const struct question questions[] = {
	{"ENUM_FMT", VIDIOC_ENUM_FMT, 0, 4},
	{"G_FMT", VIDIOC_G_FMT, NONE, 0},
	{"G_PARM", VIDIOC_G_PARM, NONE, 0},
	{"CROPCAP", VIDIOC_CROPCAP, NONE, 0},
	{"G_CROP", VIDIOC_G_CROP, NONE, 0},
	{"G_SELECTION", VIDIOC_G_SELECTION, 4, 0},
	{"G_SLICED_VBI_CAP", VIDIOC_G_SLICED_VBI_CAP, NONE, 100},
	{"G_INPUT", VIDIOC_G_INPUT, NONE, NONE},
	{"ENUMINPUT", VIDIOC_ENUMINPUT, 0, NONE},
	{"G_OUTPUT", VIDIOC_G_OUTPUT, NONE, NONE},
	{"ENUMOUTPUT", VIDIOC_ENUMOUTPUT, 0, NONE},
	{"G_STD", VIDIOC_G_STD, NONE, NONE},
	{"QUERYSTD", VIDIOC_QUERYSTD, NONE, NONE},
	{"ENUMSTD", VIDIOC_ENUMSTD, 0, NONE},
	{"G_AUDIO", VIDIOC_G_AUDIO, NONE, NONE},
	{"ENUMAUDIO", VIDIOC_ENUMAUDIO, 0, NONE},
	{"G_AUDOUT", VIDIOC_G_AUDOUT, NONE, NONE},
	{"ENUMAUDOUT", VIDIOC_ENUMAUDOUT, 0, NONE},
	{"G_TUNER", VIDIOC_G_TUNER, 0, NONE},
	{"G_MODULATOR", VIDIOC_G_MODULATOR, 0, NONE},
	{"G_FREQUENCY", VIDIOC_G_FREQUENCY, 0, NONE},
	{"ENUM_FREQ_BANDS", VIDIOC_ENUM_FREQ_BANDS, 8, 4},
	{"G_DV_TIMINGS", VIDIOC_G_DV_TIMINGS, NONE, NONE},
	{"QUERY_DV_TIMINGS", VIDIOC_QUERY_DV_TIMINGS, NONE, NONE},
	{"ENUM_DV_TIMINGS", VIDIOC_ENUM_DV_TIMINGS, 0, NONE},
	{"DV_TIMINGS_CAP", VIDIOC_DV_TIMINGS_CAP, NONE, NONE},
	{"G_JPEGCOMP", VIDIOC_G_JPEGCOMP, NONE, NONE},
	{"G_ENC_INDEX", VIDIOC_G_ENC_INDEX, NONE, NONE},
	{"G_PRIORITY", VIDIOC_G_PRIORITY, NONE, NONE},
};

static void say(FILE *out, const char *name, uint32_t type, uint32_t index, int result,
		const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *at = bytes;

	fprintf(out, "%s %u %u: %s", name, type, index, result < 0 ? strerror(-result) : "");
	for (size_t i = 0; result == 0 && i < len; i++) {
		putc_unlocked(digits[at[i] >> 4], out);
		putc_unlocked(digits[at[i] & 15], out);
	}
	fprintf(out, "\n");
}

/* Return: did it answer? */
static bool ask(FILE *out, struct node *node, const struct question *question, uint32_t type,
		uint32_t index)
{
	_Alignas(16) uint8_t arg[ARG_MAX] = {0};
	int r;

	if (question->index_at != NONE)
		memcpy(arg + question->index_at, &index, sizeof(index));
	if (question->type_at != NONE)
		memcpy(arg + question->type_at, &type, sizeof(type));
	r = node->ops->ioctl(node, question->cmd, arg);
	say(out, question->name, type, index, r, arg, _IOC_SIZE(question->cmd));
	return r == 0;
}

static void ask_all(FILE *out, struct node *node, const struct question *question)
{
	const uint32_t types = question->type_at == NONE ? 1 : TYPES;
	const uint32_t indices = question->index_at == NONE ? 1 : INDEX_MAX;

	for (uint32_t type = 0; type < types; type++)
		for (uint32_t index = 0; index < indices; index++)
			if (!ask(out, node, question, type, index) &&
			    question->cmd != VIDIOC_G_SELECTION)
				break;
}

/* Sizes and intervals of each format. */
static void ask_sizes(FILE *out, struct node *node, uint32_t fourcc)
{
	struct v4l2_frmsizeenum size = {.pixel_format = fourcc};
	struct v4l2_frmivalenum interval;
	int r;

	for (; size.index < INDEX_MAX; size.index++) {
		r = node->ops->ioctl(node, VIDIOC_ENUM_FRAMESIZES, &size);
		say(out, "ENUM_FRAMESIZES", fourcc, size.index, r, &size, sizeof(size));
		if (r < 0)
			return;
		interval = (struct v4l2_frmivalenum) {
			.pixel_format = fourcc,
			.width = size.discrete.width,
			.height = size.type == V4L2_FRMSIZE_TYPE_DISCRETE
					  ? size.discrete.height
					  : size.stepwise.min_height,
		};
		for (; interval.index < INDEX_MAX; interval.index++) {
			r = node->ops->ioctl(node, VIDIOC_ENUM_FRAMEINTERVALS, &interval);
			say(out, "ENUM_FRAMEINTERVALS", fourcc, interval.index, r, &interval,
			    sizeof(interval));
			if (r < 0)
				break;
		}
	}
}

static void ask_formats(FILE *out, struct node *node)
{
	struct v4l2_fmtdesc format = {.type = 0};

	for (format.type = 1; format.type < TYPES; format.type++)
		for (format.index = 0; format.index < INDEX_MAX; format.index++) {
			if (node->ops->ioctl(node, VIDIOC_ENUM_FMT, &format) < 0)
				break;
			ask_sizes(out, node, format.pixelformat);
		}
}

/* Controls. */

static void ask_menu(FILE *out, struct node *node, const struct v4l2_query_ext_ctrl *control)
{
	for (int64_t i = control->minimum; i <= control->maximum && i < INDEX_MAX; i++) {
		struct v4l2_querymenu menu = {.id = control->id, .index = (uint32_t)i};
		const int r = node->ops->ioctl(node, VIDIOC_QUERYMENU, &menu);

		say(out, "QUERYMENU", control->id, (uint32_t)i, r, &menu, sizeof(menu));
	}
}

/* The current, the default and, on newer kernels, the extreme values. */
static void ask_values(FILE *out, struct node *node, const struct v4l2_query_ext_ctrl *query)
{
	static const uint32_t which[] = {V4L2_CTRL_WHICH_CUR_VAL, V4L2_CTRL_WHICH_DEF_VAL};
	const bool is_data = query->flags & V4L2_CTRL_FLAG_HAS_PAYLOAD;
	const uint32_t size = query->elem_size * query->elems;
	uint8_t *data = calloc(1, size + 1);

	assert_non_null(data);
	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		struct v4l2_ext_control control = {.id = query->id};
		struct v4l2_ext_controls controls = {
			.which = which[i],
			.count = 1,
			.controls = &control,
		};
		int r;

		if (is_data) {
			control.size = size;
			control.ptr = data;
		}
		r = node->ops->ioctl(node, VIDIOC_G_EXT_CTRLS, &controls);
		say(out, "G_EXT_CTRLS", query->id, which[i], r, is_data ? data : (void *)&control,
		    is_data ? size : sizeof(control));
		if (is_data)
			assert_ptr_equal(control.ptr, data);
		fprintf(out, "error_idx %u\n", controls.error_idx);
	}
	free(data);
}

static void ask_controls(FILE *out, struct node *node)
{
	const uint32_t next = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
	struct v4l2_query_ext_ctrl query = {.id = next};
	struct v4l2_queryctrl old;
	int r;

	while (node->ops->ioctl(node, VIDIOC_QUERY_EXT_CTRL, &query) == 0) {
		say(out, "QUERY_EXT_CTRL", query.id, 0, 0, &query, sizeof(query));
		old = (struct v4l2_queryctrl) {.id = query.id};
		r = node->ops->ioctl(node, VIDIOC_QUERYCTRL, &old);
		say(out, "QUERYCTRL", query.id, 0, r, &old, sizeof(old));
		if (query.type == V4L2_CTRL_TYPE_MENU || query.type == V4L2_CTRL_TYPE_INTEGER_MENU)
			ask_menu(out, node, &query);
		/* Volatile ones are different at the next moment. */
		if (query.type != V4L2_CTRL_TYPE_CTRL_CLASS &&
		    query.type != V4L2_CTRL_TYPE_BUTTON && !(query.flags & V4L2_CTRL_FLAG_VOLATILE))
			ask_values(out, node, &query);
		query.id |= next;
	}
}

/* The device does not offer read() and write(), nor RDS where it comes that way. */
static uint32_t offered(uint32_t caps)
{
	if (!(caps & V4L2_CAP_READWRITE))
		return caps;
	return caps & ~(uint32_t)(V4L2_CAP_READWRITE | V4L2_CAP_RDS_CAPTURE);
}

void step_describe(const struct options *options)
{
	FILE *out = options->out ? fopen(options->out, "wb") : stdout;
	struct v4l2_capability capability;
	struct place place;

	assert_non_null(out);
	place_open(&place, options, options->paths[0]);
	place.node->ops->capability(place.node, &capability);
	fprintf(out, "%s %x\n", (const char *)capability.card, offered(capability.device_caps));
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		ask_all(out, place.node, &questions[i]);
	ask_formats(out, place.node);
	ask_controls(out, place.node);
	place_close(&place);
	if (options->out)
		assert_int_equal(fclose(out), 0);
}
