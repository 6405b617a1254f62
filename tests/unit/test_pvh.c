/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pvh.c - what an ELF vmlinux leaves in guest memory, read back as a PVH guest does, and
 * which ones are refused with what sentence (pvh.c and vmlinux.c).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/memory_map.h"
#include "kernel_cases.h"

/* Xen's start_info.h, from ebx on, as a guest goes through it. */
static void check_start_info(const struct test_machine *machine, uint64_t info, uint64_t initramfs,
			     uint64_t initramfs_size)
{
	const uint64_t module = machine_get(machine, info + 16, 8);
	const uint64_t cmdline = machine_get(machine, info + 24, 8);
	const uint64_t memmap = machine_get(machine, info + 40, 8);
	const uint64_t entries = machine_get(machine, info + 48, 4);

	assert_int_equal(machine_get(machine, info, 4), 0x336ec578);
	assert_int_equal(machine_get(machine, info + 4, 4), 1);
	assert_int_equal(machine_get(machine, info + 8, 4), 0);
	assert_int_equal(machine_get(machine, info + 12, 4), initramfs ? 1 : 0);
	if (initramfs) {
		assert_int_equal(machine_get(machine, module, 8), initramfs);
		assert_int_equal(machine_get(machine, module + 8, 8), initramfs_size);
		assert_int_equal(machine_get(machine, module + 16, 8), 0);
		assert_int_equal(machine_get(machine, module + 24, 8), 0);
	} else {
		assert_int_equal(module, 0);
	}
	assert_string_equal(gmem_at(machine->gmem, cmdline, 256), machine->request.cmdline);
	assert_int_equal(machine_get(machine, info + 32, 8), machine->request.rsdp);
	assert_int_equal(machine_get(machine, info + 52, 4), 0);
	assert_int_equal(entries, machine->request.memmap_n);
	assert_true(memmap >= info + 56 && memmap + entries * 24 <= MAP_BOOT_PARAMS);
	for (uint64_t i = 0; i < entries; i++) {
		const struct memmap_entry *entry = &machine->memmap[i];

		assert_int_equal(machine_get(machine, memmap + i * 24, 8), entry->gpa);
		assert_int_equal(machine_get(machine, memmap + i * 24 + 8, 8), entry->size);
		assert_int_equal(machine_get(machine, memmap + i * 24 + 16, 4), entry->type);
		assert_int_equal(machine_get(machine, memmap + i * 24 + 20, 4), 0);
	}
}

static void pvh_load_fills_segments_and_start_info(void **state)
{
	const uint64_t at = LOW * MIB - 2 * PAGE;
	const size_t size = PAGE + 1;
	struct test_machine machine;
	struct image image, initramfs;
	struct boot_entry entry;
	struct error err;

	vmlinux_init(&image);
	pattern_init(&initramfs, size);
	machine_init(&machine, LOW * MIB, 16 * MIB);
	machine.request.initramfs = initramfs.path;
	machine.request.cmdline = "console=ttyS0 quiet";
	machine.request.rsdp = 0xe0010;
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	assert_string_equal(err.text, "");

	/* Command line, start info, two of code, one of data, two of initramfs: no zeroes. */
	assert_int_equal(machine_pages(&machine), 1 + 1 + 2 + 1 + 2);
	assert_int_equal(entry.protocol, BOOT_PVH);
	assert_int_equal(entry.entry, ELF_ENTRY);
	assert_int_equal(entry.info, 0x6000);
	check_start_info(&machine, entry.info, at, size);
	assert_true(machine_has_pattern(&machine, at, 0, size));
	assert_true(machine_has_pattern(&machine, ELF_CODE_PADDR, 0, ELF_CODE_SIZE));
	assert_true(machine_is_zero(&machine, ELF_CODE_PADDR + ELF_CODE_SIZE, PAGE));
	assert_true(machine_has_pattern(&machine, ELF_DATA_PADDR, ELF_CODE_SIZE, ELF_DATA_SIZE));
	assert_true(machine_is_zero(&machine, ELF_DATA_PADDR + ELF_DATA_SIZE,
				    ELF_DATA_MEMSZ - ELF_DATA_SIZE));
	machine_deinit(&machine);
	image_deinit(&initramfs);
	image_deinit(&image);
}

static void pvh_load_without_initramfs_lists_no_module(void **state)
{
	struct test_machine machine;
	struct image image;
	struct boot_entry entry;
	struct error err;

	vmlinux_init(&image);
	machine_init(&machine, LOW * MIB, 0);
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	check_start_info(&machine, entry.info, 0, 0);
	machine_deinit(&machine);
	image_deinit(&image);
}

/* The map has 16 entries at most, and all of them fit. */
static void pvh_load_passes_on_a_full_memory_map(void **state)
{
	struct test_machine machine;
	struct image image;
	struct boot_entry entry;
	struct error err;

	vmlinux_init(&image);
	machine_init(&machine, LOW * MIB, 0);
	for (; machine.request.memmap_n < MEMMAP_MAX; machine.request.memmap_n++)
		machine.memmap[machine.request.memmap_n] = (struct memmap_entry) {
			.gpa = MAP_HOLE + machine.request.memmap_n * MIB,
			.size = MIB,
			.type = MEMMAP_RESERVED,
		};
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	check_start_info(&machine, entry.info, 0, 0);
	machine_deinit(&machine);
	image_deinit(&image);
}

/* Unusual, and sound. */
struct sound_case {
	const char *name;
	struct patch patches[4];
	uint64_t low, high; /* MiB; 0: LOW, none */
	uint64_t entry;
};

static const struct sound_case sound_cases[] = {
	{"entry of 4 bytes",
	 {{ELF_PVH_NOTE_AT + 4, 4, 4},
	  {ELF_PVH_NOTE_AT + 20, 4, 0xffffffff},
	  {ELF_NOTE + PH_FILESZ, 8, ELF_NOTES_SIZE - 4}},
	 0,
	 0,
	 ELF_ENTRY},
	{"note without padding, in a segment before the one that counts",
	 {{ELF_DATA2 + PH_TYPE, 4, 4},
	  {ELF_DATA2 + PH_OFFSET, 8, ELF_NOTES_AT},
	  {ELF_DATA2 + PH_FILESZ, 8, 17}},
	 0,
	 0,
	 ELF_ENTRY},
	{"just enough memory", {{0}}, 19, 0, ELF_ENTRY},
	{"below 1 MiB",
	 {{ELF_DATA2 + PH_PADDR, 8, 0x50000}, {ELF_DATA2 + PH_MEMSZ, 8, 0x4fc00}},
	 0,
	 0,
	 ELF_ENTRY},
	{"above 4 GiB", {{ELF_DATA2 + PH_PADDR, 8, 0x100000000}}, 0, 16, ELF_ENTRY},
	{"side by side",
	 {{ELF_DATA2 + PH_PADDR, 8, ELF_CODE_PADDR + ELF_CODE_SIZE}},
	 0,
	 0,
	 ELF_ENTRY},
	{"side by side, the other way round",
	 {{ELF_DATA2 + PH_PADDR, 8, ELF_CODE_PADDR - ELF_DATA_MEMSZ}},
	 0,
	 0,
	 ELF_ENTRY},
	{"segment without a byte",
	 {{ELF_DATA2 + PH_PADDR, 8, UINT64_MAX},
	  {ELF_DATA2 + PH_FILESZ, 8, 0},
	  {ELF_DATA2 + PH_MEMSZ, 8, 0}},
	 0,
	 0,
	 ELF_ENTRY},
	{"segment of zeroes only", {{ELF_DATA2 + PH_FILESZ, 8, 0}}, 0, 0, ELF_ENTRY},
	{"segment of another type, out of the file",
	 {{ELF_DATA2 + PH_TYPE, 4, 0x6474e551}, {ELF_DATA2 + PH_OFFSET, 8, UINT64_MAX}},
	 0,
	 0,
	 ELF_ENTRY},
	{"entry at the last byte",
	 {{ELF_PVH_NOTE_AT + 16, 8, ELF_CODE_PADDR + ELF_CODE_SIZE - 1}},
	 0,
	 0,
	 ELF_CODE_PADDR + ELF_CODE_SIZE - 1},
};

static void pvh_load_takes_unusual_files(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(sound_cases); i++) {
		const struct sound_case *c = &sound_cases[i];
		struct test_machine machine;
		struct boot_entry entry;
		struct image image;
		struct error err;
		uint64_t paddr = 0, size = 0;
		uint32_t type = 0;

		vmlinux_init(&image);
		for (size_t j = 0; j < ARRAY_SIZE(c->patches); j++)
			image_patch(&image, &c->patches[j]);
		machine_init(&machine, (c->low ? c->low : LOW) * MIB, c->high * MIB);
		if (machine_load(&machine, &image, &entry, &err) != 0)
			fail_msg("%s: %s", c->name, err.text);
		if (entry.entry != c->entry)
			fail_msg("%s: entry 0x%llx", c->name, (unsigned long long)entry.entry);
		image_read_back(&image, ELF_DATA2 + PH_TYPE, &type, 4);
		image_read_back(&image, ELF_DATA2 + PH_PADDR, &paddr, 8);
		image_read_back(&image, ELF_DATA2 + PH_FILESZ, &size, 8);
		if (type == 1 && size && !machine_has_pattern(&machine, paddr, ELF_CODE_SIZE, size))
			fail_msg("%s: other bytes than the file's", c->name);
		assert_true(machine_has_pattern(&machine, ELF_CODE_PADDR, 0, ELF_CODE_SIZE));
		machine_deinit(&machine);
		image_deinit(&image);
	}
}

#define OTHER(what) "is an ELF file for another architecture" what ", and this is x86-64"
#define NO_NOTE                                                                                    \
	"is an ELF file without a PVH entry note: build the kernel with CONFIG_PVH=y, or use its " \
	"bzImage"

static const struct broken_case broken_cases[] = {
	/* clang-format off */
	{"aarch64", {{ELF_MACHINE, 2, 183}}, 0, 0, -ENOEXEC, OTHER(", aarch64")},
	{"i386", {{ELF_MACHINE, 2, 3}, {ELF_CLASS, 1, 1}}, 0, 0, -ENOEXEC,
	 OTHER(", i386 (32-bit x86)")},
	{"riscv", {{ELF_MACHINE, 2, 243}}, 0, 0, -ENOEXEC, OTHER(", riscv")},
	{"arm", {{ELF_MACHINE, 2, 40}, {ELF_CLASS, 1, 1}}, 0, 0, -ENOEXEC, OTHER(", arm (32 bit)")},
	{"s390, big endian", {{ELF_MACHINE, 2, 0x1600}, {ELF_DATA, 1, 2}}, 0, 0, -ENOEXEC,
	 OTHER(", s390")},
	{"loongarch", {{ELF_MACHINE, 2, 258}}, 0, 0, -ENOEXEC, OTHER(", loongarch")},
	{"unheard of", {{ELF_MACHINE, 2, 54321}}, 0, 0, -ENOEXEC, OTHER(" (number 54321)")},
	{"32-bit file", {{ELF_CLASS, 1, 1}}, 0, 0, -ENOEXEC,
	 "is a 32-bit ELF file: a 64-bit vmlinux is needed"},
	{"big endian", {{ELF_DATA, 1, 2}, {ELF_MACHINE, 2, 0x3e00}}, 0, 0, -ENOEXEC,
	 "has a damaged ELF header"},
	{"ELF version", {{ELF_VERSION, 1, 2}}, 0, 0, -ENOEXEC, "has a damaged ELF header"},
	{"module", {{ELF_TYPE, 2, 1}}, 0, 0, -ENOEXEC,
	 "is a relocatable object file, such as a module, not a kernel"},
	{"library", {{ELF_TYPE, 2, 3}}, 0, 0, -ENOEXEC,
	 "is a shared library or position-independent program, not a kernel"},
	{"core", {{ELF_TYPE, 2, 4}}, 0, 0, -ENOEXEC, "is a core dump, not a kernel"},
	{"other type", {{ELF_TYPE, 2, 0xfe00}}, 0, 0, -ENOEXEC,
	 "is an ELF file of unknown type 65024"},
	{"no program headers", {{ELF_PHNUM, 2, 0}}, 0, 0, -ENOEXEC,
	 "is an ELF file without program headers, hence nothing to load"},
	{"program headers of another size", {{ELF_PHENTSIZE, 2, 32}}, 0, 0, -ENOEXEC,
	 "is an ELF file without program headers, hence nothing to load"},
	{"many program headers", {{ELF_PHNUM, 2, 33}}, 0, 0, -ENOEXEC,
	 "has 33 program headers, and at most 32 are expected of a kernel"},
	{"most program headers", {{ELF_PHNUM, 2, 0xffff}}, 0, 0, -ENOEXEC,
	 "has 65535 program headers, and at most 32 are expected of a kernel"},
	{"program headers behind the end", {{ELF_PHOFF, 8, ELF_SIZE - 167}}, 0, 0, -ENOEXEC,
	 "is truncated: it has 6746 bytes, and its headers promise 6747"},
	{"program headers that wrap", {{ELF_PHOFF, 8, UINT64_MAX - 100}}, 0, 0, -ENOEXEC,
	 "is truncated: it has 6746 bytes, and its headers promise 18446744073709551615"},
	{"one byte short", {{0}}, ELF_SIZE - 1, 0, -ENOEXEC,
	 "is truncated: it has 6745 bytes, and its headers promise 6746"},
	{"ELF header cut off", {{0}}, 63, 0, -ENOEXEC,
	 "is truncated: it has 63 bytes, and its headers promise 64"},
	{"program headers cut off", {{0}}, 231, 0, -ENOEXEC,
	 "is truncated: it has 231 bytes, and its headers promise 232"},
	{"segment that wraps in the file", {{ELF_CODE + PH_OFFSET, 8, UINT64_MAX}}, 0, 0, -ENOEXEC,
	 "is truncated: it has 6746 bytes, and its headers promise 18446744073709551615"},
	{"notes behind the end", {{ELF_NOTE + PH_OFFSET, 8, ELF_SIZE}}, 0, 0, -ENOEXEC,
	 "is truncated: it has 6746 bytes, and its headers promise 6790"},
	{"no note segment", {{ELF_NOTE + PH_TYPE, 4, 0}}, 0, 0, -ENOEXEC, NO_NOTE},
	{"empty note segment", {{ELF_NOTE + PH_FILESZ, 8, 0}}, 0, 0, -ENOEXEC, NO_NOTE},
	{"note header cut off", {{ELF_NOTE + PH_FILESZ, 8, 31}}, 0, 0, -ENOEXEC, NO_NOTE},
	{"note of another type", {{ELF_PVH_NOTE_AT + 8, 4, 19}}, 0, 0, -ENOEXEC, NO_NOTE},
	{"note of another name", {{ELF_PVH_NOTE_AT + 12, 1, 'x'}}, 0, 0, -ENOEXEC, NO_NOTE},
	{"name without a NUL", {{ELF_PVH_NOTE_AT, 4, 3}}, 0, 0, -ENOEXEC, NO_NOTE},
	{"value cut off", {{ELF_NOTE + PH_FILESZ, 8, ELF_NOTES_SIZE - 1}}, 0, 0, -ENOEXEC,
	 "has damaged ELF notes"},
	{"value of 3 bytes", {{ELF_PVH_NOTE_AT + 4, 4, 3}}, 0, 0, -ENOEXEC,
	 "has damaged ELF notes"},
	{"value of 9 bytes",
	 {{ELF_PVH_NOTE_AT + 4, 4, 9}, {ELF_NOTE + PH_FILESZ, 8, ELF_NOTES_SIZE + 4}}, 0, 0,
	 -ENOEXEC, "has damaged ELF notes"},
	{"endless name", {{ELF_NOTES_AT, 4, 0xffffffff}}, 0, 0, -ENOEXEC, "has damaged ELF notes"},
	{"endless value", {{ELF_NOTES_AT + 4, 4, 0xffffffff}}, 0, 0, -ENOEXEC,
	 "has damaged ELF notes"},
	{"many notes", {{ELF_NOTE + PH_FILESZ, 8, 8193}}, 20000, 0, -ENOEXEC,
	 "has 8193 bytes of notes, and at most 8192 are expected of a kernel"},
	{"more in the file than in memory", {{ELF_DATA2 + PH_MEMSZ, 8, 1233}}, 0, 0, -ENOEXEC,
	 "has a damaged program header: a segment of 1234 bytes in the file and 1233 in memory"},
	{"too large", {{ELF_DATA2 + PH_MEMSZ, 8, 0x3000001}}, 0, 0, -ENOSPC,
	 "is too large for 64 MiB of memory: it needs 67 MiB to start"},
	{"too large, second segment tells", {{0}}, 0, 16, -ENOSPC,
	 "is too large for 16 MiB of memory: it needs 19 MiB to start"},
	{"too large for any", {{ELF_DATA2 + PH_MEMSZ, 8, 0xc0000000}}, 0, 0, -ENOEXEC,
	 "has a segment at 0x1200000 to 0xc1200000, where there is no RAM"},
	{"segment that wraps in memory", {{ELF_DATA2 + PH_MEMSZ, 8, UINT64_MAX}}, 0, 0, -ENOEXEC,
	 "has a segment at 0x1200000 to 0xffffffffffffffff, where there is no RAM"},
	{"segment at the end of the world", {{ELF_DATA2 + PH_PADDR, 8, UINT64_MAX}}, 0, 0,
	 -ENOEXEC,
	 "has a segment at 0xffffffffffffffff to 0xffffffffffffffff, where there is no RAM"},
	{"segment in the hole", {{ELF_DATA2 + PH_PADDR, 8, 0xd0000000}}, 0, 0, -ENOEXEC,
	 "has a segment at 0xd0000000 to 0xd0100000, where there is no RAM"},
	{"segment above the end", {{ELF_DATA2 + PH_PADDR, 8, 0x200000000}}, 0, 0, -ENOEXEC,
	 "has a segment at 0x200000000 to 0x200100000, where there is no RAM"},
	{"segment in the BIOS's memory",
	 {{ELF_DATA2 + PH_PADDR, 8, 0xe0000}, {ELF_DATA2 + PH_MEMSZ, 8, 0x1000}}, 0, 0, -ENOEXEC,
	 "has a segment at 0xe0000 to 0xe1000, where there is no RAM"},
	{"segment from low into reserved memory", {{ELF_DATA2 + PH_PADDR, 8, 0x9f000}}, 0, 0,
	 -ENOEXEC, "has a segment at 0x9f000 to 0x19f000, where there is no RAM"},
	{"segment over the descriptor table",
	 {{ELF_DATA2 + PH_PADDR, 8, 0}, {ELF_DATA2 + PH_MEMSZ, 8, 0x501}}, 0, 0, -ENOEXEC,
	 "has a segment at 0x0 to 0x501, which is where the descriptor table goes"},
	{"segment over the start info",
	 {{ELF_DATA2 + PH_PADDR, 8, 0x6fff}, {ELF_DATA2 + PH_MEMSZ, 8, 0x1000}}, 0, 0, -ENOEXEC,
	 "has a segment at 0x6fff to 0x7fff, which is where the start info goes"},
	{"segment over the command line",
	 {{ELF_DATA2 + PH_PADDR, 8, 0x1f801}, {ELF_DATA2 + PH_MEMSZ, 8, 0x800}}, 0, 0, -ENOEXEC,
	 "has a segment at 0x1f801 to 0x20001, which is where the command line goes"},
	{"segments that overlap", {{ELF_DATA2 + PH_PADDR, 8, ELF_CODE_PADDR + ELF_CODE_SIZE - 1}},
	 0, 0, -ENOEXEC,
	 "has segments that overlap in memory, at 0x1000000 and 0x1001387"},
	{"segments that overlap, the other way round",
	 {{ELF_DATA2 + PH_PADDR, 8, ELF_CODE_PADDR - ELF_DATA_MEMSZ + 1}}, 0, 0, -ENOEXEC,
	 "has segments that overlap in memory, at 0x1000000 and 0xf00001"},
	{"segment around another", {{ELF_DATA2 + PH_PADDR, 8, ELF_CODE_PADDR - 1}}, 0, 0, -ENOEXEC,
	 "has segments that overlap in memory, at 0x1000000 and 0xffffff"},
	{"entry in no segment", {{ELF_PVH_NOTE_AT + 16, 8, 0x1001388}}, 0, 0, -ENOEXEC,
	 "has its PVH entry at 0x1001388, where none of its code is loaded"},
	{"entry in zeroes", {{ELF_PVH_NOTE_AT + 16, 8, ELF_DATA_PADDR + ELF_DATA_SIZE}}, 0, 0,
	 -ENOEXEC, "has its PVH entry at 0x12004d2, where none of its code is loaded"},
	{"entry above 4 GiB", {{ELF_PVH_NOTE_AT + 16, 8, 0x100000000},
	 {ELF_DATA2 + PH_PADDR, 8, 0x100000000}}, 0, 0, -ENOEXEC,
	 "has its PVH entry at 0x100000000, where none of its code is loaded"},
	{"nothing to load", {{ELF_CODE + PH_TYPE, 4, 0}, {ELF_DATA2 + PH_TYPE, 4, 0}}, 0, 0,
	 -ENOEXEC, "has its PVH entry at 0x1000030, where none of its code is loaded"},
	/* clang-format on */
};

static void pvh_load_refuses_broken_files(void **state)
{
	check_broken_cases(broken_cases, ARRAY_SIZE(broken_cases), vmlinux_init);
}

/* The initramfs never goes above 4 GiB, since Linux keeps its address in 32 bits. */
static void pvh_load_refuses_a_large_initramfs(void **state)
{
	static const struct {
		uint64_t size;
		const char *reason;
	} cases[] = {
		{5 * MIB + 1,
		 "its 6 MiB do not fit into 88 MiB of memory behind the kernel, which takes the "
		 "first 19 MiB: 25 MiB of memory would be enough"},
		{3 * GIB,
		 "its 3072 MiB are too much for this kernel, which looks for it between 19 and "
		 "3072 MiB"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[ERROR_TEXT_MAX];
		struct test_machine machine;
		struct image image, initramfs;
		struct boot_entry entry;
		struct error err;

		vmlinux_init(&image);
		image_init(&initramfs, "x", 1);
		image_resize(&initramfs, cases[i].size);
		machine_init(&machine, 24 * MIB, 64 * MIB);
		machine.request.initramfs = initramfs.path;
		assert_true(machine_load(&machine, &image, &entry, &err) < 0);
		snprintf(expected, sizeof(expected), "initramfs '%s': %s", initramfs.path,
			 cases[i].reason);
		assert_string_equal(err.text, expected);
		machine_deinit(&machine);
		image_deinit(&initramfs);
		image_deinit(&image);
	}
}

static void pvh_load_limits_the_command_line(void **state)
{
	char cmdline[2049] = {0}, expected[ERROR_TEXT_MAX];
	struct test_machine machine;
	struct image image;
	struct boot_entry entry;
	struct error err;

	vmlinux_init(&image);
	machine_init(&machine, LOW * MIB, 0);
	machine.request.cmdline = cmdline;
	memset(cmdline, 'x', 2047);
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	assert_string_equal(gmem_at(machine.gmem, MAP_CMDLINE, MAP_CMDLINE_MAX), cmdline);
	memset(cmdline, 'x', 2048);
	assert_int_equal(machine_load(&machine, &image, &entry, &err), -E2BIG);
	snprintf(expected, sizeof(expected),
		 "kernel '%s': the command line has 2048 bytes, and this kernel takes at most 2047",
		 image.path);
	assert_string_equal(err.text, expected);
	machine_deinit(&machine);
	image_deinit(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pvh_load_fills_segments_and_start_info),
		cmocka_unit_test(pvh_load_without_initramfs_lists_no_module),
		cmocka_unit_test(pvh_load_passes_on_a_full_memory_map),
		cmocka_unit_test(pvh_load_takes_unusual_files),
		cmocka_unit_test(pvh_load_refuses_broken_files),
		cmocka_unit_test(pvh_load_refuses_a_large_initramfs),
		cmocka_unit_test(pvh_load_limits_the_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
