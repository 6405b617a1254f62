/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_composite.c - the options that consist of several values: their keys, the limits of each,
 * and what goes together. See config_schema.h.
 *
 * Defaults are in config_init(), those of a list's items here. Main thread.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "vmm/config_schema.h"

/* --- memory --- */

#define MEMORY_MIN   (16 * MIB)
#define MEMORY_MAX   (4 * TIB)
#define MEMORY_PAGE  (4 * KIB)
#define MEMORY_LARGE (2 * MIB) /* the default huge page of x86_64 */

enum memory_field {
	MEMORY_FIELD_SIZE,
	MEMORY_FIELD_HUGEPAGES,
	MEMORY_FIELD_PREFAULT,
	MEMORY_FIELD_THP,
	MEMORY_FIELD_SHARED,
};

static int settle_memory(void *value, uint64_t given, struct error *err)
{
	struct config_memory *memory = value;

	memory->shared_given = given & UINT64_C(1) << MEMORY_FIELD_SHARED;
	if (memory->hugepages && memory->thp)
		return error_set(err, EINVAL,
				 "hugepages=on and thp=on exclude each other: pages of the "
				 "hugepages pool are never transparent ones");
	if (memory->hugepages && memory->size % MEMORY_LARGE)
		return error_set(err, EINVAL, "with hugepages=on the size is a multiple of 2M");
	return 0;
}

static const struct config_field memory_fields[] = {
	[MEMORY_FIELD_SIZE] =
		{
			.name = "size",
			.arg = "SIZE",
			.help = "bytes, or with K, M, G or T",
			.type = FIELD_SIZE,
			.offset = offsetof(struct config_memory, size),
			.min = MEMORY_MIN,
			.max = MEMORY_MAX,
			.multiple = MEMORY_PAGE,
		},
	[MEMORY_FIELD_HUGEPAGES] =
		{
			.name = "hugepages",
			.arg = "on|off",
			.help = "take it from the host's huge page pool",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_memory, hugepages),
		},
	[MEMORY_FIELD_PREFAULT] =
		{
			.name = "prefault",
			.arg = "on|off",
			.help = "allocate all of it at the start",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_memory, prefault),
		},
	[MEMORY_FIELD_THP] =
		{
			.name = "thp",
			.arg = "on|off",
			.help = "ask for transparent huge pages",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_memory, thp),
		},
	[MEMORY_FIELD_SHARED] =
		{
			.name = "shared",
			.arg = "on|off",
			.help = "one memfd instead of private memory",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_memory, shared),
		},
};

const struct config_composite config_memory_keys = {
	.fields = memory_fields,
	.fields_n = ARRAY_SIZE(memory_fields),
	.settle = settle_memory,
};

/* --- serial port and console --- */

static_assert(sizeof(enum chardev_kind) == sizeof(unsigned int), "see FIELD_ENUM");
static_assert(CHARDEV_FILE != 0 && CHARDEV_SOCKET != 0, "see only_with");

static const char *const chardev_names[] = {
	[CHARDEV_STDIO] = "stdio", [CHARDEV_OFF] = "off",	[CHARDEV_PTY] = "pty",
	[CHARDEV_FILE] = "file",   [CHARDEV_SOCKET] = "socket",
};

enum chardev_field {
	CHARDEV_FIELD_KIND,
	CHARDEV_FIELD_FILE,
	CHARDEV_FIELD_SOCKET,
};

static const struct config_field chardev_fields[] = {
	[CHARDEV_FIELD_KIND] =
		{
			.name = "kind",
			.help = "the terminal, nothing, a new pseudo-terminal, a file, or a socket",
			.type = FIELD_ENUM,
			.offset = offsetof(struct config_chardev, kind),
			.names = chardev_names,
			.names_n = ARRAY_SIZE(chardev_names),
		},
	[CHARDEV_FIELD_FILE] =
		{
			.name = "file",
			.arg = "PATH",
			.help = "append the output to this file; there is no input",
			.type = FIELD_PATH,
			.offset = offsetof(struct config_chardev, path),
			.only_with = CHARDEV_FILE,
		},
	[CHARDEV_FIELD_SOCKET] =
		{
			.name = "socket",
			.arg = "PATH",
			.help = "listen on this Unix socket",
			.type = FIELD_PATH,
			.offset = offsetof(struct config_chardev, path),
			.only_with = CHARDEV_SOCKET,
		},
};

/* file=PATH alone implies its kind; a kind that has a path needs it. */
static int settle_chardev(void *value, uint64_t given, struct error *err)
{
	struct config_chardev *chardev = value;
	const bool file = given & UINT64_C(1) << CHARDEV_FIELD_FILE;
	const bool socket = given & UINT64_C(1) << CHARDEV_FIELD_SOCKET;
	const enum chardev_kind implied = file ? CHARDEV_FILE : CHARDEV_SOCKET;

	if (file && socket)
		return error_set(err, EINVAL, "file=PATH and socket=PATH exclude each other");
	if ((file || socket) && !(given & UINT64_C(1) << CHARDEV_FIELD_KIND))
		chardev->kind = implied;
	if ((file || socket) && chardev->kind != implied)
		return error_set(err, EINVAL, "kind=%s and %s=PATH exclude each other",
				 chardev_names[chardev->kind], chardev_names[implied]);
	if ((chardev->kind == CHARDEV_FILE || chardev->kind == CHARDEV_SOCKET) && !chardev->path)
		return error_set(err, EINVAL, "no %s is named: write %s=PATH",
				 chardev_names[chardev->kind], chardev_names[chardev->kind]);
	return 0;
}

const struct config_composite config_chardev_keys = {
	.fields = chardev_fields,
	.fields_n = ARRAY_SIZE(chardev_fields),
	.settle = settle_chardev,
};

/* --- disks --- */

enum disk_field {
	DISK_FIELD_PATH,
	DISK_FIELD_READONLY,
	DISK_FIELD_ID,
	DISK_FIELD_DIRECT,
	DISK_FIELD_DISCARD,
};

static const struct config_field disk_fields[] = {
	[DISK_FIELD_PATH] =
		{
			.name = "path",
			.arg = "PATH",
			.help = "raw image or block device",
			.type = FIELD_PATH,
			.offset = offsetof(struct config_disk, path),
		},
	[DISK_FIELD_READONLY] =
		{
			.name = "readonly",
			.arg = "on|off",
			.help = "the guest cannot write to it",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_disk, readonly),
		},
	[DISK_FIELD_ID] =
		{
			.name = "id",
			.arg = "ID",
			.help = "serial number that the guest sees, up to 20 bytes of ASCII",
			.type = FIELD_NAME,
			.offset = offsetof(struct config_disk, id),
			.max = CONFIG_DISK_ID_MAX,
		},
	[DISK_FIELD_DIRECT] =
		{
			.name = "direct",
			.arg = "on|off",
			.help = "bypass the host's page cache",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_disk, direct),
		},
	[DISK_FIELD_DISCARD] =
		{
			.name = "discard",
			.arg = "on|off",
			.help = "what the guest discards is freed on the host",
			.type = FIELD_BOOL,
			.offset = offsetof(struct config_disk, discard),
		},
};

static int settle_disk(void *value, uint64_t given, struct error *err)
{
	struct config_disk *disk = value;

	if (!disk->path)
		return error_set(err, EINVAL, "no image is named: write path=PATH");
	if (!disk->readonly)
		return 0;
	if (disk->discard && given & UINT64_C(1) << DISK_FIELD_DISCARD)
		return error_set(err, EINVAL,
				 "discard=on needs a disk that can be written: leave out discard "
				 "or readonly");
	disk->discard = false;
	return 0;
}

const struct config_composite config_disk_keys = {
	.fields = disk_fields,
	.fields_n = ARRAY_SIZE(disk_fields),
	.settle = settle_disk,
};

static int check_disks(const void *items, size_t n, struct error *err)
{
	const struct config_disk *disks = items;

	for (size_t i = 0; i + 1 < n; i++)
		if (strcmp(disks[i].path, disks[n - 1].path) == 0)
			return error_set(err, EINVAL,
					 "the path '%.400s' is that of another disk already: each "
					 "disk needs an image of its own",
					 disks[i].path);
	return 0;
}

static const struct config_disk disk_defaults = {
	.discard = true,
};

const struct config_list config_disk_list = {
	.count = offsetof(struct config, disks_n),
	.item_size = sizeof(struct config_disk),
	.item_defaults = &disk_defaults,
	.max = CONFIG_DISKS_MAX,
	.check = check_disks,
};

/* --- virtio --- */

static const struct config_field virtio_fields[] = {
	{
		.name = "packed",
		.arg = "on|off",
		.help = "offer packed virtqueues beside split ones",
		.type = FIELD_BOOL,
		.offset = offsetof(struct config_virtio, packed),
	},
};

const struct config_composite config_virtio_keys = {
	.fields = virtio_fields,
	.fields_n = ARRAY_SIZE(virtio_fields),
};
