/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jpeg_none.c - instead of jpeg.c where there is no libjpeg. See jpeg.h.
 */
#include <assert.h>
#include <errno.h>

#include "devices/media/jpeg.h"

bool jpeg_possible(void)
{
	return false;
}

int jpeg_new(struct jpeg **out)
{
	return -ENOSYS;
}

void jpeg_free(struct jpeg *jpeg)
{
	assert(!jpeg);
}

int64_t jpeg_compress(struct jpeg *jpeg, const struct jpeg_picture *picture, size_t comment_len,
		      size_t *comment, void *to, size_t len)
{
	return -ENOSYS;
}
