/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev_socket.c - a host's end at which clients come and go: a listening Unix stream socket.
 *
 * One client is served at a time; others wait in the kernel's queue until it leaves. Output
 * without a client is kept, the last of it, for the next one: a guest that crashed says why to who
 * looks then. The loop's thread, but for chardev_keep().
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "log.h"
#include "vmm/chardev_impl.h"

#define KEPT_MAX    ((size_t)(16 * KIB))
#define WAITING_MAX 8 /* clients in the kernel's queue */

struct chardev_socket {
	struct chardev *chardev;
	struct loop_watch watch; /* of .fd */
	struct log_limit log;
	int fd;
	struct sockaddr_un address;
	bool bound;
	dev_t dev; /* of the socket in the file system, to remove no other one */
	ino_t ino;
	size_t head, kept_n;
	uint8_t kept[KEPT_MAX];
};

/* Output without a client. */

void chardev_keep(struct chardev *chardev, const uint8_t *data, size_t len)
{
	struct chardev_socket *sock = chardev->socket;
	size_t surplus;

	if (len > KEPT_MAX) {
		data += len - KEPT_MAX;
		len = KEPT_MAX;
	}
	surplus = sock->kept_n + len > KEPT_MAX ? sock->kept_n + len - KEPT_MAX : 0;
	sock->head = (sock->head + surplus) % KEPT_MAX;
	sock->kept_n -= surplus;
	for (size_t i = 0; i < len; i++)
		sock->kept[(sock->head + sock->kept_n++) % KEPT_MAX] = data[i];
}

/* To a client that has just come, whose buffer is empty and takes it all. */
static void send_kept(struct chardev *chardev)
{
	struct chardev_socket *sock = chardev->socket;

	while (sock->kept_n > 0) {
		const size_t len = MIN(sock->kept_n, KEPT_MAX - sock->head);
		const ssize_t n = send(chardev->out, &sock->kept[sock->head], len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		sock->head = (sock->head + (size_t)n) % KEPT_MAX;
		sock->kept_n -= (size_t)n;
	}
}

/* Clients. */

static int accept_client(struct chardev *chardev)
{
	int in, out;

	in = accept4(chardev->socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (in < 0)
		return -errno;
	/* A loop has one watch for a descriptor, and there are two directions. */
	out = fcntl(in, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (out < 0) {
		const int code = errno;

		close(in);
		return -code;
	}
	pthread_mutex_lock(&chardev->lock);
	chardev->in = in;
	chardev->out = out;
	send_kept(chardev);
	pthread_mutex_unlock(&chardev->lock);
	chardev_read_on(chardev);
	return 0;
}

static void next_client(struct chardev *chardev)
{
	int r;

	do
		r = accept_client(chardev);
	while (r == -ECONNABORTED || r == -EINTR);
	/* It waits until another one knocks. */
	if (r < 0 && r != -EAGAIN)
		log_limited(&chardev->socket->log, LOG_LEVEL_WARNING,
			    "%s: cannot serve a client of socket '%s': %s", chardev->name,
			    chardev->socket->address.sun_path, strerror(-r));
}

static void drop_client(struct chardev *chardev)
{
	loop_watch_remove(chardev->loop, &chardev->reader);
	loop_watch_remove(chardev->loop, &chardev->writer);
	pthread_mutex_lock(&chardev->lock);
	if (chardev->in >= 0)
		shutdown(chardev->in, SHUT_RDWR); /* for a vCPU that waits on a duplicate */
	closep(&chardev->in);
	closep(&chardev->out);
	chardev->in = chardev->out = -1;
	pthread_mutex_unlock(&chardev->lock);
	chardev->ended = false;
}

void chardev_hangup(struct chardev *chardev)
{
	const bool waiting = loop_watch_active(&chardev->writer);

	drop_client(chardev);
	next_client(chardev);
	if (waiting && chardev->ops->output_ready)
		chardev->ops->output_ready(chardev->owner);
}

/* A client that is gone need not have been noticed: the guest may have no room for its last words.
 */
static void on_connection(struct loop_watch *watch, uint32_t events)
{
	struct chardev *chardev = container_of(watch, struct chardev_socket, watch)->chardev;
	struct pollfd now = {.fd = chardev->in};

	if (chardev->in < 0)
		next_client(chardev);
	else if (poll(&now, 1, 0) > 0)
		chardev_hangup(chardev);
}

int chardev_start_socket(struct chardev *chardev)
{
	return loop_watch_add(chardev->loop, &chardev->socket->watch, chardev->socket->fd, POLLIN,
			      on_connection);
}

/* The socket in the file system. */

/* Return: 0 if nobody listens at @address any more; -errno: -EADDRINUSE, -EPROTOTYPE, -EACCES. */
static int probe(const struct sockaddr_un *address)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return errno == ECONNREFUSED ? 0 : -errno;
}

/*
 * What an earlier vmm has left at the path is replaced, nothing else is. Return: 0; or -errno and
 * a sentence.
 */
static int make_room(const struct chardev *chardev, const struct sockaddr_un *address,
		     struct error *err)
{
	const char *path = address->sun_path;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_set(err, errno, "%s socket '%s': %s", chardev->name, path,
				 strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, EEXIST,
				 "%s socket '%s': there is something at that path already that is "
				 "not a socket; remove it or give another path",
				 chardev->name, path);
	r = probe(address);
	if (r == -EADDRINUSE || r == -EPROTOTYPE)
		return error_set(err, EADDRINUSE,
				 "%s socket '%s': another program listens there; give another path",
				 chardev->name, path);
	if (r == 0 && unlink(path) < 0)
		r = -errno;
	if (r < 0)
		return error_set(err, -r, "%s socket '%s' cannot be replaced: %s", chardev->name,
				 path, strerror(-r));
	return 0;
}

static int listen_at(struct chardev_socket *sock)
{
	struct stat st;

	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0 ||
	    bind(sock->fd, (const struct sockaddr *)&sock->address, sizeof(sock->address)) < 0)
		return -errno;
	if (lstat(sock->address.sun_path, &st) == 0) {
		sock->bound = true;
		sock->dev = st.st_dev;
		sock->ino = st.st_ino;
	}
	return listen(sock->fd, WAITING_MAX) < 0 ? -errno : 0;
}

int chardev_open_socket(struct chardev *chardev, const char *path, struct error *err)
{
	struct chardev_socket *sock = calloc(1, sizeof(*sock));
	const size_t len = strlen(path);
	int r;

	if (!sock)
		return error_set(err, ENOMEM, "out of memory");
	sock->chardev = chardev;
	sock->fd = -1;
	sock->address.sun_family = AF_UNIX;
	chardev->socket = sock;
	chardev->out_is_socket = true;
	if (len == 0 || len >= sizeof(sock->address.sun_path))
		return error_set(err, ENAMETOOLONG,
				 "%s socket '%s': a socket's path has 1 to %zu bytes, this has %zu",
				 chardev->name, path, sizeof(sock->address.sun_path) - 1, len);
	memcpy(sock->address.sun_path, path, len);
	r = make_room(chardev, &sock->address, err);
	if (r < 0)
		return r;
	r = listen_at(sock);
	if (r < 0)
		return error_set(err, -r, "%s socket '%s': %s", chardev->name, path, strerror(-r));
	return 0;
}

void chardev_close_socket(struct chardev *chardev)
{
	struct chardev_socket *sock = chardev->socket;
	struct stat st;

	if (!sock)
		return;
	drop_client(chardev);
	loop_watch_remove(chardev->loop, &sock->watch);
	if (sock->bound && lstat(sock->address.sun_path, &st) == 0 && st.st_dev == sock->dev &&
	    st.st_ino == sock->ino)
		unlink(sock->address.sun_path);
	closep(&sock->fd);
	free(sock);
	chardev->socket = NULL;
}
