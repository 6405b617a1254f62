/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_hostile.c - a driver of a virtio-media device that says whatever it likes.
 *
 * The device answers or refuses, stays alive, and keeps neither files nor memory. For the arguments
 * see media_rig.h.
 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/ioctl.h"
#include "media_rig.h"

static struct media_rig rig;

static const uint32_t types[] = {CAPTURE, OUTPUT_MP, CAPTURE_MP, 0};

static const uint32_t wild[] = {
	0,  1,	 2,    3,	   4,	       5,	   6,	       8,	9,
	14, 255, 4096, 0xfffffff0, 0x7fffffff, 0x80000000, 0x0ccccccd, 0x10000, UINT32_MAX,
};

static int begin(void **state)
{
	static const struct media_rig_options options = {.fake = {.types = types},
							 .media.shm = 4 * MIB,
							 .media.sessions_max = 16};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

/* @len bytes as a command, with @room for an answer. Return: used length. */
static uint32_t say(const void *bytes, uint32_t len, uint32_t room)
{
	static uint8_t in[8192];
	struct media_command command = {.out = bytes, .out_len = len, .in = in, .in_len = room};

	if (len + room == 0)
		return 0;
	media_driver_call(&rig.md, &command);
	return command.used;
}

static void drop_events(void)
{
	struct media_event event;

	while (media_driver_take(&rig.md, &event))
		;
}

/* struct row - a command that is sound as it stands. */
struct row {
	const char *name;
	uint32_t words[5];
	uint32_t n;
	uint32_t room;
};

/* Each field of each command with wild values, and room for any answer or none. */
static void every_field_of_every_command_may_be_wild(void **state)
{
	static const uint32_t rooms[] = {0, 1, 4, 7, 8, 9, 15, 16, 23, 24, 64};
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	const uint32_t offset = media_rig_offset(&rig, session, CAPTURE, 0, 0);
	const struct row rows[] = {
		{"OPEN", {VIRTIO_MEDIA_CMD_OPEN, 0}, 2, 16},
		{"CLOSE", {VIRTIO_MEDIA_CMD_CLOSE, 0, 77, 0}, 4, 0},
		{"IOCTL", {VIRTIO_MEDIA_CMD_IOCTL, 0, session, 4}, 4, 8},
		{"MMAP", {VIRTIO_MEDIA_CMD_MMAP, 0, session, 1, offset}, 5, 24},
		{"MUNMAP", {VIRTIO_MEDIA_CMD_MUNMAP, 0, 0, 0}, 4, 8},
	};

	for (size_t r = 0; r < ARRAY_SIZE(rows); r++)
		for (uint32_t field = 0; field < rows[r].n; field++)
			for (size_t w = 0; w < ARRAY_SIZE(wild); w++) {
				uint32_t words[5];

				memcpy(words, rows[r].words, sizeof(words));
				words[field] = wild[w];
				/* Not the session that the rows live on. */
				if (words[0] == VIRTIO_MEDIA_CMD_CLOSE && words[2] == session)
					continue;
				say(words, rows[r].n * 4, rooms[w % ARRAY_SIZE(rooms)]);
				say(words, rows[r].n * 4, rows[r].room);
				drop_events();
			}
	assert_true(fake_node_opened(rig.node) - fake_node_closed(rig.node) <= 16);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
}

/* Every command, cut at every length, and with room of every length: refused, not believed. */
static void commands_of_any_length_are_survived(void **state)
{
	const uint32_t session = media_rig_open(&rig);

	for (uint32_t cmd = 0; cmd < 8; cmd++) {
		const uint32_t words[8] = {cmd, 0, session + (cmd == VIRTIO_MEDIA_CMD_CLOSE), 0};

		for (uint32_t len = 0; len <= sizeof(words); len++)
			for (uint32_t room = 0; room <= 24; room += room < 8 ? 1 : 8)
				say(words, len, room);
	}
	media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
	media_driver_alive(&rig.md);
}

/* A command that cannot be carried out has no effect. */
static void without_room_for_the_answer_nothing_is_opened_or_mapped(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	const uint32_t open[2] = {VIRTIO_MEDIA_CMD_OPEN, 0};
	uint32_t map[5] = {VIRTIO_MEDIA_CMD_MMAP, 0, session, 1, 0};
	const unsigned int opened = fake_node_opened(rig.node);

	for (uint32_t room = 0; room < 16; room++)
		say(open, sizeof(open), room);
	media_rig_closed(&rig, fake_node_opened(rig.node) - opened);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	map[4] = media_rig_offset(&rig, session, CAPTURE, 0, 0);
	for (uint32_t room = 0; room < 24; room++)
		say(map, sizeof(map), room);
	assert_int_equal(media_window_mapped(media_window(rig.md.media)), 0);
}

/* Each word of each payload that we look into, with wild values, with and without what follows. */
static void every_word_of_every_payload_may_be_wild(void **state)
{
	static uint32_t payload[1024];
	static uint8_t back[8192];
	uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, 2);

	for (uint32_t code = 0; code < 110; code++) {
		const struct media_ioctl *entry = media_ioctl_find(code);
		const uint32_t words = (uint32_t)media_ioctl_size(entry) / 4;

		if (entry->handler == MEDIA_HANDLE_NOTHING && entry->layout == MEDIA_LAYOUT_FLAT)
			continue;
		for (uint32_t word = 0; word < words; word++)
			for (size_t w = 0; w < ARRAY_SIZE(wild); w++) {
				memset(payload, 0, sizeof(payload));
				payload[1] = payload[0] = word & 1 ? CAPTURE_MP : 0;
				payload[word] = wild[w];
				media_driver_bytes(&rig.md, session, code, payload,
						   w & 1 ? sizeof(payload) : words * 4, back,
						   sizeof(back));
			}
		drop_events();
	}
	media_driver_close(&rig.md, session);
	drop_events();
	media_driver_sync(&rig.md);
	session = media_rig_streaming(&rig, CAPTURE_MP, 2);
	assert_int_not_equal(session, 0);
}

/* Random commands, half sound: as many as an afternoon of a fuzzer's, from one seed. */
static void a_long_row_of_random_commands_is_survived(void **state)
{
	uint32_t seed = 1, sessions[16] = {0};
	static uint8_t payload[512], back[4096];

	for (unsigned int n = 0; n < 20000; n++) {
		const uint32_t pick = (seed = seed * 1664525 + 1013904223) >> 8;
		uint32_t *session = &sessions[pick % 16];
		uint64_t addr = (uint64_t)(pick % 64) * 72 * KIB, len;

		switch (pick >> 4 & 7) {
		case 0:
			if (media_driver_open(&rig.md, session) != 0)
				*session = 0;
			break;
		case 1:
			if (pick & 0x800)
				media_driver_close(&rig.md, *session);
			break;
		case 2:
			media_driver_mmap(&rig.md, *session, pick, (pick >> 3 & 31) * 0x10000,
					  &addr, &len);
			break;
		case 3:
			media_driver_munmap(&rig.md, addr);
			break;
		case 4:
			fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
			media_rig_qbuf(&rig, *session, types[pick % 3], pick >> 9 & 3);
			break;
		case 5:
			media_rig_reqbufs(&rig, *session, types[pick % 3], 1 + (pick >> 9 & 1),
					  pick >> 10 & 7);
			break;
		case 6:
			media_rig_stream(&rig, *session, types[pick % 3], pick & 0x400);
			break;
		case 7:
			for (size_t i = 0; i < sizeof(payload); i++)
				payload[i] = i % 4 ? 0 : (uint8_t)(pick >> (i % 16));
			media_driver_bytes(&rig.md, *session, pick >> 8 & 127, payload,
					   sizeof(payload), back, sizeof(back));
			break;
		}
		drop_events();
	}
	media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
	media_driver_alive(&rig.md);
}

static size_t heap(void)
{
	return mallinfo2().uordblks;
}

/* What a guest asks for, over and over, is bounded: sessions, buffers, maps, subscriptions. */
static void a_greedy_driver_is_bounded(void **state)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL};
	unsigned int fds[2] = {0};
	size_t bytes[2] = {0};

	for (unsigned int round = 0; round < 6; round++) {
		uint32_t session = 0, id;
		uint64_t addr, len;

		for (unsigned int i = 0; i < 40; i++)
			if (media_driver_open(&rig.md, &id) == 0)
				session = id;
		for (unsigned int i = 0; i < 400; i++) {
			sub.id = i;
			media_driver_ioctl(&rig.md, session, VIDIOC_SUBSCRIBE_EVENT, &sub);
		}
		for (unsigned int i = 0; i < 20; i++)
			media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP,
					  i & 1 ? 32 : UINT32_MAX);
		for (unsigned int i = 0; i < 200; i++)
			media_driver_mmap(&rig.md, session, i,
					  media_rig_offset(&rig, session, CAPTURE, i % 4, 0), &addr,
					  &len);
		assert_true(fake_node_buffers(rig.node) <= MEDIA_BUFFERS_DEFAULT);
		assert_true(media_window_mapped(media_window(rig.md.media)) <= 8 * MIB);
		media_driver_start(&rig.md, media_rig_features(), MEDIA_DRIVER_EVENTS);
		media_rig_closed(&rig, fake_node_opened(rig.node));
		media_driver_sync(&rig.md);
		/* The fake keeps its closed files: they are not the device's. */
		bytes[round > 2] = heap() - fake_node_opened(rig.node) * fake_node_file_size();
		fds[round > 2] = media_driver_fds();
		assert_int_equal(media_window_mapped(media_window(rig.md.media)), 0);
	}
	assert_int_equal(fds[0], fds[1]);
	assert_true(bytes[1] <= bytes[0] + 64 * KIB);
}

static void a_driver_that_gives_nothing_gets_nothing(void **state)
{
	uint8_t in[64];
	struct media_command command = {.in = in, .in_len = sizeof(in)};

	/* Only room, no command. */
	media_driver_call(&rig.md, &command);
	assert_true(command.used == 0 || command.used == 8);
	if (command.used)
		assert_int_not_equal(((struct virtio_media_resp_header *)(void *)in)->status, 0);
	media_driver_alive(&rig.md);
}

/* Readable bytes in the event queue have no meaning; the driver may be that odd. */
static void event_buffers_of_any_shape_are_survived(void **state)
{
	struct driver_sg sg[2] = {{MEDIA_DRIVER_PAGES, 64}, {MEDIA_DRIVER_PAGES + 4096, 608}};
	struct driver_ring *ring = &rig.md.driver.rings[VIRTIO_MEDIA_EVENTQ];
	const struct v4l2_event event = {.type = V4L2_EVENT_EOS};
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_EOS};
	uint32_t used;

	media_driver_start(&rig.md, media_rig_features(), 0);
	assert_int_equal(
		media_driver_ioctl(&rig.md, media_rig_open(&rig), VIDIOC_SUBSCRIBE_EVENT, &sub), 0);
	assert_true(driver_ring_add(ring, sg, 1, 0) >= 0);
	assert_true(driver_ring_add(ring, sg, 1, 1) >= 0);
	sg[1].len = 8;
	assert_true(driver_ring_add(ring, sg, 1, 1) >= 0);
	virtio_driver_kick(&rig.md.driver, VIRTIO_MEDIA_EVENTQ);
	for (unsigned int i = 0; i < 3; i++) {
		fake_node_event(rig.node, &event, false);
		media_driver_sync(&rig.md);
	}
	while (driver_ring_get(ring, &used) >= 0)
		assert_true(used == 0 || used == 144);
	media_driver_alive(&rig.md);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(every_field_of_every_command_may_be_wild),
		TEST(commands_of_any_length_are_survived),
		TEST(without_room_for_the_answer_nothing_is_opened_or_mapped),
		TEST(every_word_of_every_payload_may_be_wild),
		TEST(a_long_row_of_random_commands_is_survived),
		TEST(a_greedy_driver_is_bounded),
		TEST(a_driver_that_gives_nothing_gets_nothing),
		TEST(event_buffers_of_any_shape_are_survived),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
