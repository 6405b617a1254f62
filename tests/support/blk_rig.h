/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_rig.h - a disk image, the block device over it, and a guest's driver, which is the test.
 *
 * The image is a temporary file of random bytes; the rig knows what it should hold. The device's
 * loop runs on a thread of its own. Requests are built from host memory: the rig cuts them into
 * pieces, scatters these over guest memory, and gathers what comes back.
 */
#ifndef VMM_TEST_BLK_RIG_H
#define VMM_TEST_BLK_RIG_H

#include <linux/virtio_blk.h>

#include "devices/blk/blk.h"
#include "io_tap.h"
#include "virtio_driver.h"

#define BLK_RIG_SIZE (4 * MIB) /* of the image, bytes */
#define SECTOR	     512u

/* For mkstemp(). There, and not in /tmp, which may be a tmpfs that cannot do half of it. */
#define BLK_RIG_TEMPLATE "/var/tmp/vmm-blk-XXXXXX"

/* Registers, virtio 1.4, 4.2.2. */
#define MMIO_DEVICE_ID		 0x008
#define MMIO_DEVICE_FEATURES	 0x010
#define MMIO_DEVICE_FEATURES_SEL 0x014
#define MMIO_QUEUE_SEL		 0x030
#define MMIO_QUEUE_SIZE_MAX	 0x034
#define MMIO_INTERRUPT_STATUS	 0x060
#define MMIO_INTERRUPT_ACK	 0x064
#define MMIO_STATUS		 0x070
#define MMIO_QUEUE_RESET	 0x0c0
#define MMIO_CONFIG_GENERATION	 0x0fc
#define MMIO_CONFIG		 0x100

struct blk_rig_options {
	struct blk_options blk; /* .path is the rig's; .queues 0: 1 */
	uint64_t features;	/* of rings, to negotiate besides all that the device offers */
	uint64_t without;	/* features of the device not to negotiate */
	uint64_t size;		/* of the image; 0: BLK_RIG_SIZE */
	uint64_t zeroes;	/* bytes at the end of the image that are a hole at first */
	const char *name;	/* of the file, in a folder of its own; NULL: any */
	bool keep;		/* the file stays; else it has no name once the device is made */
	const char *device;	/* instead of a file: a block device of .size; NULL: none */
};

/* struct blk_call - one request. Strings of piece lengths end with 0; the last piece is the rest.
 */
struct blk_call {
	unsigned int queue;
	uint32_t type;
	uint64_t sector;
	const void *out; /* readable data behind the header */
	uint32_t out_len;
	void *in; /* where writable data before the status goes; NULL: nowhere */
	uint32_t in_len;
	const uint32_t *out_cuts; /* of header and data; NULL: a header, then the data */
	const uint32_t *in_cuts;  /* of data and status; NULL: the data, then a status */
	uint32_t skew;		  /* bytes that pieces are off a page's start in guest memory */
	uint32_t header_cut;	  /* bytes that the header is short of */
	bool no_status;
	/* What comes back. */
	uint8_t status; /* BLK_NO_STATUS: it was not written */
	uint32_t used;	/* length */
	bool done;
	/* The rig's. */
	struct driver_sg in_sg[260];
	unsigned int in_n;
};

#define BLK_NO_STATUS 0xee
#define BLK_UNTOUCHED 0xa5 /* what writable data holds at first */

struct blk_rig {
	struct virtio_driver driver;
	struct io_tap tap;
	struct blk *blk;
	char path[256];
	char folder[64]; /* made for the image; "": none */
	bool keep;
	int fd;		/* the image, for the test; opened without a lock */
	uint8_t *image; /* what it should hold */
	uint64_t size;
	uint64_t features; /* negotiated */
	uint64_t arena;	   /* guest memory from here on is free */
	unsigned int in_flight;
	struct blk_call *calls[VIRTIO_DRIVER_QUEUES][256];
	uint32_t seed;
};

/* Combinations of ring features, for tests that shall not depend on them. */
struct blk_rings {
	const char *name;
	uint64_t features;
};
#define BLK_RINGS 8
extern const struct blk_rings blk_rings[BLK_RINGS];

/*
 * blk_rig_select - read the program's argument: "epoll" or "uring".
 * Return: false if this host cannot do that, which has been reported as a skip.
 */
bool blk_rig_select(int argc, char **argv);

/* blk_rig_kind - the kind of loop that was selected. */
enum loop_kind blk_rig_kind(void);

/* blk_rig_init - make image, device and driver, and start it. Fails the test if one cannot. */
void blk_rig_init(struct blk_rig *rig, const struct blk_rig_options *options);
void blk_rig_deinit(struct blk_rig *rig);

/* blk_rig_restart - reset the device and negotiate @features of it, and those of rings. */
void blk_rig_restart(struct blk_rig *rig, uint64_t features);

/* blk_rig_random - the next number of a sequence that is the same in each run. */
uint32_t blk_rig_random(struct blk_rig *rig);
void blk_rig_fill(struct blk_rig *rig, void *bytes, size_t len);

/* blk_rig_send - make a request available and kick. @call lives until it is done. */
void blk_rig_send(struct blk_rig *rig, struct blk_call *call);

/* blk_rig_wait - until @call is done; others that are done meanwhile are so, too. */
void blk_rig_wait(struct blk_rig *rig, struct blk_call *call);

/* blk_rig_call - both. Return: the status. */
uint8_t blk_rig_call(struct blk_rig *rig, struct blk_call *call);

/* Short forms. blk_rig_write also changes what the image should hold, if all went well. */
uint8_t blk_rig_read(struct blk_rig *rig, uint64_t sector, void *data, uint32_t len);
uint8_t blk_rig_write(struct blk_rig *rig, uint64_t sector, const void *data, uint32_t len);
uint8_t blk_rig_flush(struct blk_rig *rig);

/* blk_rig_check - the image holds exactly what it should. */
void blk_rig_check(struct blk_rig *rig);

/* blk_rig_disk_bytes - what the image occupies on the host. */
uint64_t blk_rig_disk_bytes(const struct blk_rig *rig);

/* blk_rig_config - the configuration space. */
struct virtio_blk_config blk_rig_config(struct blk_rig *rig);

/* blk_rig_offered - feature bits that the device offers. */
uint64_t blk_rig_offered(struct blk_rig *rig);

/* blk_rig_log_begin, blk_rig_log_end - what is logged between the two, at most @size bytes. */
void blk_rig_log_begin(void);
void blk_rig_log_end(char *text, size_t size);

#endif
