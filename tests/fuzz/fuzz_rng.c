/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_rng.c - any bytes as what a guest's driver does to the entropy device: requests of any
 * pieces, and lies in the ring.
 *
 * An input is a byte that chooses the ring, then a row of records: a byte that says what happens,
 * and its operands; what is missing at the end is 0. After it, a reset and a driver that keeps to
 * the rules, the device is as usable as before.
 */
#include <stdio.h>
#include <string.h>

#include "devices/rng.h"
#include "log.h"
#include "virtio_driver.h"

#define QUEUE_SIZE  16
#define PIECES_MAX  15
#define REQUEST_MAX (64 * KIB)

enum record {
	RECORD_ADD,  /* pieces out, in; each: address, length */
	RECORD_KICK, /* the device has its time */
	RECORD_GET,  /* take what was used, if the ring has been left alone */
	RECORD_RING, /* offset, 8 bytes: into the ring itself */
	RECORD_START,
	RECORD_KINDS,
};

struct fuzz {
	struct virtio_driver driver;
	struct rng *rng;
	const uint8_t *data;
	size_t size;
	bool lied;		   /* since the ring was new */
	uint32_t room[QUEUE_SIZE]; /* writable bytes by head or id */
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
	uint64_t features = 0;

	if (choice & 1)
		features |= VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
	if (choice & 2)
		features |= VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
	if (choice & 4)
		features |= VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
	virtio_driver_start(&fuzz->driver, features, QUEUE_SIZE);
	fuzz->lied = false;
}

/* Two bytes reach all of the data, the last page of RAM and what is behind it. */
static uint64_t take_address(struct fuzz *fuzz)
{
	const uint64_t value = take(fuzz, 2);

	return value < 0xf000 ? VIRTIO_DRIVER_DATA + value : VIRTIO_DRIVER_MEMORY - 0xf800 + value;
}

static void add(struct fuzz *fuzz)
{
	const uint8_t pieces = (uint8_t)take(fuzz, 1);
	const unsigned int out_n = pieces & 3;
	const unsigned int in_n = MIN(pieces >> 2 & 15u, PIECES_MAX - out_n);
	struct driver_sg sg[PIECES_MAX];
	uint32_t room = 0;
	int id;

	if (out_n + in_n == 0)
		return;
	for (unsigned int i = 0; i < out_n + in_n; i++) {
		sg[i].gpa = take_address(fuzz);
		sg[i].len = (uint32_t)take(fuzz, 2) << (pieces >> 6 & 1) * 4;
		if (i >= out_n)
			room += sg[i].len;
	}
	id = driver_ring_add(&fuzz->driver.rings[0], sg, out_n, in_n);
	if (id >= 0)
		fuzz->room[id] = room;
}

/* One or more bytes, as there is room, and not too many. */
static void get(struct fuzz *fuzz)
{
	uint32_t len;
	int id;

	virtio_driver_settle(&fuzz->driver);
	while (!fuzz->lied && (id = driver_ring_get(&fuzz->driver.rings[0], &len)) >= 0) {
		require(len <= fuzz->room[id] && len <= REQUEST_MAX, "not more than was asked for");
		require(len > 0 || fuzz->room[id] == 0, "one or more bytes");
	}
}

static void write_ring(struct fuzz *fuzz)
{
	const struct driver_ring *ring = &fuzz->driver.rings[0];
	const uint64_t offset = take(fuzz, 2), value = take(fuzz, 8);

	fuzz->lied = true;
	gmem_write(fuzz->driver.gmem, ring->layout.desc + offset % (ring->end - ring->layout.desc),
		   &value, sizeof(value));
}

static void run_record(struct fuzz *fuzz)
{
	switch ((enum record)(take(fuzz, 1) % RECORD_KINDS)) {
	case RECORD_ADD:
		add(fuzz);
		break;
	case RECORD_KICK:
		virtio_driver_kick(&fuzz->driver, 0);
		virtio_driver_settle(&fuzz->driver);
		break;
	case RECORD_GET:
		get(fuzz);
		break;
	case RECORD_RING:
		write_ring(fuzz);
		break;
	case RECORD_START:
		start(fuzz, (uint8_t)take(fuzz, 1));
		break;
	case RECORD_KINDS:
		break;
	}
}

static void check(struct fuzz *fuzz, uint8_t choice)
{
	static const struct driver_sg sg = {VIRTIO_DRIVER_DATA, 64};
	static const uint8_t zeros[64];
	uint32_t len = 0;

	start(fuzz, choice);
	require(gmem_write(fuzz->driver.gmem, sg.gpa, zeros, sizeof(zeros)) == 0, "memory");
	require(driver_ring_add(&fuzz->driver.rings[0], &sg, 0, 1) >= 0, "a new ring");
	virtio_driver_kick(&fuzz->driver, 0);
	require(virtio_driver_wait(&fuzz->driver, 0, &len) >= 0 && len == 64, "an answer");
	require(memcmp(gmem_at(fuzz->driver.gmem, sg.gpa, 64), zeros, 64) != 0, "random bytes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	uint8_t choice;

	fuzz = (struct fuzz) {.data = data, .size = size};
	log_set_level(LOG_LEVEL_ERROR);
	virtio_driver_init(&fuzz.driver, LOOP_EPOLL, false);
	require(rng_new(&fuzz.rng, &fuzz.driver.env) == 0, "a device");
	virtio_driver_attach(&fuzz.driver, rng_device(fuzz.rng));
	choice = (uint8_t)take(&fuzz, 1);
	start(&fuzz, choice);
	while (fuzz.size)
		run_record(&fuzz);
	check(&fuzz, choice);
	virtio_driver_detach(&fuzz.driver);
	rng_free(fuzz.rng);
	virtio_driver_deinit(&fuzz.driver);
	return 0;
}
