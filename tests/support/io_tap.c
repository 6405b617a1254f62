/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io_tap.c - a host that misbehaves. See io_tap.h.
 */
#include "io_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "vq.h"

#define TIMEOUT_S 10

/* loop_io.state of an operation that is ours; none of enum loop_io_state. */
enum { STATE_HELD = 100, STATE_DONE };

static struct io_tap *tap_of(struct loop *loop)
{
	return (struct io_tap *)(uintptr_t)loop->ops; /* it is the first member */
}

static void serve_done(struct loop_post *post)
{
	struct io_tap *tap = container_of(post, struct io_tap, post);
	struct loop_io_list done = tap->done;
	struct loop_io *io;

	tap->posted = false;
	tap->done = (struct loop_io_list) {.first = NULL};
	while ((io = loop_io_take(&done)))
		loop_io_finish(tap->loop, io, io->result);
}

static void finish_soon(struct io_tap *tap, struct loop_io *io, int64_t result)
{
	io->result = result;
	io->state = STATE_DONE;
	loop_io_append(&tap->done, io);
	if (!tap->posted)
		loop_post(tap->loop, &tap->post, serve_done);
	tap->posted = true;
}

/* Really, but no more than the first @max bytes of a transfer. */
static int64_t carry_out(const struct loop_io *io, uint64_t max)
{
	struct iovec iov[VQ_SIZE_MAX];
	unsigned int n = 0;
	ssize_t r = -1;

	for (uint64_t left = max; n < io->iov_n && left > 0; n++) {
		iov[n] = io->iov[n];
		iov[n].iov_len = MIN(iov[n].iov_len, left);
		left -= iov[n].iov_len;
	}
	switch (io->op) {
	case LOOP_IO_READ:
		r = preadv(io->fd, iov, (int)n, (off_t)io->offset);
		break;
	case LOOP_IO_WRITE:
		r = pwritev(io->fd, iov, (int)n, (off_t)io->offset);
		break;
	case LOOP_IO_SYNC:
		r = fdatasync(io->fd);
		break;
	case LOOP_IO_ALLOCATE:
		r = fallocate(io->fd, io->mode, (off_t)io->offset, (off_t)io->len);
		break;
	}
	return r < 0 ? -errno : r;
}

/* With the lock held. */
static void add_record(struct io_tap *tap, const struct loop_io *io)
{
	struct io_record record = {.op = io->op, .offset = io->offset, .aligned = true};
	const bool transfer = io->op == LOOP_IO_READ || io->op == LOOP_IO_WRITE;

	if (io->op == LOOP_IO_ALLOCATE) {
		record.mode = io->mode;
		record.len = io->len;
	}
	for (unsigned int i = 0; transfer && i < io->iov_n; i++) {
		record.iov_n++;
		record.len += io->iov[i].iov_len;
		if (((uintptr_t)io->iov[i].iov_base | io->iov[i].iov_len) % 512)
			record.aligned = false;
	}
	if (tap->records_n < IO_TAP_RECORDS)
		tap->records[tap->records_n++] = record;
}

/* With the lock held. Return: false if the operation passes. */
static bool find_rule(struct io_tap *tap, const struct loop_io *io, struct io_rule *found)
{
	for (unsigned int i = 0; i < tap->rules_n; i++) {
		struct io_rule *rule = &tap->rules[i];

		if (rule->op != io->op || rule->times == 0)
			continue;
		if (io->op == LOOP_IO_ALLOCATE && (io->mode & rule->mode) != rule->mode)
			continue;
		if (rule->skip > 0) {
			rule->skip--;
			continue;
		}
		rule->times--;
		*found = *rule;
		return true;
	}
	return false;
}

static int submit(struct loop *loop, struct loop_io *io)
{
	struct io_tap *tap = tap_of(loop);
	struct io_rule rule;
	bool found;

	pthread_mutex_lock(&tap->lock);
	add_record(tap, io);
	found = find_rule(tap, io, &rule);
	if (found && rule.hold) {
		io->state = STATE_HELD;
		io->result = rule.result;
		loop_io_append(&tap->held, io);
		tap->held_n++;
		pthread_cond_broadcast(&tap->changed);
	}
	pthread_mutex_unlock(&tap->lock);
	if (!found && tap->synchronous)
		finish_soon(tap, io, carry_out(io, UINT64_MAX));
	else if (!found)
		return tap->real->io_submit(loop, io);
	if (!found)
		return 0;
	if (rule.refuse)
		return (int)rule.result;
	if (rule.hold)
		return 0;
	if (rule.result < 0 || rule.lie)
		finish_soon(tap, io, rule.result);
	else
		finish_soon(tap, io, carry_out(io, (uint64_t)rule.result));
	return 0;
}

static void cancel(struct loop *loop, struct loop_io *io)
{
	struct io_tap *tap = tap_of(loop);

	if (io->state != STATE_HELD && io->state != STATE_DONE) {
		tap->real->io_cancel(loop, io);
	} else if (io->state == STATE_HELD) {
		pthread_mutex_lock(&tap->lock);
		loop_io_unlink(&tap->held, io);
		tap->held_n--;
		pthread_mutex_unlock(&tap->lock);
		finish_soon(tap, io, io->result > 0 ? io->result : -ECANCELED);
	}
}

static void drain(struct loop *loop)
{
	struct io_tap *tap = tap_of(loop);

	tap->held = tap->done = (struct loop_io_list) {.first = NULL};
	tap->real->io_drain(loop);
}

void io_tap_init(struct io_tap *tap, struct loop *loop)
{
	memset(tap, 0, sizeof(*tap));
	pthread_mutex_init(&tap->lock, NULL);
	pthread_cond_init(&tap->changed, NULL);
	tap->loop = loop;
	tap->real = loop->ops;
	tap->ops = *loop->ops;
	tap->ops.io_submit = submit;
	tap->ops.io_cancel = cancel;
	tap->ops.io_drain = drain;
	loop->ops = &tap->ops;
}

void io_tap_deinit(struct io_tap *tap)
{
	tap->loop->ops = tap->real;
	pthread_cond_destroy(&tap->changed);
	pthread_mutex_destroy(&tap->lock);
}

void io_tap_rule(struct io_tap *tap, const struct io_rule *rule)
{
	pthread_mutex_lock(&tap->lock);
	assert_true(tap->rules_n < IO_TAP_RULES);
	tap->rules[tap->rules_n++] = *rule;
	pthread_mutex_unlock(&tap->lock);
}

void io_tap_clear(struct io_tap *tap)
{
	pthread_mutex_lock(&tap->lock);
	tap->rules_n = tap->records_n = 0;
	pthread_mutex_unlock(&tap->lock);
}

unsigned int io_tap_records(struct io_tap *tap, struct io_record *records, unsigned int max)
{
	unsigned int n;

	pthread_mutex_lock(&tap->lock);
	n = tap->records_n;
	for (unsigned int i = 0; i < MIN(n, max); i++)
		records[i] = tap->records[i];
	pthread_mutex_unlock(&tap->lock);
	return n;
}

unsigned int io_tap_count(struct io_tap *tap, enum loop_io_op op)
{
	unsigned int n = 0;

	pthread_mutex_lock(&tap->lock);
	for (unsigned int i = 0; i < tap->records_n; i++)
		n += tap->records[i].op == op;
	pthread_mutex_unlock(&tap->lock);
	return n;
}

unsigned int io_tap_wait_held(struct io_tap *tap, unsigned int n)
{
	struct timespec until;
	unsigned int held;
	int code = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TIMEOUT_S;
	pthread_mutex_lock(&tap->lock);
	while (tap->held_n < n && code == 0)
		code = pthread_cond_timedwait(&tap->changed, &tap->lock, &until);
	held = tap->held_n;
	pthread_mutex_unlock(&tap->lock);
	return held;
}

static void release(struct loop_post *post)
{
	struct io_tap *tap = container_of(post, struct io_tap, release);
	struct loop_io_list held = tap->held;
	struct loop_io *io;

	pthread_mutex_lock(&tap->lock);
	tap->held = (struct loop_io_list) {.first = NULL};
	tap->held_n = 0;
	pthread_mutex_unlock(&tap->lock);
	while ((io = loop_io_take(&held)))
		if (io->result < 0)
			finish_soon(tap, io, io->result);
		else
			assert_int_equal(tap->real->io_submit(tap->loop, io), 0);
}

void io_tap_release(struct io_tap *tap)
{
	loop_post(tap->loop, &tap->release, release);
}
