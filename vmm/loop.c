/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c - the event loop, but for waiting: the table of watches, timers, posts from other threads,
 * the count of file operations.
 *
 * Waiting and file operations are done by loop_uring.c or loop_epoll.c, see loop_impl.h. One
 * eventfd wakes the loop for all that does not come from a file descriptor. See loop.h for threads.
 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "log.h"
#include "loop_impl.h"

#define SLOTS_MIN 16
#define NS_PER_S  UINT64_C(1000000000)

/* Its address stands for the calling thread. */
static _Thread_local char self;

bool loop_is_mine(const struct loop *loop)
{
	const void *runner = atomic_load_explicit(&loop->runner, memory_order_acquire);

	return !runner || runner == &self;
}

/* The slots. */

uint64_t loop_slot_id(const struct loop *loop, const struct loop_slot *slot)
{
	/* Even: loop_uring.c has other uses for odd numbers. */
	return (uint64_t)slot->generation << 32 | (uint64_t)(slot - loop->slots) * 2;
}

struct loop_slot *loop_slot_find(const struct loop *loop, uint64_t id)
{
	uint32_t index = (uint32_t)id / 2;
	struct loop_slot *slot;

	if (index >= loop->slots_n)
		return NULL;
	slot = &loop->slots[index];
	return slot->watch && slot->generation == id >> 32 ? slot : NULL;
}

static int slots_grow(struct loop *loop)
{
	uint32_t n = MAX(loop->slots_n * 2, (uint32_t)SLOTS_MIN);
	struct loop_slot *slots = reallocarray(loop->slots, n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	/* The old end of the list, slots_n, is the first of the new slots. */
	for (uint32_t i = loop->slots_n; i < n; i++)
		slots[i] = (struct loop_slot) {.next = i + 1};
	loop->slots = slots;
	loop->slots_n = n;
	return 0;
}

static struct loop_slot *slot_take(struct loop *loop, struct loop_watch *watch)
{
	struct loop_slot *slot;
	uint32_t generation;

	if (loop->free_slot == loop->slots_n && slots_grow(loop) < 0)
		return NULL;
	slot = &loop->slots[loop->free_slot];
	loop->free_slot = slot->next;
	generation = slot->generation + 1;
	*slot = (struct loop_slot) {
		.watch = watch,
		.generation = generation ? generation : 1,
	};
	return slot;
}

static void slot_release(struct loop *loop, struct loop_slot *slot)
{
	loop->ready_n -= slot->ready;
	slot->ready = false;
	slot->watch = NULL;
	slot->next = loop->free_slot;
	loop->free_slot = (uint32_t)(slot - loop->slots);
}

static bool fd_watched(const struct loop *loop, int fd)
{
	for (uint32_t i = 0; i < loop->slots_n; i++)
		if (loop->slots[i].watch && loop->slots[i].watch->fd == fd)
			return true;
	return false;
}

/* Watches. */

static void wake(struct loop *loop)
{
	/* Fails only after 2^64 - 2 calls. */
	(void)eventfd_write(loop->wake_fd, 1);
}

static int watch_start(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
		       bool once, void (*fn)(struct loop_watch *watch, uint32_t events))
{
	struct loop_slot *slot;
	bool fresh;
	int r;

	assert(loop_is_mine(loop));
	assert((events & ~(uint32_t)(POLLIN | POLLOUT | POLLPRI)) == 0);
	if (watch->id)
		return -EBUSY;
	if (fd < 0)
		return -EBADF;
	if (fd_watched(loop, fd))
		return -EEXIST;
	fresh = !watch->fn || watch->fd != fd;
	watch->fd = fd;
	watch->events = events;
	watch->fn = fn;
	slot = slot_take(loop, watch);
	if (!slot)
		return -ENOMEM;
	slot->once = once;
	slot->fresh = fresh;
	watch->id = loop_slot_id(loop, slot);
	r = loop->ops->arm(loop, slot, watch->id);
	if (r == -EPERM) {
		slot->ready = true;
		loop->ready_n++;
		wake(loop);
		return 0;
	}
	if (r < 0) {
		slot_release(loop, slot);
		watch->id = 0;
		watch->fn = NULL;
	}
	return r;
}

int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
		   void (*fn)(struct loop_watch *watch, uint32_t events))
{
	return watch_start(loop, watch, fd, events, false, fn);
}

int loop_watch_once(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
		    void (*fn)(struct loop_watch *watch, uint32_t events))
{
	return watch_start(loop, watch, fd, events, true, fn);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
	struct loop_slot *slot;

	assert(loop_is_mine(loop));
	if (!watch->id)
		return;
	slot = loop_slot_find(loop, watch->id);
	assert(slot && slot->watch == watch);
	loop->ops->disarm(loop, slot, watch->id);
	slot_release(loop, slot);
	watch->id = 0;
}

bool loop_watch_active(const struct loop_watch *watch)
{
	return watch->id != 0;
}

void loop_fire(struct loop *loop, uint64_t id, uint32_t events)
{
	struct loop_slot *slot = loop_slot_find(loop, id);
	struct loop_watch *watch;

	if (!slot)
		return;
	watch = slot->watch;
	if (slot->once) {
		slot_release(loop, slot);
		watch->id = 0;
	}
	watch->fn(watch, events);
}

/* Descriptors that cannot be polled. One that is added meanwhile may wait for the next turn. */
static void serve_ready(struct loop *loop)
{
	for (uint32_t i = 0; loop->ready_n > 0 && i < loop->slots_n; i++) {
		struct loop_slot *slot = &loop->slots[i];

		if (!slot->ready)
			continue;
		slot->ready = false;
		loop->ready_n--;
		loop_fire(loop, loop_slot_id(loop, slot), slot->watch->events);
	}
}

/* Timers. */

static void expire(struct loop_watch *watch, uint32_t events)
{
	struct loop_timer *timer = container_of(watch, struct loop_timer, watch);
	uint64_t count;

	/* There is nothing to read if it has been set anew since it expired. */
	if (read(watch->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		timer->fn(timer);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t first_ns,
		   uint64_t interval_ns, void (*fn)(struct loop_timer *timer))
{
	const struct itimerspec when = {
		.it_value = {(time_t)(first_ns / NS_PER_S), (long)(first_ns % NS_PER_S)},
		.it_interval = {(time_t)(interval_ns / NS_PER_S), (long)(interval_ns % NS_PER_S)},
	};
	int fd, r;

	assert(first_ns > 0); /* 0 would stop the timerfd */
	if (!loop_watch_active(&timer->watch)) {
		fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		if (fd < 0)
			return -errno;
		r = loop_watch_add(loop, &timer->watch, fd, POLLIN, expire);
		if (r < 0) {
			close(fd);
			return r;
		}
	}
	timer->fn = fn;
	return timerfd_settime(timer->watch.fd, 0, &when, NULL) < 0 ? -errno : 0;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	if (!loop_watch_active(&timer->watch))
		return;
	loop_watch_remove(loop, &timer->watch);
	close(timer->watch.fd);
}

/* Posts. */

void loop_post(struct loop *loop, struct loop_post *post, void (*fn)(struct loop_post *post))
{
	struct loop_post *head = atomic_load_explicit(&loop->posts, memory_order_relaxed);

	post->fn = fn;
	do
		post->next = head;
	while (!atomic_compare_exchange_weak_explicit(&loop->posts, &head, post,
						      memory_order_release, memory_order_relaxed));
	/* Whoever found the list empty wakes the loop for all who follow. */
	if (!head)
		wake(loop);
}

static void serve_posts(struct loop *loop)
{
	struct loop_post *newest, *oldest = NULL, *post;

	newest = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acquire);
	while (newest) {
		post = newest;
		newest = post->next;
		post->next = oldest;
		oldest = post;
	}
	while (oldest) {
		post = oldest;
		oldest = post->next;
		post->fn(post);
	}
}

/* File operations. */

void loop_signal(struct loop *loop, int fd)
{
	assert(loop_is_mine(loop));
	/* What is queued while the loop does not run could outlive the descriptor. */
	if (loop->ops->signal && atomic_load_explicit(&loop->runner, memory_order_relaxed))
		loop->ops->signal(loop, fd);
	else
		(void)eventfd_write(fd, 1);
}

int loop_io_submit(struct loop *loop, struct loop_io *io)
{
	int r;

	assert(loop_is_mine(loop) && loop->file_io);
	assert(io->iov_n <= IOV_MAX && io->offset <= INT64_MAX && io->len <= INT64_MAX);
	if (loop->drained)
		return -ECANCELED;
	io->loop = loop;
	r = loop->ops->io_submit(loop, io);
	if (r == 0)
		loop->io_pending++;
	return r;
}

void loop_io_cancel(struct loop *loop, struct loop_io *io)
{
	assert(loop_is_mine(loop) && io->loop == loop);
	if (!loop->drained)
		loop->ops->io_cancel(loop, io);
}

unsigned int loop_io_pending(const struct loop *loop)
{
	return loop->io_pending;
}

void loop_io_finish(struct loop *loop, struct loop_io *io, int64_t result)
{
	loop->io_pending--;
	io->loop = NULL;
	io->fn(io, result);
}

void loop_io_drain(struct loop *loop)
{
	assert(loop_is_mine(loop));
	assert(loop->io_pending == 0 || !loop->owner || loop->owner == &self);
	/* Also if nothing is in flight: a thread may still be about to write to the eventfd. */
	if (loop->file_io)
		loop->ops->io_drain(loop);
	loop->io_pending = 0;
	loop->drained = true;
}

void loop_io_report_wait(unsigned int n)
{
	log_warning("waiting for %u file operations that the host does not finish (is a file "
		    "server gone?); kill -KILL ends vmm without them",
		    n);
}

/* The eventfd is never read: each write is an edge of its own, whatever the count. */
static void woken(struct loop_watch *watch, uint32_t events)
{
	struct loop *loop = container_of(watch, struct loop, wake);

	serve_ready(loop);
	serve_posts(loop);
}

/* Life. */

int loop_complete(struct loop **out, struct loop *loop, struct error *err)
{
	int r;

	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0) {
		r = error_set(err, errno, "cannot create an eventfd: %s", strerror(errno));
	} else {
		r = loop_watch_add(loop, &loop->wake, loop->wake_fd, POLLIN, woken);
		if (r < 0)
			error_set(err, -r, "cannot watch an eventfd: %s", strerror(-r));
	}
	if (r < 0) {
		loop_free(loop);
		return r;
	}
	*out = loop;
	return 0;
}

int loop_new(struct loop **out, enum loop_kind kind, unsigned int ops, struct error *err)
{
	struct loop *loop;
	struct error why;
	int r;

	if (kind == LOOP_EPOLL) {
		r = loop_epoll_new(&loop, ops, err);
	} else {
		r = loop_uring_new(&loop, ops, 0, kind == LOOP_URING ? err : &why);
		if (r < 0 && kind == LOOP_AUTO) {
			log_debug("event loop over epoll: %s", why.text);
			r = loop_epoll_new(&loop, ops, err);
		}
	}
	return r < 0 ? r : loop_complete(out, loop, err);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	assert(loop_is_mine(loop));
	loop_io_drain(loop);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	free(loop->slots);
	loop->ops->free(loop);
}

const char *loop_name(const struct loop *loop)
{
	return loop->ops->name;
}

int loop_run(struct loop *loop)
{
	int r;

	assert(loop_is_mine(loop) && !loop->drained);
	assert(!loop->owner || loop->owner == &self);
	loop->owner = &self;
	atomic_store_explicit(&loop->runner, &self, memory_order_release);
	r = loop->ops->start(loop);
	while (r == 0 && !atomic_exchange(&loop->stop, false))
		r = loop->ops->turn(loop);
	if (loop->ops->flush)
		loop->ops->flush(loop);
	/* What failed is for no other thread to go on with. */
	if (r == 0)
		atomic_store_explicit(&loop->runner, NULL, memory_order_release);
	return r;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	wake(loop);
}
