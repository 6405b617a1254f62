/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk.c - open an image or block device and learn its geometry. See disk.h.
 *
 * All that a user can have got wrong about a disk is said here, in one sentence each. Main thread
 * but for disk_size().
 */
#include "devices/blk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Files whose file system names a block beyond this (network ones do) are given a usual one. */
#define FILE_BLOCK_MAX	 (64 * KIB)
#define FILE_BLOCK_USUAL 4096u

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFCHR:
		return "a character device";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "of an unknown kind";
	}
}

/* Asked before the opening, which could wait for the other end of a FIFO, or rewind a tape. */
static int check_kind(const char *path, struct stat *st, struct error *err)
{
	if (stat(path, st) < 0) {
		if (errno == ENOENT)
			return error_set(err, ENOENT,
					 "disk '%s' does not exist: create it before, for example "
					 "with 'truncate -s 8G FILE'",
					 path);
		if (errno == EACCES)
			return error_set(
				err, EACCES,
				"disk '%s': no permission to search one of the folders above it",
				path);
		return error_set(err, errno, "disk '%s': %s", path, strerror(errno));
	}
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return error_set(err, S_ISDIR(st->st_mode) ? EISDIR : EINVAL,
				 "disk '%s' is %s: a raw image file or a block device is needed",
				 path, kind_name(st->st_mode));
	return 0;
}

static bool is_readable(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

static int say_read_only(const char *path, int code, struct error *err)
{
	return error_set(err, code, "disk '%s' can only be read: add readonly, or make it writable",
			 path);
}

static int say_no_direct(const char *path, struct error *err)
{
	return error_set(err, EINVAL,
			 "disk '%s': its file system has no direct I/O: leave out direct", path);
}

/* Disks of this program claim a device, too; their lock tells them from a mount. */
static int say_busy(const char *path, struct error *err)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0 && disk_lock(fd, path, false, err) == -EBUSY)
		return -EBUSY;
	return error_set(err, EBUSY,
			 "disk '%s' is in use by the host, which has mounted it or made it part of "
			 "another device: free it, or add readonly",
			 path);
}

static int say_open(const struct disk *disk, const char *path, int code, struct error *err)
{
	switch (code) {
	case EACCES:
	case EPERM:
	case EROFS:
	case ETXTBSY:
		if (!disk->readonly && is_readable(path))
			return say_read_only(path, code, err);
		return error_set(err, code, "disk '%s': no permission to %s it", path,
				 disk->readonly ? "read" : "read and write");
	case EINVAL:
		if (disk->direct)
			return say_no_direct(path, err);
		break;
	case EBUSY:
		return say_busy(path, err);
	case ENOMEDIUM:
		return error_set(err, code, "disk '%s' has no medium in it", path);
	case ENXIO:
	case ENODEV:
		return error_set(err, code, "disk '%s' is a device that is not there", path);
	}
	return error_set(err, code, "disk '%s': %s", path, strerror(code));
}

static int open_file(struct disk *disk, const char *path, struct error *err)
{
	int flags = O_CLOEXEC | O_NOCTTY | (disk->readonly ? O_RDONLY : O_RDWR);
	struct stat st;
	int r, ro;

	r = check_kind(path, &st, err);
	if (r < 0)
		return r;
	/* Linux: O_EXCL refuses a block device that the host has mounted. */
	if (S_ISBLK(st.st_mode) && !disk->readonly)
		flags |= O_EXCL;
	if (disk->direct)
		flags |= O_DIRECT;
	disk->fd = open(path, flags);
	if (disk->fd < 0)
		return say_open(disk, path, errno, err);
	if (S_ISBLK(st.st_mode) && !disk->readonly && ioctl(disk->fd, BLKROGET, &ro) == 0 && ro)
		return say_read_only(path, EROFS, err);
	return 0;
}

static int check_size(struct disk *disk, const char *path, struct error *err)
{
	const off_t size = lseek(disk->fd, 0, SEEK_END);

	if (size < 0)
		return error_set(err, errno, "disk '%s': cannot tell its size: %s", path,
				 strerror(errno));
	if (size == 0)
		return error_set(err, EINVAL, "disk '%s' is empty: a disk has at least 512 bytes",
				 path);
	if (size % DISK_SECTOR)
		return error_set(err, EINVAL,
				 "disk '%s' has %llu bytes: a raw image is a multiple of 512 bytes "
				 "('truncate -s %%512 FILE' rounds up)",
				 path, (unsigned long long)size);
	disk->size = (uint64_t)size;
	return 0;
}

static uint32_t device_number(int fd, unsigned long request, uint32_t otherwise)
{
	unsigned int value = 0;

	return ioctl(fd, request, &value) == 0 && value ? value : otherwise;
}

static void learn_device(struct disk *disk)
{
	int offset = 0;

	disk->block = device_number(disk->fd, BLKSSZGET, DISK_SECTOR);
	disk->physical = MAX(device_number(disk->fd, BLKPBSZGET, disk->block), disk->block);
	disk->io_min = device_number(disk->fd, BLKIOMIN, 0);
	disk->io_optimal = device_number(disk->fd, BLKIOOPT, 0);
	if (ioctl(disk->fd, BLKALIGNOFF, &offset) == 0 && offset > 0)
		disk->misalignment = (uint32_t)offset;
	disk->discard_align = MAX(disk->physical, disk->io_min);
}

static void learn_file(struct disk *disk)
{
	struct statvfs fs;
	uint64_t block = FILE_BLOCK_USUAL;

	if (fstatvfs(disk->fd, &fs) == 0 && fs.f_bsize >= DISK_SECTOR &&
	    fs.f_bsize <= FILE_BLOCK_MAX && (fs.f_bsize & (fs.f_bsize - 1)) == 0)
		block = fs.f_bsize;
	disk->block = DISK_SECTOR;
	disk->physical = disk->io_min = disk->discard_align = (uint32_t)block;
}

/*
 * The smallest unit of direct I/O on a file: few kernels and file systems tell, so try. A unit that
 * is good for a length at offset 0 is good for offsets and buffers too.
 */
static int learn_direct_file(struct disk *disk, const char *path, struct error *err)
{
	void *page = mmap(NULL, FILE_BLOCK_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	uint32_t unit = DISK_SECTOR;
	ssize_t n = -1;
	int code = 0;

	if (page == MAP_FAILED)
		return error_set(err, errno, "disk '%s': %s", path, strerror(errno));
	for (; unit <= FILE_BLOCK_MAX && n < 0; unit *= 2) {
		n = pread(disk->fd, page, unit, 0);
		code = n < 0 ? errno : 0;
		if (n >= 0 || code != EINVAL)
			break;
	}
	munmap(page, FILE_BLOCK_MAX);
	if (code == EINVAL)
		return say_no_direct(path, err);
	if (code)
		return error_set(err, code, "disk '%s' cannot be read: %s", path, strerror(code));
	disk->block = unit;
	disk->physical = MAX(disk->physical, unit);
	return 0;
}

static int learn_geometry(struct disk *disk, const char *path, struct error *err)
{
	struct stat st;
	int r = 0;

	if (fstat(disk->fd, &st) < 0)
		return error_set(err, errno, "disk '%s': %s", path, strerror(errno));
	if (S_ISBLK(st.st_mode))
		learn_device(disk);
	else
		learn_file(disk);
	if (disk->direct && S_ISREG(st.st_mode))
		r = learn_direct_file(disk, path, err);
	if (r < 0)
		return r;
	disk->memory_align = disk->direct ? disk->block : 1;
	if (disk->direct && disk->size % disk->block)
		return error_set(err, EINVAL,
				 "disk '%s' has %llu bytes: direct I/O here needs a multiple of %u "
				 "('truncate -s %%%u FILE' rounds up), or leave out direct",
				 path, (unsigned long long)disk->size, disk->block, disk->block);
	return 0;
}

int disk_open(struct disk *disk, const char *path, bool readonly, bool direct, struct error *err)
{
	int r;

	*disk = (struct disk) {.fd = -1, .readonly = readonly, .direct = direct};
	r = open_file(disk, path, err);
	/* Whoever holds the lock may be about to change the size. */
	if (r == 0)
		r = disk_lock(disk->fd, path, readonly, err);
	if (r == 0)
		r = check_size(disk, path, err);
	if (r == 0)
		r = learn_geometry(disk, path, err);
	if (r < 0)
		disk_close(disk);
	return r;
}

void disk_close(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
}

int disk_size(const struct disk *disk, uint64_t *size)
{
	const off_t end = lseek(disk->fd, 0, SEEK_END);

	if (end < 0)
		return -errno;
	*size = ALIGN_DOWN((uint64_t)end, DISK_SECTOR);
	return 0;
}
