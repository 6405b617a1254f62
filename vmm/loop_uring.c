/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_uring.c - the event loop's waiting over io_uring: one io_uring_enter() a turn.
 *
 * Watches are POLL_ADD requests, of many completions for an add and of one for a once-watch.
 * loop_uring_setup.c makes the ring, disabled at first; it is enabled by the thread that runs the
 * loop, which alone may submit from then on. File operations are in loop_uring_io.c.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "loop_uring.h"

enum slot_state {
	SLOT_IDLE,     /* not with the kernel, and nothing to do about it */
	SLOT_TO_ARM,   /* POLL_ADD goes out with the next turn */
	SLOT_TO_PROBE, /* see probe() */
	SLOT_ARMED,
	SLOT_PROBED,
};

static bool is_todo(uint8_t state)
{
	return state == SLOT_TO_ARM || state == SLOT_TO_PROBE;
}

static void set_state(struct uring_loop *uring, struct loop_slot *slot, enum slot_state state)
{
	uring->todo -= is_todo(slot->state);
	slot->state = (uint8_t)state;
	uring->todo += is_todo(slot->state);
}

bool loop_uring_make_room(struct uring_loop *uring, unsigned int n)
{
	if (io_uring_sq_space_left(&uring->ring) < n)
		(void)io_uring_submit(&uring->ring);
	return io_uring_sq_space_left(&uring->ring) >= n;
}

void loop_uring_silence(const struct uring_loop *uring, struct io_uring_sqe *sqe)
{
	io_uring_sqe_set_data64(sqe, LOOP_URING_NOBODY);
	if (uring->ring.features & IORING_FEAT_CQE_SKIP)
		io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

static void queue_remove(struct uring_loop *uring, uint64_t id)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	io_uring_prep_poll_remove(sqe, id);
	loop_uring_silence(uring, sqe);
}

static void queue_poll(struct uring_loop *uring, const struct loop_slot *slot, uint32_t events,
		       bool multi)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (multi)
		io_uring_prep_poll_multishot(sqe, slot->watch->fd, events);
	else
		io_uring_prep_poll_add(sqe, slot->watch->fd, events);
	io_uring_sqe_set_data64(sqe, loop_slot_id(&uring->loop, slot));
}

/*
 * A poll that was to last has ended with an event. Either the completion queue was full, and it
 * must be armed again; or the descriptor cannot be polled, and arming it again would report it
 * for ever. A poll for no event tells: it fails with EINVAL on such a descriptor, and is waiting,
 * hence cancelled by the removal behind it, on any other.
 */
static void probe(struct uring_loop *uring, const struct loop_slot *slot)
{
	queue_poll(uring, slot, 0, false);
	queue_remove(uring, loop_slot_id(&uring->loop, slot));
}

/* What does not fit stays to be done in the next turn. */
static void queue_todo(struct uring_loop *uring)
{
	for (uint32_t i = 0; uring->todo > 0 && i < uring->loop.slots_n; i++) {
		struct loop_slot *slot = &uring->loop.slots[i];

		if (!slot->watch || !is_todo(slot->state))
			continue;
		if (!loop_uring_make_room(uring, 2))
			return;
		if (slot->state == SLOT_TO_ARM) {
			queue_poll(uring, slot, slot->watch->events, slot->multi);
			set_state(uring, slot, SLOT_ARMED);
		} else {
			probe(uring, slot);
			set_state(uring, slot, SLOT_PROBED);
		}
	}
}

static int arm(struct loop *loop, struct loop_slot *slot, uint64_t id)
{
	/* The kernel would tell only in a completion. A watch that is used over and over for one
	 * descriptor is spared the system call. */
	if (slot->fresh && fcntl(slot->watch->fd, F_GETFD) < 0)
		return -errno;
	slot->multi = !slot->once;
	set_state(uring_loop(loop), slot, SLOT_TO_ARM);
	return 0;
}

static void disarm(struct loop *loop, struct loop_slot *slot, uint64_t id)
{
	struct uring_loop *uring = uring_loop(loop);

	/* Without room the poll lives on until the ring goes, and its events are dropped. */
	if ((slot->state == SLOT_ARMED || slot->state == SLOT_PROBED) &&
	    loop_uring_make_room(uring, 1))
		queue_remove(uring, id);
	set_state(uring, slot, SLOT_IDLE);
}

/* One completion of the watch @id. @more: its poll goes on. */
static void complete(struct uring_loop *uring, uint64_t id, int res, bool more)
{
	struct loop_slot *slot = loop_slot_find(&uring->loop, id);
	enum slot_state state = SLOT_IDLE;
	uint32_t events = 0;

	if (!slot)
		return; /* the watch was removed, or this is about no watch */
	if (slot->state == SLOT_PROBED) {
		set_state(uring, slot, res == -EINVAL ? SLOT_IDLE : SLOT_TO_ARM);
		return;
	}
	if (res >= 0) {
		/* The kernel adds POLLRDHUP to what was asked for. */
		events = (uint32_t)res & (slot->watch->events | POLLERR | POLLHUP);
		state = more ? SLOT_ARMED : SLOT_TO_PROBE;
	} else if (res == -ECANCELED) {
		state = SLOT_TO_ARM;
	} else if (res == -EINVAL) {
		events = slot->watch->events; /* it cannot be polled */
	} else {
		events = res == -EBADF ? POLLNVAL : POLLERR;
	}
	if (slot->once && events) {
		if (more && loop_uring_make_room(uring, 1))
			queue_remove(uring, id);
		state = SLOT_IDLE;
	} else if (slot->once && !more) {
		/* POLLRDHUP alone; it stays, so a poll of one completion would end at once. */
		slot->multi = true;
		state = SLOT_TO_ARM;
	}
	set_state(uring, slot, state);
	if (events)
		loop_fire(&uring->loop, id, events);
}

static int turn(struct loop *loop)
{
	struct uring_loop *uring = uring_loop(loop);
	bool busy;
	int r;

	queue_todo(uring);
	busy = loop_uring_io_begin(uring) || uring->todo > 0;
	r = io_uring_submit_and_wait(&uring->ring, busy ? 0 : 1);
	/* Completions that wait for room come with the next call. */
	if (r < 0 && r != -EINTR && r != -EBUSY && r != -EAGAIN)
		return r;
	/* What is completed from now on is for the next turn. */
	for (unsigned int n = io_uring_cq_ready(&uring->ring); n > 0; n--) {
		struct io_uring_cqe cqe;

		if (!loop_uring_take(uring, &cqe))
			break;
		if (cqe.user_data & LOOP_URING_IO)
			loop_uring_io_complete(uring, cqe.user_data, cqe.res);
		else
			complete(uring, cqe.user_data, cqe.res, cqe.flags & IORING_CQE_F_MORE);
	}
	loop_uring_io_end(uring);
	return 0;
}

static void flush(struct loop *loop)
{
	struct uring_loop *uring = uring_loop(loop);

	if (uring->enabled && io_uring_sq_ready(&uring->ring) > 0)
		(void)io_uring_submit(&uring->ring);
}

static int start(struct loop *loop)
{
	struct uring_loop *uring = uring_loop(loop);
	int r;

	if (uring->enabled)
		return 0;
	/* Not io_uring_enable_rings(): the shared liburing 2.3 has it in its header only. */
	r = io_uring_register((unsigned int)uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
			      0);
	uring->enabled = r >= 0;
	return r;
}

static void uring_free(struct loop *loop)
{
	struct uring_loop *uring = uring_loop(loop);

	io_uring_queue_exit(&uring->ring);
	free(uring);
}

static const struct loop_ops uring_ops = {
	.name = "io_uring",
	.free = uring_free,
	.start = start,
	.arm = arm,
	.disarm = disarm,
	.turn = turn,
	.flush = flush,
	.signal = loop_uring_signal,
	.io_submit = loop_uring_io_submit,
	.io_cancel = loop_uring_io_cancel,
	.io_drain = loop_uring_io_drain,
};

int loop_uring_new(struct loop **out, unsigned int ops, unsigned int rung, struct error *err)
{
	struct uring_loop *uring = calloc(1, sizeof(*uring));
	int r;

	if (!uring)
		return error_set(err, ENOMEM, "out of memory");
	uring->loop.ops = &uring_ops;
	uring->loop.file_io = ops & LOOP_FILE_IO;
	r = loop_uring_setup(&uring->ring, ops, rung, err);
	if (r < 0) {
		free(uring);
		return r;
	}
	*out = &uring->loop;
	return 0;
}

int loop_uring_try(struct loop *loop, uint8_t opcode, uint8_t flags)
{
	struct uring_loop *uring = uring_loop(loop);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int head;
	uint64_t id;

	assert(loop->ops == &uring_ops);
	if (!loop_uring_make_room(uring, 1))
		return -EAGAIN;
	id = ++uring->trials * 2;
	sqe = io_uring_get_sqe(&uring->ring);
	io_uring_prep_rw(opcode, sqe, -1, NULL, 0, 0);
	io_uring_sqe_set_flags(sqe, flags);
	io_uring_sqe_set_data64(sqe, id);
	for (;;) {
		const unsigned int there = io_uring_cq_ready(&uring->ring);

		if (io_uring_submit_and_wait(&uring->ring, there + 1) < 0)
			return -EAGAIN;
		/* Left in place for the next turn, which drops it. */
		io_uring_for_each_cqe(&uring->ring, head,
				      cqe) if (io_uring_cqe_get_data64(cqe) == id) return cqe->res;
	}
}
