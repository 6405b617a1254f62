// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * session.c - an open file of the node is a session of the device: open, close, poll, its end.
 *
 * Virtio 1.4, media device, "Sessions". Memory of the application that the device writes to stays
 * pinned until the device has answered CLOSE, or was reset, however long that takes and whether or
 * not somebody waits. vmedia_session_fail() runs under vmedia_device.lock; the rest in a process.
 */
#include <linux/slab.h>

#include "virtio_media.h"

/* How long close() waits, so that who opens the node next finds it free. */
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
	xa_destroy(&session->mappings);
	vmedia_command_free(session->close);
	v4l2_fh_exit(&session->fh);
	vmedia_device_put(session->device);
	kfree(session);
}

/* vmedia_session_get - @session stays until vmedia_session_put(). */
void vmedia_session_get(struct vmedia_session *session)
{
	refcount_inc(&session->users);
}

void vmedia_session_put(struct vmedia_session *session)
{
	if (refcount_dec_and_test(&session->users))
		free_session(session);
}

static struct vmedia_session *new_session(struct vmedia_device *device, struct file *file)
{
	struct vmedia_session *session = kzalloc(sizeof(*session), GFP_KERNEL);
	unsigned int i;

	if (!session)
		return NULL;
	vmedia_device_get(device);
	v4l2_fh_init(&session->fh, &device->video);
	session->device = device;
	refcount_set(&session->users, 1);
	session->file = file;
	init_waitqueue_head(&session->wait);
	mutex_init(&session->subscribe_mutex);
	INIT_LIST_HEAD(&session->subscriptions);
	INIT_LIST_HEAD(&session->events);
	mutex_init(&session->mapping_mutex);
	xa_init(&session->mappings);
	INIT_WORK(&session->close_work, close_work);
	for (i = 0; i < VMEDIA_QUEUES; i++)
		vmedia_queue_init(&session->queues[i], session, i);
	session->close = close_command(device);
	if (session->close)
		return session;
	vmedia_session_put(session);
	return NULL;
}

/* CLOSE */

/* Return: whether it was not closed before. From now on the session's id is not used. */
static bool set_closed(struct vmedia_session *session)
{
	struct vmedia_device *device = session->device;
	bool before;

	spin_lock_irq(&device->lock);
	spin_lock(&device->command_lock);
	before = session->closed;
	session->closed = true;
	spin_unlock(&device->command_lock);
	spin_unlock_irq(&device->lock);
	return !before;
}

/* The id may be another session's soon. */
static void forget_id(struct vmedia_session *session)
{
	struct vmedia_device *device = session->device;

	xa_cmpxchg(&device->sessions, session->id, session, NULL, GFP_KERNEL);
	/* Who has found it holds the lock. */
	spin_lock_irq(&device->lock);
	spin_unlock_irq(&device->lock);
}

/* CLOSE was answered after all, or the device was reset. */
static void put_orphan(struct vmedia_command *command)
{
	vmedia_session_put(command->context);
}

/* Waits for a while until the device has let go of everything; @session stays until it has. */
static void send_close(struct vmedia_session *session)
{
	struct vmedia_command *command;

	if (!set_closed(session))
		return;
	forget_id(session);
	command = session->close;
	session->close = NULL;
	set_close_id(command, session->id);
	vmedia_session_get(session);
	command->orphan = put_orphan;
	command->context = session;
	if (vmedia_command_run_for(command, CLOSE_SECONDS * HZ) == -EINTR) {
		v4l2_err(&session->device->v4l2, "the device takes long to close a session\n");
		return;
	}
	vmedia_command_free(command);
	vmedia_session_put(session);
}

/* After an ERROR event: the device wants to hear that we have understood. */
static void close_work(struct work_struct *work)
{
	send_close(container_of(work, struct vmedia_session, close_work));
}

/* OPEN */

/* Nobody waits for it any more: what was opened is closed. */
static void open_orphan(struct vmedia_command *command)
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
	command->orphan = open_orphan;
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

/* vmedia_session_fail_early - as vmedia_session_fail(), if @id is one that is being opened. */
void vmedia_session_fail_early(struct vmedia_device *device, u32 id)
{
	if (device->opening > 0 && device->failed_n < VMEDIA_FAILED_MAX)
		device->failed[device->failed_n++] = id;
}

static void begin_open(struct vmedia_device *device)
{
	spin_lock_irq(&device->lock);
	device->opening++;
	spin_unlock_irq(&device->lock);
}

/* @session: NULL if there is none. */
static void end_open(struct vmedia_device *device, struct vmedia_session *session)
{
	unsigned int i;

	spin_lock_irq(&device->lock);
	for (i = 0; i < device->failed_n && session; i++)
		if (device->failed[i] == session->id)
			vmedia_session_fail(session, -ENODEV);
	if (--device->opening == 0)
		device->failed_n = 0;
	spin_unlock_irq(&device->lock);
}

/* Makes @session one that events find. */
static int announce(struct vmedia_session *session)
{
	int r;

	r = open_session(session);
	if (r < 0)
		return r;
	r = xa_insert(&session->device->sessions, session->id, session, GFP_KERNEL);
	if (r == 0)
		return 0;
	/* An id that is in use: the device is wrong. Or no memory. */
	send_close(session);
	return r == -EBUSY ? -EIO : r;
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
	begin_open(device);
	r = announce(session);
	end_open(device, r == 0 ? session : NULL);
	if (r < 0) {
		vmedia_session_put(session);
		return r;
	}
	mutex_lock(&device->files_mutex);
	list_add_tail(&session->link, &device->files);
	/* vmedia_session_end_all() may have been here already. */
	spin_lock_irq(&device->lock);
	if (device->stopped)
		session->error = -ENODEV;
	spin_unlock_irq(&device->lock);
	mutex_unlock(&device->files_mutex);
	vmedia_fh_add(&session->fh, file);
	return 0;
}

static int session_release(struct file *file)
{
	struct vmedia_session *session = vmedia_session_of(file);
	struct vmedia_device *device = session->device;

	vmedia_fh_del(&session->fh, file);
	mutex_lock(&device->files_mutex);
	list_del(&session->link);
	mutex_unlock(&device->files_mutex);
	forget_id(session);
	/* Nobody finds it any more who would start that. */
	flush_work(&session->close_work);
	send_close(session);
	vmedia_session_put(session);
	return 0;
}

/* vmedia_session_of - @file: of the node, open. */
struct vmedia_session *vmedia_session_of(const struct file *file)
{
	return container_of((struct v4l2_fh *)file->private_data, struct vmedia_session, fh);
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
		wake_up_all(&session->wait);
		spin_unlock_irq(&device->lock);
		set_closed(session);
		forget_id(session);
		down_write(&device->window_lock);
		session->gone = true;
		up_write(&device->window_lock);
		unmap_mapping_range(session->file->f_mapping, 0, 0, 1);
	}
	mutex_unlock(&device->files_mutex);
}

/* vmedia_session_is_any - Return: whether a program has the node open and can use it. */
bool vmedia_session_is_any(struct vmedia_device *device)
{
	const struct vmedia_session *session;
	bool found = false;

	mutex_lock(&device->files_mutex);
	list_for_each_entry(session, &device->files, link)
		found |= !READ_ONCE(session->error);
	mutex_unlock(&device->files_mutex);
	return found;
}

static __poll_t session_poll(struct file *file, struct poll_table_struct *table)
{
	struct vmedia_session *session = vmedia_session_of(file);
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
