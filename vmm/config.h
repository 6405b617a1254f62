/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - the configuration of one virtual machine, and where it comes from.
 *
 * One schema (config_schema.c) describes every option; the command line (config_args.c), the JSON
 * file (config_json.c), --dry-run's output (config_print.c) and --help (config_help.c) are all read
 * off it. Main thread.
 */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include "base.h"
#include "error.h"
#include "log.h"
#include "loop.h"

#define CONFIG_CPUS_MAX	   32
#define CONFIG_DISKS_MAX   64
#define CONFIG_DISK_ID_MAX 20 /* bytes; virtio 1.4, 5.2.6: what VIRTIO_BLK_T_GET_ID returns */
#define CONFIG_MEDIA_MAX   16

/* Defaults and limits of a media device. */
#define CONFIG_MEDIA_LABEL_MAX	  31 /* bytes; virtio 1.4, media device: card, with its NUL */
#define CONFIG_MEDIA_SHM	  (1 * GIB)
#define CONFIG_MEDIA_SESSIONS	  128
#define CONFIG_MEDIA_SESSIONS_MAX 1024
#define CONFIG_MEDIA_BUFFERS	  1024
#define CONFIG_MEDIA_BUFFERS_MAX  32768
#define CONFIG_FRAME_SIDE_MIN	  16 /* pixels */
#define CONFIG_FRAME_SIDE_MAX	  8192
#define CONFIG_FRAME_RATE_MAX	  1000	  /* frames in a second */
#define CONFIG_FRAME_NUMBER_MAX	  1000000 /* of the two numbers of a rate */

/* Where a serial port or console leads on the host. */
enum chardev_kind {
	CHARDEV_STDIO,
	CHARDEV_OFF,
	CHARDEV_PTY,
	CHARDEV_FILE,
	CHARDEV_SOCKET,
};

struct config_memory {
	uint64_t size; /* bytes */
	bool shared, hugepages, prefault, thp;
	bool shared_given; /* no option: somebody has said shared=, on or off */
};

struct config_chardev {
	enum chardev_kind kind;
	char *path; /* of CHARDEV_FILE and CHARDEV_SOCKET, else NULL */
};

struct config_disk {
	char *path;
	char *id; /* printable ASCII, 1 to CONFIG_DISK_ID_MAX bytes; NULL: not given */
	bool readonly;
	bool direct;  /* O_DIRECT: without the host's page cache */
	bool discard; /* offered to the guest */
};

/* Whose clock the time stamps of frames are of. */
enum config_timestamps {
	TIMESTAMPS_HOST,
	TIMESTAMPS_GUEST,
};

/* struct config_frame_size - pixels. 0 by 0: not given. */
struct config_frame_size {
	unsigned int width, height;
};

/* struct config_frame_rate - @frames in @seconds, in lowest terms. 0 in 0: not given. */
struct config_frame_rate {
	unsigned int frames, seconds;
};

/* struct config_media - a media device. Exactly one of the four sources is set. */
struct config_media {
	char *path;
	char *by_id; /* a name in /dev/v4l/by-id, or the device's own */
	int fd;	     /* or -1 */
	bool test;   /* the synthetic camera */

	char *label;  /* 1 to CONFIG_MEDIA_LABEL_MAX bytes; NULL: what the source is called */
	uint64_t shm; /* bytes, whole 2 MiB: mapped at a time for writing, and as many to be read */
	enum config_timestamps timestamps;
	bool convert; /* offer formats that every guest can decode; not with test */
	unsigned int sessions, buffers; /* at most, of the whole device */

	/* With test. Size and rate are those at first, and always set. */
	struct config_frame_size size;
	struct config_frame_rate fps;
	char *formats; /* V4L2's four letters, "YUYV:NV12"; NULL: all that there are */
};

struct config_virtio {
	bool packed; /* packed virtqueues are offered */
};

/* struct config - strings and lists are owned by it; strings are UTF-8, NULL: not given. */
struct config {
	char *kernel;
	char *initramfs;
	char *cmdline;
	unsigned int cpus;
	struct config_memory memory;
	bool acpi;
	struct config_chardev serial, console; /* at most one of them is CHARDEV_STDIO */
	struct config_disk *disks;	       /* as they were given, each path once */
	size_t disks_n;			       /* at most CONFIG_DISKS_MAX */
	struct config_media *media;	       /* as they were given */
	size_t media_n;			       /* at most CONFIG_MEDIA_MAX */
	bool rng;
	struct config_virtio virtio;
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

/* config_deinit - release strings and lists, whether or not reading the configuration succeeded. */
void config_deinit(struct config *config);

/*
 * config_from_args - read the command line, and the file that --config names, into @config.
 * @config: initialised. An option of the command line replaces that of the file as a whole, in
 * whatever order they are given; so do all its --disk together, and all its --media. --help and
 * --version end the reading where they stand.
 * Return: 0 and *@action; or -EINVAL (-errno for a file that cannot be read) and a sentence that
 * says what is wrong, where, and what would be right.
 */
int config_from_args(struct config *config, int argc, char **argv, enum config_action *action,
		     struct error *err);

/*
 * config_from_json - read a configuration file's text into @config; config_settle() comes next.
 * @name: of the file, for messages, which say "NAME:LINE:COLUMN: ...". @text: @len bytes, not
 * necessarily terminated. @given: bit mask by index into the schema; options whose bit is set are
 * checked but not stored, the bits of the others that the file holds are set.
 * Return: 0; -EINVAL or -ENOMEM and a sentence.
 */
int config_from_json(struct config *config, const char *name, const char *text, size_t len,
		     uint64_t *given, struct error *err);

/*
 * config_settle - fill in what one option means for another, and check that they go together.
 * @given: bit mask of the options that were given, by command line or file. config_from_args()
 * does it. Return: 0; -EINVAL and a sentence.
 */
int config_settle(struct config *config, uint64_t given, struct error *err);

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
