/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * call.c - how the host is asked to do something: on the device's thread where that cannot take
 * long, by the worker where it may. See media_device.h.
 *
 * Either way it is work(), then finish(). A call that hangs is given up after WORKER_LIMIT_MS: the
 * driver waits five seconds. One on this thread is interrupted before, and goes on at the worker.
 * What the worker will not take, because too many calls hang, fails; but for files to be closed,
 * which are kept for better times (closing.c).
 */
#include <assert.h>
#include <errno.h>
#include <time.h>

#include "devices/media/media_device.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* That a reset waits for the host: until a call that hangs is abandoned, and files are closed. */
#define WAIT_MS	     (WORKER_ABANDON_MS + 1000)
#define WAIT_STEP_MS 500

int64_t media_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

bool media_too_late(int64_t *since_ns)
{
	const int64_t now = media_now_ns();

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

	return call->work(call);
}

/* Here, for if the session is gone it is this that closes the file. */
static void finished(struct worker_job *job)
{
	struct media_call *call = call_of(job);

	session_file_put(call->file);
	call->file = NULL;
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

static void done(struct worker_job *job, int result)
{
	struct media_call *call = call_of(job);
	struct media *media = call->media;

	if (media->running == call)
		media->running = NULL;
	call->finish(call, result);
	rest_over(media);
	media_closing_go_on(media);
	event_flush(media);
	virtio_kick(&media->dev, VIRTIO_MEDIA_COMMANDQ);
}

/* A call that was given up: the lock that it had is free, and the worker takes more. */
static void came_back(void *owner)
{
	struct media *media = owner;

	rest_over(media);
	media_closing_go_on(media);
	event_flush(media);
	virtio_kick(&media->dev, VIRTIO_MEDIA_COMMANDQ);
}

/* This thread's. */

static struct media_call *to_worker(struct media_call *call)
{
	call->at_worker = true;
	call->job = (struct worker_job) {
		.run = run, .finished = finished, .done = done, .release = release};
	return call;
}

struct media_call *media_call_new(struct media *media, bool at_worker,
				  void (*finish)(struct media_call *call, int result))
{
	struct media_call *call = &media->here;

	if (at_worker) {
		call = calloc(1, sizeof(*call));
		if (!call)
			return NULL;
		to_worker(call);
	} else {
		assert(!media->here_busy);
		media->here_busy = true;
		call->work = NULL;
		call->file = NULL;
		call->opened = NULL;
		call->memory = NULL;
		call->session = NULL;
		call->request = NULL;
		call->is_command = false;
		call->no_room = false;
		call->slow = false;
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
	payload_clear(&call->payload);
	media_host_put(call->host);
	call->media->here_busy = false;
}

/* The call that is made here, for the worker. Return: NULL if there is no memory. */
static struct media_call *move_to_worker(struct media_call *here)
{
	struct media_call *call = malloc(sizeof(*call));

	assert(!here->memory); /* it would point into the old one */
	if (!call)
		return NULL;
	*call = *here;
	payload_move(&call->payload, &here->payload);
	here->media->here_busy = false;
	return to_worker(call);
}

static void submit(struct media_call *call)
{
	struct media *media = call->media;

	if (call->session) {
		session_file_get(call->file);
		call->session->held = true;
		dequeue_update(call->session);
	}
	if (call->request || call->is_command)
		media->running = call;
	if (worker_submit(media->worker, &call->job) == 0)
		return;
	if (media->running == call)
		media->running = NULL;
	/* Not the reason: it would be taken for the host's answer. */
	call->finish(call, -EIO);
	media_call_free(call);
}

/* Return: -EINTR: it was interrupted, and is not done. */
static int do_here(struct media_call *call)
{
	int64_t since = 0;
	int r;

	media_host_enter(call->media);
	do
		r = call->work(call);
	while (r == -EINTR && !call->media->worker && !media_too_late(&since));
	media_host_leave(call->media);
	return r;
}

void media_call_start(struct media_call *call)
{
	struct media *media = call->media;
	struct media_call *moved = NULL;
	int r = 0;

	if (call->at_worker) {
		submit(call);
		return;
	}
	if (call->slow && media->worker)
		moved = move_to_worker(call);
	if (!moved) {
		r = do_here(call);
		if (r == -EINTR && media->worker)
			moved = move_to_worker(call);
	}
	if (moved) {
		submit(moved);
		return;
	}
	call->finish(call, r == -EINTR ? -ETIMEDOUT : r);
	media_call_free(call);
}

void media_host_enter(struct media *media)
{
	/* Without it a call may hang: no harm else. */
	if (media->worker)
		(void)worker_guard_begin(media->worker);
}

void media_host_leave(struct media *media)
{
	if (media->worker)
		worker_guard_end(media->worker);
}

int media_host_ioctl(struct session *session, unsigned long cmd, void *arg)
{
	struct media_file *file = session->file->file;
	int r;

	media_host_enter(session->media);
	r = file->backend->ops->ioctl(file, cmd, arg);
	media_host_leave(session->media);
	return r;
}

/* Life. */

int media_calls_begin(struct media *media, struct loop *loop)
{
	int r;

	if (!media->host->backend->ops->blocking)
		return 0;
	r = worker_new(&media->worker, loop, "media-host");
	if (r == 0)
		worker_set_came_back(media->worker, came_back, media);
	return r;
}

static bool is_let_go(void *arg)
{
	return !media_host_shares(arg);
}

bool media_calls_wait(struct media *media)
{
	bool r = is_let_go(media->host);

	if (r || !media->worker)
		return r;
	/* Files are closed behind what runs, and nobody waits for its answer any more. */
	worker_hurry(media->worker);
	for (unsigned int ms = 0; ms < WAIT_MS && !r; ms += WAIT_STEP_MS) {
		media_closing_go_on(media);
		r = worker_wait(media->worker, is_let_go, media->host, WAIT_STEP_MS);
	}
	return r;
}

void media_calls_stop(struct media *media)
{
	struct media_call *call = media->running;

	media_closing_stop(media);
	if (!call || !call->request)
		return;
	vq_push(call->request->vq, call->request, 0);
	call->request = NULL;
}

void media_calls_end(struct media *media)
{
	if (media->worker) {
		media_closing_go_on(media);
		worker_free(media->worker);
		media->worker = NULL;
	}
	media_closing_end(media);
}
