// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * queue.c - the buffers of one type that a session has used, and the ioctls for all of them.
 *
 * Buffers and their rules are the device's. What is kept here is what DQBUF and poll() ask for:
 * which buffers the device has, which have come back, whether it streams. Ioctls hold
 * vmedia_queue.mutex while the device works on them, so that the two never disagree about their
 * order; DQBUF does not, and waits for none of them.
 */
#include <linux/slab.h>

#include "virtio_media.h"

void vmedia_queue_init(struct vmedia_queue *queue, struct vmedia_session *session, u32 type)
{
	queue->session = session;
	queue->type = type;
	queue->unused = true;
	mutex_init(&queue->mutex);
	xa_init(&queue->buffers);
	INIT_LIST_HEAD(&queue->done);
}

/* vmedia_queue_find - Return: NULL if there are no buffers of @type, which the device says better.
 */
struct vmedia_queue *vmedia_queue_find(struct vmedia_session *session, u32 type)
{
	return type > 0 && type < VMEDIA_QUEUES ? &session->queues[type] : NULL;
}

bool vmedia_queue_is_output(const struct vmedia_queue *queue)
{
	return V4L2_TYPE_IS_OUTPUT(queue->type);
}

static bool is_queued(enum vmedia_buffer_state state)
{
	return state == VMEDIA_QUEUEING || state == VMEDIA_QUEUED || state == VMEDIA_DONE;
}

/* vmedia_queue_set_state - the one place that writes it. Under vmedia_device.lock. */
void vmedia_queue_set_state(struct vmedia_queue *queue, struct vmedia_buffer *buffer,
			    enum vmedia_buffer_state state)
{
	if (buffer->state == VMEDIA_DONE)
		list_del(&buffer->link);
	queue->queued -= is_queued(buffer->state);
	buffer->state = state;
	queue->queued += is_queued(state);
	if (state != VMEDIA_DONE)
		return;
	list_add_tail(&buffer->link, &queue->done);
	wake_up_all(&queue->session->wait);
}

/* vmedia_queue_unpin - the device does not have the pages of @buffer any more. */
void vmedia_queue_unpin(struct vmedia_buffer *buffer)
{
	unsigned int i;

	for (i = 0; i < VIDEO_MAX_PLANES; i++) {
		vmedia_pages_unpin(buffer->pages[i]);
		buffer->pages[i] = NULL;
	}
}

/* Nothing of @buffer is with the device, and no event tells of it. */
static void settle(struct vmedia_queue *queue, struct vmedia_buffer *buffer)
{
	struct vmedia_device *device = queue->session->device;

	spin_lock_irq(&device->lock);
	vmedia_queue_set_state(queue, buffer, VMEDIA_IDLE);
	spin_unlock_irq(&device->lock);
	vmedia_queue_unpin(buffer);
}

/* vmedia_queue_remove - forget buffers from @index on. */
void vmedia_queue_remove(struct vmedia_queue *queue, u32 index, u32 count)
{
	struct vmedia_buffer *buffer;
	unsigned long i;

	if (count == 0)
		return;
	xa_for_each_range(&queue->buffers, i, buffer, index, (unsigned long)index + count - 1) {
		xa_erase(&queue->buffers, i);
		/* Takes the lock: whoever has found it is done with it then. */
		settle(queue, buffer);
		kfree(buffer);
	}
}

/* vmedia_queue_deinit - the session is closed. */
void vmedia_queue_deinit(struct vmedia_queue *queue)
{
	vmedia_queue_remove(queue, 0, U32_MAX);
	xa_destroy(&queue->buffers);
}

/* As STREAMOFF leaves it. @gone: the buffers are no more. */
static void stop(struct vmedia_queue *queue, bool gone)
{
	struct vmedia_device *device = queue->session->device;
	struct vmedia_buffer *buffer;
	unsigned long i;

	spin_lock_irq(&device->lock);
	queue->streaming = false;
	queue->last = false;
	queue->unused = true;
	spin_unlock_irq(&device->lock);
	if (gone) {
		vmedia_queue_remove(queue, 0, U32_MAX);
	} else {
		xa_for_each(&queue->buffers, i, buffer)
			settle(queue, buffer);
	}
	wake_up_all(&queue->session->wait);
}

/* Sends @call, alone of those that concern @queue, which may be NULL. Unlock after it if >= 0. */
static int forward_locked(struct vmedia_call *call, struct vmedia_queue *queue)
{
	if (queue && mutex_lock_interruptible(&queue->mutex))
		return -ERESTARTSYS;
	return vmedia_forward(call);
}

static void unlock(struct vmedia_queue *queue, int result)
{
	if (queue && result != -ERESTARTSYS)
		mutex_unlock(&queue->mutex);
}

/* The lock sees those that wait, and not those that only look. */
static bool is_waited_for(struct vmedia_queue *queue)
{
	struct vmedia_device *device = queue->session->device;
	bool waited_for;

	spin_lock_irq(&device->lock);
	waited_for = queue->waiters > 0;
	spin_unlock_irq(&device->lock);
	return waited_for;
}

int vmedia_queue_reqbufs(struct vmedia_call *call)
{
	const struct v4l2_requestbuffers *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->type);
	int r;

	/* As V4L2: the buffers that somebody waits for would be others. */
	if (queue && arg->count > 0 && is_waited_for(queue))
		return -EBUSY;
	r = forward_locked(call, queue);
	/* Without memory for new ones the old ones are gone as well. */
	if (queue && (r == 0 || r == -ENOMEM))
		stop(queue, true);
	unlock(queue, r);
	return r;
}

int vmedia_queue_create_bufs(struct vmedia_call *call)
{
	const struct v4l2_create_buffers *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->format.type);
	int r;

	r = forward_locked(call, queue);
	unlock(queue, r);
	return r;
}

int vmedia_queue_remove_bufs(struct vmedia_call *call)
{
	const struct v4l2_remove_buffers *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->type);
	const u32 index = arg->index, count = arg->count;
	int r;

	r = forward_locked(call, queue);
	if (queue && r == 0)
		vmedia_queue_remove(queue, index, count);
	unlock(queue, r);
	return r;
}

/* After the LAST buffer a codec goes on when any of its queues starts anew. */
static void go_on(struct vmedia_session *session)
{
	struct vmedia_device *device = session->device;
	unsigned int i;

	spin_lock_irq(&device->lock);
	for (i = 0; i < VMEDIA_QUEUES; i++)
		session->queues[i].last = false;
	spin_unlock_irq(&device->lock);
}

int vmedia_queue_streamon(struct vmedia_call *call)
{
	struct vmedia_queue *queue = vmedia_queue_find(call->session, *(u32 *)call->arg);
	struct vmedia_device *device = call->session->device;
	int r;

	r = forward_locked(call, queue);
	if (queue && r == 0) {
		go_on(call->session);
		spin_lock_irq(&device->lock);
		queue->streaming = true;
		spin_unlock_irq(&device->lock);
	}
	unlock(queue, r);
	return r;
}

int vmedia_queue_streamoff(struct vmedia_call *call)
{
	struct vmedia_queue *queue = vmedia_queue_find(call->session, *(u32 *)call->arg);
	int r;

	r = forward_locked(call, queue);
	if (queue && r == 0)
		stop(queue, false);
	unlock(queue, r);
	return r;
}

/* ENCODER_CMD, DECODER_CMD: both structs begin with the command, and START is the same. */
int vmedia_queue_codec_cmd(struct vmedia_call *call)
{
	const u32 command = *(u32 *)call->arg;
	int r;

	BUILD_BUG_ON(V4L2_ENC_CMD_START != V4L2_DEC_CMD_START);
	r = vmedia_forward(call);
	if (r == 0 && command == V4L2_DEC_CMD_START)
		go_on(call->session);
	return r;
}
