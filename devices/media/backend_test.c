/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_test.c - a synthetic camera over the emulated V4L2 device. See backend_test.h.
 *
 * The sensor counts frames from STREAMON on, by the clock; one is painted only if there is a buffer
 * for it, and the timer runs only then. On the thread of the loop.
 */
#include "devices/media/backend_test.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "devices/media/camera_table.h"
#include "devices/media/emu.h"
#include "devices/media/pace.h"
#include "devices/media/test_picture.h"
#include "devices/media/ticks.h"
#include "virtio_media.h"

#define NS_PER_S UINT64_C(1000000000)

struct camera {
	struct emu emu;
	struct emu_setup setup;
	struct emu_stream stream;
	struct camera_table table;
	struct test_picture *picture;
	struct loop_timer timer;
	struct emu_queue *queue; /* while streaming */
	bool armed;
	struct pace pace;
	uint64_t frames; /* the sensor's, of this streaming, that somebody has looked for */
};

static struct camera *camera_of(struct emu *emu)
{
	return container_of(emu, struct camera, emu);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* One frame. */

static struct test_look look_of(const struct emu_controls *controls)
{
	struct test_look look = {
		.brightness = (int)emu_control_value(controls, V4L2_CID_BRIGHTNESS),
		.contrast = (int)emu_control_value(controls, V4L2_CID_CONTRAST),
		.saturation = (int)emu_control_value(controls, V4L2_CID_SATURATION),
		.hue = (int)emu_control_value(controls, V4L2_CID_HUE),
		.gain = CAMERA_GAIN_NEUTRAL,
		.hflip = emu_control_value(controls, V4L2_CID_HFLIP),
		.vflip = emu_control_value(controls, V4L2_CID_VFLIP),
		.pattern = (enum test_pattern)emu_control_value(controls, V4L2_CID_TEST_PATTERN),
		.quality = CAMERA_QUALITY,
	};
	const struct emu_control *quality =
		emu_control_find(controls, V4L2_CID_JPEG_COMPRESSION_QUALITY);

	if (!emu_control_value(controls, V4L2_CID_AUTOGAIN))
		look.gain = (int)emu_control_value(controls, V4L2_CID_GAIN);
	if (quality)
		look.quality = (unsigned int)quality->value;
	memcpy(look.bars, emu_control_find(controls, CAMERA_CID_BARS)->elements, sizeof(look.bars));
	return look;
}

static void take_frame(struct camera *camera, struct emu_buffer *buffer, uint32_t sequence)
{
	const struct test_look look = look_of(&camera->queue->context->controls);
	struct camera_stamp stamp = {.magic = CAMERA_STAMP_MAGIC, .sequence = sequence};
	size_t stamp_at = 0;
	uint64_t now;
	const int64_t r =
		test_picture_paint(camera->picture, &camera->queue->pix, &look, sequence,
				   sizeof(stamp), &stamp_at, buffer->data, buffer->length);

	stamp.ticks = ticks_now();
	now = now_ns();
	if (r >= 0)
		memcpy((uint8_t *)buffer->data + stamp_at, &stamp, sizeof(stamp));
	buffer->bytesused = r < 0 ? 0 : (uint32_t)r;
	buffer->flags = r < 0 ? V4L2_BUF_FLAG_ERROR : 0;
	buffer->sequence = sequence;
	buffer->timestamp.tv_sec = (time_t)(now / NS_PER_S);
	buffer->timestamp.tv_usec = (suseconds_t)(now % NS_PER_S / 1000);
}

/* The sensor. */

static int arm(struct camera *camera);

static void tick(struct loop_timer *timer)
{
	struct camera *camera = container_of(timer, struct camera, timer);
	struct emu_buffer *buffer;
	uint64_t passed;

	camera->armed = false;
	if (!camera->queue)
		return;
	buffer = emu_queue_next(camera->queue);
	if (!buffer)
		return;
	/* A clock that was adjusted meanwhile may say that it is too early. */
	passed = pace_passed(&camera->pace, now_ns());
	if (passed > camera->frames) {
		camera->frames = passed;
		take_frame(camera, buffer, (uint32_t)(passed - 1));
		emu_queue_done(camera->queue, buffer);
	}
	if (emu_queue_next(camera->queue))
		(void)arm(camera);
}

/* For the next frame that the sensor will have. */
static int arm(struct camera *camera)
{
	const uint64_t now = now_ns();
	const uint64_t next = pace_moment(&camera->pace, pace_passed(&camera->pace, now) + 1);
	const int r =
		loop_timer_set(camera->emu.loop, &camera->timer, MAX(next, now + 1) - now, 0, tick);

	camera->armed = r == 0;
	return r;
}

static int start(struct emu_queue *queue)
{
	struct camera *camera = camera_of(queue->context->emu);
	int r;

	camera->pace = (struct pace) {
		.start_ns = now_ns(),
		.seconds = queue->interval.numerator,
		.times = queue->interval.denominator,
	};
	camera->frames = 0;
	camera->queue = queue;
	/* Also if there is no buffer yet: later it does not fail. */
	r = arm(camera);
	if (r < 0)
		camera->queue = NULL;
	return r;
}

static void stop(struct emu_queue *queue)
{
	struct camera *camera = camera_of(queue->context->emu);

	loop_timer_clear(camera->emu.loop, &camera->timer);
	camera->armed = false;
	camera->queue = NULL;
}

static void queued(struct emu_queue *queue)
{
	struct camera *camera = camera_of(queue->context->emu);

	if (!camera->armed)
		(void)arm(camera);
}

/* Controls. */

static void control_set(struct emu_context *context, const struct emu_control *control)
{
	if (control->info->id != V4L2_CID_DO_WHITE_BALANCE)
		return;
	emu_control_change(context, V4L2_CID_SATURATION, CAMERA_SATURATION_NEUTRAL);
	emu_control_change(context, V4L2_CID_HUE, 0);
}

static int64_t control_get(struct emu_context *context, const struct emu_control *control)
{
	const struct camera *camera = camera_of(context->emu);

	assert(control->info->id == CAMERA_CID_FRAMES);
	return camera->queue ? (int64_t)pace_passed(&camera->pace, now_ns()) : 0;
}

/* Life. */

static void camera_free(struct emu *emu)
{
	struct camera *camera = camera_of(emu);

	test_picture_free(camera->picture);
	free(camera);
}

static const struct emu_class class = {
	.start = start,
	.stop = stop,
	.queued = queued,
	.control_set = control_set,
	.control_get = control_get,
	.free = camera_free,
};

static const char *const inputs[] = {"Test Pattern"};

static void set_up(struct camera *camera)
{
	struct media_backend *backend = &camera->emu.backend;
	const struct camera_table *table = &camera->table;

	camera->stream = (struct emu_stream) {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.timestamp = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_EOF,
		.formats = table->formats,
		.formats_n = table->formats_n,
		.width = table->width,
		.height = table->height,
		.interval = table->interval,
	};
	camera->setup = (struct emu_setup) {
		.class = &class,
		.streams = &camera->stream,
		.streams_n = 1,
		.controls = table->controls,
		.controls_n = table->controls_n,
		.inputs = inputs,
		.inputs_n = ARRAY_SIZE(inputs),
	};
	snprintf(backend->name, sizeof(backend->name), "test");
	snprintf(backend->card, sizeof(backend->card), "vmm test camera");
	backend->device_caps =
		V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
	backend->device_type = VIRTIO_MEDIA_TYPE_VIDEO;
}

int backend_test_new(struct media_backend **out, struct loop *loop,
		     const struct camera_options *options, struct error *err)
{
	struct camera *camera = calloc(1, sizeof(*camera));
	int r;

	if (!camera)
		return error_set(err, ENOMEM, "test camera: no memory");
	r = camera_table_fill(&camera->table, options, err);
	if (r < 0) {
		free(camera);
		return r;
	}
	set_up(camera);
	r = test_picture_new(&camera->picture, CAMERA_SIDE_MAX);
	if (r == 0)
		r = emu_init(&camera->emu, loop, &camera->setup);
	if (r < 0) {
		emu_deinit(&camera->emu);
		camera_free(&camera->emu);
		return error_set(err, -r, "test camera: no memory");
	}
	*out = &camera->emu.backend;
	return 0;
}
