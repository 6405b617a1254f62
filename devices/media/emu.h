/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu.h - an emulated V4L2 device: what V4L2's core and videobuf2 do for a driver in the kernel,
 * for media backends that are no host node.
 *
 * After the V4L2 user space API. A device describes itself by const tables (formats, controls,
 * inputs) and a few callbacks; all ioctls, ownership among files, events and polling are done here.
 * Single-planar; memory of types MMAP and USERPTR. Everything runs on the thread of the loop.
 */
#ifndef VMM_MEDIA_EMU_H
#define VMM_MEDIA_EMU_H

#include <linux/videodev2.h>

#include "base.h"
#include "devices/media/backend.h"
#include "loop.h"

#define EMU_QUEUES_MAX	2
#define EMU_BUFFERS_MAX VIDEO_MAX_FRAME /* of a queue */

/* Memory of MMAP buffers: of one, and of all of a queue. More is ENOMEM. */
#define EMU_BUFFER_BYTES_MAX (512 * MIB)
#define EMU_QUEUE_BYTES_MAX  GIB

struct emu;
struct emu_context;
struct emu_file;
struct emu_memory;
struct emu_queue;

/* Formats: emu_format.c, emu_interval.c. */

/* struct emu_size - frame sizes and how often there can be a frame of that size. */
struct emu_size {
	/* .step_width 0: just .min_width by .min_height; else the only one of its format. */
	struct v4l2_frmsize_stepwise range;
	/* Shortest first. NULL: .interval_range; if that is zero too there are none. */
	const struct v4l2_fract *intervals;
	unsigned int intervals_n;
	struct v4l2_frmival_stepwise interval_range; /* step 1/1: any */
};

struct emu_format {
	uint32_t pixelformat;
	const char *description;
	uint32_t flags;		      /* V4L2_FMT_FLAG_ */
	uint32_t line_bytes;	      /* of a pixel in a line, 0 if compressed */
	uint32_t pair_bytes;	      /* of two pixels in a picture; at most, if compressed */
	uint32_t colorspace;	      /* V4L2_COLORSPACE_ */
	uint32_t ycbcr_enc;	      /* V4L2_YCBCR_ENC_ */
	uint32_t quantization;	      /* V4L2_QUANTIZATION_ */
	uint32_t xfer_func;	      /* V4L2_XFER_FUNC_ */
	const struct emu_size *sizes; /* at least one */
	unsigned int sizes_n;
};

/* struct emu_stream - one direction of data: what a queue is made from. */
struct emu_stream {
	uint32_t type;			  /* V4L2_BUF_TYPE_VIDEO_CAPTURE or _OUTPUT */
	uint32_t timestamp;		  /* V4L2_BUF_FLAG_TIMESTAMP_ and _TSTAMP_SRC_ */
	const struct emu_format *formats; /* at least one; the first is for what is unknown */
	unsigned int formats_n;
	/* Set at first, as near as the first format allows. */
	uint32_t width, height;
	struct v4l2_fract interval; /* also what S_PARM goes back to; 0: none */
};

/* Queues: emu_queue.c, emu_buffers.c. */

enum emu_buffer_state {
	EMU_BUFFER_DEQUEUED, /* the application's */
	EMU_BUFFER_QUEUED,   /* the device's, as soon as there is streaming */
	EMU_BUFFER_DONE,     /* waits for DQBUF */
};

struct emu_buffer {
	struct emu_buffer *next;
	enum emu_buffer_state state;
	bool prepared;
	uint32_t index;
	struct emu_memory *memory; /* MMAP */
	uint32_t offset;	   /* for mmap(2): its name, nothing else */
	uint64_t userptr;	   /* USERPTR */
	/* For the device, from queueing until emu_queue_done(). */
	void *data;
	uint32_t length; /* bytes there are */
	/* In at QBUF of an output buffer, out from the device at emu_queue_done(). */
	uint32_t bytesused;
	uint32_t field, sequence;
	uint32_t flags; /* V4L2_BUF_FLAG_ ERROR, LAST, KEYFRAME, TIMECODE, ... */
	struct timeval timestamp;
	struct v4l2_timecode timecode;
};

struct emu_fifo {
	struct emu_buffer *first, *last;
};

/* struct emu_queue - the device may read all of it, and change what is below "device". */
struct emu_queue {
	struct emu_context *context; /* NULL: there is no such queue */
	const struct emu_stream *stream;
	/* What is set: S_FMT, S_PARM. */
	struct v4l2_pix_format pix;
	const struct emu_format *format;
	const struct emu_size *size;
	struct v4l2_fract interval; /* numerator 0: the format has none */
	/* Buffers. */
	struct emu_file *owner; /* who has allocated them */
	uint32_t memory;	/* V4L2_MEMORY_, 0 while there are none */
	uint64_t bytes;		/* of MMAP buffers */
	unsigned int buffers_n;
	struct emu_buffer *buffers[EMU_BUFFERS_MAX]; /* NULL: no such index */
	struct emu_fifo queued, done;
	bool streaming;
	bool fed; /* there was a QBUF since STREAMOFF */
	/* device */
	bool ended; /* after the LAST buffer: DQBUF says EPIPE. Goes away by STREAMOFF */
};

/* emu_queue_next - the buffer that has been queued for longest, or NULL. Stays the queue's. */
struct emu_buffer *emu_queue_next(const struct emu_queue *queue);

/*
 * emu_queue_done - @buffer, the one that emu_queue_next() gives, is filled (capture) or used
 * (output) and has been given its .bytesused, .sequence, .timestamp and .flags.
 */
void emu_queue_done(struct emu_queue *queue, struct emu_buffer *buffer);

/* Controls: emu_control.c, emu_control_ext.c. */

/*
 * struct emu_control_info - types: CTRL_CLASS, INTEGER, INTEGER64, BOOLEAN, MENU, BUTTON, and
 * arrays of U32.
 */
struct emu_control_info {
	uint32_t id;
	uint32_t type; /* V4L2_CTRL_TYPE_ */
	const char *name;
	uint32_t flags; /* V4L2_CTRL_FLAG_; what follows from the type is added */
	int64_t minimum, maximum, step, default_value;
	const char *const *menu;  /* from index 0 to .maximum */
	const uint32_t *defaults; /* of an array */
	uint32_t elems;
	uint32_t automatic; /* id of the BOOLEAN that, while set, makes this one inactive; or 0 */
};

struct emu_control {
	const struct emu_control_info *info;
	int64_t value;
	uint32_t *elements; /* of an array, owned */
	uint32_t flags;
};

struct emu_controls {
	struct emu_control *list; /* by id; owned */
	unsigned int n;
};

/* emu_control_find - Return: NULL if there is none of that id. */
struct emu_control *emu_control_find(const struct emu_controls *controls, uint32_t id);

/* emu_control_value - of a control that exists and is no array. */
int64_t emu_control_value(const struct emu_controls *controls, uint32_t id);

/* emu_control_change - by the device itself; it is told as well. Who has subscribed gets an event.
 */
void emu_control_change(struct emu_context *context, uint32_t id, int64_t value);

/* Events: emu_event.c. */

/*
 * emu_event_send - to all files of @context that have subscribed to @event's type and id, but for
 * @except (may be NULL) unless it wants feedback. Of @event type, id and u count.
 */
void emu_event_send(struct emu_context *context, const struct emu_file *except,
		    const struct v4l2_event *event);

/* The device: emu.c. */

/* struct emu_context - what one user of the device works on. Of a camera there is one, for all. */
struct emu_context {
	struct emu *emu;
	struct emu_queue queues[EMU_QUEUES_MAX]; /* in the order of the streams */
	struct emu_controls controls;
};

/* struct emu_class - all callbacks but start, stop and free may be NULL. */
struct emu_class {
	/* Each file has a context of its own (mem-to-mem), and not all share one. */
	bool context_per_file;
	/* start, stop - STREAMON; STREAMOFF, close: from then on no buffer is the device's. */
	int (*start)(struct emu_queue *queue);
	void (*stop)(struct emu_queue *queue);
	/* queued - while streaming, there is one more. */
	void (*queued)(struct emu_queue *queue);
	/* control_set - its value, or elements, have changed; or it is a button. */
	void (*control_set)(struct emu_context *context, const struct emu_control *control);
	/* control_get - the value of a VOLATILE one. */
	int64_t (*control_get)(struct emu_context *context, const struct emu_control *control);
	/* free - the struct that embeds @emu, after emu_deinit(). */
	void (*free)(struct emu *emu);
};

/* struct emu_setup - tables of the device. Borrowed until emu_deinit(). */
struct emu_setup {
	const struct emu_class *class;
	const struct emu_stream *streams;
	unsigned int streams_n;
	const struct emu_control_info *controls; /* by id; classes are listed too */
	unsigned int controls_n;
	const char *const *inputs; /* names; all are cameras */
	unsigned int inputs_n;
	uint32_t events; /* besides controls' ones: mask of 1 << V4L2_EVENT_ */
};

/* struct emu - embedded in each kind of device. */
struct emu {
	/* .name, .device_caps, .device_type, .card: the device's to fill in. */
	struct media_backend backend;
	struct loop *loop;
	const struct emu_setup *setup;
	struct emu_context *shared; /* NULL: one per file */
	struct emu_file *files;
	struct loop_post post; /* emu_serve() is due */
	bool posted;
	uint32_t input;
};

/* emu_init - @emu: zeroed. @loop, @setup: borrowed. Return: 0 or -ENOMEM; emu_deinit() is due. */
int emu_init(struct emu *emu, struct loop *loop, const struct emu_setup *setup);

/* emu_deinit - all files are closed, the loop has ended. */
void emu_deinit(struct emu *emu);

#endif
