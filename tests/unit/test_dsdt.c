/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dsdt.c - tests dsdt.c, and all tables once more, by ACPICA's own tools: iasl disassembles
 * and compiles them, acpiexec runs their methods as Linux' interpreter does. From acpica-tools.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "acpi_guest.h"
#include "arch/x86_64/memory_map.h"

#define OUTPUT_MAX   MIB
#define HEADER_SIZE  36
#define PATH_MAX_LEN 256

struct fixture {
	struct gmem *gmem;
	struct acpi_platform platform;
	struct acpi_mmio virtio[ACPI_MACHINE_VIRTIO_MAX];
	struct acpi_table tables[ACPI_TABLES];
	char dir[PATH_MAX_LEN]; /* temporary; the tools' files */
	char *output;		/* OUTPUT_MAX bytes: what a tool printed, or a file's text */
};

static int setup(void **state)
{
	static const struct gmem_region layout = {.gpa = 0, .size = MAP_HIGH};
	static const struct gmem_options options;
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const char *tmp = getenv("TMPDIR");

	if (!fixture)
		return -1;
	*state = fixture;
	fixture->output = malloc(OUTPUT_MAX);
	snprintf(fixture->dir, sizeof(fixture->dir), "%s/acpi-XXXXXX", tmp ? tmp : "/tmp");
	if (!fixture->output || !mkdtemp(fixture->dir))
		return -1;
	return gmem_new(&fixture->gmem, &layout, 1, &options, NULL);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	nftw(fixture->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
	gmem_free(fixture->gmem);
	free(fixture->output);
	free(fixture);
	return 0;
}

static FILE *open_file(const struct fixture *fixture, const char *table, const char *suffix,
		       const char *mode)
{
	char path[PATH_MAX_LEN + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.%s", fixture->dir, table, suffix);
	file = fopen(path, mode);
	if (!file)
		fail_msg("cannot open %s", path);
	return file;
}

/* Read all of @file into the fixture's output, as a string. Return: bytes. */
static size_t read_all(struct fixture *fixture, FILE *file)
{
	size_t len = fread(fixture->output, 1, OUTPUT_MAX - 1, file);

	assert_true(len < OUTPUT_MAX - 1);
	fixture->output[len] = '\0';
	return len;
}

/* Run "@tool @args" among the tables; it succeeds and does not complain. */
static void run_tool(struct fixture *fixture, const char *tool, const char *args)
{
	char command[2 * PATH_MAX_LEN];
	FILE *pipe;
	int status;

	snprintf(command, sizeof(command), "cd '%s' && %s %s 2>&1", fixture->dir, tool, args);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	read_all(fixture, pipe);
	status = pclose(pipe);
	if (status != 0)
		fail_msg("%s %s: status %#x (is acpica-tools installed?): %s", tool, args, status,
			 fixture->output);
}

static void assert_lacks(const char *text, const char *word)
{
	const char *at = strcasestr(text, word);

	if (at)
		fail_msg("'%s' in: %.*s", word, 200, at > text + 80 ? at - 80 : text);
}

static void assert_has(const char *text, const char *fmt, ...) _printf_(2, 3);

static void assert_has(const char *text, const char *fmt, ...)
{
	char expected[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);
	if (!strstr(text, expected))
		fail_msg("no '%s' in: %.2000s", expected, text);
}

/* Write the tables of the fixture's platform and store each in a file of its own. */
static void dump_tables(struct fixture *fixture)
{
	struct error err = {0};
	uint64_t rsdp;

	if (acpi_write_tables(fixture->gmem, MAP_BIOS, MAP_BIOS_MAX, &fixture->platform, &rsdp,
			      &err) < 0)
		fail_msg("%s", err.text);
	acpi_find_tables(fixture->gmem, rsdp, fixture->tables);
	for (size_t i = 0; i < ACPI_TABLES; i++) {
		const struct acpi_table *table = &fixture->tables[i];
		FILE *file = open_file(fixture, table->signature, "dat", "w");

		assert_int_equal(fwrite(table->bytes, 1, table->len, file), table->len);
		assert_int_equal(fclose(file), 0);
	}
}

static void dump_machine(struct fixture *fixture, const struct acpi_machine *machine)
{
	print_message("# %s\n", machine->name);
	acpi_machine_platform(machine, fixture->virtio, &fixture->platform);
	dump_tables(fixture);
}

/* The source text of @table is left in the fixture's output. */
static void disassemble(struct fixture *fixture, const char *table)
{
	static const char *const complaints[] = {"warning", "error",   "incorrect",
						 "invalid", "unknown", "overrun"};
	char args[32];
	FILE *file;

	snprintf(args, sizeof(args), "-d %s.dat", table);
	run_tool(fixture, "iasl", args);
	assert_has(fixture->output, "ACPI: %s ", table);
	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++)
		assert_lacks(fixture->output, complaints[i]);
	file = open_file(fixture, table, "dsl", "r");
	read_all(fixture, file);
	fclose(file);
	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++)
		assert_lacks(fixture->output, complaints[i]);
}

/*
 * Put the text into one form: no comments, one space for any gap. It has no strings with comment
 * signs or gaps in them.
 */
static void normalise(char *text)
{
	const char *const start = text;
	char *to = text;

	while (*text) {
		if (strncmp(text, "/*", 2) == 0) {
			text = strstr(text, "*/");
			assert_non_null(text);
			text += 2;
		} else if (strncmp(text, "//", 2) == 0) {
			text += strcspn(text, "\n");
		} else if (strchr(" \t\r\n", *text)) {
			text += strspn(text, " \t\r\n");
			if (to > start && to[-1] != ' ')
				*to++ = ' ';
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* Copy the device's block out of a normalised text. Return: false if there is no such device. */
static bool find_device(const char *text, const char *name, char *block, size_t size)
{
	char opening[32];
	const char *start, *at;
	size_t depth = 1;

	snprintf(opening, sizeof(opening), "Device (%s) {", name);
	start = strstr(text, opening);
	if (!start)
		return false;
	for (at = start + strlen(opening); depth > 0; at++) {
		assert_int_not_equal(*at, '\0');
		depth += (*at == '{') - (*at == '}');
	}
	assert_true((size_t)(at - start) < size);
	memcpy(block, start, (size_t)(at - start));
	block[at - start] = '\0';
	assert_null(strstr(at, opening)); /* names are unique */
	return true;
}

static unsigned int count(const char *text, const char *word)
{
	unsigned int n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* A number as iasl writes it. */
static const char *integer_text(uint64_t value)
{
	static char text[20];

	if (value <= 1)
		return value ? "One" : "Zero";
	snprintf(text, sizeof(text), "0x%02llX", (unsigned long long)value);
	return text;
}

static void check_identity(const char *block, const char *hid, unsigned int uid)
{
	assert_has(block, "Name (_HID, \"%s\" ) ", hid);
	assert_has(block, "Name (_UID, %s)", integer_text(uid));
}

static void check_interrupt(const char *block, uint32_t gsi, bool shared)
{
	assert_has(block, "Interrupt (ResourceConsumer, Edge, ActiveHigh, %s, ,, ) { 0x%08X, }",
		   shared ? "Shared" : "Exclusive", gsi);
	assert_int_equal(count(block, "Interrupt ("), 1);
}

static void check_ports(const char *block, unsigned int port, unsigned int n)
{
	assert_has(block, "IO (Decode16, 0x%04X, 0x%04X, 0x01, 0x%02X, )", port, port, n);
}

static void iasl_disassembles_every_table_without_complaint(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < acpi_machines_n; i++) {
		dump_machine(fixture, &acpi_machines[i]);
		for (size_t t = 0; t < ACPI_TABLES; t++)
			disassemble(fixture, fixture->tables[t].signature);
	}
}

/* The header differs: the compiler signs what it makes. */
static void iasl_compiles_the_disassembly_to_the_same_bytes(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < acpi_machines_n; i++) {
		dump_machine(fixture, &acpi_machines[i]);
		for (size_t t = 0; t < ACPI_TABLES; t++) {
			const struct acpi_table *table = &fixture->tables[t];
			char args[32];
			FILE *file;

			disassemble(fixture, table->signature);
			snprintf(args, sizeof(args), "%s.dsl", table->signature);
			run_tool(fixture, "iasl", args);
			assert_has(fixture->output, " 0 Errors, 0 Warnings, 0 Remarks");
			file = open_file(fixture, table->signature, "aml", "r");
			assert_int_equal(read_all(fixture, file), table->len);
			fclose(file);
			assert_memory_equal(fixture->output + HEADER_SIZE,
					    table->bytes + HEADER_SIZE, table->len - HEADER_SIZE);
		}
	}
}

static void check_fixed_devices(const char *text, const struct acpi_platform *platform)
{
	char block[2048];

	assert_has(text, "Name (_S5, Package (0x04) { 0x05, 0x05, Zero, Zero })");

	assert_true(find_device(text, "PWRB", block, sizeof(block)));
	check_identity(block, "PNP0C0C", 0);
	assert_true(find_device(text, "GED", block, sizeof(block)));
	check_identity(block, "ACPI0013", 0);
	check_interrupt(block, platform->event_gsi, false);
	assert_has(block, "OperationRegion (PORT, SystemIO, 0x%04X, One)", platform->event);

	assert_true(find_device(text, "RTC", block, sizeof(block)));
	check_identity(block, "PNP0B00", 0);
	check_ports(block, platform->rtc_port, 2);
	check_interrupt(block, platform->rtc_gsi, false);

	assert_int_equal(find_device(text, "COM1", block, sizeof(block)), platform->serial);
	if (platform->serial) {
		check_identity(block, "PNP0501", 0);
		check_ports(block, platform->serial_port, 8);
		check_interrupt(block, platform->serial_gsi, false);
	}
	assert_int_equal(find_device(text, "PVPN", block, sizeof(block)),
			 platform->pvpanic_port != 0);
	if (platform->pvpanic_port) {
		assert_has(block, "Name (_HID, \"QEMU0001\")");
		check_ports(block, platform->pvpanic_port, 1);
	}
}

static void check_virtio(const char *text, const struct acpi_mmio *mmio, unsigned int n,
			 bool shared)
{
	char block[2048], name[16];

	snprintf(name, sizeof(name), "VR%02X", n);
	assert_true(find_device(text, name, block, sizeof(block)));
	assert_has(block, "Name (_HID, \"LNRO0005\")");
	assert_has(block, "Name (_UID, %s)", integer_text(n));
	assert_has(block, "Name (_CCA, One)");
	if (mmio->base + mmio->size <= 4 * GIB)
		assert_has(block, "Memory32Fixed (ReadWrite, 0x%08llX, 0x%08llX, )",
			   (unsigned long long)mmio->base, (unsigned long long)mmio->size);
	else
		assert_has(block,
			   "QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, "
			   "NonCacheable, ReadWrite, 0x%016X, 0x%016llX, 0x%016llX, 0x%016X, "
			   "0x%016llX, ,, , AddressRangeMemory, TypeStatic)",
			   0, (unsigned long long)mmio->base,
			   (unsigned long long)(mmio->base + mmio->size - 1), 0,
			   (unsigned long long)mmio->size);
	check_interrupt(block, mmio->gsi, shared);
}

static void dsdt_declares_the_devices_of_the_platform(void **state)
{
	struct fixture *fixture = *state;
	const struct acpi_platform *platform = &fixture->platform;

	for (size_t m = 0; m < acpi_machines_n; m++) {
		const char *text = fixture->output;

		dump_machine(fixture, &acpi_machines[m]);
		disassemble(fixture, "DSDT");
		normalise(fixture->output);
		check_fixed_devices(text, platform);
		for (unsigned int i = 0; i < platform->cpus; i++) {
			char block[256], name[16];

			snprintf(name, sizeof(name), "CP%02X", i);
			assert_true(find_device(text, name, block, sizeof(block)));
			check_identity(block, "ACPI0007", i);
		}
		for (unsigned int i = 0; i < platform->virtio_n; i++)
			check_virtio(text, &platform->virtio[i], i, acpi_machines[m].virtio_shared);
		assert_int_equal(count(text, "Device ("), platform->cpus + 3 + platform->serial +
								  (platform->pvpanic_port != 0) +
								  platform->virtio_n);
	}
}

static void interrupts_of_several_devices_are_shared(void **state)
{
	static const struct {
		const char *device;
		uint32_t gsi;
		bool shared;
	} cases[] = {
		{"GED", 7, true},   {"COM1", 7, true},	 {"RTC", 11, true},
		{"VR00", 11, true}, {"VR01", 17, false},
	};
	struct fixture *fixture = *state;
	char block[2048];

	acpi_machine_platform(&acpi_machines[1], fixture->virtio, &fixture->platform);
	fixture->platform.event_gsi = fixture->platform.serial_gsi = 7;
	fixture->platform.rtc_gsi = fixture->virtio[0].gsi = 11;
	dump_tables(fixture);
	disassemble(fixture, "DSDT");
	normalise(fixture->output);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(find_device(fixture->output, cases[i].device, block, sizeof(block)));
		check_interrupt(block, cases[i].gsi, cases[i].shared);
	}
}

/* What acpiexec has not freed at its end depends on how far a thread of its own has got. */
static void cut_leaks(char *output)
{
	char *at = strstr(output, "Outstanding cache allocations");

	while (at && at > output && at[-1] != '\n')
		at--;
	if (at)
		*at = '\0';
}

/*
 * acpiexec loads the DSDT, and the event method runs while the event port reads as given. Few
 * cases: acpiexec sleeps for a second each time.
 */
static void event_method_presses_the_power_button(void **state)
{
	static const struct {
		const char *name;
		size_t machine;
		uint8_t event;
		bool pressed;
	} cases[] = {
		{"only the power button", 0, 0x01, true},
		{"every event", 3, 0xff, true},
		{"every event but the power button", 9, 0xfe, false},
	};
	struct fixture *fixture = *state;
	const char *output = fixture->output;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char args[128];

		print_message("# %s\n", cases[i].name);
		dump_machine(fixture, &acpi_machines[cases[i].machine]);
		snprintf(args, sizeof(args),
			 "-r -vr -fv %#x -b 'integrity; evaluate \\_SB.GED._EVT %u' DSDT.dat",
			 cases[i].event, GSI_EVENT);
		run_tool(fixture, "acpiexec", args);
		cut_leaks(fixture->output);
		assert_has(output, "1 ACPI AML tables successfully acquired and loaded");
		assert_has(output, "Evaluating \\_SB.GED._EVT");
		assert_lacks(output, "error");
		assert_lacks(output, "warning");
		assert_lacks(output, "AE_");
		/* Reading clears the port: a second access would lose an event. */
		assert_int_equal(count(output, "Region access on SpaceId 01"), 1);
		assert_int_equal(count(output, "Notify on ["), cases[i].pressed);
		if (cases[i].pressed) {
			assert_has(output, "Device Notify on [PWRB]");
			assert_has(output, "Value 0x80");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iasl_disassembles_every_table_without_complaint),
		cmocka_unit_test(iasl_compiles_the_disassembly_to_the_same_bytes),
		cmocka_unit_test(dsdt_declares_the_devices_of_the_platform),
		cmocka_unit_test(interrupts_of_several_devices_are_shared),
		cmocka_unit_test(event_method_presses_the_power_button),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
