/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_picture.c - paints the synthetic camera's picture. See test_picture.h.
 *
 * The picture has few kinds of lines. One of each is worked out, in private memory, and copied as
 * often as it is there, so that painting costs little more than writing the memory once.
 */
#include "devices/media/test_picture.h"

#include <errno.h>
#include <string.h>

#include "devices/media/jpeg.h"
#include "devices/media/test_colour.h"

/* Colours by number: greys from black to white, then the bars. */
enum { COLOUR_BLACK = 0, COLOUR_WHITE = 255, COLOUR_BAR = 256, COLOURS = 264 };

/* The colour beside the moving block. */
#define COLOUR_DARK 32

#define DIGITS	     8
#define GLYPH_WIDTH  5
#define GLYPH_HEIGHT 7
/* The box around the digits: a margin of one on each side and between any two. */
#define BOX_WIDTH    (DIGITS * (GLYPH_WIDTH + 1) + 1)
#define BOX_HEIGHT   (GLYPH_HEIGHT + 2)

/* Each line of a digit: the leftmost of five points is the highest bit. */
static const uint8_t glyphs[10][GLYPH_HEIGHT] = {
	{0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}, {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e},
	{0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f}, {0x0e, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0e},
	{0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}, {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e},
	{0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}, {0x1f, 0x01, 0x02, 0x04, 0x04, 0x08, 0x08},
	{0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}, {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c},
};

/* Kinds of lines. Of KIND_FIELD on: twice the line of the box plus one, or 0 outside; and which
 * line of squares, even or odd. */
enum { KIND_NONE = -1, KIND_BLOCK, KIND_RAMP, KIND_FIELD };

struct test_picture {
	uint32_t side_max;
	struct jpeg *jpeg; /* made when there is need */
	uint16_t *colours; /* of the pixels of a line */
	uint8_t *line;	   /* the same in the format's bytes */
	/* What is being painted. */
	const struct test_look *look;
	uint32_t width, height, number;
	uint32_t field_end, ramp_end; /* lines */
	uint32_t scale;		      /* pixels of a point of a digit; 0: there is no room */
	uint32_t box_x, box_y;
	struct test_colour palette[COLOURS];
	int kind; /* of .line */
	void (*convert)(struct test_picture *picture);
};

/* Where things are. */

static void lay_out(struct test_picture *picture)
{
	uint32_t scale;

	picture->field_end = picture->height * 2 / 3;
	picture->ramp_end = picture->height * 5 / 6;
	scale = MIN(picture->width * 2 / 3 / BOX_WIDTH, picture->field_end / 2 / BOX_HEIGHT);
	if (scale == 0)
		scale = picture->width >= BOX_WIDTH && picture->field_end >= BOX_HEIGHT;
	picture->scale = scale;
	picture->box_x = (picture->width - MIN(scale * BOX_WIDTH, picture->width)) / 2;
	picture->box_y = (picture->field_end - MIN(scale * BOX_HEIGHT, picture->field_end)) / 2;
}

static uint32_t square_side(const struct test_picture *picture)
{
	return MAX(picture->width / 16, 1u);
}

static int line_kind(const struct test_picture *picture, uint32_t y)
{
	int box_line = 0, odd = 0;

	if (y >= picture->ramp_end)
		return KIND_BLOCK;
	if (y >= picture->field_end)
		return KIND_RAMP;
	if (y >= picture->box_y && y < picture->box_y + picture->scale * BOX_HEIGHT)
		box_line = (int)((y - picture->box_y) / picture->scale) + 1;
	if (picture->look->pattern == TEST_PATTERN_SQUARES)
		odd = y / square_side(picture) & 1;
	return KIND_FIELD + 2 * box_line + odd;
}

/* The lines. */

static uint16_t ramp_colour(const struct test_picture *picture, uint32_t x)
{
	return (uint16_t)((uint64_t)x * 255 / (picture->width - 1));
}

static uint16_t field_colour(const struct test_picture *picture, uint32_t x, int odd)
{
	switch (picture->look->pattern) {
	case TEST_PATTERN_RAMP:
		return ramp_colour(picture, x);
	case TEST_PATTERN_SQUARES:
		return (x / square_side(picture) & 1) == (uint32_t)odd ? COLOUR_WHITE
								       : COLOUR_BLACK;
	case TEST_PATTERN_WHITE:
		return COLOUR_WHITE;
	default:
		return (uint16_t)(COLOUR_BAR + (uint64_t)x * TEST_PICTURE_BARS / picture->width);
	}
}

/* Digit number @at from the left. */
static unsigned int digit(uint32_t number, unsigned int at)
{
	for (unsigned int i = at + 1; i < DIGITS; i++)
		number /= 10;
	return number % 10;
}

/* Is the point of the box part of a digit? */
static bool is_ink(uint32_t number, unsigned int box_x, unsigned int box_y)
{
	const unsigned int column = box_x % (GLYPH_WIDTH + 1), at = box_x / (GLYPH_WIDTH + 1);

	if (column == 0 || box_y == 0 || box_y > GLYPH_HEIGHT)
		return false;
	return glyphs[digit(number, at)][box_y - 1] >> (GLYPH_WIDTH - column) & 1;
}

static void lay_box_line(struct test_picture *picture, unsigned int box_y)
{
	uint16_t *to = &picture->colours[picture->box_x];

	for (unsigned int box_x = 0; box_x < BOX_WIDTH; box_x++) {
		const bool ink = is_ink(picture->number, box_x, box_y);

		for (uint32_t i = 0; i < picture->scale; i++)
			*to++ = ink ? COLOUR_WHITE : COLOUR_BLACK;
	}
}

static void lay_block_line(struct test_picture *picture)
{
	const uint32_t width = picture->width;
	const uint32_t step = MAX(width / 128, 1u), block = MAX(width / 16, 1u);
	const uint32_t start = (uint32_t)((uint64_t)picture->number * step % width);

	for (uint32_t x = 0; x < width; x++)
		picture->colours[x] =
			(x + width - start) % width < block ? COLOUR_WHITE : COLOUR_DARK;
}

static void lay_line(struct test_picture *picture, int kind)
{
	if (kind == KIND_BLOCK) {
		lay_block_line(picture);
		return;
	}
	for (uint32_t x = 0; x < picture->width; x++)
		picture->colours[x] = kind == KIND_RAMP
					      ? ramp_colour(picture, x)
					      : field_colour(picture, x, (kind - KIND_FIELD) & 1);
	if (kind >= KIND_FIELD + 2)
		lay_box_line(picture, (unsigned int)(kind - KIND_FIELD) / 2 - 1);
}

static void mirror(struct test_picture *picture)
{
	for (uint32_t left = 0, right = picture->width - 1; left < right; left++, right--) {
		const uint16_t colour = picture->colours[left];

		picture->colours[left] = picture->colours[right];
		picture->colours[right] = colour;
	}
}

/* Line @y in the format's bytes, valid until the next call. */
static const uint8_t *line_at(void *owner, uint32_t y)
{
	struct test_picture *picture = owner;
	const int kind = line_kind(picture, picture->look->vflip ? picture->height - 1 - y : y);

	if (kind == picture->kind)
		return picture->line;
	lay_line(picture, kind);
	if (picture->look->hflip)
		mirror(picture);
	picture->convert(picture);
	picture->kind = kind;
	return picture->line;
}

/* The formats. */

static const uint8_t *colour_at(const struct test_picture *picture, uint32_t x)
{
	return picture->palette[picture->colours[x]].value;
}

static uint8_t mean(uint8_t a, uint8_t b)
{
	return (uint8_t)((a + b + 1) / 2);
}

static void convert_triples(struct test_picture *picture)
{
	for (uint32_t x = 0; x < picture->width; x++)
		memcpy(&picture->line[3 * (size_t)x], colour_at(picture, x), 3);
}

static void convert_yuyv(struct test_picture *picture)
{
	uint8_t *to = picture->line;

	for (uint32_t x = 0; x < picture->width; x += 2) {
		const uint8_t *left = colour_at(picture, x), *right = colour_at(picture, x + 1);

		*to++ = left[0];
		*to++ = mean(left[1], right[1]);
		*to++ = right[0];
		*to++ = mean(left[2], right[2]);
	}
}

static void convert_luma(struct test_picture *picture)
{
	for (uint32_t x = 0; x < picture->width; x++)
		picture->line[x] = colour_at(picture, x)[0];
}

static void convert_chroma(struct test_picture *picture)
{
	uint8_t *to = picture->line;

	for (uint32_t x = 0; x < picture->width; x += 2) {
		const uint8_t *left = colour_at(picture, x), *right = colour_at(picture, x + 1);

		*to++ = mean(left[1], right[1]);
		*to++ = mean(left[2], right[2]);
	}
}

/* Every @step-th line, @bytes each. Return: where the next plane begins. */
static uint8_t *paint_plane(struct test_picture *picture,
			    void (*convert)(struct test_picture *picture), uint32_t step,
			    uint8_t *to, uint32_t bytes)
{
	picture->kind = KIND_NONE;
	picture->convert = convert;
	for (uint32_t y = 0; y < picture->height; y += step, to += bytes)
		memcpy(to, line_at(picture, y), bytes);
	return to;
}

static int64_t paint_jpeg(struct test_picture *picture, size_t stamp_len, size_t *stamp, void *to,
			  size_t len)
{
	const struct jpeg_picture source = {
		.width = picture->width,
		.height = picture->height,
		.quality = picture->look->quality,
		.line = line_at,
		.owner = picture,
	};
	int r = picture->jpeg ? 0 : jpeg_new(&picture->jpeg);

	if (r < 0)
		return r == -ENOSYS ? -EINVAL : r;
	picture->kind = KIND_NONE;
	picture->convert = convert_triples;
	return jpeg_compress(picture->jpeg, &source, stamp_len, stamp, to, len);
}

static int64_t paint_raw(struct test_picture *picture, const struct v4l2_pix_format *pix,
			 size_t stamp_len, size_t *stamp, uint8_t *to, size_t len)
{
	if (len < pix->sizeimage)
		return -ENOSPC;
	*stamp = pix->bytesperline - stamp_len;
	switch (pix->pixelformat) {
	case V4L2_PIX_FMT_YUYV:
		paint_plane(picture, convert_yuyv, 1, to, pix->bytesperline);
		return pix->sizeimage;
	case V4L2_PIX_FMT_NV12:
		to = paint_plane(picture, convert_luma, 1, to, pix->bytesperline);
		paint_plane(picture, convert_chroma, 2, to, pix->bytesperline);
		return pix->sizeimage;
	case V4L2_PIX_FMT_RGB24:
		paint_plane(picture, convert_triples, 1, to, pix->bytesperline);
		return pix->sizeimage;
	default:
		return -EINVAL;
	}
}

static enum test_space space_of(uint32_t pixelformat)
{
	if (pixelformat == V4L2_PIX_FMT_RGB24)
		return TEST_SPACE_RGB;
	return pixelformat == V4L2_PIX_FMT_MJPEG ? TEST_SPACE_YCBCR_FULL : TEST_SPACE_YCBCR;
}

static void mix_palette(struct test_picture *picture, enum test_space space)
{
	const struct test_look *look = picture->look;

	for (uint32_t i = 0; i <= COLOUR_WHITE; i++)
		picture->palette[i] = test_colour(i << 16 | i << 8 | i, look, space);
	for (uint32_t i = 0; i < TEST_PICTURE_BARS; i++)
		picture->palette[COLOUR_BAR + i] = test_colour(look->bars[i], look, space);
}

int64_t test_picture_paint(struct test_picture *picture, const struct v4l2_pix_format *pix,
			   const struct test_look *look, uint32_t number, size_t stamp_len,
			   size_t *stamp, void *to, size_t len)
{
	if (pix->width > picture->side_max || pix->height > picture->side_max)
		return -EINVAL;
	picture->look = look;
	picture->width = pix->width;
	picture->height = pix->height;
	picture->number = number;
	lay_out(picture);
	mix_palette(picture, space_of(pix->pixelformat));
	if (pix->pixelformat == V4L2_PIX_FMT_MJPEG)
		return paint_jpeg(picture, stamp_len, stamp, to, len);
	return paint_raw(picture, pix, stamp_len, stamp, to, len);
}

int test_picture_new(struct test_picture **out, uint32_t side_max)
{
	struct test_picture *picture = calloc(1, sizeof(*picture));

	if (!picture)
		return -ENOMEM;
	picture->side_max = side_max;
	picture->colours = calloc(side_max, sizeof(*picture->colours));
	picture->line = calloc(side_max, 3);
	if (!picture->colours || !picture->line) {
		test_picture_free(picture);
		return -ENOMEM;
	}
	*out = picture;
	return 0;
}

void test_picture_free(struct test_picture *picture)
{
	if (!picture)
		return;
	jpeg_free(picture->jpeg);
	free(picture->colours);
	free(picture->line);
	free(picture);
}
