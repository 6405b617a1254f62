/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_packed.c - the packed ring: one ring of descriptors, which the driver makes available and the
 * device overwrites with used ones.
 *
 * virtio 1.4, 2.8. Device's thread; the driver runs at the same time on any vCPU, hence the
 * barriers, each of which says what it orders.
 */
#include <string.h>

#include "devices/virtio/vq_ring.h"

#define MARK_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define MARK_USED  (1u << VRING_PACKED_DESC_F_USED)
#define MARKS	   (MARK_AVAIL | MARK_USED)

/* The second half of a descriptor, which is loaded and stored at once: len, id, flags. */
#define TAIL_FLAGS_SHIFT 48
#define TAIL_ID_SHIFT	 32

/* An event suppression structure as one number (2.8.14). */
#define EVENT_WRAP	  (1u << VRING_PACKED_EVENT_F_WRAP_CTR)
#define EVENT_FLAGS_SHIFT 16
#define EVENT_FLAGS	  3u

static uint32_t event_flags(uint32_t event)
{
	return event >> EVENT_FLAGS_SHIFT & EVENT_FLAGS;
}

static uint32_t event_offset(uint32_t event)
{
	return event & (EVENT_WRAP - 1);
}

/* Where the second half of a descriptor is; the ring is aligned to 16. */
static uint64_t *tail_of(struct vring_packed_desc *desc)
{
	return (uint64_t *)(void *)desc + 1;
}

/* Acquire: what the driver wrote before the flags of a list's first descriptor is read after. */
static uint64_t load_tail(struct vq_packed *ring)
{
	return __atomic_load_n(tail_of(&ring->desc[ring->avail_pos]), __ATOMIC_ACQUIRE);
}

static bool is_available(uint64_t tail, uint16_t mark)
{
	return (tail >> TAIL_FLAGS_SHIFT & MARKS) == mark;
}

/* Ask to be notified of the next available buffer (2.8.10). */
static void ask(struct vq *vq)
{
	const struct vq_packed *ring = &vq->packed;
	uint32_t event = VRING_PACKED_EVENT_FLAG_ENABLE << EVENT_FLAGS_SHIFT;

	if (vq->layout.event_idx)
		event = VRING_PACKED_EVENT_FLAG_DESC << EVENT_FLAGS_SHIFT |
			(ring->avail_mark == MARK_AVAIL ? EVENT_WRAP : 0) | ring->avail_pos;
	__atomic_store_n(ring->device_event, event, __ATOMIC_RELAXED);
	vq->asked = true;
	/*
	 * That store before the load of a descriptor's flags that comes next: either the driver
	 * sees that it is to notify, or what it has added until then is seen here (2.8.21.3.1 has
	 * its half of this).
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * Requests are coming out: more need not be announced. With EVENT_IDX as well, for an old wish
 * would be met again in the round after next.
 */
static void unask(struct vq *vq)
{
	vq->asked = false;
	__atomic_store_n(vq->packed.device_event,
			 VRING_PACKED_EVENT_FLAG_DISABLE << EVENT_FLAGS_SHIFT, __ATOMIC_RELAXED);
}

void vq_packed_start(struct vq *vq, void *desc, void *driver, void *device)
{
	/* 2.8.1: both wrap counters start at 1. */
	vq->packed = (struct vq_packed) {
		.desc = desc,
		.driver_event = driver,
		.device_event = device,
		.avail_mark = MARK_AVAIL,
		.used_mark = MARKS,
	};
	ask(vq);
}

/* Nothing is available. Return: whether there is, after having asked for a notification. */
static bool look_again(struct vq *vq, uint64_t *tail)
{
	if (vq->asked)
		return false;
	ask(vq);
	*tail = load_tail(&vq->packed);
	return is_available(*tail, vq->packed.avail_mark);
}

/* Return: NULL and the slot of @id, which is free; or what is wrong. */
static const char *find_slot(const struct vq *vq, uint16_t id, struct vq_slot **slot)
{
	if (id >= vq->layout.size)
		return "a buffer id is not below the queue's size";
	*slot = &vq->slots[id];
	return (*slot)->request.busy ? "a buffer id is available that is in use" : NULL;
}

/* All of a table belongs to the request; only WRITE means anything in it (2.8.7). */
static const char *read_table(struct vq *vq, struct vq_chain *chain, const struct vq_desc *desc)
{
	const uint8_t *table;
	unsigned int n;
	const char *error = vq_indirect_table(vq, desc, &table, &n);

	for (unsigned int i = 0; !error && i < n; i++) {
		const struct vq_desc entry = vq_desc_load(table + i * VQ_DESC_SIZE);

		error = vq_chain_add(vq, chain, entry.addr, entry.len,
				     entry.words[1] & VRING_DESC_F_WRITE);
	}
	return error;
}

/* The pieces of a chain to the slot of its id, which came with the last descriptor. */
static const char *move(const struct vq *vq, struct vq_chain *chain, uint16_t id)
{
	struct iovec *pieces;
	const char *error = find_slot(vq, id, &chain->slot);

	if (error)
		return error;
	pieces = chain->n > VQ_SLOT_PIECES ? vq_long_pieces(vq, chain->slot) : chain->slot->pieces;
	memcpy(pieces, chain->pieces, chain->n * sizeof(*pieces));
	chain->pieces = pieces;
	return NULL;
}

/* The ring behind @pos. The marks change places with every round. */
static void advance(const struct vq *vq, uint16_t *pos, uint16_t *mark, uint16_t n)
{
	*pos += n;
	if (*pos >= vq->layout.size) {
		*pos -= vq->layout.size;
		*mark ^= MARKS;
	}
}

/*
 * The list whose first descriptor has @tail. Return: NULL and *@slot, and vq->packed is behind it;
 * or what is wrong.
 */
static const char *read_list(struct vq *vq, uint64_t tail, struct vq_slot **slot)
{
	struct vq_packed *ring = &vq->packed;
	const bool single = !(tail >> TAIL_FLAGS_SHIFT & VRING_DESC_F_NEXT);
	const char *error = NULL;
	struct vq_chain chain;
	uint16_t n = 0;

	*slot = &vq->slots[vq->layout.size];
	if (single)
		error = find_slot(vq, (uint16_t)(tail >> TAIL_ID_SHIFT), slot);
	if (error)
		return error;
	chain = vq_chain_begin(vq, *slot);
	for (;;) {
		const uint64_t *head = (const uint64_t *)(void *)&ring->desc[ring->avail_pos];
		const struct vq_desc desc =
			vq_desc_split(__atomic_load_n(head, __ATOMIC_RELAXED), tail);
		const uint16_t flags = desc.words[1];

		if (ring->taken + ++n > vq->layout.size)
			return "more descriptors are available than the ring has";
		if (flags & VRING_DESC_F_INDIRECT) {
			/* 2.8.19: not in a list. */
			if (!single)
				return "an indirect descriptor in a list";
			error = read_table(vq, &chain, &desc);
		} else {
			error = vq_chain_add(vq, &chain, desc.addr, desc.len,
					     flags & VRING_DESC_F_WRITE);
		}
		if (error)
			return error;
		advance(vq, &ring->avail_pos, &ring->avail_mark, 1);
		if (!(flags & VRING_DESC_F_NEXT)) {
			if (!single)
				error = move(vq, &chain, desc.words[0]);
			*slot = chain.slot;
			ring->taken += n;
			return error ? error : vq_chain_end(vq, &chain, desc.words[0], n);
		}
		tail = load_tail(ring);
		if (!is_available(tail, ring->avail_mark))
			return "a list has a descriptor that is not available";
	}
}

struct vq_slot *vq_packed_take(struct vq *vq)
{
	uint64_t tail = load_tail(&vq->packed);
	struct vq_slot *slot;
	const char *error;

	if (!is_available(tail, vq->packed.avail_mark) && !look_again(vq, &tail))
		return NULL;
	error = read_list(vq, tail, &slot);
	if (error)
		return vq_break(vq, error);
	if (vq->asked)
		unask(vq);
	return slot;
}

void vq_packed_give(struct vq *vq, const struct vq_request *request, uint32_t written)
{
	struct vq_packed *ring = &vq->packed;
	const uint64_t flags = ring->used_mark | (written ? VRING_DESC_F_WRITE : 0u);
	const uint64_t tail =
		flags << TAIL_FLAGS_SHIFT | (uint64_t)request->id << TAIL_ID_SHIFT | written;

	/* Release: what the device wrote into the buffer before the flags. */
	__atomic_store_n(tail_of(&ring->desc[ring->used_pos]), tail, __ATOMIC_RELEASE);
	vq->pushed += request->ring_n;
	ring->taken -= request->ring_n;
	advance(vq, &ring->used_pos, &ring->used_mark, request->ring_n);
}

bool vq_packed_wants(const struct vq *vq)
{
	const struct vq_packed *ring = &vq->packed;
	const uint32_t size = vq->layout.size;
	uint32_t event, used, wanted, behind;

	/*
	 * The store of the used descriptor before the load of the event suppression: either the
	 * driver, when it asks for an interrupt and then looks once more, sees the descriptor, or
	 * its wish is seen here (2.8.10).
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(ring->driver_event, __ATOMIC_RELAXED);
	if (event_flags(event) == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (event_flags(event) != VRING_PACKED_EVENT_FLAG_DESC || !vq->layout.event_idx)
		return true;
	/* Was the wanted descriptor among the last vq->pushed? Positions are those of two rounds,
	 * one for each value of the wrap counter. */
	used = ring->used_pos + (ring->used_mark ? size : 0);
	wanted = event_offset(event) + (event & EVENT_WRAP ? size : 0);
	behind = used - wanted - 1;
	return (used > wanted ? behind : behind + 2 * size) < vq->pushed;
}
