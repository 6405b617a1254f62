/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_video_nodes.c - tests the list of video_nodes.c, on a folder that looks like sysfs.
 */
#include "video_nodes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "fake_sysfs.h"

static void nodes_come_in_the_order_of_their_numbers(void **state)
{
	static const char *const ids[] = {"radio0", "video0", "video2", "video10"};
	const char *root = fake_sysfs_new();
	struct video_node *nodes;

	fake_sysfs_device("video4linux", "video10", 81, 3, "c", NULL);
	fake_sysfs_device("video4linux", "video2", 81, 2, "b", NULL);
	fake_sysfs_device("video4linux", "radio0", 81, 1, "r", NULL);
	fake_sysfs_device("video4linux", "video0", 81, 0, "a", NULL);
	fake_sysfs_device("media", "media0", 240, 0, NULL, NULL);
	assert_int_equal(video_nodes_list(root, &nodes), ARRAY_SIZE(ids));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_string_equal(nodes[i].id, ids[i]);
	free(nodes);
	fake_sysfs_free();
}

static void a_node_is_described(void **state)
{
	const char *root = fake_sysfs_new();
	struct video_node *nodes;

	fake_sysfs_device("video4linux", "video0", 81, 7, "Front camera", "uvcvideo");
	assert_int_equal(video_nodes_list(root, &nodes), 1);
	assert_string_equal(nodes->path, "/dev/video0");
	assert_string_equal(nodes->name, "Front camera");
	assert_string_equal(nodes->driver, "uvcvideo");
	assert_int_equal(nodes->device, makedev(81, 7));
	free(nodes);
	fake_sysfs_free();
}

static void what_is_unknown_is_empty(void **state)
{
	const char *root = fake_sysfs_new();
	struct video_node *nodes;

	fake_sysfs_device("video4linux", "video0", 81, 7, NULL, NULL);
	assert_int_equal(video_nodes_list(root, &nodes), 1);
	assert_string_equal(nodes->name, "");
	assert_string_equal(nodes->driver, "");
	free(nodes);
	fake_sysfs_free();
}

static void a_name_cannot_drive_a_terminal(void **state)
{
	const char *root = fake_sysfs_new();
	struct video_node *nodes;

	fake_sysfs_device("video4linux", "video0", 81, 7, "a\033[2Jb", NULL);
	assert_int_equal(video_nodes_list(root, &nodes), 1);
	assert_string_equal(nodes->name, "a?[2Jb");
	free(nodes);
	fake_sysfs_free();
}

static void a_host_without_video_has_no_nodes(void **state)
{
	const char *root = fake_sysfs_new();
	struct video_node *nodes;

	assert_int_equal(video_nodes_list(root, &nodes), 0);
	free(nodes);
	fake_sysfs_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_come_in_the_order_of_their_numbers),
		cmocka_unit_test(a_node_is_described),
		cmocka_unit_test(what_is_unknown_is_empty),
		cmocka_unit_test(a_name_cannot_drive_a_terminal),
		cmocka_unit_test(a_host_without_video_has_no_nodes),
	};

	return cmocka_run_group_tests_name("video_nodes", tests, NULL, NULL);
}
