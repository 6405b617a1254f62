/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_gmem.c - guest memory: regions, the hole between them, bounds, files read into it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "gmem.h"

#define PAGE UINT64_C(4096)

/* Two regions with a hole between them, as on a real machine, but small. */
#define LOW_SIZE  MIB
#define HIGH	  (16 * MIB)
#define HIGH_SIZE (2 * MIB)
#define HIGH_END  (HIGH + HIGH_SIZE)

static const struct gmem_region holed[] = {
	{.gpa = 0, .size = LOW_SIZE},
	{.gpa = HIGH, .size = HIGH_SIZE},
};

/* Two regions that touch: one range for the guest, two mappings for us. */
static const struct gmem_region touching[] = {
	{.gpa = PAGE, .size = MIB},
	{.gpa = PAGE + MIB, .size = MIB},
};

/* Of the group of tests that runs: private memory, or a memfd. */
static struct gmem_options plain;

static struct gmem *new_gmem(const struct gmem_region *layout)
{
	struct gmem *gmem;
	struct error err;

	if (gmem_new(&gmem, layout, 2, &plain, &err) < 0)
		fail_msg("%s", err.text);
	return gmem;
}

static void bounds_are_kept(void **state)
{
	static const struct {
		const char *name;
		uint64_t gpa, len;
		int result;
	} cases[] = {
		{"first byte", 0, 1, 0},
		{"all of the low region", 0, LOW_SIZE, 0},
		{"last byte before the hole", LOW_SIZE - 1, 1, 0},
		{"into the hole", LOW_SIZE - 1, 2, -EFAULT},
		{"in the hole", LOW_SIZE, 1, -EFAULT},
		{"out of the hole", HIGH - 1, 2, -EFAULT},
		{"over the hole", 0, HIGH_END, -EFAULT},
		{"all of the high region", HIGH, HIGH_SIZE, 0},
		{"one byte too many", HIGH, HIGH_SIZE + 1, -EFAULT},
		{"behind the end", HIGH_END, 1, -EFAULT},
		{"last address", UINT64_MAX, 1, -EFAULT},
		{"length that wraps", HIGH, UINT64_MAX, -EFAULT},
		{"length that wraps to the start", LOW_SIZE - 1, UINT64_MAX - LOW_SIZE + 2,
		 -EFAULT},
	};
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(holed);
	_cleanup_(freep) void *buffer = calloc(1, HIGH_SIZE + 1);
	_cleanup_(closep) int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	assert_non_null(buffer);
	assert_true(zero >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint64_t gpa = cases[i].gpa, len = cases[i].len;
		const int r = cases[i].result;

		if (gmem_read(gmem, gpa, buffer, len) != r)
			fail_msg("read, %s", cases[i].name);
		if (gmem_write(gmem, gpa, buffer, len) != r)
			fail_msg("write, %s", cases[i].name);
		if (gmem_zero(gmem, gpa, len) != r)
			fail_msg("zero, %s", cases[i].name);
		if (gmem_read_file(gmem, gpa, zero, 0, len) != r)
			fail_msg("read_file, %s", cases[i].name);
		if (!gmem_at(gmem, gpa, len) != (r != 0))
			fail_msg("at, %s", cases[i].name);
	}
}

static void refused_copies_change_nothing(void **state)
{
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(holed);
	char bytes[4] = "abc";

	assert_int_equal(gmem_write(gmem, LOW_SIZE - 2, "xy", 2), 0);
	assert_int_equal(gmem_write(gmem, LOW_SIZE - 2, "1234", 4), -EFAULT);
	assert_int_equal(gmem_zero(gmem, LOW_SIZE - 2, 4), -EFAULT);
	assert_memory_equal(gmem_at(gmem, LOW_SIZE - 2, 2), "xy", 2);
	assert_int_equal(gmem_read(gmem, LOW_SIZE - 2, bytes, 4), -EFAULT);
	assert_string_equal(bytes, "abc");
}

static void copies_span_regions_that_touch(void **state)
{
	const uint64_t border = PAGE + MIB;
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(touching);
	char bytes[8];

	assert_int_equal(gmem_write(gmem, border - 3, "abcdef", 6), 0);
	assert_memory_equal(gmem_at(gmem, border - 3, 3), "abc", 3);
	assert_memory_equal(gmem_at(gmem, border, 3), "def", 3);
	assert_null(gmem_at(gmem, border - 3, 6));
	assert_int_equal(gmem_zero(gmem, border - 1, 2), 0);
	assert_int_equal(gmem_read(gmem, border - 3, bytes, 6), 0);
	assert_memory_equal(bytes, "ab\0\0ef", 6);
	assert_int_equal(gmem_read(gmem, 0, bytes, 1), -EFAULT);
}

static void regions_lie_in_the_memfd_one_behind_the_other(void **state)
{
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(holed);
	const struct gmem_region *regions;
	char byte;

	assert_int_equal(gmem_size(gmem), LOW_SIZE + HIGH_SIZE);
	assert_int_equal(gmem_regions(gmem, &regions), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(regions[i].gpa, holed[i].gpa);
		assert_int_equal(regions[i].size, holed[i].size);
		assert_ptr_equal(regions[i].host, gmem_at(gmem, holed[i].gpa, holed[i].size));
	}
	assert_int_equal(gmem_write(gmem, LOW_SIZE - 1, "L", 1), 0);
	assert_int_equal(gmem_write(gmem, HIGH, "H", 1), 0);
	assert_int_equal(pread(gmem_fd(gmem), &byte, 1, LOW_SIZE - 1), 1);
	assert_int_equal(byte, 'L');
	assert_int_equal(pread(gmem_fd(gmem), &byte, 1, LOW_SIZE), 1);
	assert_int_equal(byte, 'H');
}

static void size_is_sealed(void **state)
{
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(holed);
	const int fd = gmem_fd(gmem);

	assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, (off_t)(64 * MIB)), -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

/* Bytes of it that have a page. */
static uint64_t allocated(const struct gmem *gmem)
{
	const struct gmem_region *regions;
	size_t n = gmem_regions(gmem, &regions);
	uint64_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		const size_t pages = regions[i].size / PAGE;
		_cleanup_(freep) unsigned char *resident = malloc(pages);

		assert_non_null(resident);
		assert_int_equal(mincore(regions[i].host, regions[i].size, resident), 0);
		for (size_t j = 0; j < pages; j++)
			bytes += resident[j] & 1 ? PAGE : 0;
	}
	return bytes;
}

static void memory_is_allocated_when_asked_for(void **state)
{
	struct gmem_options prefault = plain;
	_cleanup_(gmem_freep) struct gmem *lazy = new_gmem(holed);
	_cleanup_(gmem_freep) struct gmem *eager = NULL;
	struct error err;

	prefault.prefault = true;
	assert_int_equal(allocated(lazy), 0);
	assert_int_equal(gmem_new(&eager, holed, 2, &prefault, &err), 0);
	assert_int_equal(allocated(eager), LOW_SIZE + HIGH_SIZE);
}

static void private_memory_has_no_descriptor(void **state)
{
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(holed);

	assert_int_equal(gmem_fd(gmem), -1);
}

static void regions_begin_where_a_huge_page_may(void **state)
{
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(holed);
	const struct gmem_region *regions;
	size_t n = gmem_regions(gmem, &regions);

	for (size_t i = 0; i < n; i++)
		assert_int_equal((uintptr_t)regions[i].host % (2 * MIB), 0);
}

/* A file of @size bytes; byte i is i % 251. */
static int new_file(size_t size)
{
	_cleanup_(freep) uint8_t *bytes = malloc(size);
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_non_null(bytes);
	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i % 251);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

static void files_are_read_into_place(void **state)
{
	/* Small ones and large ones, which may take another way. */
	static const struct {
		const char *name;
		uint64_t gpa, offset, len;
		int result;
	} cases[] = {
		{"nothing", PAGE, 0, 0, 0},
		{"a few bytes", PAGE + 5, 7, 100, 0},
		{"last bytes", PAGE, 1499000, 1000, 0},
		{"beyond the end", PAGE, 1499000, 1001, -ENODATA},
		{"from beyond the end", PAGE, 1500001, 1, -ENODATA},
		{"over the border, small", PAGE + MIB - 50, 3, 100, 0},
		{"over the border, large", PAGE + 12345, 1, 1400000, 0},
		{"all", 2 * PAGE, 0, 1500000, 0},
		{"all and more", PAGE, 0, 1500001, -ENODATA},
		{"not all RAM", PAGE + MIB, 0, 1400000, -EFAULT},
	};
	_cleanup_(closep) int fd = new_file(1500000);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(touching);
		_cleanup_(freep) uint8_t *got = calloc(1, 2 * MIB);
		const uint64_t at = cases[i].gpa - PAGE;
		int r;

		assert_non_null(got);
		r = gmem_read_file(gmem, cases[i].gpa, fd, cases[i].offset, cases[i].len);
		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].name, r);
		if (r < 0)
			continue;
		assert_int_equal(gmem_read(gmem, PAGE, got, 2 * MIB), 0);
		for (uint64_t b = 0; b < 2 * MIB; b++) {
			bool inside = b >= at && b - at < cases[i].len;
			uint8_t want = inside ? (b - at + cases[i].offset) % 251 : 0;

			if (got[b] != want)
				fail_msg("%s: byte %llu is %u, not %u", cases[i].name,
					 (unsigned long long)b, got[b], want);
		}
	}
}

static void unreadable_files_fail(void **state)
{
	_cleanup_(gmem_freep) struct gmem *gmem = new_gmem(touching);
	_cleanup_(closep) int directory = open("/", O_RDONLY | O_CLOEXEC);
	int fds[2];

	assert_int_equal(gmem_read_file(gmem, PAGE, directory, 0, 1), -EISDIR);
	assert_int_equal(gmem_read_file(gmem, PAGE, -1, 0, 1), -EBADF);
	assert_int_equal(gmem_read_file(gmem, PAGE, -1, 0, MIB), -EBADF);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(gmem_read_file(gmem, PAGE, fds[0], 0, 1), -ESPIPE);
	close(fds[0]);
	close(fds[1]);
}

static void impossible_memory_is_explained(void **state)
{
	static const struct gmem_region huge[] = {{.gpa = 0, .size = UINT64_C(1) << 62}};
	static const struct gmem_region odd[] = {{.gpa = 0, .size = 3 * MIB}};
	static const struct {
		const char *name;
		const struct gmem_region *layout;
		struct gmem_options options;
		int result;
		const char *says;
	} cases[] = {
		{"4 EiB", huge, {.prefault = false}, -ENOMEM, "4398046511104 MiB"},
		{"odd number of huge pages",
		 odd,
		 {.hugepages = true},
		 -EINVAL,
		 "multiple of 2 MiB"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {.text = ""};
		struct gmem *gmem = NULL;
		int r = gmem_new(&gmem, cases[i].layout, 1, &cases[i].options, &err);

		if (r != cases[i].result || !strstr(err.text, cases[i].says))
			fail_msg("%s: %d, %s", cases[i].name, r, err.text);
		assert_null(gmem);
	}
	gmem_free(NULL);
}

int main(int argc, char **argv)
{
#define FOR_BOTH                                                                                   \
	cmocka_unit_test(bounds_are_kept), cmocka_unit_test(refused_copies_change_nothing),        \
		cmocka_unit_test(copies_span_regions_that_touch),                                  \
		cmocka_unit_test(memory_is_allocated_when_asked_for),                              \
		cmocka_unit_test(regions_begin_where_a_huge_page_may),                             \
		cmocka_unit_test(files_are_read_into_place),                                       \
		cmocka_unit_test(unreadable_files_fail),                                           \
		cmocka_unit_test(impossible_memory_is_explained)
	const struct CMUnitTest private_tests[] = {
		FOR_BOTH,
		cmocka_unit_test(private_memory_has_no_descriptor),
	};
	const struct CMUnitTest shared_tests[] = {
		FOR_BOTH,
		cmocka_unit_test(regions_lie_in_the_memfd_one_behind_the_other),
		cmocka_unit_test(size_is_sealed),
	};

	plain.shared = argc > 1 && strcmp(argv[1], "shared") == 0;
	if (plain.shared)
		return cmocka_run_group_tests_name("shared", shared_tests, NULL, NULL);
	return cmocka_run_group_tests_name("private", private_tests, NULL, NULL);
}
