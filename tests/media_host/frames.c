/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frames.c - what is in a buffer: kept in files, compared by sums, made up. See frames.h.
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NUMBER_BYTES 4

uint64_t frame_sum(const struct frame_plane *planes, unsigned int n)
{
	uint64_t sum = 0xcbf29ce484222325, word;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t at = 0;

		for (; at + sizeof(word) <= planes[i].len; at += (uint32_t)sizeof(word)) {
			memcpy(&word, planes[i].bytes + at, sizeof(word));
			sum = (sum ^ word) * 0x9e3779b97f4a7c15;
			sum ^= sum >> 32;
		}
		for (; at < planes[i].len; at++)
			sum = (sum ^ planes[i].bytes[at]) * 0x100000001b3;
		sum = (sum ^ planes[i].len) * 0x100000001b3;
	}
	return sum ? sum : 1;
}

void frame_make(const struct frame_plane *plane, uint32_t number)
{
	for (uint32_t i = 0; i < plane->len; i++)
		plane->bytes[i] = (uint8_t)(i / 8 + number * 3);
	for (uint32_t i = 0; i < MIN(plane->len, (uint32_t)NUMBER_BYTES); i++)
		plane->bytes[i] = (uint8_t)(number >> (8 * i));
}

static void put(FILE *file, const void *bytes, size_t len)
{
	if (len > 0 && fwrite(bytes, len, 1, file) != 1)
		fail_msg("the frame cannot be written");
}

void frame_write(FILE *file, const struct frame_plane *planes, unsigned int n)
{
	const uint32_t count = n;

	put(file, &count, sizeof(count));
	for (unsigned int i = 0; i < n; i++) {
		put(file, &planes[i].len, sizeof(planes[i].len));
		put(file, planes[i].bytes, planes[i].len);
	}
}

bool frame_read(FILE *file, struct frame_plane *planes, unsigned int n)
{
	uint32_t count, len;

	if (fread(&count, sizeof(count), 1, file) != 1)
		return false;
	assert_int_equal(count, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(fread(&len, sizeof(len), 1, file), 1);
		assert_true(len <= planes[i].len);
		planes[i].len = len;
		assert_true(len == 0 || fread(planes[i].bytes, len, 1, file) == 1);
	}
	return true;
}
