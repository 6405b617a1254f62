/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udmabuf.c - DMABUFs made of pages of a memfd. See udmabuf.h.
 */
#include "devices/media/udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <sys/ioctl.h>

static int device = -1; /* of the whole process */

static void open_device(void)
{
	device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
}

bool udmabuf_possible(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, open_device);
	return device >= 0;
}

int udmabuf_new(int memfd, const struct udmabuf_piece *pieces, size_t n)
{
	_cleanup_(freep) struct udmabuf_create_list *list = NULL;
	int fd;

	if (!udmabuf_possible())
		return -ENODEV;
	if (n == 0 || n > UDMABUF_PIECES_MAX)
		return -EINVAL;
	list = calloc(1, sizeof(*list) + n * sizeof(list->list[0]));
	if (!list)
		return -ENOMEM;
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		list->list[i] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)memfd,
			.offset = pieces[i].offset,
			.size = pieces[i].size,
		};
	fd = ioctl(device, UDMABUF_CREATE_LIST, list);
	return fd < 0 ? -errno : fd;
}
