/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * terminal.c - raw mode and back. See terminal.h.
 */
#include "vmm/terminal.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "log.h"

static struct termios saved;
static int saved_fd = -1;
static atomic_bool raw;

/* As terminal_take() leaves it; what a driver forces on c_cflag does not count. */
static bool is_raw(const struct termios *now)
{
	struct termios like = *now;

	cfmakeraw(&like);
	return now->c_iflag == like.c_iflag && now->c_oflag == like.c_oflag &&
	       now->c_lflag == like.c_lflag;
}

int terminal_take(int fd)
{
	struct termios now;
	pid_t foreground;
	bool was_raw;

	/* A terminal that is not this session's has no foreground, and so no background. */
	foreground = tcgetpgrp(fd);
	if (foreground > 0 && foreground != getpgrp())
		return 0;
	if (tcgetattr(fd, &now) < 0)
		return -errno;
	/*
	 * What it is while somebody else had it is to be restored next time; but not every shell
	 * changes what a job that it stops has left behind.
	 */
	if (saved_fd != fd || !is_raw(&now)) {
		saved = now;
		saved_fd = fd;
	}
	cfmakeraw(&now);
	/* Set before the change, so that a signal in between still restores. */
	was_raw = atomic_exchange(&raw, true);
	if (tcsetattr(fd, TCSANOW, &now) < 0) {
		int code = errno;

		atomic_store(&raw, was_raw);
		return -code;
	}
	log_set_raw(true);
	return 1;
}

int terminal_size(int fd, uint16_t *cols, uint16_t *rows)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return -errno;
	*cols = size.ws_col;
	*rows = size.ws_row;
	return 0;
}

void terminal_restore(void)
{
	int code = errno;
	pid_t foreground;

	if (atomic_exchange(&raw, false)) {
		/* In the background the terminal is somebody else's, and the shell has restored it.
		 */
		foreground = tcgetpgrp(saved_fd);
		if (foreground <= 0 || foreground == getpgrp())
			tcsetattr(saved_fd, TCSANOW, &saved);
		log_set_raw(false);
	}
	errno = code;
}
