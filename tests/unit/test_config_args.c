/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_args.c - the command line: its forms, its mistakes, and how it and a file combine.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "vmm/config.h"

#define ARGS_MAX 12

/* Files of --config, in a folder of their own that is the working directory. */
static char folder[] = P_tmpdir "/test-config-XXXXXX";

static void write_file(const char *name, const char *text, size_t len)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int read_args(struct config *config, const char *const *args, enum config_action *action,
		     struct error *err)
{
	char *argv[ARGS_MAX + 2] = {strdup("vmm")};
	int argc = 1, r;

	for (; args[argc - 1]; argc++)
		argv[argc] = strdup(args[argc - 1]);
	config_init(config);
	r = config_from_args(config, argc, argv, action, err);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return r;
}

#define OTHER_OPTIONS                                                                               \
	"--initramfs, --initrd, --cmdline, --params, --cpus, --memory, --mem, --acpi, --no-acpi, "  \
	"--serial, --console, --disk, --media, --rng, --no-rng, --virtio, --loop, --software-kvm, " \
	"--no-software-kvm, --log-level, --verbose, --config, --dry-run, --check-host, "            \
	"--version, --help"

static const struct {
	const char *name;
	const char *args[ARGS_MAX];
	const char *sentence;
} mistakes[] = {
	{"no cpus", {"--cpus", "0"}, "--cpus: 0 is too small: it must be from 1 to 32"},
	{"33 cpus", {"-c33"}, "-c: 33 is too large: it must be from 1 to 32"},
	{"negative cpus", {"--cpus=-1"}, "--cpus: -1 is negative: it must be from 1 to 32"},
	{"cpus beyond 64 bits",
	 {"-c", "18446744073709551617"},
	 "-c: 18446744073709551617 is too large: it must be from 1 to 32"},
	{"cpus in words", {"-c", "two"}, "-c: 'two' is not a whole number"},
	{"garbage behind cpus", {"-c", "2x"}, "-c: '2x' is not a whole number"},
	{"plus sign", {"-c", "+2"}, "-c: '+2' is not a whole number"},
	{"blank in front", {"-c", " 2"}, "-c: ' 2' is not a whole number"},
	{"empty cpus", {"--cpus="}, "--cpus: the value is empty"},
	{"no cpus at all", {"--cpus"}, "--cpus lacks a value: --cpus N"},
	{"letter without value", {"-vk"}, "-k lacks a value: -k FILE"},
	{"enum without value", {"--loop"}, "--loop lacks a value: --loop auto|uring|epoll"},
	{"option instead of a value",
	 {"-k", "--initrd", "x"},
	 "-k lacks a value: -k FILE (if --initrd is meant as one: --kernel=--initrd)"},
	{"empty kernel", {"--kernel", ""}, "--kernel: the value is empty"},
	{"kernel not in UTF-8", {"-k", "ab\xff"}, "-k: byte 3 is not valid UTF-8"},
	{"memory too small",
	 {"--memory", "1M"},
	 "--memory: size: 1M is too small: it must be from 16M to 4T"},
	{"memory too large",
	 {"--mem", "1024T"},
	 "--mem: size: 1024T is too large: it must be from 16M to 4T"},
	{"memory beyond 64 bits",
	 {"-m", "99999999999999999999G"},
	 "-m: size: 99999999999999999999G is too large: it must be from 16M to 4T"},
	{"memory without unit",
	 {"-m", "512"},
	 "-m: size: 512 means bytes, which is too small: write 512M for that many MiB"},
	{"huge and transparent",
	 {"-m", "1G,hugepages,thp"},
	 "-m: hugepages=on and thp=on exclude each other: pages of the hugepages pool are never "
	 "transparent ones"},
	{"odd size of huge pages",
	 {"-m", "17M,hugepages=on"},
	 "-m: with hugepages=on the size is a multiple of 2M"},
	{"serial file without path",
	 {"--serial", "file"},
	 "--serial: no file is named: write file=PATH"},
	{"serial file and pty",
	 {"--serial", "pty,file=x"},
	 "--serial: kind=pty and file=PATH exclude each other"},
	{"socket without path",
	 {"--console", "socket"},
	 "--console: no socket is named: write socket=PATH"},
	{"console twice", {"--console", "pty", "--console", "pty"}, "--console is given twice"},
	{"disk without a value", {"--disk"}, "--disk lacks a value: --disk PATH[,KEY=VALUE...]"},
	{"empty disk", {"--disk", "a", "--disk="}, "--disk: the value is empty"},
	{"disk without path",
	 {"--disk", "a", "--disk", "readonly"},
	 "--disk 'readonly': no image is named: write path=PATH"},
	{"unknown key of the second disk",
	 {"--disk", "a", "--disk", "b,directt", "--disk", "c"},
	 "--disk 'b,directt': unknown key directt: did you mean direct? The others are path, "
	 "readonly, id, discard"},
	{"key of a disk twice",
	 {"--disk", "a,direct,direct=off"},
	 "--disk 'a,direct,direct=off': direct is given twice"},
	{"id too long",
	 {"--disk=a,id=123456789012345678901"},
	 "--disk 'a,id=123456789012345678901': id: '123456789012345678901' is 21 bytes long: at "
	 "most 20 are possible"},
	{"disk twice",
	 {"--disk", "a,readonly", "--disk", "b", "--disk", "path=a"},
	 "--disk 'path=a': the path 'a' is that of another disk already: each disk needs an image "
	 "of its own"},
	{"virtio off", {"--virtio", "off"}, "--virtio: unknown key off: there are packed"},
	{"serial and console on stdio",
	 {"--console", "stdio", "--serial", "stdio"},
	 "serial and console both lead to stdio, which only one of them can have: say --serial off"},
	{"console on stdio, serial in the file",
	 {"--config", "serial", "--console", "stdio"},
	 "serial and console both lead to stdio, which only one of them can have: say --serial off"},
	{"unknown loop",
	 {"--loop", "urign"},
	 "--loop: unknown value urign: did you mean uring? The others are auto, epoll"},
	{"near option",
	 {"--kernle", "x"},
	 "unknown option --kernle: did you mean --kernel? The others are " OTHER_OPTIONS},
	{"near option with value",
	 {"--kernle=x"},
	 "unknown option --kernle: did you mean --kernel? The others are " OTHER_OPTIONS},
	{"far option",
	 {"--frobnicate"},
	 "unknown option --frobnicate: there are --kernel, " OTHER_OPTIONS},
	{"unknown letter", {"-x"}, "unknown option -x: there are -k, -i, -p, -c, -m, -v, -h"},
	{"unknown letter in a row",
	 {"-vx"},
	 "unknown option -x: there are -k, -i, -p, -c, -m, -v, -h"},
	{"wrong value of a switch", {"--acpi=maybe"}, "--acpi: 'maybe' is neither on nor off"},
	{"empty value of a switch", {"--rng="}, "--rng: the value is empty"},
	{"word behind a switch",
	 {"--rng", "maybe"},
	 "unexpected argument 'maybe': a kernel is named with --kernel FILE, other options are "
	 "listed by --help"},
	{"value of a negated switch",
	 {"--no-acpi=on"},
	 "--no-acpi takes no value: say --acpi or --no-acpi"},
	{"value of an action", {"--dry-run=yes"}, "--dry-run takes no value"},
	{"twice", {"--cpus", "1", "--cpus", "1"}, "--cpus is given twice"},
	{"twice by letter", {"--cpus", "1", "-c1"}, "--cpus is given twice"},
	{"twice by alias",
	 {"--memory", "1G", "--mem", "1G"},
	 "--mem: that is --memory, which is given already"},
	{"config twice", {"--config", "a", "--config", "a"}, "--config is given twice"},
	{"action twice", {"--dry-run", "--dry-run"}, "--dry-run is given twice"},
	{"switch twice", {"--no-acpi", "--no-acpi"}, "--no-acpi is given twice"},
	{"switch twice, by value", {"--rng=off", "--rng", "on"}, "--rng is given twice"},
	{"switch on and off", {"--acpi", "--no-acpi"}, "--acpi and --no-acpi exclude each other"},
	{"switch off and on", {"--no-acpi", "--acpi"}, "--acpi and --no-acpi exclude each other"},
	{"two actions",
	 {"--check-host", "--dry-run"},
	 "--check-host and --dry-run exclude each other"},
	{"argument",
	 {"bzImage"},
	 "unexpected argument 'bzImage': a kernel is named with --kernel FILE, other options are "
	 "listed by --help"},
	{"lone dash",
	 {"-"},
	 "unexpected argument '-': a kernel is named with --kernel FILE, other options are listed by "
	 "--help"},
	{"argument behind --",
	 {"-k", "x", "--", "-c"},
	 "unexpected argument '-c': nothing may follow --"},
	{"config without a name", {"--config", ""}, "--config: the value is empty"},
	{"config is missing",
	 {"--config", "none"},
	 "cannot open configuration file 'none': No such file or directory"},
	{"config behind a file",
	 {"--config", "good/x"},
	 "cannot open configuration file 'good/x': Not a directory"},
	{"config is a directory", {"--config", "."}, "configuration file '.' is a directory"},
	{"config is empty", {"--config", "empty"}, "configuration file 'empty' is empty"},
	{"config is too large",
	 {"--config", "large"},
	 "configuration file 'large' is larger than 1 MiB"},
	{"mistake in the file",
	 {"--config", "bad"},
	 "bad:2:8: cpus: 33 is too large: it must be from "
	 "1 to 32"},
	{"mistake in the file, overridden",
	 {"--config", "bad", "--cpus", "4"},
	 "bad:2:8: cpus: 33 is too large: it must be from 1 to 32"},
	{"control character",
	 {"\033[2J"},
	 "unexpected argument '?[2J': a kernel is named with "
	 "--kernel FILE, other options are listed by --help"},
};

static void args_names_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct error err = {0};
		struct config config;
		enum config_action action;
		int r = read_args(&config, mistakes[i].args, &action, &err);

		config_deinit(&config);
		if (r >= 0 || strcmp(err.text, mistakes[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", mistakes[i].name, r, err.text);
	}
}

static void args_cuts_long_mistakes(void **state)
{
	char value[5000];
	const char *const args[] = {"--cpus", value, NULL};
	struct error err = {0};
	struct config config;
	enum config_action action;

	memset(value, '9', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(read_args(&config, args, &action, &err), -EINVAL);
	config_deinit(&config);
	assert_non_null(strstr(err.text, "is too large: it must be from 1 to 32"));
}

/* What a good command line makes; strings NULL and numbers 0 mean the default. */
static const struct {
	const char *name;
	const char *args[ARGS_MAX];
	struct config config;
	bool no_acpi, no_rng, split;
	enum config_action action;
} good[] = {
	{.name = "nothing"},
	{.name = "long with blank", .args = {"--cpus", "4"}, .config = {.cpus = 4}},
	{.name = "long with =", .args = {"--cpus=4"}, .config = {.cpus = 4}},
	{.name = "letter with blank", .args = {"-c", "4"}, .config = {.cpus = 4}},
	{.name = "letter without blank", .args = {"-c32"}, .config = {.cpus = 32}},
	{.name = "end of options", .args = {"-c4", "--"}, .config = {.cpus = 4}},
	{.name = "value with =",
	 .args = {"--cmdline=a=b"},
	 .config = {.cmdline = (char[]) {"a=b"}}},
	{.name = "empty text", .args = {"--cmdline", ""}, .config = {.cmdline = (char[]) {""}}},
	{.name = "text like options",
	 .args = {"-p", "-- -v"},
	 .config = {.cmdline = (char[]) {"-- -v"}}},
	{.name = "option as value",
	 .args = {"--kernel=--cpus"},
	 .config = {.kernel = (char[]) {"--cpus"}}},
	{.name = "letters in a row",
	 .args = {"-vkx"},
	 .config = {.kernel = (char[]) {"x"}, .log_level = LOG_LEVEL_INFO}},
	{.name = "aliases",
	 .args = {"--initrd", "i", "--params", "p", "--mem", "1G"},
	 .config = {.initramfs = (char[]) {"i"},
		    .cmdline = (char[]) {"p"},
		    .memory = {.size = GIB}}},
	{.name = "path is no list",
	 .args = {"-k", "a,b\\"},
	 .config = {.kernel = (char[]) {"a,b\\"}}},
	{.name = "path in UTF-8",
	 .args = {"-k", "\xc3\xa9"},
	 .config = {.kernel = (char[]) {"\xc3\xa9"}}},
	{.name = "switch off", .args = {"--no-acpi"}, .no_acpi = true},
	{.name = "switch off, by value", .args = {"--acpi=off"}, .no_acpi = true},
	{.name = "switch off, by word",
	 .args = {"--rng", "off", "-v"},
	 .no_rng = true,
	 .config = {.log_level = LOG_LEVEL_INFO}},
	{.name = "switch off, in other words", .args = {"--rng=no"}, .no_rng = true},
	{.name = "switch on, by value",
	 .args = {"--software-kvm=on"},
	 .config = {.software_kvm = true}},
	{.name = "switch on, by word",
	 .args = {"--software-kvm", "on"},
	 .config = {.software_kvm = true}},
	{.name = "no rng", .args = {"--no-rng"}, .no_rng = true},
	{.name = "split virtqueues", .args = {"--virtio", "packed=off"}, .split = true},
	{.name = "packed virtqueues", .args = {"--virtio", "packed"}},
	{.name = "switch on",
	 .args = {"--acpi", "--software-kvm"},
	 .config = {.software_kvm = true}},
	{.name = "loop", .args = {"--loop", "epoll"}, .config = {.loop = LOOP_EPOLL}},
	{.name = "v", .args = {"-v"}, .config = {.log_level = LOG_LEVEL_INFO}},
	{.name = "vv", .args = {"-vv"}, .config = {.log_level = LOG_LEVEL_DEBUG}},
	{.name = "vvvvv",
	 .args = {"-vv", "-v", "--verbose", "-v"},
	 .config = {.log_level = LOG_LEVEL_DEBUG}},
	{.name = "v from a level",
	 .args = {"-vv", "--log-level", "error"},
	 .config = {.log_level = LOG_LEVEL_INFO}},
	{.name = "dry run", .args = {"--dry-run"}, .action = CONFIG_DRY_RUN},
	{.name = "check host", .args = {"--check-host"}, .action = CONFIG_CHECK_HOST},
	{.name = "version ends reading",
	 .args = {"--version", "--bogus"},
	 .action = CONFIG_VERSION},
	{.name = "help ends reading",
	 .args = {"--dry-run", "-h", "--bogus"},
	 .action = CONFIG_HELP},
	{.name = "file",
	 .args = {"--config", "good"},
	 .config = {.kernel = (char[]) {"file"}, .cpus = 2, .memory = {.size = GIB, .thp = true}}},
	{.name = "file and others",
	 .args = {"--config", "good", "-p", "x"},
	 .config = {.kernel = (char[]) {"file"},
		    .cmdline = (char[]) {"x"},
		    .cpus = 2,
		    .memory = {.size = GIB, .thp = true}}},
	{.name = "command line wins, in front",
	 .args = {"-k", "args", "--mem", "2G", "--config", "good"},
	 .config = {.kernel = (char[]) {"args"}, .cpus = 2, .memory = {.size = 2 * GIB}}},
	{.name = "command line wins, behind",
	 .args = {"--config=good", "-m2G", "-kargs"},
	 .config = {.kernel = (char[]) {"args"}, .cpus = 2, .memory = {.size = 2 * GIB}}},
	{.name = "v from a file's level",
	 .args = {"-v", "--config", "quiet"},
	 .config = {.log_level = LOG_LEVEL_WARNING}},
	{.name = "file of the largest size", .args = {"--config", "full"}, .config = {.cpus = 3}},
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void args_reads_options(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct config *want = &good[i].config;
		struct error err = {0};
		enum config_action action = CONFIG_VERSION;
		struct config got;
		int r = read_args(&got, good[i].args, &action, &err);

		if (r < 0)
			fail_msg("%s: %s", good[i].name, err.text);
		if (action != good[i].action || !same_text(got.kernel, want->kernel) ||
		    !same_text(got.initramfs, want->initramfs) ||
		    !same_text(got.cmdline, want->cmdline) || got.cpus != (want->cpus ?: 1) ||
		    got.memory.size != (want->memory.size ?: 512 * MIB) ||
		    got.memory.thp != want->memory.thp || got.acpi != !good[i].no_acpi ||
		    got.rng != !good[i].no_rng || got.virtio.packed != !good[i].split ||
		    got.software_kvm != want->software_kvm || got.loop != want->loop ||
		    got.log_level != (want->log_level ?: LOG_LEVEL_WARNING))
			fail_msg("%s: read wrongly", good[i].name);
		config_deinit(&got);
	}
}

static void args_reads_a_pipe(void **state)
{
	static const char text[] = "{\"cpus\": 5}";
	char path[32];
	const char *const args[] = {"--config", path, NULL};
	struct error err = {0};
	enum config_action action;
	struct config config;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, sizeof(text) - 1), sizeof(text) - 1);
	close(fds[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_int_equal(read_args(&config, args, &action, &err), 0);
	assert_int_equal(config.cpus, 5);
	close(fds[0]);
	config_deinit(&config);
}

static void args_may_be_missing_altogether(void **state)
{
	char *argv[] = {NULL};
	struct error err = {0};
	enum config_action action = CONFIG_HELP;
	struct config config;

	config_init(&config);
	assert_int_equal(config_from_args(&config, 0, argv, &action, &err), 0);
	assert_int_equal(action, CONFIG_RUN);
	config_deinit(&config);
}

static const char *const files[] = {"good", "quiet", "bad", "empty", "large", "full", "serial"};

static int make_files(void **state)
{
	static const char full[] = "{\"cpus\": 3}";
	char *large = malloc(MIB + 1);

	if (!large || !mkdtemp(folder) || chdir(folder) < 0)
		return -1;
	memset(large, ' ', MIB + 1);
	memcpy(large, full, sizeof(full) - 1);
	write_file("large", large, MIB + 1);
	write_file("full", large, MIB);
	free(large);
#define WRITE(name, text) write_file(name, text, strlen(text))
	WRITE("good", "{\"kernel\": \"file\", \"cpus\": 2, \"memory\": \"1G,thp\"}\n");
	WRITE("quiet", "{\"log-level\": \"error\"}");
	WRITE("bad", "{\n\"cpus\":33}");
	WRITE("serial", "{\"serial\": \"stdio\"}");
	WRITE("empty", "");
	return 0;
}

static int remove_files(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (unlink(files[i]) < 0)
			return -1;
	return chdir("/") < 0 || rmdir(folder) < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(args_names_mistakes),
		cmocka_unit_test(args_cuts_long_mistakes),
		cmocka_unit_test(args_reads_options),
		cmocka_unit_test(args_reads_a_pipe),
		cmocka_unit_test(args_may_be_missing_altogether),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
