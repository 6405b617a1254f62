/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtc_port.c - a clock on a bus of its own. See rtc_port.h.
 */
#include "rtc_port.h"

#include <poll.h>
#include <stdatomic.h>

#include "fake_irq.h"

static _Atomic int64_t clock_ns;

static int64_t clock_now(void)
{
	return atomic_load(&clock_ns);
}

int rtc_port_init(struct rtc_port *port, bool host_clock)
{
	int r;

	*port = (struct rtc_port) {.irq.fd = -1};
	atomic_store(&clock_ns, START * S_NS);
	r = loop_new(&port->loop, LOOP_AUTO, 0, NULL);
	if (r == 0)
		r = fake_irq_init(&port->irq);
	if (r == 0)
		r = bus_new(&port->bus, 64 * KIB);
	if (r == 0)
		r = rtc_new(&port->rtc, port->loop, &port->irq);
	if (r == 0)
		r = rtc_attach(port->rtc, port->bus, PORT);
	if (r == 0 && !host_clock)
		rtc_set_clock(port->rtc, clock_now);
	return r;
}

void rtc_port_deinit(struct rtc_port *port)
{
	rtc_free(port->rtc);
	bus_free(port->bus);
	loop_free(port->loop);
	fake_irq_deinit(&port->irq);
}

static int setup(void **state, bool host_clock)
{
	static struct rtc_port port;

	*state = &port;
	return rtc_port_init(&port, host_clock);
}

int rtc_port_setup(void **state)
{
	return setup(state, false);
}

int rtc_port_setup_host_clock(void **state)
{
	return setup(state, true);
}

int rtc_port_teardown(void **state)
{
	rtc_port_deinit(*state);
	return 0;
}

void rtc_port_set_clock(int64_t ns)
{
	atomic_store(&clock_ns, ns);
}

void rtc_port_pass(int64_t ns)
{
	atomic_fetch_add(&clock_ns, ns);
}

static void interrupted(struct loop_watch *watch, uint32_t events)
{
	loop_stop(container_of(watch, struct rtc_port, watch)->loop);
}

static void give_up(struct loop_timer *timer)
{
	loop_stop(container_of(timer, struct rtc_port, patience)->loop);
}

unsigned int rtc_port_wait(struct rtc_port *port, uint64_t ms)
{
	if (loop_watch_add(port->loop, &port->watch, port->irq.fd, POLLIN, interrupted) < 0 ||
	    loop_timer_set(port->loop, &port->patience, ms * MS_NS, 0, give_up) < 0 ||
	    loop_run(port->loop) < 0)
		abort();
	loop_timer_clear(port->loop, &port->patience);
	loop_watch_remove(port->loop, &port->watch);
	return fake_irq_take(&port->irq);
}
