// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * driver.c - a virtio media device becomes a video node: probe, remove, suspend, module.
 *
 * Virtio 1.4, media device, "Device Initialization". The node stays until its last file is closed,
 * also when the device is gone. A device that asks for a reset, or goes away, is stopped: it loses
 * its queues, and everybody who waits gets ENODEV.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_ids.h>

#include "virtio_media.h"

struct workqueue_struct *vmedia_workqueue;

#define CAPS_OUTPUT                                                                                \
	(V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE | V4L2_CAP_VBI_OUTPUT |              \
	 V4L2_CAP_SLICED_VBI_OUTPUT | V4L2_CAP_SDR_OUTPUT | V4L2_CAP_META_OUTPUT |                 \
	 V4L2_CAP_MODULATOR)
#define CAPS_CAPTURE                                                                               \
	(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_VBI_CAPTURE |           \
	 V4L2_CAP_SLICED_VBI_CAPTURE | V4L2_CAP_SDR_CAPTURE | V4L2_CAP_META_CAPTURE |              \
	 V4L2_CAP_TUNER)
#define CAPS_M2M (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)

/* There are no commands for overlays. */
#define CAPS_WITHOUT (V4L2_CAP_VIDEO_OVERLAY | V4L2_CAP_VIDEO_OUTPUT_OVERLAY | V4L2_CAP_DEVICE_CAPS)

static void release(struct v4l2_device *v4l2)
{
	struct vmedia_device *device = container_of(v4l2, struct vmedia_device, v4l2);

	xa_destroy(&device->sessions);
	kfree(device);
}

/* vmedia_device_get - @device stays until vmedia_device_put(). */
void vmedia_device_get(struct vmedia_device *device)
{
	v4l2_device_get(&device->v4l2);
}

void vmedia_device_put(struct vmedia_device *device)
{
	v4l2_device_put(&device->v4l2);
}

/* The queues. */

static int start(struct vmedia_device *device)
{
	struct virtqueue_info info[VIRTIO_MEDIA_QUEUES] = {
		[VIRTIO_MEDIA_COMMANDQ] = {"command", vmedia_command_interrupt},
		[VIRTIO_MEDIA_EVENTQ] = {"event", vmedia_notification_interrupt},
	};
	struct virtio_device *virtio = device->virtio;
	struct virtqueue *vqs[VIRTIO_MEDIA_QUEUES];
	int r;

	r = vmedia_find_vqs(virtio, VIRTIO_MEDIA_QUEUES, vqs, info);
	if (r < 0)
		return r;
	device->eventq = vqs[VIRTIO_MEDIA_EVENTQ];
	r = vmedia_notification_fill(device);
	if (r < 0) {
		vmedia_notification_free(device);
		virtio->config->del_vqs(virtio);
		return r;
	}
	spin_lock_irq(&device->lock);
	spin_lock(&device->command_lock);
	device->commandq = vqs[VIRTIO_MEDIA_COMMANDQ];
	device->ring_size = virtqueue_get_vring_size(device->commandq);
	device->stopped = false;
	spin_unlock(&device->command_lock);
	spin_unlock_irq(&device->lock);
	virtio_device_ready(virtio);
	spin_lock_irq(&device->lock);
	virtqueue_kick(device->eventq);
	spin_unlock_irq(&device->lock);
	return 0;
}

/*
 * May be called again. After it the device does not touch memory of ours.
 * Return: whether it was running until now.
 */
static bool stop(struct vmedia_device *device)
{
	struct virtio_device *virtio = device->virtio;
	bool was_stopped;

	mutex_lock(&device->stop_mutex);
	spin_lock_irq(&device->lock);
	spin_lock(&device->command_lock);
	was_stopped = device->stopped;
	device->stopped = true;
	spin_unlock(&device->command_lock);
	spin_unlock_irq(&device->lock);
	/* Also one that a failed restore() has left half initialised. */
	virtio_reset_device(virtio);
	if (!was_stopped) {
		/* An interrupt that has begun may still be looking at the queues. */
		virtio_synchronize_cbs(virtio);
		vmedia_command_return_all(device);
		vmedia_notification_free(device);
		virtio->config->del_vqs(virtio);
	}
	mutex_unlock(&device->stop_mutex);
	wake_up_all(&device->command_room);
	return !was_stopped;
}

static void break_down(struct work_struct *work)
{
	struct vmedia_device *device = container_of(work, struct vmedia_device, broken_work);

	if (stop(device))
		v4l2_err(&device->v4l2,
			 "the device failed; it works again when the driver is bound anew\n");
	vmedia_session_end_all(device);
}

/*
 * vmedia_device_check - has the device made @vq unusable? Then nobody would be woken any more.
 * Under the lock of @vq. The work is not our workqueue's, where what waits for the device may be.
 */
void vmedia_device_check(struct vmedia_device *device, struct virtqueue *vq)
{
	if (virtqueue_is_broken(vq))
		schedule_work(&device->broken_work);
}

/* In an interrupt. The configuration space itself never changes. */
static void config_changed(struct virtio_device *virtio)
{
	struct vmedia_device *device = virtio->priv;

	if (virtio->config->get_status(virtio) & VIRTIO_CONFIG_S_NEEDS_RESET)
		schedule_work(&device->broken_work);
}

/* The node. */

static int direction(u32 caps)
{
	if (caps & CAPS_M2M || (caps & CAPS_OUTPUT && caps & CAPS_CAPTURE))
		return VFL_DIR_M2M;
	return caps & CAPS_OUTPUT ? VFL_DIR_TX : VFL_DIR_RX;
}

static int read_config(struct vmedia_device *device)
{
	struct virtio_device *virtio = device->virtio;
	struct video_device *video = &device->video;
	struct virtio_media_config config;
	u32 type;

	virtio_cread_bytes(virtio, 0, &config, sizeof(config));
	memcpy(device->card, config.card, sizeof(config.card));
	type = le32_to_cpu(config.device_type);
	video->device_caps = vmedia_readwrite_caps(le32_to_cpu(config.device_caps)) & ~CAPS_WITHOUT;
	if (type >= VFL_TYPE_MAX || type == VFL_TYPE_SUBDEV || !video->device_caps) {
		dev_err(&virtio->dev, "devices of type %u with capabilities %#x are not known\n",
			type, video->device_caps);
		return -EINVAL;
	}
	video->vfl_type = type;
	video->vfl_dir = direction(video->device_caps);
	return vmedia_mapping_window(device);
}

static void init(struct vmedia_device *device, struct virtio_device *virtio)
{
	device->virtio = virtio;
	device->stopped = true;
	spin_lock_init(&device->command_lock);
	spin_lock_init(&device->lock);
	init_waitqueue_head(&device->command_room);
	INIT_LIST_HEAD(&device->posted);
	init_rwsem(&device->window_lock);
	mutex_init(&device->stop_mutex);
	mutex_init(&device->files_mutex);
	INIT_LIST_HEAD(&device->files);
	INIT_WORK(&device->broken_work, break_down);
	xa_init(&device->sessions);
	snprintf(device->bus_info, sizeof(device->bus_info), "platform:%s", dev_name(&virtio->dev));
	virtio->priv = device;
}

static int register_node(struct vmedia_device *device)
{
	struct video_device *video = &device->video;

	strscpy(video->name, device->card, sizeof(video->name));
	video->fops = &vmedia_file_operations;
	video->release = video_device_release_empty;
	video->v4l2_dev = &device->v4l2;
	return video_register_device(video, video->vfl_type, -1);
}

static int probe(struct virtio_device *virtio)
{
	struct vmedia_device *device = kzalloc(sizeof(*device), GFP_KERNEL);
	int r;

	if (!device)
		return -ENOMEM;
	init(device, virtio);
	device->v4l2.release = release;
	r = v4l2_device_register(&virtio->dev, &device->v4l2);
	if (r < 0) {
		kfree(device);
		return r;
	}
	r = read_config(device);
	if (r < 0)
		goto put;
	r = start(device);
	if (r < 0)
		goto put;
	r = register_node(device);
	if (r < 0)
		goto stop;
	return 0;
stop:
	stop(device);
	cancel_work_sync(&device->broken_work);
put:
	v4l2_device_unregister(&device->v4l2);
	vmedia_device_put(device);
	return r;
}

static void remove(struct virtio_device *virtio)
{
	struct vmedia_device *device = virtio->priv;

	video_unregister_device(&device->video);
	stop(device);
	vmedia_session_end_all(device);
	cancel_work_sync(&device->broken_work);
	v4l2_device_unregister(&device->v4l2);
	vmedia_device_put(device);
}

#ifdef CONFIG_PM_SLEEP
/* A session cannot be carried over a reset of the device, which a suspend is. */
static int freeze(struct virtio_device *virtio)
{
	struct vmedia_device *device = virtio->priv;

	if (vmedia_session_is_any(device)) {
		dev_warn(&virtio->dev, "no suspend while a program has %s open\n",
			 video_device_node_name(&device->video));
		return -EBUSY;
	}
	stop(device);
	/* It would stop the device that restore() starts. */
	cancel_work_sync(&device->broken_work);
	vmedia_session_end_all(device);
	return 0;
}

static int restore(struct virtio_device *virtio)
{
	return start(virtio->priv);
}
#endif

static const struct virtio_device_id ids[] = {
	{VIRTIO_ID_MEDIA_DEVICE, VIRTIO_DEV_ANY_ID},
	{0},
};
MODULE_DEVICE_TABLE(virtio, ids);

static struct virtio_driver vmedia_driver = {
	.driver.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.config_changed = config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = freeze,
	.restore = restore,
#endif
};

static int __init vmedia_init(void)
{
	int r;

	vmedia_workqueue = alloc_workqueue(KBUILD_MODNAME, WQ_UNBOUND, 0);
	if (!vmedia_workqueue)
		return -ENOMEM;
	r = register_virtio_driver(&vmedia_driver);
	if (r < 0)
		destroy_workqueue(vmedia_workqueue);
	return r;
}

static void __exit vmedia_exit(void)
{
	unregister_virtio_driver(&vmedia_driver);
	/* Waits for what is still to be freed. */
	destroy_workqueue(vmedia_workqueue);
}

module_init(vmedia_init);
module_exit(vmedia_exit);

MODULE_DESCRIPTION("Video devices of the host, over virtio");
MODULE_LICENSE("Dual BSD/GPL");
