/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plane_backend.h - a media backend that has nothing but memory to map: planes of a file, each page
 * of them filled with a byte of its own. For tests of window.c. Test's thread.
 */
#ifndef VMM_TEST_PLANE_BACKEND_H
#define VMM_TEST_PLANE_BACKEND_H

#include "devices/media/window.h"

#define PLANE_BACKEND_PLANES 8
#define PLANE_BACKEND_PAGE   UINT64_C(4096)
#define PLANE_BACKEND_BYTES  (4 * PLANE_BACKEND_PAGE) /* of each */

/* How its map() behaves. */
enum plane_behaviour {
	PLANE_MAPS,
	PLANE_REFUSES,	   /* at once: EBUSY */
	PLANE_LEAVES_HOLE, /* as a driver that refuses when the old pages are gone: EIO */
	PLANE_UNREADABLE,  /* memory that nobody can reach */
	PLANE_READ_ONLY,   /* although it is to be writable */
	PLANE_TAKEN_AWAY,  /* beyond the file's end */
};

struct plane_backend {
	struct media_backend backend;
	struct media_file file;
	enum plane_behaviour behaviour;
	int fd;
	uint8_t *planes[PLANE_BACKEND_PLANES]; /* as the host sees them */
};

void plane_backend_init(struct plane_backend *pb);
void plane_backend_deinit(struct plane_backend *pb);

/* plane_backend_byte - what page @page of plane @plane is filled with. */
uint8_t plane_backend_byte(unsigned int plane, unsigned int page);

/* plane_backend_try - media_window_map() of @length bytes of plane @plane. */
int plane_backend_try(struct plane_backend *pb, struct media_window *window, unsigned int plane,
		      uint32_t length, bool writable, uint64_t *offset);

/* plane_backend_map - the same, which succeeds. Return: the offset, in the right half. */
uint64_t plane_backend_map(struct plane_backend *pb, struct media_window *window,
			   unsigned int plane, uint32_t length, bool writable);

#endif
