/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_reset.c - a reset of a virtio-media device whose host has memory of the guest's.
 *
 * Once the driver reads status 0 the memory may be anything's (virtio 1.4, 2.4.1): no frame lands
 * there any more. For the arguments see media_rig.h.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "devices/media/worker.h"
#include "media_sent.h"

#define MINE 0x11

static struct media_rig rig;

static const uint32_t types[] = {CAPTURE, OUTPUT, 0};

static int begin(void **state)
{
	static const struct media_rig_options options = {.fake = {.types = types}};

	media_rig_init(&rig, &options);
	fake_node_answer(rig.node, VIDIOC_S_FMT, &(struct fake_answer) {.result = 0});
	return 0;
}

static int end(void **state)
{
	fake_node_wake(rig.node);
	media_rig_deinit(&rig);
	return 0;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Two buffers of the guest's own pages, queued and streaming. */
static uint32_t streaming_into_guest_memory(void)
{
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_USERPTR, 2), 0);
	for (uint32_t i = 0; i < 2; i++) {
		const struct virtio_media_sg_entry entry = {
			.start = MEDIA_DRIVER_PAGES + i * MIB,
			.len = FAKE_LENGTH,
		};
		const struct media_sg sg = {&entry, 1};
		struct v4l2_buffer buffer = {
			.type = CAPTURE,
			.index = i,
			.memory = V4L2_MEMORY_USERPTR,
			.length = FAKE_LENGTH,
			.m.userptr = 0x1234,
		};

		assert_int_equal(media_driver_buffer(&rig.md, session, VIDIOC_QBUF, &buffer, NULL,
						     &sg, 1),
				 0);
	}
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	return session;
}

/* Return: seconds that it took. */
static double reset(void)
{
	const double before = now_s();

	media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
	return now_s() - before;
}

/* The hardware has nowhere to put a frame. */
static void check_memory_is_mine(unsigned int file)
{
	uint8_t *page = media_driver_page(&rig.md, MEDIA_DRIVER_PAGES, 1);

	*page = MINE;
	assert_int_equal(fake_node_complete(rig.node, file, CAPTURE, 0xee, 0, FAKE_LENGTH),
			 -ENOENT);
	assert_int_equal(*page, MINE);
}

/* Let what hangs go on, from elsewhere, in half a second. */
static void *wake(void *arg)
{
	nanosleep(&(struct timespec) {.tv_nsec = 500000000}, NULL);
	fake_node_wake(rig.node);
	return NULL;
}

/* Return: seconds that a reset takes which does not come back before the host has. */
static double reset_and_wake(void)
{
	pthread_t thread;
	double took;

	assert_int_equal(pthread_create(&thread, NULL, wake, NULL), 0);
	took = reset();
	pthread_join(thread, NULL);
	return took;
}

static void a_reset_takes_guest_memory_from_the_host(void **state)
{
	streaming_into_guest_memory();
	reset();
	assert_int_equal(fake_node_closed(rig.node), 1);
	check_memory_is_mine(0);
	media_driver_alive(&rig.md);
}

static void a_call_that_a_signal_ends_is_ended_by_it(void **state)
{
	struct media_sent sent;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP);
	media_sent_format(&rig, &sent, streaming_into_guest_memory(), CAPTURE);
	media_rig_until(&rig, media_sent_sleeps);
	assert_true(reset() < 2);
	assert_int_equal(fake_node_closed(rig.node), 1);
	check_memory_is_mine(0);
	assert_false(sent.command.done);
	media_driver_alive(&rig.md);
}

static void a_call_that_was_given_up_is_waited_for(void **state)
{
	struct media_sent sent;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	media_sent_format(&rig, &sent, streaming_into_guest_memory(), CAPTURE);
	media_driver_wait(&rig.md, &sent.command);
	assert_int_equal(media_sent_status(&sent), EIO);
	assert_true(reset_and_wake() >= 0.4);
	assert_int_equal(fake_node_closed(rig.node), 1);
	check_memory_is_mine(0);
}

static void a_close_under_way_is_waited_for(void **state)
{
	const uint32_t session = streaming_into_guest_memory();
	struct media_sent sent;

	fake_node_hang(rig.node, FAKE_CLOSE, FAKE_SLEEP_HARD);
	media_sent_close(&rig, &sent, session);
	media_rig_until(&rig, media_sent_sleeps);
	assert_true(reset_and_wake() >= 0.4);
	assert_int_equal(fake_node_closed(rig.node), 1);
	check_memory_is_mine(0);
}

/* The worker takes other calls, but CLOSE is not answered. */
static void close_until_given_up(struct media_sent *sent)
{
	const uint32_t session = streaming_into_guest_memory();
	struct media_sent other;

	fake_node_hang(rig.node, FAKE_CLOSE, FAKE_SLEEP_HARD);
	media_sent_close(&rig, sent, session);
	media_rig_until(&rig, media_sent_sleeps);
	media_sent_format(&rig, &other, media_rig_open(&rig), CAPTURE);
	media_driver_wait(&rig.md, &other.command);
	assert_int_equal(fake_node_closed(rig.node), 0);
	assert_false(sent->command.done);
}

static void a_close_is_answered_when_the_host_lets_go(void **state)
{
	static struct media_sent sent;

	close_until_given_up(&sent);
	fake_node_wake(rig.node);
	media_driver_wait(&rig.md, &sent.command);
	assert_int_equal(fake_node_closed(rig.node), 1);
	check_memory_is_mine(0);
	media_driver_alive(&rig.md);
}

/* Nobody waits for it any more: who still did would be a driver that has it on its stack. */
static void a_close_is_never_answered_late(void **state)
{
	static struct media_sent sent;

	close_until_given_up(&sent);
	media_driver_pause(&rig.md, 1500);
	fake_node_wake(rig.node);
	media_rig_closed(&rig, 1);
	check_memory_is_mine(0);
	assert_false(media_driver_within(&rig.md, &sent.command, 500));
	media_driver_alive(&rig.md);
	reset();
	media_driver_alive(&rig.md);
}

/* The file is closed by a call that was given up, long after CLOSE. */
static void a_close_behind_a_call_that_hangs_is_answered_when_that_is_over(void **state)
{
	static struct media_sent hung, sent;
	const uint32_t session = streaming_into_guest_memory();

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	media_sent_format(&rig, &hung, session, CAPTURE);
	media_driver_wait(&rig.md, &hung.command);
	assert_int_equal(media_sent_status(&hung), EIO);
	media_sent_close(&rig, &sent, session);
	media_driver_sync(&rig.md);
	assert_false(media_driver_within(&rig.md, &sent.command, 200));
	fake_node_wake(rig.node);
	media_driver_wait(&rig.md, &sent.command);
	assert_int_equal(fake_node_closed(rig.node), 1);
	check_memory_is_mine(0);
}

/* "One command at a time": what hangs with the host's lock would hang the device's thread as well.
 */
static void no_command_runs_beside_a_close(void **state)
{
	static struct media_sent close, other;
	const uint32_t session = streaming_into_guest_memory();
	const uint32_t innocent = media_rig_open(&rig);

	fake_node_hang(rig.node, FAKE_CLOSE, FAKE_SLEEP_HARD);
	media_sent_close(&rig, &close, session);
	media_rig_until(&rig, media_sent_sleeps);
	memset(&other, 0, sizeof(other));
	media_sent_ioctl(&rig, &other, innocent, VIDIOC_QUERYBUF);
	assert_false(media_driver_within(&rig.md, &other.command, 500));
	fake_node_wake(rig.node);
	media_driver_wait(&rig.md, &other.command);
	assert_true(close.command.done);
}

static void a_close_that_was_given_up_is_waited_for(void **state)
{
	static struct media_sent sent;

	close_until_given_up(&sent);
	assert_true(reset_and_wake() >= 0.4);
	assert_false(sent.command.done);
	media_rig_closed(&rig, 2);
	check_memory_is_mine(0);
}

/* So many calls hang that nothing more is tried, not even to close. */
static void a_close_that_has_to_wait_is_waited_for(void **state)
{
	static struct media_sent sent;
	uint32_t session;

	for (unsigned int i = 0; i < WORKER_STRAYS_MAX; i++) {
		fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_RUN);
		session = media_rig_open(&rig);
		if (i == WORKER_STRAYS_MAX - 1)
			streaming_into_guest_memory();
		fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
		media_sent_format(&rig, &sent, session, CAPTURE);
		media_driver_wait(&rig.md, &sent.command);
		assert_int_equal(media_sent_status(&sent), EIO);
	}
	assert_true(reset_and_wake() >= 0.4);
	assert_int_equal(fake_node_closed(rig.node), WORKER_STRAYS_MAX + 1);
	check_memory_is_mine(WORKER_STRAYS_MAX);
	media_driver_alive(&rig.md);
}

/* A machine has to go on. */
static void a_host_that_never_answers_is_given_up(void **state)
{
	struct media_sent sent;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	media_sent_format(&rig, &sent, streaming_into_guest_memory(), CAPTURE);
	media_rig_until(&rig, media_sent_sleeps);
	assert_true(reset() < 6);
	assert_int_equal(fake_node_closed(rig.node), 0);
	/* Nobody waits for it a second time without need. */
	fake_node_wake(rig.node);
	media_rig_closed(&rig, 1);
	media_rig_open(&rig);
	assert_true(reset() < 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest slow[] = {
		TEST(a_reset_takes_guest_memory_from_the_host),
		TEST(a_call_that_a_signal_ends_is_ended_by_it),
		TEST(a_call_that_was_given_up_is_waited_for),
		TEST(a_close_under_way_is_waited_for),
		TEST(a_close_is_answered_when_the_host_lets_go),
		TEST(a_close_is_never_answered_late),
		TEST(a_close_behind_a_call_that_hangs_is_answered_when_that_is_over),
		TEST(no_command_runs_beside_a_close),
		TEST(a_close_that_was_given_up_is_waited_for),
		TEST(a_close_that_has_to_wait_is_waited_for),
		TEST(a_host_that_never_answers_is_given_up),
	};
	const struct CMUnitTest quick[] = {
		TEST(a_reset_takes_guest_memory_from_the_host),
	};

	if (!media_rig_select(argc, argv))
		return 0;
	return media_rig_slow() ? cmocka_run_group_tests(slow, NULL, NULL)
				: cmocka_run_group_tests(quick, NULL, NULL);
}
