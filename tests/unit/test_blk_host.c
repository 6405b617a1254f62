/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk_host.c - requests to a virtio block device over a host that fails, stops short, is
 * interrupted.
 *
 * The argument chooses the loop: "epoll" or "uring".
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blk_rig.h"

static struct blk_rig rig;

static void init(void)
{
	static const struct blk_rig_options options;

	blk_rig_init(&rig, &options);
}

static void goes_on_where_the_host_stopped_short(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_READ, .times = 1, .result = 1},
		{.op = LOOP_IO_READ, .times = 3, .result = 700},
		{.op = LOOP_IO_WRITE, .times = 1, .result = 4097},
		{.op = LOOP_IO_WRITE, .times = 2, .result = 511},
	};
	static const uint32_t in_cuts[] = {100, 3000, 5000, 0}, out_cuts[] = {10, 1000, 2000, 0};
	uint8_t data[8192], back[8192];
	struct blk_call in = {.type = VIRTIO_BLK_T_IN,
			      .sector = 40,
			      .in = back,
			      .in_len = sizeof(back),
			      .in_cuts = in_cuts};
	struct blk_call out = {.type = VIRTIO_BLK_T_OUT,
			       .sector = 80,
			       .out = data,
			       .out_len = sizeof(data),
			       .out_cuts = out_cuts};

	init();
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		io_tap_rule(&rig.tap, &rules[i]);
	assert_int_equal(blk_rig_call(&rig, &in), VIRTIO_BLK_S_OK);
	assert_int_equal(in.used, sizeof(back) + 1);
	assert_memory_equal(back, rig.image + 40 * SECTOR, sizeof(back));
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_READ), 5);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_call(&rig, &out), VIRTIO_BLK_S_OK);
	memcpy(rig.image + 80 * SECTOR, data, sizeof(data));
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_WRITE), 4);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void tries_again_what_was_interrupted(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_READ, .times = 2, .result = -EINTR},
		{.op = LOOP_IO_WRITE, .times = 2, .result = -EAGAIN},
		{.op = LOOP_IO_SYNC, .times = 2, .result = -EINTR},
	};
	uint8_t data[SECTOR], back[SECTOR];

	init();
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		io_tap_rule(&rig.tap, &rules[i]);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_write(&rig, 9, data, SECTOR), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_rig_read(&rig, 9, back, SECTOR), VIRTIO_BLK_S_OK);
	assert_memory_equal(back, data, SECTOR);
	assert_int_equal(blk_rig_flush(&rig), VIRTIO_BLK_S_OK);
	assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 9);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void gives_up_where_every_try_is_interrupted(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_READ, .times = UINT_MAX, .result = -EINTR},
		{.op = LOOP_IO_SYNC, .times = UINT_MAX, .result = -EINTR},
	};
	uint8_t back[SECTOR];

	init();
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		io_tap_rule(&rig.tap, &rules[i]);
	assert_int_equal(blk_rig_read(&rig, 9, back, SECTOR), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_rig_flush(&rig), VIRTIO_BLK_S_IOERR);
	assert_in_range(io_tap_count(&rig.tap, LOOP_IO_READ), 2, 1000);
	assert_in_range(io_tap_count(&rig.tap, LOOP_IO_SYNC), 2, 1000);
	io_tap_clear(&rig.tap);
	assert_int_equal(blk_rig_read(&rig, 9, back, SECTOR), VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
}

/* The host lets go of it half done: a reset that waits for it waits for no more. */
static void a_transfer_does_not_go_on_after_a_reset(void **state)
{
	static const struct io_rule rule = {
		.op = LOOP_IO_READ, .times = 1, .hold = true, .result = SECTOR};
	uint8_t back[8 * SECTOR];
	struct blk_call in = {
		.type = VIRTIO_BLK_T_IN, .sector = 40, .in = back, .in_len = sizeof(back)};

	init();
	io_tap_rule(&rig.tap, &rule);
	blk_rig_send(&rig, &in);
	assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
	virtio_driver_write(&rig.driver, MMIO_STATUS, 0);
	assert_int_equal(virtio_driver_read(&rig.driver, MMIO_STATUS), 0);
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_READ), 1);
	blk_rig_deinit(&rig);
}

static const struct {
	const char *name;
	struct io_rule rule;
	uint32_t type;
	const char *words[2]; /* in the message */
} host_errors[] = {
	{"a bad sector",
	 {.op = LOOP_IO_READ, .result = -EIO},
	 VIRTIO_BLK_T_IN,
	 {"reading at byte 5120", "Input/output error"}},
	{"no memory",
	 {.op = LOOP_IO_READ, .result = -ENOMEM, .refuse = true},
	 VIRTIO_BLK_T_IN,
	 {"reading at byte 5120", "Cannot allocate memory"}},
	{"an image that ends early",
	 {.op = LOOP_IO_READ, .lie = true},
	 VIRTIO_BLK_T_IN,
	 {"reading at byte 5120", "ends there"}},
	{"a full disk",
	 {.op = LOOP_IO_WRITE, .result = -ENOSPC},
	 VIRTIO_BLK_T_OUT,
	 {"writing at byte 5120: No space left on device", "free some space"}},
	{"a quota",
	 {.op = LOOP_IO_WRITE, .result = -EDQUOT},
	 VIRTIO_BLK_T_OUT,
	 {"Disk quota exceeded", "free some space"}},
	{"a write that does nothing",
	 {.op = LOOP_IO_WRITE, .lie = true},
	 VIRTIO_BLK_T_OUT,
	 {"writing at byte 5120", "ends there"}},
	{"a failed flush",
	 {.op = LOOP_IO_SYNC, .result = -EIO},
	 VIRTIO_BLK_T_FLUSH,
	 {"flushing: Input/output error", "disk '"}},
};

static void errors_of_the_host_are_the_guests_to_see_and_the_machine_goes_on(void **state)
{
	static uint8_t data[SECTOR];
	uint8_t back[SECTOR];
	char text[4096];

	for (size_t i = 0; i < ARRAY_SIZE(host_errors); i++) {
		struct io_rule rule = host_errors[i].rule;
		struct blk_call call = {.type = host_errors[i].type, .sector = 10};

		rule.times = 1;
		if (call.type == VIRTIO_BLK_T_OUT) {
			call.out = data;
			call.out_len = SECTOR;
		} else if (call.type == VIRTIO_BLK_T_IN) {
			call.in_len = SECTOR;
		}
		init();
		io_tap_rule(&rig.tap, &rule);
		blk_rig_log_begin();
		blk_rig_call(&rig, &call);
		blk_rig_log_end(text, sizeof(text));
		if (call.status != VIRTIO_BLK_S_IOERR || call.used != (call.in_len ? 0 : 1))
			fail_msg("%s: status %u, length %u", host_errors[i].name, call.status,
				 call.used);
		for (size_t j = 0; j < ARRAY_SIZE(host_errors[i].words); j++)
			if (!strstr(text, host_errors[i].words[j]) || !strstr(text, rig.path))
				fail_msg("%s: '%s'", host_errors[i].name, text);
		assert_int_equal(blk_rig_read(&rig, 10, back, SECTOR), VIRTIO_BLK_S_OK);
		assert_int_equal(blk_rig_flush(&rig), VIRTIO_BLK_S_OK);
		assert_memory_equal(back, rig.image + 10 * SECTOR, SECTOR);
		blk_rig_check(&rig);
		blk_rig_deinit(&rig);
	}
}

static void a_read_that_fails_half_way_says_how_much_is_there(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_READ, .times = 1, .result = 1000},
		{.op = LOOP_IO_READ, .times = 1, .result = -EIO},
	};
	uint8_t back[2048];
	struct blk_call call = {.type = VIRTIO_BLK_T_IN, .in = back, .in_len = sizeof(back)};

	init();
	io_tap_rule(&rig.tap, &rules[0]);
	io_tap_rule(&rig.tap, &rules[1]);
	assert_int_equal(blk_rig_call(&rig, &call), VIRTIO_BLK_S_IOERR);
	assert_int_equal(call.used, 1000);
	assert_memory_equal(back, rig.image, 1000);
	blk_rig_deinit(&rig);
}

static void a_guest_cannot_flood_the_log(void **state)
{
	const struct io_rule rule = {.op = LOOP_IO_READ, .times = 500, .result = -EIO};
	uint8_t back[SECTOR];
	char text[16384];
	unsigned int lines = 0;

	init();
	io_tap_rule(&rig.tap, &rule);
	blk_rig_log_begin();
	for (unsigned int i = 0; i < 500; i++)
		blk_rig_read(&rig, 0, back, SECTOR);
	blk_rig_log_end(text, sizeof(text));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, LOG_LIMIT_MAX);
	blk_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_where_the_host_stopped_short),
		cmocka_unit_test(tries_again_what_was_interrupted),
		cmocka_unit_test(gives_up_where_every_try_is_interrupted),
		cmocka_unit_test(a_transfer_does_not_go_on_after_a_reset),
		cmocka_unit_test(errors_of_the_host_are_the_guests_to_see_and_the_machine_goes_on),
		cmocka_unit_test(a_read_that_fails_half_way_says_how_much_is_there),
		cmocka_unit_test(a_guest_cannot_flood_the_log),
	};

	if (!blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
