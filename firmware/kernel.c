/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel.c - open a kernel file, recognise what it is, hand it to its loader. See firmware.h.
 *
 * A file that is no kernel for this machine gets a sentence that says what it is instead: the
 * usual mistakes are a compressed vmlinux, an image for another architecture, an initramfs in the
 * kernel's place. Main thread.
 */
#include "firmware/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/x86_64/memory_map.h"

/* What a file that cannot be booted may be. The first match counts. */
struct file_kind {
	size_t offset;
	size_t size; /* of .magic */
	const char *magic;
	const char *sentence;
};

#define MAGIC(bytes) sizeof(bytes) - 1, (bytes) /* .size, .magic */

#define COMPRESSED(how, tool)                                                                      \
	"is compressed (" how "): decompress it first, for example with " tool                     \
	", or use the bzImage of the same kernel"
#define OTHER_ARCH(name) "is a kernel for another architecture, " name ", and this is x86-64"

static const struct file_kind kinds[] = {
	{0x38, MAGIC("ARM\x64"), OTHER_ARCH("aarch64 (an arm64 Image)")},
	{0x38, MAGIC("RSC\x05"), OTHER_ARCH("riscv (a RISC-V Image)")},
	{0, MAGIC("MZ\0\0zimg"), "is a compressed EFI image, which only firmware can unpack"},
	{0x24, MAGIC("\x18\x28\x6f\x01"), OTHER_ARCH("arm (a 32-bit zImage)")},
	{0, MAGIC("\x27\x05\x19\x56"), "is a U-Boot image (uImage), not a bzImage or ELF vmlinux"},
	{0, MAGIC("\xd0\x0d\xfe\xed"),
	 "is a device tree or FIT image, not a bzImage or ELF vmlinux"},
	{0, MAGIC("\x1f\x8b"), COMPRESSED("gzip", "gunzip")},
	{0, MAGIC("\xfd\x37zXZ\0"), COMPRESSED("xz", "unxz")},
	{0, MAGIC("\x28\xb5\x2f\xfd"), COMPRESSED("zstd", "unzstd")},
	{0, MAGIC("BZh"), COMPRESSED("bzip2", "bunzip2")},
	{0, MAGIC("\x5d\0\0"), COMPRESSED("lzma", "unlzma")},
	{0, MAGIC("\x89LZO"), COMPRESSED("lzo", "lzop -d")},
	{0, MAGIC("\x02\x21\x4c\x18"), COMPRESSED("lz4", "unlz4")},
	{0, MAGIC("\x04\x22\x4d\x18"), COMPRESSED("lz4", "unlz4")},
	{0, MAGIC("070701"), "is a cpio archive, such as an initramfs, not a kernel"},
	{0, MAGIC("070702"), "is a cpio archive, such as an initramfs, not a kernel"},
	{0, MAGIC("!<arch>\n"), "is a static library, not a kernel"},
	{0, MAGIC("MZ"), "is an EFI or Windows program without a Linux boot header"},
	{0x1fe, MAGIC("\x55\xaa"), "is a boot sector or disk image without a Linux boot header"},
};

int kernel_error(const struct kernel_file *file, struct error *err, int code, const char *fmt, ...)
{
	char reason[ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return error_set(err, code, "kernel '%s': %s", file->path, reason);
}

/* What a file is that has no bytes to load, or NULL. */
static const char *irregular(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return NULL;
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFBLK:
		return "a block device";
	case S_IFCHR:
		return "a character device";
	default:
		return "of a kind that cannot be loaded";
	}
}

static int check_stat(const char *what, const char *path, const struct stat *st, struct error *err)
{
	const char *kind = irregular(st->st_mode);

	if (kind)
		return error_set(err, S_ISDIR(st->st_mode) ? EISDIR : EINVAL,
				 "%s '%s': is %s, not a regular file", what, path, kind);
	return 0;
}

int image_open(const char *what, const char *path, uint64_t *size, struct error *err)
{
	struct stat st;
	int fd, r;

	/* Asked before it is opened, since to open a device may already do something. */
	if (stat(path, &st) < 0)
		return error_set(err, errno, "%s '%s': %s", what, path, strerror(errno));
	r = check_stat(what, path, &st, err);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set(err, errno, "%s '%s': cannot be opened: %s", what, path,
				 strerror(errno));
	if (fstat(fd, &st) < 0)
		r = error_set(err, errno, "%s '%s': %s", what, path, strerror(errno));
	else
		r = check_stat(what, path, &st, err);
	if (r == 0 && st.st_size <= 0)
		r = error_set(err, ENOEXEC, "%s '%s': is empty", what, path);
	if (r < 0) {
		close(fd);
		return r;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

int image_read(int fd, void *to, size_t len, uint64_t offset)
{
	uint8_t *at = to;

	while (len > 0) {
		ssize_t r = pread(fd, at, len, (off_t)offset);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ENODATA;
		at += r;
		offset += (uint64_t)r;
		len -= (size_t)r;
	}
	return 0;
}

int kernel_read(const struct kernel_file *file, struct gmem *gmem, uint64_t gpa, uint64_t offset,
		uint64_t len, struct error *err)
{
	int r = gmem_read_file(gmem, gpa, file->fd, offset, len);

	if (r == -ENODATA)
		return kernel_error(file, err, ENODATA, "became shorter while it was read");
	if (r < 0)
		return kernel_error(file, err, -r, "cannot be read: %s", strerror(-r));
	return 0;
}

int kernel_write_cmdline(const struct kernel_file *file, struct gmem *gmem,
			 const struct boot_request *request, uint64_t max, struct error *err)
{
	const size_t len = strlen(request->cmdline);
	int r;

	max = MIN(max, MAP_CMDLINE_MAX - 1);
	if (len > max)
		return kernel_error(file, err, E2BIG,
				    "the command line has %zu bytes, and this kernel takes at most "
				    "%" PRIu64,
				    len, max);
	r = gmem_write(gmem, MAP_CMDLINE, request->cmdline, len + 1);
	if (r < 0)
		return kernel_error(file, err, -r, "there is no memory for the command line");
	return 0;
}

int kernel_check_end(const struct kernel_file *file, const struct boot_request *request,
		     uint64_t end, struct error *err)
{
	const uint64_t have = ram_end(request, MAP_HIGH);

	if (end <= have)
		return 0;
	if (end > MAP_HOLE)
		return kernel_error(file, err, EFBIG,
				    "is too large for any memory: it needs the first %llu MiB to "
				    "start, and no more than %llu MiB are in one piece",
				    size_mib(end), size_mib(MAP_HOLE));
	return kernel_error(file, err, ENOSPC,
			    "is too large for %llu MiB of memory: it needs %llu MiB to start",
			    (unsigned long long)(have / MIB), size_mib(end));
}

uint64_t ram_end(const struct boot_request *request, uint64_t gpa)
{
	for (size_t i = 0; i < request->memmap_n; i++) {
		const struct memmap_entry *entry = &request->memmap[i];

		if (entry->type == MEMMAP_RAM && gpa >= entry->gpa &&
		    gpa - entry->gpa < entry->size)
			return entry->gpa + entry->size;
	}
	return 0;
}

static bool is_text(const struct kernel_file *file)
{
	for (size_t i = 0; i < file->head_n; i++) {
		const uint8_t c = file->head[i];

		if (c == '\0' || c == 0x7f || (c < 0x20 && !strchr("\t\n\f\r", c)))
			return false;
	}
	return true;
}

static int refuse(const struct kernel_file *file, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct file_kind *kind = &kinds[i];

		if (kind->offset + kind->size <= file->head_n &&
		    memcmp(file->head + kind->offset, kind->magic, kind->size) == 0)
			return kernel_error(file, err, ENOEXEC, "%s", kind->sentence);
	}
	if (is_text(file))
		return kernel_error(file, err, ENOEXEC, "is a text file, not a kernel");
	return kernel_error(file, err, ENOEXEC,
			    "is not a kernel: neither a bzImage nor an ELF vmlinux");
}

int kernel_load(struct gmem *gmem, const struct boot_request *request, struct boot_entry *entry,
		struct error *err)
{
	struct kernel_file file = {.path = request->kernel};
	_cleanup_(closep) int fd = -1;
	int r;

	fd = image_open("kernel", file.path, &file.size, err);
	if (fd < 0)
		return fd;
	file.fd = fd;
	file.head_n = (size_t)MIN(file.size, (uint64_t)KERNEL_HEAD_MAX);
	r = image_read(fd, file.head, file.head_n, 0);
	if (r < 0)
		return kernel_error(&file, err, -r, "cannot be read: %s", strerror(-r));
	if (bzimage_check(&file))
		return bzimage_load(gmem, request, &file, entry, err);
	if (pvh_check(&file))
		return pvh_load(gmem, request, &file, entry, err);
	return refuse(&file, err);
}
