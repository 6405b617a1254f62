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
	vmedia_parking_init(&queue->parking);
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

/*
 * vmedia_queue_drop - nothing of @buffer is with the device as far as the application knows, and no
 * event tells of it any more. @sure: the device says so, too.
 */
void vmedia_queue_drop(struct vmedia_queue *queue, struct vmedia_buffer *buffer, bool sure)
{
	struct vmedia_device *device = queue->session->device;
	unsigned int i;

	spin_lock_irq(&device->lock);
	vmedia_queue_set_state(queue, buffer, VMEDIA_IDLE);
	spin_unlock_irq(&device->lock);
	for (i = 0; i < VIDEO_MAX_PLANES; i++) {
		if (sure)
			vmedia_pages_unpin(buffer->pages[i]);
		else
			vmedia_parking_add(&queue->parking, buffer->pages[i]);
		buffer->pages[i] = NULL;
	}
}

static void remove(struct vmedia_queue *queue, struct vmedia_buffer *buffer, bool sure)
{
	xa_erase(&queue->buffers, buffer->index);
	/* Takes the lock: whoever has found it is done with it then. */
	vmedia_queue_drop(queue, buffer, sure);
	kfree(buffer);
}

/* vmedia_queue_remove - forget buffers from @index on. @sure: as vmedia_queue_drop(). */
void vmedia_queue_remove(struct vmedia_queue *queue, u32 index, u32 count, bool sure)
{
	struct vmedia_buffer *buffer;
	unsigned long i;

	if (count == 0)
		return;
	xa_for_each_range(&queue->buffers, i, buffer, index, (unsigned long)index + count - 1)
		remove(queue, buffer, sure);
}

/* vmedia_queue_deinit - the session is closed. */
void vmedia_queue_deinit(struct vmedia_queue *queue)
{
	struct vmedia_buffer *buffer;
	unsigned long i;

	xa_for_each(&queue->buffers, i, buffer)
		remove(queue, buffer, true);
	vmedia_parking_clear(&queue->parking);
}

/*
 * As STREAMOFF leaves it. @gone: the buffers are no more. @sure: the device has let go of all, and
 * will not hear of any of them late.
 */
static void stop(struct vmedia_queue *queue, bool gone, bool sure)
{
	struct vmedia_device *device = queue->session->device;
	struct vmedia_buffer *buffer;
	unsigned long i;

	spin_lock_irq(&device->lock);
	queue->streaming = false;
	queue->last = false;
	queue->unused = true;
	spin_unlock_irq(&device->lock);
	xa_for_each(&queue->buffers, i, buffer) {
		if (gone)
			remove(queue, buffer, sure);
		else
			vmedia_queue_drop(queue, buffer, sure);
	}
	if (sure)
		vmedia_parking_clear(&queue->parking);
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

/*
 * STREAMOFF, REQBUFS: all buffers of @queue, which may be NULL, are the application's again. Only
 * if they succeed: whatever the error is, the device may never have got to do anything.
 */
static int forward_stop(struct vmedia_call *call, struct vmedia_queue *queue, bool gone)
{
	bool sure;
	int r;

	if (!queue)
		return vmedia_forward(call);
	if (mutex_lock_interruptible(&queue->mutex))
		return -ERESTARTSYS;
	/* With the mutex none begins; what there is was abandoned, and may be carried out late. */
	sure = atomic_read(&queue->parking.lent) == 0;
	r = vmedia_forward(call);
	if (r == 0)
		stop(queue, gone, sure);
	mutex_unlock(&queue->mutex);
	return r;
}

int vmedia_queue_reqbufs(struct vmedia_call *call)
{
	const struct v4l2_requestbuffers *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->type);

	/* As V4L2: the buffers that somebody waits for would be others. */
	if (queue && arg->count > 0 && READ_ONCE(queue->waiting))
		return -EBUSY;
	return forward_stop(call, queue, true);
}

int vmedia_queue_create_bufs(struct vmedia_call *call)
{
	const struct v4l2_create_buffers *arg = call->arg;
	struct vmedia_queue *queue = vmedia_queue_find(call->session, arg->format.type);
	int r;

	r = forward_locked(call, queue);
	/* Those of a REQBUFS that failed when the old ones were gone. */
	if (queue && r == 0)
		vmedia_queue_remove(queue, arg->index, arg->count, false);
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
		vmedia_queue_remove(queue, index, count, atomic_read(&queue->parking.lent) == 0);
	unlock(queue, r);
	return r;
}

/* After the LAST buffer a codec goes on. */
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
		spin_lock_irq(&device->lock);
		queue->streaming = true;
		spin_unlock_irq(&device->lock);
	}
	unlock(queue, r);
	return r;
}

int vmedia_queue_streamoff(struct vmedia_call *call)
{
	return forward_stop(call, vmedia_queue_find(call->session, *(u32 *)call->arg), false);
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
