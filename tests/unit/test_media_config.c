/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_config.c - what a driver reads of a virtio-media device before it sends a command.
 *
 * Virtio 1.4, media device, "Device ID" to "Device Configuration Layout". For the arguments see
 * media_rig.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "media_rig.h"

enum {
	DEVICE_ID = 0x008,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	QUEUE_SEL = 0x030,
	QUEUE_SIZE_MAX = 0x034,
	CONFIG = 0x100,
};

static struct media_rig rig;

static struct virtio_media_config config(void)
{
	struct virtio_media_config bytes;

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		((uint8_t *)&bytes)[i] = (uint8_t)bus_read(rig.md.driver.bus, CONFIG + i, 1);
	return bytes;
}

static void it_is_device_48_with_two_queues_and_no_features(void **state)
{
	static const struct media_rig_options plain;

	media_rig_init(&rig, &plain);
	assert_int_equal(virtio_driver_read(&rig.md.driver, DEVICE_ID), 48);
	virtio_driver_write(&rig.md.driver, DEVICE_FEATURES_SEL, 0);
	assert_int_equal(virtio_driver_read(&rig.md.driver, DEVICE_FEATURES) & 0xffffff, 0);
	for (uint32_t i = 0; i < 3; i++) {
		virtio_driver_write(&rig.md.driver, QUEUE_SEL, i);
		assert_int_equal(virtio_driver_read(&rig.md.driver, QUEUE_SIZE_MAX) > 0, i < 2);
	}
	media_rig_deinit(&rig);
}

/* Drivers make a node of the same kind: /dev/video0, /dev/vbi0, /dev/radio0, ... */
static void the_nodes_kind_is_the_hosts(void **state)
{
	static const struct {
		uint32_t caps, type;
	} rows[] = {
		{V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING, VIRTIO_MEDIA_TYPE_VIDEO},
		{V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING, VIRTIO_MEDIA_TYPE_VIDEO},
		{V4L2_CAP_VBI_CAPTURE | V4L2_CAP_STREAMING, VIRTIO_MEDIA_TYPE_VBI},
		{V4L2_CAP_RADIO | V4L2_CAP_TUNER, VIRTIO_MEDIA_TYPE_RADIO},
		{V4L2_CAP_SDR_CAPTURE | V4L2_CAP_STREAMING, VIRTIO_MEDIA_TYPE_SDR},
		{V4L2_CAP_TOUCH | V4L2_CAP_VIDEO_CAPTURE, VIRTIO_MEDIA_TYPE_TOUCH},
		{V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING, VIRTIO_MEDIA_TYPE_VIDEO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct media_rig_options options = {
			.fake = {.device_caps = rows[i].caps, .device_type = rows[i].type}};
		struct virtio_media_config seen;

		media_rig_init(&rig, &options);
		seen = config();
		/* What it cannot do itself, reading and writing, it does not promise. */
		assert_int_equal(seen.device_caps & ~(uint32_t)V4L2_CAP_READWRITE, rows[i].caps);
		assert_int_equal(seen.device_type, rows[i].type);
		media_rig_deinit(&rig);
	}
}

/* The protocol has no read() and no write(). */
static void reading_and_writing_are_not_promised(void **state)
{
	const struct media_rig_options options = {
		.fake.device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE | V4L2_CAP_ASYNCIO |
				    V4L2_CAP_STREAMING};

	media_rig_init(&rig, &options);
	assert_false(config().device_caps & (V4L2_CAP_READWRITE | V4L2_CAP_ASYNCIO));
	assert_true(config().device_caps & V4L2_CAP_STREAMING);
	assert_false(config().device_caps & V4L2_CAP_DEVICE_CAPS);
	media_rig_deinit(&rig);
}

/* V4L2 has two ways for RDS; without read() that of controls remains. */
static void rds_is_promised_where_it_needs_no_reading(void **state)
{
	static const uint32_t radio = V4L2_CAP_RADIO | V4L2_CAP_TUNER | V4L2_CAP_RDS_CAPTURE;
	static const struct {
		uint32_t caps, seen;
	} rows[] = {
		{radio, radio},
		{radio | V4L2_CAP_READWRITE, V4L2_CAP_RADIO | V4L2_CAP_TUNER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct media_rig_options options = {
			.fake = {.device_caps = rows[i].caps,
				 .device_type = VIRTIO_MEDIA_TYPE_RADIO}};

		media_rig_init(&rig, &options);
		assert_int_equal(config().device_caps, rows[i].seen);
		media_rig_deinit(&rig);
	}
}

static void the_card_is_the_hosts_or_the_label(void **state)
{
	static const struct {
		const char *card, *label, *seen;
	} rows[] = {
		{"Integrated Camera", NULL, "Integrated Camera"},
		{"Integrated Camera", "front", "front"},
		{"Integrated Camera", "", ""},
		{"0123456789012345678901234567890", NULL, "0123456789012345678901234567890"},
		/* 32 bytes would do without an end, but drivers differ in what they make of that.
		 */
		{"01234567890123456789012345678901", NULL, "0123456789012345678901234567890"},
		{"x", "01234567890123456789012345678901", "0123456789012345678901234567890"},
		/* UTF-8 is cut between characters. */
		{"x", "012345678901234567890123456789\u00fc", "012345678901234567890123456789"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct media_rig_options options = {.fake.card = rows[i].card,
							  .media.label = rows[i].label};
		char card[33] = "";
		struct virtio_media_config seen;

		media_rig_init(&rig, &options);
		seen = config();
		memcpy(card, seen.card, sizeof(seen.card));
		assert_string_equal(card, rows[i].seen);
		for (size_t k = strlen(card); k < sizeof(seen.card); k++)
			assert_int_equal(seen.card[k], 0);
		media_rig_deinit(&rig);
	}
}

static void a_label_that_does_not_fit_is_refused_or_cut_to_a_character(void **state)
{
	struct media_options options = media_driver_defaults();
	struct error err = {.text = ""};
	struct fake_node *node;
	struct media *media;
	struct media_driver *md = &rig.md;

	options.label = "a label that is longer than what a configuration space has room for";
	media_driver_init(md, media_rig_kind(), true, false);
	node = fake_node_new(md->driver.env.loop, &(struct fake_options) {.planes = 0});
	if (media_new(&media, &md->driver.env, fake_node_backend(node), &options, &err) < 0) {
		assert_true(strlen(err.text) > 0);
	} else {
		uint8_t card[32];

		virtio_driver_attach(&md->driver, media_device(media));
		for (unsigned int i = 0; i < sizeof(card); i++)
			card[i] = (uint8_t)bus_read(md->driver.bus, CONFIG + 8 + i, 1);
		assert_memory_equal(card, options.label, 31);
		virtio_driver_detach(&md->driver);
		media_free(media);
	}
	/* The backend was the device's in either case. */
	assert_true(fake_node_freed(node));
	virtio_driver_deinit(&md->driver);
	fake_node_free(node);
}

static void a_driver_cannot_write_it(void **state)
{
	static const struct media_rig_options plain;
	struct virtio_media_config before, after;

	media_rig_init(&rig, &plain);
	before = config();
	for (unsigned int i = 0; i < sizeof(before); i += 4)
		virtio_driver_write(&rig.md.driver, CONFIG + i, UINT32_MAX);
	after = config();
	assert_memory_equal(&after, &before, sizeof(before));
	media_driver_alive(&rig.md);
	media_rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_device_48_with_two_queues_and_no_features),
		cmocka_unit_test(the_nodes_kind_is_the_hosts),
		cmocka_unit_test(reading_and_writing_are_not_promised),
		cmocka_unit_test(rds_is_promised_where_it_needs_no_reading),
		cmocka_unit_test(the_card_is_the_hosts_or_the_label),
		cmocka_unit_test(a_label_that_does_not_fit_is_refused_or_cut_to_a_character),
		cmocka_unit_test(a_driver_cannot_write_it),
	};

	return media_rig_select(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
