/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * i8042.c - a keyboard controller without keyboard and mouse. See i8042.h.
 *
 * After IBM's PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller". Its processor takes no time: the input buffer is always empty, an answer is there
 * when the command has been written. The output buffer holds one byte, the last one wins. One lock
 * guards it; the machine is asked to reset outside it.
 */
#include "devices/legacy/i8042.h"

#include <errno.h>
#include <pthread.h>

enum command {
	COMMAND_READ_RAM = 0x20,  /* to 0x3f: the low bits are an index; 0 is the configuration */
	COMMAND_WRITE_RAM = 0x60, /* to 0x7f */
	COMMAND_DISABLE_AUX = 0xa7,
	COMMAND_ENABLE_AUX = 0xa8,
	COMMAND_TEST_AUX = 0xa9,
	COMMAND_SELF_TEST = 0xaa,
	COMMAND_TEST_KEYBOARD = 0xab,
	COMMAND_DISABLE_KEYBOARD = 0xad,
	COMMAND_ENABLE_KEYBOARD = 0xae,
	COMMAND_READ_INPUT_PORT = 0xc0,
	COMMAND_READ_OUTPUT_PORT = 0xd0,
	COMMAND_WRITE_OUTPUT_PORT = 0xd1,
	COMMAND_LOOP_KEYBOARD = 0xd2,
	COMMAND_LOOP_AUX = 0xd3,
	COMMAND_WRITE_AUX = 0xd4,
	COMMAND_DISABLE_A20 = 0xdd,
	COMMAND_ENABLE_A20 = 0xdf,
	COMMAND_READ_TEST_INPUTS = 0xe0,
	COMMAND_PULSE = 0xf0, /* to 0xff: each low bit that is 0 pulls its output line */
};

enum {
	STATUS_OUTPUT_FULL = 0x01,
	STATUS_SELF_TESTED = 0x04,
	STATUS_COMMAND = 0x08, /* the last byte written was a command */
	STATUS_UNLOCKED = 0x10,
	STATUS_TIMEOUT = 0x40,

	CONFIG_KEYBOARD_INTERRUPT = 0x01,
	CONFIG_SELF_TESTED = 0x04,
	CONFIG_KEYBOARD_OFF = 0x10,
	CONFIG_AUX_OFF = 0x20,
	CONFIG_TRANSLATE = 0x40,

	OUTPUT_NOT_RESET = 0x01,
	OUTPUT_A20 = 0x02,
	OUTPUT_LINES = 0xc0, /* keyboard clock and data, both idle */

	INPUT_UNLOCKED = 0x80,
	SELF_TEST_PASSED = 0x55,
	TEST_PASSED = 0x00,
	TEST_CLOCK_STUCK = 0x01,
	DEVICE_NO_ANSWER = 0xfe,
};

#define RAM_SIZE 32

struct i8042 {
	struct machine *machine;
	const struct irq *irq; /* may be NULL */

	pthread_mutex_t lock;
	uint8_t status;
	uint8_t output_buffer;
	uint8_t output_port;
	uint8_t command;       /* waits for its byte of data; 0: none */
	uint8_t ram[RAM_SIZE]; /* [0]: configuration */
};

static void answer(struct i8042 *i8042, uint8_t byte)
{
	i8042->output_buffer = byte;
	i8042->status |= STATUS_OUTPUT_FULL;
	i8042->status &= (uint8_t)~STATUS_TIMEOUT;
	if (i8042->irq && i8042->ram[0] & CONFIG_KEYBOARD_INTERRUPT)
		(void)irq_raise(i8042->irq);
}

/* What the controller says when a device does not take a byte. */
static void answer_timeout(struct i8042 *i8042)
{
	answer(i8042, DEVICE_NO_ANSWER);
	i8042->status |= STATUS_TIMEOUT;
}

static void write_ram(struct i8042 *i8042, uint8_t index, uint8_t value)
{
	i8042->ram[index] = value;
	if (index == 0) {
		/* The auxiliary port cannot be enabled since there is none. */
		i8042->ram[0] |= CONFIG_AUX_OFF;
		i8042->status &= (uint8_t)~STATUS_SELF_TESTED;
		i8042->status |= value & CONFIG_SELF_TESTED ? STATUS_SELF_TESTED : 0;
	}
}

/*
 * Return: true if the machine is to be reset.
 * The two answers about the auxiliary port are those from which a driver concludes at once that
 * there is none: it loops back as the keyboard's, and its clock is stuck.
 */
static bool run_command(struct i8042 *i8042, uint8_t command)
{
	i8042->command = 0;
	switch (command) {
	case COMMAND_READ_RAM ... COMMAND_READ_RAM + RAM_SIZE - 1:
		answer(i8042, i8042->ram[command % RAM_SIZE]);
		break;
	case COMMAND_WRITE_RAM ... COMMAND_WRITE_RAM + RAM_SIZE - 1:
	case COMMAND_WRITE_OUTPUT_PORT:
	case COMMAND_LOOP_KEYBOARD:
	case COMMAND_LOOP_AUX:
	case COMMAND_WRITE_AUX:
		i8042->command = command;
		break;
	case COMMAND_TEST_AUX:
		answer(i8042, TEST_CLOCK_STUCK);
		break;
	case COMMAND_SELF_TEST:
		write_ram(i8042, 0, i8042->ram[0] | CONFIG_SELF_TESTED);
		answer(i8042, SELF_TEST_PASSED);
		break;
	case COMMAND_TEST_KEYBOARD:
	case COMMAND_READ_TEST_INPUTS:
		answer(i8042, TEST_PASSED);
		break;
	case COMMAND_DISABLE_KEYBOARD:
		i8042->ram[0] |= CONFIG_KEYBOARD_OFF;
		break;
	case COMMAND_ENABLE_KEYBOARD:
		i8042->ram[0] &= (uint8_t)~CONFIG_KEYBOARD_OFF;
		break;
	case COMMAND_READ_INPUT_PORT:
		answer(i8042, INPUT_UNLOCKED);
		break;
	case COMMAND_READ_OUTPUT_PORT:
		answer(i8042, i8042->output_port);
		break;
	case COMMAND_DISABLE_A20:
		i8042->output_port &= (uint8_t)~OUTPUT_A20;
		break;
	case COMMAND_ENABLE_A20:
		i8042->output_port |= OUTPUT_A20;
		break;
	case COMMAND_PULSE ... 0xff:
		return !(command & OUTPUT_NOT_RESET);
	case COMMAND_DISABLE_AUX:
	case COMMAND_ENABLE_AUX:
	default:
		break;
	}
	return false;
}

/* Return: true if the machine is to be reset. */
static bool take_data(struct i8042 *i8042, uint8_t value)
{
	const uint8_t command = i8042->command;

	i8042->command = 0;
	switch (command) {
	case COMMAND_WRITE_RAM ... COMMAND_WRITE_RAM + RAM_SIZE - 1:
		write_ram(i8042, command % RAM_SIZE, value);
		break;
	case COMMAND_WRITE_OUTPUT_PORT:
		/* A20 is a note only: KVM's vCPUs have all address lines. */
		i8042->output_port = value | OUTPUT_NOT_RESET;
		return !(value & OUTPUT_NOT_RESET);
	case COMMAND_LOOP_KEYBOARD:
	case COMMAND_LOOP_AUX:
		answer(i8042, value);
		break;
	default: /* for the keyboard, or by COMMAND_WRITE_AUX for the mouse */
		answer_timeout(i8042);
		break;
	}
	return false;
}

static uint64_t data_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *i8042 = dev;
	uint8_t value;

	pthread_mutex_lock(&i8042->lock);
	value = i8042->output_buffer;
	i8042->status &= (uint8_t) ~(STATUS_OUTPUT_FULL | STATUS_TIMEOUT);
	pthread_mutex_unlock(&i8042->lock);
	return value;
}

static void data_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct i8042 *i8042 = dev;
	bool reset;

	pthread_mutex_lock(&i8042->lock);
	i8042->status &= (uint8_t)~STATUS_COMMAND;
	reset = take_data(i8042, (uint8_t)value);
	pthread_mutex_unlock(&i8042->lock);
	if (reset)
		machine_request(i8042->machine, MACHINE_RESET);
}

static uint64_t status_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *i8042 = dev;
	uint8_t value;

	pthread_mutex_lock(&i8042->lock);
	value = i8042->status;
	pthread_mutex_unlock(&i8042->lock);
	return value;
}

static void command_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct i8042 *i8042 = dev;
	bool reset;

	pthread_mutex_lock(&i8042->lock);
	i8042->status |= STATUS_COMMAND;
	reset = run_command(i8042, (uint8_t)value);
	pthread_mutex_unlock(&i8042->lock);
	if (reset)
		machine_request(i8042->machine, MACHINE_RESET);
}

/* Each is a range of one port, so that accesses have one byte. */
static const struct bus_ops data_ops = {
	.read = data_read,
	.write = data_write,
};

static const struct bus_ops command_ops = {
	.read = status_read,
	.write = command_write,
};

int i8042_new(struct i8042 **out, struct machine *machine)
{
	struct i8042 *i8042 = calloc(1, sizeof(*i8042));

	if (!i8042)
		return -ENOMEM;
	i8042->machine = machine;
	/* As firmware leaves it, but with the keyboard off. */
	i8042->status = STATUS_SELF_TESTED | STATUS_UNLOCKED;
	i8042->ram[0] =
		CONFIG_TRANSLATE | CONFIG_AUX_OFF | CONFIG_KEYBOARD_OFF | CONFIG_SELF_TESTED;
	i8042->output_port = OUTPUT_LINES | OUTPUT_A20 | OUTPUT_NOT_RESET;
	pthread_mutex_init(&i8042->lock, NULL);
	*out = i8042;
	return 0;
}

void i8042_free(struct i8042 *i8042)
{
	if (!i8042)
		return;
	pthread_mutex_destroy(&i8042->lock);
	free(i8042);
}

int i8042_attach(struct i8042 *i8042, struct bus *bus, uint64_t base)
{
	int r = bus_attach(bus, base, 1, &data_ops, i8042, "i8042 data");

	if (r < 0)
		return r;
	return bus_attach(bus, base + 4, 1, &command_ops, i8042, "i8042 command");
}

void i8042_set_irq(struct i8042 *i8042, const struct irq *irq)
{
	i8042->irq = irq;
}
