/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_uring_setup.c - make the io_uring of an event loop, with what this kernel has of flags.
 *
 * Seccomp does not see what goes through a ring, so the ring itself is restricted to the opcodes
 * that the loop uses. The thread that makes the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "loop_uring.h"

static char read_disabled(void)
{
	_cleanup_(closep) int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
	char c = '0';

	if (fd < 0 || read(fd, &c, 1) != 1)
		return '0';
	return c;
}

/* The sentence for a ring that cannot be had. Return: -errno of that. */
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

/* No registering beyond this. */
static int restrict_ring(struct io_uring *ring, unsigned int ops)
{
	static const uint8_t always[] = {
		IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IORING_OP_WRITE, /* loop_signal() */
	};
	static const uint8_t file_io[] = {
		IORING_OP_READ,	 IORING_OP_READV,     IORING_OP_WRITEV,
		IORING_OP_FSYNC, IORING_OP_FALLOCATE, IORING_OP_ASYNC_CANCEL,
	};
	struct io_uring_restriction list[ARRAY_SIZE(always) + ARRAY_SIZE(file_io) + 1] = {0};
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(always); i++, n++) {
		list[n].opcode = IORING_RESTRICTION_SQE_OP;
		list[n].sqe_op = always[i];
	}
	for (size_t i = 0; ops & LOOP_FILE_IO && i < ARRAY_SIZE(file_io); i++, n++) {
		list[n].opcode = IORING_RESTRICTION_SQE_OP;
		list[n].sqe_op = file_io[i];
	}
	list[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	list[n].sqe_flags = ops & LOOP_FILE_IO ? IOSQE_ASYNC : 0;
	if (ring->features & IORING_FEAT_CQE_SKIP)
		list[n].sqe_flags |= IOSQE_CQE_SKIP_SUCCESS;
	n++;
	return io_uring_register((unsigned int)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, list,
				 n);
}

static int init(struct io_uring *ring, unsigned int ops, unsigned int flags)
{
	struct io_uring_params params = {.flags = flags};

	if (ops & LOOP_FILE_IO) {
		params.flags |= IORING_SETUP_CQSIZE;
		params.cq_entries = LOOP_URING_COMPLETIONS;
	}
	return io_uring_queue_init_params(LOOP_URING_ENTRIES, ring, &params);
}

static int make(struct io_uring *ring, unsigned int ops, unsigned int rung)
{
	unsigned int flags = FLAGS;
	int r;

	for (size_t i = rung; i < ARRAY_SIZE(optional_flags); i++)
		flags |= optional_flags[i];
	r = init(ring, ops, flags);
	for (; r == -EINVAL && rung < ARRAY_SIZE(optional_flags); rung++) {
		flags &= ~optional_flags[rung];
		r = init(ring, ops, flags);
	}
	if (r < 0)
		return r;
	/* Polls of many completions came with the kernel that has this feature (5.13). */
	r = ring->features & IORING_FEAT_RSRC_TAGS ? restrict_ring(ring, ops) : -EINVAL;
	if (r < 0)
		io_uring_queue_exit(ring);
	return r;
}

int loop_uring_setup(struct io_uring *ring, unsigned int ops, unsigned int rung, struct error *err)
{
	int r = make(ring, ops, rung);

	return r < 0 ? refuse(-r, err) : 0;
}
