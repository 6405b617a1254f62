/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel.h - what the kernel loaders share. Private to firmware/.
 *
 * kernel.c opens and recognises a file; one loader a format puts it into memory; initramfs.c finds
 * room beside it. Main thread, before the first vCPU. Guest memory is new, hence all zero: what
 * has to be zero is left untouched.
 */
#ifndef VMM_FIRMWARE_KERNEL_H
#define VMM_FIRMWARE_KERNEL_H

#include "firmware.h"

/* Enough of a file to recognise it, and to hold the largest setup header and an ELF header. */
#define KERNEL_HEAD_MAX 1024

/* The unit in which memory is given to what is loaded. */
#define KERNEL_PAGE UINT64_C(4096)

/* struct kernel_file - a kernel that is open. Its bytes are read once: .head, then the payload. */
struct kernel_file {
	const char *path; /* borrowed */
	int fd;
	uint64_t size; /* bytes, when it was opened */
	size_t head_n;
	uint8_t head[KERNEL_HEAD_MAX]; /* zero from head_n on */
};

/* Rounded up, for sentences. */
static inline unsigned long long size_mib(uint64_t bytes)
{
	return bytes / MIB + (bytes % MIB != 0);
}

/*
 * image_open - open the regular file @path for reading.
 * @what: "kernel" or "initramfs", for the sentence.
 * Return: a file descriptor that the caller owns, and *@size in bytes, not 0; or -errno and a
 * sentence.
 */
int image_open(const char *what, const char *path, uint64_t *size, struct error *err);

/* image_read - read exactly @len bytes at @offset. Return: 0; -ENODATA if the file ends; -errno. */
int image_read(int fd, void *to, size_t len, uint64_t offset);

/* kernel_error - error_set() for what is wrong with @file. */
int kernel_error(const struct kernel_file *file, struct error *err, int code, const char *fmt, ...)
	_printf_(4, 5);

/*
 * kernel_read - file bytes straight into guest memory.
 * Return: 0; or -errno and a sentence.
 */
int kernel_read(const struct kernel_file *file, struct gmem *gmem, uint64_t gpa, uint64_t offset,
		uint64_t len, struct error *err);

/*
 * kernel_write_cmdline - the command line, at MAP_CMDLINE.
 * @max: bytes that this kernel takes, without the final NUL.
 * Return: 0; or -E2BIG and a sentence that names both lengths.
 */
int kernel_write_cmdline(const struct kernel_file *file, struct gmem *gmem,
			 const struct boot_request *request, uint64_t max, struct error *err);

/*
 * kernel_check_end - is there RAM without a break from 1 MiB to @end?
 * Return: 0; or -ENOSPC and a sentence that says how much memory is enough; or -EFBIG if none is.
 */
int kernel_check_end(const struct kernel_file *file, const struct boot_request *request,
		     uint64_t end, struct error *err);

/* ram_end - the end of the RAM that holds @gpa without a break. Return: 0 if that is no RAM. */
uint64_t ram_end(const struct boot_request *request, uint64_t gpa);

/*
 * bzimage_check, pvh_check - is this, by its first bytes, such a file at all? Sound or not.
 */
bool bzimage_check(const struct kernel_file *file);
bool pvh_check(const struct kernel_file *file);

/* bzimage_load, pvh_load - kernel_load() for one format. */
int bzimage_load(struct gmem *gmem, const struct boot_request *request,
		 const struct kernel_file *file, struct boot_entry *entry, struct error *err);
int pvh_load(struct gmem *gmem, const struct boot_request *request, const struct kernel_file *file,
	     struct boot_entry *entry, struct error *err);

/* struct initramfs - where one may go, then where it went. */
struct initramfs {
	uint64_t min;	 /* gpa behind the kernel and what it unpacks itself to */
	uint64_t max;	 /* gpa that it must end at or below */
	bool above_hole; /* or it may lie above 4 GiB, if there is no room below @max */

	uint64_t gpa;  /* page aligned; 0: none */
	uint64_t size; /* bytes; 0: none */
};

/*
 * initramfs_load - read the request's initramfs, if it names one, as high as allowed.
 * Return: 0; or -errno and a sentence that says, for one that is too large, what memory is enough.
 */
int initramfs_load(struct gmem *gmem, const struct boot_request *request,
		   struct initramfs *initramfs, struct error *err);

#endif
