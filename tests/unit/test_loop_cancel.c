/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_cancel.c - file operations of the event loop that end before their time: cancelled, or
 * still in flight when their loop is freed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "loop_kinds.h"

#define BLOCK 4096
#define MANY  1000 /* more than any ring, batch or set of threads takes at once */
#define FRESH 0x11 /* what blocks hold before they are read, and what the file holds */
#define READ  0x22

struct crowd {
	struct loop *loop;
	struct loop_post post;
	int fd;
	unsigned int calls, cancelled, stop_at;
	bool cancel_next;
	struct member {
		struct loop_io io;
		struct iovec iov;
		struct crowd *crowd;
		unsigned int calls;
		uint8_t block[BLOCK];
	} members[MANY];
};

static struct crowd *crowd_new(void)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	uint8_t block[BLOCK];
	FILE *file = tmpfile();

	assert_non_null(crowd);
	assert_non_null(file);
	crowd->loop = kind_loop_for(LOOP_FILE_IO);
	crowd->fd = dup(fileno(file));
	assert_true(crowd->fd >= 0);
	fclose(file);
	memset(block, READ, sizeof(block));
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(write(crowd->fd, block, BLOCK), BLOCK);
	crowd->stop_at = MANY;
	return crowd;
}

/* The loop has been freed. */
static void crowd_free(struct crowd *crowd)
{
	close(crowd->fd);
	free(crowd);
}

static void check_block(const struct member *member, uint8_t byte)
{
	for (size_t i = 0; i < BLOCK; i++)
		assert_int_equal(member->block[i], byte);
}

static void member_done(struct loop_io *io, int64_t result)
{
	struct member *member = container_of(io, struct member, io);
	struct crowd *crowd = member->crowd;
	struct member *next = member + 1;

	if (result == -ECANCELED) {
		crowd->cancelled++;
		check_block(member, FRESH);
	} else {
		assert_int_equal(result, BLOCK);
		check_block(member, READ);
	}
	assert_int_equal(++member->calls, 1);
	if (crowd->cancel_next && next < crowd->members + MANY && next->calls == 0)
		loop_io_cancel(crowd->loop, &next->io);
	if (++crowd->calls == crowd->stop_at)
		loop_stop(crowd->loop);
}

static void submit_all(struct crowd *crowd)
{
	for (size_t i = 0; i < MANY; i++) {
		struct member *member = &crowd->members[i];

		memset(member->block, FRESH, BLOCK);
		member->crowd = crowd;
		member->iov = (struct iovec) {member->block, BLOCK};
		member->io = (struct loop_io) {
			.op = LOOP_IO_READ,
			.fd = crowd->fd,
			.iov = &member->iov,
			.iov_n = 1,
			.offset = i * BLOCK,
			.fn = member_done,
		};
		assert_int_equal(loop_io_submit(crowd->loop, &member->io), 0);
	}
}

/* Newest first, some twice. */
static void cancel_all(struct crowd *crowd)
{
	for (size_t i = MANY; i-- > 0;) {
		loop_io_cancel(crowd->loop, &crowd->members[i].io);
		if (i % 3 == 0)
			loop_io_cancel(crowd->loop, &crowd->members[i].io);
	}
	assert_int_equal(crowd->calls, 0);
}

static void run_to_the_end(struct crowd *crowd)
{
	assert_int_equal(loop_run(crowd->loop), 0);
	settle(crowd->loop);
	assert_int_equal(loop_io_pending(crowd->loop), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(crowd->members[i].calls, 1);
	loop_free(crowd->loop);
	crowd_free(crowd);
}

static void cancel_before_the_loop_runs(void **state)
{
	struct crowd *crowd = crowd_new();

	submit_all(crowd);
	cancel_all(crowd);
	run_to_the_end(crowd);
}

static void submit_and_cancel(struct loop_post *post)
{
	struct crowd *crowd = container_of(post, struct crowd, post);

	submit_all(crowd);
	cancel_all(crowd);
}

static void cancel_in_the_callback_that_submits(void **state)
{
	struct crowd *crowd = crowd_new();

	loop_post(crowd->loop, &crowd->post, submit_and_cancel);
	run_to_the_end(crowd);
}

/* Whatever the next one has come to by then: waiting, begun, done. */
static void cancel_in_the_callback_of_another(void **state)
{
	struct crowd *crowd = crowd_new();

	crowd->cancel_next = true;
	submit_all(crowd);
	run_to_the_end(crowd);
}

/* A loop without anything else to do still has to tell what was cancelled. */
static void cancelled_operations_alone_wake_the_loop(void **state)
{
	struct crowd *crowd = crowd_new();
	unsigned int cancelled;

	submit_all(crowd);
	for (size_t i = MANY / 2; i < MANY; i++)
		loop_io_cancel(crowd->loop, &crowd->members[i].io);
	crowd->stop_at = MANY;
	assert_int_equal(loop_run(crowd->loop), 0);
	cancelled = crowd->cancelled;
	assert_true(cancelled <= MANY / 2);
	loop_free(crowd->loop);
	crowd_free(crowd);
}

static void free_without_a_run(void **state)
{
	struct crowd *crowd = crowd_new();

	submit_all(crowd);
	assert_int_equal(loop_io_pending(crowd->loop), MANY);
	loop_free(crowd->loop);
	assert_int_equal(crowd->calls, 0);
	crowd_free(crowd);
}

/* What was in flight does not write to its memory once the loop is gone. */
static void check_nothing_comes(struct crowd *crowd)
{
	for (size_t i = 0; i < MANY; i++)
		memset(crowd->members[i].block, FRESH, BLOCK);
	usleep(20000);
	for (size_t i = 0; i < MANY; i++)
		check_block(&crowd->members[i], FRESH);
}

static void free_with_operations_in_flight(void **state)
{
	for (unsigned int stop_at = 1; stop_at < MANY; stop_at *= 3) {
		struct crowd *crowd = crowd_new();
		unsigned int calls = 0;

		crowd->stop_at = stop_at;
		submit_all(crowd);
		assert_int_equal(loop_run(crowd->loop), 0);
		assert_true(crowd->calls >= stop_at);
		for (size_t i = 0; i < MANY; i++)
			calls += crowd->members[i].calls;
		assert_int_equal(loop_io_pending(crowd->loop), MANY - calls);
		loop_free(crowd->loop);
		/* Nobody was called by that. */
		assert_int_equal(crowd->calls, calls);
		check_nothing_comes(crowd);
		crowd_free(crowd);
	}
}

/* Allocates a large file, which takes a while and can be watched. */
struct builder {
	struct loop_io io;
	struct loop_post post;
	struct loop *loop;
	unsigned int calls;
};

static blkcnt_t blocks_of(int fd)
{
	struct stat stat;

	assert_int_equal(fstat(fd, &stat), 0);
	return stat.st_blocks;
}

static void builder_done(struct loop_io *io, int64_t result)
{
	container_of(io, struct builder, io)->calls++;
}

static void stop_when_begun(struct loop_post *post)
{
	struct builder *builder = container_of(post, struct builder, post);

	if (builder->calls || blocks_of(builder->io.fd) > 0)
		loop_stop(builder->loop);
	else
		loop_post(builder->loop, post, stop_when_begun);
}

static void free_waits_for_what_has_begun(void **state)
{
	const uint64_t size = 64 * MIB;
	struct builder builder = {
		.loop = kind_loop_for(LOOP_FILE_IO),
		.io = {.op = LOOP_IO_ALLOCATE, .len = size, .fn = builder_done},
	};
	blkcnt_t blocks;

	builder.io.fd = memfd_create("large", MFD_CLOEXEC);
	assert_true(builder.io.fd >= 0);
	assert_int_equal(loop_io_submit(builder.loop, &builder.io), 0);
	loop_post(builder.loop, &builder.post, stop_when_begun);
	assert_int_equal(loop_run(builder.loop), 0);
	loop_free(builder.loop);
	blocks = blocks_of(builder.io.fd);
	/* An interrupted one takes back what it has allocated. */
	assert_true(blocks == 0 || blocks == (blkcnt_t)(size / 512));
	usleep(20000);
	assert_int_equal(blocks_of(builder.io.fd), blocks);
	close(builder.io.fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancel_before_the_loop_runs),
		cmocka_unit_test(cancel_in_the_callback_that_submits),
		cmocka_unit_test(cancel_in_the_callback_of_another),
		cmocka_unit_test(cancelled_operations_alone_wake_the_loop),
		cmocka_unit_test(free_without_a_run),
		cmocka_unit_test(free_with_operations_in_flight),
		cmocka_unit_test(free_waits_for_what_has_begun),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("loop_cancel", tests, NULL, NULL);
}
