// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * mapping.c - mmap(): buffers of the device, in shared memory region 0, in a process.
 *
 * Virtio 1.4, media device, "Mapping a MMAP buffer", "Unmapping a MMAP buffer". One MMAP command
 * for each mmap(), and one MUNMAP when the last VMA that came of it, by fork or by a split, is
 * gone. Pages are mapped as memory (write-back), which they are. A VMA keeps its file open.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "virtio_media.h"

struct mapping {
	refcount_t vmas;
	struct vmedia_session *session;
	struct list_head link; /* of vmedia_session.mappings */
	u32 offset;
	/* MUNMAP, made in time: unmapping must not fail. */
	struct vmedia_command *munmap;
};

static bool exists(struct vmedia_session *session, u32 offset)
{
	const struct mapping *mapping;

	list_for_each_entry(mapping, &session->mappings, link)
		if (mapping->offset == offset)
			return true;
	return false;
}

/*
 * vmedia_mapping_flag - say of @arg that it is mapped, if it is here. @planes: @n, if it has any.
 * Under vmedia_device.lock.
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
	struct vmedia_device *device = mapping->session->device;

	if (!refcount_dec_and_test(&mapping->vmas))
		return;
	spin_lock_irq(&device->lock);
	list_del(&mapping->link);
	spin_unlock_irq(&device->lock);
	post_munmap(mapping->munmap);
	kfree(mapping);
}

/* All pages were there: now the device is gone. */
static vm_fault_t vma_fault(struct vm_fault *fault)
{
	return VM_FAULT_SIGBUS;
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

/* Puts the pages at @addr of the region into @vma. */
static int insert(struct mapping *mapping, struct vm_area_struct *vma, u64 addr)
{
	struct vmedia_session *session = mapping->session;
	struct vmedia_device *device = session->device;
	const unsigned long len = vma->vm_end - vma->vm_start;
	int r;

	/* What the device maps read-only cannot be made writable by mprotect(). */
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	r = remap_pfn_range(vma, vma->vm_start, PHYS_PFN(device->shm_start + addr), len,
			    vma->vm_page_prot);
	if (r < 0)
		return r;
	vma->vm_private_data = mapping;
	vma->vm_ops = &vma_operations;
	spin_lock_irq(&device->lock);
	list_add_tail(&mapping->link, &session->mappings);
	spin_unlock_irq(&device->lock);
	return 0;
}

static int map_into(struct mapping *mapping, struct vm_area_struct *vma)
{
	struct virtio_media_cmd_munmap *munmap = mapping->munmap->out;
	struct vmedia_session *session = mapping->session;
	u64 addr, len;
	int r;

	r = map(session, mapping->offset, vma->vm_flags & VM_WRITE, &addr, &len);
	if (r < 0)
		return r;
	munmap->driver_addr = cpu_to_le64(addr);
	r = check(session->device, addr, len, vma->vm_end - vma->vm_start);
	if (r == 0)
		r = insert(mapping, vma, addr);
	if (r < 0) {
		post_munmap(mapping->munmap);
		mapping->munmap = NULL;
	}
	return r;
}

/* vmedia_mapping_mmap - mmap(); its offset is one that QUERYBUF gave. */
int vmedia_mapping_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vmedia_session *session = file->private_data;
	struct mapping *mapping;
	int r = -ENOMEM;

	if (!session->device->shm_len)
		return -ENODEV;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff > PHYS_PFN(U32_MAX))
		return -EINVAL;
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return -ENOMEM;
	refcount_set(&mapping->vmas, 1);
	mapping->session = session;
	mapping->offset = vma->vm_pgoff << PAGE_SHIFT;
	mapping->munmap = munmap_command(session->device);
	if (mapping->munmap)
		r = map_into(mapping, vma);
	if (r < 0) {
		vmedia_command_free(mapping->munmap);
		kfree(mapping);
	}
	return r;
}
