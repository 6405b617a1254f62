/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aml.c - write ACPI Machine Language. See aml.h.
 *
 * Clauses are those of ACPI 6.5. A container's length comes before its content and takes 1 to 4
 * bytes, so it is inserted, and the content moved up, when the container is closed.
 */
#include "aml.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* 20.3, table 20.1 */
enum {
	ZERO_OP = 0x00,
	ONE_OP = 0x01,
	NAME_OP = 0x08,
	BYTE_PREFIX = 0x0a,
	WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c,
	STRING_PREFIX = 0x0d,
	QWORD_PREFIX = 0x0e,
	SCOPE_OP = 0x10,
	BUFFER_OP = 0x11,
	PACKAGE_OP = 0x12,
	METHOD_OP = 0x14,
	EXT_OP_PREFIX = 0x5b,
	REGION_OP = 0x80, /* this and the next two after EXT_OP_PREFIX */
	FIELD_OP = 0x81,
	DEVICE_OP = 0x82,
	IF_OP = 0xa0,
};

#define METHOD_SERIALIZED 0x08
#define REGION_SYSTEM_IO  0x01
#define FIELD_BYTE_ACCESS 0x01 /* no lock, other bits are preserved */
#define NAME_SEGMENT	  4
#define PKG_LENGTH_MAX	  4
#define PKG_LENGTH_END	  (UINT64_C(1) << 28)
#define PKG_LENGTH_1_END  64 /* one byte holds 6 bits of length */
#define INTEGER_MAX	  9
#define DESCRIPTOR_IO	  0x47 /* small item 8, 7 bytes follow */
#define DESCRIPTOR_END	  0x79
#define DESCRIPTOR_MEMORY 0x86 /* Memory32Fixed */
#define DESCRIPTOR_IRQ	  0x89 /* extended interrupt */
#define DESCRIPTOR_QWORD  0x8a
#define IO_DECODE_16	  0x01
#define MEMORY_READ_WRITE 0x01
#define QWORD_CONSUMER	  0x01
#define QWORD_FIXED	  0x0c /* neither end can move */
#define IRQ_CONSUMER	  0x01
#define IRQ_EDGE	  0x02 /* bit 2 clear: active high */
#define IRQ_SHARED	  0x08
#define MEMORY_32_BIT_END (4 * GIB)

void aml_init(struct aml *aml, void *data, size_t max)
{
	*aml = (struct aml) {.data = data, .max = max};
}

int aml_finish(const struct aml *aml, size_t *len)
{
	assert(aml->depth == 0);
	*len = aml->len;
	return aml->len > aml->max ? -ENOSPC : 0;
}

/* Put @n bytes at offset @at and move up what is there. */
static void insert(struct aml *aml, size_t at, const void *bytes, size_t n)
{
	if (aml->len + n <= aml->max) {
		memmove(aml->data + at + n, aml->data + at, aml->len - at);
		memcpy(aml->data + at, bytes, n);
	}
	aml->len += n;
}

static void put(struct aml *aml, const void *bytes, size_t n)
{
	insert(aml, aml->len, bytes, n);
}

static void put_byte(struct aml *aml, uint8_t value)
{
	put(aml, &value, 1);
}

/* The @n low bytes of @value, the lowest first. */
static size_t encode_le(uint8_t *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(value >> (8 * i));
	return n;
}

static void put_le(struct aml *aml, uint64_t value, size_t n)
{
	uint8_t bytes[8];

	put(aml, bytes, encode_le(bytes, value, n));
}

/* 20.2.3, ComputationalData: the shortest form. */
static size_t encode_integer(uint8_t to[INTEGER_MAX], uint64_t value)
{
	static const struct {
		uint8_t prefix, size;
	} forms[] = {{BYTE_PREFIX, 1}, {WORD_PREFIX, 2}, {DWORD_PREFIX, 4}, {QWORD_PREFIX, 8}};
	size_t i = 0;

	if (value <= 1) {
		to[0] = value ? ONE_OP : ZERO_OP;
		return 1;
	}
	while (forms[i].size < 8 && value >> (8 * forms[i].size))
		i++;
	to[0] = forms[i].prefix;
	return 1 + encode_le(to + 1, value, forms[i].size);
}

/* 20.2.4: the length counts itself; its first byte says how many follow. */
static size_t encode_pkg_length(uint8_t to[PKG_LENGTH_MAX], size_t content)
{
	uint64_t len;
	size_t n = 1;

	if (content + 1 < PKG_LENGTH_1_END) {
		to[0] = (uint8_t)(content + 1);
		return 1;
	}
	do
		len = content + ++n;
	while (len >> (4 + 8 * (n - 1)));
	assert(len < PKG_LENGTH_END);
	to[0] = (uint8_t)((n - 1) << 6 | (len & 0xf));
	return 1 + encode_le(to + 1, len >> 4, n - 1);
}

static void begin(struct aml *aml, bool resources)
{
	assert(aml->depth < AML_DEPTH_MAX);
	aml->open[aml->depth++] = (struct aml_open) {aml->len, resources};
}

void aml_end(struct aml *aml)
{
	const struct aml_open *open;
	uint8_t bytes[INTEGER_MAX];

	assert(aml->depth > 0);
	open = &aml->open[--aml->depth];
	if (open->resources) {
		put_byte(aml, DESCRIPTOR_END);
		put_byte(aml, 0); /* 6.4.2.9: no checksum */
		insert(aml, open->start, bytes, encode_integer(bytes, aml->len - open->start));
	}
	insert(aml, open->start, bytes, encode_pkg_length(bytes, aml->len - open->start));
}

/* 20.2.2 */
static void put_name(struct aml *aml, const char *name)
{
	char segment[NAME_SEGMENT] = {'_', '_', '_', '_'};
	const size_t len = strlen(name);

	assert(len >= 1 && len <= NAME_SEGMENT);
	memcpy(segment, name, len);
	put(aml, segment, NAME_SEGMENT);
}

void aml_scope(struct aml *aml, const char *name)
{
	put_byte(aml, SCOPE_OP);
	begin(aml, false);
	put_name(aml, name);
}

void aml_device(struct aml *aml, const char *name)
{
	put_byte(aml, EXT_OP_PREFIX);
	put_byte(aml, DEVICE_OP);
	begin(aml, false);
	put_name(aml, name);
}

void aml_method(struct aml *aml, const char *name, unsigned int args)
{
	assert(args <= 7);
	put_byte(aml, METHOD_OP);
	begin(aml, false);
	put_name(aml, name);
	put_byte(aml, (uint8_t)args | METHOD_SERIALIZED);
}

void aml_if(struct aml *aml)
{
	put_byte(aml, IF_OP);
	begin(aml, false);
}

void aml_package(struct aml *aml, uint8_t n)
{
	put_byte(aml, PACKAGE_OP);
	begin(aml, false);
	put_byte(aml, n);
}

void aml_resources(struct aml *aml)
{
	put_byte(aml, BUFFER_OP);
	begin(aml, true);
}

void aml_name(struct aml *aml, const char *name)
{
	put_byte(aml, NAME_OP);
	put_name(aml, name);
}

void aml_reference(struct aml *aml, const char *name)
{
	put_name(aml, name);
}

void aml_integer(struct aml *aml, uint64_t value)
{
	uint8_t bytes[INTEGER_MAX];

	put(aml, bytes, encode_integer(bytes, value));
}

void aml_string(struct aml *aml, const char *text)
{
	put_byte(aml, STRING_PREFIX);
	put(aml, text, strlen(text) + 1);
}

void aml_op(struct aml *aml, enum aml_op op)
{
	put_byte(aml, (uint8_t)op);
}

void aml_io_region(struct aml *aml, const char *name, uint16_t port, uint8_t len)
{
	put_byte(aml, EXT_OP_PREFIX);
	put_byte(aml, REGION_OP);
	put_name(aml, name);
	put_byte(aml, REGION_SYSTEM_IO);
	aml_integer(aml, port);
	aml_integer(aml, len);
}

void aml_byte_field(struct aml *aml, const char *region)
{
	put_byte(aml, EXT_OP_PREFIX);
	put_byte(aml, FIELD_OP);
	begin(aml, false);
	put_name(aml, region);
	put_byte(aml, FIELD_BYTE_ACCESS);
}

void aml_field_unit(struct aml *aml, const char *name, unsigned int bits)
{
	assert(bits < PKG_LENGTH_1_END);
	put_name(aml, name);
	put_byte(aml, (uint8_t)bits);
}

/* 6.4.2.5 */
void aml_resource_io(struct aml *aml, uint16_t port, uint8_t len)
{
	put_byte(aml, DESCRIPTOR_IO);
	put_byte(aml, IO_DECODE_16);
	put_le(aml, port, 2); /* lowest and highest base */
	put_le(aml, port, 2);
	put_byte(aml, 1); /* alignment */
	put_byte(aml, len);
}

void aml_resource_memory(struct aml *aml, uint64_t base, uint64_t size)
{
	assert(size > 0 && base <= UINT64_MAX - (size - 1));
	if (base < MEMORY_32_BIT_END && size <= MEMORY_32_BIT_END - base && size <= UINT32_MAX) {
		put_byte(aml, DESCRIPTOR_MEMORY); /* 6.4.3.4 */
		put_le(aml, 9, 2);
		put_byte(aml, MEMORY_READ_WRITE);
		put_le(aml, base, 4);
		put_le(aml, size, 4);
		return;
	}
	put_byte(aml, DESCRIPTOR_QWORD); /* 6.4.3.5.1 */
	put_le(aml, 43, 2);
	put_byte(aml, 0); /* a memory range */
	put_byte(aml, QWORD_CONSUMER | QWORD_FIXED);
	put_byte(aml, MEMORY_READ_WRITE);
	put_le(aml, 0, 8); /* granularity: both ends are fixed */
	put_le(aml, base, 8);
	put_le(aml, base + size - 1, 8);
	put_le(aml, 0, 8); /* translation */
	put_le(aml, size, 8);
}

/* 6.4.3.6 */
void aml_resource_interrupt(struct aml *aml, uint32_t gsi, bool shared)
{
	put_byte(aml, DESCRIPTOR_IRQ);
	put_le(aml, 6, 2);
	put_byte(aml, IRQ_CONSUMER | IRQ_EDGE | (shared ? IRQ_SHARED : 0));
	put_byte(aml, 1); /* interrupts that follow */
	put_le(aml, gsi, 4);
}
