/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kvm.c - tests vm.c, vcpu.c and arch/ with guests of a few instructions, on whatever KVM this
 * machine has: hardware virtualization or an interpreter. Exits with 77 where there is none.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "devices/legacy/i8042.h"
#include "devices/legacy/serial.h"
#include "guests.h"
#include "machine.h"
#include "testvm.h"

#define BOOT(t, protocol, name) testvm_boot(t, protocol, guest_##name, guest_##name##_end)

static int setup(void **state)
{
	static struct testvm t;

	testvm_init(&t);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	testvm_deinit(*state);
	return 0;
}

static void assert_told(const struct testvm *t, unsigned int i, unsigned int size, uint64_t value)
{
	assert_true(i < t->told_n);
	assert_int_equal(t->told_size[i], size);
	assert_int_equal(t->told[i], value);
}

static void real_mode_computes(void **state)
{
	struct testvm *t = *state;

	testvm_boot_real(t, guest_real, guest_real_end);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	assert_int_equal(t->told_n, 1);
	assert_told(t, 0, 2, 7);
}

static void reset_vector_writes_its_port(void **state)
{
	struct testvm *t = *state;

	assert_int_equal(reset_vector_write(t->gmem, TESTVM_RESULT, 0x5a), 0);
	testvm_boot_real(t, guest_bios_reset, guest_bios_reset_end);
	testvm_start(t);
	testvm_wait_told(t, 1);
	assert_told(t, 0, 1, 0x5a);
}

static void pvh_enters_in_protected_mode(void **state)
{
	struct testvm *t = *state;

	BOOT(t, BOOT_PVH, protected);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	assert_int_equal(t->told_n, 2);
	assert_told(t, 0, 4, TESTVM_INFO);
	assert_int_equal(t->told[1] & 0x80000001, 1); /* protection on, paging off */
}

static void linux_enters_in_long_mode(void **state)
{
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, long);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	assert_int_equal(t->told_n, 3);
	assert_told(t, 0, 4, TESTVM_INFO);
	assert_told(t, 1, 4, 0x12345678); /* 64-bit registers */
	assert_told(t, 2, 4, 0x10);	  /* __BOOT_CS */
}

static void pio_passes_each_width_and_strings(void **state)
{
	static const struct {
		unsigned int size;
		uint64_t value;
	} expect[] = {
		{1, 0x44}, {2, 0x3344}, {4, 0x11223344}, {1, 0x18}, {2, 0x0718}, {4, 0xe5f60718},
		{1, 'h'},  {1, 'e'},	{1, 'l'},	 {1, 'l'},  {1, 'o'},
	};
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, pio);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	assert_int_equal(t->told_n, ARRAY_SIZE(expect));
	for (unsigned int i = 0; i < ARRAY_SIZE(expect); i++)
		assert_told(t, i, expect[i].size, expect[i].value);
}

static void mmio_passes_each_width(void **state)
{
	static const uint8_t written[16] = {0x11, 0,	0x11, 0x22, 0x11, 0x22, 0x33, 0x44,
					    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, mmio);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	assert_memory_equal(t->device, written, sizeof(written));
	assert_int_equal(t->told_n, 6);
	assert_told(t, 0, 1, 0x11);
	assert_told(t, 1, 2, 0x2211);
	assert_told(t, 2, 4, 0x44332211);
	assert_told(t, 3, 4, 0x44332211);
	assert_told(t, 4, 4, 0x88776655);
	assert_told(t, 5, 4, 0xffffffff); /* nobody claims it */
}

static void ioeventfd_takes_its_value_without_an_exit(void **state)
{
	struct testvm *t = *state;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t count = 0;

	assert_true(fd >= 0);
	assert_int_equal(vm_ioeventfd_add(t->vm, TESTVM_MMIO + 0x50, 1, fd), 0);
	assert_int_equal(vm_ioeventfd_add(t->vm, TESTVM_MMIO + 0x50, 1, fd), -EEXIST);
	BOOT(t, BOOT_LINUX64, notify);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 3);
	assert_int_equal(t->device_writes, 1); /* the value 2 */
	assert_int_equal(vm_ioeventfd_remove(t->vm, TESTVM_MMIO + 0x50, 1, fd), 0);
	close(fd);
}

static void raise_three(struct testvm *t, uint32_t gsi)
{
	struct irq irq = {.fd = -1};
	struct error err = {0};

	assert_int_equal(vm_irq_init(t->vm, &irq, gsi, &err), 0);
	testvm_start(t);
	testvm_wait_told(t, 1);
	assert_int_equal(t->told[0], 0x1001);
	for (unsigned int i = 1; i <= 3; i++) {
		assert_int_equal(irq_raise(&irq), 0);
		testvm_wait_told(t, i + 1);
		assert_int_equal(t->told[i], i);
	}
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	vm_irq_deinit(&irq);
	assert_int_equal(irq.fd, -1);
}

static void irqfd_raises_edges_at_the_pic(void **state)
{
	struct testvm *t = *state;

	testvm_boot_real(t, guest_pic_interrupt, guest_pic_interrupt_end);
	raise_three(t, 5);
}

static void irqfd_raises_edges_at_the_ioapic(void **state)
{
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, interrupt);
	raise_three(t, 9);
}

/* --- devices on a real vCPU --- */

struct line {
	char text[32];
	size_t len;
};

static void line_output(void *owner, const uint8_t *data, size_t len)
{
	struct line *line = owner;

	for (size_t i = 0; i < len && line->len < sizeof(line->text) - 1; i++)
		line->text[line->len++] = (char)data[i];
}

static void line_input_ready(void *owner)
{
}

static void serial_port_talks_to_a_guest(void **state)
{
	static const struct serial_ops ops = {
		.output = line_output,
		.input_ready = line_input_ready,
	};
	const struct irq irq = {.fd = -1};
	struct testvm *t = *state;
	struct line line = {0};
	struct serial *serial = NULL;

	assert_int_equal(serial_new(&serial, &irq, &ops, &line), 0);
	assert_int_equal(serial_attach(serial, t->pio, 0x3f8), 0);
	BOOT(t, BOOT_LINUX64, serial);
	assert_int_equal(serial_input(serial, (const uint8_t *)"vmm q", 5), 5);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SAID_DONE);
	vcpu_free(t->vcpu);
	t->vcpu = NULL;
	assert_string_equal(line.text, "okvmm q");
	serial_free(serial);
}

struct test_machine {
	struct machine machine;
	struct testvm *t;
	int request;
};

static void note_request(struct machine *machine, enum machine_request request)
{
	struct test_machine *test = container_of(machine, struct test_machine, machine);

	test->request = (int)request;
	testvm_finish(test->t);
}

static void keyboard_controller_resets(void **state)
{
	static const struct machine_ops ops = {.request = note_request};
	struct testvm *t = *state;
	struct test_machine machine = {.machine.ops = &ops, .t = t, .request = -1};
	struct i8042 *i8042 = NULL;

	assert_int_equal(i8042_new(&i8042, &machine.machine), 0);
	assert_int_equal(i8042_attach(i8042, t->pio, 0x60), 0);
	BOOT(t, BOOT_LINUX64, i8042_reset);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_REQUESTED);
	vcpu_free(t->vcpu);
	t->vcpu = NULL;
	assert_int_equal(machine.request, MACHINE_RESET);
	i8042_free(i8042);
}

static void triple_fault_is_a_shutdown(void **state)
{
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, triple_fault);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_SHUTDOWN);
}

static void unknown_instruction_is_reported(void **state)
{
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, unknown);
	testvm_start(t);
	assert_int_equal(testvm_wait(t), TESTVM_CANNOT_EMULATE);
	assert_non_null(strstr(t->text, "vCPU 0"));
}

static void stop_ends_a_guest_that_spins(void **state)
{
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, spin);
	testvm_start(t);
	testvm_wait_told(t, 1);
	vcpu_free(t->vcpu); /* comes back */
	t->vcpu = NULL;
	assert_int_equal(t->end, TESTVM_RUNNING);
}

static void stop_before_start_runs_nothing(void **state)
{
	struct testvm *t = *state;

	BOOT(t, BOOT_LINUX64, pio);
	vcpu_stop(t->vcpu);
	testvm_start(t);
	vcpu_free(t->vcpu);
	t->vcpu = NULL;
	assert_int_equal(t->told_n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(real_mode_computes),
		TEST(reset_vector_writes_its_port),
		TEST(pvh_enters_in_protected_mode),
		TEST(linux_enters_in_long_mode),
		TEST(pio_passes_each_width_and_strings),
		TEST(mmio_passes_each_width),
		TEST(ioeventfd_takes_its_value_without_an_exit),
		TEST(irqfd_raises_edges_at_the_pic),
		TEST(serial_port_talks_to_a_guest),
		TEST(keyboard_controller_resets),
		TEST(triple_fault_is_a_shutdown),
		TEST(unknown_instruction_is_reported),
		TEST(stop_ends_a_guest_that_spins),
		TEST(stop_before_start_runs_nothing),
	};

	/* A KVM that interprets delivers no interrupts in long mode. */
	const struct CMUnitTest hardware_tests[] = {
		TEST(irqfd_raises_edges_at_the_ioapic),
	};
	int failed;

	if (!testvm_have_kvm()) {
		puts("no usable /dev/kvm on this machine");
		return 77;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (arch_has_virtualization())
		failed += cmocka_run_group_tests(hardware_tests, NULL, NULL);
	return failed;
}
