/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rng.c - the virtio entropy device. See rng.h.
 *
 * Implements virtio 1.4, 5.4. Requests are filled by getrandom(2), straight into guest memory, and
 * are complete at once. How much of a request is filled, and how much before others on the thread
 * have their turn, is limited: the driver has to expect less than it asked for (5.4.6.1).
 */
#include "devices/rng.h"

#include <errno.h>
#include <sys/random.h>

#define QUEUE_SIZE	   64
#define REQUEST_BYTES_MAX  ((uint32_t)(64 * KIB))
#define REQUEST_PIECES_MAX 16u
#define TURN_BYTES_MAX	   ((uint32_t)(64 * KIB))

struct rng {
	struct virtio_device dev;
};

/* Return: bytes filled, from the start. */
static uint32_t fill(struct vq_buffer *buffer)
{
	uint32_t filled = 0;

	vq_buffer_truncate(buffer, REQUEST_BYTES_MAX);
	for (unsigned int i = 0; i < MIN(buffer->n, REQUEST_PIECES_MAX); i++) {
		uint8_t *to = buffer->iov[i].iov_base;
		size_t left = buffer->iov[i].iov_len;

		while (left > 0) {
			const ssize_t n = getrandom(to, left, 0);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return filled;
			to += n;
			left -= (size_t)n;
			filled += (uint32_t)n;
		}
	}
	return filled;
}

/* Readable pieces, which 5.4.6.1 forbids to drivers, are left unread; alone they are worth 0. */
static void notify(struct virtio_device *dev, struct vq *vq)
{
	struct vq_request *request;
	uint32_t filled = 0;
	int r = 0;

	while (filled < TURN_BYTES_MAX && (r = vq_pop(vq, &request)) > 0) {
		const uint32_t n = fill(&request->writable);

		vq_push(vq, request, n);
		filled += n;
	}
	if (r < 0)
		virtio_needs_reset(dev, vq_error(vq));
	else if (r > 0)
		virtio_kick(dev, vq_index(vq));
	vq_notify(vq);
}

static const struct virtio_class class = {
	.name = "rng",
	.id = VIRTIO_ID_ENTROPY,
	.notify = notify,
};

int rng_new(struct rng **out, const struct virtio_env *env)
{
	static const uint16_t sizes[] = {QUEUE_SIZE};
	struct rng *rng = calloc(1, sizeof(*rng));
	int r;

	if (!rng)
		return -ENOMEM;
	r = virtio_init(&rng->dev, &class, env, 0, sizes, ARRAY_SIZE(sizes), 0);
	if (r < 0) {
		rng_free(rng);
		return r;
	}
	*out = rng;
	return 0;
}

void rng_free(struct rng *rng)
{
	if (!rng)
		return;
	virtio_deinit(&rng->dev);
	free(rng);
}

struct virtio_device *rng_device(struct rng *rng)
{
	return &rng->dev;
}
