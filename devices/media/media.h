/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media.h - a virtio-media device: gives the guest the V4L2 device that is behind a backend.
 *
 * Virtio 1.4, media device (48). Sessions, ioctls, mapped buffers, dequeue events. Each device has
 * a loop and thread of its own, because a V4L2 device may stall who talks to it.
 */
#ifndef VMM_MEDIA_H
#define VMM_MEDIA_H

#include "base.h"
#include "devices/media/backend.h"
#include "devices/media/window.h"
#include "error.h"
#include "virtio.h"

struct media;

/* struct media_clock - from the host's CLOCK_MONOTONIC to the guest's. Embedded in its owner. */
struct media_clock {
	/* @ns: since the host's boot. Device's thread. Return: the same moment by the guest. */
	int64_t (*to_guest)(struct media_clock *clock, int64_t ns);
};

struct media_options {
	const char *label;	   /* config space's card; NULL: the backend's */
	uint64_t shm;		   /* bytes that can be mapped read-write, and as many read-only */
	unsigned int sessions_max; /* open at a time */
	unsigned int buffers_max;  /* of all sessions together */
	struct media_clock *clock; /* for time stamps; NULL: the host's. Borrowed */
};

#define MEDIA_SHM_DEFAULT      (1 * GIB)
#define MEDIA_SESSIONS_DEFAULT 128
#define MEDIA_SESSIONS_MAX     1024
#define MEDIA_BUFFERS_DEFAULT  1024
#define MEDIA_BUFFERS_MAX      32768

/*
 * media_new - @backend: the device's from now on, also if this fails. Strings are copied.
 * Main thread, before the loop's thread starts.
 * Return: 0 and *@out, owned by the caller; or -errno and a sentence.
 */
int media_new(struct media **out, const struct virtio_env *env, struct media_backend *backend,
	      const struct media_options *options, struct error *err);

struct virtio_device *media_device(struct media *media);

/* media_window - what the machine maps for the guest as region 0. Borrowed. */
struct media_window *media_window(struct media *media);

/* media_free - the loop has ended, no vCPU runs: close all files. NULL is fine. */
void media_free(struct media *media);

#endif
