/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_probe.c - a virtio device for tests. See virtio_probe.h.
 */
#include "tests/support/virtio_probe.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ECHO_MAX 4096

const uint16_t probe_sizes[PROBE_QUEUES] = {64, 8, VQ_SIZE_MAX};

#define PACKED	  VIRTIO_FEATURE(VIRTIO_F_RING_PACKED)
#define INDIRECT  VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC)
#define EVENT_IDX VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)

const struct virtio_rings virtio_rings[VIRTIO_RINGS] = {
	{"split", 0},
	{"split, indirect", INDIRECT},
	{"split, event index", EVENT_IDX},
	{"split, indirect, event index", INDIRECT | EVENT_IDX},
	{"packed", PACKED},
	{"packed, indirect", PACKED | INDIRECT},
	{"packed, event index", PACKED | EVENT_IDX},
	{"packed, indirect, event index", PACKED | INDIRECT | EVENT_IDX},
};

static struct virtio_probe *probe_of(struct virtio_device *dev)
{
	struct virtio_probe *probe = container_of(dev, struct virtio_probe, dev);

	if (!loop_is_mine(dev->loop))
		atomic_fetch_add(&probe->foreign, 1);
	return probe;
}

static void answer(struct vq_request *request)
{
	uint8_t bytes[ECHO_MAX];
	size_t len = vq_buffer_get(&request->readable, bytes, sizeof(bytes));

	len = vq_buffer_put(&request->writable, bytes, len);
	vq_push(request->vq, request, (uint32_t)len);
}

static void notify(struct virtio_device *dev, struct vq *vq)
{
	struct virtio_probe *probe = probe_of(dev);
	struct vq_request *request;
	int r;

	atomic_fetch_add(&probe->notified[vq_index(vq)], 1);
	while ((r = vq_pop(vq, &request)) > 0) {
		atomic_fetch_add(&probe->popped[vq_index(vq)], 1);
		if (probe->hold && probe->held_n < PROBE_HELD_MAX)
			probe->held[probe->held_n++] = request;
		else
			answer(request);
		if (probe->answered)
			probe->answered(probe, vq_index(vq));
	}
	if (r < 0)
		virtio_needs_reset(dev, vq_error(vq));
	vq_notify(vq);
}

void virtio_probe_pop(struct virtio_probe *probe)
{
	for (unsigned int i = 0; i < PROBE_QUEUES; i++) {
		struct vq *vq = virtio_vq(&probe->dev, i);
		struct vq_request *request;

		while (vq_pop(vq, &request) > 0)
			answer(request);
		vq_notify(vq);
	}
}

/* All that are held, or those of one queue. */
static void release(struct virtio_probe *probe, const struct vq *only)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < probe->held_n; i++) {
		struct vq_request *request = probe->held[i];
		struct vq *vq = request->vq;

		if (only && vq != only) {
			probe->held[n++] = request;
			continue;
		}
		answer(request);
		vq_notify(vq);
	}
	probe->held_n = n;
}

void virtio_probe_release(struct virtio_probe *probe)
{
	release(probe, NULL);
}

static void release_late(struct loop_post *post)
{
	struct virtio_probe *probe = container_of(post, struct virtio_probe, late);

	probe->late_posted = false;
	virtio_probe_release(probe);
}

static void stop(struct virtio_device *dev, struct vq *vq)
{
	struct virtio_probe *probe = probe_of(dev);

	atomic_fetch_add(&probe->stopped[vq_index(vq)], 1);
	if (probe->stubborn)
		return;
	if (!probe->push_late) {
		release(probe, vq);
	} else if (!probe->late_posted) {
		probe->late_posted = true;
		loop_post(dev->loop, &probe->late, release_late);
	}
}

static void start(struct virtio_device *dev)
{
	atomic_fetch_add(&probe_of(dev)->starts, 1);
}

static void reset(struct virtio_device *dev)
{
	struct virtio_probe *probe = probe_of(dev);

	atomic_fetch_add(&probe->resets, 1);
	if (probe->held_n)
		atomic_fetch_add(&probe->foreign, 1); /* told too early */
}

static void write_config(struct virtio_device *dev, unsigned int offset, const void *data,
			 unsigned int len)
{
	struct virtio_probe *probe = probe_of(dev);
	const unsigned int n = atomic_load(&probe->writes_n) % PROBE_WRITES_MAX;

	probe->writes[n].offset = offset;
	probe->writes[n].len = len;
	memcpy(probe->writes[n].data, data, len);
	atomic_fetch_add(&probe->writes_n, 1);
}

static const struct virtio_class class = {
	.name = "probe",
	.id = PROBE_ID,
	.start = start,
	.notify = notify,
	.stop = stop,
	.reset = reset,
	.write_config = write_config,
};

void virtio_probe_init(struct virtio_probe *probe, enum loop_kind kind, bool threaded)
{
	uint8_t config[PROBE_CONFIG];

	*probe = (struct virtio_probe) {};
	log_set_level(LOG_LEVEL_ERROR);
	for (uint8_t i = 0; i < PROBE_CONFIG; i++)
		config[i] = 0x10 + i;
	virtio_driver_init(&probe->driver, kind, threaded);
	assert_int_equal(virtio_init(&probe->dev, &class, &probe->driver.env,
				     VIRTIO_FEATURE(PROBE_FEATURE), probe_sizes, PROBE_QUEUES,
				     PROBE_CONFIG),
			 0);
	virtio_set_config(&probe->dev, 0, config, sizeof(config));
	probe->dev.shm[0] = (struct virtio_shm) {.gpa = PROBE_SHM_GPA, .len = PROBE_SHM_LEN};
	virtio_driver_attach(&probe->driver, &probe->dev);
}

void virtio_probe_deinit(struct virtio_probe *probe)
{
	virtio_driver_detach(&probe->driver);
	assert_int_equal(atomic_load(&probe->foreign), 0);
	virtio_deinit(&probe->dev);
	virtio_driver_deinit(&probe->driver);
}

struct errand {
	struct loop_post post;
	struct virtio_probe *probe;
	void (*fn)(struct virtio_probe *probe);
	unsigned int turns;
	sem_t done;
};

/* Some turns more, for what a post causes takes place in the next one. */
static void errand_turn(struct loop_post *post)
{
	struct errand *errand = container_of(post, struct errand, post);

	if (errand->fn)
		errand->fn(errand->probe);
	errand->fn = NULL;
	if (errand->turns-- > 0)
		loop_post(errand->probe->dev.loop, post, errand_turn);
	else
		sem_post(&errand->done);
}

void virtio_probe_run(struct virtio_probe *probe, void (*fn)(struct virtio_probe *probe))
{
	struct errand errand = {.probe = probe, .fn = fn, .turns = 8};

	if (!probe->driver.threaded) {
		if (fn)
			fn(probe);
		virtio_driver_settle(&probe->driver);
		return;
	}
	sem_init(&errand.done, 0, 0);
	loop_post(probe->dev.loop, &errand.post, errand_turn);
	while (sem_wait(&errand.done) < 0)
		;
	sem_destroy(&errand.done);
}

void virtio_probe_sync(struct virtio_probe *probe)
{
	virtio_probe_run(probe, NULL);
}

void virtio_probe_hold(struct virtio_probe *probe)
{
	probe->hold = true;
}

void virtio_probe_hold_stubbornly(struct virtio_probe *probe)
{
	probe->hold = probe->stubborn = true;
}

/* Where the bytes of @queue are, and those of the answer. */
static uint8_t *data_of(struct virtio_probe *probe, unsigned int queue, struct driver_sg sg[2],
			uint32_t len)
{
	uint64_t gpa = VIRTIO_DRIVER_DATA + queue * 4 * ECHO_MAX;

	assert_true(len <= ECHO_MAX);
	sg[0] = (struct driver_sg) {gpa, len};
	sg[1] = (struct driver_sg) {gpa + 2 * ECHO_MAX, len};
	return gmem_at(probe->driver.gmem, gpa, UINT64_C(4) * ECHO_MAX);
}

void virtio_probe_send(struct virtio_probe *probe, unsigned int queue, uint32_t len)
{
	struct driver_sg sg[2];
	uint8_t *data = data_of(probe, queue, sg, len);

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + len + queue);
	memset(data + 2 * ECHO_MAX, 0, ECHO_MAX);
	assert_true(driver_ring_add(&probe->driver.rings[queue], sg, 1, 1) >= 0);
}

void virtio_probe_echo(struct virtio_probe *probe, unsigned int queue, uint32_t len)
{
	struct driver_sg sg[2];
	uint8_t *data = data_of(probe, queue, sg, len);
	uint32_t used;

	virtio_probe_send(probe, queue, len);
	virtio_driver_kick(&probe->driver, queue);
	assert_true(virtio_driver_wait(&probe->driver, queue, &used) >= 0);
	assert_int_equal(used, len);
	assert_memory_equal(data, data + 2 * ECHO_MAX, len);
}
