/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlinux.h - the headers of an ELF kernel, checked. Private to firmware/.
 */
#ifndef VMM_FIRMWARE_VMLINUX_H
#define VMM_FIRMWARE_VMLINUX_H

#include <elf.h>

#include "firmware/kernel.h"

#define VMLINUX_SEGMENTS_MAX 32 /* program headers; a vmlinux has 5 */

/* struct vmlinux - every byte that a segment to load promises is in the file. */
struct vmlinux {
	size_t n; /* of all segments, PT_LOAD or not */
	Elf64_Phdr segments[VMLINUX_SEGMENTS_MAX];
	uint64_t entry; /* gpa of the PVH entry; not compared with the segments */
};

/*
 * vmlinux_read - fill @image from @file, which begins with the ELF magic.
 * Return: 0; or -errno and a sentence: truncated, of another architecture, not a kernel, without
 * a PVH note.
 */
int vmlinux_read(struct vmlinux *image, const struct kernel_file *file, struct error *err);

#endif
