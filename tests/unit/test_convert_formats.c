/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_convert_formats.c - tests convert_formats.c: what a camera's frames can be converted to, and
 * the conversion, of pictures that the synthetic camera paints.
 */
#include "devices/media/convert_formats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "camera_rig.h"
#include "devices/media/backend_test.h"
#include "picture_match.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define WIDTH	160

struct fixture {
	struct loop *loop;
	struct media_backend *backend;
	struct media_file *camera;
	struct convert_formats *formats;
};

static void begin(struct fixture *fixture, const char *formats, uint32_t height)
{
	const struct camera_options options = {.width = WIDTH,
					       .height = height,
					       .formats = formats};
	struct error err;

	assert_int_equal(loop_new(&fixture->loop, LOOP_EPOLL, 0, &err), 0);
	assert_int_equal(backend_test_new(&fixture->backend, fixture->loop, &options, &err), 0);
	assert_int_equal(fixture->backend->ops->open(fixture->backend, &fixture->camera), 0);
	assert_int_equal(convert_formats_new(&fixture->formats, fixture->camera), 0);
}

static void end(struct fixture *fixture)
{
	convert_formats_free(fixture->formats);
	fixture->backend->ops->close(fixture->camera);
	fixture->backend->ops->free(fixture->backend);
	loop_free(fixture->loop);
}

static void formats_follow_those_of_the_camera(void **state)
{
	static const struct {
		const char *name;
		uint32_t formats[6];
	} cases[] = {
		{"MJPG",
		 {V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_RGB24, V4L2_PIX_FMT_BGR24, V4L2_PIX_FMT_YUV420,
		  V4L2_PIX_FMT_YVU420}},
		{"YUYV:RGB3",
		 {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_RGB24, V4L2_PIX_FMT_BGR24, V4L2_PIX_FMT_YUV420,
		  V4L2_PIX_FMT_YVU420}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct v4l2_fmtdesc desc = {.type = CAPTURE};
		struct fixture fixture;

		begin(&fixture, cases[i].name, 64);
		for (; cases[i].formats[desc.index]; desc.index++) {
			rig_expect(cases[i].name, convert_enum_fmt(fixture.formats, &desc), 0);
			rig_expect(cases[i].name, (int)desc.pixelformat,
				   (int)cases[i].formats[desc.index]);
			rig_expect(cases[i].name, !!(desc.flags & V4L2_FMT_FLAG_EMULATED),
				   convert_formats_has(fixture.formats, desc.pixelformat));
		}
		rig_expect(cases[i].name, convert_enum_fmt(fixture.formats, &desc), -EINVAL);
		end(&fixture);
	}
}

static void sizes_and_intervals_are_the_cameras(void **state)
{
	struct v4l2_frmsizeenum size = {.pixel_format = V4L2_PIX_FMT_YUV420};
	struct v4l2_frmivalenum interval = {.pixel_format = V4L2_PIX_FMT_YUV420};
	struct v4l2_frmivalenum wanted = {.pixel_format = V4L2_PIX_FMT_MJPEG};
	bool found = false;
	struct fixture fixture;

	begin(&fixture, "MJPG", 64);
	for (; convert_enum_framesizes(fixture.formats, &size) == 0; size.index++)
		found |= size.type == V4L2_FRMSIZE_TYPE_DISCRETE && size.discrete.width == WIDTH &&
			 size.discrete.height == 64;
	assert_true(found);
	assert_true(size.index > 1);
	interval.width = wanted.width = WIDTH;
	interval.height = wanted.height = 64;
	assert_int_equal(fixture.backend->ops->ioctl(fixture.camera, VIDIOC_ENUM_FRAMEINTERVALS,
						     &wanted),
			 0);
	assert_int_equal(convert_enum_frameintervals(fixture.formats, &interval), 0);
	assert_int_equal(interval.pixel_format, V4L2_PIX_FMT_YUV420);
	assert_memory_equal(&interval.discrete, &wanted.discrete, sizeof(wanted.discrete));
	interval.width = 3;
	assert_int_equal(convert_enum_frameintervals(fixture.formats, &interval), -EINVAL);
	end(&fixture);
}

static void a_format_tells_what_the_camera_has_to_be_set_to(void **state)
{
	struct v4l2_format format = {.type = CAPTURE}, camera;
	struct fixture fixture;

	begin(&fixture, "MJPG", 64);
	memset(&format.fmt, 0xff, sizeof(format.fmt));
	format.fmt.pix.width = WIDTH;
	format.fmt.pix.height = 64;
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUV420;
	assert_int_equal(convert_try_fmt(fixture.formats, &format, &camera), 0);
	assert_int_equal(camera.fmt.pix.pixelformat, V4L2_PIX_FMT_MJPEG);
	assert_int_equal(camera.fmt.pix.width, WIDTH);
	assert_int_equal(format.fmt.pix.pixelformat, V4L2_PIX_FMT_YUV420);
	assert_int_equal(format.fmt.pix.bytesperline, WIDTH);
	assert_int_equal(format.fmt.pix.sizeimage, WIDTH * 64 * 3 / 2);
	assert_int_equal(format.fmt.pix.field, V4L2_FIELD_NONE);
	assert_int_equal(format.fmt.pix.quantization, V4L2_QUANTIZATION_FULL_RANGE);
	assert_int_equal(format.fmt.pix.flags, 0);
	/* Any size becomes one that there is. */
	format.fmt.pix.width = format.fmt.pix.height = UINT32_MAX;
	assert_int_equal(convert_try_fmt(fixture.formats, &format, &camera), 0);
	assert_true(format.fmt.pix.width >= 640 && format.fmt.pix.width <= CAMERA_SIDE_MAX);
	end(&fixture);
}

/* Memory that ends where decoders may not read on. */
static uint8_t *source_memory(const struct v4l2_pix_format *pix, size_t *len)
{
	void *at;

	*len = pix->sizeimage + CONVERT_OVERREAD(pix);
	at = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

/*
 * Of YUYV all differences are rounding, and of the library's matrix: 1.5 instead of 1.402 and 2.016
 * instead of 1.772. JPEG is lossy, and blurs colours.
 */
static const struct {
	const char *name;
	const char *camera;
	uint32_t height, source, target;
	double mean;
	int worst;
} conversions[] = {
	{"YUYV to YU12", "YUYV", 64, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_YUV420, 0.25, 1},
	{"YUYV to YV12", "YUYV", 64, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_YVU420, 0.25, 1},
	{"YUYV to RGB3", "YUYV", 64, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_RGB24, 8, 30},
	{"YUYV to BGR3", "YUYV", 64, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_BGR24, 8, 30},
	{"MJPG to YU12", "MJPG", 64, V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUV420, 4, 255},
	{"MJPG to YV12", "MJPG", 64, V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YVU420, 4, 255},
	{"MJPG to RGB3", "MJPG", 64, V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_RGB24, 8, 255},
	{"MJPG to BGR3", "MJPG", 64, V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_BGR24, 8, 255},
	{"MJPG, half a block of chroma, to YU12", "MJPG", 56, V4L2_PIX_FMT_MJPEG,
	 V4L2_PIX_FMT_YUV420, 4, 255},
	{"MJPG, half a block of chroma, to YV12", "MJPG", 56, V4L2_PIX_FMT_MJPEG,
	 V4L2_PIX_FMT_YVU420, 4, 255},
};

static void picture_stays_the_same(void **state)
{
	const struct test_look look = camera_look();
	struct test_picture *painter;

	assert_int_equal(test_picture_new(&painter, WIDTH), 0);
	for (size_t i = 0; i < ARRAY_SIZE(conversions); i++) {
		const char *name = conversions[i].name;
		struct v4l2_format format = {.type = CAPTURE}, camera;
		struct fixture fixture;
		struct match match;
		uint8_t *from, *to;
		int64_t painted;
		size_t stamp, len;

		begin(&fixture, conversions[i].camera, conversions[i].height);
		format.fmt.pix.pixelformat = conversions[i].target;
		format.fmt.pix.width = WIDTH;
		format.fmt.pix.height = conversions[i].height;
		rig_expect(name, convert_try_fmt(fixture.formats, &format, &camera), 0);
		from = source_memory(&camera.fmt.pix, &len);
		to = malloc(format.fmt.pix.sizeimage);
		assert_non_null(to);
		painted = test_picture_paint(painter, &camera.fmt.pix, &look, 7, 0, &stamp, from,
					     camera.fmt.pix.sizeimage);
		assert_true(painted > 0);
		/* Twice: what the first frame has taught is used for the second. */
		for (unsigned int n = 0; n < 2; n++) {
			memset(to, 0, format.fmt.pix.sizeimage);
			rig_expect(name,
				   (int)convert_frame(
					   fixture.formats,
					   &(struct convert_frame) {&camera, &format, from,
								    (size_t)painted, to,
								    format.fmt.pix.sizeimage}),
				   (int)format.fmt.pix.sizeimage);
			match = picture_match(painter, &look, 7, conversions[i].source,
					      &format.fmt.pix, to);
			if (match.mean > conversions[i].mean || match.worst > conversions[i].worst)
				fail_msg("%s: mean difference %.2f, worst %d", name, match.mean,
					 match.worst);
		}
		free(to);
		munmap(from, len);
		end(&fixture);
	}
	test_picture_free(painter);
}

static void garbage_is_an_error(void **state)
{
	struct v4l2_format format = {.type = CAPTURE}, camera;
	struct fixture fixture;
	uint8_t *from, *to;
	size_t len;

	begin(&fixture, "MJPG", 64);
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUV420;
	format.fmt.pix.width = WIDTH;
	format.fmt.pix.height = 64;
	assert_int_equal(convert_try_fmt(fixture.formats, &format, &camera), 0);
	from = source_memory(&camera.fmt.pix, &len);
	to = malloc(format.fmt.pix.sizeimage);
	assert_non_null(to);
	for (unsigned int fill = 0; fill < 256; fill += 51) {
		const struct convert_frame frame = {
			&camera, &format, from, 1000, to, format.fmt.pix.sizeimage,
		};
		struct convert_frame small = frame;

		memset(from, (int)fill, 1000);
		assert_true(convert_frame(fixture.formats, &frame) < 0);
		small.to_len--;
		assert_int_equal(convert_frame(fixture.formats, &small), -EINVAL);
	}
	free(to);
	munmap(from, len);
	end(&fixture);
}

/* A camera one of whose calls is interrupted. */
struct interrupted {
	struct media_backend backend;
	struct media_file file;
	struct media_file *below;
	unsigned int calls, victim; /* from 1 on; 0: none */
};

static int interrupt(struct media_file *file, unsigned long cmd, void *arg)
{
	struct interrupted *camera = container_of(file, struct interrupted, file);

	if (++camera->calls == camera->victim)
		return -EINTR;
	return camera->below->backend->ops->ioctl(camera->below, cmd, arg);
}

static void interruption_is_no_answer(void **state)
{
	static const struct media_backend_ops ops = {.ioctl = interrupt};
	struct v4l2_format format = {.type = CAPTURE}, back;
	struct interrupted camera = {.backend.ops = &ops, .victim = 1};
	struct convert_formats *formats;
	struct fixture fixture;
	int r;

	begin(&fixture, "YUYV:MJPG", 64);
	camera.below = fixture.camera;
	camera.file.backend = &camera.backend;
	while ((r = convert_formats_new(&formats, &camera.file)) == -EINTR) {
		assert_int_equal(camera.calls >= camera.victim, true);
		camera.victim++;
		camera.calls = 0;
	}
	assert_int_equal(r, 0);
	assert_true(camera.victim > 20);
	assert_int_equal(camera.calls, camera.victim - 1);
	camera.victim = 0;
	do {
		format.fmt.pix.pixelformat = V4L2_PIX_FMT_YUV420;
		camera.victim++;
		camera.calls = 0;
		r = convert_try_fmt(formats, &format, &back);
	} while (r == -EINTR);
	assert_int_equal(r, 0);
	assert_true(camera.victim >= 3);
	assert_int_equal(camera.calls, camera.victim - 1);
	convert_formats_free(formats);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_follow_those_of_the_camera),
		cmocka_unit_test(sizes_and_intervals_are_the_cameras),
		cmocka_unit_test(a_format_tells_what_the_camera_has_to_be_set_to),
		cmocka_unit_test(picture_stays_the_same),
		cmocka_unit_test(interruption_is_no_answer),
		cmocka_unit_test(garbage_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
