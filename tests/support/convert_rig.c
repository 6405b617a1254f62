/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * convert_rig.c - a virtio-media device over a converting backend. See convert_rig.h.
 */
#include "convert_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/backend_convert.h"

/* Answers of the fake camera are not told whose it is. */
static struct convert_rig *current;

/* The camera's formats. On the thread that asks, one at a time. */

static int enum_fmt(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	struct v4l2_fmtdesc *desc = arg;

	if (desc->index > 0)
		return -EINVAL;
	desc->pixelformat = current->native;
	return 0;
}

static int enum_framesizes(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	struct v4l2_frmsizeenum *size = arg;

	if (size->index > 0)
		return -EINVAL;
	size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
	size->discrete.width = CONVERT_WIDTH;
	size->discrete.height = CONVERT_HEIGHT;
	return 0;
}

static int set_or_try(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	struct v4l2_format *format = arg;

	memset(&format->fmt, 0, sizeof(format->fmt));
	format->fmt.pix = (struct v4l2_pix_format) {
		.width = CONVERT_WIDTH,
		.height = CONVERT_HEIGHT,
		.pixelformat = current->native,
		.field = V4L2_FIELD_NONE,
		.bytesperline = CONVERT_WIDTH * 2,
		.sizeimage = CONVERT_RAW,
		.colorspace = V4L2_COLORSPACE_SRGB,
	};
	if (cmd == VIDIOC_S_FMT)
		current->standing = *format;
	return 0;
}

static int g_fmt(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	*(struct v4l2_format *)arg = current->standing;
	return 0;
}

static void script(struct convert_rig *rig, unsigned long cmd,
		   int (*fn)(struct fake_node *, unsigned int, unsigned long, void *))
{
	const struct fake_answer answer = {.fn = fn};

	fake_node_answer(rig->media.node, cmd, &answer);
}

void convert_rig_init(struct convert_rig *rig, uint32_t native)
{
	struct media_options media = media_driver_defaults();
	const struct fake_options fake = {.length = CONVERT_RAW, .blocking = media_rig_slow()};
	struct media_backend *backend;
	struct error err;

	*rig = (struct convert_rig) {.native = native, .standing.type = CAPTURE};
	current = rig;
	rig->media.fds = media_driver_fds();
	media_driver_init(&rig->media.md, media_rig_kind(), true, false);
	rig->media.node = fake_node_new(rig->media.md.driver.env.loop, &fake);
	script(rig, VIDIOC_ENUM_FMT, enum_fmt);
	script(rig, VIDIOC_ENUM_FRAMESIZES, enum_framesizes);
	script(rig, VIDIOC_TRY_FMT, set_or_try);
	script(rig, VIDIOC_S_FMT, set_or_try);
	script(rig, VIDIOC_G_FMT, g_fmt);
	assert_int_equal(backend_convert_new(&backend, rig->media.md.driver.env.loop,
					     fake_node_backend(rig->media.node), &err),
			 0);
	media_driver_attach(&rig->media.md, backend, &media);
	media_driver_start(&rig->media.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
}

uint32_t convert_rig_set(struct convert_rig *rig, uint32_t session, uint32_t pixelformat,
			 struct v4l2_format *format)
{
	*format = (struct v4l2_format) {.type = CAPTURE};
	format->fmt.pix.pixelformat = pixelformat;
	format->fmt.pix.width = CONVERT_WIDTH;
	format->fmt.pix.height = CONVERT_HEIGHT;
	return media_driver_ioctl(&rig->media.md, session, VIDIOC_S_FMT, format);
}

unsigned int convert_rig_file(struct convert_rig *rig)
{
	return fake_node_opened(rig->media.node) - 1;
}

uint32_t convert_rig_open(struct convert_rig *rig, uint32_t buffers)
{
	const uint32_t session = media_rig_open(&rig->media);
	struct v4l2_format format;

	assert_int_equal(convert_rig_set(rig, session, V4L2_PIX_FMT_YUV420, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, V4L2_PIX_FMT_YUV420);
	if (buffers)
		assert_int_equal(media_rig_reqbufs(&rig->media, session, CAPTURE, V4L2_MEMORY_MMAP,
						   buffers),
				 0);
	return session;
}

uint32_t convert_rig_start(struct convert_rig *rig, uint32_t buffers)
{
	const uint32_t session = convert_rig_open(rig, buffers);

	for (uint32_t i = 0; i < buffers; i++)
		assert_int_equal(media_rig_qbuf(&rig->media, session, CAPTURE, i), 0);
	assert_int_equal(media_rig_stream(&rig->media, session, CAPTURE, true), 0);
	return session;
}

void convert_rig_complete(struct convert_rig *rig, uint8_t fill, uint32_t flags, uint32_t used)
{
	assert_true(fake_node_complete(rig->media.node, convert_rig_file(rig), CAPTURE, fill, flags,
				       used) >= 0);
}

void convert_rig_expect(const uint8_t *at, uint8_t fill, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != fill)
			fail_msg("byte %zu is %#x, not %#x", i, at[i], fill);
}

const uint8_t *convert_rig_map(struct convert_rig *rig, uint32_t session, uint32_t index)
{
	const uint32_t offset = media_rig_offset(&rig->media, session, CAPTURE, index, 0);
	uint64_t addr, len;

	assert_int_equal(media_driver_mmap(&rig->media.md, session, 0, offset, &addr, &len), 0);
	return media_driver_at(&rig->media.md, addr);
}
