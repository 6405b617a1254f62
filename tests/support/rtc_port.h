/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtc_port.h - a clock with CMOS memory on a bus of its own, for tests that act as its driver.
 *
 * It goes by a clock that stands still until a test moves it, and has a real loop for its timer.
 */
#ifndef VMM_RTC_PORT_H
#define VMM_RTC_PORT_H

#include "bus.h"
#include "devices/legacy/rtc.h"
#include "irq.h"
#include "loop.h"

#define PORT 0x70

#define MS_NS INT64_C(1000000)
#define S_NS  (1000 * MS_NS)

/* Where the clock starts: Wednesday, 2024-02-28 23:59:58 */
#define START INT64_C(1709164798)

/* Registers, by their index. */
enum { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, WEEKDAY, DAY, MONTH };
enum { YEAR = 9, A, B, C, D, CENTURY = 0x32 };

struct rtc_port {
	struct loop *loop;
	struct irq irq;
	struct bus *bus;
	struct rtc *rtc;
	struct loop_watch watch; /* on the interrupt */
	struct loop_timer patience;
};

/* rtc_port_init - @host_clock: go by the host's clock instead. Return: 0 or -errno. */
int rtc_port_init(struct rtc_port *port, bool host_clock);
void rtc_port_deinit(struct rtc_port *port);

/* rtc_port_setup, rtc_port_teardown - as cmocka calls them; *@state is a new struct rtc_port. */
int rtc_port_setup(void **state);
int rtc_port_setup_host_clock(void **state);
int rtc_port_teardown(void **state);

/* rtc_port_set_clock, rtc_port_pass - set the clock; let time pass, or go back. Any thread. */
void rtc_port_set_clock(int64_t ns);
void rtc_port_pass(int64_t ns);

/* rtc_port_wait - serve the loop until there is an interrupt, or for @ms. Return: interrupts. */
unsigned int rtc_port_wait(struct rtc_port *port, uint64_t ms);

static inline uint8_t in(struct rtc_port *port, uint8_t reg)
{
	bus_write(port->bus, PORT, 1, reg);
	return (uint8_t)bus_read(port->bus, PORT + 1, 1);
}

static inline void out(struct rtc_port *port, uint8_t reg, uint8_t value)
{
	bus_write(port->bus, PORT, 1, reg);
	bus_write(port->bus, PORT + 1, 1, value);
}

/* rtc_port_date, rtc_port_time - registers as one number: BCD reads as it is written. */
static inline uint64_t rtc_port_date(struct rtc_port *port)
{
	return (uint64_t)in(port, CENTURY) << 24 | (uint64_t)in(port, YEAR) << 16 |
	       (uint64_t)in(port, MONTH) << 8 | in(port, DAY);
}

static inline uint64_t rtc_port_time(struct rtc_port *port)
{
	return (uint64_t)in(port, HOURS) << 16 | (uint64_t)in(port, MINUTES) << 8 |
	       in(port, SECONDS);
}

#endif
