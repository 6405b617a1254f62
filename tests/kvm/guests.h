/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guests.h - the code of the tiny guests in guests.S.
 */
#ifndef VMM_TESTS_GUESTS_H
#define VMM_TESTS_GUESTS_H

#include "base.h"

#define GUEST(name) extern const uint8_t guest_##name[], guest_##name##_end[];
GUEST(real)
GUEST(bios_reset)
GUEST(protected)
GUEST(long)
GUEST(pio)
GUEST(mmio)
GUEST(notify)
GUEST(interrupt)
GUEST(pic_interrupt)
GUEST(serial)
GUEST(i8042_reset)
GUEST(triple_fault)
GUEST(unknown)
GUEST(spin)
#undef GUEST

#endif
