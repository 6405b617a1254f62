/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_acpi_pm.c - tests acpi_pm.c as ACPI uses it: through the bus.
 */
#include "devices/legacy/acpi_pm.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "fake_machine.h"
#include "firmware.h"

#define PORT 0x600

struct fixture {
	struct fake_machine machine;
	struct irq irq;
	struct bus *bus;
	struct acpi_pm *pm;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fake_machine_init(&fixture.machine);
	assert_int_equal(fake_irq_init(&fixture.irq), 0);
	assert_int_equal(bus_new(&fixture.bus, 64 * KIB), 0);
	assert_int_equal(acpi_pm_new(&fixture.pm, &fixture.machine.machine, &fixture.irq), 0);
	assert_int_equal(acpi_pm_attach(fixture.pm, fixture.bus, PORT), 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bus_free(f->bus);
	acpi_pm_free(f->pm);
	fake_irq_deinit(&f->irq);
	return 0;
}

static uint8_t in(struct fixture *f, enum acpi_pm_register reg)
{
	return (uint8_t)bus_read(f->bus, PORT + reg, 1);
}

static void out(struct fixture *f, enum acpi_pm_register reg, uint8_t value)
{
	bus_write(f->bus, PORT + reg, 1, value);
}

static void sleep_type_5_powers_off(void **state)
{
	const uint8_t type = ACPI_SLEEP_TYPE_S5 << ACPI_SLEEP_TYPE_SHIFT;
	struct fixture *f = *state;

	/* As ACPICA does it: the type first, then the type with the enable bit. */
	out(f, ACPI_PM_SLEEP_STATUS, 0x80);
	out(f, ACPI_PM_SLEEP_CONTROL, type);
	assert_true(fake_machine_idle(&f->machine));
	out(f, ACPI_PM_SLEEP_CONTROL, type | ACPI_SLEEP_ENABLE);
	assert_int_equal(fake_machine_take(&f->machine, MACHINE_POWER_OFF), 1);
	assert_true(fake_machine_idle(&f->machine));
	assert_int_equal(in(f, ACPI_PM_SLEEP_CONTROL), type);
	assert_int_equal(in(f, ACPI_PM_SLEEP_STATUS), 0);
}

static void other_sleep_types_wake_at_once(void **state)
{
	struct fixture *f = *state;

	for (uint8_t type = 0; type < 8; type++) {
		if (type == ACPI_SLEEP_TYPE_S5)
			continue;
		out(f, ACPI_PM_SLEEP_STATUS, 0x80);
		assert_int_equal(in(f, ACPI_PM_SLEEP_STATUS), 0);
		out(f, ACPI_PM_SLEEP_CONTROL,
		    (uint8_t)(type << ACPI_SLEEP_TYPE_SHIFT | ACPI_SLEEP_ENABLE));
		assert_true(fake_machine_idle(&f->machine));
		assert_int_equal(in(f, ACPI_PM_SLEEP_STATUS), 0x80);
		assert_int_equal(in(f, ACPI_PM_SLEEP_CONTROL), type << ACPI_SLEEP_TYPE_SHIFT);
	}
}

static void reset_needs_its_value(void **state)
{
	struct fixture *f = *state;

	for (unsigned int value = 0; value < 256; value++) {
		out(f, ACPI_PM_RESET, (uint8_t)value);
		assert_int_equal(fake_machine_take(&f->machine, MACHINE_RESET),
				 value == ACPI_PM_RESET_VALUE);
		assert_true(fake_machine_idle(&f->machine));
	}
}

static void power_button_shows_until_read(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, ACPI_PM_EVENT), 0);
	assert_int_equal(fake_irq_take(&f->irq), 0);
	assert_int_equal(acpi_pm_press_power_button(f->pm), 0);
	assert_int_equal(fake_irq_take(&f->irq), 1);
	assert_int_equal(in(f, ACPI_PM_EVENT), ACPI_EVENT_POWER_BUTTON);
	assert_int_equal(in(f, ACPI_PM_EVENT), 0);
	/* Pressed twice before the guest looks: an edge each, one event. */
	assert_int_equal(acpi_pm_press_power_button(f->pm), 0);
	assert_int_equal(acpi_pm_press_power_button(f->pm), 0);
	assert_int_equal(fake_irq_take(&f->irq), 2);
	assert_int_equal(in(f, ACPI_PM_EVENT), ACPI_EVENT_POWER_BUTTON);
	assert_int_equal(in(f, ACPI_PM_EVENT), 0);
	assert_true(fake_machine_idle(&f->machine));
}

static void event_is_repeated_until_read(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(acpi_pm_repeat_event(f->pm), 0);
	assert_int_equal(fake_irq_take(&f->irq), 0);
	assert_int_equal(acpi_pm_press_power_button(f->pm), 0);
	assert_int_equal(acpi_pm_repeat_event(f->pm), 1);
	assert_int_equal(fake_irq_take(&f->irq), 2);
	assert_int_equal(in(f, ACPI_PM_EVENT), ACPI_EVENT_POWER_BUTTON);
	assert_int_equal(acpi_pm_repeat_event(f->pm), 0);
	assert_int_equal(fake_irq_take(&f->irq), 0);
}

static void power_button_cannot_be_pressed_by_the_guest(void **state)
{
	struct fixture *f = *state;

	out(f, ACPI_PM_EVENT, 0xff);
	assert_int_equal(in(f, ACPI_PM_EVENT), 0);
	assert_int_equal(fake_irq_take(&f->irq), 0);
}

static void wide_access_is_one_byte_after_the_other(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(acpi_pm_press_power_button(f->pm), 0);
	/* Control, status, reset, and a port that is not there. */
	assert_int_equal(bus_read(f->bus, PORT, 4), 0xff000000);
	assert_int_equal(bus_read(f->bus, PORT + ACPI_PM_EVENT, 4), 0xffffff01);
	assert_int_equal(bus_read(f->bus, PORT + ACPI_PM_EVENT, 4), 0xffffff00);
	bus_write(f->bus, PORT + ACPI_PM_SLEEP_STATUS, 2, ACPI_PM_RESET_VALUE << 8);
	assert_int_equal(fake_machine_take(&f->machine, MACHINE_RESET), 1);
}

static void freeing_nothing_is_fine(void **state)
{
	acpi_pm_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sleep_type_5_powers_off, setup, teardown),
		cmocka_unit_test_setup_teardown(other_sleep_types_wake_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_needs_its_value, setup, teardown),
		cmocka_unit_test_setup_teardown(power_button_shows_until_read, setup, teardown),
		cmocka_unit_test_setup_teardown(event_is_repeated_until_read, setup, teardown),
		cmocka_unit_test_setup_teardown(power_button_cannot_be_pressed_by_the_guest, setup,
						teardown),
		cmocka_unit_test_setup_teardown(wide_access_is_one_byte_after_the_other, setup,
						teardown),
		cmocka_unit_test(freeing_nothing_is_fine),
	};

	return cmocka_run_group_tests_name("acpi_pm", tests, NULL, NULL);
}
