/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_disk.c - opening, locking and measuring disk images.
 */
#include "devices/blk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define NOBODY 65534

static char folder[] = "/var/tmp/vmm-disk-XXXXXX";

/* make - a file @name in the folder, of @size bytes. Return: its path, until the next call. */
static const char *make(const char *name, off_t size)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
	return path;
}

static void make_folder(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

static void make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void make_empty(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

static void make_odd(const char *path)
{
	make_empty(path);
	assert_int_equal(truncate(path, 1000), 0);
}

static void make_dangling(const char *path)
{
	assert_int_equal(symlink("nowhere", path), 0);
}

static const struct {
	const char *name;
	void (*make)(const char *path);
	const char *path; /* instead */
	bool readonly, direct;
	int r;
	const char *words;
} mistakes[] = {
	{"missing", NULL, "/nonexistent/disk.img", .r = -ENOENT, .words = "does not exist"},
	{"dangling link", make_dangling, .r = -ENOENT, .words = "does not exist"},
	{"folder", make_folder, .r = -EISDIR, .words = "is a directory"},
	{"folder, readonly", make_folder, .readonly = true, .r = -EISDIR, .words = "a directory"},
	{"FIFO", make_fifo, .r = -EINVAL, .words = "is a FIFO"},
	{"FIFO, readonly", make_fifo, .readonly = true, .r = -EINVAL, .words = "is a FIFO"},
	{"socket", make_socket, .r = -EINVAL, .words = "is a socket"},
	{"character device", NULL, "/dev/null", .r = -EINVAL, .words = "a character device"},
	{"empty", make_empty, .r = -EINVAL, .words = "is empty"},
	{"1000 bytes", make_odd, .r = -EINVAL, .words = "has 1000 bytes"},
	{"folder that is a file", NULL, "/dev/null/disk.img", .r = -ENOTDIR,
	 .words = "Not a directory"},
	{"file without direct I/O", NULL, "/proc/version", .readonly = true, .direct = true,
	 .r = -EINVAL, .words = "leave out direct"},
};

static void mistakes_are_told_in_a_sentence(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err = {.text = ""};
		char path[128];
		struct disk disk;
		int r;

		snprintf(path, sizeof(path), "%s/mistake", folder);
		if (mistakes[i].make)
			mistakes[i].make(path);
		else
			snprintf(path, sizeof(path), "%s", mistakes[i].path);
		r = disk_open(&disk, path, mistakes[i].readonly, mistakes[i].direct, &err);
		if (r != mistakes[i].r || !strstr(err.text, mistakes[i].words) ||
		    !strstr(err.text, path) || err.host)
			fail_msg("%s: %d, '%s'", mistakes[i].name, r, err.text);
		assert_int_equal(disk.fd, -1);
		if (mistakes[i].make)
			assert_int_equal(remove(path), 0);
	}
}

/* Root may do everything; its place is taken by one who may not. */
static void drop(bool down)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(down ? NOBODY : 0), 0);
}

static const struct {
	const char *name;
	mode_t file, folder;
	bool readonly;
	int r;
	const char *words;
} permissions[] = {
	{"all may read and write", 0666, 0755, false, 0, ""},
	{"all may read", 0444, 0755, true, 0, ""},
	{"a file that can only be read", 0444, 0755, false, -EACCES, "add readonly"},
	{"a secret file", 0000, 0755, true, -EACCES, "no permission to read it"},
	{"a secret file, to be written", 0000, 0755, false, -EACCES,
	 "no permission to read and write"},
	{"a file that can only be written", 0222, 0755, false, -EACCES,
	 "no permission to read and write"},
	{"a secret folder", 0666, 0600, false, -EACCES, "no permission to search"},
};

static void permissions_are_told_apart(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(permissions); i++) {
		const char *path = make("image", 4096);
		struct error err = {.text = ""};
		struct disk disk;
		int r;

		assert_int_equal(chmod(path, permissions[i].file), 0);
		assert_int_equal(chmod(folder, permissions[i].folder), 0);
		drop(true);
		r = disk_open(&disk, path, permissions[i].readonly, false, &err);
		drop(false);
		assert_int_equal(chmod(folder, 0755), 0);
		if (r != permissions[i].r || !strstr(err.text, permissions[i].words))
			fail_msg("%s: %d, '%s'", permissions[i].name, r, err.text);
		disk_close(&disk);
	}
}

static void a_file_is_measured_and_not_changed(void **state)
{
	const char *path = make("image", 3 * 512);
	struct stat before, after;
	struct statvfs fs;
	struct disk disk;

	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(disk_open(&disk, path, false, false, NULL), 0);
	assert_int_equal(disk.size, 3 * 512);
	assert_int_equal(disk.block, 512);
	assert_int_equal(disk.memory_align, 1);
	assert_int_equal(fstatvfs(disk.fd, &fs), 0);
	if (fs.f_bsize <= 65536)
		assert_int_equal(disk.physical, fs.f_bsize);
	assert_true(fcntl(disk.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fcntl(disk.fd, F_GETFL) & (O_ACCMODE | O_DIRECT | O_NONBLOCK), O_RDWR);
	disk_close(&disk);
	assert_int_equal(disk.fd, -1);
	disk_close(&disk);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_blocks, before.st_blocks);
	assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim));
}

static void a_readonly_disk_is_open_for_reading_only(void **state)
{
	struct disk disk;

	assert_int_equal(disk_open(&disk, make("image", 512), true, false, NULL), 0);
	assert_true(disk.readonly);
	assert_int_equal(fcntl(disk.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	disk_close(&disk);
}

static void the_size_is_that_of_the_moment_in_whole_sectors(void **state)
{
	const char *path = make("image", 512);
	struct disk disk;
	uint64_t size;

	assert_int_equal(disk_open(&disk, path, true, false, NULL), 0);
	assert_int_equal(truncate(path, 5 * 512 + 511), 0);
	assert_int_equal(disk_size(&disk, &size), 0);
	assert_int_equal(size, 5 * 512);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(disk_size(&disk, &size), 0);
	assert_int_equal(size, 0);
	disk_close(&disk);
}

/* Locks. */

enum lock { LOCK_NONE, LOCK_READER, LOCK_WRITER, LOCK_POSIX };

static void hold_lock(const char *path, enum lock lock)
{
	struct flock posix = {.l_type = F_WRLCK, .l_start = 100, .l_len = 1};
	struct disk disk;

	if (lock == LOCK_POSIX)
		assert_int_equal(fcntl(open(path, O_RDWR | O_CLOEXEC), F_SETLK, &posix), 0);
	else if (lock != LOCK_NONE)
		assert_int_equal(disk_open(&disk, path, lock == LOCK_READER, false, NULL), 0);
}

/* Return: the process id of one who holds @lock until it is killed. */
static pid_t spawn_holder(const char *path, enum lock lock)
{
	int pipes[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "holder");
		hold_lock(path, lock);
		if (write(pipes[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

static void end_holder(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static const struct {
	const char *name;
	enum lock lock;
	bool readonly;
	int r;
} locks[] = {
	{"nobody, then a writer", LOCK_NONE, false, 0},
	{"two writers", LOCK_WRITER, false, -EBUSY},
	{"a writer, then a reader", LOCK_WRITER, true, -EBUSY},
	{"a reader, then a writer", LOCK_READER, false, -EBUSY},
	{"two readers", LOCK_READER, true, 0},
	{"another kind of lock on one byte", LOCK_POSIX, true, -EBUSY},
};

static void one_writer_or_several_readers_use_an_image(void **state)
{
	const char *path = make("image", 4096);

	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		const pid_t pid = spawn_holder(path, locks[i].lock);
		struct error err = {.text = ""};
		char words[64];
		struct disk disk;
		int r;

		r = disk_open(&disk, path, locks[i].readonly, false, &err);
		snprintf(words, sizeof(words), "process %d (holder)", (int)pid);
		if (r != locks[i].r || (r < 0 && !strstr(err.text, words)))
			fail_msg("%s: %d, '%s'", locks[i].name, r, err.text);
		disk_close(&disk);
		end_holder(pid);
		/* A lock does not outlive its holder. */
		assert_int_equal(disk_open(&disk, path, locks[i].readonly, false, &err), 0);
		disk_close(&disk);
	}
}

static void an_image_that_is_used_twice_here_is_called_that(void **state)
{
	const char *path = make("image", 4096);
	struct error err = {.text = ""};
	struct disk disk, twice;

	assert_int_equal(disk_open(&disk, path, false, false, NULL), 0);
	assert_int_equal(disk_open(&twice, path, false, false, &err), -EBUSY);
	assert_non_null(strstr(err.text, "used twice in this machine"));
	disk_close(&disk);
	assert_int_equal(disk_open(&disk, path, true, false, NULL), 0);
	assert_int_equal(disk_open(&twice, path, true, false, NULL), 0);
	disk_close(&twice);
	disk_close(&disk);
}

static int make_all(void **state)
{
	return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int remove_all(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/image", folder);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_told_in_a_sentence),
		cmocka_unit_test(permissions_are_told_apart),
		cmocka_unit_test(a_file_is_measured_and_not_changed),
		cmocka_unit_test(a_readonly_disk_is_open_for_reading_only),
		cmocka_unit_test(the_size_is_that_of_the_moment_in_whole_sectors),
		cmocka_unit_test(one_writer_or_several_readers_use_an_image),
		cmocka_unit_test(an_image_that_is_used_twice_here_is_called_that),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}
