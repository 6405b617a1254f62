/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * closing.c - files of sessions that are over, on their way to be closed. See media_device.h.
 *
 * To close a file may take long, so the worker does it. While that takes no jobs, because too many
 * calls hang, files wait here: to close them on the device's thread would hang as well.
 *
 * CLOSE is answered when the host is done with it, or is given up. A driver takes the answer for
 * the end of what it shared: of a file with shared pages it comes only when that is true.
 * Nor does it come late then: drivers wait five seconds, and some take an answer badly that nobody
 * waits for. Such a request goes back with the reset of the queue.
 */
#include <errno.h>

#include "devices/media/media_device.h"

/* A driver waits for five seconds. */
#define ANSWER_NS INT64_C(4500000000)

static int work_close(struct media_call *call)
{
	session_file_put(call->file);
	call->file = NULL;
	return 0;
}

static void finish_close(struct media_call *call, int result);

static struct media_call *new_close(struct media *media, struct session_file *file)
{
	struct media_call *call = media_call_new(media, true, finish_close);

	if (!call)
		return NULL;
	call->work = work_close;
	call->file = file;
	return call;
}

/* The worker has not even begun: too many calls hang. The file stays open until one comes back. */
static void close_later(struct media_call *call)
{
	struct media *media = call->media;
	struct media_call *again = new_close(media, call->file);

	/* Not to be closed on this thread, even if it cannot be kept. */
	call->file = NULL;
	if (!again)
		return;
	if (media->closing_last)
		media->closing_last->next = again;
	else
		media->closing = again;
	media->closing_last = again;
}

static void finish_close(struct media_call *call, int result)
{
	if (call->request)
		media_answer(call->request, NULL, 0);
	if (result < 0 && result != -ETIMEDOUT)
		close_later(call);
}

static struct media_call *take(struct media *media)
{
	struct media_call *call = media->closing;

	media->closing = call->next;
	if (!media->closing)
		media->closing_last = NULL;
	return call;
}

/* Answers. */

/* @file's answer waits until it is closed. */
static void answer_later(struct media *media, struct session_file *file, struct vq_request *request)
{
	session_file_keep(file);
	file->close_request = request;
	file->close_ns = media_now_ns();
	file->next_closing = media->answers;
	media->answers = file;
}

static bool is_late(const struct session_file *file)
{
	return media_now_ns() - file->close_ns > ANSWER_NS;
}

static void answer_closed(struct media *media)
{
	struct session_file **at = &media->answers;

	while (*at) {
		struct session_file *file = *at;

		if (!atomic_load(&file->closed) || is_late(file)) {
			at = &file->next_closing;
			continue;
		}
		*at = file->next_closing;
		media_answer(file->close_request, NULL, 0);
		session_file_forget(file);
	}
}

void media_closing_stop(struct media *media)
{
	while (media->answers) {
		struct session_file *file = media->answers;
		struct vq_request *request = file->close_request;

		media->answers = file->next_closing;
		vq_push(request->vq, request, 0);
		session_file_forget(file);
	}
}

void media_closing_go_on(struct media *media)
{
	while (media->closing && worker_submit(media->worker, &media->closing->job) == 0)
		take(media);
	answer_closed(media);
}

void media_close_file(struct media *media, struct session_file *file, struct vq_request *request)
{
	struct media_call *call = media->worker ? new_close(media, file) : NULL;

	if (call)
		call->is_command = request;
	if (request && file->shares) {
		answer_later(media, file, request);
		request = NULL;
	}
	if (call) {
		call->request = request;
		media_call_start(call);
		return;
	}
	session_file_put(file);
	answer_closed(media);
	if (request)
		media_answer(request, NULL, 0);
}

void media_closing_end(struct media *media)
{
	while (media->answers) {
		struct session_file *file = media->answers;

		media->answers = file->next_closing;
		session_file_forget(file);
	}
	/* To close these would hang as well: they end with the process. */
	while (media->closing) {
		struct media_call *call = take(media);

		call->file = NULL;
		media_call_free(call);
	}
}
