/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_fuzz.c - a virtqueue, its driver and its device, driven by a row of bytes. See vq_fuzz.h.
 *
 * Guest memory is 48 KiB with a hole, so that few bytes reach all of it. The device reads and
 * writes what it is given, and checks that it is true.
 */
#include "vq_fuzz.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>

#include "gmem.h"
#include "vq.h"

#define ENTRIES_MAX 64 /* entries */
#define PAGE	    UINT64_C(4096)

/* A record's first byte, modulo RECORDS. */
enum {
	RECORD_START, /* entries, and the three areas in units of 8, 1, 2 bytes */
	RECORD_STOP,
	RECORD_WRITE, /* address, length, bytes */
	RECORD_DESC,  /* a descriptor of the ring: index, flags, length, address, next or id */
	RECORD_ENTRY, /* a descriptor at any address: address in units of 16 bytes, and so on */
	RECORD_AVAIL, /* split: make a head available; packed: mark the next n descriptors */
	RECORD_POP,   /* budget, what to do with each */
	RECORD_PUSH,  /* which of those in flight, length */
	RECORD_NOTIFY,
	RECORDS,
};

/* What the device does with a request: it may keep it. */
enum { POP_KEEP = 0x01, POP_CUT = 0x02 };

struct fuzz {
	const uint8_t *data;
	size_t left;
	struct vq *vq;
	struct vq_layout layout;
	uint16_t avail_pos; /* where RECORD_AVAIL is */
	bool avail_wrap;
	struct {
		struct vq_request *request;
		uint32_t writable;
	} held[ENTRIES_MAX];
	unsigned int held_n;
	unsigned int interrupts, drained;
};

static struct gmem *gmem;
static const struct gmem_region ram[] = {
	{.gpa = 0, .size = 8 * PAGE},
	{.gpa = 12 * PAGE, .size = 4 * PAGE},
};

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static uint64_t take(struct fuzz *fuzz, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n && fuzz->left; i++, fuzz->left--)
		value |= (uint64_t)*fuzz->data++ << 8 * i;
	return value;
}

static void interrupt(struct vq *vq, void *owner)
{
	struct fuzz *fuzz = owner;

	require(vq_live(vq), "interrupts of a live queue only");
	fuzz->interrupts++;
}

static void drained(struct vq *vq, void *owner)
{
	struct fuzz *fuzz = owner;

	require(!vq_live(vq) && vq_in_flight(vq) == 0, "drained when it is");
	fuzz->drained++;
}

static const struct vq_ops ops = {
	.interrupt = interrupt,
	.drained = drained,
};

static bool is_ram(const uint8_t *host, size_t len)
{
	const struct gmem_region *regions;
	const size_t n = gmem_regions(gmem, &regions);

	for (size_t i = 0; i < n; i++)
		if (host >= regions[i].host && host < regions[i].host + regions[i].size)
			return len <= (size_t)(regions[i].host + regions[i].size - host);
	return false;
}

static void check_half(const struct vq_buffer *half)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < half->n; i++) {
		require(half->iov[i].iov_len > 0, "pieces are not empty");
		require(is_ram(half->iov[i].iov_base, half->iov[i].iov_len), "pieces are RAM");
		len += half->iov[i].iov_len;
	}
	require(half->len == len, "a half is as long as its pieces");
}

/* Ends of pieces, and the first bytes, read and written. */
static void touch(struct fuzz *fuzz, struct vq_request *request, unsigned int how)
{
	struct vq_buffer *in = &request->readable, *out = &request->writable;
	uint8_t bytes[100];
	volatile uint8_t byte;
	size_t len;

	for (unsigned int i = 0; i < in->n; i++) {
		const uint8_t *piece = in->iov[i].iov_base;

		byte = piece[0];
		byte = piece[in->iov[i].iov_len - 1];
	}
	for (unsigned int i = 0; i < out->n; i++) {
		uint8_t *piece = out->iov[i].iov_base;

		piece[0] = piece[out->iov[i].iov_len - 1] = (uint8_t)i;
	}
	(void)byte;
	len = MIN(sizeof(bytes), (size_t)in->len);
	require(vq_buffer_get(in, bytes, sizeof(bytes)) == len, "as many bytes as there are");
	if (how & POP_CUT) {
		uint8_t *last = vq_buffer_chop(out);

		require(!last || is_ram(last, 1), "the last byte is RAM");
		vq_buffer_truncate(out, (uint32_t)take(fuzz, 2));
		vq_buffer_skip(in, take(fuzz, 2));
	}
	len = MIN(sizeof(bytes), (size_t)out->len);
	memset(bytes, (int)take(fuzz, 1), sizeof(bytes));
	require(vq_buffer_put(out, bytes, sizeof(bytes)) == len, "as many bytes as there is room");
	check_half(in);
	check_half(out);
}

static void push(struct fuzz *fuzz, unsigned int which, uint32_t len)
{
	struct vq_request *request = fuzz->held[which].request;
	const uint32_t writable = fuzz->held[which].writable;

	fuzz->held[which] = fuzz->held[--fuzz->held_n];
	vq_push(fuzz->vq, request, MIN(len, writable));
}

static void pop(struct fuzz *fuzz)
{
	const unsigned int budget = (unsigned int)take(fuzz, 1);
	const unsigned int how = (unsigned int)take(fuzz, 1);
	struct vq_request *request;
	unsigned int n = 0;
	int r;

	vq_set_budget(fuzz->vq, budget);
	while ((r = vq_pop(fuzz->vq, &request)) > 0) {
		require(vq_live(fuzz->vq) && !vq_error(fuzz->vq), "only a good queue gives");
		require(++n <= budget, "the budget is kept");
		require(fuzz->held_n < fuzz->layout.size, "no more than the queue's size");
		require(request->slot < fuzz->layout.size, "a slot below the queue's size");
		for (unsigned int i = 0; i < fuzz->held_n; i++)
			require(fuzz->held[i].request->slot != request->slot, "slots differ");
		require(request->readable.n + request->writable.n <= fuzz->layout.size &&
				request->readable.n + request->writable.n > 0,
			"as many pieces as the queue has entries");
		check_half(&request->readable);
		check_half(&request->writable);
		fuzz->held[fuzz->held_n].request = request;
		fuzz->held[fuzz->held_n++].writable = request->writable.len;
		require(vq_in_flight(fuzz->vq) == fuzz->held_n, "requests in flight");
		touch(fuzz, request, how);
		if (!(how & POP_KEEP))
			push(fuzz, fuzz->held_n - 1, (uint32_t)take(fuzz, 2));
	}
	require(r == 0 || r == -EPROTO, "expected results only");
	require(!vq_error(fuzz->vq) == (r == 0), "an error is a broken queue's");
	require(!vq_starved(fuzz->vq) || n == budget, "starved by the budget");
	require(vq_pop(fuzz->vq, &request) == r, "the same once more");
}

static void stop(struct fuzz *fuzz)
{
	const unsigned int before = fuzz->drained;

	vq_stop(fuzz->vq);
	while (fuzz->held_n) {
		require(fuzz->drained == before, "not drained yet");
		push(fuzz, 0, (uint32_t)take(fuzz, 2));
	}
	require(fuzz->drained == before + 1, "drained");
}

static void start(struct fuzz *fuzz)
{
	int r;

	stop(fuzz);
	fuzz->layout.size = (uint16_t)take(fuzz, 1);
	fuzz->layout.desc = take(fuzz, 2) * 8;
	fuzz->layout.driver = take(fuzz, 2);
	fuzz->layout.device = take(fuzz, 2) * 2;
	fuzz->avail_pos = 0;
	fuzz->avail_wrap = true;
	r = vq_start(fuzz->vq, &fuzz->layout);
	require(r == 0 || r == -EINVAL || r == -EFAULT, "started or refused");
	require(vq_live(fuzz->vq) == (r == 0), "live if started");
}

static void write_bytes(struct fuzz *fuzz)
{
	const uint64_t gpa = take(fuzz, 2);
	const size_t len = MIN((size_t)take(fuzz, 1), fuzz->left);

	gmem_write(gmem, gpa, fuzz->data, len);
	fuzz->data += len;
	fuzz->left -= len;
}

/* A descriptor, as split rings and their tables have it or packed ones. */
static void write_desc(struct fuzz *fuzz, uint64_t gpa)
{
	const uint16_t flags = (uint16_t)take(fuzz, 1);
	const uint32_t len = (uint32_t)take(fuzz, 2);
	const uint64_t addr = take(fuzz, 2);
	const uint16_t link = (uint16_t)take(fuzz, 1);
	const struct vring_desc split = {addr, len, flags, link};
	const struct vring_packed_desc packed = {addr, len, link, flags};

	if (fuzz->layout.packed)
		gmem_write(gmem, gpa, &packed, sizeof(packed));
	else
		gmem_write(gmem, gpa, &split, sizeof(split));
}

static void make_available_split(struct fuzz *fuzz)
{
	const uint16_t head = (uint16_t)take(fuzz, 1);
	uint16_t idx;

	if (fuzz->layout.size == 0 || gmem_read(gmem, fuzz->layout.driver + 2, &idx, 2) < 0)
		return;
	gmem_write(gmem, fuzz->layout.driver + 4 + 2 * (idx % fuzz->layout.size), &head, 2);
	idx++;
	gmem_write(gmem, fuzz->layout.driver + 2, &idx, 2);
}

static void make_available_packed(struct fuzz *fuzz)
{
	uint16_t n = (uint16_t)take(fuzz, 1);

	for (n = MIN(n, fuzz->layout.size); n > 0; n--) {
		const uint64_t gpa = fuzz->layout.desc + 16 * fuzz->avail_pos + 14;
		uint16_t flags;

		if (gmem_read(gmem, gpa, &flags, 2) < 0)
			return;
		flags &= (uint16_t) ~(1u << VRING_PACKED_DESC_F_AVAIL |
				      1u << VRING_PACKED_DESC_F_USED);
		flags |= fuzz->avail_wrap ? 1u << VRING_PACKED_DESC_F_AVAIL
					  : 1u << VRING_PACKED_DESC_F_USED;
		gmem_write(gmem, gpa, &flags, 2);
		if (++fuzz->avail_pos == fuzz->layout.size) {
			fuzz->avail_pos = 0;
			fuzz->avail_wrap = !fuzz->avail_wrap;
		}
	}
}

static void run_record(struct fuzz *fuzz)
{
	switch (take(fuzz, 1) % RECORDS) {
	case RECORD_START:
		start(fuzz);
		break;
	case RECORD_STOP:
		stop(fuzz);
		break;
	case RECORD_WRITE:
		write_bytes(fuzz);
		break;
	case RECORD_DESC:
		write_desc(fuzz, fuzz->layout.desc + 16 * take(fuzz, 1));
		break;
	case RECORD_ENTRY:
		write_desc(fuzz, 16 * take(fuzz, 2));
		break;
	case RECORD_AVAIL:
		if (fuzz->layout.packed)
			make_available_packed(fuzz);
		else
			make_available_split(fuzz);
		break;
	case RECORD_POP:
		pop(fuzz);
		break;
	case RECORD_PUSH:
		if (fuzz->held_n)
			push(fuzz, (unsigned int)take(fuzz, 1) % fuzz->held_n,
			     (uint32_t)take(fuzz, 2));
		break;
	case RECORD_NOTIFY:
		vq_notify(fuzz->vq);
		break;
	}
}

void vq_fuzz_run(const uint8_t *data, size_t size, bool packed)
{
	const struct gmem_options options = {.shared = false};
	struct fuzz fuzz = {.data = data, .left = size};
	uint64_t features;

	if (!gmem)
		require(gmem_new(&gmem, ram, ARRAY_SIZE(ram), &options, NULL) == 0, "memory made");
	for (size_t i = 0; i < ARRAY_SIZE(ram); i++)
		gmem_zero(gmem, ram[i].gpa, ram[i].size);
	require(vq_new(&fuzz.vq, gmem, 0, ENTRIES_MAX, &ops, &fuzz) == 0, "queue made");
	features = take(&fuzz, 1);
	fuzz.layout.packed = packed;
	fuzz.layout.indirect = features & 1;
	fuzz.layout.event_idx = features & 2;
	while (fuzz.left)
		run_record(&fuzz);
	stop(&fuzz);
	vq_free(fuzz.vq);
}
