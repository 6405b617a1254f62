/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * picture_match.h - how far a converted frame is from the synthetic camera's picture, by a
 * conversion of the test's own, in floating point.
 */
#ifndef VMM_TEST_PICTURE_MATCH_H
#define VMM_TEST_PICTURE_MATCH_H

#include "devices/media/test_picture.h"

struct match {
	double mean; /* difference of a byte */
	int worst;
};

/*
 * picture_match - @frame, of format @pix (RGB24, BGR24, YUV420, YVU420), against frame @number as
 * the camera has it in format @source (YUYV, MJPEG before it is compressed). Not its first two
 * lines, where the camera's stamp is.
 */
struct match picture_match(struct test_picture *painter, const struct test_look *look,
			   uint32_t number, uint32_t source, const struct v4l2_pix_format *pix,
			   const uint8_t *frame);

#endif
