/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_sysfs.h - a folder that looks like /sys and /dev of a host with video nodes.
 *
 * What fails here aborts.
 */
#ifndef VMM_TESTS_FAKE_SYSFS_H
#define VMM_TESTS_FAKE_SYSFS_H

#include "base.h"

/* fake_sysfs_new - make an empty one. Return: its path, without a slash behind it. */
const char *fake_sysfs_new(void);

/* fake_sysfs_free - remove it with all that is in it. */
void fake_sysfs_free(void);

/*
 * fake_sysfs_device - a device of @subsystem ("video4linux", "media") that sysfs calls @id.
 * @name, @driver: NULL if there are none.
 */
void fake_sysfs_device(const char *subsystem, const char *id, unsigned int major_number,
		       unsigned int minor_number, const char *name, const char *driver);

/* fake_sysfs_parent - the device @id, without a driver, belongs to the device @parent. */
void fake_sysfs_parent(const char *id, const char *parent);

/* fake_sysfs_by_id - a link of that @name in /dev/v4l/by-id; @id: NULL if it leads nowhere. */
void fake_sysfs_by_id(const char *name, const char *id);

#endif
