/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_picture.h - paints the synthetic camera's picture.
 *
 * Eight colour bars with the number of the frame, in eight digits, on them; below a ramp from black
 * to white; at the bottom a white block that moves. What is painted is a function of format, size,
 * look and number, to the last bit. A painter belongs to one thread.
 */
#ifndef VMM_MEDIA_TEST_PICTURE_H
#define VMM_MEDIA_TEST_PICTURE_H

#include <linux/videodev2.h>

#include "base.h"

#define TEST_PICTURE_BARS 8

enum test_pattern {
	TEST_PATTERN_BARS,
	TEST_PATTERN_RAMP,
	TEST_PATTERN_SQUARES, /* black and white */
	TEST_PATTERN_WHITE,
	TEST_PATTERNS
};

/* struct test_look - what the camera's controls do to the picture. */
struct test_look {
	int brightness; /* -128 to 127; 0: as it is */
	int contrast;	/* 0 to 255; 128: as it is */
	int saturation; /* 0 to 255; 128: as it is */
	int hue;	/* -180 to 180 degrees */
	int gain;	/* 0 to 255; 64: as it is */
	bool hflip, vflip;
	enum test_pattern pattern;
	uint32_t bars[TEST_PICTURE_BARS]; /* 0xRRGGBB */
	unsigned int quality;		  /* of MJPEG, 1 to 100 */
};

struct test_picture;

/* test_picture_new - @side_max: pixels. Return: 0 and *@out, owned by the caller; -ENOMEM. */
int test_picture_new(struct test_picture **out, uint32_t side_max);
void test_picture_free(struct test_picture *picture);

/*
 * test_picture_paint - frame @number of the format @pix (YUYV, NV12, RGB24, MJPEG; even sides) to
 * @to, which is never read. @stamp_len bytes at offset *@stamp are left for others: the last of the
 * first line, or all of the first comment.
 * Return: bytes painted, -ENOSPC if @len is too few; -ENOMEM; -EINVAL for other formats.
 */
int64_t test_picture_paint(struct test_picture *picture, const struct v4l2_pix_format *pix,
			   const struct test_look *look, uint32_t number, size_t stamp_len,
			   size_t *stamp, void *to, size_t len);

#endif
