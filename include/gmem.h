/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gmem.h - guest memory, mapped once, seen by the guest as a few regions: private to this process,
 * or one sealed memfd that can be shared.
 *
 * Addresses are guest physical (gpa), in bytes. After gmem_new() the layout never changes, so any
 * thread may use these functions; the guest writes the same bytes at any time, hence control
 * structures are copied out once with gmem_read() and only the copy is used.
 */
#ifndef VMM_GMEM_H
#define VMM_GMEM_H

#include "base.h"
#include "error.h"

#define GMEM_REGIONS_MAX 2

struct gmem;

struct gmem_options {
	bool shared;	/* a memfd, for what maps guest pages a second time */
	bool hugepages; /* from hugetlbfs's default pool; implies shared */
	bool prefault;	/* allocate everything now */
	bool thp;	/* ask for transparent huge pages */
};

struct gmem_region {
	uint64_t gpa;  /* page aligned */
	uint64_t size; /* bytes, page aligned, not 0 */
	uint8_t *host; /* where this process has it mapped; set by gmem_new() */
};

/*
 * gmem_new - allocate guest memory.
 * @layout: @n regions (at most GMEM_REGIONS_MAX), ascending, not overlapping; .host is ignored.
 * Return: 0 and *@out, which the caller owns; or -errno and a sentence in @err.
 */
int gmem_new(struct gmem **out, const struct gmem_region *layout, size_t n,
	     const struct gmem_options *options, struct error *err);
void gmem_free(struct gmem *gmem);
void gmem_freep(struct gmem **gmem);

/*
 * gmem_fd - the memfd; region 0 starts at offset 0, each next one where the last ended. Borrowed.
 * Return: -1 if the memory is private.
 */
int gmem_fd(const struct gmem *gmem);

/* gmem_size - bytes of RAM in all regions. */
uint64_t gmem_size(const struct gmem *gmem);

/* gmem_regions - the regions. Return: their number; *@regions is borrowed. */
size_t gmem_regions(const struct gmem *gmem, const struct gmem_region **regions);

/*
 * gmem_at - the host address of a range.
 * Return: NULL unless all @len bytes from @gpa on lie in one region. The pointer must not outlive
 * the request that it is used for.
 */
void *gmem_at(const struct gmem *gmem, uint64_t gpa, uint64_t len);

/*
 * gmem_read, gmem_write, gmem_zero - copy out, copy in, clear. Ranges may span adjacent regions.
 * Return: 0, or -EFAULT if any byte lies outside RAM; then nothing was copied.
 */
int gmem_read(const struct gmem *gmem, uint64_t gpa, void *to, uint64_t len);
int gmem_write(const struct gmem *gmem, uint64_t gpa, const void *from, uint64_t len);
int gmem_zero(const struct gmem *gmem, uint64_t gpa, uint64_t len);

/*
 * gmem_read_file - read @len bytes at @offset of @fd straight into guest memory, without a second
 * copy.
 * Return: 0; -EFAULT if the range is not RAM; -ENODATA if the file ends too early; -errno.
 */
int gmem_read_file(const struct gmem *gmem, uint64_t gpa, int fd, uint64_t offset, uint64_t len);

#endif
