/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console.h - a virtio console of one port, hvc0 in a Linux guest.
 *
 * Implements virtio 1.4, 5.3, with VIRTIO_CONSOLE_F_SIZE and VIRTIO_CONSOLE_F_EMERG_WRITE. All of
 * it runs on the device's thread, that of its loop: what is called here and what calls back.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include "base.h"
#include "virtio.h"

#define CONSOLE_INPUT_MAX 4096 /* bytes of input that wait for the guest's buffers */

struct console;

/* struct console_ops - what the console is connected to. Neither may call console_output_ready().
 */
struct console_ops {
	/*
	 * The guest wrote @data: @len bytes, not 0, in guest memory, borrowed for the call; the
	 * guest may change them meanwhile. Does not wait.
	 * Return: bytes taken. If they are fewer than @len, the rest stays with the guest, and
	 * console_output_ready() asks for it.
	 */
	size_t (*output)(void *owner, const uint8_t *data, size_t len);
	/*
	 * There is room for input again: comes once after console_input() took less than it was
	 * given, or console_input_room() said 0, when half of the queue is free. May be NULL.
	 */
	void (*input_ready)(void *owner);
};

/*
 * console_new - a console of unknown size, 0 by 0.
 * @env, @ops, @owner: borrowed until console_free().
 * Return: 0 and *@out, owned by the caller; -errno.
 */
int console_new(struct console **out, const struct virtio_env *env, const struct console_ops *ops,
		void *owner);

/* console_free - after its loop has ended and its transport is gone. NULL is fine. */
void console_free(struct console *console);

/* console_device - for the transport. Borrowed. */
struct virtio_device *console_device(struct console *console);

/*
 * console_input - bytes arrive for the guest. They wait in a queue until its driver has buffers
 * for them, also before there is a driver and across its resets.
 * Return: bytes taken, fewer than @len when the queue is full; the caller keeps the rest for
 * ops->input_ready().
 */
size_t console_input(struct console *console, const uint8_t *data, size_t len);

/* console_input_room - how many bytes console_input() would take now. */
size_t console_input_room(struct console *console);

/* console_output_ready - ops->output() can take more. */
void console_output_ready(struct console *console);

/* console_resize - the host's window has @cols by @rows characters; tells the driver. */
void console_resize(struct console *console, uint16_t cols, uint16_t rows);

#endif
