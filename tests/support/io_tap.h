/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io_tap.h - a host that misbehaves, for tests: stands between a loop and its file operations.
 *
 * Takes the place of the loop's table of functions (vmm/loop_impl.h). Operations go through to the
 * real ones unless a rule says otherwise, and all are recorded. Rules and records: any thread.
 */
#ifndef VMM_TEST_IO_TAP_H
#define VMM_TEST_IO_TAP_H

#include <pthread.h>

#include "loop.h"
#include "vmm/loop_impl.h"

#define IO_TAP_RULES   8
#define IO_TAP_RECORDS 4096

/* struct io_rule - what happens to some operations of one kind. */
struct io_rule {
	enum loop_io_op op;
	int mode;	    /* ALLOCATE: only with these bits of .mode */
	unsigned int skip;  /* so many first ones pass */
	unsigned int times; /* then so many are treated so */
	bool refuse;	    /* loop_io_submit() itself fails with .result */
	/*
	 * Nothing is done until io_tap_release(), which reports .result if that is negative, or
	 * a cancellation, which reports it if it is positive.
	 */
	bool hold;
	bool lie;	/* not done, and .result reported, be it 0 */
	int64_t result; /* negative: not done, reported; else: at most so many bytes are */
};

/* struct io_record - one operation that was submitted. */
struct io_record {
	enum loop_io_op op;
	int mode;
	unsigned int iov_n;
	uint64_t offset, len; /* bytes; of a transfer, in all pieces */
	bool aligned;	      /* all pieces of a transfer to 512 bytes, address and length */
};

struct io_tap {
	struct loop_ops ops; /* first */
	const struct loop_ops *real;
	struct loop *loop;
	struct loop_post post, release;
	bool posted;
	bool synchronous; /* what no rule is about is done at once, without threads or a ring */
	struct loop_io_list held, done; /* loop's thread */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	unsigned int held_n;
	struct io_rule rules[IO_TAP_RULES];
	unsigned int rules_n;
	struct io_record records[IO_TAP_RECORDS];
	unsigned int records_n;
};

/* io_tap_init - before the loop runs; for as long as the loop is there. */
void io_tap_init(struct io_tap *tap, struct loop *loop);

/* io_tap_deinit - when the loop does not run any more; it is then as it was. */
void io_tap_deinit(struct io_tap *tap);

void io_tap_rule(struct io_tap *tap, const struct io_rule *rule);

/* io_tap_clear - forget rules and records. */
void io_tap_clear(struct io_tap *tap);

/* io_tap_count - operations of kind @op since. */
unsigned int io_tap_count(struct io_tap *tap, enum loop_io_op op);

/* io_tap_records - copy of the first @max records. Return: how many there are in all. */
unsigned int io_tap_records(struct io_tap *tap, struct io_record *records, unsigned int max);

/* io_tap_wait_held - until @n operations are held, at most ten seconds. Return: how many are. */
unsigned int io_tap_wait_held(struct io_tap *tap, unsigned int n);

/* io_tap_release - let what is held begin. */
void io_tap_release(struct io_tap *tap);

#endif
