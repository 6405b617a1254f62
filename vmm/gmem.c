/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gmem.c - guest memory, private to this process or in one sealed memfd. See gmem.h.
 */
#include "gmem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

struct gmem {
	int fd; /* the memfd, or -1: private */
	size_t n;
	uint64_t size;
	bool huge; /* pages are huge or may become so */
	struct gmem_region regions[GMEM_REGIONS_MAX];
};

#define HUGEPAGE_SIZE (2 * MIB)

/* gmem_read_file(): what is worth a pipe, and the largest pipe that an ordinary user gets. */
#define SPLICE_MIN (256 * KIB)
#define PIPE_SIZE  ((int)MIB)

static int make_memfd(uint64_t size, const struct gmem_options *options, struct error *err)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd, r;

	if (options->hugepages)
		flags |= MFD_HUGETLB;
	fd = memfd_create("guest-memory", flags);
	if (fd < 0)
		return error_set(err, errno, "cannot create guest memory: %s", strerror(errno));
	/* The size never changes, so no access of ours can end in SIGBUS. */
	if (ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
		r = error_set(err, errno, "cannot size guest memory to %llu MiB: %s",
			      (unsigned long long)(size / MIB), strerror(errno));
		close(fd);
		return r;
	}
	return fd;
}

static int prefault(const struct gmem_region *region, struct error *err)
{
	if (madvise(region->host, region->size, MADV_POPULATE_WRITE) == 0)
		return 0;
	return error_set(err, errno, "cannot allocate all %llu MiB of guest memory now: %s",
			 (unsigned long long)(region->size / MIB),
			 errno == EFAULT ? "not enough huge pages" : strerror(errno));
}

/*
 * Address space of @size bytes that starts where a huge page may, as the region does in the guest:
 * else no huge page could be mapped there as one.
 */
static uint8_t *reserve_aligned(uint64_t size)
{
	const uint64_t whole = size + HUGEPAGE_SIZE;
	uint8_t *base, *host;
	uint64_t before;

	base = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return MAP_FAILED;
	host = (uint8_t *)ALIGN_UP((uintptr_t)base, HUGEPAGE_SIZE);
	before = (uint64_t)(host - base);
	if (before)
		munmap(base, before);
	munmap(host + size, whole - before - size);
	return host;
}

static void *map(uint64_t size, int fd, uint64_t offset, const struct gmem_options *options)
{
	uint8_t *at = reserve_aligned(size);
	void *host;
	int flags = MAP_FIXED;

	if (at == MAP_FAILED)
		return MAP_FAILED;
	flags |= fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	/* Huge pages are reserved here, so that a shortage shows now and not as a SIGBUS later. */
	if (!options->hugepages)
		flags |= MAP_NORESERVE;
	host = mmap(at, size, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);
	if (host == MAP_FAILED) {
		int code = errno;

		munmap(at, size);
		errno = code;
	}
	return host;
}

static int map_region(struct gmem_region *region, int fd, uint64_t offset,
		      const struct gmem_options *options, struct error *err)
{
	void *host = map(region->size, fd, fd < 0 ? 0 : offset, options);

	if (host == MAP_FAILED) {
		int code = errno;

		if (options->hugepages && code == ENOMEM)
			return error_set(err, code,
					 "not enough free huge pages for %llu MiB of guest memory: "
					 "raise vm.nr_hugepages or drop hugepages=on",
					 (unsigned long long)(region->size / MIB));
		return error_set(err, code, "cannot map %llu MiB of guest memory: %s",
				 (unsigned long long)(region->size / MIB), strerror(code));
	}
	region->host = host;
	/* Guest memory is large and says nothing about a bug of ours. */
	(void)madvise(host, region->size, MADV_DONTDUMP);
	/* For whoever reads /proc/PID/maps; older kernels cannot name such memory. */
	if (fd < 0)
		(void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, host, region->size, "guest-memory");
	if (options->thp && madvise(host, region->size, MADV_HUGEPAGE) < 0)
		return error_set(err, errno, "this host has no transparent huge pages (thp=on): %s",
				 strerror(errno));
	return options->prefault ? prefault(region, err) : 0;
}

int gmem_new(struct gmem **out, const struct gmem_region *layout, size_t n,
	     const struct gmem_options *options, struct error *err)
{
	_cleanup_(gmem_freep) struct gmem *gmem = NULL;
	uint64_t offset = 0;
	int r;

	if (n == 0 || n > GMEM_REGIONS_MAX)
		return error_set(err, EINVAL, "guest memory of %zu regions", n);
	gmem = calloc(1, sizeof(*gmem));
	if (!gmem)
		return error_set(err, ENOMEM, "out of memory");
	gmem->fd = -1;
	gmem->huge = options->hugepages || options->thp;
	for (size_t i = 0; i < n; i++)
		gmem->size += layout[i].size;
	if (options->hugepages && gmem->size % HUGEPAGE_SIZE)
		return error_set(err, EINVAL,
				 "a memory size with hugepages=on is a multiple of 2 MiB");
	if (options->shared || options->hugepages) {
		gmem->fd = make_memfd(gmem->size, options, err);
		if (gmem->fd < 0)
			return gmem->fd;
	}
	for (size_t i = 0; i < n; i++) {
		struct gmem_region *region = &gmem->regions[gmem->n++];

		*region = (struct gmem_region) {.gpa = layout[i].gpa, .size = layout[i].size};
		r = map_region(region, gmem->fd, offset, options, err);
		if (r < 0)
			return r;
		offset += region->size;
	}
	*out = gmem;
	gmem = NULL;
	return 0;
}

void gmem_free(struct gmem *gmem)
{
	if (!gmem)
		return;
	for (size_t i = 0; i < gmem->n; i++)
		if (gmem->regions[i].host)
			munmap(gmem->regions[i].host, gmem->regions[i].size);
	if (gmem->fd >= 0)
		close(gmem->fd);
	free(gmem);
}

void gmem_freep(struct gmem **gmem)
{
	gmem_free(*gmem);
}

int gmem_fd(const struct gmem *gmem)
{
	return gmem->fd;
}

uint64_t gmem_size(const struct gmem *gmem)
{
	return gmem->size;
}

size_t gmem_regions(const struct gmem *gmem, const struct gmem_region **regions)
{
	*regions = gmem->regions;
	return gmem->n;
}

/* The bytes from @gpa on to the end of its region, or NULL. */
static uint8_t *locate(const struct gmem *gmem, uint64_t gpa, uint64_t *left)
{
	for (size_t i = 0; i < gmem->n; i++) {
		const struct gmem_region *region = &gmem->regions[i];

		if (gpa >= region->gpa && gpa - region->gpa < region->size) {
			*left = region->size - (gpa - region->gpa);
			return region->host + (gpa - region->gpa);
		}
	}
	*left = 0;
	return NULL;
}

void *gmem_at(const struct gmem *gmem, uint64_t gpa, uint64_t len)
{
	uint64_t left;
	uint8_t *host = locate(gmem, gpa, &left);

	return host && len <= left ? host : NULL;
}

/* All of [@gpa, @gpa + @len) is RAM, in one region or several that touch. */
static bool covered(const struct gmem *gmem, uint64_t gpa, uint64_t len)
{
	uint64_t left;

	while (len > 0) {
		if (!locate(gmem, gpa, &left))
			return false;
		left = MIN(left, len);
		gpa += left;
		len -= left;
	}
	return true;
}

int gmem_read(const struct gmem *gmem, uint64_t gpa, void *to, uint64_t len)
{
	uint8_t *at = to;
	uint64_t part;

	if (!covered(gmem, gpa, len))
		return -EFAULT;
	for (; len > 0; gpa += part, at += part, len -= part) {
		const uint8_t *host = locate(gmem, gpa, &part);

		part = MIN(part, len);
		memcpy(at, host, part);
	}
	return 0;
}

int gmem_write(const struct gmem *gmem, uint64_t gpa, const void *from, uint64_t len)
{
	const uint8_t *at = from;
	uint64_t part;

	if (!covered(gmem, gpa, len))
		return -EFAULT;
	for (; len > 0; gpa += part, at += part, len -= part) {
		uint8_t *host = locate(gmem, gpa, &part);

		part = MIN(part, len);
		memcpy(host, at, part);
	}
	return 0;
}

int gmem_zero(const struct gmem *gmem, uint64_t gpa, uint64_t len)
{
	uint64_t part;

	if (!covered(gmem, gpa, len))
		return -EFAULT;
	for (; len > 0; gpa += part, len -= part) {
		uint8_t *host = locate(gmem, gpa, &part);

		part = MIN(part, len);
		memset(host, 0, part);
	}
	return 0;
}

/* Where @host's region has @host in the memfd. */
static uint64_t memfd_offset(const struct gmem *gmem, const uint8_t *host)
{
	uint64_t offset = 0;

	for (size_t i = 0; i < gmem->n; i++) {
		const struct gmem_region *region = &gmem->regions[i];

		if (host >= region->host && (uint64_t)(host - region->host) < region->size)
			return offset + (uint64_t)(host - region->host);
		offset += region->size;
	}
	assert(false);
	return 0;
}

/* Up to @len bytes, as many as the pipe holds. Return: how many; 0 at the file's end; -errno. */
static ssize_t splice_part(int fd, uint64_t offset, const int pipe[2], int memfd, uint64_t at,
			   uint64_t len)
{
	off_t from = (off_t)offset, to = (off_t)at;
	ssize_t got, put;

	got = splice(fd, &from, pipe[1], NULL, len, 0);
	if (got <= 0)
		return got < 0 ? -errno : 0;
	for (ssize_t left = got; left > 0; left -= put) {
		put = splice(pipe[0], NULL, memfd, &to, (size_t)left, 0);
		if (put < 0 && errno == EINTR)
			put = 0;
		else if (put <= 0)
			return put < 0 ? -errno : -EIO;
	}
	return got;
}

static void close_pipe(int pipe[2])
{
	closep(&pipe[0]);
	closep(&pipe[1]);
	pipe[0] = pipe[1] = -1;
}

/* Without a pipe, gmem_read_file() does as well, only slower. */
static void open_pipe(int pipe[2])
{
	if (pipe2(pipe, O_CLOEXEC) < 0)
		pipe[0] = pipe[1] = -1;
	else
		(void)fcntl(pipe[0], F_SETPIPE_SZ, PIPE_SIZE);
}

/*
 * Private memory that is about to be filled may as well be of huge pages, where the host's policy
 * leaves that to us: a few faults instead of thousands. Those at the ends must be filled by half,
 * or clearing them costs more than the faults.
 */
static void advise_huge(const struct gmem *gmem, uint64_t gpa, uint64_t len)
{
	const struct gmem_region *region;

	for (size_t i = 0; i < gmem->n; i++) {
		region = &gmem->regions[i];
		if (gpa >= region->gpa && gpa - region->gpa < region->size) {
			const uint64_t at = gpa - region->gpa + HUGEPAGE_SIZE / 2;
			const uint64_t start = ALIGN_DOWN(at, HUGEPAGE_SIZE);
			const uint64_t end = MIN(ALIGN_DOWN(at + len, HUGEPAGE_SIZE), region->size);

			if (start < end)
				(void)madvise(region->host + start, end - start, MADV_HUGEPAGE);
			return;
		}
	}
}

/*
 * A large read goes from page cache to memfd by splice(2), which costs half of pread(2): the new
 * pages are neither cleared before they are filled nor mapped one fault at a time. Huge pages come
 * only by a fault in the mapping.
 */
int gmem_read_file(const struct gmem *gmem, uint64_t gpa, int fd, uint64_t offset, uint64_t len)
{
	int pipe[2] = {-1, -1};
	uint64_t part;
	int r = 0;

	if (!covered(gmem, gpa, len))
		return -EFAULT;
	if (len >= SPLICE_MIN && gmem->fd >= 0 && !gmem->huge)
		open_pipe(pipe);
	if (len >= HUGEPAGE_SIZE && gmem->fd < 0)
		advise_huge(gmem, gpa, len);
	for (; len > 0; gpa += part, offset += part, len -= part) {
		uint8_t *host = locate(gmem, gpa, &part);
		ssize_t got;

		part = MIN(part, len);
		if (pipe[0] >= 0) {
			got = splice_part(fd, offset, pipe, gmem->fd, memfd_offset(gmem, host),
					  part);
		} else {
			got = pread(fd, host, part, (off_t)offset);
			if (got < 0)
				got = -errno;
		}
		if (got == -EINVAL && pipe[0] >= 0) { /* not on this file system */
			close_pipe(pipe);
			got = 0;
		} else if (got == -EINTR) {
			got = 0;
		} else if (got <= 0) {
			r = got < 0 ? (int)got : -ENODATA;
			break;
		}
		part = (uint64_t)got;
	}
	close_pipe(pipe);
	return r;
}
