/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * compat.h - what differs between the kernels that the driver is built for: Linux 6.1 and newer.
 *
 * The driver has no control handler and no timer, so that the changes of these (6.15) do not touch
 * it.
 */
#ifndef VIRTIO_MEDIA_COMPAT_H
#define VIRTIO_MEDIA_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <linux/videodev2.h>
#include <linux/virtio_config.h>
#include <media/v4l2-fh.h>

/* 6.11: callbacks and names come in one array, and no longer in two. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
};

#define VIRTIO_MEDIA_VQS_MAX 4

static inline int vmedia_find_vqs(struct virtio_device *vdev, unsigned int n,
				  struct virtqueue *vqs[], struct virtqueue_info info[])
{
	vq_callback_t *callbacks[VIRTIO_MEDIA_VQS_MAX];
	const char *names[VIRTIO_MEDIA_VQS_MAX];
	unsigned int i;

	for (i = 0; i < n; i++) {
		callbacks[i] = info[i].callback;
		names[i] = info[i].name;
	}
	return virtio_find_vqs(vdev, n, vqs, callbacks, names, NULL);
}
#else
static inline int vmedia_find_vqs(struct virtio_device *vdev, unsigned int n,
				  struct virtqueue *vqs[], struct virtqueue_info info[])
{
	return virtio_find_vqs(vdev, n, vqs, info, NULL);
}
#endif

/* 6.18: each file has a struct v4l2_fh, and these two set its private_data. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
static inline void vmedia_fh_add(struct v4l2_fh *fh, struct file *file)
{
	file->private_data = fh;
	v4l2_fh_add(fh);
}

static inline void vmedia_fh_del(struct v4l2_fh *fh, struct file *file)
{
	v4l2_fh_del(fh);
	file->private_data = NULL;
}
#else
static inline void vmedia_fh_add(struct v4l2_fh *fh, struct file *file)
{
	v4l2_fh_add(fh, file);
}

static inline void vmedia_fh_del(struct v4l2_fh *fh, struct file *file)
{
	v4l2_fh_del(fh, file);
}
#endif

/* 6.3: flags of a VMA are changed by functions. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* 6.6: a capability that no device ever had went away; a host may be older. */
#ifndef V4L2_CAP_ASYNCIO
#define V4L2_CAP_ASYNCIO 0x02000000
#endif

/* 6.10: an ioctl that the device knows even if the guest's kernel does not. */
#ifndef VIDIOC_REMOVE_BUFS
struct v4l2_remove_buffers {
	__u32 index;
	__u32 count;
	__u32 type;
	__u32 reserved[13];
};

#define VIDIOC_REMOVE_BUFS _IOWR('V', 104, struct v4l2_remove_buffers)
#endif

#endif
