/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udmabuf.h - DMABUFs made of pages of a memfd, by Linux's /dev/udmabuf (<linux/udmabuf.h>).
 */
#ifndef VMM_MEDIA_UDMABUF_H
#define VMM_MEDIA_UDMABUF_H

#include "base.h"

/* Pieces of one DMABUF: what the kernel allows by default. */
#define UDMABUF_PIECES_MAX 1024

/* struct udmabuf_piece - bytes of the memfd; whole pages. */
struct udmabuf_piece {
	uint64_t offset, size;
};

/*
 * udmabuf_possible - this host has udmabuf, and we may use it. The first call opens the device, for
 * good: it is due before files can no longer be opened. Any thread.
 */
bool udmabuf_possible(void);

/*
 * udmabuf_new - the pieces of @memfd, which is sealed against shrinking but not against writing,
 * one after the other. Any thread. Return: a file descriptor, owned by the caller; -EINVAL (pieces
 * of no whole pages, or the kernel allows no DMABUF that large: list_limit and size_limit_mb of its
 * module); -ENODEV; -errno.
 */
int udmabuf_new(int memfd, const struct udmabuf_piece *pieces, size_t n);

#endif
