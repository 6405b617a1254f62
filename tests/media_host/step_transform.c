/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_transform.c - frames through a memory-to-memory device or a codec. See steps.h.
 *
 * Follows the kernel's documents on the memory-to-memory stateful video encoder and decoder
 * interfaces. Without a codec, what comes out must be what went in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "steps.h"

struct transform {
	const struct options *options;
	struct place place;
	struct stream out, cap; /* V4L2's names: into the device, and out of it */
	FILE *from, *to;
	uint64_t *sums; /* of what went in, by number; without a codec */
	uint32_t fed, taken;
	bool has_cap, stopped, last;
};

static void subscribe(struct node *node, uint32_t type)
{
	struct v4l2_event_subscription subscription = {.type = type};

	node_ioctl(node, VIDIOC_SUBSCRIBE_EVENT, &subscription);
}

static void start_capture(struct transform *t, uint32_t type)
{
	stream_init(&t->cap, t->place.node, type, t->options->buffers);
	stream_put_all(&t->cap);
	stream_on(&t->cap);
	t->has_cap = true;
}

/* Return: is there a next frame, and @used of each plane? */
static bool fill(struct transform *t, unsigned int index, struct frame_plane *planes)
{
	memcpy(planes, t->out.memory[index], sizeof(t->out.memory[index]));
	if (t->from)
		return frame_read(t->from, planes, t->out.planes_n);
	if (t->fed == t->options->frames)
		return false;
	for (unsigned int i = 0; i < t->out.planes_n; i++)
		frame_make(&planes[i], t->fed);
	return true;
}

/* Once both queues are streaming: what was fed is all. */
static void stop(struct transform *t)
{
	struct v4l2_decoder_cmd decoder = {.cmd = V4L2_DEC_CMD_STOP};
	struct v4l2_encoder_cmd encoder = {.cmd = V4L2_ENC_CMD_STOP};

	if (t->options->codec == CODEC_DECODER)
		node_ioctl(t->place.node, VIDIOC_DECODER_CMD, &decoder);
	else if (t->options->codec == CODEC_ENCODER)
		node_ioctl(t->place.node, VIDIOC_ENCODER_CMD, &encoder);
	t->stopped = true;
}

static void feed(struct transform *t, unsigned int index)
{
	struct frame_plane planes[FRAME_PLANES_MAX];
	struct v4l2_plane v4l2_planes[VIDEO_MAX_PLANES] = {0};
	struct v4l2_buffer buffer = {.type = t->out.type, .index = index};
	uint32_t used[FRAME_PLANES_MAX];
	uint64_t sum;

	if (!fill(t, index, planes)) {
		if (t->has_cap && !t->stopped)
			stop(t);
		return;
	}
	for (unsigned int i = 0; i < t->out.planes_n; i++)
		used[i] = v4l2_planes[i].bytesused = planes[i].len;
	stream_put(&t->out, index, used);
	buffer.bytesused = used[0];
	if (V4L2_TYPE_IS_MULTIPLANAR(t->out.type))
		buffer.m.planes = v4l2_planes;
	sum = place_check(&t->place, &t->out, &buffer);
	if (t->sums)
		t->sums[t->fed] = sum;
	t->fed++;
}

static void take(struct transform *t, const struct v4l2_buffer *buffer)
{
	struct frame_plane planes[FRAME_PLANES_MAX];
	const unsigned int n = stream_frame(&t->cap, buffer, planes);
	const uint64_t sum = place_check(&t->place, &t->cap, buffer);

	assert_false(buffer->flags & V4L2_BUF_FLAG_ERROR);
	if (planes[0].len > 0) {
		if (t->to)
			frame_write(t->to, planes, n);
		if (t->sums)
			assert_true(t->sums[t->taken] == sum);
		t->taken++;
	}
	t->last = buffer->flags & V4L2_BUF_FLAG_LAST;
	if (!t->last)
		stream_put(&t->cap, buffer->index, NULL);
}

static bool is_done(const struct transform *t)
{
	return t->options->codec ? t->last : t->taken == t->options->frames;
}

static void run(struct transform *t, uint32_t cap_type)
{
	struct node_event event;

	for (unsigned int i = 0; i < t->out.n; i++)
		feed(t, i);
	while (!is_done(t)) {
		node_next(t->place.node, &event);
		if (event.is_buffer && event.buffer.type == t->out.type)
			feed(t, event.buffer.index);
		else if (event.is_buffer)
			take(t, &event.buffer);
		else if (event.event.type == V4L2_EVENT_SOURCE_CHANGE && !t->has_cap)
			start_capture(t, cap_type);
	}
}

static void init(struct transform *t, const struct options *options, uint32_t out_type,
		 uint32_t cap_type)
{
	t->from = options->in ? fopen(options->in, "rb") : NULL;
	t->to = options->out ? fopen(options->out, "wb") : NULL;
	if (!options->codec)
		t->sums = calloc(options->frames, sizeof(*t->sums));
	place_format(&t->place, options, out_type, options->fourcc);
	if (options->codec != CODEC_DECODER)
		place_format(&t->place, options, cap_type, options->to);
	else
		subscribe(t->place.node, V4L2_EVENT_SOURCE_CHANGE);
	if (options->codec)
		subscribe(t->place.node, V4L2_EVENT_EOS);
	stream_init(&t->out, t->place.node, out_type, options->buffers);
	if (options->codec != CODEC_DECODER)
		start_capture(t, cap_type);
	stream_on(&t->out);
}

void step_transform(const struct options *options)
{
	struct transform t = {.options = options};
	uint32_t out_type = V4L2_BUF_TYPE_VIDEO_OUTPUT, cap_type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	place_open(&t.place, options, options->paths[0]);
	if (node_is(t.place.node, V4L2_CAP_VIDEO_M2M_MPLANE)) {
		out_type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
		cap_type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
	}
	init(&t, options, out_type, cap_type);
	run(&t, cap_type);
	assert_true(t.taken > 0);
	print_message("%u frames in, %u frames out\n", t.fed, t.taken);
	stream_off(&t.out);
	stream_off(&t.cap);
	stream_deinit(&t.out);
	stream_deinit(&t.cap);
	place_close(&t.place);
	free(t.sums);
	if (t.from)
		fclose(t.from);
	if (t.to)
		assert_int_equal(fclose(t.to), 0);
}
