/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_emu_buffers.c - tests emu_buffers.c and emu_memory.c: buffers come, go and are mapped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "emu_rig.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define MMAP	V4L2_MEMORY_MMAP
#define USERPTR V4L2_MEMORY_USERPTR
#define BIG	(64 * MIB) /* a sixteenth of what a queue can have */

static struct emu_rig rig;
static struct rig_file *file, *other;

static int setup(void **state)
{
	emu_rig_init(&rig, RIG_CAMERA);
	file = emu_rig_open(&rig, 0);
	other = emu_rig_open(&rig, 1);
	return 0;
}

static int teardown(void **state)
{
	emu_rig_deinit(&rig);
	return 0;
}

static int create(struct rig_file *by, uint32_t memory, uint32_t count, uint64_t length,
		  struct v4l2_create_buffers *out)
{
	memset(out, 0xff, sizeof(*out));
	out->count = count;
	out->memory = memory;
	out->format.type = CAPTURE;
	out->format.fmt.pix.sizeimage = (uint32_t)length;
	return rig_do(by, VIDIOC_CREATE_BUFS, out);
}

static int create_at(uint32_t count, uint64_t length)
{
	struct v4l2_create_buffers created;
	int r = create(file, MMAP, count, length, &created);

	if (r < 0)
		return r;
	assert_int_equal(created.count, count);
	return (int)created.index;
}

static int remove_bufs(uint32_t index, uint32_t count)
{
	struct v4l2_remove_buffers removed;

	memset(&removed, 0xff, sizeof(removed));
	removed.index = index;
	removed.count = count;
	removed.type = CAPTURE;
	return rig_do(file, VIDIOC_REMOVE_BUFS, &removed);
}

static bool exists(uint32_t index)
{
	struct v4l2_buffer buffer;
	int r = rig_querybuf(file, CAPTURE, index, &buffer);

	assert_true(r == 0 || r == -EINVAL);
	return r == 0;
}

static void expect_buffers(const char *wanted)
{
	for (uint32_t i = 0; i < EMU_BUFFERS_MAX; i++)
		if (exists(i) != (i < strlen(wanted) && wanted[i] == 'x'))
			fail_msg("buffer %u of %s", i, wanted);
}

/* REQBUFS. */

static void reqbufs_tells_what_there_is(void **state)
{
	const uint32_t capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_USERPTR |
				      V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS | 1u << 8;
	struct v4l2_requestbuffers request;

	memset(&request, 0xff, sizeof(request));
	request.count = 100;
	request.type = CAPTURE;
	request.memory = MMAP;
	assert_int_equal(rig_do(file, VIDIOC_REQBUFS, &request), 0);
	assert_int_equal(request.count, EMU_BUFFERS_MAX);
	assert_int_equal(request.capabilities, capabilities);
	assert_int_equal(request.flags, 0);
	assert_true(rig_is_zero(request.reserved, sizeof(request.reserved)));
	request.count = 0;
	assert_int_equal(rig_do(file, VIDIOC_REQBUFS, &request), 0);
	assert_int_equal(request.capabilities, capabilities);
	expect_buffers("");
}

static void reqbufs_refuses_what_there_is_not(void **state)
{
	static const struct {
		const char *name;
		uint32_t type, memory;
	} cases[] = {
		{"no type", 0, MMAP},
		{"type of another device", V4L2_BUF_TYPE_VIDEO_OUTPUT, MMAP},
		{"multiplanar", V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, MMAP},
		{"unknown type", 0x80, MMAP},
		{"no memory", CAPTURE, 0},
		{"overlay", CAPTURE, V4L2_MEMORY_OVERLAY},
		{"DMABUF", CAPTURE, V4L2_MEMORY_DMABUF},
		{"unknown memory", CAPTURE, 99},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig_expect(cases[i].name, rig_reqbufs(file, cases[i].type, cases[i].memory, 1),
			   -EINVAL);
		rig_expect(cases[i].name, rig_reqbufs(file, cases[i].type, cases[i].memory, 0),
			   -EINVAL);
	}
}

static void reqbufs_replaces_what_was_there(void **state)
{
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 4), 0);
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(rig_reqbufs(file, CAPTURE, USERPTR, 2), 0);
	expect_buffers("xx");
	assert_null(emu_queue_next(emu_rig_queue(file, CAPTURE)));
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 1), -EBUSY);
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 0), -EBUSY);
	expect_buffers("xx");
}

static void buffers_belong_to_who_has_allocated_them(void **state)
{
	struct v4l2_buffer buffer = {.type = CAPTURE, .memory = MMAP};
	struct v4l2_create_buffers created;
	struct v4l2_remove_buffers removed = {.type = CAPTURE};

	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 2), 0);
	assert_int_equal(rig_reqbufs(other, CAPTURE, MMAP, 1), -EBUSY);
	assert_int_equal(rig_reqbufs(other, CAPTURE, MMAP, 0), -EBUSY);
	assert_int_equal(create(other, MMAP, 1, RIG_LENGTH, &created), -EBUSY);
	assert_int_equal(create(other, MMAP, 0, RIG_LENGTH, &created), 0);
	assert_int_equal(rig_do(other, VIDIOC_REMOVE_BUFS, &removed), 0); /* none of them */
	removed.count = 1;
	assert_int_equal(rig_do(other, VIDIOC_REMOVE_BUFS, &removed), -EBUSY);
	assert_int_equal(rig_do(other, VIDIOC_QBUF, &buffer), -EBUSY);
	assert_int_equal(rig_do(other, VIDIOC_PREPARE_BUF, &buffer), -EBUSY);
	assert_int_equal(rig_do(other, VIDIOC_DQBUF, &buffer), -EBUSY);
	assert_int_equal(rig_stream(other, CAPTURE, true), -EBUSY);
	assert_int_equal(rig_stream(other, CAPTURE, false), -EBUSY);
	assert_int_equal(rig_querybuf(other, CAPTURE, 1, &buffer), 0);
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(create(other, MMAP, 1, RIG_LENGTH, &created), 0);
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 1), -EBUSY);
}

/* CREATE_BUFS. */

static void create_bufs_adds_buffers_of_any_sufficient_length(void **state)
{
	struct v4l2_create_buffers created;
	struct v4l2_buffer buffer;

	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 2), 0);
	assert_int_equal(create(file, MMAP, 3, RIG_LENGTH + 12345, &created), 0);
	assert_int_equal(created.index, 2);
	assert_int_equal(created.count, 3);
	assert_int_equal(created.flags, 0);
	assert_true(rig_is_zero(created.reserved, sizeof(created.reserved)));
	assert_int_equal(rig_querybuf(file, CAPTURE, 4, &buffer), 0);
	assert_int_equal(buffer.length, RIG_LENGTH + 12345);
	assert_int_equal(create(file, MMAP, 0, 0, &created), 0);
	assert_int_equal(created.index, 5);
	/* As many as there can be. */
	assert_int_equal(create(file, MMAP, 100, RIG_LENGTH, &created), 0);
	assert_int_equal(created.count, EMU_BUFFERS_MAX - 5);
	assert_int_equal(create(file, MMAP, 1, RIG_LENGTH, &created), -ENOBUFS);
}

static void create_bufs_refuses(void **state)
{
	static const struct {
		const char *name;
		uint32_t memory;
		uint64_t length;
		int wanted;
	} cases[] = {
		{"no bytes", MMAP, 0, -EINVAL},
		{"too short for the format", MMAP, RIG_LENGTH - 1, -EINVAL},
		{"other memory than there is", USERPTR, RIG_LENGTH, -EINVAL},
		{"DMABUF", V4L2_MEMORY_DMABUF, RIG_LENGTH, -EINVAL},
		{"too long", MMAP, EMU_BUFFER_BYTES_MAX + 1, -ENOMEM},
		{"as long as can be said", MMAP, UINT32_MAX, -ENOMEM},
	};
	struct v4l2_create_buffers created;

	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		rig_expect(cases[i].name,
			   create(file, cases[i].memory, 1, cases[i].length, &created),
			   cases[i].wanted);
	expect_buffers("x");
}

static void memory_of_a_queue_is_bounded(void **state)
{
	struct v4l2_create_buffers created;

	assert_int_equal(create(file, MMAP, 20, BIG, &created), 0);
	assert_int_equal(created.count, EMU_QUEUE_BYTES_MAX / BIG);
	assert_int_equal(create_at(1, BIG), -ENOMEM);
	assert_int_equal(remove_bufs(3, 2), 0);
	assert_int_equal(create_at(2, BIG), 3);
	assert_int_equal(create_at(1, BIG), -ENOMEM);
	assert_int_equal(remove_bufs(0, 16), 0);
	assert_int_equal(create_at(16, BIG), 0);
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(create_at(16, BIG), 0);
}

/* REMOVE_BUFS. */

static void remove_bufs_leaves_holes_that_are_filled(void **state)
{
	assert_int_equal(create_at(4, RIG_LENGTH), 0);
	assert_int_equal(remove_bufs(1, 2), 0);
	expect_buffers("x  x");
	assert_int_equal(create_at(3, RIG_LENGTH), 4);
	expect_buffers("x  xxxx");
	assert_int_equal(create_at(2, RIG_LENGTH), 1);
	expect_buffers("xxxxxxx");
	assert_int_equal(remove_bufs(0, 7), 0);
	expect_buffers("");
	assert_int_equal(create_at(1, RIG_LENGTH), 0);
}

static void remove_bufs_removes_all_or_none(void **state)
{
	static const struct {
		const char *name;
		uint32_t index, count;
		int wanted;
	} cases[] = {
		{"a hole", 1, 1, -EINVAL},
		{"over a hole", 0, 2, -EINVAL},
		{"up to a hole from behind", 1, 2, -EINVAL},
		{"behind the last", 3, 1, -EINVAL},
		{"beyond all", 31, 2, -EINVAL},
		{"wrapping", 2, UINT32_MAX, -EINVAL},
		{"far away", UINT32_MAX, 1, -EINVAL},
		{"none", UINT32_MAX, 0, 0},
	};
	struct v4l2_remove_buffers untyped = {.index = 0, .count = 0};

	assert_int_equal(create_at(3, RIG_LENGTH), 0);
	assert_int_equal(remove_bufs(1, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig_expect(cases[i].name, remove_bufs(cases[i].index, cases[i].count),
			   cases[i].wanted);
		expect_buffers("x x");
	}
	assert_int_equal(rig_do(file, VIDIOC_REMOVE_BUFS, &untyped), -EINVAL);
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 2), 0);
	assert_int_equal(remove_bufs(2, 1), -EBUSY);
	expect_buffers("x x");
	/* With no hole to stop it. */
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, EMU_BUFFERS_MAX), 0);
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 0), 0);
	assert_int_equal(remove_bufs(1, UINT32_MAX), -EINVAL);
	assert_int_equal(remove_bufs(1, EMU_BUFFERS_MAX), -EINVAL);
	assert_true(exists(1) && exists(EMU_BUFFERS_MAX - 1));
}

/* Mapping. */

static uint8_t *reserve(size_t len)
{
	uint8_t *at = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static struct media_plane_id plane_of(uint32_t index)
{
	struct v4l2_buffer buffer;

	assert_int_equal(rig_querybuf(file, CAPTURE, index, &buffer), 0);
	return (struct media_plane_id) {
		.type = CAPTURE,
		.index = index,
		.mem_offset = buffer.m.offset,
		.length = buffer.length,
	};
}

static int map(const struct media_plane_id *plane, void *at, size_t len, bool writable)
{
	return file->file->backend->ops->map(file->file, plane, at, len, writable);
}

static size_t whole_pages(size_t len)
{
	return ALIGN_UP(len, (size_t)sysconf(_SC_PAGESIZE));
}

static void map_shows_the_buffer(void **state)
{
	const size_t len = whole_pages(RIG_LENGTH);
	uint8_t *at[3];

	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 2), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const struct media_plane_id plane = plane_of(i / 2);

		at[i] = reserve(len);
		assert_int_equal(map(&plane, at[i], len, true), 0);
	}
	memset(at[0], 0x11, RIG_LENGTH);
	memset(at[2], 0x22, RIG_LENGTH);
	assert_int_equal(at[1][RIG_LENGTH - 1], 0x11);
	assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, 1), 0);
	assert_memory_equal(emu_queue_next(emu_rig_queue(file, CAPTURE))->data, at[2], RIG_LENGTH);
	for (uint32_t i = 0; i < 3; i++)
		munmap(at[i], len);
}

static void map_outlives_buffer_and_file(void **state)
{
	const size_t len = whole_pages(RIG_LENGTH);
	struct media_plane_id plane;
	uint8_t *at = reserve(len), *late = reserve(len);

	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 1), 0);
	plane = plane_of(0);
	assert_int_equal(map(&plane, at, len, true), 0);
	memset(at, 0x33, len);
	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 1), 0);
	plane = plane_of(0);
	assert_int_equal(map(&plane, late, len, true), 0);
	assert_int_equal(late[0], 0);
	memset(late, 0x44, len);
	emu_rig_close(file);
	assert_int_equal(at[len - 1], 0x33);
	assert_int_equal(late[len - 1], 0x44);
	at[0] = 1;
	assert_int_equal(late[0], 0x44);
	munmap(at, len);
	munmap(late, len);
}

/* Bytes in the file of ours that is mapped at @at: what the mapping alone would keep. */
static uint64_t bytes_behind(const void *at)
{
	unsigned long long start, end, inode, found = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	struct stat stat;
	uint64_t bytes = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx %*s %*x %*s %llu", &start, &end, &inode) == 3 &&
		    (uintptr_t)at >= start && (uintptr_t)at < end)
			found = inode;
	fclose(maps);
	assert_true(found > 0);
	for (int fd = 0; fd < 1024 && bytes == 0; fd++)
		if (fstat(fd, &stat) == 0 && stat.st_ino == found)
			bytes = (uint64_t)stat.st_blocks * 512;
	assert_true(bytes > 0);
	return bytes;
}

static void mapping_keeps_its_own_buffer_only(void **state)
{
	const size_t len = whole_pages(RIG_LENGTH);
	uint8_t *at[8];

	for (uint32_t i = 0; i < ARRAY_SIZE(at); i++) {
		struct media_plane_id plane;

		assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, EMU_BUFFERS_MAX), 0);
		plane = plane_of(3 * i);
		at[i] = reserve(len);
		assert_int_equal(map(&plane, at[i], len, true), 0);
		for (uint32_t j = 0; j < EMU_BUFFERS_MAX; j++) {
			assert_int_equal(rig_qbuf(file, CAPTURE, MMAP, j), 0);
			memset(emu_rig_queue(file, CAPTURE)->buffers[j]->data, (int)j, RIG_LENGTH);
		}
		assert_true(bytes_behind(at[i]) <= len);
		assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 0), 0);
		assert_int_equal(at[i][RIG_LENGTH - 1], 3 * i);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(at); i++)
		munmap(at[i], len);
}

/* The kernel, asked to write there, says whether it may. */
static bool is_writable(void *at)
{
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	n = read(fds[0], at, 1);
	assert_true(n == 1 || errno == EFAULT);
	close(fds[0]);
	close(fds[1]);
	return n == 1;
}

static void map_is_writable_only_if_asked_for(void **state)
{
	const size_t len = whole_pages(RIG_LENGTH);
	struct media_plane_id plane;
	uint8_t *at = reserve(len);

	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 1), 0);
	plane = plane_of(0);
	assert_int_equal(map(&plane, at, len, false), 0);
	assert_int_equal(at[0], 0);
	assert_false(is_writable(at));
	assert_int_equal(map(&plane, at, len, true), 0);
	assert_true(is_writable(at));
	munmap(at, len);
}

static void map_refuses_what_is_no_plane(void **state)
{
	const size_t len = whole_pages(RIG_LENGTH);
	uint8_t *at = reserve(4 * EMU_QUEUE_BYTES_MAX);
	struct media_plane_id good;

	assert_int_equal(rig_reqbufs(file, CAPTURE, MMAP, 2), 0);
	good = plane_of(1);

	const struct {
		const char *name;
		struct media_plane_id plane;
		size_t len;
	} cases[] = {
		{"type", {0, 1, 0, good.mem_offset, good.length}, len},
		{"index", {CAPTURE, 2, 0, good.mem_offset, good.length}, len},
		{"index beyond all", {CAPTURE, 9999, 0, good.mem_offset, good.length}, len},
		{"plane", {CAPTURE, 1, 1, good.mem_offset, good.length}, len},
		{"offset of another", {CAPTURE, 1, 0, 0, good.length}, len},
		{"length", {CAPTURE, 1, 0, good.mem_offset, good.length + 1}, len},
		{"more than the buffer", good, 128 * KIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		rig_expect(cases[i].name, map(&cases[i].plane, at, cases[i].len, true), -EINVAL);
	assert_int_equal(map(&good, at, len, true), 0);
	assert_int_equal(rig_reqbufs(file, CAPTURE, USERPTR, 2), 0);
	assert_int_equal(map(&good, at, len, true), -EINVAL);
	munmap(at, 4 * EMU_QUEUE_BYTES_MAX);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reqbufs_tells_what_there_is),
		CASE(reqbufs_refuses_what_there_is_not),
		CASE(reqbufs_replaces_what_was_there),
		CASE(buffers_belong_to_who_has_allocated_them),
		CASE(create_bufs_adds_buffers_of_any_sufficient_length),
		CASE(create_bufs_refuses),
		CASE(memory_of_a_queue_is_bounded),
		CASE(remove_bufs_leaves_holes_that_are_filled),
		CASE(remove_bufs_removes_all_or_none),
		CASE(map_shows_the_buffer),
		CASE(map_outlives_buffer_and_file),
		CASE(mapping_keeps_its_own_buffer_only),
		CASE(map_is_writable_only_if_asked_for),
		CASE(map_refuses_what_is_no_plane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
