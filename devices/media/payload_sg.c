/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload_sg.c - the SG lists of an ioctl command: guest memory behind pointers of the payload.
 *
 * Virtio 1.4, 5.22.6.1.5, "Handling of pointers to userspace memory in ioctl payload". Lists are
 * the last thing in a command and lie one behind the other; where one ends is not written anywhere
 * but follows from the bytes that it has to cover. On the device's thread.
 */
#include <errno.h>

#include "devices/media/payload_impl.h"

int payload_lists_load(struct payload_lists *lists, struct payload *payload,
		       struct vq_buffer *readable, const struct gmem *gmem)
{
	const uint32_t there = readable->len / sizeof(*lists->next);
	const uint32_t n = MIN(there, (uint32_t)PAYLOAD_SG_MAX);

	*lists = (struct payload_lists) {.gmem = gmem, .left = n, .capped = n < there};
	if (n == 0)
		return 0;
	if (n > payload->entries_room) {
		free(payload->entries);
		payload->entries = malloc(n * sizeof(*payload->entries));
		payload->entries_room = payload->entries ? n : 0;
	}
	if (!payload->entries)
		return -ENOMEM;
	vq_buffer_get(readable, payload->entries, n * sizeof(*payload->entries));
	lists->next = payload->entries;
	return 0;
}

/* All of [@gpa, @gpa + @len), which may span regions that touch. */
static bool is_ram(const struct gmem *gmem, uint64_t gpa, uint64_t len)
{
	const struct gmem_region *region;
	const size_t n = gmem_regions(gmem, &region);

	for (size_t i = 0; i < n && len > 0; i++, region++) {
		uint64_t part;

		if (gpa < region->gpa || gpa - region->gpa >= region->size)
			continue;
		part = MIN(len, region->size - (gpa - region->gpa));
		gpa += part;
		len -= part;
	}
	return len == 0;
}

int payload_lists_take(struct payload_lists *lists, uint32_t len, struct payload_sg *sg)
{
	*sg = (struct payload_sg) {.entries = lists->next, .len = len};
	for (uint32_t left = len; left > 0; sg->n++) {
		struct virtio_media_sg_entry *entry = lists->next;

		if (lists->left == 0)
			return lists->capped ? -E2BIG : -EINVAL;
		/* An entry that covers nothing is a mistake, and there could be a great many. */
		if (entry->len == 0)
			return -EINVAL;
		entry->len = MIN(entry->len, left);
		if (!is_ram(lists->gmem, entry->start, entry->len))
			return -EFAULT;
		left -= entry->len;
		lists->next++;
		lists->left--;
	}
	return 0;
}

void payload_sg_get(const struct payload_sg *sg, void *to, const struct gmem *gmem)
{
	uint8_t *at = to;

	for (uint32_t i = 0; i < sg->n; i++) {
		gmem_read(gmem, sg->entries[i].start, at, sg->entries[i].len);
		at += sg->entries[i].len;
	}
}

void payload_sg_put(const struct payload_sg *sg, const void *from, const struct gmem *gmem)
{
	const uint8_t *at = from;

	for (uint32_t i = 0; i < sg->n; i++) {
		gmem_write(gmem, sg->entries[i].start, at, sg->entries[i].len);
		at += sg->entries[i].len;
	}
}
