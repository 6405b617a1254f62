/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - shared memory region 0 of a media device. See window.h.
 *
 * At no moment there may be a hole in the region: a guest that touches one makes KVM_RUN fail. So
 * nothing is ever unmapped; what is there is replaced, and Linux does that as one step under the
 * lock of the address space. A vCPU that comes in between waits for that lock (it has lost its own
 * translation by then: KVM is told of each page that goes, and tries a fault again that was under
 * way), and finds either the old or the new. A buffer is first mapped elsewhere and then moved in,
 * because a driver that refuses an mmap(2) does so when the old pages are gone already.
 */
#include "devices/media/window.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "devices/media/shm.h"
#include "devices/media/vma_budget.h"
#include "log.h"

#define HUGEPAGE (2 * MIB)

/* What one of ours costs the process: itself, and the scratch that it cuts in two. */
#define MAPPING_VMAS 2

enum { HALF_WRITABLE, HALF_READONLY, HALVES };

struct media_window {
	uint8_t *host;
	uint64_t half;
	pthread_mutex_t lock; /* the device's thread maps, a vCPU's repairs */
	struct shm *shm[HALVES];
	bool populates; /* this kernel has MADV_POPULATE_READ and _WRITE: Linux 5.14 */
	char name[64];	/* of the backend, for messages */
	struct log_limit lost;
};

static uint8_t *half_host(const struct media_window *window, unsigned int which)
{
	return window->host + which * window->half;
}

/*
 * Memory that nobody has touched yet takes the place of what is at [@at, @at + @len). In the
 * read-only half that is all it ever is: every page of it is the kernel's one page of zeros.
 */
static int put_scratch(uint8_t *at, uint64_t len, unsigned int which)
{
	const int prot = which == HALF_WRITABLE ? PROT_READ | PROT_WRITE : PROT_READ;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;

	if (mmap(at, len, prot, flags, -1, 0) == MAP_FAILED)
		return -errno;
	/* One byte touched is to cost one small page; and no crash of ours is explained by it. */
	(void)madvise(at, len, MADV_NOHUGEPAGE);
	(void)madvise(at, len, MADV_DONTDUMP);
	return 0;
}

/*
 * Scratch takes the place of @range and of what scratch there is on both sides of it. In one piece:
 * two neighbours that the guest has written to at different times would stay two mappings for
 * Linux, and cost us one that nobody has paid for. With the lock held.
 */
static int put_scratch_around(struct media_window *window, unsigned int which,
			      const struct shm_range *range)
{
	struct shm_range *ranges;
	const size_t n = shm_ranges(window->shm[which], &ranges), i = (size_t)(range - ranges);
	const uint64_t start = i > 0 ? ranges[i - 1].offset + ranges[i - 1].len : 0;
	const uint64_t end = i + 1 < n ? ranges[i + 1].offset : window->half;

	return put_scratch(half_host(window, which) + start, end - start, which);
}

/* Starts where a huge page may, as the region does in the guest. */
static int reserve(struct media_window *window)
{
	const uint64_t size = window->half * HALVES, whole = size + HUGEPAGE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint8_t *base = mmap(NULL, whole, PROT_NONE, flags, -1, 0);
	uint64_t before;

	if (base == MAP_FAILED)
		return -errno;
	window->host = (uint8_t *)ALIGN_UP((uintptr_t)base, HUGEPAGE);
	before = (uint64_t)(window->host - base);
	if (before)
		munmap(base, before);
	munmap(window->host + size, whole - before - size);
	return 0;
}

int media_window_new(struct media_window **out, uint64_t half, struct error *err)
{
	struct media_window *window;
	int r;

	if (half == 0 || half % HUGEPAGE || half > UINT64_MAX / 4)
		return error_set(err, EINVAL,
				 "shared memory of %llu bytes: a multiple of 2 MiB is needed",
				 (unsigned long long)half);
	window = calloc(1, sizeof(*window));
	if (!window)
		return error_set(err, ENOMEM, "out of memory");
	window->half = half;
	pthread_mutex_init(&window->lock, NULL);
	r = reserve(window);
	for (unsigned int i = 0; i < HALVES && r == 0; i++) {
		r = put_scratch(half_host(window, i), half, i);
		if (r == 0)
			r = shm_new(&window->shm[i], half, ARCH_GUEST_PAGE);
	}
	if (r < 0) {
		media_window_free(window);
		return error_set(err, -r, "cannot map twice %llu MiB of shared memory: %s",
				 (unsigned long long)(half / MIB), strerror(-r));
	}
	/* Asked of a page that can be reached for certain. */
	window->populates =
		madvise(half_host(window, HALF_READONLY), ARCH_GUEST_PAGE, MADV_POPULATE_READ) == 0;
	*out = window;
	return 0;
}

void media_window_free(struct media_window *window)
{
	struct shm_range *ranges;
	size_t n = 0;

	if (!window)
		return;
	for (unsigned int i = 0; i < HALVES; i++) {
		if (window->shm[i])
			n += shm_ranges(window->shm[i], &ranges);
		shm_free(window->shm[i]);
	}
	if (window->host)
		munmap(window->host, HALVES * window->half);
	vma_budget_give(n * MAPPING_VMAS);
	pthread_mutex_destroy(&window->lock);
	free(window);
}

void *media_window_host(const struct media_window *window)
{
	return window->host;
}

uint64_t media_window_half(const struct media_window *window)
{
	return window->half;
}

/* Return: 0 and *@out, a mapping of the plane at an address of its own; -errno. */
static int map_aside(struct media_file *file, const struct media_plane_id *plane, uint64_t len,
		     bool writable, uint8_t **out)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint8_t *aside = mmap(NULL, len, PROT_NONE, flags, -1, 0);
	int r;

	if (aside == MAP_FAILED)
		return -errno;
	r = file->backend->ops->map(file, plane, aside, len, writable);
	if (r < 0) {
		munmap(aside, len);
		return r;
	}
	(void)madvise(aside, len, MADV_DONTDUMP);
	*out = aside;
	return 0;
}

/* With the lock held. */
static int move_in(struct media_window *window, unsigned int which, uint8_t *aside, uint64_t len,
		   uint64_t *offset)
{
	struct shm *shm = window->shm[which];
	struct shm_range *ranges;
	uint8_t *at;
	int r;

	if (shm_ranges(shm, &ranges) >= MEDIA_WINDOW_MAPPINGS_MAX / HALVES)
		return -ENOSPC;
	r = shm_take(shm, len, offset);
	if (r < 0)
		return r;
	at = half_host(window, which) + *offset;
	if (mremap(aside, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED)
		return 0;
	r = -errno;
	/* Where the host is out of memory, what was there may be gone. */
	(void)put_scratch_around(window, which, shm_find(shm, *offset));
	shm_give(shm, *offset);
	return r;
}

/* @len: whole pages of the host. */
static int map(struct media_window *window, struct media_file *file,
	       const struct media_plane_id *plane, uint64_t len, unsigned int which,
	       uint64_t *offset)
{
	uint8_t *aside = NULL;
	int r;

	/* Without the lock: it may take the driver long. */
	r = map_aside(file, plane, len, which == HALF_WRITABLE, &aside);
	if (r < 0)
		return r;
	pthread_mutex_lock(&window->lock);
	snprintf(window->name, sizeof(window->name), "%s", file->backend->name);
	r = move_in(window, which, aside, len, offset);
	pthread_mutex_unlock(&window->lock);
	if (r < 0) {
		munmap(aside, len);
		return r;
	}
	*offset += which * window->half;
	return 0;
}

int media_window_map(struct media_window *window, struct media_file *file,
		     const struct media_plane_id *plane, bool writable, uint64_t *offset)
{
	/* The guest's pages may be larger: what is in its last one beyond the buffer is scratch. */
	const uint64_t len = ALIGN_UP((uint64_t)plane->length, (uint64_t)sysconf(_SC_PAGESIZE));
	int r;

	if (len == 0)
		return -EINVAL;
	if (len > window->half || !vma_budget_take(MAPPING_VMAS))
		return -ENOSPC;
	r = map(window, file, plane, len, writable ? HALF_WRITABLE : HALF_READONLY, offset);
	if (r < 0)
		vma_budget_give(MAPPING_VMAS);
	return r;
}

/* With the lock held. */
static int unmap(struct media_window *window, unsigned int which, uint64_t offset)
{
	const struct shm_range *range = shm_find(window->shm[which], offset);
	int r;

	if (!range || range->offset != offset)
		return -EINVAL;
	r = put_scratch_around(window, which, range);
	if (r < 0)
		return r;
	shm_give(window->shm[which], offset);
	vma_budget_give(MAPPING_VMAS);
	return 0;
}

int media_window_unmap(struct media_window *window, uint64_t offset)
{
	const unsigned int which = offset < window->half ? HALF_WRITABLE : HALF_READONLY;
	int r;

	pthread_mutex_lock(&window->lock);
	r = unmap(window, which, offset - which * window->half);
	pthread_mutex_unlock(&window->lock);
	return r;
}

void media_window_reset(struct media_window *window)
{
	struct shm_range *ranges;
	size_t n;
	int r;

	pthread_mutex_lock(&window->lock);
	for (unsigned int i = 0; i < HALVES; i++) {
		r = put_scratch(half_host(window, i), window->half, i);
		if (r < 0) {
			log_error("%s: cannot unmap what the guest has mapped: %s", window->name,
				  strerror(-r));
			continue;
		}
		while ((n = shm_ranges(window->shm[i], &ranges)) > 0) {
			shm_give(window->shm[i], ranges[n - 1].offset);
			vma_budget_give(MAPPING_VMAS);
		}
	}
	pthread_mutex_unlock(&window->lock);
}

uint64_t media_window_mapped(struct media_window *window)
{
	uint64_t mapped = 0;

	pthread_mutex_lock(&window->lock);
	for (unsigned int i = 0; i < HALVES; i++)
		mapped += shm_taken(window->shm[i]);
	pthread_mutex_unlock(&window->lock);
	return mapped;
}

/*
 * Whether KVM can get at these pages for certain: it takes a page as the kernel does for direct
 * I/O, and populating tries just that. A kernel that cannot tell is believed that it can: one
 * answer for all mappings, good ones too, must not cost the guest its buffers.
 */
static bool reachable(const struct media_window *window, uint8_t *at, uint64_t len,
		      unsigned int which)
{
	const int how = which == HALF_WRITABLE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;

	if (!window->populates || madvise(at, len, how) == 0)
		return true;
	return errno != EINVAL && errno != EFAULT && errno != EHWPOISON;
}

/* With the lock held. Return: whether it had to be replaced. */
static bool repair(struct media_window *window, unsigned int which, struct shm_range *range)
{
	uint8_t *at = half_host(window, which) + range->offset;

	if (range->mark || reachable(window, at, range->len, which))
		return false;
	if (put_scratch(at, range->len, which) < 0)
		return false;
	range->mark = true; /* scratch: nothing more to repair */
	return true;
}

bool media_window_repair(struct media_window *window, uint64_t offset)
{
	unsigned int repaired = 0;
	struct shm_range *ranges;

	pthread_mutex_lock(&window->lock);
	for (unsigned int i = 0; i < HALVES; i++) {
		const size_t n = shm_ranges(window->shm[i], &ranges);

		for (size_t j = 0; j < n; j++) {
			const uint64_t start = i * window->half + ranges[j].offset;

			if (offset != MEDIA_WINDOW_ANYWHERE &&
			    (offset < start || offset - start >= ranges[j].len))
				continue;
			repaired += repair(window, i, &ranges[j]);
		}
	}
	if (repaired > 0)
		log_limited(&window->lost, LOG_LEVEL_WARNING,
			    "%s: KVM of this host's kernel cannot give the guest the memory of "
			    "%u mapped buffer%s, which the guest will find empty; Linux 6.13 and "
			    "later can, unless the device is gone",
			    window->name, repaired, repaired == 1 ? "" : "s");
	pthread_mutex_unlock(&window->lock);
	return repaired > 0;
}
