/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pages.c - guest memory of a SHARED_PAGES buffer as the host is given it: the very pages,
 * side by side, or a copy where nothing else goes; at which address.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "devices/media/pages.h"
#include "own_memory.h"

#define PAGE UINT64_C(4096)

/* As on a real machine, a hole between two regions. */
#define LOW_SIZE  (4 * MIB)
#define HIGH	  (64 * MIB)
#define HIGH_SIZE (4 * MIB)
#define END	  (HIGH + HIGH_SIZE)

#define ENTRIES_MAX 8

static const struct gmem_region layout[] = {
	{.gpa = 0, .size = LOW_SIZE},
	{.gpa = HIGH, .size = HIGH_SIZE},
};

struct fixture {
	struct gmem *gmem;
	struct pages *pages;
};

static struct gmem *new_gmem(bool shared)
{
	const struct gmem_options options = {.shared = shared};
	struct error err = {0};
	struct gmem *gmem;

	assert_int_equal(gmem_new(&gmem, layout, ARRAY_SIZE(layout), &options, &err), 0);
	return gmem;
}

static int setup(void **state)
{
	static struct fixture f;

	f.gmem = new_gmem(true);
	assert_int_equal(pages_new(&f.pages, f.gmem, false), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pages_free(f->pages);
	gmem_free(f->gmem);
	return 0;
}

/* Up to an entry of no length. */
static struct payload_sg list(struct virtio_media_sg_entry *entries)
{
	struct payload_sg sg = {.entries = entries};

	while (sg.n < ENTRIES_MAX && entries[sg.n].len)
		sg.len += entries[sg.n++].len;
	return sg;
}

static uint8_t *address(const struct pages *pages)
{
	return (uint8_t *)(uintptr_t)pages_address(pages);
}

/* What the guest has at each byte that an entry names. */
static uint8_t pattern(uint64_t gpa)
{
	return (uint8_t)(gpa ^ gpa >> 12 ^ 0x5a);
}

static void fill_guest(const struct gmem *gmem, const struct payload_sg *sg)
{
	for (uint32_t i = 0; i < sg->n; i++)
		for (uint32_t j = 0; j < sg->entries[i].len; j++) {
			uint8_t *at = gmem_at(gmem, sg->entries[i].start + j, 1);

			*at = pattern(sg->entries[i].start + j);
		}
}

static bool host_sees_the_guest(const struct pages *pages, const struct payload_sg *sg)
{
	const uint8_t *at = address(pages);

	for (uint32_t i = 0; i < sg->n; i++)
		for (uint32_t j = 0; j < sg->entries[i].len; j++)
			if (*at++ != pattern(sg->entries[i].start + j))
				return false;
	return true;
}

static bool guest_sees(const struct gmem *gmem, const struct payload_sg *sg, uint8_t byte)
{
	for (uint32_t i = 0; i < sg->n; i++)
		for (uint32_t j = 0; j < sg->entries[i].len; j++) {
			const uint8_t *at = gmem_at(gmem, sg->entries[i].start + j, 1);

			if (*at != byte)
				return false;
		}
	return true;
}

static const struct {
	const char *name;
	struct virtio_media_sg_entry entries[ENTRIES_MAX];
	bool copied;
} shapes[] = {
	{"one page", {{PAGE, PAGE}}, false},
	{"inside a page", {{PAGE + 100, 50}}, false},
	{"several pages in order, off the borders", {{PAGE + 8, 5 * PAGE}}, false},
	{"in order, told piece by piece", {{PAGE, 100}, {PAGE + 100, 5000}}, false},
	{"scattered pages", {{5 * PAGE, PAGE}, {PAGE, PAGE}, {9 * PAGE, 2 * PAGE}}, false},
	{"from inside a page on", {{5 * PAGE + 500, PAGE - 500}, {PAGE, PAGE}}, false},
	{"to inside a page", {{5 * PAGE, PAGE}, {PAGE, 7}}, false},
	{"both", {{5 * PAGE + 4095, 1}, {8 * PAGE, PAGE}, {PAGE, 1}}, false},
	{"both regions", {{LOW_SIZE - PAGE, PAGE}, {END - PAGE, PAGE}, {HIGH, PAGE}}, false},
	{"the same page twice", {{PAGE, PAGE}, {PAGE, PAGE}}, false},
	{"scattered, and told piece by piece",
	 {{5 * PAGE, 96}, {5 * PAGE + 96, PAGE - 96}, {PAGE, 96}},
	 false},
	{"a hole of half a page", {{PAGE, 2048}, {2 * PAGE, PAGE}}, true},
	{"goes on inside a page", {{PAGE, PAGE}, {3 * PAGE + 8, PAGE}}, true},
	{"pieces of no pages", {{PAGE + 1, 3}, {HIGH + 5, 9000}, {20, 1}}, true},
};

static void host_gets_the_guests_pages(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct virtio_media_sg_entry entries[ENTRIES_MAX];
		struct payload_sg sg;

		memcpy(entries, shapes[i].entries, sizeof(entries));
		sg = list(entries);
		if (pages_set(f->pages, &sg) != 0)
			fail_msg("%s: refused", shapes[i].name);
		if (pages_copied(f->pages) != shapes[i].copied)
			fail_msg("%s: copied? %d", shapes[i].name, pages_copied(f->pages));
		/* Set before filled: it is the same memory, or pages_to_host() copies it. */
		fill_guest(f->gmem, &sg);
		pages_to_host(f->pages, sg.len);
		if (!host_sees_the_guest(f->pages, &sg))
			fail_msg("%s: the host sees something else", shapes[i].name);
		memset(address(f->pages), 0xee, sg.len);
		assert_int_equal(guest_sees(f->gmem, &sg, 0xee), !shapes[i].copied);
		pages_to_guest(f->pages, sg.len);
		if (!guest_sees(f->gmem, &sg, 0xee))
			fail_msg("%s: the guest sees something else", shapes[i].name);
	}
}

static void offset_in_the_page_is_kept(void **state)
{
	struct fixture *f = *state;
	struct virtio_media_sg_entry entries[ENTRIES_MAX] = {{5 * PAGE + 500, PAGE - 500},
							     {PAGE, 1}};
	struct payload_sg sg = list(entries);

	assert_int_equal(pages_set(f->pages, &sg), 0);
	assert_int_equal(pages_address(f->pages) % PAGE, 500);
}

static void copies_end_where_told(void **state)
{
	struct fixture *f = *state;
	struct virtio_media_sg_entry entries[ENTRIES_MAX] = {{PAGE, 3}, {3 * PAGE, 5}};
	struct payload_sg sg = list(entries);

	assert_int_equal(pages_set(f->pages, &sg), 0);
	assert_true(pages_copied(f->pages));
	assert_int_equal(gmem_write(f->gmem, PAGE, "abc", 3), 0);
	assert_int_equal(gmem_write(f->gmem, 3 * PAGE, "defgh", 5), 0);
	pages_to_host(f->pages, 5);
	assert_memory_equal(address(f->pages), "abcde\0\0\0", 8);
	memcpy(address(f->pages), "12345678", 8);
	pages_to_guest(f->pages, 4);
	assert_memory_equal(gmem_at(f->gmem, PAGE, 3), "123", 3);
	assert_memory_equal(gmem_at(f->gmem, 3 * PAGE, 5), "4efgh", 5);
	/* More than there is. */
	pages_to_guest(f->pages, UINT32_MAX);
	assert_memory_equal(gmem_at(f->gmem, 3 * PAGE, 8), "45678\0\0\0", 8);
}

static void wrong_lists_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct virtio_media_sg_entry entries[ENTRIES_MAX];
		uint32_t n, len;
		int result;
	} cases[] = {
		{"no entry", {{0}}, 0, 0, -EINVAL},
		{"no bytes", {{PAGE, 0}}, 1, 0, -EINVAL},
		{"more than the entries have", {{PAGE, PAGE}}, 1, PAGE + 1, -EINVAL},
		{"less", {{PAGE, PAGE}}, 1, PAGE - 1, -EINVAL},
		{"in the hole", {{LOW_SIZE, PAGE}}, 1, PAGE, -EFAULT},
		{"into the hole", {{LOW_SIZE - PAGE, 2 * PAGE}}, 1, 2 * PAGE, -EFAULT},
		{"second one behind the end", {{PAGE, PAGE}, {END, PAGE}}, 2, 2 * PAGE, -EFAULT},
		{"last page of all", {{UINT64_MAX - PAGE + 1, PAGE}}, 1, PAGE, -EFAULT},
		{"over the end of all", {{UINT64_MAX - 7, 16}}, 1, 16, -EFAULT},
		{"over it in two", {{UINT64_MAX - 7, 8}, {0, 8}}, 2, 16, -EFAULT},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct virtio_media_sg_entry entries[ENTRIES_MAX], good[] = {{PAGE, PAGE}};
		const struct payload_sg sg = {entries, cases[i].n, cases[i].len};
		const struct payload_sg good_sg = {good, 1, PAGE};

		memcpy(entries, cases[i].entries, sizeof(entries));
		if (pages_set(f->pages, &sg) != cases[i].result)
			fail_msg("%s", cases[i].name);
		assert_int_equal(pages_address(f->pages), 0);
		assert_int_equal(pages_set(f->pages, &good_sg), 0);
		assert_non_null(address(f->pages));
	}
}

/* From now on any system call but that for the end is the end. */
static void forbid_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog program = {.len = ARRAY_SIZE(filter), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(2);
}

static void same_list_makes_no_system_call(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct virtio_media_sg_entry entries[ENTRIES_MAX];
		struct payload_sg sg;
		uint64_t before;
		int status;
		pid_t pid;

		memcpy(entries, shapes[i].entries, sizeof(entries));
		sg = list(entries);
		assert_int_equal(pages_set(f->pages, &sg), 0);
		before = pages_address(f->pages);
		for (uint32_t j = 0; j < sg.n; j++)
			entries[j].reserved = 0xdead; /* stale, nobody's business */
		pid = fork();
		if (pid == 0) {
			forbid_system_calls();
			syscall(SYS_exit_group,
				pages_set(f->pages, &sg) != 0 || pages_address(f->pages) != before);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("%s: status 0x%x", shapes[i].name, status);
	}
}

/* V4L2 takes what is at an address that it knows for what was there. */
static void other_pages_have_another_address(void **state)
{
	struct fixture *f = *state;
	uint64_t seen[60];

	for (unsigned int i = 0; i < ARRAY_SIZE(seen); i++) {
		struct virtio_media_sg_entry entries[ENTRIES_MAX] = {{(2 * i + 9) * PAGE, PAGE},
								     {PAGE, PAGE}};
		const struct payload_sg sg = list(entries);

		assert_int_equal(pages_set(f->pages, &sg), 0);
		assert_false(pages_copied(f->pages));
		seen[i] = pages_address(f->pages);
		for (unsigned int j = i >= 30 ? i - 30 : 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
	}
}

/* Also when what is free in the address space has changed. */
static void longer_range_has_another_address(void **state)
{
	struct fixture *f = *state;
	uint64_t last = 0;

	for (uint32_t i = 2; i < 300; i++) {
		struct virtio_media_sg_entry entries[ENTRIES_MAX] = {{PAGE, PAGE},
								     {8 * PAGE, i * 1024}};
		const struct payload_sg sg = list(entries);

		assert_int_equal(pages_set(f->pages, &sg), 0);
		assert_int_not_equal(pages_address(f->pages), last);
		last = pages_address(f->pages);
	}
}

static void copy_stays_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct virtio_media_sg_entry first[ENTRIES_MAX] = {{PAGE, 3}, {3 * PAGE, 5}};
	struct virtio_media_sg_entry second[ENTRIES_MAX] = {{HIGH, 4}, {2 * PAGE, 4}};
	struct virtio_media_sg_entry longer[ENTRIES_MAX] = {{HIGH, 4}, {2 * PAGE, 4000}};
	struct payload_sg sg = list(first);
	uint64_t before;

	assert_int_equal(pages_set(f->pages, &sg), 0);
	before = pages_address(f->pages);
	sg = list(second);
	assert_int_equal(pages_set(f->pages, &sg), 0);
	assert_int_equal(pages_address(f->pages), before);
	memcpy(address(f->pages), "12345678", 8);
	pages_to_guest(f->pages, 8);
	assert_memory_equal(gmem_at(f->gmem, HIGH, 4), "1234", 4);
	assert_memory_equal(gmem_at(f->gmem, 2 * PAGE, 4), "5678", 4);
	sg = list(longer);
	assert_int_equal(pages_set(f->pages, &sg), 0);
	assert_int_not_equal(pages_address(f->pages), before);
	sg = list(first);
	first[0].start = LOW_SIZE;
	assert_int_equal(pages_set(f->pages, &sg), -EFAULT);
	assert_false(pages_copied(f->pages));
}

static void list_that_fits_is_copied_no_more(void **state)
{
	struct fixture *f = *state;
	struct virtio_media_sg_entry odd[ENTRIES_MAX] = {{PAGE + 1, PAGE}, {8 * PAGE, PAGE}};
	struct virtio_media_sg_entry even[ENTRIES_MAX] = {{PAGE, PAGE}, {8 * PAGE, PAGE}};
	struct payload_sg sg = list(odd);

	assert_int_equal(pages_set(f->pages, &sg), 0);
	assert_true(pages_copied(f->pages));
	sg = list(even);
	assert_int_equal(pages_set(f->pages, &sg), 0);
	assert_false(pages_copied(f->pages));
	fill_guest(f->gmem, &sg);
	assert_true(host_sees_the_guest(f->pages, &sg));
}

/* Same starts, same number of pieces, same sum. */
static void other_lengths_are_other_pages(void **state)
{
	struct fixture *f = *state;
	struct virtio_media_sg_entry first[ENTRIES_MAX] = {{HIGH, PAGE}, {PAGE, 2 * PAGE}};
	struct virtio_media_sg_entry second[ENTRIES_MAX] = {{HIGH, 2 * PAGE}, {PAGE, PAGE}};
	struct payload_sg sg = list(first);
	uint64_t before;

	assert_int_equal(pages_set(f->pages, &sg), 0);
	before = pages_address(f->pages);
	sg = list(second);
	assert_int_equal(pages_set(f->pages, &sg), 0);
	assert_int_not_equal(pages_address(f->pages), before);
	fill_guest(f->gmem, &sg);
	assert_true(host_sees_the_guest(f->pages, &sg));
}

/* As all guest memory. */
static void ranges_are_not_dumped(void **state)
{
	struct fixture *f = *state;
	struct virtio_media_sg_entry mapped[ENTRIES_MAX] = {{PAGE, PAGE}, {8 * PAGE, PAGE}};
	struct virtio_media_sg_entry copied[ENTRIES_MAX] = {{PAGE, 3}, {8 * PAGE, 3}};
	struct payload_sg lists[] = {list(mapped), list(copied)};
	char flags[OWN_MEMORY_FLAGS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		assert_int_equal(pages_set(f->pages, &lists[i]), 0);
		own_memory_flags(address(f->pages), flags);
		assert_non_null(strstr(flags, " dd"));
	}
}

/* A machine whose memory has no second name: what is not in order is copied. */
static void private_memory_is_copied(void **state)
{
	struct gmem *gmem = new_gmem(false);
	struct virtio_media_sg_entry entries[ENTRIES_MAX] = {{5 * PAGE, PAGE}, {PAGE, PAGE}};
	struct payload_sg sg = list(entries);
	struct pages *pages;

	assert_false(pages_possible(gmem));
	assert_false(pages_dmabuf_possible(gmem));
	assert_int_equal(pages_new(&pages, gmem, false), 0);
	assert_int_equal(pages_set(pages, &sg), 0);
	assert_true(pages_copied(pages));
	fill_guest(gmem, &sg);
	pages_to_host(pages, sg.len);
	assert_true(host_sees_the_guest(pages, &sg));
	pages_free(pages);
	gmem_free(gmem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(host_gets_the_guests_pages),
		TEST(offset_in_the_page_is_kept),
		TEST(copies_end_where_told),
		TEST(wrong_lists_are_refused),
		TEST(same_list_makes_no_system_call),
		TEST(other_pages_have_another_address),
		TEST(longer_range_has_another_address),
		TEST(copy_stays_where_it_is),
		TEST(list_that_fits_is_copied_no_more),
		TEST(other_lengths_are_other_pages),
		TEST(ranges_are_not_dumped),
		cmocka_unit_test(private_memory_is_copied),
	};

	return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
