/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.c - a node opened and set up as the command line says, by either way. See steps.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "steps.h"

void place_format(const struct place *place, const struct options *options, uint32_t type,
		  uint32_t fourcc)
{
	struct v4l2_format format = {.type = type};

	if (!fourcc && !options->width)
		return;
	node_ioctl(place->node, VIDIOC_G_FMT, &format);
	/* Both kinds begin with the same three members. */
	if (options->width) {
		format.fmt.pix.width = options->width;
		format.fmt.pix.height = options->height;
	}
	if (fourcc)
		format.fmt.pix.pixelformat = fourcc;
	if (V4L2_TYPE_IS_MULTIPLANAR(type))
		memset(format.fmt.pix_mp.plane_fmt, 0, sizeof(format.fmt.pix_mp.plane_fmt));
	else
		format.fmt.pix.bytesperline = 0;
	node_ioctl(place->node, VIDIOC_S_FMT, &format);
	if (fourcc)
		assert_int_equal(format.fmt.pix.pixelformat, fourcc);
	if (options->width) {
		assert_int_equal(format.fmt.pix.width, options->width);
		assert_int_equal(format.fmt.pix.height, options->height);
	}
}

/* Raw or sliced: to set a format chooses between the two. */
static void set_vbi_format(const struct place *place, uint32_t type)
{
	struct v4l2_format format = {.type = type};

	node_ioctl(place->node, VIDIOC_G_FMT, &format);
	if (type == V4L2_BUF_TYPE_SLICED_VBI_CAPTURE || type == V4L2_BUF_TYPE_SLICED_VBI_OUTPUT) {
		memset(&format.fmt.sliced, 0, sizeof(format.fmt.sliced));
		format.fmt.sliced.service_set = V4L2_SLICED_VBI_625;
	}
	node_ioctl(place->node, VIDIOC_S_FMT, &format);
}

static void set_frequency(const struct place *place, const struct options *options)
{
	struct v4l2_frequency frequency = {
		.type = V4L2_TUNER_RADIO,
		.frequency = options->frequency,
	};

	node_ioctl(place->node, VIDIOC_S_FREQUENCY, &frequency);
}

static void set_rate(const struct place *place, const struct options *options)
{
	struct v4l2_streamparm parm = {.type = options->type};

	node_ioctl(place->node, VIDIOC_G_PARM, &parm);
	parm.parm.capture.timeperframe = (struct v4l2_fract) {1, options->rate};
	node_ioctl(place->node, VIDIOC_S_PARM, &parm);
	assert_int_equal(parm.parm.capture.timeperframe.denominator,
			 parm.parm.capture.timeperframe.numerator * options->rate);
}

void place_open(struct place *place, const struct options *options, const char *path)
{
	*place = (struct place) {.device = NULL};
	if (options->plain) {
		place->node = node_plain_open(path);
	} else {
		place->device = device_new(path, &options->device);
		place->node = device_open(place->device);
	}
	if (options->input >= 0) {
		int input = options->input;

		node_ioctl(place->node, VIDIOC_S_INPUT, &input);
	}
	for (unsigned int i = 0; i < options->settings_n; i++)
		node_set(place->node, options->settings[i].name, options->settings[i].value);
	if (options->type >= V4L2_BUF_TYPE_VBI_CAPTURE &&
	    options->type <= V4L2_BUF_TYPE_SLICED_VBI_OUTPUT)
		set_vbi_format(place, options->type);
	else if (options->type)
		place_format(place, options, options->type, options->fourcc);
	if (options->frequency)
		set_frequency(place, options);
	if (options->rate)
		set_rate(place, options);
}

void place_close(struct place *place)
{
	place->node->ops->close(place->node);
	if (place->device)
		device_free(place->device);
}

uint64_t place_check(const struct place *place, const struct stream *stream,
		     const struct v4l2_buffer *buffer)
{
	struct frame_plane planes[FRAME_PLANES_MAX];
	const unsigned int n = stream_frame(stream, buffer, planes);
	const uint64_t sum = frame_sum(planes, n);
	struct tap_record record;

	if (!place->device || !place->device->tap)
		return sum;
	assert_true(tap_take(place->device->tap, stream->type, &record));
	assert_int_equal(record.index, buffer->index);
	if (V4L2_TYPE_IS_CAPTURE(stream->type)) {
		assert_int_equal(record.sequence, buffer->sequence);
		assert_int_equal(record.bytesused, buffer->bytesused);
		assert_int_equal(record.flags, buffer->flags);
		assert_int_equal(record.field, buffer->field);
		assert_memory_equal(&record.timestamp, &buffer->timestamp,
				    sizeof(record.timestamp));
	}
	if (record.sum != sum)
		fail_msg("buffer %u of type %u, frame %u: %llx is not the host's %llx",
			 buffer->index, stream->type, buffer->sequence, (unsigned long long)sum,
			 (unsigned long long)record.sum);
	return sum;
}
