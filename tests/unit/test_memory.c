/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_memory.c - where the machine puts memory that is not RAM: above RAM, apart, within reach.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/x86.h"

static void windows_lie_above_ram(void **state)
{
	static const struct {
		const char *name;
		uint64_t ram_end, next, size, gpa;
	} cases[] = {
		{"little RAM: above 4 GiB", 256 * MIB, 0, 2 * GIB, 4 * GIB},
		{"RAM up to the hole", 3 * GIB, 0, GIB, 4 * GIB},
		{"RAM above the hole", 5 * GIB, 0, GIB, 5 * GIB},
		{"RAM to no whole GiB", 5 * GIB + 2 * MIB, 0, GIB, 6 * GIB},
		{"behind another", 5 * GIB, 7 * GIB, GIB, 7 * GIB},
		{"behind another that is no whole GiB", 5 * GIB, 7 * GIB + 4 * MIB, GIB, 8 * GIB},
		{"up to the last address", 64 * GIB, 0, TIB - 64 * GIB, 64 * GIB},
		{"of the last address", 64 * GIB, TIB - GIB, GIB, TIB - GIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t next = cases[i].next, gpa = 0;
		struct error err = {0};

		if (x86_window(cases[i].ram_end, 40, &next, cases[i].size, &gpa, &err) != 0)
			fail_msg("%s: %s", cases[i].name, err.text);
		if (gpa != cases[i].gpa || next != gpa + cases[i].size)
			fail_msg("%s: at %llx, next %llx", cases[i].name, (unsigned long long)gpa,
				 (unsigned long long)next);
	}
}

static void windows_out_of_reach_are_refused(void **state)
{
	static const struct {
		const char *name;
		unsigned int bits;
		uint64_t ram_end, next, size;
		const char *blamed;
	} cases[] = {
		{"one page too many", 40, GIB, 0, TIB - 4 * GIB + 4096, "their shm= smaller"},
		{"the second one", 36, GIB, 60 * GIB, 8 * GIB, "their shm= smaller"},
		{"alignment leaves too little", 36, GIB, 62 * GIB + 1, 2 * GIB,
		 "their shm= smaller"},
		{"size that wraps", 46, GIB, 0, UINT64_MAX, "their shm= smaller"},
		{"nothing left at all", 36, GIB, 64 * GIB, 4096, "their shm= smaller"},
		{"RAM up to the end", 36, 64 * GIB, 0, 2 * MIB, "memory= smaller"},
		{"RAM beyond the end", 36, 65 * GIB, 0, 2 * MIB, "memory= smaller"},
		{"RAM that leaves too little", 36, 62 * GIB, 0, 4 * GIB, "memory= smaller"},
		{"all addresses, and it wraps", 64, GIB, UINT64_MAX - 4096, 4096,
		 "their shm= smaller"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t next = cases[i].next, gpa = 1;
		struct error err = {0};

		if (x86_window(cases[i].ram_end, cases[i].bits, &next, cases[i].size, &gpa, &err) !=
		    -E2BIG)
			fail_msg("%s: at 0x%llx", cases[i].name, (unsigned long long)gpa);
		if (!strstr(err.text, cases[i].blamed))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(next, cases[i].next);
		assert_int_equal(gpa, 1);
	}
}

static void windows_of_a_machine_do_not_overlap(void **state)
{
	const struct gmem_options options = {0};
	const uint64_t sizes[] = {2 * GIB, 4 * MIB, 3 * GIB};
	_cleanup_(gmem_freep) struct gmem *gmem = NULL;
	struct gmem_region layout[GMEM_REGIONS_MAX];
	uint64_t next = 0, end, gpa;
	struct error err = {0};
	size_t n = arch_memory_layout(4 * GIB, layout);

	assert_int_equal(gmem_new(&gmem, layout, n, &options, &err), 0);
	end = layout[n - 1].gpa + layout[n - 1].size;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(arch_window(gmem, &next, sizes[i], &gpa, &err), 0);
		assert_true(gpa >= end);
		assert_null(gmem_at(gmem, gpa, 1));
		end = gpa + sizes[i];
	}
	/* More than any processor has. */
	assert_int_equal(arch_window(gmem, &next, UINT64_C(1) << 62, &gpa, &err), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_lie_above_ram),
		cmocka_unit_test(windows_out_of_reach_are_refused),
		cmocka_unit_test(windows_of_a_machine_do_not_overlap),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
