/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mmio.c - tests mmio.c: the register file of virtio 1.4, 4.2.2, by accesses to a bus as a
 * guest's, good ones and bad ones.
 */
#include "devices/virtio/mmio.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "virtio_probe.h"

static int setup(void **state)
{
	static struct virtio_probe probe;

	virtio_probe_init(&probe, LOOP_EPOLL, false);
	*state = &probe;
	return 0;
}

static int teardown(void **state)
{
	virtio_probe_deinit(*state);
	return 0;
}

/* What 4.2.2 says of each register, written down once more. */
static const struct {
	const char *name;
	uint64_t offset;
	bool readable, writable;
	uint32_t fresh; /* what it reads as after reset, with queue 0 selected */
} registers[] = {
	{"MagicValue", 0x000, true, false, 0x74726976},
	{"Version", 0x004, true, false, 2},
	{"DeviceID", 0x008, true, false, PROBE_ID},
	{"VendorID", 0x00c, true, false, 'v' | 'm' << 8 | 'm' << 16},
	{"DeviceFeatures", 0x010, true, false, 1u << PROBE_FEATURE | 1u << 28 | 1u << 29},
	{"DeviceFeaturesSel", 0x014, false, true, 0},
	{"DriverFeatures", 0x020, false, true, 0},
	{"DriverFeaturesSel", 0x024, false, true, 0},
	{"QueueSel", 0x030, false, true, 0},
	{"QueueSizeMax", 0x034, true, false, 64},
	{"QueueSize", 0x038, false, true, 0},
	{"QueueReady", 0x044, true, true, 0},
	{"QueueNotify", 0x050, false, true, 0},
	{"InterruptStatus", 0x060, true, false, 0},
	{"InterruptACK", 0x064, false, true, 0},
	{"Status", 0x070, true, true, 0},
	{"QueueDescLow", 0x080, false, true, 0},
	{"QueueDescHigh", 0x084, false, true, 0},
	{"QueueDriverLow", 0x090, false, true, 0},
	{"QueueDriverHigh", 0x094, false, true, 0},
	{"QueueDeviceLow", 0x0a0, false, true, 0},
	{"QueueDeviceHigh", 0x0a4, false, true, 0},
	{"SHMSel", 0x0ac, false, true, 0},
	{"SHMLenLow", 0x0b0, true, false, (uint32_t)PROBE_SHM_LEN},
	{"SHMLenHigh", 0x0b4, true, false, PROBE_SHM_LEN >> 32},
	{"SHMBaseLow", 0x0b8, true, false, (uint32_t)PROBE_SHM_GPA},
	{"SHMBaseHigh", 0x0bc, true, false, PROBE_SHM_GPA >> 32},
	{"QueueReset", 0x0c0, true, true, 0},
	{"ConfigGeneration", 0x0fc, true, false, 1},
};

/* Return: index in registers[]; ARRAY_SIZE(registers): there is none. */
static size_t find_register(uint64_t offset)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(registers) && registers[i].offset != offset)
		i++;
	return i;
}

static void every_register_reads_as_specified_and_no_other_one_does(void **state)
{
	struct virtio_probe *probe = *state;
	size_t found = 0;

	for (uint64_t offset = 0; offset < 0x100; offset += 4) {
		const size_t i = find_register(offset);
		const uint32_t value = virtio_driver_read(&probe->driver, offset);

		if (i == ARRAY_SIZE(registers)) {
			assert_int_equal(value, 0);
			continue;
		}
		print_message("# %s\n", registers[i].name);
		assert_int_equal(value, registers[i].readable ? registers[i].fresh : 0);
		found++;
	}
	assert_int_equal(found, ARRAY_SIZE(registers));
}

/* All that a wrong access might change, as far as a guest can see it, and the queues' layouts. */
struct snapshot {
	uint32_t values[0x100 / 4];
	struct vq_layout layouts[PROBE_QUEUES];
	uint32_t features[2];
};

static void take(struct virtio_probe *probe, struct snapshot *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		snapshot->values[registers[i].offset / 4] =
			virtio_driver_read(&probe->driver, registers[i].offset);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		snapshot->layouts[i] = probe->dev.queues[i].layout;
	memcpy(snapshot->features, &probe->dev.accepted, sizeof(snapshot->features));
}

static void assert_unchanged(struct virtio_probe *probe, const struct snapshot *before)
{
	struct snapshot after;

	take(probe, &after);
	assert_memory_equal(before->values, after.values, sizeof(after.values));
	assert_memory_equal(before->layouts, after.layouts, sizeof(after.layouts));
	assert_memory_equal(before->features, after.features, sizeof(after.features));
}

static void wrong_widths_and_alignments_read_zero_and_change_nothing(void **state)
{
	struct virtio_probe *probe = *state;
	struct bus *bus = probe->driver.bus;
	struct snapshot before;

	/* Both before and while the device is driven. */
	for (unsigned int live = 0; live < 2; live++) {
		if (live)
			virtio_driver_start(&probe->driver, 0, 16);
		take(probe, &before);
		for (uint64_t offset = 0; offset < 0x100; offset++) {
			for (unsigned int width = 1; width <= 8; width *= 2) {
				if (width == 4 && offset % 4 == 0)
					continue;
				assert_int_equal(bus_read(bus, offset, width), 0);
				bus_write(bus, offset, width, 0);
				bus_write(bus, offset, width, UINT64_MAX);
				bus_write(bus, offset, width, 0x0101010101010101);
			}
		}
		assert_unchanged(probe, &before);
		virtio_probe_sync(probe);
	}
	virtio_probe_echo(probe, 0, 100);
}

static void writes_to_what_is_read_only_change_nothing(void **state)
{
	struct virtio_probe *probe = *state;
	struct snapshot before;

	virtio_driver_start(&probe->driver, 0, 16);
	take(probe, &before);
	for (uint64_t offset = 0; offset < 0x100; offset += 4) {
		const size_t i = find_register(offset);

		if (i < ARRAY_SIZE(registers) && registers[i].writable)
			continue;
		virtio_driver_write(&probe->driver, offset, 0);
		virtio_driver_write(&probe->driver, offset, UINT32_MAX);
		virtio_driver_write(&probe->driver, offset, 1);
	}
	assert_unchanged(probe, &before);
	virtio_probe_echo(probe, 0, 100);
}

static void device_features_come_in_words_of_32_bits(void **state)
{
	static const struct {
		uint32_t sel, features;
	} cases[] = {
		{0, 1u << PROBE_FEATURE | 1u << 28 | 1u << 29},
		{1, 1u << (32 - 32) | 1u << (34 - 32) | 1u << (40 - 32)},
		{2, 0},
		{3, 0},
		{0x80000000, 0},
		{UINT32_MAX, 0},
		{0, 1u << PROBE_FEATURE | 1u << 28 | 1u << 29},
	};
	struct virtio_probe *probe = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		virtio_probe_out(probe, REG_DEVICE_FEATURES_SEL, cases[i].sel);
		assert_int_equal(virtio_probe_in(probe, REG_DEVICE_FEATURES), cases[i].features);
	}
}

static void each_queue_has_its_own_maximum_and_ready_bit(void **state)
{
	struct virtio_probe *probe = *state;

	for (unsigned int i = 0; i < PROBE_QUEUES; i++) {
		virtio_probe_out(probe, REG_QUEUE_SEL, i);
		assert_int_equal(virtio_probe_in(probe, REG_QUEUE_SIZE_MAX), probe_sizes[i]);
		if (i == 1)
			virtio_probe_out(probe, REG_QUEUE_READY, 1);
	}
	for (unsigned int i = 0; i < PROBE_QUEUES; i++) {
		virtio_probe_out(probe, REG_QUEUE_SEL, i);
		assert_int_equal(virtio_probe_in(probe, REG_QUEUE_READY), i == 1);
	}
	virtio_probe_out(probe, REG_QUEUE_SEL, 1);
	virtio_probe_out(probe, REG_QUEUE_READY, 0);
	assert_int_equal(virtio_probe_in(probe, REG_QUEUE_READY), 0);
}

static void queue_that_does_not_exist_has_size_0_and_takes_nothing(void **state)
{
	static const uint32_t none[] = {PROBE_QUEUES, 64, 0xffff, 0x10000, UINT32_MAX};
	struct virtio_probe *probe = *state;
	struct snapshot before, after;

	take(probe, &before);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		virtio_probe_out(probe, REG_QUEUE_SEL, none[i]);
		for (uint32_t offset = REG_QUEUE_SIZE; offset <= REG_QUEUE_RESET; offset += 4)
			if (offset != REG_STATUS && offset != REG_SHM_SEL)
				virtio_driver_write(&probe->driver, offset, 1);
		assert_int_equal(virtio_probe_in(probe, REG_QUEUE_SIZE_MAX), 0);
		assert_int_equal(virtio_probe_in(probe, REG_QUEUE_READY), 0);
		assert_int_equal(virtio_probe_in(probe, REG_QUEUE_RESET), 0);
	}
	virtio_probe_out(probe, REG_QUEUE_SEL, 0);
	take(probe, &after);
	assert_memory_equal(before.layouts, after.layouts, sizeof(after.layouts));
	assert_memory_equal(before.values, after.values, sizeof(after.values));
}

/* The addresses of a sound ring, half of one replaced, are outside of memory. */
static void both_halves_of_each_queue_address_count(void **state)
{
	static const enum virtio_reg halves[] = {
		REG_QUEUE_DESC_LOW,    REG_QUEUE_DESC_HIGH,  REG_QUEUE_DRIVER_LOW,
		REG_QUEUE_DRIVER_HIGH, REG_QUEUE_DEVICE_LOW, REG_QUEUE_DEVICE_HIGH,
	};
	struct virtio_probe *probe = *state;

	for (size_t i = 0; i <= ARRAY_SIZE(halves); i++) {
		virtio_driver_start(&probe->driver, 0, 16);
		virtio_probe_out(probe, REG_QUEUE_SEL, 0);
		virtio_probe_out(probe, REG_QUEUE_READY, 0);
		virtio_probe_sync(probe);
		if (i < ARRAY_SIZE(halves))
			virtio_probe_out(probe, halves[i], 0x70000000);
		virtio_probe_out(probe, REG_QUEUE_READY, 1);
		assert_int_equal(virtio_probe_in(probe, REG_STATUS) & VIRTIO_STATUS_NEEDS_RESET,
				 i < ARRAY_SIZE(halves) ? VIRTIO_STATUS_NEEDS_RESET : 0);
	}
}

static void configuration_of_a_ready_queue_does_not_change(void **state)
{
	static const enum virtio_reg regs[] = {
		REG_QUEUE_SIZE,	       REG_QUEUE_DESC_LOW,    REG_QUEUE_DESC_HIGH,
		REG_QUEUE_DRIVER_LOW,  REG_QUEUE_DRIVER_HIGH, REG_QUEUE_DEVICE_LOW,
		REG_QUEUE_DEVICE_HIGH,
	};
	struct virtio_probe *probe = *state;
	struct snapshot before;

	virtio_driver_start(&probe->driver, 0, 16);
	virtio_probe_out(probe, REG_QUEUE_SEL, 0);
	take(probe, &before);
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		virtio_probe_out(probe, regs[i], 0x70000000);
	assert_unchanged(probe, &before);
	virtio_probe_echo(probe, 0, 100);
}

static void queue_size_beyond_16_bits_is_not_cut_to_a_valid_one(void **state)
{
	struct virtio_probe *probe = *state;

	virtio_driver_start(&probe->driver, 0, 16);
	virtio_probe_out(probe, REG_QUEUE_SEL, 0);
	virtio_probe_out(probe, REG_QUEUE_READY, 0);
	virtio_probe_sync(probe);
	virtio_probe_out(probe, REG_QUEUE_SIZE, 0x10010);
	virtio_probe_out(probe, REG_QUEUE_READY, 1);
	assert_true(virtio_driver_needs_reset(&probe->driver));
}

static void notification_reaches_the_queue_that_it_names(void **state)
{
	struct virtio_probe *probe = *state;
	unsigned int before[PROBE_QUEUES];

	virtio_driver_start(&probe->driver, 0, 16);
	for (unsigned int named = 0; named < PROBE_QUEUES + 2; named++) {
		for (unsigned int i = 0; i < PROBE_QUEUES; i++)
			before[i] = atomic_load(&probe->notified[i]);
		virtio_probe_out(probe, REG_QUEUE_NOTIFY, named);
		virtio_probe_out(probe, REG_QUEUE_NOTIFY, named | 0x10000); /* none */
		virtio_probe_sync(probe);
		for (unsigned int i = 0; i < PROBE_QUEUES; i++)
			assert_int_equal(atomic_load(&probe->notified[i]) - before[i], i == named);
	}
}

static void interrupt_status_shows_events_until_they_are_acknowledged(void **state)
{
	struct virtio_probe *probe = *state;
	const uint8_t byte = 0;

	virtio_driver_start(&probe->driver, 0, 16);
	assert_int_equal(virtio_probe_in(probe, REG_INTERRUPT_STATUS), 0);
	virtio_probe_echo(probe, 0, 10);
	assert_int_equal(virtio_probe_in(probe, REG_INTERRUPT_STATUS), VIRTIO_INTERRUPT_USED);
	virtio_set_config(&probe->dev, 0, &byte, 1);
	assert_int_equal(virtio_probe_in(probe, REG_INTERRUPT_STATUS),
			 VIRTIO_INTERRUPT_USED | VIRTIO_INTERRUPT_CONFIG);
	virtio_probe_out(probe, REG_INTERRUPT_ACK, VIRTIO_INTERRUPT_USED);
	assert_int_equal(virtio_probe_in(probe, REG_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
	virtio_probe_out(probe, REG_INTERRUPT_ACK, ~(uint32_t)VIRTIO_INTERRUPT_CONFIG);
	assert_int_equal(virtio_probe_in(probe, REG_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
	virtio_probe_out(probe, REG_INTERRUPT_ACK, UINT32_MAX);
	assert_int_equal(virtio_probe_in(probe, REG_INTERRUPT_STATUS), 0);
	/* And the next one shows again. */
	virtio_probe_echo(probe, 0, 10);
	assert_int_equal(virtio_probe_in(probe, REG_INTERRUPT_STATUS), VIRTIO_INTERRUPT_USED);
}

static void shared_memory_region_is_told_and_others_are_all_ones(void **state)
{
	static const struct {
		uint32_t sel;
		uint64_t len, base;
	} cases[] = {
		{0, PROBE_SHM_LEN, PROBE_SHM_GPA}, {1, UINT64_MAX, UINT64_MAX},
		{255, UINT64_MAX, UINT64_MAX},	   {UINT32_MAX, UINT64_MAX, UINT64_MAX},
		{0, PROBE_SHM_LEN, PROBE_SHM_GPA},
	};
	struct virtio_probe *probe = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		virtio_probe_out(probe, REG_SHM_SEL, cases[i].sel);
		assert_int_equal(virtio_probe_in(probe, REG_SHM_LEN_LOW), (uint32_t)cases[i].len);
		assert_int_equal(virtio_probe_in(probe, REG_SHM_LEN_HIGH), cases[i].len >> 32);
		assert_int_equal(virtio_probe_in(probe, REG_SHM_BASE_LOW), (uint32_t)cases[i].base);
		assert_int_equal(virtio_probe_in(probe, REG_SHM_BASE_HIGH), cases[i].base >> 32);
	}
	/* The device has none. */
	probe->dev.shm[0] = (struct virtio_shm) {};
	for (uint64_t offset = REG_SHM_LEN_LOW; offset <= REG_SHM_BASE_HIGH; offset += 4)
		assert_int_equal(virtio_driver_read(&probe->driver, offset), UINT32_MAX);
}

static void status_write_of_more_than_8_bits_is_no_reset(void **state)
{
	struct virtio_probe *probe = *state;
	uint8_t status;

	status = virtio_driver_start(&probe->driver, 0, 16);
	virtio_probe_out(probe, REG_STATUS, 0x100);
	virtio_probe_out(probe, REG_STATUS, 0xffffff00);
	virtio_probe_sync(probe);
	assert_int_equal(virtio_probe_in(probe, REG_STATUS), status);
	virtio_probe_echo(probe, 0, 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_register_reads_as_specified_and_no_other_one_does),
		TEST(wrong_widths_and_alignments_read_zero_and_change_nothing),
		TEST(writes_to_what_is_read_only_change_nothing),
		TEST(device_features_come_in_words_of_32_bits),
		TEST(each_queue_has_its_own_maximum_and_ready_bit),
		TEST(queue_that_does_not_exist_has_size_0_and_takes_nothing),
		TEST(both_halves_of_each_queue_address_count),
		TEST(configuration_of_a_ready_queue_does_not_change),
		TEST(queue_size_beyond_16_bits_is_not_cut_to_a_valid_one),
		TEST(notification_reaches_the_queue_that_it_names),
		TEST(interrupt_status_shows_events_until_they_are_acknowledged),
		TEST(shared_memory_region_is_told_and_others_are_all_ones),
		TEST(status_write_of_more_than_8_bits_is_no_reset),
	};

	return cmocka_run_group_tests_name("mmio", tests, NULL, NULL);
}
