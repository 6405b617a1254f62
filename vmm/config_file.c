/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_file.c - read a configuration file whole. See config_schema.h.
 *
 * A pipe is fine as well, so that a shell's <(command) works.
 */
#include "vmm/config_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_SHOWN "'%.400s'" /* a path may be longer than a sentence */

#define FIRST_READ (4 * KIB) /* most files end within */

/* Return: bytes read until the end of the file, at most CONFIG_FILE_MAX + 1, to *@to; -errno. */
static ssize_t read_all(int fd, char **to)
{
	size_t len = 0, max = 0;

	while (len <= CONFIG_FILE_MAX) {
		ssize_t n;

		if (len == max) {
			char *longer;

			max = max ? MIN(2 * max, CONFIG_FILE_MAX + 1) : FIRST_READ;
			longer = realloc(*to, max);
			if (!longer)
				return -ENOMEM;
			*to = longer;
		}
		n = read(fd, *to + len, max - len);
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += (size_t)n;
	}
	return (ssize_t)len;
}

int config_file_read(const char *path, char **text, size_t *len, struct error *err)
{
	_cleanup_(freep) char *buffer = NULL;
	_cleanup_(closep) int fd = -1;
	struct stat st;
	ssize_t n;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, errno, "cannot open configuration file " NAME_SHOWN ": %s",
				 path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return error_set(err, EISDIR, "configuration file " NAME_SHOWN " is a directory",
				 path);
	n = read_all(fd, &buffer);
	if (n < 0)
		return error_set(err, (int)-n, "cannot read configuration file " NAME_SHOWN ": %s",
				 path, strerror((int)-n));
	if (n == 0)
		return error_set(err, EINVAL, "configuration file " NAME_SHOWN " is empty", path);
	if ((uint64_t)n > CONFIG_FILE_MAX)
		return error_set(err, EFBIG,
				 "configuration file " NAME_SHOWN " is larger than 1 MiB", path);
	*text = buffer;
	*len = (size_t)n;
	buffer = NULL;
	return 0;
}
