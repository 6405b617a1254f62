/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_v4l2_map.c - the memory of a host's MMAP buffers, put at an address of ours.
 *
 * First choice is a mapping of the buffer's dma-buf. It holds the buffer's memory alone, so that
 * closing the session closes the video file, stops the camera and lets others have it. A mapping
 * of the video file itself is a reference to that file: the driver learns of the close only after
 * the guest's last MUNMAP. Device's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "devices/media/backend_v4l2_impl.h"

#define TOUCHES_MAX 256 /* pages a system call */

int v4l2_mapper_init(struct v4l2_mapper *mapper)
{
	mapper->no_export = false;
	mapper->sink = memfd_create("media-touch", MFD_CLOEXEC);
	return mapper->sink < 0 ? -errno : 0;
}

void v4l2_mapper_deinit(struct v4l2_mapper *mapper)
{
	closep(&mapper->sink);
}

static int map_file(int fd, off_t offset, void *at, size_t len, bool writable)
{
	const int prot = PROT_READ | (writable ? PROT_WRITE : 0);

	return mmap(at, len, prot, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED ? -errno : 0;
}

static int map_dmabuf(int fd, const struct media_plane_id *plane, void *at, size_t len,
		      bool writable)
{
	struct v4l2_exportbuffer dmabuf = {
		.type = plane->type,
		.index = plane->index,
		.plane = plane->plane,
		.flags = O_CLOEXEC | (writable ? O_RDWR : O_RDONLY),
	};
	int r;

	if (ioctl(fd, VIDIOC_EXPBUF, &dmabuf) < 0)
		return -errno;
	r = map_file(dmabuf.fd, 0, at, len, writable);
	close(dmabuf.fd);
	/* It can be exported, but not be mapped: the same as if it could not be exported. */
	return r < 0 ? -EINVAL : 0;
}

/*
 * The system call reads, not we: what cannot be read (a page beyond the device's memory, a device
 * that is gone) is an error then, and no SIGBUS.
 */
int v4l2_touch(const struct v4l2_mapper *mapper, const void *at, size_t len)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (len + page - 1) / page;
	struct iovec iov[TOUCHES_MAX];

	for (size_t done = 0; done < pages;) {
		const size_t n = MIN(pages - done, (size_t)TOUCHES_MAX);
		ssize_t r;

		for (size_t i = 0; i < n; i++)
			iov[i] = (struct iovec) {
				.iov_base = (char *)(uintptr_t)at + (done + i) * page,
				.iov_len = 1,
			};
		r = pwritev(mapper->sink, iov, (int)n, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EFAULT;
		done += (size_t)r;
	}
	return 0;
}

int v4l2_map(struct v4l2_mapper *mapper, int fd, const struct media_plane_id *plane, void *at,
	     size_t len, bool writable)
{
	int r = -ENOTTY;

	if (!mapper->no_export)
		r = map_dmabuf(fd, plane, at, len, writable);
	/* EINVAL may be about this one queue, EBUSY about this file: V4L2 lets any file map. */
	mapper->no_export = r == -ENOTTY;
	if (r == -ENOTTY || r == -EINVAL || r == -EBUSY)
		r = map_file(fd, (off_t)plane->mem_offset, at, len, writable);
	return r < 0 ? r : v4l2_touch(mapper, at, len);
}
