/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.c - one KVM virtual machine. See vm.h.
 */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

struct vm {
	int kvm_fd;
	int fd;
	uint32_t slots; /* memory slots in use: 0 up to this */
};

#define KVM_PATH "/dev/kvm"

static int open_kvm(struct error *err)
{
	int fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return error_set(err, errno,
				 KVM_PATH " is missing: load the module kvm_intel or kvm_amd, and "
					  "see that virtualization is on in the firmware setup");
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return error_set(err, errno,
				 KVM_PATH " may not be opened by this user: join the group that "
					  "owns it, usually kvm");
	if (fd < 0)
		return error_set(err, errno, "cannot open " KVM_PATH ": %s", strerror(errno));
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION)
		return fd;
	close(fd);
	if (version < 0)
		return error_set(err, ENODEV,
				 KVM_PATH " is not KVM: it does not know "
					  "KVM_GET_API_VERSION");
	return error_set(err, ENODEV, KVM_PATH " speaks version %d of KVM's interface, not %d",
			 version, KVM_API_VERSION);
}

static int check_capabilities(int kvm_fd, struct error *err)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
		{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
		{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
		{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return error_set(err, ENOSYS,
					 "KVM of this host lacks %s: a newer kernel "
					 "is needed",
					 needed[i].name);
	return 0;
}

int vm_new(struct vm **out, struct error *err)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		return error_set(err, ENOMEM, "out of memory");
	vm->fd = -1;
	vm->kvm_fd = r = open_kvm(err);
	if (r < 0)
		goto fail;
	r = check_capabilities(vm->kvm_fd, err);
	if (r < 0)
		goto fail;
	do
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0) {
		r = error_set(err, errno, "KVM cannot create a virtual machine: %s%s",
			      strerror(errno),
			      errno == EBUSY ? " (another hypervisor uses the processor)" : "");
		goto fail;
	}
	*out = vm;
	return 0;
fail:
	vm_free(vm);
	return r;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	closep(&vm->fd);
	closep(&vm->kvm_fd);
	free(vm);
}

int vm_kvm_fd(const struct vm *vm)
{
	return vm->kvm_fd;
}

int vm_fd(const struct vm *vm)
{
	return vm->fd;
}

int vm_add_memory(struct vm *vm, const struct gmem *gmem, struct error *err)
{
	const struct gmem_region *regions;
	size_t n = gmem_regions(gmem, &regions);

	for (size_t i = 0; i < n; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = vm->slots,
			.guest_phys_addr = regions[i].gpa,
			.memory_size = regions[i].size,
			.userspace_addr = (uintptr_t)regions[i].host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return error_set(err, errno, "KVM refuses %llu MiB of guest memory: %s",
					 (unsigned long long)(slot.memory_size / MIB),
					 strerror(errno));
		vm->slots++;
	}
	return 0;
}

int vm_add_window(struct vm *vm, uint64_t gpa, void *host, uint64_t size, bool readonly,
		  struct error *err)
{
	const struct kvm_userspace_memory_region slot = {
		.slot = vm->slots,
		.flags = readonly ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};
	const int max = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);

	if (readonly && ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) <= 0)
		return error_set(err, ENOSYS,
				 "KVM of this host lacks KVM_CAP_READONLY_MEM, without which a "
				 "guest cannot be given memory that it may only read");
	if (max > 0 && vm->slots >= (uint32_t)max)
		return error_set(err, ENOSPC,
				 "KVM of this host gives a virtual machine %d memory slots at "
				 "most, which is too few for this many devices with shared memory",
				 max);
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return error_set(err, errno,
				 "KVM refuses %llu MiB of shared memory at guest address 0x%llx: "
				 "%s",
				 (unsigned long long)(size / MIB), (unsigned long long)gpa,
				 strerror(errno));
	vm->slots++;
	return 0;
}

int vm_irq_init(struct vm *vm, struct irq *irq, uint32_t gsi, struct error *err)
{
	struct kvm_irqfd irqfd = {.gsi = gsi};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return error_set(err, errno, "cannot make an eventfd: %s", strerror(errno));
	irqfd.fd = (uint32_t)fd;
	if (ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0) {
		int code = errno;

		close(fd);
		return error_set(err, code, "KVM refuses an irqfd for interrupt %u: %s", gsi,
				 strerror(code));
	}
	*irq = (struct irq) {.fd = fd, .gsi = gsi};
	return 0;
}

void vm_irq_deinit(struct irq *irq)
{
	closep(&irq->fd);
	irq->fd = -1;
}

static int set_ioeventfd(struct vm *vm, uint64_t gpa, uint32_t value, int fd, uint32_t flags)
{
	const struct kvm_ioeventfd ioeventfd = {
		.datamatch = value,
		.addr = gpa,
		.len = sizeof(value),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH | flags,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd) < 0 ? -errno : 0;
}

int vm_ioeventfd_add(struct vm *vm, uint64_t gpa, uint32_t value, int fd)
{
	return set_ioeventfd(vm, gpa, value, fd, 0);
}

int vm_ioeventfd_remove(struct vm *vm, uint64_t gpa, uint32_t value, int fd)
{
	return set_ioeventfd(vm, gpa, value, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
