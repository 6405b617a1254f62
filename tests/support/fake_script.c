/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_script.c - a V4L2 node that does what a test tells it: the test's side. See fake_node.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fake_files.h"
#include "virtio_media.h"

static const uint32_t capture_only[] = {V4L2_BUF_TYPE_VIDEO_CAPTURE, 0};

struct fake_node *fake_node_new(struct loop *loop, const struct fake_options *options)
{
	struct fake_node *node = calloc(1, sizeof(*node));

	if (!node)
		abort();
	node->options = *options;
	node->loop = loop;
	if (!node->options.types)
		node->options.types = capture_only;
	node->backend.ops = options->blocking ? &fake_blocking_ops : &fake_ops;
	node->backend.device_caps = options->device_caps
					    ? options->device_caps
					    : V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
	node->backend.device_type = options->device_type;
	snprintf(node->backend.name, sizeof(node->backend.name), "fake");
	strncpy(node->backend.card, options->card ? options->card : "Fake node",
		sizeof(node->backend.card));
	pthread_mutex_init(&node->lock, NULL);
	node->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	for (unsigned int type = 0; type < FAKE_TYPES; type++)
		fake_queue_init(&node->queues[type], &node->options, type);
	fake_look(node);
	return node;
}

void fake_node_free(struct fake_node *node)
{
	if (!node)
		return;
	fake_node_wake(node);
	while (fake_node_waiting(node))
		usleep(1000);
	for (unsigned int i = 0; i < node->files_n; i++) {
		for (unsigned int type = 0; type < FAKE_TYPES; type++)
			fake_queue_deinit(&node->files[i]->queues[type]);
		free(node->files[i]);
	}
	for (unsigned int type = 0; type < FAKE_TYPES; type++)
		fake_queue_deinit(&node->queues[type]);
	close(node->wake_fd);
	pthread_mutex_destroy(&node->lock);
	free(node);
}

struct media_backend *fake_node_backend(struct fake_node *node)
{
	return &node->backend;
}

/* --- shared with the backend's side --- */

void fake_problem(struct fake_node *node, const char *fmt, ...)
{
	va_list args;

	if (node->problem[0])
		return;
	va_start(args, fmt);
	vsnprintf(node->problem, sizeof(node->problem), fmt, args);
	va_end(args);
}

void fake_note_call(struct fake_node *node, const struct fake_file *file, unsigned long cmd,
		    int result)
{
	if (node->log_n == FAKE_CALLS)
		return;
	node->log[node->log_n++] = (struct fake_call) {
		.file = file->index,
		.cmd = cmd,
		.result = result,
		.on_loop = node->looked && pthread_equal(node->thread, pthread_self()),
	};
}

bool fake_has_type(const struct fake_node *node, uint32_t type)
{
	for (const uint32_t *types = node->options.types; *types; types++)
		if (*types == type)
			return true;
	return false;
}

struct fake_queue *fake_queues(struct fake_node *node, struct fake_file *file)
{
	return node->options.m2m ? file->queues : node->queues;
}

void fake_queue_event(struct fake_file *file, const struct v4l2_event *event)
{
	if (file->events_n == FAKE_EVENTS)
		return;
	file->events[file->events_n] = *event;
	file->events[file->events_n++].sequence = file->sequence++;
}

/* --- script --- */

void fake_node_answer(struct fake_node *node, unsigned long cmd, const struct fake_answer *answer)
{
	pthread_mutex_lock(&node->lock);
	node->answered[_IOC_NR(cmd)] = answer;
	if (answer)
		node->answers[_IOC_NR(cmd)] = *answer;
	pthread_mutex_unlock(&node->lock);
}

void fake_node_hang(struct fake_node *node, unsigned long cmd, enum fake_hang how)
{
	struct pollfd pfd = {.fd = node->wake_fd, .events = POLLIN};
	uint64_t one;

	pthread_mutex_lock(&node->lock);
	while (node->waiting == 0 && poll(&pfd, 1, 0) > 0)
		if (read(node->wake_fd, &one, sizeof(one)) < 0)
			break;
	node->hang[_IOC_NR(cmd)] = how;
	node->hang_cmd = cmd;
	pthread_mutex_unlock(&node->lock);
}

void fake_node_wake(struct fake_node *node)
{
	pthread_mutex_lock(&node->lock);
	memset(node->hang, 0, sizeof(node->hang));
	eventfd_write(node->wake_fd, node->waiting);
	pthread_mutex_unlock(&node->lock);
}

void fake_node_open_result(struct fake_node *node, int result)
{
	pthread_mutex_lock(&node->lock);
	node->open_result = result;
	pthread_mutex_unlock(&node->lock);
}

void fake_node_unplug(struct fake_node *node)
{
	pthread_mutex_lock(&node->lock);
	node->unplugged = true;
	fake_look(node);
	pthread_mutex_unlock(&node->lock);
}

void fake_node_orphan(struct fake_node *node)
{
	pthread_mutex_lock(&node->lock);
	node->orphan = true;
	pthread_mutex_unlock(&node->lock);
}

void fake_node_poll_error(struct fake_node *node)
{
	pthread_mutex_lock(&node->lock);
	node->poll_error = true;
	fake_look(node);
	pthread_mutex_unlock(&node->lock);
}

/* With the lock. NULL if there is no such thing. */
static struct fake_queue *queue_of(struct fake_node *node, unsigned int file, uint32_t type)
{
	if (file >= node->files_n || type >= FAKE_TYPES)
		return NULL;
	return &fake_queues(node, node->files[file])[type];
}

int fake_node_complete(struct fake_node *node, unsigned int file, uint32_t type, uint8_t fill,
		       uint32_t flags, uint32_t used)
{
	struct fake_queue *queue;
	int r = -ENOENT;

	pthread_mutex_lock(&node->lock);
	queue = queue_of(node, file, type);
	if (queue)
		r = fake_queue_complete(queue, fill, flags, used);
	fake_look(node);
	pthread_mutex_unlock(&node->lock);
	return r;
}

void fake_node_event(struct fake_node *node, const struct v4l2_event *event, bool force)
{
	pthread_mutex_lock(&node->lock);
	for (unsigned int i = 0; i < node->files_n; i++) {
		struct fake_file *file = node->files[i];
		bool wanted = force;

		for (unsigned int s = 0; s < file->subs_n; s++)
			wanted |=
				file->subs[s].type == event->type && file->subs[s].id == event->id;
		if (!file->closed && wanted)
			fake_queue_event(file, event);
	}
	fake_look(node);
	pthread_mutex_unlock(&node->lock);
}

/* --- looks --- */

const char *fake_node_problem(struct fake_node *node)
{
	const char *problem;

	pthread_mutex_lock(&node->lock);
	problem = node->problem[0] ? node->problem : NULL;
	pthread_mutex_unlock(&node->lock);
	return problem;
}

struct fake_seen fake_node_seen(struct fake_node *node, unsigned long cmd)
{
	struct fake_seen seen;

	pthread_mutex_lock(&node->lock);
	seen = node->seen[_IOC_NR(cmd)];
	pthread_mutex_unlock(&node->lock);
	return seen;
}

/* A number of the node's, read under its lock. */
#define LOOK(node, value)                                                                          \
	({                                                                                         \
		pthread_mutex_lock(&(node)->lock);                                                 \
		__typeof__(value) look_ = (value);                                                 \
		pthread_mutex_unlock(&(node)->lock);                                               \
		look_;                                                                             \
	})

unsigned int fake_node_calls(struct fake_node *node, unsigned long cmd)
{
	return LOOK(node, node->seen[_IOC_NR(cmd)].calls);
}

unsigned int fake_node_opened(struct fake_node *node)
{
	return LOOK(node, node->files_n);
}

unsigned int fake_node_closed(struct fake_node *node)
{
	return LOOK(node, node->closed);
}

bool fake_node_freed(struct fake_node *node)
{
	return LOOK(node, node->freed);
}

uint32_t fake_node_watched(struct fake_node *node, unsigned int file)
{
	return LOOK(node, node->files[file]->watched);
}

unsigned int fake_node_maps(struct fake_node *node)
{
	return LOOK(node, node->maps);
}

unsigned int fake_node_early(struct fake_node *node)
{
	return LOOK(node, node->early);
}

size_t fake_node_file_size(void)
{
	return sizeof(struct fake_file) + 16;
}

unsigned int fake_node_wakes(struct fake_node *node)
{
	return LOOK(node, node->wakes);
}

bool fake_node_waiting(struct fake_node *node)
{
	return LOOK(node, node->waiting > 0);
}

unsigned int fake_node_queued(struct fake_node *node, unsigned int file, uint32_t type)
{
	return LOOK(node, fake_queue_count(queue_of(node, file, type), FAKE_QUEUED));
}

unsigned int fake_node_buffers(struct fake_node *node)
{
	unsigned int n = 0;

	pthread_mutex_lock(&node->lock);
	for (unsigned int type = 0; type < FAKE_TYPES; type++) {
		n += fake_queue_buffers(&node->queues[type]);
		for (unsigned int i = 0; i < node->files_n; i++)
			n += fake_queue_buffers(&node->files[i]->queues[type]);
	}
	pthread_mutex_unlock(&node->lock);
	return n;
}

unsigned int fake_node_log(struct fake_node *node, struct fake_call *calls, unsigned int n)
{
	pthread_mutex_lock(&node->lock);
	n = MIN(n, node->log_n);
	memcpy(calls, node->log, n * sizeof(*calls));
	pthread_mutex_unlock(&node->lock);
	return n;
}

uint8_t *fake_node_memory(struct fake_node *node, unsigned int file, uint32_t type,
			  unsigned int index, unsigned int plane)
{
	struct fake_buffer *buffer;
	struct fake_queue *queue;
	uint8_t *at = NULL;

	pthread_mutex_lock(&node->lock);
	queue = queue_of(node, file, type);
	buffer = queue ? fake_queue_buffer(queue, index) : NULL;
	if (buffer && plane < buffer->planes_n)
		at = buffer->planes[plane].at;
	pthread_mutex_unlock(&node->lock);
	return at;
}
