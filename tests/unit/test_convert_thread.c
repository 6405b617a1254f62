/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_convert_thread.c - tests convert_thread.c with converters that do as they are told.
 */
#include "devices/media/convert_thread.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct converter {
	sem_t begun, go, done, freed;
	pthread_t thread;
	int64_t result;
	struct convert_frame seen;
	uint32_t width;
};

static int64_t convert(void *owner, const struct convert_frame *frame)
{
	struct converter *converter = owner;

	converter->thread = pthread_self();
	converter->seen = *frame;
	converter->width = frame->format->fmt.pix.width;
	sem_post(&converter->begun);
	sem_wait(&converter->go);
	return converter->result;
}

static void free_converter(void *owner)
{
	struct converter *converter = owner;

	sem_post(&converter->freed);
}

static void done(void *owner)
{
	struct converter *converter = owner;

	sem_post(&converter->done);
}

static const struct convert_thread_ops ops = {
	.convert = convert,
	.free = free_converter,
	.done = done,
};

static void init(struct converter *converter)
{
	memset(converter, 0, sizeof(*converter));
	sem_init(&converter->begun, 0, 0);
	sem_init(&converter->go, 0, 0);
	sem_init(&converter->done, 0, 0);
	sem_init(&converter->freed, 0, 0);
}

static void submit(struct convert_thread *thread)
{
	struct v4l2_format format = {.fmt.pix.width = 32};
	const struct convert_frame frame = {.camera = &format, .format = &format, .from_len = 5};

	convert_thread_submit(thread, &frame);
	/* The formats were copied. */
	format.fmt.pix.width = 0;
}

static void frame_is_converted_beside_its_owner(void **state)
{
	struct converter converter;
	struct convert_thread *thread;
	int64_t result;

	init(&converter);
	assert_int_equal(convert_thread_new(&thread, &ops, &converter, &converter), 0);
	assert_false(convert_thread_busy(thread));
	for (int i = 0; i < 3; i++) {
		converter.result = i == 1 ? -EIO : 100 + i;
		submit(thread);
		sem_wait(&converter.begun);
		assert_true(convert_thread_busy(thread));
		assert_false(convert_thread_collect(thread, &result));
		assert_false(pthread_equal(converter.thread, pthread_self()));
		assert_int_equal(converter.seen.from_len, 5);
		assert_int_equal(converter.width, 32);
		sem_post(&converter.go);
		sem_wait(&converter.done);
		/* Busy until it is collected. */
		assert_true(convert_thread_busy(thread));
		assert_true(convert_thread_collect(thread, &result));
		assert_int_equal(result, converter.result);
		assert_false(convert_thread_busy(thread));
		assert_false(convert_thread_collect(thread, &result));
	}
	assert_true(convert_thread_free(thread));
	assert_int_equal(sem_trywait(&converter.freed), 0);
}

static void *let_go(void *arg)
{
	struct converter *converter = arg;

	usleep(20000);
	sem_post(&converter->go);
	return NULL;
}

static void end_waits_for_the_frame(void **state)
{
	struct converter converter;
	struct convert_thread *thread;
	pthread_t helper;

	init(&converter);
	assert_int_equal(convert_thread_new(&thread, &ops, &converter, &converter), 0);
	submit(thread);
	sem_wait(&converter.begun);
	assert_int_equal(pthread_create(&helper, NULL, let_go, &converter), 0);
	assert_true(convert_thread_free(thread));
	assert_int_equal(sem_trywait(&converter.freed), 0);
	/* Nobody is told of what nobody will collect. */
	assert_int_equal(sem_trywait(&converter.done), -1);
	pthread_join(helper, NULL);
}

static void decoder_that_hangs_is_left_behind(void **state)
{
	struct converter converter;
	struct convert_thread *thread;

	init(&converter);
	assert_int_equal(convert_thread_new(&thread, &ops, &converter, &converter), 0);
	convert_thread_set_patience(thread, 50);
	submit(thread);
	sem_wait(&converter.begun);
	assert_false(convert_thread_free(thread));
	assert_int_equal(sem_trywait(&converter.freed), -1);
	/* It frees itself if it comes back after all. */
	sem_post(&converter.go);
	sem_wait(&converter.freed);
	assert_int_equal(sem_trywait(&converter.done), -1);
}

static void nothing_is_freed_as_well(void **state)
{
	assert_true(convert_thread_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_is_converted_beside_its_owner),
		cmocka_unit_test(end_waits_for_the_frame),
		cmocka_unit_test(decoder_that_hangs_is_left_behind),
		cmocka_unit_test(nothing_is_freed_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
