/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_driver.c - a guest's driver of one virtio-mmio device. See virtio_driver.h.
 *
 * Follows virtio 1.4, 3.1.1 and 4.2.3. Guest memory below VIRTIO_DRIVER_DATA holds the rings; one
 * that finds no room there (its indirect tables may take 16 MiB) lies in the upper half.
 */
#include "tests/support/virtio_driver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "fake_irq.h"

#define RINGS	     UINT64_C(0x100000)
#define RINGS_HIGH   (VIRTIO_DRIVER_MEMORY / 2)
#define SETTLE_TURNS 16
#define PATIENCE_MS  10000
#define POLL_STEP_US 100

/* Registers, by the table of 4.2.2. */
enum {
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_SIZE_MAX = 0x034,
	QUEUE_SIZE = 0x038,
	QUEUE_READY = 0x044,
	INTERRUPT_STATUS = 0x060,
	STATUS = 0x070,
	QUEUE_DESC = 0x080,
	QUEUE_DRIVER = 0x090,
	QUEUE_DEVICE = 0x0a0,
};

void virtio_driver_init(struct virtio_driver *driver, enum loop_kind kind, bool threaded)
{
	static const struct gmem_region layout = {.gpa = 0, .size = VIRTIO_DRIVER_MEMORY};
	static const struct gmem_options options;
	struct error err;

	*driver = (struct virtio_driver) {.irq.fd = -1, .threaded = threaded};
	if (gmem_new(&driver->gmem, &layout, 1, &options, &err) < 0 ||
	    loop_thread_new(&driver->thread, kind, LOOP_FILE_IO, "device", &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(bus_new(&driver->bus, 0), 0);
	assert_int_equal(fake_irq_init(&driver->irq), 0);
	driver->env = (struct virtio_env) {
		.gmem = driver->gmem,
		.loop = loop_thread_loop(driver->thread),
	};
}

void virtio_driver_attach(struct virtio_driver *driver, struct virtio_device *dev)
{
	driver->dev = dev;
	virtio_set_irq(dev, &driver->irq);
	assert_int_equal(virtio_mmio_new(&driver->mmio, dev), 0);
	assert_int_equal(virtio_mmio_attach(driver->mmio, driver->bus, 0), 0);
	if (driver->threaded)
		assert_int_equal(loop_thread_start(driver->thread), 0);
}

void virtio_driver_detach(struct virtio_driver *driver)
{
	loop_thread_stop(driver->thread);
	bus_free(driver->bus);
	driver->bus = NULL;
	virtio_mmio_free(driver->mmio);
	driver->mmio = NULL;
	driver->dev = NULL;
}

static void free_rings(struct virtio_driver *driver)
{
	for (unsigned int i = 0; i < driver->rings_n; i++)
		driver_ring_deinit(&driver->rings[i]);
	driver->rings_n = 0;
}

void virtio_driver_deinit(struct virtio_driver *driver)
{
	free_rings(driver);
	bus_free(driver->bus);
	loop_thread_free(driver->thread);
	gmem_free(driver->gmem);
	fake_irq_deinit(&driver->irq);
}

uint32_t virtio_driver_read(struct virtio_driver *driver, uint64_t offset)
{
	return (uint32_t)bus_read(driver->bus, offset, 4);
}

void virtio_driver_write(struct virtio_driver *driver, uint64_t offset, uint32_t value)
{
	bus_write(driver->bus, offset, 4, value);
}

/* Give the device time. @turn: counts from 0. Return: false when patience is at its end. */
static bool wait_a_bit(struct virtio_driver *driver, unsigned int *turn)
{
	static const struct timespec step = {.tv_nsec = POLL_STEP_US * 1000};

	if (!driver->threaded)
		virtio_driver_settle(driver);
	nanosleep(&step, NULL);
	return (*turn)++ < PATIENCE_MS * 1000 / POLL_STEP_US;
}

struct settling {
	struct loop_post post;
	struct loop *loop;
	unsigned int turns;
};

static void settle_turn(struct loop_post *post)
{
	struct settling *settling = container_of(post, struct settling, post);

	if (loop_io_pending(settling->loop) > 0)
		settling->turns = SETTLE_TURNS;
	if (settling->turns-- == 0)
		loop_stop(settling->loop);
	else
		loop_post(settling->loop, post, settle_turn);
}

void virtio_driver_settle(struct virtio_driver *driver)
{
	struct settling settling = {.loop = driver->env.loop, .turns = SETTLE_TURNS};

	assert_false(driver->threaded);
	loop_post(settling.loop, &settling.post, settle_turn);
	assert_int_equal(loop_run(settling.loop), 0);
}

static void set_address(struct virtio_driver *driver, uint64_t offset, uint64_t gpa)
{
	virtio_driver_write(driver, offset, (uint32_t)gpa);
	virtio_driver_write(driver, offset + 4, (uint32_t)(gpa >> 32));
}

/* Where a ring of @size fits; @*at is where the last one ended. */
static uint64_t place_ring(uint64_t *at, uint16_t size)
{
	const uint64_t most = (uint64_t)size * size * 16 + size * UINT64_C(64) + 64 * KIB;

	*at = ALIGN_UP(*at, 4096);
	if (*at<VIRTIO_DRIVER_DATA && * at + most> VIRTIO_DRIVER_DATA)
		*at = RINGS_HIGH;
	assert_true(*at + most <= VIRTIO_DRIVER_MEMORY);
	return *at;
}

static void start_queues(struct virtio_driver *driver, const struct vq_layout *features,
			 uint16_t size)
{
	uint64_t at = RINGS;

	for (unsigned int i = 0; i < VIRTIO_DRIVER_QUEUES; i++) {
		struct vq_layout layout = *features;
		uint32_t max;

		virtio_driver_write(driver, QUEUE_SEL, i);
		assert_int_equal(virtio_driver_read(driver, QUEUE_READY), 0);
		max = virtio_driver_read(driver, QUEUE_SIZE_MAX);
		if (max == 0)
			break;
		layout.size = (uint16_t)MIN((uint32_t)size, max);
		driver_ring_init(&driver->rings[i], driver->gmem, &layout,
				 place_ring(&at, layout.size));
		driver->rings_n = i + 1;
		at = driver->rings[i].end;
		layout = driver->rings[i].layout;
		virtio_driver_write(driver, QUEUE_SIZE, layout.size);
		set_address(driver, QUEUE_DESC, layout.desc);
		set_address(driver, QUEUE_DRIVER, layout.driver);
		set_address(driver, QUEUE_DEVICE, layout.device);
		virtio_driver_write(driver, QUEUE_READY, 1);
		assert_int_equal(virtio_driver_read(driver, QUEUE_READY), 1);
	}
}

uint8_t virtio_driver_start(struct virtio_driver *driver, uint64_t features, uint16_t size)
{
	const struct vq_layout layout = {
		.packed = features & VIRTIO_FEATURE(VIRTIO_F_RING_PACKED),
		.indirect = features & VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC),
		.event_idx = features & VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX),
	};
	uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE;
	unsigned int turn = 0;

	features |= VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
	free_rings(driver);
	virtio_driver_write(driver, STATUS, 0);
	while (virtio_driver_read(driver, STATUS) != 0)
		if (!wait_a_bit(driver, &turn))
			fail_msg("the device does not finish its reset");
	virtio_driver_write(driver, STATUS, status);
	status |= VIRTIO_STATUS_DRIVER;
	virtio_driver_write(driver, STATUS, status);
	for (unsigned int word = 0; word < 2; word++) {
		virtio_driver_write(driver, DRIVER_FEATURES_SEL, word);
		virtio_driver_write(driver, DRIVER_FEATURES, (uint32_t)(features >> (word * 32)));
	}
	status |= VIRTIO_STATUS_FEATURES_OK;
	virtio_driver_write(driver, STATUS, status);
	if (!(virtio_driver_read(driver, STATUS) & VIRTIO_STATUS_FEATURES_OK))
		return (uint8_t)virtio_driver_read(driver, STATUS);
	start_queues(driver, &layout, size);
	status |= VIRTIO_STATUS_DRIVER_OK;
	virtio_driver_write(driver, STATUS, status);
	if (!driver->threaded)
		virtio_driver_settle(driver);
	return (uint8_t)virtio_driver_read(driver, STATUS);
}

void virtio_driver_kick(struct virtio_driver *driver, unsigned int queue)
{
	assert_true(queue < driver->rings_n);
	if (driver_ring_needs_kick(&driver->rings[queue]))
		virtio_driver_write(driver, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

int virtio_driver_wait(struct virtio_driver *driver, unsigned int queue, uint32_t *len)
{
	unsigned int turn = 0;
	int id;

	assert_true(queue < driver->rings_n);
	do {
		if (!driver->threaded)
			virtio_driver_settle(driver);
		id = driver_ring_get(&driver->rings[queue], len);
		if (id >= 0)
			return id;
		if (virtio_driver_read(driver, STATUS) & VIRTIO_STATUS_NEEDS_RESET)
			return -EIO;
	} while (wait_a_bit(driver, &turn));
	return -ETIMEDOUT;
}

bool virtio_driver_needs_reset(struct virtio_driver *driver)
{
	unsigned int turn = 0, edges = 0;
	bool status = false, interrupt = false;

	do {
		if (!driver->threaded)
			virtio_driver_settle(driver);
		status |= virtio_driver_read(driver, STATUS) & VIRTIO_STATUS_NEEDS_RESET;
		interrupt |= virtio_driver_read(driver, INTERRUPT_STATUS) & VIRTIO_INTERRUPT_CONFIG;
		if (status && interrupt)
			edges += fake_irq_take(&driver->irq);
		if (edges > 0)
			return true;
	} while (wait_a_bit(driver, &turn));
	return false;
}
