/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_window_limits.c - tests window.c: a process has only so many mappings, and all of vmm lives
 * on them. How many a guest can make it have, with many windows and whatever it writes to.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "devices/media/vma_budget.h"
#include "own_memory.h"
#include "plane_backend.h"

#define PAGE	PLANE_BACKEND_PAGE
#define HALF	(32 * MIB)
#define WINDOWS 6
#define OTHERS	64 /* mappings that come and go beside: the heap's */

struct fixture {
	struct plane_backend pb;
	struct media_window *windows[WINDOWS];
	size_t mappings; /* of the process, before all */
};

static int setup(void **state)
{
	static struct fixture f;
	struct error err = {0};

	plane_backend_init(&f.pb);
	for (size_t i = 0; i < WINDOWS; i++)
		assert_int_equal(media_window_new(&f.windows[i], HALF, &err), 0);
	f.mappings = own_memory_mappings();
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < WINDOWS; i++)
		media_window_free(f->windows[i]);
	plane_backend_deinit(&f->pb);
	/* All of it has been given back. */
	assert_true(vma_budget_take(VMA_BUDGET_MAX));
	vma_budget_give(VMA_BUDGET_MAX);
	return 0;
}

/* Mappings of one page, no two of which lie side by side if every second one is unmapped. */
static uint64_t fill(struct fixture *f, struct media_window *window, bool writable)
{
	uint64_t offset, n = 0;
	int r;

	while ((r = plane_backend_try(&f->pb, window, n % 2 ? 1 : 4, PAGE, writable, &offset)) == 0)
		n++;
	assert_int_equal(r, -ENOSPC);
	return n;
}

static void expect_mappings(const struct fixture *f, size_t max)
{
	const size_t now = own_memory_mappings();

	if (now > f->mappings + max + OTHERS)
		fail_msg("%zu mappings and not %zu", now - f->mappings, max);
}

static void number_of_mappings_of_a_window_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct media_window *window = f->windows[0];

	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(fill(f, window, true), MEDIA_WINDOW_MAPPINGS_MAX / 2);
		assert_int_equal(fill(f, window, false), MEDIA_WINDOW_MAPPINGS_MAX / 2);
		media_window_reset(window);
		assert_int_equal(media_window_mapped(window), 0);
	}
}

static void number_of_mappings_of_all_windows_is_bounded(void **state)
{
	struct fixture *f = *state;
	uint64_t n = 0, offset;

	for (size_t i = 0; i < WINDOWS; i++)
		n += fill(f, f->windows[i], true) + fill(f, f->windows[i], false);
	assert_int_equal(n, VMA_BUDGET_MAX / 2);
	expect_mappings(f, VMA_BUDGET_MAX);
	/* One for one; and a mapping that comes to nothing costs nothing. */
	assert_int_equal(media_window_unmap(f->windows[0], 0), 0);
	f->pb.behaviour = PLANE_REFUSES;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(plane_backend_try(&f->pb, f->windows[0], 0, PAGE, true, &offset),
				 -EBUSY);
	f->pb.behaviour = PLANE_MAPS;
	plane_backend_map(&f->pb, f->windows[0], 0, PAGE, true);
	assert_int_equal(plane_backend_try(&f->pb, f->windows[WINDOWS - 1], 0, PAGE, true, &offset),
			 -ENOSPC);
}

static void unmap_every_second(struct media_window *window, uint64_t from, uint64_t n)
{
	for (uint64_t i = from; i < n; i += 2)
		assert_int_equal(media_window_unmap(window, i * PAGE), 0);
}

/* What a guest has written to keeps for Linux the borders it had at that time. */
static void scratch_that_was_written_to_costs_nothing_later(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < WINDOWS; i++) {
		uint8_t *host = media_window_host(f->windows[i]);
		const uint64_t n = fill(f, f->windows[i], true);

		assert_int_equal(n, MEDIA_WINDOW_MAPPINGS_MAX / 2);
		unmap_every_second(f->windows[i], 1, n);
		for (uint64_t page = 1; page < n; page += 2)
			host[page * PAGE] = 0xff;
		expect_mappings(f, n + 1);
		unmap_every_second(f->windows[i], 0, n);
		expect_mappings(f, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(number_of_mappings_of_a_window_is_bounded),
		TEST(number_of_mappings_of_all_windows_is_bounded),
		TEST(scratch_that_was_written_to_costs_nothing_later),
	};

	return cmocka_run_group_tests_name("window_limits", tests, NULL, NULL);
}
