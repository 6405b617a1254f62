/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio.h - what every virtio device has, apart from its transport: status, features, queues,
 * configuration space, interrupts, reset.
 *
 * Implements virtio 1.4, 2.1 to 2.6 and 3. A device embeds struct virtio_device and brings a const
 * struct virtio_class; the transport (devices/virtio/mmio.c) calls virtio_set_status() and the
 * like. The class's functions run on the device's thread, that of its loop; vCPU threads hand over
 * what changes the device's state and wait for it.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>

#include "base.h"
#include "error.h"
#include "gmem.h"
#include "irq.h"
#include "log.h"
#include "loop.h"
#include "vq.h"

/* 2.1 */
#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER	  2
#define VIRTIO_STATUS_DRIVER_OK	  4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED	  128

/* 6: numbers of bits */
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX     29
#define VIRTIO_F_VERSION_1     32
#define VIRTIO_F_RING_PACKED   34
#define VIRTIO_F_RING_RESET    40

#define VIRTIO_FEATURE(bit) (UINT64_C(1) << (bit))

/* 5: device types */
#define VIRTIO_ID_BLOCK	  2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_ENTROPY 4
#define VIRTIO_ID_MEDIA	  48

/* 4.2.2, InterruptStatus */
#define VIRTIO_INTERRUPT_USED	1
#define VIRTIO_INTERRUPT_CONFIG 2

#define VIRTIO_QUEUES_MAX 64
#define VIRTIO_CONFIG_MAX 256 /* bytes of configuration space, of any device here */
#define VIRTIO_SHM_MAX	  1

struct virtio_device;

/* struct virtio_class - one kind of device. Functions that a kind does not need are NULL. */
struct virtio_class {
	const char *name; /* "blk", for messages */
	uint32_t id;	  /* VIRTIO_ID_ */
	/* The driver said DRIVER_OK; the queues that are ready have been started. */
	void (*start)(struct virtio_device *dev);
	/* There may be requests in @vq, a live queue: pop them until vq_pop() returns 0. */
	void (*notify)(struct virtio_device *dev, struct vq *vq);
	/*
	 * @vq was just stopped, by a reset of the device or of the queue: push what is in flight,
	 * now or as soon as its work can be cancelled. The reset is complete when all are back.
	 */
	void (*stop)(struct virtio_device *dev, struct vq *vq);
	/* The whole device was reset and all queues are drained: forget the driver's state. */
	void (*reset)(struct virtio_device *dev);
	/* The driver wrote @len bytes at @offset of the configuration space. */
	void (*write_config)(struct virtio_device *dev, unsigned int offset, const void *data,
			     unsigned int len);
};

/* struct virtio_env - what a device lives in, borrowed as long as the device is there. */
struct virtio_env {
	const struct gmem *gmem;
	struct loop *loop; /* of the device's thread */
	bool split_only;   /* do not offer packed rings */
};

/* struct virtio_shm - a shared memory region (2.10). */
struct virtio_shm {
	uint64_t gpa;
	uint64_t len; /* 0: there is no such region */
};

struct virtio_queue {
	struct virtio_device *dev;
	struct vq *vq;
	int notify_fd; /* eventfd, owned: available buffer notifications, by ioeventfd or transport
			*/
	struct loop_watch watch;
	/* Device's thread. */
	struct loop_post again; /* serve it once more, after the others */
	bool posted;
	bool stopping; /* QueueReady 0 or QueueReset: requests are still in flight */
	/* Written under the device's control lock. */
	bool resetting; /* QueueReset: the layout is forgotten when it has stopped */
	struct vq_layout layout;
	bool ready; /* QueueReady */
};

/*
 * struct virtio_call - what a vCPU's thread has asked of the device's. One at a time: a vCPU that
 * is stopped gives up waiting, and the next one waits for the same call first.
 */
struct virtio_call {
	struct loop_post post;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool busy; /* by .lock */
	void (*fn)(struct virtio_device *dev);
	/* operands */
	unsigned int status, queue, offset, len;
	uint8_t data[8];
};

/* A device's state is this struct's; only devices/virtio/ looks inside, but for what is marked. */
struct virtio_device {
	const struct virtio_class *class; /* class: for all */
	const struct gmem *gmem;	  /* class */
	struct loop *loop;		  /* class */
	char name[32];			  /* class: for messages, "disk /x.img" */
	struct irq *irq;		  /* set by virtio_set_irq() */
	uint64_t offered;		  /* class, before the transport is made: feature bits */
	uint64_t accepted;		  /* as far as the driver has written them */
	bool accepted_unknown;		  /* beyond the first 64 bits */
	struct virtio_queue *queues;
	unsigned int queues_n;
	struct virtio_shm shm[VIRTIO_SHM_MAX];

	pthread_mutex_t control; /* one register access at a time, but for the data path's */
	atomic_uint status;
	atomic_uint interrupts; /* InterruptStatus */

	pthread_mutex_t config_lock;
	uint8_t config[VIRTIO_CONFIG_MAX];
	unsigned int config_len;
	uint32_t config_generation;

	struct virtio_call call;
	/* Device's thread. */
	bool live;		  /* between DRIVER_OK and reset */
	bool resetting;		  /* requests are still in flight */
	struct loop_post drained; /* look which queues have stopped */
	bool drained_posted;
	struct log_limit log;
};

/*
 * virtio_init - a device after reset, with @queues_n queues of at most @sizes[i] entries.
 * @features: of this device type; those of rings and transport are added. @config_len: bytes of
 * configuration space, filled with virtio_set_config().
 * Main thread, before the first vCPU. Return: 0, or -errno; virtio_deinit() is due in any case.
 */
int virtio_init(struct virtio_device *dev, const struct virtio_class *class,
		const struct virtio_env *env, uint64_t features, const uint16_t *sizes,
		unsigned int queues_n, unsigned int config_len);

/* virtio_deinit - the loop has ended, no vCPU runs. A zeroed device is left alone. */
void virtio_deinit(struct virtio_device *dev);

/* --- for the class, on the device's thread --- */

/* virtio_has_feature - was @bit negotiated? From start() until reset(). */
bool virtio_has_feature(const struct virtio_device *dev, unsigned int bit);

/* virtio_vq - queue @index. */
struct vq *virtio_vq(const struct virtio_device *dev, unsigned int index);

/*
 * virtio_kick - have class->notify called for @index, soon, as if the driver had notified; nothing
 * happens if the queue is not live then. For work that could go on only now.
 */
void virtio_kick(struct virtio_device *dev, unsigned int index);

/*
 * virtio_needs_reset - a ring or the driver broke the protocol beyond repair: set
 * DEVICE_NEEDS_RESET, tell the driver (2.1.2), stop popping until the reset. Logged once a reset,
 * within a limit; a second call does nothing. @why: for the log.
 */
void virtio_needs_reset(struct virtio_device *dev, const char *why);

/*
 * virtio_set_config - change @len bytes at @offset of the configuration space; if the bytes differ,
 * a new generation, and if DRIVER_OK is set, a configuration change notification (2.3, 2.5). Any
 * thread before the first vCPU, then the device's.
 */
void virtio_set_config(struct virtio_device *dev, unsigned int offset, const void *data,
		       unsigned int len);

/*
 * virtio_notify_config - send a configuration change notification although nothing has changed, for
 * drivers that look at the configuration only then. Nothing happens before DRIVER_OK.
 */
void virtio_notify_config(struct virtio_device *dev);

/* --- for who builds the machine --- */

/* virtio_set_irq - the line for both kinds of notification; borrowed. */
void virtio_set_irq(struct virtio_device *dev, struct irq *irq);

/* virtio_notify_fd - eventfd that stands for a write of @queue to QueueNotify. Borrowed. */
int virtio_notify_fd(const struct virtio_device *dev, unsigned int queue);

/* --- for the transport, on a vCPU's thread --- */

/*
 * virtio_lock, virtio_unlock - hold dev->control, for all that follows but the configuration space.
 * Waits until the device's thread has done what another vCPU, which was stopped, had asked of it.
 * Return: false if this vCPU is being stopped itself: the access has no effect, nothing is held.
 */
bool virtio_lock(struct virtio_device *dev);
void virtio_unlock(struct virtio_device *dev);

/*
 * virtio_set_features - the driver accepts bits @word * 32 to @word * 32 + 31 as in @bits, until
 * FEATURES_OK (3.1.1).
 */
void virtio_set_features(struct virtio_device *dev, uint32_t word, uint32_t bits);

/*
 * virtio_set_status - the driver wrote @status (2.1, 3.1). 0 resets the device; bits that are set
 * stay set; FEATURES_OK stays clear if the accepted features are not a valid subset; DRIVER_OK
 * without FEATURES_OK does not take effect.
 * Waits until the device's thread has done it: for a reset, until no request is in flight. On the
 * device's own thread (tests) it does not wait: the reset then completes while the loop runs, and
 * status is 0 from then on.
 */
void virtio_set_status(struct virtio_device *dev, uint8_t status);

/* virtio_set_ready - QueueReady: start (if DRIVER_OK is set) or stop a queue, and wait as above. */
void virtio_set_ready(struct virtio_device *dev, unsigned int queue, bool ready);

/* virtio_reset_queue - QueueReset (2.6.1): stop it, wait for it, forget its layout. */
void virtio_reset_queue(struct virtio_device *dev, unsigned int queue);

/* virtio_notify_queue - a write to QueueNotify that no ioeventfd took. Without virtio_lock(). */
void virtio_notify_queue(struct virtio_device *dev, uint32_t queue);

/*
 * virtio_read_config - @len bytes at @offset; what lies beyond the end reads as 0.
 * virtio_config_generation - changes with the bytes (2.5). Both without virtio_lock().
 */
void virtio_read_config(struct virtio_device *dev, unsigned int offset, void *to, unsigned int len);
uint32_t virtio_config_generation(struct virtio_device *dev);

/*
 * virtio_write_config - hand over to class->write_config and wait; ignored beyond the end.
 * @len: at most 8.
 */
void virtio_write_config(struct virtio_device *dev, unsigned int offset, const void *from,
			 unsigned int len);

#endif
