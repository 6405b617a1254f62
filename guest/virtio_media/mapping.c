// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * mapping.c - mmap(): buffers of the device, in shared memory region 0, in a process.
 *
 * Virtio 1.4, media device, "Mapping a MMAP buffer", "Unmapping a MMAP buffer". One MMAP command
 * for each mmap(), and one MUNMAP when the last VMA that came of it, by fork or by a split, is
 * gone. Pages are mapped as memory (write-back), which they are; at the first touch, so that this
 * and the device's end come one after the other. A VMA keeps its file open.
 */
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "virtio_media.h"

struct mapping {
	refcount_t vmas;
	struct vmedia_session *session;
	unsigned long page; /* of the offset that was asked for */
	unsigned long pfn;  /* the first one */
	/* MUNMAP, made in time: unmapping must not fail. */
	struct vmedia_command *munmap;
};

/*
 * vmedia_mapping_window - find region 0, if there is one: without it there is no mmap().
 * Return: 0; -ENOMEM. Once, when the driver is bound; it is freed when it no longer is.
 */
int vmedia_mapping_window(struct vmedia_device *device)
{
	struct device *parent = &device->virtio->dev;
	struct virtio_shm_region region;
	void *window;

	if (!virtio_get_shm_region(device->virtio, &region, VIRTIO_MEDIA_SHM_MMAP) ||
	    region.len == 0)
		return 0;
	/* What the guest has there otherwise, its RAM above all, is not given to programs. */
	if (!PAGE_ALIGNED(region.addr) || !PAGE_ALIGNED(region.len) ||
	    !devm_request_mem_region(parent, region.addr, region.len, KBUILD_MODNAME)) {
		dev_err(parent,
			"no mmap(): region 0, %#llx bytes at %#llx, is not pages of its own\n",
			region.len, region.addr);
		return 0;
	}
	/* On x86 that makes pages of it write-back; the address itself is not used. */
	window = devm_memremap(parent, region.addr, region.len, MEMREMAP_WB);
	if (IS_ERR(window))
		return PTR_ERR(window);
	device->shm_start = region.addr;
	device->shm_len = region.len;
	return 0;
}

static bool exists(struct vmedia_session *session, u32 offset)
{
	return !offset_in_page(offset) && xa_load(&session->mappings, offset >> PAGE_SHIFT);
}

/* There are @change more mmap()s of @page. Return: 0; -ENOMEM, but not if there are fewer. */
static int count(struct vmedia_session *session, unsigned long page, int change)
{
	unsigned long n;
	void *entry;

	mutex_lock(&session->mapping_mutex);
	entry = xa_load(&session->mappings, page);
	n = (entry ? xa_to_value(entry) : 0) + change;
	entry = xa_store(&session->mappings, page, n ? xa_mk_value(n) : NULL, GFP_KERNEL_ACCOUNT);
	mutex_unlock(&session->mapping_mutex);
	return xa_err(entry);
}

/*
 * vmedia_mapping_flag - say of @arg that it is mapped, if it is here. @planes: @n, if it has any.
 * In any context.
 */
void vmedia_mapping_flag(struct vmedia_session *session, struct v4l2_buffer *arg,
			 const struct v4l2_plane *planes, unsigned int n)
{
	bool mapped = false;
	unsigned int i;

	if (arg->memory != V4L2_MEMORY_MMAP)
		return;
	if (!V4L2_TYPE_IS_MULTIPLANAR(arg->type))
		mapped = exists(session, arg->m.offset);
	else
		for (i = 0; i < n; i++)
			mapped |= exists(session, planes[i].m.mem_offset);
	if (mapped)
		arg->flags |= V4L2_BUF_FLAG_MAPPED;
}

static struct vmedia_command *munmap_command(struct vmedia_device *device)
{
	struct virtio_media_cmd_munmap *munmap;
	struct vmedia_command *command;

	command = vmedia_command_new(device, sizeof(*munmap),
				     sizeof(struct virtio_media_resp_header));
	if (!command)
		return NULL;
	munmap = command->out;
	munmap->hdr.cmd = cpu_to_le32(VIRTIO_MEDIA_CMD_MUNMAP);
	return command;
}

static void release_device(struct vmedia_command *command)
{
	vmedia_device_put(command->device);
}

/* The device must not go before its command has come back. */
static void post_munmap(struct vmedia_command *command)
{
	vmedia_device_get(command->device);
	command->orphan = release_device;
	vmedia_command_post(command);
}

/* The VMAs. */

static void vma_open(struct vm_area_struct *vma)
{
	struct mapping *mapping = vma->vm_private_data;

	refcount_inc(&mapping->vmas);
}

static void vma_close(struct vm_area_struct *vma)
{
	struct mapping *mapping = vma->vm_private_data;

	if (!refcount_dec_and_test(&mapping->vmas))
		return;
	count(mapping->session, mapping->page, -1);
	post_munmap(mapping->munmap);
	kfree(mapping);
}

/* All pages of the VMA, at the first touch of one: there are no others later. */
static vm_fault_t insert(const struct mapping *mapping, struct vm_area_struct *vma)
{
	unsigned long pfn = mapping->pfn + vma->vm_pgoff - mapping->page;
	vm_fault_t r = VM_FAULT_NOPAGE;
	unsigned long at;

	for (at = vma->vm_start; at < vma->vm_end && r == VM_FAULT_NOPAGE; at += PAGE_SIZE)
		r = vmf_insert_pfn(vma, at, pfn++);
	return r;
}

/* What the device's end takes away comes before it, under the lock; afterwards nothing comes. */
static vm_fault_t vma_fault(struct vm_fault *fault)
{
	const struct mapping *mapping = fault->vma->vm_private_data;
	struct vmedia_device *device = mapping->session->device;
	vm_fault_t r = VM_FAULT_SIGBUS;

	down_read(&device->window_lock);
	if (!mapping->session->gone)
		r = insert(mapping, fault->vma);
	up_read(&device->window_lock);
	return r;
}

static const struct vm_operations_struct vma_operations = {
	.open = vma_open,
	.close = vma_close,
	.fault = vma_fault,
};

/* MMAP */

/* Nobody waits for it any more: what was mapped is unmapped. */
static void unmap_orphan(struct vmedia_command *command)
{
	const struct virtio_media_resp_mmap *response = command->in;
	struct vmedia_command *munmap;

	if (command->error == 0 && vmedia_command_status(command) == 0 &&
	    command->used >= sizeof(*response)) {
		munmap = munmap_command(command->device);
		if (munmap) {
			((struct virtio_media_cmd_munmap *)munmap->out)->driver_addr =
				response->driver_addr;
			post_munmap(munmap);
		}
	}
	vmedia_device_put(command->device);
}

static int map(struct vmedia_session *session, u32 offset, bool writable, u64 *addr, u64 *len)
{
	const struct virtio_media_resp_mmap *response;
	struct virtio_media_cmd_mmap *mmap;
	struct vmedia_command *command;
	int r;

	command = vmedia_command_new(session->device, sizeof(*mmap), sizeof(*response));
	if (!command)
		return -ENOMEM;
	command->session = session;
	mmap = command->out;
	mmap->hdr.cmd = cpu_to_le32(VIRTIO_MEDIA_CMD_MMAP);
	mmap->session_id = cpu_to_le32(session->id);
	mmap->flags = cpu_to_le32(writable ? VIRTIO_MEDIA_MMAP_FLAG_RW : 0);
	mmap->offset = cpu_to_le32(offset);
	vmedia_device_get(session->device);
	command->orphan = unmap_orphan;
	r = vmedia_command_run(command);
	if (r == -EINTR)
		return r;
	response = command->in;
	if (r == 0)
		r = vmedia_command_status(command);
	if (r == 0 && command->used < sizeof(*response))
		r = -EIO;
	if (r == 0) {
		*addr = le64_to_cpu(response->driver_addr);
		*len = le64_to_cpu(response->len);
	}
	vmedia_command_free(command);
	vmedia_device_put(session->device);
	return r;
}

/* The device may say anything. */
static int check(const struct vmedia_device *device, u64 addr, u64 len, u64 asked)
{
	if (!PAGE_ALIGNED(addr) || len > device->shm_len || addr > device->shm_len ||
	    PAGE_ALIGN(len) > device->shm_len - addr)
		return -EIO;
	return asked > PAGE_ALIGN(len) ? -EINVAL : 0;
}

/* Makes @vma one of the pages at @addr of the region. */
static int set_up(struct mapping *mapping, struct vm_area_struct *vma, u64 addr)
{
	int r;

	r = count(mapping->session, mapping->page, 1);
	if (r < 0)
		return r;
	/* What the device maps read-only cannot be made writable by mprotect(). */
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	mapping->pfn = PHYS_PFN(mapping->session->device->shm_start + addr);
	vma->vm_private_data = mapping;
	vma->vm_ops = &vma_operations;
	return 0;
}

static int map_into(struct mapping *mapping, struct vm_area_struct *vma)
{
	struct virtio_media_cmd_munmap *munmap = mapping->munmap->out;
	struct vmedia_session *session = mapping->session;
	u64 addr, len;
	int r;

	r = map(session, mapping->page << PAGE_SHIFT, vma->vm_flags & VM_WRITE, &addr, &len);
	if (r < 0)
		return r;
	munmap->driver_addr = cpu_to_le64(addr);
	r = check(session->device, addr, len, vma->vm_end - vma->vm_start);
	if (r == 0)
		r = set_up(mapping, vma, addr);
	if (r < 0) {
		post_munmap(mapping->munmap);
		mapping->munmap = NULL;
	}
	return r;
}

/* vmedia_mapping_mmap - mmap(); its offset is one that QUERYBUF gave. */
int vmedia_mapping_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vmedia_session *session = vmedia_session_of(file);
	struct mapping *mapping;
	int r = -ENOMEM;

	if (!session->device->shm_len)
		return -ENODEV;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff > PHYS_PFN(U32_MAX))
		return -EINVAL;
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return -ENOMEM;
	refcount_set(&mapping->vmas, 1);
	mapping->session = session;
	mapping->page = vma->vm_pgoff;
	mapping->munmap = munmap_command(session->device);
	if (mapping->munmap)
		r = map_into(mapping, vma);
	if (r < 0) {
		vmedia_command_free(mapping->munmap);
		kfree(mapping);
	}
	return r;
}
