/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console_rig.h - a console between a guest's driver and a host's end, both of which are the
 * test's.
 *
 * The device's loop runs on a thread of its own. What belongs to that thread is called there for
 * the test, which waits for it. The host's end keeps what the guest wrote and takes as much of it
 * as the test allows.
 */
#ifndef VMM_TEST_CONSOLE_RIG_H
#define VMM_TEST_CONSOLE_RIG_H

#include <pthread.h>

#include "devices/console.h"
#include "virtio_driver.h"

/* Registers, virtio 1.4, 4.2.2. */
#define MMIO_DEVICE_ID		 0x008
#define MMIO_DEVICE_FEATURES	 0x010
#define MMIO_DEVICE_FEATURES_SEL 0x014
#define MMIO_QUEUE_SEL		 0x030
#define MMIO_QUEUE_SIZE_MAX	 0x034
#define MMIO_INTERRUPT_STATUS	 0x060
#define MMIO_STATUS		 0x070
#define MMIO_QUEUE_RESET	 0x0c0
#define MMIO_CONFIG_GENERATION	 0x0fc
#define MMIO_CONFIG		 0x100

#define RECEIVE	 0
#define TRANSMIT 1

#define CONSOLE_OUTPUT_MAX (8 * MIB)

struct console_rig {
	struct virtio_driver driver;
	struct console *console;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	uint8_t *output; /* what the guest wrote */
	size_t output_n;
	size_t room;	     /* bytes that the host's end still takes */
	unsigned int calls;  /* of output() */
	unsigned int readys; /* of input_ready(): the device's thread */
};

/* Combinations of ring features, for tests that shall not depend on them. */
struct console_rings {
	const char *name;
	uint64_t features;
};
extern const struct console_rings console_rings[8];

void console_rig_init(struct console_rig *rig);
void console_rig_deinit(struct console_rig *rig);

/* console_rig_start - with @features (of rings) and those of the console that it offers. */
void console_rig_start(struct console_rig *rig, uint64_t features);

/* console_rig_run - run @fn on the device's thread, and wait for it. */
void console_rig_run(struct console_rig *rig, void (*fn)(struct console_rig *rig, void *arg),
		     void *arg);

/* The functions of console.h, on the device's thread. */
size_t console_rig_input(struct console_rig *rig, const void *data, size_t len);
size_t console_rig_room(struct console_rig *rig);
void console_rig_resize(struct console_rig *rig, uint16_t cols, uint16_t rows);

/* console_rig_readys - calls of input_ready() so far. */
unsigned int console_rig_readys(struct console_rig *rig);

/* console_rig_allow - the host's end takes @room bytes more; if @ready, the console is told. */
void console_rig_allow(struct console_rig *rig, size_t room, bool ready);

/* console_rig_write - put @data into guest memory at @gpa. */
void console_rig_write(struct console_rig *rig, uint64_t gpa, const void *data, size_t len);

/* console_rig_add - make pieces available and kick. */
void console_rig_add(struct console_rig *rig, unsigned int queue, const struct driver_sg *sg,
		     unsigned int out_n, unsigned int in_n);

/* console_rig_used - wait for a used buffer. Return: its used length. */
uint32_t console_rig_used(struct console_rig *rig, unsigned int queue);

/* console_rig_none_used - all that was there has been served, and no buffer of @queue was used. */
void console_rig_none_used(struct console_rig *rig, unsigned int queue);

/* console_rig_output - wait until the guest's output so far is exactly @data. */
void console_rig_output(struct console_rig *rig, const void *data, size_t len);

/* console_rig_forget - forget the output so far. */
void console_rig_forget(struct console_rig *rig);

#endif
