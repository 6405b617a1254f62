/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session_buffer.c - QUERYBUF, QBUF and PREPARE_BUF: a struct v4l2_buffer between what the guest
 * and what the host means by it. See media_device.h.
 *
 * Implements virtio 1.4, media device, "Memory Types". MMAP: the guest has offsets of our own.
 * SHARED_PAGES: the guest has pages, the host an address or a DMABUF of the same pages. Nothing of
 * the guest's gets to the host as an address or descriptor, and nothing of the host's gets out.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "devices/media/media_device.h"

#define NO_FD UINT32_MAX /* -1 */

static bool is_multiplanar(const struct v4l2_buffer *buffer)
{
	return V4L2_TYPE_IS_MULTIPLANAR(buffer->type);
}

/* Planes that the guest has told of; a single-planar buffer is one. */
static unsigned int planes_of(const struct payload *payload)
{
	return is_multiplanar(&payload->arg.buffer) ? payload->planes_n : 1;
}

/* m of plane @i, as the 64 bits that all kinds of it fit into. */
static void set_m(struct payload *payload, unsigned int i, uint64_t m)
{
	if (is_multiplanar(&payload->arg.buffer)) {
		payload->planes[i].m.userptr = m;
		return;
	}
	payload->arg.buffer.m.userptr = m;
}

static uint64_t get_m(const struct payload *payload, unsigned int i)
{
	return is_multiplanar(&payload->arg.buffer) ? payload->planes[i].m.userptr
						    : payload->arg.buffer.m.userptr;
}

/* The same of a buffer on its way back. */
static uint64_t event_m(const struct media_buffer *buffer, unsigned int i)
{
	const struct virtio_media_event_dqbuf *event = &buffer->entry.dqbuf;

	return is_multiplanar(&event->buffer) ? event->planes[i].m.userptr
					      : event->buffer.m.userptr;
}

static uint32_t used_of(const struct payload *payload, unsigned int i)
{
	return is_multiplanar(&payload->arg.buffer) ? payload->planes[i].bytesused
						    : payload->arg.buffer.bytesused;
}

/*
 * Whatever the host has put there. @buffer: NULL if the guest has never used it. The kinds of
 * memory that the guest may see are those that it may ask for; what the host has as a DMABUF is
 * guest memory.
 */
static void answer_m(struct media_call *call, const struct media_buffer *buffer, bool asked)
{
	struct payload *payload = &call->payload;
	struct v4l2_buffer *arg = &payload->arg.buffer;
	const unsigned int n = planes_of(payload);

	if (arg->memory != V4L2_MEMORY_MMAP)
		arg->memory = V4L2_MEMORY_USERPTR;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t m = 0;

		if (arg->memory == V4L2_MEMORY_MMAP)
			m = buffer ? buffer->offsets[i] : 0;
		else if (asked)
			m = call->m[i];
		else if (buffer && buffer->entry.dqbuf.buffer.memory == V4L2_MEMORY_USERPTR)
			m = event_m(buffer, i);
		set_m(payload, i, m);
	}
	arg->request_fd = 0;
	event_time_buffer(call->media, arg);
}

/* QUERYBUF. Anybody may ask for the buffers of whoever owns them, and map them. */

static int querybuf_before(struct session *session, struct media_call *call)
{
	struct payload *payload = &call->payload;

	payload->arg.buffer.request_fd = 0;
	for (unsigned int i = 0; i < planes_of(payload); i++)
		set_m(payload, i, 0);
	return 0;
}

/* The host has it. Another session's also counts for the limit, since it takes memory as well. */
static int find_foreign(struct session *session, const struct v4l2_buffer *arg,
			struct media_buffer **out)
{
	struct media *media = session->media;
	struct media_queue *queue;
	int r;

	r = media_queue_make(session, arg->type, &queue);
	if (r < 0 || !queue)
		return r;
	if (arg->index >= queue->end) {
		const uint64_t more = (uint64_t)arg->index + 1 - queue->end;

		if (media->buffers_n + more > media->buffers_max)
			return -ENOMEM;
		media_queue_charge(session, queue, (uint32_t)more);
		queue->end = arg->index + 1;
	}
	return media_queue_add(queue, arg->index, out);
}

static int querybuf_after(struct session *session, struct media_call *call, int result)
{
	struct payload *payload = &call->payload;
	struct v4l2_buffer *arg = &payload->arg.buffer;
	const struct media_queue *queue;
	struct media_buffer *buffer = NULL;
	unsigned int planes;
	int r;

	if (result != 0)
		return result;
	queue = media_queue_find(session, arg->type);
	if (queue)
		buffer = media_queue_buffer(queue, arg->index);
	if (arg->memory == V4L2_MEMORY_MMAP) {
		r = find_foreign(session, arg, &buffer);
		if (r < 0)
			return r;
		queue = media_queue_find(session, arg->type);
		planes = is_multiplanar(arg) ? MIN(arg->length, payload->planes_n) : 1;
		r = buffer ? media_queue_offsets(session, queue, arg->index, planes) : 0;
		if (r < 0)
			return r;
	}
	/* As long as the driver has not heard of it. */
	if (buffer && buffer->entry.waits)
		arg->flags |= V4L2_BUF_FLAG_DONE;
	answer_m(call, buffer, false);
	return 0;
}

const struct media_step session_step_querybuf = {querybuf_before, querybuf_after};

/* QBUF and PREPARE_BUF. */

static int share_plane(struct session *session, struct media_queue *queue,
		       struct media_buffer *buffer, struct media_call *call, unsigned int i)
{
	const bool dmabuf = queue->host_memory == V4L2_MEMORY_DMABUF;
	struct payload *payload = &call->payload;
	const struct payload_sg *sg = &payload->sg[i];
	int r = 0;

	/* 0 is a descriptor. */
	set_m(payload, i, dmabuf ? NO_FD : 0);
	if (sg->len == 0)
		return 0;
	/* What the host has got by PREPARE_BUF it keeps; V4L2 does not look at m again then. */
	if (!buffer->prepared) {
		if (!buffer->pages[i])
			r = pages_new(&buffer->pages[i], session->media->dev.gmem, dmabuf);
		if (r == 0)
			r = pages_set(buffer->pages[i], sg);
		buffer->pages_len[i] = r == 0 ? sg->len : 0;
	}
	if (r < 0 || !buffer->pages[i])
		return r;
	session_file_share(session->file);
	if (media_queue_direction(queue->type) == POLLOUT) {
		const uint32_t used = used_of(payload, i);

		pages_to_host(buffer->pages[i], MIN(used ? used : sg->len, buffer->pages_len[i]));
	}
	set_m(payload, i,
	      dmabuf ? (uint32_t)pages_fd(buffer->pages[i]) : pages_address(buffer->pages[i]));
	return 0;
}

static int share(struct session *session, struct media_queue *queue, struct media_buffer *buffer,
		 struct media_call *call)
{
	struct v4l2_buffer *arg = &call->payload.arg.buffer;
	int r = 0;

	/* The host will find something wrong with its type, index or owner: nothing is shared. */
	if (!buffer) {
		for (unsigned int i = 0; i < planes_of(&call->payload); i++) {
			set_m(&call->payload, i, 0);
			if (is_multiplanar(arg))
				call->payload.planes[i].length = 0;
			else
				arg->length = 0;
		}
		return 0;
	}
	for (unsigned int i = 0; i < planes_of(&call->payload) && r == 0; i++)
		r = share_plane(session, queue, buffer, call, i);
	arg->memory = queue->host_memory;
	return r;
}

/* @buffer: NULL if there is no such one, which the host says better. */
static int give(struct session *session, struct media_call *call, struct media_buffer **buffer)
{
	struct payload *payload = &call->payload;
	struct v4l2_buffer *arg = &payload->arg.buffer;
	struct media_queue *queue;
	int r;

	*buffer = NULL;
	r = media_queue_make(session, arg->type, &queue);
	if (r == 0 && queue)
		r = media_queue_add(queue, arg->index, buffer);
	if (r < 0)
		return r;
	/* At the worker it may be done before this thread knows that it was queued. */
	if (queue)
		queue->held = true;
	for (unsigned int i = 0; i < planes_of(payload); i++)
		call->m[i] = get_m(payload, i);
	arg->request_fd = 0;
	/* Its DQBUF event has not been sent: to the guest it is still queued. */
	if (*buffer && (*buffer)->entry.waits)
		return -EINVAL;
	if (queue && queue->memory && queue->memory != arg->memory)
		return -EINVAL;
	switch (arg->memory) {
	case V4L2_MEMORY_MMAP:
		for (unsigned int i = 0; i < planes_of(payload); i++)
			set_m(payload, i, 0);
		return 0;
	case V4L2_MEMORY_USERPTR:
		/* Its pages are not to be moved while the host has them. */
		if (!session->media->shared_pages || (*buffer && (*buffer)->queued))
			return -EINVAL;
		return share(session, queue, *buffer, call);
	default:
		return -EINVAL; /* VIRTIO_OBJECT is not offered; an fd is no number of a guest's */
	}
}

static struct media_buffer *given(struct session *session, struct media_call *call,
				  struct media_queue **queue)
{
	const struct v4l2_buffer *arg = &call->payload.arg.buffer;

	*queue = media_queue_find(session, arg->type);
	return *queue ? media_queue_buffer(*queue, arg->index) : NULL;
}

/* As the guest gave it, and as it comes back if the host fails. */
static void note(const struct session *session, struct media_call *call,
		 struct media_buffer *buffer)
{
	const struct payload *payload = &call->payload;
	struct virtio_media_event_dqbuf *event = &buffer->entry.dqbuf;
	const unsigned int n = MIN(payload->planes_n, payload->arg.buffer.length);

	event->hdr.event = VIRTIO_MEDIA_EVT_DQBUF;
	event->hdr.session_id = session->id;
	event->buffer = payload->arg.buffer;
	memset(event->planes, 0, sizeof(event->planes));
	if (!is_multiplanar(&event->buffer))
		return;
	event->buffer.m.userptr = 0;
	memcpy(event->planes, payload->planes, n * sizeof(event->planes[0]));
}

static int answer(struct session *session, struct media_call *call, struct media_queue *queue,
		  struct media_buffer *buffer)
{
	const struct v4l2_buffer *arg = &call->payload.arg.buffer;

	/* Without one it cannot be mapped, but it is queued. */
	if (buffer && arg->memory == V4L2_MEMORY_MMAP)
		(void)media_queue_offsets(session, queue, arg->index, planes_of(&call->payload));
	answer_m(call, buffer, true);
	if (buffer)
		note(session, call, buffer);
	return 0;
}

static int qbuf_before(struct session *session, struct media_call *call)
{
	const struct v4l2_buffer *arg = &call->payload.arg.buffer;
	const struct media_queue *queue = media_queue_find(session, arg->type);
	struct media_buffer *buffer;

	/* V4L2's answer of a queue that knows no requests. */
	if (arg->flags & V4L2_BUF_FLAG_REQUEST_FD)
		return -EBADR;
	/* The hardware starts with the last buffer that it needs, if that comes behind STREAMON. */
	call->slow = queue && queue->streaming && queue->starting;
	return give(session, call, &buffer);
}

static int qbuf_after(struct session *session, struct media_call *call, int result)
{
	struct media_queue *queue;
	struct media_buffer *buffer = given(session, call, &queue);

	if (result != 0)
		return result;
	if (buffer) {
		queue->queued += !buffer->queued;
		buffer->queued = true;
		buffer->prepared = false;
	}
	dequeue_retry(session);
	return answer(session, call, queue, buffer);
}

const struct media_step session_step_qbuf = {qbuf_before, qbuf_after};

static int prepare_before(struct session *session, struct media_call *call)
{
	struct media_buffer *buffer;
	int r;

	if (call->payload.arg.buffer.flags & V4L2_BUF_FLAG_REQUEST_FD)
		return -EINVAL;
	r = give(session, call, &buffer);
	return r == 0 && buffer && buffer->prepared ? -EINVAL : r;
}

static int prepare_after(struct session *session, struct media_call *call, int result)
{
	struct media_queue *queue;
	struct media_buffer *buffer = given(session, call, &queue);

	if (result != 0)
		return result;
	if (buffer)
		buffer->prepared = true;
	return answer(session, call, queue, buffer);
}

const struct media_step session_step_prepare_buf = {prepare_before, prepare_after};
