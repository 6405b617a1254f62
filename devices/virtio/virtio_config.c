/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_config.c - a virtio device's configuration space and its generation. See virtio.h.
 *
 * Implements virtio 1.4, 2.5 and 3.2.1. The bytes are read on vCPU threads and changed on the
 * device's, under a lock of their own, so that a device whose thread is busy can still be read.
 */
#include <assert.h>
#include <string.h>

#include "devices/virtio/virtio_impl.h"

void virtio_set_config(struct virtio_device *dev, unsigned int offset, const void *data,
		       unsigned int len)
{
	bool changed;

	assert(offset <= dev->config_len && len <= dev->config_len - offset);
	pthread_mutex_lock(&dev->config_lock);
	changed = memcmp(dev->config + offset, data, len) != 0;
	if (changed) {
		memcpy(dev->config + offset, data, len);
		dev->config_generation++;
	}
	pthread_mutex_unlock(&dev->config_lock);
	if (changed)
		virtio_interrupt(dev, VIRTIO_INTERRUPT_CONFIG);
}

/* Of @len bytes at @offset, those that are there. */
static unsigned int clip(const struct virtio_device *dev, unsigned int offset, unsigned int len)
{
	return offset < dev->config_len ? MIN(len, dev->config_len - offset) : 0;
}

void virtio_read_config(struct virtio_device *dev, unsigned int offset, void *to, unsigned int len)
{
	const unsigned int there = clip(dev, offset, len);

	memset(to, 0, len);
	pthread_mutex_lock(&dev->config_lock);
	if (there)
		memcpy(to, dev->config + offset, there);
	pthread_mutex_unlock(&dev->config_lock);
}

uint32_t virtio_config_generation(struct virtio_device *dev)
{
	uint32_t generation;

	pthread_mutex_lock(&dev->config_lock);
	generation = dev->config_generation;
	pthread_mutex_unlock(&dev->config_lock);
	return generation;
}

static void call_write_config(struct virtio_device *dev)
{
	dev->class->write_config(dev, dev->call.offset, dev->call.data, dev->call.len);
	call_done(dev);
}

void virtio_write_config(struct virtio_device *dev, unsigned int offset, const void *from,
			 unsigned int len)
{
	const unsigned int there = clip(dev, offset, len);

	assert(len <= sizeof(dev->call.data));
	if (!there || !dev->class->write_config)
		return;
	/* A vCPU that is being stopped may have left the first half of a longer write behind. */
	if (!call_wait(dev) || dev->resetting)
		return;
	dev->call.offset = offset;
	dev->call.len = there;
	memcpy(dev->call.data, from, there);
	call_run(dev, call_write_config);
}
