/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_buffer.c - buffers of a virtio-media device: requests for them, their offsets, planes
 * and memory types, and what of the host's stays there.
 *
 * Virtio 1.4, media device, "Memory Types". For the arguments see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/ioctl.h"
#include "media_rig.h"

#define POINTER UINT64_C(0x7f0012345678)

static struct media_rig rig;

static const uint32_t codec_types[] = {OUTPUT_MP, CAPTURE_MP, 0};
static const uint32_t capture_mp[] = {CAPTURE_MP, 0};

static int begin(void **state)
{
	static const struct media_rig_options options = {.media.buffers_max = 24};

	media_rig_init(&rig, &options);
	return 0;
}

static int begin_codec(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = codec_types, .m2m = true, .planes = 3}};

	media_rig_init(&rig, &options);
	return 0;
}

static int begin_small_codec(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = codec_types, .m2m = true}, .media.buffers_max = 24};

	media_rig_init(&rig, &options);
	return 0;
}

static int begin_multi(void **state)
{
	static const struct media_rig_options options = {
		.fake = {.types = capture_mp, .planes = 8, .length = 5000}};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

static void a_buffer_is_described_as_the_host_does(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_requestbuffers reqbufs = {.count = 1,
					      .type = CAPTURE,
					      .memory = V4L2_MEMORY_MMAP};
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REQBUFS, &reqbufs), 0);
	assert_int_equal(reqbufs.count, 2); /* the host's answer */
	assert_true(reqbufs.capabilities & V4L2_BUF_CAP_SUPPORTS_MMAP);
	assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE, 1, &buffer, planes), 0);
	assert_int_equal(buffer.index, 1);
	assert_int_equal(buffer.length, FAKE_LENGTH);
	assert_int_equal(buffer.memory, V4L2_MEMORY_MMAP);
	assert_true(buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 1), 0);
	assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE, 1, &buffer, planes), 0);
	assert_true(buffer.flags & V4L2_BUF_FLAG_QUEUED);
	assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE, 2, &buffer, planes), EINVAL);
}

/* Each buffer of each queue of each session, though the host's own numbering starts over. */
static void offsets_are_unique_in_the_device(void **state)
{
	uint32_t offsets[4 * 2 * 3 * 3], n = 0;

	for (unsigned int s = 0; s < 4; s++) {
		const uint32_t session = media_rig_open(&rig);

		for (unsigned int q = 0; q < 2; q++) {
			assert_int_equal(media_rig_reqbufs(&rig, session, codec_types[q],
							   V4L2_MEMORY_MMAP, 3),
					 0);
			for (uint32_t i = 0; i < 9; i++)
				offsets[n++] = media_rig_offset(&rig, session, codec_types[q],
								i / 3, i % 3);
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(offsets[i] % 4096, 0);
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(offsets[i], offsets[k]);
	}
}

/* Two sessions' first buffers have one offset on the host; each mapping shows its own. */
static void an_offset_leads_to_its_own_sessions_buffer(void **state)
{
	uint8_t *seen[2];
	uint64_t addr, len;

	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t session = media_rig_open(&rig);

		assert_int_equal(media_rig_reqbufs(&rig, session, OUTPUT_MP, V4L2_MEMORY_MMAP, 2),
				 0);
		assert_int_equal(media_driver_mmap(&rig.md, session, 1,
						   media_rig_offset(&rig, session, OUTPUT_MP, 0, 0),
						   &addr, &len),
				 0);
		seen[i] = media_driver_at(&rig.md, addr);
		memset(seen[i], (int)(0x31 + i), 16);
	}
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(seen[i][15], 0x31 + i);
		assert_int_equal(fake_node_memory(rig.node, i, OUTPUT_MP, 0, 0)[15], 0x31 + i);
	}
}

/* Only the session that owns a buffer may map it by its offset. */
static void another_sessions_offset_maps_nothing(void **state)
{
	const uint32_t first = media_rig_open(&rig), second = media_rig_open(&rig);
	uint64_t addr, len;
	uint32_t offset;

	assert_int_equal(media_rig_reqbufs(&rig, first, OUTPUT_MP, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_equal(media_rig_reqbufs(&rig, second, OUTPUT_MP, V4L2_MEMORY_MMAP, 2), 0);
	offset = media_rig_offset(&rig, first, OUTPUT_MP, 1, 0);
	media_rig_offset(&rig, second, OUTPUT_MP, 1, 0);
	assert_int_not_equal(media_driver_mmap(&rig.md, second, 1, offset, &addr, &len), 0);
	assert_int_equal(media_driver_mmap(&rig.md, first, 1, offset, &addr, &len), 0);
}

static void an_offset_is_the_same_as_long_as_the_buffer_lives(void **state)
{
	const uint32_t session = media_rig_streaming(&rig, CAPTURE, 4);
	const uint32_t offset = media_rig_offset(&rig, session, CAPTURE, 2, 0);
	struct v4l2_buffer buffer = {.type = CAPTURE, .index = 0, .memory = V4L2_MEMORY_MMAP};
	struct media_event event;

	assert_int_equal(media_rig_offset(&rig, session, CAPTURE, 2, 0), offset);
	for (unsigned int i = 0; i < 3; i++) {
		fake_node_complete(rig.node, 0, CAPTURE, 1, 0, 1);
		media_rig_frame(&rig, session, &event);
	}
	buffer.index = 2;
	assert_int_equal(media_driver_buffer(&rig.md, session, VIDIOC_QBUF, &buffer, NULL, NULL, 0),
			 0);
	assert_int_equal(buffer.m.offset, offset);
	assert_int_equal(media_rig_offset(&rig, session, CAPTURE, 2, 0), offset);
}

/* "The device MUST return the value initially passed": m.planes, for all three commands. */
static void planes_follow_the_buffer_and_their_pointer_comes_back(void **state)
{
	static const unsigned long cmds[] = {VIDIOC_QUERYBUF, VIDIOC_PREPARE_BUF, VIDIOC_QBUF};
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
		struct v4l2_buffer buffer = {
			.type = CAPTURE_MP,
			.memory = V4L2_MEMORY_MMAP,
			.length = VIDEO_MAX_PLANES,
			.m.userptr = POINTER,
		};

		assert_int_equal(media_driver_buffer(&rig.md, session, cmds[i], &buffer, planes,
						     NULL, 0),
				 0);
		assert_int_equal(buffer.m.userptr, POINTER);
		assert_int_equal(buffer.length, 8);
		assert_int_equal(planes[0].length, 5000);
		assert_int_equal(planes[7].length, 2500);
		for (unsigned int p = 1; p < 8; p++)
			assert_int_not_equal(planes[p].m.mem_offset, planes[0].m.mem_offset);
		assert_int_equal(rig.md.used, 8 + sizeof(buffer) + sizeof(planes));
	}
}

static void planes_are_counted_before_they_are_believed(void **state)
{
	static const struct {
		const char *name;
		uint32_t length, sent;
		int status; /* -1: any error */
	} rows[] = {
		{"too few for the host", 2, 2, -1},	  {"none", 0, 0, -1},
		{"more than there can be", 9, 9, EINVAL}, {"very many", UINT32_MAX, 8, EINVAL},
		{"more than are sent", 8, 7, EINVAL},
	};
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct {
			struct v4l2_buffer buffer;
			struct v4l2_plane planes[9];
		} out = {.buffer = {.type = CAPTURE_MP,
				    .memory = V4L2_MEMORY_MMAP,
				    .length = rows[i].length}},
		  back;
		uint32_t status = media_driver_bytes(
			&rig.md, session, _IOC_NR(VIDIOC_QBUF), &out,
			(uint32_t)(sizeof(out.buffer) + rows[i].sent * sizeof(out.planes[0])),
			&back, sizeof(back));

		if (status == 0 || (rows[i].status > 0 && status != (uint32_t)rows[i].status))
			fail_msg("%s: %u", rows[i].name, status);
	}
	assert_int_equal(fake_node_queued(rig.node, 0, CAPTURE_MP), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE_MP, 0), 0);
}

/* VIRTIO_OBJECT is not offered: no number of the guest's may become a descriptor of the host's. */
static void what_names_a_descriptor_is_refused_before_the_host_sees_it(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_requestbuffers reqbufs = {.count = 2,
					      .type = CAPTURE,
					      .memory = V4L2_MEMORY_DMABUF};
	struct v4l2_create_buffers create = {.count = 2,
					     .memory = V4L2_MEMORY_DMABUF,
					     .format.type = CAPTURE};
	struct v4l2_exportbuffer expbuf = {.type = CAPTURE};

	assert_int_not_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REQBUFS, &reqbufs), 0);
	assert_int_not_equal(media_driver_ioctl(&rig.md, session, VIDIOC_CREATE_BUFS, &create), 0);
	assert_int_not_equal(media_driver_ioctl(&rig.md, session, VIDIOC_EXPBUF, &expbuf), 0);
	assert_int_equal(fake_node_buffers(rig.node), 0);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_EXPBUF), 0);
	/* Before there are buffers, and when there are. */
	for (unsigned int i = 0; i < 8; i++) {
		struct v4l2_buffer buffer = {
			.type = CAPTURE,
			.memory = i & 1 ? V4L2_MEMORY_MMAP : V4L2_MEMORY_DMABUF,
			.flags = i & 1 ? V4L2_BUF_FLAG_REQUEST_FD : 0,
			.m.fd = 1,
			.request_fd = 1,
		};

		if (i == 4)
			assert_int_equal(
				media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
		assert_int_not_equal(media_driver_buffer(&rig.md, session,
							 i & 2 ? VIDIOC_PREPARE_BUF : VIDIOC_QBUF,
							 &buffer, NULL, NULL, 0),
				     0);
	}
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_QBUF), 0);
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_PREPARE_BUF), 0);
}

/* What the host says it can do is cut to what the device can. */
static void capabilities_are_those_of_the_device(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_requestbuffers reqbufs = {.count = 2,
					      .type = CAPTURE,
					      .memory = V4L2_MEMORY_MMAP};
	struct v4l2_create_buffers create = {.count = 0,
					     .memory = V4L2_MEMORY_MMAP,
					     .format.type = CAPTURE};

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REQBUFS, &reqbufs), 0);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_CREATE_BUFS, &create), 0);
	assert_false(reqbufs.capabilities &
		     (V4L2_BUF_CAP_SUPPORTS_DMABUF | V4L2_BUF_CAP_SUPPORTS_REQUESTS));
	assert_false(create.capabilities &
		     (V4L2_BUF_CAP_SUPPORTS_DMABUF | V4L2_BUF_CAP_SUPPORTS_REQUESTS));
	assert_true(reqbufs.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR);
}

static void buffers_have_a_cap(void **state)
{
	struct v4l2_requestbuffers reqbufs = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	uint32_t sessions[4];
	unsigned int made = 0;
	uint32_t status = 0;

	/* The fake's queues belong to one session: by CREATE_BUFS, 10 at a time. */
	sessions[0] = media_rig_open(&rig);
	for (unsigned int i = 0; i < 8 && status == 0; i++) {
		struct v4l2_create_buffers create = {.count = 10,
						     .memory = V4L2_MEMORY_MMAP,
						     .format.type = CAPTURE};

		status = media_driver_ioctl(&rig.md, sessions[0], VIDIOC_CREATE_BUFS, &create);
		made += status == 0 ? create.count : 0;
		assert_true(fake_node_buffers(rig.node) <= 24);
	}
	/* The last ones are given in part, as a host does that has no more. */
	assert_int_equal(made, 24);
	assert_int_equal(status, ENOMEM);
	assert_int_equal(media_rig_reqbufs(&rig, sessions[0], CAPTURE, V4L2_MEMORY_MMAP, 0), 0);
	assert_int_equal(fake_node_buffers(rig.node), 0);
	assert_int_equal(media_rig_reqbufs(&rig, sessions[0], CAPTURE, V4L2_MEMORY_MMAP, 22), 0);
	media_driver_close(&rig.md, sessions[0]);
	media_driver_sync(&rig.md);
	sessions[1] = media_rig_open(&rig);
	reqbufs.count = 30;
	assert_int_equal(media_driver_ioctl(&rig.md, sessions[1], VIDIOC_REQBUFS, &reqbufs), 0);
	assert_int_equal(reqbufs.count, 24);
	/* In place of those that are there. */
	reqbufs.count = 10;
	assert_int_equal(media_driver_ioctl(&rig.md, sessions[1], VIDIOC_REQBUFS, &reqbufs), 0);
	assert_int_equal(reqbufs.count, 10);
	reqbufs.count = UINT32_MAX;
	assert_int_equal(media_driver_ioctl(&rig.md, sessions[1], VIDIOC_REQBUFS, &reqbufs), 0);
	assert_int_equal(reqbufs.count, 24);
}

/* V4L2 frees the old ones before it tries to make new ones: what is left is the host's to say. */
static void buffers_that_a_failed_reqbufs_took_do_not_count(void **state)
{
	static const struct {
		int result, query;
		uint32_t left; /* of 12 */
	} cases[] = {
		{-EINVAL, -EINVAL, 12}, {-EIO, -EINVAL, 12},  {-ENOMEM, -EINVAL, 12},
		{-EINVAL, 0, 4},	{-EBUSY, -EINVAL, 4}, {-ENOMEM, 0, 4},
		{-EINVAL, -EIO, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fake_answer fails = {.result = cases[i].result};
		const struct fake_answer query = {.result = cases[i].query};
		struct v4l2_create_buffers create = {.count = 12,
						     .memory = V4L2_MEMORY_MMAP,
						     .format.type = CAPTURE};
		const uint32_t session = media_rig_open(&rig);

		assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 20),
				 0);
		fake_node_answer(rig.node, VIDIOC_REQBUFS, &fails);
		if (query.result)
			fake_node_answer(rig.node, VIDIOC_QUERYBUF, &query);
		assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2),
				 -cases[i].result);
		fake_node_answer(rig.node, VIDIOC_REQBUFS, NULL);
		fake_node_answer(rig.node, VIDIOC_QUERYBUF, NULL);
		assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_CREATE_BUFS, &create),
				 0);
		assert_int_equal(create.count, cases[i].left);
		media_driver_close(&rig.md, session);
		media_driver_sync(&rig.md);
	}
}

/* Only the host knows whether the old ones can go: it is asked, even if there is no room. */
static void reqbufs_without_room_frees_what_the_host_lets_go(void **state)
{
	static const struct fake_answer busy = {.result = -EBUSY};
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, session, OUTPUT_MP, V4L2_MEMORY_MMAP, 24), 0);
	fake_node_answer(rig.node, VIDIOC_REQBUFS, &busy);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), EBUSY);
	fake_node_answer(rig.node, VIDIOC_REQBUFS, NULL);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), ENOMEM);
	assert_int_equal(fake_node_buffers(rig.node), 24);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 0), 0);
	assert_int_equal(media_rig_reqbufs(&rig, session, OUTPUT_MP, V4L2_MEMORY_MMAP, 0), 0);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE_MP, V4L2_MEMORY_MMAP, 2), 0);
}

static void removed_buffers_are_gone_and_their_numbers_free(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	struct v4l2_create_buffers create = {.count = 4,
					     .memory = V4L2_MEMORY_MMAP,
					     .format.type = CAPTURE};
	struct v4l2_remove_buffers remove = {.index = 1, .count = 2, .type = CAPTURE};
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer buffer;
	uint32_t offset;
	uint64_t addr, len;

	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_CREATE_BUFS, &create), 0);
	assert_int_equal(create.index, 0);
	offset = media_rig_offset(&rig, session, CAPTURE, 1, 0);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REMOVE_BUFS, &remove), 0);
	assert_int_equal(fake_node_buffers(rig.node), 2);
	assert_int_equal(media_rig_querybuf(&rig, session, CAPTURE, 1, &buffer, planes), EINVAL);
	assert_int_not_equal(media_driver_mmap(&rig.md, session, 0, offset, &addr, &len), 0);
	create.count = 2;
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_CREATE_BUFS, &create), 0);
	assert_int_equal(create.index, 1);
	assert_int_not_equal(media_rig_offset(&rig, session, CAPTURE, 1, 0), 0xffffffff);
}

/* A second session may look at the first one's node, but V4L2 keeps it from its queue. */
static void ownership_is_the_hosts_business(void **state)
{
	const uint32_t first = media_rig_streaming(&rig, CAPTURE, 2);
	const uint32_t second = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, second, CAPTURE, V4L2_MEMORY_MMAP, 2), EBUSY);
	assert_int_equal(media_rig_stream(&rig, second, CAPTURE, true), EBUSY);
	media_driver_close(&rig.md, first);
	media_driver_sync(&rig.md);
	assert_int_equal(media_rig_reqbufs(&rig, second, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
}

#define TEST(name, begins) cmocka_unit_test_setup_teardown(name, begins, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_buffer_is_described_as_the_host_does, begin),
		TEST(offsets_are_unique_in_the_device, begin_codec),
		TEST(an_offset_leads_to_its_own_sessions_buffer, begin_codec),
		TEST(another_sessions_offset_maps_nothing, begin_codec),
		TEST(an_offset_is_the_same_as_long_as_the_buffer_lives, begin),
		TEST(planes_follow_the_buffer_and_their_pointer_comes_back, begin_multi),
		TEST(planes_are_counted_before_they_are_believed, begin_multi),
		TEST(what_names_a_descriptor_is_refused_before_the_host_sees_it, begin),
		TEST(capabilities_are_those_of_the_device, begin),
		TEST(buffers_have_a_cap, begin),
		TEST(buffers_that_a_failed_reqbufs_took_do_not_count, begin),
		TEST(reqbufs_without_room_frees_what_the_host_lets_go, begin_small_codec),
		TEST(removed_buffers_are_gone_and_their_numbers_free, begin),
		TEST(ownership_is_the_hosts_business, begin),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
