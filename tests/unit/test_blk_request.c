/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk_request.c - requests to a virtio block device, sound and not: reads and writes.
 *
 * The argument chooses the loop: "epoll" or "uring".
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blk_rig.h"

#define RINGS (VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX))

static struct blk_rig rig;

static void init(void)
{
	const struct blk_rig_options options = {.features = RINGS};

	blk_rig_init(&rig, &options);
}

/* How a driver may cut 16 bytes of header, 8192 of data, and a status. */
static const struct {
	const char *name;
	const uint32_t out[24];
	const uint32_t in[24];
	uint32_t skew;
} framings[] = {
	{"as Linux does", {16}, {8192}, 0},
	{"all in one piece", {0}, {0}, 0},
	{"header byte by byte", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {8192}, 0},
	{"header in two pieces, the second with data", {5, 11 + 512}, {512, 7680}, 0},
	{"header with a byte of data", {17}, {1, 8191}, 1},
	{"status with the last byte of data", {16, 8191}, {8191}, 3},
	{"odd pieces", {3, 1000, 1, 777, 4095, 2}, {3, 1000, 1, 777, 4095, 2}, 13},
	{"status behind a single byte", {16, 8190, 1}, {8191, 1}, 4095},
	{"pages", {16, 4096, 4096}, {4096, 4096}, 0},
	{"sectors", {16, 512, 512, 512, 512, 512}, {512, 512, 512, 512, 512}, 512},
};

static void transfers_with_any_framing_on_any_ring(void **state)
{
	uint8_t data[8192], back[8192];

	for (size_t r = 0; r < BLK_RINGS; r++) {
		const struct blk_rig_options options = {.features = blk_rings[r].features};

		blk_rig_init(&rig, &options);
		for (size_t i = 0; i < ARRAY_SIZE(framings); i++) {
			const uint64_t sector = blk_rig_random(&rig) % 8000;
			struct blk_call out = {.type = VIRTIO_BLK_T_OUT,
					       .sector = sector,
					       .out = data,
					       .out_len = sizeof(data),
					       .out_cuts = framings[i].out,
					       .skew = framings[i].skew};
			struct blk_call in = {.type = VIRTIO_BLK_T_IN,
					      .sector = sector,
					      .in = back,
					      .in_len = sizeof(back),
					      .in_cuts = framings[i].in,
					      .out_cuts = framings[i].out,
					      .skew = framings[i].skew};

			blk_rig_fill(&rig, data, sizeof(data));
			if (blk_rig_call(&rig, &out) != VIRTIO_BLK_S_OK || out.used != 1)
				fail_msg("%s, %s: status %u, length %u", blk_rings[r].name,
					 framings[i].name, out.status, out.used);
			memcpy(rig.image + sector * SECTOR, data, sizeof(data));
			if (blk_rig_call(&rig, &in) != VIRTIO_BLK_S_OK ||
			    in.used != sizeof(back) + 1)
				fail_msg("%s, %s: status %u, length %u", blk_rings[r].name,
					 framings[i].name, in.status, in.used);
			if (memcmp(data, back, sizeof(data)) != 0)
				fail_msg("%s, %s: other data", blk_rings[r].name, framings[i].name);
		}
		blk_rig_check(&rig);
		blk_rig_deinit(&rig);
	}
}

static void transfers_as_many_pieces_as_it_offers(void **state)
{
	const uint32_t pieces = 254;
	uint32_t cuts[256] = {16};
	_cleanup_(freep) uint8_t *data = malloc(pieces * SECTOR);
	struct blk_call call = {.type = VIRTIO_BLK_T_OUT,
				.sector = 3,
				.out = data,
				.out_len = pieces * SECTOR,
				.out_cuts = cuts};
	struct io_record record;

	init();
	assert_int_equal(le32toh(blk_rig_config(&rig).seg_max), pieces);
	for (uint32_t i = 1; i <= pieces; i++)
		cuts[i] = SECTOR;
	blk_rig_fill(&rig, data, pieces * SECTOR);
	assert_int_equal(blk_rig_call(&rig, &call), VIRTIO_BLK_S_OK);
	memcpy(rig.image + 3 * SECTOR, data, pieces * SECTOR);
	blk_rig_check(&rig);
	/* Straight from the guest's memory, in one operation. */
	assert_int_equal(io_tap_records(&rig.tap, &record, 1), 1);
	assert_int_equal(record.iov_n, pieces);
	blk_rig_deinit(&rig);
}

static void random_requests_in_flight_together_stay_apart(void **state)
{
	enum { CALLS = 48, ROUNDS = 30, LEN = 4096 };
	static struct blk_call calls[CALLS];
	static uint8_t data[CALLS][LEN];

	init();
	for (unsigned int round = 0; round < ROUNDS; round++) {
		/* Each call has its own part of the disk, so that no two overlap. */
		for (uint32_t i = 0; i < CALLS; i++) {
			const uint64_t sector = i * 170 + blk_rig_random(&rig) % 160;
			const bool write = blk_rig_random(&rig) & 1;
			const uint32_t len = SECTOR * (1 + blk_rig_random(&rig) % 8);

			blk_rig_fill(&rig, data[i], LEN);
			calls[i] = (struct blk_call) {.sector = sector};
			if (write) {
				calls[i].type = VIRTIO_BLK_T_OUT;
				calls[i].out = data[i];
				calls[i].out_len = len;
				memcpy(rig.image + sector * SECTOR, data[i], len);
			} else {
				calls[i].type = VIRTIO_BLK_T_IN;
				calls[i].in = data[i];
				calls[i].in_len = len;
			}
			blk_rig_send(&rig, &calls[i]);
		}
		for (uint32_t i = 0; i < CALLS; i++) {
			blk_rig_wait(&rig, &calls[i]);
			assert_int_equal(calls[i].status, VIRTIO_BLK_S_OK);
			if (calls[i].type == VIRTIO_BLK_T_IN)
				assert_memory_equal(data[i], rig.image + calls[i].sector * SECTOR,
						    calls[i].in_len);
		}
	}
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void reads_and_writes_the_first_and_the_last_sector(void **state)
{
	const uint64_t last = BLK_RIG_SIZE / SECTOR - 1;
	uint8_t data[SECTOR], back[SECTOR];

	init();
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_write(&rig, 0, data, SECTOR), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_rig_read(&rig, 0, back, SECTOR), VIRTIO_BLK_S_OK);
	assert_memory_equal(back, data, SECTOR);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_write(&rig, last, data, SECTOR), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_rig_read(&rig, last, back, SECTOR), VIRTIO_BLK_S_OK);
	assert_memory_equal(back, data, SECTOR);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

/* What a driver must not send. The host is not asked for anything. */
static const struct {
	const char *name;
	uint32_t type;
	uint64_t sector;
	uint32_t len, header_cut;
	uint8_t status;
} refused[] = {
	{"read past the end", VIRTIO_BLK_T_IN, 8192, 512, 0, VIRTIO_BLK_S_IOERR},
	{"write past the end", VIRTIO_BLK_T_OUT, 8192, 512, 0, VIRTIO_BLK_S_IOERR},
	{"read across the end", VIRTIO_BLK_T_IN, 8191, 1024, 0, VIRTIO_BLK_S_IOERR},
	{"write across the end", VIRTIO_BLK_T_OUT, 8191, 1024, 0, VIRTIO_BLK_S_IOERR},
	{"read of nothing past the end", VIRTIO_BLK_T_IN, 8193, 0, 0, VIRTIO_BLK_S_IOERR},
	{"last sector there is", VIRTIO_BLK_T_OUT, UINT64_MAX, 512, 0, VIRTIO_BLK_S_IOERR},
	{"sectors that wrap", VIRTIO_BLK_T_OUT, UINT64_MAX, 1024, 0, VIRTIO_BLK_S_IOERR},
	{"bytes that wrap to 0", VIRTIO_BLK_T_OUT, UINT64_C(1) << 55, 512, 0, VIRTIO_BLK_S_IOERR},
	{"bytes beyond an off_t", VIRTIO_BLK_T_IN, UINT64_C(1) << 54, 512, 0, VIRTIO_BLK_S_IOERR},
	{"read of a byte", VIRTIO_BLK_T_IN, 0, 1, 0, VIRTIO_BLK_S_IOERR},
	{"read of no whole sectors", VIRTIO_BLK_T_IN, 0, 1023, 0, VIRTIO_BLK_S_IOERR},
	{"write of a byte", VIRTIO_BLK_T_OUT, 0, 1, 0, VIRTIO_BLK_S_IOERR},
	{"write of no whole sectors", VIRTIO_BLK_T_OUT, 0, 513, 0, VIRTIO_BLK_S_IOERR},
	{"a header of 15 bytes", VIRTIO_BLK_T_IN, 0, 512, 1, VIRTIO_BLK_S_IOERR},
	{"a header of 8 bytes", VIRTIO_BLK_T_FLUSH, 0, 0, 8, VIRTIO_BLK_S_IOERR},
	{"a header of 1 byte", VIRTIO_BLK_T_IN, 0, 512, 15, VIRTIO_BLK_S_IOERR},
	{"no header", VIRTIO_BLK_T_IN, 0, 512, 16, VIRTIO_BLK_S_IOERR},
	{"SCSI command", 2, 0, 512, 0, VIRTIO_BLK_S_UNSUPP},
	{"SCSI command, out", 3, 0, 512, 0, VIRTIO_BLK_S_UNSUPP},
	{"legacy flush", 5, 0, 0, 0, VIRTIO_BLK_S_UNSUPP},
	{"reserved type 6", 6, 0, 0, 0, VIRTIO_BLK_S_UNSUPP},
	{"get lifetime", 10, 0, 6, 0, VIRTIO_BLK_S_UNSUPP},
	{"reserved type 12", 12, 0, 512, 0, VIRTIO_BLK_S_UNSUPP},
	{"secure erase", 14, 0, 16, 0, VIRTIO_BLK_S_UNSUPP},
	{"zone append", 15, 0, 512, 0, VIRTIO_BLK_S_UNSUPP},
	{"zone report", 16, 0, 4096, 0, VIRTIO_BLK_S_UNSUPP},
	{"zone open", 18, 0, 0, 0, VIRTIO_BLK_S_UNSUPP},
	{"zone close", 20, 0, 0, 0, VIRTIO_BLK_S_UNSUPP},
	{"zone finish", 22, 0, 0, 0, VIRTIO_BLK_S_UNSUPP},
	{"zone reset", 24, 0, 0, 0, VIRTIO_BLK_S_UNSUPP},
	{"zone reset all", 26, 0, 0, 0, VIRTIO_BLK_S_UNSUPP},
	{"legacy barrier", 0x80000000, 0, 512, 0, VIRTIO_BLK_S_UNSUPP},
	{"no type at all", 0xffffffff, 0, 512, 0, VIRTIO_BLK_S_UNSUPP},
	{"discard that was not offered", VIRTIO_BLK_T_DISCARD, 0, 16, 0, VIRTIO_BLK_S_UNSUPP},
};

static void refuses_what_cannot_be_and_leaves_the_host_alone(void **state)
{
	static const uint8_t data[4096];
	uint8_t in[4096];

	init();
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const bool out = refused[i].type == VIRTIO_BLK_T_OUT || refused[i].type == 14 ||
				 refused[i].type == VIRTIO_BLK_T_DISCARD;
		struct blk_call call = {.type = refused[i].type,
					.sector = refused[i].sector,
					.header_cut = refused[i].header_cut,
					.out = data,
					.out_len = out ? refused[i].len : 0,
					.in = in,
					.in_len = out ? 0 : refused[i].len};

		if (blk_rig_call(&rig, &call) != refused[i].status)
			fail_msg("%s: status %u", refused[i].name, call.status);
		/* 2.7.8.2: without a gap; the status comes after data that was not written. */
		if (call.used != (call.in_len ? 0 : 1))
			fail_msg("%s: length %u", refused[i].name, call.used);
		for (uint32_t byte = 0; byte < call.in_len; byte++)
			if (in[byte] != BLK_UNTOUCHED)
				fail_msg("%s: data was written", refused[i].name);
		if (io_tap_records(&rig.tap, NULL, 0) != 0)
			fail_msg("%s: the host was asked", refused[i].name);
	}
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void request_of_no_data_succeeds_without_the_host(void **state)
{
	struct blk_call in = {.type = VIRTIO_BLK_T_IN}, out = {.type = VIRTIO_BLK_T_OUT};

	init();
	assert_int_equal(blk_rig_call(&rig, &in), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_rig_call(&rig, &out), VIRTIO_BLK_S_OK);
	assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 0);
	blk_rig_deinit(&rig);
}

/* Neither a write nor a read can be answered then. */
static void request_without_room_for_a_status_needs_a_reset(void **state)
{
	static const uint8_t data[SECTOR];
	struct blk_call calls[] = {
		{.type = VIRTIO_BLK_T_OUT, .out = data, .out_len = SECTOR, .no_status = true},
		{.type = VIRTIO_BLK_T_IN, .no_status = true},
		{.header_cut = 15, .no_status = true},
	};
	uint8_t back[SECTOR];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		init();
		blk_rig_send(&rig, &calls[i]);
		assert_true(virtio_driver_needs_reset(&rig.driver));
		assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 0);
		blk_rig_check(&rig);
		/* And after a reset all is well. */
		blk_rig_restart(&rig, VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));
		assert_int_equal(blk_rig_read(&rig, 7, back, SECTOR), VIRTIO_BLK_S_OK);
		assert_memory_equal(back, rig.image + 7 * SECTOR, SECTOR);
		blk_rig_deinit(&rig);
	}
}

/* 5.2.6.2: IOERR for a write request, and no data written. */
static void a_readonly_disk_refuses_all_that_writes(void **state)
{
	static const struct blk_rig_options options = {.blk.readonly = true};
	static const uint32_t types[] = {VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_DISCARD,
					 VIRTIO_BLK_T_WRITE_ZEROES};
	static const uint8_t data[SECTOR];
	uint8_t back[SECTOR];

	blk_rig_init(&rig, &options);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct blk_call call = {.type = types[i],
					.out = data,
					.out_len = types[i] == VIRTIO_BLK_T_OUT ? SECTOR : 16};

		assert_int_equal(blk_rig_call(&rig, &call), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 0);
	assert_int_equal(blk_rig_read(&rig, 3, back, SECTOR), VIRTIO_BLK_S_OK);
	assert_memory_equal(back, rig.image + 3 * SECTOR, SECTOR);
	assert_int_equal(blk_rig_flush(&rig), VIRTIO_BLK_S_OK);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfers_with_any_framing_on_any_ring),
		cmocka_unit_test(transfers_as_many_pieces_as_it_offers),
		cmocka_unit_test(random_requests_in_flight_together_stay_apart),
		cmocka_unit_test(reads_and_writes_the_first_and_the_last_sector),
		cmocka_unit_test(refuses_what_cannot_be_and_leaves_the_host_alone),
		cmocka_unit_test(request_of_no_data_succeeds_without_the_host),
		cmocka_unit_test(request_without_room_for_a_status_needs_a_reset),
		cmocka_unit_test(a_readonly_disk_refuses_all_that_writes),
	};

	if (!blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
