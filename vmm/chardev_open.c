/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chardev_open.c - open the kinds of host's ends that are there once and for all: standard input
 * and output, a pseudo-terminal, a file. See chardev.h. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>

#include "vmm/chardev_impl.h"

/*
 * A write to the terminal or pipe that we were given may block, and making it non-blocking would
 * do so to all who share it, the shell among them. So it is opened once more; where that is not
 * allowed, it is written in pieces that cannot block. Regular files and the like never do.
 */
static void open_stdout(struct chardev *chardev)
{
	struct stat st;
	int fd;

	chardev->out = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &st) < 0)
		return;
	chardev->out_is_socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !isatty(STDOUT_FILENO))
		return;
	fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		chardev->chunk = S_ISFIFO(st.st_mode) ? PIPE_BUF : 1;
		return;
	}
	chardev->out = fd;
	chardev->own_out = true;
}

void chardev_open_stdio(struct chardev *chardev)
{
	chardev->in = STDIN_FILENO;
	chardev->terminal = isatty(STDIN_FILENO);
	open_stdout(chardev);
	if (chardev->terminal)
		chardev->screen = STDIN_FILENO;
	else if (isatty(chardev->out))
		chardev->screen = chardev->out;
}

int chardev_open_file(struct chardev *chardev, const char *path, struct error *err)
{
	/*
	 * Appends: the output of an earlier boot is not lost. Not blocking: to open a FIFO must not
	 * wait for its reader, and who writes to it waits elsewhere.
	 */
	chardev->out =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	if (chardev->out >= 0) {
		chardev->own_out = true;
		return 0;
	}
	if (errno == ENXIO)
		return error_set(err, ENXIO,
				 "%s file '%s' is a FIFO that nobody reads: start its reader first",
				 chardev->name, path);
	if (errno == ENOSPC)
		return error_set_host(err, ENOSPC, "%s file '%s': its disk is full", chardev->name,
				      path);
	return error_set(err, errno, "%s file '%s': %s", chardev->name, path, strerror(errno));
}

int chardev_open_pty(struct chardev *chardev, struct error *err)
{
	struct termios termios;
	const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set_host(err, errno, "cannot make a pseudo-terminal: %s",
				      strerror(errno));
	chardev->in = chardev->out = fd;
	chardev->own_in = true;
	chardev->may_drop = true;
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    ptsname_r(fd, chardev->path, sizeof(chardev->path)) != 0)
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
