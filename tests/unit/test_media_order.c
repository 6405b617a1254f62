/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_order.c - what a virtio-media device puts into its two rings first: an answer or the
 * event that belongs to it.
 *
 * For the arguments see media_rig.h. A page of guest memory that cannot be written to stops the
 * device at the moment that counts.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "media_rig.h"

static struct media_rig rig;

/*
 * A page that the device is about to write to, and what was in the other ring at that moment: its
 * thread faults, looks, and goes on.
 */
static struct {
	uint8_t *page;
	unsigned int queue; /* the other one */
	atomic_int seen;    /* -1: the page was not written to */
} trap;

static void trapped(int number, siginfo_t *info, void *context)
{
	const uint8_t *at = info->si_addr;

	if (at < trap.page || at >= trap.page + 4096) {
		signal(SIGSEGV, SIG_DFL);
		return;
	}
	atomic_store(&trap.seen, media_driver_has_used(&rig.md, trap.queue));
	mprotect(trap.page, 4096, PROT_READ | PROT_WRITE);
}

static void set_trap(uint8_t *page, unsigned int other)
{
	struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};

	trap.page = page;
	trap.queue = other;
	atomic_store(&trap.seen, -1);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
}

static void trap_event(struct media_command *command)
{
	set_trap(media_driver_event_page(&rig.md), VIRTIO_MEDIA_COMMANDQ);
}

static void trap_answer(struct media_command *command)
{
	const uint64_t gpa = command->sg[command->out_n].gpa;

	set_trap(media_driver_page(&rig.md, gpa, 4096), VIRTIO_MEDIA_EVENTQ);
}

/* A node that is done as soon as a buffer is queued: the answer to QBUF is there all the same. */
static void the_answer_to_qbuf_precedes_its_dqbuf(void **state)
{
	static const struct media_rig_options options = {.fake.complete_all = true, .events = 1};
	struct {
		struct virtio_media_cmd_ioctl head;
		struct v4l2_buffer buffer;
	} out = {.buffer = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP}};
	static uint8_t in[8 + sizeof(struct v4l2_buffer)];
	struct media_event event;
	uint32_t session;

	media_rig_init(&rig, &options);
	session = media_rig_open(&rig);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	out.head = (struct virtio_media_cmd_ioctl) {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_IOCTL},
		.session_id = session,
		.code = _IOC_NR(VIDIOC_QBUF),
	};
	for (unsigned int i = 0; i < 20; i++) {
		struct media_command command = {
			.out = &out,
			.out_len = sizeof(out),
			.in = in,
			.in_len = sizeof(in),
			.hook = trap_event,
		};

		out.buffer.index = i & 1;
		media_driver_send(&rig.md, &command);
		/* It is not taken from the ring before the event comes. */
		assert_int_equal(media_rig_frame(&rig, session, &event), i & 1);
		assert_int_equal(atomic_load(&trap.seen), 1);
		media_driver_wait(&rig.md, &command);
		assert_int_equal(((const struct virtio_media_resp_header *)(void *)in)->status, 0);
	}
	signal(SIGSEGV, SIG_DFL);
	media_rig_deinit(&rig);
}

/* The other way round with V4L2_EVENT_SUB_FL_SEND_INITIAL: who has the answer has the event. */
static void the_initial_event_precedes_the_answer_to_subscribe(void **state)
{
	static const struct media_rig_options plain;
	struct {
		struct virtio_media_cmd_ioctl head;
		struct v4l2_event_subscription sub;
	} out = {
		.head = {.hdr = {.cmd = VIRTIO_MEDIA_CMD_IOCTL},
			 .code = _IOC_NR(VIDIOC_SUBSCRIBE_EVENT)},
		.sub = {.type = V4L2_EVENT_CTRL,
			.id = V4L2_CID_BRIGHTNESS,
			.flags = V4L2_EVENT_SUB_FL_SEND_INITIAL},
	};

	media_rig_init(&rig, &plain);
	for (unsigned int i = 0; i < 20; i++) {
		struct virtio_media_resp_header in = {.status = 1};
		struct media_command command = {
			.out = &out,
			.out_len = sizeof(out),
			.in = &in,
			.in_len = sizeof(in),
			.hook = trap_answer,
		};
		struct media_event event;

		out.head.session_id = media_rig_open(&rig);
		media_driver_send(&rig.md, &command);
		media_driver_wait(&rig.md, &command);
		assert_int_equal(atomic_load(&trap.seen), 1);
		assert_int_equal(in.status, 0);
		assert_true(media_driver_take(&rig.md, &event));
		assert_int_equal(event.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
		assert_int_equal(event.hdr.session_id, out.head.session_id);
		media_driver_close(&rig.md, out.head.session_id);
	}
	signal(SIGSEGV, SIG_DFL);
	media_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_to_qbuf_precedes_its_dqbuf),
		cmocka_unit_test(the_initial_event_precedes_the_answer_to_subscribe),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
