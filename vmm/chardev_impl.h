/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev_impl.h - between chardev.c, which reads and knows the terminal, chardev_open.c,
 * chardev_output.c and chardev_socket.c. Private to them.
 */
#ifndef VMM_CHARDEV_IMPL_H
#define VMM_CHARDEV_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "log.h"
#include "vmm/chardev.h"

struct chardev {
	struct loop *loop;
	const char *name; /* for messages */
	const struct chardev_ops *ops;
	void *owner;

	int in;			      /* -1: no input */
	bool own_in;		      /* ours to close */
	bool terminal;		      /* .in is one, and is taken */
	int screen;		      /* a terminal whose size counts, or -1 */
	bool escaped;		      /* the escape key was pressed */
	bool ended;		      /* the other end has closed its half: no more input */
	struct loop_watch reader;     /* of .in; armed once for each read */
	uint32_t reads;		      /* what .reader waits for: POLLIN, or 0 for a hangup */
	struct loop_timer background; /* active while the terminal is somebody else's */

	pthread_mutex_t lock; /* for .out and what a socket keeps */
	int out;	      /* -1: no output; not .in, or it does not wait */
	bool own_out;
	bool may_drop;		  /* output that would block is lost */
	struct log_limit lost;	  /* output that could not be written */
	bool out_is_socket;	  /* for send(2) */
	size_t chunk;		  /* not 0: .out blocks, but not for so few bytes after POLLOUT */
	struct loop_watch writer; /* of .out; active while chardev_write() has left something */

	int slave; /* kept open, so that the pseudo-terminal survives its users */
	char path[64];
	struct chardev_socket *socket;

	struct chardev_post {
		struct loop_post post;
		atomic_bool posted;
		struct chardev *chardev;
	} resume, foreground, winch;
};

/*
 * chardev_open_stdio, chardev_open_pty, chardev_open_file - set .in, .out and what goes with them.
 * Return: 0; or -errno and a sentence, and what is open then is closed by chardev_free().
 */
void chardev_open_stdio(struct chardev *chardev);
int chardev_open_pty(struct chardev *chardev, struct error *err);
int chardev_open_file(struct chardev *chardev, const char *path, struct error *err);

/* chardev_open_socket - listen at @path. Return: as above. */
int chardev_open_socket(struct chardev *chardev, const char *path, struct error *err);

/* chardev_start_socket - serve clients from now on. Return: 0 or -errno. */
int chardev_start_socket(struct chardev *chardev);

/* chardev_close_socket - no client, no listener, no file. One that was never opened is fine. */
void chardev_close_socket(struct chardev *chardev);

/* chardev_hangup - the socket's client is gone; the next one is served. Loop's thread. */
void chardev_hangup(struct chardev *chardev);

/* chardev_keep - output for which there is no client. With the lock held. */
void chardev_keep(struct chardev *chardev, const uint8_t *data, size_t len);

/* chardev_read_on - wait for input, as far as there is room for it. Loop's thread. */
void chardev_read_on(struct chardev *chardev);

/*
 * chardev_put - write as much as goes without waiting. With the lock held.
 * Return: bytes written or dropped, at most @len; -EAGAIN.
 */
ssize_t chardev_put(struct chardev *chardev, const uint8_t *data, size_t len);

#endif
