/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_wire.c - the shape of commands, answers and events of a virtio-media device.
 *
 * Virtio 1.4, media device, "Device Operation". For the arguments see media_rig.h. That nothing is
 * written beyond the length that an answer gives is checked by the driver in all tests.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "media_rig.h"

static struct media_rig rig;

static int begin(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

static void answer_fmt(uint32_t width)
{
	static struct v4l2_format format;

	format = (struct v4l2_format) {.type = CAPTURE, .fmt.pix.width = width};
	fake_node_answer(rig.node, VIDIOC_G_FMT, &(struct fake_answer) {.arg = &format});
}

static void answers_have_the_lengths_of_the_protocol(void **state)
{
	struct v4l2_format format = {.type = CAPTURE};
	uint32_t session = UINT32_MAX, offset;
	uint64_t addr, len;

	answer_fmt(640);
	assert_int_equal(media_driver_open(&rig.md, &session), 0);
	assert_int_equal(rig.md.used, 16);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(rig.md.used, 8 + sizeof(format));
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(rig.md.used, 8 + sizeof(struct v4l2_requestbuffers));
	offset = media_rig_offset(&rig, session, CAPTURE, 0, 0);
	assert_int_equal(rig.md.used, 8 + sizeof(struct v4l2_buffer));
	assert_int_equal(media_driver_mmap(&rig.md, session, 1, offset, &addr, &len), 0);
	assert_int_equal(rig.md.used, 24);
	assert_int_equal(media_driver_munmap(&rig.md, addr), 0);
	assert_int_equal(rig.md.used, 8);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	assert_int_equal(rig.md.used, 8); /* written by the driver alone */
	media_driver_close(&rig.md, session);
	assert_int_equal(rig.md.used, 0);
}

static void a_close_with_room_for_an_answer_is_closed_too(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct virtio_media_cmd_close out = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_CLOSE},
		.session_id = session,
	};
	uint8_t in[64];
	struct media_command command = {
		.out = &out,
		.out_len = sizeof(out),
		.in = in,
		.in_len = sizeof(in),
	};

	media_driver_call(&rig.md, &command);
	media_driver_sync(&rig.md);
	media_rig_closed(&rig, 1);
}

static void events_have_exactly_their_lengths(void **state)
{
	const struct v4l2_event event = {.type = V4L2_EVENT_EOS};
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_EOS};
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	struct media_event seen;

	assert_true(fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 100) >= 0);
	media_driver_event(&rig.md, &seen);
	assert_int_equal(seen.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	assert_int_equal(seen.len, 608);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	fake_node_event(rig.node, &event, false);
	media_driver_event(&rig.md, &seen);
	assert_int_equal(seen.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
	assert_int_equal(seen.hdr.session_id, session);
	assert_int_equal(seen.event.event.type, V4L2_EVENT_EOS);
	assert_int_equal(seen.len, 144);
}

/* A whole life, with every kind of payload. */
static void use_it(void)
{
	void *const pointer = (void *)(uintptr_t)0x567812345678;
	const uint64_t pages = MEDIA_DRIVER_PAGES;
	const struct virtio_media_sg_entry entry = {.start = pages + 100, .len = 40};
	const struct media_sg sg = {&entry, 1};
	struct v4l2_ext_control list[3] = {
		{.id = 1, .value = 11},
		{.id = 2, .size = 40, .ptr = (void *)(uintptr_t)0x1234},
		{.id = 3, .value64 = -1},
	};
	struct v4l2_ext_controls controls = {.count = 3, .controls = pointer};
	struct v4l2_format format = {.type = CAPTURE};
	struct fake_seen seen;
	struct media_event event;
	uint64_t addr, len;
	uint32_t session;

	answer_fmt(1234);
	session = media_rig_streaming(&rig, CAPTURE, 2);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.width, 1234);
	memset(media_driver_page(&rig.md, entry.start, 40), 0x77, 40);
	assert_int_equal(media_driver_controls(&rig.md, session, VIDIOC_S_EXT_CTRLS, &controls,
					       list, &sg, 1),
			 0);
	seen = fake_node_seen(rig.node, VIDIOC_S_EXT_CTRLS);
	assert_int_equal(seen.controls[0].value, 11);
	assert_int_equal(seen.data[1][39], 0x77);
	assert_int_equal(seen.controls[2].value64, -1);
	assert_ptr_equal(controls.controls, pointer);
	assert_int_equal(media_driver_mmap(&rig.md, session, 0,
					   media_rig_offset(&rig, session, CAPTURE, 0, 0), &addr,
					   &len),
			 0);
	assert_int_equal(fake_node_complete(rig.node, fake_node_opened(rig.node) - 1, CAPTURE, 0x42,
					    0, 100),
			 0);
	assert_int_equal(media_rig_frame(&rig, session, &event), 0);
	assert_int_equal(media_driver_at(&rig.md, addr)[FAKE_LENGTH - 1], 0x42);
	assert_int_equal(media_driver_munmap(&rig.md, addr), 0);
	media_driver_close(&rig.md, session);
}

/* The host's answer to what a control is: 2 has a pointer to its data. */
static int query(struct fake_node *node, unsigned int file, unsigned long cmd, void *arg)
{
	struct v4l2_query_ext_ctrl *ctrl = arg;

	ctrl->flags = ctrl->id == 2 ? V4L2_CTRL_FLAG_HAS_PAYLOAD : 0;
	return 0;
}

static void script_controls(void)
{
	fake_node_answer(rig.node, VIDIOC_QUERY_EXT_CTRL, &(struct fake_answer) {.fn = query});
	fake_node_answer(rig.node, VIDIOC_S_EXT_CTRLS, &(struct fake_answer) {.result = 0});
}

static void framing_is_the_drivers_choice(void **state)
{
	static const uint32_t cuts[] = {1, 2, 3, 7, 8, 15, 16, 17, 60, 4096};

	script_controls();
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		rig.md.cut = cuts[i];
		use_it();
	}
}

static void the_halves_of_a_command_may_be_the_same_pages(void **state)
{
	script_controls();
	rig.md.in_place = true;
	use_it();
	rig.md.cut = 16;
	use_it();
}

static void all_kinds_of_rings_carry_commands_and_events(void **state)
{
	const uint64_t indirect = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
	const uint64_t event_idx = VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
	const uint64_t packed = VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);

	script_controls();
	for (unsigned int i = 0; i < 8; i++) {
		media_driver_start(&rig.md,
				   (i & 1 ? indirect : 0) | (i & 2 ? event_idx : 0) |
					   (i & 4 ? packed : 0),
				   MEDIA_DRIVER_EVENTS);
		use_it();
	}
}

static void a_failure_is_a_positive_errno_and_a_header_alone(void **state)
{
	static const int errors[] = {EINVAL, EBUSY, EIO, ENOTTY, ERANGE, ENODATA, ENOLINK};
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_format format = {.type = CAPTURE};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		fake_node_answer(rig.node, VIDIOC_S_FMT,
				 &(struct fake_answer) {.result = -errors[i]});
		assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_S_FMT, &format),
				 errors[i]);
		assert_int_equal(rig.md.used, 8);
	}
}

/* Every reserved field of every answer and event is 0, whatever the driver's hold. */
static void reserved_fields_are_ignored_and_zero(void **state)
{
	struct {
		struct virtio_media_cmd_header hdr;
		uint32_t session_id, word;
	} out = {.hdr = {VIRTIO_MEDIA_CMD_OPEN, UINT32_MAX}, .word = UINT32_MAX};
	struct virtio_media_resp_open in = {.hdr.reserved = 1};
	struct media_command command = {.out = &out, .out_len = 8, .in = &in, .in_len = sizeof(in)};

	media_driver_call(&rig.md, &command);
	assert_int_equal(in.hdr.status, 0);
	assert_int_equal(in.hdr.reserved, 0);
	assert_int_equal(in.reserved, 0);
	out.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE;
	out.session_id = in.session_id;
	command = (struct media_command) {.out = &out, .out_len = sizeof(out)};
	media_driver_call(&rig.md, &command);
	media_driver_sync(&rig.md);
	media_rig_closed(&rig, 1);
}

/* G_INPUT and G_OUTPUT are only written by the device, but old drivers send their number. */
static void old_drivers_append_to_g_input_and_g_output(void **state)
{
	static const unsigned long cmds[] = {VIDIOC_G_INPUT, VIDIOC_G_OUTPUT};
	const uint32_t session = media_rig_open(&rig), sent = 99;
	const int number = 3;

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		int back = 0;

		fake_node_answer(rig.node, cmds[i], &(struct fake_answer) {.arg = &number});
		assert_int_equal(media_driver_bytes(&rig.md, session, _IOC_NR(cmds[i]), &sent,
						    sizeof(sent), &back, sizeof(back)),
				 0);
		assert_int_equal(back, number);
		assert_int_equal(rig.md.used, 8 + sizeof(back));
	}
}

static void room_beyond_the_payload_stays_as_it_is(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_format format = {.type = CAPTURE};
	uint8_t back[4096];

	answer_fmt(320);
	assert_int_equal(media_driver_bytes(&rig.md, session, _IOC_NR(VIDIOC_G_FMT), &format,
					    sizeof(format), back, sizeof(back)),
			 0);
	assert_int_equal(rig.md.used, 8 + sizeof(format));
}

/* 3.1.1: buffers may be made available before DRIVER_OK, and nobody notifies of them again. */
static void buffers_from_before_driver_ok_are_found(void **state)
{
	enum { STATUS = 0x070, QUEUE_SEL = 0x030, QUEUE_SIZE = 0x038, QUEUE_READY = 0x044 };
	static const uint64_t rings = 0x100000;
	static const unsigned int areas[] = {0x080, 0x090, 0x0a0};
	const uint32_t ok =
		VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;
	const struct virtio_media_cmd_header open = {.cmd = VIRTIO_MEDIA_CMD_OPEN};
	struct virtio_media_resp_open in = {.session_id = 0};
	struct media_command command = {
		.out = &open, .out_len = sizeof(open), .in = &in, .in_len = sizeof(in)};
	struct virtio_driver *driver = &rig.md.driver;
	struct media_event event;
	uint32_t session;

	media_driver_start(&rig.md, 0, 0);
	virtio_driver_write(driver, STATUS, 0);
	while (virtio_driver_read(driver, STATUS) != 0)
		media_driver_pause(&rig.md, 1);
	for (unsigned int i = 0; i < 2; i++) {
		struct vq_layout layout = {.size = 64};
		const uint64_t *gpa;

		driver_ring_deinit(&driver->rings[i]);
		driver_ring_init(&driver->rings[i], driver->gmem, &layout, rings + i * 0x10000);
		layout = driver->rings[i].layout;
		virtio_driver_write(driver, QUEUE_SEL, i);
		virtio_driver_write(driver, QUEUE_SIZE, layout.size);
		gpa = (const uint64_t[]) {layout.desc, layout.driver, layout.device};
		for (unsigned int a = 0; a < 3; a++)
			virtio_driver_write(driver, areas[a], (uint32_t)gpa[a]);
	}
	virtio_driver_write(driver, STATUS, ok & ~VIRTIO_STATUS_FEATURES_OK);
	virtio_driver_write(driver, 0x024, 1);
	virtio_driver_write(driver, 0x020, 1); /* VERSION_1 */
	virtio_driver_write(driver, STATUS, ok);
	for (unsigned int i = 0; i < 2; i++) {
		virtio_driver_write(driver, QUEUE_SEL, i);
		virtio_driver_write(driver, QUEUE_READY, 1);
	}
	media_driver_fill(&rig.md, 4, 608);
	media_driver_send(&rig.md, &command);
	assert_false(media_driver_within(&rig.md, &command, 20));
	virtio_driver_write(driver, STATUS, ok | VIRTIO_STATUS_DRIVER_OK);
	media_driver_wait(&rig.md, &command);
	assert_int_equal(in.hdr.status, 0);
	/* The events' buffers as well: nothing of them is notified later on. */
	session = in.session_id;
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1), 0);
	assert_int_equal(media_rig_frame(&rig, session, &event), 0);
}

/* All other tests look at the rings. */
static void answers_and_events_interrupt(void **state)
{
	uint32_t session;

	media_driver_start(&rig.md, media_rig_features() & ~VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX), 4);
	media_driver_sync(&rig.md);
	fake_irq_take(&rig.md.driver.irq);
	session = media_rig_open(&rig);
	assert_true(fake_irq_wait(&rig.md.driver.irq, 10000) > 0);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	media_driver_sync(&rig.md);
	fake_irq_take(&rig.md.driver.irq);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1), 0);
	assert_true(fake_irq_wait(&rig.md.driver.irq, 10000) > 0);
}

static void many_commands_may_be_in_flight(void **state)
{
	enum { N = 24 };
	static struct media_command commands[N];
	static struct virtio_media_resp_open in[N];
	const struct virtio_media_cmd_header open = {.cmd = VIRTIO_MEDIA_CMD_OPEN};

	for (unsigned int i = 0; i < N; i++) {
		commands[i] = (struct media_command) {
			.out = &open, .out_len = 8, .in = &in[i], .in_len = 16};
		media_driver_send(&rig.md, &commands[i]);
	}
	for (unsigned int i = 0; i < N; i++) {
		media_driver_wait(&rig.md, &commands[i]);
		assert_int_equal(in[i].hdr.status, 0);
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(in[i].session_id, in[k].session_id);
	}
	assert_int_equal(fake_node_opened(rig.node), N);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_have_the_lengths_of_the_protocol),
		TEST(a_close_with_room_for_an_answer_is_closed_too),
		TEST(events_have_exactly_their_lengths),
		TEST(framing_is_the_drivers_choice),
		TEST(the_halves_of_a_command_may_be_the_same_pages),
		TEST(all_kinds_of_rings_carry_commands_and_events),
		TEST(a_failure_is_a_positive_errno_and_a_header_alone),
		TEST(reserved_fields_are_ignored_and_zero),
		TEST(old_drivers_append_to_g_input_and_g_output),
		TEST(room_beyond_the_payload_stays_as_it_is),
		TEST(buffers_from_before_driver_ok_are_found),
		TEST(answers_and_events_interrupt),
		TEST(many_commands_may_be_in_flight),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
