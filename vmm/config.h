/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - the configuration of one virtual machine, and where it comes from.
 *
 * One schema (config_schema.c) describes every option; the command line (config_args.c), the JSON
 * file and --dry-run's output (config_json.c) and --help (config_help.c) are all read off it. Main
 * thread.
 */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include "base.h"
#include "error.h"
#include "log.h"
#include "loop.h"

enum serial_kind {
	SERIAL_STDIO,
	SERIAL_OFF,
	SERIAL_PTY,
	SERIAL_FILE,
};

#define CONFIG_CPUS_MAX 32

struct config_memory {
	uint64_t size; /* bytes */
	bool shared, hugepages, prefault, thp;
};

struct config_serial {
	enum serial_kind kind;
	char *path; /* of SERIAL_FILE, else NULL */
};

/* struct config - strings are owned by it, valid UTF-8; NULL: not given. */
struct config {
	char *kernel;
	char *initramfs;
	char *cmdline;
	unsigned int cpus;
	struct config_memory memory;
	struct config_serial serial;
	bool acpi;
	bool software_kvm; /* run although KVM here interprets every instruction */
	enum loop_kind loop;
	enum log_level log_level;
};

/* What the command line asks for. */
enum config_action {
	CONFIG_RUN,
	CONFIG_DRY_RUN,
	CONFIG_CHECK_HOST,
	CONFIG_HELP,
	CONFIG_VERSION,
};

/* config_init - the defaults. */
void config_init(struct config *config);

/* config_deinit - release the strings, whether or not reading the configuration succeeded. */
void config_deinit(struct config *config);

/*
 * config_from_args - read the command line, and the file that --config names, into @config.
 * @config: initialised. An option of the command line replaces that of the file as a whole, in
 * whatever order they are given. --help and --version end the reading where they stand.
 * Return: 0 and *@action; or -EINVAL (-errno for a file that cannot be read) and a sentence that
 * says what is wrong, where, and what would be right.
 */
int config_from_args(struct config *config, int argc, char **argv, enum config_action *action,
		     struct error *err);

/*
 * config_from_json - read a configuration file's text into @config.
 * @name: of the file, for messages, which say "NAME:LINE:COLUMN: ...". @text: @len bytes, not
 * necessarily terminated. @given: bit mask by index into the schema; options whose bit is set are
 * checked but not stored. Return: 0; -EINVAL or -ENOMEM and a sentence.
 */
int config_from_json(struct config *config, const char *name, const char *text, size_t len,
		     uint64_t given, struct error *err);

/*
 * config_to_json - what --dry-run prints: every option with its effective value, without a final
 * newline; config_from_json() takes it back. Return: a string to free(), NULL out of memory.
 */
char *config_to_json(const struct config *config);

/*
 * config_check - what only the whole shows: a kernel is named. What a single option can show was
 * checked when it was read. For CONFIG_RUN and CONFIG_DRY_RUN. Return: 0; -EINVAL and a sentence.
 */
int config_check(const struct config *config, struct error *err);

/* config_print_help - --help, to stdout. */
void config_print_help(void);

#endif
