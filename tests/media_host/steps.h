/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steps.h - what media_host can do with a node: one function a command of it. See main.c.
 */
#ifndef VMM_MEDIA_HOST_STEPS_H
#define VMM_MEDIA_HOST_STEPS_H

#include "node_device.h"
#include "stream.h"

#define PATHS_MAX    16
#define SETTINGS_MAX 8

enum codec { CODEC_NONE, CODEC_ENCODER, CODEC_DECODER };

struct options {
	const char *paths[PATHS_MAX];
	unsigned int paths_n;
	bool plain; /* by system calls; else by the device */
	struct device_options device;
	uint32_t type; /* V4L2_BUF_TYPE_ */
	uint32_t frames, buffers;
	uint32_t fourcc, to; /* formats; 0: as it is */
	uint32_t width, height;
	uint32_t rate;	    /* frames a second; 0: as it is */
	uint32_t frequency; /* of a radio; 0: as it is */
	int input;	    /* -1: as it is */
	enum codec codec;
	bool moves;	 /* each picture is to differ from the last */
	const char *in;	 /* file of frames; NULL: made up */
	const char *out; /* file for frames; NULL: none */
	const char *unbind;
	struct {
		const char *name;
		int64_t value;
	} settings[SETTINGS_MAX];
	unsigned int settings_n;
};

/* struct place - an open node, and the device that it belongs to, if it is not a plain one. */
struct place {
	struct device *device;
	struct node *node;
};

/* place_open - as the options say, and with their settings. */
void place_open(struct place *place, const struct options *options, const char *path);
void place_close(struct place *place);

/* place_format - S_FMT: @fourcc (0: as it is) and the options' size. */
void place_format(const struct place *place, const struct options *options, uint32_t type,
		  uint32_t fourcc);

/*
 * place_check - @buffer has just come back from a capture queue, or @buffer is what was queued last
 * of an output queue: the host has seen the same, next in order. Return: the frame's sum.
 */
uint64_t place_check(const struct place *place, const struct stream *stream,
		     const struct v4l2_buffer *buffer);

void step_capture(const struct options *options);
void step_output(const struct options *options);
void step_soak(const struct options *options);
void step_transform(const struct options *options);
void step_measure(const struct options *options);
void step_unplug(const struct options *options);
void step_describe(const struct options *options);

#endif
