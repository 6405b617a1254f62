/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_window.c - region 0 of a media device: what is seen where, what it costs the host, that
 * there is never a hole in it, mappings that cannot be reached. Backends are files of the test's.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"
#include "own_memory.h"
#include "plane_backend.h"

#define PAGE	  PLANE_BACKEND_PAGE
#define HALF	  (16 * MIB)
#define PLANES	  PLANE_BACKEND_PLANES
#define PLANE_MAX PLANE_BACKEND_BYTES

struct fixture {
	struct plane_backend pb;
	struct media_window *window;
	uint8_t *host;
};

static int setup(void **state)
{
	static struct fixture f;
	struct error err = {0};

	plane_backend_init(&f.pb);
	assert_int_equal(media_window_new(&f.window, HALF, &err), 0);
	f.host = media_window_host(f.window);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	media_window_free(f->window);
	plane_backend_deinit(&f->pb);
	return 0;
}

static int try_map(struct fixture *f, unsigned int plane, uint32_t length, bool writable,
		   uint64_t *offset)
{
	return plane_backend_try(&f->pb, f->window, plane, length, writable, offset);
}

static uint64_t map(struct fixture *f, unsigned int plane, uint32_t length, bool writable)
{
	return plane_backend_map(&f->pb, f->window, plane, length, writable);
}

static bool shows(const struct fixture *f, uint64_t offset, unsigned int plane)
{
	return f->host[offset] == plane_backend_byte(plane, 0) &&
	       f->host[offset + 1] == plane_backend_byte(plane, 0);
}

/* That what is mapped changes under these accesses is no race but what is tested. */
#define UNWATCHED __attribute__((no_sanitize("thread")))

UNWATCHED static void read_everywhere(const struct fixture *f, uint64_t from, uint64_t to,
				      uint64_t stride)
{
	const volatile uint8_t *host = f->host;

	for (uint64_t i = from; i < to; i += stride)
		(void)host[i];
}

UNWATCHED static void write_everywhere(const struct fixture *f, uint64_t from, uint64_t to,
				       uint64_t stride)
{
	volatile uint8_t *host = f->host;

	for (uint64_t i = from; i < to; i += stride)
		host[i] = 0xff;
}

static void sizes_are_checked(void **state)
{
	static const struct {
		const char *name;
		uint64_t half;
		int result;
	} cases[] = {
		{"nothing", 0, -EINVAL},
		{"smallest", 2 * MIB, 0},
		{"not whole", 3 * MIB, -EINVAL},
		{"large", 64 * GIB, 0},
		{"more than a process has", UINT64_C(1) << 48, -ENOMEM},
		{"twice of it wraps", UINT64_C(1) << 63, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct media_window *window = NULL;
		struct error err = {0};

		if (media_window_new(&window, cases[i].half, &err) != cases[i].result)
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(err.text[0] != 0, cases[i].result != 0);
		if (window)
			assert_int_equal(media_window_half(window), cases[i].half);
		media_window_free(window);
	}
}

static void window_is_scratch_at_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal((uintptr_t)f->host % (2 * MIB), 0);
	for (uint64_t i = 0; i < 2 * HALF; i += PAGE)
		assert_int_equal(f->host[i], 0);
	f->host[5 * PAGE] = 0xff;
	assert_int_equal(f->host[5 * PAGE], 0xff);
	assert_int_equal(media_window_mapped(f->window), 0);
}

static void buffer_is_seen_through_its_mappings(void **state)
{
	struct fixture *f = *state;
	const uint64_t rw = map(f, 1, PLANE_MAX, true), again = map(f, 1, PLANE_MAX, true);
	const uint64_t ro = map(f, 1, PLANE_MAX, false), other = map(f, 2, PLANE_MAX, false);

	assert_true(rw != again);
	assert_int_equal(media_window_mapped(f->window), 4 * PLANE_MAX);
	for (unsigned int page = 0; page < PLANE_MAX / PAGE; page++) {
		assert_int_equal(f->host[rw + page * PAGE], plane_backend_byte(1, page));
		assert_int_equal(f->host[other + page * PAGE], plane_backend_byte(2, page));
	}
	/* The same pages, not a copy. */
	f->pb.planes[1][100] = 0xaa;
	f->host[rw + 101] = 0xbb;
	assert_memory_equal(f->host + rw + 100, "\xaa\xbb", 2);
	assert_memory_equal(f->host + again + 100, "\xaa\xbb", 2);
	assert_memory_equal(f->host + ro + 100, "\xaa\xbb", 2);
	assert_memory_equal(f->pb.planes[1] + 100, "\xaa\xbb", 2);
}

static void lengths_are_whole_pages(void **state)
{
	struct fixture *f = *state;
	const uint64_t first = map(f, 0, 1, true), second = map(f, 1, PAGE + 1, true);
	uint64_t offset;

	assert_int_equal(second - first, PAGE);
	assert_int_equal(media_window_mapped(f->window), 3 * PAGE);
	assert_int_equal(f->host[second + 2 * PAGE - 1], plane_backend_byte(1, 1));
	assert_int_equal(f->host[second + 2 * PAGE], 0);
	assert_int_equal(try_map(f, 0, 0, true, &offset), -EINVAL);
	assert_int_equal(try_map(f, 0, UINT32_MAX, true, &offset), -ENOSPC);
	assert_int_equal(media_window_mapped(f->window), 3 * PAGE);
}

static void unmapped_range_is_empty_scratch(void **state)
{
	struct fixture *f = *state;
	const uint64_t rw = map(f, 1, PLANE_MAX, true), ro = map(f, 2, PLANE_MAX, false);

	assert_int_equal(media_window_unmap(f->window, rw), 0);
	assert_int_equal(media_window_unmap(f->window, ro), 0);
	for (uint64_t i = 0; i < PLANE_MAX; i++) {
		assert_int_equal(f->host[rw + i], 0);
		assert_int_equal(f->host[ro + i], 0);
	}
	f->host[rw] = 0xff;
	assert_int_equal(f->pb.planes[1][0], plane_backend_byte(1, 0)); /* the buffer's no more */
	assert_int_equal(map(f, 3, PAGE, true), rw);
	assert_true(shows(f, rw, 3));
}

static void only_starts_of_mappings_are_unmapped(void **state)
{
	struct fixture *f = *state;
	const uint64_t rw = map(f, 1, PLANE_MAX, true), ro = map(f, 2, PLANE_MAX, false);
	const uint64_t wrong[] = {rw + 1,    rw + PAGE, rw + PLANE_MAX, ro + PAGE,
				  ro - PAGE, HALF - 1,	2 * HALF,	UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(media_window_unmap(f->window, wrong[i]), -EINVAL);
	assert_true(shows(f, rw, 1) && shows(f, ro, 2));
	assert_int_equal(media_window_unmap(f->window, rw), 0);
	assert_int_equal(media_window_unmap(f->window, rw), -EINVAL);
	assert_true(shows(f, ro, 2));
	assert_int_equal(media_window_mapped(f->window), PLANE_MAX);
}

static void mapping_outlives_its_file(void **state)
{
	struct fixture *f = *state;
	const uint64_t rw = map(f, 1, PLANE_MAX, true);

	closep(&f->pb.fd);
	f->pb.fd = -1;
	assert_true(shows(f, rw, 1));
}

static void full_half_has_no_space(void **state)
{
	struct fixture *f = *state;
	const unsigned int n = HALF / PLANE_MAX;
	uint64_t offset;

	for (unsigned int i = 0; i < n; i++)
		map(f, i % PLANES, PLANE_MAX, true);
	assert_int_equal(try_map(f, 0, 1, true, &offset), -ENOSPC);
	assert_true(shows(f, (n - 1) * PLANE_MAX, (n - 1) % PLANES));
	map(f, 5, PAGE, false);
	assert_int_equal(media_window_unmap(f->window, 7 * PLANE_MAX), 0);
	assert_int_equal(map(f, 3, PLANE_MAX, true), 7 * PLANE_MAX);
}

static void refused_mapping_leaves_scratch(void **state)
{
	static const struct {
		enum plane_behaviour behaviour;
		int result;
	} cases[] = {{PLANE_REFUSES, -EBUSY}, {PLANE_LEAVES_HOLE, -EIO}};
	struct fixture *f = *state;
	const unsigned int mappings = own_memory_mappings();
	uint64_t offset;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		f->pb.behaviour = cases[i].behaviour;
		f->host[0] = 0xff;
		assert_int_equal(try_map(f, 1, PLANE_MAX, true, &offset), cases[i].result);
		assert_int_equal(try_map(f, 1, PLANE_MAX, false, &offset), cases[i].result);
		assert_int_equal(media_window_mapped(f->window), 0);
		assert_int_equal(f->host[0], 0xff); /* untouched, even */
		assert_int_equal(f->host[HALF], 0);
	}
	assert_int_equal(own_memory_mappings(), mappings);
	f->pb.behaviour = PLANE_MAPS;
	assert_int_equal(map(f, 1, PLANE_MAX, true), 0);
}

static void reset_ends_all_mappings(void **state)
{
	struct fixture *f = *state;
	const uint64_t rw = map(f, 1, PLANE_MAX, true), ro = map(f, 2, PLANE_MAX, false);

	f->host[HALF / 2] = 0xff;
	media_window_reset(f->window);
	assert_int_equal(media_window_mapped(f->window), 0);
	assert_int_equal(f->host[rw], 0);
	assert_int_equal(f->host[ro], 0);
	assert_int_equal(f->host[HALF / 2], 0);
	assert_int_equal(media_window_unmap(f->window, rw), -EINVAL);
	assert_int_equal(media_window_unmap(f->window, ro), -EINVAL);
	assert_int_equal(map(f, 3, PAGE, true), 0);
	assert_int_equal(map(f, 3, PAGE, false), HALF);
}

static uint64_t cost(const struct fixture *f)
{
	return own_memory_touched_in(f->host, 2 * HALF);
}

static void scratch_costs_one_half_at_most(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(cost(f), 0);
	read_everywhere(f, 0, 2 * HALF, PAGE);
	assert_int_equal(cost(f), 0); /* one page of zeros serves all */
	write_everywhere(f, 0, HALF, 2 * MIB);
	assert_int_equal(cost(f), HALF / (2 * MIB) * PAGE); /* no huge pages */
	write_everywhere(f, 0, HALF, PAGE);
	assert_int_equal(cost(f), HALF);
	media_window_reset(f->window);
	assert_int_equal(cost(f), 0);
}

static void mapping_drops_the_scratch_under_it(void **state)
{
	struct fixture *f = *state;
	const unsigned int n = HALF / PLANE_MAX;

	write_everywhere(f, 0, HALF, PAGE);
	for (unsigned int i = 0; i < n; i++)
		map(f, i % PLANES, PLANE_MAX, true);
	assert_int_equal(cost(f), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(media_window_unmap(f->window, i * PLANE_MAX), 0);
	assert_int_equal(cost(f), 0);
}

static void window_is_of_small_pages_and_not_dumped(void **state)
{
	struct fixture *f = *state;
	const uint64_t rw = map(f, 1, PLANE_MAX, true), ro = map(f, 1, PLANE_MAX, false);
	const uint64_t gone = map(f, 1, PLANE_MAX, true);
	const struct {
		const char *name;
		uint64_t at;
		bool scratch, writable;
	} cases[] = {
		{"mapping", rw, false, true},
		{"read-only mapping", ro, false, false},
		{"scratch", HALF / 2, true, true},
		{"read-only scratch", HALF + HALF / 2, true, false},
		{"scratch after a mapping", gone, true, true},
	};
	char flags[OWN_MEMORY_FLAGS_MAX];

	assert_int_equal(media_window_unmap(f->window, gone), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		own_memory_flags(f->host + cases[i].at, flags);
		if (!strstr(flags, " dd") || !strstr(flags, " rd") ||
		    !strstr(flags, " wr") != !cases[i].writable ||
		    !strstr(flags, " nh") != !cases[i].scratch)
			fail_msg("%s: %s", cases[i].name, flags);
	}
}

/* A guest's vCPUs, as it were. */
static atomic_bool stop;

static void *touch(void *arg)
{
	const struct fixture *f = arg;

	while (!atomic_load(&stop)) {
		read_everywhere(f, 0, 2 * HALF, 16 * PAGE);
		read_everywhere(f, 0, 4 * PLANE_MAX, PAGE);
		write_everywhere(f, 0, 4 * PLANE_MAX, PAGE);
		read_everywhere(f, HALF, HALF + 4 * PLANE_MAX, PAGE);
	}
	return NULL;
}

/* One would end the test with SIGSEGV. */
static void there_is_never_a_hole(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[2];
	uint64_t offset;

	atomic_store(&stop, false);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, touch, f), 0);
	for (unsigned int i = 0; i < 2000; i++) {
		const uint64_t rw = map(f, i % PLANES, PLANE_MAX, true);
		const uint64_t ro = map(f, i % PLANES, PLANE_MAX, false);

		f->pb.behaviour = PLANE_LEAVES_HOLE;
		assert_int_equal(try_map(f, 0, PLANE_MAX, i % 2, &offset), -EIO);
		f->pb.behaviour = PLANE_MAPS;
		if (i % 8 == 0) {
			media_window_reset(f->window);
			continue;
		}
		assert_int_equal(media_window_unmap(f->window, ro), 0);
		assert_int_equal(media_window_unmap(f->window, rw), 0);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(media_window_mapped(f->window), 0);
}

static void mapping_that_cannot_be_reached_becomes_scratch(void **state)
{
	static const struct {
		const char *name;
		enum plane_behaviour behaviour;
		bool writable;
	} cases[] = {
		{"unreadable", PLANE_UNREADABLE, true},
		{"unreadable, read-only", PLANE_UNREADABLE, false},
		{"cannot be written to", PLANE_READ_ONLY, true},
		{"taken away", PLANE_TAKEN_AWAY, true},
		{"taken away, read-only", PLANE_TAKEN_AWAY, false},
	};
	struct fixture *f = *state;
	const uint64_t rw = map(f, 1, PLANE_MAX, true), ro = map(f, 2, PLANE_MAX, false);
	const uint64_t mapped = 3 * PLANE_MAX;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const bool known = i % 2;
		uint64_t bad;

		f->pb.behaviour = cases[i / 2].behaviour;
		bad = map(f, 3, PLANE_MAX, cases[i / 2].writable);
		if (!media_window_repair(f->window, known ? bad + PAGE : MEDIA_WINDOW_ANYWHERE))
			fail_msg("%s: not found", cases[i / 2].name);
		for (uint64_t at = bad; at < bad + PLANE_MAX; at++)
			assert_int_equal(f->host[at], 0);
		if (cases[i / 2].writable)
			f->host[bad] = 0xff;
		/* Once is enough, and the guest's mapping is still a mapping. */
		assert_false(media_window_repair(f->window, bad));
		assert_false(media_window_repair(f->window, MEDIA_WINDOW_ANYWHERE));
		assert_int_equal(media_window_mapped(f->window), mapped);
		assert_int_equal(media_window_unmap(f->window, bad), 0);
		assert_int_equal(f->host[bad], 0);
		assert_true(shows(f, rw, 1) && shows(f, ro, 2));
	}
}

static void repair_looks_where_the_guest_was(void **state)
{
	struct fixture *f = *state;
	const uint64_t good = map(f, 1, PLANE_MAX, true);
	uint64_t bad;

	f->pb.behaviour = PLANE_UNREADABLE;
	bad = map(f, 2, PLANE_MAX, true);
	assert_false(media_window_repair(f->window, good));
	assert_false(media_window_repair(f->window, bad + PLANE_MAX));
	assert_false(media_window_repair(f->window, HALF + bad));
	assert_false(media_window_repair(f->window, 2 * HALF));
	assert_true(media_window_repair(f->window, bad + PLANE_MAX - 1));
	assert_true(shows(f, good, 1));
}

static void repaired_mapping_is_not_looked_at_again(void **state)
{
	struct fixture *f = *state;
	uint64_t bad;

	f->pb.behaviour = PLANE_UNREADABLE;
	bad = map(f, 0, HALF, true);
	assert_true(media_window_repair(f->window, bad));
	assert_false(media_window_repair(f->window, bad));
	assert_int_equal(cost(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		cmocka_unit_test(sizes_are_checked),
		TEST(window_is_scratch_at_first),
		TEST(buffer_is_seen_through_its_mappings),
		TEST(lengths_are_whole_pages),
		TEST(unmapped_range_is_empty_scratch),
		TEST(only_starts_of_mappings_are_unmapped),
		TEST(mapping_outlives_its_file),
		TEST(full_half_has_no_space),
		TEST(refused_mapping_leaves_scratch),
		TEST(reset_ends_all_mappings),
		TEST(scratch_costs_one_half_at_most),
		TEST(mapping_drops_the_scratch_under_it),
		TEST(window_is_of_small_pages_and_not_dumped),
		TEST(there_is_never_a_hole),
		TEST(mapping_that_cannot_be_reached_becomes_scratch),
		TEST(repair_looks_where_the_guest_was),
		TEST(repaired_mapping_is_not_looked_at_again),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
