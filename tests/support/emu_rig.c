/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_rig.c - an emulated V4L2 device of a test's own, and its applications. See emu_rig.h.
 */
#include "emu_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/emu_impl.h"
#include "loop_kinds.h"

static const struct v4l2_fract intervals[] = {{1, 60}, {1, 30}, {1, 10}};

static const struct emu_size discrete[] = {
	{.range = {.min_width = 32, .min_height = 24}, .intervals = intervals, .intervals_n = 3},
	{.range = {.min_width = 64, .min_height = 48},
	 .intervals = &intervals[1],
	 .intervals_n = 2},
};

/* 16 to 160 by 8, 16 to 120 by 2; 1/20 s, 1/20 s + 3/100 s, ... up to 49/50 s. */
static const struct emu_size stepwise[] = {{
	.range = {16, 160, 8, 16, 120, 2},
	.interval_range = {{1, 20}, {1, 1}, {3, 100}},
}};

static const struct emu_size continuous[] = {{
	.range = {2, 4096, 1, 2, 4096, 1},
	.interval_range = {{1, 100}, {2, 1}, {1, 1}},
}};

static const struct emu_format formats[] = {
	{
		.pixelformat = V4L2_PIX_FMT_YUYV,
		.description = "YUYV 4:2:2",
		.line_bytes = 2,
		.pair_bytes = 4,
		.colorspace = V4L2_COLORSPACE_SRGB,
		.ycbcr_enc = V4L2_YCBCR_ENC_601,
		.quantization = V4L2_QUANTIZATION_LIM_RANGE,
		.xfer_func = V4L2_XFER_FUNC_SRGB,
		.sizes = discrete,
		.sizes_n = 2,
	},
	{
		.pixelformat = V4L2_PIX_FMT_NV12,
		.description = "Y/CbCr 4:2:0",
		.line_bytes = 1,
		.pair_bytes = 3,
		.colorspace = V4L2_COLORSPACE_REC709,
		.sizes = stepwise,
		.sizes_n = 1,
	},
	{
		.pixelformat = V4L2_PIX_FMT_MJPEG,
		.description = "Motion-JPEG",
		.flags = V4L2_FMT_FLAG_COMPRESSED,
		.pair_bytes = 4,
		.colorspace = V4L2_COLORSPACE_JPEG,
		.sizes = continuous,
		.sizes_n = 1,
	},
};

static const struct emu_size timeless[] = {{.range = {.min_width = 64, .min_height = 48}}};

static const struct emu_format plain[] = {{
	.pixelformat = V4L2_PIX_FMT_YUYV,
	.description = "YUYV 4:2:2",
	.line_bytes = 2,
	.pair_bytes = 4,
	.colorspace = V4L2_COLORSPACE_SRGB,
	.sizes = timeless,
	.sizes_n = 1,
}};

static const struct emu_stream camera_streams[] = {{
	.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
	.timestamp = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
	.formats = formats,
	.formats_n = 3,
	.width = 64,
	.height = 48,
	.interval = {1, 30},
}};

static const struct emu_stream codec_streams[] = {
	{
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.timestamp = V4L2_BUF_FLAG_TIMESTAMP_COPY,
		.formats = plain,
		.formats_n = 1,
	},
	{
		.type = V4L2_BUF_TYPE_VIDEO_OUTPUT,
		.timestamp = V4L2_BUF_FLAG_TIMESTAMP_COPY,
		.formats = plain,
		.formats_n = 1,
	},
};

#define CLASS(id_, name_)                                                                          \
	{                                                                                          \
		.id = (id_), .type = V4L2_CTRL_TYPE_CTRL_CLASS, .name = (name_)                    \
	}

static const char *const menu[] = {"a", "b", "c"};
static const uint32_t elements[] = {10, 20, 30};

static const struct emu_control_info controls[] = {
	CLASS(V4L2_CID_USER_CLASS, "User"),
	{
		.id = RIG_CID_PLAIN,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Plain",
		.minimum = -10,
		.maximum = 20,
		.step = 3,
		.default_value = -1,
	},
	{.id = RIG_CID_BUTTON, .type = V4L2_CTRL_TYPE_BUTTON, .name = "Button"},
	{
		.id = RIG_CID_AUTO,
		.type = V4L2_CTRL_TYPE_BOOLEAN,
		.name = "Automatic",
		.maximum = 1,
		.step = 1,
		.default_value = 1,
	},
	{
		.id = RIG_CID_MANUAL,
		.type = V4L2_CTRL_TYPE_INTEGER,
		.name = "Manual",
		.maximum = 100,
		.step = 1,
		.default_value = 50,
		.automatic = RIG_CID_AUTO,
	},
	CLASS(V4L2_CID_CAMERA_CLASS, "Camera"),
	{
		.id = RIG_CID_COUNT,
		.type = V4L2_CTRL_TYPE_INTEGER64,
		.name = "Count",
		.flags = V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE,
		.maximum = INT64_MAX,
		.step = 1,
	},
	CLASS(V4L2_CID_IMAGE_PROC_CLASS, "Processing"),
	{
		.id = RIG_CID_MENU,
		.type = V4L2_CTRL_TYPE_MENU,
		.name = "Menu",
		.maximum = 2,
		.step = 1,
		.default_value = 1,
		.menu = menu,
	},
	{
		.id = RIG_CID_ARRAY,
		.type = V4L2_CTRL_TYPE_U32,
		.name = "Array",
		.minimum = 10,
		.maximum = 1000,
		.step = 10,
		.default_value = 10,
		.defaults = elements,
		.elems = 3,
	},
};

static const char *const inputs[] = {"Front", "Back"};

/* The device. */

static struct emu_rig *rig_of(struct emu *emu)
{
	return container_of(emu, struct emu_rig, emu);
}

static int start(struct emu_queue *queue)
{
	struct emu_rig *rig = rig_of(queue->context->emu);

	rig->starts++;
	return rig->start_result;
}

static void stop(struct emu_queue *queue)
{
	rig_of(queue->context->emu)->stops++;
}

static void queued(struct emu_queue *queue)
{
	rig_of(queue->context->emu)->queued++;
}

static void control_set(struct emu_context *context, const struct emu_control *control)
{
	struct emu_rig *rig = rig_of(context->emu);

	rig->sets++;
	rig->set_id = control->info->id;
}

static int64_t control_get(struct emu_context *context, const struct emu_control *control)
{
	assert_int_equal(control->info->id, RIG_CID_COUNT);
	return rig_of(context->emu)->count;
}

static void rig_free(struct emu *emu)
{
	rig_of(emu)->frees++;
}

static const struct emu_class shared_class = {
	.start = start,
	.stop = stop,
	.queued = queued,
	.control_set = control_set,
	.control_get = control_get,
	.free = rig_free,
};

static const struct emu_class codec_class = {
	.context_per_file = true,
	.start = start,
	.stop = stop,
	.queued = queued,
	.control_get = control_get,
	.free = rig_free,
};

static const struct emu_setup setups[] = {
	[RIG_CAMERA] =
		{
			.class = &shared_class,
			.streams = camera_streams,
			.streams_n = 1,
			.controls = controls,
			.controls_n = ARRAY_SIZE(controls),
			.inputs = inputs,
			.inputs_n = ARRAY_SIZE(inputs),
		},
	[RIG_CODEC] =
		{
			.class = &codec_class,
			.streams = codec_streams,
			.streams_n = 2,
			.controls = controls,
			.controls_n = ARRAY_SIZE(controls),
			.events = 1u << V4L2_EVENT_EOS | 1u << V4L2_EVENT_SOURCE_CHANGE,
		},
	[RIG_BARE] =
		{
			.class = &shared_class,
			.streams = codec_streams,
			.streams_n = 1,
		},
};

void emu_rig_init(struct emu_rig *rig, enum rig_shape shape)
{
	*rig = (struct emu_rig) {.setup = setups[shape]};
	rig->loop = kind_loop();
	assert_int_equal(emu_init(&rig->emu, rig->loop, &rig->setup), 0);
}

void emu_rig_deinit(struct emu_rig *rig)
{
	for (unsigned int i = 0; i < RIG_FILES_MAX; i++)
		if (rig->files[i].file)
			emu_rig_close(&rig->files[i]);
	rig->emu.backend.ops->free(&rig->emu.backend);
	assert_int_equal(rig->frees, 1);
	loop_free(rig->loop);
}

struct emu_queue *emu_rig_queue(const struct rig_file *file, uint32_t type)
{
	struct emu_file *emu_file = container_of(file->file, struct emu_file, file);
	struct emu_queue *queue = emu_queue_find(emu_file->context, type);

	assert_non_null(queue);
	return queue;
}

void emu_rig_finish(struct emu_queue *queue, uint32_t bytesused, uint32_t sequence, uint32_t flags)
{
	struct emu_buffer *buffer = emu_queue_next(queue);

	assert_non_null(buffer);
	buffer->bytesused = bytesused;
	buffer->sequence = sequence;
	buffer->flags |= flags;
	buffer->timestamp = (struct timeval) {.tv_sec = 1 + sequence, .tv_usec = 7};
	emu_queue_done(queue, buffer);
}

/* The applications. */

static void ready(struct media_file *media_file, uint32_t events)
{
	struct rig_file *file = media_file->owner;

	file->calls++;
	file->events = events;
	if (file->again)
		rig_watch(file, file->again);
	if (file->to_silence)
		rig_watch(file->to_silence, 0);
	if (file->to_close)
		emu_rig_close(file->to_close);
}

void rig_adopt(struct rig_file *file, struct media_file *media_file)
{
	*file = (struct rig_file) {.file = media_file};
	media_file->ready = ready;
	media_file->owner = file;
}

struct rig_file *emu_rig_open(struct emu_rig *rig, unsigned int i)
{
	struct media_file *media_file;

	assert_true(i < RIG_FILES_MAX && !rig->files[i].file);
	assert_int_equal(rig->emu.backend.ops->open(&rig->emu.backend, &media_file), 0);
	rig_adopt(&rig->files[i], media_file);
	rig->files[i].rig = rig;
	return &rig->files[i];
}

void emu_rig_close(struct rig_file *file)
{
	file->file->backend->ops->close(file->file);
	file->file = NULL;
}

int rig_do(struct rig_file *file, unsigned long cmd, void *arg)
{
	return file->file->backend->ops->ioctl(file->file, cmd, arg);
}

void rig_watch(struct rig_file *file, uint32_t events)
{
	const unsigned int calls = file->calls;

	assert_int_equal(file->file->backend->ops->watch(file->file, events), 0);
	assert_int_equal(file->calls, calls);
}

int rig_reqbufs(struct rig_file *file, uint32_t type, uint32_t memory, uint32_t count)
{
	struct v4l2_requestbuffers request = {.count = count, .type = type, .memory = memory};

	return rig_do(file, VIDIOC_REQBUFS, &request);
}

int rig_qbuf(struct rig_file *file, uint32_t type, uint32_t memory, uint32_t index)
{
	struct v4l2_buffer buffer = {.type = type, .memory = memory, .index = index};

	return rig_do(file, VIDIOC_QBUF, &buffer);
}

int rig_dqbuf(struct rig_file *file, uint32_t type, struct v4l2_buffer *out)
{
	*out = (struct v4l2_buffer) {.type = type, .memory = V4L2_MEMORY_MMAP};
	return rig_do(file, VIDIOC_DQBUF, out);
}

int rig_querybuf(struct rig_file *file, uint32_t type, uint32_t index, struct v4l2_buffer *out)
{
	*out = (struct v4l2_buffer) {.type = type, .index = index, .reserved2 = 1, .request_fd = 7};
	return rig_do(file, VIDIOC_QUERYBUF, out);
}

int rig_stream(struct rig_file *file, uint32_t type, bool on)
{
	return rig_do(file, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type);
}

void rig_expect(const char *what, int got, int wanted)
{
	if (got != wanted)
		fail_msg("%s: %d instead of %d", what, got, wanted);
}

bool rig_is_zero(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	while (len-- > 0)
		if (*byte++)
			return false;
	return true;
}
