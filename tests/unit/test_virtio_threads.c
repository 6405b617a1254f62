/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_virtio_threads.c - tests virtio.c and virtio_call.c: several vCPUs at one device, whose loop
 * has a thread of its own. Meant to be run with ThreadSanitizer as well.
 */
#include "virtio.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

#define VCPUS	 4
#define ECHOES	 300
#define RESETS	 200
#define ACCESSES 3000

#define RING_RESET VIRTIO_FEATURE(VIRTIO_F_RING_RESET)

static struct virtio_probe probe;

static int setup(void **state)
{
	virtio_probe_init(&probe, LOOP_AUTO, true);
	return 0;
}

static int setup_epoll(void **state)
{
	virtio_probe_init(&probe, LOOP_EPOLL, true);
	return 0;
}

static int teardown(void **state)
{
	virtio_probe_deinit(&probe);
	return 0;
}

struct vcpu_thread {
	pthread_t thread;
	unsigned int index;
	atomic_bool *end;
};

/* Run @fn on @n threads besides this one. */
static void start_vcpus(struct vcpu_thread vcpus[VCPUS], unsigned int n, void *(*fn)(void *),
			atomic_bool *end)
{
	for (unsigned int i = 0; i < n; i++) {
		vcpus[i] = (struct vcpu_thread) {.index = i, .end = end};
		assert_int_equal(pthread_create(&vcpus[i].thread, NULL, fn, &vcpus[i]), 0);
	}
}

static void join_vcpus(struct vcpu_thread vcpus[VCPUS], unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		pthread_join(vcpus[i].thread, NULL);
}

static void *echo_on_one_queue(void *arg)
{
	const struct vcpu_thread *vcpu = arg;

	for (unsigned int i = 0; i < ECHOES; i++)
		virtio_probe_echo(&probe, vcpu->index, 1 + i % 100);
	return NULL;
}

static void queues_are_used_on_several_vcpus_at_once(void **state)
{
	struct vcpu_thread vcpus[VCPUS];

	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		virtio_driver_start(&probe.driver, virtio_rings[i].features, 16);
		start_vcpus(vcpus, PROBE_QUEUES, echo_on_one_queue, NULL);
		join_vcpus(vcpus, PROBE_QUEUES);
	}
}

static void *notify_without_end(void *arg)
{
	const struct vcpu_thread *vcpu = arg;

	while (!atomic_load(vcpu->end))
		for (unsigned int i = 0; i < PROBE_QUEUES; i++)
			virtio_probe_out(&probe, REG_QUEUE_NOTIFY, i);
	return NULL;
}

static void guest_that_never_stops_notifying_is_served_and_reset(void **state)
{
	struct vcpu_thread vcpus[VCPUS];
	atomic_bool end = false;

	start_vcpus(vcpus, 2, notify_without_end, &end);
	for (unsigned int i = 0; i < 20; i++) {
		virtio_driver_start(&probe.driver, virtio_rings[i % VIRTIO_RINGS].features, 16);
		for (unsigned int n = 0; n < 10; n++)
			virtio_probe_echo(&probe, n % PROBE_QUEUES, 10);
		virtio_probe_out(&probe, REG_STATUS, 0);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
	}
	atomic_store(&end, true);
	join_vcpus(vcpus, 2);
}

static void *reset_again_and_again(void *arg)
{
	for (unsigned int i = 0; i < RESETS; i++)
		virtio_probe_out(&probe, REG_STATUS, 0);
	return NULL;
}

/* Each at its own pace: a reset comes while another does, before, in and after DRIVER_OK. */
static void *initialise_again_and_again(void *arg)
{
	static const uint32_t layout[][2] = {
		{REG_QUEUE_SIZE, 16},
		{REG_QUEUE_DESC_LOW, 0x100000},
		{REG_QUEUE_DRIVER_LOW, 0x101000},
		{REG_QUEUE_DEVICE_LOW, 0x102000},
		{REG_QUEUE_READY, 1},
	};
	const uint32_t status[] = {1, 3, 11, 15};

	for (unsigned int i = 0; i < RESETS; i++) {
		virtio_probe_out(&probe, REG_DRIVER_FEATURES_SEL, 1);
		virtio_probe_out(&probe, REG_DRIVER_FEATURES, 1 | RING_RESET >> 32);
		virtio_probe_out(&probe, REG_STATUS, status[0]);
		virtio_probe_out(&probe, REG_STATUS, status[1]);
		virtio_probe_out(&probe, REG_STATUS, status[2]);
		virtio_probe_out(&probe, REG_QUEUE_SEL, i % PROBE_QUEUES);
		for (size_t n = 0; n < ARRAY_SIZE(layout); n++)
			virtio_probe_out(&probe, layout[n][0], layout[n][1]);
		virtio_probe_out(&probe, REG_STATUS, status[3]);
		virtio_probe_out(&probe, REG_QUEUE_NOTIFY, i % PROBE_QUEUES);
		if (i % 3 == 0)
			virtio_probe_out(&probe, REG_QUEUE_RESET, 1);
		else if (i % 3 == 1)
			virtio_probe_out(&probe, REG_QUEUE_READY, 0);
	}
	return NULL;
}

static void resets_on_several_vcpus_at_any_moment_leave_a_sound_device(void **state)
{
	struct vcpu_thread resetting[VCPUS], starting[VCPUS];

	start_vcpus(starting, 2, initialise_again_and_again, NULL);
	start_vcpus(resetting, 2, reset_again_and_again, NULL);
	join_vcpus(starting, 2);
	join_vcpus(resetting, 2);
	virtio_driver_start(&probe.driver, RING_RESET, 16);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		virtio_probe_echo(&probe, i, 100);
}

/* Requests are in flight, and come back in the class's own time, while two vCPUs reset. */
static void resets_with_requests_in_flight_wait_for_all_of_them(void **state)
{
	struct vcpu_thread resetting[VCPUS];

	for (unsigned int i = 0; i < 30; i++) {
		virtio_driver_start(&probe.driver, virtio_rings[i % VIRTIO_RINGS].features, 32);
		probe.push_late = i % 2;
		virtio_probe_run(&probe, virtio_probe_hold);
		for (unsigned int n = 0; n < 7; n++)
			virtio_probe_send(&probe, 2, 10);
		virtio_probe_out(&probe, REG_QUEUE_NOTIFY, 2);
		virtio_probe_sync(&probe);
		start_vcpus(resetting, 2, reset_again_and_again, NULL);
		join_vcpus(resetting, 2);
		assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
	}
}

static void sleep_a_while(struct loop_post *post)
{
	static const struct timespec while_ = {.tv_nsec = 250 * 1000 * 1000};

	nanosleep(&while_, NULL);
}

/* Longer than one step of the wait. */
static void thread_that_is_busy_is_waited_for(void **state)
{
	struct loop_post post = {0};

	loop_post(probe.dev.loop, &post, sleep_a_while);
	virtio_probe_out(&probe, REG_CONFIG, 0x12345678);
	assert_int_equal(atomic_load(&probe.writes_n), 1);
	virtio_driver_start(&probe.driver, 0, 16);
	loop_post(probe.dev.loop, &post, sleep_a_while);
	virtio_probe_out(&probe, REG_STATUS, 0);
	assert_int_equal(virtio_probe_in(&probe, REG_STATUS), 0);
}

/* All registers in any order. Its own generator, so that a run is like any other. */
static void *access_anything(void *arg)
{
	const struct vcpu_thread *vcpu = arg;
	uint32_t seed = 12345 + vcpu->index;

	for (unsigned int i = 0; i < ACCESSES; i++) {
		const unsigned int width = 1u << (seed >> 27 & 3);
		uint64_t offset;

		seed = seed * 1664525 + 1013904223;
		offset = seed >> 8 & 0x1ff;
		if (seed & 0x20000)
			offset &= ~UINT64_C(3);
		seed = seed * 1664525 + 1013904223;
		if (seed & 0x10000)
			bus_write(probe.driver.bus, offset, seed & 0x40000 ? width : 4,
				  seed & 0x80000 ? seed >> 24 & 0xf : seed);
		else
			bus_read(probe.driver.bus, offset, seed & 0x40000 ? width : 4);
	}
	return NULL;
}

static void any_accesses_of_several_vcpus_leave_a_sound_device(void **state)
{
	struct vcpu_thread vcpus[VCPUS];

	virtio_driver_start(&probe.driver, RING_RESET, 16);
	start_vcpus(vcpus, VCPUS, access_anything, NULL);
	join_vcpus(vcpus, VCPUS);
	virtio_driver_start(&probe.driver, RING_RESET, 16);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		virtio_probe_echo(&probe, i, 100);
}

#define URING(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define EPOLL(fn)                                                                                  \
	{                                                                                          \
#fn ", epoll", fn, setup_epoll, teardown, NULL                                     \
	}
#define BOTH(fn) URING(fn), EPOLL(fn)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(queues_are_used_on_several_vcpus_at_once),
		BOTH(guest_that_never_stops_notifying_is_served_and_reset),
		BOTH(resets_on_several_vcpus_at_any_moment_leave_a_sound_device),
		BOTH(resets_with_requests_in_flight_wait_for_all_of_them),
		BOTH(thread_that_is_busy_is_waited_for),
		BOTH(any_accesses_of_several_vcpus_leave_a_sound_device),
	};

	return cmocka_run_group_tests_name("virtio_threads", tests, NULL, NULL);
}
