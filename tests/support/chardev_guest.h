/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev_guest.h - what is behind a host's end, for tests: it takes as much input as the test
 * allows and counts what else it is told. The loop runs on the test's thread while the test waits.
 */
#ifndef VMM_TEST_CHARDEV_GUEST_H
#define VMM_TEST_CHARDEV_GUEST_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/chardev.h"

struct chardev_guest {
	struct loop *loop;
	struct chardev *chardev;
	size_t room; /* bytes of input that are still taken */
	uint8_t input[4096];
	size_t input_n;
	unsigned int asked;  /* calls of room() */
	unsigned int readys; /* calls of output_ready(), quit() and resized() */
	unsigned int quits;
	unsigned int sizes;
	uint16_t cols, rows; /* of the last one */
};

/* chardev_guest_init - with a loop of the kind that the program was called for. */
void chardev_guest_init(struct chardev_guest *guest);
void chardev_guest_deinit(struct chardev_guest *guest);

/* chardev_guest_try - chardev_new() under the name "console". Return: its result. */
int chardev_guest_try(struct chardev_guest *guest, enum chardev_kind kind, const char *path,
		      struct error *err);

/* chardev_guest_open - chardev_new() and chardev_start(), which succeed. */
void chardev_guest_open(struct chardev_guest *guest, enum chardev_kind kind, const char *path);
void chardev_guest_close(struct chardev_guest *guest);

/* chardev_guest_input - wait until all input so far is @text, and there is no more. */
void chardev_guest_input(struct chardev_guest *guest, const char *text);

/* chardev_guest_count - wait until @counter, of this struct, is @n, and not more. */
void chardev_guest_count(struct chardev_guest *guest, const unsigned int *counter, unsigned int n);

/* chardev_guest_rests - nothing happens any more: what has ended is not looked at in a circle. */
void chardev_guest_rests(struct chardev_guest *guest);

/* chardev_guest_write - chardev_write() of a text, all of which is taken. */
void chardev_guest_write(struct chardev_guest *guest, const char *text);

/*
 * chardev_guest_fill - chardev_write() until no more is taken: byte after byte of pattern().
 * Return: bytes taken.
 */
size_t chardev_guest_fill(struct chardev_guest *guest);

/* chardev_guest_fill_more - write pattern() from byte @at to @end; all of it is taken. */
void chardev_guest_fill_more(struct chardev_guest *guest, size_t at, size_t end);

/* pattern - byte @at of it. */
uint8_t pattern(size_t at);

/* expect_text, expect_pattern - read from @fd exactly this; waits for it, at most ten seconds. */
void expect_text(int fd, const char *text);
void expect_pattern(int fd, size_t at, size_t end);

/* expect_nothing - there is nothing to read at @fd. expect_end - nothing is left, and no writer. */
void expect_nothing(int fd);
void expect_end(int fd);

/*
 * struct chardev_writer - a thread that calls chardev_output(), as a vCPU does.
 * chardev_writer_start - write pattern() up to @len. chardev_writer_join - wait for its end.
 */
struct chardev_writer {
	pthread_t thread;
	struct chardev *chardev;
	size_t len;
	atomic_bool done;
};
void chardev_writer_start(struct chardev_writer *writer, struct chardev *chardev, size_t len);
void chardev_writer_join(struct chardev_writer *writer);

#endif
