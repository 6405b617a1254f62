/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_uring_io.c - file operations that stay in an io_uring for as long as the test likes:
 * reads of an empty pipe.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "vmm/loop_uring.h"

#define MANY (2 * LOOP_URING_IO_MAX + 100) /* so most of them wait for room */

struct stage {
	struct loop *loop;
	int fds[2];
	unsigned int calls, cancelled, stop_at;
	bool cancel_next;
	struct reader {
		struct loop_io io;
		struct iovec iov;
		struct stage *stage;
		int64_t result;
		unsigned int calls;
		uint8_t byte;
	} readers[MANY];
};

static void reader_done(struct loop_io *io, int64_t result)
{
	struct reader *reader = container_of(io, struct reader, io);
	struct stage *stage = reader->stage;

	reader->result = result;
	reader->calls++;
	stage->cancelled += result == -ECANCELED;
	if (stage->cancel_next && reader > stage->readers)
		loop_io_cancel(stage->loop, &reader[-1].io);
	if (++stage->calls == stage->stop_at)
		loop_stop(stage->loop);
}

static struct stage *stage_new(unsigned int rung)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	assert_int_equal(loop_uring_new(&stage->loop, LOOP_FILE_IO, rung, NULL), 0);
	assert_int_equal(loop_complete(&stage->loop, stage->loop, NULL), 0);
	assert_int_equal(pipe2(stage->fds, O_CLOEXEC), 0);
	return stage;
}

static void stage_free(struct stage *stage)
{
	loop_free(stage->loop);
	close(stage->fds[0]);
	close(stage->fds[1]);
	free(stage);
}

static void submit(struct stage *stage, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		struct reader *reader = &stage->readers[i];

		reader->stage = stage;
		reader->iov = (struct iovec) {&reader->byte, 1};
		reader->io = (struct loop_io) {
			.op = LOOP_IO_READ,
			.fd = stage->fds[0],
			.iov = &reader->iov,
			.iov_n = 1,
			.fn = reader_done,
		};
		assert_int_equal(loop_io_submit(stage->loop, &reader->io), 0);
	}
}

static void feed(struct stage *stage, size_t n)
{
	char bytes[MANY];

	memset(bytes, 'x', n);
	assert_int_equal(write(stage->fds[1], bytes, n), n);
}

static void run_until(struct stage *stage, unsigned int calls)
{
	stage->stop_at = calls;
	assert_int_equal(loop_run(stage->loop), 0);
	assert_int_equal(stage->calls, calls);
}

static void check_reader(const struct stage *stage, size_t i, unsigned int calls, int64_t result)
{
	assert_int_equal(stage->readers[i].calls, calls);
	if (calls)
		assert_int_equal(stage->readers[i].result, result);
}

/* More are in flight than the kernel is ever given at once, and each is served. */
static void what_waits_for_room_gets_it(void **state)
{
	for (unsigned int rung = 0; rung < LOOP_URING_RUNGS; rung++) {
		struct stage *stage = stage_new(rung);

		submit(stage, 0, MANY);
		settle(stage->loop);
		assert_int_equal(stage->calls, 0);
		assert_int_equal(loop_io_pending(stage->loop), MANY);
		feed(stage, MANY);
		run_until(stage, MANY);
		for (size_t i = 0; i < MANY; i++)
			check_reader(stage, i, 1, 1);
		assert_int_equal(loop_io_pending(stage->loop), 0);
		stage_free(stage);
	}
}

static void cancel_ends_what_the_kernel_holds(void **state)
{
	for (unsigned int rung = 0; rung < LOOP_URING_RUNGS; rung++) {
		struct stage *stage = stage_new(rung);

		submit(stage, 0, 3);
		settle(stage->loop);
		loop_io_cancel(stage->loop, &stage->readers[1].io);
		loop_io_cancel(stage->loop, &stage->readers[1].io);
		assert_int_equal(stage->calls, 0);
		run_until(stage, 1);
		check_reader(stage, 1, 1, -ECANCELED);
		feed(stage, 2);
		run_until(stage, 3);
		check_reader(stage, 0, 1, 1);
		check_reader(stage, 2, 1, 1);
		check_reader(stage, 1, 1, -ECANCELED);
		stage_free(stage);
	}
}

/* The kernel never hears of these: the loop must not wait for it to tell of them. */
static void cancel_ends_what_waits_while_nothing_happens(void **state)
{
	struct stage *stage = stage_new(0);

	submit(stage, 0, MANY);
	stage->cancel_next = true;
	loop_io_cancel(stage->loop, &stage->readers[MANY - 1].io);
	run_until(stage, 10);
	assert_int_equal(stage->cancelled, 10);
	for (size_t i = MANY - 10; i < MANY; i++)
		check_reader(stage, i, 1, -ECANCELED);
	stage->cancel_next = false;
	stage_free(stage);
}

/* An operation of which the kernel has not been told yet, ended as the kernel would end it. */
static int64_t end_with(int res, bool cancel)
{
	struct stage *stage = stage_new(0);
	struct loop_io *io = &stage->readers[0].io;
	int64_t result;

	submit(stage, 0, 1);
	if (cancel)
		loop_io_cancel(stage->loop, io);
	loop_uring_io_complete(uring_loop(stage->loop), (uintptr_t)io | LOOP_URING_IO, res);
	assert_int_equal(stage->calls, 1);
	result = stage->readers[0].result;
	stage_free(stage);
	return result;
}

static void interruption_by_cancel_is_a_cancellation(void **state)
{
	assert_int_equal(end_with(-EINTR, true), -ECANCELED);
	assert_int_equal(end_with(-EINTR, false), -EINTR);
	assert_int_equal(end_with(-EIO, true), -EIO);
	assert_int_equal(end_with(1, true), 1);
}

static void cancel_ends_what_waits_for_room(void **state)
{
	struct stage *stage = stage_new(0);

	submit(stage, 0, MANY);
	settle(stage->loop);
	for (size_t i = MANY - 50; i < MANY; i++)
		loop_io_cancel(stage->loop, &stage->readers[i].io);
	assert_int_equal(stage->calls, 0);
	run_until(stage, 50);
	assert_int_equal(stage->cancelled, 50);
	/* All, whatever they have come to. */
	for (size_t i = 0; i < MANY - 50; i++)
		loop_io_cancel(stage->loop, &stage->readers[i].io);
	run_until(stage, MANY);
	assert_int_equal(stage->cancelled, MANY);
	for (size_t i = 0; i < MANY; i++)
		check_reader(stage, i, 1, -ECANCELED);
	stage_free(stage);
}

/* Bytes that are written after the loop's end stay in the pipe. */
static void free_ends_what_the_kernel_holds(void **state)
{
	static const size_t counts[] = {1, 64, 65, LOOP_URING_IO_MAX, MANY};

	for (unsigned int rung = 0; rung < LOOP_URING_RUNGS; rung++) {
		for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
			struct stage *stage = stage_new(rung);
			struct probe probe = {.take = true};
			int event = new_eventfd(1);
			char bytes[MANY];

			probe_add(stage->loop, &probe, event, POLLIN);
			submit(stage, 0, counts[c]);
			settle(stage->loop);
			assert_int_equal(loop_io_pending(stage->loop), counts[c]);
			poke(event);
			loop_free(stage->loop);
			stage->loop = NULL;
			feed(stage, counts[c]);
			assert_int_equal(read(stage->fds[0], bytes, sizeof(bytes)), counts[c]);
			assert_int_equal(stage->calls, 0);
			for (size_t i = 0; i < MANY; i++)
				assert_int_equal(stage->readers[i].byte, 0);
			close(event);
			stage_free(stage);
		}
	}
}

/* Threads that the kernel has made to carry out operations of a ring. */
static unsigned int kernel_workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (!fgets(name, sizeof(name), file))
			name[0] = '\0';
		fclose(file);
		n += strncmp(name, "iou-wrk", 7) == 0;
	}
	closedir(dir);
	return n;
}

/* What is in the page cache is copied by the thread that submits, which has other devices too. */
static void a_large_transfer_does_not_hold_the_thread(void **state)
{
	static const struct {
		size_t len;
		bool elsewhere;
	} reads[] = {{4096, false}, {MIB, false}, {4 * MIB, true}};
	struct stage *stage = stage_new(0);
	uint8_t *bytes = calloc(1, 4 * MIB);
	FILE *file = tmpfile();

	assert_non_null(bytes);
	assert_non_null(file);
	assert_int_equal(write(fileno(file), bytes, 4 * MIB), 4 * MIB);
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		struct reader *reader = &stage->readers[i];

		reader->stage = stage;
		reader->iov = (struct iovec) {bytes, reads[i].len};
		reader->io = (struct loop_io) {
			.op = LOOP_IO_READ,
			.fd = fileno(file),
			.iov = &reader->iov,
			.iov_n = 1,
			.fn = reader_done,
		};
		assert_int_equal(loop_io_submit(stage->loop, &reader->io), 0);
		run_until(stage, (unsigned int)i + 1);
		assert_int_equal(reader->result, reads[i].len);
		assert_int_equal(kernel_workers() > 0, reads[i].elsewhere);
	}
	fclose(file);
	free(bytes);
	stage_free(stage);
}

int main(int argc, char **argv)
{
	char *uring[] = {argv[0], (char[]) {"uring"}, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_for_room_gets_it),
		cmocka_unit_test(cancel_ends_what_the_kernel_holds),
		cmocka_unit_test(cancel_ends_what_waits_for_room),
		cmocka_unit_test(cancel_ends_what_waits_while_nothing_happens),
		cmocka_unit_test(interruption_by_cancel_is_a_cancellation),
		cmocka_unit_test(free_ends_what_the_kernel_holds),
		cmocka_unit_test(a_large_transfer_does_not_hold_the_thread),
	};

	if (!kind_select(2, uring))
		return 0;
	return cmocka_run_group_tests_name("loop_uring_io", tests, NULL, NULL);
}
