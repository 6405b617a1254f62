/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session_ioctl.c - IOCTL commands: the payload in, a step of ours before, the host, a step after,
 * the payload out. See media_device.h.
 *
 * Implements virtio 1.4, media device, "V4L2 ioctls". Which ioctl needs which steps is said by the
 * table of ioctl.c; most need none.
 */
#include <assert.h>
#include <errno.h>

#include "devices/media/media_device.h"

static const struct media_step *const steps[MEDIA_HANDLERS] = {
	[MEDIA_HANDLE_REQBUFS] = &session_step_reqbufs,
	[MEDIA_HANDLE_CREATE_BUFS] = &session_step_create_bufs,
	[MEDIA_HANDLE_REMOVE_BUFS] = &session_step_remove_bufs,
	[MEDIA_HANDLE_QUERYBUF] = &session_step_querybuf,
	[MEDIA_HANDLE_QBUF] = &session_step_qbuf,
	[MEDIA_HANDLE_PREPARE_BUF] = &session_step_prepare_buf,
	[MEDIA_HANDLE_STREAMON] = &session_step_streamon,
	[MEDIA_HANDLE_STREAMOFF] = &session_step_streamoff,
	[MEDIA_HANDLE_CODEC_CMD] = &session_step_codec_cmd,
	[MEDIA_HANDLE_SUBSCRIBE] = &session_step_subscribe,
	[MEDIA_HANDLE_UNSUBSCRIBE] = &session_step_unsubscribe,
};

static const struct media_step *step_of(const struct media_call *call)
{
	static const struct media_step none;
	const struct media_step *step = steps[call->payload.entry->handler];

	return step ? step : &none;
}

/* On the worker's thread, perhaps, and perhaps when everybody else is gone. */
static int work_ioctl(struct media_call *call)
{
	struct media_file *file = call->file->file;
	const unsigned long cmd = call->payload.entry->cmd;
	int r;

	r = payload_ask(&call->payload, file);
	if (r == 0)
		r = file->backend->ops->ioctl(file, cmd, call->payload.arg.bytes);
	if (r == -EINVAL && call->memory) {
		*call->memory = V4L2_MEMORY_DMABUF;
		call->memory = NULL;
		r = file->backend->ops->ioctl(file, cmd, call->payload.arg.bytes);
	}
	return r == -ETIMEDOUT ? MEDIA_CALL_ETIMEDOUT : r;
}

static void answer(struct media_call *call, int result)
{
	const struct virtio_media_resp_header hdr = {.status = (uint32_t)-result};
	struct vq_request *request = call->request;
	struct vq *vq = request->vq;
	size_t written;

	written = vq_buffer_put(&request->writable, &hdr, sizeof(hdr));
	if (result == 0 || call->payload.entry->always_payload)
		written += payload_write(&call->payload, &request->writable, call->media->dev.gmem);
	vq_push(vq, request, (uint32_t)written);
	vq_notify(vq);
}

static void let_go(struct session *session)
{
	session->held = false;
	for (unsigned int i = 0; i < MEDIA_QUEUES; i++)
		if (session->file->queues[i])
			session->file->queues[i]->held = false;
}

/* The payload is not this thread's any more, perhaps for good. */
static void give_up(struct session *session, struct media_call *call)
{
	if (call->request)
		media_answer_status(call->request, -EIO);
	session_fail(session, -EIO);
}

static void finish_ioctl(struct media_call *call, int result)
{
	struct session *session = call->session;
	const bool gone = result == -ENODEV;

	if (!session) {
		/* Closed by a reset, which has taken the request back. */
		assert(!call->request);
		return;
	}
	let_go(session);
	if (result == -ETIMEDOUT) {
		give_up(session, call);
		return;
	}
	if (step_of(call)->after)
		result = step_of(call)->after(session, call, result);
	if (call->request)
		answer(call, result == MEDIA_CALL_ETIMEDOUT ? -ETIMEDOUT : result);
	if (gone)
		dequeue_probe(session);
	dequeue_update(session);
}

/* What is to be said without asking the host. Return: 0; -errno. */
static int prepare(struct media_call *call, struct vq_request *request,
		   const struct media_ioctl *entry)
{
	const struct gmem *gmem = call->media->dev.gmem;
	int r;

	r = payload_read(&call->payload, entry, &request->readable, gmem);
	if (r < 0)
		return r;
	if (request->writable.len <
	    sizeof(struct virtio_media_resp_header) + payload_bytes(&call->payload))
		return -EINVAL;
	return 0;
}

static void start(struct session *session, struct vq_request *request,
		  const struct media_ioctl *entry)
{
	struct media *media = session->media;
	struct media_call *call;
	int r;

	call = media_call_new(media, media_calls_worker(media, entry->cmd), finish_ioctl);
	if (!call) {
		media_answer_status(request, -ENOMEM);
		return;
	}
	r = prepare(call, request, entry);
	if (r < 0) {
		media_answer_status(request, r);
		media_call_free(call);
		return;
	}
	call->request = request;
	call->session = session;
	if (step_of(call)->before)
		r = step_of(call)->before(session, call);
	if (r < 0) {
		let_go(session);
		answer(call, r);
		media_call_free(call);
		return;
	}
	call->work = work_ioctl;
	call->file = session->file;
	media_call_start(call);
}

void session_ioctl(struct media *media, struct vq_request *request,
		   const struct virtio_media_cmd_ioctl *cmd)
{
	const struct media_ioctl *entry = media_ioctl_find(cmd->code);
	struct session *session = session_find(media, cmd->session_id);

	/* A command with an option that is not valid, like any other. */
	if (!session)
		media_answer_status(request, -EINVAL);
	else if (entry->kind != MEDIA_IOCTL_PASSED && entry->kind != MEDIA_IOCTL_HANDLED)
		media_answer_status(request, -ENOTTY);
	else if (session->error)
		media_answer_status(request, session->error);
	else
		start(session, request, entry);
}
