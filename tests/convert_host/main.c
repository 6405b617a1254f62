/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - convert_host: a camera of this host through a virtio-media device that converts its
 * frames (--media ...,convert=on), without any guest.
 *
 * The camera is one that has YUYV alone (narrow.h), and its picture stands still. test_convert.py
 * runs this: convert_host LOOP NODE [FILE=WORD], the last of which is what is written where to take
 * the camera away.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/backend_convert.h"
#include "devices/media/backend_v4l2.h"
#include "fake_irq.h"
#include "narrow.h"
#include "tests/support/media_driver.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define WIDTH	640u
#define HEIGHT	360u
#define PIXELS	(WIDTH * HEIGHT)
#define BUFFERS 4
#define FRAMES	40

#define PATIENCE_MS 20000

static enum loop_kind kind;
static const char *node;
static char *unbind;
static struct media_driver md;
static uint32_t session;
static const uint8_t *frames[BUFFERS]; /* mapped */
static uint64_t addresses[BUFFERS];
static uint8_t original[PIXELS * 2]; /* YUYV */

static void do_ioctl(unsigned long cmd, void *arg)
{
	const uint32_t status = media_driver_ioctl(&md, session, cmd, arg);

	if (status != 0)
		fail_msg("ioctl %u: %s", (unsigned int)_IOC_NR(cmd), strerror((int)status));
}

/* The picture without the text that tells the time. */
static void stand_still(void)
{
	struct v4l2_query_ext_ctrl query = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
	struct v4l2_control control = {.value = 2};
	int input = 0;

	do_ioctl(VIDIOC_S_INPUT, &input);
	do {
		do_ioctl(VIDIOC_QUERY_EXT_CTRL, &query);
		control.id = query.id;
		query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	} while (strcmp(query.name, "OSD Text Mode") != 0);
	do_ioctl(VIDIOC_S_CTRL, &control);
}

static int begin(void **state)
{
	const struct v4l2_source source = {.path = node, .fd = -1};
	struct media_options options = media_driver_defaults();
	struct media_backend *backend;
	struct error err = {.text = ""};

	options.shm = 16 * MIB;
	media_driver_init(&md, kind, true, false);
	if (backend_v4l2_new(&backend, md.driver.env.loop, &source, &err) < 0)
		fail_msg("%s", err.text);
	backend = narrow_new(backend, V4L2_PIX_FMT_YUYV);
	if (backend_convert_new(&backend, md.driver.env.loop, backend, &err) < 0)
		fail_msg("%s", err.text);
	media_driver_attach(&md, backend, &options);
	media_driver_start(&md, VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC), MEDIA_DRIVER_EVENTS);
	session = media_driver_session(&md);
	stand_still();
	return 0;
}

static int end(void **state)
{
	media_driver_close(&md, session);
	media_driver_deinit(&md);
	return 0;
}

static struct v4l2_buffer buffer_of(uint32_t index)
{
	return (struct v4l2_buffer) {
		.type = CAPTURE,
		.index = index,
		.memory = V4L2_MEMORY_MMAP,
	};
}

static void queue_buffer(uint32_t index)
{
	struct v4l2_buffer buffer = buffer_of(index);

	assert_int_equal(media_driver_buffer(&md, session, VIDIOC_QBUF, &buffer, NULL, NULL, 0), 0);
}

static void start(uint32_t pixelformat, uint32_t sizeimage)
{
	struct v4l2_requestbuffers request = {
		.count = BUFFERS,
		.type = CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_format format = {.type = CAPTURE};
	int type = CAPTURE;

	format.fmt.pix.pixelformat = pixelformat;
	format.fmt.pix.width = WIDTH;
	format.fmt.pix.height = HEIGHT;
	do_ioctl(VIDIOC_S_FMT, &format);
	assert_int_equal(format.fmt.pix.pixelformat, pixelformat);
	assert_int_equal(format.fmt.pix.width, WIDTH);
	assert_int_equal(format.fmt.pix.height, HEIGHT);
	assert_int_equal(format.fmt.pix.sizeimage, sizeimage);
	do_ioctl(VIDIOC_REQBUFS, &request);
	assert_int_equal(request.count, BUFFERS);
	for (uint32_t i = 0; i < BUFFERS; i++) {
		struct v4l2_buffer buffer = buffer_of(i);
		uint64_t len;

		assert_int_equal(media_driver_buffer(&md, session, VIDIOC_QUERYBUF, &buffer, NULL,
						     NULL, 0),
				 0);
		assert_int_equal(media_driver_mmap(&md, session, 0, buffer.m.offset, &addresses[i],
						   &len),
				 0);
		assert_int_equal(len, sizeimage);
		frames[i] = media_driver_at(&md, addresses[i]);
		queue_buffer(i);
	}
	do_ioctl(VIDIOC_STREAMON, &type);
}

static void stop(void)
{
	struct v4l2_requestbuffers none = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	struct media_event event;
	int type = CAPTURE;

	do_ioctl(VIDIOC_STREAMOFF, &type);
	while (media_driver_take(&md, &event))
		;
	for (uint32_t i = 0; i < BUFFERS; i++)
		assert_int_equal(media_driver_munmap(&md, addresses[i]), 0);
	do_ioctl(VIDIOC_REQBUFS, &none);
}

/* By the interrupt: media_driver_event() looks again and again, and an emulated host is slow. */
static const uint8_t *next_frame(struct v4l2_buffer *buffer)
{
	struct media_event event;

	while (!media_driver_take(&md, &event))
		if (fake_irq_wait(&md.driver.irq, PATIENCE_MS) == 0)
			fail_msg("no event");
	assert_int_equal(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	*buffer = event.dqbuf.buffer;
	assert_in_range(buffer->index, 0, BUFFERS - 1);
	return frames[buffer->index];
}

static void expect_near(const char *what, uint32_t x, uint32_t y, double wanted, uint8_t got,
			double off)
{
	if (fabs(fmin(fmax(wanted, 0), 255) - got) > off)
		fail_msg("%s at %u, %u: %u, not %.1f", what, x, y, got, wanted);
}

static double chroma_at(uint32_t x, uint32_t y, unsigned int which)
{
	return original[(size_t)y * WIDTH * 2 + (x & ~1u) * 2 + 1 + 2 * which];
}

static void check_planes(const uint8_t *frame)
{
	const uint8_t *chroma = frame + PIXELS;

	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			expect_near("luma", x, y, original[((size_t)y * WIDTH + x) * 2],
				    frame[(size_t)y * WIDTH + x], 0);
	for (unsigned int which = 0; which < 2; which++)
		for (uint32_t y = 0; y < HEIGHT; y += 2)
			for (uint32_t x = 0; x < WIDTH; x += 2)
				expect_near("chroma", x, y,
					    (chroma_at(x, y, which) + chroma_at(x, y + 1, which)) /
						    2,
					    *chroma++, 1);
}

/* The library's matrix is a rough one: 1.5 instead of 1.402, 2.016 instead of 1.772. */
static void check_rgb(const uint8_t *frame)
{
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++) {
			const double luma = original[((size_t)y * WIDTH + x) * 2];
			const double cb = chroma_at(x, y, 0) - 128, cr = chroma_at(x, y, 1) - 128;
			const uint8_t *pixel = &frame[((size_t)y * WIDTH + x) * 3];

			expect_near("red", x, y, luma + 1.402 * cr, pixel[0], 2 + 0.1 * fabs(cr));
			expect_near("green", x, y, luma - 0.344 * cb - 0.714 * cr, pixel[1],
				    2 + 0.1 * (fabs(cb) + fabs(cr)));
			expect_near("blue", x, y, luma + 1.772 * cb, pixel[2], 2 + 0.25 * fabs(cb));
		}
}

static const struct {
	const char *name;
	uint32_t pixelformat, sizeimage;
	void (*check)(const uint8_t *frame);
} formats[] = {
	{"YU12", V4L2_PIX_FMT_YUV420, PIXELS * 3 / 2, check_planes},
	{"RGB3", V4L2_PIX_FMT_RGB24, PIXELS * 3, check_rgb},
};

/* Each pixel of the first frame is computed again; the others are the same, as the picture is. */
static void capture(size_t which)
{
	uint8_t *first = malloc(formats[which].sizeimage);
	uint32_t sequence = 0;

	assert_non_null(first);

	start(formats[which].pixelformat, formats[which].sizeimage);
	for (unsigned int n = 0; n < FRAMES; n++) {
		struct v4l2_buffer buffer;
		const uint8_t *frame = next_frame(&buffer);

		assert_false(buffer.flags & V4L2_BUF_FLAG_ERROR);
		assert_int_equal(buffer.bytesused, formats[which].sizeimage);
		assert_true(n == 0 || buffer.sequence > sequence);
		sequence = buffer.sequence;
		if (n == 0) {
			formats[which].check(frame);
			memcpy(first, frame, buffer.bytesused);
		}
		assert_int_equal(memcmp(frame, first, buffer.bytesused), 0);
		queue_buffer(buffer.index);
	}
	printf("# %s: %u frames, %u of them late\n", formats[which].name, FRAMES,
	       sequence + 1 - FRAMES);
	stop();
	free(first);
}

static void picture_is_the_cameras(void **state)
{
	struct v4l2_buffer buffer;

	start(V4L2_PIX_FMT_YUYV, PIXELS * 2);
	memcpy(original, next_frame(&buffer), sizeof(original));
	assert_int_equal(buffer.bytesused, sizeof(original));
	stop();
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		capture(i);
}

static void write_word(char *file, const char *word)
{
	FILE *stream = fopen(file, "we");

	assert_non_null(stream);
	assert_true(fputs(word, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
}

static void camera_goes_away_in_mid_stream(void **state)
{
	struct v4l2_format format = {.type = CAPTURE};
	char *word = strchr(unbind, '=');
	struct v4l2_buffer buffer;
	unsigned int back = 0;

	assert_non_null(word);
	*word++ = '\0';
	start(V4L2_PIX_FMT_YUV420, PIXELS * 3 / 2);
	for (unsigned int n = 0; n < 5; n++) {
		next_frame(&buffer);
		queue_buffer(buffer.index);
	}
	write_word(unbind, word);
	while (back < BUFFERS) {
		next_frame(&buffer);
		back++;
	}
	assert_true(buffer.flags & V4L2_BUF_FLAG_ERROR);
	assert_true(media_driver_quiet(&md));
	assert_int_equal(media_driver_ioctl(&md, session, VIDIOC_G_FMT, &format), ENODEV);
	/* What is mapped can be read. */
	for (uint32_t i = 0; i < BUFFERS; i++)
		assert_int_not_equal(frames[i][0] + frames[i][PIXELS * 3 / 2 - 1], 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(picture_is_the_cameras, begin, end),
	};
	const struct CMUnitTest unplug[] = {
		cmocka_unit_test_setup_teardown(camera_goes_away_in_mid_stream, begin, end),
	};

	if (argc < 3) {
		fputs("usage: convert_host LOOP NODE [FILE=WORD]\n", stderr);
		return 2;
	}
	kind = strcmp(argv[1], "epoll") == 0 ? LOOP_EPOLL : LOOP_URING;
	node = argv[2];
	unbind = argc > 3 ? argv[3] : NULL;
	if (unbind)
		return cmocka_run_group_tests(unplug, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
