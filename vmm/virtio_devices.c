/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_devices.c - the virtio devices that the configuration asks for. See virtio_devices.h.
 *
 * One of the files of this folder that know devices by name: each has a function here that turns
 * its part of the configuration into a device. Media devices are in media_devices.c.
 */
#include "vmm/virtio_devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/blk/blk.h"
#include "devices/console.h"
#include "devices/rng.h"
#include "loop_thread.h"
#include "vmm/chardev.h"

struct virtio_devices {
	const struct config *config;
	struct virtio_slots *slots;
	const struct virtio_devices_ops *ops;
	void *owner;
	struct loop_thread *thread;
	struct virtio_env env;

	struct console *console;
	struct chardev *chardev; /* the console's host end */
	struct blk **disks;
	size_t disks_n;
	struct rng *rng;
};

/* --- console: device and host's end, both on the devices' thread --- */

static size_t console_to_host(void *owner, const uint8_t *data, size_t len)
{
	struct virtio_devices *devices = owner;

	return chardev_write(devices->chardev, data, len);
}

static void console_has_room(void *owner)
{
	struct virtio_devices *devices = owner;

	chardev_resume(devices->chardev);
}

static const struct console_ops console_ops = {
	.output = console_to_host,
	.input_ready = console_has_room,
};

static size_t host_room(void *owner)
{
	struct virtio_devices *devices = owner;

	return console_input_room(devices->console);
}

static void host_to_console(void *owner, const uint8_t *data, size_t len)
{
	struct virtio_devices *devices = owner;

	(void)console_input(devices->console, data, len); /* no more than there is room for */
}

static void host_output_ready(void *owner)
{
	struct virtio_devices *devices = owner;

	console_output_ready(devices->console);
}

static void host_resized(void *owner, uint16_t cols, uint16_t rows)
{
	struct virtio_devices *devices = owner;

	console_resize(devices->console, cols, rows);
}

static void host_quit(void *owner)
{
	struct virtio_devices *devices = owner;

	devices->ops->quit(devices->owner);
}

static const struct chardev_ops chardev_ops = {
	.room = host_room,
	.input = host_to_console,
	.quit = host_quit,
	.output_ready = host_output_ready,
	.resized = host_resized,
};

static int add_console(struct virtio_devices *devices, struct error *err)
{
	const struct config_chardev *config = &devices->config->console;
	struct loop *loop = devices->env.loop;
	int r;

	if (config->kind == CHARDEV_OFF)
		return 0;
	r = console_new(&devices->console, &devices->env, &console_ops, devices);
	if (r < 0)
		return error_set(err, -r, "cannot make the console: %s", strerror(-r));
	r = virtio_slots_add(devices->slots, console_device(devices->console), err);
	if (r < 0)
		return r;
	r = chardev_new(&devices->chardev, "console", config, loop, err);
	if (r < 0)
		return r;
	if (chardev_path(devices->chardev))
		fprintf(stderr, "vmm: console at %s\n", chardev_path(devices->chardev));
	return 0;
}

/* --- disks, entropy --- */

static int add_disks(struct virtio_devices *devices, struct error *err)
{
	const struct config *config = devices->config;

	devices->disks = calloc(config->disks_n ?: 1, sizeof(struct blk *));
	if (!devices->disks)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < config->disks_n; i++) {
		const struct config_disk *disk = &config->disks[i];
		const struct blk_options options = {
			.path = disk->path,
			.id = disk->id,
			.readonly = disk->readonly,
			.direct = disk->direct,
			.discard = disk->discard,
			.queues = config->cpus,
		};
		struct blk **blk = &devices->disks[devices->disks_n];
		int r = blk_new(blk, &devices->env, &options, err);

		if (r < 0)
			return r;
		devices->disks_n++;
		r = virtio_slots_add(devices->slots, blk_device(*blk), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_rng(struct virtio_devices *devices, struct error *err)
{
	int r;

	if (!devices->config->rng)
		return 0;
	r = rng_new(&devices->rng, &devices->env);
	if (r < 0)
		return error_set(err, -r, "cannot make the entropy device: %s", strerror(-r));
	return virtio_slots_add(devices->slots, rng_device(devices->rng), err);
}

int virtio_devices_new(struct virtio_devices **out, const struct config *config,
		       const struct gmem *gmem, struct virtio_slots *slots,
		       const struct virtio_devices_ops *ops, void *owner, struct error *err)
{
	struct virtio_devices *devices = calloc(1, sizeof(*devices));
	int r;

	if (!devices)
		return error_set(err, ENOMEM, "out of memory");
	*out = devices;
	devices->config = config;
	devices->slots = slots;
	devices->ops = ops;
	devices->owner = owner;
	r = loop_thread_new(&devices->thread, config->loop, LOOP_FILE_IO, "virtio", err);
	if (r < 0)
		return r;
	devices->env = (struct virtio_env) {
		.gmem = gmem,
		.loop = loop_thread_loop(devices->thread),
		.split_only = !config->virtio.packed,
	};
	r = add_console(devices, err);
	if (r == 0)
		r = add_disks(devices, err);
	if (r == 0)
		r = add_rng(devices, err);
	return r;
}

int virtio_devices_start(struct virtio_devices *devices, struct error *err)
{
	int r = 0;

	if (devices->chardev)
		r = chardev_start(devices->chardev, &chardev_ops, devices, err);
	if (r < 0)
		return r;
	loop_thread_on_failure(devices->thread, devices->ops->failed, devices->owner);
	r = loop_thread_start(devices->thread);
	if (r < 0)
		return error_set(err, -r, "cannot start the virtio devices' thread: %s",
				 strerror(-r));
	return 0;
}

void virtio_devices_foreground(struct virtio_devices *devices)
{
	if (devices->chardev)
		chardev_foreground(devices->chardev);
}

void virtio_devices_winch(struct virtio_devices *devices)
{
	if (devices->chardev)
		chardev_winch(devices->chardev);
}

void virtio_devices_stop(struct virtio_devices *devices)
{
	if (devices && devices->thread)
		loop_thread_stop(devices->thread);
}

void virtio_devices_free(struct virtio_devices *devices)
{
	if (!devices)
		return;
	chardev_free(devices->chardev);
	console_free(devices->console);
	rng_free(devices->rng);
	for (size_t i = 0; i < devices->disks_n; i++)
		blk_free(devices->disks[i]);
	free(devices->disks);
	loop_thread_free(devices->thread);
	free(devices);
}
