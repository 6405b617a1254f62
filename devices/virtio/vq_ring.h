/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_ring.h - the inside of a virtqueue, for vq.c, which keeps it, and for the two kinds of ring,
 * vq_split.c and vq_packed.c; and the one place where what a descriptor says is checked.
 *
 * Implements virtio 1.4, 2.7 and 2.8. Device's thread. What the guest can change is loaded once,
 * with one of the functions below, and only the copy is used. A ring's fields are little endian,
 * and so is every host that this is built for.
 */
#ifndef VMM_VQ_RING_H
#define VMM_VQ_RING_H

#include <linux/virtio_ring.h>

#include "vq.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are little endian");

#define VQ_DESC_SIZE 16 /* bytes of a descriptor, of either kind, in a ring or in a table */

/* Pieces for which a slot itself has room. A longer request has its pieces in vq->pieces. */
#define VQ_SLOT_PIECES 12

/*
 * struct vq_slot - a request and what only the queue knows of it. Slot i is that of head or buffer
 * id i, of which one can be in flight; the last one, with the queue's size as number, is for chains
 * whose id is not known yet.
 */
struct vq_slot {
	struct vq_request request;
	uint32_t room; /* bytes that were writable when it was popped */
	struct iovec pieces[VQ_SLOT_PIECES];
} __attribute__((aligned(256)));

struct vq_split {
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	const uint16_t *used_event; /* behind the available ring */
	uint16_t *avail_event;	    /* behind the used ring */
	uint16_t avail_pos;	    /* the next to pop; all three run freely */
	uint16_t avail_seen;	    /* what avail->idx was when it was last looked at */
	uint16_t used_pos;	    /* the next to push */
};

struct vq_packed {
	struct vring_packed_desc *desc;
	const uint32_t *driver_event; /* see event_offset() and event_flags() in vq_packed.c */
	uint32_t *device_event;
	uint16_t avail_pos, used_pos; /* in the ring */
	uint16_t avail_mark;	      /* AVAIL and USED bits of what is available at avail_pos */
	uint16_t used_mark;	      /* those of what is used at used_pos */
	uint16_t taken;		      /* descriptors of requests in flight */
};

struct vq {
	bool running;	   /* live and not broken */
	bool live;	   /* from vq_start() to vq_stop() */
	bool starved;	   /* see vq_starved() */
	bool asked;	   /* the driver will notify for what comes at avail_pos */
	const char *error; /* see vq_error() */
	unsigned int budget;
	unsigned int in_flight;
	unsigned int pushed; /* entries (split) or descriptors (packed) since vq_notify() */
	struct vq_layout layout;
	struct vq_slot *slots;	   /* layout.size + 1 */
	struct iovec *pieces;	   /* size_max for each slot */
	struct gmem_region region; /* the one where the last address was found */
	union {
		struct vq_split split;
		struct vq_packed packed;
	};

	const struct gmem *gmem;
	const struct vq_ops *ops;
	void *owner;
	unsigned int index;
	uint16_t size_max;
	size_t pool_size; /* bytes of the mapping that slots and pieces are in */
};

/* vq_break - the driver has broken the ring: @error says how. Return: NULL. */
void *vq_break(struct vq *vq, const char *error);

/*
 * vq_split_start, vq_packed_start - the ring in its initial state. @desc, @driver, @device: the
 * areas, aligned, and large enough for vq->layout.
 * vq_split_take, vq_packed_take - the next request, read and checked. Return: its slot; NULL if
 * there is none now, and the driver was asked to notify, or after vq_break().
 * vq_split_give, vq_packed_give - write a request into the ring as used.
 * vq_split_wants, vq_packed_wants - does the driver want an interrupt for vq->pushed?
 */
void vq_split_start(struct vq *vq, void *desc, void *driver, void *device);
void vq_packed_start(struct vq *vq, void *desc, void *driver, void *device);
struct vq_slot *vq_split_take(struct vq *vq);
struct vq_slot *vq_packed_take(struct vq *vq);
void vq_split_give(struct vq *vq, const struct vq_request *request, uint32_t written);
void vq_packed_give(struct vq *vq, const struct vq_request *request, uint32_t written);
bool vq_split_wants(const struct vq *vq);
bool vq_packed_wants(const struct vq *vq);

/* struct vq_desc - a descriptor's copy. Only .addr and .len mean the same in both kinds. */
struct vq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t words[2]; /* split: flags, next; packed: id, flags */
};

/* Of any alignment: an indirect table may be anywhere (2.7.5.3, 2.8.7). */
struct vq_unaligned {
	uint64_t value;
} __attribute__((packed));

/* vq_desc_split - @head, @tail: first and last 8 bytes of a descriptor as they were loaded. */
static inline struct vq_desc vq_desc_split(uint64_t head, uint64_t tail)
{
	return (struct vq_desc) {head, (uint32_t)tail, {(uint16_t)(tail >> 32), tail >> 48}};
}

/* vq_desc_load - read a descriptor, each byte once. */
static inline struct vq_desc vq_desc_load(const void *at)
{
	const volatile struct vq_unaligned *halves = at;
	const uint64_t head = halves[0].value;

	return vq_desc_split(head, halves[1].value);
}

/* vq_find_ram - vq_ram() for another region than that of the last address. */
void *vq_find_ram(struct vq *vq, uint64_t gpa, uint64_t len);

/* vq_ram - where a range of guest memory is. Return: NULL unless all of it is in one region. */
static inline void *vq_ram(struct vq *vq, uint64_t gpa, uint64_t len)
{
	const uint64_t offset = gpa - vq->region.gpa; /* huge if below */

	if (offset < vq->region.size && len <= vq->region.size - offset)
		return vq->region.host + offset;
	return vq_find_ram(vq, gpa, len);
}

/* vq_long_pieces - where a slot's pieces go if they are more than VQ_SLOT_PIECES. */
static inline struct iovec *vq_long_pieces(const struct vq *vq, const struct vq_slot *slot)
{
	return vq->pieces + (size_t)(slot - vq->slots) * vq->size_max;
}

/* struct vq_chain - a request that is being put together. */
struct vq_chain {
	struct vq_slot *slot;
	struct iovec *pieces;
	unsigned int n, room; /* pieces that are there, that there is room for */
	unsigned int readable_n;
	uint64_t readable_len, writable_len;
};

static inline struct vq_chain vq_chain_begin(const struct vq *vq, struct vq_slot *slot)
{
	return (struct vq_chain) {
		.slot = slot,
		.pieces = slot->pieces,
		.room = MIN((unsigned int)vq->size_max, (unsigned int)VQ_SLOT_PIECES),
	};
}

/* vq_chain_grow - make room for a long request. Return: NULL, or what is wrong with it. */
const char *vq_chain_grow(const struct vq *vq, struct vq_chain *chain);

/*
 * vq_chain_add - one more piece, as a descriptor says. A chain is never longer than the queue
 * (2.7.5.3.1, 2.8.17), so one that loops ends here; the size that counts is the device's, since
 * Linux makes a ring smaller where memory is short, but not its tables. A piece of no bytes is an
 * error: the specification gives it no meaning, and Linux makes none. Return: NULL, or what is
 * wrong with it.
 */
static inline const char *vq_chain_add(struct vq *vq, struct vq_chain *chain, uint64_t gpa,
				       uint32_t len, bool writable)
{
	const char *error;
	void *host;

	if (chain->n == chain->room) {
		error = vq_chain_grow(vq, chain);
		if (error)
			return error;
	}
	if (len == 0)
		return "a descriptor has length 0";
	host = vq_ram(vq, gpa, len);
	if (!host)
		return "a descriptor is not all in RAM";
	chain->pieces[chain->n++] = (struct iovec) {host, len};
	if (writable) {
		chain->writable_len += len;
	} else {
		/* 2.7.4.2, 2.8.17: what the device writes comes last. */
		if (chain->writable_len)
			return "a readable descriptor follows a writable one";
		chain->readable_len += len;
		chain->readable_n++;
	}
	return NULL;
}

/* vq_chain_end - the request is complete, with @id. Return: NULL, or what is wrong with it. */
static inline const char *vq_chain_end(struct vq *vq, const struct vq_chain *chain, uint16_t id,
				       uint16_t ring_n)
{
	struct vq_slot *slot = chain->slot;

	if (chain->readable_len + chain->writable_len > UINT32_MAX)
		return "a chain has 4 GiB or more";
	slot->room = (uint32_t)chain->writable_len;
	slot->request = (struct vq_request) {
		.vq = vq,
		.readable = {chain->pieces, chain->readable_n, (uint32_t)chain->readable_len},
		.writable = {chain->pieces + chain->readable_n, chain->n - chain->readable_n,
			     (uint32_t)chain->writable_len},
		.slot = id,
		.id = id,
		.ring_n = ring_n,
	};
	return NULL;
}

/*
 * vq_indirect_table - the table that @desc, in a ring, refers to (2.7.5.3, 2.8.7).
 * Return: NULL, *@table and *@n descriptors in it; or what is wrong with it.
 */
static inline const char *vq_indirect_table(struct vq *vq, const struct vq_desc *desc,
					    const uint8_t **table, unsigned int *n)
{
	if (!vq->layout.indirect)
		return "an indirect descriptor, which was not negotiated";
	if (desc->len == 0 || desc->len % VQ_DESC_SIZE)
		return "an indirect table's length is not a multiple of 16";
	*n = desc->len / VQ_DESC_SIZE;
	if (*n > vq->size_max)
		return "an indirect table is longer than the queue";
	*table = vq_ram(vq, desc->addr, desc->len);
	return *table ? NULL : "an indirect table is not all in RAM";
}

#endif
