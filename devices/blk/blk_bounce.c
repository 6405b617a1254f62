/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_bounce.c - direct I/O for requests whose pieces are misaligned in guest memory.
 *
 * One buffer of fixed size for a disk: who needs it queues, and large requests go piece by piece.
 * Where on the disk a request begins and ends is aligned, see blk_request.c, so each piece is as
 * well. On the device's thread.
 */
#include <errno.h>

#include "devices/blk/blk_device.h"

static void serve(struct blk *blk);

bool blk_bounce_needed(const struct blk_request *request)
{
	const struct disk *disk = &blk_of(request)->disk;
	const struct vq_buffer *data = request->data;
	uintptr_t address = 0, len = 0;

	for (unsigned int i = 0; i < data->n; i++) {
		address |= (uintptr_t)data->iov[i].iov_base;
		len |= data->iov[i].iov_len;
	}
	return address & (disk->memory_align - 1) || len & (disk->block - 1);
}

static void piece_done(struct loop_io *io, int64_t result);

/* Return: false if the request has been pushed. */
static bool piece_start(struct blk_request *request)
{
	struct blk *blk = blk_of(request);
	struct iovec *iov = &blk->bounce_iov;

	/* After a short write there is something left in the buffer. */
	if (iov->iov_len == 0) {
		iov->iov_base = blk->bounce;
		iov->iov_len =
			MIN((size_t)(request->len - request->done), (size_t)BLK_BOUNCE_BYTES);
		if (request->io.op == LOOP_IO_WRITE)
			vq_buffer_get(request->data, blk->bounce, iov->iov_len);
	}
	request->io.iov = iov;
	request->io.iov_n = 1;
	return blk_submit(request, piece_done);
}

/* @n bytes at the start of the piece are through. */
static void piece_advance(struct blk_request *request, size_t n)
{
	struct iovec *iov = &blk_of(request)->bounce_iov;

	request->done += (uint32_t)n;
	request->io.offset += n;
	if (request->io.op == LOOP_IO_READ) {
		vq_buffer_put(request->data, iov->iov_base, n);
		request->filled = request->done;
		iov->iov_len = 0;
	} else {
		iov->iov_base = (uint8_t *)iov->iov_base + n;
		iov->iov_len -= n;
	}
}

/* Return: false if the request has been pushed. */
static bool piece_end(struct blk_request *request, int64_t result)
{
	if (result > 0) {
		piece_advance(request, (size_t)result);
		if (request->done < request->len && vq_live(request->queue->vq))
			return piece_start(request);
		if (request->done < request->len) /* a reset waits for it */
			blk_finish(request, VIRTIO_BLK_S_IOERR);
		else if (request->io.op == LOOP_IO_READ)
			blk_finish(request, VIRTIO_BLK_S_OK);
		else
			blk_modified(request);
		return false;
	}
	if (blk_retry(request, result))
		return piece_start(request);
	if (result == 0)
		blk_check_size(blk_of(request));
	blk_fail(request, result);
	return false;
}

static void piece_done(struct loop_io *io, int64_t result)
{
	struct blk_request *request = blk_submitted(io);
	struct blk *blk = blk_of(request);

	if (!piece_end(request, result)) {
		blk->bouncing = NULL;
		serve(blk);
	}
	vq_notify(request->queue->vq);
}

static void serve(struct blk *blk)
{
	struct blk_request *request;

	while (!blk->bouncing && blk->bounce_first) {
		request = blk->bounce_first;
		blk->bounce_first = request->next;
		blk->bouncing = request;
		blk->bounce_iov.iov_len = 0;
		if (piece_start(request))
			return;
		blk->bouncing = NULL;
		vq_notify(request->queue->vq);
	}
}

void blk_bounce_start(struct blk_request *request)
{
	struct blk *blk = blk_of(request);

	request->next = NULL;
	if (blk->bounce_first)
		blk->bounce_last->next = request;
	else
		blk->bounce_first = request;
	blk->bounce_last = request;
	serve(blk);
}

void blk_bounce_cancel(struct blk_request *request)
{
	struct blk *blk = blk_of(request);
	struct blk_request *before = NULL, *other;

	for (other = blk->bounce_first; other != request; other = other->next)
		before = other;
	if (before)
		before->next = request->next;
	else
		blk->bounce_first = request->next;
	if (blk->bounce_last == request)
		blk->bounce_last = before;
	blk_finish(request, VIRTIO_BLK_S_IOERR);
}
