/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk_flush.c - when what the guest has written is stable: flushes, and drivers without them.
 *
 * The argument chooses the loop: "epoll" or "uring".
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "blk_rig.h"

static struct blk_rig rig;

static void init(void)
{
	static const struct blk_rig_options options;

	blk_rig_init(&rig, &options);
}

static void a_flush_is_a_sync_that_begins_after_what_was_completed(void **state)
{
	uint8_t data[SECTOR];
	struct io_record records[3];
	struct blk_call flush = {.type = VIRTIO_BLK_T_FLUSH};

	init();
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_write(&rig, 5, data, SECTOR), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_rig_call(&rig, &flush), VIRTIO_BLK_S_OK);
	assert_int_equal(flush.used, 1);
	/* With FLUSH negotiated the write itself was not synced. */
	assert_int_equal(io_tap_records(&rig.tap, records, 3), 2);
	assert_int_equal(records[0].op, LOOP_IO_WRITE);
	assert_int_equal(records[1].op, LOOP_IO_SYNC);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void a_flush_is_not_complete_before_the_host_says_so(void **state)
{
	const struct io_rule rule = {.op = LOOP_IO_SYNC, .times = 1, .hold = true};
	struct blk_call flush = {.type = VIRTIO_BLK_T_FLUSH};
	uint8_t back[SECTOR];
	uint32_t used;

	init();
	io_tap_rule(&rig.tap, &rule);
	blk_rig_send(&rig, &flush);
	assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
	/* Others pass meanwhile. */
	assert_int_equal(blk_rig_read(&rig, 1, back, SECTOR), VIRTIO_BLK_S_OK);
	assert_false(flush.done);
	assert_int_equal(driver_ring_get(&rig.driver.rings[0], &used), -EAGAIN);
	io_tap_release(&rig.tap);
	blk_rig_wait(&rig, &flush);
	assert_int_equal(flush.status, VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
}

/* The host's kernel reports a failed write-back once, to whichever call comes first. */
static void flushes_in_flight_together_fail_together(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_SYNC, .times = 1, .hold = true},
		{.op = LOOP_IO_SYNC, .times = 1, .result = -EIO},
	};
	struct blk_call first = {.type = VIRTIO_BLK_T_FLUSH}, second = first;

	init();
	io_tap_rule(&rig.tap, &rules[0]);
	io_tap_rule(&rig.tap, &rules[1]);
	blk_rig_send(&rig, &first);
	assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
	assert_int_equal(blk_rig_call(&rig, &second), VIRTIO_BLK_S_IOERR);
	io_tap_release(&rig.tap);
	blk_rig_wait(&rig, &first);
	assert_int_equal(first.status, VIRTIO_BLK_S_IOERR);
	/* A later one is another matter. */
	assert_int_equal(blk_rig_flush(&rig), VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
}

/* It asks once more, but the host has told somebody else meanwhile. */
static void an_interrupted_flush_fails_with_another_that_failed(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_SYNC, .times = 1, .hold = true, .result = -EINTR},
		{.op = LOOP_IO_SYNC, .times = 1, .result = -EIO},
	};
	struct blk_call first = {.type = VIRTIO_BLK_T_FLUSH}, second = first;

	init();
	io_tap_rule(&rig.tap, &rules[0]);
	io_tap_rule(&rig.tap, &rules[1]);
	blk_rig_send(&rig, &first);
	assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
	assert_int_equal(blk_rig_call(&rig, &second), VIRTIO_BLK_S_IOERR);
	io_tap_release(&rig.tap);
	blk_rig_wait(&rig, &first);
	assert_int_equal(first.status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_SYNC), 3);
	blk_rig_deinit(&rig);
}

/* 5.2.6.2: stable writes, case 1. */
static void a_driver_without_flush_gets_writes_that_are_stable(void **state)
{
	const struct blk_rig_options options = {
		.without = VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH),
	};
	const struct io_rule hold = {.op = LOOP_IO_SYNC, .times = 1, .hold = true};
	const struct io_rule fail = {.op = LOOP_IO_SYNC, .times = 1, .result = -EIO};
	uint8_t data[SECTOR];
	struct blk_call call = {
		.type = VIRTIO_BLK_T_OUT, .sector = 11, .out = data, .out_len = SECTOR};
	struct io_record records[2];

	blk_rig_init(&rig, &options);
	assert_int_equal(blk_rig_read(&rig, 0, data, SECTOR), VIRTIO_BLK_S_OK);
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_SYNC), 0);
	io_tap_clear(&rig.tap);
	blk_rig_fill(&rig, data, sizeof(data));
	io_tap_rule(&rig.tap, &hold);
	blk_rig_send(&rig, &call);
	assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
	assert_int_equal(driver_ring_get(&rig.driver.rings[0], &call.used), -EAGAIN);
	assert_int_equal(io_tap_records(&rig.tap, records, 2), 2);
	assert_int_equal(records[0].op, LOOP_IO_WRITE);
	io_tap_release(&rig.tap);
	blk_rig_wait(&rig, &call);
	assert_int_equal(call.status, VIRTIO_BLK_S_OK);
	memcpy(rig.image + 11 * SECTOR, data, SECTOR);
	blk_rig_check(&rig);
	io_tap_rule(&rig.tap, &fail);
	assert_int_equal(blk_rig_call(&rig, &call), VIRTIO_BLK_S_IOERR);
	blk_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flush_is_a_sync_that_begins_after_what_was_completed),
		cmocka_unit_test(a_flush_is_not_complete_before_the_host_says_so),
		cmocka_unit_test(flushes_in_flight_together_fail_together),
		cmocka_unit_test(an_interrupted_flush_fails_with_another_that_failed),
		cmocka_unit_test(a_driver_without_flush_gets_writes_that_are_stable),
	};

	if (!blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
