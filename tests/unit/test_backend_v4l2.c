/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_backend_v4l2.c - tests of the V4L2 backend that need no node: what a user can get wrong, and
 * which node a name stands for. Nodes are those of a folder that looks like sysfs.
 */
#include "devices/media/backend_v4l2.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "devices/media/backend_v4l2_impl.h"
#include "fake_sysfs.h"

#define NOBODY	    65534
#define VIDEO_MAJOR 81

static int try(const char *path, const char *by_id, int fd, struct error *err)
{
	const struct v4l2_source source = {.path = path, .by_id = by_id, .fd = fd};
	struct media_backend *backend = NULL;
	struct loop *loop;
	int r;

	assert_int_equal(loop_new(&loop, LOOP_EPOLL, 0, NULL), 0);
	r = backend_v4l2_new(&backend, loop, &source, err);
	assert_null(backend);
	loop_free(loop);
	return r;
}

static void check(const char *name, int r, int expected, const struct error *err, const char *words)
{
	if (r != expected || !strstr(err->text, words))
		fail_msg("%s: %d, '%s'", name, r, err->text);
}

static const struct {
	const char *name, *path;
	int r;
	const char *words;
} mistakes[] = {
	{"missing", "/nonexistent/video0", -ENOENT,
	 "video node '/nonexistent/video0' does not exist: this host has "},
	{"a folder", "/dev", -EISDIR, "'/dev' is a directory: a V4L2 node such as /dev/video0"},
	{"a file", "/proc/version", -EINVAL, "is a regular file"},
	{"another device", "/dev/null", -EINVAL, "is a device, but no V4L2 node: this host has "},
	{"below a file", "/dev/null/video0", -ENOTDIR, "Not a directory"},
};

static void mistakes_are_told_in_a_sentence(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err = {.text = ""};
		const int r = try(mistakes[i].path, NULL, -1, &err);

		check(mistakes[i].name, r, mistakes[i].r, &err, mistakes[i].words);
		assert_non_null(strstr(err.text, mistakes[i].path));
		assert_false(err.host);
	}
}

static void a_long_path_is_refused(void **state)
{
	struct error err = {.text = ""};
	char path[PATH_MAX + 10];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	check("long", try(path, NULL, -1, &err), -ENAMETOOLONG, &err, "a path that long");
}

static void a_secret_folder_is_told(void **state)
{
	char folder[] = "/var/tmp/vmm-v4l2-XXXXXX", path[64];
	struct error err = {.text = ""};
	int r;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0), 0);
	snprintf(path, sizeof(path), "%s/video0", folder);
	/* Root may do everything; its place is taken by one who may not. */
	if (getuid() == 0)
		assert_int_equal(seteuid(NOBODY), 0);
	r = try(path, NULL, -1, &err);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rmdir(folder), 0);
	check("folder", r, -EACCES, &err, "no permission to search");
}

static void a_name_that_nothing_has_is_told(void **state)
{
	struct error err = {.text = ""};

	check("by-id", try(NULL, "no such camera", -1, &err), -ENOENT, &err,
	      "by-id=no such camera: no video device is called so");
}

/* Return: a descriptor with a number that no test has open. */
static int closed_fd(void)
{
	const int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);

	assert_true(fd >= 100);
	close(fd);
	return fd;
}

static void descriptors_of_other_things_stay_the_callers(void **state)
{
	static const struct {
		const char *path;
		int r;
		const char *words;
	} cases[] = {
		{"/dev/null", -EINVAL, "is a device, but no V4L2 node"},
		{"/proc/version", -EINVAL, "is a regular file"},
		{"/dev", -EISDIR, "is a directory"},
	};
	struct error err = {.text = ""};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const int fd = open(cases[i].path, O_RDONLY | O_CLOEXEC);
		char name[32];

		assert_true(fd >= 0);
		snprintf(name, sizeof(name), "descriptor %d is ", fd);
		check(cases[i].path, try(NULL, NULL, fd, &err), cases[i].r, &err, cases[i].words);
		assert_ptr_equal(strstr(err.text, name), err.text);
		assert_int_equal(close(fd), 0);
	}
	check("closed", try(NULL, NULL, closed_fd(), &err), -EBADF, &err, "<>/dev/video0");
}

/* What sysfs tells of a node before it is opened. */

static const struct {
	const char *name, *subsystem, *id;
	unsigned int major_number;
	mode_t mode;
	int r;
	const char *words;
} kinds[] = {
	{"a camera", "video4linux", "video3", VIDEO_MAJOR, S_IFCHR, 0, ""},
	{"a radio", "video4linux", "radio0", VIDEO_MAJOR, S_IFCHR, 0, ""},
	{"a sub-device", "video4linux", "v4l-subdev3", VIDEO_MAJOR, S_IFCHR, -EINVAL,
	 "is a sub-device"},
	{"a media controller", "media", "media0", 240, S_IFCHR, -EINVAL, "is a media controller"},
	{"a sound card", "sound", "pcmC0D0c", 116, S_IFCHR, -EINVAL, "no V4L2 node"},
	{"a disk", "block", "loop0", VIDEO_MAJOR, S_IFBLK, -EINVAL, "a block device"},
	{"a pipe", "none", "pipe", VIDEO_MAJOR, S_IFIFO, -EINVAL, "a pipe"},
	{"a socket", "none", "socket", VIDEO_MAJOR, S_IFSOCK, -EINVAL, "a socket"},
};

static void kinds_of_devices_are_told_apart(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct stat st = {
			.st_mode = kinds[i].mode,
			.st_rdev = makedev(kinds[i].major_number, 5),
		};
		struct error err = {.text = ""};
		const char *root = fake_sysfs_new();
		int r;

		fake_sysfs_device(kinds[i].subsystem, kinds[i].id, kinds[i].major_number, 5, NULL,
				  NULL);
		r = v4l2_node_check(root, "it", &st, &err);
		check(kinds[i].name, r, kinds[i].r, &err, kinds[i].words);
		fake_sysfs_free();
	}
}

static void without_sysfs_the_number_decides(void **state)
{
	const struct stat video = {.st_mode = S_IFCHR, .st_rdev = makedev(VIDEO_MAJOR, 5)};
	const struct stat other = {.st_mode = S_IFCHR, .st_rdev = makedev(VIDEO_MAJOR + 1, 5)};

	assert_int_equal(v4l2_node_check("/nonexistent", "it", &video, NULL), 0);
	assert_int_equal(v4l2_node_check("/nonexistent", "it", &other, NULL), -EINVAL);
}

static const struct {
	const char *id;
	uint32_t caps, type;
} types[] = {
	{"video0", 0, VIRTIO_MEDIA_TYPE_VIDEO},
	{"video12", V4L2_CAP_VBI_CAPTURE, VIRTIO_MEDIA_TYPE_VIDEO},
	{"vbi0", V4L2_CAP_VIDEO_CAPTURE, VIRTIO_MEDIA_TYPE_VBI},
	{"radio1", V4L2_CAP_TUNER, VIRTIO_MEDIA_TYPE_RADIO},
	{"swradio0", 0, VIRTIO_MEDIA_TYPE_SDR},
	{"v4l-touch0", 0, VIRTIO_MEDIA_TYPE_TOUCH},
	{"v4l-subdev0", 0, VIRTIO_MEDIA_TYPE_SUBDEV},
	{"", V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VBI_CAPTURE, VIRTIO_MEDIA_TYPE_VIDEO},
	{"", V4L2_CAP_VIDEO_M2M_MPLANE, VIRTIO_MEDIA_TYPE_VIDEO},
	{"", V4L2_CAP_META_CAPTURE, VIRTIO_MEDIA_TYPE_VIDEO},
	{"", V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_TOUCH, VIRTIO_MEDIA_TYPE_TOUCH},
	{"", V4L2_CAP_VBI_CAPTURE | V4L2_CAP_TUNER, VIRTIO_MEDIA_TYPE_VBI},
	{"", V4L2_CAP_SLICED_VBI_OUTPUT, VIRTIO_MEDIA_TYPE_VBI},
	{"", V4L2_CAP_SDR_CAPTURE | V4L2_CAP_TUNER, VIRTIO_MEDIA_TYPE_SDR},
	{"", V4L2_CAP_RADIO | V4L2_CAP_TUNER, VIRTIO_MEDIA_TYPE_RADIO},
	{"", V4L2_CAP_RADIO | V4L2_CAP_MODULATOR, VIRTIO_MEDIA_TYPE_RADIO},
	{"videos", V4L2_CAP_RADIO, VIRTIO_MEDIA_TYPE_RADIO},
	{"", 0, VIRTIO_MEDIA_TYPE_VIDEO},
};

static void the_type_is_by_name_and_else_by_capabilities(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (v4l2_type(types[i].id, types[i].caps) != types[i].type)
			fail_msg("case %zu: %u", i, v4l2_type(types[i].id, types[i].caps));
}

static struct v4l2_capability capability(uint32_t device_caps)
{
	return (struct v4l2_capability) {
		.driver = "driver",
		.card = "card",
		.bus_info = "usb-1",
		.capabilities = V4L2_CAP_DEVICE_CAPS | V4L2_CAP_VIDEO_OUTPUT | device_caps,
		.device_caps = device_caps,
	};
}

static void capabilities_are_those_of_the_node(void **state)
{
	struct v4l2_capability caps = capability(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_DEVICE_CAPS);

	assert_int_equal(v4l2_device_caps(&caps), V4L2_CAP_VIDEO_CAPTURE);
	/* A driver that knows of no difference. */
	caps.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
	caps.device_caps = 0;
	assert_int_equal(v4l2_device_caps(&caps), V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING);
}

static void a_node_without_streaming_is_refused_unless_a_radio(void **state)
{
	struct v4l2_capability reads = capability(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE);
	struct v4l2_capability streams = capability(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING);
	struct error err = {.text = ""};
	int r = v4l2_node_judge("it", VIRTIO_MEDIA_TYPE_VIDEO, &reads, &err);

	check("read()", r, -ENOTSUP, &err, "it (card, driver driver) cannot stream");
	assert_int_equal(v4l2_node_judge("it", VIRTIO_MEDIA_TYPE_VIDEO, &streams, NULL), 0);
	assert_int_equal(v4l2_node_judge("it", VIRTIO_MEDIA_TYPE_RADIO, &reads, NULL), 0);
}

/* Names. */

static void find(const char *root, const char *name, int expected, const char *path_or_words)
{
	struct error err = {.text = ""};
	char path[PATH_MAX];
	const int r = v4l2_find(root, name, path, sizeof(path), &err);

	check(name, r, expected, &err, r < 0 ? path_or_words : "");
	if (r == 0)
		assert_string_equal(path, path_or_words);
}

static void a_name_is_a_link_or_what_a_device_is_called(void **state)
{
	const char *root = fake_sysfs_new();

	fake_sysfs_device("video4linux", "video0", VIDEO_MAJOR, 0, "Front", NULL);
	fake_sysfs_device("video4linux", "video1", VIDEO_MAJOR, 1, "usb-Back", NULL);
	fake_sysfs_device("video4linux", "v4l-subdev0", VIDEO_MAJOR, 2, "Lens", NULL);
	fake_sysfs_device("video4linux", "video2", VIDEO_MAJOR, 3, "In/out", NULL);
	fake_sysfs_by_id("usb-Front-index0", "video0");
	fake_sysfs_by_id("usb-Back", "video0");
	fake_sysfs_by_id("usb-Gone", NULL);
	find(root, "usb-Front-index0", 0, "/dev/v4l/by-id/usb-Front-index0");
	find(root, "Front", 0, "/dev/video0");
	find(root, "In/out", 0, "/dev/video2");
	/* The link is more exact. */
	find(root, "usb-Back", 0, "/dev/v4l/by-id/usb-Back");
	find(root, "usb-Gone", -ENOENT, "no video device is called so");
	find(root, "Lens", -ENOENT, "no video device is called so");
	find(root, "../../video0", -ENOENT, "no video device is called so");
	find(root, "..", -ENOENT, "no video device is called so");
	fake_sysfs_free();
}

static void who_finds_nothing_is_told_what_there_is(void **state)
{
	const char *root = fake_sysfs_new();
	struct error err = {.text = ""};
	char path[PATH_MAX];

	fake_sysfs_device("video4linux", "video0", VIDEO_MAJOR, 0, "Front", NULL);
	fake_sysfs_device("video4linux", "vbi0", VIDEO_MAJOR, 1, NULL, NULL);
	fake_sysfs_device("video4linux", "v4l-subdev0", VIDEO_MAJOR, 2, "Lens", NULL);
	fake_sysfs_by_id("usb-B", "video0");
	fake_sysfs_by_id("usb-A", "video0");
	assert_int_equal(v4l2_find(root, "x", path, sizeof(path), &err), -ENOENT);
	assert_string_equal(err.text, "by-id=x: no video device is called so: /dev/v4l/by-id has "
				      "usb-A, usb-B, and this host has /dev/vbi0, /dev/video0 "
				      "(Front)");
	fake_sysfs_free();
	root = fake_sysfs_new();
	assert_int_equal(v4l2_find(root, "x", path, sizeof(path), &err), -ENOENT);
	assert_string_equal(err.text, "by-id=x: no video device is called so: this host has no "
				      "video node (is the camera plugged in, and its driver "
				      "loaded?)");
	fake_sysfs_free();
}

static void a_long_list_is_cut(void **state)
{
	const char *root = fake_sysfs_new();
	char text[400], tiny[20];

	for (unsigned int i = 0; i < 20; i++) {
		char id[16];

		snprintf(id, sizeof(id), "video%u", i);
		fake_sysfs_device("video4linux", id, VIDEO_MAJOR, i, NULL, NULL);
	}
	v4l2_list(root, text, sizeof(text));
	assert_string_equal(text, "this host has /dev/video0, /dev/video1, /dev/video2, "
				  "/dev/video3, /dev/video4, /dev/video5, /dev/video6, "
				  "/dev/video7, and more");
	v4l2_list(root, tiny, sizeof(tiny));
	assert_string_equal(tiny, "this host has /dev/");
	fake_sysfs_free();
}

static struct v4l2_match match(const char *path, const char *bus_info, uint32_t caps)
{
	struct v4l2_match out = {.capability = capability(caps | V4L2_CAP_STREAMING)};

	snprintf(out.path, sizeof(out.path), "%s", path);
	snprintf((char *)out.capability.bus_info, sizeof(out.capability.bus_info), "%s", bus_info);
	return out;
}

static void of_a_cameras_nodes_the_one_with_a_picture_is_meant(void **state)
{
	const struct v4l2_match nodes[] = {
		match("/dev/video0", "usb-1", V4L2_CAP_META_CAPTURE),
		match("/dev/video1", "usb-1", V4L2_CAP_VIDEO_CAPTURE),
		match("/dev/video2", "usb-1", V4L2_CAP_VIDEO_CAPTURE),
	};

	assert_ptr_equal(v4l2_choose(nodes, 3, "x", NULL), &nodes[1]);
	assert_ptr_equal(v4l2_choose(nodes, 1, "x", NULL), &nodes[0]);
	assert_ptr_equal(v4l2_choose(nodes + 1, 2, "x", NULL), &nodes[1]);
}

static void of_several_devices_none_is_guessed(void **state)
{
	const struct v4l2_match nodes[] = {
		match("/dev/video0", "usb-1", V4L2_CAP_VIDEO_CAPTURE),
		match("/dev/video1", "usb-1", V4L2_CAP_META_CAPTURE),
		match("/dev/video2", "usb-2", V4L2_CAP_VIDEO_CAPTURE),
	};
	struct error err = {.text = ""};

	assert_null(v4l2_choose(nodes, 3, "Twin", &err));
	assert_string_equal(err.text, "by-id=Twin: several devices are called so, at /dev/video0 "
				      "(usb-1) and at /dev/video2 (usb-2): give the path of one "
				      "of them");
}

/* Places. */

static void add_node(const char *id, unsigned int number, const char *name, const char *parent)
{
	fake_sysfs_device("video4linux", id, VIDEO_MAJOR, number, name, NULL);
	fake_sysfs_parent(id, parent);
}

static const struct {
	const char *name;
	bool moves;
	const char *id, *node, *parent; /* what has come back */
	size_t n;
} returns[] = {
	{"under another number", false, "video7", "Front", "usb-1", 1},
	{"another node of the same device", false, "video0", "Front metadata", "usb-1", 0},
	{"the same of another device", false, "video0", "Front", "usb-2", 0},
	{"in another socket", true, "video0", "Front", "usb-2", 1},
	{"another one in another socket", true, "video0", "Back", "usb-2", 0},
};

static void a_node_is_found_where_its_device_has_put_it(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(returns); i++) {
		const char *root = fake_sysfs_new();
		struct v4l2_place place;
		struct video_node *nodes;
		size_t n;

		add_node("video0", 0, "Front", "usb-1");
		v4l2_place_read(root, makedev(VIDEO_MAJOR, 0), &place);
		fake_sysfs_free();
		/* The path of the fake host is another one each time. */
		root = fake_sysfs_new();
		snprintf(place.parent, sizeof(place.parent), "%s/sys/devices/usb-1", root);
		add_node("video3", 3, "Side", "usb-1");
		add_node(returns[i].id, 9, returns[i].node, returns[i].parent);
		n = v4l2_place_find(root, &place, returns[i].moves, &nodes);
		if (n != returns[i].n)
			fail_msg("%s: %zu", returns[i].name, n);
		if (n == 1)
			assert_string_equal(strrchr(nodes[0].path, '/') + 1, returns[i].id);
		free(nodes);
		fake_sysfs_free();
	}
}

static void what_sysfs_does_not_know_is_not_found(void **state)
{
	const char *root = fake_sysfs_new();
	struct v4l2_place place, other;
	struct video_node *nodes;

	fake_sysfs_device("video4linux", "video0", VIDEO_MAJOR, 0, NULL, NULL);
	v4l2_place_read(root, makedev(VIDEO_MAJOR, 0), &place);
	assert_string_equal(place.name, "");
	assert_string_equal(place.parent, "");
	assert_int_equal(v4l2_place_find(root, &place, true, &nodes), 0);
	free(nodes);
	/* It still is the same node under the same number. */
	v4l2_place_read("/nonexistent", makedev(VIDEO_MAJOR, 0), &other);
	assert_true(v4l2_place_same(&place, &other, false));
	fake_sysfs_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_told_in_a_sentence),
		cmocka_unit_test(a_long_path_is_refused),
		cmocka_unit_test(a_secret_folder_is_told),
		cmocka_unit_test(a_name_that_nothing_has_is_told),
		cmocka_unit_test(descriptors_of_other_things_stay_the_callers),
		cmocka_unit_test(kinds_of_devices_are_told_apart),
		cmocka_unit_test(without_sysfs_the_number_decides),
		cmocka_unit_test(the_type_is_by_name_and_else_by_capabilities),
		cmocka_unit_test(capabilities_are_those_of_the_node),
		cmocka_unit_test(a_node_without_streaming_is_refused_unless_a_radio),
		cmocka_unit_test(a_name_is_a_link_or_what_a_device_is_called),
		cmocka_unit_test(who_finds_nothing_is_told_what_there_is),
		cmocka_unit_test(a_long_list_is_cut),
		cmocka_unit_test(of_a_cameras_nodes_the_one_with_a_picture_is_meant),
		cmocka_unit_test(of_several_devices_none_is_guessed),
		cmocka_unit_test(a_node_is_found_where_its_device_has_put_it),
		cmocka_unit_test(what_sysfs_does_not_know_is_not_found),
	};

	return cmocka_run_group_tests_name("backend_v4l2", tests, NULL, NULL);
}
