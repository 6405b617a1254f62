/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_backlog.c - tests devices/media/backlog.c: events that wait for the driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/backlog.h"

/* struct box - a backlog, and buffers that may be in it. */
struct box {
	struct backlog backlog;
	struct backlog_entry buffers[4];
};

static int setup(void **state)
{
	static struct box box;

	box = (struct box) {};
	for (uint32_t i = 0; i < ARRAY_SIZE(box.buffers); i++) {
		box.buffers[i].hdr.event = VIRTIO_MEDIA_EVT_DQBUF;
		box.buffers[i].dqbuf.buffer.index = i;
	}
	*state = &box;
	return 0;
}

static int teardown(void **state)
{
	struct box *box = *state;

	backlog_clear(&box->backlog);
	return 0;
}

/* Return: was none lost? */
static bool put_event(struct box *box, uint32_t type, uint32_t id)
{
	const struct virtio_media_event_event event = {
		.hdr.event = VIRTIO_MEDIA_EVT_EVENT,
		.event = {.type = type, .id = id},
	};

	return backlog_put_event(&box->backlog, &event);
}

static void expect_buffer(struct box *box, uint32_t index)
{
	const struct backlog_entry *entry = backlog_first(&box->backlog);

	assert_non_null(entry);
	assert_int_equal(entry->hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	assert_int_equal(entry->dqbuf.buffer.index, index);
	assert_int_equal(backlog_size(entry), 608);
	backlog_take(&box->backlog);
}

static void expect_event(struct box *box, uint32_t type, uint32_t id)
{
	const struct backlog_entry *entry = backlog_first(&box->backlog);

	assert_non_null(entry);
	assert_int_equal(entry->hdr.event, VIRTIO_MEDIA_EVT_EVENT);
	assert_int_equal(entry->event.event.type, type);
	assert_int_equal(entry->event.event.id, id);
	assert_int_equal(backlog_size(entry), 144);
	backlog_take(&box->backlog);
}

static void expect_end(struct box *box)
{
	assert_null(backlog_first(&box->backlog));
}

static void backlog_keeps_the_order_of_buffers_and_events(void **state)
{
	struct box *box = *state;

	backlog_put(&box->backlog, &box->buffers[2]);
	assert_true(put_event(box, V4L2_EVENT_CTRL, 7));
	backlog_put(&box->backlog, &box->buffers[0]);
	assert_true(put_event(box, V4L2_EVENT_EOS, 0));
	expect_buffer(box, 2);
	expect_event(box, V4L2_EVENT_CTRL, 7);
	expect_buffer(box, 0);
	expect_event(box, V4L2_EVENT_EOS, 0);
	expect_end(box);
}

static void backlog_takes_a_buffer_again_once_it_is_out(void **state)
{
	struct box *box = *state;

	for (unsigned int i = 0; i < 3; i++) {
		assert_false(box->buffers[1].waits);
		backlog_put(&box->backlog, &box->buffers[1]);
		assert_true(box->buffers[1].waits);
		expect_buffer(box, 1);
	}
	expect_end(box);
}

static void backlog_drops_a_buffer_wherever_it_is(void **state)
{
	struct box *box = *state;

	for (uint32_t dropped = 0; dropped < 3; dropped++) {
		for (uint32_t i = 0; i < 3; i++)
			backlog_put(&box->backlog, &box->buffers[i]);
		backlog_drop(&box->backlog, &box->buffers[dropped]);
		backlog_drop(&box->backlog, &box->buffers[dropped]);
		assert_false(box->buffers[dropped].waits);
		for (uint32_t i = 0; i < 3; i++)
			if (i != dropped)
				expect_buffer(box, i);
		expect_end(box);
	}
}

static void backlog_loses_the_oldest_event_and_no_buffer(void **state)
{
	struct box *box = *state;

	backlog_put(&box->backlog, &box->buffers[0]);
	for (uint32_t i = 0; i < BACKLOG_EVENTS_MAX; i++)
		assert_true(put_event(box, V4L2_EVENT_CTRL, i));
	backlog_put(&box->backlog, &box->buffers[1]);
	assert_false(put_event(box, V4L2_EVENT_CTRL, BACKLOG_EVENTS_MAX));
	assert_false(put_event(box, V4L2_EVENT_CTRL, BACKLOG_EVENTS_MAX + 1));
	expect_buffer(box, 0);
	for (uint32_t i = 2; i < BACKLOG_EVENTS_MAX; i++)
		expect_event(box, V4L2_EVENT_CTRL, i);
	expect_buffer(box, 1);
	expect_event(box, V4L2_EVENT_CTRL, BACKLOG_EVENTS_MAX);
	expect_event(box, V4L2_EVENT_CTRL, BACKLOG_EVENTS_MAX + 1);
	expect_end(box);
}

static void backlog_counts_only_events_that_wait(void **state)
{
	struct box *box = *state;

	for (uint32_t i = 0; i < 3 * BACKLOG_EVENTS_MAX; i++) {
		assert_true(put_event(box, V4L2_EVENT_CTRL, i));
		expect_event(box, V4L2_EVENT_CTRL, i);
	}
}

static void backlog_drops_events_of_one_kind(void **state)
{
	static const struct {
		const char *name;
		uint32_t type, id;
		bool left[3]; /* CTRL 1, CTRL 2, EOS */
	} cases[] = {
		{"type and id", V4L2_EVENT_CTRL, 1, {false, true, true}},
		{"the last", V4L2_EVENT_EOS, 0, {true, true, false}},
		{"another id", V4L2_EVENT_CTRL, 3, {true, true, true}},
		{"all", V4L2_EVENT_ALL, 0, {false, false, false}},
	};
	struct box *box = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("%s\n", cases[i].name);
		put_event(box, V4L2_EVENT_CTRL, 1);
		backlog_put(&box->backlog, &box->buffers[0]);
		put_event(box, V4L2_EVENT_CTRL, 2);
		put_event(box, V4L2_EVENT_EOS, 0);
		backlog_drop_events(&box->backlog, cases[i].type, cases[i].id);
		if (cases[i].left[0])
			expect_event(box, V4L2_EVENT_CTRL, 1);
		expect_buffer(box, 0);
		if (cases[i].left[1])
			expect_event(box, V4L2_EVENT_CTRL, 2);
		if (cases[i].left[2])
			expect_event(box, V4L2_EVENT_EOS, 0);
		expect_end(box);
	}
}

static void backlog_clear_leaves_buffers_to_their_owner(void **state)
{
	struct box *box = *state;

	backlog_put(&box->backlog, &box->buffers[0]);
	put_event(box, V4L2_EVENT_CTRL, 1);
	backlog_put(&box->backlog, &box->buffers[1]);
	backlog_clear(&box->backlog);
	expect_end(box);
	assert_false(box->buffers[0].waits);
	assert_false(box->buffers[1].waits);
	backlog_put(&box->backlog, &box->buffers[1]);
	expect_buffer(box, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(backlog_keeps_the_order_of_buffers_and_events,
						setup, teardown),
		cmocka_unit_test_setup_teardown(backlog_takes_a_buffer_again_once_it_is_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(backlog_drops_a_buffer_wherever_it_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(backlog_loses_the_oldest_event_and_no_buffer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(backlog_counts_only_events_that_wait, setup,
						teardown),
		cmocka_unit_test_setup_teardown(backlog_drops_events_of_one_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(backlog_clear_leaves_buffers_to_their_owner, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
