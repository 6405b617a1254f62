/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c - the sessions of a media device: their ids, opening and closing, mapping of their
 * buffers, and how they end badly. See media_device.h.
 *
 * Implements virtio 1.4, media device, "Open device", "Close device", "Mapping a MMAP buffer". A
 * session whose device is gone, or whose host does not answer, stays until the driver closes it,
 * so that its id is not given to another one. There is no ERROR event: the errno of every later
 * command and the flag of every buffer say the same, and drivers free the session at that event
 * while its file is still open.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/media/media_device.h"

static struct session **bucket_of(struct media *media, uint32_t id)
{
	return &media->sessions[id % MEDIA_BUCKETS];
}

struct session *session_find(struct media *media, uint32_t id)
{
	struct session *session = *bucket_of(media, id);

	while (session && session->id != id)
		session = session->next;
	return session;
}

/* In the order of counting, so that an id that was closed is not soon another session's. */
static uint32_t new_id(struct media *media)
{
	do
		media->last_id++;
	while (media->last_id == 0 || session_find(media, media->last_id));
	return media->last_id;
}

/* Return: NULL if there is no memory; @file is still the caller's then. */
static struct session *new_session(struct media *media, struct media_file *file)
{
	struct session *session = calloc(1, sizeof(*session));
	struct session **bucket;

	if (!session)
		return NULL;
	session->file = session_file_new(media->host, file);
	if (!session->file) {
		free(session);
		return NULL;
	}
	session->media = media;
	session->id = new_id(media);
	file->ready = dequeue_ready;
	file->owner = session;
	bucket = bucket_of(media, session->id);
	session->next = *bucket;
	*bucket = session;
	media->sessions_n++;
	return session;
}

static void free_session(struct session *session)
{
	struct media *media = session->media;
	struct session **at = bucket_of(media, session->id);

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	media->sessions_n--;
	free(session);
}

/* OPEN. */

static int work_open(struct media_call *call)
{
	struct media_backend *backend = call->host->backend;
	int r;

	/* Asked here, behind all that is being closed. What calls that hang have stays open. */
	if (media_host_full(call->host))
		return -ENFILE;
	r = backend->ops->open(backend, &call->opened);
	return r == -ETIMEDOUT ? MEDIA_CALL_ETIMEDOUT : r;
}

/* Nobody has the id of, or there is no memory for a session: away with the file. */
static void close_opened(struct media *media, struct media_file *opened)
{
	struct session_file *file = session_file_new(media->host, opened);

	if (file)
		media_close_file(media, file, NULL);
	else
		opened->backend->ops->close(opened);
}

static void finish_open(struct media_call *call, int result)
{
	struct media *media = call->media;
	struct virtio_media_resp_open resp = {};
	struct session *session = NULL;
	struct media_file *opened = NULL;

	if (result == 0) {
		opened = call->opened;
		call->opened = NULL;
		if (call->request)
			session = new_session(media, opened);
		if (!session)
			close_opened(media, opened);
	}
	if (!call->request)
		return;
	if (result == -ETIMEDOUT)
		result = -EIO;
	else if (result == MEDIA_CALL_ETIMEDOUT)
		result = -ETIMEDOUT;
	if (result < 0 || !session) {
		media_answer_status(call->request, result < 0 ? result : -ENOMEM);
		return;
	}
	resp.session_id = session->id;
	media_answer(call->request, &resp, sizeof(resp));
}

void session_open(struct media *media, struct vq_request *request)
{
	struct media_call *call;

	/* As open(2) when the system, not the process, has no more files. */
	if (media->sessions_n >= media->sessions_max) {
		media_answer_status(request, -ENFILE);
		return;
	}
	call = media_call_new(media, media_calls_worker(media, 0), finish_open);
	if (!call) {
		media_answer_status(request, -ENOMEM);
		return;
	}
	call->work = work_open;
	call->request = request;
	media_call_start(call);
}

/* CLOSE. */

void session_close(struct session *session, struct vq_request *request)
{
	struct media *media = session->media;
	struct session_file *file = session->file;

	if (session->watched)
		(void)file->file->backend->ops->watch(file->file, 0);
	event_forget(session);
	backlog_clear(&session->backlog);
	for (unsigned int i = 0; i < MEDIA_QUEUES; i++)
		if (file->queues[i])
			media_queue_detach(session, file->queues[i]);
	if (media->running && media->running->session == session)
		media->running->session = NULL;
	free_session(session);
	media_close_file(media, file, request);
}

void session_close_all(struct media *media)
{
	for (unsigned int i = 0; i < MEDIA_BUCKETS; i++)
		while (media->sessions[i])
			session_close(media->sessions[i], NULL);
	/*
	 * After a reset guest memory may be anything's: the host must not go on writing frames
	 * there. But a host that hangs cannot be waited for.
	 */
	if (!media_calls_wait(media))
		log_limited(&media->given_up, LOG_LEVEL_WARNING,
			    "%s: the guest has reset the device, but the host may go on writing to "
			    "guest memory: it does not end what it was doing",
			    media->dev.name);
}

static const char *reason(const struct session *session)
{
	if (session->error == -ENODEV)
		return "the device is gone";
	if (session->file->shares)
		return "the host does not answer: a session of the guest is given up, but until it "
		       "does the host may go on writing to guest memory";
	return "the host does not answer: a session of the guest is given up";
}

void session_fail(struct session *session, int error)
{
	struct media *media = session->media;

	if (session->error)
		return;
	session->error = error;
	log_limited(&media->given_up, LOG_LEVEL_WARNING, "%s: %s", media->dev.name,
		    reason(session));
	for (unsigned int i = 0; i < MEDIA_QUEUES; i++)
		if (session->file->queues[i])
			media_queue_fail(session, session->file->queues[i]);
	dequeue_update(session);
}

/* MMAP. */

/* @since_ns: of all that MMAP asks of the host. */
static int query(struct session *session, struct v4l2_buffer *buffer, int64_t *since_ns)
{
	int r;

	do
		r = media_host_ioctl(session, VIDIOC_QUERYBUF, buffer);
	while (r == -EINTR && !media_too_late(since_ns));
	if (r == -ETIMEDOUT)
		return MEDIA_CALL_ETIMEDOUT;
	return r == -EINTR ? -ETIMEDOUT : r;
}

/* Which plane of the host's is behind the offset, as it is now. */
static int find_plane(struct session *session, uint32_t offset, struct media_plane_id *out,
		      int64_t *since_ns)
{
	const struct offset_plane *plane = offset_find(session->media->offsets, offset);
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_buffer buffer = {};
	int r;

	if (!plane || plane->owner != session)
		return -EINVAL;
	buffer.type = plane->type;
	buffer.index = plane->index;
	if (V4L2_TYPE_IS_MULTIPLANAR(plane->type)) {
		buffer.m.planes = planes;
		buffer.length = VIDEO_MAX_PLANES;
	}
	r = query(session, &buffer, since_ns);
	if (r != 0)
		return r;
	*out = (struct media_plane_id) {
		.type = plane->type,
		.index = plane->index,
		.plane = plane->plane,
		.mem_offset = buffer.m.offset,
		.length = buffer.length,
	};
	if (V4L2_TYPE_IS_MULTIPLANAR(plane->type)) {
		if (plane->plane >= buffer.length)
			return -EINVAL;
		out->mem_offset = planes[plane->plane].m.mem_offset;
		out->length = planes[plane->plane].length;
	}
	return buffer.memory == V4L2_MEMORY_MMAP && out->length > 0 ? 0 : -EINVAL;
}

static int map_plane(struct session *session, const struct media_plane_id *plane, bool writable,
		     uint64_t *at, int64_t *since_ns)
{
	struct media_window *window = session->media->window;
	int r;

	media_host_enter(session->media);
	do
		r = media_window_map(window, session->file->file, plane, writable, at);
	while (r == -EINTR && !media_too_late(since_ns));
	media_host_leave(session->media);
	return r == -EINTR ? -ETIMEDOUT : r;
}

int session_map(struct media *media, const struct virtio_media_cmd_mmap *cmd,
		struct virtio_media_resp_mmap *resp)
{
	struct session *session = session_find(media, cmd->session_id);
	const bool writable = cmd->flags & VIRTIO_MEDIA_MMAP_FLAG_RW;
	struct media_plane_id plane = {};
	int64_t since = 0;
	int r;

	if (!session)
		return -EINVAL;
	if (session->error)
		return session->error;
	/* The lock that a call hangs with may be one that mmap takes as well, and cannot be got out
	 * of there. */
	if (media->worker && worker_strays(media->worker) > 0)
		return -EIO;
	r = find_plane(session, cmd->offset, &plane, &since);
	if (r == 0)
		r = map_plane(session, &plane, writable, &resp->driver_addr, &since);
	resp->len = plane.length;
	switch (r) {
	case 0:
		return 0;
	case -ENOSPC:
		return -ENOMEM; /* mmap(2) for want of addresses */
	case -ETIMEDOUT:
		session_fail(session, -EIO);
		return -EIO;
	case MEDIA_CALL_ETIMEDOUT:
		return -ETIMEDOUT;
	default:
		return r;
	}
}
