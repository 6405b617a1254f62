/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device_holder.c - who has a device open. See device_holder.h.
 */
#include "device_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define TEXT_HOLDERS_MAX 4

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Does not ask servers for their files' attributes: one that is dead would stop us. */
static bool is_device(int folder, const char *name, dev_t device)
{
	struct statx stx;

	return statx(folder, name, AT_STATX_DONT_SYNC, STATX_TYPE, &stx) == 0 &&
	       S_ISCHR(stx.stx_mode) && stx.stx_rdev_major == major(device) &&
	       stx.stx_rdev_minor == minor(device);
}

static bool holds(const char *pid, dev_t device)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (is_device(dirfd(dir), entry->d_name, device))
			return true;
	return false;
}

static void read_name(const char *pid, char *name, size_t size)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(name, (int)size, file))
		snprintf(name, size, "unknown");
	if (file)
		fclose(file);
	name[strcspn(name, "\n")] = '\0';
	for (; *name; name++)
		if (iscntrl((unsigned char)*name))
			*name = '?';
}

size_t device_holders(dev_t device, struct device_holder *holders, size_t max)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	const struct dirent *entry;
	size_t n = 0;

	while (proc && n < max && (entry = readdir(proc))) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid() || !holds(entry->d_name, device))
			continue;
		holders[n].pid = pid;
		read_name(entry->d_name, holders[n].name, sizeof(holders[n].name));
		n++;
	}
	return n;
}

void device_holders_text(dev_t device, char *text, size_t size)
{
	struct device_holder holders[TEXT_HOLDERS_MAX];
	const size_t n = device_holders(device, holders, ARRAY_SIZE(holders));
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s (process %d)", i ? ", " : "",
					holders[i].name, (int)holders[i].pid);
}
