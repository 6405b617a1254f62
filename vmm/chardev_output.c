/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev_output.c - the writing side of a host's end. See chardev.h.
 *
 * One descriptor, written by any thread under a lock that is never held while one waits: where a
 * write could block there is a wait for POLLOUT first, and who waits does so on a duplicate, for
 * the client behind the descriptor may be replaced meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "vcpu.h"
#include "vmm/chardev_impl.h"

/* When a descriptor to wait on cannot be had. */
#define RETRY_MS 10

static ssize_t write_some(struct chardev *chardev, const uint8_t *data, size_t len)
{
	struct pollfd now = {.fd = chardev->out, .events = POLLOUT};

	if (chardev->out_is_socket)
		return send(chardev->out, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (chardev->chunk) {
		len = MIN(len, chardev->chunk);
		if (poll(&now, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
	}
	return write(chardev->out, data, len);
}

ssize_t chardev_put(struct chardev *chardev, const uint8_t *data, size_t len)
{
	ssize_t n;

	if (chardev->out >= 0) {
		n = write_some(chardev, data, len);
		if (n >= 0)
			return n;
		if (errno == EINTR)
			return 0;
		if (errno == EAGAIN && !chardev->may_drop)
			return -EAGAIN;
		/* A reader that has gone, or does not keep up, is nothing to tell of. */
		if (errno != EPIPE && errno != EIO && errno != EAGAIN && errno != ECONNRESET)
			log_limited(&chardev->lost, LOG_LEVEL_WARNING, "%s: output is lost: %s%s",
				    chardev->name, strerror(errno),
				    errno == ENOSPC ? ": free some space" : "");
	}
	/* The reader is gone; the guest must not suffer from it. */
	if (chardev->socket)
		chardev_keep(chardev, data, len);
	return (ssize_t)len;
}

/* Until there is room, a signal comes or the reader has gone. Takes @fd. */
static void wait_for_room(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	poll(&wait, 1, fd < 0 ? RETRY_MS : -1);
	closep(&fd);
}

void chardev_output(struct chardev *chardev, const uint8_t *data, size_t len)
{
	while (len > 0 && !vcpu_stopping()) {
		int waiter = -1;
		ssize_t n;

		pthread_mutex_lock(&chardev->lock);
		n = chardev_put(chardev, data, len);
		if (n == -EAGAIN)
			waiter = fcntl(chardev->out, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		pthread_mutex_unlock(&chardev->lock);
		if (n == -EAGAIN) {
			wait_for_room(waiter);
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
}

static void on_writable(struct loop_watch *watch, uint32_t events)
{
	struct chardev *chardev = container_of(watch, struct chardev, writer);

	if (chardev->ops->output_ready)
		chardev->ops->output_ready(chardev->owner);
}

size_t chardev_write(struct chardev *chardev, const uint8_t *data, size_t len)
{
	size_t done = 0;
	int r;

	if (loop_watch_active(&chardev->writer))
		return 0;
	while (done < len) {
		ssize_t n;

		pthread_mutex_lock(&chardev->lock);
		n = chardev_put(chardev, &data[done], len - done);
		pthread_mutex_unlock(&chardev->lock);
		if (n == -EAGAIN)
			break;
		done += (size_t)n;
	}
	if (done == len)
		return len;
	r = loop_watch_once(chardev->loop, &chardev->writer, chardev->out, POLLOUT, on_writable);
	if (r == 0)
		return done;
	/* Nobody would ever ask for the rest. */
	log_warning("%s output is lost: %s", chardev->name, strerror(-r));
	return len;
}
