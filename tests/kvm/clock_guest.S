/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock_guest.S - a guest for test_kvm_clock.c that turns on the clock which KVM offers, as Linux
 * does, and tells what it shows. Long mode; position-independent.
 *
 * To port 0x120 go the low and the high half of the time in ns: once after the first start of the
 * clock, again, after a second start without a stop, and after a stop and a start.
 */
#define DONE  0x110
#define TIME  0x120
#define CLOCK 0x4b564d01 /* MSR_KVM_SYSTEM_TIME_NEW */
#define PAGE  0x200000   /* struct pvclock_vcpu_time_info */

.macro clock value
	movl $CLOCK, %ecx
	movl $\value, %eax
	xorl %edx, %edx
	wrmsr
.endm

	.section .rodata
	.global guest_clock_code
	.global guest_clock_code_end
	.balign 16
	.code64
guest_clock_code:
	movl $0x80000, %esp
	clock (PAGE | 1)
	call tell
	call tell
	clock (PAGE | 1)
	call tell
	clock 0
	clock (PAGE | 1)
	call tell
	movw $DONE, %dx
	outb %al, %dx
1:	hlt
	jmp 1b

/* ((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul / 2^32 + system_time */
tell:
	movl $PAGE, %ebx
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	subq 8(%rbx), %rax
	movb 28(%rbx), %cl
	testb %cl, %cl
	js 1f
	shlq %cl, %rax
	jmp 2f
1:	negb %cl
	shrq %cl, %rax
2:	movl 24(%rbx), %edx
	mulq %rdx
	shrdq $32, %rdx, %rax
	addq 16(%rbx), %rax
	movw $TIME, %dx
	outl %eax, %dx
	shrq $32, %rax
	outl %eax, %dx
	ret
guest_clock_code_end:

	.section .note.GNU-stack, "", @progbits
