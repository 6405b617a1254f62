/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_uring.c - what only io_uring has: the restricted ring, kernels with fewer features,
 * hosts where it is off.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "vmm/loop_impl.h"

/* What the ring said to each opcode, and to each flag of an opcode that is allowed. */
struct trial {
	struct loop_post post;
	struct loop *loop;
	int opcodes[IORING_OP_LAST];
	int flags[8];
	int registered;
};

static int find_ring(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		char path[64], target[64];
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (strcmp(target, "anon_inode:[io_uring]") == 0)
			return fd;
	}
	return -1;
}

static void try_everything(struct loop_post *post)
{
	struct trial *trial = container_of(post, struct trial, post);
	int fd = find_ring(), event = new_eventfd(0);

	for (unsigned int i = 0; i < IORING_OP_LAST; i++)
		trial->opcodes[i] = loop_uring_try(trial->loop, (uint8_t)i, 0);
	/* IOSQE_IO_DRAIN late: though refused, it holds back what comes after it. */
	for (unsigned int i = ARRAY_SIZE(trial->flags); i-- > 0;)
		trial->flags[i] =
			loop_uring_try(trial->loop, IORING_OP_POLL_REMOVE, (uint8_t)(1U << i));
	trial->registered =
		(int)syscall(__NR_io_uring_register, fd, IORING_REGISTER_EVENTFD, &event, 1);
	if (trial->registered < 0)
		trial->registered = -errno;
	close(event);
}

/* What a loop may submit, and what the kernel says to it without a file or anything to remove. */
static const struct permission {
	uint8_t opcode;
	bool file_io; /* only with LOOP_FILE_IO */
	int result;
} permissions[] = {
	{IORING_OP_POLL_ADD, false, -EBADF},	 {IORING_OP_POLL_REMOVE, false, -ENOENT},
	{IORING_OP_WRITE, false, -EBADF},	 {IORING_OP_READ, true, -EBADF},
	{IORING_OP_READV, true, -EBADF},	 {IORING_OP_WRITEV, true, -EBADF},
	{IORING_OP_FSYNC, true, -EBADF},	 {IORING_OP_FALLOCATE, true, -EBADF},
	{IORING_OP_ASYNC_CANCEL, true, -ENOENT},
};

static int expected(unsigned int opcode, unsigned int ops)
{
	for (size_t i = 0; i < ARRAY_SIZE(permissions); i++)
		if (permissions[i].opcode == opcode && (!permissions[i].file_io || ops))
			return permissions[i].result;
	return -EACCES;
}

static void check_restrictions(unsigned int ops)
{
	for (unsigned int rung = 0; rung < LOOP_URING_RUNGS; rung++) {
		struct trial trial = {.registered = 0};

		assert_int_equal(loop_uring_new(&trial.loop, ops, rung, NULL), 0);
		assert_int_equal(loop_complete(&trial.loop, trial.loop, NULL), 0);
		loop_post(trial.loop, &trial.post, try_everything);
		settle(trial.loop);
		loop_free(trial.loop);
		for (unsigned int i = 0; i < IORING_OP_LAST; i++) {
			int result = expected(i, ops);

			if (trial.opcodes[i] != result)
				fail_msg("ops %u, rung %u, opcode %u: %d instead of %d", ops, rung,
					 i, trial.opcodes[i], result);
		}
		/* The kernel has other reasons of its own to refuse some: none for this opcode. */
		for (unsigned int i = 0; i < ARRAY_SIZE(trial.flags); i++)
			assert_true(trial.flags[i] == -EACCES || trial.flags[i] == -EOPNOTSUPP ||
				    trial.flags[i] == -EINVAL || i == IOSQE_CQE_SKIP_SUCCESS_BIT ||
				    i == IOSQE_ASYNC_BIT);
		assert_int_equal(trial.flags[IOSQE_IO_LINK_BIT], -EACCES);
		if (!(ops & LOOP_FILE_IO))
			assert_int_equal(trial.flags[IOSQE_ASYNC_BIT], -EACCES);
		assert_int_equal(trial.flags[IOSQE_FIXED_FILE_BIT], -EACCES);
		assert_int_equal(trial.registered, -EACCES);
	}
}

static void ring_refuses_what_the_loop_does_not_use(void **state)
{
	check_restrictions(0);
}

static void ring_refuses_what_is_no_file_operation(void **state)
{
	check_restrictions(LOOP_FILE_IO);
}

static void every_rung_serves_events(void **state)
{
	for (unsigned int rung = 0; rung < LOOP_URING_RUNGS; rung++) {
		struct probe lasting = {.take = true}, once = {.take = true};
		int fds[] = {new_eventfd(1), new_eventfd(0)};
		struct loop *loop;

		assert_int_equal(loop_uring_new(&loop, 0, rung, NULL), 0);
		assert_int_equal(loop_complete(&loop, loop, NULL), 0);
		probe_add(loop, &lasting, fds[0], POLLIN);
		probe_once(loop, &once, fds[1], POLLIN);
		for (unsigned int n = 1; n < 4; n++) {
			settle(loop);
			assert_int_equal(lasting.calls, n);
			assert_int_equal(once.calls, n > 1);
			poke(fds[0]);
			poke(fds[1]);
		}
		loop_free(loop);
		close(fds[0]);
		close(fds[1]);
	}
}

static void auto_takes_io_uring(void **state)
{
	struct loop *loop;

	assert_int_equal(loop_new(&loop, LOOP_AUTO, 0, NULL), 0);
	assert_string_equal(loop_name(loop), "io_uring");
	loop_free(loop);
	assert_int_equal(loop_new(&loop, LOOP_EPOLL, 0, NULL), 0);
	assert_string_equal(loop_name(loop), "epoll");
	loop_free(loop);
}

/* Let system call @number fail with @code from now on. */
static bool forbid(int number, int code)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)code),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {.len = ARRAY_SIZE(filter), .filter = filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

static const struct refusal {
	const char *name;
	int number, code;
	int result;
	const char *says;
} refusals[] = {
	{"setup forbidden", __NR_io_uring_setup, EPERM, -EPERM, "seccomp"},
	{"setup hidden", __NR_io_uring_setup, ENOSYS, -ENOSYS, "CONFIG_IO_URING"},
	{"setup of an old kernel", __NR_io_uring_setup, EINVAL, -ENOSYS, "too old"},
	{"out of memory", __NR_io_uring_setup, ENOMEM, -ENOMEM, "Cannot allocate memory"},
	{"register forbidden", __NR_io_uring_register, EPERM, -EPERM, "io_uring_register"},
};

/* In a child. Return: what went wrong, or NULL. */
static const char *refused(const struct refusal *refusal)
{
	static struct error err;
	struct loop *loop = NULL;

	if (!forbid(refusal->number, refusal->code))
		return "no seccomp";
	if (loop_new(&loop, LOOP_URING, 0, &err) != refusal->result)
		return "wrong errno";
	/* With EPERM the switch is suspected first, if this host has touched it. */
	if (!strstr(err.text, refusal->says) &&
	    !(refusal->code == EPERM && strstr(err.text, "kernel.io_uring_disabled is 1")))
		return err.text;
	if (!strstr(err.text, "--loop epoll"))
		return err.text;
	if (loop_new(&loop, LOOP_AUTO, 0, NULL) != 0)
		return "no fallback";
	if (strcmp(loop_name(loop), "epoll") != 0)
		return "fallback to something else";
	settle(loop);
	loop_free(loop);
	return NULL;
}

static void host_without_io_uring(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		int fds[2], status;
		const char *wrong;
		char text[512];
		ssize_t len;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			/* Whatever is said on stderr, the parent takes for a fault. */
			dup2(fds[1], STDERR_FILENO);
			wrong = refused(&refusals[i]);
			if (wrong)
				dprintf(STDERR_FILENO, "%s", wrong);
			_exit(0);
		}
		close(fds[1]);
		len = read(fds[0], text, sizeof(text) - 1);
		assert_true(len >= 0);
		text[len] = '\0';
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (len > 0 || status != 0)
			fail_msg("%s: %s (status %d)", refusals[i].name, text, status);
	}
}

int main(int argc, char **argv)
{
	char *uring[] = {argv[0], (char[]) {"uring"}, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_refuses_what_the_loop_does_not_use),
		cmocka_unit_test(ring_refuses_what_is_no_file_operation),
		cmocka_unit_test(every_rung_serves_events),
		cmocka_unit_test(auto_takes_io_uring),
		cmocka_unit_test(host_without_io_uring),
	};

	if (!kind_select(2, uring))
		return 0;
	return cmocka_run_group_tests_name("loop_uring", tests, NULL, NULL);
}
