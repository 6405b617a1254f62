/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_help.c - --help, read off the schema: names, limits and defaults cannot go stale.
 */
#include <inttypes.h>
#include <string.h>

#include "exit_code.h"
#include "vmm/config_schema.h"

#define COLUMNS	    80
#define TEXT_COLUMN 30
#define TEXT_MAX    256

static const struct {
	enum exit_code code;
	const char *text;
} exit_codes[] = {
	{EXIT_POWER_OFF, "the guest powered off"},
	{EXIT_RESET, "the guest asked for a reset or reboot"},
	{EXIT_CRASH, "vmm itself crashed"},
	{EXIT_PANIC, "the guest's kernel panicked, or a triple fault"},
	{EXIT_CONFIG, "the configuration, or a file that it names, is wrong"},
	{EXIT_HOST, "this host cannot do it"},
	{EXIT_KVM, "KVM failed while the guest ran"},
	{EXIT_ENDED, "ended from outside: a second SIGTERM, Ctrl-A x"},
};

void arg_format(const struct config_field *field, char *to, size_t max)
{
	size_t len = 0;

	if (field->arg || !field->names_n) {
		snprintf(to, max, "%s", field->arg ?: "");
		return;
	}
	for (size_t i = 0; i < field->names_n && len < max; i++)
		len += (size_t)snprintf(to + len, max - len, "%s%s", i ? "|" : "", field->names[i]);
}

/* @head, then @text in a column of its own, broken between words. */
static void write_entry(FILE *out, const char *head, const char *text)
{
	int column = fprintf(out, "%s", head);

	if (column >= TEXT_COLUMN) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", TEXT_COLUMN - column, "");
	column = TEXT_COLUMN;
	while (*text) {
		size_t word = strcspn(text, " ");

		if (column > TEXT_COLUMN && column + 1 + (int)word > COLUMNS) {
			fprintf(out, "\n%*s", TEXT_COLUMN, "");
			column = TEXT_COLUMN;
		}
		column += fprintf(out, "%s%.*s", column > TEXT_COLUMN ? " " : "", (int)word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* The value of a field as it would be typed; "" for a string that is not given. */
static void value_format(const struct config_field *field, const void *base, char to[TEXT_MAX])
{
	const void *at = field_at(field, base);

	to[0] = '\0';
	switch (field->type) {
	case FIELD_BOOL:
		snprintf(to, TEXT_MAX, "%s", *(const bool *)at ? "on" : "off");
		break;
	case FIELD_UINT:
		snprintf(to, TEXT_MAX, "%u", *(const unsigned int *)at);
		break;
	case FIELD_SIZE:
		size_format(to, *(const uint64_t *)at);
		break;
	case FIELD_ENUM:
		snprintf(to, TEXT_MAX, "%s", field->names[*(const unsigned int *)at]);
		break;
	case FIELD_TEXT:
	case FIELD_PATH:
	case FIELD_NAME:
	case FIELD_LABEL:
	case FIELD_WORDS:
	case FIELD_FD:
	case FIELD_FRAME:
	case FIELD_RATE:
	case FIELD_COMPOSITE: /* its keys have entries of their own */
	case FIELD_LIST:
		break;
	}
}

/* What the field is for, its limits and its default. */
static void describe(const struct config_field *field, const void *base, char to[TEXT_MAX])
{
	char value[TEXT_MAX], min[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX];

	value_format(field, base, value);
	if (field->type == FIELD_UINT)
		snprintf(to, TEXT_MAX, "%s, %" PRIu64 " to %" PRIu64 " (%.16s)", field->help,
			 field->min, field->max, value);
	else if (field->type == FIELD_SIZE) {
		size_format(min, field->min);
		size_format(max, field->max);
		snprintf(to, TEXT_MAX, "%s; %s to %s (%.16s)", field->help, min, max, value);
	} else if (*value) {
		snprintf(to, TEXT_MAX, "%s (%.16s)", field->help, value);
	} else {
		snprintf(to, TEXT_MAX, "%s", field->help);
	}
}

static void write_keys(FILE *out, const struct config_composite *composite, const void *defaults)
{
	char head[TEXT_MAX], text[TEXT_MAX], arg[64];

	for (size_t i = 0; i < composite->fields_n; i++) {
		const struct config_field *field = &composite->fields[i];

		arg_format(field, arg, sizeof(arg));
		snprintf(head, sizeof(head), "        %s=%s", field->name, arg);
		describe(field, defaults, text);
		write_entry(out, head, text);
	}
}

static void write_option(FILE *out, const struct config_option *option,
			 const struct config *defaults)
{
	const struct config_field *field = &option->field;
	char head[TEXT_MAX], text[TEXT_MAX], arg[64];
	size_t len;

	if (option->group)
		fprintf(out, "\n%s\n", option->group);
	arg_format(field, arg, sizeof(arg));
	len = (size_t)snprintf(head, sizeof(head), "  %c%c%c --%s", option->letter ? '-' : ' ',
			       option->letter ?: ' ', option->letter ? ',' : ' ', field->name);
	if (option->alias)
		len += (size_t)snprintf(head + len, sizeof(head) - len, ", --%s", option->alias);
	if (option->no)
		len += (size_t)snprintf(head + len, sizeof(head) - len, ", --%s", option->no);
	snprintf(head + len, sizeof(head) - len, "%s%s", *arg ? " " : "", arg);
	if (option_stored(option))
		describe(field, defaults, text);
	else
		snprintf(text, sizeof(text), "%s", field->help);
	write_entry(out, head, text);
	if (field->composite)
		write_keys(out, field->composite,
			   field->list ? field->list->item_defaults : field_at(field, defaults));
}

void help_write(FILE *out)
{
	struct config defaults;
	char head[TEXT_MAX];

	config_init(&defaults);
	fputs("Usage: vmm --kernel FILE [OPTION...]\n"
	      "Boot a Linux kernel in a virtual machine. Defaults are in brackets.\n",
	      out);
	for (size_t i = 0; i < config_options_n; i++)
		write_option(out, &config_options[i], &defaults);
	config_deinit(&defaults);
	fputs("\nKEY=VALUE: the first key may be left out, a bare key turns a switch on, and a\n"
	      "backslash stands before a comma or backslash that belongs to a value. An option\n"
	      "with two names, --X and --no-X, may also be written --X on and --X off.\n"
	      "\nTerminal keys\n",
	      out);
	write_entry(out, "  Ctrl-A x", "end the virtual machine at once");
	write_entry(out, "  Ctrl-A a", "send Ctrl-A to the guest");
	fputs("\nSignals\n", out);
	write_entry(out, "  SIGTERM, SIGINT, SIGHUP",
		    "press the power button; a second SIGTERM or SIGINT ends at once");
	fputs("\nExit codes\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(exit_codes); i++) {
		snprintf(head, sizeof(head), "  %d", exit_codes[i].code);
		write_entry(out, head, exit_codes[i].text);
	}
	fputs("\nExamples\n"
	      "  vmm -k vmlinuz -i initrd.img -p console=ttyS0 -m 1G -c 2\n"
	      "  vmm -k vmlinuz -p 'console=hvc0 root=/dev/vda' --console stdio --disk root.img\n"
	      "  vmm -k vmlinuz -i initrd.img -p console=ttyS0 --media /dev/video0\n"
	      "  vmm -k vmlinuz --serial file=guest.log --dry-run > guest.json\n"
	      "  vmm --config guest.json\n",
	      out);
}

void config_print_help(void)
{
	help_write(stdout);
}
