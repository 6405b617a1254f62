// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * command.c - commands on the command queue, any number at a time.
 *
 * Virtio 1.4, media device, "Command Virtqueue". Each command has memory of its own. Who waits for
 * one may be killed: the memory then stays with the device until that gives it back, and what the
 * command has achieved is undone by its orphan function. Queue functions run in any context, the
 * others in a process.
 */
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "virtio_media.h"

static void work(struct work_struct *work)
{
	struct vmedia_command *command = container_of(work, struct vmedia_command, work);

	if (command->orphan)
		command->orphan(command);
	vmedia_command_free(command);
}

/*
 * vmedia_command_new - @out_len, @in_len: bytes that the device reads and writes; both parts are
 * zero. Return: the command, the caller's; NULL without memory.
 */
struct vmedia_command *vmedia_command_new(struct vmedia_device *device, size_t out_len,
					  size_t in_len)
{
	struct vmedia_command *command = kzalloc(sizeof(*command), GFP_KERNEL);

	if (!command)
		return NULL;
	command->out = kvzalloc(out_len, GFP_KERNEL);
	command->in = in_len ? kvzalloc(in_len, GFP_KERNEL) : NULL;
	if (!command->out || (in_len && !command->in)) {
		kvfree(command->out);
		kvfree(command->in);
		kfree(command);
		return NULL;
	}
	command->device = device;
	command->out_len = out_len;
	command->in_len = in_len;
	init_completion(&command->done);
	INIT_WORK(&command->work, work);
	return command;
}

/* vmedia_command_free - not while it is in the ring. NULL is fine. */
void vmedia_command_free(struct vmedia_command *command)
{
	if (!command)
		return;
	kvfree(command->bounce);
	kvfree(command->out);
	kvfree(command->in);
	kfree(command);
}

static unsigned int segments(const void *data, size_t len)
{
	if (!len)
		return 0;
	if (!is_vmalloc_addr(data))
		return 1;
	return DIV_ROUND_UP(offset_in_page(data) + len, PAGE_SIZE);
}

static void fill_table(struct scatterlist *table, unsigned int n, void *data, size_t len)
{
	unsigned int i;

	if (n == 0)
		return;
	sg_init_table(table, n);
	if (!is_vmalloc_addr(data)) {
		sg_set_buf(table, data, len);
		return;
	}
	for (i = 0; i < n; i++) {
		size_t part = min_t(size_t, len, PAGE_SIZE - offset_in_page(data));

		sg_set_page(&table[i], vmalloc_to_page(data), part, offset_in_page(data));
		data += part;
		len -= part;
	}
}

/* Most commands: two pieces. */
struct tables {
	struct scatterlist few[2];
	struct scatterlist *all;
	unsigned int out_n, in_n;
};

static int tables_init(struct tables *tables, const struct vmedia_command *command)
{
	unsigned int n;

	tables->out_n = segments(command->out, command->out_len);
	tables->in_n = segments(command->in, command->in_len);
	n = tables->out_n + tables->in_n;
	tables->all = tables->few;
	if (n > ARRAY_SIZE(tables->few))
		tables->all = kvmalloc_array(n, sizeof(*tables->all), GFP_KERNEL);
	if (!tables->all)
		return -ENOMEM;
	fill_table(tables->all, tables->out_n, command->out, command->out_len);
	fill_table(tables->all + tables->out_n, tables->in_n, command->in, command->in_len);
	return 0;
}

static void tables_deinit(struct tables *tables)
{
	if (tables->all != tables->few)
		kvfree(tables->all);
}

/* Return: 0: the device has it; -ENOSPC: the ring is full; another -errno. */
static int add(struct vmedia_command *command, struct tables *tables)
{
	struct vmedia_device *device = command->device;
	struct scatterlist *sgs[2] = {tables->all, tables->all + tables->out_n};
	unsigned long flags;
	bool notify = false;
	int r;

	spin_lock_irqsave(&device->command_lock, flags);
	if (device->stopped)
		r = -ENODEV;
	/* virtio 1.4, 2.7.5.3.1: no chain is longer than the queue, in whatever form */
	else if (tables->out_n + tables->in_n > virtqueue_get_vring_size(device->commandq))
		r = -E2BIG;
	else
		r = virtqueue_add_sgs(device->commandq, sgs, 1, tables->in_n ? 1 : 0, command,
				      GFP_ATOMIC);
	if (r == 0)
		notify = virtqueue_kick_prepare(device->commandq);
	/* A queue that is broken stays so. */
	if (r == -EIO)
		r = -ENODEV;
	/* Under the lock: a device that stops would take the queue away. */
	if (notify)
		virtqueue_notify(device->commandq);
	spin_unlock_irqrestore(&device->command_lock, flags);
	return r;
}

/* Return: whether there was room; then *@result says how it went. */
static bool try_add(struct vmedia_command *command, struct tables *tables, int *result)
{
	*result = add(command, tables);
	return *result != -ENOSPC;
}

/* Waits for room in the ring. @killable: or until the process is killed. */
static int submit(struct vmedia_command *command, bool killable)
{
	wait_queue_head_t *room = &command->device->command_room;
	struct tables tables;
	int r;

	r = tables_init(&tables, command);
	if (r < 0)
		return r;
	if (!killable)
		wait_event(*room, try_add(command, &tables, &r));
	else if (wait_event_killable(*room, try_add(command, &tables, &r)))
		r = -EINTR;
	tables_deinit(&tables);
	return r;
}

/* Return: 0, the command is the caller's; -EINTR: it came too late, and is not. */
static int abandon(struct vmedia_command *command)
{
	struct vmedia_device *device = command->device;
	unsigned long flags;
	int r = 0;

	spin_lock_irqsave(&device->command_lock, flags);
	if (!completion_done(&command->done)) {
		command->abandoned = true;
		r = -EINTR;
	}
	spin_unlock_irqrestore(&device->command_lock, flags);
	return r;
}

static int finish(struct vmedia_command *command)
{
	/* What the device has sent before its answer comes before the answer. */
	vmedia_notification_drain(command->device);
	return command->error;
}

/*
 * vmedia_command_run - send @command and wait for the answer, or until the process is killed.
 * Return: 0 and what the device wrote in @in; -EINTR: the command is not the caller's any more;
 * another -errno: it did not get to the device, or there was no answer.
 */
int vmedia_command_run(struct vmedia_command *command)
{
	int r;

	r = submit(command, true);
	if (r == -EINTR) {
		/* It has never been in the ring, but there is somebody to be told. */
		command->error = r;
		work(&command->work);
		return r;
	}
	if (r < 0)
		return r;
	if (wait_for_completion_killable(&command->done) && abandon(command) < 0)
		return -EINTR;
	return finish(command);
}

/* vmedia_command_run_for - the same, but not killed, and for @timeout (jiffies) at most. */
int vmedia_command_run_for(struct vmedia_command *command, unsigned long timeout)
{
	int r;

	r = submit(command, false);
	if (r < 0)
		return r;
	if (!wait_for_completion_timeout(&command->done, timeout) && abandon(command) < 0)
		return -EINTR;
	return finish(command);
}

/* vmedia_command_post - send @command, and do not wait. It is not the caller's any more. */
void vmedia_command_post(struct vmedia_command *command)
{
	int r;

	command->abandoned = true;
	r = submit(command, false);
	if (r == 0)
		return;
	command->error = r;
	work(&command->work);
}

/*
 * vmedia_command_status - what the device says of a command that has come back.
 * Return: 0, or -errno.
 */
int vmedia_command_status(const struct vmedia_command *command)
{
	const struct virtio_media_resp_header *response = command->in;
	u32 status;

	if (command->used < sizeof(*response))
		return -EIO;
	status = le32_to_cpu(response->status);
	/* From there on they mean something inside of the kernel. */
	return status < ERESTARTSYS ? -(int)status : -EIO;
}

/* Under command_lock. */
static void give_back(struct vmedia_command *command)
{
	if (command->abandoned)
		queue_work(vmedia_workqueue, &command->work);
	else
		complete(&command->done);
}

/* vmedia_command_interrupt - the device has given commands back. */
void vmedia_command_interrupt(struct virtqueue *vq)
{
	struct vmedia_device *device = vq->vdev->priv;
	struct vmedia_command *command;
	unsigned long flags;
	unsigned int len;

	spin_lock_irqsave(&device->command_lock, flags);
	while (!device->stopped && (command = virtqueue_get_buf(vq, &len))) {
		command->used = min_t(size_t, len, command->in_len);
		give_back(command);
	}
	spin_unlock_irqrestore(&device->command_lock, flags);
	wake_up(&device->command_room);
}

/* vmedia_command_return_all - of a device that has been reset; there is no interrupt any more. */
void vmedia_command_return_all(struct vmedia_device *device)
{
	struct vmedia_command *command;
	unsigned long flags;

	spin_lock_irqsave(&device->command_lock, flags);
	while ((command = virtqueue_detach_unused_buf(device->commandq))) {
		command->error = -ENODEV;
		give_back(command);
	}
	spin_unlock_irqrestore(&device->command_lock, flags);
}
