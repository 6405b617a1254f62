/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_measure.c - what one frame costs the device's thread, host system calls included; or, of a
 * plain program, its own thread. See steps.h.
 *
 * The driver's side is not counted, nor is the host driver's own thread, which paints. Nobody looks
 * at the frames.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "steps.h"

#define WARM_UP 20 /* frames */
#define TASKS	"/proc/self/task"

/* Return: does thread @id have this name? */
static bool is_called(const char *id, const char *name)
{
	char path[64], found[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), TASKS "/%.20s/comm", id);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(found, sizeof(found), file))
		found[0] = '\0';
	fclose(file);
	found[strcspn(found, "\n")] = '\0';
	return strcmp(found, name) == 0;
}

static int find_thread(const char *name)
{
	DIR *dir = opendir(TASKS);
	struct dirent *entry;
	int id = 0;

	assert_non_null(dir);
	while (id == 0 && (entry = readdir(dir)))
		if (is_called(entry->d_name, name))
			id = atoi(entry->d_name);
	closedir(dir);
	return id;
}

/* For how long thread @id, which does not run now, has run. */
static uint64_t run_ns(int id)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), TASKS "/%d/schedstat", id);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &ns), 1);
	fclose(file);
	return ns;
}

static void pass_frames(const struct place *place, struct stream *stream, uint32_t n)
{
	struct node_event event;

	for (uint32_t i = 0; i < n; i++) {
		node_next(place->node, &event);
		assert_true(event.is_buffer);
		stream_put(stream, event.buffer.index, NULL);
	}
}

void step_measure(const struct options *options)
{
	struct stream stream;
	struct place place;
	uint64_t begin, end;
	int thread;

	place_open(&place, options, options->paths[0]);
	/* The name that virtio_driver_init() gives it. */
	thread = options->plain ? getpid() : find_thread("device");
	assert_true(thread > 0);
	stream_init(&stream, place.node, options->type, options->buffers);
	stream_put_all(&stream);
	stream_on(&stream);
	pass_frames(&place, &stream, WARM_UP);
	begin = run_ns(thread);
	pass_frames(&place, &stream, options->frames);
	end = run_ns(thread);
	stream_off(&stream);
	stream_deinit(&stream);
	place_close(&place);
	print_message("thread %d: %llu ns for each of %u frames\n", thread,
		      (unsigned long long)(end - begin) / options->frames, options->frames);
}
