/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_camera_table.c - tests camera_table.c and camera_controls.c: what the synthetic camera can
 * do, and what it says of what it cannot.
 */
#include "devices/media/camera_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/jpeg.h"

static struct camera_table table;

static int fill(uint32_t width, uint32_t height, uint32_t frames, uint32_t seconds,
		const char *formats, struct error *err)
{
	const struct camera_options options = {
		.width = width,
		.height = height,
		.frames = frames,
		.seconds = seconds,
		.formats = formats,
	};

	err->text[0] = '\0';
	return camera_table_fill(&table, &options, err);
}

static const struct {
	const char *name;
	uint32_t width, height, frames, seconds;
	const char *formats;
	const char *text; /* part of the sentence */
} mistakes[] = {
	{"odd width", 641, 480, 0, 0, NULL, "641x480"},
	{"odd height", 640, 481, 0, 0, NULL, "an even number from 16 to 8192"},
	{"narrow", 14, 480, 0, 0, NULL, "14x480"},
	{"flat", 640, 14, 0, 0, NULL, "640x14"},
	{"wide", 8194, 480, 0, 0, NULL, "from 16 to 8192"},
	{"high", 640, 8194, 0, 0, NULL, "from 16 to 8192"},
	{"one side only", 640, 0, 0, 0, NULL, "640x0"},
	{"no frames", 0, 0, 0, 1, NULL, "0 frames in 1 seconds"},
	{"no seconds", 0, 0, 30, 0, NULL, "30 frames in 0 seconds"},
	{"fast", 0, 0, 1001, 1, NULL, "up to 1000 frames a second"},
	{"a little too fast", 0, 0, 999001, 999, NULL, "up to 1000 frames a second"},
	{"large numbers", 0, 0, 1000001, 1000000, NULL, "from 1 to 1000000"},
	{"unknown format", 0, 0, 0, 0, "YUYV:H264", "no format 'H264': there are YUYV, NV12"},
	{"part of a name", 0, 0, 0, 0, "YUY", "no format 'YUY'"},
	{"more than a name", 0, 0, 0, 0, "NV12M", "no format 'NV12M'"},
	{"no format", 0, 0, 0, 0, "", "no format ''"},
	{"nothing at the end", 0, 0, 0, 0, "NV12:", "no format ''"},
	{"twice", 0, 0, 0, 0, "NV12:YUYV:NV12", "NV12 is named twice"},
};

static void mistakes_are_explained(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err;

		assert_int_equal(fill(mistakes[i].width, mistakes[i].height, mistakes[i].frames,
				      mistakes[i].seconds, mistakes[i].formats, &err),
				 -EINVAL);
		if (!strstr(err.text, mistakes[i].text))
			fail_msg("%s: %s", mistakes[i].name, err.text);
		assert_false(err.host);
	}
}

static void formats_are_those_asked_for_in_order(void **state)
{
	struct error err;

	assert_int_equal(fill(0, 0, 0, 0, NULL, &err), 0);
	assert_int_equal(table.formats_n, jpeg_possible() ? 4 : 3);
	assert_int_equal(table.formats[0].pixelformat, V4L2_PIX_FMT_YUYV);
	assert_int_equal(fill(0, 0, 0, 0, "RGB3:NV12", &err), 0);
	assert_int_equal(table.formats_n, 2);
	assert_int_equal(table.formats[0].pixelformat, V4L2_PIX_FMT_RGB24);
	assert_int_equal(table.formats[1].pixelformat, V4L2_PIX_FMT_NV12);
	if (jpeg_possible()) {
		assert_int_equal(fill(0, 0, 0, 0, "MJPG", &err), 0);
		return;
	}
	assert_int_equal(fill(0, 0, 0, 0, "MJPG", &err), -EINVAL);
	assert_non_null(strstr(err.text, "libjpeg"));
}

static const struct emu_size *find_size(uint32_t width, uint32_t height)
{
	for (unsigned int i = 0; i < table.sizes_n; i++)
		if (table.sizes[i].range.min_width == width &&
		    table.sizes[i].range.min_height == height)
			return &table.sizes[i];
	fail_msg("no %ux%u", width, height);
	return NULL;
}

static bool has_rate(const struct emu_size *size, uint32_t frames, uint32_t seconds)
{
	for (unsigned int i = 0; i < size->intervals_n; i++)
		if (size->intervals[i].numerator == seconds &&
		    size->intervals[i].denominator == frames)
			return true;
	return false;
}

/* Lists that applications can rely on: sizes once each and rising, intervals rising. */
static void check_order(const char *name)
{
	for (unsigned int i = 0; i < table.sizes_n; i++) {
		const struct emu_size *size = &table.sizes[i];

		if (i > 0 && size[-1].range.min_width * size[-1].range.min_height >
				     size->range.min_width * size->range.min_height)
			fail_msg("%s: size %u", name, i);
		if (i > 0 && memcmp(&size[-1].range, &size->range, sizeof(size->range)) == 0)
			fail_msg("%s: size %u twice", name, i);
		if (size->intervals_n == 0)
			fail_msg("%s: size %u has no rate", name, i);
		for (unsigned int k = 1; k < size->intervals_n; k++)
			if ((uint64_t)size->intervals[k - 1].numerator *
				    size->intervals[k].denominator >=
			    (uint64_t)size->intervals[k].numerator *
				    size->intervals[k - 1].denominator)
				fail_msg("%s: size %u, interval %u", name, i, k);
	}
}

static const struct {
	const char *name;
	uint32_t width, height, frames, seconds;
	unsigned int sizes_n, intervals_n; /* more than there are without */
} asked[] = {
	{"nothing", 0, 0, 0, 0, 0, 0},
	{"what there is", 1280, 720, 60, 1, 0, 0},
	{"the same rate in other numbers", 1280, 720, 120, 2, 0, 0},
	{"smallest", 16, 16, 1000, 1, 1, 1},
	{"in between", 1000, 700, 30000, 1001, 1, 1},
	{"largest", 8192, 8192, 1000, 1, 1, 1},
	{"as many pixels as another", 480, 640, 7, 1, 1, 1},
	{"slowest", 640, 480, 1, 1000000, 0, 1},
};

static void what_was_asked_for_is_in_the_lists(void **state)
{
	struct error err;
	unsigned int sizes_n, intervals_n;

	assert_int_equal(fill(0, 0, 0, 0, NULL, &err), 0);
	sizes_n = table.sizes_n;
	intervals_n = table.intervals_n;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		const uint32_t frames = asked[i].frames ? asked[i].frames : 30;
		const uint32_t seconds = asked[i].seconds ? asked[i].seconds : 1;
		const uint32_t common = frames == 120 && seconds == 2 ? 2 : 1;
		const struct emu_size *size;

		assert_int_equal(fill(asked[i].width, asked[i].height, asked[i].frames,
				      asked[i].seconds, NULL, &err),
				 0);
		check_order(asked[i].name);
		size = find_size(asked[i].width ? asked[i].width : 640,
				 asked[i].height ? asked[i].height : 480);
		if (!has_rate(size, frames / common, seconds / common))
			fail_msg("%s: rate", asked[i].name);
		if (table.sizes_n != sizes_n + asked[i].sizes_n ||
		    table.intervals_n != intervals_n + asked[i].intervals_n)
			fail_msg("%s: %u sizes, %u intervals", asked[i].name, table.sizes_n,
				 table.intervals_n);
	}
}

static void large_frames_come_less_often(void **state)
{
	struct error err;

	assert_int_equal(fill(0, 0, 0, 0, NULL, &err), 0);
	assert_true(has_rate(find_size(640, 480), 120, 1));
	assert_true(has_rate(find_size(1920, 1080), 120, 1));
	assert_true(has_rate(find_size(3840, 2160), 30, 1));
	assert_false(has_rate(find_size(3840, 2160), 50, 1));
	/* The user's word is good for the user's size only. */
	assert_int_equal(fill(3840, 2160, 60, 1, NULL, &err), 0);
	assert_true(has_rate(find_size(3840, 2160), 60, 1));
	assert_int_equal(fill(0, 0, 60, 1, NULL, &err), 0);
	assert_false(has_rate(find_size(3840, 2160), 60, 1));
}

static bool has_control(uint32_t id)
{
	for (unsigned int i = 0; i < table.controls_n; i++)
		if (table.controls[i].id == id)
			return true;
	return false;
}

static void controls_are_in_order_and_have_a_class(void **state)
{
	struct error err;

	assert_int_equal(fill(0, 0, 0, 0, NULL, &err), 0);
	for (unsigned int i = 0; i < table.controls_n; i++) {
		const struct emu_control_info *info = &table.controls[i];

		if (i > 0)
			assert_true(info->id > info[-1].id);
		assert_true(has_control(V4L2_CTRL_ID2WHICH(info->id) | 1));
		assert_true(info->minimum <= info->default_value &&
			    info->default_value <= info->maximum);
		/* Applications that walk from V4L2_CID_PRIVATE_BASE on find none of ours. */
		if (V4L2_CTRL_ID2WHICH(info->id) == V4L2_CTRL_CLASS_USER)
			assert_false(V4L2_CTRL_DRIVER_PRIV(info->id));
	}
}

static void quality_is_there_with_jpeg(void **state)
{
	struct error err;

	assert_int_equal(fill(0, 0, 0, 0, NULL, &err), 0);
	assert_int_equal(has_control(V4L2_CID_JPEG_COMPRESSION_QUALITY), jpeg_possible());
	assert_int_equal(has_control(V4L2_CID_JPEG_CLASS), jpeg_possible());
	assert_int_equal(fill(0, 0, 0, 0, "YUYV", &err), 0);
	assert_false(has_control(V4L2_CID_JPEG_COMPRESSION_QUALITY));
	assert_false(has_control(V4L2_CID_JPEG_CLASS));
	assert_true(has_control(V4L2_CID_TEST_PATTERN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(formats_are_those_asked_for_in_order),
		cmocka_unit_test(what_was_asked_for_is_in_the_lists),
		cmocka_unit_test(large_frames_come_less_often),
		cmocka_unit_test(controls_are_in_order_and_have_a_class),
		cmocka_unit_test(quality_is_there_with_jpeg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
