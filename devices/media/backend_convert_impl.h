/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_convert_impl.h - between the files of the converting backend: its files, their formats,
 * their buffers. See backend_convert.h.
 *
 * Two threads call it, as backend.h says; a lock guards what they share. It is not held during
 * calls of the camera's that may wait.
 */
#ifndef VMM_MEDIA_BACKEND_CONVERT_IMPL_H
#define VMM_MEDIA_BACKEND_CONVERT_IMPL_H

#include <linux/videodev2.h>
#include <pthread.h>
#include <stdatomic.h>

#include "devices/media/backend_convert.h"
#include "devices/media/convert_formats.h"
#include "devices/media/convert_thread.h"
#include "devices/media/emu_impl.h"
#include "log.h"

#define CONVERT_TYPE V4L2_BUF_TYPE_VIDEO_CAPTURE

struct convert_backend {
	struct media_backend backend;
	struct media_backend_ops ops; /* as blocking as the camera */
	struct media_backend *camera;
	struct loop *loop;
	atomic_uint refs;
	struct loop_post post; /* convert_kick() */
	atomic_bool posted;
	struct log_limit undecoded;
	pthread_mutex_t lock; /* guards all below */
	struct convert_file *files;
	/* A format that is converted to is set, like any format for all files. */
	bool set;
	struct v4l2_format format;	  /* the guest's */
	struct v4l2_format camera_format; /* what the camera was set to for it */
	/* The guest's buffers: of an emulated device that is nothing but its queue. */
	struct emu buffers;
	struct emu_setup setup;
	struct emu_stream stream;
};

/* struct convert_slot - a buffer of the camera's. */
struct convert_slot {
	void *at;   /* mapped here; NULL: not yet */
	size_t len; /* of the range, which goes on behind the buffer */
	bool queued;
};

struct convert_file {
	struct media_file file;
	struct media_file *camera;
	struct convert_formats *formats;
	struct media_file *buffers; /* of convert_backend.buffers */
	atomic_uint refs;	    /* the user's, and one of each call */
	/* With the lock. */
	struct convert_file *next;
	bool closed;
	bool owns; /* the guest's buffers, and the camera's are its too */
	unsigned int slots_n;
	struct convert_slot slots[VIDEO_MAX_FRAME];
	struct convert_thread *thread; /* while streaming */
	unsigned int reading;	       /* the slot that it converts from */
	struct emu_memory *writing;    /* memory of the buffer that it fills; NULL: nothing */
	int error;		       /* the camera's, for DQBUF */
	uint32_t error_events;	       /* reported together with it */
	/* Of the device's thread. */
	uint32_t wanted;  /* watch() */
	uint32_t due;	  /* about to be told */
	uint32_t watched; /* of the camera's */
};

static inline struct convert_backend *convert_backend_of(const struct convert_file *file)
{
	return container_of(file->file.backend, struct convert_backend, backend);
}

/* convert_queue - the guest's buffers. */
static inline struct emu_queue *convert_queue(struct convert_file *file)
{
	return &convert_backend_of(file)->buffers.shared->queues[0];
}

/* convert_camera_ioctl - of the camera. */
static inline int convert_camera_ioctl(struct convert_file *file, unsigned long cmd, void *arg)
{
	return file->camera->backend->ops->ioctl(file->camera, cmd, arg);
}

/* convert_buffers_ioctl - of the guest's buffers. With the lock. */
static inline int convert_buffers_ioctl(struct convert_file *file, unsigned long cmd, void *arg)
{
	return file->buffers->backend->ops->ioctl(file->buffers, cmd, arg);
}

/* backend_convert.c */
/* convert_kick - look at all files soon. Any thread. */
void convert_kick(struct convert_backend *backend);

/* Ioctls: 0 or -errno; or this, and the camera is to be asked. */
#define CONVERT_PASS 1

/* backend_convert_format.c */
int convert_format_ioctl(struct convert_file *file, unsigned long cmd, void *arg);
/* convert_format_restore - set the camera to what it has to be, if it is set to something else. */
int convert_format_restore(struct convert_file *file);

/* backend_convert_buffers.c: of buffers, while a format is set that is converted to. */
int convert_buffers_do(struct convert_file *file, unsigned long cmd, void *arg);
/* convert_buffers_close - the file is closed. */
void convert_buffers_close(struct convert_file *file);

/* backend_convert_camera.c: the camera's buffers, and frames in them. */
/* convert_slots_request - the camera's first buffers: *@n, as many as it likes. */
int convert_slots_request(struct convert_file *file, uint32_t *n);
/* convert_slots_add - *@n more, or fewer. */
int convert_slots_add(struct convert_file *file, uint32_t *n);
/* convert_slots_release - none are left at the camera. Nobody else uses them. */
int convert_slots_release(struct convert_file *file);
/* convert_slots_unmap - the same, but the camera is not told. */
void convert_slots_unmap(struct convert_file *file);
/* convert_slots_queue - one more to the camera, which has fewer than there are. With the lock. */
int convert_slots_queue(struct convert_file *file);
/* convert_slots_idle - the camera has given all back. With the lock. */
void convert_slots_idle(struct convert_file *file);
/*
 * convert_take - if the camera has a frame and it is its turn, give it to the thread. With the
 * lock. Return: 0; -EAGAIN; other errors are file->error as well.
 */
int convert_take(struct convert_file *file);
/* convert_collect - what the thread has done is the guest's. With the lock. */
void convert_collect(struct convert_file *file);
/* convert_stop - the thread, if any, ends. Without the lock. */
void convert_stop(struct convert_file *file);

#endif
