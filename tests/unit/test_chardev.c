/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_chardev.c - tests chardev.c, chardev_open.c and chardev_output.c with real pseudo-terminals,
 * files and FIFOs. Runs once for each kind of loop. Standard input and output are in
 * test_chardev_stdio.c, sockets in test_chardev_socket.c.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "chardev_guest.h"
#include "loop_kinds.h"
#include "vmm/chardev_impl.h"

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
	snprintf(fixture.path, sizeof(fixture.path), "%s/output", fixture.folder);
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

static void send_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* --- a pseudo-terminal --- */

static void pty_hears_and_speaks_raw(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	int user;

	chardev_guest_open(guest, CHARDEV_PTY, NULL);
	user = open(chardev_path(guest->chardev), O_RDWR | O_NOCTTY);
	assert_true(user >= 0);
	chardev_guest_write(guest, "login:\n");
	expect_text(user, "login:\n");
	send_text(user, "root\x01x\x03\r");
	chardev_guest_input(guest, "root\x01x\x03\r");
	assert_int_equal(guest->quits, 0);
	chardev_output(guest->chardev, (const uint8_t *)"# ", 2);
	expect_text(user, "# ");
	expect_nothing(user);
	/* It survives its users. */
	close(user);
	settle(guest->loop);
	user = open(chardev_path(guest->chardev), O_RDWR | O_NOCTTY);
	chardev_guest_write(guest, "again");
	expect_text(user, "again");
	close(user);
}

static void pty_that_nobody_reads_loses_what_does_not_fit(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	struct chardev_writer writer;
	int user;

	chardev_guest_open(guest, CHARDEV_PTY, NULL);
	chardev_guest_fill_more(guest, 0, MIB);
	chardev_writer_start(&writer, guest->chardev, MIB);
	chardev_writer_join(&writer);
	chardev_guest_count(guest, &guest->readys, 0);
	user = open(chardev_path(guest->chardev), O_RDWR | O_NOCTTY);
	expect_pattern(user, 0, 2048);
	close(user);
}

static void input_waits_for_room(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	int user;

	guest->room = 3;
	chardev_guest_open(guest, CHARDEV_PTY, NULL);
	user = open(chardev_path(guest->chardev), O_RDWR | O_NOCTTY);
	send_text(user, "abcdef");
	chardev_guest_input(guest, "abc");
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "abc");
	guest->room = 2;
	chardev_resume(guest->chardev);
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "abcde");
	guest->room = 100;
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "abcdef");
	send_text(user, "ghi");
	chardev_guest_input(guest, "abcdefghi");
	close(user);
}

/* --- files --- */

static void file_is_appended_to(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	int fd;

	for (unsigned int boot = 0; boot < 2; boot++) {
		chardev_guest_open(guest, CHARDEV_FILE, fixture->path);
		chardev_guest_write(guest, boot ? "two " : "one ");
		chardev_output(guest->chardev, (const uint8_t *)"out ", 4);
		chardev_guest_close(guest);
	}
	fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
	expect_text(fd, "one out two out ");
	expect_end(fd);
	close(fd);
}

static void fifo_holds_output_back_and_may_lose_its_reader(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	struct chardev_writer writer;
	size_t taken;
	int reader;

	assert_int_equal(mkfifo(fixture->path, 0600), 0);
	reader = open(fixture->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	chardev_guest_open(guest, CHARDEV_FILE, fixture->path);
	taken = chardev_guest_fill(guest);
	chardev_guest_count(guest, &guest->readys, 0);
	expect_pattern(reader, 0, taken);
	chardev_guest_count(guest, &guest->readys, 1);

	chardev_writer_start(&writer, guest->chardev, MIB);
	expect_pattern(reader, 0, MIB / 2);
	assert_false(atomic_load(&writer.done));
	expect_pattern(reader, MIB / 2, MIB);
	chardev_writer_join(&writer);

	chardev_guest_fill(guest);
	close(reader);
	chardev_guest_count(guest, &guest->readys, 2);
	chardev_guest_fill_more(guest, 0, MIB);
}

/* The guest goes on, and the user hears of it; a few times. */
static void output_that_is_lost_is_told(void **state)
{
	struct chardev_guest *guest = &((struct fixture *)*state)->guest;

	chardev_guest_open(guest, CHARDEV_FILE, "/dev/full");
	for (unsigned int i = 0; i < 2; i++)
		chardev_guest_write(guest, "more than there is room for");
	assert_int_equal(atomic_load(&guest->chardev->lost.count), 2);
	chardev_guest_close(guest);
}

static void wrong_files_are_refused(void **state)
{
	struct fixture *fixture = *state;
	char missing[80];
	const struct {
		const char *name;
		const char *path;
		const char *text;
	} cases[] = {
		{"no such folder", missing, "No such file or directory"},
		{"a folder", fixture->folder, "Is a directory"},
		{"a FIFO", fixture->path, "is a FIFO that nobody reads"},
	};
	struct error err;

	snprintf(missing, sizeof(missing), "%s/none/output", fixture->folder);
	assert_int_equal(mkfifo(fixture->path, 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		assert_true(chardev_guest_try(&fixture->guest, CHARDEV_FILE, cases[i].path, &err) <
			    0);
		assert_false(err.host);
		assert_non_null(strstr(err.text, "console file"));
		assert_non_null(strstr(err.text, cases[i].path));
		assert_non_null(strstr(err.text, cases[i].text));
	}
}

static void off_takes_all_and_gives_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;

	chardev_guest_open(guest, CHARDEV_OFF, NULL);
	chardev_guest_fill_more(guest, 0, MIB);
	chardev_output(guest->chardev, (const uint8_t *)"out ", 4);
	chardev_resume(guest->chardev);
	chardev_winch(guest->chardev);
	chardev_foreground(guest->chardev);
	chardev_guest_input(guest, "");
	assert_int_equal(guest->sizes, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pty_hears_and_speaks_raw, setup, teardown),
		cmocka_unit_test_setup_teardown(pty_that_nobody_reads_loses_what_does_not_fit,
						setup, teardown),
		cmocka_unit_test_setup_teardown(input_waits_for_room, setup, teardown),
		cmocka_unit_test_setup_teardown(file_is_appended_to, setup, teardown),
		cmocka_unit_test_setup_teardown(fifo_holds_output_back_and_may_lose_its_reader,
						setup, teardown),
		cmocka_unit_test_setup_teardown(output_that_is_lost_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_files_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(off_takes_all_and_gives_nothing, setup, teardown),
	};

	/* As signals_prepare() does: a reader that is gone is reported by write(2). */
	signal(SIGPIPE, SIG_IGN);
	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("chardev", tests, NULL, NULL);
}
