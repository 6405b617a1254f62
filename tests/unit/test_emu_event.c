/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_emu_event.c - tests emu_event.c: who is told what, and what becomes of events that nobody
 * fetches.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/emu_impl.h"
#include "emu_rig.h"
#include "loop_kinds.h"

#define VALUE V4L2_EVENT_CTRL_CH_VALUE
#define FLAGS V4L2_EVENT_CTRL_CH_FLAGS

static struct emu_rig rig;
static struct rig_file *file, *other;

static int set_up(enum rig_shape shape)
{
	emu_rig_init(&rig, shape);
	file = emu_rig_open(&rig, 0);
	other = emu_rig_open(&rig, 1);
	return 0;
}

static int setup(void **state)
{
	return set_up(RIG_CAMERA);
}

static int setup_codec(void **state)
{
	return set_up(RIG_CODEC);
}

static int teardown(void **state)
{
	emu_rig_deinit(&rig);
	return 0;
}

static int subscribe(struct rig_file *by, uint32_t type, uint32_t id, uint32_t flags)
{
	struct v4l2_event_subscription wanted = {.type = type, .id = id, .flags = flags};

	return rig_do(by, VIDIOC_SUBSCRIBE_EVENT, &wanted);
}

static int unsubscribe(struct rig_file *by, uint32_t type, uint32_t id)
{
	struct v4l2_event_subscription unwanted = {.type = type, .id = id};

	return rig_do(by, VIDIOC_UNSUBSCRIBE_EVENT, &unwanted);
}

static int fetch(struct rig_file *by, struct v4l2_event *event)
{
	memset(event, 0xff, sizeof(*event));
	return rig_do(by, VIDIOC_DQEVENT, event);
}

static void expect_none(struct rig_file *by)
{
	struct v4l2_event event;

	assert_int_equal(fetch(by, &event), -ENOENT);
}

static void set(struct rig_file *by, uint32_t id, int32_t value)
{
	struct v4l2_control control = {.id = id, .value = value};

	assert_int_equal(rig_do(by, VIDIOC_S_CTRL, &control), 0);
}

static void subscribe_refuses_what_there_is_not(void **state)
{
	static const struct {
		const char *name;
		uint32_t type, id;
	} cases[] = {
		{"all", V4L2_EVENT_ALL, 0},
		{"unknown control", V4L2_EVENT_CTRL, V4L2_CID_CONTRAST},
		{"no control", V4L2_EVENT_CTRL, 0},
		{"another device's event", V4L2_EVENT_EOS, 0},
		{"unknown", 77, 0},
		{"private", V4L2_EVENT_PRIVATE_START, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		rig_expect(cases[i].name, subscribe(file, cases[i].type, cases[i].id, 0), -EINVAL);
	expect_none(file);
}

static void initial_event_describes_the_control(void **state)
{
	struct v4l2_event event;

	assert_int_equal(
		subscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
	assert_int_equal(fetch(file, &event), 0);
	assert_int_equal(event.type, V4L2_EVENT_CTRL);
	assert_int_equal(event.id, RIG_CID_PLAIN);
	assert_int_equal(event.u.ctrl.changes, VALUE | FLAGS);
	assert_int_equal(event.u.ctrl.type, V4L2_CTRL_TYPE_INTEGER);
	assert_int_equal(event.u.ctrl.value, -1);
	assert_int_equal(event.u.ctrl.flags, 0);
	assert_int_equal(event.u.ctrl.minimum, -10);
	assert_int_equal(event.u.ctrl.maximum, 20);
	assert_int_equal(event.u.ctrl.step, 3);
	assert_int_equal(event.u.ctrl.default_value, -1);
	assert_int_equal(event.pending, 0);
	assert_int_equal(event.sequence, 1);
	assert_true(event.timestamp.tv_sec > 0 || event.timestamp.tv_nsec > 0);
	assert_true(rig_is_zero(event.reserved, sizeof(event.reserved)));
	expect_none(file);
	expect_none(other);
}

static void initial_event_depends_on_the_control(void **state)
{
	static const struct {
		const char *name;
		uint32_t id;
		int result;
		uint32_t changes;
	} cases[] = {
		{"button has no value", RIG_CID_BUTTON, 0, FLAGS},
		{"class has none", V4L2_CID_USER_CLASS, -ENOENT, 0},
		{"64 bits", RIG_CID_COUNT, 0, VALUE | FLAGS},
		{"array", RIG_CID_ARRAY, 0, VALUE | FLAGS},
	};
	struct v4l2_event event;

	rig.count = INT64_C(1) << 40;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig_expect(cases[i].name,
			   subscribe(file, V4L2_EVENT_CTRL, cases[i].id,
				     V4L2_EVENT_SUB_FL_SEND_INITIAL),
			   0);
		rig_expect(cases[i].name, fetch(file, &event), cases[i].result);
		if (cases[i].result == 0)
			rig_expect(cases[i].name, (int)event.u.ctrl.changes, (int)cases[i].changes);
		if (cases[i].id == RIG_CID_COUNT)
			assert_int_equal(event.u.ctrl.value64, rig.count);
	}
}

static void change_is_told_to_others(void **state)
{
	struct v4l2_event event;

	assert_int_equal(subscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	set(file, RIG_CID_PLAIN, 5);
	expect_none(file);
	assert_int_equal(fetch(other, &event), 0);
	assert_int_equal(event.u.ctrl.changes, VALUE);
	assert_int_equal(event.u.ctrl.value, 5);
	/* The same value is no change, and another control is another subscription. */
	set(file, RIG_CID_PLAIN, 5);
	set(file, RIG_CID_MENU, 2);
	expect_none(other);
}

static void feedback_is_for_who_wants_it(void **state)
{
	struct v4l2_event event;

	assert_int_equal(subscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN,
				   V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK),
			 0);
	set(file, RIG_CID_PLAIN, 5);
	assert_int_equal(fetch(file, &event), 0);
	/* What the device changes is nobody's own. */
	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	emu_control_change(rig.emu.shared, RIG_CID_PLAIN, 8);
	assert_int_equal(fetch(file, &event), 0);
	assert_int_equal(fetch(other, &event), 0);
	assert_int_equal(event.u.ctrl.value, 8);
}

static void automatic_tells_of_the_manual_ones_flags(void **state)
{
	struct v4l2_event event;

	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_MANUAL, 0), 0);
	set(file, RIG_CID_AUTO, 0);
	assert_int_equal(fetch(other, &event), 0);
	assert_int_equal(event.u.ctrl.changes, FLAGS);
	assert_int_equal(event.u.ctrl.flags, 0);
	assert_int_equal(event.u.ctrl.value, 50);
	set(file, RIG_CID_PLAIN, 5);
	expect_none(other);
}

/* One of each is kept: the newest, with all that has changed since. */
static void events_that_are_not_fetched_merge(void **state)
{
	struct v4l2_event event;

	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_MANUAL, 0), 0);
	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	set(file, RIG_CID_AUTO, 0);
	set(file, RIG_CID_PLAIN, 2);
	for (int32_t value = 60; value < 70; value++)
		set(file, RIG_CID_MANUAL, value);
	assert_int_equal(fetch(other, &event), 0);
	assert_int_equal(event.id, RIG_CID_PLAIN);
	assert_int_equal(event.sequence, 2);
	assert_int_equal(event.pending, 1);
	assert_int_equal(fetch(other, &event), 0);
	assert_int_equal(event.id, RIG_CID_MANUAL);
	assert_int_equal(event.u.ctrl.changes, VALUE | FLAGS);
	assert_int_equal(event.u.ctrl.value, 69);
	assert_int_equal(event.sequence, 12);
	assert_int_equal(event.pending, 0);
	expect_none(other);
}

static void sequence_numbers_may_wrap(void **state)
{
	struct emu_file *emu_file = container_of(other->file, struct emu_file, file);
	struct v4l2_event event;

	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_MENU, 0), 0);
	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	emu_file->sequence = UINT32_MAX - 1;
	set(file, RIG_CID_MENU, 0);
	set(file, RIG_CID_PLAIN, 2);
	assert_int_equal(fetch(other, &event), 0);
	assert_int_equal(event.id, RIG_CID_MENU);
	assert_int_equal(event.sequence, UINT32_MAX);
	assert_int_equal(fetch(other, &event), 0);
	assert_int_equal(event.sequence, 0);
}

static void second_subscription_changes_nothing(void **state)
{
	struct v4l2_event event;

	assert_int_equal(subscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	assert_int_equal(subscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN,
				   V4L2_EVENT_SUB_FL_SEND_INITIAL |
					   V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK),
			 0);
	set(file, RIG_CID_PLAIN, 5);
	expect_none(file);
	set(other, RIG_CID_PLAIN, 8);
	assert_int_equal(fetch(file, &event), 0);
	expect_none(file);
}

static void unsubscribe_drops_what_is_pending(void **state)
{
	const uint32_t initial = V4L2_EVENT_SUB_FL_SEND_INITIAL;
	struct v4l2_event event;

	assert_int_equal(subscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN, initial), 0);
	assert_int_equal(subscribe(file, V4L2_EVENT_CTRL, RIG_CID_MENU, initial), 0);
	assert_int_equal(subscribe(file, V4L2_EVENT_CTRL, RIG_CID_AUTO, initial), 0);
	assert_int_equal(unsubscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN), 0);
	assert_int_equal(unsubscribe(file, V4L2_EVENT_CTRL, RIG_CID_PLAIN), 0);
	assert_int_equal(fetch(file, &event), 0);
	assert_int_equal(event.id, RIG_CID_MENU);
	assert_int_equal(event.pending, 1);
	assert_int_equal(unsubscribe(file, V4L2_EVENT_ALL, 0), 0);
	expect_none(file);
	set(other, RIG_CID_MENU, 2);
	expect_none(file);
}

static void watch_tells_of_events(void **state)
{
	struct v4l2_event event;

	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	rig_watch(other, POLLPRI);
	settle(rig.loop);
	assert_int_equal(other->calls, 0);
	set(file, RIG_CID_PLAIN, 5);
	/* Never from within another file's ioctl. */
	assert_int_equal(other->calls, 0);
	settle(rig.loop);
	assert_int_equal(other->calls, 1);
	assert_int_equal(other->events, POLLPRI);
	rig_watch(other, POLLPRI);
	settle(rig.loop);
	assert_int_equal(other->calls, 2);
	assert_int_equal(fetch(other, &event), 0);
	rig_watch(other, POLLPRI);
	settle(rig.loop);
	assert_int_equal(other->calls, 2);
}

/* Not within any ioctl. */
static void watch_tells_of_the_devices_own_changes(void **state)
{
	assert_int_equal(subscribe(other, V4L2_EVENT_CTRL, RIG_CID_PLAIN, 0), 0);
	rig_watch(other, POLLPRI);
	emu_control_change(rig.emu.shared, RIG_CID_PLAIN, 8);
	settle(rig.loop);
	assert_int_equal(other->events, POLLPRI);
}

static void device_can_send_events_of_its_own(void **state)
{
	struct v4l2_event change = {.type = V4L2_EVENT_SOURCE_CHANGE}, event;
	struct emu_context *context = container_of(file->file, struct emu_file, file)->context;

	assert_int_equal(subscribe(file, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	assert_int_equal(subscribe(other, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	assert_int_equal(subscribe(file, V4L2_EVENT_EOS, 0, 0), 0);
	change.u.src_change.changes = V4L2_EVENT_SRC_CH_RESOLUTION;
	emu_event_send(context, NULL, &change);
	change.u.src_change.changes = 0;
	emu_event_send(context, NULL, &change);
	assert_int_equal(fetch(file, &event), 0);
	assert_int_equal(event.type, V4L2_EVENT_SOURCE_CHANGE);
	assert_int_equal(event.u.src_change.changes, V4L2_EVENT_SRC_CH_RESOLUTION);
	/* The other file's context is another one. */
	expect_none(other);
}

#define CASE(name, with) cmocka_unit_test_setup_teardown(name, with, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(subscribe_refuses_what_there_is_not, setup),
		CASE(initial_event_describes_the_control, setup),
		CASE(initial_event_depends_on_the_control, setup),
		CASE(change_is_told_to_others, setup),
		CASE(feedback_is_for_who_wants_it, setup),
		CASE(automatic_tells_of_the_manual_ones_flags, setup),
		CASE(events_that_are_not_fetched_merge, setup),
		CASE(sequence_numbers_may_wrap, setup),
		CASE(second_subscription_changes_nothing, setup),
		CASE(unsubscribe_drops_what_is_pending, setup),
		CASE(watch_tells_of_events, setup),
		CASE(watch_tells_of_the_devices_own_changes, setup),
		CASE(device_can_send_events_of_its_own, setup_codec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
