/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_fuzz.c - run one input of a fuzzer through kernel_load(). See kernel_fuzz.h.
 */
#include "kernel_fuzz.h"

#include <stdio.h>
#include <string.h>

void kernel_fuzz_require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "kernel_fuzz: wrong: %s\n", what);
	abort();
}

uint64_t kernel_fuzz_get(const struct test_machine *machine, uint64_t gpa, unsigned int width)
{
	uint64_t value = 0;

	kernel_fuzz_require(gmem_read(machine->gmem, gpa, &value, width) == 0, "a table in RAM");
	return value;
}

bool kernel_fuzz_is_ram(const struct test_machine *machine, uint64_t gpa, uint64_t size)
{
	for (size_t i = 0; i < machine->request.memmap_n; i++) {
		const struct memmap_entry *entry = &machine->memmap[i];

		if (entry->type == MEMMAP_RAM && gpa >= entry->gpa &&
		    gpa - entry->gpa <= entry->size && size <= entry->size - (gpa - entry->gpa))
			return true;
	}
	return false;
}

static void check_sentence(int r, const struct error *err)
{
	kernel_fuzz_require(r < 0 && r > -4096, "an errno");
	kernel_fuzz_require(strncmp(err->text, "kernel '/", 9) == 0 ||
				    strncmp(err->text, "initramfs '/", 12) == 0,
			    "a sentence that names the file");
}

void kernel_fuzz_run(const uint8_t *data, size_t size, const char *magic, size_t magic_n,
		     size_t magic_at,
		     void (*check)(const struct test_machine *machine,
				   const struct boot_entry *entry))
{
	static char cmdline[UINT16_MAX + 1];
	struct test_machine machine;
	struct image image, initramfs;
	struct boot_entry entry;
	struct error err;
	uint32_t zeroes;
	uint16_t cmdline_len;
	int r;

	if (size < KERNEL_FUZZ_OPTIONS + magic_at + magic_n)
		return;
	memcpy(&zeroes, data, 4);
	memcpy(&cmdline_len, data + 6, 2);
	machine_init(&machine, (2 + (uint64_t)data[4]) * MIB, data[5] & 2 ? 2 * MIB : 0);
	image_init(&image, data + KERNEL_FUZZ_OPTIONS, size - KERNEL_FUZZ_OPTIONS);
	image_write(&image, magic_at, magic, magic_n);
	image_resize(&image, size - KERNEL_FUZZ_OPTIONS + zeroes % (4 * MIB));
	pattern_init(&initramfs, KERNEL_FUZZ_INITRAMFS);
	memset(cmdline, 'x', cmdline_len);
	cmdline[cmdline_len] = '\0';
	machine.request.cmdline = cmdline;
	machine.request.rsdp = 0xe0000;
	if (data[5] & 1)
		machine.request.initramfs = initramfs.path;

	r = machine_load(&machine, &image, &entry, &err);
	if (r == 0)
		check(&machine, &entry);
	else
		check_sentence(r, &err);
	image_deinit(&initramfs);
	image_deinit(&image);
	machine_deinit(&machine);
}
