/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_stream.c - frames from one node, frames into one node, and many frames from many nodes.
 * See steps.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "steps.h"

static FILE *create(const char *path)
{
	FILE *file = path ? fopen(path, "wb") : NULL;

	if (path)
		assert_non_null(file);
	return file;
}

/* The next buffer of a capture queue. Events that come with it are of no interest. */
static void next_frame(const struct place *place, const struct stream *stream,
		       struct node_event *event)
{
	do {
		node_next(place->node, event);
	} while (!event->is_buffer);
	if (event->is_buffer && V4L2_TYPE_IS_MULTIPLANAR(event->buffer.type))
		event->buffer.m.planes = event->planes;
	assert_int_equal(event->buffer.type, stream->type);
	assert_false(event->buffer.flags & V4L2_BUF_FLAG_ERROR);
}

/*
 * Frames that the host says it has dropped before this one, by their numbers. It may also give the
 * same number twice (vivid counts them by the clock). @next: number that is expected next.
 */
static uint32_t missing(const struct v4l2_buffer *buffer, uint32_t *next)
{
	const uint32_t gap = buffer->sequence > *next ? buffer->sequence - *next : 0;

	*next = buffer->sequence + 1;
	return gap;
}

void step_capture(const struct options *options)
{
	FILE *out = create(options->out);
	struct node_event event;
	struct stream stream;
	struct place place;
	uint32_t next = 0, gaps = 0;

	place_open(&place, options, options->paths[0]);
	stream_init(&stream, place.node, options->type, options->buffers);
	stream_put_all(&stream);
	stream_on(&stream);
	for (uint32_t i = 0; i < options->frames; i++) {
		struct frame_plane planes[FRAME_PLANES_MAX];
		unsigned int n;

		next_frame(&place, &stream, &event);
		place_check(&place, &stream, &event.buffer);
		gaps += missing(&event.buffer, &next);
		n = stream_frame(&stream, &event.buffer, planes);
		if (out)
			frame_write(out, planes, n);
		stream_put(&stream, event.buffer.index, NULL);
	}
	stream_off(&stream);
	stream_deinit(&stream);
	place_close(&place);
	if (out)
		assert_int_equal(fclose(out), 0);
	print_message("%u frames, %u were dropped by the host\n", options->frames, gaps);
}

/* Fill buffer @index and queue it. */
static void put_picture(const struct place *place, struct stream *stream, unsigned int index,
			uint32_t number, FILE *in)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
	struct v4l2_buffer buffer = {.type = stream->type, .index = index};
	uint32_t used[FRAME_PLANES_MAX];

	if (in)
		assert_true(frame_read(in, stream->memory[index], stream->planes_n));
	for (unsigned int i = 0; i < stream->planes_n; i++) {
		if (!in)
			frame_make(&stream->memory[index][i], number);
		used[i] = stream->memory[index][i].len;
		planes[i].bytesused = used[i];
	}
	if (V4L2_TYPE_IS_MULTIPLANAR(stream->type))
		buffer.m.planes = planes;
	else
		buffer.bytesused = used[0];
	stream_put(stream, index, used);
	place_check(place, stream, &buffer);
}

/* Pictures that are never given back while streaming: the last one stays on display. */
static uint32_t kept(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_OUTPUT || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

void step_output(const struct options *options)
{
	FILE *in = options->in ? fopen(options->in, "rb") : NULL;
	uint32_t queued = 0;
	struct node_event event;
	struct stream stream;
	struct place place;

	place_open(&place, options, options->paths[0]);
	stream_init(&stream, place.node, options->type, options->buffers);
	for (; queued < MIN(stream.n, options->frames); queued++)
		put_picture(&place, &stream, queued, queued, in);
	stream_on(&stream);
	for (uint32_t i = 0; i < options->frames - kept(options->type); i++) {
		next_frame(&place, &stream, &event);
		/* In the order in which they were queued. */
		assert_int_equal(event.buffer.index, i % stream.n);
		if (queued < options->frames)
			put_picture(&place, &stream, event.buffer.index, queued++, in);
	}
	stream_off(&stream);
	stream_deinit(&stream);
	place_close(&place);
	if (in)
		fclose(in);
	print_message("%u frames\n", options->frames);
}

/* Many nodes at once. */

struct soaked {
	struct place place;
	struct stream stream;
	uint32_t next, gaps;
	uint64_t sum;
};

static void soak_one(struct soaked *soaked, const struct options *options, bool first)
{
	struct node_event event;
	uint64_t sum;

	next_frame(&soaked->place, &soaked->stream, &event);
	sum = place_check(&soaked->place, &soaked->stream, &event.buffer);
	if (options->moves && !first)
		assert_true(sum != soaked->sum);
	soaked->sum = sum;
	soaked->gaps += missing(&event.buffer, &soaked->next);
	stream_put(&soaked->stream, event.buffer.index, NULL);
}

void step_soak(const struct options *options)
{
	struct soaked *all = calloc(options->paths_n, sizeof(*all));

	assert_non_null(all);
	for (unsigned int i = 0; i < options->paths_n; i++) {
		place_open(&all[i].place, options, options->paths[i]);
		stream_init(&all[i].stream, all[i].place.node, options->type, options->buffers);
		stream_put_all(&all[i].stream);
	}
	for (unsigned int i = 0; i < options->paths_n; i++)
		stream_on(&all[i].stream);
	for (uint32_t frame = 0; frame < options->frames; frame++)
		for (unsigned int i = 0; i < options->paths_n; i++)
			soak_one(&all[i], options, frame == 0);
	for (unsigned int i = 0; i < options->paths_n; i++) {
		stream_off(&all[i].stream);
		stream_deinit(&all[i].stream);
		place_close(&all[i].place);
		print_message("%s: %u frames, %u were dropped by the host\n", options->paths[i],
			      options->frames, all[i].gaps);
	}
	free(all);
}
