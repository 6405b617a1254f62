/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_impl.h - between the files of the emulated V4L2 device. See emu.h.
 *
 * Functions of an ioctl's name do that ioctl: @arg is its struct. They return 0 or -errno as V4L2
 * does; -ENOTTY if this device has no use for it.
 */
#ifndef VMM_MEDIA_EMU_IMPL_H
#define VMM_MEDIA_EMU_IMPL_H

#include "devices/media/emu.h"

/* struct emu_subscription - of a file. V4L2 keeps one event of each: a newer one replaces it. */
struct emu_subscription {
	struct emu_subscription *next;
	uint32_t type, id, flags;
	bool pending;
	struct v4l2_event event;
};

struct emu_file {
	struct media_file file;
	struct emu_file *next; /* of the device */
	struct emu_context *context;
	uint32_t priority; /* V4L2_PRIORITY_ */
	uint32_t wanted;   /* watch() */
	uint32_t due;	   /* emu_serve() is about to tell these */
	struct emu_subscription *subscriptions;
	uint32_t pending;  /* of them */
	uint32_t sequence; /* of events */
};

static inline struct emu *emu_of(const struct emu_file *file)
{
	return container_of(file->file.backend, struct emu, backend);
}

static inline bool emu_is_output(const struct emu_queue *queue)
{
	return V4L2_TYPE_IS_OUTPUT(queue->stream->type);
}

/* emu_kick - something may be ready that somebody waits for: tell them, from the loop. */
void emu_kick(struct emu *emu);

/* emu_queue_find - Return: the queue of that V4L2_BUF_TYPE_; NULL if there is none. */
struct emu_queue *emu_queue_find(struct emu_context *context, uint32_t type);

/* emu_format.c */
void emu_format_init(struct emu_queue *queue);
int emu_enum_fmt(struct emu_file *file, void *arg);
int emu_enum_framesizes(struct emu_file *file, void *arg);
int emu_g_fmt(struct emu_file *file, void *arg);
int emu_s_fmt(struct emu_file *file, void *arg);
int emu_try_fmt(struct emu_file *file, void *arg);

/* emu_format_find, emu_size_find - Return: NULL if the device does not offer that. */
const struct emu_format *emu_format_find(const struct emu_stream *stream, uint32_t pixelformat);
const struct emu_size *emu_size_find(const struct emu_format *format, uint32_t width,
				     uint32_t height);

/* emu_interval.c */
/* emu_interval_nearest - to @wanted, of those that @size has; {0, 0} if it has none. */
struct v4l2_fract emu_interval_nearest(const struct emu_size *size, struct v4l2_fract wanted);
int emu_enum_frameintervals(struct emu_file *file, void *arg);
int emu_g_parm(struct emu_file *file, void *arg);
int emu_s_parm(struct emu_file *file, void *arg);

/* emu_memory.c */
/* emu_memory_new - @bytes of shared memory, whole pages, 0 at first; one reference. */
int emu_memory_new(struct emu_memory **out, size_t bytes);
void emu_memory_get(struct emu_memory *memory);
/* emu_memory_put - with the last reference the memory goes, but for what is mapped. NULL is fine.
 */
void emu_memory_put(struct emu_memory *memory);
/* emu_memory_base - where it is in this process, to write to. */
void *emu_memory_base(const struct emu_memory *memory);
/* emu_memory_map - as media_backend_ops.map(). @len: not more than there is. */
int emu_memory_map(const struct emu_memory *memory, void *at, size_t len, bool writable);

/* emu_buffers.c */
/* Each buffer is whole pages of a guest, however large these are. */
#define EMU_BUFFER_ALIGN (64 * KIB)
int emu_reqbufs(struct emu_file *file, void *arg);
int emu_create_bufs(struct emu_file *file, void *arg);
int emu_remove_bufs(struct emu_file *file, void *arg);
/* emu_buffers_free - all of them; memory that is mapped stays. Nobody owns the queue any more. */
void emu_buffers_free(struct emu_queue *queue);
int emu_buffers_map(struct emu_file *file, const struct media_plane_id *plane, void *at, size_t len,
		    bool writable);

/* emu_queue.c */
int emu_querybuf(struct emu_file *file, void *arg);
int emu_prepare_buf(struct emu_file *file, void *arg);
int emu_qbuf(struct emu_file *file, void *arg);
int emu_dqbuf(struct emu_file *file, void *arg);
int emu_streamon(struct emu_file *file, void *arg);
int emu_streamoff(struct emu_file *file, void *arg);
/* emu_queue_cancel - end streaming; all buffers are the application's. */
void emu_queue_cancel(struct emu_queue *queue);
/* emu_queue_poll - what @file can do with the queue: POLLIN or POLLOUT, POLLERR. */
uint32_t emu_queue_poll(const struct emu_queue *queue, const struct emu_file *file);
/* emu_queue_busy - another file than @file owns it. */
bool emu_queue_busy(const struct emu_queue *queue, const struct emu_file *file);

/* emu_control.c */
int emu_controls_init(struct emu_context *context);
void emu_controls_deinit(struct emu_controls *controls);
int emu_queryctrl(struct emu_file *file, void *arg);
int emu_query_ext_ctrl(struct emu_file *file, void *arg);
int emu_querymenu(struct emu_file *file, void *arg);
int emu_g_ctrl(struct emu_file *file, void *arg);
int emu_s_ctrl(struct emu_file *file, void *arg);
bool emu_control_is_array(const struct emu_control *control);
/* emu_control_get - its value now, of the device if volatile. Not of an array. */
int64_t emu_control_get(struct emu_context *context, const struct emu_control *control);
/* emu_control_fit - *@value into range and step. Return: 0; -ERANGE where V4L2 does not do that. */
int emu_control_fit(const struct emu_control_info *info, int64_t *value);
/* emu_control_set - @value fits, or @elements (of an array) do. By @file, or NULL. */
void emu_control_set(struct emu_context *context, const struct emu_file *file,
		     struct emu_control *control, int64_t value, const uint32_t *elements);
/* emu_control_event - what an event of @changes (V4L2_EVENT_CTRL_CH_) says of it now. */
void emu_control_event(struct emu_context *context, const struct emu_control *control,
		       uint32_t changes, struct v4l2_event *event);

/* emu_control_ext.c */
int emu_g_ext_ctrls(struct emu_file *file, void *arg);
int emu_s_ext_ctrls(struct emu_file *file, void *arg);
int emu_try_ext_ctrls(struct emu_file *file, void *arg);

/* emu_event.c */
int emu_subscribe_event(struct emu_file *file, void *arg);
int emu_unsubscribe_event(struct emu_file *file, void *arg);
int emu_dqevent(struct emu_file *file, void *arg);
void emu_events_deinit(struct emu_file *file);

/* emu_input.c */
int emu_enuminput(struct emu_file *file, void *arg);
int emu_g_input(struct emu_file *file, void *arg);
int emu_s_input(struct emu_file *file, void *arg);

#endif
