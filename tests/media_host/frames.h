/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frames.h - what is in a buffer: kept in files, compared by sums, made up.
 *
 * A file holds one frame after the other: the number of planes, then each plane's length and bytes;
 * numbers have 32 bits. Two files with the same bytes hold the same frames.
 */
#ifndef VMM_MEDIA_HOST_FRAMES_H
#define VMM_MEDIA_HOST_FRAMES_H

#include <stdio.h>

#include "base.h"

#define FRAME_PLANES_MAX 8

/* struct frame_plane - the bytes of a plane that are in use. Borrowed. */
struct frame_plane {
	uint8_t *bytes;
	uint32_t len;
};

/* frame_sum - of @n planes; depends on all bytes and their places. Never 0. */
uint64_t frame_sum(const struct frame_plane *planes, unsigned int n);

/* frame_make - fill a plane with picture @number: smooth, moving, no two of 16 million the same. */
void frame_make(const struct frame_plane *plane, uint32_t number);

/* frame_write - append to @file. */
void frame_write(FILE *file, const struct frame_plane *planes, unsigned int n);

/*
 * frame_read - the next frame of @file, into @planes, whose .len say how much room there is, and
 * then how much is used. @n: planes that are expected. Return: is there one?
 */
bool frame_read(FILE *file, struct frame_plane *planes, unsigned int n);

#endif
