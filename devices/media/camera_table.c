/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * camera_table.c - formats, frame sizes and rates of the synthetic camera. See camera_table.h.
 *
 * Sizes and rates are lists, as USB cameras have them, since that is what applications know best.
 * What the user has asked for is in the lists too, in its place. Main thread.
 */
#include "devices/media/camera_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/media/jpeg.h"

/* What a large frame costs: 3840x2160 comes 30 times a second, 1920x1080 120 times. */
#define PIXELS_PER_S_MAX UINT64_C(248832000)

static const struct {
	const char *name; /* V4L2's four letters */
	struct emu_format format;
} formats[] = {
	{
		"YUYV",
		{
			.pixelformat = V4L2_PIX_FMT_YUYV,
			.description = "YUYV 4:2:2",
			.line_bytes = 2,
			.pair_bytes = 4,
			.colorspace = V4L2_COLORSPACE_SRGB,
			.ycbcr_enc = V4L2_YCBCR_ENC_601,
			.quantization = V4L2_QUANTIZATION_LIM_RANGE,
			.xfer_func = V4L2_XFER_FUNC_SRGB,
		},
	},
	{
		"NV12",
		{
			.pixelformat = V4L2_PIX_FMT_NV12,
			.description = "Y/CbCr 4:2:0",
			.line_bytes = 1,
			.pair_bytes = 3,
			.colorspace = V4L2_COLORSPACE_SRGB,
			.ycbcr_enc = V4L2_YCBCR_ENC_601,
			.quantization = V4L2_QUANTIZATION_LIM_RANGE,
			.xfer_func = V4L2_XFER_FUNC_SRGB,
		},
	},
	{
		"RGB3",
		{
			.pixelformat = V4L2_PIX_FMT_RGB24,
			.description = "24-bit RGB 8-8-8",
			.line_bytes = 3,
			.pair_bytes = 6,
			.colorspace = V4L2_COLORSPACE_SRGB,
			.quantization = V4L2_QUANTIZATION_FULL_RANGE,
			.xfer_func = V4L2_XFER_FUNC_SRGB,
		},
	},
	{
		"MJPG",
		{
			.pixelformat = V4L2_PIX_FMT_MJPEG,
			.description = "Motion-JPEG",
			.flags = V4L2_FMT_FLAG_COMPRESSED,
			.pair_bytes = 8,
			.colorspace = V4L2_COLORSPACE_JPEG,
		},
	},
};

static const struct {
	uint32_t width, height;
} sizes[] = {
	{160, 120},  {320, 240},   {640, 360},	 {640, 480},   {800, 600},
	{1280, 720}, {1920, 1080}, {2560, 1440}, {3840, 2160},
};

static const uint32_t rates[] = {120, 90, 60, 50, 30, 25, 24, 20, 15, 10, 5, 1};

static_assert(ARRAY_SIZE(formats) <= CAMERA_FORMATS_MAX, "room");
static_assert(ARRAY_SIZE(sizes) < CAMERA_SIZES_MAX, "room for the user's");
static_assert(ARRAY_SIZE(rates) < CAMERA_INTERVALS_MAX, "room for the user's");

static bool is_possible(const struct emu_format *format)
{
	return format->pixelformat != V4L2_PIX_FMT_MJPEG || jpeg_possible();
}

/* Formats. */

static const char *names(void)
{
	return jpeg_possible() ? "YUYV, NV12, RGB3 and MJPG" : "YUYV, NV12 and RGB3";
}

static int add_format(struct camera_table *table, const char *name, size_t len, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strlen(formats[i].name) != len || memcmp(formats[i].name, name, len) != 0)
			continue;
		if (!is_possible(&formats[i].format))
			return error_set(err, EINVAL,
					 "test camera: this vmm was built without libjpeg and has "
					 "no %s: there are %s",
					 formats[i].name, names());
		for (unsigned int k = 0; k < table->formats_n; k++)
			if (table->formats[k].pixelformat == formats[i].format.pixelformat)
				return error_set(err, EINVAL,
						 "test camera: format %s is named twice",
						 formats[i].name);
		table->formats[table->formats_n++] = formats[i].format;
		return 0;
	}
	return error_set(err, EINVAL, "test camera: there is no format '%.*s': there are %s",
			 (int)MIN(len, (size_t)80), name, names());
}

static int fill_formats(struct camera_table *table, const char *wanted, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !wanted && i < ARRAY_SIZE(formats); i++)
		if (is_possible(&formats[i].format))
			table->formats[table->formats_n++] = formats[i].format;
	while (wanted && r == 0) {
		const size_t len = strcspn(wanted, ":");

		r = add_format(table, wanted, len, err);
		wanted = wanted[len] ? &wanted[len + 1] : NULL;
	}
	return r;
}

/* Rates. */

/* Is @a the shorter one, or as long? */
static bool not_longer(struct v4l2_fract a, struct v4l2_fract b)
{
	return (uint64_t)a.numerator * b.denominator <= (uint64_t)b.numerator * a.denominator;
}

static void add_interval(struct camera_table *table, struct v4l2_fract interval)
{
	unsigned int at = 0;

	while (at < table->intervals_n && !not_longer(interval, table->intervals[at]))
		at++;
	if (at < table->intervals_n && not_longer(table->intervals[at], interval))
		return;
	memmove(&table->intervals[at + 1], &table->intervals[at],
		(table->intervals_n - at) * sizeof(table->intervals[0]));
	table->intervals[at] = interval;
	table->intervals_n++;
}

static int fill_intervals(struct camera_table *table, uint32_t frames, uint32_t seconds,
			  struct error *err)
{
	if (frames == 0 && seconds == 0) {
		frames = 30;
		seconds = 1;
	}
	if (frames == 0 || seconds == 0 || frames > CAMERA_RATE_LAST ||
	    seconds > CAMERA_RATE_LAST || frames > (uint64_t)CAMERA_RATE_MAX * seconds)
		return error_set(err, EINVAL,
				 "test camera: %u frames in %u seconds: up to %d frames a second "
				 "are possible, as two numbers from 1 to %d",
				 frames, seconds, CAMERA_RATE_MAX, CAMERA_RATE_LAST);
	table->interval = (struct v4l2_fract) {.numerator = seconds, .denominator = frames};
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		add_interval(table, (struct v4l2_fract) {1, rates[i]});
	add_interval(table, table->interval);
	return 0;
}

/* Sizes. */

/* The rates that are not too much for it; of the user's size the user's rate is not. */
static struct emu_size size_of(const struct camera_table *table, uint32_t width, uint32_t height)
{
	const bool asked = width == table->width && height == table->height;
	const uint64_t pixels = (uint64_t)width * height;
	const uint64_t rate = MAX(PIXELS_PER_S_MAX / pixels, UINT64_C(1));
	const struct v4l2_fract least = {1, (uint32_t)rate};
	unsigned int first = 0;

	while (!not_longer(least, table->intervals[first]) &&
	       !(asked && not_longer(table->interval, table->intervals[first])))
		first++;
	return (struct emu_size) {
		.range = {.min_width = width, .min_height = height},
		.intervals = &table->intervals[first],
		.intervals_n = table->intervals_n - first,
	};
}

static void add_size(struct camera_table *table, uint32_t width, uint32_t height)
{
	table->sizes[table->sizes_n++] = size_of(table, width, height);
}

static int fill_sizes(struct camera_table *table, uint32_t width, uint32_t height,
		      struct error *err)
{
	bool added = false;

	if (width == 0 && height == 0) {
		width = 640;
		height = 480;
	}
	if (width < CAMERA_SIDE_MIN || height < CAMERA_SIDE_MIN || width > CAMERA_SIDE_MAX ||
	    height > CAMERA_SIDE_MAX || width % 2 || height % 2)
		return error_set(err, EINVAL,
				 "test camera: a frame of %ux%u is not possible: each side is an "
				 "even number from %d to %d",
				 width, height, CAMERA_SIDE_MIN, CAMERA_SIDE_MAX);
	table->width = width;
	table->height = height;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const bool same = sizes[i].width == width && sizes[i].height == height;

		if (!added && !same &&
		    (uint64_t)sizes[i].width * sizes[i].height > (uint64_t)width * height)
			add_size(table, width, height);
		added |= same ||
			 (uint64_t)sizes[i].width * sizes[i].height > (uint64_t)width * height;
		add_size(table, sizes[i].width, sizes[i].height);
	}
	if (!added)
		add_size(table, width, height);
	return 0;
}

int camera_table_fill(struct camera_table *table, const struct camera_options *options,
		      struct error *err)
{
	bool jpeg = false;
	int r;

	*table = (struct camera_table) {0};
	r = fill_formats(table, options->formats, err);
	if (r == 0)
		r = fill_intervals(table, options->frames, options->seconds, err);
	if (r == 0)
		r = fill_sizes(table, options->width, options->height, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < table->formats_n; i++) {
		table->formats[i].sizes = table->sizes;
		table->formats[i].sizes_n = table->sizes_n;
		jpeg |= table->formats[i].pixelformat == V4L2_PIX_FMT_MJPEG;
	}
	camera_controls_fill(table, jpeg);
	return 0;
}
