/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev.h - the host's end of a serial line: standard input and output, a pseudo-terminal, a
 * file, or nothing.
 *
 * Belongs to the loop's thread; chardev_output() and chardev_resume() may be called from any.
 * On a terminal, Ctrl-A is the escape key: Ctrl-A x ends the machine, Ctrl-A a sends Ctrl-A.
 */
#ifndef VMM_CHARDEV_H
#define VMM_CHARDEV_H

#include "base.h"
#include "error.h"
#include "loop.h"
#include "vmm/config.h"

struct chardev;

/* On the loop's thread. */
struct chardev_ops {
	size_t (*room)(void *owner); /* bytes that input() would take now */
	void (*input)(void *owner, const uint8_t *data, size_t len);
	void (*quit)(void *owner); /* Ctrl-A x */
};

/*
 * chardev_new - open the host's end that @serial names.
 * Nothing is read before chardev_start().
 * Return: 0 and *@out; or -errno and a sentence.
 */
int chardev_new(struct chardev **out, const struct config_chardev *serial, struct loop *loop,
		struct error *err);

/* chardev_free - closes it; gives the terminal back. NULL is fine. */
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
 * chardev_output - write to the host. Waits for a slow terminal, pipe or file unless the calling
 * vCPU is told to stop; a pseudo-terminal that nobody reads loses what does not fit.
 * Any thread.
 */
void chardev_output(struct chardev *chardev, const uint8_t *data, size_t len);

/* chardev_resume - there is room for input again. Any thread. */
void chardev_resume(struct chardev *chardev);

/*
 * chardev_foreground - take the terminal again, after the process was stopped; as soon as this
 * process is in the foreground if it is not.
 */
void chardev_foreground(struct chardev *chardev);

/* chardev_path - name of the pseudo-terminal, or NULL. Borrowed. */
const char *chardev_path(const struct chardev *chardev);

#endif
