/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_error.c - the sentence that goes with an errno, and whose fault it is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"

static void set_formats_and_returns_the_code(void **state)
{
	struct error err;

	assert_int_equal(error_set(&err, ENOENT, "cannot open '%s': %d", "x", 7), -ENOENT);
	assert_string_equal(err.text, "cannot open 'x': 7");
	assert_int_equal(error_set(&err, EINVAL, "again"), -EINVAL);
	assert_string_equal(err.text, "again");
}

static void nobody_listens(void **state)
{
	assert_int_equal(error_set(NULL, EIO, "unheard"), -EIO);
	assert_int_equal(error_set_host(NULL, ENOENT, "unheard"), -ENOENT);
	error_prefix(NULL, "unheard");
}

static void control_characters_are_replaced(void **state)
{
	static const struct {
		const char *name, *from, *to;
	} cases[] = {
		{"escape sequence", "a\033[2Jb", "a?[2Jb"},
		{"line end", "one\r\ntwo\n", "one??two?"},
		{"tabulator and delete", "\t\177", "??"},
		{"C1 control sequence introducer in UTF-8", "a\302\2332Jb", "a??2Jb"},
		{"first and last C1", "\302\200\302\237", "????"},
		{"first letter after C1", "\302\240", "\302\240"},
		{"other letters in UTF-8", "Gr\303\274\303\237e \342\202\254",
		 "Gr\303\274\303\237e \342\202\254"},
		{"half a letter at the end", "a\302", "a\302"},
		{"nothing", "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err;
		char prefixed[64];

		error_set(&err, EINVAL, "%s", cases[i].from);
		if (strcmp(err.text, cases[i].to) != 0)
			fail_msg("%s: '%s'", cases[i].name, err.text);
		error_set(&err, EINVAL, "text");
		error_prefix(&err, "%s", cases[i].from);
		snprintf(prefixed, sizeof(prefixed), "%s: text", cases[i].to);
		if (strcmp(err.text, prefixed) != 0)
			fail_msg("%s in a prefix: '%s'", cases[i].name, err.text);
	}
}

static void code_tells_whose_fault_it_is(void **state)
{
	static const struct {
		const char *name;
		int code;
		bool host;
	} cases[] = {
		{"no memory", ENOMEM, true},
		{"no more descriptors", EMFILE, true},
		{"no more files", ENFILE, true},
		{"a disk fails", EIO, true},
		{"a file server is gone", ESTALE, true},
		{"a file server is silent", ETIMEDOUT, true},
		{"no more of a user's share", EDQUOT, true},
		{"a mistake in memory", EFAULT, true},
		{"an old kernel", ENOSYS, true},
		{"no buffers", ENOBUFS, true},
		{"no such file", ENOENT, false},
		{"not allowed", EACCES, false},
		{"not permitted", EPERM, false},
		{"a directory", EISDIR, false},
		{"not a kernel", ENOEXEC, false},
		{"a wrong value", EINVAL, false},
		{"guest memory too small", ENOSPC, false},
		{"too large for any", EFBIG, false},
		{"command line too long", E2BIG, false},
		{"file became shorter", ENODATA, false},
	};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		err.host = !cases[i].host;
		error_set(&err, cases[i].code, "%s", cases[i].name);
		if (err.host != cases[i].host)
			fail_msg("%s: host %d", cases[i].name, err.host);
		error_prefix(&err, "where");
		assert_int_equal(err.host, cases[i].host);
	}
	assert_int_equal(error_set_host(&err, ENOENT, "no %s", "/dev/ptmx\n"), -ENOENT);
	assert_true(err.host);
	assert_string_equal(err.text, "no /dev/ptmx?");
}

static void prefixes_pile_up_in_front(void **state)
{
	struct error err;

	error_set(&err, EINVAL, "not a number");
	error_prefix(&err, "%s=%s", "cpus", "x");
	error_prefix(&err, "file.json:%d:%d", 3, 9);
	assert_string_equal(err.text, "file.json:3:9: cpus=x: not a number");
}

static void long_text_is_cut(void **state)
{
	char text[2 * ERROR_TEXT_MAX];
	struct error err;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	/* The front of a prefix matters more than the end of the text. */
	error_prefix(&err, "where");
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "where: xxx", 10);
	error_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_memory_equal(err.text, text, ERROR_TEXT_MAX - 3);
	assert_string_equal(err.text + ERROR_TEXT_MAX - 3, ": ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_formats_and_returns_the_code),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(control_characters_are_replaced),
		cmocka_unit_test(code_tells_whose_fault_it_is),
		cmocka_unit_test(prefixes_pile_up_in_front),
		cmocka_unit_test(long_text_is_cut),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
