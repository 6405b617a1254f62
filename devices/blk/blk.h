/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk.h - a virtio block device: an image file or block device of the host as the guest's disk.
 *
 * Implements virtio 1.4, 5.2, device type 2. Made and freed on the main thread; serves its queues
 * on the thread of its environment's loop, which was made with LOOP_FILE_IO.
 */
#ifndef VMM_BLK_H
#define VMM_BLK_H

#include "base.h"
#include "error.h"
#include "virtio.h"

#define BLK_QUEUES_MAX 32
#define BLK_ID_MAX     20 /* bytes of VIRTIO_BLK_T_GET_ID */

struct blk;

/* struct blk_options - what the user says of a disk. Strings are needed by blk_new() only. */
struct blk_options {
	const char *path; /* raw image or block device; it is never created, grown or cut */
	const char *id; /* printable ASCII, at most BLK_ID_MAX; NULL: the end of the file's name */
	bool readonly;
	bool direct;	     /* past the host's page cache */
	bool discard;	     /* what the guest discards is freed on the host */
	unsigned int queues; /* 1 to BLK_QUEUES_MAX */
};

/*
 * blk_new - open and lock the image, make the device.
 * @env: borrowed.
 * Return: 0 and *@out, owned by the caller; or -errno and a sentence.
 */
int blk_new(struct blk **out, const struct virtio_env *env, const struct blk_options *options,
	    struct error *err);

/* blk_device - for its transport. Borrowed. */
struct virtio_device *blk_device(struct blk *blk);

/*
 * blk_free - close the image. No vCPU runs, and the loop does not: loop_thread_stop() has waited
 * for what was in flight. NULL is fine.
 */
void blk_free(struct blk *blk);

#endif
