/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json_locate.c - where in a JSON text a value stands. See json_locate.h.
 *
 * A walk over the tokens of RFC 8259 that trusts their order, since a parser has accepted it, but
 * not the end of the text. Runs only after a mistake was found.
 */
#include "vmm/json_locate.h"

#include <string.h>

struct json_place json_place_at(const char *text, size_t offset)
{
	struct json_place place = {.line = 1, .column = 1};

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			place.line++;
			place.column = 1;
		} else if ((text[i] & 0xc0) != 0x80) { /* not a later byte of a character */
			place.column++;
		}
	}
	return place;
}

static size_t skip_space(const char *text, size_t len, size_t at)
{
	while (at < len && strchr(" \t\r\n", text[at]) && text[at])
		at++;
	return at;
}

/* @at is at the opening quote; returns what follows the closing one. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
	for (at++; at < len && text[at] != '"'; at++)
		if (text[at] == '\\')
			at++;
	return MIN(at + 1, len);
}

static size_t skip_value(const char *text, size_t len, size_t at)
{
	size_t depth = 0;

	while (at < len) {
		switch (text[at]) {
		case '"':
			at = skip_string(text, len, at);
			break;
		case '{':
		case '[':
			depth++;
			at++;
			break;
		case '}':
		case ']':
			if (depth == 0)
				return at;
			depth--;
			at++;
			break;
		case ',':
			if (depth == 0)
				return at;
			at++;
			break;
		default:
			at++;
		}
	}
	return at;
}

/* Four hexadecimal digits; other characters count as 0. */
static uint32_t hex4(const char *digits)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	uint32_t value = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *at = memchr(hex, digits[i], sizeof(hex) - 1);
		uint32_t digit = at ? (uint32_t)(at - hex) : 0;

		value = value << 4 | (digit > 15 ? digit - 6 : digit);
	}
	return value;
}

/* Return: bytes of @code as UTF-8 in @to. */
static size_t put_utf8(uint32_t code, char to[4])
{
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	if (len == 1) {
		to[0] = (char)code;
		return 1;
	}
	for (size_t i = len - 1; i > 0; i--, code >>= 6)
		to[i] = (char)(0x80 | (code & 0x3f));
	to[0] = (char)(0xf00 >> len | code);
	return len;
}

/*
 * Decode the character or escape at *@at, which lies before @end (RFC 8259, section 7).
 * Return: its bytes in @to; *@at is behind it.
 */
static size_t next_char(const char **at, const char *end, char to[4])
{
	static const char escapes[] = "b\bf\fn\nr\rt\t";
	const char *escape = *at + 1;
	uint32_t code;

	if (**at != '\\' || escape == end) {
		to[0] = *(*at)++;
		return 1;
	}
	*at += 2;
	if (*escape != 'u' || end - escape < 5) {
		const char *plain = memchr(escapes, *escape, sizeof(escapes) - 1);

		to[0] = plain ? plain[1] : *escape; /* a quote, backslash or slash is itself */
		return 1;
	}
	code = hex4(escape + 1);
	*at += 4;
	if (code >> 10 == 0x36 && end - *at >= 6) { /* the first of a pair of surrogates */
		code = 0x10000 + ((code & 0x3ff) << 10 | (hex4(*at + 2) & 0x3ff));
		*at += 6;
	}
	return put_utf8(code, to);
}

/* The string token of @len bytes, quotes included, stands for @key. */
static bool string_is(const char *token, size_t len, const char *key)
{
	const char *at = token + 1, *end = token + len - 1;

	if (len < 2)
		return false;
	while (at < end) {
		char bytes[4];
		size_t n = next_char(&at, end, bytes);

		if (strncmp(bytes, key, n) != 0)
			return false;
		key += n;
	}
	return !*key;
}

/*
 * Find @key in the object at @at.
 * Return: whether it is there; then *@key_at and *@value_at say where.
 */
static bool find_key(const char *text, size_t len, size_t at, const char *key, size_t *key_at,
		     size_t *value_at)
{
	if (at >= len || text[at] != '{')
		return false;
	at = skip_space(text, len, at + 1);
	while (at < len && text[at] == '"') {
		size_t end = skip_string(text, len, at);

		*key_at = at;
		at = skip_space(text, len, end);
		if (at < len && text[at] == ':')
			at = skip_space(text, len, at + 1);
		*value_at = at;
		if (string_is(text + *key_at, end - *key_at, key))
			return true;
		at = skip_value(text, len, at);
		if (at < len && text[at] == ',')
			at = skip_space(text, len, at + 1);
	}
	return false;
}

/* Find element @index of the array at @at. Return: whether it is there; then *@value_at. */
static bool find_element(const char *text, size_t len, size_t at, size_t index, size_t *value_at)
{
	if (at >= len || text[at] != '[')
		return false;
	at = skip_space(text, len, at + 1);
	for (; at < len && text[at] != ']'; index--) {
		*value_at = at;
		if (index == 0)
			return true;
		at = skip_value(text, len, at);
		if (at < len && text[at] == ',')
			at = skip_space(text, len, at + 1);
	}
	return false;
}

size_t json_locate(const char *text, size_t len, const struct json_step *path, size_t n,
		   enum json_part part)
{
	size_t value_at = skip_space(text, len, 0);
	size_t key_at = value_at;

	for (size_t i = 0; i < n; i++) {
		size_t key, value;

		if (path[i].key) {
			if (!find_key(text, len, value_at, path[i].key, &key, &value))
				return value_at;
		} else {
			if (!find_element(text, len, value_at, path[i].index, &value))
				return value_at;
			key = value;
		}
		key_at = key;
		value_at = value;
	}
	return part == JSON_PART_KEY ? key_at : value_at;
}
