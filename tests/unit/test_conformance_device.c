/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_conformance_device.c - clauses of virtio 1.4 that each device has to fulfil by itself, shown
 * with all of them: entropy, console, block. See docs/conformance.md.
 *
 * Device, driver and host's end share the test's thread. What a device does is in its own tests.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/blk/blk.h"
#include "devices/console.h"
#include "devices/rng.h"
#include "virtio_probe.h"

#define BIT(n)	    VIRTIO_FEATURE(n)
#define BLK(name)   VIRTIO_FEATURE(VIRTIO_BLK_F_##name)
#define ACKNOWLEDGE VIRTIO_STATUS_ACKNOWLEDGE
#define DRIVER	    VIRTIO_STATUS_DRIVER

#define RING_FEATURES                                                                              \
	(BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1) |         \
	 BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_RING_RESET))

#define DATA	   VIRTIO_DRIVER_DATA
#define DATA_BYTES (64 * KIB)
#define DISK_BYTES MIB
#define SECTOR	   512u
#define PIECES	   4

static struct virtio_driver driver;

/* The devices. */

static struct rng *rng;
static struct console *console;
static struct blk *blk;
static size_t output_n;

static struct virtio_device *make_rng(void)
{
	assert_int_equal(rng_new(&rng, &driver.env), 0);
	return rng_device(rng);
}

static void free_rng(void)
{
	rng_free(rng);
}

static size_t take_output(void *owner, const uint8_t *data, size_t len)
{
	output_n += len;
	return len;
}

static struct virtio_device *make_console(void)
{
	static const struct console_ops ops = {.output = take_output};

	assert_int_equal(console_new(&console, &driver.env, &ops, NULL), 0);
	console_resize(console, 80, 24);
	return console_device(console);
}

static void free_console(void)
{
	console_free(console);
}

/* With all that an option can add. */
static struct virtio_device *make_blk(void)
{
	/* Not in /tmp, which may be a tmpfs that cannot do all that is asked of a disk. */
	char path[] = "/var/tmp/vmm-conformance-XXXXXX";
	const struct blk_options options = {.path = path, .discard = true, .queues = 2};
	int fd = mkostemp(path, O_CLOEXEC);
	struct error err;
	int r;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
	close(fd);
	r = blk_new(&blk, &driver.env, &options, &err);
	unlink(path);
	if (r < 0)
		fail_msg("%s", err.text);
	return blk_device(blk);
}

static void free_blk(void)
{
	blk_free(blk);
}

/* struct exchange - one buffer, whatever is in it: a request that the device fulfils. */
struct exchange {
	const char *name;
	unsigned int queue, out_n, in_n;
	uint32_t lens[PIECES];
	uint32_t type;	   /* block: of the header, which is at the start of the first piece */
	const char *input; /* console: what the host types */
	uint32_t used;	   /* length that comes back */
};

static const struct exchange rng_exchanges[] = {
	{.name = "bytes", .in_n = 2, .lens = {100, 33}, .used = 133},
	{.name = "behind readable ones", .out_n = 2, .in_n = 1, .lens = {9, 9, 50}, .used = 50},
	{},
};

static const struct exchange console_exchanges[] = {
	{.name = "output", .queue = 1, .out_n = 3, .lens = {1, 200, 33}},
	{.name = "output, writable", .queue = 1, .out_n = 1, .in_n = 2, .lens = {9, 9, 9}},
	{.name = "input", .in_n = 2, .lens = {3, 20}, .input = "typed", .used = 5},
	{.name = "input, readable",
	 .out_n = 1,
	 .in_n = 1,
	 .lens = {9, 9},
	 .input = "ab",
	 .used = 2},
	{},
};

static const struct exchange blk_exchanges[] = {
	{.name = "read",
	 .out_n = 1,
	 .in_n = 3,
	 .lens = {16, 500, 524, 1},
	 .type = VIRTIO_BLK_T_IN,
	 .used = 1025},
	{.name = "write",
	 .queue = 1,
	 .out_n = 3,
	 .in_n = 1,
	 .lens = {16, 1000, 24, 1},
	 .type = VIRTIO_BLK_T_OUT,
	 .used = 1},
	{.name = "flush",
	 .out_n = 1,
	 .in_n = 1,
	 .lens = {16, 1},
	 .type = VIRTIO_BLK_T_FLUSH,
	 .used = 1},
	{.name = "id",
	 .out_n = 1,
	 .in_n = 2,
	 .lens = {16, 20, 1},
	 .type = VIRTIO_BLK_T_GET_ID,
	 .used = 21},
	{.name = "discard",
	 .out_n = 2,
	 .in_n = 1,
	 .lens = {16, 16, 1},
	 .type = VIRTIO_BLK_T_DISCARD,
	 .used = 1},
	{.name = "write of zeroes",
	 .out_n = 2,
	 .in_n = 1,
	 .lens = {16, 16, 1},
	 .type = VIRTIO_BLK_T_WRITE_ZEROES,
	 .used = 1},
	{},
};

/* Fields of the configuration space as they are from the beginning. */
struct field {
	const char *name;
	unsigned int offset, width;
	uint64_t value;
};

static const struct field rng_fields[] = {{}};

static const struct field console_fields[] = {
	{"cols", 0, 2, 80},
	{"rows", 2, 2, 24},
	{},
};

static const struct field blk_fields[] = {
	{"capacity", 0, 8, DISK_BYTES / SECTOR},
	{"seg_max", 12, 4, 254},
	{"blk_size", 20, 4, SECTOR},
	{"num_queues", 34, 2, 2},
	{"max_discard_sectors", 36, 4, GIB / SECTOR},
	{"max_discard_seg", 40, 4, 16},
	{"max_write_zeroes_sectors", 48, 4, GIB / SECTOR},
	{"max_write_zeroes_seg", 52, 4, 16},
	{"write_zeroes_may_unmap", 56, 1, 1},
	{},
};

static const struct subject {
	const char *name;
	struct virtio_device *(*make)(void);
	void (*free)(void);
	uint64_t features; /* of its own */
	const struct exchange *exchanges;
	const struct field *fields;
} subjects[] = {
	{"entropy", make_rng, free_rng, 0, rng_exchanges, rng_fields},
	{"console", make_console, free_console, BIT(0) | BIT(2), console_exchanges, console_fields},
	{"block", make_blk, free_blk,
	 BLK(SEG_MAX) | BLK(BLK_SIZE) | BLK(FLUSH) | BLK(TOPOLOGY) | BLK(MQ) | BLK(DISCARD) |
		 BLK(WRITE_ZEROES),
	 blk_exchanges, blk_fields},
};

static void with(const struct subject *subject, void (*test)(const struct subject *subject))
{
	print_message("# %s\n", subject->name);
	virtio_driver_init(&driver, LOOP_EPOLL, false);
	virtio_driver_attach(&driver, subject->make());
	test(subject);
	virtio_driver_detach(&driver);
	subject->free();
	virtio_driver_deinit(&driver);
}

static void with_each(void (*test)(const struct subject *subject))
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		with(&subjects[i], test);
}

/* 2.2.2, 4.2.5, 6.2 */

static uint32_t offered_word(uint32_t word)
{
	virtio_driver_write(&driver, REG_DEVICE_FEATURES_SEL, word);
	return virtio_driver_read(&driver, REG_DEVICE_FEATURES);
}

static void check_offer(const struct subject *subject)
{
	const uint64_t expected = subject->features | RING_FEATURES;

	assert_int_equal(offered_word(0), (uint32_t)expected);
	assert_int_equal(offered_word(1), expected >> 32);
	for (uint32_t word = 2; word < 8; word++)
		assert_int_equal(offered_word(word), 0);
}

static void devices_offer_what_they_support_and_no_other_bit(void **state)
{
	with_each(check_offer);
}

/* Make the buffer available. Its pieces are apart and of any alignment. */
static void add(const struct exchange *exchange, struct driver_sg sg[PIECES])
{
	const unsigned int n = exchange->out_n + exchange->in_n;

	for (unsigned int i = 0; i < n; i++) {
		sg[i] = (struct driver_sg) {DATA + i * 4096 + 100 * i + 7, exchange->lens[i]};
		memset(gmem_at(driver.gmem, sg[i].gpa, sg[i].len), 0x30 + (int)i, sg[i].len);
	}
	if (driver.dev->class->id == VIRTIO_ID_BLOCK) {
		const struct virtio_blk_outhdr header = {.type = exchange->type};
		const struct virtio_blk_discard_write_zeroes segment = {.num_sectors = 8};

		gmem_write(driver.gmem, sg[0].gpa, &header, sizeof(header));
		if (exchange->type == VIRTIO_BLK_T_DISCARD ||
		    exchange->type == VIRTIO_BLK_T_WRITE_ZEROES)
			gmem_write(driver.gmem, sg[1].gpa, &segment, sizeof(segment));
	}
	assert_true(driver_ring_add(&driver.rings[exchange->queue], sg, exchange->out_n,
				    exchange->in_n) >= 0);
}

/* Have the buffer used, and well. */
static void carry_out(const struct exchange *exchange)
{
	uint32_t used;
	int id;

	if (exchange->input)
		assert_int_equal(console_input(console, (const uint8_t *)exchange->input,
					       strlen(exchange->input)),
				 strlen(exchange->input));
	virtio_driver_kick(&driver, exchange->queue);
	id = virtio_driver_wait(&driver, exchange->queue, &used);
	if (id < 0 || used != exchange->used)
		fail_msg("%s: result %d, length %u", exchange->name, id, used);
}

static void check_exchange(const struct exchange *exchange)
{
	struct driver_sg sg[PIECES];
	uint8_t status;

	output_n = 0;
	add(exchange, sg);
	carry_out(exchange);
	if (driver.dev->class->id == VIRTIO_ID_BLOCK) {
		gmem_read(driver.gmem, sg[exchange->out_n + exchange->in_n - 1].gpa, &status, 1);
		assert_int_equal(status, VIRTIO_BLK_S_OK);
	} else if (driver.dev->class->id == VIRTIO_ID_CONSOLE && exchange->queue == 1) {
		assert_true(output_n > 0);
	}
}

/* With each subset of @features, and @fixed besides. */
static void check_subsets(const struct subject *subject, uint64_t features, uint64_t fixed)
{
	uint64_t subset = 0;

	do {
		/* Twice: before and after a reset. */
		for (unsigned int again = 0; again < 2; again++) {
			const uint8_t status = virtio_driver_start(&driver, subset | fixed, 16);

			if (status != (ACKNOWLEDGE | DRIVER | VIRTIO_STATUS_FEATURES_OK |
				       VIRTIO_STATUS_DRIVER_OK))
				fail_msg("features %#llx: status %u",
					 (unsigned long long)(subset | fixed), status);
		}
		check_exchange(&subject->exchanges[0]);
		/* The next one: it counts up in the bits of @features alone. */
		subset = (subset - features) & features;
	} while (subset != 0);
}

static void check_all_subsets(const struct subject *subject)
{
	check_subsets(subject, subject->features, 0);
	check_subsets(subject, RING_FEATURES & ~BIT(VIRTIO_F_VERSION_1), subject->features);
}

static void devices_work_with_every_subset_of_their_features(void **state)
{
	with_each(check_all_subsets);
}

/* 2.5.2 */

static void check_fields(const struct subject *subject)
{
	static const uint8_t states[] = {0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		virtio_driver_write(&driver, REG_STATUS, 0);
		virtio_driver_settle(&driver);
		if (states[i])
			virtio_driver_write(&driver, REG_STATUS, states[i]);
		assert_int_equal(virtio_driver_read(&driver, REG_STATUS), states[i]);
		for (const struct field *field = subject->fields; field->name; field++) {
			const uint64_t value =
				bus_read(driver.bus, REG_CONFIG + field->offset, field->width);

			if (value != field->value)
				fail_msg("%s: %llu", field->name, (unsigned long long)value);
		}
	}
}

static void configurations_can_be_read_before_features_ok(void **state)
{
	with_each(check_fields);
}

/* 2.10.2: there is nothing of the kind, so nothing is exposed either. */

static void check_shared_memory(const struct subject *subject)
{
	for (uint32_t id = 0; id < 256; id++) {
		virtio_driver_write(&driver, REG_SHM_SEL, id);
		for (uint64_t at = REG_SHM_LEN_LOW; at <= REG_SHM_BASE_HIGH; at += 4)
			assert_int_equal(virtio_driver_read(&driver, at), UINT32_MAX);
	}
}

static void devices_have_no_shared_memory(void **state)
{
	with_each(check_shared_memory);
}

/*
 * 2.7.5.1, 2.8.15: of all guest memory that a driver uses, a device writes to buffers that are
 * writable and, of a ring, to what is the device's.
 */

struct span {
	uint64_t gpa, len;
};

static bool is_in(uint64_t gpa, const struct span *span)
{
	return gpa - span->gpa < span->len;
}

/* Where @before and guest memory differ, from @gpa on, a byte of @writable is. */
static void compare(const struct exchange *exchange, const uint8_t *before, struct span all,
		    const struct span *writable, size_t writable_n)
{
	const uint8_t *now = gmem_at(driver.gmem, all.gpa, all.len);

	assert_non_null(now);
	for (uint64_t i = 0; i < all.len; i++) {
		size_t in = 0;

		if (before[i] == now[i])
			continue;
		while (in < writable_n && !is_in(all.gpa + i, &writable[in]))
			in++;
		if (in == writable_n)
			fail_msg("%s: guest memory was written at %#llx", exchange->name,
				 (unsigned long long)(all.gpa + i));
	}
}

static size_t find_writable(const struct exchange *exchange, const struct driver_sg sg[PIECES],
			    struct span writable[PIECES + 2])
{
	const struct vq_layout *layout = &driver.rings[exchange->queue].layout;
	size_t n = 0;

	for (unsigned int i = 0; i < exchange->in_n; i++)
		writable[n++] =
			(struct span) {sg[exchange->out_n + i].gpa, sg[exchange->out_n + i].len};
	writable[n++] = (struct span) {layout->device, layout->packed ? 4 : 6 + 8 * layout->size};
	if (layout->packed)
		writable[n++] = (struct span) {layout->desc, 16 * layout->size};
	return n;
}

static void *copy_of(struct span span)
{
	void *copy = malloc(span.len);

	assert_non_null(copy);
	assert_int_equal(gmem_read(driver.gmem, span.gpa, copy, span.len), 0);
	return copy;
}

static void check_writes(const struct exchange *exchange)
{
	const struct span rings = {driver.rings[0].layout.desc,
				   driver.rings[driver.rings_n - 1].end -
					   driver.rings[0].layout.desc};
	const struct span data = {DATA, DATA_BYTES};
	_cleanup_(freep) void *rings_before = NULL;
	_cleanup_(freep) void *data_before = NULL;
	struct span writable[PIECES + 2];
	struct driver_sg sg[PIECES];
	size_t n;

	add(exchange, sg);
	n = find_writable(exchange, sg, writable);
	rings_before = copy_of(rings);
	data_before = copy_of(data);
	carry_out(exchange);
	compare(exchange, rings_before, rings, writable, n);
	compare(exchange, data_before, data, writable, n);
}

static void check_all_writes(const struct subject *subject)
{
	for (size_t i = 0; i < VIRTIO_RINGS; i++) {
		print_message("# %s\n", virtio_rings[i].name);
		virtio_driver_start(&driver, subject->features | virtio_rings[i].features, 16);
		for (const struct exchange *e = subject->exchanges; e->name; e++)
			check_writes(e);
	}
}

static void devices_write_only_to_what_is_writable(void **state)
{
	with_each(check_all_writes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_offer_what_they_support_and_no_other_bit),
		cmocka_unit_test(devices_work_with_every_subset_of_their_features),
		cmocka_unit_test(configurations_can_be_read_before_features_ok),
		cmocka_unit_test(devices_have_no_shared_memory),
		cmocka_unit_test(devices_write_only_to_what_is_writable),
	};

	return cmocka_run_group_tests_name("conformance_device", tests, NULL, NULL);
}
