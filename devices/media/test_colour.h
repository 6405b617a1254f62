/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_colour.h - one colour of the synthetic camera: as its controls change it, in the numbers of
 * a pixel format. Pure, integers only, so that it is the same everywhere.
 */
#ifndef VMM_MEDIA_TEST_COLOUR_H
#define VMM_MEDIA_TEST_COLOUR_H

#include "base.h"
#include "devices/media/test_picture.h"

enum test_space {
	TEST_SPACE_RGB,	       /* 0 to 255 */
	TEST_SPACE_YCBCR,      /* BT.601, limited range: 16 to 235 and 16 to 240 */
	TEST_SPACE_YCBCR_FULL, /* BT.601, 0 to 255: JFIF */
};

/* struct test_colour - R, G, B or Y, Cb, Cr. */
struct test_colour {
	uint8_t value[3];
};

/* test_colour - @rgb: 0xRRGGBB, looked at with @look, in @space. Any thread. */
struct test_colour test_colour(uint32_t rgb, const struct test_look *look, enum test_space space);

#endif
