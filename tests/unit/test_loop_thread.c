/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_loop_thread.c - a loop with a thread of its own: whose the loop is at which time, and what
 * is left when the thread has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_kinds.h"
#include "loop_thread.h"
#include "vmm/loop_impl.h"

#define BLOCK 4096
#define MANY  1000

/* One visit to the other thread. */
struct visit {
	struct loop_post post;
	struct loop *loop;
	sem_t over;
	char name[16];
	sigset_t blocked;
	bool mine;
	pthread_t thread;
};

static void look_around(struct loop_post *post)
{
	struct visit *visit = container_of(post, struct visit, post);

	visit->thread = pthread_self();
	pthread_getname_np(visit->thread, visit->name, sizeof(visit->name));
	pthread_sigmask(SIG_BLOCK, NULL, &visit->blocked);
	visit->mine = loop_is_mine(visit->loop);
	sem_post(&visit->over);
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) < 0)
		assert_int_equal(errno, EINTR);
}

static struct loop_thread *new_thread(const char *name, unsigned int ops)
{
	struct loop_thread *thread;
	struct error err;

	if (loop_thread_new(&thread, kind_chosen(), ops, name, &err) < 0)
		fail_msg("%s", err.text);
	return thread;
}

static void visit(struct loop_thread *thread, struct visit *visit)
{
	visit->loop = loop_thread_loop(thread);
	assert_int_equal(sem_init(&visit->over, 0, 0), 0);
	loop_post(visit->loop, &visit->post, look_around);
	wait_for(&visit->over);
	sem_destroy(&visit->over);
}

static void thread_has_a_name_and_takes_no_signals(void **state)
{
	static const struct {
		const char *asked, *got;
	} names[] = {
		{"virtio", "virtio"},
		{"exactly15-chars", "exactly15-chars"},
		{"more than fifteen characters", "more than fifte"},
	};
	static const int signals[] = {SIGTERM, SIGINT,	SIGHUP,	 SIGQUIT, SIGTSTP,
				      SIGCONT, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct loop_thread *thread = new_thread(names[i].asked, 0);
		struct visit there;

		assert_int_equal(loop_thread_start(thread), 0);
		visit(thread, &there);
		assert_string_equal(there.name, names[i].got);
		for (size_t s = 0; s < ARRAY_SIZE(signals); s++)
			assert_true(sigismember(&there.blocked, signals[s]));
		assert_false(sigismember(&there.blocked, SIGSEGV));
		assert_false(pthread_equal(there.thread, pthread_self()));
		loop_thread_stop(thread);
		loop_thread_free(thread);
	}
}

static void loop_belongs_to_whoever_runs_it(void **state)
{
	struct loop_thread *thread = new_thread("virtio", 0);
	struct loop *loop = loop_thread_loop(thread);
	struct visit there;

	assert_true(loop_is_mine(loop));
	assert_int_equal(loop_thread_start(thread), 0);
	/* Already, although the thread may have had no time yet. */
	assert_false(loop_is_mine(loop));
	for (int i = 0; i < 100; i++) {
		visit(thread, &there);
		assert_true(there.mine);
		assert_false(loop_is_mine(loop));
	}
	loop_thread_stop(thread);
	assert_true(loop_is_mine(loop));
	loop_thread_free(thread);
}

/* Counts on the thread, is read when it has ended. */
struct counter {
	struct loop_watch watch;
	sem_t called;
	unsigned int calls;
};

static void count(struct loop_watch *watch, uint32_t events)
{
	struct counter *counter = container_of(watch, struct counter, watch);

	counter->calls++;
	sem_post(&counter->called);
}

static void watches_are_made_before_and_removed_after(void **state)
{
	struct loop_thread *thread = new_thread("virtio", 0);
	struct loop *loop = loop_thread_loop(thread);
	struct counter counter = {.calls = 0};
	int fd = new_eventfd(0);

	assert_int_equal(sem_init(&counter.called, 0, 0), 0);
	assert_int_equal(loop_watch_add(loop, &counter.watch, fd, POLLIN, count), 0);
	assert_int_equal(loop_thread_start(thread), 0);
	for (int i = 0; i < 10; i++) {
		poke(fd);
		wait_for(&counter.called);
	}
	loop_thread_stop(thread);
	assert_int_equal(counter.calls, 10);
	poke(fd);
	loop_watch_remove(loop, &counter.watch);
	close(fd);
	loop_thread_free(thread);
	assert_int_equal(counter.calls, 10);
	sem_destroy(&counter.called);
}

static void thread_that_never_started_is_freed(void **state)
{
	struct loop_thread *thread = new_thread("virtio", LOOP_FILE_IO);

	loop_thread_stop(thread);
	loop_thread_free(thread);
	thread = new_thread("virtio", LOOP_FILE_IO);
	loop_thread_free(thread);
	loop_thread_free(NULL);
}

static void stop_at_any_moment(void **state)
{
	for (int i = 0; i < 200; i++) {
		struct loop_thread *thread = new_thread("virtio", i % 2 ? LOOP_FILE_IO : 0);

		assert_int_equal(loop_thread_start(thread), 0);
		if (i % 3 == 0)
			loop_thread_stop(thread);
		loop_thread_free(thread);
	}
}

/* A device whose reads never end by themselves: each is submitted again, up to the machine's end.
 */
struct disk {
	struct loop_post post;
	struct loop *loop;
	int fd;
	sem_t busy;
	unsigned int calls;
	struct request {
		struct loop_io io;
		struct iovec iov;
		struct disk *disk;
		uint8_t block[BLOCK];
	} requests[MANY];
};

static void request_done(struct loop_io *io, int64_t result)
{
	struct disk *disk = container_of(io, struct request, io)->disk;

	if (result != BLOCK || loop_io_submit(disk->loop, io) < 0)
		abort();
	if (++disk->calls == MANY)
		sem_post(&disk->busy);
}

static void submit_requests(struct loop_post *post)
{
	struct disk *disk = container_of(post, struct disk, post);

	for (struct request *request = disk->requests; request < disk->requests + MANY; request++) {
		request->disk = disk;
		request->iov = (struct iovec) {request->block, BLOCK};
		request->io = (struct loop_io) {
			.op = LOOP_IO_READ,
			.fd = disk->fd,
			.iov = &request->iov,
			.iov_n = 1,
			.fn = request_done,
		};
		if (loop_io_submit(disk->loop, &request->io) < 0)
			abort();
	}
}

static int new_file(void)
{
	static const uint8_t block[BLOCK] = {1};
	FILE *file = tmpfile();
	int fd;

	assert_non_null(file);
	fd = dup(fileno(file));
	assert_true(fd >= 0);
	fclose(file);
	assert_int_equal(write(fd, block, BLOCK), BLOCK);
	return fd;
}

static void stop_leaves_nothing_in_flight(void **state)
{
	struct loop_thread *thread = new_thread("virtio", LOOP_FILE_IO);
	struct loop *loop = loop_thread_loop(thread);
	struct disk *disk = calloc(1, sizeof(*disk));
	unsigned int calls;

	assert_non_null(disk);
	disk->loop = loop;
	disk->fd = new_file();
	assert_int_equal(sem_init(&disk->busy, 0, 0), 0);
	loop_post(loop, &disk->post, submit_requests);
	assert_int_equal(loop_thread_start(thread), 0);
	wait_for(&disk->busy);
	loop_thread_stop(thread);
	assert_int_equal(loop_io_pending(loop), 0);
	/* What comes too late is refused, and does no harm. */
	assert_int_equal(loop_io_submit(loop, &disk->requests[0].io), -ECANCELED);
	for (size_t i = 0; i < MANY; i++)
		loop_io_cancel(loop, &disk->requests[i].io);
	calls = disk->calls;
	for (size_t i = 0; i < MANY; i++)
		memset(disk->requests[i].block, 0, BLOCK);
	usleep(20000);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(disk->requests[i].block[0], 0);
	assert_int_equal(disk->calls, calls);
	/* The device goes before its loop. */
	close(disk->fd);
	sem_destroy(&disk->busy);
	free(disk);
	loop_thread_free(thread);
}

static const struct loop_ops *real_ops;
static atomic_bool broken;

static int turn(struct loop *loop)
{
	return broken ? -EBADF : real_ops->turn(loop);
}

static void ignore(struct loop_post *post)
{
}

static void note_failure(void *owner)
{
	sem_post(owner);
}

/* Its devices are dead: whoever runs the machine has to end it. */
static void a_loop_that_fails_is_reported(void **state)
{
	struct loop_thread *thread = new_thread("virtio", 0);
	struct loop *loop = loop_thread_loop(thread);
	struct loop_ops ops = *loop->ops;
	struct loop_post post = {NULL};
	sem_t failed;

	assert_int_equal(sem_init(&failed, 0, 0), 0);
	real_ops = loop->ops;
	ops.turn = turn;
	loop->ops = &ops;
	loop_thread_on_failure(thread, note_failure, &failed);
	assert_int_equal(loop_thread_start(thread), 0);
	broken = true;
	loop_post(loop, &post, ignore); /* the loop wakes up */
	wait_for(&failed);
	loop_thread_stop(thread);
	assert_int_equal(sem_trywait(&failed), -1); /* once */
	loop->ops = real_ops;
	broken = false;
	loop_thread_free(thread);
	sem_destroy(&failed);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread_has_a_name_and_takes_no_signals),
		cmocka_unit_test(loop_belongs_to_whoever_runs_it),
		cmocka_unit_test(watches_are_made_before_and_removed_after),
		cmocka_unit_test(thread_that_never_started_is_freed),
		cmocka_unit_test(stop_at_any_moment),
		cmocka_unit_test(stop_leaves_nothing_in_flight),
		cmocka_unit_test(a_loop_that_fails_is_reported),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("loop_thread", tests, NULL, NULL);
}
