/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_uring.h - between the files of the io_uring event loop: waiting and watches
 * (loop_uring.c), file operations (loop_uring_io.c), making the ring (loop_uring_setup.c).
 *
 * These alone include liburing. The loop's thread.
 */
#ifndef VMM_LOOP_URING_H
#define VMM_LOOP_URING_H

#include <liburing.h>

#include "loop_impl.h"

/*
 * The submission queue takes a page. A loop with file operations gets a larger completion queue;
 * at most half of it is in flight, so that it overflows neither by them nor by watches.
 */
#define LOOP_URING_ENTRIES     64
#define LOOP_URING_COMPLETIONS 1024
#define LOOP_URING_INLINE_MAX  (1 << 20) /* bytes; larger ones go to the kernel's workers */
#define LOOP_URING_IO_MAX      (LOOP_URING_COMPLETIONS / 2)

/*
 * What a completion is about: the id of a watch, which is even; the address of a struct loop_io
 * with this bit set; or nobody. No generation is 0, so nobody is no watch either, nor is a request
 * of loop_uring_try().
 */
#define LOOP_URING_IO	  UINT64_C(1)
#define LOOP_URING_NOBODY 0

struct uring_loop {
	struct loop loop;
	struct io_uring ring;
	bool enabled;
	unsigned int todo; /* slots in SLOT_TO_ARM or SLOT_TO_PROBE */
	uint32_t trials;   /* of loop_uring_try() */
	struct loop_io_list waiting, begun, done;
	unsigned int begun_n; /* at most LOOP_URING_IO_MAX */
};

static inline struct uring_loop *uring_loop(struct loop *loop)
{
	return container_of(loop, struct uring_loop, loop);
}

/* loop_uring_take - the oldest completion, copied off the ring. Return: false if there is none. */
static inline bool loop_uring_take(struct uring_loop *uring, struct io_uring_cqe *out)
{
	struct io_uring_cqe *cqe;

	if (io_uring_peek_cqe(&uring->ring, &cqe) < 0)
		return false;
	*out = *cqe;
	io_uring_cqe_seen(&uring->ring, cqe);
	return true;
}

/*
 * loop_uring_make_room - have room for @n requests, by submitting what is queued if need be.
 * Return: false if the kernel takes nothing now, or the loop has not run yet.
 */
bool loop_uring_make_room(struct uring_loop *uring, unsigned int n);

/* loop_uring_silence - nobody waits for what becomes of @sqe. */
void loop_uring_silence(const struct uring_loop *uring, struct io_uring_sqe *sqe);

/*
 * loop_uring_setup - make a ring, disabled, restricted to what a loop with @ops submits.
 * @rung: as for loop_uring_new(). Return: 0; or -errno and a sentence.
 */
int loop_uring_setup(struct io_uring *ring, unsigned int ops, unsigned int rung, struct error *err);

/* In struct loop_ops. */
void loop_uring_signal(struct loop *loop, int fd);
int loop_uring_io_submit(struct loop *loop, struct loop_io *io);
void loop_uring_io_cancel(struct loop *loop, struct loop_io *io);
void loop_uring_io_drain(struct loop *loop);

/*
 * loop_uring_io_begin - a turn starts: queue what had to wait until now.
 * Return: there is something to do that no completion will come for, so do not wait.
 */
bool loop_uring_io_begin(struct uring_loop *uring);

/* loop_uring_io_complete - the completion @data, which has LOOP_URING_IO, came with @res. */
void loop_uring_io_complete(struct uring_loop *uring, uint64_t data, int res);

/* loop_uring_io_end - a turn ends: finish what the kernel never got to see. */
void loop_uring_io_end(struct uring_loop *uring);

#endif
