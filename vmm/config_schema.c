/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_schema.c - every option there is, its default and its limits. See config_schema.h.
 *
 * A new option is a member of struct config, a line here and one in config_init(); the man page
 * describes it. Main thread.
 */
#include "vmm/config_schema.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(sizeof(enum loop_kind) == sizeof(unsigned int), "see FIELD_ENUM");
static_assert(sizeof(enum log_level) == sizeof(unsigned int), "see FIELD_ENUM");

static const char *const loop_names[] = {
	[LOOP_AUTO] = "auto",
	[LOOP_URING] = "uring",
	[LOOP_EPOLL] = "epoll",
};

static const char *const log_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

const struct config_option config_options[] = {
	{
		.group = "Guest",
		.letter = 'k',
		.field =
			{
				.name = "kernel",
				.arg = "FILE",
				.help = "Linux kernel: bzImage, or ELF vmlinux with a PVH note",
				.type = FIELD_PATH,
				.offset = offsetof(struct config, kernel),
			},
	},
	{
		.letter = 'i',
		.alias = "initrd",
		.field =
			{
				.name = "initramfs",
				.arg = "FILE",
				.help = "initial file system for the kernel",
				.type = FIELD_PATH,
				.offset = offsetof(struct config, initramfs),
			},
	},
	{
		.letter = 'p',
		.alias = "params",
		.field =
			{
				.name = "cmdline",
				.arg = "TEXT",
				.help = "command line of the kernel",
				.type = FIELD_TEXT,
				.offset = offsetof(struct config, cmdline),
			},
	},
	{
		.group = "Machine",
		.letter = 'c',
		.field =
			{
				.name = "cpus",
				.arg = "N",
				.help = "number of virtual CPUs",
				.type = FIELD_UINT,
				.offset = offsetof(struct config, cpus),
				.min = 1,
				.max = CONFIG_CPUS_MAX,
			},
	},
	{
		.letter = 'm',
		.alias = "mem",
		.field =
			{
				.name = "memory",
				.arg = "SIZE[,KEY=VALUE...]",
				.help = "guest memory",
				.type = FIELD_COMPOSITE,
				.offset = offsetof(struct config, memory),
				.composite = &config_memory_keys,
			},
	},
	{
		.no = "no-acpi",
		.field =
			{
				.name = "acpi",
				.help = "describe the machine by ACPI tables; without them by an MP table "
					"and the kernel's command line",
				.type = FIELD_BOOL,
				.offset = offsetof(struct config, acpi),
			},
	},
	{
		.group = "Devices",
		.field =
			{
				.name = "serial",
				.arg = "stdio|off|pty|file=PATH|socket=PATH",
				.help = "where the serial port leads, the guest's ttyS0; off if the "
					"console takes stdio",
				.type = FIELD_COMPOSITE,
				.offset = offsetof(struct config, serial),
				.composite = &config_chardev_keys,
			},
	},
	{
		.field =
			{
				.name = "console",
				.arg = "stdio|off|pty|file=PATH|socket=PATH",
				.help = "where the virtio console leads, the guest's hvc0",
				.type = FIELD_COMPOSITE,
				.offset = offsetof(struct config, console),
				.composite = &config_chardev_keys,
			},
	},
	{
		.field =
			{
				.name = "disk",
				.arg = "PATH[,KEY=VALUE...]",
				.help = "a disk, the guest's /dev/vda and so on; may be repeated",
				.type = FIELD_LIST,
				.offset = offsetof(struct config, disks),
				.composite = &config_disk_keys,
				.list = &config_disk_list,
			},
	},
	{
		.field =
			{
				.name = "media",
				.arg = "PATH|by-id=NAME|fd=N|test[,KEY=VALUE...]",
				.help = "a camera or codec of the host, or the synthetic camera, the "
					"guest's /dev/video0 and so on; may be repeated",
				.type = FIELD_LIST,
				.offset = offsetof(struct config, media),
				.composite = &config_media_keys,
				.list = &config_media_list,
			},
	},
	{
		.no = "no-rng",
		.field =
			{
				.name = "rng",
				.help = "a source of random numbers, the guest's /dev/hwrng",
				.type = FIELD_BOOL,
				.offset = offsetof(struct config, rng),
			},
	},
	{
		.field =
			{
				.name = "virtio",
				.arg = "packed=on|off",
				.help = "for all virtio devices",
				.type = FIELD_COMPOSITE,
				.offset = offsetof(struct config, virtio),
				.composite = &config_virtio_keys,
			},
	},
	{
		.group = "Host",
		.field =
			{
				.name = "loop",
				.help = "how devices wait for events",
				.type = FIELD_ENUM,
				.offset = offsetof(struct config, loop),
				.names = loop_names,
				.names_n = ARRAY_SIZE(loop_names),
			},
	},
	{
		.no = "no-software-kvm",
		.field =
			{
				.name = "software-kvm",
				.help = "run although KVM on this host interprets every instruction, for "
					"tiny guests and tests",
				.type = FIELD_BOOL,
				.offset = offsetof(struct config, software_kvm),
			},
	},
	{
		.field =
			{
				.name = "log-level",
				.help = "which messages appear on standard error",
				.type = FIELD_ENUM,
				.offset = offsetof(struct config, log_level),
				.names = log_names,
				.names_n = ARRAY_SIZE(log_names),
			},
	},
	{
		.letter = 'v',
		.command = COMMAND_VERBOSE,
		.field =
			{
				.name = "verbose",
				.help = "raise the log level by one: -v is info, -vv debug",
			},
	},
	{
		.group = "What to do",
		.command = COMMAND_CONFIG,
		.field =
			{
				.name = "config",
				.arg = "FILE",
				.help = "read options from a JSON file; those given here win",
				.type = FIELD_PATH,
			},
	},
	{
		.command = COMMAND_ACTION,
		.action = CONFIG_DRY_RUN,
		.field =
			{
				.name = "dry-run",
				.help = "print the configuration as --config takes it, and end",
			},
	},
	{
		.command = COMMAND_ACTION,
		.action = CONFIG_CHECK_HOST,
		.field =
			{
				.name = "check-host",
				.help = "report what this host can do and what it lacks, and end",
			},
	},
	{
		.command = COMMAND_ACTION,
		.action = CONFIG_VERSION,
		.field =
			{
				.name = "version",
				.help = "print the version and end",
			},
	},
	{
		.letter = 'h',
		.command = COMMAND_ACTION,
		.action = CONFIG_HELP,
		.field =
			{
				.name = "help",
				.help = "print this and end",
			},
	},
};

const size_t config_options_n = ARRAY_SIZE(config_options);
static_assert(ARRAY_SIZE(config_options) <= CONFIG_OPTIONS_MAX, "a mask has a bit for each");

void config_init(struct config *config)
{
	*config = (struct config) {
		.cpus = 1,
		.memory = {.size = 512 * MIB},
		.acpi = true,
		.serial = {.kind = CHARDEV_STDIO},
		.console = {.kind = CHARDEV_OFF},
		.rng = true,
		.virtio = {.packed = true},
		.loop = LOOP_AUTO,
		.log_level = LOG_LEVEL_WARNING,
	};
}

void config_deinit(struct config *config)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (option_stored(&config_options[i]))
			field_free(&config_options[i].field, config);
}

/* Was the option given whose place in struct config is @offset? */
static bool was_given(uint64_t given, size_t offset)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (option_stored(&config_options[i]) && config_options[i].field.offset == offset)
			return given & UINT64_C(1) << i;
	return false;
}

/* Buffers of the guest's own (SHARED_PAGES) need memory that can be mapped a second time. */
static void settle_shared(struct config *config)
{
	if (config->media_n && !config->memory.shared_given)
		config->memory.shared = true;
}

int config_settle(struct config *config, uint64_t given, struct error *err)
{
	struct config_chardev *serial = &config->serial;
	const struct config_chardev *console = &config->console;

	settle_shared(config);
	if (console->kind == CHARDEV_STDIO && serial->kind == CHARDEV_STDIO) {
		if (was_given(given, offsetof(struct config, serial)))
			return error_set(err, EINVAL,
					 "serial and console both lead to stdio, which only one of "
					 "them can have: say --serial off");
		serial->kind = CHARDEV_OFF;
	}
	if (console->kind == CHARDEV_SOCKET && serial->kind == CHARDEV_SOCKET &&
	    strcmp(console->path, serial->path) == 0)
		return error_set(err, EINVAL,
				 "serial and console both lead to the socket '%.400s': each needs "
				 "one of its own",
				 serial->path);
	return 0;
}

int config_check(const struct config *config, struct error *err)
{
	if (!config->kernel)
		return error_set(err, EINVAL, "no kernel given: name one with --kernel FILE");
	return 0;
}
