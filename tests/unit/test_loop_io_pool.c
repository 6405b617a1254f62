/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_io_pool.c - the threads behind the file operations of an epoll loop: how many there
 * are, and when.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop.h"
#include "vmm/loop_io_pool.h"

#define MANY 100

/*
 * pool_threads - threads of a pool that this process has.
 * @blocked: signals that all of them block; NULL: do not care.
 */
static unsigned int pool_threads(uint64_t *blocked)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	unsigned int n = 0;

	assert_non_null(tasks);
	while ((task = readdir(tasks))) {
		char path[300], line[128];
		unsigned long mask;
		bool ours = false;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
		file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file)) {
			ours |= strcmp(line, "Name:\tloop-io\n") == 0;
			if (ours && blocked && sscanf(line, "SigBlk: %lx", &mask) == 1)
				*blocked &= mask;
		}
		n += ours;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return n;
}

/* Reads of zeros that take a moment each: into one place again and again. */
#define PIECES	   256
#define PIECE_SIZE 65536

struct reader {
	struct loop_io io;
	struct iovec iov[PIECES];
	uint8_t bytes[PIECE_SIZE];
};

struct readers {
	struct loop *loop;
	int fd;
	unsigned int left, threads;
	uint64_t blocked;
	bool one_by_one;
	struct reader *next;
	struct reader readers[MANY];
};

static struct readers *all; /* of the test that runs */

static void reader_done(struct loop_io *io, int64_t result)
{
	assert_int_equal(result, PIECES * PIECE_SIZE);
	all->threads = MAX(all->threads, pool_threads(&all->blocked));
	if (--all->left == 0)
		loop_stop(all->loop);
	else if (all->one_by_one)
		assert_int_equal(loop_io_submit(all->loop, &all->next++->io), 0);
}

static void setup(void)
{
	all = calloc(1, sizeof(*all));
	assert_non_null(all);
	assert_int_equal(loop_new(&all->loop, LOOP_EPOLL, LOOP_FILE_IO, NULL), 0);
	all->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_true(all->fd >= 0);
	all->blocked = UINT64_MAX;
	all->left = MANY;
	all->next = all->readers;
	for (struct reader *reader = all->readers; reader < all->readers + MANY; reader++) {
		for (size_t i = 0; i < PIECES; i++)
			reader->iov[i] = (struct iovec) {reader->bytes, PIECE_SIZE};
		reader->io = (struct loop_io) {
			.op = LOOP_IO_READ,
			.fd = all->fd,
			.iov = reader->iov,
			.iov_n = PIECES,
			.fn = reader_done,
		};
	}
}

/* As long as it takes: meson has a time-out. One that was joined may still be seen for a moment. */
static void wait_for_no_threads(void)
{
	while (pool_threads(NULL) > 0)
		usleep(20000);
}

static void teardown(void)
{
	loop_free(all->loop);
	wait_for_no_threads();
	close(all->fd);
	free(all);
}

static void start(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(loop_io_submit(all->loop, &all->next++->io), 0);
}

static void no_thread_before_the_first_operation(void **state)
{
	setup();
	loop_stop(all->loop);
	assert_int_equal(loop_run(all->loop), 0);
	assert_int_equal(pool_threads(NULL), 0);
	teardown();
}

static void threads_are_few_and_take_no_signals(void **state)
{
	setup();
	start(MANY);
	assert_int_equal(loop_run(all->loop), 0);
	assert_in_range(all->threads, 2, LOOP_IO_THREADS);
	for (int signal = 1; signal < 32; signal++) {
		bool blocked = all->blocked & (UINT64_C(1) << (signal - 1));

		if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP ||
		    signal == SIGUSR1 || signal == SIGCHLD || signal == SIGPIPE)
			assert_true(blocked);
		if (signal == SIGSEGV || signal == SIGBUS)
			assert_false(blocked);
	}
	teardown();
}

static void one_operation_at_a_time_takes_one_thread(void **state)
{
	setup();
	all->one_by_one = true;
	start(1);
	assert_int_equal(loop_run(all->loop), 0);
	assert_int_equal(all->threads, 1);
	teardown();
}

static void idle_threads_end_and_are_replaced(void **state)
{
	setup();
	all->left = MANY / 2;
	start(MANY / 2);
	assert_int_equal(loop_run(all->loop), 0);
	assert_in_range(all->threads, 2, LOOP_IO_THREADS);
	wait_for_no_threads();
	all->left = MANY / 2;
	all->threads = 0;
	start(MANY / 2);
	assert_int_equal(loop_run(all->loop), 0);
	assert_in_range(all->threads, 2, LOOP_IO_THREADS);
	teardown();
}

/* The next threads would get stacks larger than any address space. */
static void set_stacks(size_t size)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstacksize(&attr, size), 0);
	assert_int_equal(pthread_setattr_default_np(&attr), 0);
	pthread_attr_destroy(&attr);
}

static void without_a_thread_submit_fails(void **state)
{
	size_t size;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_getstacksize(&attr, &size), 0);
	pthread_attr_destroy(&attr);
	setup();
	set_stacks((size_t)1 << 50);
	assert_int_equal(loop_io_submit(all->loop, &all->next->io), -EAGAIN);
	assert_int_equal(loop_io_pending(all->loop), 0);
	set_stacks(size);
	/* One thread is there: no other is needed. */
	start(1);
	set_stacks((size_t)1 << 50);
	start(MANY - 1);
	assert_int_equal(loop_run(all->loop), 0);
	assert_int_equal(all->threads, 1);
	set_stacks(size);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_thread_before_the_first_operation),
		cmocka_unit_test(threads_are_few_and_take_no_signals),
		cmocka_unit_test(one_operation_at_a_time_takes_one_thread),
		cmocka_unit_test(idle_threads_end_and_are_replaced),
		cmocka_unit_test(without_a_thread_submit_fails),
	};

	return cmocka_run_group_tests_name("loop_io_pool", tests, NULL, NULL);
}
