/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_impl.h - between loop.c and the two implementations of the event loop.
 *
 * loop.c keeps the table of watches, so that both treat a late event alike: the kernel only ever
 * learns an id, slot number and generation, never an address, and an id whose generation has
 * passed is dropped without a look at the watch, which may be freed by then. The loop's thread.
 */
#ifndef VMM_LOOP_IMPL_H
#define VMM_LOOP_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "loop.h"

struct loop_slot {
	struct loop_watch *watch; /* NULL: free */
	uint32_t generation;	  /* of the current use; never 0 */
	uint32_t next;		  /* free slot after this one */
	bool once;
	bool fresh;    /* this watch has not had this fd before */
	bool ready;    /* cannot be polled: report it in the next turn */
	bool multi;    /* loop_uring.c: armed for more than one completion */
	uint8_t state; /* loop_uring.c */
};

struct loop_ops {
	const char *name;
	void (*free)(struct loop *loop);

	/* start - loop_run() begins; the caller is the loop's thread from now on. */
	int (*start)(struct loop *loop);

	/*
	 * arm - let @slot's watch be reported under @id: to each edge, or once.
	 * Return: 0; -EBADF; -ENOMEM; -ENOSPC; -EPERM if the descriptor cannot be polled and the
	 * implementation leaves it to loop.c to report that.
	 */
	int (*arm)(struct loop *loop, struct loop_slot *slot, uint64_t id);

	/* disarm - the watch ends; events that still come under @id are dropped by loop_fire(). */
	void (*disarm)(struct loop *loop, struct loop_slot *slot, uint64_t id);

	/* turn - wait for events and loop_fire() each. Return: 0, also when a signal came. */
	int (*turn)(struct loop *loop);
};

/* struct loop - embedded first in the implementation's own. */
struct loop {
	const struct loop_ops *ops;
	struct loop_slot *slots;
	uint32_t slots_n;
	uint32_t free_slot;   /* head of the free list; slots_n: none */
	unsigned int ready_n; /* slots with .ready */
	struct loop_watch wake;
	int wake_fd;			 /* eventfd: posts, a stop, or ready slots are there */
	struct loop_post *_Atomic posts; /* newest first */
	atomic_bool stop;
	bool running;
	pthread_t thread; /* while running */
};

/* loop_slot_find - the slot that @id stands for. Return: NULL if that use of it is over. */
struct loop_slot *loop_slot_find(const struct loop *loop, uint64_t id);

/* loop_slot_id - what the kernel is to report for @slot. */
uint64_t loop_slot_id(const struct loop *loop, const struct loop_slot *slot);

/*
 * loop_fire - call the watch that @id stands for; nothing happens if it has ended. The table may
 * be moved by it, so pointers to slots are void afterwards.
 */
void loop_fire(struct loop *loop, uint64_t id, uint32_t events);

/*
 * loop_epoll_new, loop_uring_new - a bare loop, for loop_complete().
 * @rung: how many of the newer io_uring features to do without; 0, or for tests up to
 * LOOP_URING_RUNGS - 1. Return: 0 and *@out; or -errno and a sentence.
 */
#define LOOP_URING_RUNGS 5
int loop_epoll_new(struct loop **out, struct error *err);
int loop_uring_new(struct loop **out, unsigned int rung, struct error *err);

/*
 * loop_complete - make a bare loop usable. Takes @loop, and frees it on failure.
 * Return: 0 and *@out; or -errno and a sentence.
 */
int loop_complete(struct loop **out, struct loop *loop, struct error *err);

/*
 * loop_uring_try - for tests: submit one bare request of @opcode and IOSQE_ @flags.
 * Called from a callback. Return: the result that the kernel gives at once; -EAGAIN if none.
 */
int loop_uring_try(struct loop *loop, uint8_t opcode, uint8_t flags);

#endif
