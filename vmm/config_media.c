/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_media.c - the keys of --media: where the video comes from, what the guest may take of it,
 * and what the synthetic camera is like. See config_schema.h.
 *
 * The source is a key of its own for each kind, so that no file name is taken for another kind:
 * "test" alone is the switch that makes the synthetic camera, a node of that name is "./test".
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "vmm/config_schema.h"

#define SHM_MIN	     (2 * MIB)
#define SHM_MAX	     (64 * GIB)
#define SHM_MULTIPLE (2 * MIB)
#define FD_MIN	     3 /* below are the standard streams */
#define FD_MAX	     1048575
#define SIDE_STEP    2 /* chroma of two pixels is one sample */

static_assert(sizeof(enum config_timestamps) == sizeof(unsigned int), "see FIELD_ENUM");

static const char *const timestamps_names[] = {
	[TIMESTAMPS_HOST] = "host",
	[TIMESTAMPS_GUEST] = "guest",
};

static const char *const format_names[] = {"YUYV", "NV12", "RGB3", "MJPG"};

enum media_field {
	MEDIA_FIELD_PATH,
	MEDIA_FIELD_BY_ID,
	MEDIA_FIELD_FD,
	MEDIA_FIELD_TEST,
	MEDIA_FIELD_LABEL,
	MEDIA_FIELD_SHM,
	MEDIA_FIELD_TIMESTAMPS,
	MEDIA_FIELD_CONVERT,
	MEDIA_FIELD_SESSIONS,
	MEDIA_FIELD_BUFFERS,
	MEDIA_FIELD_SIZE,
	MEDIA_FIELD_FPS,
	MEDIA_FIELD_FORMATS,
};

static const struct config_field media_fields[] = {
	[MEDIA_FIELD_PATH] =
		{
			.name = "path",
			.arg = "PATH",
			.help = "a V4L2 node of the host",
			.type = FIELD_PATH,
			.offset = offsetof(struct config_media, path),
		},
	[MEDIA_FIELD_BY_ID] =
		{
			.name = "by-id",
			.arg = "NAME",
			.help = "instead: a name in /dev/v4l/by-id, or the device's own",
			.type = FIELD_PATH,
			.offset = offsetof(struct config_media, by_id),
		},
	[MEDIA_FIELD_FD] =
		{
			.name = "fd",
			.arg = "N",
			.help = "instead: a node that is open already",
			.type = FIELD_FD,
			.offset = offsetof(struct config_media, fd),
			.min = FD_MIN,
			.max = FD_MAX,
		},
	[MEDIA_FIELD_TEST] =
		{
			.name = "test",
			.arg = "on|off",
			.help = "instead: the synthetic camera",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_media, test),
		},
	[MEDIA_FIELD_LABEL] =
		{
			.name = "label",
			.arg = "TEXT",
			.help = "what the guest calls it, up to 31 bytes",
			.type = FIELD_LABEL,
			.offset = offsetof(struct config_media, label),
			.max = CONFIG_MEDIA_LABEL_MAX,
		},
	[MEDIA_FIELD_SHM] =
		{
			.name = "shm",
			.arg = "SIZE",
			.help = "buffers mapped at a time, writable, and as much read-only",
			.type = FIELD_SIZE,
			.offset = offsetof(struct config_media, shm),
			.min = SHM_MIN,
			.max = SHM_MAX,
			.multiple = SHM_MULTIPLE,
		},
	[MEDIA_FIELD_TIMESTAMPS] =
		{
			.name = "timestamps",
			.help = "whose monotonic clock frames are stamped by",
			.type = FIELD_ENUM,
			.offset = offsetof(struct config_media, timestamps),
			.names = timestamps_names,
			.names_n = ARRAY_SIZE(timestamps_names),
		},
	[MEDIA_FIELD_CONVERT] =
		{
			.name = "convert",
			.arg = "on|off",
			.help = "offer formats that any guest can decode",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_media, convert),
		},
	[MEDIA_FIELD_SESSIONS] =
		{
			.name = "sessions",
			.arg = "N",
			.help = "open at a time",
			.type = FIELD_UINT,
			.offset = offsetof(struct config_media, sessions),
			.min = 1,
			.max = CONFIG_MEDIA_SESSIONS_MAX,
		},
	[MEDIA_FIELD_BUFFERS] =
		{
			.name = "buffers",
			.arg = "N",
			.help = "of all sessions together",
			.type = FIELD_UINT,
			.offset = offsetof(struct config_media, buffers),
			.min = 1,
			.max = CONFIG_MEDIA_BUFFERS_MAX,
		},
	[MEDIA_FIELD_SIZE] =
		{
			.name = "size",
			.arg = "WxH",
			.help = "of the synthetic camera's frames at first (640x480)",
			.type = FIELD_FRAME,
			.offset = offsetof(struct config_media, size),
			.min = CONFIG_FRAME_SIDE_MIN,
			.max = CONFIG_FRAME_SIDE_MAX,
			.multiple = SIDE_STEP,
		},
	[MEDIA_FIELD_FPS] =
		{
			.name = "fps",
			.arg = "N|N/M",
			.help = "its frames in a second at first, 1 to 1000 (30)",
			.type = FIELD_RATE,
			.offset = offsetof(struct config_media, fps),
			.min = 1,
			.max = CONFIG_FRAME_RATE_MAX,
		},
	[MEDIA_FIELD_FORMATS] =
		{
			.name = "formats",
			.arg = "A:B...",
			.help = "of YUYV, NV12, RGB3 and MJPG those that it has, the first at first (all)",
			.type = FIELD_WORDS,
			.offset = offsetof(struct config_media, formats),
			.names = format_names,
			.names_n = ARRAY_SIZE(format_names),
		},
};

static int check_source(const struct config_media *media, struct error *err)
{
	const struct {
		bool given;
		const char *name;
	} sources[] = {
		{media->path, "path"},
		{media->by_id, "by-id"},
		{media->fd >= 0, "fd"},
		{media->test, "test"},
	};
	const char *source = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (!sources[i].given)
			continue;
		if (source)
			return error_set(err, EINVAL,
					 "%s and %s exclude each other: a media device has one "
					 "source",
					 source, sources[i].name);
		source = sources[i].name;
	}
	if (!source)
		return error_set(err, EINVAL,
				 "no source is named: write path=PATH, by-id=NAME, fd=N or test");
	return 0;
}

static int settle_media(void *value, uint64_t given, struct error *err)
{
	struct config_media *media = value;
	int r = check_source(media, err);

	if (r < 0)
		return r;
	if (media->test && media->convert)
		return error_set(err, EINVAL,
				 "convert=on needs a camera of the host: the synthetic one knows "
				 "the formats by itself");
	if (media->test) {
		if (!media->size.width)
			media->size = (struct config_frame_size) {640, 480};
		if (!media->fps.frames)
			media->fps = (struct config_frame_rate) {30, 1};
		return 0;
	}
	for (size_t i = MEDIA_FIELD_SIZE; i <= MEDIA_FIELD_FORMATS; i++)
		if (given & UINT64_C(1) << i)
			return error_set(
				err, EINVAL,
				"%s belongs to the synthetic camera, test: what the host's "
				"devices can do is the guest's to choose from",
				media_fields[i].name);
	return 0;
}

const struct config_composite config_media_keys = {
	.fields = media_fields,
	.fields_n = ARRAY_SIZE(media_fields),
	.settle = settle_media,
};

static bool same_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* A node serves any number of sessions of one device; a descriptor has one owner. */
static int check_media(const void *items, size_t n, struct error *err)
{
	const struct config_media *all = items, *last = &all[n - 1];

	for (size_t i = 0; i + 1 < n; i++) {
		if (same_text(all[i].path, last->path) || same_text(all[i].by_id, last->by_id))
			return error_set(err, EINVAL,
					 "'%.400s' is the source of another media device already: "
					 "the guest can open one device many times",
					 last->path ?: last->by_id);
		if (last->fd >= 0 && all[i].fd == last->fd)
			return error_set(err, EINVAL,
					 "fd %d is the source of another media device already",
					 last->fd);
	}
	return 0;
}

static const struct config_media media_defaults = {
	.fd = -1,
	.shm = CONFIG_MEDIA_SHM,
	.sessions = CONFIG_MEDIA_SESSIONS,
	.buffers = CONFIG_MEDIA_BUFFERS,
};

const struct config_list config_media_list = {
	.count = offsetof(struct config, media_n),
	.item_size = sizeof(struct config_media),
	.item_defaults = &media_defaults,
	.max = CONFIG_MEDIA_MAX,
	.check = check_media,
};
