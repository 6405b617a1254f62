/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ticks.h - the counter of the CPU that guest and host can both read without leaving the guest.
 *
 * For measuring how long a frame is under way. Any thread.
 */
#ifndef VMM_MEDIA_TICKS_H
#define VMM_MEDIA_TICKS_H

#include "base.h"

/* ticks_now - x86_64: the time stamp counter. aarch64: the virtual counter, as the host sees it. */
static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ __volatile__("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
#else
#error "this architecture has no counter here yet"
#endif
}

#endif
