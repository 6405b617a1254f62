/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_node.c - a V4L2 node that does what a test tells it: the backend's side. See fake_node.h.
 *
 * Called by the device's threads; the test's look at it is fake_script.c. One lock for all. Files
 * stay in memory when they are closed, so that a device which uses one afterwards is found out.
 */
#include "fake_node.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "fake_files.h"

/* --- ready callbacks, on the device's thread --- */

static uint32_t pollable(struct fake_node *node, struct fake_file *file)
{
	struct fake_queue *queues = fake_queues(node, file);
	uint32_t asked = file->watched, found = 0;
	bool chance = false;

	if (node->unplugged)
		return POLLERR | POLLHUP;
	if (file->events_n)
		found |= POLLPRI;
	for (unsigned int type = 1; type < FAKE_TYPES; type++) {
		const uint32_t poll = fake_queue_poll(&queues[type]);

		if (fake_has_type(node, type) && poll != POLLERR) {
			chance = true;
			found |= poll;
		}
	}
	if ((asked & (POLLIN | POLLOUT)) && (!chance || node->poll_error)) {
		node->early += !node->poll_error;
		node->poll_error = false;
		found |= POLLERR;
	}
	return found & (asked | POLLERR | POLLHUP);
}

static void look(struct loop_post *post)
{
	struct fake_node *node = container_of(post, struct fake_node, post);
	struct fake_file *file;
	uint32_t events;

	pthread_mutex_lock(&node->lock);
	node->posted = false;
	node->looked = true;
	node->thread = pthread_self();
	for (unsigned int i = 0; i < node->files_n; i++) {
		file = node->files[i];
		events = file->closed || !file->watched ? 0 : pollable(node, file);
		if (!events)
			continue;
		file->watched = 0;
		node->wakes++;
		pthread_mutex_unlock(&node->lock);
		file->base.ready(&file->base, events);
		pthread_mutex_lock(&node->lock);
	}
	pthread_mutex_unlock(&node->lock);
}

void fake_look(struct fake_node *node)
{
	if (node->posted || node->orphan)
		return;
	node->posted = true;
	loop_post(node->loop, &node->post, look);
}

static int fake_watch(struct media_file *base, uint32_t events)
{
	struct fake_file *file = container_of(base, struct fake_file, base);
	struct fake_node *node = file->node;

	pthread_mutex_lock(&node->lock);
	if (!loop_is_mine(node->loop))
		fake_problem(node, "watch() on another thread");
	if (file->closed)
		fake_problem(node, "watch() of a closed file");
	file->watched = events;
	if (events)
		fake_look(node);
	pthread_mutex_unlock(&node->lock);
	return 0;
}

/* --- calls that sleep --- */

/* With the lock, which is given up meanwhile. Return: 0, or -EINTR. */
static int sleep_if_told(struct fake_node *node, unsigned long cmd)
{
	const enum fake_hang how = node->hang[_IOC_NR(cmd)];
	uint64_t one;
	ssize_t n;

	if (how == FAKE_RUN || node->hang_cmd != cmd)
		return 0;
	node->waiting++;
	pthread_mutex_unlock(&node->lock);
	do
		n = read(node->wake_fd, &one, sizeof(one));
	while (n < 0 && how == FAKE_SLEEP_HARD);
	pthread_mutex_lock(&node->lock);
	node->waiting--;
	return n < 0 ? -EINTR : 0;
}

/* --- open and close --- */

static int fake_open(struct media_backend *backend, struct media_file **out)
{
	struct fake_node *node = container_of(backend, struct fake_node, backend);
	struct fake_file *file;
	int r;

	pthread_mutex_lock(&node->lock);
	r = sleep_if_told(node, FAKE_OPEN);
	if (r == 0)
		r = node->unplugged ? -ENODEV : node->open_result;
	if (r == 0 && node->files_n == FAKE_FILES)
		r = -ENFILE;
	file = r == 0 ? calloc(1, sizeof(*file)) : NULL;
	if (r == 0 && !file)
		r = -ENOMEM;
	if (file) {
		file->base.backend = backend;
		file->node = node;
		file->index = node->files_n;
		file->fd = eventfd(0, EFD_CLOEXEC);
		for (unsigned int type = 0; type < FAKE_TYPES; type++)
			fake_queue_init(&file->queues[type], &node->options, type);
		node->files[node->files_n++] = file;
		*out = &file->base;
	}
	pthread_mutex_unlock(&node->lock);
	return r;
}

static void fake_close(struct media_file *base)
{
	struct fake_file *file = container_of(base, struct fake_file, base);
	struct fake_node *node = file->node;

	pthread_mutex_lock(&node->lock);
	sleep_if_told(node, FAKE_CLOSE);
	if (file->closed)
		fake_problem(node, "close() of a closed file");
	else
		close(file->fd);
	file->closed = true;
	file->watched = 0;
	node->closed++;
	for (unsigned int type = 0; type < FAKE_TYPES; type++) {
		fake_queue_release(&node->queues[type], file->index);
		fake_queue_release(&file->queues[type], file->index);
	}
	pthread_mutex_unlock(&node->lock);
}

static void fake_free(struct media_backend *backend)
{
	struct fake_node *node = container_of(backend, struct fake_node, backend);

	pthread_mutex_lock(&node->lock);
	if (node->freed)
		fake_problem(node, "free() for the second time");
	if (node->closed != node->files_n)
		fake_problem(node, "free() with files that are open");
	node->freed = true;
	node->orphan = true;
	pthread_mutex_unlock(&node->lock);
}

/* --- ioctls --- */

static void note_data(struct fake_seen *seen, unsigned int i, const void *from, size_t len)
{
	if (i < ARRAY_SIZE(seen->data) && from)
		memcpy(seen->data[i], from, MIN(len, sizeof(seen->data[i])));
}

static void note(struct fake_node *node, const struct fake_file *file, unsigned long cmd,
		 const void *arg)
{
	struct fake_seen *seen = &node->seen[_IOC_NR(cmd)];
	const struct v4l2_ext_controls *controls = arg;
	const struct v4l2_buffer *buffer = arg;
	const struct v4l2_edid *edid = arg;

	seen->calls++;
	seen->file = file->index;
	memset(seen->arg, 0, sizeof(seen->arg));
	if (arg)
		memcpy(seen->arg, arg, MIN(_IOC_SIZE(cmd), sizeof(seen->arg)));
	memset(seen->data, 0, sizeof(seen->data));
	if ((cmd == VIDIOC_QBUF || cmd == VIDIOC_PREPARE_BUF || cmd == VIDIOC_QUERYBUF) &&
	    V4L2_TYPE_IS_MULTIPLANAR(buffer->type) && buffer->m.planes)
		memcpy(seen->planes, buffer->m.planes,
		       MIN(buffer->length, (uint32_t)VIDEO_MAX_PLANES) * sizeof(*seen->planes));
	if (cmd == VIDIOC_G_EXT_CTRLS || cmd == VIDIOC_S_EXT_CTRLS || cmd == VIDIOC_TRY_EXT_CTRLS) {
		const uint32_t n = MIN(controls->count, (uint32_t)ARRAY_SIZE(seen->controls));

		for (uint32_t i = 0; i < n; i++) {
			seen->controls[i] = controls->controls[i];
			if (controls->controls[i].size)
				note_data(seen, i, controls->controls[i].ptr,
					  controls->controls[i].size);
		}
	}
	if ((cmd == VIDIOC_S_EDID || cmd == VIDIOC_G_EDID) && edid->blocks)
		note_data(seen, 0, edid->edid, (size_t)edid->blocks * 128);
}

static int buffer_ioctl(struct fake_node *node, struct fake_file *file, unsigned long cmd,
			void *arg)
{
	const uint32_t *words = arg;
	const struct v4l2_create_buffers *create = arg;
	uint32_t type = words[1];

	if (cmd == VIDIOC_STREAMON || cmd == VIDIOC_STREAMOFF)
		type = words[0];
	else if (cmd == VIDIOC_CREATE_BUFS)
		type = create->format.type;
	else if (cmd == FAKE_REMOVE_BUFS)
		type = words[2];
	if (!fake_has_type(node, type))
		return -EINVAL;
	return fake_queue_ioctl(&fake_queues(node, file)[type], file->index, cmd, arg);
}

static int subscribe(struct fake_file *file, const struct v4l2_event_subscription *sub)
{
	if (sub->type == V4L2_EVENT_ALL || file->subs_n == ARRAY_SIZE(file->subs))
		return -EINVAL;
	file->subs[file->subs_n++] = *sub;
	if (sub->flags & V4L2_EVENT_SUB_FL_SEND_INITIAL) {
		const struct v4l2_event event = {.type = sub->type, .id = sub->id};

		fake_queue_event(file, &event);
	}
	return 0;
}

static int unsubscribe(struct fake_file *file, const struct v4l2_event_subscription *sub)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < file->subs_n; i++)
		if (sub->type != V4L2_EVENT_ALL &&
		    (file->subs[i].type != sub->type || file->subs[i].id != sub->id))
			file->subs[kept++] = file->subs[i];
	file->subs_n = kept;
	return 0;
}

static int dqevent(struct fake_file *file, struct v4l2_event *event)
{
	if (file->events_n == 0)
		return -ENOENT;
	*event = file->events[0];
	memmove(file->events, file->events + 1, --file->events_n * sizeof(*file->events));
	event->pending = file->events_n;
	return 0;
}

static int codec_cmd(struct fake_node *node, struct fake_file *file, uint32_t start, uint32_t cmd)
{
	for (unsigned int type = 1; cmd == start && type < FAKE_TYPES; type++)
		fake_queues(node, file)[type].last = false;
	return 0;
}

static int built_in(struct fake_node *node, struct fake_file *file, unsigned long cmd, void *arg)
{
	switch (cmd) {
	case VIDIOC_REQBUFS:
	case VIDIOC_CREATE_BUFS:
	case VIDIOC_QUERYBUF:
	case VIDIOC_QBUF:
	case VIDIOC_DQBUF:
	case VIDIOC_PREPARE_BUF:
	case VIDIOC_STREAMON:
	case VIDIOC_STREAMOFF:
	case FAKE_REMOVE_BUFS:
		return buffer_ioctl(node, file, cmd, arg);
	case VIDIOC_SUBSCRIBE_EVENT:
		return subscribe(file, arg);
	case VIDIOC_UNSUBSCRIBE_EVENT:
		return unsubscribe(file, arg);
	case VIDIOC_DQEVENT:
		return dqevent(file, arg);
	case VIDIOC_DECODER_CMD:
		return codec_cmd(node, file, V4L2_DEC_CMD_START, *(const uint32_t *)arg);
	case VIDIOC_ENCODER_CMD:
		return codec_cmd(node, file, V4L2_ENC_CMD_START, *(const uint32_t *)arg);
	default:
		return -ENOTTY;
	}
}

static int answer(struct fake_node *node, struct fake_file *file, unsigned long cmd, void *arg)
{
	const struct fake_answer *scripted = &node->answers[_IOC_NR(cmd)];
	int r;

	if (node->unplugged)
		return -ENODEV;
	if (!node->answered[_IOC_NR(cmd)])
		return built_in(node, file, cmd, arg);
	if (scripted->arg && arg)
		memcpy(arg, scripted->arg, _IOC_SIZE(cmd));
	if (!scripted->fn)
		return scripted->result;
	/* The test's function may look at the node. */
	pthread_mutex_unlock(&node->lock);
	r = scripted->fn(node, file->index, cmd, arg);
	pthread_mutex_lock(&node->lock);
	return r;
}

/* Of a blocking backend the device's own thread makes only calls that do not wait. */
static void check_thread(struct fake_node *node, unsigned long cmd)
{
	const bool on_loop = node->looked && pthread_equal(node->thread, pthread_self());
	const bool quick = cmd == VIDIOC_QBUF || cmd == VIDIOC_DQBUF || cmd == VIDIOC_DQEVENT ||
			   cmd == VIDIOC_QUERYBUF;

	if (node->options.blocking && !quick && on_loop)
		fake_problem(node, "a slow ioctl (%u) on the device's thread",
			     (unsigned int)_IOC_NR(cmd));
	if (!node->options.blocking && !on_loop && !loop_is_mine(node->loop))
		fake_problem(node, "ioctl (%u) on another thread", (unsigned int)_IOC_NR(cmd));
}

static int fake_ioctl(struct media_file *base, unsigned long cmd, void *arg)
{
	struct fake_file *file = container_of(base, struct fake_file, base);
	struct fake_node *node = file->node;
	int r;

	pthread_mutex_lock(&node->lock);
	if (file->closed)
		fake_problem(node, "ioctl of a closed file");
	check_thread(node, cmd);
	note(node, file, cmd, arg);
	r = sleep_if_told(node, cmd);
	/* Whoever was left behind must not look at the file. */
	if (r == 0)
		r = file->closed ? -EIO : answer(node, file, cmd, arg);
	fake_note_call(node, file, cmd, r);
	fake_look(node);
	pthread_mutex_unlock(&node->lock);
	return r;
}

/* --- memory --- */

static int fake_map(struct media_file *base, const struct media_plane_id *plane, void *at,
		    size_t len, bool writable)
{
	struct fake_file *file = container_of(base, struct fake_file, base);
	struct fake_node *node = file->node;
	struct fake_buffer *buffer = NULL;
	int r = -EINVAL;

	pthread_mutex_lock(&node->lock);
	node->maps++;
	if (file->closed)
		fake_problem(node, "map() of a closed file");
	if (len % 4096 || (uintptr_t)at % 4096 || len < plane->length)
		fake_problem(node, "map() of %zu bytes for %u", len, plane->length);
	if (fake_has_type(node, plane->type))
		buffer = fake_queue_buffer(&fake_queues(node, file)[plane->type], plane->index);
	if (node->options.no_remap || node->unplugged)
		r = -ENODEV;
	else if (buffer && plane->plane < buffer->planes_n &&
		 buffer->planes[plane->plane].offset == plane->mem_offset &&
		 buffer->planes[plane->plane].length == plane->length)
		r = mmap(at, len, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED,
			 buffer->planes[plane->plane].fd, 0) == MAP_FAILED
			    ? -errno
			    : 0;
	pthread_mutex_unlock(&node->lock);
	return r;
}

const struct media_backend_ops fake_ops = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.map = fake_map,
	.watch = fake_watch,
	.free = fake_free,
};

const struct media_backend_ops fake_blocking_ops = {
	.blocking = true,
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.map = fake_map,
	.watch = fake_watch,
	.free = fake_free,
};
