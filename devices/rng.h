/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rng.h - the virtio entropy device: random numbers of the host's kernel.
 *
 * Made and freed on the main thread; runs on the thread of its environment's loop.
 */
#ifndef VMM_RNG_H
#define VMM_RNG_H

#include "virtio.h"

struct rng;

/*
 * rng_new - an entropy device without transport.
 * @env: copied; what it points to is borrowed until rng_free().
 * Return: 0 and *@out, owned by the caller; or -errno.
 */
int rng_new(struct rng **out, const struct virtio_env *env);

/* rng_free - its loop does not run any more. NULL is fine. */
void rng_free(struct rng *rng);

/* rng_device - for the transport. Borrowed. */
struct virtio_device *rng_device(struct rng *rng);

#endif
