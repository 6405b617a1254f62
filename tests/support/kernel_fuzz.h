/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_fuzz.h - what the fuzzers of the kernel loaders share.
 */
#ifndef VMM_TESTS_KERNEL_FUZZ_H
#define VMM_TESTS_KERNEL_FUZZ_H

#include "kernel_images.h"

/*
 * The first bytes of an input choose the machine and the request, the others are the kernel file.
 *  0: 4 bytes, how many zero bytes the file has behind the input's, modulo 4 MiB
 *  4: 1 byte, MiB of low RAM, less 2
 *  5: 1 byte, bit 0: with an initramfs; bit 1: with RAM above 4 GiB
 *  6: 2 bytes, length of the command line
 */
#define KERNEL_FUZZ_OPTIONS 8

/*
 * kernel_fuzz_run - load such a kernel through kernel_load().
 * @magic: @magic_n bytes that the file has at @magic_at, whatever the input says, so that the right
 * loader sees it. @check: called after success; looks at the machine and aborts if it is wrong.
 * A failure without a sentence, or memory outside of what the loader may use, aborts too.
 */
void kernel_fuzz_run(const uint8_t *data, size_t size, const char *magic, size_t magic_n,
		     size_t magic_at,
		     void (*check)(const struct test_machine *machine,
				   const struct boot_entry *entry));

/* kernel_fuzz_require - abort, naming @what, unless @ok. */
void kernel_fuzz_require(bool ok, const char *what);

/* kernel_fuzz_get - @width bytes of guest memory as a number; aborts if @gpa is no RAM. */
uint64_t kernel_fuzz_get(const struct test_machine *machine, uint64_t gpa, unsigned int width);

/* kernel_fuzz_is_ram - [@gpa, @gpa + @size) is RAM by the machine's map. */
bool kernel_fuzz_is_ram(const struct test_machine *machine, uint64_t gpa, uint64_t size);

#define KERNEL_FUZZ_INITRAMFS 5000 /* bytes */

#endif
