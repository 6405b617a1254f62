/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * payload_rig.h - for tests of payload.c: the two halves of an ioctl command, cut in any way, and a
 * host that knows which controls have data.
 */
#ifndef VMM_TEST_PAYLOAD_RIG_H
#define VMM_TEST_PAYLOAD_RIG_H

#include "devices/media/payload.h"

/* Two regions that touch, a hole, and one page more at the end of which RAM ends. */
#define RIG_LOW	    UINT64_C(0x10000)
#define RIG_TOUCH   UINT64_C(0x610000)
#define RIG_END	    UINT64_C(0x630000)
#define RIG_COMMAND (RIG_TOUCH + 0x1000) /* if in_ram */

#define RIG_ASKED_MAX 64

struct payload_rig {
	struct gmem *gmem;
	struct payload payload;
	bool whole;	/* payload is to be freed */
	uint8_t *bytes; /* of the command, behind its header */
	size_t len, capacity;
	/* How the halves are cut, and where they are. */
	size_t split;	 /* unless 0, two pieces, the first of so many bytes */
	size_t cut;	 /* unless 0, pieces of so many bytes */
	bool in_place;	 /* the writable half is the readable one's memory */
	bool in_ram;	 /* both are at RIG_COMMAND */
	uint8_t *memory; /* of the readable half; as long as it */
	uint8_t *reply;	 /* what payload_rig_write() has left */
	/* The host of payload_ask(). */
	struct media_backend backend;
	struct media_file file;
	uint32_t strings[8]; /* ids of controls that have data */
	int ask_result;
	uint32_t asked[RIG_ASKED_MAX];
	unsigned int asked_n;
};

void payload_rig_init(struct payload_rig *rig);
void payload_rig_deinit(struct payload_rig *rig);

/* payload_rig_begin - an empty command. */
void payload_rig_begin(struct payload_rig *rig);

void payload_rig_add(struct payload_rig *rig, const void *bytes, size_t len);
void payload_rig_add_sg(struct payload_rig *rig, uint64_t start, uint32_t len);

/* payload_rig_read - payload_read() of the first @len bytes; _all: of all. */
int payload_rig_read(struct payload_rig *rig, unsigned long cmd, size_t len);
int payload_rig_read_all(struct payload_rig *rig, unsigned long cmd);

int payload_rig_ask(struct payload_rig *rig);

/* payload_rig_write - payload_write() into @room bytes. Return: bytes written. */
size_t payload_rig_write(struct payload_rig *rig, size_t room);

/* payload_rig_fill - @len bytes that differ from each other and with @seed. */
void payload_rig_fill(void *to, size_t len, unsigned int seed);

#endif
