/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq.h - a virtqueue as a device sees it: requests come out, used ones go back in.
 *
 * Implements virtio 1.4, 2.6 (virtqueues), 2.7 (split) and 2.8 (packed); which of the two it is, a
 * device never knows. A queue belongs to its device's thread. Everything that a hostile ring could
 * hold is checked here, once; a device gets host pointers into guest RAM and lengths that are true.
 * What lies behind the pointers is the guest's, who may change it at any time.
 */
#ifndef VMM_VQ_H
#define VMM_VQ_H

#include <sys/uio.h>

#include "base.h"
#include "gmem.h"

#define VQ_SIZE_MAX 1024 /* also IOV_MAX: any request can be one readv(2) */

struct vq;

/* struct vq_buffer - one half of a request, as pieces of guest memory. Functions shorten it. */
struct vq_buffer {
	struct iovec *iov; /* the request's own copy; pieces are not empty */
	unsigned int n;
	uint32_t len; /* bytes in all pieces */
};

/*
 * struct vq_request - one buffer that the driver made available. Owned by its queue, valid from
 * vq_pop() to vq_push(); no pointer in it is used after that.
 */
struct vq_request {
	struct vq *vq;
	struct vq_buffer readable; /* what the driver wrote; comes first (2.7.4.2, 2.8.5) */
	struct vq_buffer writable; /* what the device writes */
	unsigned int slot;	   /* 0 to queue size - 1, unique among the requests in flight */
	uint16_t id;		   /* split: head of the chain; packed: buffer id */
	uint16_t ring_n;	   /* packed: descriptors that it takes in the ring */
	bool busy;
};

/* struct vq_layout - what the driver has chosen for a queue. Addresses are guest physical. */
struct vq_layout {
	bool packed;	 /* VIRTIO_F_RING_PACKED */
	bool indirect;	 /* VIRTIO_F_INDIRECT_DESC */
	bool event_idx;	 /* VIRTIO_F_EVENT_IDX */
	uint16_t size;	 /* entries; a power of two if split */
	uint64_t desc;	 /* descriptor table / descriptor ring */
	uint64_t driver; /* available ring / driver event suppression */
	uint64_t device; /* used ring / device event suppression */
};

struct vq_ops {
	/* The driver is to be told that buffers were used. Device's thread. */
	void (*interrupt)(struct vq *vq, void *owner);
	/* After vq_stop(): the last request in flight has come back. Device's thread. */
	void (*drained)(struct vq *vq, void *owner);
};

/*
 * vq_new - a queue that is not live yet.
 * @index: of the queue in its device. @size_max: entries, 1 to VQ_SIZE_MAX. All pointers are
 * borrowed.
 * Return: 0 and *@out, owned by the caller; -ENOMEM.
 */
int vq_new(struct vq **out, const struct gmem *gmem, unsigned int index, uint16_t size_max,
	   const struct vq_ops *ops, void *owner);

/* vq_free - NULL is fine. No request is in flight, or its device will not push it any more. */
void vq_free(struct vq *vq);

unsigned int vq_index(const struct vq *vq);
uint16_t vq_size_max(const struct vq *vq);

/*
 * vq_start - go live with a ring in its initial state (2.6.1: after reset everything starts over).
 * The queue is stopped and drained.
 * Return: 0; -EINVAL (size 0, beyond the maximum, no power of two for split; misaligned area);
 * -EFAULT (an area outside RAM or wrapping); -ENOMEM. vq_error() says it in words. The queue is
 * then broken: vq_pop() fails.
 */
int vq_start(struct vq *vq, const struct vq_layout *layout);

/*
 * vq_stop - the ring is not touched any more (2.6.1.1.1; 4.2.2.1 for QueueReady 0). Requests in
 * flight still have to be pushed, which then writes nothing; ops->drained is called after the last,
 * at once if there is none. A queue that is not live is left alone and drained at once.
 */
void vq_stop(struct vq *vq);

/* vq_live - between vq_start() and vq_stop(). vq_in_flight - requests popped and not pushed. */
bool vq_live(const struct vq *vq);
unsigned int vq_in_flight(const struct vq *vq);

/*
 * vq_pop - take the next request that the driver made available.
 * Suppresses the driver's notifications while there are requests, asks for one before it says that
 * there is none (2.7.10, 2.8.10). Between two vq_set_budget() it gives out at most the budget, so
 * that a driver that never stops cannot keep the thread.
 * Return: 1 and *@request; 0 if there is none now; -EPROTO if the ring is broken: the device calls
 * virtio_needs_reset().
 */
int vq_pop(struct vq *vq, struct vq_request **request);

/*
 * vq_set_budget - requests that vq_pop() may still give out.
 * vq_starved - true if vq_pop() last returned 0 because the budget was used up.
 */
void vq_set_budget(struct vq *vq, unsigned int n);
bool vq_starved(const struct vq *vq);

/*
 * vq_push - give a request back as used. The driver is not told: see vq_notify().
 * @written: bytes that the device has written, from the start of the writable half without a gap
 * (2.7.8.2); at most what was writable when the request was popped.
 */
void vq_push(struct vq *vq, struct vq_request *request, uint32_t written);

/*
 * vq_notify - after one or more vq_push(): interrupt the driver unless it does not want to know
 * (2.7.7, 2.8.10). Nothing pushed since the last call: nothing happens.
 */
void vq_notify(struct vq *vq);

/* vq_error - what is wrong with a broken ring, for the log: a constant string; NULL if nothing. */
const char *vq_error(const struct vq *vq);

/*
 * vq_buffer_get, vq_buffer_put - copy out of or into the first bytes of a half and take these off
 * it, wherever the driver has put the boundaries (2.7.4.1: the device assumes no framing).
 * Return: bytes copied: @len, or fewer if there are no more.
 */
size_t vq_buffer_get(struct vq_buffer *buffer, void *to, size_t len);
size_t vq_buffer_put(struct vq_buffer *buffer, const void *from, size_t len);

/* vq_buffer_skip - take the first bytes off without a copy. Return: how many, as above. */
size_t vq_buffer_skip(struct vq_buffer *buffer, size_t len);

/* vq_buffer_truncate - take off all but the first @len bytes. A shorter one is left alone. */
void vq_buffer_truncate(struct vq_buffer *buffer, uint32_t len);

/*
 * vq_buffer_chop - take the last byte off.
 * Return: where it is in guest memory; NULL if the half is empty.
 */
uint8_t *vq_buffer_chop(struct vq_buffer *buffer);

#endif
