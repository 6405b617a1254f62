/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session_queue.c - commands for a whole queue: REQBUFS, CREATE_BUFS, REMOVE_BUFS, STREAMON,
 * STREAMOFF, and those of codecs that let it go on. See media_device.h.
 *
 * Implements virtio 1.4, media device, "Memory Types". SHARED_PAGES are asked of the host as
 * USERPTR, and as DMABUF where it has no USERPTR (work in session_ioctl.c). Buffers are counted:
 * each takes memory of the host's.
 */
#include <errno.h>
#include <string.h>

#include "devices/media/media_device.h"

/* Before the host is asked. @memory: of the payload; what the host knows the queue as is put there.
 */
static int ask_for(struct session *session, struct media_call *call,
		   const struct media_queue *queue, uint32_t *memory)
{
	struct media *media = session->media;

	if (*memory == V4L2_MEMORY_USERPTR) {
		if (!media->shared_pages)
			return -EINVAL;
		if (queue && queue->host_memory == V4L2_MEMORY_DMABUF)
			*memory = V4L2_MEMORY_DMABUF;
		else if (media->shared_dmabuf)
			call->memory = memory;
	} else if (*memory != V4L2_MEMORY_MMAP) {
		return -EINVAL; /* VIRTIO_OBJECT is not offered */
	}
	return 0;
}

/*
 * How many buffers there may be more, in place of @freed ones. A host gives what it has, too; more
 * than asked for if its hardware needs that.
 */
static uint32_t room_for(const struct media *media, uint32_t count, uint32_t freed)
{
	const unsigned int taken = media->buffers_n - freed;

	return taken < media->buffers_max ? MIN(count, media->buffers_max - taken) : 0;
}

/* DMABUF at the host is SHARED_PAGES here, whoever asked. */
static uint32_t guest_memory(uint32_t memory)
{
	return memory == V4L2_MEMORY_DMABUF ? (uint32_t)V4L2_MEMORY_USERPTR : memory;
}

/* What the guest may ask for. Old drivers' 0 says nothing, and stays. */
static uint32_t guest_capabilities(const struct media *media, uint32_t caps)
{
	const bool userptr = media->shared_pages &&
			     (caps & V4L2_BUF_CAP_SUPPORTS_USERPTR ||
			      (caps & V4L2_BUF_CAP_SUPPORTS_DMABUF && media->shared_dmabuf));

	caps &= ~(uint32_t)(V4L2_BUF_CAP_SUPPORTS_USERPTR | V4L2_BUF_CAP_SUPPORTS_DMABUF |
			    V4L2_BUF_CAP_SUPPORTS_REQUESTS);
	return userptr ? caps | V4L2_BUF_CAP_SUPPORTS_USERPTR : caps;
}

/* There are @count more buffers at the host, up to index @end. */
static void add(struct session *session, struct media_queue *queue, uint32_t host_memory,
		uint32_t count, uint64_t end)
{
	queue->memory = guest_memory(host_memory);
	queue->host_memory = host_memory;
	queue->end = MAX(queue->end, (uint32_t)MIN(end, (uint64_t)MEDIA_BUFFERS_MAX));
	media_queue_charge(session, queue, count);
}

/* REQBUFS */

static int reqbufs_before(struct session *session, struct media_call *call)
{
	struct v4l2_requestbuffers *arg = &call->payload.arg.reqbufs;
	struct media_queue *queue;
	int r;

	r = media_queue_make(session, arg->type, &queue);
	if (r < 0)
		return r;
	r = ask_for(session, call, queue, &arg->memory);
	if (r < 0)
		return r;
	if (queue)
		queue->held = true;
	/* Without room the host is asked for none: it says whether the old ones can go. */
	if (arg->count > 0) {
		arg->count = room_for(session->media, arg->count, queue ? queue->charged : 0);
		call->no_room = arg->count == 0;
	}
	return 0;
}

/*
 * After REQBUFS has failed: V4L2 frees the old buffers before it makes new ones, and what goes
 * wrong may do so before or behind that. If the host does not say, they are taken to be there.
 */
static bool are_gone(struct session *session, const struct media_queue *queue, int result)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_buffer buffer = {.type = queue->type};

	if (result == -EBUSY)
		return false;
	if (V4L2_TYPE_IS_MULTIPLANAR(queue->type)) {
		buffer.m.planes = planes;
		buffer.length = VIDEO_MAX_PLANES;
	}
	return media_host_ioctl(session, VIDIOC_QUERYBUF, &buffer) == -EINVAL;
}

static int reqbufs_after(struct session *session, struct media_call *call, int result)
{
	struct v4l2_requestbuffers *arg = &call->payload.arg.reqbufs;
	struct media_queue *queue = media_queue_find(session, arg->type);
	const uint32_t host_memory = arg->memory;

	arg->memory = guest_memory(arg->memory);
	if (queue && (result == 0 || are_gone(session, queue, result))) {
		media_queue_stop(session, queue);
		media_queue_forget(session, queue, 0, UINT32_MAX);
		media_queue_refund(session, queue, queue->charged);
		queue->end = 0;
		queue->memory = queue->host_memory = 0;
	}
	if (result != 0)
		return result;
	if (call->no_room)
		return -ENOMEM;
	if (queue && arg->count > 0)
		add(session, queue, host_memory, arg->count, arg->count);
	arg->capabilities = guest_capabilities(session->media, arg->capabilities);
	return 0;
}

const struct media_step session_step_reqbufs = {reqbufs_before, reqbufs_after};

/* CREATE_BUFS */

static int create_before(struct session *session, struct media_call *call)
{
	struct v4l2_create_buffers *arg = &call->payload.arg.create;
	struct media_queue *queue;
	int r;

	r = media_queue_make(session, arg->format.type, &queue);
	if (r < 0)
		return r;
	r = ask_for(session, call, queue, &arg->memory);
	if (r < 0 || arg->count == 0)
		return r;
	arg->count = room_for(session->media, arg->count, 0);
	return arg->count > 0 ? 0 : -ENOMEM;
}

static int create_after(struct session *session, struct media_call *call, int result)
{
	struct v4l2_create_buffers *arg = &call->payload.arg.create;
	struct media_queue *queue = media_queue_find(session, arg->format.type);
	const uint32_t host_memory = arg->memory;

	arg->memory = guest_memory(arg->memory);
	if (result != 0)
		return result;
	/* 0 of them: only asked what would be possible. */
	if (queue && arg->count > 0)
		add(session, queue, host_memory, arg->count, (uint64_t)arg->index + arg->count);
	arg->capabilities = guest_capabilities(session->media, arg->capabilities);
	return 0;
}

const struct media_step session_step_create_bufs = {create_before, create_after};

/* REMOVE_BUFS */

static int remove_after(struct session *session, struct media_call *call, int result)
{
	const struct v4l2_remove_buffers *arg = &call->payload.arg.remove;
	struct media_queue *queue = media_queue_find(session, arg->type);

	if (result != 0 || !queue)
		return result;
	media_queue_forget(session, queue, arg->index, arg->count);
	media_queue_refund(session, queue, arg->count);
	return 0;
}

const struct media_step session_step_remove_bufs = {.after = remove_after};

/* Streaming. */

/* After the LAST buffer a codec goes on when any of its queues starts anew. */
static void go_on(struct session *session)
{
	for (unsigned int i = 0; i < MEDIA_QUEUES; i++)
		if (session->file->queues[i])
			session->file->queues[i]->last = false;
}

static int streamon_before(struct session *session, struct media_call *call)
{
	struct media_queue *queue;

	return media_queue_make(session, call->payload.arg.type, &queue);
}

static int streamon_after(struct session *session, struct media_call *call, int result)
{
	struct media_queue *queue = media_queue_find(session, call->payload.arg.type);

	if (result != 0 || !queue)
		return result;
	/* A second STREAMON does nothing. */
	if (!queue->streaming)
		queue->starting = true;
	queue->streaming = true;
	queue->errors = 0;
	go_on(session);
	dequeue_retry(session);
	return 0;
}

const struct media_step session_step_streamon = {streamon_before, streamon_after};

static int streamoff_before(struct session *session, struct media_call *call)
{
	struct media_queue *queue = media_queue_find(session, call->payload.arg.type);

	/* What is dequeued from now on would only confuse a driver that expects no more. */
	if (queue)
		queue->held = true;
	return 0;
}

static int streamoff_after(struct session *session, struct media_call *call, int result)
{
	struct media_queue *queue = media_queue_find(session, call->payload.arg.type);

	if (result == 0 && queue)
		media_queue_stop(session, queue);
	return result;
}

const struct media_step session_step_streamoff = {streamoff_before, streamoff_after};

/* ENCODER_CMD, DECODER_CMD: both structs begin with the command, and START is the same. */

static int codec_after(struct session *session, struct media_call *call, int result)
{
	uint32_t cmd;

	_Static_assert(V4L2_ENC_CMD_START == V4L2_DEC_CMD_START, "one test for both");
	memcpy(&cmd, call->payload.arg.bytes, sizeof(cmd));
	if (result == 0 && cmd == V4L2_DEC_CMD_START)
		go_on(session);
	return result;
}

const struct media_step session_step_codec_cmd = {.after = codec_after};
