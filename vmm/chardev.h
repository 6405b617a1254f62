/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev.h - the host's end of a serial port or console: standard input and output, a
 * pseudo-terminal, a file, a Unix socket, or nothing.
 *
 * Belongs to its loop's thread, which need not be the main one; some functions may be called from
 * any. On a terminal, Ctrl-A is the escape key: Ctrl-A x ends the machine, Ctrl-A a sends Ctrl-A.
 */
#ifndef VMM_CHARDEV_H
#define VMM_CHARDEV_H

#include "base.h"
#include "error.h"
#include "loop.h"
#include "vmm/config.h"

struct chardev;

/* struct chardev_ops - on the loop's thread. All but room() and input() may be NULL. */
struct chardev_ops {
	size_t (*room)(void *owner); /* bytes that input() would take now */
	void (*input)(void *owner, const uint8_t *data, size_t len);
	void (*quit)(void *owner);	   /* Ctrl-A x */
	void (*output_ready)(void *owner); /* chardev_write() took less; now there is room */
	/* The terminal has @cols by @rows characters: from chardev_start(), and at each change. */
	void (*resized)(void *owner, uint16_t cols, uint16_t rows);
};

/*
 * chardev_new - open the host's end that @config names.
 * @name: what it is the end of, for messages: "serial", "console". Borrowed until chardev_free().
 * Nothing is read, and no client of a socket is served, before chardev_start().
 * Return: 0 and *@out; or -errno and a sentence.
 */
int chardev_new(struct chardev **out, const char *name, const struct config_chardev *config,
		struct loop *loop, struct error *err);

/*
 * chardev_free - closes it; gives the terminal back; removes the socket from the file system. After
 * the loop has ended. NULL is fine.
 */
void chardev_free(struct chardev *chardev);

/*
 * chardev_start - take the terminal, if there is one, and begin to read; in the background, once
 * it comes to the foreground.
 * @ops, @owner: borrowed until chardev_free().
 * Return: 0, or -errno and a sentence.
 */
int chardev_start(struct chardev *chardev, const struct chardev_ops *ops, void *owner,
		  struct error *err);

/*
 * chardev_output - write all of @data to the host. Waits for a slow terminal, pipe, file or client
 * unless the calling vCPU is told to stop. A pseudo-terminal that nobody reads loses what does not
 * fit; of what is written while a socket has no client, the last 16 KiB wait for the next one.
 * Any thread.
 */
void chardev_output(struct chardev *chardev, const uint8_t *data, size_t len);

/*
 * chardev_write - the same without waiting. Loop's thread.
 * Return: bytes taken; if they are fewer than @len, ops->output_ready() is called when there is
 * room again, and not before.
 */
size_t chardev_write(struct chardev *chardev, const uint8_t *data, size_t len);

/* chardev_resume - there is room for input again. Any thread. */
void chardev_resume(struct chardev *chardev);

/*
 * chardev_foreground - take the terminal again, after the process was stopped; as soon as this
 * process is in the foreground if it is not. Any thread.
 */
void chardev_foreground(struct chardev *chardev);

/* chardev_winch - the terminal's size may have changed. Any thread. */
void chardev_winch(struct chardev *chardev);

/* chardev_path - name of the pseudo-terminal, or NULL. Borrowed. */
const char *chardev_path(const struct chardev *chardev);

#endif
