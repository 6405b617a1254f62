/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_impl.h - between loop.c and the two implementations of the event loop.
 *
 * loop.c keeps the table of watches, so that both treat a late event alike: the kernel only ever
 * learns an id, slot number and generation, never an address, and an id whose generation has
 * passed is dropped without a look at the watch, which may be freed by then. File operations need
 * none of that, for they last until they are done. The loop's thread.
 */
#ifndef VMM_LOOP_IMPL_H
#define VMM_LOOP_IMPL_H

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

/* Where a file operation is: loop_io.state. */
enum loop_io_state {
	LOOP_IO_WAITING,   /* here, for a thread or for room in the ring */
	LOOP_IO_RUNNING,   /* with a thread or with the kernel */
	LOOP_IO_CANCELLED, /* with the kernel, which has been asked to end it */
	LOOP_IO_DONE,	   /* .result is there, and nobody has been called yet */
};

/* struct loop_io_list - file operations, oldest first. Zero-initialised. */
struct loop_io_list {
	struct loop_io *first, *last;
};

static inline void loop_io_append(struct loop_io_list *list, struct loop_io *io)
{
	io->next = NULL;
	io->prev = list->last;
	if (list->last)
		list->last->next = io;
	else
		list->first = io;
	list->last = io;
}

static inline void loop_io_unlink(struct loop_io_list *list, struct loop_io *io)
{
	if (io->next)
		io->next->prev = io->prev;
	else
		list->last = io->prev;
	if (io->prev)
		io->prev->next = io->next;
	else
		list->first = io->next;
}

/* loop_io_take - the oldest of @list, which loses it. Return: NULL if there is none. */
static inline struct loop_io *loop_io_take(struct loop_io_list *list)
{
	struct loop_io *io = list->first;

	if (io)
		loop_io_unlink(list, io);
	return io;
}

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

	/*
	 * flush - loop_run() ends: hand over what would have waited for the next turn. NULL:
	 * nothing does.
	 */
	void (*flush)(struct loop *loop);

	/* signal - loop_signal() while the loop runs. NULL: write(2) is as good. */
	void (*signal)(struct loop *loop, int fd);

	/*
	 * io_submit, io_cancel - see loop.h. What is done goes to loop_io_finish(), but not before
	 * io_submit() has returned.
	 */
	int (*io_submit)(struct loop *loop, struct loop_io *io);
	void (*io_cancel)(struct loop *loop, struct loop_io *io);

	/*
	 * io_drain - cancel all file operations, wait for those that have begun, finish none. Only
	 * with LOOP_FILE_IO; neither of the others is called afterwards.
	 */
	void (*io_drain)(struct loop *loop);
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
	bool file_io;		    /* LOOP_FILE_IO */
	bool drained;		    /* it does not run again */
	unsigned int io_pending;    /* file operations in flight */
	const void *_Atomic runner; /* thread in loop_run(), by loop_self(); NULL: none */
	const void *owner;	    /* the thread that ran it last; NULL: it never ran */
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

/* loop_io_finish - @io is in no list any more: call its owner. */
void loop_io_finish(struct loop *loop, struct loop_io *io, int64_t result);

/*
 * loop_io_drain - cancel and wait for all file operations in flight; none is called. On the thread
 * that has run the loop: an io_uring ends nothing for another one. It is not run again.
 * An operation that the host does not finish (a file server that is gone) is waited for as long as
 * it takes, for it could still write to its memory; every LOOP_IO_PATIENCE seconds that is
 * reported with loop_io_report_wait().
 */
#define LOOP_IO_PATIENCE 3
void loop_io_drain(struct loop *loop);
void loop_io_report_wait(unsigned int n);

/*
 * loop_epoll_new, loop_uring_new - a bare loop, for loop_complete().
 * @ops: as for loop_new(). @rung: how many of the newer io_uring features to do without; 0, or for
 * tests up to LOOP_URING_RUNGS - 1. Return: 0 and *@out; or -errno and a sentence.
 */
#define LOOP_URING_RUNGS 5
int loop_epoll_new(struct loop **out, unsigned int ops, struct error *err);
int loop_uring_new(struct loop **out, unsigned int ops, unsigned int rung, struct error *err);

/*
 * loop_complete - make a bare loop usable. Takes @loop, and frees it on failure.
 * Return: 0 and *@out; or -errno and a sentence.
 */
int loop_complete(struct loop **out, struct loop *loop, struct error *err);

/*
 * loop_uring_try - for tests: submit one bare request of @opcode and IOSQE_ @flags.
 * Called from a callback. Return: its result, once there is one; -EAGAIN if the kernel takes none.
 */
int loop_uring_try(struct loop *loop, uint8_t opcode, uint8_t flags);

#endif
