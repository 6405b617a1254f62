/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_console.c - any bytes as what a guest's driver and a host's end do to a virtio console.
 *
 * An input is a byte that chooses the rings, then a row of records: a byte that says what happens,
 * and its operands; what is missing at the end is 0. After it, a reset and a driver that keeps to
 * the rules, the console is as usable as before.
 */
#include <stdio.h>
#include <string.h>

#include "devices/console.h"
#include "log.h"
#include "virtio_driver.h"

#define RECEIVE	   0
#define TRANSMIT   1
#define QUEUE_SIZE 8

#define MMIO_CONFIG 0x100

#define DATA VIRTIO_DRIVER_DATA

enum record {
	RECORD_ADD,    /* queue; pieces out, in; each: address, length */
	RECORD_KICK,   /* queue */
	RECORD_RING,   /* queue; offset; 8 bytes: into the ring itself */
	RECORD_INPUT,  /* length */
	RECORD_ROOM,   /* what the host's end takes from now on */
	RECORD_READY,  /* and the console hears of it */
	RECORD_SIZE,   /* columns, rows */
	RECORD_ACCESS, /* offset; width; 4 bytes: a register is written and read */
	RECORD_START,  /* features: a new life */
	RECORD_KINDS,
};

struct fuzz {
	struct virtio_driver driver;
	struct console *console;
	const uint8_t *data;
	size_t size;
	size_t room;	/* that the host's end has */
	bool full;	/* it took less than it was given */
	uint8_t last;	/* byte of output */
	size_t taken_n; /* bytes of output */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static size_t output(void *owner, const uint8_t *data, size_t len)
{
	struct fuzz *fuzz = owner;
	const size_t taken = MIN(len, fuzz->room);

	require(len > 0, "output is not empty");
	require(!fuzz->full, "a full host's end is left alone");
	for (size_t i = 0; i < taken; i++)
		fuzz->last = data[i];
	fuzz->taken_n += taken;
	fuzz->room -= taken;
	fuzz->full = taken < len;
	return taken;
}

static void input_ready(void *owner)
{
	struct fuzz *fuzz = owner;

	require(console_input_room(fuzz->console) >= CONSOLE_INPUT_MAX / 2,
		"room when input_ready() says so");
}

static const struct console_ops ops = {
	.output = output,
	.input_ready = input_ready,
};

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
	uint64_t features = choice & 5; /* those of the console */

	if (choice & 0x10)
		features |= VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
	if (choice & 0x20)
		features |= VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
	if (choice & 0x40)
		features |= VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
	virtio_driver_start(&fuzz->driver, features, QUEUE_SIZE);
	virtio_driver_settle(&fuzz->driver);
}

/* Two bytes reach all of the data, the last page of RAM and what is behind it. */
static uint64_t take_address(struct fuzz *fuzz)
{
	const uint64_t value = take(fuzz, 2);

	return value < 0xf000 ? DATA + value : VIRTIO_DRIVER_MEMORY - 0xf800 + value;
}

static void add(struct fuzz *fuzz)
{
	const unsigned int queue = take(fuzz, 1) & 1;
	const uint8_t pieces = (uint8_t)take(fuzz, 1);
	const unsigned int out_n = pieces & 3, in_n = pieces >> 2 & 3;
	struct driver_sg sg[6];

	if (out_n + in_n == 0 || queue >= fuzz->driver.rings_n)
		return;
	for (unsigned int i = 0; i < out_n + in_n; i++) {
		sg[i].gpa = take_address(fuzz);
		sg[i].len = (uint32_t)take(fuzz, 2);
	}
	driver_ring_add(&fuzz->driver.rings[queue], sg, out_n, in_n);
}

static void write_ring(struct fuzz *fuzz)
{
	const unsigned int queue = take(fuzz, 1) & 1;
	const uint64_t offset = take(fuzz, 2), value = take(fuzz, 8);
	const struct driver_ring *ring = &fuzz->driver.rings[queue];

	if (queue < fuzz->driver.rings_n)
		gmem_write(fuzz->driver.gmem,
			   ring->layout.desc + offset % (ring->end - ring->layout.desc), &value,
			   sizeof(value));
}

static void type(struct fuzz *fuzz, size_t len)
{
	static const uint8_t zeros[CONSOLE_INPUT_MAX];
	const size_t room = console_input_room(fuzz->console);

	len = MIN(len * 16, sizeof(zeros));
	require(console_input(fuzz->console, zeros, len) == MIN(len, room), "input as far as room");
}

static void run_access(struct fuzz *fuzz)
{
	const uint64_t offset = take(fuzz, 2) % VIRTIO_MMIO_SIZE;
	const unsigned int width = 1u << (take(fuzz, 1) & 3);

	bus_write(fuzz->driver.bus, offset, width, take(fuzz, 4));
	bus_read(fuzz->driver.bus, offset, width);
}

static void run_record(struct fuzz *fuzz)
{
	uint64_t operand;

	switch ((enum record)(take(fuzz, 1) % RECORD_KINDS)) {
	case RECORD_ADD:
		add(fuzz);
		break;
	case RECORD_KICK:
		virtio_driver_kick(&fuzz->driver, take(fuzz, 1) & 1);
		virtio_driver_settle(&fuzz->driver);
		break;
	case RECORD_RING:
		write_ring(fuzz);
		break;
	case RECORD_INPUT:
		type(fuzz, take(fuzz, 1));
		virtio_driver_settle(&fuzz->driver);
		break;
	case RECORD_ROOM:
		fuzz->room = take(fuzz, 2);
		break;
	case RECORD_READY:
		fuzz->full = false;
		console_output_ready(fuzz->console);
		virtio_driver_settle(&fuzz->driver);
		break;
	case RECORD_SIZE:
		operand = take(fuzz, 4);
		console_resize(fuzz->console, (uint16_t)operand, (uint16_t)(operand >> 16));
		require(bus_read(fuzz->driver.bus, MMIO_CONFIG, 4) == operand, "the size is read");
		break;
	case RECORD_ACCESS:
		run_access(fuzz);
		virtio_driver_settle(&fuzz->driver);
		break;
	case RECORD_START:
		start(fuzz, (uint8_t)take(fuzz, 1));
		break;
	case RECORD_KINDS:
		break;
	}
}

static bool used(struct fuzz *fuzz, unsigned int queue, uint32_t *len)
{
	virtio_driver_kick(&fuzz->driver, queue);
	virtio_driver_settle(&fuzz->driver);
	return driver_ring_get(&fuzz->driver.rings[queue], len) >= 0;
}

/* What waits in front goes out first: emergency writes, input. */
static void check(struct fuzz *fuzz, uint8_t choice)
{
	const struct driver_sg byte = {.gpa = DATA, .len = 1};
	const struct driver_sg page = {.gpa = DATA, .len = CONSOLE_INPUT_MAX};
	uint32_t len = 1;
	size_t before;

	fuzz->room = SIZE_MAX;
	fuzz->full = false;
	start(fuzz, choice);
	console_output_ready(fuzz->console);
	before = fuzz->taken_n;
	require(gmem_write(fuzz->driver.gmem, DATA, "x", 1) == 0, "memory");
	require(driver_ring_add(&fuzz->driver.rings[TRANSMIT], &byte, 1, 0) >= 0, "a new ring");
	require(used(fuzz, TRANSMIT, &len) && len == 0, "output is used");
	require(fuzz->taken_n == before + 1 && fuzz->last == 'x', "output arrives");
	console_input(fuzz->console, (const uint8_t *)"y", 1);
	require(driver_ring_add(&fuzz->driver.rings[RECEIVE], &page, 0, 1) >= 0, "a new ring");
	require(used(fuzz, RECEIVE, &len) && len > 0, "input arrives");
	require(console_input_room(fuzz->console) == CONSOLE_INPUT_MAX, "all of it");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	uint8_t choice;

	fuzz = (struct fuzz) {.data = data, .size = size};
	log_set_level(LOG_LEVEL_ERROR);
	virtio_driver_init(&fuzz.driver, LOOP_EPOLL, false);
	require(console_new(&fuzz.console, &fuzz.driver.env, &ops, &fuzz) == 0, "a console");
	virtio_driver_attach(&fuzz.driver, console_device(fuzz.console));
	choice = (uint8_t)take(&fuzz, 1);
	start(&fuzz, choice);
	while (fuzz.size)
		run_record(&fuzz);
	check(&fuzz, choice);
	virtio_driver_detach(&fuzz.driver);
	console_free(fuzz.console);
	virtio_driver_deinit(&fuzz.driver);
	return 0;
}
