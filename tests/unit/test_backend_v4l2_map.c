/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_backend_v4l2_map.c - tests backend_v4l2_map.c with files in the place of video nodes: a
 * driver without VIDIOC_EXPBUF, and memory that cannot be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "devices/media/backend_v4l2_impl.h"

#define PAGE  4096
#define PAGES 4

struct rig {
	struct v4l2_mapper mapper;
	int fd;	     /* a file whose page N is full of N + 1 */
	uint8_t *at; /* PAGES pages, full of 0xee */
};

static struct rig rig;

static int setup(void **state)
{
	uint8_t page[PAGE];

	assert_int_equal(v4l2_mapper_init(&rig.mapper), 0);
	rig.fd = memfd_create("node", MFD_CLOEXEC);
	assert_true(rig.fd >= 0);
	for (int i = 0; i < PAGES; i++) {
		memset(page, i + 1, PAGE);
		assert_int_equal(write(rig.fd, page, PAGE), PAGE);
	}
	rig.at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	assert_true(rig.at != MAP_FAILED);
	memset(rig.at, 0xee, PAGES * PAGE);
	return 0;
}

static int teardown(void **state)
{
	munmap(rig.at, PAGES * PAGE);
	close(rig.fd);
	v4l2_mapper_deinit(&rig.mapper);
	return 0;
}

static struct media_plane_id plane(uint32_t mem_offset)
{
	return (struct media_plane_id) {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.mem_offset = mem_offset,
		.length = PAGE,
	};
}

static void without_expbuf_the_file_is_mapped_at_the_offset(void **state)
{
	const struct media_plane_id third = plane(2 * PAGE);
	uint8_t byte;

	assert_int_equal(v4l2_map(&rig.mapper, rig.fd, &third, rig.at + PAGE, PAGE, true), 0);
	assert_int_equal(rig.at[PAGE - 1], 0xee);
	assert_int_equal(rig.at[PAGE], 3);
	assert_int_equal(rig.at[2 * PAGE - 1], 3);
	assert_int_equal(rig.at[2 * PAGE], 0xee);
	rig.at[PAGE + 5] = 0x77;
	assert_int_equal(pread(rig.fd, &byte, 1, 2 * PAGE + 5), 1);
	assert_int_equal(byte, 0x77);
	assert_true(rig.mapper.no_export);
}

static void a_read_only_mapping_cannot_be_written(void **state)
{
	const struct media_plane_id first = plane(0);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(v4l2_map(&rig.mapper, rig.fd, &first, rig.at, PAGE, false), 0);
	assert_int_equal(rig.at[0], 1);
	/* The system call fails where we would be killed. */
	assert_int_equal(read(fd, rig.at, 1), -1);
	assert_int_equal(errno, EFAULT);
	close(fd);
}

static void a_mapping_outlives_the_file(void **state)
{
	const struct media_plane_id first = plane(0);
	const int fd = dup(rig.fd);

	assert_int_equal(v4l2_map(&rig.mapper, fd, &first, rig.at, PAGE, true), 0);
	close(fd);
	assert_int_equal(rig.at[PAGE - 1], 1);
}

static void what_cannot_be_mapped_is_an_error(void **state)
{
	const struct media_plane_id odd = plane(7);
	int fds[2];

	assert_int_equal(v4l2_map(&rig.mapper, rig.fd, &odd, rig.at, PAGE, true), -EINVAL);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(v4l2_map(&rig.mapper, fds[0], &odd, rig.at, PAGE, true), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	/* No driver was asked, so nothing is known of EXPBUF. */
	rig.mapper.no_export = false;
	assert_int_equal(v4l2_map(&rig.mapper, -1, &odd, rig.at, PAGE, true), -EBADF);
	assert_false(rig.mapper.no_export);
}

/* As of a device that is gone: a page that raises SIGBUS. */
static void memory_that_cannot_be_read_is_an_error(void **state)
{
	const struct media_plane_id last = plane((PAGES - 1) * PAGE);

	assert_int_equal(v4l2_map(&rig.mapper, rig.fd, &last, rig.at, PAGE, true), 0);
	assert_int_equal(v4l2_map(&rig.mapper, rig.fd, &last, rig.at, 2 * PAGE, true), -EFAULT);
	assert_int_equal(ftruncate(rig.fd, 0), 0);
	assert_int_equal(v4l2_touch(&rig.mapper, rig.at, PAGE), -EFAULT);
}

/* Return: how many of @n pages at @at are there. */
static size_t resident(void *at, size_t n)
{
	unsigned char pages[2000];
	size_t there = 0;

	assert_true(n <= sizeof(pages));
	assert_int_equal(mincore(at, n * PAGE, pages), 0);
	for (size_t i = 0; i < n; i++)
		there += pages[i] & 1;
	return there;
}

static void every_page_is_touched(void **state)
{
	static const size_t sizes[] = {1, 2, 255, 256, 257, 1025, 2000};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t *at = mmap(NULL, (sizes[i] + 1) * PAGE, PROT_READ,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		assert_true(at != MAP_FAILED);
		assert_int_equal(resident(at, sizes[i]), 0);
		assert_int_equal(v4l2_touch(&rig.mapper, at, sizes[i] * PAGE), 0);
		assert_int_equal(resident(at, sizes[i]), sizes[i]);
		assert_int_equal(resident(at + sizes[i] * PAGE, 1), 0);
		munmap(at, (sizes[i] + 1) * PAGE);
	}
}

static void a_page_in_the_middle_is_found(void **state)
{
	const size_t n = 600;
	uint8_t *at = mmap(NULL, n * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	assert_int_equal(munmap(at + 400 * PAGE, PAGE), 0);
	assert_int_equal(v4l2_touch(&rig.mapper, at, n * PAGE), -EFAULT);
	munmap(at, n * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_expbuf_the_file_is_mapped_at_the_offset,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_read_only_mapping_cannot_be_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_mapping_outlives_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_mapped_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_that_cannot_be_read_is_an_error, setup,
						teardown),
		cmocka_unit_test_setup_teardown(every_page_is_touched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_page_in_the_middle_is_found, setup, teardown),
	};

	return cmocka_run_group_tests_name("backend_v4l2_map", tests, NULL, NULL);
}
