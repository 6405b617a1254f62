/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pages_host.c - tests pages.c and udmabuf.c with what not every host has: DMABUFs of guest
 * memory (argument udmabuf), guest memory of huge pages (argument hugepages). Exits with 77 where
 * the host lacks it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "devices/media/pages.h"
#include "devices/media/udmabuf.h"

#define PAGE UINT64_C(4096)
#define SIZE (8 * MIB)

static struct gmem *gmem;

static bool make_gmem(bool hugepages)
{
	const struct gmem_options options = {.shared = true, .hugepages = hugepages};
	const struct gmem_region layout[] = {
		{.gpa = 0, .size = SIZE / 2},
		{.gpa = 64 * MIB, .size = SIZE / 2},
	};
	struct error err = {0};

	if (gmem_new(&gmem, layout, ARRAY_SIZE(layout), &options, &err) == 0)
		return true;
	puts(err.text);
	return false;
}

/* What a driver of the host sees of a DMABUF. */
static uint8_t *map_fd(const struct pages *pages, uint64_t len)
{
	void *at = mmap(NULL, ALIGN_UP(len, PAGE), PROT_READ | PROT_WRITE, MAP_SHARED,
			pages_fd(pages), 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static void dmabuf_is_the_guests_pages(void **state)
{
	struct virtio_media_sg_entry entries[] = {
		{5 * PAGE, PAGE}, {64 * MIB, PAGE}, {PAGE, 2 * PAGE}, {9 * PAGE, 100}};
	const struct payload_sg sg = {entries, ARRAY_SIZE(entries), 4 * PAGE + 100};
	struct pages *pages;
	uint8_t *at;
	int fd;

	assert_true(pages_dmabuf_possible(gmem));
	assert_int_equal(pages_new(&pages, gmem, true), 0);
	assert_int_equal(pages_set(pages, &sg), 0);
	assert_false(pages_copied(pages));
	fd = pages_fd(pages);
	at = map_fd(pages, sg.len);
	assert_int_equal(gmem_write(gmem, 64 * MIB, "second", 6), 0);
	assert_int_equal(gmem_write(gmem, 9 * PAGE, "last", 4), 0);
	assert_memory_equal(at + PAGE, "second", 6);
	assert_memory_equal(at + 4 * PAGE, "last", 4);
	memcpy(at + 3 * PAGE, "written", 7);
	assert_memory_equal(gmem_at(gmem, 2 * PAGE, 7), "written", 7);
	assert_int_equal(pages_set(pages, &sg), 0);
	assert_int_equal(pages_fd(pages), fd);
	munmap(at, 5 * PAGE);
	pages_free(pages);
}

static void dmabuf_that_does_not_fit_is_a_copy(void **state)
{
	static const struct {
		const char *name;
		uint64_t first;
		uint32_t n, len;
	} cases[] = {
		{"starts inside a page", PAGE + 64, 1, PAGE},
		{"pieces of no pages", PAGE, 2, 100},
		{"too many pieces", PAGE, UDMABUF_PIECES_MAX + 1, PAGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t n = cases[i].n, len = cases[i].len;
		struct virtio_media_sg_entry *entries = calloc(n, sizeof(*entries));
		const struct payload_sg sg = {entries, n, n * len};
		struct pages *pages;
		uint8_t *at;

		assert_non_null(entries);
		for (uint32_t j = 0; j < n; j++)
			entries[j] =
				(struct virtio_media_sg_entry) {j % 2 ? 8 * PAGE : cases[i].first,
								len};
		assert_int_equal(pages_new(&pages, gmem, true), 0);
		if (pages_set(pages, &sg) != 0 || !pages_copied(pages))
			fail_msg("%s", cases[i].name);
		assert_int_equal(gmem_write(gmem, cases[i].first, "first", 5), 0);
		assert_int_equal(gmem_write(gmem, 8 * PAGE, "second", 6), 0);
		at = map_fd(pages, sg.len);
		pages_to_host(pages, sg.len);
		assert_memory_equal(at, "first", 5);
		if (n > 1)
			assert_memory_equal(at + len, "second", 6);
		memcpy(at, "answer", 6);
		pages_to_guest(pages, 6);
		assert_memory_equal(gmem_at(gmem, cases[i].first, 6), "answer", 6);
		munmap(at, ALIGN_UP(sg.len, PAGE));
		pages_free(pages);
		free(entries);
	}
}

static void other_pages_are_another_dmabuf(void **state)
{
	struct virtio_media_sg_entry entries[] = {{5 * PAGE, PAGE}};
	const struct payload_sg sg = {entries, 1, PAGE};
	struct pages *pages;
	uint8_t *at;

	assert_int_equal(pages_new(&pages, gmem, true), 0);
	assert_int_equal(pages_set(pages, &sg), 0);
	entries[0].start = 7 * PAGE;
	assert_int_equal(pages_set(pages, &sg), 0);
	assert_int_equal(gmem_write(gmem, 7 * PAGE, "other", 5), 0);
	at = map_fd(pages, PAGE);
	assert_memory_equal(at, "other", 5);
	munmap(at, PAGE);
	entries[0].start = 4 * SIZE;
	assert_int_equal(pages_set(pages, &sg), -EFAULT);
	assert_int_equal(pages_fd(pages), -1);
	pages_free(pages);
}

static void dmabufs_of_no_pages_are_refused(void **state)
{
	const struct udmabuf_piece pieces[] = {{0, PAGE}, {PAGE + 1, PAGE}};

	assert_int_equal(udmabuf_new(gmem_fd(gmem), pieces, 0), -EINVAL);
	assert_int_equal(udmabuf_new(gmem_fd(gmem), pieces, UDMABUF_PIECES_MAX + 1), -EINVAL);
	assert_int_equal(udmabuf_new(gmem_fd(gmem), pieces, 2), -EINVAL);
}

/* Nothing smaller than a huge page can be mapped by itself. */
static void huge_pages_are_given_in_one_piece_or_copied(void **state)
{
	struct virtio_media_sg_entry entries[] = {{5 * PAGE, 3 * PAGE}, {PAGE, PAGE}};
	struct payload_sg sg = {entries, 1, 3 * PAGE};
	struct pages *pages;
	uint8_t *at;

	assert_int_equal(pages_new(&pages, gmem, false), 0);
	assert_int_equal(pages_set(pages, &sg), 0);
	assert_false(pages_copied(pages));
	assert_int_equal(gmem_write(gmem, 6 * PAGE, "there", 5), 0);
	at = (uint8_t *)(uintptr_t)pages_address(pages);
	assert_memory_equal(at + PAGE, "there", 5);

	sg = (struct payload_sg) {entries, 2, 4 * PAGE};
	assert_int_equal(pages_set(pages, &sg), 0);
	assert_true(pages_copied(pages));
	assert_int_equal(gmem_write(gmem, PAGE, "last", 4), 0);
	pages_to_host(pages, sg.len);
	at = (uint8_t *)(uintptr_t)pages_address(pages);
	assert_memory_equal(at + PAGE, "there", 5);
	assert_memory_equal(at + 3 * PAGE, "last", 4);
	pages_free(pages);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest udmabuf[] = {
		cmocka_unit_test(dmabuf_is_the_guests_pages),
		cmocka_unit_test(dmabuf_that_does_not_fit_is_a_copy),
		cmocka_unit_test(other_pages_are_another_dmabuf),
		cmocka_unit_test(dmabufs_of_no_pages_are_refused),
	};
	const struct CMUnitTest hugepages[] = {
		cmocka_unit_test(huge_pages_are_given_in_one_piece_or_copied),
	};
	const bool huge = argc == 2 && !strcmp(argv[1], "hugepages");
	int r;

	if (argc != 2 || (!huge && strcmp(argv[1], "udmabuf"))) {
		fputs("usage: test_pages_host udmabuf|hugepages\n", stderr);
		return 1;
	}
	if (!make_gmem(huge))
		return 77;
	if (!huge && !udmabuf_possible()) {
		puts("no usable /dev/udmabuf on this machine");
		gmem_free(gmem);
		return 77;
	}
	r = huge ? cmocka_run_group_tests_name("pages_host", hugepages, NULL, NULL)
		 : cmocka_run_group_tests_name("pages_host", udmabuf, NULL, NULL);
	gmem_free(gmem);
	return r;
}
