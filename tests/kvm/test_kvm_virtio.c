/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kvm_virtio.c - tests virtio_call.c with real vCPUs: one that waits for a device's thread can
 * be stopped although that thread is blocked. Exits with 77 where there is no KVM.
 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guests.h"
#include "tests/support/virtio_driver.h"
#include "testvm.h"

#define CONFIG	   UINT64_C(0x100)
#define CONFIG_LEN 16

/* A device whose thread is blocked, as by the host's kernel, until the test lets it go. */
struct slow {
	struct testvm t;
	struct virtio_driver driver;
	struct virtio_device dev;
	struct bus *bus; /* of the guest */
	sem_t entered, leave;
	atomic_uint writes;
};

static void write_config(struct virtio_device *dev, unsigned int offset, const void *data,
			 unsigned int len)
{
	struct slow *slow = container_of(dev, struct slow, dev);

	sem_post(&slow->entered);
	while (sem_wait(&slow->leave) < 0)
		;
	atomic_fetch_add(&slow->writes, 1);
}

static const struct virtio_class class = {
	.name = "slow",
	.id = 61,
	.write_config = write_config,
};

static int setup(void **state)
{
	static struct slow slow;

	memset(&slow, 0, sizeof(slow));
	sem_init(&slow.entered, 0, 0);
	sem_init(&slow.leave, 0, 0);
	testvm_init(&slow.t);
	virtio_driver_init(&slow.driver, LOOP_AUTO, true);
	assert_int_equal(virtio_init(&slow.dev, &class, &slow.driver.env, 0, NULL, 0, CONFIG_LEN),
			 0);
	virtio_driver_attach(&slow.driver, &slow.dev);
	/* Where the guest writes to is the configuration space. */
	assert_int_equal(bus_new(&slow.bus, 0), 0);
	assert_int_equal(virtio_mmio_attach(slow.driver.mmio, slow.bus, TESTVM_MMIO - CONFIG), 0);
	slow.t.env.mmio = slow.bus;
	*state = &slow;
	return 0;
}

static int teardown(void **state)
{
	struct slow *slow = *state;

	testvm_deinit(&slow->t);
	virtio_driver_detach(&slow->driver);
	virtio_deinit(&slow->dev);
	virtio_driver_deinit(&slow->driver);
	bus_free(slow->bus);
	sem_destroy(&slow->leave);
	sem_destroy(&slow->entered);
	return 0;
}

static void vcpu_that_waits_for_a_blocked_device_can_be_stopped(void **state)
{
	struct slow *slow = *state;

	testvm_boot(&slow->t, BOOT_LINUX64, guest_mmio, guest_mmio_end);
	testvm_start(&slow->t);
	while (sem_wait(&slow->entered) < 0)
		;
	vcpu_free(slow->t.vcpu); /* comes back */
	slow->t.vcpu = NULL;
	assert_int_equal(atomic_load(&slow->writes), 0);
	/* What it has asked for is done all the same, before anything else is. */
	sem_post(&slow->leave);
	assert_int_equal(virtio_driver_read(&slow->driver, 0x070), 0);
	assert_int_equal(atomic_load(&slow->writes), 1);
}

/* The call is still the device's: the second half may not take its place. */
static void vcpu_stopped_in_mid_access_leaves_the_rest(void **state)
{
	struct slow *slow = *state;
	int left;

	testvm_boot(&slow->t, BOOT_LINUX64, guest_mmio, guest_mmio_end);
	testvm_start(&slow->t);
	/* The guest's 1, 2 and 4 bytes, then the first half of 8. */
	for (unsigned int i = 0; i < 4; i++) {
		while (sem_wait(&slow->entered) < 0)
			;
		if (i < 3)
			sem_post(&slow->leave);
	}
	vcpu_free(slow->t.vcpu);
	slow->t.vcpu = NULL;
	sem_post(&slow->leave);
	assert_int_equal(virtio_driver_read(&slow->driver, 0x070), 0);
	assert_int_equal(atomic_load(&slow->writes), 4);
	assert_int_equal(sem_getvalue(&slow->entered, &left), 0);
	assert_int_equal(left, 0);
}

static void vcpu_waits_until_the_device_is_done(void **state)
{
	struct slow *slow = *state;

	testvm_boot(&slow->t, BOOT_LINUX64, guest_mmio, guest_mmio_end);
	testvm_start(&slow->t);
	/* The guest's 1, 2, 4 and 8 bytes, the last in two. */
	for (unsigned int i = 0; i < 5; i++) {
		while (sem_wait(&slow->entered) < 0)
			;
		assert_int_equal(atomic_load(&slow->writes), i);
		assert_int_equal(slow->t.told_n, 0);
		sem_post(&slow->leave);
	}
	assert_int_equal(testvm_wait(&slow->t), TESTVM_SAID_DONE);
	assert_int_equal(atomic_load(&slow->writes), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(vcpu_that_waits_for_a_blocked_device_can_be_stopped),
		TEST(vcpu_stopped_in_mid_access_leaves_the_rest),
		TEST(vcpu_waits_until_the_device_is_done),
	};

	if (!testvm_have_kvm()) {
		puts("no usable /dev/kvm on this machine");
		return 77;
	}
	return cmocka_run_group_tests_name("kvm_virtio", tests, NULL, NULL);
}
