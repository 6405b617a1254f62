/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_suggest.c - which name is taken for the one that was meant.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

static const char *const names[] = {"kernel", "cmdline", "cpus", "acpi", "software-kvm"};

static const struct {
	const char *given;
	const char *meant; /* NULL: too far from all */
} cases[] = {
	{"kernal", "kernel"},
	{"kernle", "kernel"},
	{"kern", "kernel"},
	{"kkernel", "kernel"},
	{"cpu", "cpus"},
	{"cmd-line", "cmdline"},
	{"acip", "acpi"},
	{"software_kvm", "software-kvm"},
	{"softwarekvm", "software-kvm"},
	{"disk", NULL},
	{"", NULL},
	{"x", NULL},
	{"a-name-that-is-longer-than-any-option-there-could-be", NULL},
};

static void suggest_finds_the_nearest(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[64] = "";
		struct error err = {0};

		assert_int_equal(suggest_error(&err, "option", "--", cases[i].given, names,
					       ARRAY_SIZE(names), NULL),
				 -EINVAL);
		if (cases[i].meant)
			snprintf(want, sizeof(want), ": did you mean --%s? ", cases[i].meant);
		if (cases[i].meant ? !strstr(err.text, want) : !!strstr(err.text, "did you mean"))
			fail_msg("%s: %s", cases[i].given, err.text);
	}
}

static void suggest_prefers_the_hint(void **state)
{
	struct error err = {0};

	suggest_error(&err, "key", "", "cpu", names, ARRAY_SIZE(names), "acpi");
	assert_string_equal(err.text, "unknown key cpu: did you mean acpi? The others are kernel, "
				      "cmdline, cpus, software-kvm");
}

static void suggest_copes_with_one_name(void **state)
{
	struct error err = {0};

	suggest_error(&err, "key", "", "kernal", names, 1, NULL);
	assert_string_equal(err.text, "unknown key kernal: did you mean kernel?");
	suggest_error(&err, "key", "", "disk", names, 1, NULL);
	assert_string_equal(err.text, "unknown key disk: there are kernel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suggest_finds_the_nearest),
		cmocka_unit_test(suggest_prefers_the_hint),
		cmocka_unit_test(suggest_copes_with_one_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
