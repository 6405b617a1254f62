/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reset_vector.c - what stands where a PC's BIOS starts: a few instructions that reset the machine.
 * See firmware.h.
 *
 * Linux on hardware-reduced ACPI takes EFI's reset for granted, and without EFI it falls back to a
 * jump to this address in real mode; only a machine with code there ends.
 */
#include <errno.h>

#include "arch/x86_64/memory_map.h"
#include "firmware.h"

int reset_vector_write(struct gmem *gmem, uint16_t port, uint8_t value)
{
	const uint8_t code[] = {
		0xba, (uint8_t)port, (uint8_t)(port >> 8), /* mov dx, port */
		0xb0, value,				   /* mov al, value */
		0xee,					   /* out dx, al */
		0xfa,					   /* cli */
		0xf4,					   /* hlt */
		0xeb, 0xfc,				   /* jmp to cli */
	};

	return gmem_write(gmem, MAP_RESET_VECTOR, code, sizeof(code));
}
