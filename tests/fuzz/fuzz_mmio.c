/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_mmio.c - any bytes as a guest's accesses to the registers of a virtio-mmio device, whose
 * queues are in memory that the guest writes to as it likes.
 *
 * An input is a row of records: a byte that says what happens, and its operands; what is missing
 * at the end is 0. After it, a reset and a driver that keeps to the rules, the device is as usable
 * as before.
 */
#include <stdio.h>
#include <string.h>

#include "fake_irq.h"
#include "log.h"
#include "virtio_probe.h"

/* Where the driver has its rings: virtio_driver.c. */
#define RINGS	   UINT64_C(0x100000)
#define QUEUE_SIZE 8

enum record {
	RECORD_READ,	/* offset, width */
	RECORD_WRITE,	/* offset, width, value of that width */
	RECORD_MEMORY,	/* offset into the rings, 8 bytes */
	RECORD_SETTLE,	/* the device has its time */
	RECORD_START,	/* features: a driver that keeps to the rules starts over */
	RECORD_SEND,	/* queue, length: a request in the ring as it should be */
	RECORD_HOLD,	/* 0: answer, 1: hold, 2: even when stopped, 3: push late */
	RECORD_RELEASE, /* push what is held */
	RECORD_CONFIG,	/* offset, byte: the device changes its configuration */
	RECORD_KINDS,
};

struct fuzz {
	struct virtio_probe probe;
	const uint8_t *data;
	size_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* The next @n bytes, little endian. */
static uint64_t take(struct fuzz *fuzz, size_t n)
{
	uint8_t bytes[8] = {0};
	uint64_t value;

	n = MIN(n, fuzz->size);
	if (n)
		memcpy(bytes, fuzz->data, n);
	fuzz->data += n;
	fuzz->size -= n;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void start(struct fuzz *fuzz, uint8_t choice)
{
	static const unsigned int bits[] = {
		PROBE_FEATURE,	      VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED, VIRTIO_F_RING_RESET,
	};
	struct virtio_probe *probe = &fuzz->probe;
	uint64_t features = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (choice >> i & 1)
			features |= VIRTIO_FEATURE(bits[i]);
	/* The reset would wait for them without an end. */
	probe->hold = probe->stubborn = false;
	virtio_probe_run(probe, virtio_probe_release);
	virtio_driver_start(&probe->driver, features, QUEUE_SIZE);
}

/* What no access may lead to. */
static void check_registers(struct virtio_probe *probe)
{
	const uint32_t status = virtio_probe_in(probe, REG_STATUS);

	require(!(status & ~0xcfu), "status bits that have a meaning");
	require(!(status & VIRTIO_STATUS_DRIVER_OK) || status & VIRTIO_STATUS_FEATURES_OK,
		"DRIVER_OK only after FEATURES_OK");
	require(virtio_probe_in(probe, REG_INTERRUPT_STATUS) <= 3, "two kinds of interrupts");
	require(virtio_probe_in(probe, REG_QUEUE_READY) <= 1, "QueueReady is a bit");
	require(virtio_probe_in(probe, REG_QUEUE_RESET) <= 1, "QueueReset is a bit");
	require(virtio_probe_in(probe, REG_MAGIC_VALUE) == 0x74726976, "the magic value");
}

static void run_read(struct fuzz *fuzz)
{
	const uint64_t offset = take(fuzz, 2) % (VIRTIO_MMIO_SIZE - 7);
	const unsigned int width = 1u << (take(fuzz, 1) & 3);
	const uint64_t value = bus_read(fuzz->probe.driver.bus, offset, width);

	if (offset < REG_CONFIG && (width != 4 || offset % 4))
		require(value == 0, "no access but of aligned 4 bytes");
	if (offset >= REG_CONFIG + PROBE_CONFIG)
		require(value == 0, "no configuration beyond its end");
}

static void send(struct fuzz *fuzz)
{
	const unsigned int queue = (unsigned int)take(fuzz, 1) % PROBE_QUEUES;
	const uint32_t len = 1 + (uint32_t)take(fuzz, 1);
	const struct driver_sg sg[2] = {
		{VIRTIO_DRIVER_DATA, len},
		{VIRTIO_DRIVER_DATA + 4096, len},
	};

	if (queue >= fuzz->probe.driver.rings_n)
		return;
	driver_ring_add(&fuzz->probe.driver.rings[queue], sg, 1, 1);
	virtio_probe_out(&fuzz->probe, REG_QUEUE_NOTIFY, queue);
}

static void run_record(struct fuzz *fuzz)
{
	struct virtio_probe *probe = &fuzz->probe;
	uint64_t offset, value;
	unsigned int width;
	uint8_t byte;

	switch ((enum record)(take(fuzz, 1) % RECORD_KINDS)) {
	case RECORD_READ:
		run_read(fuzz);
		break;
	case RECORD_WRITE:
		offset = take(fuzz, 2) % (VIRTIO_MMIO_SIZE - 7);
		width = 1u << (take(fuzz, 1) & 3);
		bus_write(probe->driver.bus, offset, width, take(fuzz, width));
		check_registers(probe);
		break;
	case RECORD_MEMORY:
		offset = RINGS + take(fuzz, 2);
		value = take(fuzz, 8);
		gmem_write(probe->driver.gmem, offset, &value, sizeof(value));
		break;
	case RECORD_SETTLE:
		virtio_driver_settle(&probe->driver);
		check_registers(probe);
		break;
	case RECORD_START:
		start(fuzz, (uint8_t)take(fuzz, 1));
		break;
	case RECORD_SEND:
		send(fuzz);
		break;
	case RECORD_HOLD:
		value = take(fuzz, 1);
		probe->hold = value & 3;
		probe->stubborn = (value & 3) == 2;
		probe->push_late = (value & 3) == 3;
		break;
	case RECORD_RELEASE:
		virtio_probe_run(probe, virtio_probe_release);
		break;
	case RECORD_CONFIG:
		offset = take(fuzz, 1) % PROBE_CONFIG;
		byte = (uint8_t)take(fuzz, 1);
		virtio_set_config(&probe->dev, (unsigned int)offset, &byte, 1);
		require(bus_read(probe->driver.bus, REG_CONFIG + offset, 1) == byte,
			"the configuration is read");
		break;
	case RECORD_KINDS:
		break;
	}
}

static void check(struct fuzz *fuzz, uint8_t choice)
{
	struct virtio_probe *probe = &fuzz->probe;

	start(fuzz, choice);
	require(!(virtio_probe_in(probe, REG_STATUS) & VIRTIO_STATUS_NEEDS_RESET), "a new life");
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		virtio_probe_echo(probe, i, 20);
	virtio_probe_out(probe, REG_STATUS, 0);
	virtio_driver_settle(&probe->driver);
	require(virtio_probe_in(probe, REG_STATUS) == 0, "a reset");
	fake_irq_take(&probe->driver.irq);
	for (unsigned int i = 0; i < PROBE_QUEUES; i++)
		virtio_probe_out(probe, REG_QUEUE_NOTIFY, i);
	virtio_driver_settle(&probe->driver);
	require(fake_irq_take(&probe->driver.irq) == 0, "no interrupt after a reset");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	uint8_t choice;

	fuzz.data = data;
	fuzz.size = size;
	virtio_probe_init(&fuzz.probe, LOOP_EPOLL, false);
	choice = (uint8_t)take(&fuzz, 1);
	if (choice & 0x80)
		start(&fuzz, choice);
	while (fuzz.size)
		run_record(&fuzz);
	check(&fuzz, choice);
	virtio_probe_deinit(&fuzz.probe);
	return 0;
}
