/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_sysfs.c - a host's video nodes, as files. See fake_sysfs.h.
 */
#include "fake_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char root[] = "/var/tmp/vmm-sysfs-XXXXXX";

static void check(bool good)
{
	if (!good)
		abort();
}

/* Below the root. Makes the folders above it. Return: until the next call but one. */
static const char *at(const char *fmt, ...)
{
	static char paths[2][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 2];
	size_t len = (size_t)snprintf(path, PATH_MAX, "%s", root);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + len, PATH_MAX - len, fmt, ap);
	va_end(ap);
	for (char *slash = path + len + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		check(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	return path;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	check(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

const char *fake_sysfs_new(void)
{
	memcpy(root + strlen(root) - 6, "XXXXXX", 6);
	check(mkdtemp(root));
	return root;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void fake_sysfs_free(void)
{
	check(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

void fake_sysfs_device(const char *subsystem, const char *id, unsigned int major_number,
		       unsigned int minor_number, const char *name, const char *driver)
{
	char text[64], target[PATH_MAX];

	snprintf(text, sizeof(text), "%u:%u\n", major_number, minor_number);
	put(at("/sys/devices/%s/dev", id), text);
	if (name) {
		snprintf(target, sizeof(target), "%s\n", name);
		put(at("/sys/devices/%s/name", id), target);
	}
	if (driver) {
		snprintf(target, sizeof(target), "../../../bus/usb/drivers/%s", driver);
		check(symlink(target, at("/sys/devices/%s/device/driver", id)) == 0);
	}
	snprintf(target, sizeof(target), "../../class/%s", subsystem);
	check(symlink(target, at("/sys/devices/%s/subsystem", id)) == 0);
	snprintf(target, sizeof(target), "../../devices/%s", id);
	check(symlink(target, at("/sys/class/%s/%s", subsystem, id)) == 0);
	check(symlink(target, at("/sys/dev/char/%u:%u", major_number, minor_number)) == 0);
	put(at("/dev/%s", id), "");
}

void fake_sysfs_parent(const char *id, const char *parent)
{
	char target[PATH_MAX];

	put(at("/sys/devices/%s/uevent", parent), "");
	snprintf(target, sizeof(target), "../%s", parent);
	check(symlink(target, at("/sys/devices/%s/device", id)) == 0);
}

void fake_sysfs_by_id(const char *name, const char *id)
{
	char target[PATH_MAX];

	snprintf(target, sizeof(target), "../../%s", id ? id : "nowhere");
	check(symlink(target, at("/dev/v4l/by-id/%s", name)) == 0);
}
