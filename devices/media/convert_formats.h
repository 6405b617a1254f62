/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * convert_formats.h - formats that those of a camera can be converted to, and the conversion of a
 * frame: libv4lconvert.
 *
 * RGB24, BGR24, YUV420 and YVU420, of each that is not the camera's own anyway. Of the library only
 * that is used: no corrections that it makes up by itself (a list of cameras that are mounted
 * upside down, controls in software), since a guest would see them with some formats and not with
 * others. Used by one thread at a time.
 */
#ifndef VMM_MEDIA_CONVERT_FORMATS_H
#define VMM_MEDIA_CONVERT_FORMATS_H

#include <linux/videodev2.h>

#include "base.h"
#include "devices/media/backend.h"

struct convert_formats;

/* Bytes beyond a frame that a decoder may read if it takes the frame for more than it is. */
#define CONVERT_OVERREAD(pix) ((size_t)4 * (pix)->width * (pix)->height + 64 * KIB)

/*
 * convert_formats_new - asks @camera what it has, which may wait for it; borrowed.
 * Return: 0 and *@out, owned by the caller; -ENOMEM; -EINTR, -ENODEV of the camera.
 */
int convert_formats_new(struct convert_formats **out, struct media_file *camera);

/* convert_formats_free - does not ask the camera. NULL is fine. */
void convert_formats_free(struct convert_formats *formats);

/* convert_formats_n - how many formats there are to convert to. */
unsigned int convert_formats_n(const struct convert_formats *formats);

/* convert_formats_has - are frames converted to @pixelformat? */
bool convert_formats_has(const struct convert_formats *formats, uint32_t pixelformat);

/*
 * Ioctls of VIDEO_CAPTURE, which ask the camera; 0 or -errno. ENUM_FMT: of all formats, the
 * camera's first; the others: of one that convert_formats_has().
 */
int convert_enum_fmt(struct convert_formats *formats, struct v4l2_fmtdesc *desc);
int convert_enum_framesizes(struct convert_formats *formats, struct v4l2_frmsizeenum *size);
int convert_enum_frameintervals(struct convert_formats *formats, struct v4l2_frmivalenum *interval);

/*
 * convert_try_fmt - as TRY_FMT. @camera: what the camera has to be set to for it.
 * Return: 0 or -errno. If nothing fits, @format is a format of the camera's, and @camera the same.
 */
int convert_try_fmt(struct convert_formats *formats, struct v4l2_format *format,
		    struct v4l2_format *camera);

/* convert_describe - the rest of @format, whose size and pixelformat are set, from @camera's. */
void convert_describe(struct v4l2_format *format, const struct v4l2_format *camera);

/* struct convert_frame - one to convert. CONVERT_OVERREAD() bytes behind .from can be read. */
struct convert_frame {
	const struct v4l2_format *camera, *format;
	void *from; /* may be changed */
	size_t from_len;
	void *to;
	size_t to_len;
};

/* convert_frame - Return: bytes written; -errno if it cannot be decoded. Then @to has anything. */
int64_t convert_frame(struct convert_formats *formats, const struct convert_frame *frame);

#endif
