/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_device_holder.c - tests device_holder.c, with processes that hold /dev/full open.
 */
#include "device_holder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define DEVICE "/dev/full"

static dev_t device(void)
{
	struct stat st;

	assert_int_equal(stat(DEVICE, &st), 0);
	return st.st_rdev;
}

/* hold - start a process called @name that has @path open, and not the device otherwise. */
static pid_t hold(const char *name, const char *path)
{
	int fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		if (open(path, O_RDWR) < 0 || write(fds[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Among all that are found, for others may run on this host. Return: NULL if it is not. */
static const struct device_holder *find(pid_t pid)
{
	static struct device_holder holders[256];
	const size_t n = device_holders(device(), holders, ARRAY_SIZE(holders));

	for (size_t i = 0; i < n; i++)
		if (holders[i].pid == pid)
			return &holders[i];
	return NULL;
}

static void a_holder_is_named(void **state)
{
	const pid_t pid = hold("camera app", DEVICE);
	const struct device_holder *holder = find(pid);

	assert_non_null(holder);
	assert_string_equal(holder->name, "camera app");
	end(pid);
	assert_null(find(pid));
}

static void another_device_is_not_held(void **state)
{
	const pid_t pid = hold("x", "/dev/null");

	assert_null(find(pid));
	end(pid);
}

static void the_path_does_not_matter(void **state)
{
	char path[64];
	pid_t pid;
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	pid = hold("x", path);
	close(fd);
	assert_non_null(find(pid));
	end(pid);
}

static void this_process_is_not_counted(void **state)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_null(find(getpid()));
	close(fd);
}

static void control_characters_do_not_get_out(void **state)
{
	const pid_t pid = hold("a\033[2Jb", DEVICE);
	const struct device_holder *holder = find(pid);

	assert_non_null(holder);
	assert_null(strchr(holder->name, '\033'));
	end(pid);
}

static void no_more_than_asked_for(void **state)
{
	const pid_t pids[2] = {hold("a", DEVICE), hold("b", DEVICE)};
	struct device_holder holders[2] = {{.pid = 0}, {.pid = -1}};

	assert_int_equal(device_holders(device(), holders, 1), 1);
	assert_true(holders[0].pid > 0);
	assert_int_equal(holders[1].pid, -1);
	assert_int_equal(device_holders(device(), holders, 0), 0);
	end(pids[0]);
	end(pids[1]);
}

static void text_names_the_holders(void **state)
{
	const pid_t pids[2] = {hold("first", DEVICE), hold("second", DEVICE)};
	char text[400], both[100], cut[12];

	device_holders_text(device(), text, sizeof(text));
	snprintf(both, sizeof(both), "first (process %d), second (process %d)", pids[0], pids[1]);
	/* In the order of /proc, unless the numbers have begun again. */
	if (pids[0] < pids[1])
		assert_non_null(strstr(text, both));
	device_holders_text(device(), cut, sizeof(cut));
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
	end(pids[0]);
	end(pids[1]);
}

static void text_of_none_is_empty(void **state)
{
	char text[20] = "before";

	/* Nobody has a device number that no driver has. */
	device_holders_text((dev_t)-1, text, sizeof(text));
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_holder_is_named),
		cmocka_unit_test(another_device_is_not_held),
		cmocka_unit_test(the_path_does_not_matter),
		cmocka_unit_test(this_process_is_not_counted),
		cmocka_unit_test(control_characters_do_not_get_out),
		cmocka_unit_test(no_more_than_asked_for),
		cmocka_unit_test(text_names_the_holders),
		cmocka_unit_test(text_of_none_is_empty),
	};

	return cmocka_run_group_tests_name("device_holder", tests, NULL, NULL);
}
