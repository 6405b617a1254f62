/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - media_host: drives a V4L2 node of this host, through a virtio-media device without any
 * guest, or (--plain) as any V4L2 program does.
 *
 * test_media.py runs it, on hosts whose nodes may be used for that, and compares what the two ways
 * find. One run is one cmocka test, whose failure is the exit code.
 */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"
#include "steps.h"

static const char usage[] =
	"usage: media_host STEP [OPTION...] NODE...\n"
	"steps: capture, output, soak, transform, measure, unplug, describe\n"
	"  --plain              by system calls, not through the device\n"
	"  --loop KIND          of the device's thread: uring, epoll\n"
	"  --packed             rings are packed, with event index\n"
	"  --tap                hold each frame against the host's own view of it\n"
	"  --shm NUMBER         MiB of either half of region 0\n"
	"  --type NUMBER        V4L2_BUF_TYPE_ of the queue\n"
	"  --frames NUMBER, --buffers NUMBER, --rate HZ, --input NUMBER,\n"
	"  --frequency NUMBER   of a radio, in its units\n"
	"  --format FOURCC, --to FOURCC, --size WIDTHxHEIGHT\n"
	"  --codec KIND         encoder, decoder\n"
	"  --set CONTROL=VALUE  by the control's name; may be repeated\n"
	"  --moves              soak: no two frames in a row are the same\n"
	"  --in FILE, --out FILE\n"
	"  --unbind FILE=WORD   unplug: what to write where\n";

static const struct {
	const char *name;
	void (*run)(const struct options *options);
} steps[] = {
	{"capture", step_capture},     {"output", step_output}, {"soak", step_soak},
	{"transform", step_transform}, {"unplug", step_unplug}, {"describe", step_describe},
	{"measure", step_measure},
};

static struct options options = {.frames = 10, .buffers = 4, .input = -1};
static void (*step)(const struct options *options);

enum {
	OPT_PLAIN = 256,
	OPT_LOOP,
	OPT_PACKED,
	OPT_TAP,
	OPT_SHM,
	OPT_TYPE,
	OPT_FRAMES,
	OPT_BUFFERS,
	OPT_RATE,
	OPT_INPUT,
	OPT_FREQUENCY,
	OPT_FORMAT,
	OPT_TO,
	OPT_SIZE,
	OPT_CODEC,
	OPT_SET,
	OPT_MOVES,
	OPT_IN,
	OPT_OUT,
	OPT_UNBIND,
};

static const struct option names[] = {
	{"plain", no_argument, NULL, OPT_PLAIN},
	{"loop", required_argument, NULL, OPT_LOOP},
	{"packed", no_argument, NULL, OPT_PACKED},
	{"tap", no_argument, NULL, OPT_TAP},
	{"shm", required_argument, NULL, OPT_SHM},
	{"type", required_argument, NULL, OPT_TYPE},
	{"frames", required_argument, NULL, OPT_FRAMES},
	{"buffers", required_argument, NULL, OPT_BUFFERS},
	{"rate", required_argument, NULL, OPT_RATE},
	{"input", required_argument, NULL, OPT_INPUT},
	{"frequency", required_argument, NULL, OPT_FREQUENCY},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"to", required_argument, NULL, OPT_TO},
	{"size", required_argument, NULL, OPT_SIZE},
	{"codec", required_argument, NULL, OPT_CODEC},
	{"set", required_argument, NULL, OPT_SET},
	{"moves", no_argument, NULL, OPT_MOVES},
	{"in", required_argument, NULL, OPT_IN},
	{"out", required_argument, NULL, OPT_OUT},
	{"unbind", required_argument, NULL, OPT_UNBIND},
	{NULL, 0, NULL, 0},
};

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 0);
}

static uint32_t fourcc(const char *text)
{
	return strlen(text) == 4 ? v4l2_fourcc((uint32_t)text[0], (uint32_t)text[1],
					       (uint32_t)text[2], (uint32_t)text[3])
				 : 0;
}

static bool add_setting(char *text)
{
	char *value = strrchr(text, '=');

	if (!value || options.settings_n == SETTINGS_MAX)
		return false;
	*value++ = '\0';
	options.settings[options.settings_n].name = text;
	options.settings[options.settings_n++].value = strtoll(value, NULL, 0);
	return true;
}

/* Return: is it understood? */
static bool take_option(int option, char *text)
{
	switch (option) {
	case OPT_PLAIN:
		return options.plain = true;
	case OPT_PACKED:
		return options.device.packed = true;
	case OPT_TAP:
		return options.device.tapped = true;
	case OPT_MOVES:
		return options.moves = true;
	case OPT_SHM:
		return (options.device.shm = number(text) * MIB) > 0;
	case OPT_LOOP:
		options.device.epoll = strcmp(text, "epoll") == 0;
		return options.device.epoll || strcmp(text, "uring") == 0;
	case OPT_TYPE:
		return (options.type = number(text)) > 0;
	case OPT_FRAMES:
		return (options.frames = number(text)) > 0;
	case OPT_BUFFERS:
		return (options.buffers = number(text)) > 0;
	case OPT_RATE:
		return (options.rate = number(text)) > 0;
	case OPT_INPUT:
		options.input = (int)number(text);
		return true;
	case OPT_FREQUENCY:
		return (options.frequency = number(text)) > 0;
	case OPT_FORMAT:
		return (options.fourcc = fourcc(text)) != 0;
	case OPT_TO:
		return (options.to = fourcc(text)) != 0;
	case OPT_SIZE:
		return sscanf(text, "%ux%u", &options.width, &options.height) == 2;
	case OPT_CODEC:
		options.codec = strcmp(text, "encoder") == 0 ? CODEC_ENCODER : CODEC_DECODER;
		return options.codec == CODEC_ENCODER || strcmp(text, "decoder") == 0;
	case OPT_SET:
		return add_setting(text);
	case OPT_IN:
		options.in = text;
		return true;
	case OPT_OUT:
		options.out = text;
		return true;
	case OPT_UNBIND:
		options.unbind = text;
		return true;
	default:
		return false;
	}
}

static bool understand(int argc, char **argv)
{
	int option;

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(steps); i++)
		if (strcmp(argv[1], steps[i].name) == 0)
			step = steps[i].run;
	optind = 2;
	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0)
		if (!take_option(option, optarg))
			return false;
	for (; optind < argc && options.paths_n < PATHS_MAX; optind++)
		options.paths[options.paths_n++] = argv[optind];
	return step && options.paths_n > 0 && optind == argc;
}

static void run(void **state)
{
	step(&options);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {{"media_host", run, NULL, NULL, NULL}};

	if (!understand(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	log_set_level(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
