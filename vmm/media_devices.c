/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_devices.c - the media devices that the configuration asks for. See media_devices.h.
 *
 * One of the files of this folder that know devices by name: a device is a thread, a backend on
 * its loop, the virtio device over that, and a window into guest physical addresses, which is put
 * together here. A device is private to its thread as soon as that runs.
 */
#include "vmm/media_devices.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "devices/media/backend_convert.h"
#include "devices/media/backend_test.h"
#include "devices/media/backend_v4l2.h"
#include "devices/media/media.h"
#include "log.h"
#include "loop_thread.h"
#include "virtio_media.h"
#include "vmm/guest_clock.h"

/* What can be configured is what there is. */
static_assert(CONFIG_MEDIA_SHM == MEDIA_SHM_DEFAULT, "limits");
static_assert(CONFIG_MEDIA_SESSIONS == MEDIA_SESSIONS_DEFAULT, "limits");
static_assert(CONFIG_MEDIA_SESSIONS_MAX == MEDIA_SESSIONS_MAX, "limits");
static_assert(CONFIG_MEDIA_BUFFERS == MEDIA_BUFFERS_DEFAULT, "limits");
static_assert(CONFIG_MEDIA_BUFFERS_MAX == MEDIA_BUFFERS_MAX, "limits");
static_assert(CONFIG_FRAME_SIDE_MIN == CAMERA_SIDE_MIN, "limits");
static_assert(CONFIG_FRAME_SIDE_MAX == CAMERA_SIDE_MAX, "limits");
static_assert(CONFIG_FRAME_RATE_MAX == CAMERA_RATE_MAX, "limits");
static_assert(CONFIG_FRAME_NUMBER_MAX == CAMERA_RATE_LAST, "limits");

struct device {
	struct loop_thread *thread;
	struct virtio_env env;
	struct media *media;
	uint64_t gpa, size; /* of its window; size 0: not there yet */
};

struct media_devices {
	const struct config *config;
	struct vm *vm;
	struct virtio_slots *slots;
	const struct media_devices_ops *ops;
	void *owner;
	const struct gmem *gmem;
	struct guest_clock *clock; /* NULL: no device wants it */
	struct media_clock to_guest;
	struct vcpu_fault fault;
	uint64_t next; /* for arch_window() */
	struct device all[CONFIG_MEDIA_MAX];
	size_t n;
};

/* --- time stamps --- */

static int64_t to_guest(struct media_clock *media, int64_t ns)
{
	struct media_devices *devices = container_of(media, struct media_devices, to_guest);

	return guest_clock_translate(devices->clock, ns);
}

static int add_clock(struct media_devices *devices, struct error *err)
{
	for (size_t i = 0; i < devices->config->media_n; i++)
		if (devices->config->media[i].timestamps == TIMESTAMPS_GUEST)
			return guest_clock_new(&devices->clock, devices->vm, err);
	return 0;
}

/* --- windows --- */

/* The first half of a window can be written to, the second is for reading. */
static int add_window(struct media_devices *devices, struct device *device, struct error *err)
{
	struct media_window *window = media_window(device->media);
	const uint64_t half = media_window_half(window);
	uint8_t *host = media_window_host(window);
	uint64_t gpa;
	int r = arch_window(devices->gmem, &devices->next, 2 * half, &gpa, err);

	if (r == 0)
		r = vm_add_window(devices->vm, gpa, host, half, false, err);
	if (r == 0)
		r = vm_add_window(devices->vm, gpa + half, host + half, half, true, err);
	if (r < 0)
		return r;
	device->gpa = gpa;
	device->size = 2 * half;
	media_device(device->media)->shm[VIRTIO_MEDIA_SHM_MMAP] = (struct virtio_shm) {
		.gpa = gpa,
		.len = 2 * half,
	};
	return 0;
}

/* On a vCPU's thread. */
static bool repair(struct vcpu_fault *fault, uint64_t gpa)
{
	struct media_devices *devices = container_of(fault, struct media_devices, fault);
	bool repaired = false;

	for (size_t i = 0; i < devices->n; i++) {
		const struct device *device = &devices->all[i];
		struct media_window *window = media_window(device->media);

		if (gpa == VCPU_FAULT_ANYWHERE)
			repaired |= media_window_repair(window, MEDIA_WINDOW_ANYWHERE);
		else if (gpa - device->gpa < device->size)
			repaired |= media_window_repair(window, gpa - device->gpa);
	}
	return repaired;
}

/* --- devices --- */

static int make_camera(struct media_backend **out, struct loop *loop,
		       const struct config_media *config, struct error *err)
{
	const struct camera_options options = {
		.width = config->size.width,
		.height = config->size.height,
		.frames = config->fps.frames,
		.seconds = config->fps.seconds,
		.formats = config->formats,
	};

	return backend_test_new(out, loop, &options, err);
}

static int make_node(struct media_backend **out, struct loop *loop,
		     const struct config_media *config, struct error *err)
{
	const struct v4l2_source source = {
		.path = config->path,
		.by_id = config->by_id,
		.fd = config->fd,
	};
	int r;

	if (config->convert && !backend_convert_possible())
		return error_set(err, EOPNOTSUPP,
				 "convert=on is not possible: this vmm was built without "
				 "libv4lconvert");
	r = backend_v4l2_new(out, loop, &source, err);
	return r == 0 && config->convert ? backend_convert_new(out, loop, *out, err) : r;
}

static int make_backend(struct media_backend **out, struct loop *loop,
			const struct config_media *config, struct error *err)
{
	if (config->test)
		return make_camera(out, loop, config, err);
	return make_node(out, loop, config, err);
}

static int add_device(struct media_devices *devices, size_t index, struct error *err)
{
	const struct config_media *config = &devices->config->media[index];
	struct device *device = &devices->all[devices->n];
	const struct media_options options = {
		.label = config->label,
		.shm = config->shm,
		.sessions_max = config->sessions,
		.buffers_max = config->buffers,
		.clock = config->timestamps == TIMESTAMPS_GUEST ? &devices->to_guest : NULL,
	};
	struct media_backend *backend;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "media%u", (unsigned int)index);
	r = loop_thread_new(&device->thread, devices->config->loop, 0, name, err);
	if (r < 0)
		return r;
	devices->n++;
	device->env = (struct virtio_env) {
		.gmem = devices->gmem,
		.loop = loop_thread_loop(device->thread),
		.split_only = !devices->config->virtio.packed,
	};
	r = make_backend(&backend, device->env.loop, config, err);
	if (r == 0)
		r = media_new(&device->media, &device->env, backend, &options, err);
	if (r == 0)
		r = add_window(devices, device, err);
	if (r == 0)
		r = virtio_slots_add(devices->slots, media_device(device->media), err);
	return r;
}

int media_devices_new(struct media_devices **out, const struct config *config,
		      const struct gmem *gmem, struct vm *vm, struct virtio_slots *slots,
		      const struct media_devices_ops *ops, void *owner, struct error *err)
{
	struct media_devices *devices = calloc(1, sizeof(*devices));
	int r;

	if (!devices)
		return error_set(err, ENOMEM, "out of memory");
	*out = devices;
	devices->config = config;
	devices->gmem = gmem;
	devices->vm = vm;
	devices->slots = slots;
	devices->ops = ops;
	devices->owner = owner;
	devices->to_guest.to_guest = to_guest;
	devices->fault.repair = repair;
	if (config->media_n && gmem_fd(gmem) < 0)
		log_info(
			"guest memory is not shared: media devices refuse buffers in it (USERPTR)");
	r = add_clock(devices, err);
	for (size_t i = 0; i < config->media_n && r == 0; i++)
		r = add_device(devices, i, err);
	return r;
}

void media_devices_env(struct media_devices *devices, struct vcpu_env *env)
{
	if (devices->n)
		env->fault = &devices->fault;
	if (devices->clock)
		env->exits = guest_clock_exits(devices->clock);
}

int media_devices_start(struct media_devices *devices, struct error *err)
{
	for (size_t i = 0; i < devices->n; i++) {
		struct loop_thread *thread = devices->all[i].thread;
		int r;

		loop_thread_on_failure(thread, devices->ops->failed, devices->owner);
		r = loop_thread_start(thread);
		if (r < 0)
			return error_set(err, -r, "cannot start the thread of media device %zu: %s",
					 i, strerror(-r));
	}
	return 0;
}

void media_devices_stop(struct media_devices *devices)
{
	for (size_t i = 0; devices && i < devices->n; i++)
		loop_thread_stop(devices->all[i].thread);
}

void media_devices_free(struct media_devices *devices)
{
	if (!devices)
		return;
	for (size_t i = 0; i < devices->n; i++) {
		media_free(devices->all[i].media);
		loop_thread_free(devices->all[i].thread);
	}
	guest_clock_free(devices->clock);
	free(devices);
}
