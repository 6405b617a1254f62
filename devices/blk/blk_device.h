/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_device.h - what the files of the block device share: the device, its queues, its requests.
 *
 * All of it belongs to the device's thread. Each slot of a queue has its own request, made with the
 * device, so that nothing is allocated while the guest runs.
 */
#ifndef VMM_BLK_DEVICE_H
#define VMM_BLK_DEVICE_H

#include <linux/virtio_blk.h>

#include "base.h"
#include "devices/blk/disk.h"
#include "log.h"
#include "loop.h"
#include "virtio.h"

#define BLK_QUEUE_SIZE 256

/* Pieces of data in a request: a chain of a queue's size holds a header and a status as well. */
#define BLK_DATA_PIECES_MAX (BLK_QUEUE_SIZE - 2)

/* Offered for VIRTIO_BLK_T_DISCARD and _WRITE_ZEROES alike. */
#define BLK_RANGES_MAX	    16
#define BLK_RANGE_BYTES_MAX GIB

#define BLK_BOUNCE_BYTES (256 * KIB)
#define BLK_ZERO_BYTES	 (64 * KIB)
#define BLK_ZERO_PIECES	 16

/* How a range is emptied. Most of it a file system may lack. */
enum blk_method {
	BLK_DISCARD, /* free it */
	BLK_PUNCH,   /* free it, so that it reads as zeroes */
	BLK_ZERO,    /* zeroes that keep their space */
	BLK_WRITE,   /* zeroes the plain way */
	BLK_NOTHING,
};

/* struct blk_range - what is left to do of one segment of a discard or write-zeroes request. */
struct blk_range {
	uint64_t offset, len; /* bytes */
	enum blk_method method;
	struct iovec zeroes; /* in flight */
};

struct blk_request {
	struct loop_io io;
	struct blk_queue *queue;
	struct vq_request *vqr; /* NULL: the slot is free */
	uint8_t *status;	/* in guest memory */
	struct vq_buffer *data; /* what is to be transferred */
	uint32_t len;		/* bytes to transfer */
	uint32_t done;		/* of them */
	uint32_t room;		/* bytes of the writable half before the status */
	uint32_t filled;	/* of them, from the start */
	bool submitted;		/* in flight with the loop */
	uint8_t range, ranges_n;
	uint8_t retries;	    /* of calls that were interrupted */
	unsigned int sync_failures; /* of the device, when a sync was first submitted */
	struct blk_request *next;   /* that waits for the bounce buffer */
};

struct blk_queue {
	struct blk *blk;
	struct vq *vq;
	struct blk_request *requests;		    /* by slot */
	struct blk_range (*ranges)[BLK_RANGES_MAX]; /* by slot */
};

struct blk {
	struct virtio_device dev;
	struct disk disk;
	char *path;
	char id[VIRTIO_BLK_ID_BYTES]; /* padded with NUL */
	bool discard;
	bool write_through;	    /* the driver does not know of VIRTIO_BLK_F_FLUSH */
	uint64_t sectors;	    /* capacity, as the driver is told */
	unsigned int sync_failures; /* so far; may wrap */
	unsigned int lacking;	    /* bit mask by enum blk_method: the file system cannot */
	struct blk_queue *queues;
	unsigned int queues_n;
	struct loop_timer resize;
	struct log_limit io_failures, misaligned;

	/* Direct I/O of what is misaligned in memory, one request at a time. */
	uint8_t *bounce;
	struct iovec bounce_iov; /* what is left of the piece in flight */
	struct blk_request *bouncing;
	struct blk_request *bounce_first, *bounce_last; /* that wait for it */

	void *zeroes; /* BLK_ZERO_BYTES, never written to */
	struct iovec zero_iov[BLK_ZERO_PIECES];
};

static inline struct blk *blk_of(const struct blk_request *request)
{
	return request->queue->blk;
}

/*
 * blk_check_size - look whether the image has another size now, and tell the driver if so.
 */
void blk_check_size(struct blk *blk);

/* blk_in_range - do [@sector, @sector + @sectors) exist? */
static inline bool blk_in_range(const struct blk *blk, uint64_t sector, uint64_t sectors)
{
	return sector <= blk->sectors && sectors <= blk->sectors - sector;
}

/* --- blk_config.c --- */

/* blk_features - bits to offer. blk_fill_config - the configuration space. */
uint64_t blk_features(const struct blk *blk);
void blk_fill_config(struct blk *blk);

/* Bytes of configuration space: up to the first field of a feature that is never offered. */
#define BLK_CONFIG_BYTES offsetof(struct virtio_blk_config, max_secure_erase_sectors)

/* --- blk_request.c --- */

/*
 * blk_request_start - carry out what was popped from @queue; it may be pushed at once.
 * Return: false if the device needs a reset now.
 */
bool blk_request_start(struct blk_queue *queue, struct vq_request *vqr);

/* blk_request_cancel - the queue was stopped: push @request as soon as the host lets go of it. */
void blk_request_cancel(struct blk_request *request);

/*
 * blk_submit - hand @request->io over. @fn: called with the result, after which the request is no
 * longer in flight; it ends with vq_notify() of the queue if it may have pushed.
 * Return: false if that failed: the request has then been pushed with VIRTIO_BLK_S_IOERR.
 */
bool blk_submit(struct blk_request *request, void (*fn)(struct loop_io *io, int64_t result));

/* blk_submitted - first thing in the callback. Return: the request that @io belongs to. */
struct blk_request *blk_submitted(struct loop_io *io);

/*
 * blk_retry - @result is one of a call that was interrupted, and may be submitted again; not
 * without an end.
 */
bool blk_retry(struct blk_request *request, int64_t result);

/* blk_fail - push @request with VIRTIO_BLK_S_IOERR; log @result, -errno or 0 for an early end. */
void blk_fail(struct blk_request *request, int64_t result);

/* blk_finish - push @request with @status. */
void blk_finish(struct blk_request *request, uint8_t status);

/* blk_modified - @request has changed the disk: push it, once that is stable if it must be. */
void blk_modified(struct blk_request *request);

/* --- blk_range.c --- */

/* blk_discard, blk_write_zeroes - carry out a request whose readable half is segments. */
void blk_discard(struct blk_request *request);
void blk_write_zeroes(struct blk_request *request);

/* --- blk_bounce.c --- */

/* blk_bounce_needed - the pieces of @request->data do not suit direct I/O. */
bool blk_bounce_needed(const struct blk_request *request);

/* blk_bounce_start - transfer by way of the bounce buffer, when it is its turn. */
void blk_bounce_start(struct blk_request *request);

/* blk_bounce_cancel - @request, which is not in flight, waits no more. */
void blk_bounce_cancel(struct blk_request *request);

#endif
