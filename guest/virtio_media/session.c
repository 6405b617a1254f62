// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * session.c - an open file of the node is a session of the device: open, close, poll, its end.
 *
 * Virtio 1.4, media device, "Sessions". Memory of the application that the device writes to stays
 * pinned until the device has answered CLOSE. vmedia_session_fail() runs under
 * vmedia_device.lock; the rest in a process.
 */
#include <linux/slab.h>

#include "virtio_media.h"

/* A device that does not close a session in that time goes on by itself, as does what is pinned. */
#define CLOSE_SECONDS 10

static void close_work(struct work_struct *work);

static struct vmedia_command *close_command(struct vmedia_device *device)
{
	struct virtio_media_cmd_close *close;
	struct vmedia_command *command;

	command = vmedia_command_new(device, sizeof(*close), 0);
	if (!command)
		return NULL;
	close = command->out;
	close->hdr.cmd = cpu_to_le32(VIRTIO_MEDIA_CMD_CLOSE);
	return command;
}

static void set_close_id(struct vmedia_command *command, u32 id)
{
	struct virtio_media_cmd_close *close = command->out;

	close->session_id = cpu_to_le32(id);
}

static void free_session(struct vmedia_session *session)
{
	unsigned int i;

	for (i = 0; i < VMEDIA_QUEUES; i++)
		vmedia_queue_deinit(&session->queues[i]);
	vmedia_event_free_all(session);
	vmedia_command_free(session->close);
	vmedia_device_put(session->device);
	kfree(session);
}

static struct vmedia_session *new_session(struct vmedia_device *device, struct file *file)
{
	struct vmedia_session *session = kzalloc(sizeof(*session), GFP_KERNEL);
	unsigned int i;

	if (!session)
		return NULL;
	vmedia_device_get(device);
	session->device = device;
	session->file = file;
	init_waitqueue_head(&session->wait);
	mutex_init(&session->subscribe_mutex);
	INIT_LIST_HEAD(&session->subscriptions);
	INIT_LIST_HEAD(&session->events);
	INIT_LIST_HEAD(&session->mappings);
	INIT_WORK(&session->close_work, close_work);
	for (i = 0; i < VMEDIA_QUEUES; i++)
		vmedia_queue_init(&session->queues[i], session, i);
	session->close = close_command(device);
	if (session->close)
		return session;
	free_session(session);
	return NULL;
}

/* CLOSE */

/* Return: the command, for whom calls this first; NULL if there is nothing to close. */
static struct vmedia_command *take_close(struct vmedia_session *session)
{
	struct vmedia_device *device = session->device;
	struct vmedia_command *command = NULL;

	spin_lock_irq(&device->lock);
	if (!session->closed && !device->stopped) {
		command = session->close;
		session->close = NULL;
	}
	session->closed = true;
	spin_unlock_irq(&device->lock);
	return command;
}

/* Not while somebody else may. Waits until the device has let go of everything. */
static void send_close(struct vmedia_session *session)
{
	struct vmedia_command *command = take_close(session);

	if (!command)
		return;
	set_close_id(command, session->id);
	if (vmedia_command_run_for(command, CLOSE_SECONDS * HZ) == -EINTR)
		session->lost = true;
	else
		vmedia_command_free(command);
}

/* After an ERROR event: the device wants to hear that we have understood. */
static void close_work(struct work_struct *work)
{
	send_close(container_of(work, struct vmedia_session, close_work));
}

static void close_session(struct vmedia_session *session)
{
	send_close(session);
	/* Pages that the device may write to are nobody else's, ever. */
	if (session->lost)
		dev_err(&session->device->virtio->dev, "the device does not close session %u\n",
			session->id);
	else
		free_session(session);
}

/* OPEN */

/* Nobody waits for it any more: what was opened is closed. */
static void close_orphan(struct vmedia_command *command)
{
	const struct virtio_media_resp_open *response = command->in;
	struct vmedia_command *close = command->context;

	if (command->error == 0 && vmedia_command_status(command) == 0 &&
	    command->used >= sizeof(*response)) {
		set_close_id(close, le32_to_cpu(response->session_id));
		vmedia_command_post(close);
	} else {
		vmedia_command_free(close);
	}
	vmedia_device_put(command->device);
}

/* If the process is killed, CLOSE is the orphan's. */
static int open_session(struct vmedia_session *session)
{
	struct vmedia_device *device = session->device;
	const struct virtio_media_resp_open *response;
	struct virtio_media_cmd_open *open;
	struct vmedia_command *command;
	int r;

	command = vmedia_command_new(device, sizeof(*open), sizeof(*response));
	if (!command)
		return -ENOMEM;
	open = command->out;
	open->hdr.cmd = cpu_to_le32(VIRTIO_MEDIA_CMD_OPEN);
	vmedia_device_get(device);
	command->orphan = close_orphan;
	command->context = session->close;
	r = vmedia_command_run(command);
	if (r == -EINTR) {
		session->close = NULL;
		return r;
	}
	response = command->in;
	if (r == 0)
		r = vmedia_command_status(command);
	if (r == 0 && command->used < sizeof(*response))
		r = -EIO;
	if (r == 0)
		session->id = le32_to_cpu(response->session_id);
	vmedia_command_free(command);
	vmedia_device_put(device);
	return r;
}

static int session_open(struct file *file)
{
	struct vmedia_device *device =
		container_of(video_devdata(file), struct vmedia_device, video);
	struct vmedia_session *session;
	int r;

	session = new_session(device, file);
	if (!session)
		return -ENOMEM;
	r = open_session(session);
	if (r < 0) {
		free_session(session);
		return r;
	}
	r = xa_insert(&device->sessions, session->id, session, GFP_KERNEL);
	if (r < 0) {
		/* An id that is in use: the device is wrong. Or no memory. */
		close_session(session);
		return r == -EBUSY ? -EIO : r;
	}
	mutex_lock(&device->files_mutex);
	list_add_tail(&session->link, &device->files);
	/* vmedia_session_end_all() may have been here already. */
	spin_lock_irq(&device->lock);
	if (device->stopped)
		session->error = -ENODEV;
	spin_unlock_irq(&device->lock);
	mutex_unlock(&device->files_mutex);
	file->private_data = session;
	return 0;
}

static int session_release(struct file *file)
{
	struct vmedia_session *session = file->private_data;
	struct vmedia_device *device = session->device;

	mutex_lock(&device->files_mutex);
	list_del(&session->link);
	mutex_unlock(&device->files_mutex);
	xa_erase(&device->sessions, session->id);
	/* Who has found it holds the lock. */
	spin_lock_irq(&device->lock);
	spin_unlock_irq(&device->lock);
	flush_work(&session->close_work);
	close_session(session);
	return 0;
}

/* The end. */

/* vmedia_session_fail - all calls end with @error from now on. Under vmedia_device.lock. */
void vmedia_session_fail(struct vmedia_session *session, int error)
{
	if (!session->error)
		session->error = error;
	if (!session->closed)
		queue_work(vmedia_workqueue, &session->close_work);
	wake_up_all(&session->wait);
}

/* vmedia_session_end_all - the device has stopped, and with it what is mapped. */
void vmedia_session_end_all(struct vmedia_device *device)
{
	struct vmedia_session *session;

	mutex_lock(&device->files_mutex);
	list_for_each_entry(session, &device->files, link) {
		spin_lock_irq(&device->lock);
		session->error = -ENODEV;
		session->closed = true;
		wake_up_all(&session->wait);
		spin_unlock_irq(&device->lock);
		unmap_mapping_range(session->file->f_mapping, 0, 0, 1);
	}
	mutex_unlock(&device->files_mutex);
}

static __poll_t session_poll(struct file *file, struct poll_table_struct *table)
{
	struct vmedia_session *session = file->private_data;
	struct vmedia_device *device = session->device;
	__poll_t mask = 0;

	poll_wait(file, &session->wait, table);
	spin_lock_irq(&device->lock);
	if (session->error) {
		mask = EPOLLERR | EPOLLHUP | EPOLLPRI;
	} else {
		if (session->events_n > 0)
			mask |= EPOLLPRI;
		mask |= vmedia_dequeue_poll(session, poll_requested_events(table));
	}
	spin_unlock_irq(&device->lock);
	return mask;
}

const struct v4l2_file_operations vmedia_file_operations = {
	.owner = THIS_MODULE,
	.open = session_open,
	.release = session_release,
	.unlocked_ioctl = vmedia_ioctl,
	.mmap = vmedia_mapping_mmap,
	.poll = session_poll,
};
