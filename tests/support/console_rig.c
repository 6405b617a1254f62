/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console_rig.c - a console, a guest's driver and a host's end. See console_rig.h.
 */
#include "console_rig.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fake_irq.h"

#define TIMEOUT_S 10

#define F_SIZE	      0
#define F_EMERG_WRITE 2

#define PACKED	 VIRTIO_FEATURE(VIRTIO_F_RING_PACKED)
#define INDIRECT VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC)
#define EVENT	 VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)

const struct console_rings console_rings[8] = {
	{.name = "split", .features = 0},
	{.name = "split, event index", .features = EVENT},
	{.name = "split, indirect", .features = INDIRECT},
	{.name = "split, indirect, event index", .features = INDIRECT | EVENT},
	{.name = "packed", .features = PACKED},
	{.name = "packed, event index", .features = PACKED | EVENT},
	{.name = "packed, indirect", .features = PACKED | INDIRECT},
	{.name = "packed, indirect, event index", .features = PACKED | INDIRECT | EVENT},
};

/* The host's end, on the device's thread. */

static size_t output(void *owner, const uint8_t *data, size_t len)
{
	struct console_rig *rig = owner;
	size_t taken;

	pthread_mutex_lock(&rig->lock);
	taken = MIN(len, rig->room);
	memcpy(&rig->output[rig->output_n], data, MIN(taken, CONSOLE_OUTPUT_MAX - rig->output_n));
	rig->output_n = MIN(rig->output_n + taken, (size_t)CONSOLE_OUTPUT_MAX);
	rig->room -= taken;
	rig->calls++;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
	return taken;
}

static void input_ready(void *owner)
{
	struct console_rig *rig = owner;

	rig->readys++;
}

static const struct console_ops ops = {
	.output = output,
	.input_ready = input_ready,
};

void console_rig_init(struct console_rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->changed, NULL);
	rig->output = malloc(CONSOLE_OUTPUT_MAX);
	assert_non_null(rig->output);
	rig->room = SIZE_MAX;
	virtio_driver_init(&rig->driver, LOOP_AUTO, true);
	assert_int_equal(console_new(&rig->console, &rig->driver.env, &ops, rig), 0);
	virtio_driver_attach(&rig->driver, console_device(rig->console));
}

void console_rig_deinit(struct console_rig *rig)
{
	virtio_driver_detach(&rig->driver);
	console_free(rig->console);
	virtio_driver_deinit(&rig->driver);
	free(rig->output);
	pthread_cond_destroy(&rig->changed);
	pthread_mutex_destroy(&rig->lock);
}

void console_rig_start(struct console_rig *rig, uint64_t features)
{
	features |= VIRTIO_FEATURE(F_SIZE) | VIRTIO_FEATURE(F_EMERG_WRITE);
	assert_int_equal(virtio_driver_start(&rig->driver, features, 16),
			 VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
				 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
	fake_irq_take(&rig->driver.irq);
}

struct run {
	struct loop_post post;
	struct console_rig *rig;
	void (*fn)(struct console_rig *rig, void *arg);
	void *arg;
	sem_t done;
};

static void on_run(struct loop_post *post)
{
	struct run *run = container_of(post, struct run, post);

	run->fn(run->rig, run->arg);
	sem_post(&run->done);
}

void console_rig_run(struct console_rig *rig, void (*fn)(struct console_rig *rig, void *arg),
		     void *arg)
{
	struct run run = {.rig = rig, .fn = fn, .arg = arg};

	sem_init(&run.done, 0, 0);
	loop_post(rig->driver.env.loop, &run.post, on_run);
	while (sem_wait(&run.done) < 0 && errno == EINTR)
		;
	sem_destroy(&run.done);
}

struct piece {
	const void *data;
	size_t len;
};

static void call_input(struct console_rig *rig, void *arg)
{
	struct piece *piece = arg;

	piece->len = console_input(rig->console, piece->data, piece->len);
}

size_t console_rig_input(struct console_rig *rig, const void *data, size_t len)
{
	struct piece piece = {.data = data, .len = len};

	console_rig_run(rig, call_input, &piece);
	return piece.len;
}

static void call_room(struct console_rig *rig, void *arg)
{
	*(size_t *)arg = console_input_room(rig->console);
}

size_t console_rig_room(struct console_rig *rig)
{
	size_t room;

	console_rig_run(rig, call_room, &room);
	return room;
}

static void call_readys(struct console_rig *rig, void *arg)
{
	*(unsigned int *)arg = rig->readys;
}

unsigned int console_rig_readys(struct console_rig *rig)
{
	unsigned int readys;

	console_rig_run(rig, call_readys, &readys);
	return readys;
}

static void call_resize(struct console_rig *rig, void *arg)
{
	const uint16_t *size = arg;

	console_resize(rig->console, size[0], size[1]);
}

void console_rig_resize(struct console_rig *rig, uint16_t cols, uint16_t rows)
{
	uint16_t size[] = {cols, rows};

	console_rig_run(rig, call_resize, size);
}

static void call_ready(struct console_rig *rig, void *arg)
{
	console_output_ready(rig->console);
}

void console_rig_allow(struct console_rig *rig, size_t room, bool ready)
{
	pthread_mutex_lock(&rig->lock);
	rig->room = room;
	pthread_mutex_unlock(&rig->lock);
	if (ready)
		console_rig_run(rig, call_ready, NULL);
}

/* The guest. */

void console_rig_write(struct console_rig *rig, uint64_t gpa, const void *data, size_t len)
{
	assert_int_equal(gmem_write(rig->driver.gmem, gpa, data, len), 0);
}

void console_rig_add(struct console_rig *rig, unsigned int queue, const struct driver_sg *sg,
		     unsigned int out_n, unsigned int in_n)
{
	assert_true(driver_ring_add(&rig->driver.rings[queue], sg, out_n, in_n) >= 0);
	virtio_driver_kick(&rig->driver, queue);
}

uint32_t console_rig_used(struct console_rig *rig, unsigned int queue)
{
	uint32_t len = 0;
	int r = virtio_driver_wait(&rig->driver, queue, &len);

	if (r < 0)
		fail_msg("no used buffer in queue %u: %s", queue, strerror(-r));
	return len;
}

static void nothing(struct console_rig *rig, void *arg)
{
}

/* More turns of the loop than any event of these tests takes. */
void console_rig_none_used(struct console_rig *rig, unsigned int queue)
{
	uint32_t len;

	for (unsigned int i = 0; i < 20; i++)
		console_rig_run(rig, nothing, NULL);
	assert_int_equal(driver_ring_get(&rig->driver.rings[queue], &len), -EAGAIN);
}

void console_rig_output(struct console_rig *rig, const void *data, size_t len)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TIMEOUT_S;
	pthread_mutex_lock(&rig->lock);
	while (rig->output_n < len && r == 0)
		r = pthread_cond_timedwait(&rig->changed, &rig->lock, &until);
	assert_int_equal(rig->output_n, len);
	assert_memory_equal(rig->output, data, len);
	pthread_mutex_unlock(&rig->lock);
}

void console_rig_forget(struct console_rig *rig)
{
	pthread_mutex_lock(&rig->lock);
	rig->output_n = 0;
	rig->calls = 0;
	pthread_mutex_unlock(&rig->lock);
}
