/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk_range.c - discard and write-zeroes requests of a virtio block device.
 *
 * The argument chooses the loop: "epoll" or "uring".
 */
#include <endian.h>
#include <errno.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "blk_rig.h"

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)

#define DISCARD VIRTIO_BLK_T_DISCARD
#define ZEROES	VIRTIO_BLK_T_WRITE_ZEROES
#define UNMAP	VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP

#define SECTORS (BLK_RIG_SIZE / SECTOR)

static struct blk_rig rig;

struct segment {
	uint64_t sector;
	uint32_t n, flags;
};

static void init(bool discard)
{
	const struct blk_rig_options options = {
		.blk.discard = discard,
		.features = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC),
	};

	blk_rig_init(&rig, &options);
}

/* A request of @n segments, of which @cut bytes are missing, cut into pieces of @piece bytes. */
static uint8_t send(uint32_t type, const struct segment *segments, uint32_t n, uint32_t cut,
		    uint32_t piece)
{
	static struct virtio_blk_discard_write_zeroes wire[64];
	uint32_t cuts[100] = {0};
	struct blk_call call = {.type = type,
				.out = wire,
				.out_len = n * (uint32_t)sizeof(wire[0]) - cut,
				.out_cuts = piece ? cuts : NULL};

	for (uint32_t i = 0; i < n; i++)
		wire[i] = (struct virtio_blk_discard_write_zeroes) {
			.sector = htole64(segments[i].sector),
			.num_sectors = htole32(segments[i].n),
			.flags = htole32(segments[i].flags),
		};
	for (uint32_t i = 0; piece && i < ARRAY_SIZE(cuts) - 1; i++)
		cuts[i] = piece;
	blk_rig_call(&rig, &call);
	assert_int_equal(call.used, 1);
	return call.status;
}

static void expect_zeroes(const struct segment *segment)
{
	memset(rig.image + segment->sector * SECTOR, 0, (size_t)segment->n * SECTOR);
}

static const struct segment scattered[] = {
	{0, 8, 0}, {9, 1, 0}, {100, 0, 0}, {17, 777, 0}, {SECTORS - 3, 3, 0}, {2000, 2048, 0},
};

static void a_discard_frees_its_ranges_on_the_host(void **state)
{
	const struct segment all = {8, SECTORS - 16, 0};
	uint64_t before;

	init(true);
	before = blk_rig_disk_bytes(&rig);
	assert_true(before >= BLK_RIG_SIZE);
	assert_int_equal(send(DISCARD, &all, 1, 0, 0), VIRTIO_BLK_S_OK);
	assert_true(blk_rig_disk_bytes(&rig) <= before / 16);
	/* Here, that is. The driver may rely on nothing. */
	expect_zeroes(&all);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static const struct {
	const char *name;
	uint32_t type, flags;
	bool discard; /* the disk's option */
	int mode;     /* of fallocate() */
} kinds[] = {
	{"discard", DISCARD, 0, true, PUNCH},
	{"zeroes", ZEROES, 0, true, ZERO},
	{"zeroes, may unmap", ZEROES, UNMAP, true, PUNCH},
	{"zeroes, without discard", ZEROES, 0, false, ZERO},
	{"zeroes, may unmap, without discard", ZEROES, UNMAP, false, ZERO},
};

static void carries_out_each_segment_and_nothing_else(void **state)
{
	static const uint32_t pieces[] = {0, 1, 7, 16, 19};
	struct segment segments[ARRAY_SIZE(scattered)];
	struct io_record records[ARRAY_SIZE(scattered)];

	for (size_t i = 0; i < ARRAY_SIZE(kinds) * ARRAY_SIZE(pieces); i++) {
		const uint32_t piece = pieces[i % ARRAY_SIZE(pieces)];
		const char *name = kinds[i / ARRAY_SIZE(pieces)].name;
		const size_t kind = i / ARRAY_SIZE(pieces);
		unsigned int n;

		/* Byte by byte there is no room in the queue for more than these. */
		const uint32_t segments_n = piece == 1 ? 5 : ARRAY_SIZE(scattered);

		init(kinds[kind].discard);
		for (size_t j = 0; j < segments_n; j++) {
			segments[j] = scattered[j];
			segments[j].flags = kinds[kind].flags;
			expect_zeroes(&segments[j]);
		}
		if (send(kinds[kind].type, segments, segments_n, 0, piece) != VIRTIO_BLK_S_OK)
			fail_msg("%s, pieces of %u", name, piece);
		blk_rig_check(&rig);
		n = io_tap_records(&rig.tap, records, ARRAY_SIZE(records));
		assert_int_equal(n, segments_n - 1); /* one is empty */
		for (unsigned int j = 0; j < n; j++)
			if (records[j].op != LOOP_IO_ALLOCATE ||
			    records[j].mode != kinds[kind].mode)
				fail_msg("%s: operation %d, mode %d", name, records[j].op,
					 records[j].mode);
		blk_rig_deinit(&rig);
	}
}

/* 5.2.6.2: after a write zeroes command, reads MUST return zeroes, unmap set or clear. */
static void zeroes_are_read_back_whatever_the_file_system_lacks(void **state)
{
	static const struct {
		const char *name;
		uint32_t flags;
		int lacking[2];
		enum loop_io_op last;
	} cases[] = {
		{"no zeroing", 0, {FALLOC_FL_ZERO_RANGE}, LOOP_IO_WRITE},
		{"no holes", UNMAP, {FALLOC_FL_PUNCH_HOLE}, LOOP_IO_ALLOCATE},
		{"neither", UNMAP, {FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE}, LOOP_IO_WRITE},
	};
	/* One whole operation of 1 MiB, one of nine whole pieces of 64 KiB, and the rest. */
	const struct segment segment = {5, 2048 + 9 * 128 + 77, 0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct segment now = segment;

		init(true);
		for (size_t j = 0; j < 2 && cases[i].lacking[j]; j++) {
			const struct io_rule rule = {.op = LOOP_IO_ALLOCATE,
						     .mode = cases[i].lacking[j],
						     .times = 1,
						     .result = -EOPNOTSUPP};

			io_tap_rule(&rig.tap, &rule);
		}
		now.flags = cases[i].flags;
		if (send(ZEROES, &now, 1, 0, 0) != VIRTIO_BLK_S_OK)
			fail_msg("%s", cases[i].name);
		expect_zeroes(&now);
		blk_rig_check(&rig);
		/* What it lacks is not asked for again: the rule would not refuse it now. */
		io_tap_clear(&rig.tap);
		blk_rig_fill(&rig, rig.image, MIB);
		assert_int_equal(blk_rig_write(&rig, 0, rig.image, MIB), VIRTIO_BLK_S_OK);
		io_tap_clear(&rig.tap);
		now.sector = 1;
		now.n = 100;
		assert_int_equal(send(ZEROES, &now, 1, 0, 0), VIRTIO_BLK_S_OK);
		assert_int_equal(io_tap_count(&rig.tap, cases[i].last), 1);
		assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 1);
		expect_zeroes(&now);
		blk_rig_check(&rig);
		blk_rig_deinit(&rig);
	}
}

/* A block device takes whole blocks only. */
static void zeroes_for_which_a_range_is_not_aligned_are_written(void **state)
{
	const struct io_rule rule = {.op = LOOP_IO_ALLOCATE, .times = 2, .result = -EINVAL};
	const struct segment segment = {1, 3, UNMAP};

	init(true);
	io_tap_rule(&rig.tap, &rule);
	assert_int_equal(send(ZEROES, &segment, 1, 0, 0), VIRTIO_BLK_S_OK);
	expect_zeroes(&segment);
	blk_rig_check(&rig);
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_WRITE), 1);
	/* That says nothing of the next range. */
	io_tap_clear(&rig.tap);
	assert_int_equal(send(ZEROES, &segment, 1, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_ALLOCATE), 1);
	blk_rig_deinit(&rig);
}

/* 5.2.6.2: the device MAY deallocate. */
static void a_discard_that_the_host_cannot_do_succeeds_undone(void **state)
{
	const struct io_rule rule = {.op = LOOP_IO_ALLOCATE, .times = 1, .result = -EOPNOTSUPP};
	const struct segment segment = {8, 64, 0};

	init(true);
	io_tap_rule(&rig.tap, &rule);
	assert_int_equal(send(DISCARD, &segment, 1, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(send(DISCARD, &segment, 1, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 1);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void zeroes_written_short_or_interrupted_go_on(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_ALLOCATE, .times = 1, .result = -EINTR},
		{.op = LOOP_IO_ALLOCATE, .times = 1, .result = -EOPNOTSUPP},
		{.op = LOOP_IO_WRITE, .times = 3, .result = 12345},
		{.op = LOOP_IO_WRITE, .times = 1, .result = -EINTR},
	};
	const struct segment segment = {7, 300, 0};

	init(false);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		io_tap_rule(&rig.tap, &rules[i]);
	assert_int_equal(send(ZEROES, &segment, 1, 0, 0), VIRTIO_BLK_S_OK);
	expect_zeroes(&segment);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void errors_of_the_host_fail_the_request(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_ALLOCATE, .times = 1, .result = -EIO},
		{.op = LOOP_IO_ALLOCATE, .times = 1, .result = -ENOSPC},
	};
	static const struct io_rule cannot = {.op = LOOP_IO_ALLOCATE,
					      .times = 1,
					      .result = -EOPNOTSUPP};
	static const struct io_rule full = {.op = LOOP_IO_WRITE, .times = 1, .result = -ENOSPC};
	const struct segment segments[] = {{8, 8, 0}, {32, 8, 0}};

	init(true);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		io_tap_clear(&rig.tap);
		io_tap_rule(&rig.tap, &rules[i]);
		assert_int_equal(send(i ? ZEROES : DISCARD, segments, 2, 0, 0), VIRTIO_BLK_S_IOERR);
		/* It ends there. */
		assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 1);
	}
	io_tap_rule(&rig.tap, &cannot);
	io_tap_rule(&rig.tap, &full);
	assert_int_equal(send(ZEROES, segments, 2, 0, 0), VIRTIO_BLK_S_IOERR);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

/* What a driver must not send: no segment of it is carried out. */
static const struct {
	const char *name;
	uint32_t type, n, cut;
	struct segment segments[18];
	uint8_t status;
} refused[] = {
	{"discard with unmap", DISCARD, 1, 0, {{0, 8, 1}}, VIRTIO_BLK_S_UNSUPP},
	{"discard with an unknown flag", DISCARD, 1, 0, {{0, 8, 2}}, VIRTIO_BLK_S_UNSUPP},
	{"discard with the last flag", DISCARD, 1, 0, {{0, 8, 1u << 31}}, VIRTIO_BLK_S_UNSUPP},
	{"zeroes with an unknown flag", ZEROES, 1, 0, {{0, 8, 2}}, VIRTIO_BLK_S_UNSUPP},
	{"zeroes with unmap and more", ZEROES, 1, 0, {{0, 8, 3}}, VIRTIO_BLK_S_UNSUPP},
	{"an unknown flag in the second",
	 ZEROES,
	 2,
	 0,
	 {{0, 8, 0}, {16, 8, 4}},
	 VIRTIO_BLK_S_UNSUPP},
	{"an unknown flag past the end", ZEROES, 1, 0, {{SECTORS, 8, 4}}, VIRTIO_BLK_S_UNSUPP},
	{"an unknown flag behind one past the end",
	 DISCARD,
	 2,
	 0,
	 {{SECTORS, 8, 0}, {0, 1, 4}},
	 VIRTIO_BLK_S_UNSUPP},
	{"no segment", DISCARD, 0, 0, {{0}}, VIRTIO_BLK_S_IOERR},
	{"no segment of zeroes", ZEROES, 0, 0, {{0}}, VIRTIO_BLK_S_IOERR},
	{"a byte short", DISCARD, 1, 1, {{0, 8, 0}}, VIRTIO_BLK_S_IOERR},
	{"a byte short of two", ZEROES, 2, 1, {{0, 8, 0}, {16, 8, 0}}, VIRTIO_BLK_S_IOERR},
	{"a segment and a byte", ZEROES, 2, 15, {{0, 8, 0}, {16, 8, 0}}, VIRTIO_BLK_S_IOERR},
	{"more segments than offered", DISCARD, 17, 0, {{0, 8, 0}}, VIRTIO_BLK_S_IOERR},
	{"more segments of zeroes than offered", ZEROES, 17, 0, {{0, 8, 0}}, VIRTIO_BLK_S_IOERR},
	{"past the end", DISCARD, 1, 0, {{SECTORS, 1, 0}}, VIRTIO_BLK_S_IOERR},
	{"zeroes across the end", ZEROES, 1, 0, {{SECTORS - 1, 2, 0}}, VIRTIO_BLK_S_IOERR},
	{"the second past the end", ZEROES, 2, 0, {{0, 8, 0}, {SECTORS, 1, 0}}, VIRTIO_BLK_S_IOERR},
	{"sectors that wrap", DISCARD, 1, 0, {{UINT64_MAX, 2, 0}}, VIRTIO_BLK_S_IOERR},
	{"bytes that wrap", ZEROES, 1, 0, {{UINT64_C(1) << 55, 8, 0}}, VIRTIO_BLK_S_IOERR},
	{"all sectors that can be named", ZEROES, 1, 0, {{0, UINT32_MAX, 0}}, VIRTIO_BLK_S_IOERR},
};

static void refuses_what_cannot_be_and_carries_out_none_of_it(void **state)
{
	init(true);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const uint8_t status =
			send(refused[i].type, refused[i].segments, refused[i].n, refused[i].cut, 0);

		if (status != refused[i].status)
			fail_msg("%s: status %u", refused[i].name, status);
		if (io_tap_records(&rig.tap, NULL, 0) != 0)
			fail_msg("%s: the host was asked", refused[i].name);
	}
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void more_sectors_than_offered_are_refused(void **state)
{
	const struct blk_rig_options options = {
		.blk.discard = true,
		.size = 2 * GIB,
		.zeroes = 2 * GIB - MIB,
	};
	struct segment segment = {0, 0, 0};

	blk_rig_init(&rig, &options);
	segment.n = le32toh(blk_rig_config(&rig).max_discard_sectors);
	assert_int_equal(segment.n, le32toh(blk_rig_config(&rig).max_write_zeroes_sectors));
	assert_int_equal(send(DISCARD, &segment, 1, 0, 0), VIRTIO_BLK_S_OK);
	segment.n++;
	assert_int_equal(send(DISCARD, &segment, 1, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(send(ZEROES, &segment, 1, 0, 0), VIRTIO_BLK_S_IOERR);
	blk_rig_deinit(&rig);
}

static void as_many_segments_as_offered_are_carried_out(void **state)
{
	struct segment segments[64];
	uint32_t n;

	init(true);
	n = le32toh(blk_rig_config(&rig).max_write_zeroes_seg);
	assert_int_equal(n, le32toh(blk_rig_config(&rig).max_discard_seg));
	assert_in_range(n, 1, ARRAY_SIZE(segments) - 1);
	for (uint32_t i = 0; i < n; i++) {
		segments[i] = (struct segment) {i * 20, 10, i & 1 ? UNMAP : 0};
		expect_zeroes(&segments[i]);
	}
	assert_int_equal(send(ZEROES, segments, n, 0, 0), VIRTIO_BLK_S_OK);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void a_driver_that_has_not_negotiated_it_is_told_unsupported(void **state)
{
	const struct blk_rig_options options = {
		.blk.discard = true,
		.without = VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) |
			   VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES),
	};
	const struct segment segment = {0, 8, 0};

	blk_rig_init(&rig, &options);
	assert_int_equal(send(DISCARD, &segment, 1, 0, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(send(ZEROES, &segment, 1, 0, 0), VIRTIO_BLK_S_UNSUPP);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void zeroes_are_stable_for_a_driver_without_flush(void **state)
{
	const struct blk_rig_options options = {
		.without = VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH),
	};
	const struct segment segments[] = {{0, 8, 0}, {16, 8, 0}};
	struct io_record records[3];

	blk_rig_init(&rig, &options);
	assert_int_equal(send(ZEROES, segments, 2, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(io_tap_records(&rig.tap, records, 3), 3);
	assert_int_equal(records[2].op, LOOP_IO_SYNC);
	blk_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_discard_frees_its_ranges_on_the_host),
		cmocka_unit_test(carries_out_each_segment_and_nothing_else),
		cmocka_unit_test(zeroes_are_read_back_whatever_the_file_system_lacks),
		cmocka_unit_test(zeroes_for_which_a_range_is_not_aligned_are_written),
		cmocka_unit_test(a_discard_that_the_host_cannot_do_succeeds_undone),
		cmocka_unit_test(zeroes_written_short_or_interrupted_go_on),
		cmocka_unit_test(errors_of_the_host_fail_the_request),
		cmocka_unit_test(refuses_what_cannot_be_and_carries_out_none_of_it),
		cmocka_unit_test(more_sectors_than_offered_are_refused),
		cmocka_unit_test(as_many_segments_as_offered_are_carried_out),
		cmocka_unit_test(a_driver_that_has_not_negotiated_it_is_told_unsupported),
		cmocka_unit_test(zeroes_are_stable_for_a_driver_without_flush),
	};

	if (!blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
