/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_probe.h - a virtio device for tests of what all devices have in common: it answers with
 * what it was sent, or keeps requests in flight, and counts what it is told.
 *
 * Its members that are not atomic belong to the device's thread; a test reaches them from a
 * function that it has run there.
 */
#ifndef VMM_TEST_VIRTIO_PROBE_H
#define VMM_TEST_VIRTIO_PROBE_H

#include "tests/support/virtio_driver.h"

#define PROBE_ID	 61 /* of no device type */
#define PROBE_QUEUES	 3
#define PROBE_CONFIG	 22 /* bytes, so that the last word is cut */
#define PROBE_FEATURE	 5  /* the one of its own that it offers */
#define PROBE_HELD_MAX	 64
#define PROBE_WRITES_MAX 16
#define PROBE_SHM_GPA	 UINT64_C(0x123400000)
#define PROBE_SHM_LEN	 UINT64_C(0x300000000)

extern const uint16_t probe_sizes[PROBE_QUEUES];

struct virtio_probe {
	struct virtio_driver driver;
	struct virtio_device dev;

	/* Before the loop runs, or on the device's thread. */
	bool hold;	/* keep requests in flight */
	bool stubborn;	/* even when the queue is stopped, until virtio_probe_release() */
	bool push_late; /* when a queue is stopped, push in the next turn of the loop */
	struct vq_request *held[PROBE_HELD_MAX];
	unsigned int held_n;
	struct loop_post late;
	bool late_posted;
	void (*answered)(struct virtio_probe *probe, unsigned int queue); /* NULL: nothing */
	struct {
		unsigned int offset, len;
		uint8_t data[8];
	} writes[PROBE_WRITES_MAX]; /* to the configuration space */

	/* Any thread. */
	atomic_uint starts, resets, writes_n;
	atomic_uint notified[PROBE_QUEUES], stopped[PROBE_QUEUES], popped[PROBE_QUEUES];
	atomic_uint foreign; /* calls on a thread that is not the device's */
};

/* virtio_probe_init - a device on a bus of its own. @threaded: as virtio_driver_init(). */
void virtio_probe_init(struct virtio_probe *probe, enum loop_kind kind, bool threaded);
void virtio_probe_deinit(struct virtio_probe *probe);

/*
 * virtio_probe_run - have @fn called on the device's thread, and wait until it has returned and all
 * that was there before has been served.
 */
void virtio_probe_run(struct virtio_probe *probe, void (*fn)(struct virtio_probe *probe));

/* virtio_probe_sync - wait until all that is there has been served. */
void virtio_probe_sync(struct virtio_probe *probe);

/* virtio_probe_release - push all requests that are held. For virtio_probe_run(). */
void virtio_probe_release(struct virtio_probe *probe);

/* virtio_probe_pop - answer what is available, without a notification. For virtio_probe_run(). */
void virtio_probe_pop(struct virtio_probe *probe);

/* virtio_probe_hold, virtio_probe_hold_stubbornly - from now on. For virtio_probe_run(). */
void virtio_probe_hold(struct virtio_probe *probe);
void virtio_probe_hold_stubbornly(struct virtio_probe *probe);

/* virtio_probe_send - @len bytes for @queue, and as much room for the answer; no notification. */
void virtio_probe_send(struct virtio_probe *probe, unsigned int queue, uint32_t len);

/* virtio_probe_echo - send and notify; fails the test unless the answer is the same bytes. */
void virtio_probe_echo(struct virtio_probe *probe, unsigned int queue, uint32_t len);

/* Kinds of rings that a driver can negotiate. */
struct virtio_rings {
	const char *name;
	uint64_t features;
};

#define VIRTIO_RINGS 8
extern const struct virtio_rings virtio_rings[VIRTIO_RINGS];

/* Registers of virtio-mmio, by the table of 4.2.2, for tests that write them down again. */
enum virtio_reg {
	REG_MAGIC_VALUE = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_VENDOR_ID = 0x00c,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_SIZE_MAX = 0x034,
	REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC_LOW = 0x080,
	REG_QUEUE_DESC_HIGH = 0x084,
	REG_QUEUE_DRIVER_LOW = 0x090,
	REG_QUEUE_DRIVER_HIGH = 0x094,
	REG_QUEUE_DEVICE_LOW = 0x0a0,
	REG_QUEUE_DEVICE_HIGH = 0x0a4,
	REG_SHM_SEL = 0x0ac,
	REG_SHM_LEN_LOW = 0x0b0,
	REG_SHM_LEN_HIGH = 0x0b4,
	REG_SHM_BASE_LOW = 0x0b8,
	REG_SHM_BASE_HIGH = 0x0bc,
	REG_QUEUE_RESET = 0x0c0,
	REG_CONFIG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

/* virtio_probe_in, virtio_probe_out - one register of 4 bytes. */
static inline uint32_t virtio_probe_in(struct virtio_probe *probe, enum virtio_reg reg)
{
	return virtio_driver_read(&probe->driver, reg);
}

static inline void virtio_probe_out(struct virtio_probe *probe, enum virtio_reg reg, uint32_t value)
{
	virtio_driver_write(&probe->driver, reg, value);
}

#endif
