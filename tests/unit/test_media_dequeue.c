/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_dequeue.c - DQBUF events of a virtio-media device: when it looks for buffers, what it
 * tells of them, when it stops.
 *
 * Virtio 1.4, media device, "Dequeue buffer". For the arguments see media_rig.h.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

static struct media_rig rig;

static const uint32_t codec_types[] = {OUTPUT_MP, CAPTURE_MP, 0};
static const uint32_t all_types[] = {
	V4L2_BUF_TYPE_VIDEO_CAPTURE,
	V4L2_BUF_TYPE_VIDEO_OUTPUT,
	V4L2_BUF_TYPE_VBI_CAPTURE,
	V4L2_BUF_TYPE_VBI_OUTPUT,
	V4L2_BUF_TYPE_SLICED_VBI_CAPTURE,
	V4L2_BUF_TYPE_SLICED_VBI_OUTPUT,
	V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
	V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
	V4L2_BUF_TYPE_SDR_CAPTURE,
	V4L2_BUF_TYPE_SDR_OUTPUT,
	V4L2_BUF_TYPE_META_CAPTURE,
	V4L2_BUF_TYPE_META_OUTPUT,
	0,
};

static int begin(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	return 0;
}

static int begin_codec(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = codec_types, .m2m = true}};

	media_rig_init(&rig, &options);
	return 0;
}

static int begin_all(void **state)
{
	static const struct media_rig_options options = {.fake = {.types = all_types}};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

static void complete(uint32_t type, uint8_t fill)
{
	assert_true(fake_node_complete(rig.node, fake_node_opened(rig.node) - 1, type, fill, 0,
				       1000) >= 0);
}

/* Video, VBI, sliced VBI, SDR, metadata; capture and output; single- and multi-planar. */
static void buffers_of_every_type_come_back(void **state)
{
	for (const uint32_t *type = all_types; *type; type++) {
		const uint32_t session = media_rig_streaming(&rig, *type, 3);
		struct media_event event;

		for (uint32_t i = 0; i < 3; i++) {
			complete(*type, 1);
			assert_int_equal(media_rig_frame(&rig, session, &event), i);
			assert_int_equal(event.dqbuf.buffer.type, *type);
			assert_int_equal(event.dqbuf.buffer.memory, V4L2_MEMORY_MMAP);
			assert_int_equal(event.dqbuf.buffer.sequence, i);
			assert_int_equal(media_rig_qbuf(&rig, session, *type, i), 0);
		}
		assert_int_equal(media_rig_stream(&rig, session, *type, false), 0);
		media_driver_close(&rig.md, session);
	}
	assert_int_equal(fake_node_early(rig.node), 0);
}

static void both_queues_of_a_codec_are_served(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, OUTPUT_MP, 2);
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 1), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, true), 0);
	for (unsigned int i = 0; i < 20; i++) {
		const uint32_t type = i & 1 ? CAPTURE_MP : OUTPUT_MP;

		complete(type, 1);
		media_rig_frame(&rig, session, &event);
		assert_int_equal(event.dqbuf.buffer.type, type);
		assert_int_equal(media_rig_qbuf(&rig, session, type, event.dqbuf.buffer.index), 0);
	}
	assert_int_equal(fake_node_early(rig.node), 0);
}

static void an_event_describes_the_buffer_and_its_planes(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, 2);
	const uint32_t offset = media_rig_offset(&rig, session, CAPTURE_MP, 0, 1);
	const struct v4l2_buffer *buffer;
	struct media_event event;

	assert_int_equal(
		fake_node_complete(rig.node, 0, CAPTURE_MP, 1, V4L2_BUF_FLAG_KEYFRAME, 1000), 0);
	media_rig_frame(&rig, session, &event);
	buffer = &event.dqbuf.buffer;
	assert_true(buffer->flags & V4L2_BUF_FLAG_KEYFRAME);
	assert_false(buffer->flags & (V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE));
	assert_int_equal(buffer->length, 2);
	assert_int_equal(event.dqbuf.planes[0].bytesused, 1000);
	assert_int_equal(event.dqbuf.planes[0].length, FAKE_LENGTH);
	assert_int_equal(event.dqbuf.planes[1].length, FAKE_LENGTH / 2);
	/* Ours or nothing; the host's own number is another one. */
	assert_true(event.dqbuf.planes[1].m.mem_offset == offset ||
		    event.dqbuf.planes[1].m.mem_offset == 0);
	for (unsigned int p = 2; p < VIDEO_MAX_PLANES; p++)
		assert_int_equal(event.dqbuf.planes[p].length, 0);
}

/* The host's pointers, fds and offsets look like nothing that the guest was told. */
static void nothing_of_the_hosts_is_in_an_event(void **state)
{
	uint32_t session = media_rig_streaming(&rig, CAPTURE_MP, 2);
	const struct v4l2_buffer *buffer;
	struct media_event event;

	complete(CAPTURE_MP, 1);
	media_rig_frame(&rig, session, &event);
	buffer = &event.dqbuf.buffer;
	assert_int_equal(buffer->m.userptr, 0);
	for (unsigned int p = 0; p < 2; p++) {
		assert_int_not_equal(event.dqbuf.planes[p].m.mem_offset & FAKE_CAPTURE_OFFSET,
				     FAKE_CAPTURE_OFFSET);
		assert_int_equal(event.dqbuf.planes[p].m.userptr >> 32, 0);
	}
}

static void a_frame_is_in_region_0_when_its_event_comes(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
	struct media_event event;
	uint64_t addr[4], len;

	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(media_driver_mmap(&rig.md, session, 0,
						   media_rig_offset(&rig, session, CAPTURE, i, 0),
						   &addr[i], &len),
				 0);
	for (unsigned int n = 0; n < 200; n++) {
		uint32_t index;

		complete(CAPTURE, (uint8_t)n);
		index = media_rig_frame(&rig, session, &event);
		assert_int_equal(event.dqbuf.buffer.sequence, n);
		assert_int_equal(media_driver_at(&rig.md, addr[index])[0], (uint8_t)n);
		assert_int_equal(media_driver_at(&rig.md, addr[index])[FAKE_LENGTH - 1],
				 (uint8_t)n);
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, index), 0);
	}
}

/* Eight at once: none waits for something else to happen, and next to no DQBUF finds nothing. */
static void all_that_is_ready_is_taken_without_waiting(void **state)
{
	static const struct media_rig_options options = {.alone = true, .quick = true};
	struct media_event event;
	uint32_t session;
	unsigned int calls;

	media_rig_deinit(&rig);
	media_rig_init(&rig, &options);
	session = media_rig_streaming(&rig, CAPTURE, 9);
	calls = fake_node_calls(rig.node, VIDIOC_DQBUF);
	for (unsigned int i = 0; i < 8; i++)
		complete(CAPTURE, 1);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(media_rig_frame(&rig, session, &event), i);
	calls = fake_node_calls(rig.node, VIDIOC_DQBUF) - calls;
	assert_true(calls == 8 || calls == 9);
}

/* Streaming or not, queued or not, in any order: the node never sees a poll that cannot be served.
 */
static void it_waits_only_while_a_buffer_can_come(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct media_event event;

	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), POLLIN);
	complete(CAPTURE, 1);
	media_rig_frame(&rig, session, &event);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	assert_int_equal(fake_node_watched(rig.node, 0), POLLIN);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	/* Streaming first, the buffer later. */
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 1), 0);
	assert_int_equal(fake_node_watched(rig.node, 0), POLLIN);
	media_driver_close(&rig.md, session);
	assert_int_equal(fake_node_early(rig.node), 0);
}

static void a_poll_that_came_too_early_does_no_harm(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
	struct media_event event;

	for (unsigned int i = 0; i < 3; i++) {
		fake_node_poll_error(rig.node);
		media_driver_sync(&rig.md);
		complete(CAPTURE, 1);
		media_rig_frame(&rig, session, &event);
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, event.dqbuf.buffer.index),
				 0);
	}
}

static void what_was_done_before_streaming_began_comes_too(void **state)
{
	static const struct media_rig_options options = {.fake.complete_all = true};
	struct media_event event;
	uint32_t session;

	media_rig_deinit(&rig);
	media_rig_init(&rig, &options);
	session = media_rig_streaming(&rig, CAPTURE, 4);
	for (uint32_t i = 0; i < 4; i++)
		complete(CAPTURE, 1);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(media_rig_frame(&rig, session, &event), i);
	/* From now on each is done before QBUF has returned. */
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, i), 0);
		assert_int_equal(media_rig_frame(&rig, session, &event), i);
	}
}

/* The LAST buffer: tell it, look no more, and do not spin. */
static void start_decoder(uint32_t session, bool drained)
{
	struct media_event event;
	unsigned int calls, wakes;

	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 0), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 1), 0);
	if (!drained)
		assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, true), 0);
	assert_true(fake_node_complete(rig.node, 0, CAPTURE_MP, 1, V4L2_BUF_FLAG_LAST, 0) >= 0);
	media_rig_frame(&rig, session, &event);
	assert_true(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_LAST);
	media_driver_sync(&rig.md);
	calls = fake_node_calls(rig.node, VIDIOC_DQBUF);
	wakes = fake_node_wakes(rig.node);
	media_driver_pause(&rig.md, 50);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_DQBUF), calls);
	assert_int_equal(fake_node_wakes(rig.node), wakes);
	assert_false(fake_node_watched(rig.node, 0) & POLLIN);
}

static void behind_the_last_buffer_it_rests(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_decoder_cmd cmd = {.cmd = V4L2_DEC_CMD_START};
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 4), 0);
	start_decoder(session, false);
	/* A new STREAMON after STREAMOFF lets it go on. */
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, false), 0);
	start_decoder(session, false);
	/* So does CMD_START, with the buffer that is still queued. */
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_DECODER_CMD, &cmd), 0);
	complete(CAPTURE_MP, 1);
	media_rig_frame(&rig, session, &event);
	assert_false(event.dqbuf.buffer.flags & V4L2_BUF_FLAG_LAST);
	assert_true(fake_node_calls(rig.node, VIDIOC_DQBUF) < 20);
}

/* A decoder's output queue goes on behind the LAST capture buffer. */
static void the_last_buffer_ends_its_own_queue_only(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, OUTPUT_MP, 2);
	struct media_event event;

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 4), 0);
	start_decoder(session, false);
	complete(OUTPUT_MP, 1);
	media_rig_frame(&rig, session, &event);
	assert_int_equal(event.dqbuf.buffer.type, OUTPUT_MP);
}

static void epipe_without_a_last_buffer_is_the_same(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);
	unsigned int calls;

	fake_node_answer(rig.node, VIDIOC_DQBUF, &(struct fake_answer) {.result = -EPIPE});
	complete(CAPTURE, 1);
	media_driver_sync(&rig.md);
	calls = fake_node_calls(rig.node, VIDIOC_DQBUF);
	assert_true(calls > 0 && calls < 4);
	media_driver_pause(&rig.md, 50);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_DQBUF), calls);
	fake_node_answer(rig.node, VIDIOC_DQBUF, NULL);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	complete(CAPTURE, 1);
	media_rig_frame(&rig, session, &(struct media_event) {.len = 0});
}

/* A host that fails in some other way: neither a spin nor the end of the session. */
static void a_dequeue_that_fails_does_not_spin(void **state)
{
	static const int errors[] = {EIO, EINVAL, ENOMEM, EBUSY};
	uint32_t session = media_rig_streaming(&rig, CAPTURE, 2);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		unsigned int calls;

		fake_node_answer(rig.node, VIDIOC_DQBUF,
				 &(struct fake_answer) {.result = -errors[i]});
		complete(CAPTURE, 1);
		calls = fake_node_calls(rig.node, VIDIOC_DQBUF);
		media_driver_pause(&rig.md, 60);
		assert_true(fake_node_calls(rig.node, VIDIOC_DQBUF) - calls < 100);
		fake_node_answer(rig.node, VIDIOC_DQBUF, NULL);
		assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
		media_driver_close(&rig.md, session);
		session = media_rig_streaming(&rig, CAPTURE, 2);
	}
	while (!media_driver_quiet(&rig.md))
		;
	complete(CAPTURE, 1);
	media_rig_frame(&rig, session, &(struct media_event) {.len = 0});
}

/* Buffers that are done and not yet told are no frames any more. */
static void streamoff_ends_what_was_under_way(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);

	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1), -ENOENT);
	assert_true(media_driver_quiet(&rig.md));
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, i), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	complete(CAPTURE, 1);
	assert_int_equal(media_rig_frame(&rig, session, &(struct media_event) {.len = 0}), 0);
}

static void a_failed_streamon_arms_nothing(void **state)
{
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), EINVAL);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	fake_node_answer(rig.node, VIDIOC_STREAMON, &(struct fake_answer) {.result = -ENOLINK});
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), ENOLINK);
	media_driver_sync(&rig.md);
	assert_int_equal(fake_node_watched(rig.node, 0), 0);
	assert_int_equal(fake_node_early(rig.node), 0);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_DQBUF), 0);
}

#define TEST(name, begins) cmocka_unit_test_setup_teardown(name, begins, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(buffers_of_every_type_come_back, begin_all),
		TEST(both_queues_of_a_codec_are_served, begin_codec),
		TEST(an_event_describes_the_buffer_and_its_planes, begin_codec),
		TEST(nothing_of_the_hosts_is_in_an_event, begin_codec),
		TEST(a_frame_is_in_region_0_when_its_event_comes, begin),
		TEST(all_that_is_ready_is_taken_without_waiting, begin),
		TEST(it_waits_only_while_a_buffer_can_come, begin),
		TEST(a_poll_that_came_too_early_does_no_harm, begin),
		TEST(what_was_done_before_streaming_began_comes_too, begin),
		TEST(behind_the_last_buffer_it_rests, begin_codec),
		TEST(the_last_buffer_ends_its_own_queue_only, begin_codec),
		TEST(epipe_without_a_last_buffer_is_the_same, begin),
		TEST(a_dequeue_that_fails_does_not_spin, begin),
		TEST(streamoff_ends_what_was_under_way, begin),
		TEST(a_failed_streamon_arms_nothing, begin),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
