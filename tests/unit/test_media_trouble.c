/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_trouble.c - a host that is slow, fails, or holds a lock, under a virtio-media device:
 * who is not to blame goes on, and who waits is told.
 *
 * For the arguments see media_rig.h.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "devices/media/worker.h"
#include "media_sent.h"
#include "other_threads.h"

#define DRIVER_WAITS_MS 5000u
#define INNOCENT	12 /* sessions */

static struct media_rig rig;

static const uint32_t codec_types[] = {OUTPUT_MP, CAPTURE_MP, 0};

static void begin_with(const struct media_rig_options *options)
{
	media_rig_init(&rig, options);
	fake_node_answer(rig.node, VIDIOC_S_FMT, &(struct fake_answer) {.result = 0});
	fake_node_answer(rig.node, VIDIOC_G_FMT, &(struct fake_answer) {.result = 0});
}

static int begin(void **state)
{
	static const struct media_rig_options plain;

	begin_with(&plain);
	return 0;
}

static int begin_codec(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = codec_types, .m2m = true}};

	begin_with(&options);
	return 0;
}

static int begin_few(void **state)
{
	static const struct media_rig_options options = {.media.sessions_max = 2};

	begin_with(&options);
	return 0;
}

static int end(void **state)
{
	fake_node_wake(rig.node);
	media_rig_deinit(&rig);
	return 0;
}

static void pause_ms(unsigned int ms)
{
	media_driver_pause(&rig.md, ms);
}

static uint32_t probe(uint32_t session)
{
	struct v4l2_format format = {.type = CAPTURE};

	return media_driver_ioctl(&rig.md, session, VIDIOC_G_FMT, &format);
}

static bool is_error(const struct media_event *event)
{
	return event->dqbuf.buffer.flags & V4L2_BUF_FLAG_ERROR;
}

/* --- one lock for all sessions --- */

static atomic_bool locked;

/* DQBUF: as a driver's mutex_lock_interruptible(). Once it is free there is nothing yet. */
static int needs_lock(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	while (atomic_load(&locked))
		if (nanosleep(&(struct timespec) {.tv_nsec = 20000000}, NULL) < 0)
			return -EINTR;
	return -EAGAIN;
}

/* S_FMT: has it until a signal comes. */
static int has_lock(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	int r;

	atomic_store(&locked, true);
	r = nanosleep(&(struct timespec) {.tv_sec = 20}, NULL) < 0 ? -EINTR : 0;
	atomic_store(&locked, false);
	fake_node_answer(node, VIDIOC_DQBUF, NULL);
	return r;
}

static bool is_locked(struct media_rig *r)
{
	return atomic_load(&locked);
}

static void make_ready(uint32_t *sessions)
{
	for (unsigned int i = 0; i < INNOCENT; i++)
		sessions[i] = media_rig_streaming(&rig, CAPTURE_MP, 2);
}

/* One of each. @first: the file of the first session. */
static void complete_all(unsigned int first)
{
	for (unsigned int i = 0; i < INNOCENT; i++)
		assert_true(fake_node_complete(rig.node, first + i, CAPTURE_MP, 1, 0, 1) >= 0);
}

static void who_waits_for_a_hung_calls_lock_is_not_given_up(void **state)
{
	const uint32_t hung = media_rig_open(&rig);
	uint32_t sessions[INNOCENT];
	struct media_sent sent;
	struct media_event event;

	make_ready(sessions);
	fake_node_answer(rig.node, VIDIOC_DQBUF, &(struct fake_answer) {.fn = needs_lock});
	fake_node_answer(rig.node, VIDIOC_S_FMT, &(struct fake_answer) {.fn = has_lock});
	media_sent_format(&rig, &sent, hung, CAPTURE_MP);
	media_rig_until(&rig, is_locked);
	complete_all(1);
	assert_true(media_driver_within(&rig.md, &sent.command, DRIVER_WAITS_MS));
	assert_int_equal(media_sent_status(&sent), EIO);
	assert_int_equal(probe(hung), EIO);
	for (unsigned int i = 0; i < INNOCENT; i++) {
		media_driver_event(&rig.md, &event);
		assert_int_equal(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
		assert_false(is_error(&event));
	}
	for (unsigned int i = 0; i < INNOCENT; i++)
		assert_int_equal(probe(sessions[i]), 0);
}

/* Nobody knows whether it will be free again. */
static void a_lock_that_nobody_gives_back_holds_up_no_command(void **state)
{
	const uint32_t hung = media_rig_open(&rig), other = media_rig_open(&rig);
	uint32_t sessions[INNOCENT];
	struct media_sent sent;

	make_ready(sessions);
	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	media_sent_format(&rig, &sent, hung, CAPTURE_MP);
	media_driver_wait(&rig.md, &sent.command);
	fake_node_answer(rig.node, VIDIOC_DQBUF, &(struct fake_answer) {.fn = needs_lock});
	atomic_store(&locked, true);
	complete_all(2);
	pause_ms(100);
	for (unsigned int i = 0; i < 2; i++) {
		memset(&sent, 0, sizeof(sent));
		sent.out.format.type = CAPTURE_MP;
		media_sent_ioctl(&rig, &sent, other, VIDIOC_G_FMT);
		assert_true(media_driver_within(&rig.md, &sent.command, DRIVER_WAITS_MS));
		assert_int_equal(media_sent_status(&sent), 0);
	}
	atomic_store(&locked, false);
	fake_node_answer(rig.node, VIDIOC_DQBUF, NULL);
	assert_int_equal(probe(other), 0);
}

static void nothing_is_mapped_while_a_call_hangs(void **state)
{
	const uint32_t hung = media_rig_open(&rig);
	const uint32_t other = media_rig_streaming(&rig, CAPTURE_MP, 2);
	const uint32_t offset = media_rig_offset(&rig, other, CAPTURE_MP, 0, 0);
	struct media_sent sent;
	uint64_t addr, len;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	media_sent_format(&rig, &sent, hung, CAPTURE_MP);
	media_driver_wait(&rig.md, &sent.command);
	assert_int_equal(media_driver_mmap(&rig.md, other, 0, offset, &addr, &len), EIO);
	assert_int_equal(fake_node_maps(rig.node), 0);
	fake_node_wake(rig.node);
	media_driver_close(&rig.md, hung);
	media_rig_closed(&rig, 1);
	/* The call is back, but perhaps not yet its thread. */
	for (unsigned int i = 0; i < 1000; i++) {
		if (media_driver_mmap(&rig.md, other, 0, offset, &addr, &len) == 0)
			return;
		pause_ms(1);
	}
	fail_msg("mapping fails for good");
}

/* --- calls that hang and come back --- */

/* A host may be full of files that nobody has any more. */
static void files_of_calls_that_hang_count(void **state)
{
	const uint32_t hung = media_rig_open(&rig);
	struct media_sent sent;
	uint32_t session;

	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	media_sent_format(&rig, &sent, hung, CAPTURE);
	media_driver_wait(&rig.md, &sent.command);
	media_driver_close(&rig.md, hung);
	assert_int_equal(media_driver_open(&rig.md, &session), 0);
	media_driver_close(&rig.md, session);
	session = media_rig_open(&rig);
	assert_int_equal(media_driver_open(&rig.md, &session), ENFILE);
	assert_int_equal(fake_node_opened(rig.node) - fake_node_closed(rig.node), 2);
	fake_node_wake(rig.node);
	media_rig_closed(&rig, 2);
	assert_int_equal(media_driver_open(&rig.md, &session), 0);
}

/* So many hang that nothing more is tried: what is to be closed waits, and for no command. */
static void files_are_closed_when_calls_come_back(void **state)
{
	static struct media_sent sent;
	uint32_t sessions[WORKER_STRAYS_MAX + 2];

	for (unsigned int i = 0; i < ARRAY_SIZE(sessions); i++)
		sessions[i] = media_rig_open(&rig);
	fake_node_hang(rig.node, VIDIOC_S_FMT, FAKE_SLEEP_HARD);
	for (unsigned int i = 0; i < WORKER_STRAYS_MAX; i++) {
		media_sent_format(&rig, &sent, sessions[i], CAPTURE_MP);
		media_driver_wait(&rig.md, &sent.command);
		assert_int_equal(media_sent_status(&sent), EIO);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(sessions); i++)
		media_driver_close(&rig.md, sessions[i]);
	assert_int_equal(fake_node_closed(rig.node), 0);
	fake_node_wake(rig.node);
	media_rig_closed(&rig, ARRAY_SIZE(sessions));
	media_driver_alive(&rig.md);
}

/* --- QBUF that starts hardware --- */

/* Sleeps for 1.3 seconds, and has to begin again after a signal. */
static int slow(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	const struct timespec time = {.tv_sec = 1, .tv_nsec = 300000000};

	return nanosleep(&time, NULL) < 0 ? -EINTR : 0;
}

static void a_qbuf_that_takes_long_succeeds(void **state)
{
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), 0);
	fake_node_answer(rig.node, VIDIOC_QBUF, &(struct fake_answer) {.fn = slow});
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 0), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 1), 0);
	assert_int_equal(probe(session), 0);
}

/* Return: where the last QBUF was made. */
static bool qbuf_was_on_loop(void)
{
	static struct fake_call calls[FAKE_CALLS];
	unsigned int n = fake_node_log(rig.node, calls, ARRAY_SIZE(calls));

	while (n > 0 && calls[n - 1].cmd != VIDIOC_QBUF)
		n--;
	assert_true(n > 0);
	return calls[n - 1].on_loop;
}

/* From the first frame on it is quick. */
static void a_qbuf_that_may_start_hardware_holds_up_nobody(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 4), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 0), 0);
	assert_true(qbuf_was_on_loop());
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, true), 0);
	for (uint32_t i = 1; i < 3; i++) {
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, i), 0);
		assert_false(qbuf_was_on_loop());
	}
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE_MP, 1, 0, 1), 0);
	assert_int_equal(media_rig_frame(&rig, session, &event), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 3), 0);
	assert_true(qbuf_was_on_loop());
	/* It begins anew. */
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, false), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, true), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 0), 0);
	assert_false(qbuf_was_on_loop());
}

/* --- a device with nothing to do --- */

static void idle_sessions_cost_nothing(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, 2);
	struct media_event event;
	unsigned long before;

	fake_node_complete(rig.node, 0, CAPTURE_MP, 1, 0, 1);
	media_rig_frame(&rig, session, &event);
	/* For so long it is looked after what may hang. */
	pause_ms(WORKER_LIMIT_MS + 1000);
	before = other_threads_sleeps();
	pause_ms(2500);
	assert_int_equal(other_threads_sleeps(), before);
	/* And again, when it is needed. */
	fake_node_hang(rig.node, VIDIOC_QBUF, FAKE_SLEEP);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, event.dqbuf.buffer.index), EIO);
	fake_node_wake(rig.node);
}

/* --- errors of dequeuing --- */

static void a_dequeue_that_fails_is_tried_again(void **state)
{
	static const int errors[] = {EIO, ENOMEM, EINVAL, EBUSY};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
		struct media_event event;

		fake_node_answer(rig.node, VIDIOC_DQBUF,
				 &(struct fake_answer) {.result = -errors[i]});
		fake_node_complete(rig.node, (unsigned int)i, CAPTURE, 1, 0, 1);
		pause_ms(200);
		fake_node_answer(rig.node, VIDIOC_DQBUF, NULL);
		for (unsigned int n = 1; n < 4; n++)
			fake_node_complete(rig.node, (unsigned int)i, CAPTURE, 1, 0, 1);
		for (uint32_t n = 0; n < 4; n++) {
			assert_int_equal(media_rig_frame(&rig, session, &event), n);
			assert_false(is_error(&event));
		}
		media_driver_close(&rig.md, session);
	}
}

/* Two buffers of @session come back with an error, after a small number of calls. */
static void check_given_up(uint32_t session)
{
	struct media_event event;

	fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		media_rig_frame(&rig, session, &event);
		assert_true(is_error(&event));
	}
	assert_true(fake_node_calls(rig.node, VIDIOC_DQBUF) < 200);
	assert_int_equal(probe(session), 0);
}

static void who_waits_for_a_host_that_keeps_failing_is_told(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	unsigned int calls;

	fake_node_answer(rig.node, VIDIOC_DQBUF, &(struct fake_answer) {.result = -EIO});
	check_given_up(session);
	calls = fake_node_calls(rig.node, VIDIOC_DQBUF);
	pause_ms(100);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_DQBUF), calls);
	/* A new beginning is one. */
	fake_node_answer(rig.node, VIDIOC_DQBUF, NULL);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
	media_rig_frame(&rig, session, &(struct media_event) {.len = 0});
}

static int odd_index(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	((struct v4l2_buffer *)arg)->index = 7;
	return 0;
}

static void buffers_that_nobody_queued_do_not_spin(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);

	fake_node_answer(rig.node, VIDIOC_DQBUF, &(struct fake_answer) {.fn = odd_index});
	check_given_up(session);
}

static void many_polls_that_come_too_early_do_no_harm(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	struct media_event event;

	for (unsigned int i = 0; i < 10; i++) {
		fake_node_poll_error(rig.node);
		pause_ms(40);
	}
	fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
	media_rig_frame(&rig, session, &event);
	assert_false(is_error(&event));
}

/* Events are another matter than frames. */
static void events_still_come_behind_errors(void **state)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL, .id = 1};
	const struct v4l2_event event = {.type = V4L2_EVENT_CTRL, .id = 1};
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	struct media_event got;

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	fake_node_answer(rig.node, VIDIOC_DQBUF, &(struct fake_answer) {.result = -EIO});
	check_given_up(session);
	fake_node_event(rig.node, &event, false);
	media_driver_event(&rig.md, &got);
	assert_int_equal(got.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
}

#define TEST(name, begins) cmocka_unit_test_setup_teardown(name, begins, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest blocking[] = {
		TEST(a_dequeue_that_fails_is_tried_again, begin),
		TEST(who_waits_for_a_host_that_keeps_failing_is_told, begin),
		TEST(buffers_that_nobody_queued_do_not_spin, begin),
		TEST(many_polls_that_come_too_early_do_no_harm, begin),
		TEST(events_still_come_behind_errors, begin),
		TEST(who_waits_for_a_hung_calls_lock_is_not_given_up, begin_codec),
		TEST(a_lock_that_nobody_gives_back_holds_up_no_command, begin_codec),
		TEST(nothing_is_mapped_while_a_call_hangs, begin_codec),
		TEST(files_of_calls_that_hang_count, begin_few),
		TEST(files_are_closed_when_calls_come_back, begin_codec),
		TEST(a_qbuf_that_takes_long_succeeds, begin_codec),
		TEST(a_qbuf_that_may_start_hardware_holds_up_nobody, begin_codec),
		TEST(idle_sessions_cost_nothing, begin_codec),
	};
	const struct CMUnitTest quick[] = {
		TEST(a_dequeue_that_fails_is_tried_again, begin),
		TEST(who_waits_for_a_host_that_keeps_failing_is_told, begin),
		TEST(buffers_that_nobody_queued_do_not_spin, begin),
		TEST(many_polls_that_come_too_early_do_no_harm, begin),
		TEST(events_still_come_behind_errors, begin),
	};

	if (!media_rig_select(argc, argv))
		return 0;
	return media_rig_slow() ? cmocka_run_group_tests(blocking, NULL, NULL)
				: cmocka_run_group_tests(quick, NULL, NULL);
}
