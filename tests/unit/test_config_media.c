/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_media.c - the keys of --media: sources, defaults, limits, and what goes together;
 * and that guest memory becomes shared with it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

#define TEXT(text) ((char[]) {text})

/* What is no row's business. */
#define DEFAULTS                                                                                   \
	.fd = -1, .shm = CONFIG_MEDIA_SHM, .sessions = CONFIG_MEDIA_SESSIONS,                      \
	.buffers = CONFIG_MEDIA_BUFFERS

#define CAMERA                                                                                     \
	.fd = -1, .test = true, .shm = CONFIG_MEDIA_SHM, .sessions = CONFIG_MEDIA_SESSIONS,        \
	.buffers = CONFIG_MEDIA_BUFFERS

static const struct {
	const char *text;
	struct config_media media;
} good[] = {
	{"/dev/video0", {DEFAULTS, .path = TEXT("/dev/video0")}},
	{"./test", {DEFAULTS, .path = TEXT("./test")}},
	{"path=test", {DEFAULTS, .path = TEXT("test")}},
	{"by-id=usb-A\\,B-video-index0", {DEFAULTS, .by_id = TEXT("usb-A,B-video-index0")}},
	{"fd=7",
	 {.fd = 7,
	  .shm = CONFIG_MEDIA_SHM,
	  .sessions = CONFIG_MEDIA_SESSIONS,
	  .buffers = CONFIG_MEDIA_BUFFERS}},
	{"a,test=off", {DEFAULTS, .path = TEXT("a")}},
	{"test", {CAMERA, .size = {640, 480}, .fps = {30, 1}}},
	{"test=on,size=3840x2160,fps=60000/1001,formats=NV12:YUYV",
	 {CAMERA, .size = {3840, 2160}, .fps = {60000, 1001}, .formats = TEXT("NV12:YUYV")}},
	{"formats=MJPG,test",
	 {CAMERA, .size = {640, 480}, .fps = {30, 1}, .formats = TEXT("MJPG")}},
	{"a,label=T\xc3\xbcr,shm=2M,timestamps=guest,convert,sessions=1,buffers=32768",
	 {.path = TEXT("a"),
	  .fd = -1,
	  .label = TEXT("T\xc3\xbcr"),
	  .shm = 2 * MIB,
	  .timestamps = TIMESTAMPS_GUEST,
	  .convert = true,
	  .sessions = 1,
	  .buffers = 32768}},
	{"a,label=1234567890123456789012345678901,shm=64G,sessions=1024,buffers=1",
	 {.path = TEXT("a"),
	  .fd = -1,
	  .label = TEXT("1234567890123456789012345678901"),
	  .shm = 64 * GIB,
	  .sessions = 1024,
	  .buffers = 1}},
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_media(const struct config_media *a, const struct config_media *b)
{
	return same_text(a->path, b->path) && same_text(a->by_id, b->by_id) && a->fd == b->fd &&
	       a->test == b->test && same_text(a->label, b->label) && a->shm == b->shm &&
	       a->timestamps == b->timestamps && a->convert == b->convert &&
	       a->sessions == b->sessions && a->buffers == b->buffers &&
	       a->size.width == b->size.width && a->size.height == b->size.height &&
	       a->fps.frames == b->fps.frames && a->fps.seconds == b->fps.seconds &&
	       same_text(a->formats, b->formats);
}

static void free_media(struct config_media *media)
{
	for (size_t i = 0; i < config_media_keys.fields_n; i++)
		field_free(&config_media_keys.fields[i], media);
}

static void media_is_read(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct config_media got;
		struct error err = {0};

		memcpy(&got, config_media_list.item_defaults, sizeof(got));
		if (kv_parse(&config_media_keys, &got, good[i].text, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		if (!same_media(&got, &good[i].media))
			fail_msg("%s: read wrongly", good[i].text);
		free_media(&got);
	}
}

#define NOT_THE_TESTS                                                                              \
	" belongs to the synthetic camera, test: what the host's devices can do is the guest's "   \
	"to choose from"

static const struct {
	const char *text;
	const char *sentence;
} mistakes[] = {
	{"label=x", "no source is named: write path=PATH, by-id=NAME, fd=N or test"},
	{"test=off", "no source is named: write path=PATH, by-id=NAME, fd=N or test"},
	{"a,test", "path and test exclude each other: a media device has one source"},
	{"a,by-id=b", "path and by-id exclude each other: a media device has one source"},
	{"test,fd=3", "fd and test exclude each other: a media device has one source"},
	{"path=", "path: the value is empty"},
	{"by-id=", "by-id: the value is empty"},
	{"fd=2", "fd: 2 is too small: it must be from 3 to 1048575"},
	{"fd=-1", "fd: -1 is negative: it must be from 3 to 1048575"},
	{"fd=video", "fd: 'video' is not a whole number"},
	{"a,label=", "label: the value is empty"},
	{"a,label=12345678901234567890123456789012",
	 "label: '12345678901234567890123456789012' is 32 bytes long: at most 31 are possible"},
	{"a,label=x\ty", "label: byte 2 is a control character"},
	{"a,label=x\x7f", "label: byte 2 is a control character"},
	{"a,label=\xff", "label: byte 1 is not valid UTF-8"},
	{"a,shm=1M", "shm: 1M is too small: it must be from 2M to 64G"},
	{"a,shm=3M", "shm: 3M is not a multiple of 2M"},
	{"a,shm=65G", "shm: 65G is too large: it must be from 2M to 64G"},
	{"a,shm=256", "shm: 256 means bytes, which is too small: write 256M for that many MiB"},
	{"a,timestamps=both", "timestamps: unknown value both: there are host, guest"},
	{"a,sessions=0", "sessions: 0 is too small: it must be from 1 to 1024"},
	{"a,sessions=1025", "sessions: 1025 is too large: it must be from 1 to 1024"},
	{"a,buffers=32769", "buffers: 32769 is too large: it must be from 1 to 32768"},
	{"test,convert",
	 "convert=on needs a camera of the host: the synthetic one knows the formats by itself"},
	{"a,size=640x480", "size" NOT_THE_TESTS},
	{"a,fps=30", "fps" NOT_THE_TESTS},
	{"fd=3,formats=YUYV", "formats" NOT_THE_TESTS},
	{"test,size=640*480", "size: '640*480' is not a frame size, such as 640x480"},
	{"test,fps=fast", "fps: 'fast' is not a frame rate, such as 30 or 30000/1001"},
	{"test,formats=YUYV:MJPEG",
	 "formats: unknown value MJPEG: did you mean MJPG? The others are YUYV, NV12, RGB3"},
	{"test,formats=YUYV:NV12:YUYV", "formats: YUYV is given twice"},
	{"test,formats=YUYV:", "formats: there is nothing next to a colon"},
	{"test,formats=:YUYV", "formats: there is nothing next to a colon"},
	{"a,timestamp=guest",
	 "unknown key timestamp: did you mean timestamps? The others are path, by-id, fd, test, "
	 "label, shm, convert, sessions, buffers, size, fps, formats"},
	{"a,convert=mjpg", "convert: 'mjpg' is neither on nor off"},
	{"a,/dev/video1",
	 "unknown key /dev/video1: there are path, by-id, fd, test, label, shm, timestamps, "
	 "convert, sessions, buffers, size, fps, formats"},
	{"test,test", "test is given twice"},
};

static void media_names_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct config_media media;
		struct error err = {0};
		int r;

		memcpy(&media, config_media_list.item_defaults, sizeof(media));
		r = kv_parse(&config_media_keys, &media, mistakes[i].text, &err);
		if (r != -EINVAL || strcmp(err.text, mistakes[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", mistakes[i].text, r, err.text);
		free_media(&media);
	}
}

/* The last of them is wrong, if there is a sentence. */
static const struct {
	const char *name;
	struct config_media media[3];
	size_t n;
	const char *sentence;
} together[] = {
	{"a path each", {{.path = TEXT("a"), .fd = -1}, {.path = TEXT("b"), .fd = -1}}, 2, NULL},
	{"path and by-id of one name",
	 {{.path = TEXT("a"), .fd = -1}, {.by_id = TEXT("a"), .fd = -1}},
	 2,
	 NULL},
	{"synthetic cameras", {{.test = true, .fd = -1}, {.test = true, .fd = -1}}, 2, NULL},
	{"a path twice",
	 {{.path = TEXT("a"), .fd = -1}, {.test = true, .fd = -1}, {.path = TEXT("a"), .fd = -1}},
	 3,
	 "'a' is the source of another media device already: the guest can open one device many "
	 "times"},
	{"an id twice",
	 {{.by_id = TEXT("a"), .fd = -1}, {.by_id = TEXT("a"), .fd = -1}},
	 2,
	 "'a' is the source of another media device already: the guest can open one device many "
	 "times"},
	{"a descriptor each", {{.fd = 3}, {.fd = 4}}, 2, NULL},
	{"a descriptor twice",
	 {{.fd = 4}, {.fd = 3}, {.fd = 4}},
	 3,
	 "fd 4 is the source of another media device already"},
};

static void media_have_a_source_each(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(together); i++) {
		struct error err = {0};
		int r = config_media_list.check(together[i].media, together[i].n, &err);

		if (r != (together[i].sentence ? -EINVAL : 0) ||
		    strcmp(err.text, together[i].sentence ?: "") != 0)
			fail_msg("%s: %d, \"%s\"", together[i].name, r, err.text);
	}
}

static const struct {
	const char *file;
	bool shared;
} memories[] = {
	{"{}", false},
	{"{\"memory\": \"1G\"}", false},
	{"{\"media\": []}", false},
	{"{\"media\": \"test\"}", true},
	{"{\"media\": [{\"test\": true}], \"memory\": \"1G,thp\"}", true},
	{"{\"memory\": {\"size\": \"1G\"}, \"media\": \"/dev/video0\"}", true},
	{"{\"media\": \"test\", \"memory\": \"1G,shared=off\"}", false},
	{"{\"memory\": {\"shared\": false}, \"media\": \"test\"}", false},
	{"{\"memory\": {\"shared\": true}, \"media\": \"test\"}", true},
	{"{\"memory\": {\"shared\": true}}", true},
};

static void memory_is_shared_with_a_media_device(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(memories); i++) {
		struct config config;
		struct error err = {0};
		uint64_t given = 0;

		config_init(&config);
		if (config_from_json(&config, "x", memories[i].file, strlen(memories[i].file),
				     &given, &err) < 0 ||
		    config_settle(&config, given, &err) < 0)
			fail_msg("%s: %s", memories[i].file, err.text);
		if (config.memory.shared != memories[i].shared)
			fail_msg("%s: %d", memories[i].file, config.memory.shared);
		config_deinit(&config);
	}
}

/* A file's values, and the place of what is wrong in it. */
static const struct {
	const char *file;
	const char *sentence;
} files[] = {
	{"{\"media\": {\"fd\": 5, \"shm\": 4194304, \"label\": \"x\"}}", NULL},
	{"{\"media\": [\"a\", {\"test\": true, \"fps\": 25, \"size\": \"64x48\"}]}", NULL},
	{"{\"media\": {\"test\": true, \"fps\": \"25/2\"}}", NULL},
	{"{\"media\": {\"test\": true, \"fps\": 12.5}}",
	 "x:1:33: media: fps: the value must be a whole number, or a string such as '30000/1001', "
	 "not a fractional number"},
	{"{\"media\": {\"fd\": \"5\"}}",
	 "x:1:18: media: fd: the value must be a whole number, not a string"},
	{"{\"media\": {\"test\": true, \"formats\": [\"YUYV\"]}}",
	 "x:1:37: media: formats: the value must be a string, not an array"},
	{"{\"media\": [{\"fd\": 4}, {\"fd\": 4}]}",
	 "x:1:23: media: element 2: fd 4 is the source of another media device already"},
};

static void file_has_media(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct config config;
		struct error err = {0};
		uint64_t given = 0;
		int r;

		config_init(&config);
		r = config_from_json(&config, "x", files[i].file, strlen(files[i].file), &given,
				     &err);
		if (r != (files[i].sentence ? -EINVAL : 0) ||
		    strcmp(err.text, files[i].sentence ?: "") != 0)
			fail_msg("%s: %d, \"%s\"", files[i].file, r, err.text);
		config_deinit(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_is_read),
		cmocka_unit_test(media_names_mistakes),
		cmocka_unit_test(media_have_a_source_each),
		cmocka_unit_test(memory_is_shared_with_a_media_device),
		cmocka_unit_test(file_has_media),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
