/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtc.h - the PC's clock with battery: an MC146818 with 128 bytes of CMOS memory.
 *
 * It runs by the host's CLOCK_REALTIME, in UTC, plus what the guest has set it off by. Registers
 * are served on vCPU threads, interrupts are raised from the loop's thread.
 */
#ifndef VMM_RTC_H
#define VMM_RTC_H

#include "base.h"
#include "bus.h"
#include "irq.h"
#include "loop.h"

#define RTC_PORTS   2	 /* I/O ports: index, data */
#define RTC_CENTURY 0x32 /* index of the century, for the FADT */

struct rtc;

/*
 * rtc_new - make a clock and watch its timer on @loop, whose thread calls this.
 * @loop, @irq: borrowed until rtc_free().
 * Return: 0 and *@out; or -errno.
 */
int rtc_new(struct rtc **out, struct loop *loop, const struct irq *irq);

/* rtc_free - on the loop's thread, after the last vCPU has stopped. NULL is fine. */
void rtc_free(struct rtc *rtc);

/* rtc_attach - RTC_PORTS ports from @base on. Return: 0 or -errno, as bus_attach(). */
int rtc_attach(struct rtc *rtc, struct bus *bus, uint64_t base);

/*
 * rtc_set_clock - go by another clock than the host's: nanoseconds since 1970 in UTC. Any thread
 * may call @now_ns. Before the first access.
 */
void rtc_set_clock(struct rtc *rtc, int64_t (*now_ns)(void));

#endif
