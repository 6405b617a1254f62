/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * picture_match.c - how far a converted frame is from the camera's picture. See picture_match.h.
 *
 * YCbCr is taken for full-range, as libv4lconvert takes it: JFIF's matrices.
 */
#include "picture_match.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LINES_SKIPPED 2

struct picture {
	uint32_t source;
	uint32_t width, height;
	uint8_t *bytes; /* YUYV or RGB24 */
};

struct colour {
	double y, cb, cr;
};

static struct colour of_rgb(double r, double g, double b)
{
	const double y = 0.299 * r + 0.587 * g + 0.114 * b;

	return (struct colour) {y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128};
}

static struct colour colour_at(const struct picture *picture, uint32_t x, uint32_t y)
{
	const uint8_t *line, *pair;

	if (picture->source == V4L2_PIX_FMT_YUYV) {
		line = &picture->bytes[(size_t)y * picture->width * 2];
		pair = &line[(x & ~1u) * 2];
		return (struct colour) {line[x * 2], pair[1], pair[3]};
	}
	line = &picture->bytes[(size_t)y * picture->width * 3];
	return of_rgb(line[x * 3], line[x * 3 + 1], line[x * 3 + 2]);
}

static struct picture paint(struct test_picture *painter, const struct test_look *look,
			    uint32_t number, uint32_t source, const struct v4l2_pix_format *pix)
{
	const bool yuyv = source == V4L2_PIX_FMT_YUYV;
	const struct v4l2_pix_format painted = {
		.width = pix->width,
		.height = pix->height,
		.pixelformat = yuyv ? V4L2_PIX_FMT_YUYV : V4L2_PIX_FMT_RGB24,
		.bytesperline = pix->width * (yuyv ? 2 : 3),
		.sizeimage = pix->width * pix->height * (yuyv ? 2 : 3),
	};
	struct picture picture = {source, pix->width, pix->height, malloc(painted.sizeimage)};
	size_t stamp;

	assert_non_null(picture.bytes);
	assert_int_equal(test_picture_paint(painter, &painted, look, number, 0, &stamp,
					    picture.bytes, painted.sizeimage),
			 painted.sizeimage);
	return picture;
}

static void note(struct match *match, unsigned int *n, double wanted, uint8_t got)
{
	const double off = fabs(fmin(fmax(wanted, 0), 255) - got);

	match->mean += (off - match->mean) / ++*n;
	match->worst = MAX(match->worst, (int)ceil(off - 0.5));
}

static struct match match_rgb(const struct picture *picture, const struct v4l2_pix_format *pix,
			      const uint8_t *frame)
{
	const unsigned int red = pix->pixelformat == V4L2_PIX_FMT_RGB24 ? 0 : 2;
	struct match match = {0};
	unsigned int n = 0;

	for (uint32_t y = LINES_SKIPPED; y < pix->height; y++)
		for (uint32_t x = 0; x < pix->width; x++) {
			const struct colour c = colour_at(picture, x, y);
			const uint8_t *pixel = &frame[((size_t)y * pix->width + x) * 3];

			note(&match, &n, c.y + 1.402 * (c.cr - 128), pixel[red]);
			note(&match, &n, c.y - 0.344136 * (c.cb - 128) - 0.714136 * (c.cr - 128),
			     pixel[1]);
			note(&match, &n, c.y + 1.772 * (c.cb - 128), pixel[2 - red]);
		}
	return match;
}

static struct match match_planes(const struct picture *picture, const struct v4l2_pix_format *pix,
				 const uint8_t *frame)
{
	const size_t pixels = (size_t)pix->width * pix->height;
	const bool swapped = pix->pixelformat == V4L2_PIX_FMT_YVU420;
	const uint8_t *cb = frame + pixels + (swapped ? pixels / 4 : 0);
	const uint8_t *cr = frame + pixels + (swapped ? 0 : pixels / 4);
	struct match match = {0};
	unsigned int n = 0;

	for (uint32_t y = LINES_SKIPPED; y < pix->height; y++)
		for (uint32_t x = 0; x < pix->width; x++)
			note(&match, &n, colour_at(picture, x, y).y,
			     frame[(size_t)y * pix->width + x]);
	for (uint32_t y = LINES_SKIPPED; y < pix->height; y += 2)
		for (uint32_t x = 0; x < pix->width; x += 2) {
			const size_t at = (size_t)y / 2 * (pix->width / 2) + x / 2;
			struct colour mean = {0};

			for (unsigned int i = 0; i < 4; i++) {
				const struct colour c = colour_at(picture, x + i % 2, y + i / 2);

				mean.cb += c.cb / 4;
				mean.cr += c.cr / 4;
			}
			note(&match, &n, mean.cb, cb[at]);
			note(&match, &n, mean.cr, cr[at]);
		}
	return match;
}

struct match picture_match(struct test_picture *painter, const struct test_look *look,
			   uint32_t number, uint32_t source, const struct v4l2_pix_format *pix,
			   const uint8_t *frame)
{
	const struct picture picture = paint(painter, look, number, source, pix);
	const bool rgb =
		pix->pixelformat == V4L2_PIX_FMT_RGB24 || pix->pixelformat == V4L2_PIX_FMT_BGR24;
	const struct match match =
		rgb ? match_rgb(&picture, pix, frame) : match_planes(&picture, pix, frame);

	free(picture.bytes);
	return match;
}
