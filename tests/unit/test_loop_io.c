/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_io.c - file operations of the event loop: what they do to files, what they answer, and
 * what holds when there are many of them.
 *
 * Their end before their time is in test_loop_cancel.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "loop_kinds.h"

#define BLOCK 512
#define MANY  1000 /* more than any ring, batch or set of threads takes at once */

static int new_file(void)
{
	FILE *file = tmpfile();
	int fd;

	assert_non_null(file);
	fd = dup(fileno(file));
	assert_true(fd >= 0);
	fclose(file);
	return fd;
}

/* What byte @at of a test file is. */
static uint8_t byte_at(size_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

static int file_of(size_t size)
{
	uint8_t *bytes = malloc(size);
	int fd = new_file();

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	free(bytes);
	return fd;
}

/* One operation that stops the loop. */
struct single {
	struct loop_io io;
	struct loop *loop;
	unsigned int calls;
	int64_t result;
};

static void finished(struct loop_io *io, int64_t result)
{
	struct single *single = container_of(io, struct single, io);

	single->calls++;
	single->result = result;
	loop_stop(single->loop);
}

/* Run @io in a loop of its own. Return: its result. */
static int64_t perform(struct loop_io io)
{
	struct single single = {.io = io, .loop = kind_loop_for(LOOP_FILE_IO)};

	single.io.fn = finished;
	assert_int_equal(loop_io_submit(single.loop, &single.io), 0);
	assert_int_equal(loop_io_pending(single.loop), 1);
	assert_int_equal(single.calls, 0);
	assert_int_equal(loop_run(single.loop), 0);
	assert_int_equal(loop_io_pending(single.loop), 0);
	settle(single.loop);
	assert_int_equal(single.calls, 1);
	loop_free(single.loop);
	return single.result;
}

/* Pieces are lengths in bytes, up to the first 0. The file has 10000 bytes. */
#define FILE_SIZE  10000
#define PIECES_MAX 6

static const struct transfer {
	const char *name;
	uint64_t offset;
	size_t pieces[PIECES_MAX];
	int64_t read; /* bytes; a write takes them all */
} transfers[] = {
	{"nothing", 0, {0}, 0},
	{"one piece", 0, {512}, 512},
	{"one piece at an offset", 4096, {512}, 512},
	{"one odd piece at an odd offset", 777, {1001}, 1001},
	{"several pieces", 512, {1, 511, 3, 4096, 5}, 4616},
	{"several pieces beyond the end", 9000, {700, 200, 500, 600}, 1000},
	{"one piece beyond the end", 9999, {512}, 1},
	{"up to the end", 9488, {256, 256}, 512},
	{"from the end on", 10000, {512}, 0},
	{"far behind the end", 1 << 20, {100, 100}, 0},
};

static unsigned int cut(uint8_t *bytes, const size_t *pieces, struct iovec *iov)
{
	unsigned int n = 0;

	/* Last piece first in memory, and with gaps. */
	for (bytes += 16384; n < PIECES_MAX && pieces[n]; n++) {
		bytes -= pieces[n] + 8;
		iov[n] = (struct iovec) {bytes, pieces[n]};
	}
	return n;
}

static void read_fills_the_pieces(void **state)
{
	int fd = file_of(FILE_SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(transfers); i++) {
		const struct transfer *transfer = &transfers[i];
		uint8_t bytes[16384];
		struct iovec iov[PIECES_MAX];
		unsigned int n = cut(bytes, transfer->pieces, iov);
		size_t at = transfer->offset;

		memset(bytes, 0xee, sizeof(bytes));
		assert_int_equal(perform((struct loop_io) {
					 .op = LOOP_IO_READ,
					 .fd = fd,
					 .iov = iov,
					 .iov_n = n,
					 .offset = transfer->offset,
				 }),
				 transfer->read);
		for (unsigned int p = 0; p < n; p++) {
			const uint8_t *piece = iov[p].iov_base;

			for (size_t k = 0; k < iov[p].iov_len; k++, at++)
				if (piece[k] != (at < FILE_SIZE ? byte_at(at) : 0xee))
					fail_msg("%s: byte %zu", transfer->name, at);
			assert_int_equal(piece[iov[p].iov_len], 0xee);
		}
	}
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}

static void write_takes_the_pieces(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(transfers); i++) {
		const struct transfer *transfer = &transfers[i];
		int fd = file_of(FILE_SIZE);
		uint8_t bytes[16384], back[16384];
		struct iovec iov[PIECES_MAX];
		unsigned int n = cut(bytes, transfer->pieces, iov);
		size_t len = 0;

		for (unsigned int p = 0; p < n; p++)
			for (size_t k = 0; k < iov[p].iov_len; k++)
				((uint8_t *)iov[p].iov_base)[k] = (uint8_t)(byte_at(len++) ^ 0xff);
		assert_int_equal(perform((struct loop_io) {
					 .op = LOOP_IO_WRITE,
					 .fd = fd,
					 .iov = iov,
					 .iov_n = n,
					 .offset = transfer->offset,
				 }),
				 len);
		assert_int_equal(pread(fd, back, len, (off_t)transfer->offset), len);
		for (size_t k = 0; k < len; k++)
			if (back[k] + byte_at(k) != 0xff)
				fail_msg("%s: byte %zu", transfer->name, k);
		/* Nothing else was touched. */
		len = MIN(transfer->offset, (uint64_t)FILE_SIZE);
		assert_int_equal(pread(fd, back, len, 0), len);
		for (size_t k = 0; k < len; k++)
			assert_int_equal(back[k], byte_at(k));
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
		close(fd);
	}
}

#define NO_DESCRIPTOR (INT_MAX - 1)

static const struct failure {
	const char *name, *path;
	int flags;
	enum loop_io_op op;
	int mode;
	uint64_t len;
	bool bad_memory;
	int64_t result;
} failures[] = {
	{"read from no descriptor", NULL, 0, LOOP_IO_READ, .result = -EBADF},
	{"write to no descriptor", NULL, 0, LOOP_IO_WRITE, .result = -EBADF},
	{"sync of no descriptor", NULL, 0, LOOP_IO_SYNC, .result = -EBADF},
	{"allocate in no descriptor", NULL, 0, LOOP_IO_ALLOCATE, .len = 1, .result = -EBADF},
	{"read what is for writing", "/dev/null", O_WRONLY, LOOP_IO_READ, .result = -EBADF},
	{"write what is for reading", "/dev/null", O_RDONLY, LOOP_IO_WRITE, .result = -EBADF},
	{"write to a full device", "/dev/full", O_WRONLY, LOOP_IO_WRITE, .result = -ENOSPC},
	{"read a directory", "/", O_RDONLY, LOOP_IO_READ, .result = -EISDIR},
	{"read into nowhere", "/dev/zero", O_RDONLY, LOOP_IO_READ, .bad_memory = true,
	 .result = -EFAULT},
	{"sync of what has no disk", "/dev/null", O_WRONLY, LOOP_IO_SYNC, .result = -EINVAL},
	{"allocate in a device", "/dev/null", O_WRONLY, LOOP_IO_ALLOCATE, .len = 1,
	 .result = -ENODEV},
	{"allocate nothing", "/dev/null", O_WRONLY, LOOP_IO_ALLOCATE, .len = 0, .result = -EINVAL},
	{"punch without keeping the size", "/dev/null", O_WRONLY, LOOP_IO_ALLOCATE,
	 FALLOC_FL_PUNCH_HOLE, 1, .result = -EOPNOTSUPP},
};

static void failures_are_the_system_calls_own(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		const struct failure *failure = &failures[i];
		char byte[2] = {0};
		/* One page at address 0 is never there. */
		char *at = failure->bad_memory ? NULL : byte;

		/* As one piece, and as two: these go different ways. */
		for (unsigned int pieces = 1; pieces <= 2; pieces++) {
			const struct iovec iov[] = {{at, 1}, {at ? at + 1 : NULL, 1}};
			int fd = failure->path ? open(failure->path, failure->flags | O_CLOEXEC)
					       : NO_DESCRIPTOR;
			int64_t result;

			assert_true(fd >= 0);
			result = perform((struct loop_io) {
				.op = failure->op,
				.fd = fd,
				.mode = failure->mode,
				.iov = iov,
				.iov_n = pieces,
				.len = failure->len,
			});
			if (result != failure->result)
				fail_msg("%s, %u pieces: %d instead of %d", failure->name, pieces,
					 (int)result, (int)failure->result);
			if (failure->path)
				close(fd);
		}
	}
}

static void sync_of_a_file_succeeds(void **state)
{
	int fd = file_of(3 * BLOCK);

	assert_int_equal(perform((struct loop_io) {.op = LOOP_IO_SYNC, .fd = fd}), 0);
	close(fd);
}

/* A file in memory can have holes on every host. */
static void allocate_gives_and_takes_space(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 64 * page;
	int fd = memfd_create("allocate", MFD_CLOEXEC);
	struct loop_io io = {.op = LOOP_IO_ALLOCATE, .fd = fd, .offset = page, .len = 63 * page};
	uint8_t *bytes;
	struct stat before, after;

	assert_true(fd >= 0);
	assert_int_equal(perform(io), 0);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(before.st_size, size);
	assert_true(before.st_blocks * 512 >= (blkcnt_t)(63 * page));
	bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(bytes != MAP_FAILED);
	memset(bytes, 0xaa, size);
	assert_int_equal(fstat(fd, &before), 0);
	io.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	io.offset = 8 * page;
	io.len = 50 * page;
	assert_int_equal(perform(io), 0);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_size, size);
	assert_int_equal((before.st_blocks - after.st_blocks) * 512, 50 * page);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], i >= 8 * page && i < 58 * page ? 0 : 0xaa);
	munmap(bytes, size);
	close(fd);
}

/* Many operations, each with one block of one file. */
struct crowd {
	struct loop *loop;
	unsigned int calls;
	struct member {
		struct loop_io io;
		struct iovec iov;
		struct crowd *crowd;
		bool called;
		uint8_t block[BLOCK];
	} members[MANY];
};

static void member_done(struct loop_io *io, int64_t result)
{
	struct member *member = container_of(io, struct member, io);
	struct crowd *crowd = member->crowd;

	assert_int_equal(result, BLOCK);
	assert_false(member->called);
	member->called = true;
	if (++crowd->calls == MANY)
		loop_stop(crowd->loop);
	assert_int_equal(loop_io_pending(crowd->loop), MANY - crowd->calls);
}

static void crowd_submit(struct crowd *crowd, int fd, enum loop_io_op op)
{
	crowd->calls = 0;
	for (size_t i = 0; i < MANY; i++) {
		struct member *member = &crowd->members[i];

		member->crowd = crowd;
		member->called = false;
		member->iov = (struct iovec) {member->block, BLOCK};
		member->io = (struct loop_io) {
			.op = op,
			.fd = fd,
			.iov = &member->iov,
			.iov_n = 1,
			.offset = (MANY - 1 - i) * BLOCK,
			.fn = member_done,
		};
		assert_int_equal(loop_io_submit(crowd->loop, &member->io), 0);
		assert_int_equal(loop_io_pending(crowd->loop), i + 1);
	}
}

static void crowd_run(struct crowd *crowd)
{
	assert_int_equal(loop_run(crowd->loop), 0);
	assert_int_equal(crowd->calls, MANY);
	assert_int_equal(loop_io_pending(crowd->loop), 0);
}

struct crowd_post {
	struct loop_post post;
	struct crowd *crowd;
	int fd;
};

static void submit_writes(struct loop_post *post)
{
	struct crowd_post *at = container_of(post, struct crowd_post, post);

	crowd_submit(at->crowd, at->fd, LOOP_IO_WRITE);
}

static void a_thousand_in_flight(void **state)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	struct probe probe = {.take = true};
	struct crowd_post post = {.crowd = crowd};
	int fd = file_of(MANY * BLOCK), event = new_eventfd(1);

	assert_non_null(crowd);
	crowd->loop = kind_loop_for(LOOP_FILE_IO);
	/* From the thread that makes the loop, before it runs. */
	crowd_submit(crowd, fd, LOOP_IO_READ);
	crowd_run(crowd);
	for (size_t i = 0; i < MANY; i++)
		for (size_t k = 0; k < BLOCK; k++)
			assert_int_equal(crowd->members[i].block[k],
					 byte_at((MANY - 1 - i) * BLOCK + k));
	/* From a callback; other events are served meanwhile. */
	for (size_t i = 0; i < MANY; i++)
		memset(crowd->members[i].block, (int)(i % 255), BLOCK);
	probe_add(crowd->loop, &probe, event, POLLIN);
	post.fd = fd;
	loop_post(crowd->loop, &post.post, submit_writes);
	crowd_run(crowd);
	settle(crowd->loop);
	assert_int_equal(probe.calls, 1);
	for (size_t i = 0; i < MANY; i++) {
		uint8_t block[BLOCK];

		assert_int_equal(pread(fd, block, BLOCK, (off_t)((MANY - 1 - i) * BLOCK)), BLOCK);
		for (size_t k = 0; k < BLOCK; k++)
			assert_int_equal(block[k], i % 255);
	}
	loop_free(crowd->loop);
	free(crowd);
	close(event);
	close(fd);
}

/* Reads a file block by block: each callback submits the next read, in a struct of its own. */
struct walk {
	struct loop_io io;
	struct iovec iov;
	struct loop *loop;
	unsigned int *blocks;
	uint8_t block[BLOCK];
};

static void walk_on(struct loop_io *io, int64_t result);

static void walk_submit(struct loop *loop, int fd, uint64_t offset, unsigned int *blocks)
{
	struct walk *walk = calloc(1, sizeof(*walk));

	assert_non_null(walk);
	walk->loop = loop;
	walk->blocks = blocks;
	walk->iov = (struct iovec) {walk->block, BLOCK};
	walk->io = (struct loop_io) {
		.op = LOOP_IO_READ,
		.fd = fd,
		.iov = &walk->iov,
		.iov_n = 1,
		.offset = offset,
		.fn = walk_on,
	};
	assert_int_equal(loop_io_submit(loop, &walk->io), 0);
}

static void walk_on(struct loop_io *io, int64_t result)
{
	struct walk *walk = container_of(io, struct walk, io);

	if (result == BLOCK) {
		for (size_t k = 0; k < BLOCK; k++)
			assert_int_equal(walk->block[k], byte_at(io->offset + k));
		++*walk->blocks;
		walk_submit(walk->loop, io->fd, io->offset + BLOCK, walk->blocks);
	} else {
		assert_int_equal(result, 0);
		loop_stop(walk->loop);
	}
	free(walk);
}

static void callback_submits_again_and_frees(void **state)
{
	struct loop *loop = kind_loop_for(LOOP_FILE_IO);
	int fd = file_of(MANY * BLOCK);
	unsigned int blocks = 0;

	walk_submit(loop, fd, 0, &blocks);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(blocks, MANY);
	loop_free(loop);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_fills_the_pieces),
		cmocka_unit_test(write_takes_the_pieces),
		cmocka_unit_test(failures_are_the_system_calls_own),
		cmocka_unit_test(sync_of_a_file_succeeds),
		cmocka_unit_test(allocate_gives_and_takes_space),
		cmocka_unit_test(a_thousand_in_flight),
		cmocka_unit_test(callback_submits_again_and_frees),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("loop_io", tests, NULL, NULL);
}
