/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_lock.c - one writer, or several readers, of an image. See disk.h.
 *
 * The lock is one of the open file description (F_OFD_SETLK), over the whole file: it conflicts
 * with a second description in this process as well as with another program's, QEMU's included.
 * The kernel does not say who holds such a lock; /proc/PID/fdinfo does, for what this user may see.
 * Main thread.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "devices/blk/disk.h"
#include "log.h"

/* Does the file @fd of /proc/@pid, which is known to be ours, hold a lock on it? */
static bool fd_has_lock(const char *pid, const char *fd)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	if (snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, "lock:", 5) == 0;
	fclose(file);
	return found;
}

/* Does not ask servers for their files' attributes: one that is dead would stop us. */
static bool stat_cached(int folder, const char *name, int flags, struct statx *stx)
{
	return statx(folder, name, flags | AT_STATX_DONT_SYNC, STATX_INO, stx) == 0;
}

static bool is_same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor &&
	       a->stx_ino == b->stx_ino;
}

static bool process_has_lock(const char *pid, const struct statx *image)
{
	struct dirent *entry;
	bool found = false;
	struct statx stx;
	char path[64];
	DIR *dir;

	if (snprintf(path, sizeof(path), "/proc/%s/fd", pid) >= (int)sizeof(path))
		return false;
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = stat_cached(dirfd(dir), entry->d_name, 0, &stx) &&
			is_same_file(&stx, image) && fd_has_lock(pid, entry->d_name);
	closedir(dir);
	return found;
}

/* Return: its process id, 0 if unknown. */
static pid_t find_holder(int fd)
{
	struct dirent *entry;
	struct statx image;
	pid_t holder = 0;
	DIR *dir;

	if (!stat_cached(fd, "", AT_EMPTY_PATH, &image))
		return 0;
	dir = opendir("/proc");
	if (!dir)
		return 0;
	while (!holder && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    process_has_lock(entry->d_name, &image))
			holder = (pid_t)strtol(entry->d_name, NULL, 10);
	closedir(dir);
	return holder;
}

static void read_name(pid_t pid, char *name, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file || !fgets(name, (int)size, file))
		snprintf(name, size, "unknown");
	name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}

static int say_busy(int fd, const char *path, bool readonly, struct error *err)
{
	const char *rule = readonly ? "a disk that is written elsewhere cannot be used at all"
				    : "only disks that all users open with readonly can be shared";
	const pid_t holder = find_holder(fd);
	char name[32];

	if (holder == getpid())
		return error_set(err, EBUSY, "disk '%s' is used twice in this machine: %s", path,
				 rule);
	if (!holder)
		return error_set(err, EBUSY, "disk '%s' is locked by another program: %s", path,
				 rule);
	read_name(holder, name, sizeof(name));
	return error_set(err, EBUSY, "disk '%s' is locked by process %d (%s): %s", path,
			 (int)holder, name, rule);
}

int disk_lock(int fd, const char *path, bool readonly, struct error *err)
{
	struct flock lock = {
		.l_type = readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET, /* length 0: up to any end */
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return say_busy(fd, path, readonly, err);
	log_warning("disk '%s' cannot be locked (%s): see to it that nothing else writes to it",
		    path, strerror(errno));
	return 0;
}
