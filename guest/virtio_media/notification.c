// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * notification.c - what the device says by itself, on the event queue: buffers, events, errors.
 *
 * Virtio 1.4, media device, "Event Virtqueue". The ring is full of buffers at all times; each goes
 * back as soon as it was read. That is done by the interrupt, and by everybody whose command has
 * been answered, since what the device sent before may not have been seen yet. Under
 * vmedia_device.lock, in any context.
 */
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "virtio_media.h"

static int give(struct vmedia_device *device, union virtio_media_event *event, gfp_t gfp)
{
	struct scatterlist sg;

	sg_init_one(&sg, event, sizeof(*event));
	return virtqueue_add_inbuf(device->eventq, &sg, 1, event, gfp);
}

/* vmedia_notification_fill - give the device as many buffers as the ring takes. */
int vmedia_notification_fill(struct vmedia_device *device)
{
	unsigned int n = device->eventq->num_free;

	while (n-- > 0) {
		union virtio_media_event *event = kzalloc(sizeof(*event), GFP_KERNEL);
		int r;

		if (!event)
			return -ENOMEM;
		r = give(device, event, GFP_KERNEL);
		if (r < 0) {
			kfree(event);
			return r;
		}
	}
	return 0;
}

/* @event: a copy, which the device cannot change while it is looked at. */
static void handle(struct vmedia_device *device, const union virtio_media_event *event, u32 len)
{
	struct vmedia_session *session;

	if (len < sizeof(event->hdr))
		return;
	session = xa_load(&device->sessions, le32_to_cpu(event->hdr.session_id));
	/* It may have been closed meanwhile, or is not yet known here. */
	if (!session) {
		if (le32_to_cpu(event->hdr.event) == VIRTIO_MEDIA_EVT_ERROR)
			vmedia_session_fail_early(device, le32_to_cpu(event->hdr.session_id));
		return;
	}
	switch (le32_to_cpu(event->hdr.event)) {
	case VIRTIO_MEDIA_EVT_ERROR:
		vmedia_session_fail(session, -ENODEV);
		break;
	case VIRTIO_MEDIA_EVT_DQBUF:
		if (len >= sizeof(event->dqbuf))
			vmedia_dequeue_deliver(session, &event->dqbuf);
		break;
	case VIRTIO_MEDIA_EVT_EVENT:
		if (len >= sizeof(event->event))
			vmedia_event_deliver(session, &event->event.event);
		break;
	default:
		dev_warn_ratelimited(&device->virtio->dev, "event %u of the device is unknown\n",
				     le32_to_cpu(event->hdr.event));
	}
}

/* vmedia_notification_drain - read all that the device has sent. */
void vmedia_notification_drain(struct vmedia_device *device)
{
	union virtio_media_event *event, copy;
	unsigned long flags;
	unsigned int n = 0;
	unsigned int len;

	spin_lock_irqsave(&device->lock, flags);
	while (!device->stopped && (event = virtqueue_get_buf(device->eventq, &len))) {
		memcpy(&copy, event, sizeof(copy));
		handle(device, &copy, len);
		/* There is room, since it has just been taken out; or the queue is broken. */
		if (give(device, event, GFP_ATOMIC) < 0)
			kfree(event);
		n++;
	}
	if (n > 0 && virtqueue_kick_prepare(device->eventq))
		virtqueue_notify(device->eventq);
	if (!device->stopped)
		vmedia_device_check(device, device->eventq);
	spin_unlock_irqrestore(&device->lock, flags);
}

/* vmedia_notification_interrupt - the device has sent something. */
void vmedia_notification_interrupt(struct virtqueue *vq)
{
	vmedia_notification_drain(vq->vdev->priv);
}

/* vmedia_notification_free - of a device that has been reset. */
void vmedia_notification_free(struct vmedia_device *device)
{
	union virtio_media_event *event;

	while ((event = virtqueue_detach_unused_buf(device->eventq)))
		kfree(event);
}
