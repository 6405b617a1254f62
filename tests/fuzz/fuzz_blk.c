/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_blk.c - any bytes as what a guest's driver and a failing host do to a virtio block device.
 *
 * An input is a byte that chooses options and rings, then a row of records: a byte that says what
 * happens, and its operands; what is missing at the end is 0. The image keeps its size whatever
 * happens, and its bytes if it is read-only. After it, a reset and a driver that keeps to the
 * rules, the disk is as usable as before.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/blk/blk.h"
#include "io_tap.h"
#include "log.h"
#include "virtio_driver.h"

#define QUEUES	   2
#define QUEUE_SIZE 16
#define PIECES_MAX 12
#define SECTOR	   512u
#define IMAGE_SIZE (256 * SECTOR)
#define BLOCK_BITS UINT64_C(0xffffff) /* features of block devices */

#define MMIO_DEVICE_FEATURES 0x010
#define MMIO_CONFIG	     0x100

#define DATA VIRTIO_DRIVER_DATA
#define SAFE (DATA + 0x1000000) /* no record names an address here */

enum record {
	RECORD_REQUEST, /* a header with its data, sound or nearly so */
	RECORD_ADD,	/* queue; pieces out, in; each: address, length */
	RECORD_RING,	/* queue; offset; 8 bytes: into the ring itself */
	RECORD_DATA,	/* address; 8 bytes: into what pieces point to */
	RECORD_FAIL,	/* the host fails, or stops short, at the next operation of a kind */
	RECORD_RESIZE,	/* sectors: the image is given another size */
	RECORD_ACCESS,	/* offset; width; 4 bytes: a register is written and read */
	RECORD_START,	/* features: a new life */
	RECORD_KINDS,
};

/* First byte of an input. */
enum {
	CHOOSE_READONLY = 0x01,
	CHOOSE_DISCARD = 0x02,
	CHOOSE_DIRECT = 0x04,
	CHOOSE_NO_FLUSH = 0x08,
	CHOOSE_PACKED = 0x10,
	CHOOSE_INDIRECT = 0x20,
	CHOOSE_EVENT_IDX = 0x40,
};

struct fuzz {
	struct virtio_driver driver;
	struct io_tap tap;
	struct blk *blk;
	const uint8_t *data;
	size_t size;
	int image;
	uint64_t image_size; /* it should have */
	bool intact;	     /* so should its bytes be: nobody may write to it */
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

static uint8_t image_byte(uint64_t i)
{
	return (uint8_t)(i * 7 + i / SECTOR);
}

static void check_image(struct fuzz *fuzz)
{
	const uint64_t sectors = bus_read(fuzz->driver.bus, MMIO_CONFIG, 8);
	const uint64_t size = (uint64_t)lseek(fuzz->image, 0, SEEK_END);
	uint8_t bytes[IMAGE_SIZE];

	/* What was cut off may come back by a write, until that is noticed. */
	require(size == fuzz->image_size || (size > fuzz->image_size && size <= sectors * SECTOR),
		"the image's size");
	fuzz->image_size = size;
	if (!fuzz->intact)
		return;
	require(pread(fuzz->image, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes), "a read");
	for (uint64_t i = 0; i < sizeof(bytes); i++)
		require(bytes[i] == image_byte(i), "a read-only image's bytes");
}

static void settle(struct fuzz *fuzz)
{
	virtio_driver_settle(&fuzz->driver);
	check_image(fuzz);
}

static void start(struct fuzz *fuzz, uint8_t choice)
{
	uint64_t features = virtio_driver_read(&fuzz->driver, MMIO_DEVICE_FEATURES) & BLOCK_BITS;

	if (choice & CHOOSE_NO_FLUSH)
		features &= ~VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH);
	if (choice & CHOOSE_PACKED)
		features |= VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
	if (choice & CHOOSE_INDIRECT)
		features |= VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
	if (choice & CHOOSE_EVENT_IDX)
		features |= VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
	virtio_driver_start(&fuzz->driver, features, QUEUE_SIZE);
	settle(fuzz);
}

/* Two bytes reach some of the data, the last page of RAM and what is behind it. */
static uint64_t take_address(struct fuzz *fuzz)
{
	const uint64_t value = take(fuzz, 2);

	return value < 0xf000 ? DATA + value : VIRTIO_DRIVER_MEMORY - 0xf800 + value;
}

static struct driver_ring *take_ring(struct fuzz *fuzz)
{
	const unsigned int queue = take(fuzz, 1) % QUEUES;

	return queue < fuzz->driver.rings_n ? &fuzz->driver.rings[queue] : NULL;
}

static void kick(struct fuzz *fuzz, const struct driver_ring *ring)
{
	virtio_driver_kick(&fuzz->driver, (unsigned int)(ring - fuzz->driver.rings));
	settle(fuzz);
}

/* Cut [@gpa, @gpa + @len) into pieces of @cut bytes, the last one the rest. */
static unsigned int cut(struct driver_sg *sg, uint64_t gpa, uint32_t len, uint32_t piece)
{
	unsigned int n = 0;

	while (len > 0 && n < PIECES_MAX / 2) {
		const bool last = piece == 0 || piece > len || n == PIECES_MAX / 2 - 1;

		sg[n] = (struct driver_sg) {gpa, last ? len : piece};
		gpa += sg[n].len;
		len -= sg[n++].len;
	}
	return n;
}

static void request(struct fuzz *fuzz)
{
	static const uint32_t types[] = {VIRTIO_BLK_T_IN,	    VIRTIO_BLK_T_OUT,
					 VIRTIO_BLK_T_FLUSH,	    VIRTIO_BLK_T_GET_ID,
					 VIRTIO_BLK_T_DISCARD,	    VIRTIO_BLK_T_WRITE_ZEROES,
					 VIRTIO_BLK_T_SECURE_ERASE, 10};
	struct driver_ring *ring = take_ring(fuzz);
	const uint32_t type = types[take(fuzz, 1) % ARRAY_SIZE(types)];
	/* The image and a little more; the highest bit stands for all above. */
	const uint16_t where = (uint16_t)take(fuzz, 2);
	const uint64_t sector = where & 0x8000 ? UINT64_MAX - (where & 0x7fff) : where % 300;
	const struct virtio_blk_outhdr header = {.type = htole32(type), .sector = htole64(sector)};
	const uint32_t out_len = (uint32_t)take(fuzz, 2), in_len = (uint32_t)take(fuzz, 2);
	const uint32_t piece = (uint32_t)take(fuzz, 1);
	const uint64_t at = DATA + take(fuzz, 1);
	struct driver_sg sg[PIECES_MAX];
	unsigned int out_n, in_n;

	out_n = cut(sg, at, sizeof(header) + out_len, piece * 4);
	in_n = cut(sg + out_n, at + 0x20000, in_len, piece * 64);
	require(gmem_write(fuzz->driver.gmem, at, &header, sizeof(header)) == 0, "memory");
	if (ring && out_n + in_n > 0 && driver_ring_add(ring, sg, out_n, in_n) >= 0)
		kick(fuzz, ring);
}

static void add(struct fuzz *fuzz)
{
	struct driver_ring *ring = take_ring(fuzz);
	const uint8_t pieces = (uint8_t)take(fuzz, 1);
	const unsigned int out_n = pieces & 3, in_n = pieces >> 2 & 3;
	struct driver_sg sg[6];

	if (out_n + in_n == 0 || !ring)
		return;
	for (unsigned int i = 0; i < out_n + in_n; i++) {
		sg[i].gpa = take_address(fuzz);
		sg[i].len = (uint32_t)take(fuzz, 2);
	}
	if (driver_ring_add(ring, sg, out_n, in_n) >= 0)
		kick(fuzz, ring);
}

static void write_ring(struct fuzz *fuzz)
{
	const struct driver_ring *ring = take_ring(fuzz);
	const uint64_t offset = take(fuzz, 2), value = take(fuzz, 8);

	if (ring)
		gmem_write(fuzz->driver.gmem,
			   ring->layout.desc + offset % (ring->end - ring->layout.desc), &value,
			   sizeof(value));
}

static void fail(struct fuzz *fuzz)
{
	static const int results[] = {-EIO,    -EOPNOTSUPP, -EINTR, -EINVAL, -ENOSPC, -EAGAIN,
				      -ENOMEM, 0,	    1,	    511,     512,     4096};
	const uint8_t what = (uint8_t)take(fuzz, 1);
	const int result = results[take(fuzz, 1) % ARRAY_SIZE(results)];
	struct io_rule rule = {
		.op = what & 3,
		.skip = what >> 2 & 3,
		.times = 1 + (what >> 4 & 3),
		.refuse = what & 0x40 && result < 0,
		.lie = result == 0,
		.result = result,
	};

	if (fuzz->tap.rules_n == IO_TAP_RULES)
		io_tap_clear(&fuzz->tap);
	io_tap_rule(&fuzz->tap, &rule);
}

static void run_access(struct fuzz *fuzz)
{
	const uint64_t offset = take(fuzz, 2) % VIRTIO_MMIO_SIZE;
	const unsigned int width = 1u << (take(fuzz, 1) & 3);

	bus_write(fuzz->driver.bus, offset, width, take(fuzz, 4));
	bus_read(fuzz->driver.bus, offset, width);
	settle(fuzz);
}

static void run_record(struct fuzz *fuzz)
{
	uint64_t at, value;

	switch ((enum record)(take(fuzz, 1) % RECORD_KINDS)) {
	case RECORD_REQUEST:
		request(fuzz);
		break;
	case RECORD_ADD:
		add(fuzz);
		break;
	case RECORD_RING:
		write_ring(fuzz);
		break;
	case RECORD_DATA:
		at = DATA + take(fuzz, 1);
		value = take(fuzz, 8);
		gmem_write(fuzz->driver.gmem, at, &value, sizeof(value));
		break;
	case RECORD_FAIL:
		fail(fuzz);
		break;
	case RECORD_RESIZE:
		fuzz->image_size = take(fuzz, 1) * 3 * (SECTOR - 1);
		fuzz->intact = fuzz->intact && fuzz->image_size >= IMAGE_SIZE;
		require(ftruncate(fuzz->image, (off_t)fuzz->image_size) == 0, "a new size");
		break;
	case RECORD_ACCESS:
		run_access(fuzz);
		break;
	case RECORD_START:
		start(fuzz, (uint8_t)take(fuzz, 1));
		break;
	case RECORD_KINDS:
		break;
	}
}

/* One request of each kind that moves data, by the rules. */
static uint8_t transfer(struct fuzz *fuzz, uint32_t type, uint32_t *used)
{
	const struct virtio_blk_outhdr header = {.type = htole32(type), .sector = htole64(3)};
	const bool in = type == VIRTIO_BLK_T_IN;
	const struct driver_sg sg[] = {{SAFE, sizeof(header)},
				       {SAFE + 0x1000, SECTOR},
				       {SAFE + 0x2000, 1}};
	uint8_t status = 0xee;

	require(gmem_write(fuzz->driver.gmem, SAFE, &header, sizeof(header)) == 0, "memory");
	require(gmem_write(fuzz->driver.gmem, SAFE + 0x2000, &status, 1) == 0, "memory");
	require(driver_ring_add(&fuzz->driver.rings[0], sg, in ? 1 : 2, in ? 2 : 1) >= 0, "room");
	kick(fuzz, &fuzz->driver.rings[0]);
	require(driver_ring_get(&fuzz->driver.rings[0], used) >= 0, "a request is used");
	require(gmem_read(fuzz->driver.gmem, SAFE + 0x2000, &status, 1) == 0, "memory");
	return status;
}

static void check(struct fuzz *fuzz, uint8_t choice)
{
	uint8_t written[SECTOR], bytes[SECTOR];
	uint32_t used;

	io_tap_clear(&fuzz->tap);
	fuzz->image_size = IMAGE_SIZE;
	require(ftruncate(fuzz->image, IMAGE_SIZE) == 0, "the first size");
	start(fuzz, choice);
	require(bus_read(fuzz->driver.bus, MMIO_CONFIG, 8) == IMAGE_SIZE / SECTOR, "the capacity");
	memset(written, 0x5c, sizeof(written));
	require(gmem_write(fuzz->driver.gmem, SAFE + 0x1000, written, SECTOR) == 0, "memory");
	require(transfer(fuzz, VIRTIO_BLK_T_OUT, &used) ==
			(choice & CHOOSE_READONLY ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK),
		"a write");
	require(used == 1, "a write's length");
	require(transfer(fuzz, VIRTIO_BLK_T_IN, &used) == VIRTIO_BLK_S_OK, "a read");
	require(used == SECTOR + 1, "a read's length");
	require(gmem_read(fuzz->driver.gmem, SAFE + 0x1000, bytes, SECTOR) == 0, "memory");
	if (!(choice & CHOOSE_READONLY))
		require(memcmp(bytes, written, SECTOR) == 0, "what was written is read");
	require(pread(fuzz->image, written, SECTOR, 3 * SECTOR) == SECTOR, "a read by the host");
	require(memcmp(bytes, written, SECTOR) == 0, "the host reads the same");
}

static void make_device(struct fuzz *fuzz, uint8_t choice)
{
	struct blk_options options = {
		.id = "fuzz",
		.readonly = choice & CHOOSE_READONLY,
		.discard = (choice & (CHOOSE_DISCARD | CHOOSE_READONLY)) == CHOOSE_DISCARD,
		.direct = choice & CHOOSE_DIRECT,
		.queues = QUEUES,
	};
	uint8_t bytes[IMAGE_SIZE];
	char path[64];
	int r;

	for (uint64_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = image_byte(i);
	fuzz->image = memfd_create("image", MFD_CLOEXEC);
	require(fuzz->image >= 0, "an image");
	require(write(fuzz->image, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes), "its bytes");
	fuzz->image_size = sizeof(bytes);
	fuzz->intact = options.readonly;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fuzz->image);
	options.path = path;
	r = blk_new(&fuzz->blk, &fuzz->driver.env, &options, NULL);
	/* Not every kernel's tmpfs has direct I/O. */
	options.direct = false;
	if (r < 0)
		r = blk_new(&fuzz->blk, &fuzz->driver.env, &options, NULL);
	require(r == 0, "a disk");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	uint8_t choice;

	fuzz = (struct fuzz) {.data = data, .size = size};
	log_set_level(LOG_LEVEL_ERROR);
	virtio_driver_init(&fuzz.driver, LOOP_EPOLL, false);
	io_tap_init(&fuzz.tap, fuzz.driver.env.loop);
	fuzz.tap.synchronous = true;
	choice = (uint8_t)take(&fuzz, 1);
	make_device(&fuzz, choice);
	virtio_driver_attach(&fuzz.driver, blk_device(fuzz.blk));
	start(&fuzz, choice);
	while (fuzz.size)
		run_record(&fuzz);
	check(&fuzz, choice);
	virtio_driver_detach(&fuzz.driver);
	blk_free(fuzz.blk);
	io_tap_deinit(&fuzz.tap);
	virtio_driver_deinit(&fuzz.driver);
	close(fuzz.image);
	return 0;
}
