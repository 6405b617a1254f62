/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pages.h - guest memory of a SHARED_PAGES buffer as one range that the host's V4L2 can be given:
 * V4L2_MEMORY_USERPTR, or where the host has no such thing, a udmabuf as V4L2_MEMORY_DMABUF.
 *
 * Virtio 1.4, media device, "SHARED_PAGES". The guest's scattered pages are mapped a second time,
 * side by side. Only where the pieces do not fit together at page borders is there a copy. One
 * struct pages stands for one plane of one buffer and is used again with each QBUF. Device's
 * thread.
 */
#ifndef VMM_MEDIA_PAGES_H
#define VMM_MEDIA_PAGES_H

#include "base.h"
#include "devices/media/payload.h"
#include "gmem.h"

struct pages;

/* pages_possible - guest memory of this machine can be mapped a second time. */
bool pages_possible(const struct gmem *gmem);

/* pages_dmabuf_possible - this host can make DMABUFs of it (/dev/udmabuf). */
bool pages_dmabuf_possible(const struct gmem *gmem);

/*
 * pages_new - for one plane. @dmabuf: make DMABUFs. @gmem: borrowed.
 * Return: 0 and *@out, owned by the caller; -ENOMEM.
 */
int pages_new(struct pages **out, const struct gmem *gmem, bool dmabuf);

/* pages_free - the host does not use it any more. NULL is fine. */
void pages_free(struct pages *pages);

/*
 * pages_set - from now on @sg, for the next QBUF. If these are the pages of last time, nothing
 * changes. Otherwise the new range has another address than the last one: V4L2 takes an address
 * that it knows for memory that it knows. The host has given the last range back (buffer dequeued,
 * or QBUF failed).
 * Return: 0; -EFAULT (outside RAM); -errno.
 */
int pages_set(struct pages *pages, const struct payload_sg *sg);

/* pages_address - what goes into m.userptr. pages_fd - what goes into m.fd; borrowed. */
uint64_t pages_address(const struct pages *pages);
int pages_fd(const struct pages *pages);

/*
 * pages_to_host, pages_to_guest - before QBUF of an output buffer, after DQBUF of a capture one:
 * copy if there is a copy, the first @len bytes. pages_copied - is there one?
 */
void pages_to_host(struct pages *pages, uint32_t len);
void pages_to_guest(struct pages *pages, uint32_t len);
bool pages_copied(const struct pages *pages);

#endif
