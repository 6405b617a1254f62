/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jpeg.h - compress a picture to JPEG, line by line. Optional: jpeg.c over libjpeg, or jpeg_none.c.
 *
 * Baseline JFIF, chroma halved in both directions. A compressor belongs to one thread.
 */
#ifndef VMM_MEDIA_JPEG_H
#define VMM_MEDIA_JPEG_H

#include "base.h"

struct jpeg;

/* struct jpeg_picture - @line: bytes Y, Cb, Cr of each pixel of line @y, valid until the next call.
 */
struct jpeg_picture {
	uint32_t width, height;
	unsigned int quality; /* 1 to 100 */
	const uint8_t *(*line)(void *owner, uint32_t y);
	void *owner;
};

/* jpeg_possible - this build can compress. */
bool jpeg_possible(void);

/* jpeg_new - Return: 0 and *@out, owned by the caller; -ENOMEM; -ENOSYS. */
int jpeg_new(struct jpeg **out);
void jpeg_free(struct jpeg *jpeg);

/*
 * jpeg_compress - to @to, fewer than @len bytes. A comment of @comment_len zeros comes before the
 * picture, at offset *@comment.
 * Return: bytes; -ENOSPC; -ENOMEM.
 */
int64_t jpeg_compress(struct jpeg *jpeg, const struct jpeg_picture *picture, size_t comment_len,
		      size_t *comment, void *to, size_t len);

#endif
