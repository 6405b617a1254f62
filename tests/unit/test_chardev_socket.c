/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_chardev_socket.c - tests chardev_socket.c with real clients: who is served, what a client
 * gets, and what is in the file system. Runs once for each kind of loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "chardev_guest.h"
#include "loop_kinds.h"

#define KEPT_MAX (16 * KIB)

struct fixture {
	struct chardev_guest guest;
	char folder[32];
	char path[64];
};

static int setup(void **state)
{
	static struct fixture fixture;

	chardev_guest_init(&fixture.guest);
	strcpy(fixture.folder, "/tmp/chardev-XXXXXX");
	if (!mkdtemp(fixture.folder))
		return -1;
	snprintf(fixture.path, sizeof(fixture.path), "%s/console", fixture.folder);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	chardev_guest_deinit(&fixture->guest);
	unlink(fixture->path);
	return rmdir(fixture->folder);
}

static struct chardev_guest *open_socket(struct fixture *fixture)
{
	chardev_guest_open(&fixture->guest, CHARDEV_SOCKET, fixture->path);
	return &fixture->guest;
}

static int bind_socket(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int connect_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A client that is being served. */
static int connect_client(struct fixture *fixture)
{
	int fd = connect_socket(fixture->path);

	settle(fixture->guest.loop);
	return fd;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* --- clients --- */

static void client_hears_and_speaks(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int client = connect_client(fixture);

	chardev_guest_write(guest, "login: ");
	expect_text(client, "login: ");
	/* Nothing in it is an escape key. */
	send_text(client, "root\x01x\n");
	chardev_guest_input(guest, "root\x01x\n");
	assert_int_equal(guest->quits, 0);
	chardev_output(guest->chardev, (const uint8_t *)"# ", 2);
	expect_text(client, "# ");
	expect_nothing(client);
	close(client);
}

static void second_client_waits_for_the_first_to_leave(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int first = connect_client(fixture), second = connect_client(fixture);

	send_text(second, "2");
	send_text(first, "1");
	chardev_guest_input(guest, "1");
	chardev_guest_write(guest, "one");
	expect_text(first, "one");
	expect_nothing(second);
	close(first);
	chardev_guest_input(guest, "12");
	chardev_guest_write(guest, "two");
	expect_text(second, "two");
	close(second);
}

static void clients_come_and_go(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	char expected[65] = "";

	for (unsigned int i = 0; i < 64; i++) {
		int client = connect_client(fixture);

		expected[i] = (char)('0' + i);
		send_text(client, &expected[i]);
		chardev_guest_input(guest, expected);
		close(client);
		settle(guest->loop);
	}
}

/* As "echo reboot | nc -N" does, and waits for the answer. */
static void client_that_has_said_all_still_hears(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int client = connect_client(fixture), next;

	send_text(client, "all");
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	chardev_guest_input(guest, "all");
	chardev_guest_rests(guest);
	chardev_guest_write(guest, "answer");
	expect_text(client, "answer");
	next = connect_client(fixture);
	chardev_guest_write(guest, "more");
	expect_text(client, "more");
	close(client);
	settle(guest->loop);
	chardev_guest_write(guest, "next");
	expect_text(next, "next");
	close(next);
}

static void last_words_wait_for_room(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int client;

	guest->room = 3;
	client = connect_client(fixture);
	send_text(client, "abcdef");
	chardev_guest_input(guest, "abc");
	close(client);
	chardev_guest_rests(guest);
	chardev_guest_input(guest, "abc");
	guest->room = 2;
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "abcde");
	guest->room = 10;
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "abcdef");
	/* And then there is no client. */
	chardev_guest_write(guest, "kept");
	client = connect_client(fixture);
	expect_text(client, "kept");
	close(client);
}

static void client_of_a_deaf_guest_makes_way_when_it_has_gone(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int first, second;

	guest->room = 0;
	first = connect_client(fixture);
	send_text(first, "lost");
	close(first);
	settle(guest->loop);
	second = connect_client(fixture);
	chardev_guest_write(guest, "hung");
	expect_text(second, "hung");
	send_text(second, "x");
	guest->room = 10;
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "x");
	close(second);
}

/* --- output --- */

static void output_without_a_client_is_kept_for_the_next(void **state)
{
	static const struct {
		const char *name;
		size_t len;
	} cases[] = {
		{.name = "one byte", .len = 1},
		{.name = "all that fits", .len = KEPT_MAX},
		{.name = "one more", .len = KEPT_MAX + 1},
		{.name = "many times that", .len = 5 * KEPT_MAX + 77},
	};
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	struct chardev_writer writer;
	int client;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const size_t len = cases[i].len;
		const size_t from = len > KEPT_MAX ? len - KEPT_MAX : 0;

		print_message("# %s\n", cases[i].name);
		chardev_guest_fill_more(guest, 0, len);
		client = connect_client(fixture);
		expect_pattern(client, from, len);
		expect_nothing(client);
		close(client);
		settle(guest->loop);
		/* From a vCPU, in one piece. */
		chardev_writer_start(&writer, guest->chardev, len);
		chardev_writer_join(&writer);
		client = connect_client(fixture);
		expect_pattern(client, from, len);
		chardev_guest_write(guest, "live");
		expect_text(client, "live");
		close(client);
		settle(guest->loop);
	}
}

static void slow_client_holds_output_back(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int client = connect_client(fixture);
	const size_t taken = chardev_guest_fill(guest);

	chardev_guest_count(guest, &guest->readys, 0);
	expect_pattern(client, 0, taken);
	chardev_guest_count(guest, &guest->readys, 1);
	chardev_guest_fill_more(guest, taken, taken + 1000);
	expect_pattern(client, taken, taken + 1000);
	chardev_guest_count(guest, &guest->readys, 1);
	close(client);
}

/* In whichever order the loop hears of it. */
static void output_goes_on_when_a_slow_client_leaves(void **state)
{
	static const struct {
		const char *name;
		bool first; /* it says that it has said all */
	} cases[] = {
		{.name = "at once", .first = false},
		{.name = "having said all", .first = true},
	};
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int client;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		guest->readys = 0;
		client = connect_client(fixture);
		chardev_guest_fill(guest);
		if (cases[i].first)
			assert_int_equal(shutdown(client, SHUT_WR), 0);
		chardev_guest_count(guest, &guest->readys, 0);
		close(client);
		chardev_guest_count(guest, &guest->readys, 1);
		chardev_guest_write(guest, "kept");
		client = connect_client(fixture);
		expect_text(client, "kept");
		close(client);
		settle(guest->loop);
	}
}

static void vcpu_waits_for_a_slow_client_or_for_none(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	int client = connect_client(fixture);
	struct chardev_writer writer;

	chardev_writer_start(&writer, guest->chardev, 3 * MIB);
	expect_pattern(client, 0, 2 * MIB);
	assert_false(atomic_load(&writer.done));
	expect_pattern(client, 2 * MIB, 3 * MIB);
	chardev_writer_join(&writer);

	chardev_writer_start(&writer, guest->chardev, 3 * MIB);
	expect_pattern(client, 0, 1 * MIB);
	close(client);
	settle(guest->loop);
	chardev_writer_join(&writer);
	client = connect_client(fixture);
	expect_pattern(client, 3 * MIB - KEPT_MAX, 3 * MIB);
	close(client);
}

/* --- the file system --- */

static void socket_is_removed_at_the_end_if_it_is_ours(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = open_socket(fixture);
	struct stat st;

	assert_int_equal(stat(fixture->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	chardev_guest_close(guest);
	assert_int_equal(stat(fixture->path, &st), -1);

	open_socket(fixture);
	assert_int_equal(unlink(fixture->path), 0);
	close(bind_socket(fixture->path, SOCK_STREAM));
	chardev_guest_close(guest);
	assert_int_equal(stat(fixture->path, &st), 0);
}

static void stale_socket_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	int client;

	close(bind_socket(fixture->path, SOCK_STREAM));
	open_socket(fixture);
	client = connect_client(fixture);
	chardev_guest_write(&fixture->guest, "new");
	expect_text(client, "new");
	close(client);
}

static void anything_else_at_the_path_is_refused_and_left(void **state)
{
	enum { REGULAR, FOLDER, LINK, LISTENER, RECEIVER };
	static const struct {
		const char *name;
		int there;
		const char *text;
	} cases[] = {
		{"a file", REGULAR, "there is something at that path already that is not a socket"},
		{"a folder", FOLDER, "there is something at that path already"},
		{"a symbolic link", LINK, "there is something at that path already"},
		{"a program that listens", LISTENER, "another program listens there"},
		{"one that takes datagrams", RECEIVER, "another program listens there"},
	};
	struct fixture *fixture = *state;
	struct stat before, after;
	struct error err;
	int owner = -1;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		if (cases[i].there == REGULAR)
			close(open(fixture->path, O_CREAT | O_WRONLY, 0600));
		else if (cases[i].there == FOLDER)
			assert_int_equal(mkdir(fixture->path, 0700), 0);
		else if (cases[i].there == LINK)
			assert_int_equal(symlink("nowhere", fixture->path), 0);
		else
			owner = bind_socket(fixture->path,
					    cases[i].there == LISTENER ? SOCK_STREAM : SOCK_DGRAM);
		assert_int_equal(lstat(fixture->path, &before), 0);
		assert_true(chardev_guest_try(&fixture->guest, CHARDEV_SOCKET, fixture->path,
					      &err) < 0);
		assert_false(err.host);
		assert_non_null(strstr(err.text, cases[i].text));
		assert_non_null(strstr(err.text, fixture->path));
		assert_non_null(strstr(err.text, "console socket"));
		assert_int_equal(lstat(fixture->path, &after), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		assert_int_equal(remove(fixture->path), 0);
		closep(&owner);
		owner = -1;
	}
}

static void path_that_cannot_be_is_refused(void **state)
{
	char folder[80], name[128];
	const struct {
		const char *name;
		const char *path;
		const char *text;
	} cases[] = {
		{"no such folder", folder, "No such file or directory"},
		{"108 bytes", name, "1 to 107 bytes, this has 108"},
		{"empty", "", "1 to 107 bytes, this has 0"},
	};
	struct fixture *fixture = *state;
	struct error err;

	snprintf(folder, sizeof(folder), "%s/none/console", fixture->folder);
	memset(name, 'x', 108);
	name[0] = '/';
	name[108] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		assert_true(chardev_guest_try(&fixture->guest, CHARDEV_SOCKET, cases[i].path,
					      &err) < 0);
		assert_non_null(strstr(err.text, cases[i].text));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(client_hears_and_speaks, setup, teardown),
		cmocka_unit_test_setup_teardown(second_client_waits_for_the_first_to_leave, setup,
						teardown),
		cmocka_unit_test_setup_teardown(clients_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(client_that_has_said_all_still_hears, setup,
						teardown),
		cmocka_unit_test_setup_teardown(last_words_wait_for_room, setup, teardown),
		cmocka_unit_test_setup_teardown(client_of_a_deaf_guest_makes_way_when_it_has_gone,
						setup, teardown),
		cmocka_unit_test_setup_teardown(output_without_a_client_is_kept_for_the_next, setup,
						teardown),
		cmocka_unit_test_setup_teardown(slow_client_holds_output_back, setup, teardown),
		cmocka_unit_test_setup_teardown(output_goes_on_when_a_slow_client_leaves, setup,
						teardown),
		cmocka_unit_test_setup_teardown(vcpu_waits_for_a_slow_client_or_for_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(socket_is_removed_at_the_end_if_it_is_ours, setup,
						teardown),
		cmocka_unit_test_setup_teardown(stale_socket_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(anything_else_at_the_path_is_refused_and_left,
						setup, teardown),
		cmocka_unit_test_setup_teardown(path_that_cannot_be_is_refused, setup, teardown),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("chardev_socket", tests, NULL, NULL);
}
