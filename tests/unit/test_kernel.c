/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kernel.c - what is said of files that are no kernel, and of an initramfs that is none.
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

#include "kernel_images.h"

#define LOW (64 * MIB)

/* The whole sentence is "@what '@path': @reason". */
static void assert_sentence(const char *name, const struct error *err, const char *what,
			    const char *path, const char *reason)
{
	char expected[ERROR_TEXT_MAX];

	snprintf(expected, sizeof(expected), "%s '%s': %s", what, path, reason);
	if (strcmp(err->text, expected) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", name, err->text, expected);
}

static int load_path(const char *kernel, const char *initramfs, struct error *err)
{
	struct test_machine machine;
	struct boot_entry entry;
	int r;

	machine_init(&machine, LOW, 0);
	machine.request.kernel = kernel;
	machine.request.initramfs = initramfs;
	*err = (struct error) {0};
	r = kernel_load(machine.gmem, &machine.request, &entry, err);
	machine_deinit(&machine);
	return r;
}

/* A file that begins with nothing but @magic at @offset. */
struct magic_case {
	const char *name;
	size_t offset;
	size_t n;
	const char *magic;
	const char *sentence;
};

#define MAGIC(bytes) sizeof(bytes) - 1, (bytes)
#define COMPRESSED(how, tool)                                                                      \
	"is compressed (" how "): decompress it first, for example with " tool                     \
	", or use the bzImage of the same kernel"
#define OTHER(what) "is a kernel for another architecture, " what ", and this is x86-64"

static const struct magic_case magic_cases[] = {
	{"arm64", 0x38, MAGIC("ARMd"), OTHER("aarch64 (an arm64 Image)")},
	{"riscv", 0x38, MAGIC("RSC\x05"), OTHER("riscv (a RISC-V Image)")},
	{"arm", 0x24, MAGIC("\x18\x28\x6f\x01"), OTHER("arm (a 32-bit zImage)")},
	{"zboot", 0, MAGIC("MZ\0\0zimg"),
	 "is a compressed EFI image, which only firmware can unpack"},
	{"uimage", 0, MAGIC("\x27\x05\x19\x56"),
	 "is a U-Boot image (uImage), not a bzImage or ELF vmlinux"},
	{"fit", 0, MAGIC("\xd0\x0d\xfe\xed"),
	 "is a device tree or FIT image, not a bzImage or ELF vmlinux"},
	{"gzip", 0, MAGIC("\x1f\x8b\x08"), COMPRESSED("gzip", "gunzip")},
	{"xz", 0, MAGIC("\xfd\x37zXZ\0"), COMPRESSED("xz", "unxz")},
	{"zstd", 0, MAGIC("\x28\xb5\x2f\xfd"), COMPRESSED("zstd", "unzstd")},
	{"bzip2", 0, MAGIC("BZh9"), COMPRESSED("bzip2", "bunzip2")},
	{"lzma", 0, MAGIC("\x5d\0\0\x80"), COMPRESSED("lzma", "unlzma")},
	{"lzo", 0, MAGIC("\x89LZO\0"), COMPRESSED("lzo", "lzop -d")},
	{"lz4", 0, MAGIC("\x04\x22\x4d\x18"), COMPRESSED("lz4", "unlz4")},
	{"lz4 legacy", 0, MAGIC("\x02\x21\x4c\x18"), COMPRESSED("lz4", "unlz4")},
	{"cpio", 0, MAGIC("070701"), "is a cpio archive, such as an initramfs, not a kernel"},
	{"cpio with checksums", 0, MAGIC("070702"),
	 "is a cpio archive, such as an initramfs, not a kernel"},
	{"library", 0, MAGIC("!<arch>\n"), "is a static library, not a kernel"},
	{"efi", 0, MAGIC("MZ\x90"), "is an EFI or Windows program without a Linux boot header"},
	{"boot sector", 510, MAGIC("\x55\xaa"),
	 "is a boot sector or disk image without a Linux boot header"},
	{"zeroes", 0, MAGIC("\0"), "is not a kernel: neither a bzImage nor an ELF vmlinux"},
	{"magic one byte off", 0x39, MAGIC("ARMd"),
	 "is not a kernel: neither a bzImage nor an ELF vmlinux"},
};

static void kernel_load_names_what_a_file_is(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(magic_cases); i++) {
		const struct magic_case *c = &magic_cases[i];
		char bytes[2048] = {0};
		struct image image;
		struct error err;

		memcpy(bytes + c->offset, c->magic, c->n);
		image_init(&image, bytes, sizeof(bytes));
		assert_int_equal(load_path(image.path, NULL, &err), -ENOEXEC);
		assert_sentence(c->name, &err, "kernel", image.path, c->sentence);
		image_deinit(&image);
	}
}

struct short_case {
	const char *name;
	const char *bytes;
	size_t n;
	const char *sentence;
};

#define BYTES(s) (s), sizeof(s) - 1

static const struct short_case short_cases[] = {
	{"empty", BYTES(""), "is empty"},
	{"one byte", BYTES("\x01"), "is not a kernel: neither a bzImage nor an ELF vmlinux"},
	{"one letter", BYTES("x"), "is a text file, not a kernel"},
	{"text", BYTES("#!/bin/sh\necho \"hello\"\n"), "is a text file, not a kernel"},
	{"text in UTF-8", BYTES("na\xc3\xafve\r\n"), "is a text file, not a kernel"},
	{"text with a NUL", BYTES("hello\0"),
	 "is not a kernel: neither a bzImage nor an ELF vmlinux"},
	{"gzip's magic only", BYTES("\x1f\x8b"), COMPRESSED("gzip", "gunzip")},
	{"escape sequence", BYTES("hello\x1b[0m"),
	 "is not a kernel: neither a bzImage nor an ELF vmlinux"},
	{"ELF magic cut off",
	 BYTES("\x7f"
	       "EL"),
	 "is not a kernel: neither a bzImage nor an ELF vmlinux"},
	{"ELF magic only",
	 BYTES("\x7f"
	       "ELF"),
	 "is truncated: it has 4 bytes, and its headers promise 64"},
};

static void kernel_load_names_short_files(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(short_cases); i++) {
		const struct short_case *c = &short_cases[i];
		struct image image;
		struct error err;

		image_init(&image, c->bytes, c->n);
		assert_int_equal(load_path(image.path, NULL, &err), -ENOEXEC);
		assert_sentence(c->name, &err, "kernel", image.path, c->sentence);
		image_deinit(&image);
	}
}

/* A folder with one of each kind of file that is not regular. */
struct folder {
	char path[64];
	char fifo[96];
	char socket[96];
	char link[96];
	char missing[96];
	int fd;
};

static int folder_setup(void **state)
{
	static struct folder folder = {.path = "/tmp/test_kernel.XXXXXX"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!mkdtemp(folder.path))
		return -1;
	snprintf(folder.fifo, sizeof(folder.fifo), "%s/fifo", folder.path);
	snprintf(folder.socket, sizeof(folder.socket), "%s/socket", folder.path);
	snprintf(folder.link, sizeof(folder.link), "%s/link", folder.path);
	snprintf(folder.missing, sizeof(folder.missing), "%s/missing", folder.path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder.socket);
	folder.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*state = &folder;
	if (mkfifo(folder.fifo, 0600) < 0 || symlink(folder.path, folder.link) < 0)
		return -1;
	return bind(folder.fd, (struct sockaddr *)&address, sizeof(address));
}

static int folder_teardown(void **state)
{
	struct folder *folder = *state;

	close(folder->fd);
	unlink(folder->fifo);
	unlink(folder->socket);
	unlink(folder->link);
	return rmdir(folder->path);
}

static void loading_refuses_what_is_no_regular_file(void **state)
{
	const struct folder *folder = *state;
	const struct {
		const char *path;
		int code;
		const char *reason;
	} cases[] = {
		{folder->path, -EISDIR, "is a directory, not a regular file"},
		{folder->link, -EISDIR, "is a directory, not a regular file"},
		{folder->fifo, -EINVAL, "is a FIFO, not a regular file"},
		{folder->socket, -EINVAL, "is a socket, not a regular file"},
		{"/dev/null", -EINVAL, "is a character device, not a regular file"},
		{folder->missing, -ENOENT, "No such file or directory"},
		{"", -ENOENT, "No such file or directory"},
	};
	struct image good;

	bzimage_init(&good, 0x1000);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err;

		assert_int_equal(load_path(cases[i].path, NULL, &err), cases[i].code);
		assert_sentence("kernel", &err, "kernel", cases[i].path, cases[i].reason);
		assert_int_equal(load_path(good.path, cases[i].path, &err), cases[i].code);
		assert_sentence("initramfs", &err, "initramfs", cases[i].path, cases[i].reason);
	}
	image_deinit(&good);
}

static void initramfs_must_not_be_empty(void **state)
{
	struct image good, empty;
	struct error err;

	bzimage_init(&good, 0x1000);
	image_init(&empty, "", 0);
	assert_int_equal(load_path(good.path, empty.path, &err), -ENOEXEC);
	assert_sentence("initramfs", &err, "initramfs", empty.path, "is empty");
	image_deinit(&empty);
	image_deinit(&good);
}

static unsigned int open_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void kernel_load_leaves_no_descriptor_open(void **state)
{
	struct image good, bad;
	struct error err;
	unsigned int before;

	bzimage_init(&good, 0x100000);
	image_init(&bad, "text", 4);
	before = open_descriptors();
	assert_int_equal(load_path(good.path, good.path, &err), 0);
	assert_int_equal(load_path(bad.path, NULL, &err), -ENOEXEC);
	assert_int_equal(load_path(good.path, "/", &err), -EISDIR);
	assert_int_equal(open_descriptors(), before);
	image_deinit(&bad);
	image_deinit(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_load_names_what_a_file_is),
		cmocka_unit_test(kernel_load_names_short_files),
		cmocka_unit_test_setup_teardown(loading_refuses_what_is_no_regular_file,
						folder_setup, folder_teardown),
		cmocka_unit_test(initramfs_must_not_be_empty),
		cmocka_unit_test(kernel_load_leaves_no_descriptor_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
