/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_schema.h - the one table of options, and the pieces that read it. Private to config*.c.
 *
 * A field is one value of a struct: what it is called, where it lies, which values it takes. An
 * option is a field of struct config with what the command line adds: a letter, other names. A
 * composite is a struct of further fields, written "key=value,..." or as a JSON object; a list is
 * an array of composites, written by repeating the option or as a JSON array.
 * All functions take a @base: the struct that holds the field. Main thread.
 */
#ifndef VMM_CONFIG_SCHEMA_H
#define VMM_CONFIG_SCHEMA_H

#include <stdio.h>

#include "base.h"
#include "error.h"
#include "vmm/config.h"

enum field_type {
	FIELD_BOOL,  /* bool */
	FIELD_UINT,  /* unsigned int within .min and .max */
	FIELD_SIZE,  /* uint64_t: bytes within .min and .max, a multiple of .multiple */
	FIELD_ENUM,  /* unsigned int, or an enum: index of .names */
	FIELD_TEXT,  /* char *, owned; may be empty */
	FIELD_PATH,  /* char *, owned; not empty */
	FIELD_NAME,  /* char *, owned; 1 to .max bytes of printable ASCII */
	FIELD_LABEL, /* char *, owned; 1 to .max bytes, no control characters */
	FIELD_WORDS, /* char *, owned; some of .names, each once, "a:b" */
	FIELD_FD,    /* int within .min and .max; -1: not given */
	FIELD_FRAME, /* struct config_frame_size: .min, .max, .multiple for each side; "640x480" */
	FIELD_RATE,  /* struct config_frame_rate within .min and .max a second; "30000/1001" */
	FIELD_COMPOSITE, /* a struct, as .composite describes it */
	FIELD_LIST,	 /* a pointer to structs, owned: .list, each as .composite describes it */
};

struct config_composite {
	/* The key of the first may be left out, unless it is a switch. */
	const struct config_field *fields;
	size_t fields_n;
	/*
	 * settle - once all keys are read: fill in what follows from others, check that they fit.
	 * @value: the composite. @given: bit mask of the fields that were given, by index.
	 */
	int (*settle)(void *value, uint64_t given, struct error *err);
};

struct config_list {
	size_t count; /* offset of the size_t that counts the items, in the field's struct */
	size_t item_size;
	const void *item_defaults;
	size_t max;
	/* check - the last of @n items against those before it; each by itself is fine. */
	int (*check)(const void *items, size_t n, struct error *err);
};

struct config_field {
	const char *name; /* key in JSON and "key=value"; an option's long name */
	const char *arg;  /* stands for the value in --help; NULL for an enum: its names */
	const char *help;
	enum field_type type;
	size_t offset;
	uint64_t min, max, multiple;
	const char *const *names;
	size_t names_n;
	/* Of a composite or list, from config_composite.c. */
	const struct config_composite *composite;
	const struct config_list *list;
	/* Printed only if the first field of the composite, an enum, has this value. 0: always. */
	unsigned int only_with;
};

/* Options that are no part of struct config and thus not of the file. */
enum option_command {
	COMMAND_NONE,
	COMMAND_CONFIG,	 /* read a file */
	COMMAND_VERBOSE, /* may be repeated */
	COMMAND_ACTION,	 /* .action instead of CONFIG_RUN */
};

struct config_option {
	struct config_field field;
	enum option_command command;
	enum config_action action;
	char letter;	   /* 0: none */
	const char *alias; /* a second long name, or NULL */
	const char *no;	   /* the long name that turns a FIELD_BOOL off */
	const char *group; /* heading in --help, at the first option of a group */
};

#define CONFIG_OPTIONS_MAX 64 /* bits of a mask of options */

/* The composites and lists that options consist of. */
extern const struct config_composite config_memory_keys;
extern const struct config_composite config_chardev_keys;
extern const struct config_composite config_disk_keys;
extern const struct config_composite config_media_keys;
extern const struct config_composite config_virtio_keys;
extern const struct config_list config_disk_list;
extern const struct config_list config_media_list;

/* config_options - the schema, in the order of --help and --dry-run. */
extern const struct config_option config_options[];
extern const size_t config_options_n;

/* option_stored - the option lies in struct config and thus in the file. */
static inline bool option_stored(const struct config_option *option)
{
	return option->command == COMMAND_NONE;
}

/* field_at - where a field lies in the struct that holds it. */
static inline void *field_at(const struct config_field *field, const void *base)
{
	return (void *)((uintptr_t)base + field->offset);
}

/*
 * field_parse - read a value, as it stands behind "--option=" or "key=", into @base. A list gets
 * one more item.
 * The error's sentence does not name the field: the caller prefixes how the user named it.
 * Return: 0; -EINVAL or -ENOMEM and a sentence; the field then is as before or partly set.
 */
int field_parse(const struct config_field *field, void *base, const char *text, struct error *err);

/* field_free - release what the field owns. */
void field_free(const struct config_field *field, void *base);

/*
 * list_add - make room for one more item, with the defaults in it.
 * Return: 0 and *@item, which belongs to the list and stays where it is until the next call;
 * -EINVAL or -ENOMEM and a sentence.
 */
int list_add(const struct config_field *field, void *base, void **item, struct error *err);

/* list_check - does the item that was added last go with the others? Return: 0; -EINVAL. */
int list_check(const struct config_field *field, const void *base, struct error *err);

/* list_count, list_item - how many there are, and where the one with that @index is. */
size_t list_count(const struct config_field *field, const void *base);
void *list_item(const struct config_field *field, const void *base, size_t index);

/* list_free - release all items and what they own. */
void list_free(const struct config_field *field, void *base);

/* digits_parse - decimal digits from *@text on. Return: 0; -ERANGE beyond 64 bits, all skipped. */
int digits_parse(const char **text, uint64_t *value);

/*
 * frame_size_parse, frame_rate_parse - read a value of FIELD_FRAME, of FIELD_RATE.
 * Return: 0; -EINVAL and a sentence, as field_parse().
 */
int frame_size_parse(const struct config_field *field, const char *text,
		     struct config_frame_size *value, struct error *err);
int frame_rate_parse(const struct config_field *field, const char *text,
		     struct config_frame_rate *value, struct error *err);

/* frame_size_format, frame_rate_format - the reverse; "" if it is not given. */
#define FRAME_TEXT_MAX 24
void frame_size_format(char to[FRAME_TEXT_MAX], const struct config_frame_size *value);
void frame_rate_format(char to[FRAME_TEXT_MAX], const struct config_frame_rate *value);

/* size_format - bytes with the largest unit that loses nothing, such as "512M", into @to. */
#define SIZE_TEXT_MAX 24
void size_format(char to[SIZE_TEXT_MAX], uint64_t bytes);

/* arg_format - what stands for the value of a field in --help, such as "FILE" or "on|off". */
void arg_format(const struct config_field *field, char *to, size_t max);

/*
 * kv_parse - read "value,key=value,flag" into the composite at @value.
 * In a value, "\," is a comma and "\\" a backslash. Return: as field_parse().
 */
int kv_parse(const struct config_composite *composite, void *value, const char *text,
	     struct error *err);

/*
 * composite_find - the field of that name.
 * @given: mask of the fields seen so far; the field's bit is set.
 * Return: NULL and a sentence for an unknown key or one that was given before.
 */
const struct config_field *composite_find(const struct config_composite *composite, const char *key,
					  uint64_t *given, struct error *err);

/*
 * suggest_error - "unknown WHAT GIVEN", with the nearest of @names and then the others.
 * @dash: stands before @given and each name. @hint: the name that was meant, if that is known,
 * else NULL. Return: -EINVAL.
 */
int suggest_error(struct error *err, const char *what, const char *dash, const char *given,
		  const char *const *names, size_t names_n, const char *hint);

/* help_write - --help. Fits 80 columns. */
void help_write(FILE *out);

/* CONFIG_FILE_MAX - bytes that a configuration file may have. */
#define CONFIG_FILE_MAX MIB

/*
 * config_file_read - read a configuration file whole.
 * Return: 0, *@text (owned by the caller, not terminated) and *@len; or -errno and a sentence
 * that names the file.
 */
int config_file_read(const char *path, char **text, size_t *len, struct error *err);

#endif
