/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_test.h - a synthetic camera: a media backend for guests of hosts that have none, and for
 * measuring.
 *
 * A V4L2 capture device over emu.h: YUYV, NV12, RGB3 and, if built with libjpeg, MJPEG; frame sizes
 * and intervals, controls that change the picture, buffers in shared memory. A timer paces it: when
 * it is late, frames are missing and the sequence numbers say so, as with a real camera. The
 * picture of test_picture.h depends on format, size, sequence number and controls only.
 */
#ifndef VMM_MEDIA_BACKEND_TEST_H
#define VMM_MEDIA_BACKEND_TEST_H

#include "base.h"
#include "devices/media/backend.h"
#include "error.h"
#include "loop.h"

#define CAMERA_SIDE_MIN	 16 /* pixels; each side is even */
#define CAMERA_SIDE_MAX	 8192
#define CAMERA_RATE_MAX	 1000	 /* frames in a second */
#define CAMERA_RATE_LAST 1000000 /* largest of the two numbers of a rate */

/* struct camera_options - zero-initialised: a camera with all it can do. */
struct camera_options {
	uint32_t width, height;	  /* of the first format that is set; 0: 640x480 */
	uint32_t frames, seconds; /* .frames in .seconds, for a start; 0: 30 in 1 */
	const char *formats;	  /* "YUYV:MJPG": these only, the first at first; NULL: all */
};

/*
 * struct camera_stamp - in the memory of each frame, in the byte order of the host. Where: the last
 * bytes of the first line; in an MJPEG frame, all bytes of its first comment (COM) segment.
 * @ticks: CPU's counter (ticks.h) when all but the stamp was painted; the frame's time stamp in
 * struct v4l2_buffer is of the same moment.
 */
struct camera_stamp {
	uint32_t magic; /* CAMERA_STAMP_MAGIC */
	uint32_t sequence;
	uint64_t ticks;
};

#define CAMERA_STAMP_MAGIC 0x706d7473u /* "stmp" */

/*
 * backend_test_new - @loop: where it will be used, borrowed. Strings are copied. Before the loop's
 * thread starts.
 * Return: 0 and *@out, to be freed by its ops; -errno and a sentence that names what is possible.
 */
int backend_test_new(struct media_backend **out, struct loop *loop,
		     const struct camera_options *options, struct error *err);

#endif
