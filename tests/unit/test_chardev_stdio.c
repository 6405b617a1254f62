/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_chardev_stdio.c - tests chardev.c, chardev_open.c and chardev_output.c with pipes, sockets
 * and terminals in the place of this process's standard input and output. Runs once for each kind
 * of loop.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>

#include <cmocka.h>

#include "chardev_guest.h"
#include "loop_kinds.h"

struct fixture {
	struct chardev_guest guest;
	int stdio[2]; /* this program's own, while others are in their place */
	int ends[3];  /* to close; -1: none */
};

static int setup(void **state)
{
	static struct fixture fixture;

	chardev_guest_init(&fixture.guest);
	for (int i = 0; i < 2; i++)
		fixture.stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	for (size_t i = 0; i < ARRAY_SIZE(fixture.ends); i++)
		fixture.ends[i] = -1;
	*state = &fixture;
	return 0;
}

static void restore_stdio(struct fixture *fixture, int fd)
{
	dup2(fixture->stdio[fd], fd);
}

/* Ready for another one. */
static void close_stdio(struct fixture *fixture)
{
	restore_stdio(fixture, STDIN_FILENO);
	restore_stdio(fixture, STDOUT_FILENO);
	chardev_guest_close(&fixture->guest);
	for (size_t i = 0; i < ARRAY_SIZE(fixture->ends); i++) {
		closep(&fixture->ends[i]);
		fixture->ends[i] = -1;
	}
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	close_stdio(fixture);
	chardev_guest_deinit(&fixture->guest);
	for (int i = 0; i < 2; i++)
		close(fixture->stdio[i]);
	return 0;
}

enum {
	STAY = 1,    /* standard output stays what it is made now: failures are not seen then */
	CROWDED = 2, /* no file can be opened meanwhile */
};

/*
 * The host's end at standard input and output that are @in and @out, which teardown closes. The
 * latter is only needed while it is opened: so a test can say what is wrong.
 */
static void open_stdio(struct fixture *fixture, int in, int out, unsigned int how)
{
	struct rlimit before, now;

	fixture->ends[1] = in;
	fixture->ends[2] = out == in ? -1 : out;
	fflush(stdout);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	if (how & CROWDED)
		now.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &now);
	chardev_guest_open(&fixture->guest, CHARDEV_STDIO, NULL);
	setrlimit(RLIMIT_NOFILE, &before);
	if (!(how & STAY))
		restore_stdio(fixture, STDOUT_FILENO);
}

/* Return: the master's end, which is closed by teardown. */
static int new_terminal(struct fixture *fixture, int *slave)
{
	struct termios termios;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*slave >= 0);
	assert_int_equal(tcgetattr(*slave, &termios), 0);
	assert_true(termios.c_lflag & ICANON);
	fixture->ends[0] = master;
	return master;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void pipe_feeds_the_guest_to_its_end(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	int in[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	guest->room = 3;
	open_stdio(fixture, in[0], open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	/* It is no terminal: nothing is an escape key. */
	send_text(in[1], "ab\x01x");
	chardev_guest_input(guest, "ab\x01");
	guest->room = 100;
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "ab\x01x");
	assert_int_equal(guest->quits, 0);
	send_text(in[1], "end");
	close(in[1]);
	chardev_guest_input(guest, "ab\x01xend");
	chardev_guest_rests(guest);
	chardev_resume(guest->chardev);
	chardev_guest_input(guest, "ab\x01xend");
}

enum sink { PIPE, SOCKET, TERMINAL };

/* Return: the end that is read; *@out the one that is written. */
static int new_sink(struct fixture *fixture, enum sink sink, int *out)
{
	struct termios termios;
	int fds[2];

	switch (sink) {
	case PIPE:
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		break;
	case SOCKET:
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		break;
	case TERMINAL:
		fds[0] = new_terminal(fixture, &fds[1]);
		assert_int_equal(tcgetattr(fds[1], &termios), 0);
		cfmakeraw(&termios);
		assert_int_equal(tcsetattr(fds[1], TCSANOW, &termios), 0);
		break;
	}
	fixture->ends[0] = fds[0];
	*out = fds[1];
	return fds[0];
}

/* Neither blocks the loop, nor makes non-blocking what others share. */
static void standard_output_holds_output_back(void **state)
{
	static const struct {
		const char *name;
		enum sink sink;
		unsigned int how;
	} cases[] = {
		{.name = "a pipe", .sink = PIPE},
		{.name = "a terminal", .sink = TERMINAL},
		{.name = "a socket", .sink = SOCKET, .how = STAY},
		{.name = "a pipe, not to be opened again", .sink = PIPE, .how = CROWDED | STAY},
		{.name = "such a terminal", .sink = TERMINAL, .how = CROWDED | STAY},
	};
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	struct chardev_writer writer;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int out, reader = new_sink(fixture, cases[i].sink, &out);
		/* More than twice what it holds; byte by byte takes its time. */
		const size_t len = cases[i].sink == TERMINAL ? 200 * KIB : MIB;
		size_t taken;

		print_message("# %s\n", cases[i].name);
		guest->readys = 0;
		open_stdio(fixture, open("/dev/null", O_RDONLY | O_CLOEXEC), out, cases[i].how);
		taken = chardev_guest_fill(guest);
		/* The kernel moves bytes on behind a terminal's back, which makes room. */
		if (cases[i].sink != TERMINAL)
			chardev_guest_count(guest, &guest->readys, 0);
		expect_pattern(reader, 0, taken);
		chardev_guest_count(guest, &guest->readys, 1);
		assert_false(fcntl(out, F_GETFL) & O_NONBLOCK);

		chardev_writer_start(&writer, guest->chardev, len);
		expect_pattern(reader, 0, len / 2);
		assert_false(atomic_load(&writer.done));
		expect_pattern(reader, len / 2, len);
		chardev_writer_join(&writer);
		close_stdio(fixture);
	}
}

/* --- a terminal --- */

static void terminal_is_raw_until_the_end(void **state)
{
	struct fixture *fixture = *state;
	struct termios before, now;
	int slave, master = new_terminal(fixture, &slave);

	assert_int_equal(tcgetattr(slave, &before), 0);
	open_stdio(fixture, slave, slave, 0);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG), 0);
	send_text(master, "a\x03\r");
	chardev_guest_input(&fixture->guest, "a\x03\r");
	chardev_guest_close(&fixture->guest);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_iflag, before.c_iflag);
	assert_int_equal(now.c_oflag, before.c_oflag);
	assert_int_equal(now.c_lflag, before.c_lflag);
}

static void terminal_has_an_escape_key_even_without_room(void **state)
{
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;
	int slave, master = new_terminal(fixture, &slave);

	open_stdio(fixture, slave, slave, 0);
	send_text(master, "1\x01"
			  "a2\x01\x01"
			  "3\x01"
			  "b4");
	chardev_guest_input(guest, "1\x01"
				   "2\x01"
				   "3b4");
	assert_int_equal(guest->quits, 0);
	/* What has no room is dropped. */
	guest->room = 1;
	send_text(master, "567\x01");
	chardev_guest_input(guest, "1\x01"
				   "2\x01"
				   "3b45");
	send_text(master, "x");
	chardev_guest_count(guest, &guest->quits, 1);
	chardev_guest_input(guest, "1\x01"
				   "2\x01"
				   "3b45");
}

static void set_size(int fd, unsigned short cols, unsigned short rows)
{
	const struct winsize size = {.ws_col = cols, .ws_row = rows};

	assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
}

static void size_of_the_terminal_is_told_at_start_and_when_it_changes(void **state)
{
	static const struct {
		const char *name;
		bool in, out; /* is the terminal */
	} cases[] = {
		{.name = "both ways", .in = true, .out = true},
		{.name = "only input", .in = true},
		{.name = "only output", .out = true},
	};
	struct fixture *fixture = *state;
	struct chardev_guest *guest = &fixture->guest;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int slave, master = new_terminal(fixture, &slave);
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		print_message("# %s\n", cases[i].name);
		guest->sizes = 0;
		set_size(master, 100, 40);
		open_stdio(fixture, cases[i].in ? slave : null, cases[i].out ? slave : null, 0);
		chardev_guest_count(guest, &guest->sizes, 1);
		assert_int_equal(guest->cols, 100);
		assert_int_equal(guest->rows, 40);
		set_size(master, 300, 24);
		chardev_guest_count(guest, &guest->sizes, 1);
		chardev_winch(guest->chardev);
		chardev_winch(guest->chardev);
		chardev_guest_count(guest, &guest->sizes, 2);
		assert_int_equal(guest->cols, 300);
		assert_int_equal(guest->rows, 24);
		/* It may have changed while the process was stopped. */
		set_size(master, 80, 25);
		chardev_foreground(guest->chardev);
		settle(guest->loop);
		assert_int_equal(guest->cols, 80);
		close_stdio(fixture);
		close(cases[i].in && cases[i].out ? null : slave);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pipe_feeds_the_guest_to_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(standard_output_holds_output_back, setup, teardown),
		cmocka_unit_test_setup_teardown(terminal_is_raw_until_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(terminal_has_an_escape_key_even_without_room, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			size_of_the_terminal_is_told_at_start_and_when_it_changes, setup, teardown),
	};

	if (!kind_select(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("chardev_stdio", tests, NULL, NULL);
}
