// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * pages.c - memory that stands for a pointer of a payload: pinned pages, and their SG lists.
 *
 * Virtio 1.4, media device, "Handling of pointers to userspace memory in ioctl payload". A list
 * has guest physical addresses; neighbours become one entry. In a process.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "virtio_media.h"

static void unpin(struct vmedia_pages *pages, unsigned long n)
{
	unpin_user_pages_dirty_lock(pages->pages, n, pages->write);
	kvfree(pages->pages);
	kfree(pages);
}

/*
 * vmedia_pages_pin - pin @len bytes, more than 0, of this process from @start on.
 * Return: to be unpinned; ERR_PTR: -EFAULT if the process does not have them.
 */
struct vmedia_pages *vmedia_pages_pin(unsigned long start, u32 len, bool write)
{
	const unsigned int gup = FOLL_LONGTERM | (write ? FOLL_WRITE : 0);
	const unsigned long n = DIV_ROUND_UP((u64)offset_in_page(start) + len, PAGE_SIZE);
	struct vmedia_pages *pages;
	unsigned long done;
	int r = 0;

	if (start + len < start)
		return ERR_PTR(-EFAULT);
	pages = kzalloc(sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	pages->pages = kvmalloc_array(n, sizeof(*pages->pages), GFP_KERNEL_ACCOUNT);
	if (!pages->pages) {
		kfree(pages);
		return ERR_PTR(-ENOMEM);
	}
	pages->n = n;
	pages->offset = offset_in_page(start);
	pages->len = len;
	pages->write = write;
	for (done = 0; done < n; done += r) {
		r = pin_user_pages_fast((start & PAGE_MASK) + (done << PAGE_SHIFT), n - done, gup,
					pages->pages + done);
		if (r > 0)
			continue;
		pages->write = false;
		unpin(pages, done);
		return ERR_PTR(r < 0 ? r : -EFAULT);
	}
	return pages;
}

/* vmedia_pages_unpin - NULL is fine. */
void vmedia_pages_unpin(struct vmedia_pages *pages)
{
	if (pages)
		unpin(pages, pages->n);
}

/* vmedia_pages_equal - the same memory, for the same use? */
bool vmedia_pages_equal(const struct vmedia_pages *a, const struct vmedia_pages *b)
{
	return a->n == b->n && a->offset == b->offset && a->len == b->len && a->write == b->write &&
	       memcmp(a->pages, b->pages, a->n * sizeof(*a->pages)) == 0;
}

struct list {
	struct virtio_media_sg_entry *entries; /* NULL: they are only counted */
	size_t n;
	phys_addr_t start;
	u32 len;
};

static void flush(struct list *list)
{
	if (list->len == 0)
		return;
	if (list->entries)
		list->entries[list->n] = (struct virtio_media_sg_entry) {
			.start = cpu_to_le64(list->start),
			.len = cpu_to_le32(list->len),
		};
	list->n++;
	list->len = 0;
}

static void add(struct list *list, phys_addr_t start, u32 len)
{
	if (list->len > 0 && list->start + list->len == start) {
		list->len += len;
		return;
	}
	flush(list);
	list->start = start;
	list->len = len;
}

/*
 * vmedia_pages_entries - the SG list of @pages, which may be NULL. @entries: has room for it; NULL
 * to count. Return: number of entries.
 */
size_t vmedia_pages_entries(const struct vmedia_pages *pages, struct virtio_media_sg_entry *entries)
{
	struct list list = {.entries = entries};
	unsigned int offset;
	unsigned long i;
	u32 left;

	if (!pages)
		return 0;
	offset = pages->offset;
	left = pages->len;
	for (i = 0; i < pages->n; i++) {
		const u32 part = min_t(u32, left, PAGE_SIZE - offset);

		add(&list, page_to_phys(pages->pages[i]) + offset, part);
		left -= part;
		offset = 0;
	}
	flush(&list);
	return list.n;
}

/* vmedia_pages_kernel_entries - the same of @len bytes at @data, from kvmalloc(). */
size_t vmedia_pages_kernel_entries(void *data, size_t len, struct virtio_media_sg_entry *entries)
{
	struct list list = {.entries = entries};

	while (len > 0) {
		const u32 part = min_t(size_t, len, PAGE_SIZE - offset_in_page(data));
		struct page *page =
			is_vmalloc_addr(data) ? vmalloc_to_page(data) : virt_to_page(data);

		add(&list, page_to_phys(page) + offset_in_page(data), part);
		data += part;
		len -= part;
	}
	flush(&list);
	return list.n;
}
