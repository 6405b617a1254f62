/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio.c - a virtio device's status, features, queues and reset. See virtio.h.
 *
 * Implements virtio 1.4, 2.1 to 2.4, 2.6.1 and 3.1. What changes queues runs on the device's
 * thread, which vCPUs wait for by call.c. A queue has stopped when its last request is back; that
 * is looked at in a turn of the loop of its own (look_for_stopped()), when no class is in the
 * middle of a request and every interrupt raised before has reached the guest.
 */
#include "virtio.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "devices/virtio/virtio_impl.h"

#define FEATURES                                                                                   \
	(VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |             \
	 VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) |               \
	 VIRTIO_FEATURE(VIRTIO_F_RING_RESET))

/* What a driver may set; DEVICE_NEEDS_RESET is the device's word. */
#define DRIVER_STATUS                                                                              \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK |              \
	 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED)

static bool has_status(const struct virtio_device *dev, unsigned int bit)
{
	return atomic_load(&dev->status) & bit;
}

bool virtio_has_feature(const struct virtio_device *dev, unsigned int bit)
{
	return dev->accepted & VIRTIO_FEATURE(bit);
}

struct vq *virtio_vq(const struct virtio_device *dev, unsigned int index)
{
	assert(index < dev->queues_n);
	return dev->queues[index].vq;
}

/* Notifications of the driver. The bit is there before the interrupt that makes it look. */

void virtio_interrupt(struct virtio_device *dev, unsigned int bit)
{
	if (!dev->live)
		return;
	atomic_fetch_or(&dev->interrupts, bit);
	if (dev->irq && dev->irq->fd >= 0)
		loop_signal(dev->loop, dev->irq->fd);
}

static void queue_interrupt(struct vq *vq, void *owner)
{
	virtio_interrupt(owner, VIRTIO_INTERRUPT_USED);
}

void virtio_notify_config(struct virtio_device *dev)
{
	virtio_interrupt(dev, VIRTIO_INTERRUPT_CONFIG);
}

void virtio_needs_reset(struct virtio_device *dev, const char *why)
{
	if (dev->resetting)
		return;
	if (atomic_fetch_or(&dev->status, VIRTIO_STATUS_NEEDS_RESET) & VIRTIO_STATUS_NEEDS_RESET)
		return;
	log_limited(&dev->log, LOG_LEVEL_WARNING,
		    "%s: stopped until the guest's driver resets it: %s", dev->name, why);
	virtio_interrupt(dev, VIRTIO_INTERRUPT_CONFIG);
}

/* Available buffers. */

static void serve(struct virtio_queue *queue)
{
	struct virtio_device *dev = queue->dev;
	bool starved;

	if (!dev->class->notify || !dev->live || !vq_live(queue->vq) ||
	    has_status(dev, VIRTIO_STATUS_NEEDS_RESET))
		return;
	vq_set_budget(queue->vq, queue->layout.size);
	dev->class->notify(dev, queue->vq);
	starved = vq_starved(queue->vq);
	/* What a class pops at other times is not counted. */
	vq_set_budget(queue->vq, UINT_MAX);
	if (starved)
		virtio_kick(dev, vq_index(queue->vq));
}

static void serve_again(struct loop_post *post)
{
	struct virtio_queue *queue = container_of(post, struct virtio_queue, again);

	queue->posted = false;
	serve(queue);
}

void virtio_kick(struct virtio_device *dev, unsigned int index)
{
	struct virtio_queue *queue = &dev->queues[index];

	assert(index < dev->queues_n);
	if (queue->posted)
		return;
	queue->posted = true;
	loop_post(dev->loop, &queue->again, serve_again);
}

/* The eventfd is never read: each write to it is reported, whatever its count. */
static void notified(struct loop_watch *watch, uint32_t events)
{
	struct virtio_queue *queue = container_of(watch, struct virtio_queue, watch);

	/* A queue that has its next turn already does not get one more for each notification. */
	if (!queue->posted)
		serve(queue);
}

void virtio_notify_queue(struct virtio_device *dev, uint32_t queue)
{
	if (queue < dev->queues_n)
		(void)eventfd_write(dev->queues[queue].notify_fd, 1);
}

/* Start and stop, on the device's thread. */

static void queue_start(struct virtio_queue *queue)
{
	struct virtio_device *dev = queue->dev;

	queue->layout.packed = virtio_has_feature(dev, VIRTIO_F_RING_PACKED);
	queue->layout.indirect = virtio_has_feature(dev, VIRTIO_F_INDIRECT_DESC);
	queue->layout.event_idx = virtio_has_feature(dev, VIRTIO_F_EVENT_IDX);
	if (vq_start(queue->vq, &queue->layout) < 0) {
		virtio_needs_reset(dev, vq_error(queue->vq));
		return;
	}
	/* Drivers may fill a queue before it is live, and some notify too early. */
	virtio_kick(dev, vq_index(queue->vq));
}

static void queue_stop(struct virtio_queue *queue)
{
	struct virtio_device *dev = queue->dev;
	const bool live = vq_live(queue->vq);

	vq_stop(queue->vq);
	if (live && dev->class->stop)
		dev->class->stop(dev, queue->vq);
}

static void queue_stopped(struct virtio_queue *queue)
{
	queue->stopping = false;
	queue->ready = false;
	if (queue->resetting)
		queue->layout = (struct vq_layout) {};
	queue->resetting = false;
}

static void device_reset(struct virtio_device *dev)
{
	dev->resetting = false;
	for (unsigned int i = 0; i < dev->queues_n; i++) {
		dev->queues[i].resetting = true;
		queue_stopped(&dev->queues[i]);
	}
	if (dev->class->reset)
		dev->class->reset(dev);
	dev->accepted = 0;
	dev->accepted_unknown = false;
	atomic_store(&dev->interrupts, 0);
	atomic_store(&dev->status, 0);
}

static void look_for_stopped(struct loop_post *post)
{
	struct virtio_device *dev = container_of(post, struct virtio_device, drained);
	bool in_flight = false, stopping = false;

	dev->drained_posted = false;
	for (unsigned int i = 0; i < dev->queues_n; i++) {
		struct virtio_queue *queue = &dev->queues[i];
		const bool busy = vq_in_flight(queue->vq) > 0;

		if (queue->stopping && !busy)
			queue_stopped(queue);
		in_flight |= busy;
		stopping |= queue->stopping;
	}
	if (dev->resetting && !in_flight)
		device_reset(dev);
	if (!dev->resetting && !stopping)
		call_done(dev);
}

static void look_for_stopped_soon(struct virtio_device *dev)
{
	if (dev->drained_posted)
		return;
	dev->drained_posted = true;
	loop_post(dev->loop, &dev->drained, look_for_stopped);
}

static void queue_drained(struct vq *vq, void *owner)
{
	look_for_stopped_soon(owner);
}

static const struct vq_ops queue_ops = {
	.interrupt = queue_interrupt,
	.drained = queue_drained,
};

/* What vCPUs hand over. */

static void call_reset(struct virtio_device *dev)
{
	/* Nothing runs that would have to stop, and the status may read as 0 already. */
	if (!dev->live && !dev->resetting) {
		device_reset(dev);
		call_done(dev);
		return;
	}
	dev->live = false;
	dev->resetting = true;
	for (unsigned int i = 0; i < dev->queues_n; i++)
		queue_stop(&dev->queues[i]);
	look_for_stopped_soon(dev);
}

static void call_start(struct virtio_device *dev)
{
	dev->live = true;
	atomic_fetch_or(&dev->status, dev->call.status);
	for (unsigned int i = 0; i < dev->queues_n; i++)
		if (dev->queues[i].ready)
			queue_start(&dev->queues[i]);
	if (dev->class->start)
		dev->class->start(dev);
	call_done(dev);
}

static void call_start_queue(struct virtio_device *dev)
{
	struct virtio_queue *queue = &dev->queues[dev->call.queue];

	queue->ready = true;
	queue_start(queue);
	call_done(dev);
}

static void call_stop_queue(struct virtio_device *dev)
{
	struct virtio_queue *queue = &dev->queues[dev->call.queue];

	queue->stopping = true;
	queue_stop(queue);
	look_for_stopped_soon(dev);
}

/* For the transport. */

bool virtio_lock(struct virtio_device *dev)
{
	pthread_mutex_lock(&dev->control);
	if (call_wait(dev))
		return true;
	pthread_mutex_unlock(&dev->control);
	return false;
}

void virtio_unlock(struct virtio_device *dev)
{
	pthread_mutex_unlock(&dev->control);
}

void virtio_set_features(struct virtio_device *dev, uint32_t word, uint32_t bits)
{
	const unsigned int shift = word * 32;

	if (has_status(dev, VIRTIO_STATUS_FEATURES_OK))
		return;
	if (word < 2)
		dev->accepted = (dev->accepted & ~((uint64_t)UINT32_MAX << shift)) |
				(uint64_t)bits << shift;
	else
		dev->accepted_unknown |= bits != 0;
}

static bool features_valid(const struct virtio_device *dev)
{
	return !dev->accepted_unknown && !(dev->accepted & ~dev->offered) &&
	       virtio_has_feature(dev, VIRTIO_F_VERSION_1);
}

void virtio_set_status(struct virtio_device *dev, uint8_t status)
{
	const unsigned int before = atomic_load(&dev->status);
	unsigned int set = status & DRIVER_STATUS & ~before;

	if (status == 0) {
		call_run(dev, call_reset);
		return;
	}
	if (set & VIRTIO_STATUS_FEATURES_OK && !features_valid(dev))
		set &= ~(unsigned int)VIRTIO_STATUS_FEATURES_OK;
	if (!((before | set) & VIRTIO_STATUS_FEATURES_OK))
		set &= ~(unsigned int)VIRTIO_STATUS_DRIVER_OK;
	/* A reset that is still under way (only on the device's own thread) is not disturbed. */
	if (dev->resetting)
		return;
	if (!(set & VIRTIO_STATUS_DRIVER_OK)) {
		atomic_fetch_or(&dev->status, set);
		return;
	}
	dev->call.status = set;
	call_run(dev, call_start);
}

void virtio_set_ready(struct virtio_device *dev, unsigned int queue, bool ready)
{
	struct virtio_queue *q = &dev->queues[queue];

	assert(queue < dev->queues_n);
	if (q->ready == ready || dev->resetting)
		return;
	if (!has_status(dev, VIRTIO_STATUS_DRIVER_OK)) {
		q->ready = ready;
		return;
	}
	dev->call.queue = queue;
	call_run(dev, ready ? call_start_queue : call_stop_queue);
}

void virtio_reset_queue(struct virtio_device *dev, unsigned int queue)
{
	struct virtio_queue *q = &dev->queues[queue];

	assert(queue < dev->queues_n);
	if (!has_status(dev, VIRTIO_STATUS_FEATURES_OK) ||
	    !virtio_has_feature(dev, VIRTIO_F_RING_RESET))
		return;
	q->resetting = true;
	if (!q->ready || !has_status(dev, VIRTIO_STATUS_DRIVER_OK)) {
		queue_stopped(q);
		return;
	}
	dev->call.queue = queue;
	call_run(dev, call_stop_queue);
}

void virtio_set_irq(struct virtio_device *dev, struct irq *irq)
{
	dev->irq = irq;
}

int virtio_notify_fd(const struct virtio_device *dev, unsigned int queue)
{
	assert(queue < dev->queues_n);
	return dev->queues[queue].notify_fd;
}

static int queue_init(struct virtio_device *dev, unsigned int index, uint16_t size)
{
	struct virtio_queue *queue = &dev->queues[index];
	int r;

	queue->notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->notify_fd < 0)
		return -errno;
	r = vq_new(&queue->vq, dev->gmem, index, size, &queue_ops, dev);
	if (r < 0)
		return r;
	return loop_watch_add(dev->loop, &queue->watch, queue->notify_fd, POLLIN, notified);
}

int virtio_init(struct virtio_device *dev, const struct virtio_class *class,
		const struct virtio_env *env, uint64_t features, const uint16_t *sizes,
		unsigned int queues_n, unsigned int config_len)
{
	int r;

	assert(queues_n <= VIRTIO_QUEUES_MAX && config_len <= VIRTIO_CONFIG_MAX);
	*dev = (struct virtio_device) {
		.gmem = env->gmem,
		.loop = env->loop,
		.offered = features | FEATURES,
		.config_len = config_len,
	};
	if (env->split_only)
		dev->offered &= ~VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
	snprintf(dev->name, sizeof(dev->name), "%s", class->name);
	r = call_init(&dev->call);
	if (r < 0)
		return r;
	pthread_mutex_init(&dev->control, NULL);
	pthread_mutex_init(&dev->config_lock, NULL);
	dev->class = class; /* from here on there is something to take apart */
	dev->queues = calloc(MAX(queues_n, 1u), sizeof(*dev->queues));
	if (!dev->queues)
		return -ENOMEM;
	dev->queues_n = queues_n;
	for (unsigned int i = 0; i < queues_n; i++) {
		dev->queues[i].dev = dev;
		dev->queues[i].notify_fd = -1;
	}
	for (unsigned int i = 0; i < queues_n && r == 0; i++)
		r = queue_init(dev, i, sizes[i]);
	return r;
}

void virtio_deinit(struct virtio_device *dev)
{
	if (!dev->class)
		return;
	for (unsigned int i = 0; i < dev->queues_n; i++) {
		loop_watch_remove(dev->loop, &dev->queues[i].watch);
		closep(&dev->queues[i].notify_fd);
		vq_free(dev->queues[i].vq);
	}
	free(dev->queues);
	pthread_mutex_destroy(&dev->config_lock);
	pthread_mutex_destroy(&dev->control);
	call_deinit(&dev->call);
	dev->class = NULL;
}
