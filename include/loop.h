/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h - an event loop of one thread: wait for file descriptors, timers and other threads.
 *
 * Two implementations behind this contract: loop_uring.c (a restricted io_uring) and loop_epoll.c
 * (where io_uring is off). A loop belongs to the thread that runs it: every function but
 * loop_post() and loop_stop() is called from that thread, or before loop_run(). Callbacks run on
 * it, one at a time, and may call any function of this contract but loop_run() and loop_free():
 * they may remove any watch, their own included, and free its owner.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include "base.h"
#include "error.h"

struct loop;

enum loop_kind {
	LOOP_AUTO,  /* io_uring if this host and build allow it, else epoll */
	LOOP_URING, /* io_uring or an error */
	LOOP_EPOLL,
};

/*
 * loop_new - make a loop.
 * Return: 0 and *@out, owned by the caller; or -errno and a sentence: -ENOSYS or -EPERM where
 * io_uring is forced and off, with what to do about it.
 */
int loop_new(struct loop **out, enum loop_kind kind, struct error *err);

/* loop_free - release; watches and posts that are still there are dropped uncalled. NULL is fine.
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
 * take everything there is (read until EAGAIN, or once for an eventfd or a timerfd). What is
 * ready already when the watch is added is reported. A call may come for what an earlier call has
 * taken, so @fd does not block.
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
