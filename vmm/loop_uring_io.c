/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_uring_io.c - file operations and signals of the io_uring event loop.
 *
 * An operation is one request in the ring, handed over with the next wait. The ones for which there
 * is no room wait in a list of this file's own. The loop's thread.
 */
#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>

#include "loop_uring.h"

void loop_uring_signal(struct loop *loop, int fd)
{
	static const uint64_t one = 1;
	struct uring_loop *uring = uring_loop(loop);
	struct io_uring_sqe *sqe;

	if (!loop_uring_make_room(uring, 1)) {
		(void)eventfd_write(fd, one);
		return;
	}
	/* The kernel carries it out as it takes it, on this thread: all that the thread has written
	 * to memory by then comes before. */
	sqe = io_uring_get_sqe(&uring->ring);
	io_uring_prep_write(sqe, fd, &one, sizeof(one), 0);
	loop_uring_silence(uring, sqe);
}

static uint64_t data_of(const struct loop_io *io)
{
	return (uint64_t)(uintptr_t)io | LOOP_URING_IO;
}

/* One piece costs the kernel less as what it is than as a vector of one. */
static void prep_transfer(struct io_uring_sqe *sqe, const struct loop_io *io)
{
	const struct iovec *iov = io->iov;
	const bool plain = io->iov_n == 1 && iov->iov_len <= INT_MAX;
	const bool read = io->op == LOOP_IO_READ;

	if (plain && read)
		io_uring_prep_read(sqe, io->fd, iov->iov_base, (unsigned int)iov->iov_len,
				   io->offset);
	else if (plain)
		io_uring_prep_write(sqe, io->fd, iov->iov_base, (unsigned int)iov->iov_len,
				    io->offset);
	else if (read)
		io_uring_prep_readv(sqe, io->fd, iov, io->iov_n, io->offset);
	else
		io_uring_prep_writev(sqe, io->fd, iov, io->iov_n, io->offset);
}

/*
 * A read of what is in the page cache is copied while it is submitted, which a guest can make last
 * as long as its requests are large. The kernel's workers do the large ones.
 */
static bool is_large(const struct loop_io *io)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < io->iov_n; i++)
		len += io->iov[i].iov_len;
	return len > LOOP_URING_INLINE_MAX;
}

/* There is room. */
static void begin(struct uring_loop *uring, struct loop_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	switch (io->op) {
	case LOOP_IO_READ:
	case LOOP_IO_WRITE:
		prep_transfer(sqe, io);
		if (is_large(io))
			sqe->flags |= IOSQE_ASYNC;
		break;
	case LOOP_IO_SYNC:
		io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
		break;
	case LOOP_IO_ALLOCATE:
		io_uring_prep_fallocate(sqe, io->fd, io->mode, (off_t)io->offset, (off_t)io->len);
		break;
	}
	io_uring_sqe_set_data64(sqe, data_of(io));
	io->state = LOOP_IO_RUNNING;
	loop_io_append(&uring->begun, io);
	uring->begun_n++;
}

static bool may_begin(const struct uring_loop *uring)
{
	return uring->begun_n < LOOP_URING_IO_MAX;
}

int loop_uring_io_submit(struct loop *loop, struct loop_io *io)
{
	struct uring_loop *uring = uring_loop(loop);

	if (!uring->waiting.first && may_begin(uring) && loop_uring_make_room(uring, 1)) {
		begin(uring, io);
	} else {
		io->state = LOOP_IO_WAITING;
		loop_io_append(&uring->waiting, io);
	}
	return 0;
}

bool loop_uring_io_begin(struct uring_loop *uring)
{
	while (uring->waiting.first && may_begin(uring) && loop_uring_make_room(uring, 1))
		begin(uring, loop_io_take(&uring->waiting));
	return uring->done.first || (uring->waiting.first && may_begin(uring));
}

static void queue_cancel(struct uring_loop *uring, struct loop_io *io)
{
	struct io_uring_sqe *sqe;

	/* Without room it ends when it ends. */
	if (!loop_uring_make_room(uring, 1))
		return;
	sqe = io_uring_get_sqe(&uring->ring);
	io_uring_prep_cancel64(sqe, data_of(io), 0);
	loop_uring_silence(uring, sqe);
	io->state = LOOP_IO_CANCELLED;
}

void loop_uring_io_cancel(struct loop *loop, struct loop_io *io)
{
	struct uring_loop *uring = uring_loop(loop);

	if (io->state == LOOP_IO_WAITING) {
		loop_io_unlink(&uring->waiting, io);
		io->state = LOOP_IO_DONE;
		loop_io_append(&uring->done, io);
	} else if (io->state == LOOP_IO_RUNNING) {
		queue_cancel(uring, io);
	}
}

/* The owner of the completion @data; it is in no list any more. */
static struct loop_io *collect(struct uring_loop *uring, uint64_t data)
{
	struct loop_io *io = (struct loop_io *)(uintptr_t)(data & ~LOOP_URING_IO);

	loop_io_unlink(&uring->begun, io);
	uring->begun_n--;
	return io;
}

void loop_uring_io_complete(struct uring_loop *uring, uint64_t data, int res)
{
	struct loop_io *io = collect(uring, data);

	/* A thread of the kernel's was interrupted in it. */
	if (io->state == LOOP_IO_CANCELLED && res == -EINTR)
		res = -ECANCELED;
	loop_io_finish(&uring->loop, io, res);
}

void loop_uring_io_end(struct uring_loop *uring)
{
	struct loop_io_list done = uring->done;
	struct loop_io *io;

	/* What is cancelled meanwhile is for the next turn. */
	uring->done = (struct loop_io_list) {.first = NULL};
	while ((io = loop_io_take(&done)))
		loop_io_finish(&uring->loop, io, -ECANCELED);
}

/* Completions of watches are dropped: the loop does not run any more. */
void loop_uring_io_drain(struct loop *loop)
{
	struct uring_loop *uring = uring_loop(loop);
	struct __kernel_timespec patience = {.tv_sec = LOOP_IO_PATIENCE};
	struct io_uring_cqe *waited, cqe;

	uring->waiting = uring->done = (struct loop_io_list) {.first = NULL};
	if (!uring->enabled)
		return; /* the kernel has got nothing, and never will */
	for (struct loop_io *io = uring->begun.first; io; io = io->next)
		if (io->state == LOOP_IO_RUNNING)
			queue_cancel(uring, io);
	while (uring->begun_n > 0) {
		if (io_uring_submit_and_wait_timeout(&uring->ring, &waited, 1, &patience, NULL) ==
		    -ETIME)
			loop_io_report_wait(uring->begun_n);
		while (loop_uring_take(uring, &cqe))
			if (cqe.user_data & LOOP_URING_IO)
				(void)collect(uring, cqe.user_data);
	}
}
