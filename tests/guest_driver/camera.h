/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * camera.h - the guest's node of the synthetic camera (--media test), as a program of the guest
 * uses it, and how a step says that something is wrong.
 *
 * Plain V4L2: nothing here knows of virtio. Built for 64 and for 32 bits. Single thread; steps that
 * need a second one fork.
 */
#ifndef VMM_GUEST_DRIVER_CAMERA_H
#define VMM_GUEST_DRIVER_CAMERA_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NODE	    "/dev/video0"
#define WIDTH	    320
#define HEIGHT	    240
#define LINE	    (WIDTH * 2) /* bytes, YUYV */
#define FRAME	    (LINE * HEIGHT)
#define BUFFERS_MAX 8
#define CAPTURE	    V4L2_BUF_TYPE_VIDEO_CAPTURE

/* need - end the program with a sentence unless @condition holds. */
#define need(condition, ...)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(__FILE__, __LINE__, __VA_ARGS__);                                     \
	} while (0)

_Noreturn void fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* fork_child - fork(2); the child does not outlive its parent. */
pid_t fork_child(void);

/* xioctl - Return: 0, or errno. */
int xioctl(int fd, unsigned long cmd, void *arg);

struct camera {
	int fd;
	uint32_t memory; /* V4L2_MEMORY_ */
	unsigned int n;	 /* buffers */
	uint8_t *data[BUFFERS_MAX];
	uint32_t length, offset[BUFFERS_MAX];
	uint32_t last; /* sequence number of the frame before; with .any */
	bool any;
};

/* camera_open - @flags: of open(2), besides O_RDWR. The format is set. */
void camera_open(struct camera *camera, int flags);
void camera_close(struct camera *camera);

/* camera_request - @n buffers; MMAP ones are mapped, USERPTR ones begin @shift bytes into a page.
 */
void camera_request(struct camera *camera, uint32_t memory, unsigned int n, unsigned int shift);

/* camera_release - unmap and free; REQBUFS(0). */
void camera_release(struct camera *camera);

void camera_queue(struct camera *camera, unsigned int index);
void camera_queue_all(struct camera *camera);
void camera_on(struct camera *camera);
void camera_off(struct camera *camera);

/* camera_dequeue - Return: errno of DQBUF; with 0 a frame that is the one that its buffer says. */
int camera_dequeue(struct camera *camera, struct v4l2_buffer *buffer);

/* camera_query - QUERYBUF. Return: the flags. */
uint32_t camera_query(struct camera *camera, unsigned int index);

/* camera_stream - take @frames and give each buffer back. */
void camera_stream(struct camera *camera, unsigned int frames);

/* The steps; each ends the program if it fails. */
void step_mmap(void);
void step_userptr(void);
void step_userptr_unaligned(void);
void step_poll(void);
void step_select(void);
void step_epoll(void);
void step_nonblocking(void);
void step_flags(void);
void step_prepare(void);
void step_fork(void);
void step_split(void);
void step_readonly(void);
void step_orphan(void);
void step_refused(void);
void step_remap(void);
void step_cacheable(void);
void step_event(void);
void step_merge(void);
void step_array(void);
void step_abandoned(void);
void step_huge(void);
void step_failed(void);
void step_busy(void);
void step_streamoff(void);
void step_killed(void);
void step_processes(void);
void step_crowd(void);
void step_hold(void);
void step_unplug(void);

#endif
