/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vq_buffer.c - halves of a request as rows of bytes, however the driver has cut them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vq.h"

#define LEN 10u

static const char bytes[] = "abcdefghij";

/* The same ten bytes in pieces of these lengths, each in its own allocation. */
static const struct {
	const char *name;
	size_t pieces[LEN];
} framings[] = {
	{"whole", {10}},
	{"a byte first", {1, 9}},
	{"a byte last", {9, 1}},
	{"in the middle", {5, 5}},
	{"three", {3, 4, 3}},
	{"four", {2, 1, 6, 1}},
	{"bytes", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
};

struct framed {
	const char *name;
	struct vq_buffer buffer;
	struct iovec iov[LEN];
	void *allocated[LEN];
};

static void frame(struct framed *framed, size_t which)
{
	size_t at = 0;

	*framed = (struct framed) {.name = framings[which].name};
	framed->buffer.iov = framed->iov;
	for (size_t i = 0; i < LEN && framings[which].pieces[i]; i++) {
		const size_t len = framings[which].pieces[i];

		framed->allocated[i] = malloc(len);
		assert_non_null(framed->allocated[i]);
		memcpy(framed->allocated[i], bytes + at, len);
		framed->iov[i] = (struct iovec) {framed->allocated[i], len};
		framed->buffer.n++;
		at += len;
	}
	framed->buffer.len = (uint32_t)at;
	assert_int_equal(at, LEN);
}

static void release(struct framed *framed)
{
	for (size_t i = 0; i < LEN; i++)
		free(framed->allocated[i]);
}

/* What a buffer has is @left, in pieces that are not empty. */
static void check_left(const struct framed *framed, const char *left, size_t len)
{
	size_t at = 0;

	if (framed->buffer.len != len)
		fail_msg("%s: %u bytes are left, not %zu", framed->name, framed->buffer.len, len);
	for (unsigned int i = 0; i < framed->buffer.n; i++) {
		const struct iovec *piece = &framed->buffer.iov[i];

		if (piece->iov_len == 0 || piece->iov_len > len - at ||
		    memcmp(piece->iov_base, left + at, piece->iov_len) != 0)
			fail_msg("%s: piece %u is wrong", framed->name, i);
		at += piece->iov_len;
	}
	if (at != len)
		fail_msg("%s: %zu bytes are in pieces, not %zu", framed->name, at, len);
}

static void get_takes_the_first_bytes(void **state)
{
	for (size_t which = 0; which < ARRAY_SIZE(framings); which++) {
		for (size_t len = 0; len <= LEN + 2; len++) {
			const size_t there = MIN(len, (size_t)LEN);
			char got[LEN + 3] = {0};
			struct framed framed;

			frame(&framed, which);
			assert_int_equal(vq_buffer_get(&framed.buffer, got, len), there);
			assert_memory_equal(got, bytes, there);
			assert_int_equal(got[there], 0);
			check_left(&framed, bytes + there, LEN - there);
			/* And what is left comes next. */
			assert_int_equal(vq_buffer_get(&framed.buffer, got, LEN), LEN - there);
			assert_memory_equal(got, bytes + there, LEN - there);
			check_left(&framed, "", 0);
			assert_int_equal(vq_buffer_get(&framed.buffer, got, 1), 0);
			release(&framed);
		}
	}
}

static void put_fills_the_first_bytes(void **state)
{
	for (size_t which = 0; which < ARRAY_SIZE(framings); which++) {
		for (size_t len = 0; len <= LEN + 2; len++) {
			const size_t there = MIN(len, (size_t)LEN);
			char expected[LEN], got[LEN];
			struct framed framed;
			struct vq_buffer all;
			struct iovec iov[LEN];

			frame(&framed, which);
			memcpy(iov, framed.iov, sizeof(iov));
			all = (struct vq_buffer) {iov, framed.buffer.n, LEN};
			assert_int_equal(vq_buffer_put(&framed.buffer, "0123456789xy", len), there);
			memcpy(expected, bytes, LEN);
			memcpy(expected, "0123456789", there);
			check_left(&framed, bytes + there, LEN - there);
			assert_int_equal(vq_buffer_get(&all, got, LEN), LEN);
			assert_memory_equal(got, expected, LEN);
			release(&framed);
		}
	}
}

static void skip_takes_the_first_bytes_off(void **state)
{
	for (size_t which = 0; which < ARRAY_SIZE(framings); which++) {
		for (size_t len = 0; len <= LEN + 2; len++) {
			const size_t there = MIN(len, (size_t)LEN);
			struct framed framed;

			frame(&framed, which);
			assert_int_equal(vq_buffer_skip(&framed.buffer, len), there);
			check_left(&framed, bytes + there, LEN - there);
			release(&framed);
		}
	}
}

static void truncate_keeps_the_first_bytes(void **state)
{
	for (size_t which = 0; which < ARRAY_SIZE(framings); which++) {
		for (uint32_t len = 0; len <= LEN + 2; len++) {
			struct framed framed;

			frame(&framed, which);
			vq_buffer_truncate(&framed.buffer, len);
			check_left(&framed, bytes, MIN(len, LEN));
			release(&framed);
		}
	}
}

static void chop_takes_the_last_byte_off(void **state)
{
	for (size_t which = 0; which < ARRAY_SIZE(framings); which++) {
		struct framed framed;

		frame(&framed, which);
		for (size_t left = LEN; left > 0; left--) {
			const uint8_t *byte = vq_buffer_chop(&framed.buffer);

			assert_non_null(byte);
			assert_int_equal(*byte, bytes[left - 1]);
			check_left(&framed, bytes, left - 1);
		}
		assert_null(vq_buffer_chop(&framed.buffer));
		release(&framed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_takes_the_first_bytes),
		cmocka_unit_test(put_fills_the_first_bytes),
		cmocka_unit_test(skip_takes_the_first_bytes_off),
		cmocka_unit_test(truncate_keeps_the_first_bytes),
		cmocka_unit_test(chop_takes_the_last_byte_off),
	};

	return cmocka_run_group_tests_name("vq_buffer", tests, NULL, NULL);
}
