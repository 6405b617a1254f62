/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.h - one KVM virtual machine: its file descriptor, memory slots and interrupt lines.
 *
 * Made and torn down on the main thread. What is particular to an architecture is done by arch/
 * on the descriptors that this gives out.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "base.h"
#include "error.h"
#include "gmem.h"
#include "irq.h"

struct vm;

/*
 * vm_new - open /dev/kvm and create a virtual machine.
 * Return: 0 and *@out, owned by the caller; or -errno and a sentence that says what this host
 * lacks and what to do about it.
 */
int vm_new(struct vm **out, struct error *err);

/* vm_free - after all vCPUs are gone. NULL is fine. */
void vm_free(struct vm *vm);

/* vm_kvm_fd, vm_fd - descriptors of /dev/kvm and of the machine. Borrowed. */
int vm_kvm_fd(const struct vm *vm);
int vm_fd(const struct vm *vm);

/*
 * vm_add_memory - give the guest all regions of @gmem, which must outlive the machine.
 * Return: 0, or -errno and a sentence.
 */
int vm_add_memory(struct vm *vm, const struct gmem *gmem, struct error *err);

/*
 * vm_add_window - give the guest @size bytes at @gpa that are not RAM: what is mapped at @host.
 * The mappings there may change at any time, but all of the range stays mapped until vm_free().
 * @readonly: a guest's write has no effect; it comes out as an access to the MMIO bus.
 * @gpa, @host, @size: page aligned. After vm_add_memory().
 * Return: 0, or -errno and a sentence.
 */
int vm_add_window(struct vm *vm, uint64_t gpa, void *host, uint64_t size, bool readonly,
		  struct error *err);

/*
 * vm_irq_init - connect @irq to global system interrupt @gsi: each irq_raise() is one edge.
 * Needs the in-kernel interrupt controller.
 * Return: 0, or -errno and a sentence.
 */
int vm_irq_init(struct vm *vm, struct irq *irq, uint32_t gsi, struct error *err);

/* vm_irq_deinit - close the line. One that was never connected (fd -1) is left alone. */
void vm_irq_deinit(struct irq *irq);

/*
 * vm_ioeventfd_add - let a guest's 4-byte write of @value to @gpa signal @fd (an eventfd, borrowed)
 * inside the kernel, without an exit to user space.
 * vm_ioeventfd_remove - the reverse, with the same arguments.
 * Return: 0, or -errno.
 */
int vm_ioeventfd_add(struct vm *vm, uint64_t gpa, uint32_t value, int fd);
int vm_ioeventfd_remove(struct vm *vm, uint64_t gpa, uint32_t value, int fd);

#endif
