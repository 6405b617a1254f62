/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk.h - the host's side of a disk: a raw image file or a block device, open and locked.
 *
 * Embedded in its device. Opened and closed on the main thread, read by the device's.
 */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include "base.h"
#include "error.h"

#define DISK_SECTOR 512u

/* struct disk - all but .fd constant from disk_open() on; sizes are bytes. */
struct disk {
	int fd; /* owned; -1: not open */
	bool readonly;
	bool direct;
	uint64_t size;		/* when it was opened; a multiple of DISK_SECTOR, not 0 */
	uint32_t block;		/* unit of access; what is not a multiple fails if .direct */
	uint32_t physical;	/* what the storage writes without reading first; at least .block */
	uint32_t misalignment;	/* of the disk's first byte in its .physical block */
	uint32_t io_min;	/* smallest I/O that suits the storage; 0: unknown */
	uint32_t io_optimal;	/* largest I/O that suits the storage; 0: unknown */
	uint32_t memory_align;	/* of buffers if .direct, else 1 */
	uint32_t discard_align; /* what is discarded best begins and ends on a multiple */
};

/*
 * disk_open - open @path, which exists, for reading or for both; lock it; learn its geometry.
 * @direct: bypass the host's page cache. The file is not changed in any way.
 * Return: 0 and *@disk; or -errno and a sentence, and nothing is open.
 */
int disk_open(struct disk *disk, const char *path, bool readonly, bool direct, struct error *err);

/* disk_close - releases the lock. A disk that is not open is left alone. */
void disk_close(struct disk *disk);

/*
 * disk_size - how large the file or device is now. Bytes; what exceeds the last whole sector is
 * left out. Return: 0, or -errno.
 */
int disk_size(const struct disk *disk, uint64_t *size);

/*
 * disk_lock - lock the open file @fd as a whole against other programs, and against other disks of
 * this one: shared if @readonly, else for this user alone. Closing @fd unlocks it.
 * Where the file system has no locks, a warning is logged and that is all.
 * @path: for messages. Return: 0; -EBUSY and a sentence that names who holds the lock, if the host
 * tells.
 */
int disk_lock(int fd, const char *path, bool readonly, struct error *err);

#endif
