/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_list.c - options that may be repeated, on a list that is only the test's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

struct port {
	char *name;
	unsigned int number;
	bool open;
};

struct machine {
	unsigned int other;
	struct port *ports;
	size_t ports_n;
};

static int settle_port(void *value, uint64_t given, struct error *err)
{
	const struct port *port = value;

	return port->name ? 0 : error_set(err, EINVAL, "no name");
}

static int check_ports(const void *items, size_t n, struct error *err)
{
	const struct port *ports = items;

	for (size_t i = 0; i + 1 < n; i++)
		if (ports[i].number == ports[n - 1].number)
			return error_set(err, EINVAL, "number %u again", ports[i].number);
	return 0;
}

static const struct config_field fields[] = {
	{.name = "name", .arg = "NAME", .type = FIELD_TEXT, .offset = offsetof(struct port, name)},
	{.name = "number",
	 .arg = "N",
	 .type = FIELD_UINT,
	 .max = 99,
	 .offset = offsetof(struct port, number)},
	{.name = "open", .type = FIELD_BOOL, .offset = offsetof(struct port, open)},
};

static const struct config_composite keys = {
	.fields = fields,
	.fields_n = ARRAY_SIZE(fields),
	.settle = settle_port,
};

static const struct port defaults = {.number = 7, .open = true};

static const struct config_list list = {
	.count = offsetof(struct machine, ports_n),
	.item_size = sizeof(struct port),
	.item_defaults = &defaults,
	.max = 3,
	.check = check_ports,
};

static const struct config_field ports = {
	.name = "port",
	.type = FIELD_LIST,
	.offset = offsetof(struct machine, ports),
	.composite = &keys,
	.list = &list,
};

static const struct {
	const char *text;
	struct port port;
} good[] = {
	{"a", {(char[]) {"a"}, 7, true}},
	{"b,number=1,open=off", {(char[]) {"b"}, 1, false}},
	{"open=off,number=2,name=c", {(char[]) {"c"}, 2, false}},
};

static void list_keeps_items_in_order(void **state)
{
	struct machine machine = {.other = 5};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (field_parse(&ports, &machine, good[i].text, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		assert_int_equal(list_count(&ports, &machine), i + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct port *port = list_item(&ports, &machine, i);

		assert_ptr_equal(port, &machine.ports[i]);
		assert_string_equal(port->name, good[i].port.name);
		assert_int_equal(port->number, good[i].port.number);
		assert_int_equal(port->open, good[i].port.open);
	}
	field_free(&ports, &machine);
	assert_null(machine.ports);
	assert_int_equal(machine.ports_n, 0);
	assert_int_equal(machine.other, 5);
}

/* What was read of a refused item is the list's and goes with it: see the sanitizer. */
static void list_refuses_items(void **state)
{
	static const struct {
		const char *name;
		const char *texts[5]; /* the last of them is wrong */
		const char *sentence;
	} rows[] = {
		{"empty", {""}, "the value is empty"},
		{"unknown key",
		 {"a", "b,nunber=2"},
		 "unknown key nunber: did you mean number? The others are name, open"},
		{"key twice", {"a,open,open"}, "open is given twice"},
		{"key of another item does not count", {"a", "number=2"}, "no name"},
		{"wrong value",
		 {"a,number=100"},
		 "number: 100 is too large: it must be from 0 to 99"},
		{"two alike", {"a", "b,number=2", "c"}, "number 7 again"},
		{"too many",
		 {"a", "b,number=2", "c,number=3", "d,number=4"},
		 "there are 3 before it, and no more are possible"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine machine = {0};
		struct error err = {0};
		int r = 0;

		for (size_t j = 0; rows[i].texts[j]; j++) {
			if (r < 0)
				fail_msg("%s: %s", rows[i].name, err.text);
			r = field_parse(&ports, &machine, rows[i].texts[j], &err);
		}
		if (r != -EINVAL || strcmp(err.text, rows[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", rows[i].name, r, err.text);
		field_free(&ports, &machine);
	}
}

static void list_without_a_check_takes_two_alike(void **state)
{
	const struct config_list unchecked = {
		.count = list.count,
		.item_size = list.item_size,
		.item_defaults = list.item_defaults,
		.max = 2,
	};
	const struct config_field any = {
		.type = FIELD_LIST,
		.offset = ports.offset,
		.composite = &keys,
		.list = &unchecked,
	};
	struct machine machine = {0};
	struct error err = {0};

	assert_int_equal(field_parse(&any, &machine, "a", &err), 0);
	assert_int_equal(field_parse(&any, &machine, "a", &err), 0);
	assert_int_equal(machine.ports_n, 2);
	list_free(&any, &machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_keeps_items_in_order),
		cmocka_unit_test(list_refuses_items),
		cmocka_unit_test(list_without_a_check_takes_two_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
