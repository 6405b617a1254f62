/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bzimage.c - load a bzImage for its 64-bit entry: Documentation/arch/x86/boot.rst and
 * zero-page.rst of Linux, "boot.rst" below.
 *
 * The file is a boot sector and real-mode code, of which only the setup header matters here, and
 * the protected-mode code, "the payload". The header is copied once and each field checked before
 * it is used; what the guest does with the payload is its own affair. Main thread.
 */
#include <asm/bootparam.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86_64/memory_map.h"
#include "firmware/kernel.h"

#define SECTOR	      512
#define HEADER_OFFSET 0x1f1 /* of struct setup_header, in the file and in boot_params */
#define HEADER_MAGIC  "HdrS"
#define MAGIC_OFFSET  0x202
#define HEADER_JUMP   0xeb  /* jmp rel8, over the header */
#define HEADER_MAX    0x290 /* where the room for it in boot_params ends */
/* Up to init_size, the last field that is used: protocol 2.10. */
#define HEADER_MIN    (HEADER_OFFSET + offsetof(struct setup_header, handover_offset))

#define PROTOCOL_MIN	    0x020c /* 2.12, Linux 3.8: the first with xloadflags */
#define ENTRY_64	    0x200
#define LOADER_UNDEFINED    0xff
#define VID_MODE_NORMAL	    0xffff
#define SETUP_SECTS_IF_ZERO 4

_Static_assert(offsetof(struct boot_params, hdr) == HEADER_OFFSET, "boot.rst: 0x1f1");
_Static_assert(HEADER_MAX <= KERNEL_HEAD_MAX, "the head holds every header");
_Static_assert(sizeof(struct boot_params) <= MAP_PAGE_TABLES - MAP_BOOT_PARAMS, "zero page");
_Static_assert(MEMMAP_MAX <= E820_MAX_ENTRIES_ZEROPAGE, "the map fits");

/* struct bzimage - what the header says, checked, and what follows from it. */
struct bzimage {
	struct setup_header header;
	uint64_t header_end; /* offset in the file, and in boot_params */
	uint64_t payload;    /* offset in the file */
	uint64_t payload_size;
	uint64_t load; /* gpa of the payload */
	uint64_t end;  /* gpa behind all that the kernel uses before it reads the memory map */
};

bool bzimage_check(const struct kernel_file *file)
{
	return memcmp(file->head + MAGIC_OFFSET, HEADER_MAGIC, strlen(HEADER_MAGIC)) == 0;
}

/* boot.rst, "Details of Header Fields": version, loadflags, xloadflags. */
static int check_kind(const struct kernel_file *file, const struct setup_header *header,
		      struct error *err)
{
	if (!(header->loadflags & LOADED_HIGH))
		return kernel_error(file, err, ENOEXEC,
				    "is a zImage, which is loaded low: a bzImage is needed");
	if (header->version < PROTOCOL_MIN)
		return kernel_error(file, err, ENOEXEC,
				    "has boot protocol %d.%02d, and 2.12 (Linux 3.8) is the oldest "
				    "with a 64-bit entry",
				    header->version >> 8, header->version & 0xff);
	if (!(header->xloadflags & XLF_KERNEL_64))
		return kernel_error(file, err, ENOEXEC,
				    "is a 32-bit kernel, without a 64-bit entry: an x86-64 kernel "
				    "is needed");
	return 0;
}

static int read_header(struct bzimage *image, const struct kernel_file *file, struct error *err)
{
	struct setup_header *header = &image->header;
	const uint8_t *jump = file->head + HEADER_OFFSET + offsetof(struct setup_header, jump);
	uint64_t sectors, promised;
	int r;

	if (file->head_n < HEADER_MIN)
		return kernel_error(file, err, ENOEXEC,
				    "is truncated: it has %zu bytes, and a boot header alone ends "
				    "at %zu",
				    file->head_n, HEADER_MIN);
	memcpy(header, file->head + HEADER_OFFSET, sizeof(*header));
	r = check_kind(file, header, err);
	if (r < 0)
		return r;
	/* boot.rst, "32-bit Boot Protocol": the end is at 0x202 plus the byte at 0x201. */
	image->header_end = MAGIC_OFFSET + (uint64_t)jump[1];
	if (jump[0] != HEADER_JUMP || image->header_end < HEADER_MIN ||
	    image->header_end > HEADER_MAX)
		return kernel_error(file, err, ENOEXEC,
				    "has a damaged boot header: its length cannot be told");
	sectors = header->setup_sects ? header->setup_sects : SETUP_SECTS_IF_ZERO;
	image->payload = (sectors + 1) * SECTOR;
	image->payload_size = (uint64_t)header->syssize * 16;
	if (image->payload_size <= ENTRY_64)
		return kernel_error(file, err, ENOEXEC,
				    "has a damaged boot header: it announces %" PRIu64
				    " bytes of code, which end before the entry",
				    image->payload_size);
	promised = image->payload + image->payload_size;
	if (file->size < promised)
		return kernel_error(file, err, ENOEXEC,
				    "is truncated: it has %" PRIu64
				    " bytes, and its header promises %" PRIu64,
				    file->size, promised);
	return 0;
}

/*
 * A relocatable kernel is loaded where it prefers to be. Elsewhere below, it would still unpack
 * itself to its preferred address, so that nothing is won in a small memory. One that is not
 * relocatable moves itself there. boot.rst, init_size: the run-time start address.
 */
static int place(struct bzimage *image, const struct kernel_file *file,
		 const struct boot_request *request, struct error *err)
{
	const struct setup_header *header = &image->header;
	const uint64_t preferred = MAX((uint64_t)header->pref_address, MAP_HIGH);
	const uint64_t align = header->kernel_alignment;
	uint64_t start = preferred;

	if (preferred >= MAP_HOLE)
		return kernel_error(file, err, ENOEXEC,
				    "prefers the address 0x%" PRIx64 ", which is not below 3 GiB",
				    preferred);
	image->load = MAP_HIGH;
	if (header->relocatable_kernel) {
		if (align == 0 || (align & (align - 1)) != 0)
			return kernel_error(file, err, ENOEXEC,
					    "has a damaged boot header: its alignment 0x%" PRIx64
					    " is not a power of two",
					    align);
		image->load = start = ALIGN_UP(preferred, align);
	}
	image->end = start + MAX((uint64_t)header->init_size, image->payload_size);
	return kernel_check_end(file, request, image->end, err);
}

static uint32_t low_half(uint64_t value)
{
	return (uint32_t)value;
}

static uint32_t high_half(uint64_t value)
{
	return (uint32_t)(value >> 32);
}

static void fill_memory_map(struct boot_params *params, const struct boot_request *request)
{
	assert(request->memmap_n <= MEMMAP_MAX);
	for (size_t i = 0; i < request->memmap_n; i++)
		params->e820_table[i] = (struct boot_e820_entry) {
			.addr = request->memmap[i].gpa,
			.size = request->memmap[i].size,
			.type = request->memmap[i].type,
		};
	params->e820_entries = (uint8_t)request->memmap_n;
}

/*
 * boot.rst, "64-bit Boot Protocol": all zero but the header and what follows. An all-zero
 * screen_info says that there is no text screen, so that neither the decompressor nor vgacon
 * writes to one.
 */
static int write_params(const struct bzimage *image, const struct kernel_file *file,
			struct gmem *gmem, const struct boot_request *request,
			const struct initramfs *initramfs, struct error *err)
{
	struct boot_params params = {0};
	struct setup_header *header = &params.hdr;
	int r;

	memcpy((uint8_t *)&params + HEADER_OFFSET, file->head + HEADER_OFFSET,
	       image->header_end - HEADER_OFFSET);
	header->vid_mode = VID_MODE_NORMAL;
	header->type_of_loader = LOADER_UNDEFINED;
	header->loadflags &= (uint8_t)~CAN_USE_HEAP; /* real-mode code does not run */
	header->code32_start = low_half(image->load);
	header->setup_data = 0;
	header->ramdisk_image = low_half(initramfs->gpa);
	params.ext_ramdisk_image = high_half(initramfs->gpa);
	header->ramdisk_size = low_half(initramfs->size);
	params.ext_ramdisk_size = high_half(initramfs->size);
	header->cmd_line_ptr = low_half(MAP_CMDLINE);
	params.ext_cmd_line_ptr = high_half(MAP_CMDLINE);
	/* Read by Linux from 4.20 on; before, the field was padding. */
	params.acpi_rsdp_addr = request->rsdp;
	fill_memory_map(&params, request);
	r = gmem_write(gmem, MAP_BOOT_PARAMS, &params, sizeof(params));
	if (r < 0)
		return kernel_error(file, err, -r, "there is no memory for its boot parameters");
	return 0;
}

int bzimage_load(struct gmem *gmem, const struct boot_request *request,
		 const struct kernel_file *file, struct boot_entry *entry, struct error *err)
{
	struct bzimage image;
	struct initramfs initramfs;
	int r;

	r = read_header(&image, file, err);
	if (r < 0)
		return r;
	r = place(&image, file, request, err);
	if (r < 0)
		return r;
	r = kernel_write_cmdline(file, gmem, request, image.header.cmdline_size, err);
	if (r < 0)
		return r;
	initramfs = (struct initramfs) {
		.min = image.end,
		.max = (uint64_t)image.header.initrd_addr_max + 1,
		.above_hole = image.header.xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G,
	};
	r = initramfs_load(gmem, request, &initramfs, err);
	if (r < 0)
		return r;
	r = kernel_read(file, gmem, image.load, image.payload, image.payload_size, err);
	if (r < 0)
		return r;
	r = write_params(&image, file, gmem, request, &initramfs, err);
	if (r < 0)
		return r;
	*entry = (struct boot_entry) {
		.protocol = BOOT_LINUX64,
		.entry = image.load + ENTRY_64,
		.info = MAP_BOOT_PARAMS,
	};
	return 0;
}
