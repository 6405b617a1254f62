/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev.c - the host's end of a serial line. See chardev.h.
 *
 * Input is taken only while the guest has room for it, so that a pipe may feed a slow guest; a
 * terminal is always read, since the escape key must work on a guest that hangs, and what the
 * guest cannot take is dropped. In the background the terminal is left alone until it is ours: the
 * shell's "fg" tells a job that it had not stopped nothing, so it has to be asked now and then.
 */
#include "vmm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <termios.h>

#include "log.h"
#include "vcpu.h"
#include "vmm/terminal.h"

#define ESCAPE_KEY	  0x01 /* Ctrl-A */
#define BACKGROUND_ASK_NS UINT64_C(500000000)

struct chardev {
	struct loop *loop;
	struct loop_watch watch;
	struct loop_timer background; /* active while the terminal is somebody else's */
	struct loop_post resume;
	atomic_bool resume_posted;
	const struct chardev_ops *ops;
	void *owner;
	int in;	   /* -1: no input */
	int out;   /* -1: no output */
	int slave; /* kept open, so that the pseudo-terminal survives its users */
	bool terminal;
	bool escaped;  /* the escape key was pressed */
	bool may_drop; /* output that would block is lost */
	bool own;      /* the descriptors are ours to close */
	char path[64];
};

static int open_stdio(struct chardev *chardev, struct error *err)
{
	chardev->in = STDIN_FILENO;
	chardev->out = STDOUT_FILENO;
	chardev->terminal = isatty(STDIN_FILENO);
	return 0;
}

static int open_file(struct chardev *chardev, const char *path, struct error *err)
{
	/* Appends: the output of an earlier boot is not lost. */
	chardev->out =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	if (chardev->out < 0 && errno == ENXIO)
		return error_set(
			err, ENXIO,
			"serial file '%s' is a FIFO that nobody reads: start its reader first",
			path);
	if (chardev->out < 0 && errno == ENOSPC)
		return error_set_host(err, ENOSPC, "serial file '%s': its disk is full", path);
	if (chardev->out < 0)
		return error_set(err, errno, "serial file '%s': %s", path, strerror(errno));
	chardev->own = true;
	/* Only the opening must not wait; a slow reader slows the guest. */
	if (fcntl(chardev->out, F_SETFL, O_APPEND) < 0)
		return error_set(err, errno, "serial file '%s': %s", path, strerror(errno));
	return 0;
}

static int open_pty(struct chardev *chardev, struct error *err)
{
	struct termios termios;

	chardev->own = true;
	chardev->may_drop = true;
	chardev->in = chardev->out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (chardev->in < 0)
		return error_set_host(err, errno, "cannot make a pseudo-terminal: %s",
				      strerror(errno));
	if (grantpt(chardev->in) < 0 || unlockpt(chardev->in) < 0 ||
	    ptsname_r(chardev->in, chardev->path, sizeof(chardev->path)) != 0)
		return error_set_host(err, errno, "cannot set up a pseudo-terminal: %s",
				      strerror(errno));
	chardev->slave = open(chardev->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (chardev->slave < 0 || tcgetattr(chardev->slave, &termios) < 0)
		return error_set_host(err, errno, "pseudo-terminal '%s': %s", chardev->path,
				      strerror(errno));
	/* Raw from the start: an echo would type the guest's output back into the guest. */
	cfmakeraw(&termios);
	if (tcsetattr(chardev->slave, TCSANOW, &termios) < 0)
		return error_set_host(err, errno, "pseudo-terminal '%s': %s", chardev->path,
				      strerror(errno));
	return 0;
}

int chardev_new(struct chardev **out, const struct config_chardev *serial, struct loop *loop,
		struct error *err)
{
	struct chardev *chardev = calloc(1, sizeof(*chardev));
	int r = 0;

	if (!chardev)
		return error_set(err, ENOMEM, "out of memory");
	chardev->loop = loop;
	chardev->in = chardev->out = chardev->slave = -1;
	switch (serial->kind) {
	case CHARDEV_STDIO:
		r = open_stdio(chardev, err);
		break;
	case CHARDEV_PTY:
		r = open_pty(chardev, err);
		break;
	case CHARDEV_FILE:
		r = open_file(chardev, serial->path, err);
		break;
	case CHARDEV_SOCKET:
		r = error_set(err, EOPNOTSUPP, "'%s': sockets are not served yet", serial->path);
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
	loop_watch_remove(chardev->loop, &chardev->watch);
	loop_timer_clear(chardev->loop, &chardev->background);
	if (chardev->terminal)
		terminal_restore();
	closep(&chardev->slave);
	if (chardev->own) {
		if (chardev->out != chardev->in)
			closep(&chardev->out);
		closep(&chardev->in);
	}
	free(chardev);
}

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
		if (c == 'x')
			chardev->ops->quit(chardev->owner);
		else if (c == 'a' || c == ESCAPE_KEY)
			data[kept++] = ESCAPE_KEY;
		else
			data[kept++] = c;
	}
	return kept;
}

static void arm(struct chardev *chardev);
static int wait_for_foreground(struct chardev *chardev);

static void input_is_off(int r)
{
	log_warning("serial input is off: %s", strerror(-r));
}

static void on_readable(struct loop_watch *watch, uint32_t events)
{
	struct chardev *chardev = container_of(watch, struct chardev, watch);
	size_t room = chardev->ops->room(chardev->owner);
	struct pollfd now = {.fd = chardev->in, .events = POLLIN};
	uint8_t data[512];
	ssize_t len;
	int r;

	/* Another reader may have taken what there was, and the loop must not wait. */
	if (poll(&now, 1, 0) == 0) {
		arm(chardev);
		return;
	}
	len = read(chardev->in, data, chardev->terminal ? sizeof(data) : MIN(room, sizeof(data)));
	if (len < 0 && errno == EIO && chardev->terminal) {
		/* We were put into the background without a word. */
		r = wait_for_foreground(chardev);
		if (r < 0)
			input_is_off(r);
		return;
	}
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		len = 0;
	else if (len <= 0)
		return; /* the other end is gone: no more input */
	if (chardev->terminal)
		len = (ssize_t)filter_escapes(chardev, data, (size_t)len);
	if (len > 0)
		chardev->ops->input(chardev->owner, data, MIN((size_t)len, room));
	arm(chardev);
}

static void arm(struct chardev *chardev)
{
	int r;

	if (chardev->in < 0 || loop_watch_active(&chardev->watch))
		return;
	if (!chardev->terminal && chardev->ops->room(chardev->owner) == 0)
		return; /* chardev_resume() will */
	r = loop_watch_once(chardev->loop, &chardev->watch, chardev->in, POLLIN, on_readable);
	if (r < 0)
		input_is_off(r);
}

static void on_background_timer(struct loop_timer *timer)
{
	chardev_foreground(container_of(timer, struct chardev, background));
}

static int wait_for_foreground(struct chardev *chardev)
{
	loop_watch_remove(chardev->loop, &chardev->watch);
	return loop_timer_set(chardev->loop, &chardev->background, BACKGROUND_ASK_NS, 0,
			      on_background_timer);
}

/* Begin to read it, or to wait for it. Return: 0 or -errno. */
static int take_terminal(struct chardev *chardev)
{
	int r = terminal_take(chardev->in);

	if (r == 0)
		return wait_for_foreground(chardev);
	loop_timer_clear(chardev->loop, &chardev->background);
	if (r > 0)
		arm(chardev);
	return MIN(r, 0);
}

void chardev_foreground(struct chardev *chardev)
{
	int r;

	if (!chardev->terminal)
		return;
	r = take_terminal(chardev);
	if (r < 0)
		input_is_off(r);
}

int chardev_start(struct chardev *chardev, const struct chardev_ops *ops, void *owner,
		  struct error *err)
{
	int r;

	chardev->ops = ops;
	chardev->owner = owner;
	if (chardev->terminal) {
		r = take_terminal(chardev);
		if (r < 0)
			return error_set_host(err, -r, "cannot set up the terminal: %s",
					      strerror(-r));
		return 0;
	}
	arm(chardev);
	return 0;
}

void chardev_output(struct chardev *chardev, const uint8_t *data, size_t len)
{
	while (chardev->out >= 0 && len > 0 && !vcpu_stopping()) {
		struct pollfd wait = {.fd = chardev->out, .events = POLLOUT};
		ssize_t n = write(chardev->out, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN && !chardev->may_drop) {
			poll(&wait, 1, -1); /* somebody made our standard output non-blocking */
		} else if (errno != EINTR) {
			return; /* the reader is gone; the guest must not suffer from it */
		}
	}
}

static void on_resume(struct loop_post *post)
{
	struct chardev *chardev = container_of(post, struct chardev, resume);

	atomic_store(&chardev->resume_posted, false);
	if (!chardev->terminal)
		arm(chardev);
}

void chardev_resume(struct chardev *chardev)
{
	if (chardev->in >= 0 && !atomic_exchange(&chardev->resume_posted, true))
		loop_post(chardev->loop, &chardev->resume, on_resume);
}

const char *chardev_path(const struct chardev *chardev)
{
	return chardev->path[0] ? chardev->path : NULL;
}
