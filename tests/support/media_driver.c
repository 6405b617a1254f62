/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_driver.c - the driver of a virtio-media device: life, commands, events. See media_driver.h.
 *
 * Guest memory: rings, then commands from VIRTIO_DRIVER_DATA on, each piece in pages of its own;
 * buffers for events from EVENTS on; the rest is the test's. The room of commands is used again
 * once none is in flight.
 */
#include "media_driver.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PAGE	   4096u
#define EVENTS	   UINT64_C(0x2000000)
#define EVENT_ROOM UINT64_C(0x1000)
#define PATIENCE_S 10

/* Life. */

struct media_options media_driver_defaults(void)
{
	return (struct media_options) {
		.shm = 64 * MIB,
		.sessions_max = MEDIA_SESSIONS_DEFAULT,
		.buffers_max = MEDIA_BUFFERS_DEFAULT,
	};
}

void media_driver_init(struct media_driver *md, enum loop_kind kind, bool threaded, bool private)
{
	static const struct gmem_region layout = {.gpa = 0, .size = VIRTIO_DRIVER_MEMORY};
	static const struct gmem_options shared = {.shared = true};
	struct error err;

	memset(md, 0, sizeof(*md));
	virtio_driver_init(&md->driver, kind, threaded);
	if (private)
		return;
	gmem_free(md->driver.gmem);
	if (gmem_new(&md->driver.gmem, &layout, 1, &shared, &err) < 0)
		fail_msg("%s", err.text);
	md->driver.env.gmem = md->driver.gmem;
}

void media_driver_attach(struct media_driver *md, struct media_backend *backend,
			 const struct media_options *options)
{
	const struct media_options defaults = media_driver_defaults();
	struct error err = {.text = ""};

	if (media_new(&md->media, &md->driver.env, backend, options ? options : &defaults, &err) <
	    0)
		fail_msg("%s", err.text);
	virtio_driver_attach(&md->driver, media_device(md->media));
}

void media_driver_start(struct media_driver *md, uint64_t features, unsigned int events)
{
	const uint8_t status = virtio_driver_start(&md->driver, features, MEDIA_DRIVER_RING);

	assert_int_equal(status, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
	md->features = features;
	md->in_flight = 0;
	md->event_slots = 0;
	md->events_free = 0;
	memset(md->commands, 0, sizeof(md->commands));
	media_driver_fill(md, events, sizeof(struct virtio_media_event_dqbuf));
}

void media_driver_deinit(struct media_driver *md)
{
	virtio_driver_detach(&md->driver);
	media_free(md->media);
	md->media = NULL;
	virtio_driver_deinit(&md->driver);
}

/* Memory. */

uint8_t *media_driver_page(struct media_driver *md, uint64_t gpa, uint64_t len)
{
	uint8_t *host = gmem_at(md->driver.gmem, gpa, len);

	assert_non_null(host);
	return host;
}

uint8_t *media_driver_at(struct media_driver *md, uint64_t addr)
{
	struct media_window *window = media_window(md->media);

	assert_non_null(window);
	assert_true(addr < 2 * media_window_half(window));
	return (uint8_t *)media_window_host(window) + addr;
}

/* Commands. */

/* Cut @len bytes into pieces, each in pages of its own. */
static unsigned int place(struct media_driver *md, struct driver_sg *sg, unsigned int room,
			  const uint32_t *cuts, uint32_t first, uint32_t len)
{
	unsigned int n = 0;
	uint32_t piece;

	while (len > 0) {
		if (cuts)
			piece = *cuts ? *cuts++ : len;
		else
			piece = n == 0 ? first : PAGE;
		if (piece == 0 || piece > len || n + 1 == room)
			piece = len;
		sg[n++] = (struct driver_sg) {md->arena, piece};
		md->arena = ALIGN_UP(md->arena + piece, (uint64_t)PAGE) + PAGE;
		len -= piece;
	}
	assert_true(md->arena < EVENTS);
	return n;
}

/* The pages of @from behind its first @skip bytes once more, in pieces, as far as @len goes. */
static unsigned int place_again(struct driver_sg *sg, unsigned int room,
				const struct driver_sg *from, unsigned int from_n, uint32_t skip,
				uint32_t len)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < from_n && len > 0 && n < room; i++) {
		const uint32_t off = MIN(skip, from[i].len);
		const uint32_t piece = MIN(from[i].len - off, len);

		skip -= off;
		if (piece == 0)
			continue;
		sg[n++] = (struct driver_sg) {from[i].gpa + off, piece};
		len -= piece;
	}
	return n;
}

static uint32_t total(const struct driver_sg *sg, unsigned int n)
{
	uint32_t len = 0;

	for (unsigned int i = 0; i < n; i++)
		len += sg[i].len;
	return len;
}

static void scatter(struct media_driver *md, const struct driver_sg *sg, unsigned int n,
		    const uint8_t *from)
{
	for (unsigned int i = 0; i < n; from += sg[i].len, i++)
		memcpy(media_driver_page(md, sg[i].gpa, sg[i].len), from, sg[i].len);
}

static void gather(struct media_driver *md, const struct driver_sg *sg, unsigned int n, uint8_t *to)
{
	for (unsigned int i = 0; i < n; to += sg[i].len, i++)
		memcpy(to, media_driver_page(md, sg[i].gpa, sg[i].len), sg[i].len);
}

/* Pieces of command->cut bytes, or larger ones if they were too many for a ring. */
static void make_cuts(const struct media_command *command, uint32_t *cuts, unsigned int room,
		      uint32_t len)
{
	const uint32_t cut = MAX(command->cut, len / (room - 2) + 1);
	unsigned int n = 0;

	for (uint32_t at = 0; at < len; at += cut)
		cuts[n++] = cut;
	cuts[n] = 0;
}

static void place_command(struct media_driver *md, struct media_command *command)
{
	const unsigned int half = MEDIA_DRIVER_RING / 2 - 1;
	uint32_t cuts[MEDIA_DRIVER_RING];
	struct driver_sg *in;
	uint32_t left;

	if (command->cut)
		make_cuts(command, cuts, half, command->out_len);
	command->out_n = place(md, command->sg, half, command->cut ? cuts : command->out_cuts,
			       (uint32_t)sizeof(struct virtio_media_cmd_ioctl), command->out_len);
	in = command->sg + command->out_n;
	left = command->in_len;
	command->in_n = 0;
	if (command->in_place && left > 8) {
		command->in_n = place(md, in, 1, NULL, 8, 8);
		left -= 8;
		command->in_n +=
			place_again(in + 1, half - 1, command->sg, command->out_n, 16, left);
		left = command->in_len - total(in, command->in_n);
	}
	if (command->cut)
		make_cuts(command, cuts, half, left);
	command->in_n += place(md, in + command->in_n, half, command->cut ? cuts : command->in_cuts,
			       8, left);
}

void media_driver_send(struct media_driver *md, struct media_command *command)
{
	struct driver_ring *ring = &md->driver.rings[VIRTIO_MEDIA_COMMANDQ];
	int id;

	if (md->in_flight == 0)
		md->arena = VIRTIO_DRIVER_DATA;
	place_command(md, command);
	for (unsigned int i = 0; i < command->in_n; i++) {
		const struct driver_sg *sg = &command->sg[command->out_n + i];

		memset(media_driver_page(md, sg->gpa, sg->len), MEDIA_UNTOUCHED, sg->len);
	}
	if (command->out_n)
		scatter(md, command->sg, command->out_n, command->out);
	command->done = false;
	if (command->hook)
		command->hook(command);
	id = driver_ring_add(ring, command->sg, command->out_n, command->in_n);
	assert_true(id >= 0);
	assert_null(md->commands[id]);
	md->commands[id] = command;
	md->in_flight++;
	virtio_driver_kick(&md->driver, VIRTIO_MEDIA_COMMANDQ);
}

/* The device wrote the bytes that it speaks of, and no other. */
static void check_rest(const struct media_command *command, const uint8_t *bytes)
{
	assert_true(command->used <= command->in_len);
	if (command->in_place)
		return;
	for (uint32_t i = command->used; i < command->in_len; i++)
		if (bytes[i] != MEDIA_UNTOUCHED)
			fail_msg("%u bytes used, but byte %u is written to", command->used, i);
}

static void complete(struct media_driver *md, unsigned int id, uint32_t used)
{
	struct media_command *command = md->commands[id];
	_cleanup_(freep) uint8_t *bytes = NULL;

	assert_non_null(command);
	md->commands[id] = NULL;
	md->in_flight--;
	bytes = malloc(command->in_len + 1);
	assert_non_null(bytes);
	gather(md, command->sg + command->out_n, command->in_n, bytes);
	command->used = used;
	check_rest(command, bytes);
	if (command->in)
		memcpy(command->in, bytes, command->in_len);
	command->done = true;
}

void media_driver_poll(struct media_driver *md)
{
	struct driver_ring *ring = &md->driver.rings[VIRTIO_MEDIA_COMMANDQ];
	uint32_t used;
	int id;

	if (!md->driver.threaded)
		virtio_driver_settle(&md->driver);
	while ((id = driver_ring_get(ring, &used)) >= 0)
		complete(md, (unsigned int)id, used);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool media_driver_within(struct media_driver *md, struct media_command *command, unsigned int ms)
{
	static const struct timespec step = {.tv_nsec = 100000};
	const uint64_t end = now_ms() + ms;
	bool late;

	do {
		late = now_ms() > end;
		media_driver_poll(md);
		if (command->done)
			return true;
		nanosleep(&step, NULL);
	} while (!late);
	return false;
}

void media_driver_wait(struct media_driver *md, struct media_command *command)
{
	if (!media_driver_within(md, command, PATIENCE_S * 1000))
		fail_msg("no answer to command %u", *(const uint32_t *)command->out);
}

void media_driver_call(struct media_driver *md, struct media_command *command)
{
	media_driver_send(md, command);
	media_driver_wait(md, command);
}

void media_driver_pause(struct media_driver *md, unsigned int ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	if (!md->driver.threaded)
		virtio_driver_settle(&md->driver);
	nanosleep(&time, NULL);
	if (!md->driver.threaded)
		virtio_driver_settle(&md->driver);
}

void media_driver_sync(struct media_driver *md)
{
	/* A session that cannot be: answered on the device's own thread. */
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_not_equal(media_driver_bytes(md, UINT32_MAX, 0, NULL, 0, NULL, 0), 0);
		media_driver_pause(md, 5);
	}
}

/* Events. */

static void give(struct media_driver *md, struct driver_sg sg)
{
	int id;

	memset(media_driver_page(md, sg.gpa, EVENT_ROOM), MEDIA_UNTOUCHED, EVENT_ROOM);
	id = driver_ring_add(&md->driver.rings[VIRTIO_MEDIA_EVENTQ], &sg, 0, 1);
	assert_true(id >= 0);
	md->event_at[id] = sg;
}

void media_driver_fill(struct media_driver *md, unsigned int n, uint32_t size)
{
	assert_true(md->event_slots + n <= MEDIA_DRIVER_RING);
	for (unsigned int i = 0; i < n; i++)
		give(md,
		     (struct driver_sg) {EVENTS + EVENT_ROOM * (md->event_slots + i) + 16, size});
	md->event_slots += n;
	virtio_driver_kick(&md->driver, VIRTIO_MEDIA_EVENTQ);
}

void media_driver_refill(struct media_driver *md)
{
	while (md->events_free)
		give(md, md->spare[--md->events_free]);
	virtio_driver_kick(&md->driver, VIRTIO_MEDIA_EVENTQ);
}

bool media_driver_take(struct media_driver *md, struct media_event *event)
{
	const uint8_t *bytes;
	struct driver_sg sg;
	uint32_t used;
	int id;

	if (!md->driver.threaded)
		virtio_driver_settle(&md->driver);
	id = driver_ring_get(&md->driver.rings[VIRTIO_MEDIA_EVENTQ], &used);
	if (id < 0)
		return false;
	sg = md->event_at[id];
	assert_true(used <= sg.len && used <= sizeof(event->bytes));
	memset(event, 0, sizeof(*event));
	event->len = used;
	bytes = media_driver_page(md, sg.gpa, EVENT_ROOM - 16);
	memcpy(event->bytes, bytes, used);
	for (uint64_t i = used; i < EVENT_ROOM - 16; i++)
		assert_int_equal(bytes[i], MEDIA_UNTOUCHED);
	if (md->keep_events) {
		md->spare[md->events_free++] = sg;
	} else {
		give(md, sg);
		virtio_driver_kick(&md->driver, VIRTIO_MEDIA_EVENTQ);
	}
	return true;
}

void media_driver_event(struct media_driver *md, struct media_event *event)
{
	static const struct timespec step = {.tv_nsec = 100000};
	const uint64_t end = now_ms() + PATIENCE_S * 1000;

	while (!media_driver_take(md, event)) {
		if (now_ms() > end)
			fail_msg("no event");
		nanosleep(&step, NULL);
	}
}

bool media_driver_has_used(const struct media_driver *md, unsigned int queue)
{
	const struct driver_ring *ring = &md->driver.rings[queue];
	uint16_t flags, marks;

	if (!ring->layout.packed)
		return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) != ring->used_idx;
	flags = __atomic_load_n(&ring->packed[ring->used_idx].flags, __ATOMIC_ACQUIRE);
	marks = 1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED;
	return (flags & marks) == (ring->used_wrap ? marks : 0);
}

uint8_t *media_driver_event_page(struct media_driver *md)
{
	return media_driver_page(md, EVENTS, EVENT_ROOM);
}

bool media_driver_quiet(struct media_driver *md)
{
	struct media_event event;

	media_driver_sync(md);
	media_driver_pause(md, 20);
	return !media_driver_take(md, &event);
}

/* The process. */

unsigned int media_driver_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
