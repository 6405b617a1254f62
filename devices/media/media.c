/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media.c - a virtio-media device: its configuration, its queues, its life. See media.h.
 *
 * Implements virtio 1.4, media device, "Device ID", "Virtqueues", "Device Configuration Layout".
 * One command is under way at a time: drivers wait for each anyhow, and the host's own ioctls of a
 * device mostly wait for each other. Events go on meanwhile. All of it runs on the device's thread.
 */
#include "devices/media/media.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/media/media_device.h"

/*
 * What V4L2 has and this device has not: read() and write() have no command, overlays need memory
 * of the host's screen. DEVICE_CAPS is not a capability of a device.
 */
#define CAPS_WITHOUT                                                                               \
	(V4L2_CAP_READWRITE | V4L2_CAP_ASYNCIO | V4L2_CAP_VIDEO_OVERLAY |                          \
	 V4L2_CAP_VIDEO_OUTPUT_OVERLAY | V4L2_CAP_DEVICE_CAPS)

/* Bytes of the backend's name that fit into messages. */
#define NAME_MAX_BYTES 25

/* Bytes of a card, so that a NUL ends it: drivers differ in what they do without. */
#define CARD_MAX 31

/* The class. */

static void serve_commands(struct media *media, struct vq *vq)
{
	struct vq_request *request;
	int r = 0;

	while (!media->running && (r = vq_pop(vq, &request)) > 0)
		media_command(media, request);
	if (r < 0)
		virtio_needs_reset(&media->dev, vq_error(vq));
	vq_notify(vq);
}

static void notify(struct virtio_device *dev, struct vq *vq)
{
	struct media *media = media_from(dev);

	if (vq_index(vq) == VIRTIO_MEDIA_COMMANDQ)
		serve_commands(media, vq);
	event_flush(media);
}

/* Of the event queue nothing is ever in flight. */
static void stop(struct virtio_device *dev, struct vq *vq)
{
	if (vq_index(vq) == VIRTIO_MEDIA_COMMANDQ)
		media_calls_stop(media_from(dev));
}

static void reset(struct virtio_device *dev)
{
	struct media *media = media_from(dev);

	session_close_all(media);
	media_window_reset(media->window);
}

static const struct virtio_class media_class = {
	.name = "media",
	.id = VIRTIO_ID_MEDIA,
	.notify = notify,
	.stop = stop,
	.reset = reset,
};

/* The configuration space. */

/* UTF-8: what is cut is cut before a whole character. */
static void set_card(char card[static CARD_MAX + 1], const char *name)
{
	size_t len = strnlen(name, CARD_MAX + 1);

	if (len > CARD_MAX)
		for (len = CARD_MAX; len > 0 && ((uint8_t)name[len] & 0xc0) == 0x80;)
			len--;
	memcpy(card, name, len);
}

/* RDS of a node that has it by read() is out of reach as well. */
static uint32_t caps_of(const struct media_backend *backend)
{
	uint32_t without = CAPS_WITHOUT;

	if (backend->device_caps & V4L2_CAP_READWRITE)
		without |= V4L2_CAP_RDS_CAPTURE;
	return backend->device_caps & ~without;
}

static void fill_config(struct media *media, const char *label)
{
	const struct media_backend *backend = media->host->backend;
	struct virtio_media_config config = {
		.device_caps = htole32(caps_of(backend)),
		.device_type = htole32(backend->device_type),
	};
	char card[sizeof(backend->card) + 1] = {};

	memcpy(card, backend->card, sizeof(backend->card));
	set_card(config.card, label ? label : card);
	virtio_set_config(&media->dev, 0, &config, sizeof(config));
}

/* Life. */

static int fill(struct media *media, const struct virtio_env *env,
		const struct media_options *options, struct error *err)
{
	static const uint16_t sizes[VIRTIO_MEDIA_QUEUES] = {MEDIA_QUEUE_SIZE, MEDIA_QUEUE_SIZE};
	const struct media_backend *backend = media->host->backend;
	int r;

	media->sessions_max = options->sessions_max;
	media->buffers_max = options->buffers_max;
	media->clock = options->clock;
	media->shared_pages = pages_possible(env->gmem);
	media->shared_dmabuf = media->shared_pages && pages_dmabuf_possible(env->gmem);
	r = media_window_new(&media->window, options->shm, err);
	if (r < 0)
		return r;
	r = offsets_new(&media->offsets);
	r = r
		    ?: virtio_init(&media->dev, &media_class, env, 0, sizes, VIRTIO_MEDIA_QUEUES,
				   sizeof(struct virtio_media_config));
	r = r ?: media_calls_begin(media, env->loop);
	if (r < 0)
		return error_set(err, -r, "media device '%s': %s", backend->name, strerror(-r));
	snprintf(media->dev.name, sizeof(media->dev.name), "media %.*s", NAME_MAX_BYTES,
		 backend->name);
	media->dev.shm[VIRTIO_MEDIA_SHM_MMAP].len = 2 * media_window_half(media->window);
	fill_config(media, options->label);
	return 0;
}

int media_new(struct media **out, const struct virtio_env *env, struct media_backend *backend,
	      const struct media_options *options, struct error *err)
{
	struct media_host *host = media_host_new(backend, options->sessions_max);
	struct media *media = host ? calloc(1, sizeof(*media)) : NULL;
	int r;

	assert(options->sessions_max >= 1 && options->sessions_max <= MEDIA_SESSIONS_MAX);
	assert(options->buffers_max >= 1 && options->buffers_max <= MEDIA_BUFFERS_MAX);
	if (!media) {
		r = error_set(err, ENOMEM, "media device '%s': %s", backend->name,
			      strerror(ENOMEM));
		if (host)
			media_host_put(host);
		else
			backend->ops->free(backend);
		return r;
	}
	media->host = host;
	r = fill(media, env, options, err);
	if (r < 0) {
		media_free(media);
		return r;
	}
	*out = media;
	return 0;
}

struct virtio_device *media_device(struct media *media)
{
	return &media->dev;
}

struct media_window *media_window(struct media *media)
{
	return media->window;
}

void media_free(struct media *media)
{
	if (!media)
		return;
	session_close_all(media);
	media_calls_end(media);
	payload_deinit(&media->here.payload);
	rest_end(media);
	virtio_deinit(&media->dev);
	media_window_free(media->window);
	offsets_free(media->offsets);
	media_host_put(media->host);
	free(media);
}
