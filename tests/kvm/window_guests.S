/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window_guests.S - guests that touch memory which a device shares with them, for
 * test_kvm_window.c. 64-bit, position-independent.
 *
 * Each is started with rsi at its struct work (windowvm.h), and tells 1 at port 0x100 when it is
 * done.
 */
#define RESULT 0x100

#define START  0
#define END    8
#define STRIDE 16
#define READS  24
#define WRITES 32
#define VALUE  40
#define AGAIN  48
#define ROUNDS 56
#define SUM    64

.macro guest name
	.global guest_\name
	.global guest_\name\()_end
	.balign 16
guest_\name:
.endm

.macro guest_end name
	movw $RESULT, %dx
	movl $1, %eax
	outl %eax, %dx
99:	hlt
	jmp 99b
guest_\name\()_end:
.endm

	.section .rodata
	.code64

/* 8 bytes each STRIDE from START to END: added up, overwritten, or both; while AGAIN, once more. */
guest sweep
	movq START(%rsi), %r8
	movq END(%rsi), %r9
	movq STRIDE(%rsi), %r10
	movq VALUE(%rsi), %r11
	movl READS(%rsi), %ecx
	movl WRITES(%rsi), %edx
1:	xorl %ebx, %ebx
	movq %r8, %rdi
2:	testl %ecx, %ecx
	jz 3f
	addq (%rdi), %rbx
3:	testl %edx, %edx
	jz 4f
	movq %r11, (%rdi)
4:	addq %r10, %rdi
	cmpq %r9, %rdi
	jb 2b
	movq %rbx, SUM(%rsi)
	incq ROUNDS(%rsi)
	cmpq $0, AGAIN(%rsi)
	jne 1b
guest_end sweep

/*
 * All ways to access memory that KVM's emulator knows, each from START to END in steps of STRIDE:
 * widths, read-modify-write, locked, strings.
 */
guest kinds
	movq START(%rsi), %r8
	movq END(%rsi), %r9
	movq STRIDE(%rsi), %r10
	movq %rsi, %r12
	movabsq $0x8877665544332211, %rax
	movq %r8, %rbx
	cld
1:	movb %al, (%rbx)
	movw %ax, (%rbx)
	movl %eax, (%rbx)
	movq %rax, (%rbx)
	movb (%rbx), %cl
	movw (%rbx), %cx
	movl (%rbx), %ecx
	movq (%rbx), %rcx
	addq %rax, (%rbx)
	orb $0x80, (%rbx)
	notl (%rbx)
	btsl $3, (%rbx)
	xchgq %rcx, (%rbx)
	lock incl (%rbx)
	lock xaddq %rcx, (%rbx)
	movq (%rbx), %rax
	lock cmpxchgq %rcx, (%rbx)
	movq %rbx, %rdi			/* strings: fill, then within, then out of it */
	movl $12, %ecx
	rep stosb
	movq %rbx, %rdi
	leaq 4(%rbx), %rsi
	movl $3, %ecx
	rep movsl
	leaq SUM(%r12), %rdi
	movq %rbx, %rsi
	movsq
	incq ROUNDS(%r12)
	addq %r10, %rbx
	cmpq %r9, %rbx
	jb 1b
guest_end kinds

	.section .note.GNU-stack, "", @progbits
