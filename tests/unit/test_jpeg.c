/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_jpeg.c - tests jpeg.c: what it compresses, a decoder turns back into the same picture.
 */
#include "devices/media/jpeg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>

#define WIDTH  96
#define HEIGHT 40
#define BYTES  (WIDTH * HEIGHT * 4)

static uint8_t line[WIDTH * 3];
static unsigned int lines;

/* Smooth in both directions, so that little is lost. */
static void value_at(uint32_t x, uint32_t y, uint8_t value[3])
{
	value[0] = (uint8_t)(40 + x + 2 * y);
	value[1] = (uint8_t)(100 + x / 2);
	value[2] = (uint8_t)(150 - y);
}

static const uint8_t *line_at(void *owner, uint32_t y)
{
	assert_ptr_equal(owner, &lines);
	assert_int_equal(y, lines++);
	for (uint32_t x = 0; x < WIDTH; x++)
		value_at(x, y, &line[3 * x]);
	return line;
}

static int64_t compress(struct jpeg *jpeg, unsigned int quality, size_t comment_len,
			size_t *comment, uint8_t *to, size_t len)
{
	const struct jpeg_picture picture = {
		.width = WIDTH,
		.height = HEIGHT,
		.quality = quality,
		.line = line_at,
		.owner = &lines,
	};

	lines = 0;
	return jpeg_compress(jpeg, &picture, comment_len, comment, to, len);
}

static int off(uint8_t a, uint8_t b)
{
	return a > b ? a - b : b - a;
}

static void expect_picture(uint8_t *bytes, size_t len, size_t comment_len, int off_max)
{
	struct jpeg_decompress_struct decoder;
	struct jpeg_error_mgr errors;
	uint8_t got[WIDTH * 3];
	JSAMPROW row = got;

	decoder.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&decoder);
	jpeg_save_markers(&decoder, JPEG_COM, 0xffff);
	jpeg_mem_src(&decoder, bytes, len);
	assert_int_equal(jpeg_read_header(&decoder, TRUE), JPEG_HEADER_OK);
	assert_true(decoder.saw_JFIF_marker);
	assert_non_null(decoder.marker_list);
	assert_null(decoder.marker_list->next);
	assert_int_equal(decoder.marker_list->data_length, comment_len);
	decoder.out_color_space = JCS_YCbCr;
	jpeg_start_decompress(&decoder);
	assert_int_equal(decoder.output_width, WIDTH);
	assert_int_equal(decoder.output_height, HEIGHT);
	for (uint32_t y = 0; y < HEIGHT; y++) {
		jpeg_read_scanlines(&decoder, &row, 1);
		for (uint32_t x = 0; x < WIDTH; x++) {
			uint8_t wanted[3];

			value_at(x, y, wanted);
			for (unsigned int i = 0; i < 3; i++)
				if (off(got[3 * x + i], wanted[i]) > off_max)
					fail_msg("%u, %u: %u instead of %u", x, y, got[3 * x + i],
						 wanted[i]);
		}
	}
	jpeg_finish_decompress(&decoder);
	assert_int_equal(errors.num_warnings, 0);
	jpeg_destroy_decompress(&decoder);
}

static void decoder_gets_the_picture(void **state)
{
	uint8_t bytes[BYTES];
	struct jpeg *jpeg;
	size_t comment;
	int64_t n;

	assert_true(jpeg_possible());
	assert_int_equal(jpeg_new(&jpeg), 0);
	n = compress(jpeg, 95, 16, &comment, bytes, sizeof(bytes));
	assert_true(n > 0);
	expect_picture(bytes, (size_t)n, 16, 6);
	jpeg_free(jpeg);
}

static void comment_is_where_it_says(void **state)
{
	uint8_t bytes[BYTES];
	struct jpeg *jpeg;
	size_t comment;
	int64_t n;

	assert_int_equal(jpeg_new(&jpeg), 0);
	memset(bytes, 0xff, sizeof(bytes));
	n = compress(jpeg, 80, 20, &comment, bytes, sizeof(bytes));
	assert_true(comment + 20 < (size_t)n);
	assert_int_equal(bytes[comment - 4], 0xff);
	assert_int_equal(bytes[comment - 3], 0xfe);
	assert_int_equal(bytes[comment - 1], 22);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(bytes[comment + i], 0);
	/* Whatever is put there, it remains a picture. */
	memset(&bytes[comment], 0xff, 20);
	expect_picture(bytes, (size_t)n, 20, 16);
	jpeg_free(jpeg);
}

/* Wherever the room ends, not a byte is written behind it, and the next picture is as good. */
static void too_little_room_is_enospc(void **state)
{
	uint8_t bytes[BYTES];
	struct jpeg *jpeg;
	size_t comment;
	int64_t whole;

	assert_int_equal(jpeg_new(&jpeg), 0);
	whole = compress(jpeg, 90, 16, &comment, bytes, sizeof(bytes));
	assert_true(whole > 0);
	for (size_t len = 0; len < (size_t)whole; len += 7) {
		memset(bytes, 0x5a, sizeof(bytes));
		assert_int_equal(compress(jpeg, 90, 16, &comment, bytes, len), -ENOSPC);
		assert_int_equal(bytes[len], 0x5a);
	}
	assert_int_equal(compress(jpeg, 90, 16, &comment, bytes, (size_t)whole + 1), whole);
	expect_picture(bytes, (size_t)whole, 16, 10);
	jpeg_free(jpeg);
}

static void better_quality_takes_more(void **state)
{
	uint8_t bytes[BYTES];
	struct jpeg *jpeg;
	size_t comment;
	int64_t last = 0;

	assert_int_equal(jpeg_new(&jpeg), 0);
	for (unsigned int quality = 1; quality <= 100; quality += 33) {
		const int64_t n = compress(jpeg, quality, 16, &comment, bytes, sizeof(bytes));

		assert_true(n > last);
		last = n;
	}
	jpeg_free(jpeg);
	jpeg_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decoder_gets_the_picture),
		cmocka_unit_test(comment_is_where_it_says),
		cmocka_unit_test(too_little_room_is_enospc),
		cmocka_unit_test(better_quality_takes_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
