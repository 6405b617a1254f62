/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev.c - the host's end of a serial port or console: its life, what is read, the terminal.
 * See chardev.h.
 *
 * Input is taken only while the guest has room for it, so that a pipe may feed a slow guest; a
 * terminal is always read, since the escape key must work on a guest that hangs, and what the
 * guest cannot take is dropped. In the background the terminal is left alone until it is ours: the
 * shell's "fg" tells a job that it had not stopped nothing, so it has to be asked now and then.
 */
#include "vmm/chardev.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "log.h"
#include "vmm/chardev_impl.h"
#include "vmm/terminal.h"

#define ESCAPE_KEY	  0x01 /* Ctrl-A */
#define BACKGROUND_ASK_NS UINT64_C(500000000)

/* Calls from any thread. */

static void post(struct chardev *chardev, struct chardev_post *post,
		 void (*fn)(struct loop_post *post))
{
	if (!atomic_exchange(&post->posted, true))
		loop_post(chardev->loop, &post->post, fn);
}

static struct chardev *posted(struct loop_post *post)
{
	struct chardev_post *mine = container_of(post, struct chardev_post, post);

	atomic_store(&mine->posted, false);
	return mine->chardev;
}

/* Input. */

/* Takes the escape key and its command out of @data. Return: bytes left for the guest. */
static size_t filter_escapes(struct chardev *chardev, uint8_t *data, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		const uint8_t c = data[i];

		if (!chardev->escaped) {
			if (c == ESCAPE_KEY)
				chardev->escaped = true;
			else
				data[kept++] = c;
			continue;
		}
		chardev->escaped = false;
		if (c == 'x') {
			if (chardev->ops->quit)
				chardev->ops->quit(chardev->owner);
		} else if (c == 'a' || c == ESCAPE_KEY) {
			data[kept++] = ESCAPE_KEY;
		} else {
			data[kept++] = c;
		}
	}
	return kept;
}

static void input_is_off(const struct chardev *chardev, int r)
{
	log_warning("%s input is off: %s", chardev->name, strerror(-r));
}

static int wait_for_foreground(struct chardev *chardev);

static void take(struct chardev *chardev, uint8_t *data, size_t len, size_t room)
{
	if (chardev->terminal)
		len = filter_escapes(chardev, data, len);
	if (len > 0)
		chardev->ops->input(chardev->owner, data, MIN(len, room));
}

static void on_readable(struct loop_watch *watch, uint32_t events)
{
	struct chardev *chardev = container_of(watch, struct chardev, reader);
	const size_t room = chardev->ops->room(chardev->owner);
	struct pollfd now = {.fd = chardev->in, .events = POLLIN};
	uint8_t data[512];
	ssize_t len;
	int r;

	if (!(chardev->reads & POLLIN)) {
		/* A client has gone. What it wrote before is read when the guest has room. */
		if (chardev->ended)
			chardev_hangup(chardev);
		return;
	}
	/* Another reader may have taken what there was, and the loop must not wait. */
	if (poll(&now, 1, 0) == 0) {
		chardev_read_on(chardev);
		return;
	}
	len = read(chardev->in, data, chardev->terminal ? sizeof(data) : MIN(room, sizeof(data)));
	if (len > 0) {
		take(chardev, data, (size_t)len, room);
		chardev_read_on(chardev);
	} else if (len < 0 && errno == EIO && chardev->terminal) {
		/* We were put into the background without a word. */
		r = wait_for_foreground(chardev);
		if (r < 0)
			input_is_off(chardev, r);
	} else if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
		chardev_read_on(chardev);
	} else {
		/* The other end has nothing more to say; a socket's client may still listen. */
		chardev->ended = true;
		chardev_read_on(chardev);
	}
}

/* Return: events to wait for. Even when it may not speak a client can be heard to leave. */
static uint32_t wanted(const struct chardev *chardev)
{
	if (chardev->ended)
		return 0;
	return chardev->terminal || chardev->ops->room(chardev->owner) > 0 ? POLLIN : 0;
}

void chardev_read_on(struct chardev *chardev)
{
	const uint32_t events = chardev->in >= 0 ? wanted(chardev) : 0;
	int r;

	if (loop_watch_active(&chardev->reader)) {
		if (chardev->reads == events)
			return;
		loop_watch_remove(chardev->loop, &chardev->reader);
	}
	if (chardev->in < 0 || (!events && !chardev->socket))
		return;
	chardev->reads = events;
	r = loop_watch_once(chardev->loop, &chardev->reader, chardev->in, events, on_readable);
	if (r < 0)
		input_is_off(chardev, r);
}

static void on_resume(struct loop_post *post)
{
	struct chardev *chardev = posted(post);

	/* What is typed is read anyway. */
	if (!chardev->terminal)
		chardev_read_on(chardev);
}

void chardev_resume(struct chardev *chardev)
{
	post(chardev, &chardev->resume, on_resume);
}

/* The terminal. */

static void tell_size(struct chardev *chardev)
{
	uint16_t cols, rows;

	if (chardev->screen >= 0 && chardev->ops->resized &&
	    terminal_size(chardev->screen, &cols, &rows) == 0)
		chardev->ops->resized(chardev->owner, cols, rows);
}

static void on_winch(struct loop_post *post)
{
	tell_size(posted(post));
}

void chardev_winch(struct chardev *chardev)
{
	post(chardev, &chardev->winch, on_winch);
}

/* Begin to read it, or to wait for it. Return: 0 or -errno. */
static int take_terminal(struct chardev *chardev)
{
	int r = terminal_take(chardev->in);

	if (r == 0)
		return wait_for_foreground(chardev);
	loop_timer_clear(chardev->loop, &chardev->background);
	if (r > 0)
		chardev_read_on(chardev);
	return MIN(r, 0);
}

static void come_to_foreground(struct chardev *chardev)
{
	int r = chardev->terminal ? take_terminal(chardev) : 0;

	if (r < 0)
		input_is_off(chardev, r);
	tell_size(chardev);
}

static void on_background_timer(struct loop_timer *timer)
{
	come_to_foreground(container_of(timer, struct chardev, background));
}

static int wait_for_foreground(struct chardev *chardev)
{
	loop_watch_remove(chardev->loop, &chardev->reader);
	return loop_timer_set(chardev->loop, &chardev->background, BACKGROUND_ASK_NS, 0,
			      on_background_timer);
}

static void on_foreground(struct loop_post *post)
{
	come_to_foreground(posted(post));
}

void chardev_foreground(struct chardev *chardev)
{
	post(chardev, &chardev->foreground, on_foreground);
}

/* Life. */

int chardev_new(struct chardev **out, const char *name, const struct config_chardev *config,
		struct loop *loop, struct error *err)
{
	struct chardev *chardev = calloc(1, sizeof(*chardev));
	int r = 0;

	if (!chardev)
		return error_set(err, ENOMEM, "out of memory");
	chardev->loop = loop;
	chardev->name = name;
	chardev->in = chardev->out = chardev->slave = chardev->screen = -1;
	chardev->resume.chardev = chardev;
	chardev->foreground.chardev = chardev;
	chardev->winch.chardev = chardev;
	pthread_mutex_init(&chardev->lock, NULL);
	switch (config->kind) {
	case CHARDEV_STDIO:
		chardev_open_stdio(chardev);
		break;
	case CHARDEV_PTY:
		r = chardev_open_pty(chardev, err);
		break;
	case CHARDEV_FILE:
		r = chardev_open_file(chardev, config->path, err);
		break;
	case CHARDEV_SOCKET:
		r = chardev_open_socket(chardev, config->path, err);
		break;
	case CHARDEV_OFF:
		break;
	}
	if (r < 0) {
		chardev_free(chardev);
		return r;
	}
	*out = chardev;
	return 0;
}

void chardev_free(struct chardev *chardev)
{
	if (!chardev)
		return;
	loop_watch_remove(chardev->loop, &chardev->reader);
	loop_watch_remove(chardev->loop, &chardev->writer);
	loop_timer_clear(chardev->loop, &chardev->background);
	chardev_close_socket(chardev);
	if (chardev->terminal)
		terminal_restore();
	closep(&chardev->slave);
	if (chardev->own_in)
		closep(&chardev->in);
	if (chardev->own_out)
		closep(&chardev->out);
	pthread_mutex_destroy(&chardev->lock);
	free(chardev);
}

int chardev_start(struct chardev *chardev, const struct chardev_ops *ops, void *owner,
		  struct error *err)
{
	int r = 0;

	chardev->ops = ops;
	chardev->owner = owner;
	if (chardev->terminal) {
		r = take_terminal(chardev);
		if (r < 0)
			return error_set_host(err, -r, "cannot set up the terminal: %s",
					      strerror(-r));
	} else if (chardev->socket) {
		r = chardev_start_socket(chardev);
		if (r < 0)
			return error_set_host(err, -r, "cannot watch the %s socket: %s",
					      chardev->name, strerror(-r));
	} else {
		chardev_read_on(chardev);
	}
	tell_size(chardev);
	return 0;
}

const char *chardev_path(const struct chardev *chardev)
{
	return chardev->path[0] ? chardev->path : NULL;
}
