/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk.c - a virtio block device: its life, its queues, its size. See blk.h.
 *
 * Implements virtio 1.4, 5.2. What a request does is in blk_request.c. The image may be resized
 * while the guest runs; it is looked at every other second and whenever an operation ends early,
 * since neither a file nor a block device tells.
 */
#include "devices/blk/blk.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/blk/blk_device.h"

#define RESIZE_NS UINT64_C(2000000000)

void blk_check_size(struct blk *blk)
{
	uint64_t size;
	uint64_t capacity;

	if (disk_size(&blk->disk, &size) < 0 || size / DISK_SECTOR == blk->sectors)
		return;
	blk->sectors = size / DISK_SECTOR;
	log_info("disk '%s' has %llu bytes now", blk->path, (unsigned long long)size);
	capacity = htole64(blk->sectors);
	virtio_set_config(&blk->dev, offsetof(struct virtio_blk_config, capacity), &capacity,
			  sizeof(capacity));
}

static void resize_due(struct loop_timer *timer)
{
	blk_check_size(container_of(timer, struct blk, resize));
}

/* The class. */

static struct blk *blk_from(struct virtio_device *dev)
{
	return container_of(dev, struct blk, dev);
}

static void start(struct virtio_device *dev)
{
	struct blk *blk = blk_from(dev);
	int r;

	blk->write_through = !virtio_has_feature(dev, VIRTIO_BLK_F_FLUSH);
	blk_check_size(blk);
	r = loop_timer_set(dev->loop, &blk->resize, RESIZE_NS, RESIZE_NS, resize_due);
	if (r < 0)
		log_warning("disk '%s': a change of its size will be noticed late: %s", blk->path,
			    strerror(-r));
}

static void notify(struct virtio_device *dev, struct vq *vq)
{
	struct blk *blk = blk_from(dev);
	struct blk_queue *queue = &blk->queues[vq_index(vq)];
	struct vq_request *vqr;
	int r;

	while ((r = vq_pop(vq, &vqr)) > 0 && blk_request_start(queue, vqr))
		;
	if (r < 0)
		virtio_needs_reset(dev, vq_error(vq));
	vq_notify(vq);
}

static void stop(struct virtio_device *dev, struct vq *vq)
{
	struct blk_queue *queue = &blk_from(dev)->queues[vq_index(vq)];

	for (unsigned int i = 0; i < BLK_QUEUE_SIZE; i++)
		blk_request_cancel(&queue->requests[i]);
}

static void reset(struct virtio_device *dev)
{
	loop_timer_clear(dev->loop, &blk_from(dev)->resize);
}

static const struct virtio_class blk_class = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.start = start,
	.notify = notify,
	.stop = stop,
	.reset = reset,
};

/* Life. */

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Of a name that is too long, the end says more. What is not printable ASCII becomes '_'. */
static void default_id(struct blk *blk, const char *path)
{
	const char *name = file_name(path);
	const size_t len = strlen(name);
	const char *end = len > BLK_ID_MAX ? name + len - BLK_ID_MAX : name;

	for (size_t i = 0; i < BLK_ID_MAX && end[i]; i++)
		blk->id[i] = end[i] > ' ' && end[i] < 0x7f ? end[i] : '_';
}

static int set_id(struct blk *blk, const struct blk_options *options, struct error *err)
{
	const char *id = options->id;

	if (!id) {
		default_id(blk, options->path);
		return 0;
	}
	for (size_t i = 0; id[i]; i++) {
		if (i == BLK_ID_MAX)
			return error_set(err, EINVAL,
					 "disk '%s': id '%s' is too long: at most %d characters",
					 options->path, id, BLK_ID_MAX);
		if (id[i] < ' ' || id[i] >= 0x7f)
			return error_set(err, EINVAL,
					 "disk '%s': id '%s' may only have printable ASCII",
					 options->path, id);
		blk->id[i] = id[i];
	}
	return 0;
}

/* Requests of slots that are never used cost no memory: they are not written to here. */
static int make_queues(struct blk *blk, unsigned int n)
{
	blk->queues = calloc(n, sizeof(*blk->queues));
	if (!blk->queues)
		return -ENOMEM;
	blk->queues_n = n;
	for (unsigned int i = 0; i < n; i++) {
		struct blk_queue *queue = &blk->queues[i];

		queue->blk = blk;
		queue->requests = calloc(BLK_QUEUE_SIZE, sizeof(*queue->requests));
		queue->ranges = calloc(BLK_QUEUE_SIZE, sizeof(*queue->ranges));
		if (!queue->requests || !queue->ranges)
			return -ENOMEM;
	}
	return 0;
}

/* Pages that a guest does not make us use are not allocated by the host either. */
static int make_buffers(struct blk *blk)
{
	blk->zeroes = mmap(NULL, BLK_ZERO_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (blk->zeroes == MAP_FAILED) {
		blk->zeroes = NULL;
		return -errno;
	}
	for (unsigned int i = 0; i < BLK_ZERO_PIECES; i++)
		blk->zero_iov[i] = (struct iovec) {blk->zeroes, BLK_ZERO_BYTES};
	if (!blk->disk.direct)
		return 0;
	blk->bounce = aligned_alloc(MAX(blk->disk.block, (uint32_t)sysconf(_SC_PAGESIZE)),
				    BLK_BOUNCE_BYTES);
	return blk->bounce ? 0 : -ENOMEM;
}

static int make_device(struct blk *blk, const struct virtio_env *env)
{
	uint16_t sizes[BLK_QUEUES_MAX];
	int r;

	for (unsigned int i = 0; i < blk->queues_n; i++)
		sizes[i] = BLK_QUEUE_SIZE;
	r = virtio_init(&blk->dev, &blk_class, env, blk_features(blk), sizes, blk->queues_n,
			BLK_CONFIG_BYTES);
	if (r < 0)
		return r;
	snprintf(blk->dev.name, sizeof(blk->dev.name), "disk %s", file_name(blk->path));
	for (unsigned int i = 0; i < blk->queues_n; i++)
		blk->queues[i].vq = virtio_vq(&blk->dev, i);
	blk_fill_config(blk);
	return 0;
}

static int fill(struct blk *blk, const struct virtio_env *env, const struct blk_options *options,
		struct error *err)
{
	int r;

	if (options->discard && options->readonly)
		return error_set(err, EINVAL,
				 "disk '%s': discard needs a disk that can be written: leave out "
				 "discard or readonly",
				 options->path);
	r = set_id(blk, options, err);
	if (r < 0)
		return r;
	r = disk_open(&blk->disk, options->path, options->readonly, options->direct, err);
	if (r < 0)
		return r;
	blk->sectors = blk->disk.size / DISK_SECTOR;
	blk->discard = options->discard;
	blk->path = strdup(options->path);
	r = blk->path ? 0 : -ENOMEM;
	r = r ?: make_queues(blk, options->queues);
	r = r ?: make_buffers(blk);
	r = r ?: make_device(blk, env);
	if (r < 0)
		error_set(err, -r, "disk '%s': %s", options->path, strerror(-r));
	return r;
}

int blk_new(struct blk **out, const struct virtio_env *env, const struct blk_options *options,
	    struct error *err)
{
	struct blk *blk;
	int r;

	assert(options->queues >= 1 && options->queues <= BLK_QUEUES_MAX);
	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return error_set(err, ENOMEM, "disk '%s': %s", options->path, strerror(ENOMEM));
	blk->disk.fd = -1;
	r = fill(blk, env, options, err);
	if (r < 0) {
		blk_free(blk);
		return r;
	}
	*out = blk;
	return 0;
}

struct virtio_device *blk_device(struct blk *blk)
{
	return &blk->dev;
}

void blk_free(struct blk *blk)
{
	if (!blk)
		return;
	loop_timer_clear(blk->dev.loop, &blk->resize);
	virtio_deinit(&blk->dev);
	for (unsigned int i = 0; i < blk->queues_n; i++) {
		free(blk->queues[i].requests);
		free(blk->queues[i].ranges);
	}
	free(blk->queues);
	free(blk->bounce);
	if (blk->zeroes)
		munmap(blk->zeroes, BLK_ZERO_BYTES);
	free(blk->path);
	disk_close(&blk->disk);
	free(blk);
}
