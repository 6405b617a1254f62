/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_device.h - what the files of the media device share: the device, its sessions, their
 * queues, and the calls into the host that carry out commands.
 *
 * All of it belongs to the device's thread, but for what a call takes with it to the worker's: that
 * is counted (session_file.c), since a call that hangs in the host outlives its session, and even
 * the device.
 */
#ifndef VMM_MEDIA_DEVICE_H
#define VMM_MEDIA_DEVICE_H

#include <stdatomic.h>

#include "base.h"
#include "devices/media/backend.h"
#include "devices/media/backlog.h"
#include "devices/media/media.h"
#include "devices/media/offset.h"
#include "devices/media/pages.h"
#include "devices/media/payload.h"
#include "devices/media/window.h"
#include "devices/media/worker.h"
#include "log.h"
#include "virtio.h"
#include "virtio_media.h"

#define MEDIA_QUEUE_SIZE  256 /* entries of either virtqueue */
#define MEDIA_QUEUES	  15  /* V4L2_BUF_TYPE_ are below it */
#define MEDIA_BUCKETS	  64  /* of sessions, by id */
#define SUBSCRIPTIONS_MAX 64  /* that are told apart */

/* struct media_buffer - a buffer of a queue that the guest has used so far. */
struct media_buffer {
	/* As the guest last queued it, its m.offset or m.userptr in it; or as it comes back. */
	struct backlog_entry entry;
	bool queued;			    /* the host has it */
	bool prepared;			    /* the host has its pages, by PREPARE_BUF */
	uint32_t offsets[VIDEO_MAX_PLANES]; /* ours; 0: none yet */
	struct pages *pages[VIDEO_MAX_PLANES];
	uint32_t pages_len[VIDEO_MAX_PLANES]; /* bytes */
};

/* struct media_queue - what a file has of one V4L2_BUF_TYPE_. */
struct media_queue {
	uint32_t type;
	uint32_t memory;      /* V4L2_MEMORY_ as the guest knows it; 0: not yet */
	uint32_t host_memory; /* as the host does: SHARED_PAGES may be DMABUFs there */
	bool streaming;
	bool last;	     /* the LAST buffer is out: no more until something starts anew */
	bool starting;	     /* nothing has come back since STREAMON: QBUF may start hardware */
	bool held;	     /* a command is under way that dequeuing has to wait for */
	unsigned int errors; /* of dequeuing, in a row */
	unsigned int queued; /* buffers that the host has */
	uint32_t end;	     /* indices of this session's buffers are below it */
	uint32_t charged;    /* buffers that count for media.buffers_max */
	struct media_buffer **buffers; /* by index; NULL: not used so far */
	uint32_t buffers_n;	       /* entries of it */
};

/* struct media_host - the backend, as long as somebody may call it. Any thread. */
struct media_host {
	atomic_uint refs;
	struct media_backend *backend;
	unsigned int files_max; /* open at a time, those included that nobody has any more */
	atomic_uint files_n;
	atomic_uint sharing_n; /* of them: files by which the host may have guest memory */
};

/*
 * struct session_file - a session's file and the memory that the host may use because of it. The
 * session has it, and each call at the worker; who lets go of it last closes it.
 */
struct session_file {
	atomic_uint refs;
	atomic_uint kept;   /* its memory: by all who have .refs, and by closing.c */
	atomic_bool closed; /* the host has let go of guest memory */
	struct media_host *host;
	struct media_file *file;
	bool shares; /* the host may have guest memory until it is closed. Device's thread, then
		      * that of who closes it */
	struct media_queue *queues[MEDIA_QUEUES]; /* the session's, on the device's thread */
	struct vq_request *close_request;	  /* CLOSE, to be answered when it is closed */
	int64_t close_ns;			  /* when it came */
	struct session_file *next_closing;	  /* in media.answers */
};

struct subscription {
	uint32_t type, id;
};

/* struct session - one OPEN. */
struct session {
	struct media *media;
	uint32_t id;
	struct session *next; /* in its bucket */
	struct session_file *file;
	int error;	  /* 0; -EIO: the host does not answer; -ENODEV: the device is gone */
	uint32_t watched; /* POLLIN, POLLOUT, POLLPRI that the backend was asked for */
	bool held;	  /* a command of it is at the worker: events may be its consequence */
	unsigned int fruitless; /* reports in a row with nothing behind them */
	int64_t rests_ns;	/* until when it is not looked at; 0: it is */
	int64_t interrupted_ns; /* since when dequeuing is interrupted again and again; 0 */
	struct subscription subscriptions[SUBSCRIPTIONS_MAX];
	unsigned int subscriptions_n; /* beyond the maximum: more than are told apart */
	struct backlog backlog;
	struct session *next_waiting; /* in media.waiting */
	bool waiting;
};

/*
 * struct media_call - one thing that the host is asked to do, here or by the worker. The members up
 * to .payload are the calling thread's until the call has come back.
 */
struct media_call {
	struct worker_job job;
	/* Return: 0 or -errno; -EINTR: to be repeated; MEDIA_CALL_ETIMEDOUT. */
	int (*work)(struct media_call *call);
	struct media_host *host;
	struct session_file *file; /* NULL: OPEN */
	struct media_file *opened;
	uint32_t *memory; /* V4L2_MEMORY_USERPTR in .payload that may become DMABUF; NULL */
	struct payload payload;
	/* Device's thread. @result: -ETIMEDOUT if the host did not answer in time. */
	void (*finish)(struct media_call *call, int result);
	struct media *media;
	struct session *session;      /* NULL: closed meanwhile, or none */
	struct vq_request *request;   /* NULL: nobody waits for an answer */
	uint64_t m[VIDEO_MAX_PLANES]; /* m.userptr of each plane, as the guest gave it */
	struct media_call *next;
	bool at_worker;
	bool is_command; /* no other is begun until it is over */
	bool no_room;	 /* for the buffers that REQBUFS asks for: the host is asked for none */
	bool slow;	 /* not for this thread, as was found out late */
};

/* A host's own ETIMEDOUT, which says that the hardware failed, not that the call did. */
#define MEDIA_CALL_ETIMEDOUT 1

struct media {
	struct virtio_device dev;
	struct media_host *host;
	struct media_window *window;
	struct worker *worker; /* NULL: no call of the backend's waits */
	struct media_clock *clock;
	unsigned int sessions_max, buffers_max;
	bool shared_pages, shared_dmabuf; /* what guest memory can be given to the host as */

	struct session *sessions[MEDIA_BUCKETS];
	unsigned int sessions_n;
	uint32_t last_id;
	unsigned int buffers_n;
	struct offsets *offsets;

	struct media_call here; /* the one that is made on this thread */
	bool here_busy;
	struct media_call *running; /* of a command, at the worker: no other is begun */
	struct media_call *closing, *closing_last; /* that the worker would not take */
	struct session_file *answers; /* files with shared pages whose CLOSE is not answered */

	bool blocked; /* dequeuing was interrupted: none is tried for now */
	struct loop_timer rest_timer;
	int64_t rest_ends_ns; /* when that timer expires; 0: it does not */

	struct session *waiting, *waiting_last; /* sessions with a backlog, the next one first */
	uint64_t lost_n;			/* events that nobody took */
	struct log_limit short_commands, short_events, lost_events, given_up, odd_buffers, no_watch;
};

static inline struct media *media_from(struct virtio_device *dev)
{
	return container_of(dev, struct media, dev);
}

/* --- session_file.c --- */

/*
 * media_host_new - @files_max: may be open at a time.
 * Return: NULL if there is no memory; @backend is the caller's then.
 */
struct media_host *media_host_new(struct media_backend *backend, unsigned int files_max);
struct media_host *media_host_get(struct media_host *host);
void media_host_put(struct media_host *host); /* NULL is fine */

/* media_host_full - are as many files open as may be? Any thread. */
bool media_host_full(const struct media_host *host);

/* media_host_shares - may the host write to guest memory, because of some file? Any thread. */
bool media_host_shares(const struct media_host *host);

/* session_file_new - of @file, which is open. Return: NULL if there is no memory. */
struct session_file *session_file_new(struct media_host *host, struct media_file *file);
struct session_file *session_file_get(struct session_file *file);
/* session_file_share - from now on the host may have guest memory. Device's thread. */
void session_file_share(struct session_file *file);
/* session_file_put - closes it if nobody else has it, which may take long. NULL is fine. */
void session_file_put(struct session_file *file);

/* session_file_keep - its memory, until session_file_forget(): to see whether it is closed. */
void session_file_keep(struct session_file *file);
void session_file_forget(struct session_file *file);

/* --- call.c --- */

/* media_calls_worker - must @cmd, a VIDIOC_ code or 0 for open and close, go to the worker? */
bool media_calls_worker(const struct media *media, unsigned long cmd);

/*
 * media_call_new - zero-initialised but for .media, .host and .finish. Carried out by
 * media_call_start() or given up by media_call_free(). Of those that are not for the worker there
 * is one at a time, and nothing is allocated for it.
 * Return: NULL if there is no memory.
 */
struct media_call *media_call_new(struct media *media, bool at_worker,
				  void (*finish)(struct media_call *call, int result));
void media_call_free(struct media_call *call);

/*
 * media_call_start - do @call->work, then @call->finish with its result: from here, or from the
 * loop. A call with a request is a command: it is the only one under way.
 */
void media_call_start(struct media_call *call);

/* media_host_enter, media_host_leave - around a call into the host on this thread: it cannot hang.
 */
void media_host_enter(struct media *media);
void media_host_leave(struct media *media);

/* media_host_ioctl - an ioctl on this thread. Return: of the backend; -EINTR after a second. */
int media_host_ioctl(struct session *session, unsigned long cmd, void *arg);

/* media_calls_wait - until the host has no guest memory, within limits. Return: has it none? */
bool media_calls_wait(struct media *media);

/* media_calls_begin - all that the device needs for calls. Return: 0; -errno. */
int media_calls_begin(struct media *media, struct loop *loop);

/* media_calls_stop - the command queue was stopped: no answer is due any more. */
void media_calls_stop(struct media *media);

/* media_calls_end - the device goes away: close what is to be closed, free what is left. */
void media_calls_end(struct media *media);

/* media_now_ns - on CLOCK_MONOTONIC. */
int64_t media_now_ns(void);

/*
 * media_too_late - has a call been interrupted for WORKER_LIMIT_MS? @since_ns: 0 the first time;
 * kept by the caller until the call succeeds.
 */
bool media_too_late(int64_t *since_ns);

/* --- closing.c --- */

/*
 * media_close_file - let go of a session's file. @request: to be answered then, or NULL. It is
 * answered even if the host hangs, but not if the host may then write to guest memory: the answer
 * would say that it does not.
 */
void media_close_file(struct media *media, struct session_file *file, struct vq_request *request);

/* media_closing_go_on - a call has come back: close what had to wait, answer what is closed. */
void media_closing_go_on(struct media *media);

/* media_closing_stop - the command queue was stopped: no answer is due any more. */
void media_closing_stop(struct media *media);

/* media_closing_end - the worker is gone: what still waits is left. */
void media_closing_end(struct media *media);

/* --- command.c --- */

/* media_command - carry out what was popped from the command queue. */
void media_command(struct media *media, struct vq_request *request);

/* media_answer - push @request with @size bytes of @response, and tell the driver. */
void media_answer(struct vq_request *request, const void *response, size_t size);

/* media_answer_status - the same with a header alone. @result: 0 or -errno. */
void media_answer_status(struct vq_request *request, int result);

/* --- session.c --- */

struct session *session_find(struct media *media, uint32_t id);

/* session_open, session_close - OPEN, CLOSE. */
void session_open(struct media *media, struct vq_request *request);
void session_close(struct session *session, struct vq_request *request);

/* session_map - MMAP. Return: 0 and the answer; -errno. */
int session_map(struct media *media, const struct virtio_media_cmd_mmap *cmd,
		struct virtio_media_resp_mmap *resp);

/*
 * session_fail - no call of its file will succeed any more: -EIO, the host did not answer; -ENODEV.
 * All that the host has of it comes back with V4L2_BUF_FLAG_ERROR.
 */
void session_fail(struct session *session, int error);

/* session_close_all - reset, or end. Waits for the host to let go of shared pages, within limits.
 */
void session_close_all(struct media *media);

/* --- session_ioctl.c --- */

/* session_ioctl - IOCTL. */
void session_ioctl(struct media *media, struct vq_request *request,
		   const struct virtio_media_cmd_ioctl *cmd);

/*
 * struct media_step - what is done for one enum media_handler, on the device's thread.
 * before - Return: 0: ask the host; -errno: that is the answer. May be NULL.
 * after - the host has answered @result, in time. Return: the answer. May be NULL.
 */
struct media_step {
	int (*before)(struct session *session, struct media_call *call);
	int (*after)(struct session *session, struct media_call *call, int result);
};

/* session_buffer.c, session_queue.c, session_event.c */
extern const struct media_step session_step_querybuf, session_step_qbuf, session_step_prepare_buf;
extern const struct media_step session_step_reqbufs, session_step_create_bufs,
	session_step_remove_bufs, session_step_streamon, session_step_streamoff,
	session_step_codec_cmd;
extern const struct media_step session_step_subscribe, session_step_unsubscribe;

/* --- queue.c --- */

/* media_queue_direction - POLLIN or POLLOUT; 0 if buffers of @type are not queued. */
uint32_t media_queue_direction(uint32_t type);

/* media_queue_find - NULL if the session has not used @type. */
struct media_queue *media_queue_find(const struct session *session, uint32_t type);

/* media_queue_make - Return: 0 and *@out, NULL if @type has no queue; -ENOMEM. */
int media_queue_make(struct session *session, uint32_t type, struct media_queue **out);

/* media_queue_buffer - NULL if buffer @index has not been used. */
struct media_buffer *media_queue_buffer(const struct media_queue *queue, uint32_t index);

/* media_queue_add - the same, made if it exists. Return: 0 and *@out, or NULL; -ENOMEM. */
int media_queue_add(struct media_queue *queue, uint32_t index, struct media_buffer **out);

/*
 * media_queue_charge - @n more buffers of @queue, count for the device.
 * media_queue_refund - as many fewer, but not less than none.
 */
void media_queue_charge(struct session *session, struct media_queue *queue, uint32_t n);
void media_queue_refund(struct session *session, struct media_queue *queue, uint32_t n);

/* media_queue_offsets - give the first @planes planes offsets. Return: 0; -ENOMEM. */
int media_queue_offsets(struct session *session, const struct media_queue *queue, uint32_t index,
			unsigned int planes);

/* media_queue_stop - the host has given all buffers back (STREAMOFF): none comes by an event. */
void media_queue_stop(struct session *session, struct media_queue *queue);

/* media_queue_forget - buffers from @index on, @n of them, do not exist any more. */
void media_queue_forget(struct session *session, struct media_queue *queue, uint32_t index,
			uint32_t n);

/* media_queue_fail - what the host has comes back with V4L2_BUF_FLAG_ERROR. */
void media_queue_fail(struct session *session, struct media_queue *queue);

/* media_queue_detach - the session ends; what the host may still use stays. */
void media_queue_detach(struct session *session, struct media_queue *queue);

/* media_queue_free - after detach and close; any thread. NULL is fine. */
void media_queue_free(struct media_queue *queue);

/* --- session_event.c --- */

/* session_take_events - V4L2's events that the host has for it. Return: how many; -errno. */
int session_take_events(struct session *session);

/* --- rest.c --- */

/* rest_begin - leave @session alone for @ms. */
void rest_begin(struct session *session, unsigned int ms);

/* rest_all - all sessions: a call was interrupted. Return: the worker's call may be the reason. */
bool rest_all(struct media *media);

/* rest_over - a call has come back, or was given up: all may be tried again. */
void rest_over(struct media *media);

/* rest_end - the device goes away. */
void rest_end(struct media *media);

/* --- dequeue.c --- */

/* dequeue_update - watch the file for what can be dequeued now, no more and no less. */
void dequeue_update(struct session *session);

/* dequeue_retry - something new: look again at what had failed. */
void dequeue_retry(struct session *session);

/* dequeue_ready - struct media_file's ready(). */
void dequeue_ready(struct media_file *file, uint32_t events);

/* dequeue_probe - a call said that the device is gone: look at what is queued. */
void dequeue_probe(struct session *session);

/* --- event.c --- */

/* event_post - @session's backlog has one more. event_flush sends it. */
void event_post(struct session *session);

/* event_flush - send what the driver has buffers for, one session after the other. */
void event_flush(struct media *media);

/* event_forget - the session ends. */
void event_forget(struct session *session);

/* event_time - a buffer's or event's time stamp, for the guest. */
void event_time_buffer(const struct media *media, struct v4l2_buffer *buffer);
void event_time_event(const struct media *media, struct v4l2_event *event);

#endif
