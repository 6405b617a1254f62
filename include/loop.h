/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h - an event loop of one thread: wait for file descriptors, timers and other threads.
 *
 * Two implementations behind this contract: loop_uring.c (a restricted io_uring) and loop_epoll.c
 * (where io_uring is off). A loop belongs to the thread that runs it: every function that does not
 * say "any thread" is called from that thread, or while loop_run() does not run. Callbacks run on
 * it, one at a time, and may call any function of this contract but loop_run() and loop_free():
 * they may remove any watch, their own included, and free its owner.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <sys/uio.h>

#include "base.h"
#include "error.h"

struct loop;

enum loop_kind {
	LOOP_AUTO,  /* io_uring if this host and build allow it, else epoll */
	LOOP_URING, /* io_uring or an error */
	LOOP_EPOLL,
};

/* What a loop can be asked for beyond watching: an io_uring admits nothing else later. */
#define LOOP_FILE_IO 1u /* loop_io_submit() */

/*
 * loop_new - make a loop.
 * @ops: of LOOP_FILE_IO, or 0.
 * Return: 0 and *@out, owned by the caller; or -errno and a sentence: -ENOSYS or -EPERM where
 * io_uring is forced and off, with what to do about it.
 */
int loop_new(struct loop **out, enum loop_kind kind, unsigned int ops, struct error *err);

/*
 * loop_free - release; watches and posts that are still there are dropped uncalled. File operations
 * in flight are cancelled and waited for, so that their memory is free to go; they are not called
 * either. With one in flight only the thread that ran the loop can do that (loop_thread.h sees to
 * it). An operation that the host does not finish is waited for, with a warning every few seconds:
 * it could still write to its memory. NULL is fine.
 */
void loop_free(struct loop *loop);

/* loop_name - "io_uring" or "epoll". */
const char *loop_name(const struct loop *loop);

/*
 * struct loop_watch - interest in one file descriptor. Embedded in its owner, zero-initialised,
 * at one address while watched; private to the loop but for reading .fd.
 */
struct loop_watch {
	int fd;		 /* borrowed: open until the watch has ended */
	uint32_t events; /* asked for */
	void (*fn)(struct loop_watch *watch, uint32_t events);
	uint64_t id; /* of this use of the watch, within its loop; 0: not active */
};

/*
 * loop_watch_add - call @fn each time that @fd becomes ready.
 * @events: of POLLIN, POLLOUT, POLLPRI; POLLERR and POLLHUP are always reported.
 * Edge-triggered: after a call, @fn is called again only when new readiness arrives, so it must
 * take everything there is (read until EAGAIN, or once for a timerfd). Of an eventfd nothing need
 * be taken: each write to it is new readiness. What is ready already when the watch is added is
 * reported. A call may come for what an earlier call has taken, so @fd does not block.
 * A descriptor that cannot be polled (a regular file, /dev/null) counts as always ready: @events
 * are reported once.
 * Return: 0; -EBUSY (this watch is active); -EEXIST (another watch has this @fd; a dup() of it may
 * be watched); -EBADF (@fd is not open; a watch that had the same @fd before may be called with
 * POLLNVAL instead); -ENOMEM; -ENOSPC (fs.epoll.max_user_watches).
 */
int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
		   void (*fn)(struct loop_watch *watch, uint32_t events));

/*
 * loop_watch_once - like loop_watch_add, but the watch ends with its first call, before @fn runs,
 * and so may be added again from there; it then fires at once if the fd is still ready. For
 * descriptors that are read only when there is room, such as a terminal. A descriptor that cannot
 * be polled fires each time that it is added.
 */
int loop_watch_once(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
		    void (*fn)(struct loop_watch *watch, uint32_t events));

/*
 * loop_watch_remove - end a watch; @fn is not called any more, even for events that have already
 * arrived, and the struct may be freed and the fd closed. A watch that is not active is left alone.
 * The kernel may hold the open file until the loop waits again or is freed.
 */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

/* loop_watch_active - true from add until remove, or until a once-watch has fired. */
bool loop_watch_active(const struct loop_watch *watch);

/*
 * struct loop_timer - a moment on CLOCK_MONOTONIC. Embedded, zero-initialised; once set, it is
 * cleared before its owner goes away.
 */
struct loop_timer {
	struct loop_watch watch; /* of a timerfd, owned; active from first use until cleared */
	void (*fn)(struct loop_timer *timer);
};

/*
 * loop_timer_set - call @fn in @first_ns nanoseconds (at least 1), then every @interval_ns if that
 * is not 0. Setting an active timer replaces it, and its old time is not reported any more. When
 * the loop is late, several intervals end in one call.
 * Return: 0 or -errno.
 */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t first_ns,
		   uint64_t interval_ns, void (*fn)(struct loop_timer *timer));

/* loop_timer_clear - stop and release; a timer that was never set is left alone. */
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* struct loop_post - one call handed over from another thread. Embedded, zero-initialised. */
struct loop_post {
	struct loop_post *next;
	void (*fn)(struct loop_post *post);
};

/*
 * loop_post - run @fn on the loop's thread, soon, in the order of posting. Any thread.
 * @post: the loop's until @fn is called, which may post it again or free it, or until the loop is
 * freed. What is posted while the loop does not run is called when it does.
 */
void loop_post(struct loop *loop, struct loop_post *post, void (*fn)(struct loop_post *post));

/* loop_is_mine - may the calling thread use the loop: it runs it, or nobody does? Any thread. */
bool loop_is_mine(const struct loop *loop);

/*
 * loop_signal - add 1 to eventfd @fd, soon: with everything else that this loop hands to the kernel
 * before it waits again or loop_run() returns, which makes it cheaper than write(2). @fd does not
 * block and stays open until then. Whoever sees the signal sees all memory written before it; file
 * operations submitted before may come after it.
 */
void loop_signal(struct loop *loop, int fd);

enum loop_io_op {
	LOOP_IO_READ,	  /* preadv(2) */
	LOOP_IO_WRITE,	  /* pwritev(2) */
	LOOP_IO_SYNC,	  /* fdatasync(2) */
	LOOP_IO_ALLOCATE, /* fallocate(2) with .mode, .offset, .len */
};

/*
 * struct loop_io - one operation on a file or block device. Embedded in its owner, at one address
 * from loop_io_submit() until .fn is called. All members but the private ones are the owner's.
 */
struct loop_io {
	enum loop_io_op op;
	int fd;			 /* borrowed; not O_NONBLOCK */
	int mode;		 /* FALLOC_FL_ */
	unsigned int iov_n;	 /* at most IOV_MAX */
	const struct iovec *iov; /* borrowed until .fn */
	uint64_t offset, len;	 /* bytes, up to INT64_MAX; .len only for LOOP_IO_ALLOCATE */
	/* @result: bytes, 0 for SYNC and ALLOCATE, or -errno. May be fewer than asked for. */
	void (*fn)(struct loop_io *io, int64_t result);
	/* private */
	struct loop_io *next, *prev;
	struct loop *loop;
	int64_t result;
	unsigned int state;
};

/*
 * loop_io_submit - start @io, without waiting for anything; @io->fn is called once, from the loop,
 * never from here, and may submit again or free @io. By io_uring, or by a few threads where the
 * loop is an epoll one. Any number may be in flight; they are carried out in any order.
 * The loop was made with LOOP_FILE_IO. Return: 0; -errno (no thread; -ECANCELED after
 * loop_thread_stop()) and @io->fn is not called.
 */
int loop_io_submit(struct loop *loop, struct loop_io *io);

/*
 * loop_io_cancel - ask for an early end of @io, which is in flight: @io->fn is called as ever,
 * later, with -ECANCELED if nothing was done. What has begun on a file mostly goes on to its end.
 */
void loop_io_cancel(struct loop *loop, struct loop_io *io);

/* loop_io_pending - operations in flight: submitted, and .fn not called. */
unsigned int loop_io_pending(const struct loop *loop);

/*
 * loop_run - serve events until loop_stop(). The calling thread becomes the loop's: it alone may
 * run it again.
 * Return: 0 after loop_stop(), or -errno if the kernel's interface fails.
 */
int loop_run(struct loop *loop);

/*
 * loop_stop - let loop_run() return once the events that it has fetched are served. Any thread.
 * Before loop_run() it lets that return at once. One loop_run() takes all stops up to its end.
 */
void loop_stop(struct loop *loop);

#endif
