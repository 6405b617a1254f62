/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vq_hostile.c - drivers that lie. Each lie is a row of a table; for each the queue says what
 * is wrong, gives out nothing more and leaves the ring alone, until it is started anew.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vq_rig.h"

#define NEXT	 VRING_DESC_F_NEXT
#define WRITE	 VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define AVAIL	 (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED	 (1u << VRING_PACKED_DESC_F_USED)

/* Where a row applies. The buffer that it spoils has two readable pieces and a writable one. */
enum {
	CHAIN = 0x1,	    /* split: descriptors 1, 2, 3 */
	TABLE = 0x2,	    /* split: the table of descriptor 1 */
	LIST = 0x4,	    /* packed: descriptors 1, 2, 3, id 1 */
	PACKED_TABLE = 0x8, /* packed: the table of descriptor 1 */
	RINGS = CHAIN | LIST,
	TABLES = TABLE | PACKED_TABLE,
	ALL = RINGS | TABLES,
};

/* What is changed: a piece's descriptor by number, or the one that refers to the table. */
enum { FIRST, SECOND, THIRD, REFERENCE };

enum field { NOTHING, ADDR, LEN, LINK /* next, or id */, FLAGS /* these are inverted */ };

struct patch {
	unsigned int which;
	enum field field;
	uint64_t value;
};

static const char loops[] = "a chain is longer than the queue";
static const char beyond[] = "a descriptor's next one is beyond the table";
static const char outside[] = "a descriptor is not all in RAM";
static const char empty[] = "a descriptor has length 0";
static const char order[] = "a readable descriptor follows a writable one";
static const char not_negotiated[] = "an indirect descriptor, which was not negotiated";
static const char bad_length[] = "an indirect table's length is not a multiple of 16";
static const char long_table[] = "an indirect table is longer than the queue";
static const char table_outside[] = "an indirect table is not all in RAM";
static const char nested[] = "an indirect descriptor in an indirect table";
static const char not_last[] = "a descriptor is both indirect and not the last";
static const char in_list[] = "an indirect descriptor in a list";
static const char not_available[] = "a list has a descriptor that is not available";
static const char bad_id[] = "a buffer id is not below the queue's size";
static const char id_in_use[] = "a buffer id is available that is in use";
static const char ahead[] = "the available index is ahead by more than the queue's size";
static const char bad_head[] = "an available head is beyond the descriptor table";
static const char head_in_use[] = "a head is available that is in use";
static const char too_many[] = "more descriptors are available than the ring has";
static const char too_large[] = "a chain has 4 GiB or more";

static const struct {
	const char *name;
	unsigned int where;
	struct patch patches[2];
	const char *error;
} descriptor_lies[] = {
	{"none", ALL, {}, NULL},
	{"first piece loops", CHAIN, {{FIRST, LINK, 1}}, loops},
	{"second piece leads to the first", CHAIN, {{SECOND, LINK, 1}}, loops},
	{"last piece loops", CHAIN, {{THIRD, LINK, 3}, {THIRD, FLAGS, NEXT}}, loops},
	{"first piece loops in a table", TABLE, {{FIRST, LINK, 0}}, loops},
	{"last piece loops in a table", TABLE, {{THIRD, LINK, 2}, {THIRD, FLAGS, NEXT}}, loops},
	{"next is the size", CHAIN, {{FIRST, LINK, 8}}, beyond},
	{"next is the largest number", CHAIN, {{SECOND, LINK, 65535}}, beyond},
	{"next is the table's size", TABLE, {{FIRST, LINK, 3}}, beyond},
	{"next is the queue's size", TABLE, {{FIRST, LINK, 8}}, beyond},
	{"next of the last in a table", TABLE, {{THIRD, LINK, 3}, {THIRD, FLAGS, NEXT}}, beyond},
	{"no length at first", ALL, {{FIRST, LEN, 0}}, empty},
	{"no length at last", ALL, {{THIRD, LEN, 0}}, empty},
	{"address in the hole", ALL, {{FIRST, ADDR, VQ_RIG_LOW}}, outside},
	{"address behind the end", ALL, {{SECOND, ADDR, VQ_RIG_HIGH_END}}, outside},
	{"writable piece in the hole", ALL, {{THIRD, ADDR, VQ_RIG_HIGH - 1}}, outside},
	{"into the hole by a byte", ALL, {{FIRST, ADDR, VQ_RIG_LOW - 15}}, outside},
	{"beyond the end by a byte", ALL, {{THIRD, ADDR, VQ_RIG_HIGH_END - 15}}, outside},
	{"largest address", ALL, {{FIRST, ADDR, UINT64_MAX}}, outside},
	{"wraps to 0", ALL, {{FIRST, ADDR, UINT64_MAX - 15}}, outside},
	{"wraps beyond 0", ALL, {{SECOND, ADDR, UINT64_MAX - 7}}, outside},
	{"across the hole", ALL, {{FIRST, ADDR, 0}, {FIRST, LEN, VQ_RIG_HIGH + 1}}, outside},
	{"largest length", ALL, {{THIRD, LEN, UINT32_MAX}}, outside},
	{"writable, readable, writable", ALL, {{FIRST, FLAGS, WRITE}}, order},
	{"readable at last", ALL, {{SECOND, FLAGS, WRITE}, {THIRD, FLAGS, WRITE}}, order},
	{"indirect at first", CHAIN, {{FIRST, FLAGS, INDIRECT | NEXT}}, not_negotiated},
	{"indirect at last", CHAIN, {{THIRD, FLAGS, INDIRECT}}, not_negotiated},
	{"indirect, alone", LIST, {{FIRST, FLAGS, INDIRECT | NEXT}}, not_negotiated},
	{"indirect at first of a list", LIST, {{FIRST, FLAGS, INDIRECT}}, in_list},
	{"indirect at last of a list", LIST, {{THIRD, FLAGS, INDIRECT}}, in_list},
	{"table, and then more", TABLE, {{REFERENCE, FLAGS, NEXT}}, not_last},
	{"table as the first of a list", PACKED_TABLE, {{REFERENCE, FLAGS, NEXT}}, in_list},
	{"table in a table", TABLE, {{SECOND, FLAGS, INDIRECT}}, nested},
	{"table at the end of a table", TABLE, {{THIRD, FLAGS, INDIRECT}}, nested},
	{"table of no bytes", TABLES, {{REFERENCE, LEN, 0}}, bad_length},
	{"table of half a descriptor", TABLES, {{REFERENCE, LEN, 8}}, bad_length},
	{"table of a byte more", TABLES, {{REFERENCE, LEN, 49}}, bad_length},
	{"table of the largest length", TABLES, {{REFERENCE, LEN, UINT32_MAX}}, bad_length},
	{"table longer than the queue", TABLES, {{REFERENCE, LEN, 16 * 9}}, long_table},
	{"table as long as can be", TABLES, {{REFERENCE, LEN, 0xfffffff0}}, long_table},
	{"table in the hole", TABLES, {{REFERENCE, ADDR, VQ_RIG_LOW}}, table_outside},
	{"table into the hole", TABLES, {{REFERENCE, ADDR, VQ_RIG_LOW - 32}}, table_outside},
	{"table wraps", TABLES, {{REFERENCE, ADDR, UINT64_MAX - 31}}, table_outside},
	{"table beyond the end", TABLES, {{REFERENCE, ADDR, VQ_RIG_HIGH_END - 47}}, table_outside},
	{"another round's mark at second", LIST, {{SECOND, FLAGS, AVAIL | USED}}, not_available},
	{"another round's mark at last", LIST, {{THIRD, FLAGS, AVAIL | USED}}, not_available},
	{"marked as used", LIST, {{SECOND, FLAGS, USED}}, not_available},
	{"marked as neither", LIST, {{THIRD, FLAGS, AVAIL}}, not_available},
	{"list without end", LIST, {{THIRD, FLAGS, NEXT}}, not_available},
	{"id is the size", LIST, {{THIRD, LINK, 8}}, bad_id},
	{"id is the largest number", LIST, {{THIRD, LINK, 65535}}, bad_id},
	{"id of a table is the size", PACKED_TABLE, {{REFERENCE, LINK, 8}}, bad_id},
	{"id is in use", LIST, {{THIRD, LINK, 0}}, id_in_use},
	{"id of a table is in use", PACKED_TABLE, {{REFERENCE, LINK, 0}}, id_in_use},
};

static void patch_split(struct vring_desc *desc, const struct patch *patch)
{
	switch (patch->field) {
	case NOTHING:
		break;
	case ADDR:
		desc->addr = patch->value;
		break;
	case LEN:
		desc->len = (uint32_t)patch->value;
		break;
	case LINK:
		desc->next = (uint16_t)patch->value;
		break;
	case FLAGS:
		desc->flags ^= (uint16_t)patch->value;
		break;
	}
}

static void patch_packed(struct vring_packed_desc *desc, const struct patch *patch)
{
	switch (patch->field) {
	case NOTHING:
		break;
	case ADDR:
		desc->addr = patch->value;
		break;
	case LEN:
		desc->len = (uint32_t)patch->value;
		break;
	case LINK:
		desc->id = (uint16_t)patch->value;
		break;
	case FLAGS:
		desc->flags ^= (uint16_t)patch->value;
		break;
	}
}

/* The spoilt buffer comes second: @where says how it is made. */
static void apply(struct vq_rig *rig, unsigned int where, const struct patch *patch)
{
	struct driver_ring *ring = &rig->ring;
	const bool in_table = where & TABLES && patch->which != REFERENCE;
	const uint64_t table = ring->indirect_at + 1 * ring->layout.size * 16;
	const unsigned int i = in_table			   ? patch->which
			       : patch->which == REFERENCE ? 1
							   : 1 + patch->which;
	void *descs = in_table ? gmem_at(rig->gmem, table, 16 * 8)
			       : gmem_at(rig->gmem, ring->layout.desc, 16 * 8);

	if (ring->layout.packed)
		patch_packed((struct vring_packed_desc *)descs + i, patch);
	else
		patch_split((struct vring_desc *)descs + i, patch);
}

/* The queue is broken, says why, and touches the ring no more; @flight is in flight. */
static void check_broken(struct vq_rig *rig, const char *name, struct vq_request *flight,
			 const char *error)
{
	const size_t size = rig->ring.indirect_at - VQ_RIG_RING;
	uint8_t *ring = gmem_at(rig->gmem, VQ_RIG_RING, size);
	_cleanup_(freep) uint8_t *before = malloc(size);
	struct vq_request *request;

	vq_rig_expect(rig, name, vq_pop(rig->vq, &request) == -EPROTO);
	if (strcmp(vq_error(rig->vq), error) != 0)
		fail_msg("%s: %s: %s", rig->name, name, vq_error(rig->vq));
	assert_non_null(before);
	memcpy(before, ring, size);
	vq_rig_expect(rig, name, vq_pop(rig->vq, &request) == -EPROTO);
	vq_push(rig->vq, flight, 0);
	vq_notify(rig->vq);
	vq_rig_expect(rig, name, vq_live(rig->vq));
	vq_rig_expect(rig, name, memcmp(before, ring, size) == 0);
	vq_rig_expect(rig, name, rig->interrupts == 0);
	vq_rig_restart(rig);
	vq_rig_expect(rig, name, rig->drained == 1 && !vq_error(rig->vq));
	vq_rig_add(rig, 2, 1);
	vq_push(rig->vq, vq_rig_pop(rig), 0);
}

static unsigned int where_of(const struct vq_layout *layout)
{
	if (layout->packed)
		return layout->indirect ? PACKED_TABLE : LIST;
	return layout->indirect ? TABLE : CHAIN;
}

static void run_descriptor_lie(size_t row, const struct vq_rig_kind *kind)
{
	const unsigned int where = where_of(&kind->layout);
	const char *name = descriptor_lies[row].name;
	struct vq_request *flight;
	struct vq_rig rig;

	vq_rig_init(&rig, kind, 8);
	vq_rig_add(&rig, 1, 0);
	flight = vq_rig_pop(&rig);
	vq_rig_expect(&rig, name, vq_rig_add(&rig, 2, 1) == 1);
	for (size_t i = 0; i < ARRAY_SIZE(descriptor_lies[row].patches); i++)
		apply(&rig, where, &descriptor_lies[row].patches[i]);
	if (descriptor_lies[row].error)
		check_broken(&rig, name, flight, descriptor_lies[row].error);
	else
		vq_push(rig.vq, vq_rig_pop(&rig), 16);
	vq_rig_deinit(&rig);
}

static void lying_descriptors_are_found(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(descriptor_lies); i++)
		for (size_t kind = 0; kind < VQ_RIG_KINDS; kind++)
			if (descriptor_lies[i].where & where_of(&vq_rig_kinds[kind].layout))
				run_descriptor_lie(i, &vq_rig_kinds[kind]);
}

/* Lies of the ring itself. Request 0 is in flight, buffer 1 available and good. */

static void run_ahead(struct vq_rig *rig)
{
	rig->ring.avail->idx += 8;
}

static void run_back(struct vq_rig *rig)
{
	rig->ring.avail->idx -= 2;
}

static void run_far_ahead(struct vq_rig *rig)
{
	rig->ring.avail->idx += 0x8000;
}

static void name_head_8(struct vq_rig *rig)
{
	rig->ring.avail->ring[1] = 8;
}

static void name_largest_head(struct vq_rig *rig)
{
	rig->ring.avail->ring[1] = 0xffff;
}

static void name_head_in_flight(struct vq_rig *rig)
{
	rig->ring.avail->ring[1] = 0;
}

/* All of the ring again and again, always marked as it must be. */
static void make_endless_list(struct vq_rig *rig)
{
	for (unsigned int i = 0; i < 9; i++)
		rig->ring.packed[i % 8] =
			(struct vring_packed_desc) {VQ_RIG_DATA, 16, 1,
						    NEXT | (i < 8 ? AVAIL : USED)};
}

/* A list of eight, where there is room for seven. */
static void make_list_too_long(struct vq_rig *rig)
{
	for (unsigned int i = 1; i < 9; i++)
		rig->ring.packed[i % 8] = (struct vring_packed_desc) {VQ_RIG_DATA, 16, 1,
								      i < 8 ? NEXT | AVAIL : USED};
}

static const struct {
	const char *name;
	bool packed;
	void (*lie)(struct vq_rig *rig);
	const char *error;
} ring_lies[] = {
	{"index ahead by one too many", false, run_ahead, ahead},
	{"index goes back", false, run_back, ahead},
	{"index half way round", false, run_far_ahead, ahead},
	{"head is the size", false, name_head_8, bad_head},
	{"head is the largest number", false, name_largest_head, bad_head},
	{"head is in flight", false, name_head_in_flight, head_in_use},
	{"list that goes round and round", true, make_endless_list, too_many},
	{"list over what is in flight", true, make_list_too_long, too_many},
};

static void lying_rings_are_found(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ring_lies) * VQ_RIG_KINDS; i++) {
		const struct vq_rig_kind *kind = &vq_rig_kinds[i % VQ_RIG_KINDS];
		const size_t row = i / VQ_RIG_KINDS;
		struct vq_request *flight;
		struct vq_rig rig;

		if (kind->layout.packed != ring_lies[row].packed)
			continue;
		vq_rig_init(&rig, kind, 8);
		vq_rig_add(&rig, 1, 0);
		flight = vq_rig_pop(&rig);
		vq_rig_expect(&rig, ring_lies[row].name, vq_rig_add(&rig, 1, 0) == 1);
		ring_lies[row].lie(&rig);
		check_broken(&rig, ring_lies[row].name, flight, ring_lies[row].error);
		vq_rig_deinit(&rig);
	}
}

/* As many requests as the ring has entries are in flight, and one of them comes once more. */
static void nothing_comes_twice(void **state)
{
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		struct vq_request *flight[8], *request;
		struct vq_rig rig;

		vq_rig_init(&rig, &vq_rig_kinds[i], 8);
		for (unsigned int j = 0; j < 8; j++) {
			vq_rig_add(&rig, 1, 0);
			flight[j] = vq_rig_pop(&rig);
		}
		/* Buffer 0 of the next round is the same as that of this one. */
		if (rig.ring.layout.packed)
			rig.ring.packed[0].flags ^= AVAIL | USED;
		else
			rig.ring.avail->idx++;
		vq_rig_expect(&rig, "twice", vq_pop(rig.vq, &request) == -EPROTO);
		assert_string_equal(vq_error(rig.vq),
				    rig.ring.layout.packed ? id_in_use : head_in_use);
		for (unsigned int j = 0; j < 8; j++)
			vq_push(rig.vq, flight[j], 0);
		vq_rig_deinit(&rig);
	}
}

/* 2.7.5.2, 2.8: what a chain has in all fits 32 bits. */
static void chain_of_4_gib_is_refused(void **state)
{
	for (size_t i = 0; i < VQ_RIG_KINDS; i++) {
		const struct vq_rig_kind *kind = &vq_rig_kinds[i];
		struct vq_request *request;
		struct driver_sg sg[128];
		struct vq_rig rig;

		vq_rig_init(&rig, kind, 128);
		for (size_t j = 0; j < ARRAY_SIZE(sg); j++)
			sg[j] = (struct driver_sg) {0, (uint32_t)VQ_RIG_LOW};
		driver_ring_add_direct(&rig.ring, sg, 100, 27);
		request = vq_rig_pop(&rig);
		vq_rig_expect(&rig, "readable", request->readable.len == 100 * VQ_RIG_LOW);
		vq_rig_expect(&rig, "writable", request->writable.len == 27 * VQ_RIG_LOW);
		vq_push(rig.vq, request, 0);
		vq_rig_restart(&rig);
		driver_ring_add_direct(&rig.ring, sg, 100, 28);
		vq_rig_expect(&rig, "4 GiB", vq_pop(rig.vq, &request) == -EPROTO);
		assert_string_equal(vq_error(rig.vq), too_large);
		vq_rig_deinit(&rig);
	}
}

/* 2.7.5.3.1: a table counts in full with the chain that it ends. */
static void chain_and_its_table_are_not_longer_than_the_queue(void **state)
{
	for (unsigned int direct = 1; direct < 8; direct++)
		for (unsigned int spare = 0; spare < 2; spare++) {
			struct vq_request *request;
			struct driver_sg sg[8];
			struct vq_rig rig;

			vq_rig_init(&rig, &vq_rig_kinds[1], 8);
			for (unsigned int i = 0; i < 8; i++)
				sg[i] = (struct driver_sg) {VQ_RIG_DATA, 1};
			vq_rig_add(&rig, 9 - direct - spare, 0);
			rig.ring.desc[direct] =
				(struct vring_desc) {rig.ring.indirect_at,
						     (9 - direct - spare) * 16, INDIRECT, 0};
			for (unsigned int i = 0; i < direct; i++)
				rig.ring.desc[i] = (struct vring_desc) {sg[i].gpa, sg[i].len, NEXT,
									(uint16_t)(i + 1)};
			/* A table of one was not made by the driver. */
			if (9 - direct - spare == 1)
				gmem_write(rig.gmem, rig.ring.indirect_at,
					   &(struct vring_desc) {VQ_RIG_DATA, 1, 0, 0}, 16);
			assert_int_equal(vq_pop(rig.vq, &request), spare ? 1 : -EPROTO);
			if (spare)
				vq_push(rig.vq, request, 0);
			else
				assert_string_equal(vq_error(rig.vq), loops);
			vq_rig_deinit(&rig);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lying_descriptors_are_found),
		cmocka_unit_test(lying_rings_are_found),
		cmocka_unit_test(nothing_comes_twice),
		cmocka_unit_test(chain_of_4_gib_is_refused),
		cmocka_unit_test(chain_and_its_table_are_not_longer_than_the_queue),
	};

	return cmocka_run_group_tests_name("vq_hostile", tests, NULL, NULL);
}
