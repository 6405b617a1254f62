/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jpeg.c - compress a picture to JPEG with libjpeg. See jpeg.h.
 *
 * Errors of libjpeg leave it by longjmp, as it asks for; nothing of ours is lost on the way, since
 * all that it allocates is its own.
 */
#include "devices/media/jpeg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

/* A marker, and the length that follows it. */
#define SEGMENT_HEADER 4

struct jpeg {
	struct jpeg_compress_struct compress;
	struct jpeg_error_mgr errors;
	struct jpeg_destination_mgr destination;
	jmp_buf out;
	int error; /* positive errno */
};

static void fail(j_common_ptr common)
{
	struct jpeg *jpeg = common->client_data;

	if (!jpeg->error)
		jpeg->error = ENOMEM;
	longjmp(jpeg->out, 1);
}

/* It has nothing to say that is not an error. */
static void say_nothing(j_common_ptr common)
{
}

static void destination_init(j_compress_ptr compress)
{
}

static boolean destination_full(j_compress_ptr compress)
{
	struct jpeg *jpeg = compress->client_data;

	jpeg->error = ENOSPC;
	fail((j_common_ptr)compress);
	return FALSE;
}

static void destination_end(j_compress_ptr compress)
{
}

bool jpeg_possible(void)
{
	return true;
}

int jpeg_new(struct jpeg **out)
{
	struct jpeg *jpeg = calloc(1, sizeof(*jpeg));

	if (!jpeg)
		return -ENOMEM;
	jpeg->compress.err = jpeg_std_error(&jpeg->errors);
	jpeg->errors.error_exit = fail;
	jpeg->errors.output_message = say_nothing;
	jpeg->compress.client_data = jpeg;
	if (setjmp(jpeg->out)) {
		jpeg_free(jpeg);
		return -ENOMEM;
	}
	jpeg_create_compress(&jpeg->compress);
	jpeg->destination.init_destination = destination_init;
	jpeg->destination.empty_output_buffer = destination_full;
	jpeg->destination.term_destination = destination_end;
	jpeg->compress.dest = &jpeg->destination;
	*out = jpeg;
	return 0;
}

void jpeg_free(struct jpeg *jpeg)
{
	if (!jpeg)
		return;
	jpeg_destroy_compress(&jpeg->compress);
	free(jpeg);
}

static void set_picture(struct jpeg_compress_struct *compress, const struct jpeg_picture *picture)
{
	compress->image_width = picture->width;
	compress->image_height = picture->height;
	compress->input_components = 3;
	compress->in_color_space = JCS_YCbCr;
	jpeg_set_defaults(compress);
	jpeg_set_quality(compress, (int)picture->quality, TRUE);
	compress->dct_method = JDCT_IFAST;
}

static void write_comment(struct jpeg *jpeg, size_t len)
{
	jpeg_write_m_header(&jpeg->compress, JPEG_COM, (unsigned int)len);
	while (len-- > 0)
		jpeg_write_m_byte(&jpeg->compress, 0);
}

static void write_lines(struct jpeg_compress_struct *compress, const struct jpeg_picture *picture)
{
	while (compress->next_scanline < compress->image_height) {
		const uint8_t *line = picture->line(picture->owner, compress->next_scanline);
		/* libjpeg's types know no const; it does not write to its input. */
		JSAMPROW row = (JSAMPROW)(uintptr_t)line;

		jpeg_write_scanlines(compress, &row, 1);
	}
}

int64_t jpeg_compress(struct jpeg *jpeg, const struct jpeg_picture *picture, size_t comment_len,
		      size_t *comment, void *to, size_t len)
{
	/* libjpeg asks for room after a byte, not before. */
	if (len == 0)
		return -ENOSPC;
	jpeg->error = 0;
	jpeg->destination.next_output_byte = to;
	jpeg->destination.free_in_buffer = len;
	if (setjmp(jpeg->out)) {
		jpeg_abort_compress(&jpeg->compress);
		return -jpeg->error;
	}
	set_picture(&jpeg->compress, picture);
	jpeg_start_compress(&jpeg->compress, TRUE);
	*comment = len - jpeg->destination.free_in_buffer + SEGMENT_HEADER;
	write_comment(jpeg, comment_len);
	write_lines(&jpeg->compress, picture);
	jpeg_finish_compress(&jpeg->compress);
	return (int64_t)(len - jpeg->destination.free_in_buffer);
}
