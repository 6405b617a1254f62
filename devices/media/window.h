/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.h - shared memory region 0 of a media device: host buffers, mapped where the guest can
 * reach them.
 *
 * Virtio 1.4, media device, "Mapping a MMAP buffer", "Unmapping a MMAP buffer". One range of this
 * process's addresses, as long as the region, which the machine gives to the guest as two memory
 * slots: the first half can be written to, the second half is read-only for the guest (a write
 * there has no effect). A mapping replaces pages of the range by those of a buffer; everywhere else
 * is scratch memory, so that there is something at each address, and never more of it than the
 * region is long. Device's thread, but for media_window_repair().
 *
 * One access of a guest's does fail: a guest's kernel (ring 0) that writes to the read-only half
 * with an instruction that KVM cannot emulate ends its machine, as at any MMIO address.
 */
#ifndef VMM_MEDIA_WINDOW_H
#define VMM_MEDIA_WINDOW_H

#include "base.h"
#include "devices/media/backend.h"
#include "error.h"

struct media_window;

/*
 * media_window_new - @half: bytes of each half, whole 2 MiB. All of it is scratch.
 * Return: 0 and *@out, owned by the caller; -errno and a sentence.
 */
int media_window_new(struct media_window **out, uint64_t half, struct error *err);

/* media_window_free - no vCPU runs any more. NULL is fine. */
void media_window_free(struct media_window *window);

/* media_window_host - where the region starts in this process; page aligned, for good. */
void *media_window_host(const struct media_window *window);

/* media_window_half - bytes of each half; the region is twice as long. */
uint64_t media_window_half(const struct media_window *window);

/* Mappings at a time of one window, half of them in each half; all windows share vma_budget.h. */
#define MEDIA_WINDOW_MAPPINGS_MAX 8192

/*
 * media_window_map - map plane @plane of @file; each call gives a mapping of its own.
 * Return: 0 and *@offset into the region; -ENOSPC (no range is free, there are
 * MEDIA_WINDOW_MAPPINGS_MAX, or the process has as many as it may); -EINVAL (no bytes); -errno of
 * the backend. Then nothing is mapped.
 */
int media_window_map(struct media_window *window, struct media_file *file,
		     const struct media_plane_id *plane, bool writable, uint64_t *offset);

/*
 * media_window_unmap - end the mapping that starts at @offset. Scratch next to it is empty again.
 * Return: 0; -EINVAL if none does (in the middle of one, for the second time); -ENOMEM (the
 * host's): nothing happens.
 */
int media_window_unmap(struct media_window *window, uint64_t offset);

/* media_window_reset - end all mappings (device reset). Scratch is empty again. */
void media_window_reset(struct media_window *window);

/* media_window_mapped - bytes that are mapped. */
uint64_t media_window_mapped(struct media_window *window);

/*
 * media_window_repair - the guest has touched the region at @offset, and KVM could not reach what
 * is mapped there: give it scratch memory instead, until it is unmapped. KVM cannot reach all that
 * this process can: before Linux 6.13 not the pages of some drivers (contiguous DMA memory), and
 * never those of a mapping whose driver has taken the memory away.
 * @offset: MEDIA_WINDOW_ANYWHERE if that is not known: all mappings are looked at. Before
 * Linux 5.14 nothing can be found. Return: whether anything was found that cannot be reached. Any
 * thread.
 */
bool media_window_repair(struct media_window *window, uint64_t offset);
#define MEDIA_WINDOW_ANYWHERE UINT64_MAX

#endif
