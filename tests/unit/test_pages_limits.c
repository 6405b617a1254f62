/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pages_limits.c - tests pages.c: what a guest can make SHARED_PAGES buffers cost the host has
 * an end, over all buffers together, and what was given back can be had again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/pages.h"
#include "devices/media/vma_budget.h"
#include "own_memory.h"

#define PAGE UINT64_C(4096)
#define MANY 20000
#define FEW  4000

static struct gmem *gmem;

static int setup(void **state)
{
	const struct gmem_region layout = {.gpa = 0, .size = MIB};
	const struct gmem_options options = {.shared = true};
	struct error err = {0};

	return gmem_new(&gmem, &layout, 1, &options, &err);
}

static int teardown(void **state)
{
	gmem_free(gmem);
	return 0;
}

/* @n pieces of @len bytes, no two in order; to be freed. */
static struct payload_sg many(uint32_t n, uint32_t len)
{
	struct payload_sg sg = {.entries = calloc(n, sizeof(*sg.entries)), .n = n, .len = n * len};

	assert_non_null(sg.entries);
	for (uint32_t i = 0; i < n; i++)
		sg.entries[i] = (struct virtio_media_sg_entry) {(i % 2 + 1) * 4 * PAGE, len};
	return sg;
}

static void many_mappings_become_copies_and_many_copies_are_refused(void **state)
{
	static const struct {
		int result;
		bool copied;
	} expect[] = {{0, false}, {0, true}, {0, true}, {0, true}, {-ENOMEM}, {-ENOMEM}};
	struct payload_sg sg = many(MANY, PAGE);

	/* What was given back can be had again. */
	for (unsigned int round = 0; round < 2; round++) {
		struct pages *pages[ARRAY_SIZE(expect)];

		for (size_t i = 0; i < ARRAY_SIZE(expect); i++) {
			assert_int_equal(pages_new(&pages[i], gmem, false), 0);
			assert_int_equal(pages_set(pages[i], &sg), expect[i].result);
			assert_int_equal(pages_copied(pages[i]), expect[i].copied);
		}
		for (size_t i = 0; i < ARRAY_SIZE(expect); i++)
			pages_free(pages[i]);
	}
	free(sg.entries);
}

/* Copies cost mappings too, and the process has other needs. */
static void mappings_of_the_process_are_counted(void **state)
{
	struct payload_sg sgs[] = {many(FEW, PAGE), many(1, PAGE), many(2, 100)};
	const size_t before = own_memory_mappings();
	struct pages *pages[12000];
	size_t n = 0, taken = 0;

	/* Other things in which a budget of pieces would not be noticed. */
	assert_true(vma_budget_take(10000));
	for (; n < ARRAY_SIZE(pages); n++) {
		struct payload_sg *sg = &sgs[n < 5 ? 0 : n < 10 ? 1 : 2];
		int r;

		assert_int_equal(pages_new(&pages[n], gmem, false), 0);
		r = pages_set(pages[n], sg);
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			break;
		}
		if (n % 1000 == 0)
			taken = own_memory_mappings() - before;
		if (taken > VMA_BUDGET_MAX - 10000 + 10)
			fail_msg("%zu mappings", taken);
	}
	assert_true(n > 10 && n < ARRAY_SIZE(pages));
	for (size_t i = 0; i <= n; i++)
		pages_free(pages[i]);
	vma_budget_give(10000);
	assert_true(vma_budget_take(VMA_BUDGET_MAX));
	vma_budget_give(VMA_BUDGET_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(sgs); i++)
		free(sgs[i].entries);
}

static void mapping_of_many_pieces_is_right(void **state)
{
	struct payload_sg sg = many(MANY, PAGE);
	struct pages *pages;
	const uint8_t *at;

	for (uint32_t i = 0; i < sg.n; i++)
		memset(gmem_at(gmem, sg.entries[i].start, PAGE), i % 2 ? 0xaa : 0xbb, PAGE);
	assert_int_equal(pages_new(&pages, gmem, false), 0);
	assert_int_equal(pages_set(pages, &sg), 0);
	at = (const uint8_t *)(uintptr_t)pages_address(pages);
	for (uint32_t i = 0; i < sg.len; i += 512)
		assert_int_equal(at[i], i / PAGE % 2 ? 0xaa : 0xbb);
	pages_free(pages);
	free(sg.entries);
}

static void many_pieces_are_refused(void **state)
{
	struct payload_sg sg = many(200000, 16);

	for (unsigned int round = 0; round < 2; round++) {
		struct pages *pages[3];

		for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
			assert_int_equal(pages_new(&pages[i], gmem, false), 0);
			assert_int_equal(pages_set(pages[i], &sg), i < 2 ? 0 : -ENOMEM);
		}
		for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
			pages_free(pages[i]);
	}
	free(sg.entries);
}

/* However often the list changes, and whatever becomes of it. */
static void nothing_is_left_behind(void **state)
{
	static const uint32_t lengths[] = {PAGE, 100, PAGE, 2 * PAGE, 100, 200};
	const unsigned int before = own_memory_mappings();

	for (unsigned int round = 0; round < 50; round++) {
		struct pages *pages;

		assert_int_equal(pages_new(&pages, gmem, false), 0);
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			struct payload_sg sg = many(1 + (uint32_t)i % 3, lengths[i]);

			assert_int_equal(pages_set(pages, &sg), 0);
			sg.len++;
			assert_int_equal(pages_set(pages, &sg), -EINVAL);
			sg.len--;
			assert_int_equal(pages_set(pages, &sg), 0);
			free(sg.entries);
		}
		pages_free(pages);
	}
	/* The heap may have grown a few times. */
	assert_true(own_memory_mappings() < before + 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(many_mappings_become_copies_and_many_copies_are_refused),
		TEST(mappings_of_the_process_are_counted),
		TEST(mapping_of_many_pieces_is_right),
		TEST(many_pieces_are_refused),
		TEST(nothing_is_left_behind),
	};

	return cmocka_run_group_tests_name("pages_limits", tests, NULL, NULL);
}
