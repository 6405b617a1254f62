/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plane_backend.c - a media backend that has nothing but memory to map. See plane_backend.h.
 */
#include "plane_backend.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define FILE_BYTES (PLANE_BACKEND_PLANES * PLANE_BACKEND_BYTES)

static int map(struct media_file *file, const struct media_plane_id *plane, void *at, size_t len,
	       bool writable)
{
	struct plane_backend *pb = container_of(file, struct plane_backend, file);
	int prot = PROT_READ | (writable ? PROT_WRITE : 0);
	uint64_t offset = plane->mem_offset;

	assert_int_equal(len % PLANE_BACKEND_PAGE, 0);
	switch (pb->behaviour) {
	case PLANE_MAPS:
		break;
	case PLANE_REFUSES:
		return -EBUSY;
	case PLANE_LEAVES_HOLE:
		assert_int_equal(munmap(at, len), 0);
		return -EIO;
	case PLANE_UNREADABLE:
		prot = PROT_NONE;
		break;
	case PLANE_READ_ONLY:
		prot = PROT_READ;
		break;
	case PLANE_TAKEN_AWAY:
		offset = FILE_BYTES;
		break;
	}
	assert_ptr_equal(mmap(at, len, prot, MAP_SHARED | MAP_FIXED, pb->fd, (off_t)offset), at);
	return 0;
}

static const struct media_backend_ops ops = {.map = map};

uint8_t plane_backend_byte(unsigned int plane, unsigned int page)
{
	return (uint8_t)(0x40 + plane * 8 + page);
}

void plane_backend_init(struct plane_backend *pb)
{
	*pb = (struct plane_backend) {.backend.ops = &ops, .file.backend = &pb->backend};
	snprintf(pb->backend.name, sizeof(pb->backend.name), "planes");
	pb->fd = memfd_create("planes", MFD_CLOEXEC);
	assert_true(pb->fd >= 0);
	assert_int_equal(ftruncate(pb->fd, FILE_BYTES), 0);
	for (unsigned int i = 0; i < PLANE_BACKEND_PLANES; i++) {
		pb->planes[i] = mmap(NULL, PLANE_BACKEND_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				     pb->fd, (off_t)(i * PLANE_BACKEND_BYTES));
		assert_true(pb->planes[i] != MAP_FAILED);
		for (unsigned int page = 0; page < PLANE_BACKEND_BYTES / PLANE_BACKEND_PAGE; page++)
			memset(pb->planes[i] + page * PLANE_BACKEND_PAGE,
			       plane_backend_byte(i, page), PLANE_BACKEND_PAGE);
	}
}

void plane_backend_deinit(struct plane_backend *pb)
{
	for (unsigned int i = 0; i < PLANE_BACKEND_PLANES; i++)
		munmap(pb->planes[i], PLANE_BACKEND_BYTES);
	closep(&pb->fd);
}

int plane_backend_try(struct plane_backend *pb, struct media_window *window, unsigned int plane,
		      uint32_t length, bool writable, uint64_t *offset)
{
	const struct media_plane_id id = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.index = plane,
		.mem_offset = plane * (uint32_t)PLANE_BACKEND_BYTES,
		.length = length,
	};

	return media_window_map(window, &pb->file, &id, writable, offset);
}

uint64_t plane_backend_map(struct plane_backend *pb, struct media_window *window,
			   unsigned int plane, uint32_t length, bool writable)
{
	const uint64_t half = media_window_half(window);
	uint64_t offset = UINT64_MAX;

	assert_int_equal(plane_backend_try(pb, window, plane, length, writable, &offset), 0);
	assert_int_equal(offset % PLANE_BACKEND_PAGE, 0);
	assert_true(writable ? offset < half : offset >= half && offset < 2 * half);
	return offset;
}
