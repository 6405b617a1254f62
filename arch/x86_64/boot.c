/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot.c - the state in which a kernel finds the first vCPU.
 *
 * BOOT_LINUX64: Documentation/arch/x86/boot.rst, "64-bit Boot Protocol": long mode, all of the
 * first 4 GiB mapped one to one, flat segments with selectors 0x10 (code) and 0x18 (data), rsi at
 * boot_params. BOOT_PVH: 32-bit protected mode without paging, flat segments, ebx at
 * hvm_start_info. The GDT and the page tables lie where memory_map.h says.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "arch/x86_64/memory_map.h"

#define CR0_PE	 (1u << 0)
#define CR0_ET	 (1u << 4)
#define CR0_PG	 (1u << 31)
#define CR4_PAE	 (1u << 5)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define RFLAGS_1 (1u << 1) /* always set */

#define PTE_PRESENT UINT64_C(0x01)
#define PTE_WRITE   UINT64_C(0x02)
#define PTE_HUGE    UINT64_C(0x80)

#define PAGE	    UINT64_C(4096)
#define TABLE_LEN   512
#define MAPPED_GIB  4
#define HUGE_2M	    (2 * MIB)
#define SELECTOR(i) ((uint16_t)((i)*8))
#define TYPE_CODE   11 /* execute, read, accessed */
#define TYPE_DATA   3  /* read, write, accessed */
#define TYPE_TSS    11 /* busy */

enum {
	GDT_CODE = 2,
	GDT_DATA = 3,
	GDT_TSS = 4,
	GDT_LEN = 5,
};

static struct kvm_segment flat_segment(uint16_t index, uint8_t type)
{
	return (struct kvm_segment) {
		.base = 0,
		.limit = 0xffffffff,
		.selector = SELECTOR(index),
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
	};
}

/* A descriptor as the processor reads it: Intel SDM volume 3A, 3.4.5. */
static uint64_t descriptor(const struct kvm_segment *seg)
{
	const uint64_t limit = seg->g ? seg->limit >> 12 : seg->limit;
	const uint64_t flags = (uint64_t)seg->type | (uint64_t)seg->s << 4 |
			       (uint64_t)seg->dpl << 5 | (uint64_t)seg->present << 7 |
			       (uint64_t)seg->l << 13 | (uint64_t)seg->db << 14 |
			       (uint64_t)seg->g << 15;

	return (limit & 0xffff) | (seg->base & 0xffffff) << 16 | flags << 40 |
	       (limit >> 16 & 0xf) << 48 | (seg->base >> 24 & 0xff) << 56;
}

static int set_segments(struct kvm_sregs *sregs, const struct gmem *gmem, bool long_mode)
{
	uint64_t gdt[GDT_LEN] = {0};
	struct kvm_segment code = flat_segment(GDT_CODE, TYPE_CODE);
	struct kvm_segment data = flat_segment(GDT_DATA, TYPE_DATA);
	struct kvm_segment tss = {
		.limit = 0x67,
		.selector = SELECTOR(GDT_TSS),
		.type = TYPE_TSS,
		.present = 1,
	};

	code.l = long_mode;
	code.db = !long_mode;
	data.db = 1;
	gdt[GDT_CODE] = descriptor(&code);
	gdt[GDT_DATA] = descriptor(&data);
	gdt[GDT_TSS] = descriptor(&tss);

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = tss;
	sregs->gdt.base = MAP_GDT;
	sregs->gdt.limit = sizeof(gdt) - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	return gmem_write(gmem, MAP_GDT, gdt, sizeof(gdt));
}

/* One PML4 entry, four of the PDPT, four directories of 2 MiB pages. */
static int write_page_tables(const struct gmem *gmem)
{
	const uint64_t pml4 = MAP_PAGE_TABLES, pdpt = pml4 + PAGE, directories = pdpt + PAGE;
	uint64_t table[TABLE_LEN] = {0};
	int r;

	table[0] = pdpt | PTE_PRESENT | PTE_WRITE;
	r = gmem_write(gmem, pml4, table, sizeof(table));
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < MAPPED_GIB; i++)
		table[i] = (directories + i * PAGE) | PTE_PRESENT | PTE_WRITE;
	r = gmem_write(gmem, pdpt, table, sizeof(table));
	for (uint64_t i = 0; i < MAPPED_GIB && r == 0; i++) {
		for (uint64_t j = 0; j < TABLE_LEN; j++)
			table[j] = (i * GIB + j * HUGE_2M) | PTE_PRESENT | PTE_WRITE | PTE_HUGE;
		r = gmem_write(gmem, directories + i * PAGE, table, sizeof(table));
	}
	return r;
}

static int set_long_mode(struct kvm_sregs *sregs, const struct gmem *gmem)
{
	sregs->cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs->cr3 = MAP_PAGE_TABLES;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
	return write_page_tables(gmem);
}

static void set_protected_mode(struct kvm_sregs *sregs)
{
	sregs->cr0 = CR0_PE | CR0_ET;
	sregs->cr3 = 0;
	sregs->cr4 = 0;
	sregs->efer = 0;
}

int arch_vcpu_boot(struct vcpu *vcpu, const struct gmem *gmem, const struct boot_entry *entry,
		   struct error *err)
{
	const bool long_mode = entry->protocol == BOOT_LINUX64;
	struct kvm_regs regs = {.rflags = RFLAGS_1, .rip = entry->entry};
	struct kvm_sregs sregs;
	int r;

	if (ioctl(vcpu_fd(vcpu), KVM_GET_SREGS, &sregs) < 0)
		return error_set(err, errno, "KVM_GET_SREGS failed: %s", strerror(errno));
	r = set_segments(&sregs, gmem, long_mode);
	if (r == 0 && long_mode)
		r = set_long_mode(&sregs, gmem);
	if (r < 0)
		return error_set(err, -r, "the guest's memory is too small to boot in");
	if (long_mode)
		regs.rsi = entry->info;
	else {
		set_protected_mode(&sregs);
		regs.rbx = entry->info;
	}
	if (ioctl(vcpu_fd(vcpu), KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu_fd(vcpu), KVM_SET_REGS, &regs) < 0)
		return error_set(err, errno, "KVM refuses the first vCPU's registers: %s",
				 strerror(errno));
	return 0;
}
