/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_emu_format.c - tests emu_format.c and emu_interval.c: formats, frame sizes and intervals, as
 * lists and as ranges.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "emu_rig.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT	V4L2_BUF_TYPE_VIDEO_OUTPUT
#define YUYV	V4L2_PIX_FMT_YUYV
#define NV12	V4L2_PIX_FMT_NV12
#define MJPEG	V4L2_PIX_FMT_MJPEG

static struct emu_rig rig;
static struct rig_file *file;

static int setup(void **state)
{
	emu_rig_init(&rig, RIG_CAMERA);
	file = emu_rig_open(&rig, 0);
	return 0;
}

static int teardown(void **state)
{
	emu_rig_deinit(&rig);
	return 0;
}

/* Formats. */

static struct v4l2_format wish(uint32_t pixelformat, uint32_t width, uint32_t height)
{
	struct v4l2_format format;

	memset(&format, 0xff, sizeof(format));
	format.type = CAPTURE;
	format.fmt.pix.field = V4L2_FIELD_ANY;
	format.fmt.pix.pixelformat = pixelformat;
	format.fmt.pix.width = width;
	format.fmt.pix.height = height;
	return format;
}

static void formats_are_listed(void **state)
{
	static const uint32_t wanted[] = {YUYV, NV12, MJPEG};
	struct v4l2_fmtdesc desc;

	for (uint32_t i = 0; i <= ARRAY_SIZE(wanted); i++) {
		memset(&desc, 0xff, sizeof(desc));
		desc.type = CAPTURE;
		desc.index = i;
		if (i == ARRAY_SIZE(wanted)) {
			assert_int_equal(rig_do(file, VIDIOC_ENUM_FMT, &desc), -EINVAL);
			break;
		}
		assert_int_equal(rig_do(file, VIDIOC_ENUM_FMT, &desc), 0);
		assert_int_equal(desc.pixelformat, wanted[i]);
		assert_int_equal(desc.index, i);
		assert_int_equal(desc.flags, i == 2 ? V4L2_FMT_FLAG_COMPRESSED : 0);
		assert_int_equal(desc.mbus_code, 0);
		assert_true(rig_is_zero(desc.reserved, sizeof(desc.reserved)));
	}
	desc.index = 2;
	assert_int_equal(rig_do(file, VIDIOC_ENUM_FMT, &desc), 0);
	assert_string_equal((const char *)desc.description, "Motion-JPEG");
	desc.index = 0;
	desc.type = OUTPUT;
	assert_int_equal(rig_do(file, VIDIOC_ENUM_FMT, &desc), -EINVAL);
}

static const struct {
	const char *name;
	uint32_t pixelformat, width, height;
	struct v4l2_pix_format wanted;
} fits[] = {
	{"listed", YUYV, 32, 24, {32, 24, YUYV, .bytesperline = 64, .sizeimage = 64 * 24}},
	{"nearest", YUYV, 40, 30, {32, 24, YUYV, .bytesperline = 64, .sizeimage = 64 * 24}},
	{"too small", YUYV, 0, 0, {32, 24, YUYV, .bytesperline = 64, .sizeimage = 64 * 24}},
	{"too large",
	 YUYV,
	 UINT32_MAX,
	 UINT32_MAX,
	 {64, 48, YUYV, .bytesperline = 128, .sizeimage = 128 * 48}},
	{"unknown", 0x20202020, 64, 48, {64, 48, YUYV, .bytesperline = 128, .sizeimage = 128 * 48}},
	{"step", NV12, 24, 18, {24, 18, NV12, .bytesperline = 24, .sizeimage = 24 * 18 * 3 / 2}},
	{"nearest step",
	 NV12,
	 29,
	 19,
	 {32, 20, NV12, .bytesperline = 32, .sizeimage = 32 * 20 * 3 / 2}},
	{"below the range",
	 NV12,
	 1,
	 1,
	 {16, 16, NV12, .bytesperline = 16, .sizeimage = 16 * 16 * 3 / 2}},
	{"above the range",
	 NV12,
	 UINT32_MAX,
	 UINT32_MAX,
	 {160, 120, NV12, .bytesperline = 160, .sizeimage = 160 * 120 * 3 / 2}},
	{"compressed", MJPEG, 33, 77, {33, 77, MJPEG, .sizeimage = 33 * 77 * 2}},
	{"compressed and small", MJPEG, 16, 16, {16, 16, MJPEG, .sizeimage = 4096}},
	{"large", MJPEG, 4096, 4096, {4096, 4096, MJPEG, .sizeimage = 4096 * 4096 * 2}},
};

static void formats_are_made_fit(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(fits); i++) {
		struct v4l2_format format =
			wish(fits[i].pixelformat, fits[i].width, fits[i].height);
		const struct v4l2_pix_format *pix = &format.fmt.pix, *wanted = &fits[i].wanted;
		struct v4l2_format again;

		rig_expect(fits[i].name, rig_do(file, VIDIOC_S_FMT, &format), 0);
		if (pix->width != wanted->width || pix->height != wanted->height ||
		    pix->pixelformat != wanted->pixelformat ||
		    pix->bytesperline != wanted->bytesperline ||
		    pix->sizeimage != wanted->sizeimage || pix->field != V4L2_FIELD_NONE ||
		    pix->priv != V4L2_PIX_FMT_PRIV_MAGIC || pix->flags != 0)
			fail_msg("%s: %ux%u, %u bytes", fits[i].name, pix->width, pix->height,
				 pix->sizeimage);
		assert_true(rig_is_zero(pix + 1, sizeof(format.fmt) - sizeof(*pix)));
		/* Trying what was got, and asking for it, says the same. */
		again = format;
		rig_expect(fits[i].name, rig_do(file, VIDIOC_TRY_FMT, &again), 0);
		assert_memory_equal(&again, &format, sizeof(again));
		memset(&again.fmt, 0xff, sizeof(again.fmt));
		rig_expect(fits[i].name, rig_do(file, VIDIOC_G_FMT, &again), 0);
		assert_memory_equal(&again.fmt, &format.fmt, sizeof(again.fmt));
	}
}

static void colours_are_the_formats(void **state)
{
	struct v4l2_format format = wish(YUYV, 64, 48);

	assert_int_equal(rig_do(file, VIDIOC_TRY_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.colorspace, V4L2_COLORSPACE_SRGB);
	assert_int_equal(format.fmt.pix.ycbcr_enc, V4L2_YCBCR_ENC_601);
	assert_int_equal(format.fmt.pix.quantization, V4L2_QUANTIZATION_LIM_RANGE);
	assert_int_equal(format.fmt.pix.xfer_func, V4L2_XFER_FUNC_SRGB);
	format = wish(MJPEG, 64, 48);
	assert_int_equal(rig_do(file, VIDIOC_TRY_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.colorspace, V4L2_COLORSPACE_JPEG);
}

static void try_changes_nothing(void **state)
{
	struct v4l2_format format = wish(NV12, 16, 16);

	assert_int_equal(rig_do(file, VIDIOC_TRY_FMT, &format), 0);
	assert_int_equal(rig_do(file, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, YUYV);
	assert_int_equal(format.fmt.pix.width, 64);
}

static void other_types_are_einval(void **state)
{
	static const uint32_t types[] = {0, OUTPUT, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
					 V4L2_BUF_TYPE_PRIVATE};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct v4l2_format format = {.type = types[i]};

		assert_int_equal(rig_do(file, VIDIOC_G_FMT, &format), -EINVAL);
		assert_int_equal(rig_do(file, VIDIOC_TRY_FMT, &format), -EINVAL);
		assert_int_equal(rig_do(file, VIDIOC_S_FMT, &format), -EINVAL);
	}
}

/* For all files alike, of a device that they share. */
static void format_stays_while_there_are_buffers(void **state)
{
	struct rig_file *other = emu_rig_open(&rig, 1);
	struct v4l2_format format = wish(NV12, 16, 16);
	struct v4l2_remove_buffers removed = {.count = 1, .type = CAPTURE};

	assert_int_equal(rig_reqbufs(file, CAPTURE, V4L2_MEMORY_MMAP, 1), 0);
	assert_int_equal(rig_do(file, VIDIOC_S_FMT, &format), -EBUSY);
	assert_int_equal(rig_do(other, VIDIOC_S_FMT, &format), -EBUSY);
	assert_int_equal(rig_do(other, VIDIOC_TRY_FMT, &format), 0);
	assert_int_equal(rig_reqbufs(file, CAPTURE, V4L2_MEMORY_MMAP, 0), 0);
	assert_int_equal(rig_do(file, VIDIOC_S_FMT, &format), 0);
	assert_int_equal(rig_do(other, VIDIOC_G_FMT, &format), 0);
	assert_int_equal(format.fmt.pix.pixelformat, NV12);
	/* Streaming can go on without any. */
	assert_int_equal(rig_reqbufs(file, CAPTURE, V4L2_MEMORY_MMAP, 1), 0);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(rig_do(file, VIDIOC_REMOVE_BUFS, &removed), 0);
	assert_int_equal(rig_do(file, VIDIOC_S_FMT, &format), -EBUSY);
}

/* Sizes. */

static int enum_size(uint32_t pixelformat, uint32_t index, struct v4l2_frmsizeenum *out)
{
	memset(out, 0xff, sizeof(*out));
	out->pixel_format = pixelformat;
	out->index = index;
	return rig_do(file, VIDIOC_ENUM_FRAMESIZES, out);
}

static void sizes_are_a_list_or_a_range(void **state)
{
	struct v4l2_frmsizeenum size;

	assert_int_equal(enum_size(YUYV, 1, &size), 0);
	assert_int_equal(size.type, V4L2_FRMSIZE_TYPE_DISCRETE);
	assert_int_equal(size.discrete.width, 64);
	assert_int_equal(size.discrete.height, 48);
	assert_true(rig_is_zero(size.reserved, sizeof(size.reserved)));
	assert_int_equal(enum_size(YUYV, 2, &size), -EINVAL);
	assert_int_equal(enum_size(NV12, 0, &size), 0);
	assert_int_equal(size.type, V4L2_FRMSIZE_TYPE_STEPWISE);
	assert_int_equal(size.stepwise.min_width, 16);
	assert_int_equal(size.stepwise.max_width, 160);
	assert_int_equal(size.stepwise.step_width, 8);
	assert_int_equal(size.stepwise.max_height, 120);
	assert_int_equal(enum_size(NV12, 1, &size), -EINVAL);
	assert_int_equal(enum_size(MJPEG, 0, &size), 0);
	assert_int_equal(size.type, V4L2_FRMSIZE_TYPE_CONTINUOUS);
	assert_int_equal(enum_size(0x20202020, 0, &size), -EINVAL);
}

/* Intervals. */

static int enum_interval(uint32_t pixelformat, uint32_t width, uint32_t height, uint32_t index,
			 struct v4l2_frmivalenum *out)
{
	memset(out, 0xff, sizeof(*out));
	out->pixel_format = pixelformat;
	out->width = width;
	out->height = height;
	out->index = index;
	return rig_do(file, VIDIOC_ENUM_FRAMEINTERVALS, out);
}

static void intervals_belong_to_a_size(void **state)
{
	static const struct {
		const char *name;
		uint32_t pixelformat, width, height, index, type;
		int wanted;
	} cases[] = {
		{"first", YUYV, 32, 24, 0, V4L2_FRMIVAL_TYPE_DISCRETE, 0},
		{"last", YUYV, 32, 24, 2, V4L2_FRMIVAL_TYPE_DISCRETE, 0},
		{"behind the last", YUYV, 32, 24, 3, 0, -EINVAL},
		{"fewer of a larger size", YUYV, 64, 48, 2, 0, -EINVAL},
		{"no such size", YUYV, 65, 48, 0, 0, -EINVAL},
		{"mixed size", YUYV, 64, 24, 0, 0, -EINVAL},
		{"range", NV12, 24, 18, 0, V4L2_FRMIVAL_TYPE_STEPWISE, 0},
		{"range has one", NV12, 24, 18, 1, 0, -EINVAL},
		{"between two steps", NV12, 25, 18, 0, 0, -EINVAL},
		{"below the range", NV12, 8, 18, 0, 0, -EINVAL},
		{"above the range", NV12, 160, 122, 0, 0, -EINVAL},
		{"continuous", MJPEG, 33, 77, 0, V4L2_FRMIVAL_TYPE_CONTINUOUS, 0},
		{"unknown format", 0x20202020, 64, 48, 0, 0, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct v4l2_frmivalenum interval;

		rig_expect(cases[i].name,
			   enum_interval(cases[i].pixelformat, cases[i].width, cases[i].height,
					 cases[i].index, &interval),
			   cases[i].wanted);
		if (cases[i].wanted == 0)
			rig_expect(cases[i].name, (int)interval.type, (int)cases[i].type);
		if (cases[i].wanted == 0)
			assert_true(rig_is_zero(interval.reserved, sizeof(interval.reserved)));
	}
}

static int set_interval(uint32_t numerator, uint32_t denominator, struct v4l2_fract *out)
{
	struct v4l2_streamparm parm;
	int r;

	memset(&parm, 0xff, sizeof(parm));
	parm.type = CAPTURE;
	parm.parm.capture.timeperframe = (struct v4l2_fract) {numerator, denominator};
	r = rig_do(file, VIDIOC_S_PARM, &parm);
	*out = parm.parm.capture.timeperframe;
	if (r == 0) {
		assert_int_equal(parm.parm.capture.capability, V4L2_CAP_TIMEPERFRAME);
		assert_int_equal(parm.parm.capture.capturemode, 0);
		assert_int_equal(parm.parm.capture.readbuffers, 0);
		assert_true(rig_is_zero(parm.parm.capture.reserved,
					sizeof(parm.parm.capture.reserved)));
	}
	return r;
}

static void intervals_are_made_fit(void **state)
{
	static const struct {
		const char *name;
		uint32_t pixelformat;
		struct v4l2_fract asked, wanted;
	} cases[] = {
		{"listed", YUYV, {1, 10}, {1, 10}},
		{"nearest", YUYV, {1, 12}, {1, 10}},
		{"nearest is shorter", YUYV, {1, 29}, {1, 30}},
		{"too short", YUYV, {1, 1000}, {1, 30}},
		{"too long", YUYV, {UINT32_MAX, 1}, {1, 10}},
		{"none", YUYV, {0, 0}, {1, 30}},
		{"numerator of 0", YUYV, {0, 1}, {1, 30}},
		{"denominator of 0", YUYV, {1, 0}, {1, 30}},
		{"shortest of the range", NV12, {1, 1000}, {1, 20}},
		{"on a step", NV12, {2, 25}, {2, 25}},
		{"nearest step", NV12, {10, 121}, {2, 25}},
		{"last step of the range", NV12, {100, 1}, {49, 50}},
		{"behind the last step", NV12, {999, 1000}, {49, 50}},
		{"any of a continuous range", MJPEG, {7, 65}, {7, 65}},
		{"none, of a continuous range", MJPEG, {0, 0}, {1, 30}},
		{"below a continuous range", MJPEG, {1, 101}, {1, 100}},
		{"above a continuous range", MJPEG, {3, 1}, {2, 1}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct v4l2_format format = wish(cases[i].pixelformat, 64, 48);
		struct v4l2_fract got;

		assert_int_equal(rig_do(file, VIDIOC_S_FMT, &format), 0);
		rig_expect(cases[i].name,
			   set_interval(cases[i].asked.numerator, cases[i].asked.denominator, &got),
			   0);
		if (got.numerator != cases[i].wanted.numerator ||
		    got.denominator != cases[i].wanted.denominator)
			fail_msg("%s: %u/%u", cases[i].name, got.numerator, got.denominator);
	}
}

static void interval_follows_the_size(void **state)
{
	struct v4l2_format format = wish(YUYV, 32, 24);
	struct v4l2_streamparm parm = {.type = CAPTURE};
	struct v4l2_fract got;

	assert_int_equal(rig_do(file, VIDIOC_S_FMT, &format), 0);
	assert_int_equal(set_interval(1, 60, &got), 0);
	assert_int_equal(got.denominator, 60);
	format = wish(YUYV, 64, 48);
	assert_int_equal(rig_do(file, VIDIOC_S_FMT, &format), 0);
	assert_int_equal(rig_do(file, VIDIOC_G_PARM, &parm), 0);
	assert_int_equal(parm.parm.capture.timeperframe.denominator, 30);
}

static void interval_is_not_for_others_to_change(void **state)
{
	struct rig_file *other = emu_rig_open(&rig, 1);
	struct v4l2_streamparm parm = {.type = CAPTURE};
	struct v4l2_fract got;

	assert_int_equal(rig_reqbufs(file, CAPTURE, V4L2_MEMORY_MMAP, 1), 0);
	assert_int_equal(rig_do(other, VIDIOC_S_PARM, &parm), -EBUSY);
	assert_int_equal(set_interval(1, 10, &got), 0);
	assert_int_equal(rig_stream(file, CAPTURE, true), 0);
	assert_int_equal(set_interval(1, 30, &got), -EBUSY);
	assert_int_equal(rig_do(other, VIDIOC_G_PARM, &parm), 0);
	assert_int_equal(parm.parm.capture.timeperframe.denominator, 10);
	parm.type = OUTPUT;
	assert_int_equal(rig_do(file, VIDIOC_G_PARM, &parm), -EINVAL);
	assert_int_equal(rig_do(file, VIDIOC_S_PARM, &parm), -EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(formats_are_listed),
		CASE(formats_are_made_fit),
		CASE(colours_are_the_formats),
		CASE(try_changes_nothing),
		CASE(other_types_are_einval),
		CASE(format_stays_while_there_are_buffers),
		CASE(sizes_are_a_list_or_a_range),
		CASE(intervals_belong_to_a_size),
		CASE(intervals_are_made_fit),
		CASE(interval_follows_the_size),
		CASE(interval_is_not_for_others_to_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
