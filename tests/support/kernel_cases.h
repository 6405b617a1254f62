/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_cases.h - what the tests of both kernel loaders have in common: reading guest memory back,
 * and tables of files that have to be refused.
 */
#ifndef VMM_TESTS_KERNEL_CASES_H
#define VMM_TESTS_KERNEL_CASES_H

#include "kernel_images.h"

#define LOW  64 /* MiB of RAM, unless a case says otherwise */
#define PAGE 4096

/* machine_get - the little endian number of @width bytes at @gpa. */
uint64_t machine_get(const struct test_machine *machine, uint64_t gpa, unsigned int width);

/* struct broken_case - one thing wrong with a kernel, and what is said about it. */
struct broken_case {
	const char *name;
	struct patch patches[3];
	uint64_t size; /* of the file; 0: whole */
	uint64_t low;  /* MiB; 0: LOW */
	int code;
	const char *reason;
};

/*
 * check_broken_cases - each of @cases is refused with its code and sentence before a page of guest
 * memory was touched. @init: makes the sound kernel.
 */
void check_broken_cases(const struct broken_case *cases, size_t n, void (*init)(struct image *));

#endif
