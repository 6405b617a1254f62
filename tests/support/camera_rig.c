/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * camera_rig.c - a synthetic camera and two applications. See camera_rig.h.
 */
#include "camera_rig.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "loop_kinds.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define MMAP	V4L2_MEMORY_MMAP

void camera_rig_init(struct camera_rig *rig)
{
	const struct camera_options options = {
		.width = CAMERA_RIG_WIDTH,
		.height = CAMERA_RIG_HEIGHT,
		.frames = 1000,
		.seconds = 1,
	};
	struct media_file *files[2];
	struct error err;

	*rig = (struct camera_rig) {.loop = kind_loop()};
	assert_int_equal(backend_test_new(&rig->backend, rig->loop, &options, &err), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(rig->backend->ops->open(rig->backend, &files[i]), 0);
	rig_adopt(&rig->app, files[0]);
	rig_adopt(&rig->other, files[1]);
	assert_int_equal(test_picture_new(&rig->painter, CAMERA_RIG_WIDTH), 0);
}

void camera_rig_deinit(struct camera_rig *rig)
{
	rig->backend->ops->close(rig->app.file);
	rig->backend->ops->close(rig->other.file);
	rig->backend->ops->free(rig->backend);
	loop_free(rig->loop);
	test_picture_free(rig->painter);
}

struct v4l2_pix_format camera_rig_format(struct camera_rig *rig, uint32_t pixelformat)
{
	struct v4l2_format format = {.type = CAPTURE};

	format.fmt.pix.width = CAMERA_RIG_WIDTH;
	format.fmt.pix.height = CAMERA_RIG_HEIGHT;
	format.fmt.pix.pixelformat = pixelformat;
	assert_int_equal(rig_do(&rig->app, VIDIOC_S_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, pixelformat);
	return format.fmt.pix;
}

/* As the window has them. */
static void map(struct camera_rig *rig)
{
	for (uint32_t i = 0; i < CAMERA_RIG_BUFFERS; i++) {
		struct v4l2_buffer buffer;
		struct media_plane_id plane = {.type = CAPTURE, .index = i};
		void *at;

		assert_int_equal(rig_querybuf(&rig->app, CAPTURE, i, &buffer), 0);
		plane.mem_offset = buffer.m.offset;
		plane.length = buffer.length;
		rig->frame_len = ALIGN_UP((size_t)buffer.length, (size_t)sysconf(_SC_PAGESIZE));
		at = mmap(NULL, rig->frame_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(at, MAP_FAILED);
		assert_int_equal(
			rig->backend->ops->map(rig->app.file, &plane, at, rig->frame_len, true), 0);
		rig->frames[i] = at;
	}
}

void camera_rig_unmap(struct camera_rig *rig)
{
	for (uint32_t i = 0; i < CAMERA_RIG_BUFFERS; i++)
		munmap(rig->frames[i], rig->frame_len);
}

void camera_rig_start(struct camera_rig *rig)
{
	assert_int_equal(rig_reqbufs(&rig->app, CAPTURE, MMAP, CAMERA_RIG_BUFFERS), 0);
	map(rig);
	for (uint32_t i = 0; i < CAMERA_RIG_BUFFERS; i++)
		assert_int_equal(rig_qbuf(&rig->app, CAPTURE, MMAP, i), 0);
	assert_int_equal(rig_stream(&rig->app, CAPTURE, true), 0);
}

void camera_rig_stop(struct camera_rig *rig)
{
	assert_int_equal(rig_stream(&rig->app, CAPTURE, false), 0);
	assert_int_equal(rig_reqbufs(&rig->app, CAPTURE, MMAP, 0), 0);
	camera_rig_unmap(rig);
}

static void woken(struct media_file *file, uint32_t events)
{
	struct rig_file *app = file->owner;
	const struct camera_rig *rig = container_of(app, struct camera_rig, app);

	assert_int_equal(events, POLLIN);
	loop_stop(rig->loop);
}

void camera_rig_next(struct camera_rig *rig, struct v4l2_buffer *buffer)
{
	void (*const ready)(struct media_file * file, uint32_t events) = rig->app.file->ready;
	int r;

	rig->app.file->ready = woken;
	while ((r = rig_dqbuf(&rig->app, CAPTURE, buffer)) == -EAGAIN) {
		rig_watch(&rig->app, POLLIN);
		assert_int_equal(loop_run(rig->loop), 0);
	}
	rig->app.file->ready = ready;
	assert_int_equal(r, 0);
	assert_false(buffer->flags & V4L2_BUF_FLAG_ERROR);
}

void camera_rig_give_back(struct camera_rig *rig, const struct v4l2_buffer *buffer)
{
	assert_int_equal(rig_qbuf(&rig->app, CAPTURE, MMAP, buffer->index), 0);
}

void camera_rig_set(struct rig_file *file, uint32_t id, int32_t value)
{
	struct v4l2_control control = {.id = id, .value = value};

	assert_int_equal(rig_do(file, VIDIOC_S_CTRL, &control), 0);
}

/* Where the first comment segment of a JPEG file begins, its length included. */
static size_t find_comment(const uint8_t *bytes, size_t len)
{
	size_t at = 2;

	while (at + 4 < len && bytes[at] == 0xff) {
		if (bytes[at + 1] == 0xfe)
			return at + 2;
		at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
	}
	fail_msg("no comment");
	return 0;
}

static size_t stamp_offset(const struct v4l2_pix_format *pix, const uint8_t *bytes, size_t len)
{
	size_t at;

	if (pix->pixelformat != V4L2_PIX_FMT_MJPEG)
		return pix->bytesperline - sizeof(struct camera_stamp);
	at = find_comment(bytes, len);
	assert_int_equal(bytes[at] << 8 | bytes[at + 1], 2 + sizeof(struct camera_stamp));
	return at + 2;
}

struct camera_stamp camera_stamp_of(const struct v4l2_pix_format *pix, const uint8_t *bytes,
				    size_t len)
{
	struct camera_stamp stamp;

	memcpy(&stamp, &bytes[stamp_offset(pix, bytes, len)], sizeof(stamp));
	assert_int_equal(stamp.magic, CAMERA_STAMP_MAGIC);
	return stamp;
}

struct test_look camera_look(void)
{
	return (struct test_look) {
		.contrast = 128,
		.saturation = 128,
		.gain = 64,
		.bars = {0xffffff, 0xffff00, 0x00ffff, 0x00ff00, 0xff00ff, 0xff0000, 0x0000ff, 0},
		.quality = 85,
	};
}

void camera_rig_expect(struct camera_rig *rig, const char *name, const struct v4l2_pix_format *pix,
		       const struct test_look *look, const struct v4l2_buffer *buffer,
		       const uint8_t *bytes)
{
	uint8_t *wanted = malloc(pix->sizeimage), *got = malloc(pix->sizeimage);
	size_t at;
	int64_t n;

	assert_true(wanted && got);
	n = test_picture_paint(rig->painter, pix, look, buffer->sequence,
			       sizeof(struct camera_stamp), &at, wanted, pix->sizeimage);
	rig_expect(name, (int)buffer->bytesused, (int)n);
	memcpy(got, bytes, (size_t)n);
	rig_expect(name, (int)at, (int)stamp_offset(pix, got, (size_t)n));
	memset(&got[at], 0, sizeof(struct camera_stamp));
	memset(&wanted[at], 0, sizeof(struct camera_stamp));
	if (memcmp(got, wanted, (size_t)n) != 0)
		fail_msg("%s: another picture", name);
	free(wanted);
	free(got);
}
