/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk.c - a virtio block device: what it says of itself, queues, resets, options.
 *
 * The argument chooses the loop: "epoll" or "uring".
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "blk_rig.h"
#include "fake_irq.h"

#define BIT(feature) VIRTIO_FEATURE(VIRTIO_BLK_F_##feature)
#define ALWAYS	     (BIT(SEG_MAX) | BIT(BLK_SIZE) | BIT(TOPOLOGY) | BIT(FLUSH))

/* Feature bits of block devices, 5.2.3 and 6: 0 to 23. */
#define OF_DEVICE UINT64_C(0xffffff)

static struct blk_rig rig;

static const struct {
	const char *name;
	struct blk_options options;
	uint64_t features;
} offers[] = {
	{"plain", {.queues = 1}, ALWAYS | BIT(WRITE_ZEROES)},
	{"readonly", {.readonly = true, .queues = 1}, ALWAYS | BIT(RO)},
	{"discard", {.discard = true, .queues = 1}, ALWAYS | BIT(WRITE_ZEROES) | BIT(DISCARD)},
	{"queues", {.queues = 4}, ALWAYS | BIT(WRITE_ZEROES) | BIT(MQ)},
	{"readonly, queues", {.readonly = true, .queues = 2}, ALWAYS | BIT(RO) | BIT(MQ)},
};

static void offers_what_its_options_say(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(offers); i++) {
		const struct blk_rig_options options = {.blk = offers[i].options};
		struct virtio_blk_config config;
		uint64_t offered;

		blk_rig_init(&rig, &options);
		assert_int_equal(virtio_driver_read(&rig.driver, MMIO_DEVICE_ID), 2);
		offered = blk_rig_offered(&rig) & OF_DEVICE;
		if (offered != offers[i].features)
			fail_msg("%s: %llx", offers[i].name, (unsigned long long)offered);
		config = blk_rig_config(&rig);
		assert_int_equal(le64toh(config.capacity), BLK_RIG_SIZE / SECTOR);
		assert_int_equal(le32toh(config.blk_size), SECTOR);
		assert_int_equal(le32toh(config.seg_max), 254);
		assert_int_equal(le16toh(config.num_queues),
				 offers[i].options.queues > 1 ? offers[i].options.queues : 0);
		assert_int_equal(!config.max_discard_sectors, !offers[i].options.discard);
		assert_int_equal(!config.max_discard_seg, !offers[i].options.discard);
		assert_int_equal(!config.discard_sector_alignment, !offers[i].options.discard);
		assert_int_equal(!config.max_write_zeroes_sectors, offers[i].options.readonly);
		assert_int_equal(!config.max_write_zeroes_seg, offers[i].options.readonly);
		/* 5.2.6.2: clear if and only if zeroing cannot deallocate. */
		assert_int_equal(config.write_zeroes_may_unmap, offers[i].options.discard);
		/* 5.2.5.2: padding is 0, and so is all that belongs to no feature. */
		assert_int_equal(config.unused | config.unused1[0] | config.unused1[1] |
					 config.unused1[2],
				 0);
		assert_int_equal(config.size_max | config.wce | config.max_secure_erase_sectors, 0);
		for (uint64_t at = sizeof(config); at < 256; at++)
			assert_int_equal(bus_read(rig.driver.bus, MMIO_CONFIG + at, 1), 0);
		blk_rig_deinit(&rig);
	}
}

static void tells_blocks_of_the_file_system_as_its_topology(void **state)
{
	const struct blk_rig_options options = {.blk.discard = true};
	struct virtio_blk_config config;
	uint32_t physical;

	blk_rig_init(&rig, &options);
	config = blk_rig_config(&rig);
	physical = SECTOR << config.physical_block_exp;
	assert_in_range(physical, 1024, 65536);
	assert_int_equal(config.alignment_offset, 0);
	assert_int_equal(le16toh(config.min_io_size) * SECTOR, physical);
	assert_int_equal(le32toh(config.discard_sector_alignment) * SECTOR, physical);
	blk_rig_deinit(&rig);
}

static void each_of_its_queues_serves(void **state)
{
	const struct blk_rig_options options = {.blk.queues = 4};
	struct blk_call calls[4];
	uint8_t data[4][SECTOR];

	blk_rig_init(&rig, &options);
	for (unsigned int i = 0; i < 5; i++) {
		virtio_driver_write(&rig.driver, MMIO_QUEUE_SEL, i);
		assert_int_equal(virtio_driver_read(&rig.driver, MMIO_QUEUE_SIZE_MAX),
				 i < 4 ? 256 : 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		calls[i] = (struct blk_call) {.queue = i,
					      .type = VIRTIO_BLK_T_IN,
					      .sector = i * 10,
					      .in = data[i],
					      .in_len = SECTOR};
		blk_rig_send(&rig, &calls[i]);
	}
	for (unsigned int i = 0; i < 4; i++) {
		blk_rig_wait(&rig, &calls[i]);
		assert_int_equal(calls[i].status, VIRTIO_BLK_S_OK);
		assert_memory_equal(data[i], rig.image + (size_t)i * 10 * SECTOR, SECTOR);
	}
	blk_rig_deinit(&rig);
}

/* A driver interrupted only for what it asks for still hears of each. */
static void a_used_request_interrupts(void **state)
{
	const struct blk_rig_options options = {.features = VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)};
	uint8_t data[SECTOR];
	struct blk_call call = {.type = VIRTIO_BLK_T_IN, .in = data, .in_len = SECTOR};

	blk_rig_init(&rig, &options);
	for (unsigned int i = 0; i < 3; i++) {
		call.type = i == 2 ? 99 : VIRTIO_BLK_T_IN; /* that one is answered at once */
		fake_irq_take(&rig.driver.irq);
		driver_ring_enable_interrupts(&rig.driver.rings[0]);
		blk_rig_send(&rig, &call);
		assert_true(fake_irq_wait(&rig.driver.irq, 10000) > 0);
		blk_rig_wait(&rig, &call);
		assert_int_equal(virtio_driver_read(&rig.driver, MMIO_INTERRUPT_STATUS),
				 VIRTIO_INTERRUPT_USED);
		virtio_driver_write(&rig.driver, MMIO_INTERRUPT_ACK, VIRTIO_INTERRUPT_USED);
	}
	blk_rig_deinit(&rig);
}

/* GET_ID. */

static const struct {
	const char *id;	  /* option */
	const char *name; /* of the file, if there is no option */
	char expected[VIRTIO_BLK_ID_BYTES + 1];
} ids[] = {
	{"root", NULL, "root"},
	{"", NULL, ""},
	{"twenty characters...", NULL, "twenty characters..."},
	{NULL, "disk.img", "disk.img"},
	{NULL, "debian-12-generic-amd64.raw", "12-generic-amd64.raw"},
	{NULL, "a b\x01\xc3\xa4.img", "a_b___.img"},
};

static void tells_its_id(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct blk_rig_options options = {.blk.id = ids[i].id, .name = ids[i].name};
		char id[VIRTIO_BLK_ID_BYTES + 1] = "";
		char padded[VIRTIO_BLK_ID_BYTES + 1] = "";
		struct blk_call call = {.type = VIRTIO_BLK_T_GET_ID,
					.in = id,
					.in_len = VIRTIO_BLK_ID_BYTES};

		blk_rig_init(&rig, &options);
		strcpy(padded, ids[i].expected);
		assert_int_equal(blk_rig_call(&rig, &call), VIRTIO_BLK_S_OK);
		assert_int_equal(call.used, VIRTIO_BLK_ID_BYTES + 1);
		assert_memory_equal(id, padded, VIRTIO_BLK_ID_BYTES);
		blk_rig_deinit(&rig);
	}
}

static void tells_its_id_only_to_who_has_room_for_just_that(void **state)
{
	static const uint32_t lens[] = {0, 1, 19, 21, 512};
	const struct blk_rig_options options = {.blk.id = "root"};
	uint8_t in[512];

	blk_rig_init(&rig, &options);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct blk_call call = {.type = VIRTIO_BLK_T_GET_ID, .in = in, .in_len = lens[i]};

		assert_int_equal(blk_rig_call(&rig, &call), VIRTIO_BLK_S_IOERR);
		for (uint32_t j = 0; j < lens[i]; j++)
			assert_int_equal(in[j], BLK_UNTOUCHED);
	}
	blk_rig_deinit(&rig);
}

/* Resets. */

enum { HELD = 40 };

static void hold_reads(struct blk_call *calls, unsigned int queue)
{
	const struct io_rule rule = {.op = LOOP_IO_READ, .times = HELD, .hold = true};

	io_tap_rule(&rig.tap, &rule);
	for (unsigned int i = 0; i < HELD; i++) {
		calls[i] = (struct blk_call) {
			.queue = queue, .type = VIRTIO_BLK_T_IN, .in_len = 4096, .sector = i};
		blk_rig_send(&rig, &calls[i]);
	}
	assert_int_equal(io_tap_wait_held(&rig.tap, HELD), HELD);
}

static void a_reset_ends_requests_in_flight(void **state)
{
	const struct blk_rig_options options = {.features = VIRTIO_FEATURE(VIRTIO_F_RING_RESET)};
	static struct blk_call calls[HELD];
	uint8_t data[SECTOR];
	char text[256];

	blk_rig_init(&rig, &options);
	for (unsigned int round = 0; round < 3; round++) {
		hold_reads(calls, 0);
		blk_rig_log_begin();
		virtio_driver_write(&rig.driver, MMIO_STATUS, 0);
		assert_int_equal(virtio_driver_read(&rig.driver, MMIO_STATUS), 0);
		blk_rig_log_end(text, sizeof(text));
		assert_string_equal(text, ""); /* nothing is wrong */
		assert_int_equal(io_tap_wait_held(&rig.tap, 0), 0);
		/* None was used. */
		assert_int_equal(driver_ring_get(&rig.driver.rings[0], &calls[0].used), -EAGAIN);
		blk_rig_restart(&rig, ALWAYS);
		io_tap_clear(&rig.tap);
		assert_int_equal(blk_rig_read(&rig, 77, data, SECTOR), VIRTIO_BLK_S_OK);
		assert_memory_equal(data, rig.image + 77 * SECTOR, SECTOR);
	}
	blk_rig_deinit(&rig);
}

/* With nobody in between: some are done, some have begun, some wait. */
static void a_reset_in_the_middle_of_it_leaves_nothing_behind(void **state)
{
	const struct blk_rig_options options = {.features = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC)};
	enum { CALLS = 40, LEN = 512 * 1024 };
	static struct blk_call calls[CALLS];
	uint8_t *memory, data[SECTOR];

	blk_rig_init(&rig, &options);
	for (unsigned int round = 0; round < 10; round++) {
		for (unsigned int i = 0; i < CALLS; i++) {
			calls[i] = (struct blk_call) {.type = VIRTIO_BLK_T_IN, .in_len = LEN};
			blk_rig_send(&rig, &calls[i]);
		}
		virtio_driver_write(&rig.driver, MMIO_STATUS, 0);
		assert_int_equal(virtio_driver_read(&rig.driver, MMIO_STATUS), 0);
		/* From now on the memory is the guest's alone. */
		memory = gmem_at(rig.driver.gmem, calls[0].in_sg[0].gpa, CALLS * LEN);
		memset(memory, 0x77, CALLS * LEN);
		blk_rig_restart(&rig, ALWAYS);
		/* All bytes are as the one before. */
		if (memory[0] != 0x77 || memcmp(memory, memory + 1, CALLS * LEN - 1) != 0)
			fail_msg("guest memory was written after the reset");
		assert_int_equal(blk_rig_read(&rig, round, data, SECTOR), VIRTIO_BLK_S_OK);
		assert_memory_equal(data, rig.image + (size_t)round * SECTOR, SECTOR);
	}
	blk_rig_deinit(&rig);
}

static void a_reset_of_one_queue_leaves_the_others_alone(void **state)
{
	const struct blk_rig_options options = {.blk.queues = 2,
						.features = VIRTIO_FEATURE(VIRTIO_F_RING_RESET)};
	static struct blk_call calls[HELD];
	struct blk_call other = {.queue = 0, .type = VIRTIO_BLK_T_IN, .in_len = 4096};
	const struct io_rule rule = {.op = LOOP_IO_READ, .times = 1, .hold = true};

	blk_rig_init(&rig, &options);
	hold_reads(calls, 1);
	io_tap_rule(&rig.tap, &rule);
	blk_rig_send(&rig, &other);
	assert_int_equal(io_tap_wait_held(&rig.tap, HELD + 1), HELD + 1);
	virtio_driver_write(&rig.driver, MMIO_QUEUE_SEL, 1);
	virtio_driver_write(&rig.driver, MMIO_QUEUE_RESET, 1);
	assert_int_equal(virtio_driver_read(&rig.driver, MMIO_QUEUE_RESET), 0);
	assert_int_equal(io_tap_wait_held(&rig.tap, 1), 1);
	io_tap_release(&rig.tap);
	blk_rig_wait(&rig, &other);
	assert_int_equal(other.status, VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
}

/* What can be wrong with a ring is tested with the rings. */
static void a_broken_ring_needs_a_reset(void **state)
{
	static const struct blk_rig_options options;
	struct driver_ring *ring = &rig.driver.rings[0];
	uint8_t data[SECTOR];

	blk_rig_init(&rig, &options);
	__atomic_store_n(&ring->avail->idx, 300, __ATOMIC_RELEASE);
	virtio_driver_write(&rig.driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_true(virtio_driver_needs_reset(&rig.driver));
	blk_rig_restart(&rig, ALWAYS);
	assert_int_equal(blk_rig_read(&rig, 1, data, SECTOR), VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
}

static void it_can_end_with_requests_in_flight(void **state)
{
	enum { CALLS = 60 };
	static struct blk_call calls[CALLS];
	static const uint8_t data[256 * 1024];
	const struct blk_rig_options options = {.features = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC)};

	blk_rig_init(&rig, &options);
	hold_reads(calls, 0);
	for (unsigned int i = 0; i < CALLS; i++) {
		calls[i] = (struct blk_call) {.type = VIRTIO_BLK_T_OUT,
					      .out = data,
					      .out_len = sizeof(data)};
		blk_rig_send(&rig, &calls[i]);
	}
	blk_rig_deinit(&rig);
}

/* Options. */

static int try_new(const struct blk_options *options, struct error *err)
{
	struct virtio_driver driver;
	struct blk *blk;
	int r;

	virtio_driver_init(&driver, blk_rig_kind(), true);
	r = blk_new(&blk, &driver.env, options, err);
	if (r == 0)
		blk_free(blk);
	virtio_driver_deinit(&driver);
	return r;
}

static const struct {
	const char *name;
	struct blk_options options; /* .path NULL: an image that another disk here uses */
	int r;
	const char *words;
} mistakes[] = {
	{"missing", {.path = "/nonexistent.img"}, -ENOENT, "does not exist"},
	{"long id",
	 {.path = "/nonexistent.img", .id = "twenty-one characters"},
	 -EINVAL,
	 "at most 20 characters"},
	{"id with a newline",
	 {.path = "/nonexistent.img", .id = "a\n"},
	 -EINVAL,
	 "printable ASCII"},
	{"id in UTF-8", {.path = "/nonexistent.img", .id = "\xc3\xa4"}, -EINVAL, "printable ASCII"},
	{"discard on a readonly disk",
	 {.path = "/nonexistent.img", .readonly = true, .discard = true},
	 -EINVAL,
	 "leave out"},
	{"an image twice", {.path = NULL}, -EBUSY, "used twice in this machine"},
	{"an image twice, once readonly",
	 {.path = NULL, .readonly = true},
	 -EBUSY,
	 "used twice in this machine"},
};

static void mistakes_are_told_in_a_sentence(void **state)
{
	static const struct blk_rig_options plain = {.keep = true};

	blk_rig_init(&rig, &plain);
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct blk_options options = mistakes[i].options;
		struct error err = {.text = ""};

		options.queues = 1;
		if (!options.path)
			options.path = rig.path;
		if (try_new(&options, &err) != mistakes[i].r ||
		    !strstr(err.text, mistakes[i].words) || !strstr(err.text, options.path))
			fail_msg("%s: '%s'", mistakes[i].name, err.text);
	}
	assert_int_equal(unlink(rig.path), 0);
	blk_rig_deinit(&rig);
}

static unsigned int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void a_disk_that_is_gone_has_closed_all_it_opened(void **state)
{
	const struct blk_rig_options options = {.blk.queues = 3};
	const unsigned int before = descriptors();

	blk_rig_init(&rig, &options);
	assert_true(descriptors() > before);
	blk_rig_deinit(&rig);
	assert_int_equal(descriptors(), before);
}

static void a_disk_that_is_gone_has_let_go_of_its_image(void **state)
{
	static const struct blk_rig_options options = {.keep = true};
	struct blk_options again = {.queues = 1};
	struct error err = {.text = ""};

	blk_rig_init(&rig, &options);
	blk_rig_deinit(&rig);
	again.path = rig.path;
	assert_int_equal(try_new(&again, &err), 0);
	assert_int_equal(unlink(rig.path), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_what_its_options_say),
		cmocka_unit_test(tells_blocks_of_the_file_system_as_its_topology),
		cmocka_unit_test(each_of_its_queues_serves),
		cmocka_unit_test(a_used_request_interrupts),
		cmocka_unit_test(tells_its_id),
		cmocka_unit_test(tells_its_id_only_to_who_has_room_for_just_that),
		cmocka_unit_test(a_reset_ends_requests_in_flight),
		cmocka_unit_test(a_reset_in_the_middle_of_it_leaves_nothing_behind),
		cmocka_unit_test(a_reset_of_one_queue_leaves_the_others_alone),
		cmocka_unit_test(a_broken_ring_needs_a_reset),
		cmocka_unit_test(it_can_end_with_requests_in_flight),
		cmocka_unit_test(mistakes_are_told_in_a_sentence),
		cmocka_unit_test(a_disk_that_is_gone_has_closed_all_it_opened),
		cmocka_unit_test(a_disk_that_is_gone_has_let_go_of_its_image),
	};

	if (!blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
