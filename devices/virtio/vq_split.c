/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_split.c - the split ring: a table of descriptors, a ring of available heads, a ring of used
 * ones.
 *
 * virtio 1.4, 2.7. Device's thread; the driver runs at the same time on any vCPU, hence the
 * barriers, each of which says what it orders.
 */
#include "devices/virtio/vq_ring.h"

/* Acquire: the heads and descriptors that the driver wrote before the index are read after it. */
static uint16_t load_avail_idx(const struct vq_split *ring)
{
	return __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
}

/* Ask to be notified of the next available buffer (2.7.10). */
static void ask(struct vq *vq)
{
	struct vq_split *ring = &vq->split;

	if (vq->layout.event_idx)
		__atomic_store_n(ring->avail_event, ring->avail_pos, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->used->flags, 0, __ATOMIC_RELAXED);
	vq->asked = true;
	/*
	 * That store before the load of the index that comes next: either the driver sees that it
	 * is to notify, or what it has added until then is seen here (2.7.13.4.1 has its half of
	 * this).
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Requests are coming out: more need not be announced. An old avail_event says so by itself. */
static void unask(struct vq *vq)
{
	vq->asked = false;
	if (!vq->layout.event_idx)
		__atomic_store_n(&vq->split.used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
}

void vq_split_start(struct vq *vq, void *desc, void *driver, void *device)
{
	struct vq_split *ring = &vq->split;

	*ring = (struct vq_split) {.desc = desc, .avail = driver, .used = device};
	ring->used_event = &ring->avail->ring[vq->layout.size];
	ring->avail_event = (uint16_t *)(void *)&ring->used->ring[vq->layout.size];
	/* Whatever the driver has left there. */
	__atomic_store_n(&ring->used->flags, 0, __ATOMIC_RELAXED);
	ask(vq);
}

/* Look how far the driver is. Return: false if there is nothing, or the ring is broken. */
static bool look(struct vq *vq)
{
	struct vq_split *ring = &vq->split;
	uint16_t idx = load_avail_idx(ring);

	if (idx == ring->avail_pos) {
		if (vq->asked)
			return false;
		ask(vq);
		idx = load_avail_idx(ring);
		if (idx == ring->avail_pos)
			return false;
	}
	if ((uint16_t)(idx - ring->avail_pos) > vq->layout.size)
		return vq_break(vq, "the available index is ahead by more than the queue's size");
	ring->avail_seen = idx;
	return true;
}

/* Return: NULL, or what is wrong with the chain that starts at @head. */
static const char *read_chain(struct vq *vq, struct vq_slot *slot, uint16_t head)
{
	struct vq_chain chain = vq_chain_begin(vq, slot);
	const uint8_t *table = (const uint8_t *)vq->split.desc;
	unsigned int n = vq->layout.size, i = head;
	bool indirect = false;
	const char *error;

	for (;;) {
		const struct vq_desc desc = vq_desc_load(table + i * VQ_DESC_SIZE);
		const uint16_t flags = desc.words[0];

		/* 2.7.5.3: a table ends the chain; what the other flags of its descriptor say is
		 * ignored, but for NEXT, which may not be there. */
		if (flags & VRING_DESC_F_INDIRECT) {
			if (indirect)
				return "an indirect descriptor in an indirect table";
			if (flags & VRING_DESC_F_NEXT)
				return "a descriptor is both indirect and not the last";
			error = vq_indirect_table(vq, &desc, &table, &n);
			if (error)
				return error;
			indirect = true;
			i = 0;
			continue;
		}
		error = vq_chain_add(vq, &chain, desc.addr, desc.len, flags & VRING_DESC_F_WRITE);
		if (error)
			return error;
		if (!(flags & VRING_DESC_F_NEXT))
			return vq_chain_end(vq, &chain, head, 0);
		i = desc.words[1];
		if (i >= n)
			return "a descriptor's next one is beyond the table";
	}
}

struct vq_slot *vq_split_take(struct vq *vq)
{
	struct vq_split *ring = &vq->split;
	const char *error;
	struct vq_slot *slot;
	uint16_t head;

	if (ring->avail_pos == ring->avail_seen && !look(vq))
		return NULL;
	head = __atomic_load_n(&ring->avail->ring[ring->avail_pos & (vq->layout.size - 1)],
			       __ATOMIC_RELAXED);
	if (head >= vq->layout.size)
		return vq_break(vq, "an available head is beyond the descriptor table");
	slot = &vq->slots[head];
	if (slot->request.busy)
		return vq_break(vq, "a head is available that is in use");
	error = read_chain(vq, slot, head);
	if (error)
		return vq_break(vq, error);
	if (vq->asked)
		unask(vq);
	ring->avail_pos++;
	return slot;
}

void vq_split_give(struct vq *vq, const struct vq_request *request, uint32_t written)
{
	struct vq_split *ring = &vq->split;
	struct vring_used_elem *elem = &ring->used->ring[ring->used_pos & (vq->layout.size - 1)];

	__atomic_store_n(&elem->id, request->id, __ATOMIC_RELAXED);
	__atomic_store_n(&elem->len, written, __ATOMIC_RELAXED);
	/* Release: the entry and what the device wrote into the buffer before the index (2.7.8.2).
	 */
	__atomic_store_n(&ring->used->idx, ++ring->used_pos, __ATOMIC_RELEASE);
	vq->pushed++;
}

bool vq_split_wants(const struct vq *vq)
{
	const struct vq_split *ring = &vq->split;
	uint16_t event;

	/*
	 * The store of the used index before the load of flags or used_event: either the driver,
	 * when it asks for an interrupt and then looks once more, sees the index, or its wish is
	 * seen here (2.7.7).
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->layout.event_idx)
		return !(__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(ring->used_event, __ATOMIC_RELAXED);
	/* Was the entry with that index among the last vq->pushed? */
	return (uint16_t)(ring->used_pos - event - 1) < vq->pushed;
}
