/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_shared_pages.c - buffers of guest memory through a virtio-media device: scattered
 * pages that the host sees as one range, without a copy where that can be.
 *
 * Virtio 1.4, media device, "SHARED_PAGES". For the arguments see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/pages.h"
#include "media_rig.h"

#define POINTER UINT64_C(0x7f0012345678)
#define LENGTH	FAKE_LENGTH /* 17 pages and a bit */
#define PAGE	UINT64_C(4096)
#define PAGES_N 18
#define USERPTR V4L2_MEMORY_USERPTR

static struct media_rig rig;

static const uint32_t types[] = {CAPTURE, OUTPUT, CAPTURE_MP, 0};

static int begin(void **state)
{
	static const struct media_rig_options options = {.fake.types = types};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

/* struct list - guest memory of one plane, and where its bytes are. */
struct list {
	struct virtio_media_sg_entry entries[64];
	uint32_t n;
};

/* Pages of @area, every third one, from the last to the first. */
static struct list scattered(unsigned int area)
{
	struct list list = {.n = PAGES_N};

	for (uint32_t i = 0; i < PAGES_N; i++)
		list.entries[i] = (struct virtio_media_sg_entry) {
			.start = MEDIA_DRIVER_PAGES + area * MIB + (PAGES_N - i) * 3 * PAGE,
			.len = PAGE,
			.reserved = UINT32_MAX,
		};
	list.entries[PAGES_N - 1].len = LENGTH % PAGE;
	return list;
}

/* The same bytes in pieces that do not fit together at page borders. */
static struct list ragged(unsigned int area)
{
	const uint32_t piece = 3000;
	struct list list = {.n = 0};

	for (uint32_t left = LENGTH; left > 0; left -= list.entries[list.n++].len)
		list.entries[list.n] = (struct virtio_media_sg_entry) {
			.start = MEDIA_DRIVER_PAGES + area * MIB + list.n * 2 * PAGE + 123,
			.len = MIN(left, piece),
		};
	return list;
}

/* Byte @i of the buffer, in guest memory. */
static uint8_t *at(const struct list *list, uint32_t i)
{
	const struct virtio_media_sg_entry *entry = list->entries;

	for (; i >= entry->len; entry++)
		i -= entry->len;
	return media_driver_page(&rig.md, entry->start + i, 1);
}

static void fill(const struct list *list, uint8_t value)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const uint64_t page = ALIGN_DOWN(list->entries[i].start, PAGE);

		memset(media_driver_page(&rig.md, page, 2 * PAGE), value, 2 * PAGE);
	}
}

static bool holds(const struct list *list, uint8_t value)
{
	for (uint32_t i = 0; i < LENGTH; i++)
		if (*at(list, i) != value)
			return false;
	return true;
}

static uint32_t with_buffers(uint32_t type)
{
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, session, type, USERPTR, 2), 0);
	return session;
}

static uint32_t queue(uint32_t session, uint32_t type, uint32_t index, const struct list *list)
{
	const struct media_sg sg = {list->entries, list->n};
	struct v4l2_buffer buffer = {
		.type = type,
		.index = index,
		.memory = USERPTR,
		.length = LENGTH,
		.bytesused = LENGTH,
		.m.userptr = POINTER,
	};
	uint32_t status = media_driver_buffer(&rig.md, session, VIDIOC_QBUF, &buffer, NULL, &sg, 1);

	if (status == 0) {
		assert_int_equal(buffer.m.userptr, POINTER);
		assert_int_equal(buffer.memory, USERPTR);
	}
	return status;
}

/* Where the host has the buffer that was queued last. */
static uint8_t *host_address(void)
{
	const struct fake_seen seen = fake_node_seen(rig.node, VIDIOC_QBUF);
	const struct v4l2_buffer *buffer = (const void *)seen.arg;

	return (uint8_t *)buffer->m.userptr;
}

static void frames_land_in_the_guests_own_pages(void **state)
{
	const uint32_t session = with_buffers(CAPTURE);
	const struct list lists[] = {scattered(0), scattered(1)};
	struct media_event event;

	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(queue(session, CAPTURE, i, &lists[i]), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	for (unsigned int n = 0; n < 20; n++) {
		const struct list *list = &lists[n % 2];

		fill(list, 0xee);
		assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, (uint8_t)n, 0, LENGTH),
				 n % 2);
		assert_int_equal(media_rig_frame(&rig, session, &event), n % 2);
		assert_true(holds(list, (uint8_t)n));
		/* The last page's rest, and the pages between, are not of the buffer. */
		assert_int_equal(*media_driver_page(&rig.md,
						    list->entries[PAGES_N - 1].start + PAGE, 1),
				 0xee);
		assert_int_equal(event.dqbuf.buffer.m.userptr, POINTER);
		assert_int_equal(event.dqbuf.buffer.memory, USERPTR);
		assert_int_equal(event.dqbuf.buffer.length, LENGTH);
		assert_int_equal(queue(session, CAPTURE, n % 2, list), 0);
	}
}

/* The host's range is the guest's pages themselves: a byte that is changed later is seen. */
static void there_is_no_copy_of_whole_pages(void **state)
{
	const uint32_t session = with_buffers(OUTPUT);
	const struct list list = scattered(0);
	uint8_t *host;

	fill(&list, 1);
	assert_int_equal(queue(session, OUTPUT, 0, &list), 0);
	host = host_address();
	assert_int_equal(host[0], 1);
	*at(&list, 0) = 2;
	*at(&list, 5 * PAGE + 7) = 3;
	*at(&list, LENGTH - 1) = 4;
	assert_int_equal(host[0], 2);
	assert_int_equal(host[5 * PAGE + 7], 3);
	assert_int_equal(host[LENGTH - 1], 4);
}

static void pages_that_do_not_fit_together_are_copied(void **state)
{
	const uint32_t session = with_buffers(CAPTURE), out = with_buffers(OUTPUT);
	const struct list list = ragged(0), other = ragged(1);
	struct media_event event;
	uint8_t *host;

	fill(&list, 0xee);
	assert_int_equal(queue(session, CAPTURE, 0, &list), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 0x77, 0, LENGTH), 0);
	media_rig_frame(&rig, session, &event);
	assert_true(holds(&list, 0x77));
	for (uint32_t i = 0; i < list.n; i++) {
		assert_int_equal(*media_driver_page(&rig.md, list.entries[i].start - 1, 1), 0xee);
		assert_int_equal(*media_driver_page(&rig.md,
						    list.entries[i].start + list.entries[i].len, 1),
				 0xee);
	}
	for (uint32_t i = 0; i < LENGTH; i++)
		*at(&other, i) = (uint8_t)(i % 251);
	assert_int_equal(queue(out, OUTPUT, 1, &other), 0);
	host = host_address();
	for (uint32_t i = 0; i < LENGTH; i++)
		assert_int_equal(host[i], i % 251);
}

static void a_buffer_may_have_other_pages_the_next_time(void **state)
{
	const uint32_t session = with_buffers(CAPTURE);
	struct media_event event;

	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	for (unsigned int n = 0; n < 12; n++) {
		const struct list list = n % 4 == 3 ? ragged(n % 5) : scattered(n % 5);

		fill(&list, 0xee);
		assert_int_equal(queue(session, CAPTURE, 0, &list), 0);
		assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, (uint8_t)n, 0, LENGTH),
				 0);
		media_rig_frame(&rig, session, &event);
		assert_true(holds(&list, (uint8_t)n));
	}
}

static void each_plane_has_its_list(void **state)
{
	const uint32_t session = with_buffers(CAPTURE_MP);
	const struct list lists[] = {scattered(0), scattered(1)};
	const struct media_sg sg[] = {{lists[0].entries, lists[0].n}, {lists[1].entries, 9}};
	struct v4l2_plane planes[2] = {
		{.length = LENGTH, .bytesused = LENGTH, .m.userptr = POINTER},
		{.length = LENGTH / 2, .m.userptr = POINTER + 1},
	};
	struct v4l2_buffer buffer = {
		.type = CAPTURE_MP,
		.memory = USERPTR,
		.length = 2,
		.m.userptr = POINTER + 2,
	};
	struct media_event event;

	assert_int_equal(media_driver_buffer(&rig.md, session, VIDIOC_QBUF, &buffer, planes, sg, 2),
			 0);
	assert_int_equal(buffer.m.userptr, POINTER + 2);
	assert_int_equal(planes[0].m.userptr, POINTER);
	assert_int_equal(planes[1].m.userptr, POINTER + 1);
	assert_int_equal(rig.md.used, 8 + sizeof(buffer) + sizeof(planes));
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE_MP, true), 0);
	fill(&lists[0], 0xee);
	fill(&lists[1], 0xee);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE_MP, 0x35, 0, LENGTH), 0);
	media_rig_frame(&rig, session, &event);
	assert_true(holds(&lists[0], 0x35));
	assert_int_equal(*at(&lists[1], LENGTH / 2 - 1), 0x35);
	assert_int_equal(*at(&lists[1], LENGTH / 2), 0xee);
	assert_int_equal(event.dqbuf.planes[0].m.userptr, POINTER);
	assert_int_equal(event.dqbuf.planes[1].m.userptr, POINTER + 1);
}

static void prepared_pages_are_the_queued_ones(void **state)
{
	const uint32_t session = with_buffers(CAPTURE);
	const struct list list = scattered(0);
	const struct media_sg sg = {list.entries, list.n};
	struct v4l2_buffer buffer = {
		.type = CAPTURE, .memory = USERPTR, .length = LENGTH, .m.userptr = POINTER};
	struct media_event event;

	assert_int_equal(media_driver_buffer(&rig.md, session, VIDIOC_PREPARE_BUF, &buffer, NULL,
					     &sg, 1),
			 0);
	assert_int_equal(buffer.m.userptr, POINTER);
	assert_int_equal(queue(session, CAPTURE, 0, &list), 0);
	assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
	assert_int_equal(fake_node_complete(rig.node, 0, CAPTURE, 0x21, 0, LENGTH), 0);
	media_rig_frame(&rig, session, &event);
	assert_true(holds(&list, 0x21));
}

static void wrong_lists_never_get_to_the_host(void **state)
{
	const uint64_t ram = MEDIA_DRIVER_PAGES;
	const struct {
		const char *name;
		struct virtio_media_sg_entry entries[2];
		uint32_t n;
	} rows[] = {
		{"none", {{0}}, 0},
		{"too short", {{.start = ram, .len = LENGTH - 1}}, 1},
		{"outside RAM", {{.start = VIRTIO_DRIVER_MEMORY, .len = LENGTH}}, 1},
		{"half outside", {{.start = VIRTIO_DRIVER_MEMORY - PAGE, .len = LENGTH}}, 1},
		{"wraps", {{.start = UINT64_MAX - PAGE + 1, .len = LENGTH}}, 1},
		{"its second outside",
		 {{.start = ram, .len = PAGE}, {.start = UINT64_C(1) << 52, .len = LENGTH}},
		 2},
		{"an entry of nothing", {{.start = ram}, {.start = ram, .len = LENGTH}}, 2},
	};
	const uint32_t session = with_buffers(CAPTURE);
	struct list good = scattered(0);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct list list = {.n = rows[i].n};

		memcpy(list.entries, rows[i].entries, sizeof(rows[i].entries));
		if (queue(session, CAPTURE, 0, &list) == 0)
			fail_msg("%s", rows[i].name);
	}
	assert_int_equal(fake_node_calls(rig.node, VIDIOC_QBUF), 0);
	assert_int_equal(queue(session, CAPTURE, 0, &good), 0);
}

/* More than one entry for each page, and the same page twice: as the guest likes. */
static void a_list_may_name_a_page_twice(void **state)
{
	const uint32_t session = with_buffers(OUTPUT);
	struct list list = scattered(0);

	list.entries[3].start = list.entries[4].start;
	fill(&list, 0x12);
	assert_int_equal(queue(session, OUTPUT, 0, &list), 0);
	*at(&list, 4 * PAGE) = 0x99;
	assert_int_equal(host_address()[3 * PAGE], 0x99);
	assert_int_equal(host_address()[4 * PAGE], 0x99);
}

static void memory_is_free_again_after_streamoff_and_close(void **state)
{
	unsigned int fds = 0;

	for (unsigned int n = 0; n < 30; n++) {
		const uint32_t session = with_buffers(CAPTURE);
		const struct list list = scattered(n % 4);

		assert_int_equal(queue(session, CAPTURE, 0, &list), 0);
		assert_int_equal(media_rig_stream(&rig, session, CAPTURE, true), 0);
		if (n & 1)
			assert_int_equal(media_rig_stream(&rig, session, CAPTURE, false), 0);
		media_driver_close(&rig.md, session);
		if (n == 0) {
			media_driver_sync(&rig.md);
			fds = media_driver_fds();
		}
	}
	media_driver_sync(&rig.md);
	assert_int_equal(media_driver_fds(), fds);
}

static void memory_of_one_kind_stays_of_that_kind(void **state)
{
	const uint32_t session = with_buffers(CAPTURE);

	assert_int_not_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 2), 0);
	assert_int_not_equal(queue(session, CAPTURE, 0, &(struct list) {.n = 0}), 0);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
}

/* Guest memory that nobody else can map: not offered, and MMAP works as ever. */
static void private_memory_cannot_be_shared(void **state)
{
	static const struct media_rig_options options = {.private_memory = true};
	struct v4l2_requestbuffers reqbufs = {.count = 2,
					      .type = CAPTURE,
					      .memory = V4L2_MEMORY_MMAP};
	uint32_t session;

	media_rig_deinit(&rig);
	media_rig_init(&rig, &options);
	session = media_rig_open(&rig);
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, USERPTR, 2), EINVAL);
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REQBUFS, &reqbufs), 0);
	assert_false(reqbufs.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR);
	assert_int_equal(media_rig_qbuf(&rig, session, CAPTURE, 0), 0);
}

/* As DMABUFs where the host can make some of guest memory; else it is not offered. */
static void a_host_without_userptr_gets_dmabufs_or_nothing(void **state)
{
	static const struct media_rig_options options = {.fake.no_userptr = true};
	struct v4l2_requestbuffers reqbufs = {.count = 2, .type = CAPTURE, .memory = USERPTR};
	const struct list list = scattered(0);
	struct fake_seen seen;
	uint32_t session;

	media_rig_deinit(&rig);
	media_rig_init(&rig, &options);
	session = media_rig_open(&rig);
	if (!pages_dmabuf_possible(rig.md.driver.gmem)) {
		assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REQBUFS, &reqbufs),
				 EINVAL);
		reqbufs.memory = V4L2_MEMORY_MMAP;
		assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REQBUFS, &reqbufs), 0);
		assert_false(reqbufs.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR);
		return;
	}
	assert_int_equal(media_driver_ioctl(&rig.md, session, VIDIOC_REQBUFS, &reqbufs), 0);
	assert_true(reqbufs.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR);
	assert_int_equal(reqbufs.memory, USERPTR);
	assert_int_equal(queue(session, CAPTURE, 0, &list), 0);
	seen = fake_node_seen(rig.node, VIDIOC_QBUF);
	assert_int_equal(((const struct v4l2_buffer *)(const void *)seen.arg)->memory,
			 V4L2_MEMORY_DMABUF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_land_in_the_guests_own_pages),
		TEST(there_is_no_copy_of_whole_pages),
		TEST(pages_that_do_not_fit_together_are_copied),
		TEST(a_buffer_may_have_other_pages_the_next_time),
		TEST(each_plane_has_its_list),
		TEST(prepared_pages_are_the_queued_ones),
		TEST(wrong_lists_never_get_to_the_host),
		TEST(a_list_may_name_a_page_twice),
		TEST(memory_is_free_again_after_streamoff_and_close),
		TEST(memory_of_one_kind_stays_of_that_kind),
		TEST(private_memory_cannot_be_shared),
		TEST(a_host_without_userptr_gets_dmabufs_or_nothing),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
