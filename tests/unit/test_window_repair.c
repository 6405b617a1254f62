/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_window_repair.c - tests window.c: what is said of mappings that cannot be reached, and what
 * becomes of good ones on a kernel that cannot tell.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "log.h"
#include "plane_backend.h"

#define HALF (2 * MIB)

static struct plane_backend pb;
static struct media_window *window;

static int setup(void **state)
{
	struct error err = {0};

	plane_backend_init(&pb);
	return media_window_new(&window, HALF, &err);
}

static int teardown(void **state)
{
	media_window_free(window);
	plane_backend_deinit(&pb);
	return 0;
}

/* media_window_repair(), and what it says. */
static bool repair_saying(uint64_t offset, char *said, size_t len)
{
	const int saved = dup(STDERR_FILENO);
	ssize_t n;
	int fds[2];
	bool r;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	r = media_window_repair(window, offset);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(fds[0], said, len - 1);
	assert_true(n >= 0);
	said[n] = 0;
	close(fds[0]);
	return r;
}

static void warning_says_how_many_were_replaced(void **state)
{
	static const struct {
		const char *name;
		unsigned int good, bad;
		const char *said; /* NULL: nothing */
	} cases[] = {
		{"none", 2, 0, NULL},
		{"one of one", 0, 1, " 1 mapped buffer,"},
		{"one of many", 3, 1, " 1 mapped buffer,"},
		{"several", 2, 3, " 3 mapped buffers,"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char said[512];

		media_window_reset(window);
		pb.behaviour = PLANE_MAPS;
		for (unsigned int j = 0; j < cases[i].good; j++)
			plane_backend_map(&pb, window, j, 1, j % 2);
		pb.behaviour = PLANE_UNREADABLE;
		for (unsigned int j = 0; j < cases[i].bad; j++)
			plane_backend_map(&pb, window, j, 1, j % 2);
		if (repair_saying(MEDIA_WINDOW_ANYWHERE, said, sizeof(said)) != (cases[i].bad > 0))
			fail_msg("%s: repaired?", cases[i].name);
		if (cases[i].said ? !strstr(said, cases[i].said) : said[0] != 0)
			fail_msg("%s: %s", cases[i].name, said);
		if (cases[i].said && strchr(said, '\n') != &said[strlen(said) - 1])
			fail_msg("%s: not one line: %s", cases[i].name, said);
	}
}

/* From now on the kernel is as it was before Linux 5.14. */
static bool forget_populating(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_POPULATE_READ, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_POPULATE_WRITE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = ARRAY_SIZE(filter), .filter = filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void older_kernel_loses_no_good_mapping(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct media_window *old;
		struct error err = {0};
		const uint8_t *host;
		uint64_t rw, ro;

		if (!forget_populating() || media_window_new(&old, HALF, &err) < 0)
			_exit(2);
		host = media_window_host(old);
		if (madvise(media_window_host(old), 1, MADV_POPULATE_READ) == 0 || errno != EINVAL)
			_exit(3);
		if (plane_backend_try(&pb, old, 1, 1, true, &rw) < 0 ||
		    plane_backend_try(&pb, old, 2, 1, false, &ro) < 0)
			_exit(4);
		if (media_window_repair(old, MEDIA_WINDOW_ANYWHERE))
			_exit(5);
		_exit(host[rw] == plane_backend_byte(1, 0) && host[ro] == plane_backend_byte(2, 0)
			      ? 0
			      : 6);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(warning_says_how_many_were_replaced),
		TEST(older_kernel_loses_no_good_mapping),
	};

	return cmocka_run_group_tests_name("window_repair", tests, NULL, NULL);
}
