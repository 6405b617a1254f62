/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tiny_kernel.S - a kernel of a few hundred instructions for tests of the whole program: an ELF
 * file with a PVH note, which prints to the serial port and does what the first letter of its
 * command line says. It needs nothing that an interpreting KVM does not know.
 *
 *   p power off   r reset   k reset by the keyboard controller   c panic (pvpanic)
 *   t triple fault   e echo serial input until 'q', then power off   s spin
 *   b power off when the power button is pressed   u run an instruction that KVM does not know
 *   m turn on KVM's clock, print registers of the first three virtio-mmio devices, then power off
 */
#define SERIAL	0x3f8
#define SLEEP	0x600
#define RESET	0x602
#define EVENT	0x604
#define PVPANIC 0x505
#define VIRTIO	0xd0000000 /* one page each */
#define KVM_CLOCK 0x4b564d01 /* MSR_KVM_SYSTEM_TIME_NEW */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.global start
start:
	movl $stack_end, %esp
	movl %ebx, %ebp
	movl $hello, %esi
	call print
	movl 24(%ebp), %esi	/* cmdline_paddr */
	call print
	movl $newline, %esi
	call print
	movl 24(%ebp), %esi
	movb (%esi), %al
	cmpb $'p', %al
	je power_off
	cmpb $'r', %al
	je reset
	cmpb $'k', %al
	je keyboard_reset
	cmpb $'c', %al
	je panic
	cmpb $'t', %al
	je triple_fault
	cmpb $'e', %al
	je echo
	cmpb $'b', %al
	je button
	cmpb $'u', %al
	je unknown
	cmpb $'m', %al
	je virtio
spin:
	jmp spin

power_off:
	movw $SLEEP, %dx
	movb $(5 << 2 | 0x20), %al
	outb %al, %dx
	jmp spin

reset:
	movw $RESET, %dx
	movb $1, %al
	outb %al, %dx
	jmp spin

keyboard_reset:
	movb $0xfe, %al
	outb %al, $0x64
	jmp spin

panic:
	movw $PVPANIC, %dx
	movb $1, %al
	outb %al, %dx
	jmp spin

triple_fault:
	lidt no_idt
	ud2

echo:
	movw $(SERIAL + 5), %dx
	inb %dx, %al
	testb $1, %al
	jz echo
	movw $SERIAL, %dx
	inb %dx, %al
	outb %al, %dx
	cmpb $'q', %al
	jne echo
	jmp power_off

button:
	movw $EVENT, %dx
	inb %dx, %al
	testb $1, %al
	jz button
	jmp power_off

unknown:
	crc32l 0xd0000000, %eax
	jmp spin

/*
 * A line for each: device id, then of shared memory regions 0 and 1 length and base, high and low
 * halves: virtio 1.4, 4.2.2.
 */
virtio:
	movl $KVM_CLOCK, %ecx	/* as any Linux kernel does; vmm may watch it */
	movl $(clock + 1), %eax
	xorl %edx, %edx
	wrmsr
	movl $VIRTIO, %ebp
1:	movl 0x008(%ebp), %eax	/* DeviceID */
	call print_number
	xorl %edi, %edi
2:	movl %edi, 0x0ac(%ebp)	/* SHMSel */
	movl 0x0b4(%ebp), %eax	/* SHMLenHigh */
	call print_number
	movl 0x0b0(%ebp), %eax	/* SHMLenLow */
	call print_number
	movl 0x0bc(%ebp), %eax	/* SHMBaseHigh */
	call print_number
	movl 0x0b8(%ebp), %eax	/* SHMBaseLow */
	call print_number
	incl %edi
	cmpl $2, %edi
	jne 2b
	movl $newline, %esi
	call print
	addl $0x1000, %ebp
	cmpl $(VIRTIO + 0x3000), %ebp
	jne 1b
	jmp power_off

/* Prints eax as eight hexadecimal digits and a blank. */
print_number:
	movl $8, %ecx
	movl %eax, %ebx
	movw $SERIAL, %dx
1:	roll $4, %ebx
	movl %ebx, %eax
	andl $15, %eax
	movb digits(%eax), %al
	outb %al, %dx
	decl %ecx
	jnz 1b
	movb $' ', %al
	outb %al, %dx
	ret

/* Prints the string at esi. */
print:
	movw $SERIAL, %dx
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	ret

	.section .rodata
hello:	.asciz "tiny kernel: "
newline: .asciz "\r\n"
digits:	.ascii "0123456789abcdef"
	.balign 8
no_idt:	.word 0
	.long 0

	.bss
	.balign 16
	.skip 1024
stack_end:
	.balign 64
clock:	.skip 64

	.section .note.GNU-stack, "", @progbits
