/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * virtio_media.h - what the files of the driver share: device, session, queue, buffer, command.
 *
 * One struct vmedia_device is one virtio device and one video node; one struct vmedia_session is
 * one open file. Nearly every ioctl is a command that the device's V4L2 answers, so the driver
 * keeps only what it needs to answer DQBUF, DQEVENT, poll() and mmap() by itself.
 *
 * Locks, in the order in which they are taken: vmedia_queue.mutex (commands that concern a queue,
 * as V4L2 orders them), vmedia_device.lock (the event queue, all that events change; interrupts),
 * vmedia_device.command_lock (the command queue; interrupts). vmedia_parking.mutex and
 * vmedia_session.mapping_mutex come last of those that may sleep; window_lock is taken under
 * mmap_lock; files_mutex comes before window_lock.
 */
#ifndef VIRTIO_MEDIA_H
#define VIRTIO_MEDIA_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>

#include "compat.h"
#include "protocol.h"

/* Types of buffers, 0 included, which is none. */
#define VMEDIA_QUEUES (V4L2_BUF_TYPE_META_OUTPUT + 1)

/* Buffers of a queue: what V4L2 has at most (MAX_BUFFER_INDEX of videobuf2). */
#define VMEDIA_BUFFERS_MAX 1024

/* ERROR events that may come while their sessions are being opened. More of them are lost. */
#define VMEDIA_FAILED_MAX 8

/* Freeing what needs a process, when an interrupt says that it is time. The module's. */
extern struct workqueue_struct *vmedia_workqueue;

struct vmedia_device {
	struct virtio_device *virtio; /* not after remove(): sessions may last longer */
	struct v4l2_device v4l2;      /* counts references: node, sessions */
	struct video_device video;
	char card[32 + 1];
	char bus_info[32];

	phys_addr_t shm_start;		 /* region 0 */
	u64 shm_len;			 /* 0: there is none, and no mmap() */
	struct rw_semaphore window_lock; /* vmedia_session.gone, and what becomes of it */

	spinlock_t command_lock;
	struct virtqueue *commandq; /* NULL: the device was reset */
	unsigned int ring_size;
	wait_queue_head_t command_room; /* for room in the ring */
	struct list_head posted;	/* commands that wait for it, and nobody for them */

	spinlock_t lock;
	struct virtqueue *eventq;
	struct xarray sessions; /* by id; looked up under lock */
	unsigned int opening;	/* sessions that are not there yet, under lock; and of them... */
	u32 failed[VMEDIA_FAILED_MAX];
	unsigned int failed_n; /* ...the ids that ERROR events have told */

	bool stopped; /* queues are not used any more; changed under both spin locks */
	struct mutex stop_mutex;
	struct work_struct broken_work;

	struct mutex files_mutex;
	struct list_head files; /* of sessions */
};

/*
 * A command. Its memory belongs to whoever has it: the caller until it is in the ring, then the
 * device, then the caller again, or, if the caller has not waited, the workqueue.
 */
struct vmedia_command {
	struct vmedia_device *device;
	struct vmedia_session *session; /* whose id it uses: not after CLOSE. May be NULL. */
	void *out;			/* what the device reads, then room for... */
	size_t out_len;
	void *in; /* ...what the device writes */
	size_t in_len;
	u32 used;     /* bytes that it has written */
	int error;    /* -ENODEV: it came back without an answer */
	void *bounce; /* data that SG lists of the command lead to; kvfree() */

	struct completion done;
	bool sent;	       /* the device has had it */
	bool abandoned;	       /* under command_lock: nobody waits */
	struct list_head link; /* of vmedia_device.posted */
	struct work_struct work;
	/* For who has not waited: what remains to be done, in a process. May be NULL. */
	void (*orphan)(struct vmedia_command *command);
	void *context;
};

enum vmedia_buffer_state {
	VMEDIA_IDLE,	  /* the application's */
	VMEDIA_PREPARING, /* PREPARE_BUF is under way */
	VMEDIA_PREPARED,
	VMEDIA_QUEUEING, /* QBUF is under way; its event may come before its answer */
	VMEDIA_QUEUED,	 /* the device's */
	VMEDIA_DONE,	 /* to be dequeued */
};

/* Memory of an application, pinned. */
struct vmedia_pages {
	struct list_head link; /* of vmedia_parking.pages */
	struct page **pages;
	unsigned long n;
	unsigned int offset; /* of the first byte, in the first page */
	u32 len;	     /* bytes */
	bool write;	     /* the device writes to them */
};

/* Pages of a queue that the device may still have; see parking.c. */
struct vmedia_parking {
	struct mutex mutex;
	struct list_head pages;
	unsigned int n;
	atomic_t lent; /* commands that are on their way with pages */
};

/* A buffer that the application has named in QBUF or PREPARE_BUF. */
struct vmedia_buffer {
	struct list_head link; /* of vmedia_queue.done */
	u32 index;
	enum vmedia_buffer_state state;
	bool returned;		   /* the event came while QUEUEING */
	struct v4l2_buffer buffer; /* of the event */
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	/* As QBUF or PREPARE_BUF had it in the end: */
	u32 memory;
	unsigned int planes_n;
	u64 m[VIDEO_MAX_PLANES]; /* offset or address, as the application knows it */
	u32 lengths[VIDEO_MAX_PLANES];
	struct vmedia_pages *pages[VIDEO_MAX_PLANES];
};

/* Buffers of one type, of one session. Fields are changed under mutex and vmedia_device.lock. */
struct vmedia_queue {
	struct vmedia_session *session;
	u32 type;
	struct mutex mutex;
	struct xarray buffers; /* struct vmedia_buffer by index */
	struct list_head done;
	struct vmedia_parking parking;
	unsigned int queued; /* buffers in states QUEUEING, QUEUED, DONE */
	bool waiting;	     /* somebody is, in DQBUF */
	bool streaming;
	bool last;   /* the LAST buffer was dequeued */
	bool unused; /* no QBUF since REQBUFS or STREAMOFF */
};

struct vmedia_session {
	struct v4l2_fh fh; /* V4L2 wants one in each file, as the first */
	struct vmedia_device *device;
	/* The file, CLOSE, commands with pages: when the last one is over, pages are given back. */
	refcount_t users;
	u32 id;
	struct file *file;
	struct list_head link;	/* of vmedia_device.files */
	wait_queue_head_t wait; /* for buffers, events, the end */
	int error;		/* under lock: 0, or what all calls return from now on */
	bool closed; /* under both spin locks: somebody has taken .close; .id is not ours */
	bool gone;   /* under window_lock: what it has mapped is no more */
	struct vmedia_command *close; /* CLOSE, made in time: it must not fail */
	struct work_struct close_work;
	struct vmedia_queue queues[VMEDIA_QUEUES];

	struct mutex subscribe_mutex;
	struct list_head subscriptions; /* under lock, as are the next three */
	unsigned int subscriptions_n;
	struct list_head events; /* in the order in which they came */
	unsigned int events_n;

	struct mutex mapping_mutex;
	struct xarray mappings; /* number of mmap()s by page offset; changed under the mutex */
};

/* What comes behind a struct in a payload, or is behind its pointers. */
enum vmedia_layout {
	VMEDIA_FLAT,
	VMEDIA_BUFFER, /* planes */
	VMEDIA_CONTROLS,
	VMEDIA_EDID, /* blocks */
};

struct vmedia_call;

/* An ioctl. @always_copy: V4L2 has results even when it fails. */
struct vmedia_ioctl {
	unsigned int cmd;
	enum vmedia_layout layout;
	bool always_copy;
	int (*handle)(struct vmedia_call *call);
};

/* One call of an ioctl. */
struct vmedia_call {
	struct vmedia_session *session;
	const struct vmedia_ioctl *info;
	bool nonblocking;
	void *arg;	  /* copy of the struct, 64-bit layout */
	void *array;	  /* copy of what follows it */
	size_t array_len; /* bytes */
	void __user *user_array;
	struct virtio_media_sg_entry *entries; /* SG lists */
	size_t entries_n;
	void *bounce; /* what they lead to, if it is the kernel's; the command's meanwhile */
	struct vmedia_queue *lender; /* whose pages they lead to, if the application's */
	bool sent;		     /* the device has had it */
	bool written;		     /* the device has written a payload */
};

/* command.c */
struct vmedia_command *vmedia_command_new(struct vmedia_device *device, size_t out_len,
					  size_t in_len);
void vmedia_command_free(struct vmedia_command *command);
int vmedia_command_run(struct vmedia_command *command);
int vmedia_command_run_for(struct vmedia_command *command, unsigned long timeout);
void vmedia_command_post(struct vmedia_command *command);
int vmedia_command_status(const struct vmedia_command *command);
void vmedia_command_interrupt(struct virtqueue *vq);
void vmedia_command_return_all(struct vmedia_device *device);

/* notification.c */
int vmedia_notification_fill(struct vmedia_device *device);
void vmedia_notification_drain(struct vmedia_device *device);
void vmedia_notification_interrupt(struct virtqueue *vq);
void vmedia_notification_free(struct vmedia_device *device);

/* driver.c */
void vmedia_device_get(struct vmedia_device *device);
void vmedia_device_put(struct vmedia_device *device);
void vmedia_device_check(struct vmedia_device *device, struct virtqueue *vq);

/* session.c */
extern const struct v4l2_file_operations vmedia_file_operations;
void vmedia_session_get(struct vmedia_session *session);
void vmedia_session_put(struct vmedia_session *session);
struct vmedia_session *vmedia_session_of(const struct file *file);
void vmedia_session_fail(struct vmedia_session *session, int error);
void vmedia_session_end_all(struct vmedia_device *device);
void vmedia_session_fail_early(struct vmedia_device *device, u32 id);
bool vmedia_session_is_any(struct vmedia_device *device);

/* usercopy.c */
long vmedia_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/*
 * compat32.c. @cmd32: number of a program of 32 bits; the last four: one that vmedia_compat_cmd()
 * has changed. @arg, @planes: 64-bit layout. Return: 0; -EFAULT, -ENOMEM.
 */
#ifdef CONFIG_COMPAT
unsigned int vmedia_compat_cmd(unsigned int cmd32);
int vmedia_compat_get(unsigned int cmd32, void *arg, void __user *user);
int vmedia_compat_put(unsigned int cmd32, const void *arg, void __user *user);
int vmedia_compat_get_planes(struct v4l2_plane *planes, unsigned int n, void __user *user);
int vmedia_compat_put_planes(const struct v4l2_plane *planes, unsigned int n, void __user *user);
#else
static inline unsigned int vmedia_compat_cmd(unsigned int cmd32)
{
	return cmd32;
}

static inline int vmedia_compat_get(unsigned int cmd32, void *arg, void __user *user)
{
	return -ENOTTY;
}

static inline int vmedia_compat_put(unsigned int cmd32, const void *arg, void __user *user)
{
	return -ENOTTY;
}

static inline int vmedia_compat_get_planes(struct v4l2_plane *planes, unsigned int n,
					   void __user *user)
{
	return -ENOTTY;
}

static inline int vmedia_compat_put_planes(const struct v4l2_plane *planes, unsigned int n,
					   void __user *user)
{
	return -ENOTTY;
}
#endif

/* ioctl.c */
const struct vmedia_ioctl *vmedia_ioctl_find(unsigned int cmd);
int vmedia_forward(struct vmedia_call *call);

/* control.c */
int vmedia_control_handle(struct vmedia_call *call);

/* buffer.c */
int vmedia_buffer_qbuf(struct vmedia_call *call);
int vmedia_buffer_prepare(struct vmedia_call *call);
int vmedia_buffer_querybuf(struct vmedia_call *call);

/* dequeue.c */
int vmedia_dequeue(struct vmedia_call *call);
void vmedia_dequeue_deliver(struct vmedia_session *session,
			    const struct virtio_media_event_dqbuf *event);
__poll_t vmedia_dequeue_poll(struct vmedia_session *session, __poll_t requested);

/* queue.c */
void vmedia_queue_init(struct vmedia_queue *queue, struct vmedia_session *session, u32 type);
void vmedia_queue_deinit(struct vmedia_queue *queue);
struct vmedia_queue *vmedia_queue_find(struct vmedia_session *session, u32 type);
bool vmedia_queue_is_output(const struct vmedia_queue *queue);
void vmedia_queue_set_state(struct vmedia_queue *queue, struct vmedia_buffer *buffer,
			    enum vmedia_buffer_state state);
void vmedia_queue_drop(struct vmedia_queue *queue, struct vmedia_buffer *buffer, bool sure);
void vmedia_queue_remove(struct vmedia_queue *queue, u32 index, u32 count, bool sure);
int vmedia_queue_reqbufs(struct vmedia_call *call);
int vmedia_queue_remove_bufs(struct vmedia_call *call);
int vmedia_queue_create_bufs(struct vmedia_call *call);
int vmedia_queue_streamon(struct vmedia_call *call);
int vmedia_queue_streamoff(struct vmedia_call *call);
int vmedia_queue_codec_cmd(struct vmedia_call *call);

/* parking.c */
void vmedia_parking_init(struct vmedia_parking *parking);
int vmedia_parking_room(struct vmedia_parking *parking);
void vmedia_parking_add(struct vmedia_parking *parking, struct vmedia_pages *pages);
void vmedia_parking_clear(struct vmedia_parking *parking);
void vmedia_parking_lend(struct vmedia_queue *queue);
void vmedia_parking_return(struct vmedia_queue *queue);
void vmedia_parking_orphan(struct vmedia_command *command);

/* readwrite.c */
int vmedia_readwrite_parm(struct vmedia_call *call);
int vmedia_readwrite_tuner(struct vmedia_call *call);
u32 vmedia_readwrite_caps(u32 caps);

/* event.c */
int vmedia_event_subscribe(struct vmedia_call *call);
int vmedia_event_unsubscribe(struct vmedia_call *call);
int vmedia_event_dequeue(struct vmedia_call *call);
void vmedia_event_deliver(struct vmedia_session *session, const struct v4l2_event *event);
void vmedia_event_free_all(struct vmedia_session *session);

/* pages.c */
struct vmedia_pages *vmedia_pages_pin(unsigned long start, u32 len, bool write);
void vmedia_pages_unpin(struct vmedia_pages *pages);
bool vmedia_pages_equal(const struct vmedia_pages *a, const struct vmedia_pages *b);
size_t vmedia_pages_entries(const struct vmedia_pages *pages,
			    struct virtio_media_sg_entry *entries);
size_t vmedia_pages_kernel_entries(void *data, size_t len, struct virtio_media_sg_entry *entries);

/* mapping.c */
int vmedia_mapping_window(struct vmedia_device *device);
int vmedia_mapping_mmap(struct file *file, struct vm_area_struct *vma);
void vmedia_mapping_flag(struct vmedia_session *session, struct v4l2_buffer *arg,
			 const struct v4l2_plane *planes, unsigned int n);

#endif
