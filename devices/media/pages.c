/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pages.c - guest memory of a SHARED_PAGES buffer as one range. See pages.h.
 *
 * What the guest names is first cut into pieces, each contiguous in guest memory. One piece is
 * there already, in our mapping of guest memory; several are mapped side by side, if their borders
 * allow it; else there is a copy. What a guest can make this cost is bounded: mappings of the
 * process (vma_budget.h), bytes of copies, lists of pieces, each over all buffers together.
 */
#include "devices/media/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/media/udmabuf.h"
#include "devices/media/vma_budget.h"

/* Of all buffers together. */
#define COPIES_MAX (256 * MIB)
#define PIECES_MAX (512 * KIB)

/* A range starts in one page after the other of its reservation, see reserve(). */
#define TURNS 64

struct piece {
	uint64_t gpa, len;
};

enum kind {
	NOTHING,
	DIRECT, /* one piece, where guest memory is mapped; or a DMABUF of guest memory */
	MAPPED, /* side by side */
	COPIED,
};

struct pages {
	const struct gmem *gmem;
	bool dmabuf;
	uint64_t page;

	enum kind kind;
	struct piece *pieces;
	size_t n;
	uint64_t len;
	uint8_t *address; /* for the host */
	int fd;		  /* DMABUF */

	/* Of kinds MAPPED and COPIED. */
	uint8_t *base;
	uint64_t room;
	unsigned int turn;
	uint8_t *last; /* first page of the last range */
};

static atomic_size_t copies, pieces_held;

/* Return: whether @n more are within @max. */
static bool charge(atomic_size_t *used, size_t n, size_t max)
{
	if (atomic_fetch_add(used, n) + n <= max)
		return true;
	atomic_fetch_sub(used, n);
	return false;
}

bool pages_possible(const struct gmem *gmem)
{
	return gmem_fd(gmem) >= 0;
}

bool pages_dmabuf_possible(const struct gmem *gmem)
{
	return pages_possible(gmem) && udmabuf_possible();
}

int pages_new(struct pages **out, const struct gmem *gmem, bool dmabuf)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	if (!pages)
		return -ENOMEM;
	pages->gmem = gmem;
	pages->dmabuf = dmabuf;
	pages->page = (uint64_t)sysconf(_SC_PAGESIZE);
	pages->fd = -1;
	*out = pages;
	return 0;
}

static uint64_t copy_room(const struct pages *pages)
{
	return ALIGN_UP(pages->len, pages->page);
}

/* Mappings of the process, with what is left of the reservation before and behind. */
static size_t mappings(const struct pages *pages, enum kind kind)
{
	if (kind == MAPPED)
		return pages->n + 2;
	return kind == COPIED ? 3 : 0;
}

static void drop_range(struct pages *pages)
{
	if (pages->base)
		munmap(pages->base, pages->room);
	if (pages->kind == COPIED)
		atomic_fetch_sub(&copies, copy_room(pages));
	vma_budget_give(mappings(pages, pages->kind));
	closep(&pages->fd);
	pages->base = NULL;
	pages->address = NULL;
	pages->fd = -1;
	pages->kind = NOTHING;
}

static void drop_pieces(struct pages *pages)
{
	atomic_fetch_sub(&pieces_held, pages->n);
	free(pages->pieces);
	pages->pieces = NULL;
	pages->n = 0;
}

void pages_free(struct pages *pages)
{
	if (!pages)
		return;
	drop_range(pages);
	drop_pieces(pages);
	free(pages);
}

/* The next piece, from entry *@i on. Return: false at the end. */
static bool next_piece(const struct payload_sg *sg, uint32_t *i, struct piece *piece)
{
	*piece = (struct piece) {0};
	for (; *i < sg->n; ++*i) {
		const struct virtio_media_sg_entry *entry = &sg->entries[*i];

		if (piece->len == 0)
			piece->gpa = entry->start;
		else if (entry->start != piece->gpa + piece->len)
			break;
		piece->len += entry->len;
	}
	return piece->len > 0;
}

static bool unchanged(const struct pages *pages, const struct payload_sg *sg)
{
	struct piece piece;
	uint32_t i = 0;
	size_t n;

	if (pages->kind == NOTHING || pages->len != sg->len)
		return false;
	for (n = 0; next_piece(sg, &i, &piece); n++)
		if (n == pages->n || piece.gpa != pages->pieces[n].gpa ||
		    piece.len != pages->pieces[n].len)
			return false;
	return n == pages->n;
}

/* Return: 0; -EFAULT (outside RAM); -EINVAL (no bytes, or not those of @sg->len); -ENOMEM. */
static int take_pieces(struct pages *pages, const struct payload_sg *sg)
{
	struct piece piece;
	uint64_t len = 0;
	size_t n = 0;

	for (uint32_t i = 0; next_piece(sg, &i, &piece); n++) {
		if (!gmem_at(pages->gmem, piece.gpa, piece.len))
			return -EFAULT;
		len += piece.len;
	}
	if (n == 0 || len != sg->len)
		return -EINVAL;
	if (!charge(&pieces_held, n, PIECES_MAX))
		return -ENOMEM;
	pages->pieces = reallocarray(NULL, n, sizeof(piece));
	if (!pages->pieces) {
		atomic_fetch_sub(&pieces_held, n);
		return -ENOMEM;
	}
	pages->len = len;
	for (uint32_t i = 0; next_piece(sg, &i, &piece);)
		pages->pieces[pages->n++] = piece;
	return 0;
}

/* Whether the pieces are whole pages: all but the start of the first and the end of the last. */
static bool borders_fit(const struct pages *pages)
{
	for (size_t i = 0; i < pages->n; i++) {
		const struct piece *piece = &pages->pieces[i];

		if ((i > 0 || pages->dmabuf) && piece->gpa % pages->page)
			return false;
		if (i + 1 < pages->n && (piece->gpa + piece->len) % pages->page)
			return false;
	}
	return true;
}

/*
 * Address space for @len bytes, whole pages. Where it starts is not where a range of other pages
 * has been in the last TURNS times: V4L2 remembers what an address stood for when it last took it,
 * which need not have been the last time that we offered one.
 */
static int reserve(struct pages *pages, uint64_t len, uint8_t **at)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	const uint64_t room = len + (TURNS + 1) * pages->page;
	void *base = mmap(NULL, room, PROT_NONE, flags, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	pages->base = base;
	pages->room = room;
	pages->turn = (pages->turn + 1) % TURNS;
	*at = pages->base + pages->turn * pages->page;
	if (*at == pages->last)
		*at += pages->page;
	pages->last = *at;
	return 0;
}

/* Where @gpa, which is RAM, is in the memfd. */
static uint64_t memfd_offset(const struct gmem *gmem, uint64_t gpa)
{
	const struct gmem_region *regions;
	const size_t n = gmem_regions(gmem, &regions);
	uint64_t offset = 0;

	for (size_t i = 0; i < n; i++) {
		if (gpa >= regions[i].gpa && gpa - regions[i].gpa < regions[i].size)
			return offset + (gpa - regions[i].gpa);
		offset += regions[i].size;
	}
	return offset;
}

/* The whole pages that piece @i lies in. */
static struct udmabuf_piece whole(const struct pages *pages, size_t i)
{
	const struct piece *piece = &pages->pieces[i];
	const uint64_t start = ALIGN_DOWN(piece->gpa, pages->page);

	return (struct udmabuf_piece) {
		.offset = memfd_offset(pages->gmem, start),
		.size = ALIGN_UP(piece->gpa + piece->len, pages->page) - start,
	};
}

static int map_pieces(struct pages *pages)
{
	const uint64_t head = pages->pieces[0].gpa % pages->page;
	const int flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;
	uint8_t *start, *at;
	int r = reserve(pages, ALIGN_UP(head + pages->len, pages->page), &start);

	if (r < 0)
		return r;
	at = start;
	for (size_t i = 0; i < pages->n; i++) {
		const struct udmabuf_piece piece = whole(pages, i);

		if (mmap(at, piece.size, PROT_READ | PROT_WRITE, flags, gmem_fd(pages->gmem),
			 (off_t)piece.offset) == MAP_FAILED)
			return -errno;
		at += piece.size;
	}
	/* As all guest memory: gmem.c. */
	(void)madvise(start, (size_t)(at - start), MADV_DONTDUMP);
	pages->address = start + head;
	return 0;
}

/* Return: a file of @len bytes that a DMABUF can be made of; -errno. */
static int new_file(uint64_t len)
{
	int fd = memfd_create("shared-pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)len) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static int map_copy(struct pages *pages)
{
	const uint64_t len = copy_room(pages);
	_cleanup_(closep) int file = -1;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	int r;

	if (pages->dmabuf) {
		flags = MAP_SHARED;
		file = r = new_file(len);
		if (r < 0)
			return r;
		pages->fd = r = udmabuf_new(file, &(struct udmabuf_piece) {0, len}, 1);
		if (r < 0)
			return r;
	}
	r = reserve(pages, len, &pages->address);
	if (r < 0)
		return r;
	if (mmap(pages->address, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, 0) ==
	    MAP_FAILED)
		return -errno;
	(void)madvise(pages->address, len, MADV_DONTDUMP);
	return 0;
}

static int make_direct(struct pages *pages)
{
	_cleanup_(freep) struct udmabuf_piece *list = NULL;

	if (!pages->dmabuf) {
		pages->address = gmem_at(pages->gmem, pages->pieces[0].gpa, pages->len);
		return 0;
	}
	list = calloc(pages->n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < pages->n; i++)
		list[i] = whole(pages, i);
	pages->fd = udmabuf_new(gmem_fd(pages->gmem), list, pages->n);
	return MIN(pages->fd, 0);
}

/* Each way takes what it costs, and drop_range() gives it back. */
static int make(struct pages *pages, enum kind kind)
{
	int r;

	if (!vma_budget_take(mappings(pages, kind)))
		return -ENOMEM;
	if (kind == COPIED && !charge(&copies, copy_room(pages), COPIES_MAX)) {
		vma_budget_give(mappings(pages, kind));
		return -ENOMEM;
	}
	pages->kind = kind;
	if (kind == DIRECT)
		r = make_direct(pages);
	else
		r = kind == MAPPED ? map_pieces(pages) : map_copy(pages);
	if (r < 0)
		drop_range(pages);
	return r;
}

static int make_range(struct pages *pages)
{
	if (pages->dmabuf) {
		/* A copy is one piece and whole pages: the kernel may take that instead. */
		if (borders_fit(pages) && make(pages, DIRECT) == 0)
			return 0;
	} else {
		if (pages->n == 1)
			return make(pages, DIRECT);
		/* Refused if guest memory is private, or of huge pages: these only go whole. */
		if (borders_fit(pages) && make(pages, MAPPED) == 0)
			return 0;
	}
	return make(pages, COPIED);
}

int pages_set(struct pages *pages, const struct payload_sg *sg)
{
	const bool copied = pages->kind == COPIED && pages->len == sg->len;
	int r;

	if (unchanged(pages, sg))
		return 0;
	if (!copied)
		drop_range(pages);
	drop_pieces(pages);
	r = take_pieces(pages, sg);
	/* The memory of a copy is the same as before, whatever it is a copy of. */
	if (r == 0 && copied && !borders_fit(pages))
		return 0;
	drop_range(pages);
	if (r == 0)
		r = make_range(pages);
	if (r < 0)
		drop_pieces(pages);
	return r;
}

uint64_t pages_address(const struct pages *pages)
{
	return (uintptr_t)pages->address;
}

int pages_fd(const struct pages *pages)
{
	return pages->fd;
}

static void copy(struct pages *pages, uint64_t len, bool to_guest)
{
	uint8_t *at = pages->address;

	for (size_t i = 0; i < pages->n && len > 0; i++) {
		const struct piece *piece = &pages->pieces[i];
		const uint64_t part = MIN(len, piece->len);
		void *guest = gmem_at(pages->gmem, piece->gpa, part);

		memcpy(to_guest ? guest : at, to_guest ? at : guest, part);
		at += part;
		len -= part;
	}
}

void pages_to_host(struct pages *pages, uint32_t len)
{
	if (pages->kind == COPIED)
		copy(pages, len, false);
}

void pages_to_guest(struct pages *pages, uint32_t len)
{
	if (pages->kind == COPIED)
		copy(pages, len, true);
}

bool pages_copied(const struct pages *pages)
{
	return pages->kind == COPIED;
}
