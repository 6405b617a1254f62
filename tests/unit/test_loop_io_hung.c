/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_io_hung.c - file operations that the host does not finish, as those of a file server
 * that is gone: what an epoll loop does about its threads.
 *
 * The operations hang at memory whose page faults nobody answers (userfaultfd) until the test does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "loop.h"
#include "vmm/loop_io_pool.h"

#define PAGE	4096
#define READS	(LOOP_IO_THREADS + 3)
#define WAITING (READS - LOOP_IO_THREADS)

/* Reads of one page each, into a page of its own. */
#define BYTE 0x5a
struct trap {
	struct loop *loop;
	struct loop_post post;
	uint8_t *pages;
	int fault_fd, file_fd;
	unsigned int calls, cancelled, stop_at;
	struct iovec iov[READS];
	struct loop_io ios[READS];
	int stderr_fd; /* read end of what is said meanwhile */
	char text[512];
};

static struct trap *trap;

static void read_done(struct loop_io *io, int64_t result)
{
	if (result == -ECANCELED)
		trap->cancelled++;
	else
		assert_int_equal(result, PAGE);
	if (++trap->calls == trap->stop_at)
		loop_stop(trap->loop);
}

static void setup(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	uint8_t page[PAGE];

	trap = calloc(1, sizeof(*trap));
	assert_non_null(trap);
	trap->fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(ioctl(trap->fault_fd, UFFDIO_API, &api), 0);
	trap->pages = mmap(NULL, READS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	assert_true(trap->pages != MAP_FAILED);
	area.range.start = (uintptr_t)trap->pages;
	area.range.len = READS * PAGE;
	assert_int_equal(ioctl(trap->fault_fd, UFFDIO_REGISTER, &area), 0);
	memset(page, BYTE, PAGE);
	trap->file_fd = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(write(trap->file_fd, page, PAGE), PAGE);
	assert_int_equal(loop_new(&trap->loop, LOOP_EPOLL, LOOP_FILE_IO, NULL), 0);
	for (size_t i = 0; i < READS; i++) {
		trap->iov[i] = (struct iovec) {trap->pages + i * PAGE, PAGE};
		trap->ios[i] = (struct loop_io) {
			.op = LOOP_IO_READ,
			.fd = trap->file_fd,
			.iov = &trap->iov[i],
			.iov_n = 1,
			.fn = read_done,
		};
		assert_int_equal(loop_io_submit(trap->loop, &trap->ios[i]), 0);
	}
	/* Each thread has come to its fault. */
	for (unsigned int n = 0; n < LOOP_IO_THREADS; n++) {
		struct pollfd pollfd = {.fd = trap->fault_fd, .events = POLLIN};
		struct uffd_msg message;

		assert_int_equal(poll(&pollfd, 1, -1), 1);
		assert_int_equal(read(trap->fault_fd, &message, sizeof(message)), sizeof(message));
	}
}

static void answer_faults(void)
{
	struct uffdio_zeropage zero = {
		.range = {.start = (uintptr_t)trap->pages, .len = READS * PAGE},
	};

	if (ioctl(trap->fault_fd, UFFDIO_ZEROPAGE, &zero) < 0)
		abort();
}

static void teardown(void)
{
	close(trap->fault_fd);
	close(trap->file_fd);
	munmap(trap->pages, READS * PAGE);
	free(trap);
}

/* The oldest have been read, the others have not been touched. */
static void check_pages(void)
{
	for (size_t i = 0; i < READS * PAGE; i++)
		assert_int_equal(trap->pages[i], i / PAGE < LOOP_IO_THREADS ? BYTE : 0);
}

static void stop(struct loop_post *post)
{
	loop_stop(trap->loop);
}

static void cancel_takes_what_no_thread_has_begun(void **state)
{
	setup();
	for (size_t i = 0; i < READS; i++)
		loop_io_cancel(trap->loop, &trap->ios[i]);
	assert_int_equal(trap->calls, 0);
	trap->stop_at = WAITING;
	assert_int_equal(loop_run(trap->loop), 0);
	assert_int_equal(trap->cancelled, WAITING);
	assert_int_equal(loop_io_pending(trap->loop), LOOP_IO_THREADS);
	/* The loop itself does not hang. */
	loop_post(trap->loop, &trap->post, stop);
	assert_int_equal(loop_run(trap->loop), 0);
	assert_int_equal(trap->calls, WAITING);
	answer_faults();
	trap->stop_at = READS;
	assert_int_equal(loop_run(trap->loop), 0);
	assert_int_equal(trap->cancelled, WAITING);
	loop_free(trap->loop);
	check_pages();
	teardown();
}

/* Ends the hanging once loop_free() has complained. */
static void *listen_and_answer(void *arg)
{
	ssize_t len = read(trap->stderr_fd, trap->text, sizeof(trap->text) - 1);

	trap->text[MAX(len, (ssize_t)0)] = '\0';
	answer_faults();
	return NULL;
}

static void free_waits_and_says_so(void **state)
{
	int fds[2], saved = dup(STDERR_FILENO);
	char text[64];
	pthread_t thread;

	setup();
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	trap->stderr_fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, listen_and_answer, NULL), 0);
	dup2(fds[1], STDERR_FILENO);
	loop_free(trap->loop);
	dup2(saved, STDERR_FILENO);
	pthread_join(thread, NULL);
	snprintf(text, sizeof(text), "waiting for %u file operations", LOOP_IO_THREADS);
	assert_non_null(strstr(trap->text, text));
	assert_int_equal(trap->calls, 0);
	check_pages();
	close(saved);
	close(fds[0]);
	close(fds[1]);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancel_takes_what_no_thread_has_begun),
		cmocka_unit_test(free_waits_and_says_so),
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0) {
		printf("1..0 # SKIP no userfaultfd here: %s\n", strerror(errno));
		return 0;
	}
	close(fd);
	return cmocka_run_group_tests_name("loop_io_hung", tests, NULL, NULL);
}
