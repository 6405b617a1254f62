/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_schema.c - every option there is, its default and its limits. See config_schema.h.
 *
 * A new option is a member of struct config, a line here and one in config_init(); the man page
 * describes it.
 */
#include "vmm/config_schema.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MEMORY_MIN   (16 * MIB)
#define MEMORY_MAX   (4 * TIB)
#define MEMORY_PAGE  (4 * KIB)
#define MEMORY_LARGE (2 * MIB) /* the default huge page of x86_64 */

static_assert(sizeof(enum serial_kind) == sizeof(unsigned int), "see FIELD_ENUM");
static_assert(sizeof(enum loop_kind) == sizeof(unsigned int), "see FIELD_ENUM");
static_assert(sizeof(enum log_level) == sizeof(unsigned int), "see FIELD_ENUM");

static int settle_memory(void *value, uint64_t given, struct error *err)
{
	const struct config_memory *memory = value;

	if (memory->hugepages && memory->thp)
		return error_set(err, EINVAL,
				 "hugepages=on and thp=on exclude each other: pages of the "
				 "hugepages pool are never transparent ones");
	if (memory->hugepages && memory->size % MEMORY_LARGE)
		return error_set(err, EINVAL, "with hugepages=on the size is a multiple of 2M");
	return 0;
}

static const struct config_field memory_fields[] = {
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
	{
		.name = "hugepages",
		.arg = "on|off",
		.help = "take it from the host's huge page pool",
		.type = FIELD_BOOL,
		.offset = offsetof(struct config_memory, hugepages),
	},
	{
		.name = "prefault",
		.arg = "on|off",
		.help = "allocate all of it at the start",
		.type = FIELD_BOOL,
		.offset = offsetof(struct config_memory, prefault),
	},
	{
		.name = "thp",
		.arg = "on|off",
		.help = "ask for transparent huge pages",
		.type = FIELD_BOOL,
		.offset = offsetof(struct config_memory, thp),
	},
	{
		.name = "shared",
		.arg = "on|off",
		.help = "one memfd instead of private memory",
		.type = FIELD_BOOL,
		.offset = offsetof(struct config_memory, shared),
	},
};

static const char *const serial_names[] = {
	[SERIAL_STDIO] = "stdio",
	[SERIAL_OFF] = "off",
	[SERIAL_PTY] = "pty",
	[SERIAL_FILE] = "file",
};

enum serial_field {
	SERIAL_FIELD_KIND,
	SERIAL_FIELD_FILE,
};

static const struct config_field serial_fields[] = {
	[SERIAL_FIELD_KIND] =
		{
			.name = "kind",
			.help = "the terminal, nothing, a new pseudo-terminal, or a file",
			.type = FIELD_ENUM,
			.offset = offsetof(struct config_serial, kind),
			.names = serial_names,
			.names_n = ARRAY_SIZE(serial_names),
		},
	[SERIAL_FIELD_FILE] =
		{
			.name = "file",
			.arg = "PATH",
			.help = "append the output to this file; there is no input",
			.type = FIELD_PATH,
			.offset = offsetof(struct config_serial, path),
		},
};

static int settle_serial(void *value, uint64_t given, struct error *err)
{
	struct config_serial *serial = value;

	if (serial->path && !(given & UINT64_C(1) << SERIAL_FIELD_KIND))
		serial->kind = SERIAL_FILE;
	if (serial->kind == SERIAL_FILE && !serial->path)
		return error_set(err, EINVAL, "no file is named: write file=PATH");
	if (serial->kind != SERIAL_FILE && serial->path)
		return error_set(err, EINVAL, "kind=%s and file=PATH exclude each other",
				 serial_names[serial->kind]);
	return 0;
}

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
				.fields = memory_fields,
				.fields_n = ARRAY_SIZE(memory_fields),
				.settle = settle_memory,
			},
	},
	{
		.field =
			{
				.name = "serial",
				.arg = "stdio|off|pty|file=PATH",
				.help = "where the serial port leads",
				.type = FIELD_COMPOSITE,
				.offset = offsetof(struct config, serial),
				.fields = serial_fields,
				.fields_n = ARRAY_SIZE(serial_fields),
				.settle = settle_serial,
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
		.serial = {.kind = SERIAL_STDIO},
		.acpi = true,
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

int config_check(const struct config *config, struct error *err)
{
	if (!config->kernel)
		return error_set(err, EINVAL, "no kernel given: name one with --kernel FILE");
	return 0;
}
