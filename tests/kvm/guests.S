/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guests.S - guests of a few instructions each, for test_kvm.c. Position-independent: a test copies
 * guest_X .. guest_X_end to any address and starts there.
 *
 * Ports: 0x100 takes results of 1, 2 or 4 bytes; a write to 0x110 ends the test. MMIO at
 * 0xd0000000 is a device of the test.
 */
#define RESULT 0x100
#define DONE   0x110
#define MMIO   0xd0000000

.macro guest name bits
	.global guest_\name
	.global guest_\name\()_end
	.balign 16
	.code\bits
guest_\name:
.endm

.macro guest_end name
guest_\name\()_end:
.endm

.macro done
	movw $DONE, %dx
	outb %al, %dx
1:	hlt
	jmp 1b
.endm

	.section .rodata

/* Real mode: 16-bit arithmetic, result 7. */
guest real 16
	movw $3, %ax
	addw $4, %ax
	movw $RESULT, %dx
	outw %ax, %dx
	done
guest_end real

/* Real mode: the jump by which a kernel hands the machine back to the BIOS. */
guest bios_reset 16
	ljmp $0xf000, $0xfff0
guest_end bios_reset

/* Protected mode, as PVH enters: tells ebx, then CR0. */
guest protected 32
	movw $RESULT, %dx
	movl %ebx, %eax
	outl %eax, %dx
	movl %cr0, %eax
	outl %eax, %dx
	done
guest_end protected

/* Long mode, as Linux enters: tells rsi, then rsi shifted right by 32, then CS. */
guest long 64
	movw $RESULT, %dx
	movl %esi, %eax
	outl %eax, %dx
	movabsq $0x123456789abcdef0, %rax
	shrq $32, %rax
	outl %eax, %dx
	xorl %eax, %eax
	movw %cs, %ax
	outl %eax, %dx
	done
guest_end long

/* Port I/O: each width out and in, then a string of 5 bytes from its own code. */
guest pio 64
	movw $RESULT, %dx
	movl $0x11223344, %eax
	outb %al, %dx
	outw %ax, %dx
	outl %eax, %dx
	inb %dx, %al
	outb %al, %dx
	inw %dx, %ax
	outw %ax, %dx
	inl %dx, %eax
	outl %eax, %dx
	leaq 2f(%rip), %rsi
	movl $5, %ecx
	cld
	rep outsb
	done
2:	.ascii "hello"
guest_end pio

/* MMIO: each width written, then read back and told. */
guest mmio 64
	movl $MMIO, %ebx
	movabsq $0x8877665544332211, %rax
	movb %al, 0(%rbx)
	movw %ax, 2(%rbx)
	movl %eax, 4(%rbx)
	movq %rax, 8(%rbx)
	movw $RESULT, %dx
	movb 0(%rbx), %al
	outb %al, %dx
	movw 2(%rbx), %ax
	outw %ax, %dx
	movl 4(%rbx), %eax
	outl %eax, %dx
	movq 8(%rbx), %rax
	outl %eax, %dx
	shrq $32, %rax
	outl %eax, %dx
	movl 0x1000(%rbx), %eax		/* nobody there */
	outl %eax, %dx
	done
guest_end mmio

/* Three notifications with value 1, one with value 2 that no ioeventfd takes. */
guest notify 64
	movl $MMIO, %ebx
	movl $1, 0x50(%rbx)
	movl $1, 0x50(%rbx)
	movl $1, 0x50(%rbx)
	movl $2, 0x50(%rbx)
	done
guest_end notify

/*
 * Interrupts: pin 9 of the I/O APIC to vector 0x40, whose handler counts in r15. Tells 1 when
 * ready and the count after each interrupt; ends at the third.
 */
guest interrupt 64
	leaq 9f(%rip), %rsp		/* stack behind the code */
	addq $0x1000, %rsp
	andq $-16, %rsp
	leaq 8f(%rip), %rax		/* gate 0x40 */
	leaq 7f(%rip), %rbx
	leaq 0x400(%rbx), %rdi
	movw %ax, 0(%rdi)
	movw %cs, %cx
	movw %cx, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	shrq $16, %rax
	movw %ax, 6(%rdi)
	shrq $16, %rax
	movl %eax, 8(%rdi)
	movq %rbx, 0x802(%rbx)		/* the table's pointer, behind the table */
	movw $0x7ff, 0x800(%rbx)
	lidt 0x800(%rbx)
	movb $0xff, %al			/* PICs off, which have line 9 too */
	outb %al, $0x21
	outb %al, $0xa1
	movl $0xfee00000, %ebx		/* local APIC on */
	movl $0x1ff, 0xf0(%rbx)
	movl $0xfec00000, %ebx		/* pin 9: fixed, edge, vector 0x40, to APIC 0 */
	movl $(0x10 + 9 * 2 + 1), 0(%rbx)
	movl $0, 0x10(%rbx)
	movl $(0x10 + 9 * 2), 0(%rbx)
	movl $0x40, 0x10(%rbx)
	xorl %r15d, %r15d
	movw $RESULT, %dx
	movl $0x1001, %eax
	outl %eax, %dx
	sti
6:	hlt
	cmpl $3, %r15d
	jb 6b
	done
8:	incl %r15d
	movl %r15d, %eax
	movw $RESULT, %dx
	outl %eax, %dx
	movl $0xfee00000, %ebx
	movl $0, 0xb0(%rbx)		/* end of interrupt */
	iretq
	.balign 16
7:	.fill 0x810, 1, 0		/* interrupt descriptor table and its pointer */
9:
guest_end interrupt

/*
 * Interrupts in real mode: line 5 of the PIC to vector 0x25, whose handler counts in %di. Tells the
 * same as the guest above, in words.
 */
guest pic_interrupt 16
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x8000, %sp
	call 1f
1:	popw %bx			/* the address of 1 */
	addw $(2f - 1b), %bx
	movw %bx, 0x25 * 4
	movw %ax, 0x25 * 4 + 2
	movb $0x11, %al			/* PIC: edge, cascaded, vectors from 0x20 */
	outb %al, $0x20
	movb $0x20, %al
	outb %al, $0x21
	movb $0x04, %al
	outb %al, $0x21
	movb $0x01, %al
	outb %al, $0x21
	movb $0xdf, %al			/* only line 5 */
	outb %al, $0x21
	xorw %di, %di
	movw $RESULT, %dx
	movw $0x1001, %ax
	outw %ax, %dx
	sti
3:	hlt
	cmpw $3, %di
	jb 3b
	done
2:	incw %di
	movw %di, %ax
	movw $RESULT, %dx
	outw %ax, %dx
	movb $0x20, %al			/* end of interrupt */
	outb %al, $0x20
	iretw
guest_end pic_interrupt

/* The serial port: says "ok", then echoes what it reads until a 'q'. */
guest serial 64
	movw $0x3f8, %dx
	movb $'o', %al
	outb %al, %dx
	movb $'k', %al
	outb %al, %dx
3:	movw $0x3fd, %dx
	inb %dx, %al
	testb $1, %al
	jz 3b
	movw $0x3f8, %dx
	inb %dx, %al
	outb %al, %dx
	cmpb $'q', %al
	jne 3b
	done
guest_end serial

/* Reset by the keyboard controller. */
guest i8042_reset 64
	movb $0xfe, %al
	outb %al, $0x64
4:	jmp 4b
guest_end i8042_reset

/* A triple fault: an exception without a descriptor table. */
guest triple_fault 64
	leaq 5f(%rip), %rax
	lidt (%rax)
	ud2
5:	.quad 0, 0
guest_end triple_fault

/* An instruction on MMIO that KVM's emulator does not know. */
guest unknown 64
	movl $MMIO, %ebx
	crc32l 4(%rbx), %eax
	done
guest_end unknown

/* Never ends. */
guest spin 64
	movw $RESULT, %dx
	movb $1, %al
	outb %al, %dx
5:	jmp 5b
guest_end spin

	.section .note.GNU-stack, "", @progbits
