/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_console_hostile.c - tests console.c with drivers that break the rules, reset at the wrong
 * moment or try to keep the thread.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "console_rig.h"
#include "fake_irq.h"

#define DATA	VIRTIO_DRIVER_DATA
#define OUTSIDE VIRTIO_DRIVER_MEMORY

/* What a turn may be, see console.c. */
#define TURN_BYTES 65536
#define TURN_CALLS 256

static int setup(void **state)
{
	static struct console_rig rig;

	console_rig_init(&rig);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	console_rig_deinit(*state);
	return 0;
}

/* --- resets --- */

static void device_reset_ends_output_that_waits(void **state)
{
	struct console_rig *rig = *state;
	struct driver_sg old = {.gpa = DATA, .len = 8}, new = {.gpa = DATA + 8, .len = 3};

	console_rig_write(rig, DATA, "oldoldolnew", 11);
	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		print_message("# %s\n", console_rings[i].name);
		console_rig_start(rig, console_rings[i].features);
		console_rig_forget(rig);
		console_rig_allow(rig, 3, true);
		console_rig_add(rig, TRANSMIT, &old, 1, 0);
		console_rig_output(rig, "old", 3);
		virtio_driver_write(&rig->driver, MMIO_STATUS, 0);
		assert_int_equal(virtio_driver_read(&rig->driver, MMIO_STATUS), 0);
		console_rig_none_used(rig, TRANSMIT);
		/* The host's end is as full as before; what comes out then is only the new. */
		console_rig_start(rig, console_rings[i].features);
		console_rig_add(rig, TRANSMIT, &new, 1, 0);
		console_rig_none_used(rig, TRANSMIT);
		console_rig_allow(rig, SIZE_MAX, true);
		assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
		console_rig_output(rig, "oldnew", 6);
	}
}

static void queue_reset_ends_output_that_waits(void **state)
{
	const uint64_t ring_reset = VIRTIO_FEATURE(VIRTIO_F_RING_RESET);
	struct console_rig *rig = *state;
	struct driver_sg out = {.gpa = DATA, .len = 8}, in = {.gpa = DATA + 64, .len = 8};

	console_rig_write(rig, DATA, "oldoldol", 8);
	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		print_message("# %s\n", console_rings[i].name);
		console_rig_start(rig, console_rings[i].features | ring_reset);
		console_rig_forget(rig);
		console_rig_allow(rig, 3, true);
		console_rig_add(rig, TRANSMIT, &out, 1, 0);
		console_rig_output(rig, "old", 3);
		virtio_driver_write(&rig->driver, MMIO_QUEUE_SEL, TRANSMIT);
		virtio_driver_write(&rig->driver, MMIO_QUEUE_RESET, 1);
		assert_int_equal(virtio_driver_read(&rig->driver, MMIO_QUEUE_RESET), 0);
		console_rig_allow(rig, SIZE_MAX, true);
		console_rig_none_used(rig, TRANSMIT);
		console_rig_output(rig, "old", 3);
		/* The other queue does not notice. */
		console_rig_add(rig, RECEIVE, &in, 0, 1);
		assert_int_equal(console_rig_input(rig, "x", 1), 1);
		assert_int_equal(console_rig_used(rig, RECEIVE), 1);
	}
}

/* --- buffers of the wrong direction (5.3.6.1 forbids them to the driver) --- */

static void writable_pieces_of_output_are_left_alone(void **state)
{
	static const struct {
		const char *name;
		unsigned int out_n, in_n;
		const char *output;
	} cases[] = {
		{.name = "only writable", .out_n = 0, .in_n = 1, .output = ""},
		{.name = "readable, then writable", .out_n = 1, .in_n = 2, .output = "abcd"},
	};
	struct console_rig *rig = *state;
	char after[12];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct driver_sg sg[3];

		print_message("# %s\n", cases[i].name);
		console_rig_write(rig, DATA, "abcdefghijkl", 12);
		for (unsigned int j = 0; j < 3; j++)
			sg[j] = (struct driver_sg) {.gpa = DATA + j * 4, .len = 4};
		console_rig_start(rig, 0);
		console_rig_forget(rig);
		console_rig_add(rig, TRANSMIT, sg, cases[i].out_n, cases[i].in_n);
		assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
		console_rig_output(rig, cases[i].output, strlen(cases[i].output));
		gmem_read(rig->driver.gmem, DATA, after, sizeof(after));
		assert_memory_equal(after, "abcdefghijkl", 12);
	}
}

static void readable_pieces_of_input_are_left_alone(void **state)
{
	struct console_rig *rig = *state;
	struct driver_sg readable = {.gpa = DATA, .len = 4};
	struct driver_sg both[] = {{.gpa = DATA + 4, .len = 4}, {.gpa = DATA + 8, .len = 4}};
	char after[12];

	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		print_message("# %s\n", console_rings[i].name);
		console_rig_start(rig, console_rings[i].features);
		console_rig_write(rig, DATA, "abcdefghijkl", 12);
		console_rig_add(rig, RECEIVE, &readable, 1, 0);
		console_rig_add(rig, RECEIVE, both, 1, 1);
		assert_int_equal(console_rig_input(rig, "XY", 2), 2);
		/* One that holds nothing comes back with nothing, and no input is lost by it. */
		assert_int_equal(console_rig_used(rig, RECEIVE), 0);
		assert_int_equal(console_rig_used(rig, RECEIVE), 2);
		gmem_read(rig->driver.gmem, DATA, after, sizeof(after));
		assert_memory_equal(after, "abcdefghXYkl", 12);
	}
}

/* --- broken rings --- */

static void broken_ring_needs_a_reset_and_no_more(void **state)
{
	static const struct {
		const char *name;
		unsigned int queue;
		struct driver_sg sg;
	} cases[] = {
		{.name = "output outside RAM", .queue = TRANSMIT, .sg = {OUTSIDE, 1}},
		{.name = "output across the end", .queue = TRANSMIT, .sg = {OUTSIDE - 1, 2}},
		{.name = "output that wraps", .queue = TRANSMIT, .sg = {UINT64_MAX - 1, 8}},
		{.name = "output of 4 GiB", .queue = TRANSMIT, .sg = {DATA, UINT32_MAX}},
		{.name = "input outside RAM", .queue = RECEIVE, .sg = {OUTSIDE, 1}},
		{.name = "input across the end", .queue = RECEIVE, .sg = {OUTSIDE - 1, 2}},
		{.name = "input that wraps", .queue = RECEIVE, .sg = {UINT64_MAX - 1, 8}},
	};
	struct console_rig *rig = *state;
	struct driver_sg good = {.gpa = DATA, .len = 2};

	console_rig_write(rig, DATA, "ok", 2);
	for (size_t i = 0; i < ARRAY_SIZE(console_rings); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(cases); j++) {
			const bool in = cases[j].queue == RECEIVE;

			print_message("# %s: %s\n", console_rings[i].name, cases[j].name);
			console_rig_start(rig, console_rings[i].features);
			console_rig_forget(rig);
			if (in)
				assert_int_equal(console_rig_input(rig, "xy", 2), 2);
			console_rig_add(rig, cases[j].queue, &cases[j].sg, in ? 0 : 1, in ? 1 : 0);
			assert_true(virtio_driver_needs_reset(&rig->driver));
			console_rig_output(rig, "", 0);
			/* A reset mends it; what was typed is still there. */
			console_rig_start(rig, console_rings[i].features);
			console_rig_add(rig, TRANSMIT, &good, 1, 0);
			assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
			console_rig_output(rig, "ok", 2);
			if (!in)
				continue;
			console_rig_add(rig, RECEIVE, &(struct driver_sg) {DATA + 8, 8}, 0, 1);
			assert_int_equal(console_rig_used(rig, RECEIVE), 2);
		}
	}
}

/* --- a driver that never stops --- */

/* Another device on the same thread: how much output passes between two turns of it. */
struct neighbour {
	struct loop_post post;
	struct console_rig *rig;
	bool stop;
	unsigned int turns;
	size_t bytes, bytes_max;
	unsigned int calls, calls_max;
};

static void neighbour_turn(struct loop_post *post)
{
	struct neighbour *n = container_of(post, struct neighbour, post);
	const size_t bytes = n->rig->output_n;
	const unsigned int calls = n->rig->calls;

	n->bytes_max = MAX(n->bytes_max, bytes - n->bytes);
	n->calls_max = MAX(n->calls_max, calls - n->calls);
	n->bytes = bytes;
	n->calls = calls;
	n->turns++;
	if (!n->stop)
		loop_post(n->rig->driver.env.loop, post, neighbour_turn);
}

static void neighbour_begin(struct console_rig *rig, void *arg)
{
	struct neighbour *n = arg;

	*n = (struct neighbour) {.rig = rig, .bytes = rig->output_n, .calls = rig->calls};
	loop_post(rig->driver.env.loop, &n->post, neighbour_turn);
}

/* Posts are served in order: the last turn is over when this has run twice. */
static void neighbour_end(struct console_rig *rig, void *arg)
{
	struct neighbour *n = arg;

	n->stop = true;
}

static void output_leaves_turns_to_other_devices(void **state)
{
	static const struct {
		const char *name;
		unsigned int requests, pieces;
		uint32_t len; /* of each piece */
		unsigned int turns_min;
	} cases[] = {
		{.name = "long", .requests = 1, .pieces = 6, .len = MIB, .turns_min = 96},
		{.name = "in tiny pieces", .requests = 64, .pieces = 60, .len = 1, .turns_min = 15},
		{.name = "empty", .requests = 64, .pieces = 0, .len = 1, .turns_min = 1},
	};
	struct console_rig *rig = *state;
	struct neighbour neighbour;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct driver_sg sg[64];

		print_message("# %s\n", cases[i].name);
		assert_true(virtio_driver_start(&rig->driver,
						VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC), 64) &
			    VIRTIO_STATUS_DRIVER_OK);
		console_rig_forget(rig);
		for (unsigned int j = 0; j < 64; j++)
			sg[j] = (struct driver_sg) {.gpa = DATA, .len = cases[i].len};
		for (unsigned int j = 0; j < cases[i].requests; j++)
			assert_true(driver_ring_add(&rig->driver.rings[TRANSMIT], sg,
						    cases[i].pieces, cases[i].pieces ? 0 : 1) >= 0);
		console_rig_run(rig, neighbour_begin, &neighbour);
		virtio_driver_kick(&rig->driver, TRANSMIT);
		for (unsigned int j = 0; j < cases[i].requests; j++)
			assert_int_equal(console_rig_used(rig, TRANSMIT), 0);
		console_rig_run(rig, neighbour_end, &neighbour);
		console_rig_run(rig, neighbour_end, &neighbour);
		assert_int_equal(rig->output_n,
				 (size_t)cases[i].requests * cases[i].pieces * cases[i].len);
		assert_in_range(neighbour.bytes_max, 0, TURN_BYTES);
		assert_in_range(neighbour.calls_max, 0, TURN_CALLS);
		assert_in_range(neighbour.turns, cases[i].turns_min, UINT32_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(device_reset_ends_output_that_waits, setup,
						teardown),
		cmocka_unit_test_setup_teardown(queue_reset_ends_output_that_waits, setup,
						teardown),
		cmocka_unit_test_setup_teardown(writable_pieces_of_output_are_left_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(readable_pieces_of_input_are_left_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(broken_ring_needs_a_reset_and_no_more, setup,
						teardown),
		cmocka_unit_test_setup_teardown(output_leaves_turns_to_other_devices, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("console_hostile", tests, NULL, NULL);
}
