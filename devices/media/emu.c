/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu.c - an emulated V4L2 device: its files, which ioctl goes where, priorities, and who waits for
 * what. See emu.h.
 *
 * What the kernel does in v4l2-dev and v4l2-ioctl for its drivers. On the thread of the loop.
 */
#include "devices/media/emu.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "devices/media/emu_impl.h"
#include "devices/media/ioctl.h"

static struct emu_file *file_of(struct media_file *file)
{
	return container_of(file, struct emu_file, file);
}

struct emu_queue *emu_queue_find(struct emu_context *context, uint32_t type)
{
	for (unsigned int i = 0; i < EMU_QUEUES_MAX; i++) {
		struct emu_queue *queue = &context->queues[i];

		if (queue->context && queue->stream->type == type)
			return queue;
	}
	return NULL;
}

/* Waiting. */

/* What of @file->wanted there is. */
static uint32_t poll_file(const struct emu_file *file)
{
	uint32_t events = 0;

	if (file->pending > 0)
		events |= POLLPRI;
	for (unsigned int i = 0; i < EMU_QUEUES_MAX; i++) {
		const struct emu_queue *queue = &file->context->queues[i];

		/* As in videobuf2: who asks for events only does not hear of buffers. */
		if (queue->context && file->wanted & (emu_is_output(queue) ? POLLOUT : POLLIN))
			events |= emu_queue_poll(queue, file);
	}
	return events & (file->wanted | POLLERR);
}

/* Callbacks may close any file and watch again; what they ask for has its turn in the next call. */
static void serve(struct loop_post *post)
{
	struct emu *emu = container_of(post, struct emu, post);
	struct emu_file *file;

	emu->posted = false;
	for (file = emu->files; file; file = file->next)
		file->due = file->wanted ? poll_file(file) : 0;
	for (file = emu->files; file;) {
		const uint32_t events = file->due;

		if (!events) {
			file = file->next;
			continue;
		}
		file->due = 0;
		file->wanted = 0;
		file->file.ready(&file->file, events);
		file = emu->files;
	}
}

void emu_kick(struct emu *emu)
{
	bool ready = false;

	for (const struct emu_file *file = emu->files; file && !ready; file = file->next)
		ready = file->wanted && poll_file(file);
	if (!ready || emu->posted)
		return;
	emu->posted = true;
	loop_post(emu->loop, &emu->post, serve);
}

static int emu_watch(struct media_file *media_file, uint32_t events)
{
	struct emu_file *file = file_of(media_file);

	file->wanted = events & (POLLIN | POLLOUT | POLLPRI);
	file->due = 0;
	emu_kick(emu_of(file));
	return 0;
}

/* Priorities. */

static uint32_t priority_max(const struct emu *emu)
{
	uint32_t priority = V4L2_PRIORITY_UNSET;

	for (const struct emu_file *file = emu->files; file; file = file->next)
		priority = MAX(priority, file->priority);
	return priority;
}

static int g_priority(struct emu_file *file, void *arg)
{
	*(uint32_t *)arg = priority_max(emu_of(file));
	return 0;
}

static int s_priority(struct emu_file *file, void *arg)
{
	const uint32_t priority = *(const uint32_t *)arg;

	if (priority < V4L2_PRIORITY_BACKGROUND || priority > V4L2_PRIORITY_RECORD)
		return -EINVAL;
	file->priority = priority;
	return 0;
}

/* The ioctls. */

static const struct {
	unsigned long cmd;
	int (*fn)(struct emu_file *file, void *arg);
	bool changes; /* refused to a file of lower priority than another one has */
} ioctls[] = {
	{VIDIOC_ENUM_FMT, emu_enum_fmt},
	{VIDIOC_ENUM_FRAMESIZES, emu_enum_framesizes},
	{VIDIOC_ENUM_FRAMEINTERVALS, emu_enum_frameintervals},
	{VIDIOC_G_FMT, emu_g_fmt},
	{VIDIOC_TRY_FMT, emu_try_fmt},
	{VIDIOC_S_FMT, emu_s_fmt, .changes = true},
	{VIDIOC_G_PARM, emu_g_parm},
	{VIDIOC_S_PARM, emu_s_parm, .changes = true},
	{VIDIOC_REQBUFS, emu_reqbufs, .changes = true},
	{VIDIOC_CREATE_BUFS, emu_create_bufs, .changes = true},
	{VIDIOC_REMOVE_BUFS, emu_remove_bufs, .changes = true},
	{VIDIOC_QUERYBUF, emu_querybuf},
	{VIDIOC_PREPARE_BUF, emu_prepare_buf},
	{VIDIOC_QBUF, emu_qbuf},
	{VIDIOC_DQBUF, emu_dqbuf},
	{VIDIOC_STREAMON, emu_streamon, .changes = true},
	{VIDIOC_STREAMOFF, emu_streamoff, .changes = true},
	{VIDIOC_QUERYCTRL, emu_queryctrl},
	{VIDIOC_QUERY_EXT_CTRL, emu_query_ext_ctrl},
	{VIDIOC_QUERYMENU, emu_querymenu},
	{VIDIOC_G_CTRL, emu_g_ctrl},
	{VIDIOC_S_CTRL, emu_s_ctrl, .changes = true},
	{VIDIOC_G_EXT_CTRLS, emu_g_ext_ctrls},
	{VIDIOC_TRY_EXT_CTRLS, emu_try_ext_ctrls},
	{VIDIOC_S_EXT_CTRLS, emu_s_ext_ctrls, .changes = true},
	{VIDIOC_SUBSCRIBE_EVENT, emu_subscribe_event},
	{VIDIOC_UNSUBSCRIBE_EVENT, emu_unsubscribe_event},
	{VIDIOC_DQEVENT, emu_dqevent},
	{VIDIOC_ENUMINPUT, emu_enuminput},
	{VIDIOC_G_INPUT, emu_g_input},
	{VIDIOC_S_INPUT, emu_s_input, .changes = true},
	{VIDIOC_G_PRIORITY, g_priority},
	{VIDIOC_S_PRIORITY, s_priority, .changes = true},
};

static int emu_ioctl(struct media_file *media_file, unsigned long cmd, void *arg)
{
	struct emu_file *file = file_of(media_file);
	struct emu *emu = emu_of(file);
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
		if (ioctls[i].cmd != cmd)
			continue;
		if (ioctls[i].changes && file->priority < priority_max(emu))
			return -EBUSY;
		r = ioctls[i].fn(file, arg);
		emu_kick(emu);
		return r;
	}
	return -ENOTTY;
}

/* Contexts. */

static void context_free(struct emu_context *context)
{
	if (!context)
		return;
	emu_controls_deinit(&context->controls);
	free(context);
}

static struct emu_context *context_new(struct emu *emu)
{
	const struct emu_setup *setup = emu->setup;
	struct emu_context *context = calloc(1, sizeof(*context));

	assert(setup->streams_n <= EMU_QUEUES_MAX);
	if (!context)
		return NULL;
	context->emu = emu;
	for (unsigned int i = 0; i < setup->streams_n; i++) {
		context->queues[i].context = context;
		context->queues[i].stream = &setup->streams[i];
		emu_format_init(&context->queues[i]);
	}
	if (emu_controls_init(context) < 0) {
		context_free(context);
		return NULL;
	}
	return context;
}

/* Files. */

static int emu_open(struct media_backend *backend, struct media_file **out)
{
	struct emu *emu = container_of(backend, struct emu, backend);
	struct emu_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->context = emu->shared ? emu->shared : context_new(emu);
	if (!file->context) {
		free(file);
		return -ENOMEM;
	}
	file->file.backend = backend;
	file->priority = V4L2_PRIORITY_DEFAULT;
	file->next = emu->files;
	emu->files = file;
	*out = &file->file;
	return 0;
}

static void emu_close(struct media_file *media_file)
{
	struct emu_file *file = file_of(media_file);
	struct emu *emu = emu_of(file);
	struct emu_file **link = &emu->files;

	for (unsigned int i = 0; i < EMU_QUEUES_MAX; i++) {
		struct emu_queue *queue = &file->context->queues[i];

		if (queue->context && queue->owner == file) {
			emu_queue_cancel(queue);
			emu_buffers_free(queue);
		}
	}
	emu_events_deinit(file);
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	if (!emu->shared)
		context_free(file->context);
	free(file);
}

static int emu_map(struct media_file *media_file, const struct media_plane_id *plane, void *at,
		   size_t len, bool writable)
{
	return emu_buffers_map(file_of(media_file), plane, at, len, writable);
}

static void emu_free(struct media_backend *backend)
{
	struct emu *emu = container_of(backend, struct emu, backend);
	const struct emu_class *class = emu->setup->class;

	emu_deinit(emu);
	class->free(emu);
}

static const struct media_backend_ops ops = {
	.blocking = false,
	.open = emu_open,
	.close = emu_close,
	.ioctl = emu_ioctl,
	.map = emu_map,
	.watch = emu_watch,
	.free = emu_free,
};

int emu_init(struct emu *emu, struct loop *loop, const struct emu_setup *setup)
{
	emu->backend.ops = &ops;
	emu->loop = loop;
	emu->setup = setup;
	if (!setup->class->context_per_file) {
		emu->shared = context_new(emu);
		if (!emu->shared)
			return -ENOMEM;
	}
	return 0;
}

void emu_deinit(struct emu *emu)
{
	assert(!emu->files);
	context_free(emu->shared);
	emu->shared = NULL;
}
