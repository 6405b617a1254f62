/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pvpanic.c - tests pvpanic.c as a guest's driver uses it: through the bus.
 */
#include "devices/legacy/pvpanic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fake_machine.h"

#define PORT 0x505

struct fixture {
	struct fake_machine machine;
	struct bus *bus;
	struct pvpanic *pvpanic;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fake_machine_init(&fixture.machine);
	assert_int_equal(bus_new(&fixture.bus, 64 * KIB), 0);
	assert_int_equal(pvpanic_new(&fixture.pvpanic, &fixture.machine.machine), 0);
	assert_int_equal(pvpanic_attach(fixture.pvpanic, fixture.bus, PORT), 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bus_free(f->bus);
	pvpanic_free(f->pvpanic);
	return 0;
}

static void reading_lists_the_events(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bus_read(f->bus, PORT, 1), 0x03);
	assert_true(fake_machine_idle(&f->machine));
}

static void writing_tells_of_a_panic(void **state)
{
	static const struct {
		const char *name;
		uint8_t value;
		unsigned int panics;
	} cases[] = {
		{.name = "nothing", .value = 0x00, .panics = 0},
		{.name = "panicked", .value = 0x01, .panics = 1},
		{.name = "crash kernel takes over", .value = 0x02, .panics = 0},
		{.name = "both", .value = 0x03, .panics = 1},
		{.name = "events unknown to us", .value = 0xfc, .panics = 0},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		bus_write(f->bus, PORT, 1, cases[i].value);
		assert_int_equal(fake_machine_take(&f->machine, MACHINE_PANIC), cases[i].panics);
		assert_true(fake_machine_idle(&f->machine));
	}
}

static void wider_access_reaches_no_port(void **state)
{
	struct fixture *f = *state;

	bus_write(f->bus, PORT, 2, 0x0101);
	assert_int_equal(bus_read(f->bus, PORT, 2), 0xffff);
	assert_true(fake_machine_idle(&f->machine));
}

static void freeing_nothing_is_fine(void **state)
{
	pvpanic_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reading_lists_the_events, setup, teardown),
		cmocka_unit_test_setup_teardown(writing_tells_of_a_panic, setup, teardown),
		cmocka_unit_test_setup_teardown(wider_access_reaches_no_port, setup, teardown),
		cmocka_unit_test(freeing_nothing_is_fine),
	};

	return cmocka_run_group_tests_name("pvpanic", tests, NULL, NULL);
}
