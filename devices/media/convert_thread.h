/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * convert_thread.h - a thread that converts frames, one at a time, while the device's thread goes
 * on with what else there is to do.
 *
 * It does nothing but compute: it makes no call to the camera, and no lock is held meanwhile.
 * Decoders are many and old: one that does not come back is left behind with its thread.
 */
#ifndef VMM_MEDIA_CONVERT_THREAD_H
#define VMM_MEDIA_CONVERT_THREAD_H

#include "devices/media/convert_formats.h"

#define CONVERT_PATIENCE_MS 2000

struct convert_thread;

/* struct convert_thread_ops - what is called on the new thread. */
struct convert_thread_ops {
	/* As convert_frame(). */
	int64_t (*convert)(void *converter, const struct convert_frame *frame);
	/* The thread is over, or could not be made; on any thread. */
	void (*free)(void *converter);
	/* There is something to collect. A lock is held: it may not call anything here. */
	void (*done)(void *owner);
};

/*
 * convert_thread_new - @converter: the thread's from now on, also if this fails.
 * Return: 0 and *@out, owned by the caller; -errno.
 */
int convert_thread_new(struct convert_thread **out, const struct convert_thread_ops *ops,
		       void *converter, void *owner);

/* convert_thread_set_patience - for tests. Before the first frame. */
void convert_thread_set_patience(struct convert_thread *thread, unsigned int ms);

/* convert_thread_busy - there is a frame in it, converted or not. */
bool convert_thread_busy(struct convert_thread *thread);

/* convert_thread_submit - it is not busy. What @frame points to is borrowed until it is collected.
 */
void convert_thread_submit(struct convert_thread *thread, const struct convert_frame *frame);

/* convert_thread_collect - Return: true if a frame is done, and *@result of convert_frame(). */
bool convert_thread_collect(struct convert_thread *thread, int64_t *result);

/*
 * convert_thread_free - wait for the frame in it, if any, and end; done() is not called any more.
 * Any thread. NULL is fine. Return: false if the decoder did not come back in time, and may still
 * read and write the frame's memory.
 */
bool convert_thread_free(struct convert_thread *thread);

#endif
