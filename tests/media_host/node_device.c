/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_device.c - a V4L2 node as a guest has it. See node_device.h, node.h.
 *
 * The device runs on its own thread, as in the real machine; waiting is for its interrupt. Events
 * of other sessions than the one that is waited for are kept. Test's thread.
 */
#include "node_device.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "devices/media/backend_v4l2.h"
#include "fake_irq.h"

#define PAGE	4096u
#define CONFIG	0x100 /* register: configuration space */
#define WAITING 128   /* events of a session */
#define SG_MAX	1024  /* pages of all controls of one command */

struct session {
	struct node node;
	struct device *device;
	uint32_t id;
	struct node_event events[WAITING];
	unsigned int first, n; /* of events; wraps */
};

static struct session *session_of(struct node *node)
{
	return container_of(node, struct session, node);
}

/* Events. */

static struct session *find(struct device *device, uint32_t id)
{
	for (unsigned int i = 0; i < device->sessions_n; i++)
		if (session_of(device->sessions[i])->id == id)
			return session_of(device->sessions[i]);
	fail_msg("an event of session %u, which is not open", id);
	return NULL;
}

static void route(struct device *device, const struct media_event *from)
{
	struct session *session = find(device, from->hdr.session_id);
	struct node_event *to = &session->events[(session->first + session->n) % WAITING];

	assert_true(session->n < WAITING);
	memset(to, 0, sizeof(*to));
	session->n++;
	switch (from->hdr.event) {
	case VIRTIO_MEDIA_EVT_DQBUF:
		assert_int_equal(from->len, sizeof(from->dqbuf));
		to->is_buffer = true;
		to->buffer = from->dqbuf.buffer;
		memcpy(to->planes, from->dqbuf.planes, sizeof(to->planes));
		break;
	case VIRTIO_MEDIA_EVT_EVENT:
		assert_int_equal(from->len, sizeof(from->event));
		to->event = from->event.event;
		break;
	default:
		fail_msg("event %u, error %u", from->hdr.event, from->error.error);
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static bool session_next(struct node *node, struct node_event *event, int ms)
{
	struct session *session = session_of(node);
	struct device *device = session->device;
	const int64_t end = now_ms() + ms;
	struct media_event from;

	while (session->n == 0) {
		const int64_t left = end - now_ms();

		if (media_driver_take(&device->md, &from))
			route(device, &from);
		else if (left <= 0)
			return false;
		else
			fake_irq_wait(&device->md.driver.irq, (int)left);
	}
	*event = session->events[session->first];
	session->first = (session->first + 1) % WAITING;
	session->n--;
	if (event->is_buffer && V4L2_TYPE_IS_MULTIPLANAR(event->buffer.type))
		event->buffer.m.planes = event->planes;
	return true;
}

/* Ioctls. */

/* Data of controls, in guest memory: pages in an order of their own. */
struct data {
	struct virtio_media_sg_entry entries[SG_MAX];
	struct media_sg sg[V4L2_CID_MAX_CTRLS];
	unsigned int entries_n, sg_n;
	uint64_t end; /* of guest memory in use */
};

static void place(struct data *data, uint32_t len)
{
	const uint32_t pages = (len + PAGE - 1) / PAGE;

	assert_true(data->entries_n + pages <= SG_MAX);
	assert_true(data->end + (uint64_t)pages * PAGE <= MEDIA_DRIVER_PAGES_END);
	data->sg[data->sg_n++] = (struct media_sg) {&data->entries[data->entries_n], pages};
	for (uint32_t i = 0; i < pages; i++)
		data->entries[data->entries_n++] = (struct virtio_media_sg_entry) {
			.start = data->end + (uint64_t)(pages - 1 - i) * PAGE,
			.len = MIN(len - i * PAGE, PAGE),
		};
	data->end += (uint64_t)pages * PAGE;
}

static void copy(struct media_driver *md, const struct media_sg *sg, uint8_t *bytes, bool in)
{
	for (uint32_t i = 0; i < sg->n; i++) {
		const struct virtio_media_sg_entry *entry = &sg->entries[i];
		uint8_t *page = media_driver_page(md, entry->start, entry->len);

		memcpy(in ? page : bytes, in ? bytes : page, entry->len);
		bytes += entry->len;
	}
}

static uint32_t controls_ioctl(struct session *session, unsigned long cmd,
			       struct v4l2_ext_controls *controls)
{
	struct media_driver *md = &session->device->md;
	struct data *data = calloc(1, sizeof(*data));
	uint32_t status;

	assert_non_null(data);
	data->end = MEDIA_DRIVER_PAGES;
	for (uint32_t i = 0; i < controls->count; i++)
		if (controls->controls[i].size) {
			place(data, controls->controls[i].size);
			copy(md, &data->sg[data->sg_n - 1], controls->controls[i].ptr, true);
		}
	status = media_driver_controls(md, session->id, cmd, controls, controls->controls, data->sg,
				       data->sg_n);
	for (uint32_t i = 0, n = 0; i < controls->count; i++)
		if (controls->controls[i].size && n < data->sg_n)
			copy(md, &data->sg[n++], controls->controls[i].ptr, false);
	free(data);
	return status;
}

static uint32_t buffer_ioctl(struct session *session, unsigned long cmd, struct v4l2_buffer *buffer)
{
	const bool multi = V4L2_TYPE_IS_MULTIPLANAR(buffer->type);
	struct v4l2_plane *planes = multi ? buffer->m.planes : NULL;
	uint32_t status;

	status = media_driver_buffer(&session->device->md, session->id, cmd, buffer, planes, NULL,
				     0);
	if (multi)
		buffer->m.planes = planes;
	return status;
}

static int session_ioctl(struct node *node, unsigned long cmd, void *arg)
{
	struct session *session = session_of(node);
	uint32_t status;

	switch (cmd) {
	case VIDIOC_QUERYBUF:
	case VIDIOC_QBUF:
	case VIDIOC_PREPARE_BUF:
		status = buffer_ioctl(session, cmd, arg);
		break;
	case VIDIOC_G_EXT_CTRLS:
	case VIDIOC_S_EXT_CTRLS:
	case VIDIOC_TRY_EXT_CTRLS:
		status = controls_ioctl(session, cmd, arg);
		break;
	default:
		status = media_driver_ioctl(&session->device->md, session->id, cmd, arg);
	}
	return -(int)status;
}

static void session_capability(struct node *node, struct v4l2_capability *capability)
{
	struct virtio_driver *driver = &session_of(node)->device->md.driver;
	uint32_t words[sizeof(struct virtio_media_config) / 4];
	struct virtio_media_config config;

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = virtio_driver_read(driver, CONFIG + i * 4);
	memcpy(&config, words, sizeof(config));
	memset(capability, 0, sizeof(*capability));
	capability->device_caps = config.device_caps;
	snprintf((char *)capability->card, sizeof(capability->card), "%.31s", config.card);
}

/* Memory. */

static uint8_t *session_map(struct node *node, uint32_t offset, uint32_t len, bool writable)
{
	struct session *session = session_of(node);
	struct media_driver *md = &session->device->md;
	uint64_t addr, got;
	uint32_t status;

	status = media_driver_mmap(md, session->id, writable ? VIRTIO_MEDIA_MMAP_FLAG_RW : 0,
				   offset, &addr, &got);
	if (status)
		fail_msg("MMAP: %s", strerror((int)status));
	assert_true(got >= len);
	return media_driver_at(md, addr);
}

static void session_unmap(struct node *node, uint8_t *at, uint32_t len)
{
	struct media_driver *md = &session_of(node)->device->md;
	const uint8_t *base = media_window_host(media_window(md->media));

	assert_int_equal(media_driver_munmap(md, (uint64_t)(at - base)), 0);
}

/* Life. */

static void session_close(struct node *node)
{
	struct session *session = session_of(node);
	struct device *device = session->device;
	unsigned int i = 0;

	media_driver_close(&device->md, session->id);
	while (device->sessions[i] != node)
		i++;
	device->sessions[i] = device->sessions[--device->sessions_n];
	free(session);
}

static const struct node_ops ops = {
	.close = session_close,
	.ioctl = session_ioctl,
	.capability = session_capability,
	.map = session_map,
	.unmap = session_unmap,
	.next = session_next,
};

struct node *device_open(struct device *device)
{
	struct session *session = calloc(1, sizeof(*session));

	assert_non_null(session);
	assert_true(device->sessions_n < ARRAY_SIZE(device->sessions));
	session->node.ops = &ops;
	session->device = device;
	session->id = media_driver_session(&device->md);
	device->sessions[device->sessions_n++] = &session->node;
	return &session->node;
}

struct device *device_new(const char *path, const struct device_options *options)
{
	const struct v4l2_source source = {.path = path, .fd = -1};
	const uint64_t features = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
	const uint64_t packed =
		VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
	struct media_options media = media_driver_defaults();
	struct device *device = calloc(1, sizeof(*device));
	struct error err = {.text = ""};
	struct media_backend *backend;

	assert_non_null(device);
	if (options->shm)
		media.shm = options->shm;
	media_driver_init(&device->md, options->epoll ? LOOP_EPOLL : LOOP_URING, true, false);
	if (backend_v4l2_new(&backend, device->md.driver.env.loop, &source, &err) < 0)
		fail_msg("%s", err.text);
	if (options->tapped)
		device->tap = tap_new(path, backend, &backend);
	media_driver_attach(&device->md, backend, &media);
	media_driver_start(&device->md, options->packed ? features | packed : features,
			   MEDIA_DRIVER_EVENTS);
	return device;
}

void device_free(struct device *device)
{
	assert_int_equal(device->sessions_n, 0);
	media_driver_deinit(&device->md);
	if (device->tap)
		tap_free(device->tap);
	free(device);
}
