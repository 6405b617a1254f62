/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_mmap.c - MMAP buffers of a virtio-media device in region 0: what is seen there, and
 * for how long.
 *
 * Virtio 1.4, media device, "Mapping a MMAP buffer", "Unmapping a MMAP buffer". For the arguments
 * see media_rig.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

#define RW VIRTIO_MEDIA_MMAP_FLAG_RW

static struct media_rig rig;

static const uint32_t output_mp[] = {OUTPUT_MP, 0};

static int begin(void **state)
{
	static const struct media_rig_options options = {.media.shm = 4 * MIB};

	media_rig_init(&rig, &options);
	return 0;
}

static int begin_multi(void **state)
{
	static const struct media_rig_options options = {.fake = {.types = output_mp, .planes = 4}};

	media_rig_init(&rig, &options);
	return 0;
}

static int end(void **state)
{
	media_rig_deinit(&rig);
	return 0;
}

/* Map plane 0 of buffer @index. Return: its bytes; *@addr. */
static uint8_t *map(uint32_t session, uint32_t index, uint32_t flags, uint64_t *addr)
{
	uint64_t len;

	assert_int_equal(media_driver_mmap(&rig.md, session, flags,
					   media_rig_offset(&rig, session, CAPTURE, index, 0), addr,
					   &len),
			 0);
	assert_int_equal(len, FAKE_LENGTH);
	return media_driver_at(&rig.md, *addr);
}

static uint32_t with_buffers(uint32_t n)
{
	const uint32_t session = media_rig_open(&rig);

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, n), 0);
	return session;
}

static void the_hosts_pages_are_seen_and_not_a_copy(void **state)
{
	const uint32_t session = with_buffers(2);
	uint8_t *host = fake_node_memory(rig.node, 0, CAPTURE, 1, 0), *guest;
	uint64_t addr;

	host[0] = 1;
	host[FAKE_LENGTH - 1] = 2;
	guest = map(session, 1, RW, &addr);
	assert_int_equal(guest[0], 1);
	assert_int_equal(guest[FAKE_LENGTH - 1], 2);
	host[5000] = 3;
	assert_int_equal(guest[5000], 3);
	guest[6000] = 4;
	assert_int_equal(host[6000], 4);
}

/* "MUST always be equal to the length of the buffer", though whole pages are mapped. */
static void every_plane_has_its_length_and_its_pages(void **state)
{
	const uint32_t session = media_rig_open(&rig);
	uint64_t addr[4], len;

	assert_int_equal(media_rig_reqbufs(&rig, session, OUTPUT_MP, V4L2_MEMORY_MMAP, 2), 0);
	for (unsigned int p = 0; p < 4; p++) {
		assert_int_equal(media_driver_mmap(&rig.md, session, RW,
						   media_rig_offset(&rig, session, OUTPUT_MP, 0, p),
						   &addr[p], &len),
				 0);
		assert_int_equal(len, p ? FAKE_LENGTH / 2 : FAKE_LENGTH);
		media_driver_at(&rig.md, addr[p])[len - 1] = (uint8_t)(p + 1);
		assert_int_equal(fake_node_memory(rig.node, 0, OUTPUT_MP, 0, p)[len - 1], p + 1);
		for (unsigned int k = 0; k < p; k++)
			assert_true(addr[p] >= addr[k] + len || addr[k] >= addr[p] + len);
	}
}

static void addresses_begin_at_the_guests_page(void **state)
{
	const uint32_t session = with_buffers(4);
	uint64_t addr;

	for (uint32_t i = 0; i < 8; i++) {
		map(session, i / 2, i & 1 ? RW : 0, &addr);
#ifdef __aarch64__
		assert_int_equal(addr % (64 * KIB), 0);
#else
		assert_int_equal(addr % (4 * KIB), 0);
#endif
	}
}

/* The first half can be written to, the second is read-only for the guest. */
static void the_flag_decides_the_half(void **state)
{
	const uint32_t session = with_buffers(2);
	uint64_t writable, readonly;

	map(session, 0, RW, &writable);
	map(session, 0, 0, &readonly);
	assert_true(writable < media_window_half(media_window(rig.md.media)));
	assert_true(readonly >= media_window_half(media_window(rig.md.media)));
}

/* /proc/self/maps says "rw-s" or "r--s" of the page at @at. */
static bool is_writable(const uint8_t *at)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], mode[5] = "";
	bool writable = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && (uintptr_t)at >= from &&
		    (uintptr_t)at < to)
			writable = mode[1] == 'w';
	}
	fclose(maps);
	return writable;
}

static void a_read_only_mapping_is_one_on_the_host_too(void **state)
{
	const uint32_t session = with_buffers(2);
	uint64_t addr;

	assert_false(is_writable(map(session, 0, 0, &addr)));
	assert_true(is_writable(map(session, 0, RW, &addr)));
}

static void a_buffer_is_mapped_as_often_as_asked(void **state)
{
	const uint32_t session = with_buffers(2);
	uint64_t addr[6];
	uint8_t *at[6];

	for (unsigned int i = 0; i < 6; i++) {
		at[i] = map(session, 0, i & 1 ? RW : 0, &addr[i]);
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(addr[i], addr[k]);
	}
	at[1][77] = 0x55;
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(at[i][77], 0x55);
	/* Each ends by itself. */
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(media_driver_munmap(&rig.md, addr[i]), 0);
		for (unsigned int k = i + 1; k < 6; k++)
			assert_int_equal(at[k][77], 0x55);
	}
}

/* "The device MUST keep mappings [...] valid until VIRTIO_MEDIA_CMD_MUNMAP is called". */
static void a_mapping_outlives_buffer_session_and_node(void **state)
{
	const uint32_t session = with_buffers(2);
	uint64_t addr;
	uint8_t *at = map(session, 0, RW, &addr);

	at[100] = 1;
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 0), 0);
	assert_int_equal(fake_node_buffers(rig.node), 0);
	assert_int_equal(at[100], 1);
	at[101] = 2;
	media_driver_close(&rig.md, session);
	media_driver_sync(&rig.md);
	assert_int_equal(at[101], 2);
	at[102] = 3;
	fake_node_unplug(rig.node);
	media_driver_sync(&rig.md);
	assert_int_equal(at[102], 3);
	assert_int_equal(media_driver_munmap(&rig.md, addr), 0);
	assert_int_not_equal(media_driver_munmap(&rig.md, addr), 0);
}

static void new_buffers_may_be_asked_for_while_old_ones_are_mapped(void **state)
{
	const uint32_t session = with_buffers(2);
	uint64_t old, new;
	uint8_t *at = map(session, 0, RW, &old), *fresh;

	at[0] = 0x11;
	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 4), 0);
	fresh = map(session, 0, RW, &new);
	fresh[0] = 0x22;
	assert_int_equal(at[0], 0x11);
	assert_int_equal(fake_node_memory(rig.node, 0, CAPTURE, 0, 0)[0], 0x22);
	assert_int_not_equal(old, new);
}

static void a_released_buffers_offset_maps_nothing(void **state)
{
	const uint32_t session = with_buffers(2);
	const uint32_t offset = media_rig_offset(&rig, session, CAPTURE, 0, 0);
	uint64_t addr, len;

	assert_int_equal(media_rig_reqbufs(&rig, session, CAPTURE, V4L2_MEMORY_MMAP, 0), 0);
	assert_int_not_equal(media_driver_mmap(&rig.md, session, RW, offset, &addr, &len), 0);
	assert_int_equal(rig.md.used >= 8, true);
	assert_int_equal(media_window_mapped(media_window(rig.md.media)), 0);
}

static void unbalanced_unmaps_change_nothing(void **state)
{
	const uint32_t session = with_buffers(2);
	uint64_t addr;
	uint8_t *at = map(session, 0, RW, &addr);
	const uint64_t wrong[] = {
		addr + 4096,	   addr + FAKE_LENGTH,
		addr + 1,	   addr + 72 * KIB,
		addr - 4096,	   8 * MIB - 4096,
		8 * MIB,	   UINT64_MAX,
		UINT64_C(1) << 63, UINT64_C(0x100000000) + addr,
	};

	at[9] = 9;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_not_equal(media_driver_munmap(&rig.md, wrong[i]), 0);
	assert_int_equal(at[9], 9);
	assert_int_equal(fake_node_memory(rig.node, 0, CAPTURE, 0, 0)[9], 9);
	assert_int_equal(media_driver_munmap(&rig.md, addr), 0);
	assert_int_not_equal(media_driver_munmap(&rig.md, addr), 0);
}

/* Nothing of the buffer is left where it was, and the place can be read and written. */
static void what_is_unmapped_is_scratch_again(void **state)
{
	const uint32_t session = with_buffers(2);
	uint64_t addr;
	uint8_t *at = map(session, 0, RW, &addr);

	memset(at, 0x66, FAKE_LENGTH);
	assert_int_equal(media_driver_munmap(&rig.md, addr), 0);
	for (unsigned int i = 0; i < FAKE_LENGTH; i += 1000)
		assert_int_equal(at[i], 0);
	at[0] = 1;
	assert_int_equal(fake_node_memory(rig.node, 0, CAPTURE, 0, 0)[0], 0x66);
}

static void wrong_offsets_and_flags_map_nothing(void **state)
{
	const uint32_t session = with_buffers(2);
	const uint32_t offset = media_rig_offset(&rig, session, CAPTURE, 1, 0);
	const uint32_t wrong[] = {offset + 1, offset + 4096, offset - 4096, 0x7ffff000,
				  UINT32_MAX, 0x80000000,    4096 * 70000,  offset + 0x100000};
	const uint32_t other = media_rig_offset(&rig, session, CAPTURE, 0, 0);
	uint64_t addr, len;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (wrong[i] != other)
			assert_int_not_equal(
				media_driver_mmap(&rig.md, session, RW, wrong[i], &addr, &len), 0);
	assert_int_equal(media_window_mapped(media_window(rig.md.media)), 0);
}

static void a_full_window_is_an_error_and_not_the_end(void **state)
{
	const uint32_t session = with_buffers(2);
	const uint32_t offset = media_rig_offset(&rig, session, CAPTURE, 0, 0);
	uint64_t addr[100], len;
	unsigned int n = 0;
	uint32_t status;

	while ((status = media_driver_mmap(&rig.md, session, RW, offset, &addr[n], &len)) == 0)
		assert_true(++n < 100);
	/* 4 MiB of 72 KiB each; nothing of the other half is taken for it. */
	assert_int_equal(n, 4 * MIB / ALIGN_UP(UINT64_C(70000), UINT64_C(4096)));
	assert_true(status == ENOSPC || status == ENOMEM);
	assert_int_equal(media_driver_mmap(&rig.md, session, 0, offset, &addr[n], &len), 0);
	assert_int_equal(media_driver_munmap(&rig.md, addr[3]), 0);
	assert_int_equal(media_driver_mmap(&rig.md, session, RW, offset, &addr[3], &len), 0);
}

static void a_host_that_cannot_map_says_so(void **state)
{
	static const struct media_rig_options options = {.fake.no_remap = true};
	uint64_t addr, len;
	uint32_t session;

	media_rig_deinit(&rig);
	media_rig_init(&rig, &options);
	session = with_buffers(2);
	assert_int_equal(media_driver_mmap(&rig.md, session, RW,
					   media_rig_offset(&rig, session, CAPTURE, 0, 0), &addr,
					   &len),
			 ENODEV);
	assert_int_equal(media_window_mapped(media_window(rig.md.media)), 0);
}

/* A driver would map address 0 without a region: there is no such device. */
static void a_device_without_a_region_is_refused(void **state)
{
	struct media_options media = media_driver_defaults();
	struct media_driver *md = &rig.md;
	struct media *out = NULL;
	struct error err = {.text = ""};

	media.shm = 0;
	media_driver_init(md, media_rig_kind(), true, false);
	rig.node = fake_node_new(md->driver.env.loop, &(struct fake_options) {.planes = 0});
	assert_int_equal(media_new(&out, &md->driver.env, fake_node_backend(rig.node), &media,
				   &err),
			 -EINVAL);
	assert_true(strlen(err.text) > 0);
	assert_true(fake_node_freed(rig.node));
	virtio_driver_deinit(&md->driver);
	fake_node_free(rig.node);
}

/* 2.10: the driver is told how long the region is. */
static void the_region_has_both_halves(void **state)
{
	assert_int_equal(rig.md.driver.dev->shm[0].len, 8 * MIB);
	assert_int_equal(media_window_half(media_window(rig.md.media)), 4 * MIB);
}

/* Mapped or not, open or closed: a hundred times over leaves nothing behind. */
static void mapping_and_unmapping_costs_nothing_for_good(void **state)
{
	unsigned int fds = 0;
	uint64_t addr;

	for (unsigned int i = 0; i < 200; i++) {
		const uint32_t session = with_buffers(2);

		assert_int_equal(*map(session, 0, i & 1 ? RW : 0, &addr), 0);
		media_driver_close(&rig.md, session);
		assert_int_equal(media_driver_munmap(&rig.md, addr), 0);
		if (i == 0) {
			media_driver_sync(&rig.md);
			fds = media_driver_fds();
		}
	}
	media_driver_sync(&rig.md);
	assert_int_equal(media_driver_fds(), fds);
	assert_int_equal(media_window_mapped(media_window(rig.md.media)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_hosts_pages_are_seen_and_not_a_copy),
		cmocka_unit_test_setup_teardown(every_plane_has_its_length_and_its_pages,
						begin_multi, end),
		TEST(addresses_begin_at_the_guests_page),
		TEST(the_flag_decides_the_half),
		TEST(a_read_only_mapping_is_one_on_the_host_too),
		TEST(a_buffer_is_mapped_as_often_as_asked),
		TEST(a_mapping_outlives_buffer_session_and_node),
		TEST(new_buffers_may_be_asked_for_while_old_ones_are_mapped),
		TEST(a_released_buffers_offset_maps_nothing),
		TEST(unbalanced_unmaps_change_nothing),
		TEST(what_is_unmapped_is_scratch_again),
		TEST(wrong_offsets_and_flags_map_nothing),
		TEST(a_full_window_is_an_error_and_not_the_end),
		TEST(a_host_that_cannot_map_says_so),
		cmocka_unit_test(a_device_without_a_region_is_refused),
		TEST(the_region_has_both_halves),
		TEST(mapping_and_unmapping_costs_nothing_for_good),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
