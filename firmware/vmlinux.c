/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlinux.c - read the headers of an ELF kernel: what to load, and where its PVH entry is.
 *
 * System V gABI, "Object Files"; the entry is a note named "Xen" (Xen's public elfnote.h,
 * XEN_ELFNOTE_PHYS32_ENTRY). Headers are copied once and each field is checked before it is used;
 * where the segments may go in memory is pvh.c's affair. Main thread.
 */
#include "firmware/vmlinux.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NOTES_MAX (8 * KIB) /* bytes of notes; a vmlinux has about 500 */

#define NOTE_ALIGN	  4
#define NOTE_NAME	  "Xen"
#define NOTE_PHYS32_ENTRY 18

_Static_assert(sizeof(Elf64_Ehdr) <= KERNEL_HEAD_MAX, "the head holds it");

struct machine_name {
	uint16_t code;
	const char *name;
};

static const struct machine_name machine_names[] = {
	{EM_386, "i386 (32-bit x86)"},
	{EM_ARM, "arm (32 bit)"},
	{EM_AARCH64, "aarch64"},
	{EM_RISCV, "riscv"},
	{EM_PPC, "powerpc"},
	{EM_PPC64, "powerpc64"},
	{EM_S390, "s390"},
	{EM_MIPS, "mips"},
	{EM_SPARCV9, "sparc64"},
	{EM_LOONGARCH, "loongarch"},
	{EM_68K, "m68k"},
	{EM_SH, "superh"},
	{EM_PARISC, "parisc"},
	{EM_ALPHA, "alpha"},
	{EM_BPF, "BPF"},
	{EM_XTENSA, "xtensa"},
};

static int check_machine(const struct kernel_file *file, uint16_t code, struct error *err)
{
	if (code == EM_X86_64)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(machine_names); i++)
		if (machine_names[i].code == code)
			return kernel_error(file, err, ENOEXEC,
					    "is an ELF file for another architecture, %s, and this "
					    "is x86-64",
					    machine_names[i].name);
	return kernel_error(file, err, ENOEXEC,
			    "is an ELF file for another architecture (number %u), and this is "
			    "x86-64",
			    code);
}

static int check_type(const struct kernel_file *file, uint16_t type, struct error *err)
{
	switch (type) {
	case ET_EXEC:
		return 0;
	case ET_REL:
		return kernel_error(file, err, ENOEXEC,
				    "is a relocatable object file, such as a module, not a kernel");
	case ET_DYN:
		return kernel_error(file, err, ENOEXEC,
				    "is a shared library or position-independent program, not a "
				    "kernel");
	case ET_CORE:
		return kernel_error(file, err, ENOEXEC, "is a core dump, not a kernel");
	default:
		return kernel_error(file, err, ENOEXEC, "is an ELF file of unknown type %u", type);
	}
}

static int truncated(const struct kernel_file *file, uint64_t promised, struct error *err)
{
	return kernel_error(file, err, ENOEXEC,
			    "is truncated: it has %" PRIu64 " bytes, and its headers promise "
			    "%" PRIu64,
			    file->size, promised);
}

static int check_header(const struct kernel_file *file, const Elf64_Ehdr *header, struct error *err)
{
	uint16_t machine = header->e_machine;
	int r;

	if (file->head_n < sizeof(*header))
		return truncated(file, sizeof(*header), err);
	if (header->e_ident[EI_DATA] == ELFDATA2MSB)
		machine = __builtin_bswap16(machine);
	r = check_machine(file, machine, err);
	if (r < 0)
		return r;
	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		return kernel_error(file, err, ENOEXEC,
				    "is a 32-bit ELF file: a 64-bit vmlinux is needed");
	if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_ident[EI_VERSION] != EV_CURRENT)
		return kernel_error(file, err, ENOEXEC, "has a damaged ELF header");
	r = check_type(file, header->e_type, err);
	if (r < 0)
		return r;
	if (header->e_phnum == 0 || header->e_phentsize != sizeof(Elf64_Phdr))
		return kernel_error(
			file, err, ENOEXEC,
			"is an ELF file without program headers, hence nothing to load");
	if (header->e_phnum > VMLINUX_SEGMENTS_MAX)
		return kernel_error(file, err, ENOEXEC,
				    "has %u program headers, and at most %u are expected of a "
				    "kernel",
				    header->e_phnum, VMLINUX_SEGMENTS_MAX);
	return 0;
}

/* The program headers, with all that they promise inside the file. */
static int read_segments(struct vmlinux *image, const struct kernel_file *file, struct error *err)
{
	Elf64_Ehdr header;
	uint64_t size, promised = 0;
	int r;

	memcpy(&header, file->head, sizeof(header));
	r = check_header(file, &header, err);
	if (r < 0)
		return r;
	image->n = header.e_phnum;
	size = image->n * sizeof(Elf64_Phdr);
	if (__builtin_add_overflow(header.e_phoff, size, &promised))
		promised = UINT64_MAX;
	if (promised > file->size)
		return truncated(file, promised, err);
	r = image_read(file->fd, image->segments, size, header.e_phoff);
	if (r < 0)
		return kernel_error(file, err, -r, "cannot be read: %s", strerror(-r));
	for (size_t i = 0; i < image->n; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		uint64_t end;

		if (segment->p_type != PT_LOAD && segment->p_type != PT_NOTE)
			continue;
		if (__builtin_add_overflow(segment->p_offset, segment->p_filesz, &end))
			end = UINT64_MAX;
		promised = MAX(promised, end);
	}
	return promised > file->size ? truncated(file, promised, err) : 0;
}

/*
 * The entry among @size bytes of notes: a header of three words, the name, the value, each padded.
 * Return: 1 and *@entry; 0 if it is not there; -EINVAL if the notes are damaged.
 */
static int find_entry(const uint8_t *notes, uint64_t size, uint64_t *entry)
{
	uint64_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, value, next;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		value = name + ALIGN_UP((uint64_t)note.n_namesz, NOTE_ALIGN);
		next = value + ALIGN_UP((uint64_t)note.n_descsz, NOTE_ALIGN);
		if (value + note.n_descsz > size)
			return -EINVAL;
		if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == sizeof(NOTE_NAME) &&
		    memcmp(notes + name, NOTE_NAME, sizeof(NOTE_NAME)) == 0) {
			if (note.n_descsz != 4 && note.n_descsz != 8)
				return -EINVAL;
			*entry = 0;
			memcpy(entry, notes + value, note.n_descsz);
			return 1;
		}
		at = MIN(next, size);
	}
	return 0;
}

static int read_entry(struct vmlinux *image, const struct kernel_file *file, struct error *err)
{
	uint8_t notes[NOTES_MAX];
	int r;

	for (size_t i = 0; i < image->n; i++) {
		const Elf64_Phdr *segment = &image->segments[i];

		if (segment->p_type != PT_NOTE)
			continue;
		if (segment->p_filesz > sizeof(notes))
			return kernel_error(file, err, ENOEXEC,
					    "has %" PRIu64 " bytes of notes, and at most %zu are "
					    "expected of a kernel",
					    (uint64_t)segment->p_filesz, sizeof(notes));
		r = image_read(file->fd, notes, segment->p_filesz, segment->p_offset);
		if (r < 0)
			return kernel_error(file, err, -r, "cannot be read: %s", strerror(-r));
		r = find_entry(notes, segment->p_filesz, &image->entry);
		if (r < 0)
			return kernel_error(file, err, ENOEXEC, "has damaged ELF notes");
		if (r > 0)
			return 0;
	}
	return kernel_error(file, err, ENOEXEC,
			    "is an ELF file without a PVH entry note: build the kernel with "
			    "CONFIG_PVH=y, or use its bzImage");
}

int vmlinux_read(struct vmlinux *image, const struct kernel_file *file, struct error *err)
{
	int r = read_segments(image, file, err);

	return r < 0 ? r : read_entry(image, file, err);
}
