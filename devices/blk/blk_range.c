/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_range.c - discard and write-zeroes requests of a virtio block device.
 *
 * Implements virtio 1.4, 5.2.6, with fallocate(2), which never changes the size of the image. What
 * the file system lacks is made up for: a range that cannot be freed is zeroed in place, and one
 * that cannot be zeroed at once is written; only a discard, a mere hint, is then left undone. The
 * segments of a request are carried out one after the other. On the device's thread.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "devices/blk/blk_device.h"

static const struct {
	int mode;		   /* of fallocate() */
	enum blk_method otherwise; /* if the host cannot */
} methods[] = {
	[BLK_DISCARD] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLK_NOTHING},
	[BLK_PUNCH] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLK_ZERO},
	[BLK_ZERO] = {FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, BLK_WRITE},
};

static void next(struct blk_request *request);

static struct blk_range *ranges_of(const struct blk_request *request)
{
	return request->queue->ranges[request - request->queue->requests];
}

static struct blk_range *current(const struct blk_request *request)
{
	return &ranges_of(request)[request->range];
}

static void allocate_done(struct loop_io *io, int64_t result)
{
	struct blk_request *request = blk_submitted(io);
	struct blk *blk = blk_of(request);
	struct blk_range *range = current(request);

	if (result == -EOPNOTSUPP)
		blk->lacking |= 1u << range->method;
	if (result >= 0)
		range->len = 0;
	else if (result == -EOPNOTSUPP || result == -EINVAL) /* a device wants whole blocks */
		range->method = methods[range->method].otherwise;
	if (result >= 0 || result == -EOPNOTSUPP || result == -EINVAL || blk_retry(request, result))
		next(request);
	else
		blk_fail(request, result);
	vq_notify(request->queue->vq);
}

static void allocate(struct blk_request *request, struct blk_range *range)
{
	request->io.op = LOOP_IO_ALLOCATE;
	request->io.mode = methods[range->method].mode;
	request->io.offset = range->offset;
	request->io.len = range->len;
	blk_submit(request, allocate_done);
}

static void write_done(struct loop_io *io, int64_t result)
{
	struct blk_request *request = blk_submitted(io);
	struct blk_range *range = current(request);

	if (result > 0) {
		range->offset += (uint64_t)result;
		range->len -= (uint64_t)result;
	}
	if (result > 0 || blk_retry(request, result))
		next(request);
	else
		blk_fail(request, result);
	vq_notify(request->queue->vq);
}

static void write_zeroes(struct blk_request *request, struct blk_range *range)
{
	struct blk *blk = blk_of(request);

	request->io.op = LOOP_IO_WRITE;
	request->io.offset = range->offset;
	if (range->len >= BLK_ZERO_BYTES) {
		request->io.iov = blk->zero_iov;
		request->io.iov_n =
			(unsigned int)MIN(range->len / BLK_ZERO_BYTES, (uint64_t)BLK_ZERO_PIECES);
	} else {
		range->zeroes = (struct iovec) {blk->zeroes, range->len};
		request->io.iov = &range->zeroes;
		request->io.iov_n = 1;
	}
	blk_submit(request, write_done);
}

/* What is still to be done of the request. */
static void next(struct blk_request *request)
{
	struct blk *blk = blk_of(request);
	struct blk_range *range;

	for (; request->range < request->ranges_n; request->range++) {
		range = current(request);
		while (range->method < BLK_WRITE && blk->lacking & 1u << range->method)
			range->method = methods[range->method].otherwise;
		if (range->len == 0 || range->method == BLK_NOTHING)
			continue;
		if (!vq_live(request->queue->vq))
			blk_finish(request, VIRTIO_BLK_S_IOERR);
		else if (range->method == BLK_WRITE)
			write_zeroes(request, range);
		else
			allocate(request, range);
		return;
	}
	blk_modified(request);
}

static bool is_range_valid(const struct blk *blk, uint64_t sector, uint64_t sectors, bool discard)
{
	const uint64_t mask = blk->disk.block / DISK_SECTOR - 1;

	if (sectors > BLK_RANGE_BYTES_MAX / DISK_SECTOR || !blk_in_range(blk, sector, sectors))
		return false;
	/* Zeroes may have to be written, see blk_request.c; a discard is only not made. */
	return discard || !blk->disk.direct || !((sector | sectors) & mask);
}

/* Copies the segments once. Return: VIRTIO_BLK_S_OK, or with what the request is to fail. */
static uint8_t parse(struct blk_request *request, enum blk_method method)
{
	const struct blk *blk = blk_of(request);
	struct vq_buffer *data = &request->vqr->readable;
	const uint32_t n = data->len / sizeof(struct virtio_blk_discard_write_zeroes);
	struct blk_range *ranges = ranges_of(request);
	uint8_t status = VIRTIO_BLK_S_OK;

	if (n == 0 || n > BLK_RANGES_MAX ||
	    data->len % sizeof(struct virtio_blk_discard_write_zeroes))
		return VIRTIO_BLK_S_IOERR;
	for (uint32_t i = 0; i < n; i++) {
		struct virtio_blk_discard_write_zeroes segment;
		uint64_t sector, sectors;
		uint32_t flags;

		vq_buffer_get(data, &segment, sizeof(segment));
		sector = le64toh(segment.sector);
		sectors = le32toh(segment.num_sectors);
		flags = le32toh(segment.flags);
		/* 5.2.6.2: MUST be this status, whatever else is wrong. */
		if (flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP || (method == BLK_DISCARD && flags))
			return VIRTIO_BLK_S_UNSUPP;
		if (!is_range_valid(blk, sector, sectors, method == BLK_DISCARD))
			status = VIRTIO_BLK_S_IOERR;
		ranges[i] = (struct blk_range) {
			.offset = sector * DISK_SECTOR,
			.len = sectors * DISK_SECTOR,
			.method = flags && blk->discard ? BLK_PUNCH : method,
		};
	}
	request->range = 0;
	request->ranges_n = (uint8_t)n;
	return status;
}

static void start(struct blk_request *request, enum blk_method method)
{
	const uint8_t status = parse(request, method);

	if (status == VIRTIO_BLK_S_OK)
		next(request);
	else
		blk_finish(request, status);
}

void blk_discard(struct blk_request *request)
{
	start(request, BLK_DISCARD);
}

void blk_write_zeroes(struct blk_request *request)
{
	start(request, BLK_ZERO);
}
