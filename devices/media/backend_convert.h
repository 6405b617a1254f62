/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_convert.h - a camera whose frames are converted: a media backend over another one.
 *
 * For cameras that have only what a guest cannot decode: MJPEG, formats of their maker. The guest
 * sees the camera's own formats, and behind them those that libv4lconvert makes of them. While one
 * of its own is set everything passes: the same buffers, no copy. While another one is set, the
 * guest's buffers are ours (emu.h), and each is paired with one of the camera's, so that the camera
 * has as many to fill as the guest has queued, frames are dropped exactly when they would be
 * without us, and none is older than it has to be. Controls, inputs, rates, events and priorities
 * are the camera's in either case. Over any backend, not over a file descriptor: calls that may
 * hang, unplugging, and who holds the camera are the host node's matter (backend_v4l2.h) as ever.
 *
 * What it costs: a copy, and the time of a processor for each frame, which a thread of its own
 * spends (convert_thread.h).
 */
#ifndef VMM_MEDIA_BACKEND_CONVERT_H
#define VMM_MEDIA_BACKEND_CONVERT_H

#include "devices/media/backend.h"
#include "error.h"
#include "loop.h"

/* backend_convert_possible - this build can convert. */
bool backend_convert_possible(void);

/*
 * backend_convert_new - @loop: the device's, on which @camera is watched; borrowed. @camera: this
 * backend's from now on, or freed. Asks the camera for its formats if it is free. Main thread.
 * Return: 0 and *@out, the caller's until ops->free(); -errno and a sentence: not possible, no
 * camera.
 */
int backend_convert_new(struct media_backend **out, struct loop *loop, struct media_backend *camera,
			struct error *err);

#endif
