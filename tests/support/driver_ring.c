/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * driver_ring.c - the driver's side of both kinds of virtqueue. See driver_ring.h.
 *
 * virtio 1.4, 2.7.13, 2.7.14, 2.8.21, 2.8.22. Free descriptors (split) and ids (packed) are taken
 * last in, first out, as Linux does. Test's thread, while the device may run on another.
 */
#include "tests/support/driver_ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MARK_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define MARK_USED  (1u << VRING_PACKED_DESC_F_USED)
#define WRAP	   (1u << VRING_PACKED_EVENT_F_WRAP_CTR)
#define END	   UINT16_MAX

/* @len bytes of guest memory at *@gpa, zeroed; *@gpa moves behind them, aligned to 64. */
static void *carve(const struct gmem *gmem, uint64_t *gpa, uint64_t len)
{
	void *host = gmem_at(gmem, *gpa, len);

	assert(host);
	memset(host, 0, len);
	*gpa = ALIGN_UP(*gpa + len, 64);
	return host;
}

static void init_split(struct driver_ring *ring, uint64_t *gpa)
{
	struct vq_layout *layout = &ring->layout;
	const uint64_t size = layout->size;

	layout->desc = *gpa;
	ring->desc = carve(ring->gmem, gpa, size * sizeof(*ring->desc));
	layout->driver = *gpa;
	ring->avail = carve(ring->gmem, gpa, 6 + 2 * size);
	layout->device = *gpa;
	ring->used = carve(ring->gmem, gpa, 6 + 8 * size);
	ring->used_event = &ring->avail->ring[size];
	ring->avail_event = (uint16_t *)(void *)&ring->used->ring[size];
}

static void init_packed(struct driver_ring *ring, uint64_t *gpa)
{
	struct vq_layout *layout = &ring->layout;

	layout->desc = *gpa;
	ring->packed = carve(ring->gmem, gpa, layout->size * sizeof(*ring->packed));
	layout->driver = *gpa;
	ring->driver_event = carve(ring->gmem, gpa, sizeof(*ring->driver_event));
	layout->device = *gpa;
	ring->device_event = carve(ring->gmem, gpa, sizeof(*ring->device_event));
	ring->avail_wrap = ring->used_wrap = ring->kicked_wrap = true;
}

void driver_ring_init(struct driver_ring *ring, const struct gmem *gmem,
		      const struct vq_layout *layout, uint64_t gpa)
{
	const uint16_t size = layout->size;

	*ring = (struct driver_ring) {.gmem = gmem, .layout = *layout};
	if (layout->packed)
		init_packed(ring, &gpa);
	else
		init_split(ring, &gpa);
	ring->indirect_at = gpa;
	if (layout->indirect)
		gpa += (uint64_t)size * size * sizeof(struct vring_desc);
	ring->end = gpa;
	ring->next = calloc(size, sizeof(*ring->next));
	ring->chain_n = calloc(size, sizeof(*ring->chain_n));
	assert(ring->next && ring->chain_n);
	ring->free_n = size;
	for (uint16_t i = 0; i < size; i++)
		ring->next[i] = i + 1 < size ? i + 1 : END;
}

void driver_ring_deinit(struct driver_ring *ring)
{
	free(ring->next);
	free(ring->chain_n);
	*ring = (struct driver_ring) {.gmem = NULL};
}

/* --- split --- */

static void write_desc(struct vring_desc *desc, const struct driver_sg *sg, uint16_t flags,
		       uint16_t next)
{
	*desc = (struct vring_desc) {.addr = sg->gpa, .len = sg->len, .flags = flags, .next = next};
}

static uint16_t desc_flags(unsigned int i, unsigned int out_n, unsigned int n)
{
	return (uint16_t)((i >= out_n ? VRING_DESC_F_WRITE : 0) |
			  (i + 1 < n ? VRING_DESC_F_NEXT : 0));
}

/* The table that belongs to @head. */
static uint64_t table_at(const struct driver_ring *ring, uint16_t head)
{
	return ring->indirect_at + (uint64_t)head * ring->layout.size * sizeof(struct vring_desc);
}

static int add_split(struct driver_ring *ring, const struct driver_sg *sg, unsigned int out_n,
		     unsigned int n, bool indirect)
{
	const uint16_t head = ring->free_head;
	const unsigned int ring_n = indirect ? 1 : n;
	uint16_t at = head, last = head;

	if (indirect) {
		const struct driver_sg ref = {table_at(ring, head), n * 16};
		struct vring_desc *table = gmem_at(ring->gmem, ref.gpa, ref.len);

		assert(table);
		for (unsigned int i = 0; i < n; i++)
			write_desc(&table[i], &sg[i], desc_flags(i, out_n, n), (uint16_t)(i + 1));
		write_desc(&ring->desc[head], &ref, VRING_DESC_F_INDIRECT, 0);
		at = ring->next[head];
	}
	for (unsigned int i = 0; !indirect && i < n; i++) {
		last = at;
		at = ring->next[at];
		write_desc(&ring->desc[last], &sg[i], desc_flags(i, out_n, n), at);
	}
	ring->free_head = at;
	ring->next[last] = END;
	ring->free_n -= (uint16_t)ring_n;
	ring->chain_n[head] = (uint16_t)ring_n;
	__atomic_store_n(&ring->avail->ring[ring->avail_idx % ring->layout.size], head,
			 __ATOMIC_RELAXED);
	/* Release: the descriptors and the head before the index. */
	__atomic_store_n(&ring->avail->idx, ++ring->avail_idx, __ATOMIC_RELEASE);
	return head;
}

static int get_split(struct driver_ring *ring, uint32_t *len)
{
	const struct vring_used_elem *elem = &ring->used->ring[ring->used_idx % ring->layout.size];
	uint16_t head, last;

	/* Acquire: the entry and the buffer's bytes after the index. */
	if (__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) == ring->used_idx)
		return -EAGAIN;
	head = (uint16_t)__atomic_load_n(&elem->id, __ATOMIC_RELAXED);
	*len = __atomic_load_n(&elem->len, __ATOMIC_RELAXED);
	ring->used_idx++;
	assert(head < ring->layout.size && ring->chain_n[head]);
	for (last = head; ring->next[last] != END;)
		last = ring->next[last];
	ring->next[last] = ring->free_head;
	ring->free_head = head;
	return head;
}

/* --- packed --- */

/* The second half of a descriptor in one store, as the device loads it. */
static void write_tail(struct vring_packed_desc *desc, uint32_t len, uint16_t id, uint16_t flags)
{
	const uint64_t tail = (uint64_t)flags << 48 | (uint64_t)id << 32 | len;

	/* Release: the rest of the list before the first one's flags. */
	__atomic_store_n((uint64_t *)(void *)desc + 1, tail, __ATOMIC_RELEASE);
}

static uint64_t read_tail(const struct vring_packed_desc *desc)
{
	return __atomic_load_n((const uint64_t *)(const void *)desc + 1, __ATOMIC_ACQUIRE);
}

static void pass(const struct driver_ring *ring, uint16_t *pos, bool *wrap, unsigned int n)
{
	*pos += (uint16_t)n;
	if (*pos >= ring->layout.size) {
		*pos -= ring->layout.size;
		*wrap = !*wrap;
	}
}

static void write_table(const struct driver_ring *ring, const struct driver_sg *ref,
			const struct driver_sg *sg, unsigned int out_n, unsigned int n)
{
	struct vring_packed_desc *table = gmem_at(ring->gmem, ref->gpa, ref->len);

	assert(table);
	for (unsigned int i = 0; i < n; i++)
		table[i] = (struct vring_packed_desc) {
			.addr = sg[i].gpa,
			.len = sg[i].len,
			.flags = i >= out_n ? VRING_DESC_F_WRITE : 0,
		};
}

static int add_packed(struct driver_ring *ring, const struct driver_sg *sg, unsigned int out_n,
		      unsigned int n, bool indirect)
{
	const uint16_t id = ring->free_head;
	const struct driver_sg ref = {table_at(ring, id), n * 16};
	const unsigned int ring_n = indirect ? 1 : n;
	struct vring_packed_desc *first = &ring->packed[ring->avail_idx];
	uint16_t first_flags = 0;

	if (indirect)
		write_table(ring, &ref, sg, out_n, n);
	for (unsigned int i = 0; i < ring_n; i++) {
		const struct driver_sg *piece = indirect ? &ref : &sg[i];
		struct vring_packed_desc *desc = &ring->packed[ring->avail_idx];
		unsigned int flags = ring->avail_wrap ? MARK_AVAIL : MARK_USED;

		flags |= indirect ? VRING_DESC_F_INDIRECT : desc_flags(i, out_n, n);
		__atomic_store_n(&desc->addr, piece->gpa, __ATOMIC_RELAXED);
		if (i == 0)
			first_flags = (uint16_t)flags;
		else
			write_tail(desc, piece->len, id, (uint16_t)flags);
		pass(ring, &ring->avail_idx, &ring->avail_wrap, 1);
	}
	write_tail(first, indirect ? ref.len : sg[0].len, id, first_flags);
	ring->free_head = ring->next[id];
	ring->free_n -= (uint16_t)ring_n;
	ring->chain_n[id] = (uint16_t)ring_n;
	return id;
}

static int get_packed(struct driver_ring *ring, uint32_t *len)
{
	const uint64_t tail = read_tail(&ring->packed[ring->used_idx]);
	const unsigned int marks = tail >> 48 & (MARK_AVAIL | MARK_USED);
	const uint16_t id = (uint16_t)(tail >> 32);

	if (marks != (ring->used_wrap ? MARK_AVAIL | MARK_USED : 0))
		return -EAGAIN;
	/* 2.8.4: without WRITE the length means nothing. */
	*len = tail >> 48 & VRING_DESC_F_WRITE ? (uint32_t)tail : 0;
	assert(id < ring->layout.size && ring->chain_n[id]);
	pass(ring, &ring->used_idx, &ring->used_wrap, ring->chain_n[id]);
	ring->next[id] = ring->free_head;
	ring->free_head = id;
	return id;
}

/* --- either --- */

static int add(struct driver_ring *ring, const struct driver_sg *sg, unsigned int out_n,
	       unsigned int in_n, bool indirect)
{
	const unsigned int n = out_n + in_n;

	assert(n > 0 && n <= ring->layout.size);
	if (ring->free_n < (indirect ? 1 : n))
		return -ENOSPC;
	return ring->layout.packed ? add_packed(ring, sg, out_n, n, indirect)
				   : add_split(ring, sg, out_n, n, indirect);
}

int driver_ring_add(struct driver_ring *ring, const struct driver_sg *sg, unsigned int out_n,
		    unsigned int in_n)
{
	return add(ring, sg, out_n, in_n, ring->layout.indirect && out_n + in_n > 1);
}

int driver_ring_add_direct(struct driver_ring *ring, const struct driver_sg *sg, unsigned int out_n,
			   unsigned int in_n)
{
	return add(ring, sg, out_n, in_n, false);
}

int driver_ring_get(struct driver_ring *ring, uint32_t *len)
{
	int id = ring->layout.packed ? get_packed(ring, len) : get_split(ring, len);

	if (id < 0)
		return id;
	ring->free_n += ring->chain_n[id];
	ring->chain_n[id] = 0;
	return id;
}

static bool device_wants(const struct driver_ring *ring)
{
	uint32_t event, flags;
	uint16_t offset;

	if (!ring->layout.packed && ring->layout.event_idx)
		return vring_need_event(__atomic_load_n(ring->avail_event, __ATOMIC_RELAXED),
					ring->avail_idx, ring->kicked);
	if (!ring->layout.packed)
		return !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n((const uint32_t *)(const void *)ring->device_event,
				__ATOMIC_RELAXED);
	flags = event >> 16;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* Positions as if the ring went on: those of the round before are negative. */
	offset = event & (WRAP - 1);
	if (!(event & WRAP) == ring->avail_wrap)
		offset -= ring->layout.size;
	return vring_need_event(offset, ring->avail_idx,
				ring->kicked_wrap == ring->avail_wrap
					? ring->kicked
					: (uint16_t)(ring->kicked - ring->layout.size));
}

bool driver_ring_needs_kick(struct driver_ring *ring)
{
	bool wanted;

	if (ring->kicked == ring->avail_idx && ring->kicked_wrap == ring->avail_wrap)
		return false;
	/* What was made available before the load of what the device wants (2.7.13.4, 2.8.21.3.1).
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = device_wants(ring);
	ring->kicked = ring->avail_idx;
	ring->kicked_wrap = ring->avail_wrap;
	return wanted;
}

/* @enable: at the next used buffer. */
static void set_interrupts(struct driver_ring *ring, bool enable)
{
	const bool event_idx = ring->layout.event_idx;
	uint32_t event = VRING_PACKED_EVENT_FLAG_DISABLE << 16;

	if (!ring->layout.packed && event_idx) {
		/* The entry behind us is reached only after 65535 others. */
		__atomic_store_n(ring->used_event, ring->used_idx - !enable, __ATOMIC_RELAXED);
	} else if (!ring->layout.packed) {
		__atomic_store_n(&ring->avail->flags, enable ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
	} else {
		if (enable && event_idx)
			event = VRING_PACKED_EVENT_FLAG_DESC << 16 | (ring->used_wrap ? WRAP : 0) |
				ring->used_idx;
		else if (enable)
			event = VRING_PACKED_EVENT_FLAG_ENABLE << 16;
		__atomic_store_n((uint32_t *)(void *)ring->driver_event, event, __ATOMIC_RELAXED);
	}
}

void driver_ring_enable_interrupts(struct driver_ring *ring)
{
	set_interrupts(ring, true);
	/* The wish before the look at the ring that the caller has yet to do (2.7.14). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void driver_ring_disable_interrupts(struct driver_ring *ring)
{
	set_interrupts(ring, false);
}
