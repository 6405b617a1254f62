// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * command.c - commands on the command queue, any number at a time.
 *
 * Virtio 1.4, media device, "Command Virtqueue". Each command has memory of its own. Who waits for
 * one may be killed: the memory then stays with the device until that gives it back, and what the
 * command has achieved is undone by its orphan function. What must be sent though nobody can wait,
 * CLOSE and MUNMAP, waits for room in the ring by itself. Queue functions run in any context, the
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
	command->out = kvzalloc(out_len, GFP_KERNEL_ACCOUNT);
	command->in = in_len ? kvzalloc(in_len, GFP_KERNEL_ACCOUNT) : NULL;
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

/* Not after an ERROR event. After CLOSE the device may give the session's id to another one. */
static bool may_use(const struct vmedia_session *session)
{
	return !session->closed && !READ_ONCE(session->error);
}

/*
 * Under command_lock: a device that stops takes the queue away.
 * Return: 0: the device has it; -ENOSPC: the ring is full; another -errno.
 */
static int add(struct vmedia_command *command, struct tables *tables)
{
	struct vmedia_device *device = command->device;
	struct scatterlist *sgs[2] = {tables->all, tables->all + tables->out_n};
	int r;

	if (device->stopped || (command->session && !may_use(command->session)))
		return -ENODEV;
	/* virtio 1.4, 2.7.5.3.1: no chain is longer than the queue, in whatever form */
	if (tables->out_n + tables->in_n > device->ring_size)
		return -E2BIG;
	r = virtqueue_add_sgs(device->commandq, sgs, 1, tables->in_n ? 1 : 0, command, GFP_ATOMIC);
	if (r == 0) {
		command->sent = true;
		virtqueue_kick(device->commandq);
	}
	vmedia_device_check(device, device->commandq);
	/* A queue that is broken stays so. */
	return r == -EIO ? -ENODEV : r;
}

/* Return: whether there was room; then *@result says how it went. */
static bool try_add(struct vmedia_command *command, struct tables *tables, int *result)
{
	struct vmedia_device *device = command->device;

	spin_lock_irq(&device->command_lock);
	*result = add(command, tables);
	spin_unlock_irq(&device->command_lock);
	return *result != -ENOSPC;
}

/* Waits for room in the ring, or until the process is killed. */
static int submit(struct vmedia_command *command)
{
	wait_queue_head_t *room = &command->device->command_room;
	struct tables tables;
	int r;

	r = tables_init(&tables, command);
	if (r < 0)
		return r;
	if (wait_event_killable(*room, try_add(command, &tables, &r)))
		r = -EINTR;
	tables_deinit(&tables);
	return r;
}

/* Under command_lock. */
static void give_back(struct vmedia_command *command)
{
	if (command->abandoned)
		queue_work(vmedia_workqueue, &command->work);
	else
		complete(&command->done);
}

/* What is posted has two pieces at most: tables take no memory. Under command_lock. */
static bool try_posted(struct vmedia_command *command)
{
	struct tables tables;

	return tables_init(&tables, command) == 0 && add(command, &tables) == 0;
}

/*
 * Sends @command, or lets it wait for room. Whatever else goes wrong, it waits as well: then for
 * the device's reset, which has the same effect as CLOSE and MUNMAP.
 */
static void post(struct vmedia_command *command)
{
	struct vmedia_device *device = command->device;
	unsigned long flags;

	spin_lock_irqsave(&device->command_lock, flags);
	if (!device->commandq) {
		command->error = -ENODEV;
		give_back(command);
	} else if (!list_empty(&device->posted) || !try_posted(command)) {
		list_add_tail(&command->link, &device->posted);
	}
	spin_unlock_irqrestore(&device->command_lock, flags);
}

/* There may be room now. Under command_lock. */
static void send_posted(struct vmedia_device *device)
{
	struct vmedia_command *command, *next;

	list_for_each_entry_safe(command, next, &device->posted, link) {
		/* Before the device can have it. */
		list_del(&command->link);
		if (try_posted(command))
			continue;
		list_add(&command->link, &device->posted);
		return;
	}
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
 * Return: 0 and what the device wrote in @in; -EINTR, which nothing else is: the command is not the
 * caller's any more; another -errno: it did not get to the device (.sent), or was not answered.
 */
int vmedia_command_run(struct vmedia_command *command)
{
	int r;

	r = submit(command);
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

/*
 * vmedia_command_run_for - post @command and wait for the answer, for @timeout (jiffies) at most.
 * Return: as vmedia_command_run().
 */
int vmedia_command_run_for(struct vmedia_command *command, unsigned long timeout)
{
	post(command);
	if (!wait_for_completion_timeout(&command->done, timeout) && abandon(command) < 0)
		return -EINTR;
	return finish(command);
}

/*
 * vmedia_command_post - send @command, which is small, as soon as there is room. Does not wait; the
 * command is not the caller's any more.
 */
void vmedia_command_post(struct vmedia_command *command)
{
	command->abandoned = true;
	post(command);
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
	/* From ERESTARTSYS on they mean something inside of the kernel, and EINTR does here. */
	return status < ERESTARTSYS && status != EINTR ? -(int)status : -EIO;
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
	send_posted(device);
	if (!device->stopped)
		vmedia_device_check(device, vq);
	spin_unlock_irqrestore(&device->command_lock, flags);
	wake_up(&device->command_room);
}

/*
 * vmedia_command_return_all - of a device that has been reset; there is no interrupt any more, and
 * from now on no queue.
 */
void vmedia_command_return_all(struct vmedia_device *device)
{
	struct vmedia_command *command, *next;
	unsigned long flags;

	spin_lock_irqsave(&device->command_lock, flags);
	while ((command = virtqueue_detach_unused_buf(device->commandq))) {
		command->error = -ENODEV;
		give_back(command);
	}
	list_for_each_entry_safe(command, next, &device->posted, link) {
		list_del(&command->link);
		command->error = -ENODEV;
		give_back(command);
	}
	device->commandq = NULL;
	spin_unlock_irqrestore(&device->command_lock, flags);
}
