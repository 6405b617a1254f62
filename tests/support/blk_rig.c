/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_rig.c - a disk image, a block device and a guest's driver. See blk_rig.h.
 */
#include "blk_rig.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define PACKED	 VIRTIO_FEATURE(VIRTIO_F_RING_PACKED)
#define INDIRECT VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC)
#define EVENT	 VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)

#define RING_FEATURES                                                                              \
	(PACKED | INDIRECT | EVENT | VIRTIO_FEATURE(VIRTIO_F_RING_RESET) |                         \
	 VIRTIO_FEATURE(VIRTIO_F_VERSION_1))

#define RING_SIZE 256
#define PAGE	  4096u

const struct blk_rings blk_rings[BLK_RINGS] = {
	{.name = "split", .features = 0},
	{.name = "split, event index", .features = EVENT},
	{.name = "split, indirect", .features = INDIRECT},
	{.name = "split, indirect, event index", .features = INDIRECT | EVENT},
	{.name = "packed", .features = PACKED},
	{.name = "packed, event index", .features = PACKED | EVENT},
	{.name = "packed, indirect", .features = PACKED | INDIRECT},
	{.name = "packed, indirect, event index", .features = PACKED | INDIRECT | EVENT},
};

static enum loop_kind kind = LOOP_EPOLL;

bool blk_rig_select(int argc, char **argv)
{
	struct loop *loop;
	struct error err;

	if (argc < 2 || strcmp(argv[1], "uring") != 0)
		return true;
	kind = LOOP_URING;
	if (loop_new(&loop, LOOP_URING, LOOP_FILE_IO, &err) < 0) {
		printf("1..0 # SKIP %s\n", err.text);
		return false;
	}
	loop_free(loop);
	return true;
}

enum loop_kind blk_rig_kind(void)
{
	return kind;
}

/* Image. */

uint32_t blk_rig_random(struct blk_rig *rig)
{
	rig->seed ^= rig->seed << 13;
	rig->seed ^= rig->seed >> 17;
	rig->seed ^= rig->seed << 5;
	return rig->seed;
}

void blk_rig_fill(struct blk_rig *rig, void *bytes, size_t len)
{
	uint8_t *at = bytes;
	uint32_t word;

	for (size_t left = len, n; left > 0; left -= n, at += n) {
		word = blk_rig_random(rig);
		n = MIN(left, sizeof(word));
		memcpy(at, &word, n);
	}
}

static int make_file(struct blk_rig *rig, const char *device, const char *name)
{
	if (device) {
		snprintf(rig->path, sizeof(rig->path), "%s", device);
		return open(device, O_RDWR | O_CLOEXEC);
	}
	if (!name) {
		snprintf(rig->path, sizeof(rig->path), "%s", BLK_RIG_TEMPLATE);
		return mkostemp(rig->path, O_CLOEXEC);
	}
	snprintf(rig->folder, sizeof(rig->folder), "%s", BLK_RIG_TEMPLATE);
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->path, sizeof(rig->path), "%s/%s", rig->folder, name);
	return open(rig->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static void make_image(struct blk_rig *rig, const struct blk_rig_options *options)
{
	const uint64_t size = options->size ? options->size : BLK_RIG_SIZE;
	const size_t filled = (size_t)(size - options->zeroes);

	rig->keep = options->keep || options->device;
	rig->fd = make_file(rig, options->device, options->name);
	assert_true(rig->fd >= 0);
	rig->size = size;
	rig->image = calloc(1, (size_t)size);
	assert_non_null(rig->image);
	blk_rig_fill(rig, rig->image, filled);
	assert_int_equal(pwrite(rig->fd, rig->image, filled, 0), filled);
	if (!options->device)
		assert_int_equal(ftruncate(rig->fd, (off_t)size), 0);
}

void blk_rig_check(struct blk_rig *rig)
{
	_cleanup_(freep) uint8_t *now = malloc((size_t)rig->size);

	assert_non_null(now);
	assert_int_equal(lseek(rig->fd, 0, SEEK_END), rig->size);
	assert_int_equal(pread(rig->fd, now, (size_t)rig->size, 0), rig->size);
	if (memcmp(now, rig->image, (size_t)rig->size) == 0)
		return;
	for (uint64_t i = 0; i < rig->size; i++)
		if (now[i] != rig->image[i])
			fail_msg("the image differs at byte %llu", (unsigned long long)i);
}

uint64_t blk_rig_disk_bytes(const struct blk_rig *rig)
{
	struct stat st;

	assert_int_equal(fsync(rig->fd), 0);
	assert_int_equal(fstat(rig->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* Life. */

static void start(struct blk_rig *rig)
{
	const uint8_t status = virtio_driver_start(&rig->driver, rig->features, RING_SIZE);

	assert_int_equal(status, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
	rig->in_flight = 0;
	memset(rig->calls, 0, sizeof(rig->calls));
}

void blk_rig_init(struct blk_rig *rig, const struct blk_rig_options *options)
{
	struct blk_options blk = options->blk;
	struct error err = {.text = ""};

	memset(rig, 0, sizeof(*rig));
	rig->seed = 2463534242;
	make_image(rig, options);
	virtio_driver_init(&rig->driver, kind, true);
	io_tap_init(&rig->tap, rig->driver.env.loop);
	blk.path = rig->path;
	blk.queues = MAX(blk.queues, 1u);
	if (blk_new(&rig->blk, &rig->driver.env, &blk, &err) < 0)
		fail_msg("%s", err.text);
	/* Nothing stays if the test fails. */
	if (!rig->keep)
		unlink(rig->path);
	if (rig->folder[0])
		rmdir(rig->folder);
	virtio_driver_attach(&rig->driver, blk_device(rig->blk));
	rig->features =
		(blk_rig_offered(rig) & ~RING_FEATURES & ~options->without) | options->features;
	start(rig);
}

void blk_rig_restart(struct blk_rig *rig, uint64_t features)
{
	rig->features = (rig->features & RING_FEATURES) | features;
	start(rig);
}

void blk_rig_deinit(struct blk_rig *rig)
{
	virtio_driver_detach(&rig->driver);
	blk_free(rig->blk);
	io_tap_deinit(&rig->tap);
	virtio_driver_deinit(&rig->driver);
	close(rig->fd);
	free(rig->image);
}

/* Requests. */

/* Cut @len bytes into pieces and give each a page of its own, or as many as it needs. */
static unsigned int place(struct blk_rig *rig, struct driver_sg *sg, const uint32_t *cuts,
			  uint32_t first, uint32_t len, uint32_t skew)
{
	unsigned int n = 0;
	uint32_t piece;

	while (len > 0) {
		piece = cuts ? cuts[n] : n == 0 ? first : 0;
		piece = piece == 0 || piece > len ? len : piece;
		assert_true(n < 259);
		sg[n++] = (struct driver_sg) {rig->arena + skew, piece};
		rig->arena = ALIGN_UP(rig->arena + skew + piece, (uint64_t)PAGE) + PAGE;
		len -= piece;
	}
	assert_true(rig->arena < VIRTIO_DRIVER_MEMORY);
	return n;
}

static void copy_out(struct blk_rig *rig, const struct driver_sg *sg, unsigned int n,
		     const uint8_t *from)
{
	for (unsigned int i = 0; i < n; from += sg[i].len, i++)
		memcpy(gmem_at(rig->driver.gmem, sg[i].gpa, sg[i].len), from, sg[i].len);
}

static unsigned int place_readable(struct blk_rig *rig, struct blk_call *call, struct driver_sg *sg)
{
	const struct virtio_blk_outhdr header = {
		.type = htole32(call->type),
		.ioprio = htole32(0xdeadbeef), /* reserved: ignored */
		.sector = htole64(call->sector),
	};
	const uint32_t header_len = (uint32_t)sizeof(header) - call->header_cut;
	const uint32_t len = header_len + call->out_len;
	_cleanup_(freep) uint8_t *bytes = malloc(len + 1);
	unsigned int n;

	assert_non_null(bytes);
	memcpy(bytes, &header, header_len);
	if (call->out_len)
		memcpy(bytes + header_len, call->out, call->out_len);
	n = place(rig, sg, call->out_cuts, header_len, len, call->skew);
	copy_out(rig, sg, n, bytes);
	return n;
}

static void place_writable(struct blk_rig *rig, struct blk_call *call)
{
	const uint32_t len = call->in_len + (call->no_status ? 0 : 1);
	const struct driver_sg *last;

	call->in_n = place(rig, call->in_sg, call->in_cuts, call->in_len, len, call->skew);
	for (unsigned int i = 0; i < call->in_n; i++)
		memset(gmem_at(rig->driver.gmem, call->in_sg[i].gpa, call->in_sg[i].len),
		       BLK_UNTOUCHED, call->in_sg[i].len);
	if (call->no_status)
		return;
	last = &call->in_sg[call->in_n - 1];
	*(uint8_t *)gmem_at(rig->driver.gmem, last->gpa + last->len - 1, 1) = BLK_NO_STATUS;
}

void blk_rig_send(struct blk_rig *rig, struct blk_call *call)
{
	struct driver_sg sg[520];
	unsigned int out_n;
	int id;

	if (rig->in_flight == 0)
		rig->arena = VIRTIO_DRIVER_DATA;
	out_n = place_readable(rig, call, sg);
	place_writable(rig, call);
	memcpy(sg + out_n, call->in_sg, call->in_n * sizeof(*sg));
	call->done = false;
	id = driver_ring_add(&rig->driver.rings[call->queue], sg, out_n, call->in_n);
	assert_true(id >= 0);
	rig->calls[call->queue][id] = call;
	rig->in_flight++;
	virtio_driver_kick(&rig->driver, call->queue);
}

static void gather(struct blk_rig *rig, struct blk_call *call)
{
	const uint32_t len = call->in_len + (call->no_status ? 0 : 1);
	_cleanup_(freep) uint8_t *bytes = malloc(len + 1);
	uint8_t *at = bytes;

	assert_non_null(bytes);
	for (unsigned int i = 0; i < call->in_n; at += call->in_sg[i].len, i++)
		memcpy(at, gmem_at(rig->driver.gmem, call->in_sg[i].gpa, call->in_sg[i].len),
		       call->in_sg[i].len);
	if (call->in)
		memcpy(call->in, bytes, call->in_len);
	call->status = call->no_status ? BLK_NO_STATUS : bytes[len - 1];
}

void blk_rig_wait(struct blk_rig *rig, struct blk_call *call)
{
	struct blk_call *other;
	uint32_t used;
	int id;

	while (!call->done) {
		id = virtio_driver_wait(&rig->driver, call->queue, &used);
		if (id < 0)
			fail_msg("waiting for a request: %s", strerror(-id));
		other = rig->calls[call->queue][id];
		assert_non_null(other);
		rig->calls[call->queue][id] = NULL;
		rig->in_flight--;
		other->used = used;
		gather(rig, other);
		other->done = true;
	}
}

uint8_t blk_rig_call(struct blk_rig *rig, struct blk_call *call)
{
	blk_rig_send(rig, call);
	blk_rig_wait(rig, call);
	return call->status;
}

uint8_t blk_rig_read(struct blk_rig *rig, uint64_t sector, void *data, uint32_t len)
{
	struct blk_call call = {
		.type = VIRTIO_BLK_T_IN, .sector = sector, .in = data, .in_len = len};

	return blk_rig_call(rig, &call);
}

uint8_t blk_rig_write(struct blk_rig *rig, uint64_t sector, const void *data, uint32_t len)
{
	struct blk_call call = {
		.type = VIRTIO_BLK_T_OUT, .sector = sector, .out = data, .out_len = len};

	if (blk_rig_call(rig, &call) == VIRTIO_BLK_S_OK)
		memcpy(rig->image + sector * SECTOR, data, len);
	return call.status;
}

uint8_t blk_rig_flush(struct blk_rig *rig)
{
	struct blk_call call = {.type = VIRTIO_BLK_T_FLUSH};

	return blk_rig_call(rig, &call);
}

/* Registers. */

struct virtio_blk_config blk_rig_config(struct blk_rig *rig)
{
	struct virtio_blk_config config;
	uint8_t *at = (uint8_t *)&config;

	for (size_t i = 0; i < sizeof(config); i++)
		at[i] = (uint8_t)bus_read(rig->driver.bus, MMIO_CONFIG + i, 1);
	return config;
}

uint64_t blk_rig_offered(struct blk_rig *rig)
{
	uint64_t features = 0;

	for (uint32_t i = 0; i < 2; i++) {
		virtio_driver_write(&rig->driver, MMIO_DEVICE_FEATURES_SEL, i);
		features |= (uint64_t)virtio_driver_read(&rig->driver, MMIO_DEVICE_FEATURES)
			    << (32 * i);
	}
	return features;
}

/* Messages. */

static int log_fd = -1, saved_stderr = -1;

void blk_rig_log_begin(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(log_fd >= 0 && saved_stderr >= 0);
	assert_int_equal(dup2(log_fd, STDERR_FILENO), STDERR_FILENO);
}

void blk_rig_log_end(char *text, size_t size)
{
	ssize_t n = pread(log_fd, text, size - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
	close(saved_stderr);
	close(log_fd);
}
