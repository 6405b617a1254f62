/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blk_size.c - a disk whose image is given another size while the guest runs.
 *
 * The argument chooses the loop: "epoll" or "uring".
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "blk_rig.h"
#include "fake_irq.h"

static struct blk_rig rig;

static bool wait_for_capacity(uint64_t sectors, unsigned int ms)
{
	const struct timespec step = {.tv_nsec = 1000000};

	while (le64toh(blk_rig_config(&rig).capacity) != sectors && ms-- > 0)
		nanosleep(&step, NULL);
	return le64toh(blk_rig_config(&rig).capacity) == sectors;
}

static bool config_interrupt(void)
{
	const bool there =
		virtio_driver_read(&rig.driver, MMIO_INTERRUPT_STATUS) & VIRTIO_INTERRUPT_CONFIG;

	virtio_driver_write(&rig.driver, MMIO_INTERRUPT_ACK, VIRTIO_INTERRUPT_CONFIG);
	return there && fake_irq_take(&rig.driver.irq) > 0;
}

static void resize(uint64_t size)
{
	rig.image = realloc(rig.image, (size_t)size);
	assert_non_null(rig.image);
	if (size > rig.size)
		memset(rig.image + rig.size, 0, (size_t)(size - rig.size));
	rig.size = size;
	assert_int_equal(ftruncate(rig.fd, (off_t)size), 0);
}

/* 5.2.6.2: capacity MAY change, with a configuration change notification. */
static void a_change_of_size_is_noticed(void **state)
{
	static const struct blk_rig_options options;
	uint8_t data[SECTOR];
	uint32_t generation;

	blk_rig_init(&rig, &options);
	generation = virtio_driver_read(&rig.driver, MMIO_CONFIG_GENERATION);
	assert_int_equal(blk_rig_read(&rig, BLK_RIG_SIZE / SECTOR, data, SECTOR),
			 VIRTIO_BLK_S_IOERR);
	fake_irq_take(&rig.driver.irq);
	resize(2 * BLK_RIG_SIZE);
	assert_true(wait_for_capacity(2 * BLK_RIG_SIZE / SECTOR, 10000));
	assert_true(config_interrupt());
	assert_int_not_equal(virtio_driver_read(&rig.driver, MMIO_CONFIG_GENERATION), generation);
	blk_rig_fill(&rig, data, sizeof(data));
	assert_int_equal(blk_rig_write(&rig, 2 * BLK_RIG_SIZE / SECTOR - 1, data, SECTOR),
			 VIRTIO_BLK_S_OK);
	blk_rig_check(&rig);
	/* Not by a whole sector: what is left over is not there for the guest. */
	resize(BLK_RIG_SIZE / 2 + 100);
	assert_true(wait_for_capacity(BLK_RIG_SIZE / 2 / SECTOR, 10000));
	assert_true(config_interrupt());
	assert_int_equal(blk_rig_write(&rig, BLK_RIG_SIZE / 2 / SECTOR, data, SECTOR),
			 VIRTIO_BLK_S_IOERR);
	blk_rig_check(&rig);
	blk_rig_deinit(&rig);
}

static void a_read_that_ends_early_shows_that_the_image_has_shrunk(void **state)
{
	static const struct blk_rig_options options;
	uint8_t data[8192];

	blk_rig_init(&rig, &options);
	resize(BLK_RIG_SIZE - 4096);
	assert_int_equal(blk_rig_read(&rig, BLK_RIG_SIZE / SECTOR - 16, data, sizeof(data)),
			 VIRTIO_BLK_S_IOERR);
	/* Before the request comes back, not with the timer. */
	assert_int_equal(le64toh(blk_rig_config(&rig).capacity), BLK_RIG_SIZE / SECTOR - 8);
	assert_true(config_interrupt());
	blk_rig_deinit(&rig);
}

/* Without a driver nobody looks. */
static void a_driver_that_starts_sees_the_size_of_the_day(void **state)
{
	static const struct blk_rig_options options;
	uint8_t data[SECTOR];

	blk_rig_init(&rig, &options);
	virtio_driver_write(&rig.driver, MMIO_STATUS, 0);
	resize(BLK_RIG_SIZE + MIB);
	assert_false(wait_for_capacity((BLK_RIG_SIZE + MIB) / SECTOR, 2500));
	blk_rig_restart(&rig, VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));
	assert_int_equal(le64toh(blk_rig_config(&rig).capacity), (BLK_RIG_SIZE + MIB) / SECTOR);
	assert_int_equal(blk_rig_read(&rig, BLK_RIG_SIZE / SECTOR, data, SECTOR), VIRTIO_BLK_S_OK);
	blk_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_of_size_is_noticed),
		cmocka_unit_test(a_read_that_ends_early_shows_that_the_image_has_shrunk),
		cmocka_unit_test(a_driver_that_starts_sees_the_size_of_the_day),
	};

	if (!blk_rig_select(argc, argv))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
