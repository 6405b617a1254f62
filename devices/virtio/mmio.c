/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mmio.c - the register file of virtio-mmio, version 2. See mmio.h.
 *
 * Implements virtio 1.4, 4.2.2: one table says which registers there are. An access that 4.2.2.2
 * forbids to drivers (a width other than 4 bytes, no alignment, no such register, a write to what
 * is read-only, a read of what is write-only) reads as 0 and changes nothing. vCPU threads.
 */
#include "devices/virtio/mmio.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define MAGIC	0x74726976 /* "virt" */
#define VERSION 2
#define VENDOR	0x006d6d76 /* "vmm", written like the magic value */
#define CONFIG	0x100

/* What is selected is under the device's control lock. */
struct virtio_mmio {
	struct virtio_device *dev;
	uint32_t device_features_sel, driver_features_sel;
	uint32_t queue_sel;
	uint32_t shm_sel;
	struct log_limit log;
};

struct reg {
	const char *name;
	/* NULL: the register cannot be read, or written. */
	uint32_t (*read)(struct virtio_mmio *mmio, const struct reg *reg);
	void (*write)(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value);
	uint32_t value; /* of a constant */
	size_t member;	/* offset in struct virtio_mmio, vq_layout or virtio_shm */
	bool high;	/* the upper half of that member */
	bool unlocked;	/* needs no virtio_lock() */
};

/* The queue that QueueSel stands for; NULL if there is none. */
static struct virtio_queue *selected_queue(const struct virtio_mmio *mmio)
{
	struct virtio_device *dev = mmio->dev;

	return mmio->queue_sel < dev->queues_n ? &dev->queues[mmio->queue_sel] : NULL;
}

/* The same, or NULL while it is in use: its configuration stays as it is (4.2.2.2). */
static struct virtio_queue *selected_idle_queue(const struct virtio_mmio *mmio)
{
	struct virtio_queue *queue = selected_queue(mmio);

	return queue && !queue->ready ? queue : NULL;
}

static uint32_t read_constant(struct virtio_mmio *mmio, const struct reg *reg)
{
	return reg->value;
}

static void write_selector(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	uint32_t *selector = (uint32_t *)(void *)((char *)mmio + reg->member);

	*selector = value;
}

static uint32_t read_device_id(struct virtio_mmio *mmio, const struct reg *reg)
{
	return mmio->dev->class->id;
}

static uint32_t read_device_features(struct virtio_mmio *mmio, const struct reg *reg)
{
	const uint32_t word = mmio->device_features_sel;

	return word < 2 ? (uint32_t)(mmio->dev->offered >> (word * 32)) : 0;
}

static void write_driver_features(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	virtio_set_features(mmio->dev, mmio->driver_features_sel, value);
}

static uint32_t read_queue_size_max(struct virtio_mmio *mmio, const struct reg *reg)
{
	const struct virtio_queue *queue = selected_queue(mmio);

	return queue ? vq_size_max(queue->vq) : 0;
}

/* A size of more than 16 bits is beyond the maximum of any queue, as is the one that is kept. */
static void write_queue_size(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	struct virtio_queue *queue = selected_idle_queue(mmio);

	if (queue)
		queue->layout.size = (uint16_t)MIN(value, (uint32_t)UINT16_MAX);
}

static void write_queue_area(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	struct virtio_queue *queue = selected_idle_queue(mmio);
	uint64_t *area;

	if (!queue)
		return;
	area = (uint64_t *)(void *)((char *)&queue->layout + reg->member);
	if (reg->high)
		*area = (*area & UINT32_MAX) | (uint64_t)value << 32;
	else
		*area = (*area & ~(uint64_t)UINT32_MAX) | value;
}

static uint32_t read_queue_ready(struct virtio_mmio *mmio, const struct reg *reg)
{
	const struct virtio_queue *queue = selected_queue(mmio);

	return queue && queue->ready;
}

static void write_queue_ready(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	if (selected_queue(mmio))
		virtio_set_ready(mmio->dev, mmio->queue_sel, value & 1);
}

static uint32_t read_queue_reset(struct virtio_mmio *mmio, const struct reg *reg)
{
	const struct virtio_queue *queue = selected_queue(mmio);

	return queue && queue->resetting;
}

static void write_queue_reset(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	if (selected_queue(mmio) && value & 1)
		virtio_reset_queue(mmio->dev, mmio->queue_sel);
}

static void write_queue_notify(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	virtio_notify_queue(mmio->dev, value);
}

static uint32_t read_interrupt_status(struct virtio_mmio *mmio, const struct reg *reg)
{
	return atomic_load(&mmio->dev->interrupts);
}

static void write_interrupt_ack(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	atomic_fetch_and(&mmio->dev->interrupts, ~value);
}

static uint32_t read_status(struct virtio_mmio *mmio, const struct reg *reg)
{
	return atomic_load(&mmio->dev->status);
}

/* The status has 8 bits; a write of others alone is not the 0 that resets. */
static void write_status(struct virtio_mmio *mmio, const struct reg *reg, uint32_t value)
{
	if (value == 0 || (uint8_t)value != 0)
		virtio_set_status(mmio->dev, (uint8_t)value);
}

static uint32_t read_shm(struct virtio_mmio *mmio, const struct reg *reg)
{
	const struct virtio_shm *shm;
	uint64_t value;

	if (mmio->shm_sel >= VIRTIO_SHM_MAX || mmio->dev->shm[mmio->shm_sel].len == 0)
		return UINT32_MAX;
	shm = &mmio->dev->shm[mmio->shm_sel];
	memcpy(&value, (const char *)shm + reg->member, sizeof(value));
	return (uint32_t)(reg->high ? value >> 32 : value);
}

static uint32_t read_config_generation(struct virtio_mmio *mmio, const struct reg *reg)
{
	return virtio_config_generation(mmio->dev);
}

#define SELECTOR(sel)	.write = write_selector, .member = offsetof(struct virtio_mmio, sel)
#define AREA_LOW(area)	.write = write_queue_area, .member = offsetof(struct vq_layout, area)
#define AREA_HIGH(area) AREA_LOW(area), .high = true
#define SHM_LOW(what)	.read = read_shm, .member = offsetof(struct virtio_shm, what)
#define SHM_HIGH(what)	SHM_LOW(what), .high = true

static const struct reg regs[CONFIG / 4] = {
	[0x000 / 4] = {"MagicValue", .read = read_constant, .value = MAGIC, .unlocked = true},
	[0x004 / 4] = {"Version", .read = read_constant, .value = VERSION, .unlocked = true},
	[0x008 / 4] = {"DeviceID", .read = read_device_id, .unlocked = true},
	[0x00c / 4] = {"VendorID", .read = read_constant, .value = VENDOR, .unlocked = true},
	[0x010 / 4] = {"DeviceFeatures", .read = read_device_features},
	[0x014 / 4] = {"DeviceFeaturesSel", SELECTOR(device_features_sel)},
	[0x020 / 4] = {"DriverFeatures", .write = write_driver_features},
	[0x024 / 4] = {"DriverFeaturesSel", SELECTOR(driver_features_sel)},
	[0x030 / 4] = {"QueueSel", SELECTOR(queue_sel)},
	[0x034 / 4] = {"QueueSizeMax", .read = read_queue_size_max},
	[0x038 / 4] = {"QueueSize", .write = write_queue_size},
	[0x044 / 4] = {"QueueReady", .read = read_queue_ready, .write = write_queue_ready},
	[0x050 / 4] = {"QueueNotify", .write = write_queue_notify, .unlocked = true},
	[0x060 / 4] = {"InterruptStatus", .read = read_interrupt_status, .unlocked = true},
	[0x064 / 4] = {"InterruptACK", .write = write_interrupt_ack, .unlocked = true},
	[0x070 / 4] = {"Status", .read = read_status, .write = write_status},
	[0x080 / 4] = {"QueueDescLow", AREA_LOW(desc)},
	[0x084 / 4] = {"QueueDescHigh", AREA_HIGH(desc)},
	[0x090 / 4] = {"QueueDriverLow", AREA_LOW(driver)},
	[0x094 / 4] = {"QueueDriverHigh", AREA_HIGH(driver)},
	[0x0a0 / 4] = {"QueueDeviceLow", AREA_LOW(device)},
	[0x0a4 / 4] = {"QueueDeviceHigh", AREA_HIGH(device)},
	[0x0ac / 4] = {"SHMSel", SELECTOR(shm_sel)},
	[0x0b0 / 4] = {"SHMLenLow", SHM_LOW(len)},
	[0x0b4 / 4] = {"SHMLenHigh", SHM_HIGH(len)},
	[0x0b8 / 4] = {"SHMBaseLow", SHM_LOW(gpa)},
	[0x0bc / 4] = {"SHMBaseHigh", SHM_HIGH(gpa)},
	[0x0c0 / 4] = {"QueueReset", .read = read_queue_reset, .write = write_queue_reset},
	[0x0fc / 4] = {"ConfigGeneration", .read = read_config_generation, .unlocked = true},
};

/* For whoever writes a driver. */
static void log_refused(struct virtio_mmio *mmio, const char *what, uint64_t offset,
			unsigned int size)
{
	const char *name = regs[offset / 4].name;

	log_limited(&mmio->log, LOG_LEVEL_DEBUG, "%s: %u-byte %s at 0x%03x (%s) has no effect",
		    mmio->dev->name, size, what, (unsigned int)offset, name ? name : "no register");
}

static uint64_t read_config(struct virtio_mmio *mmio, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	virtio_read_config(mmio->dev, (unsigned int)(offset - CONFIG), &value, size);
	return le64toh(value);
}

static uint64_t mmio_read(void *dev, uint64_t offset, unsigned int size)
{
	struct virtio_mmio *mmio = dev;
	const struct reg *reg;
	uint32_t value;

	if (offset >= CONFIG)
		return read_config(mmio, offset, size);
	reg = &regs[offset / 4];
	if (size != 4 || offset % 4 != 0 || !reg->read) {
		log_refused(mmio, "read", offset, size);
		return 0;
	}
	if (reg->unlocked)
		return reg->read(mmio, reg);
	if (!virtio_lock(mmio->dev))
		return 0;
	value = reg->read(mmio, reg);
	virtio_unlock(mmio->dev);
	return value;
}

/* Devices have fields of up to 32 bits to write, and see a longer write as two (4.2.2.2). */
static void write_config(struct virtio_mmio *mmio, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	const unsigned int at = (unsigned int)(offset - CONFIG);
	uint8_t bytes[8];

	value = htole64(value);
	memcpy(bytes, &value, sizeof(bytes));
	virtio_write_config(mmio->dev, at, bytes, MIN(size, 4u));
	if (size > 4)
		virtio_write_config(mmio->dev, at + 4, bytes + 4, size - 4);
}

static void mmio_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct virtio_mmio *mmio = dev;
	const struct reg *reg = NULL;

	if (offset < CONFIG) {
		reg = &regs[offset / 4];
		if (size != 4 || offset % 4 != 0 || !reg->write) {
			log_refused(mmio, "write", offset, size);
			return;
		}
		if (reg->unlocked) {
			reg->write(mmio, reg, (uint32_t)value);
			return;
		}
	}
	if (!virtio_lock(mmio->dev))
		return;
	if (reg)
		reg->write(mmio, reg, (uint32_t)value);
	else
		write_config(mmio, offset, size, value);
	virtio_unlock(mmio->dev);
}

static const struct bus_ops mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};

int virtio_mmio_new(struct virtio_mmio **out, struct virtio_device *dev)
{
	struct virtio_mmio *mmio = calloc(1, sizeof(*mmio));

	if (!mmio)
		return -ENOMEM;
	mmio->dev = dev;
	*out = mmio;
	return 0;
}

void virtio_mmio_free(struct virtio_mmio *mmio)
{
	free(mmio);
}

int virtio_mmio_attach(struct virtio_mmio *mmio, struct bus *bus, uint64_t base)
{
	return bus_attach(bus, base, VIRTIO_MMIO_SIZE, &mmio_ops, mmio, mmio->dev->name);
}
