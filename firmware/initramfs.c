/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * initramfs.c - find room for the initramfs beside the kernel and read it there.
 *
 * As high as the kernel allows below the hole, which leaves the memory behind the kernel in one
 * piece; Linux frees it after unpacking. Main thread, before the first vCPU.
 */
#include <errno.h>
#include <string.h>

#include "arch/x86_64/memory_map.h"
#include "firmware/kernel.h"

/* The highest place that ends at or below @end and starts at or above @min. Return: 0 if none. */
static uint64_t place(uint64_t min, uint64_t end, uint64_t size)
{
	min = ALIGN_UP(min, KERNEL_PAGE);
	if (end < min || end - min < size)
		return 0;
	return ALIGN_DOWN(end - size, KERNEL_PAGE);
}

static uint64_t place_above_hole(const struct boot_request *request, uint64_t size)
{
	const uint64_t end = ram_end(request, MAP_HOLE_END);

	return end ? place(MAP_HOLE_END, end, size) : 0;
}

static int too_large(const struct gmem *gmem, const struct boot_request *request,
		     const struct initramfs *initramfs, struct error *err)
{
	const uint64_t end = ALIGN_UP(initramfs->min, KERNEL_PAGE) + initramfs->size;
	const uint64_t max = MIN(initramfs->max, MAP_HOLE);
	const unsigned long long size = size_mib(initramfs->size);
	uint64_t enough;

	if (end <= max)
		enough = end;
	else if (initramfs->above_hole)
		enough = MAP_HOLE + initramfs->size;
	else
		return error_set(err, EFBIG,
				 "initramfs '%s': its %llu MiB are too much for this kernel, which "
				 "looks for it between %llu and %llu MiB",
				 request->initramfs, size, size_mib(initramfs->min),
				 (unsigned long long)(max / MIB));
	return error_set(err, ENOSPC,
			 "initramfs '%s': its %llu MiB do not fit into %llu MiB of memory behind "
			 "the kernel, which takes the first %llu MiB: %llu MiB of memory would be "
			 "enough",
			 request->initramfs, size, (unsigned long long)(gmem_size(gmem) / MIB),
			 size_mib(initramfs->min), size_mib(enough));
}

int initramfs_load(struct gmem *gmem, const struct boot_request *request,
		   struct initramfs *initramfs, struct error *err)
{
	_cleanup_(closep) int fd = -1;
	uint64_t end;
	int r;

	initramfs->gpa = initramfs->size = 0;
	if (!request->initramfs)
		return 0;
	fd = image_open("initramfs", request->initramfs, &initramfs->size, err);
	if (fd < 0)
		return fd;
	end = MIN(ram_end(request, MAP_HIGH), initramfs->max);
	initramfs->gpa = place(initramfs->min, end, initramfs->size);
	if (!initramfs->gpa && initramfs->above_hole)
		initramfs->gpa = place_above_hole(request, initramfs->size);
	if (!initramfs->gpa)
		return too_large(gmem, request, initramfs, err);
	r = gmem_read_file(gmem, initramfs->gpa, fd, 0, initramfs->size);
	if (r == -ENODATA)
		return error_set(err, ENODATA, "initramfs '%s': became shorter while it was read",
				 request->initramfs);
	if (r < 0)
		return error_set(err, -r, "initramfs '%s': cannot be read: %s", request->initramfs,
				 strerror(-r));
	return 0;
}
