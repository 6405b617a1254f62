/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend.h - what is behind a virtio-media device: a V4L2 device, real or emulated.
 *
 * A backend is one device node, a file one open of it; a guest's session has one file. The device
 * talks to all backends in V4L2's ioctls and structs. Everything here is called on the device's
 * thread, but for open(), close() and ioctl() of a backend that is .blocking: these are also called
 * on the device's worker thread (worker.h), one at a time, and at the same time as an ioctl() of
 * the device's own thread.
 */
#ifndef VMM_MEDIA_BACKEND_H
#define VMM_MEDIA_BACKEND_H

#include "base.h"

struct media_backend;
struct media_file;

/* struct media_plane_id - one plane of one MMAP buffer of a file. */
struct media_plane_id {
	uint32_t type; /* V4L2_BUF_TYPE_ */
	uint32_t index;
	uint32_t plane;	     /* 0 if single-planar */
	uint32_t mem_offset; /* as the backend's QUERYBUF gives it */
	uint32_t length;     /* bytes, as QUERYBUF gives them */
};

struct media_backend_ops {
	/*
	 * A call may wait for hardware. Of such a backend the device's own thread only calls
	 * ioctl() for QBUF, DQBUF, DQEVENT and QUERYBUF.
	 */
	bool blocking;
	/* open - Return: 0 and *@out, owned by the caller until close(); -errno, EBUSY say. */
	int (*open)(struct media_backend *backend, struct media_file **out);
	/*
	 * close - not watched any more. What was mapped of it stays mapped. A call of ioctl() may
	 * still hang in another thread: it must not look at @file when it comes back.
	 */
	void (*close)(struct media_file *file);
	/*
	 * ioctl - @cmd: a whole VIDIOC_ code. @arg: its struct with the host's pointers in it;
	 * written to as V4L2 says, on some errors too. Never waits for a frame or an event: DQBUF
	 * and DQEVENT answer EAGAIN (ENOENT) at once.
	 * Return: 0 or -errno; -ENODEV when the device is gone; -EINTR if a signal came in between.
	 */
	int (*ioctl)(struct media_file *file, unsigned long cmd, void *arg);
	/*
	 * map - put the plane's memory at @at, in place of what is mapped there: @len bytes, whole
	 * pages, that last until somebody else maps something there, whatever happens to the
	 * buffer, the file and the device. @writable: PROT_WRITE as well.
	 * Return: 0 or -errno, and then what was at @at may be gone: the caller maps over it.
	 */
	int (*map)(struct media_file *file, const struct media_plane_id *plane, void *at,
		   size_t len, bool writable);
	/*
	 * watch - have file->ready called once, when one of @events can be served: POLLIN (a
	 * buffer of a capture queue can be dequeued), POLLOUT (of an output queue), POLLPRI (an
	 * event); with POLLERR or POLLHUP whatever was asked for. At once if it is so already, but
	 * never from here. A call replaces what was asked for before; 0 ends it.
	 * Return: 0 or -errno.
	 */
	int (*watch)(struct media_file *file, uint32_t events);
	/* free - all files are closed, the loop has ended. */
	void (*free)(struct media_backend *backend);
};

/* struct media_backend - embedded in each kind of backend. */
struct media_backend {
	const struct media_backend_ops *ops;
	char name[64]; /* for messages: "/dev/video0", "test" */
	/* What QUERYCAP says (of the node, not of the physical device), set before use. */
	uint32_t device_caps; /* V4L2_CAP_, without DEVICE_CAPS */
	uint32_t device_type; /* VIRTIO_MEDIA_TYPE_ */
	char card[32];	      /* padded with NUL */
};

/* struct media_file - embedded in each kind of file. */
struct media_file {
	struct media_backend *backend;
	/* Set by who has opened it, before watch(). @events: of POLLIN, POLLOUT, POLLPRI, POLLERR,
	 * POLLHUP. May watch() again and close. */
	void (*ready)(struct media_file *file, uint32_t events);
	void *owner;
};

#endif
