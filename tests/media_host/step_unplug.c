/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_unplug.c - the host's driver is taken off its device in mid-stream, as if a camera had been
 * pulled. Another device goes on. See steps.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "steps.h"

#define FRAMES 5

struct streaming {
	struct place place;
	struct stream stream;
};

/* The other one is a memory-to-memory device, which gives what it gets. */
struct other {
	struct place place;
	struct stream out, cap;
};

static void start(struct streaming *streaming, const struct options *options, const char *path)
{
	place_open(&streaming->place, options, path);
	stream_init(&streaming->stream, streaming->place.node, options->type, options->buffers);
	stream_put_all(&streaming->stream);
	stream_on(&streaming->stream);
}

static void take_frames(struct streaming *streaming)
{
	struct node_event event;

	for (unsigned int i = 0; i < FRAMES; i++) {
		node_next(streaming->place.node, &event);
		assert_true(event.is_buffer);
		assert_false(event.buffer.flags & V4L2_BUF_FLAG_ERROR);
		place_check(&streaming->place, &streaming->stream, &event.buffer);
		stream_put(&streaming->stream, event.buffer.index, NULL);
	}
}

static void start_other(struct other *other, const struct options *options)
{
	struct options plain = *options;

	plain.type = plain.rate = 0;
	plain.input = -1;
	place_open(&other->place, &plain, options->paths[1]);
	stream_init(&other->out, other->place.node, V4L2_BUF_TYPE_VIDEO_OUTPUT, 1);
	stream_init(&other->cap, other->place.node, V4L2_BUF_TYPE_VIDEO_CAPTURE, 1);
	stream_on(&other->out);
	stream_on(&other->cap);
}

/* @number: of the picture, not one that it had before. */
static void use_other(struct other *other, uint32_t number)
{
	struct node_event event;

	frame_make(&other->out.memory[0][0], number);
	stream_put(&other->out, 0, NULL);
	stream_put(&other->cap, 0, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		node_next(other->place.node, &event);
		assert_true(event.is_buffer);
	}
	assert_int_equal(other->out.memory[0][0].len, other->cap.memory[0][0].len);
	assert_memory_equal(other->out.memory[0][0].bytes, other->cap.memory[0][0].bytes,
			    other->out.memory[0][0].len);
}

static void end_other(struct other *other)
{
	stream_off(&other->out);
	stream_off(&other->cap);
	stream_deinit(&other->out);
	stream_deinit(&other->cap);
	place_close(&other->place);
}

/* "FILE=WORD": write it there. */
static void unbind(const char *what)
{
	const char *word = strchr(what, '=');
	char path[256] = "";
	int fd;

	assert_non_null(word);
	assert_true((size_t)(word - what) < sizeof(path));
	memcpy(path, what, (size_t)(word - what));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, word + 1, strlen(word + 1)), strlen(word + 1));
	close(fd);
}

/* All that the host had comes back, most of it with an error. */
static void take_back(struct streaming *streaming)
{
	bool back[STREAM_BUFFERS_MAX] = {false};
	struct node_event event;
	unsigned int errors = 0;

	for (unsigned int i = 0; i < streaming->stream.n; i++) {
		node_next(streaming->place.node, &event);
		assert_true(event.is_buffer);
		assert_true(event.buffer.index < streaming->stream.n);
		assert_false(back[event.buffer.index]);
		back[event.buffer.index] = true;
		errors += !!(event.buffer.flags & V4L2_BUF_FLAG_ERROR);
	}
	assert_true(errors > 0);
	assert_false(streaming->place.node->ops->next(streaming->place.node, &event, 200));
}

/* Return: something that depends on all that is mapped. */
static uint64_t look(const struct stream *stream)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < stream->n; i++)
		sum ^= frame_sum(stream->memory[i], stream->planes_n);
	return sum;
}

static void is_gone(struct streaming *streaming, const struct options *options)
{
	struct v4l2_format format = {.type = options->type};
	struct node *node = streaming->place.node;
	uint32_t session;
	int type = (int)options->type;

	assert_int_equal(node->ops->ioctl(node, VIDIOC_G_FMT, &format), -ENODEV);
	assert_int_equal(node->ops->ioctl(node, VIDIOC_STREAMON, &type), -ENODEV);
	assert_int_not_equal(media_driver_open(&streaming->place.device->md, &session), 0);
}

static void unmap_all(struct streaming *streaming)
{
	struct stream *stream = &streaming->stream;

	for (unsigned int i = 0; i < stream->n; i++)
		for (unsigned int plane = 0; plane < stream->planes_n; plane++)
			stream->node->ops->unmap(stream->node, stream->memory[i][plane].bytes,
						 stream->memory[i][plane].len);
}

void step_unplug(const struct options *options)
{
	struct streaming pulled;
	struct other other;
	uint64_t before;

	assert_int_equal(options->paths_n, 2);
	assert_false(options->plain);
	start(&pulled, options, options->paths[0]);
	start_other(&other, options);
	take_frames(&pulled);
	use_other(&other, 1);
	unbind(options->unbind);
	take_back(&pulled);
	is_gone(&pulled, options);
	/* Nobody writes there any more, but it can be read. */
	before = look(&pulled.stream);
	use_other(&other, 2);
	assert_true(look(&pulled.stream) == before);
	unmap_all(&pulled);
	place_close(&pulled.place);
	use_other(&other, 3);
	end_other(&other);
	print_message("unplugged, and the other one went on\n");
}
