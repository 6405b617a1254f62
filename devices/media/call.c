/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * call.c - how the host is asked to do something: on the device's thread where that cannot take
 * long, by the worker where it may. See media_device.h.
 *
 * Either way it is work(), then finish(). A call that hangs is given up after WORKER_LIMIT_MS: the
 * driver waits five seconds. What the worker will not take, because too many calls hang, fails;
 * but for files to be closed, which are kept for better times.
 */
#include <assert.h>
#include <errno.h>
#include <time.h>

#include "devices/media/media_device.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

bool media_too_late(int64_t *since_ns)
{
	const int64_t now = now_ns();

	if (*since_ns == 0)
		*since_ns = now;
	return now - *since_ns >= WORKER_LIMIT_MS * NS_PER_MS;
}

bool media_calls_worker(const struct media *media, unsigned long cmd)
{
	if (!media->worker)
		return false;
	/* The lock that a call hangs with may be one that these take as well. */
	if (worker_strays(media->worker) > 0)
		return true;
	switch (cmd) {
	case VIDIOC_QBUF:
	case VIDIOC_DQBUF:
	case VIDIOC_DQEVENT:
	case VIDIOC_QUERYBUF:
		return false;
	default:
		return true;
	}
}

/* The worker's side. */

static struct media_call *call_of(struct worker_job *job)
{
	return container_of(job, struct media_call, job);
}

static int run(struct worker_job *job)
{
	struct media_call *call = call_of(job);
	const int r = call->work(call);

	/* Here, for if the session is gone it is this that closes the file. */
	if (r != -EINTR) {
		session_file_put(call->file);
		call->file = NULL;
	}
	return r;
}

static void release(struct worker_job *job)
{
	struct media_call *call = call_of(job);

	/* Opened when nobody waited any more. */
	if (call->opened)
		call->opened->backend->ops->close(call->opened);
	session_file_put(call->file);
	payload_deinit(&call->payload);
	media_host_put(call->host);
	free(call);
}

static void start_closing(struct media *media);

static void done(struct worker_job *job, int result)
{
	struct media_call *call = call_of(job);
	struct media *media = call->media;

	if (media->running == call)
		media->running = NULL;
	call->finish(call, result);
	start_closing(media);
	event_flush(media);
	virtio_kick(&media->dev, VIRTIO_MEDIA_COMMANDQ);
}

/* This thread's. */

struct media_call *media_call_new(struct media *media, bool at_worker,
				  void (*finish)(struct media_call *call, int result))
{
	struct media_call *call = &media->here;

	if (at_worker) {
		call = calloc(1, sizeof(*call));
		if (!call)
			return NULL;
		call->at_worker = true;
		call->job.run = run;
		call->job.done = done;
		call->job.release = release;
	} else {
		assert(!media->here_busy);
		media->here_busy = true;
		call->work = NULL;
		call->file = NULL;
		call->opened = NULL;
		call->memory = NULL;
		call->session = NULL;
		call->request = NULL;
	}
	call->media = media;
	call->host = media_host_get(media->host);
	call->finish = finish;
	return call;
}

void media_call_free(struct media_call *call)
{
	if (call->at_worker) {
		release(&call->job);
		return;
	}
	payload_deinit(&call->payload);
	media_host_put(call->host);
	call->media->here_busy = false;
}

static int do_here(struct media_call *call)
{
	int64_t since = now_ns();
	int r;

	do
		r = call->work(call);
	while (r == -EINTR && !media_too_late(&since));
	return r == -EINTR ? -ETIMEDOUT : r;
}

void media_call_start(struct media_call *call)
{
	struct media *media = call->media;
	int r;

	if (!call->at_worker) {
		call->finish(call, do_here(call));
		media_call_free(call);
		return;
	}
	if (call->request)
		media->running = call;
	r = worker_submit(media->worker, &call->job);
	if (r == 0)
		return;
	media->running = NULL;
	call->finish(call, r);
	media_call_free(call);
}

int media_host_ioctl(struct session *session, unsigned long cmd, void *arg)
{
	struct media_file *file = session->file->file;
	int64_t since = now_ns();
	int r;

	do
		r = file->backend->ops->ioctl(file, cmd, arg);
	while (r == -EINTR && !media_too_late(&since));
	if (r == -ETIMEDOUT)
		return MEDIA_CALL_ETIMEDOUT;
	return r == -EINTR ? -ETIMEDOUT : r;
}

/* Closing. */

static int work_close(struct media_call *call)
{
	session_file_put(call->file);
	call->file = NULL;
	if (call->tell)
		sem_post(&call->host->closed);
	return 0;
}

static void finish_close(struct media_call *call, int result);

static struct media_call *new_close(struct media *media, struct session_file *file, bool tell)
{
	struct media_call *call = media_call_new(media, true, finish_close);

	if (!call)
		return NULL;
	call->work = work_close;
	call->file = file;
	call->tell = tell;
	return call;
}

/* The worker has not even begun: too many calls hang. The file stays open until one comes back. */
static void close_later(struct media_call *call)
{
	struct media *media = call->media;
	struct media_call *again = new_close(media, call->file, call->tell);

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

static struct media_call *take_closing(struct media *media)
{
	struct media_call *call = media->closing;

	media->closing = call->next;
	if (!media->closing)
		media->closing_last = NULL;
	return call;
}

static void start_closing(struct media *media)
{
	while (media->closing && worker_submit(media->worker, &media->closing->job) == 0)
		take_closing(media);
}

void media_close_file(struct media *media, struct session_file *file, struct vq_request *request,
		      bool tell)
{
	struct media_call *call = media->worker ? new_close(media, file, tell) : NULL;

	if (call) {
		call->request = request;
		media_call_start(call);
		return;
	}
	session_file_put(file);
	if (request)
		media_answer(request, NULL, 0);
	if (tell)
		sem_post(&media->host->closed);
}

/* Ends. */

void media_calls_stop(struct media *media)
{
	struct media_call *call = media->running;

	if (!call || !call->request)
		return;
	vq_push(call->request->vq, call->request, 0);
	call->request = NULL;
}

void media_calls_end(struct media *media)
{
	if (!media->worker)
		return;
	start_closing(media);
	worker_free(media->worker);
	media->worker = NULL;
	/* To close these would hang as well: they end with the process. */
	while (media->closing) {
		struct media_call *call = take_closing(media);

		call->file = NULL;
		media_call_free(call);
	}
}
