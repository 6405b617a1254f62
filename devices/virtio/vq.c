/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq.c - a virtqueue: its life, and the requests that it gives out. See vq.h.
 *
 * virtio 1.4, 2.6 to 2.8. What differs between the two kinds of ring is in vq_split.c and
 * vq_packed.c. Device's thread.
 */
#include "vq.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/virtio/vq_ring.h"

_Static_assert(sizeof(struct vring_desc) == VQ_DESC_SIZE, "split");
_Static_assert(sizeof(struct vring_packed_desc) == VQ_DESC_SIZE, "packed");

/* The three areas of a ring, and what can be wrong with where the driver has put them. */
enum { AREA_DESC, AREA_DRIVER, AREA_DEVICE, AREAS };

static const struct {
	const char *misaligned, *outside;
} area_errors[AREAS] = {
	[AREA_DESC] = {"the descriptor area is not aligned to 16 bytes",
		       "the descriptor area is not all in RAM"},
	[AREA_DRIVER] = {"the driver area is not aligned", "the driver area is not all in RAM"},
	[AREA_DEVICE] = {"the device area is not aligned", "the device area is not all in RAM"},
};

int vq_new(struct vq **out, const struct gmem *gmem, unsigned int index, uint16_t size_max,
	   const struct vq_ops *ops, void *owner)
{
	struct vq *vq = calloc(1, sizeof(*vq));

	assert(size_max > 0 && size_max <= VQ_SIZE_MAX);
	if (!vq)
		return -ENOMEM;
	vq->gmem = gmem;
	vq->index = index;
	vq->size_max = size_max;
	vq->ops = ops;
	vq->owner = owner;
	vq->budget = UINT_MAX;
	*out = vq;
	return 0;
}

unsigned int vq_index(const struct vq *vq)
{
	return vq->index;
}

uint16_t vq_size_max(const struct vq *vq)
{
	return vq->size_max;
}

/*
 * A slot for each head or id and one more, and behind them the room for long requests. Memory
 * comes with the first use of a page, hence not as a huge one, and is all zero.
 */
static int map_pool(struct vq *vq)
{
	const size_t n = (size_t)vq->layout.size + 1;
	const size_t slots = n * sizeof(struct vq_slot);
	const size_t size = slots + n * vq->size_max * sizeof(struct iovec);
	uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	(void)madvise(at, size, MADV_NOHUGEPAGE);
	vq->pool_size = size;
	vq->slots = (struct vq_slot *)(void *)at;
	vq->pieces = (struct iovec *)(void *)(at + slots);
	return 0;
}

static void unmap_pool(struct vq *vq)
{
	if (vq->slots)
		munmap(vq->slots, vq->pool_size);
	vq->slots = NULL;
	vq->pieces = NULL;
}

void vq_free(struct vq *vq)
{
	if (!vq)
		return;
	unmap_pool(vq);
	free(vq);
}

static const char *check_size(const struct vq *vq)
{
	const struct vq_layout *layout = &vq->layout;

	if (layout->size == 0)
		return "a queue without entries";
	if (layout->size > vq->size_max)
		return "a queue with more entries than the device allows";
	if (!layout->packed && layout->size & (layout->size - 1))
		return "a split queue whose size is not a power of two";
	return NULL;
}

/*
 * Where the areas are for us (2.7, 2.8.10.1: alignments and sizes). Translated once for the life
 * of the ring: the layout of guest memory never changes (gmem.h).
 */
static int find_areas(struct vq *vq, void *hosts[AREAS])
{
	const struct vq_layout *layout = &vq->layout;
	const uint64_t size = layout->size;
	const bool packed = layout->packed;
	const struct {
		uint64_t gpa, len, align;
	} areas[AREAS] = {
		[AREA_DESC] = {layout->desc, size * VQ_DESC_SIZE, 16},
		[AREA_DRIVER] = {layout->driver, packed ? 4 : 6 + 2 * size, packed ? 4 : 2},
		[AREA_DEVICE] = {layout->device, packed ? 4 : 6 + 8 * size, 4},
	};

	for (size_t i = 0; i < AREAS; i++) {
		if (areas[i].gpa % areas[i].align) {
			vq->error = area_errors[i].misaligned;
			return -EINVAL;
		}
		hosts[i] = gmem_at(vq->gmem, areas[i].gpa, areas[i].len);
		if (!hosts[i]) {
			vq->error = area_errors[i].outside;
			return -EFAULT;
		}
	}
	return 0;
}

int vq_start(struct vq *vq, const struct vq_layout *layout)
{
	const struct gmem_region *regions;
	void *hosts[AREAS];
	int r;

	assert(!vq->live && vq->in_flight == 0);
	vq->layout = *layout;
	vq->starved = vq->asked = false;
	vq->budget = UINT_MAX;
	vq->pushed = 0;
	vq->error = check_size(vq);
	if (vq->error)
		return -EINVAL;
	r = find_areas(vq, hosts);
	if (r < 0)
		return r;
	r = map_pool(vq);
	if (r < 0) {
		vq->error = "the host has no memory for the queue's requests";
		return r;
	}
	gmem_regions(vq->gmem, &regions);
	vq->region = regions[0];
	if (layout->packed)
		vq_packed_start(vq, hosts[AREA_DESC], hosts[AREA_DRIVER], hosts[AREA_DEVICE]);
	else
		vq_split_start(vq, hosts[AREA_DESC], hosts[AREA_DRIVER], hosts[AREA_DEVICE]);
	vq->live = vq->running = true;
	return 0;
}

/* Stopped, and the last request has come back. */
static void drain(struct vq *vq)
{
	unmap_pool(vq);
	vq->ops->drained(vq, vq->owner);
}

void vq_stop(struct vq *vq)
{
	vq->live = vq->running = false;
	vq->error = NULL;
	vq->pushed = 0;
	if (vq->in_flight == 0)
		drain(vq);
}

bool vq_live(const struct vq *vq)
{
	return vq->live;
}

unsigned int vq_in_flight(const struct vq *vq)
{
	return vq->in_flight;
}

void *vq_break(struct vq *vq, const char *error)
{
	vq->error = error;
	vq->running = false;
	return NULL;
}

int vq_pop(struct vq *vq, struct vq_request **request)
{
	struct vq_slot *slot;

	if (!vq->running)
		return vq->error ? -EPROTO : 0;
	vq->starved = vq->budget == 0;
	if (vq->starved)
		return 0;
	slot = vq->layout.packed ? vq_packed_take(vq) : vq_split_take(vq);
	if (!slot)
		return vq->error ? -EPROTO : 0;
	vq->budget--;
	vq->in_flight++;
	slot->request.busy = true;
	*request = &slot->request;
	return 1;
}

void vq_set_budget(struct vq *vq, unsigned int n)
{
	vq->budget = n;
	vq->starved = false;
}

bool vq_starved(const struct vq *vq)
{
	return vq->starved;
}

void vq_push(struct vq *vq, struct vq_request *request, uint32_t written)
{
	assert(request->vq == vq && request->busy);
	assert(written <= container_of(request, struct vq_slot, request)->room);
	request->busy = false;
	vq->in_flight--;
	if (!vq->running) {
		if (!vq->live && vq->in_flight == 0)
			drain(vq);
		return;
	}
	if (vq->layout.packed)
		vq_packed_give(vq, request, written);
	else
		vq_split_give(vq, request, written);
}

void vq_notify(struct vq *vq)
{
	bool wanted;

	if (vq->pushed == 0)
		return;
	wanted = vq->layout.packed ? vq_packed_wants(vq) : vq_split_wants(vq);
	vq->pushed = 0;
	if (wanted)
		vq->ops->interrupt(vq, vq->owner);
}

const char *vq_error(const struct vq *vq)
{
	return vq->error;
}

void *vq_find_ram(struct vq *vq, uint64_t gpa, uint64_t len)
{
	const struct gmem_region *regions;
	const size_t n = gmem_regions(vq->gmem, &regions);

	for (size_t i = 0; i < n; i++) {
		const uint64_t offset = gpa - regions[i].gpa;

		if (offset < regions[i].size && len <= regions[i].size - offset) {
			vq->region = regions[i];
			return regions[i].host + offset;
		}
	}
	return NULL;
}

const char *vq_chain_grow(const struct vq *vq, struct vq_chain *chain)
{
	struct iovec *pieces = vq_long_pieces(vq, chain->slot);

	if (chain->n == vq->size_max)
		return "a chain is longer than the queue";
	memcpy(pieces, chain->pieces, chain->n * sizeof(*pieces));
	chain->pieces = pieces;
	chain->room = vq->size_max;
	return NULL;
}
