/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_uring.c - the event loop's waiting over io_uring: one io_uring_enter() a turn.
 *
 * Watches are POLL_ADD requests, of many completions for an add and of one for a once-watch. The
 * ring is made disabled, restricted to the opcodes in use (seccomp does not see what goes through
 * a ring), and enabled by the thread that runs the loop, which alone may submit from then on. The
 * only file that includes liburing.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>

#include "loop_impl.h"

/* One page for the submission queue, one for all the rest. */
#define ENTRIES 64

/* This id stands for no slot, nor do those of loop_uring_try(): no generation is 0. */
#define ID_REMOVE 0

enum slot_state {
	SLOT_IDLE,     /* not with the kernel, and nothing to do about it */
	SLOT_TO_ARM,   /* POLL_ADD goes out with the next turn */
	SLOT_TO_PROBE, /* see probe() */
	SLOT_ARMED,
	SLOT_PROBED,
};

struct uring_loop {
	struct loop loop;
	struct io_uring ring;
	bool enabled;
	unsigned int todo; /* slots in SLOT_TO_ARM or SLOT_TO_PROBE */
	uint32_t trials;   /* of loop_uring_try() */
};

static struct uring_loop *uring_loop(struct loop *loop)
{
	return container_of(loop, struct uring_loop, loop);
}

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

/* Room for @n requests, by submitting what is queued if need be. */
static bool make_room(struct uring_loop *uring, unsigned int n)
{
	if (io_uring_sq_space_left(&uring->ring) < n)
		(void)io_uring_submit(&uring->ring);
	return io_uring_sq_space_left(&uring->ring) >= n;
}

static void queue_remove(struct uring_loop *uring, uint64_t id)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	io_uring_prep_poll_remove(sqe, id);
	io_uring_sqe_set_data64(sqe, ID_REMOVE);
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
		if (!make_room(uring, 2))
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
	if ((slot->state == SLOT_ARMED || slot->state == SLOT_PROBED) && make_room(uring, 1))
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
		if (more && make_room(uring, 1))
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
	struct io_uring_cqe *cqe;
	unsigned int n;
	int r;

	queue_todo(uring);
	r = io_uring_submit_and_wait(&uring->ring, uring->todo ? 0 : 1);
	/* Completions that wait for room come with the next call. */
	if (r < 0 && r != -EINTR && r != -EBUSY && r != -EAGAIN)
		return r;
	/* What is completed from now on is for the next turn. */
	for (n = io_uring_cq_ready(&uring->ring); n > 0; n--) {
		uint64_t id;
		int res;
		bool more;

		if (io_uring_peek_cqe(&uring->ring, &cqe) < 0)
			break;
		id = io_uring_cqe_get_data64(cqe);
		res = cqe->res;
		more = cqe->flags & IORING_CQE_F_MORE;
		io_uring_cqe_seen(&uring->ring, cqe);
		complete(uring, id, res, more);
	}
	return 0;
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
};

static char read_disabled(void)
{
	_cleanup_(closep) int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
	char c = '0';

	if (fd < 0 || read(fd, &c, 1) != 1)
		return '0';
	return c;
}

/* The sentence for a ring that cannot be had. */
static int refuse(int code, struct error *err)
{
	switch (code) {
	case ENOSYS:
		return error_set(
			err, code,
			"io_uring is missing: this kernel is built without CONFIG_IO_URING, "
			"or a seccomp filter hides io_uring_setup; allow it there, or use "
			"--loop epoll");
	case EINVAL:
		return error_set(err, ENOSYS,
				 "io_uring of this kernel is too old: Linux 5.13 or newer is "
				 "needed, or use --loop epoll");
	case EPERM:
	case EACCES:
		if (read_disabled() == '1')
			return error_set(
				err, EPERM,
				"io_uring is off for this user (kernel.io_uring_disabled is "
				"1): run 'sysctl kernel.io_uring_disabled=0', or join the "
				"group kernel.io_uring_group, or use --loop epoll");
		if (read_disabled() == '2')
			return error_set(
				err, EPERM,
				"io_uring is off on this host (kernel.io_uring_disabled is "
				"2): run 'sysctl kernel.io_uring_disabled=0', or use "
				"--loop epoll");
		return error_set(err, EPERM,
				 "io_uring is forbidden to this process by a seccomp filter or a "
				 "security module, as in many containers: allow io_uring_setup, "
				 "io_uring_register and io_uring_enter there, or use --loop epoll");
	default:
		return error_set(err, code, "cannot set up io_uring: %s; --loop epoll does without",
				 strerror(code));
	}
}

#define FLAGS (IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP)

/* Newest first; an older kernel answers EINVAL and gets one less. */
static const unsigned int optional_flags[] = {
	IORING_SETUP_DEFER_TASKRUN, /* Linux 6.1 */
	IORING_SETUP_SINGLE_ISSUER, /* 6.0; DEFER_TASKRUN needs it */
	IORING_SETUP_COOP_TASKRUN,  /* 5.19 */
	IORING_SETUP_SUBMIT_ALL,    /* 5.18 */
};
_Static_assert(ARRAY_SIZE(optional_flags) == LOOP_URING_RUNGS - 1, "one rung without any");

static int setup(struct io_uring *ring, unsigned int rung)
{
	/* No registering beyond this, no SQE flag. */
	const struct io_uring_restriction restrictions[] = {
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_POLL_ADD},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_POLL_REMOVE},
	};
	unsigned int flags = FLAGS;
	int r;

	for (size_t i = rung; i < ARRAY_SIZE(optional_flags); i++)
		flags |= optional_flags[i];
	r = io_uring_queue_init(ENTRIES, ring, flags);
	for (; r == -EINVAL && rung < ARRAY_SIZE(optional_flags); rung++) {
		flags &= ~optional_flags[rung];
		r = io_uring_queue_init(ENTRIES, ring, flags);
	}
	if (r < 0)
		return r;
	/* Polls of many completions came with the kernel that has this feature (5.13). */
	r = -EINVAL;
	if (ring->features & IORING_FEAT_RSRC_TAGS)
		r = io_uring_register((unsigned int)ring->ring_fd, IORING_REGISTER_RESTRICTIONS,
				      restrictions, ARRAY_SIZE(restrictions));
	if (r < 0)
		io_uring_queue_exit(ring);
	return r;
}

int loop_uring_new(struct loop **out, unsigned int rung, struct error *err)
{
	struct uring_loop *uring = calloc(1, sizeof(*uring));
	int r;

	if (!uring)
		return error_set(err, ENOMEM, "out of memory");
	uring->loop.ops = &uring_ops;
	r = setup(&uring->ring, rung);
	if (r < 0) {
		free(uring);
		return refuse(-r, err);
	}
	*out = &uring->loop;
	return 0;
}

int loop_uring_try(struct loop *loop, uint8_t opcode, uint8_t flags)
{
	struct uring_loop *uring = uring_loop(loop);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqes[2 * ENTRIES];
	unsigned int n;
	uint64_t id;

	assert(loop->ops == &uring_ops);
	if (!make_room(uring, 1))
		return -EAGAIN;
	id = ++uring->trials;
	sqe = io_uring_get_sqe(&uring->ring);
	io_uring_prep_rw(opcode, sqe, -1, NULL, 0, 0);
	io_uring_sqe_set_flags(sqe, flags);
	io_uring_sqe_set_data64(sqe, id);
	(void)io_uring_submit_and_wait(&uring->ring, 1);
	n = io_uring_peek_batch_cqe(&uring->ring, cqes, ARRAY_SIZE(cqes));
	for (unsigned int i = 0; i < n; i++)
		if (io_uring_cqe_get_data64(cqes[i]) == id)
			return cqes[i]->res;
	return -EAGAIN;
}
