/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_unplug.c - the host's driver is taken off its device in mid-stream, as if a camera had been
 * pulled. Another node goes on. See steps.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "steps.h"

#define FRAMES_BEFORE 5
#define FRAMES_AFTER  20

struct streaming {
	struct place place;
	struct stream stream;
};

static void start(struct streaming *streaming, const struct options *options, const char *path)
{
	place_open(&streaming->place, options, path);
	stream_init(&streaming->stream, streaming->place.node, options->type, options->buffers);
	stream_put_all(&streaming->stream);
	stream_on(&streaming->stream);
}

static void take_frames(struct streaming *streaming, unsigned int n)
{
	struct node_event event;

	for (unsigned int i = 0; i < n; i++) {
		node_next(streaming->place.node, &event);
		assert_true(event.is_buffer);
		assert_false(event.buffer.flags & V4L2_BUF_FLAG_ERROR);
		place_check(&streaming->place, &streaming->stream, &event.buffer);
		stream_put(&streaming->stream, event.buffer.index, NULL);
	}
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

void step_unplug(const struct options *options)
{
	struct streaming pulled, other;
	uint64_t before;

	assert_int_equal(options->paths_n, 2);
	assert_false(options->plain);
	start(&pulled, options, options->paths[0]);
	start(&other, options, options->paths[1]);
	take_frames(&pulled, FRAMES_BEFORE);
	take_frames(&other, FRAMES_BEFORE);
	unbind(options->unbind);
	take_back(&pulled);
	is_gone(&pulled, options);
	before = look(&pulled.stream);
	take_frames(&other, FRAMES_AFTER);
	/* Nobody writes there any more, but it can be read. */
	assert_true(look(&pulled.stream) == before);
	for (unsigned int i = 0; i < pulled.stream.n; i++)
		for (unsigned int plane = 0; plane < pulled.stream.planes_n; plane++)
			pulled.place.node->ops->unmap(pulled.place.node,
						      pulled.stream.memory[i][plane].bytes,
						      pulled.stream.memory[i][plane].len);
	place_close(&pulled.place);
	take_frames(&other, FRAMES_AFTER);
	stream_off(&other.stream);
	stream_deinit(&other.stream);
	place_close(&other.place);
	print_message("unplugged, and the other went on\n");
}
