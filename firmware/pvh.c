/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pvh.c - load an ELF vmlinux for its PVH entry.
 *
 * The x86/HVM direct boot ABI: docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h of Xen.
 * vmlinux.c reads the file's headers; here is decided whether its segments can lie where they
 * want to, and the start info is written. Main thread.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86_64/memory_map.h"
#include "firmware/vmlinux.h"

#define ENTRY_END (UINT64_C(1) << 32)
#define GDT_ROOM  UINT64_C(0x100) /* more than arch/ fills at MAP_GDT */

#define START_MAGIC   0x336ec578 /* "xEn3", with bit 7 of the E set */
#define START_VERSION 1

/*
 * What an ELF file does not tell: Linux's COMMAND_LINE_SIZE on x86 without the NUL. Linux would cut
 * a longer one off silently.
 */
#define CMDLINE_MAX 2047

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct start_module {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

struct start_memmap {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* At MAP_START_INFO. */
struct start_page {
	struct start_info info;
	struct start_module module;
	struct start_memmap memmap[MEMMAP_MAX];
};

_Static_assert(sizeof(struct start_info) == 56, "start_info.h");
_Static_assert(sizeof(struct start_module) == 32, "start_info.h");
_Static_assert(sizeof(struct start_memmap) == 24, "start_info.h");
_Static_assert(sizeof(struct start_page) <= MAP_BOOT_PARAMS - MAP_START_INFO, "it fits");

/* Memory that the start of the first vCPU fills; no segment may lie there. */
struct placed {
	uint64_t gpa;
	uint64_t end;
	const char *what;
};

static const struct placed placed[] = {
	{MAP_GDT, MAP_GDT + GDT_ROOM, "the descriptor table"},
	{MAP_START_INFO, MAP_BOOT_PARAMS, "the start info"},
	{MAP_CMDLINE, MAP_CMDLINE + CMDLINE_MAX + 1, "the command line"},
};

bool pvh_check(const struct kernel_file *file)
{
	return memcmp(file->head, ELFMAG, SELFMAG) == 0;
}

static bool is_loaded(const Elf64_Phdr *segment)
{
	return segment->p_type == PT_LOAD && segment->p_memsz > 0;
}

/*
 * One segment inside RAM, and not in the way of what else is placed. Whether RAM goes on far enough
 * above 1 MiB is asked once for all, for the sake of a sentence that says how much is enough.
 */
static int check_segment(const Elf64_Phdr *segment, const struct kernel_file *file,
			 const struct boot_request *request, struct error *err)
{
	uint64_t end;
	bool high;

	if (segment->p_filesz > segment->p_memsz)
		return kernel_error(file, err, ENOEXEC,
				    "has a damaged program header: a segment of %" PRIu64
				    " bytes in the file and %" PRIu64 " in memory",
				    (uint64_t)segment->p_filesz, (uint64_t)segment->p_memsz);
	if (__builtin_add_overflow(segment->p_paddr, segment->p_memsz, &end))
		end = UINT64_MAX;
	high = segment->p_paddr >= MAP_HIGH && end <= MAP_HOLE;
	if (!high && end > ram_end(request, segment->p_paddr))
		return kernel_error(file, err, ENOEXEC,
				    "has a segment at 0x%" PRIx64 " to 0x%" PRIx64
				    ", where there is no RAM",
				    (uint64_t)segment->p_paddr, end);
	for (size_t i = 0; i < ARRAY_SIZE(placed); i++)
		if (segment->p_paddr < placed[i].end && end > placed[i].gpa)
			return kernel_error(file, err, ENOEXEC,
					    "has a segment at 0x%" PRIx64 " to 0x%" PRIx64
					    ", which is where %s goes",
					    (uint64_t)segment->p_paddr, end, placed[i].what);
	return 0;
}

static bool overlap(const Elf64_Phdr *a, const Elf64_Phdr *b)
{
	return a->p_paddr < b->p_paddr + b->p_memsz && b->p_paddr < a->p_paddr + a->p_memsz;
}

/* All of them. @end: where the last one below the hole ends. */
static int check_segments(const struct vmlinux *image, const struct kernel_file *file,
			  const struct boot_request *request, uint64_t *end, struct error *err)
{
	bool entry_found = false;
	int r;

	*end = MAP_HIGH;
	for (size_t i = 0; i < image->n; i++) {
		const Elf64_Phdr *segment = &image->segments[i];

		if (!is_loaded(segment))
			continue;
		r = check_segment(segment, file, request, err);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (is_loaded(&image->segments[j]) && overlap(segment, &image->segments[j]))
				return kernel_error(file, err, ENOEXEC,
						    "has segments that overlap in memory, at "
						    "0x%" PRIx64 " and 0x%" PRIx64,
						    (uint64_t)image->segments[j].p_paddr,
						    (uint64_t)segment->p_paddr);
		if (segment->p_paddr < MAP_HOLE)
			*end = MAX(*end, segment->p_paddr + segment->p_memsz);
		if (image->entry >= segment->p_paddr &&
		    image->entry - segment->p_paddr < segment->p_filesz)
			entry_found = true;
	}
	if (image->entry >= ENTRY_END || !entry_found)
		return kernel_error(file, err, ENOEXEC,
				    "has its PVH entry at 0x%" PRIx64
				    ", where none of its code is loaded",
				    image->entry);
	return kernel_check_end(file, request, *end, err);
}

static int write_start_info(const struct kernel_file *file, struct gmem *gmem,
			    const struct boot_request *request, const struct initramfs *initramfs,
			    struct error *err)
{
	struct start_page page = {
		.info =
			{
				.magic = START_MAGIC,
				.version = START_VERSION,
				.cmdline_paddr = MAP_CMDLINE,
				.rsdp_paddr = request->rsdp,
				.memmap_paddr =
					MAP_START_INFO + offsetof(struct start_page, memmap),
				.memmap_entries = (uint32_t)request->memmap_n,
			},
		.module = {.paddr = initramfs->gpa, .size = initramfs->size},
	};
	int r;

	if (initramfs->size) {
		page.info.nr_modules = 1;
		page.info.modlist_paddr = MAP_START_INFO + offsetof(struct start_page, module);
	}
	assert(request->memmap_n <= MEMMAP_MAX);
	for (size_t i = 0; i < request->memmap_n; i++)
		page.memmap[i] = (struct start_memmap) {
			.addr = request->memmap[i].gpa,
			.size = request->memmap[i].size,
			.type = request->memmap[i].type,
		};
	r = gmem_write(gmem, MAP_START_INFO, &page, sizeof(page));
	if (r < 0)
		return kernel_error(file, err, -r, "there is no memory for its start info");
	return 0;
}

int pvh_load(struct gmem *gmem, const struct boot_request *request, const struct kernel_file *file,
	     struct boot_entry *entry, struct error *err)
{
	struct vmlinux image = {0};
	/* Linux keeps the module's address in 32 bits. */
	struct initramfs initramfs = {.max = MAP_HOLE_END};
	int r;

	r = vmlinux_read(&image, file, err);
	if (r < 0)
		return r;
	r = check_segments(&image, file, request, &initramfs.min, err);
	if (r < 0)
		return r;
	r = kernel_write_cmdline(file, gmem, request, CMDLINE_MAX, err);
	if (r < 0)
		return r;
	r = initramfs_load(gmem, request, &initramfs, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < image.n; i++) {
		const Elf64_Phdr *segment = &image.segments[i];

		if (!is_loaded(segment))
			continue;
		r = kernel_read(file, gmem, segment->p_paddr, segment->p_offset, segment->p_filesz,
				err);
		if (r < 0)
			return r;
	}
	r = write_start_info(file, gmem, request, &initramfs, err);
	if (r < 0)
		return r;
	*entry = (struct boot_entry) {
		.protocol = BOOT_PVH,
		.entry = image.entry,
		.info = MAP_START_INFO,
	};
	return 0;
}
