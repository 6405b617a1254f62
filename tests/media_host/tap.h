/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h - stands between a media device and its backend, and notes what the host has handed out.
 *
 * Each file of the host's is mapped here a second time, by mmap(2) of its own descriptor: what a
 * plain program would see of a buffer at the moment when the host hands it out, or takes it. A
 * test holds that against what the guest sees of it, and when. The records are any thread's.
 */
#ifndef VMM_MEDIA_HOST_TAP_H
#define VMM_MEDIA_HOST_TAP_H

#include <linux/videodev2.h>

#include "base.h"
#include "devices/media/backend.h"

/* struct tap_record - one buffer that DQBUF has given, or QBUF has taken. */
struct tap_record {
	uint32_t type, index, sequence, bytesused, flags, field;
	struct timeval timestamp;
	uint64_t sum; /* frame_sum() of the planes, as the host has them then; 0: unknown */
};

struct tap;

/*
 * tap_new - @path: of the node; @backend: the tap's from now on; the tap is *@out, the media
 * device's from now on, but stays readable until tap_free().
 */
struct tap *tap_new(const char *path, struct media_backend *backend, struct media_backend **out);
void tap_free(struct tap *tap); /* when the device is gone */

/* tap_take - the oldest record of @type that was not taken. Return: is there one? */
bool tap_take(struct tap *tap, uint32_t type, struct tap_record *record);

#endif
