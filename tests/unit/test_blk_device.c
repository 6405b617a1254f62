/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk_device.c - a block device of the host as a guest's disk.
 *
 * The argument chooses the loop: "epoll" or "uring". Uses loop devices over temporary files;
 * skipped for a user or on a host that cannot make them.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "blk_rig.h"
#include "devices/blk/disk.h"

static struct blk_rig rig;

/* struct device - a loop device over a file that has no name any more. */
struct device {
	int file, fd;
	char path[32];
};

/* Return: 0 or -errno; -EBUSY if somebody else on this host was faster. */
static int device_configure(struct device *device, const struct loop_config *config)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number;

	if (control < 0)
		return -errno;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (number < 0)
		return -errno;
	snprintf(device->path, sizeof(device->path), "/dev/loop%d", number);
	device->fd = open(device->path, O_RDWR | O_CLOEXEC);
	if (device->fd < 0)
		return -errno;
	if (ioctl(device->fd, LOOP_CONFIGURE, config) == 0)
		return 0;
	number = -errno;
	close(device->fd);
	device->fd = -1;
	return number;
}

/* Return: 0 or -errno. */
static int device_init(struct device *device, uint64_t size, uint32_t block, bool readonly)
{
	char path[] = BLK_RIG_TEMPLATE;
	struct loop_config config = {
		.block_size = block,
		/* Nothing stays if the test fails. */
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (readonly ? LO_FLAGS_READ_ONLY : 0),
	};
	int r;

	*device = (struct device) {.file = -1, .fd = -1};
	device->file = mkostemp(path, O_CLOEXEC);
	if (device->file < 0)
		return -errno;
	unlink(path);
	if (ftruncate(device->file, (off_t)size) < 0)
		return -errno;
	config.fd = (uint32_t)device->file;
	do
		r = device_configure(device, &config);
	while (r == -EBUSY);
	return r;
}

static void device_deinit(struct device *device)
{
	if (device->fd >= 0) {
		ioctl(device->fd, LOOP_CLR_FD);
		close(device->fd);
	}
	if (device->file >= 0)
		close(device->file);
}

static void make(struct device *device, uint32_t block, bool readonly)
{
	assert_int_equal(device_init(device, BLK_RIG_SIZE, block, readonly), 0);
}

static void its_blocks_are_the_disks(void **state)
{
	static const uint32_t blocks[] = {512, 1024, 4096};

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct virtio_blk_config config;
		struct blk_rig_options options = {.blk.discard = true};
		struct device device;

		make(&device, blocks[i], false);
		options.device = device.path;
		blk_rig_init(&rig, &options);
		config = blk_rig_config(&rig);
		assert_int_equal(le64toh(config.capacity), BLK_RIG_SIZE / SECTOR);
		assert_int_equal(le32toh(config.blk_size), blocks[i]);
		assert_true(blocks[i] << config.physical_block_exp >= blocks[i]);
		assert_true(le32toh(config.discard_sector_alignment) >= blocks[i] / SECTOR);
		blk_rig_deinit(&rig);
		device_deinit(&device);
	}
}

static void transfers_whatever_its_block_size(void **state)
{
	uint8_t data[8192], back[8192];

	for (unsigned int i = 0; i < 4; i++) {
		struct blk_rig_options options = {.blk.direct = i & 1};
		struct device device;

		make(&device, i & 2 ? 4096 : 512, false);
		options.device = device.path;
		blk_rig_init(&rig, &options);
		for (uint64_t sector = 0; sector < 8000; sector += 800) {
			blk_rig_fill(&rig, data, sizeof(data));
			assert_int_equal(blk_rig_write(&rig, sector, data, sizeof(data)),
					 VIRTIO_BLK_S_OK);
			assert_int_equal(blk_rig_read(&rig, sector, back, sizeof(back)),
					 VIRTIO_BLK_S_OK);
			assert_memory_equal(back, data, sizeof(data));
		}
		assert_int_equal(blk_rig_flush(&rig), VIRTIO_BLK_S_OK);
		blk_rig_check(&rig);
		blk_rig_deinit(&rig);
		device_deinit(&device);
	}
}

/* A unit of the protocol is 512 bytes whatever the block size, 5.2.5. */
static void single_sectors_of_large_blocks_can_be_written(void **state)
{
	struct blk_rig_options options = {.blk.direct = false};
	uint8_t data[SECTOR];
	struct device device;

	make(&device, 4096, false);
	options.device = device.path;
	blk_rig_init(&rig, &options);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_write(&rig, 13, data, SECTOR), VIRTIO_BLK_S_OK);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
	device_deinit(&device);
}

static void direct_io_refuses_parts_of_blocks_in_clear_words(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} parts[] = {{1, 4096}, {0, 512}, {8, 4096 + 512}, {7, 512}};
	struct blk_rig_options options = {.blk.direct = true};
	static uint8_t data[8192];
	struct device device;
	char text[4096];

	make(&device, 4096, false);
	options.device = device.path;
	blk_rig_init(&rig, &options);
	blk_rig_log_begin();
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		assert_int_equal(blk_rig_write(&rig, parts[i].sector, data, parts[i].len),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(blk_rig_read(&rig, parts[i].sector, data, parts[i].len),
				 VIRTIO_BLK_S_IOERR);
	}
	blk_rig_log_end(text, sizeof(text));
	assert_non_null(strstr(text, "blocks of 4096 bytes"));
	assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 0);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
	device_deinit(&device);
}

static uint8_t clear(uint32_t type, uint64_t sector, uint32_t n)
{
	const struct virtio_blk_discard_write_zeroes segment = {.sector = htole64(sector),
								.num_sectors = htole32(n)};
	struct blk_call call = {.type = type, .out = &segment, .out_len = sizeof(segment)};

	return blk_rig_call(&rig, &call);
}

static void zeroes_reach_parts_of_blocks(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t n;
	} ranges[] = {{0, 8}, {16, 800}, {1001, 3}, {2003, 1999}, {8191, 1}};
	struct blk_rig_options options = {.blk.discard = true};
	struct device device;

	make(&device, 4096, false);
	options.device = device.path;
	blk_rig_init(&rig, &options);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, ranges[i].sector, ranges[i].n),
				 VIRTIO_BLK_S_OK);
		memset(rig.image + ranges[i].sector * SECTOR, 0, (size_t)ranges[i].n * SECTOR);
	}
	/* This one cannot be freed, and is left alone. */
	assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 5001, 3), VIRTIO_BLK_S_OK);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
	device_deinit(&device);
}

static void zeroes_of_direct_io_go_by_whole_blocks(void **state)
{
	struct blk_rig_options options = {.blk = {.discard = true, .direct = true}};
	struct device device;

	make(&device, 4096, false);
	options.device = device.path;
	blk_rig_init(&rig, &options);
	assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, 1, 8), VIRTIO_BLK_S_IOERR);
	assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, 8, 7), VIRTIO_BLK_S_IOERR);
	assert_int_equal(io_tap_records(&rig.tap, NULL, 0), 0);
	assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 9, 3), VIRTIO_BLK_S_OK);
	assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, 8, 16), VIRTIO_BLK_S_OK);
	memset(rig.image + 8 * SECTOR, 0, 16 * SECTOR);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
	device_deinit(&device);
}

static void a_discard_reaches_what_is_below(void **state)
{
	struct blk_rig_options options = {.blk.discard = true};
	struct device device;
	struct stat before, after;

	make(&device, 512, false);
	options.device = device.path;
	blk_rig_init(&rig, &options);
	assert_int_equal(blk_rig_flush(&rig), VIRTIO_BLK_S_OK);
	assert_int_equal(fsync(rig.fd), 0);
	assert_int_equal(fstat(device.file, &before), 0);
	assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 0, BLK_RIG_SIZE / SECTOR), VIRTIO_BLK_S_OK);
	assert_int_equal(fsync(device.file), 0);
	assert_int_equal(fstat(device.file, &after), 0);
	assert_true(after.st_blocks < before.st_blocks / 16);
	blk_rig_deinit(&rig);
	device_deinit(&device);
}

static void a_device_that_grows_is_noticed(void **state)
{
	const struct timespec step = {.tv_nsec = 1000000};
	struct blk_rig_options options = {.blk.direct = true};
	unsigned int patience = 10000;
	struct device device;
	static uint8_t data[4096];

	make(&device, 512, false);
	options.device = device.path;
	blk_rig_init(&rig, &options);
	assert_int_equal(ftruncate(device.file, 2 * BLK_RIG_SIZE), 0);
	assert_int_equal(ioctl(device.fd, LOOP_SET_CAPACITY), 0);
	while (le64toh(blk_rig_config(&rig).capacity) != 2 * BLK_RIG_SIZE / SECTOR && patience--)
		nanosleep(&step, NULL);
	assert_int_equal(le64toh(blk_rig_config(&rig).capacity), 2 * BLK_RIG_SIZE / SECTOR);
	assert_int_equal(blk_rig_read(&rig, 2 * BLK_RIG_SIZE / SECTOR - 8, data, sizeof(data)),
			 VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
	device_deinit(&device);
}

/* Opening. */

static void expect(const char *path, bool readonly, bool direct, int r, const char *words)
{
	struct error err = {.text = ""};
	struct disk disk;

	assert_int_equal(disk_open(&disk, path, readonly, direct, &err), r);
	if (!strstr(err.text, words) || (r < 0 && !strstr(err.text, path)))
		fail_msg("'%s'", err.text);
	disk_close(&disk);
}

static void a_device_that_can_only_be_read_needs_readonly(void **state)
{
	struct device device;

	make(&device, 512, true);
	expect(device.path, false, false, -EROFS, "add readonly");
	expect(device.path, true, false, 0, "");
	device_deinit(&device);
}

static void a_device_in_use_by_the_host_can_only_be_read(void **state)
{
	struct device device;
	int claim;

	make(&device, 512, false);
	claim = open(device.path, O_RDWR | O_EXCL | O_CLOEXEC); /* as a mount does */
	assert_true(claim >= 0);
	expect(device.path, false, false, -EBUSY, "in use by the host");
	expect(device.path, true, false, 0, "");
	close(claim);
	expect(device.path, false, false, 0, "");
	device_deinit(&device);
}

static void a_device_that_is_used_twice_here_is_called_that(void **state)
{
	struct device device;
	struct disk disk;

	make(&device, 512, false);
	assert_int_equal(disk_open(&disk, device.path, false, false, NULL), 0);
	expect(device.path, false, false, -EBUSY, "used twice in this machine");
	expect(device.path, true, false, -EBUSY, "used twice in this machine");
	disk_close(&disk);
	device_deinit(&device);
}

static void a_device_without_a_medium_is_empty(void **state)
{
	struct device device;

	make(&device, 512, false);
	assert_int_equal(ioctl(device.fd, LOOP_CLR_FD), 0);
	close(device.fd);
	device.fd = -1;
	expect(device.path, true, false, -EINVAL, "is empty");
	device_deinit(&device);
}

static void direct_io_goes_by_the_devices_blocks(void **state)
{
	struct device device;
	struct disk disk;

	make(&device, 4096, false);
	assert_int_equal(disk_open(&disk, device.path, false, true, NULL), 0);
	assert_int_equal(disk.block, 4096);
	assert_int_equal(disk.memory_align, 4096);
	assert_true(fcntl(disk.fd, F_GETFL) & O_DIRECT);
	disk_close(&disk);
	device_deinit(&device);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_blocks_are_the_disks),
		cmocka_unit_test(transfers_whatever_its_block_size),
		cmocka_unit_test(single_sectors_of_large_blocks_can_be_written),
		cmocka_unit_test(direct_io_refuses_parts_of_blocks_in_clear_words),
		cmocka_unit_test(zeroes_reach_parts_of_blocks),
		cmocka_unit_test(zeroes_of_direct_io_go_by_whole_blocks),
		cmocka_unit_test(a_discard_reaches_what_is_below),
		cmocka_unit_test(a_device_that_grows_is_noticed),
		cmocka_unit_test(a_device_that_can_only_be_read_needs_readonly),
		cmocka_unit_test(a_device_in_use_by_the_host_can_only_be_read),
		cmocka_unit_test(a_device_that_is_used_twice_here_is_called_that),
		cmocka_unit_test(a_device_without_a_medium_is_empty),
		cmocka_unit_test(direct_io_goes_by_the_devices_blocks),
	};
	struct device device;
	int r = device_init(&device, BLK_RIG_SIZE, 512, false);

	device_deinit(&device);
	if (r < 0) {
		printf("1..0 # SKIP no loop device: %s\n", strerror(-r));
		return 0;
	}
	if (!blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
