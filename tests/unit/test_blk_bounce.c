/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk_bounce.c - direct I/O of a virtio block device, with buffers that suit it or do not.
 *
 * The argument chooses the loop: "epoll" or "uring". Skipped where the file system has no direct
 * I/O.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blk_rig.h"
#include "fake_irq.h"

#define BOUNCE (256u * 1024) /* bytes at a time */

static struct blk_rig rig;

static void init(void)
{
	static const struct blk_rig_options options = {
		.blk = {.direct = true, .queues = 2},
		.features = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC),
	};

	blk_rig_init(&rig, &options);
}

/* send_seen - send, and wait until one behind it is back: the device has seen @call then. */
static void send_seen(struct blk_call *call)
{
	struct blk_call behind = {.queue = call->queue, .type = VIRTIO_BLK_T_IN};

	blk_rig_send(&rig, call);
	assert_int_equal(blk_rig_call(&rig, &behind), VIRTIO_BLK_S_OK);
}

/* A read or a write whose pieces are @skew bytes off. */
static struct blk_call new_call(uint32_t type, uint64_t sector, void *data, uint32_t len,
				uint32_t skew)
{
	struct blk_call call = {.type = type, .sector = sector, .skew = skew};

	if (type == VIRTIO_BLK_T_OUT) {
		call.out = data;
		call.out_len = len;
	} else {
		call.in = data;
		call.in_len = len;
	}
	return call;
}

static void aligned_requests_go_straight(void **state)
{
	static const uint32_t cuts[] = {4096, 512, 0}, out_cuts[] = {16, 4096, 512, 0};
	uint8_t data[8192];
	struct blk_call in = new_call(VIRTIO_BLK_T_IN, 3, data, sizeof(data), 0);
	struct blk_call out = new_call(VIRTIO_BLK_T_OUT, 100, data, sizeof(data), 512);
	struct io_record records[2];

	init();
	in.in_cuts = cuts;
	out.out_cuts = out_cuts;
	assert_int_equal(blk_rig_call(&rig, &in), VIRTIO_BLK_S_OK);
	assert_memory_equal(data, rig.image + 3 * SECTOR, sizeof(data));
	assert_int_equal(blk_rig_call(&rig, &out), VIRTIO_BLK_S_OK);
	memcpy(rig.image + 100 * SECTOR, data, sizeof(data));
	blk_rig_check(&rig);
	assert_int_equal(io_tap_records(&rig.tap, records, 2), 2);
	assert_int_equal(records[0].iov_n, 3);
	assert_int_equal(records[1].iov_n, 3);
	blk_rig_deinit(&rig);
}

static const struct {
	const char *name;
	uint32_t len, skew;
	uint32_t cuts[6];
} misaligned[] = {
	{"a byte off", 4096, 1, {0}},
	{"half a sector off", 4096, 256, {0}},
	{"one sector", 512, 100, {0}},
	{"a piece of no whole sectors", 4096, 0, {1000, 0}},
	{"odd pieces", 16384, 0, {1, 5000, 77, 511, 0}},
	{"just the buffer", BOUNCE, 7, {0}},
	{"a sector more than the buffer", BOUNCE + 512, 7, {0}},
	{"many times the buffer", 4 * BOUNCE - 512, 3, {0}},
};

static void misaligned_requests_go_by_way_of_the_buffer(void **state)
{
	_cleanup_(freep) uint8_t *data = malloc(4 * BOUNCE);
	static struct io_record records[64];

	assert_non_null(data);
	for (size_t i = 0; i < ARRAY_SIZE(misaligned); i++) {
		const uint32_t len = misaligned[i].len;
		struct blk_call out = new_call(VIRTIO_BLK_T_OUT, 5, data, len, misaligned[i].skew);
		struct blk_call in = new_call(VIRTIO_BLK_T_IN, 5, data, len, misaligned[i].skew);
		unsigned int n;

		init();
		in.in_cuts = out.out_cuts = misaligned[i].cuts;
		blk_rig_fill(&rig, data, len);
		if (blk_rig_call(&rig, &out) != VIRTIO_BLK_S_OK)
			fail_msg("%s: status %u", misaligned[i].name, out.status);
		memcpy(rig.image + 5 * SECTOR, data, len);
		blk_rig_check(&rig);
		memset(data, 0, len);
		if (blk_rig_call(&rig, &in) != VIRTIO_BLK_S_OK || in.used != len + 1)
			fail_msg("%s: status %u, length %u", misaligned[i].name, in.status,
				 in.used);
		assert_memory_equal(data, rig.image + 5 * SECTOR, len);
		n = io_tap_records(&rig.tap, records, ARRAY_SIZE(records));
		assert_int_equal(n, 2 * ((len + BOUNCE - 1) / BOUNCE));
		for (unsigned int j = 0; j < n; j++)
			if (!records[j].aligned || records[j].len > BOUNCE)
				fail_msg("%s: %llu bytes", misaligned[i].name,
					 (unsigned long long)records[j].len);
		blk_rig_deinit(&rig);
	}
}

static void the_buffer_goes_round_while_aligned_ones_pass(void **state)
{
	enum { CALLS = 12, LEN = 8192 };
	const struct io_rule hold = {.op = LOOP_IO_WRITE, .times = 1, .hold = true};
	static uint8_t data[CALLS][LEN];
	static struct blk_call calls[CALLS];
	uint8_t back[512];

	init();
	io_tap_rule(&rig.tap, &hold);
	for (unsigned int i = 0; i < CALLS; i++) {
		calls[i] = new_call(VIRTIO_BLK_T_OUT, i * 16, data[i], LEN, 9);
		calls[i].queue = i & 1;
		blk_rig_fill(&rig, data[i], LEN);
		memcpy(rig.image + (size_t)i * LEN, data[i], LEN);
		blk_rig_send(&rig, &calls[i]);
	}
	assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
	assert_int_equal(blk_rig_read(&rig, 4000, back, sizeof(back)), VIRTIO_BLK_S_OK);
	assert_memory_equal(back, rig.image + 4000 * SECTOR, sizeof(back));
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_WRITE), 1);
	io_tap_release(&rig.tap);
	for (unsigned int i = 0; i < CALLS; i++) {
		blk_rig_wait(&rig, &calls[i]);
		assert_int_equal(calls[i].status, VIRTIO_BLK_S_OK);
	}
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void short_and_interrupted_pieces_go_on(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_WRITE, .times = 2, .result = 1024},
		{.op = LOOP_IO_WRITE, .times = 1, .result = -EINTR},
		{.op = LOOP_IO_READ, .times = 2, .result = 512},
		{.op = LOOP_IO_READ, .times = 1, .result = -EAGAIN},
	};
	static uint8_t data[BOUNCE + 4096];
	struct blk_call out = new_call(VIRTIO_BLK_T_OUT, 64, data, sizeof(data), 30);
	struct blk_call in = new_call(VIRTIO_BLK_T_IN, 64, data, sizeof(data), 30);

	init();
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		io_tap_rule(&rig.tap, &rules[i]);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_call(&rig, &out), VIRTIO_BLK_S_OK);
	memcpy(rig.image + 64 * SECTOR, data, sizeof(data));
	blk_rig_check(&rig);
	memset(data, 0, sizeof(data));
	assert_int_equal(blk_rig_call(&rig, &in), VIRTIO_BLK_S_OK);
	assert_int_equal(in.used, sizeof(data) + 1);
	assert_memory_equal(data, rig.image + 64 * SECTOR, sizeof(data));
	blk_rig_deinit(&rig);
}

static void one_that_fails_makes_room_for_the_next(void **state)
{
	static const struct io_rule failures[] = {
		{.op = LOOP_IO_READ, .times = 1, .result = -EIO},
		{.op = LOOP_IO_READ, .times = 1, .result = -ENOMEM, .refuse = true},
		{.op = LOOP_IO_READ, .times = 1, .lie = true},
	};
	const struct io_rule hold = {.op = LOOP_IO_READ, .times = 1, .hold = true};
	static uint8_t data[3][4096];
	struct blk_call calls[3];

	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		init();
		io_tap_rule(&rig.tap, &hold);
		io_tap_rule(&rig.tap, &failures[i]);
		for (unsigned int j = 0; j < 3; j++) {
			calls[j] = new_call(VIRTIO_BLK_T_IN, j * 8, data[j], 4096, 5);
			calls[j].queue = j & 1;
			send_seen(&calls[j]);
		}
		assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
		io_tap_release(&rig.tap);
		for (unsigned int j = 0; j < 3; j++) {
			blk_rig_wait(&rig, &calls[j]);
			assert_int_equal(calls[j].status,
					 j == 1 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
		}
		assert_memory_equal(data[2], rig.image + 8192, 4096);
		blk_rig_deinit(&rig);
	}
}

/* The failed one's bytes are still in the buffer. */
static void a_write_after_one_that_failed_has_its_own_data(void **state)
{
	const struct io_rule rule = {.op = LOOP_IO_WRITE, .times = 1, .result = -ENOSPC};
	uint8_t data[4096];
	struct blk_call first = new_call(VIRTIO_BLK_T_OUT, 0, data, sizeof(data), 5);
	struct blk_call second = new_call(VIRTIO_BLK_T_OUT, 8, data, sizeof(data), 5);

	init();
	io_tap_rule(&rig.tap, &rule);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_call(&rig, &first), VIRTIO_BLK_S_IOERR);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_call(&rig, &second), VIRTIO_BLK_S_OK);
	memcpy(rig.image + 4096, data, sizeof(data));
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void one_that_fails_in_its_turn_interrupts(void **state)
{
	static const struct io_rule rules[] = {
		{.op = LOOP_IO_READ, .times = 1, .hold = true},
		{.op = LOOP_IO_READ, .times = 1, .result = -ENOMEM, .refuse = true},
	};
	uint8_t data[4096];
	struct blk_call first = new_call(VIRTIO_BLK_T_IN, 0, data, sizeof(data), 5);
	struct blk_call second = first;

	init();
	io_tap_rule(&rig.tap, &rules[0]);
	io_tap_rule(&rig.tap, &rules[1]);
	second.queue = 1;
	send_seen(&first);
	send_seen(&second);
	/* The first one's end is of no interest. */
	driver_ring_disable_interrupts(&rig.driver.rings[0]);
	fake_irq_take(&rig.driver.irq);
	io_tap_release(&rig.tap);
	assert_true(fake_irq_wait(&rig.driver.irq, 10000) > 0);
	blk_rig_wait(&rig, &second);
	assert_int_equal(second.status, VIRTIO_BLK_S_IOERR);
	blk_rig_wait(&rig, &first);
	assert_int_equal(first.status, VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
}

static void a_read_that_ends_early_shows_that_the_image_has_shrunk(void **state)
{
	const uint64_t sectors = BLK_RIG_SIZE / SECTOR;
	uint8_t data[8192];
	struct blk_call call = new_call(VIRTIO_BLK_T_IN, sectors - 16, data, sizeof(data), 5);

	init();
	assert_int_equal(ftruncate(rig.fd, BLK_RIG_SIZE - 4096), 0);
	assert_int_equal(blk_rig_call(&rig, &call), VIRTIO_BLK_S_IOERR);
	assert_int_equal(le64toh(blk_rig_config(&rig).capacity), sectors - 8);
	blk_rig_deinit(&rig);
}

/* Of those that wait, the first, the middle and the last belong to the queue that is reset. */
static void a_reset_ends_those_that_wait(void **state)
{
	static const struct io_rule hold = {.op = LOOP_IO_READ, .times = 1, .hold = true};
	enum { CALLS = 9 };
	static uint8_t data[CALLS][4096];
	static struct blk_call calls[CALLS];

	for (unsigned int reset = 0; reset < 2; reset++) {
		blk_rig_init(&rig, &(struct blk_rig_options) {.blk = {.direct = true, .queues = 2},
							      .features = VIRTIO_FEATURE(
								      VIRTIO_F_RING_RESET)});
		io_tap_rule(&rig.tap, &hold);
		for (unsigned int i = 0; i < CALLS; i++) {
			calls[i] = new_call(VIRTIO_BLK_T_IN, i * 8, data[i], 4096, 5);
			calls[i].queue = i & 1;
			send_seen(&calls[i]);
		}
		virtio_driver_write(&rig.driver, MMIO_QUEUE_SEL, reset);
		virtio_driver_write(&rig.driver, MMIO_QUEUE_RESET, 1);
		assert_int_equal(virtio_driver_read(&rig.driver, MMIO_QUEUE_RESET), 0);
		io_tap_release(&rig.tap);
		for (unsigned int i = 0; i < CALLS; i++) {
			if ((i & 1) == reset)
				continue;
			blk_rig_wait(&rig, &calls[i]);
			assert_int_equal(calls[i].status, VIRTIO_BLK_S_OK);
			assert_memory_equal(data[i], rig.image + (size_t)i * 4096, 4096);
		}
		blk_rig_deinit(&rig);
	}
}

/* The host lets go of its piece half done: the rest is not transferred. */
static void a_bounced_transfer_does_not_go_on_after_a_reset(void **state)
{
	static const struct io_rule rule = {
		.op = LOOP_IO_READ, .times = 1, .hold = true, .result = SECTOR};
	static uint8_t data[4096];
	struct blk_call call = new_call(VIRTIO_BLK_T_IN, 0, data, sizeof(data), 5);

	init();
	io_tap_rule(&rig.tap, &rule);
	send_seen(&call);
	virtio_driver_write(&rig.driver, MMIO_STATUS, 0);
	assert_int_equal(virtio_driver_read(&rig.driver, MMIO_STATUS), 0);
	assert_int_equal(io_tap_count(&rig.tap, LOOP_IO_READ), 1);
	blk_rig_deinit(&rig);
}

/* Return: whether files can be opened for direct I/O; if not, a skip has been reported. */
static bool has_direct(void)
{
	char path[] = BLK_RIG_TEMPLATE;
	int fd = mkostemp(path, O_DIRECT | O_CLOEXEC);

	if (fd < 0) {
		printf("1..0 # SKIP no direct I/O: %s\n", strerror(errno));
		unlink(path);
		return false;
	}
	close(fd);
	unlink(path);
	return true;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligned_requests_go_straight),
		cmocka_unit_test(misaligned_requests_go_by_way_of_the_buffer),
		cmocka_unit_test(the_buffer_goes_round_while_aligned_ones_pass),
		cmocka_unit_test(short_and_interrupted_pieces_go_on),
		cmocka_unit_test(one_that_fails_makes_room_for_the_next),
		cmocka_unit_test(a_write_after_one_that_failed_has_its_own_data),
		cmocka_unit_test(one_that_fails_in_its_turn_interrupts),
		cmocka_unit_test(a_read_that_ends_early_shows_that_the_image_has_shrunk),
		cmocka_unit_test(a_reset_ends_those_that_wait),
		cmocka_unit_test(a_bounced_transfer_does_not_go_on_after_a_reset),
	};

	if (!has_direct() || !blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
