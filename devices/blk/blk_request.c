/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_request.c - one request of a virtio block device, from its header to its status byte.
 *
 * Implements virtio 1.4, 5.2.6. Reads and writes go between the image and the guest's own pages.
 * Runs on the device's thread; nothing here waits. See blk_device.h.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/blk/blk_device.h"

#define RETRIES_MAX 100 /* of one request */

void blk_finish(struct blk_request *request, uint8_t status)
{
	struct vq_request *vqr = request->vqr;
	uint32_t written = request->filled;

	*request->status = status;
	/* 2.7.8.2: the length counts bytes without a gap, and the status comes last. */
	if (written == request->room)
		written++;
	request->vqr = NULL;
	vq_push(request->queue->vq, vqr, written);
}

static const char *action(const struct loop_io *io)
{
	switch (io->op) {
	case LOOP_IO_READ:
		return "reading";
	case LOOP_IO_WRITE:
		return "writing";
	case LOOP_IO_SYNC:
		return "flushing";
	case LOOP_IO_ALLOCATE:
		return "clearing a range";
	}
	return "";
}

static void log_failure(struct blk_request *request, int64_t result)
{
	struct blk *blk = blk_of(request);
	const char *advice = "";
	char where[32] = "";

	if (!vq_live(request->queue->vq))
		return; /* it was cancelled */
	if (result == -ENOSPC || result == -EDQUOT)
		advice = ": free some space, the guest sees an I/O error";
	if (request->io.op != LOOP_IO_SYNC)
		snprintf(where, sizeof(where), " at byte %llu",
			 (unsigned long long)request->io.offset);
	log_limited(&blk->io_failures, LOG_LEVEL_WARNING, "disk '%s': %s%s: %s%s", blk->path,
		    action(&request->io), where,
		    result ? strerror((int)-result) : "the image ends there", advice);
}

void blk_fail(struct blk_request *request, int64_t result)
{
	log_failure(request, result);
	blk_finish(request, VIRTIO_BLK_S_IOERR);
}

bool blk_retry(struct blk_request *request, int64_t result)
{
	if ((result != -EINTR && result != -EAGAIN) || request->retries == RETRIES_MAX ||
	    !vq_live(request->queue->vq))
		return false;
	request->retries++;
	return true;
}

bool blk_submit(struct blk_request *request, void (*fn)(struct loop_io *io, int64_t result))
{
	int r;

	request->io.fn = fn;
	r = loop_io_submit(blk_of(request)->dev.loop, &request->io);
	if (r < 0) {
		blk_fail(request, r);
		return false;
	}
	request->submitted = true;
	return true;
}

struct blk_request *blk_submitted(struct loop_io *io)
{
	struct blk_request *request = container_of(io, struct blk_request, io);

	request->submitted = false;
	return request;
}

/* Flushes. */

static void sync_submit(struct blk_request *request);

static void sync_done(struct loop_io *io, int64_t result)
{
	struct blk_request *request = blk_submitted(io);
	struct blk *blk = blk_of(request);

	if (blk_retry(request, result)) {
		sync_submit(request);
	} else if (result < 0) {
		blk->sync_failures++;
		blk_fail(request, result);
	} else if (blk->sync_failures != request->sync_failures) {
		/* The host reports lost data to one of several that ask at the same time. */
		blk_fail(request, -EIO);
	} else {
		blk_finish(request, VIRTIO_BLK_S_OK);
	}
	vq_notify(request->queue->vq);
}

static void sync_submit(struct blk_request *request)
{
	request->io.op = LOOP_IO_SYNC;
	blk_submit(request, sync_done);
}

/* What has been completed by now is in the file, and what is in the file is covered. */
static void sync_start(struct blk_request *request)
{
	request->sync_failures = blk_of(request)->sync_failures;
	sync_submit(request);
}

void blk_modified(struct blk_request *request)
{
	/* 5.2.6.2, stable writes: a driver without FLUSH takes a write that is used for stable. */
	if (blk_of(request)->write_through && vq_live(request->queue->vq))
		sync_start(request);
	else
		blk_finish(request, VIRTIO_BLK_S_OK);
}

/* Reads and writes. */

static void transfer_done(struct loop_io *io, int64_t result);

static void transfer(struct blk_request *request)
{
	request->io.iov = request->data->iov;
	request->io.iov_n = request->data->n;
	blk_submit(request, transfer_done);
}

/* Not all of it was done at once. */
static void transfer_rest(struct blk_request *request, int64_t result)
{
	if (!vq_live(request->queue->vq)) { /* a reset waits for it */
		blk_finish(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (result > 0) {
		vq_buffer_skip(request->data, (size_t)result);
		request->io.offset += (uint64_t)result;
	} else if (!blk_retry(request, result)) {
		if (result == 0)
			blk_check_size(blk_of(request));
		blk_fail(request, result);
		return;
	}
	transfer(request);
}

static void transfer_done(struct loop_io *io, int64_t result)
{
	struct blk_request *request = blk_submitted(io);

	if (result > 0)
		request->done += (uint32_t)result;
	if (io->op == LOOP_IO_READ)
		request->filled = request->done;
	if (request->done < request->len)
		transfer_rest(request, result);
	else if (io->op == LOOP_IO_READ)
		blk_finish(request, VIRTIO_BLK_S_OK);
	else
		blk_modified(request);
	vq_notify(request->queue->vq);
}

static bool is_aligned(struct blk *blk, uint64_t sector, uint32_t len)
{
	const uint64_t mask = blk->disk.block - 1;

	if (!((sector * DISK_SECTOR | len) & mask))
		return true;
	log_limited(&blk->misaligned, LOG_LEVEL_WARNING,
		    "disk '%s': the guest ignores that direct I/O here goes by blocks of %u bytes, "
		    "and sees an I/O error: leave out direct",
		    blk->path, blk->disk.block);
	return false;
}

static void transfer_start(struct blk_request *request, enum loop_io_op op, struct vq_buffer *data,
			   uint64_t sector)
{
	struct blk *blk = blk_of(request);

	if (data->len % DISK_SECTOR || !blk_in_range(blk, sector, data->len / DISK_SECTOR) ||
	    (blk->disk.direct && !is_aligned(blk, sector, data->len))) {
		blk_finish(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (data->len == 0) {
		blk_finish(request, VIRTIO_BLK_S_OK);
		return;
	}
	request->io.op = op;
	request->io.offset = sector * DISK_SECTOR;
	request->data = data;
	request->len = data->len;
	request->done = 0;
	if (blk->disk.direct && blk_bounce_needed(request))
		blk_bounce_start(request);
	else
		transfer(request);
}

/* GET_ID. */

static void get_id(struct blk_request *request)
{
	struct vq_buffer *data = &request->vqr->writable;

	/* 5.2.6.1: the driver MUST ask for this many. */
	if (data->len != VIRTIO_BLK_ID_BYTES) {
		blk_finish(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	vq_buffer_put(data, blk_of(request)->id, VIRTIO_BLK_ID_BYTES);
	request->filled = VIRTIO_BLK_ID_BYTES;
	blk_finish(request, VIRTIO_BLK_S_OK);
}

/* Requests of all types. */

static void change_ranges(struct blk_request *request, unsigned int feature,
			  void (*start)(struct blk_request *request))
{
	struct blk *blk = blk_of(request);

	/* 5.2.6.2: MUST, for a write request of any kind. */
	if (blk->disk.readonly)
		blk_finish(request, VIRTIO_BLK_S_IOERR);
	else if (!virtio_has_feature(&blk->dev, feature))
		blk_finish(request, VIRTIO_BLK_S_UNSUPP);
	else
		start(request);
}

static void dispatch(struct blk_request *request, uint32_t type, uint64_t sector)
{
	struct vq_request *vqr = request->vqr;

	switch (type) {
	case VIRTIO_BLK_T_IN:
		transfer_start(request, LOOP_IO_READ, &vqr->writable, sector);
		break;
	case VIRTIO_BLK_T_OUT:
		if (blk_of(request)->disk.readonly)
			blk_finish(request, VIRTIO_BLK_S_IOERR);
		else
			transfer_start(request, LOOP_IO_WRITE, &vqr->readable, sector);
		break;
	case VIRTIO_BLK_T_FLUSH:
		sync_start(request);
		break;
	case VIRTIO_BLK_T_GET_ID:
		get_id(request);
		break;
	case VIRTIO_BLK_T_DISCARD:
		change_ranges(request, VIRTIO_BLK_F_DISCARD, blk_discard);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		change_ranges(request, VIRTIO_BLK_F_WRITE_ZEROES, blk_write_zeroes);
		break;
	default:
		blk_finish(request, VIRTIO_BLK_S_UNSUPP);
	}
}

/*
 * Without a status byte there is no way to say that a request failed, and a driver could take a
 * write that comes back for done. So the whole device fails.
 */
static void give_up(struct blk_queue *queue, struct vq_request *vqr)
{
	virtio_needs_reset(&queue->blk->dev, "a request has no room for its status");
	vq_push(queue->vq, vqr, 0);
}

bool blk_request_start(struct blk_queue *queue, struct vq_request *vqr)
{
	struct blk_request *request = &queue->requests[vqr->slot];
	uint8_t *status = vq_buffer_chop(&vqr->writable);
	struct virtio_blk_outhdr header;

	if (!status) {
		give_up(queue, vqr);
		return false;
	}
	request->queue = queue;
	request->retries = 0;
	request->io.fd = queue->blk->disk.fd;
	request->vqr = vqr;
	request->status = status;
	request->room = vqr->writable.len;
	request->filled = 0;
	if (vq_buffer_get(&vqr->readable, &header, sizeof(header)) == sizeof(header))
		dispatch(request, le32toh(header.type), le64toh(header.sector));
	else
		blk_finish(request, VIRTIO_BLK_S_IOERR);
	return true;
}

void blk_request_cancel(struct blk_request *request)
{
	if (!request->vqr)
		return;
	if (request->submitted)
		loop_io_cancel(blk_of(request)->dev.loop, &request->io);
	else
		blk_bounce_cancel(request);
}
