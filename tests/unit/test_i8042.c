/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_i8042.c - tests i8042.c as a driver uses it: through the bus, with the limits of patience
 * that Linux's has.
 */
#include "devices/legacy/i8042.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fake_irq.h"
#include "fake_machine.h"

#define DATA   0x60
#define STATUS 0x64

#define OUTPUT_FULL 0x01
#define INPUT_FULL  0x02
#define AUX_DATA    0x20
#define TIMEOUT	    0x40

struct fixture {
	struct fake_machine machine;
	struct irq irq;
	struct bus *bus;
	struct i8042 *i8042;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fake_machine_init(&fixture.machine);
	assert_int_equal(fake_irq_init(&fixture.irq), 0);
	assert_int_equal(bus_new(&fixture.bus, 64 * KIB), 0);
	assert_int_equal(i8042_new(&fixture.i8042, &fixture.machine.machine), 0);
	i8042_set_irq(fixture.i8042, &fixture.irq);
	assert_int_equal(i8042_attach(fixture.i8042, fixture.bus, DATA), 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bus_free(f->bus);
	i8042_free(f->i8042);
	fake_irq_deinit(&f->irq);
	return 0;
}

static uint8_t status(struct fixture *f)
{
	return (uint8_t)bus_read(f->bus, STATUS, 1);
}

static void command(struct fixture *f, uint8_t value)
{
	assert_false(status(f) & INPUT_FULL);
	bus_write(f->bus, STATUS, 1, value);
}

static void send(struct fixture *f, uint8_t value)
{
	assert_false(status(f) & INPUT_FULL);
	bus_write(f->bus, DATA, 1, value);
}

/* An answer that is not there at once would cost a driver its time-out. */
static uint8_t receive(struct fixture *f)
{
	uint8_t value;

	assert_true(status(f) & OUTPUT_FULL);
	value = (uint8_t)bus_read(f->bus, DATA, 1);
	assert_false(status(f) & OUTPUT_FULL);
	return value;
}

static void commands_are_answered_at_once(void **state)
{
	static const struct {
		const char *name;
		uint8_t command;
		uint8_t answer;
	} cases[] = {
		{.name = "self test", .command = 0xaa, .answer = 0x55},
		{.name = "keyboard port test", .command = 0xab, .answer = 0x00},
		{.name = "auxiliary port test", .command = 0xa9, .answer = 0x01},
		{.name = "configuration", .command = 0x20, .answer = 0x74},
		{.name = "input port", .command = 0xc0, .answer = 0x80},
		{.name = "output port", .command = 0xd0, .answer = 0xc3},
		{.name = "test inputs", .command = 0xe0, .answer = 0x00},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		command(f, cases[i].command);
		assert_int_equal(receive(f), cases[i].answer);
	}
	assert_true(fake_machine_idle(&f->machine));
}

static void commands_without_answer_give_none(void **state)
{
	static const uint8_t commands[] = {0xa7, 0xa8, 0xad, 0xae, 0xdd, 0xdf, 0x00, 0x80, 0xcf};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		command(f, commands[i]);
		assert_false(status(f) & OUTPUT_FULL);
	}
}

static void configuration_is_kept(void **state)
{
	struct fixture *f = *state;

	command(f, 0x60);
	send(f, 0x65);
	command(f, 0x20);
	assert_int_equal(receive(f), 0x65);
	command(f, 0xad);
	command(f, 0x20);
	assert_int_equal(receive(f), 0x75);
	command(f, 0xae);
	command(f, 0x20);
	assert_int_equal(receive(f), 0x65);
	/* There is no auxiliary port to be enabled, neither so nor so. */
	command(f, 0xa8);
	command(f, 0x60);
	send(f, 0x45);
	command(f, 0x20);
	assert_int_equal(receive(f), 0x65);
	/* The rest of the controller's memory. */
	command(f, 0x7f);
	send(f, 0x12);
	command(f, 0x3f);
	assert_int_equal(receive(f), 0x12);
	command(f, 0x20);
	assert_int_equal(receive(f), 0x65);
}

static void status_tells_command_from_data(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(status(f), 0x14);
	command(f, 0xd2);
	assert_int_equal(status(f), 0x1c);
	send(f, 0x42);
	assert_int_equal(status(f), 0x15);
	assert_int_equal(receive(f), 0x42);
	/* The configuration's "self tested" shows in the status. */
	command(f, 0x60);
	send(f, 0x00);
	assert_int_equal(status(f), 0x10);
}

static void command_forgets_an_unfinished_one(void **state)
{
	struct fixture *f = *state;

	command(f, 0xd1);
	command(f, 0xae);
	send(f, 0x00); /* for the keyboard now, else it would reset */
	assert_int_equal(receive(f), 0xfe);
	assert_true(fake_machine_idle(&f->machine));
}

static void reset_by_pulse_or_output_port(void **state)
{
	struct fixture *f = *state;

	for (unsigned int value = 0; value < 256; value++) {
		command(f, (uint8_t)value);
		assert_int_equal(fake_machine_take(&f->machine, MACHINE_RESET),
				 value >= 0xf0 && value % 2 == 0);
		assert_true(fake_machine_idle(&f->machine));
	}
	for (unsigned int value = 0; value < 256; value++) {
		command(f, 0xd1);
		assert_true(fake_machine_idle(&f->machine));
		send(f, (uint8_t)value);
		assert_int_equal(fake_machine_take(&f->machine, MACHINE_RESET), value % 2 == 0);
		assert_true(fake_machine_idle(&f->machine));
	}
}

static void a20_is_noted(void **state)
{
	struct fixture *f = *state;

	command(f, 0xdd);
	command(f, 0xd0);
	assert_int_equal(receive(f) & 0x02, 0);
	command(f, 0xdf);
	command(f, 0xd0);
	assert_int_equal(receive(f) & 0x02, 0x02);
	command(f, 0xd1);
	send(f, 0x01);
	command(f, 0xd0);
	assert_int_equal(receive(f) & 0x02, 0);
	command(f, 0xd1);
	send(f, 0xdf); /* as kernels do it to switch A20 on */
	command(f, 0xd0);
	assert_int_equal(receive(f) & 0x02, 0x02);
	assert_true(fake_machine_idle(&f->machine));
}

/* The steps of i8042_init() and i8042_probe() of Linux 6.12's drivers/input/serio/i8042.c. */
static void linux_driver_finds_a_controller_without_aux_port(void **state)
{
	struct fixture *f = *state;
	uint8_t configuration;

	/* i8042_controller_check(): 16 bytes to flush would mean "no controller". */
	for (int i = 0; status(f) & OUTPUT_FULL; i++) {
		assert_in_range(i, 0, 15);
		bus_read(f->bus, DATA, 1);
	}
	/* i8042_controller_init(): it reads the same twice; "keylock" is off; written back. */
	command(f, 0x20);
	configuration = receive(f);
	command(f, 0x20);
	assert_int_equal(receive(f), configuration);
	assert_true(status(f) & 0x10);
	command(f, 0x60);
	send(f, (uint8_t)((configuration | 0x10) & ~0x01));
	/* i8042_check_aux(): the loop's answer is no auxiliary data, so it tests the port. */
	command(f, 0xd3);
	send(f, 0x5a);
	assert_true(status(f) & OUTPUT_FULL);
	assert_false(status(f) & AUX_DATA);
	command(f, 0xa9);
	assert_in_range(receive(f), 0x01, 0xf9);
	/* i8042_setup_kbd(): interrupt and interface on. */
	command(f, 0x60);
	send(f, (uint8_t)((configuration | 0x01) & ~0x10));
	fake_irq_take(&f->irq);
	/* atkbd_probe(): "identify" is refused by interrupt, twice; so is "set LEDs". */
	for (int i = 0; i < 4; i++) {
		send(f, i < 2 ? 0xf2 : 0xed);
		assert_int_equal(fake_irq_take(&f->irq), 1);
		assert_int_equal(status(f) & (OUTPUT_FULL | AUX_DATA | TIMEOUT),
				 OUTPUT_FULL | TIMEOUT);
		assert_int_equal(receive(f), 0xfe);
		assert_false(status(f) & TIMEOUT);
	}
	/* native_machine_emergency_restart() */
	command(f, 0xfe);
	assert_int_equal(fake_machine_take(&f->machine, MACHINE_RESET), 1);
}

static void interrupt_needs_its_enable_bit(void **state)
{
	struct fixture *f = *state;

	command(f, 0x60);
	send(f, 0x64);
	send(f, 0xf2);
	assert_int_equal(fake_irq_take(&f->irq), 0);
	assert_int_equal(receive(f), 0xfe);
}

static void works_without_interrupt(void **state)
{
	struct fixture *f = *state;

	i8042_set_irq(f->i8042, NULL);
	command(f, 0x60);
	send(f, 0x65);
	send(f, 0xf2);
	assert_int_equal(receive(f), 0xfe);
}

static void ports_between_are_left_alone(void **state)
{
	struct fixture *f = *state;

	for (uint64_t port = DATA + 1; port < STATUS; port++)
		assert_int_equal(bus_read(f->bus, port, 1), 0xff);
	assert_int_equal(bus_read(f->bus, DATA, 2), 0xffff);
	bus_write(f->bus, STATUS, 2, 0xfefe);
	assert_true(fake_machine_idle(&f->machine));
}

static void attach_fails_on_a_taken_port(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(i8042_attach(f->i8042, f->bus, DATA), -EEXIST);
	assert_int_equal(i8042_attach(f->i8042, f->bus, STATUS - 8), -EEXIST);
	i8042_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(commands_are_answered_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(commands_without_answer_give_none, setup, teardown),
		cmocka_unit_test_setup_teardown(configuration_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(status_tells_command_from_data, setup, teardown),
		cmocka_unit_test_setup_teardown(command_forgets_an_unfinished_one, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_pulse_or_output_port, setup, teardown),
		cmocka_unit_test_setup_teardown(a20_is_noted, setup, teardown),
		cmocka_unit_test_setup_teardown(linux_driver_finds_a_controller_without_aux_port,
						setup, teardown),
		cmocka_unit_test_setup_teardown(interrupt_needs_its_enable_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(works_without_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(ports_between_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(attach_fails_on_a_taken_port, setup, teardown),
	};

	return cmocka_run_group_tests_name("i8042", tests, NULL, NULL);
}
