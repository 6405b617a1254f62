/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev_guest.c - what is behind a host's end, for tests. See chardev_guest.h.
 */
#include "chardev_guest.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "loop_kinds.h"

#define PATIENCE_MS 10000
#define FILL_MAX    (64 * MIB) /* more than any pipe, terminal or socket holds */
#define PIECE	    8192

static size_t room(void *owner)
{
	struct chardev_guest *guest = owner;

	guest->asked++;
	return guest->room;
}

static void input(void *owner, const uint8_t *data, size_t len)
{
	struct chardev_guest *guest = owner;

	assert_in_range(len, 1, guest->room);
	assert_in_range(guest->input_n + len, 1, sizeof(guest->input));
	memcpy(&guest->input[guest->input_n], data, len);
	guest->input_n += len;
	guest->room -= len;
}

static void quit(void *owner)
{
	((struct chardev_guest *)owner)->quits++;
}

static void output_ready(void *owner)
{
	((struct chardev_guest *)owner)->readys++;
}

static void resized(void *owner, uint16_t cols, uint16_t rows)
{
	struct chardev_guest *guest = owner;

	guest->sizes++;
	guest->cols = cols;
	guest->rows = rows;
}

static const struct chardev_ops ops = {
	.room = room,
	.input = input,
	.quit = quit,
	.output_ready = output_ready,
	.resized = resized,
};

void chardev_guest_init(struct chardev_guest *guest)
{
	*guest = (struct chardev_guest) {.loop = kind_loop(), .room = sizeof(guest->input)};
}

void chardev_guest_deinit(struct chardev_guest *guest)
{
	chardev_guest_close(guest);
	loop_free(guest->loop);
}

int chardev_guest_try(struct chardev_guest *guest, enum chardev_kind kind, const char *path,
		      struct error *err)
{
	char *copy = path ? strdup(path) : NULL;
	const struct config_chardev config = {.kind = kind, .path = copy};
	int r = chardev_new(&guest->chardev, "console", &config, guest->loop, err);

	free(copy);
	return r;
}

void chardev_guest_open(struct chardev_guest *guest, enum chardev_kind kind, const char *path)
{
	struct error err;

	if (chardev_guest_try(guest, kind, path, &err) < 0 ||
	    chardev_start(guest->chardev, &ops, guest, &err) < 0)
		fail_msg("%s", err.text);
}

void chardev_guest_close(struct chardev_guest *guest)
{
	chardev_free(guest->chardev);
	guest->chardev = NULL;
}

/* Return: false when patience is at its end. @turn: counts from 0. */
static bool wait_a_bit(unsigned int *turn)
{
	static const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
	return (*turn)++ < PATIENCE_MS;
}

void chardev_guest_input(struct chardev_guest *guest, const char *text)
{
	const size_t len = strlen(text);
	unsigned int turn = 0;

	do
		settle(guest->loop);
	while (guest->input_n < len && wait_a_bit(&turn));
	assert_int_equal(guest->input_n, len);
	assert_memory_equal(guest->input, text, len);
}

void chardev_guest_count(struct chardev_guest *guest, const unsigned int *counter, unsigned int n)
{
	unsigned int turn = 0;

	do
		settle(guest->loop);
	while (*counter < n && wait_a_bit(&turn));
	assert_int_equal(*counter, n);
}

void chardev_guest_rests(struct chardev_guest *guest)
{
	unsigned int before;

	settle(guest->loop);
	before = guest->asked;
	settle(guest->loop);
	assert_int_equal(guest->asked, before);
}

void chardev_guest_write(struct chardev_guest *guest, const char *text)
{
	assert_int_equal(chardev_write(guest->chardev, (const uint8_t *)text, strlen(text)),
			 strlen(text));
}

uint8_t pattern(size_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

static void pattern_fill(uint8_t *data, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = pattern(at + i);
}

size_t chardev_guest_fill(struct chardev_guest *guest)
{
	uint8_t data[PIECE];
	size_t at = 0, n;

	do {
		pattern_fill(data, at, sizeof(data));
		n = chardev_write(guest->chardev, data, sizeof(data));
		at += n;
	} while (n == sizeof(data) && at < FILL_MAX);
	assert_in_range(at, 1, FILL_MAX - 1);
	/* And so it stays. */
	assert_int_equal(chardev_write(guest->chardev, data, 1), 0);
	return at;
}

void chardev_guest_fill_more(struct chardev_guest *guest, size_t at, size_t end)
{
	uint8_t data[PIECE];

	while (at < end) {
		const size_t len = MIN(end - at, sizeof(data));

		pattern_fill(data, at, len);
		assert_int_equal(chardev_write(guest->chardev, data, len), len);
		at += len;
	}
}

/* Return: bytes read, 0 at the end. */
static size_t read_some(int fd, void *to, size_t len)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ssize_t n;

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	n = read(fd, to, len);
	assert_true(n >= 0);
	return (size_t)n;
}

void expect_text(int fd, const char *text)
{
	char got[256];
	const size_t len = strlen(text);

	assert_in_range(len, 1, sizeof(got));
	for (size_t at = 0, n; at < len; at += n) {
		n = read_some(fd, &got[at], len - at);
		assert_int_not_equal(n, 0);
	}
	assert_memory_equal(got, text, len);
}

void expect_pattern(int fd, size_t at, size_t end)
{
	uint8_t got[PIECE], expected[PIECE];

	while (at < end) {
		const size_t n = read_some(fd, got, MIN(end - at, sizeof(got)));

		assert_int_not_equal(n, 0);
		pattern_fill(expected, at, n);
		assert_memory_equal(got, expected, n);
		at += n;
	}
}

void expect_nothing(int fd)
{
	struct pollfd now = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&now, 1, 0), 0);
}

void expect_end(int fd)
{
	char byte;

	assert_int_equal(read_some(fd, &byte, 1), 0);
}

static void *run_writer(void *arg)
{
	struct chardev_writer *writer = arg;
	uint8_t *data = malloc(writer->len);

	if (!data)
		abort();
	pattern_fill(data, 0, writer->len);
	chardev_output(writer->chardev, data, writer->len);
	free(data);
	atomic_store(&writer->done, true);
	return NULL;
}

void chardev_writer_start(struct chardev_writer *writer, struct chardev *chardev, size_t len)
{
	*writer = (struct chardev_writer) {.chardev = chardev, .len = len};
	assert_int_equal(pthread_create(&writer->thread, NULL, run_writer, writer), 0);
}

void chardev_writer_join(struct chardev_writer *writer)
{
	unsigned int turn = 0;

	while (!atomic_load(&writer->done) && wait_a_bit(&turn))
		;
	assert_true(atomic_load(&writer->done));
	assert_int_equal(pthread_join(writer->thread, NULL), 0);
}
