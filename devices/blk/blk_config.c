/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_config.c - what a virtio block device says of itself: features and configuration space.
 *
 * Implements virtio 1.4, 5.2.3 to 5.2.5. Before the first vCPU runs.
 *
 * SIZE_MAX is not offered, since there is no limit; nor CONFIG_WCE, since a driver may read
 * "writeback" between FEATURES_OK and DRIVER_OK, when the device has not looked at the features.
 */
#include <endian.h>

#include "devices/blk/blk_device.h"

uint64_t blk_features(const struct blk *blk)
{
	uint64_t features =
		VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
		VIRTIO_FEATURE(VIRTIO_BLK_F_TOPOLOGY) | VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH);

	if (blk->disk.readonly)
		features |= VIRTIO_FEATURE(VIRTIO_BLK_F_RO);
	else
		features |= VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	if (blk->discard)
		features |= VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD);
	if (blk->queues_n > 1)
		features |= VIRTIO_FEATURE(VIRTIO_BLK_F_MQ);
	return features;
}

static void fill_topology(const struct disk *disk, struct virtio_blk_config *config)
{
	const uint32_t first = disk->physical - disk->misalignment % disk->physical;

	while (disk->block << config->physical_block_exp < disk->physical)
		config->physical_block_exp++;
	/* The first block that begins where a physical one does. */
	config->alignment_offset = (uint8_t)(first % disk->physical / disk->block);
	config->min_io_size =
		htole16((uint16_t)MIN(disk->io_min / disk->block, (uint32_t)UINT16_MAX));
	config->opt_io_size = htole32(disk->io_optimal / disk->block);
}

void blk_fill_config(struct blk *blk)
{
	const uint32_t range_max = BLK_RANGE_BYTES_MAX / DISK_SECTOR;
	const struct disk *disk = &blk->disk;
	struct virtio_blk_config config = {
		.capacity = htole64(blk->sectors),
		.seg_max = htole32(BLK_DATA_PIECES_MAX),
		.blk_size = htole32(disk->block),
	};

	fill_topology(disk, &config);
	if (blk->queues_n > 1)
		config.num_queues = htole16((uint16_t)blk->queues_n);
	if (blk->discard) {
		config.max_discard_sectors = htole32(range_max);
		config.max_discard_seg = htole32(BLK_RANGES_MAX);
		config.discard_sector_alignment = htole32(disk->discard_align / DISK_SECTOR);
		config.write_zeroes_may_unmap = 1;
	}
	if (!disk->readonly) {
		config.max_write_zeroes_sectors = htole32(range_max);
		config.max_write_zeroes_seg = htole32(BLK_RANGES_MAX);
	}
	virtio_set_config(&blk->dev, 0, &config, BLK_CONFIG_BYTES);
}
