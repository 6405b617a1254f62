/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aml.h - write ACPI Machine Language, the byte code of a DSDT (ACPI 6.5, chapter 20).
 *
 * Terms are written in the order of the byte code: an operator, then its operands. What contains
 * other terms is opened by its function and closed by aml_end(). The writer goes on counting when
 * its buffer is full, so nothing but aml_finish() can fail. Main thread, before the guest runs.
 *
 * A name is one segment of 1 to 4 characters, to which underscores are added.
 */
#ifndef VMM_AML_H
#define VMM_AML_H

#include "base.h"

#define AML_DEPTH_MAX 8

struct aml {
	uint8_t *data; /* borrowed */
	size_t max;
	size_t len; /* bytes that the terms take; beyond @max they are only counted */
	unsigned int depth;
	struct aml_open {
		size_t start; /* where its PkgLength goes */
		bool resources;
	} open[AML_DEPTH_MAX];
};

/* One-byte operators and operands. */
enum aml_op {
	AML_NULL_TARGET = 0x00, /* the result goes nowhere but into the enclosing term */
	AML_LOCAL0 = 0x60,
	AML_STORE = 0x70,  /* source, target */
	AML_AND = 0x7b,	   /* operand, operand, target */
	AML_NOTIFY = 0x86, /* device, value */
};

/* aml_init - write to @data, which has @max bytes and outlives @aml. */
void aml_init(struct aml *aml, void *data, size_t max);

/*
 * aml_finish - all that was opened is closed.
 * Return: 0; or -ENOSPC if @max was too small. *@len: bytes that the code takes, in both cases.
 */
int aml_finish(const struct aml *aml, size_t *len);

/* aml_end - close what was opened last. */
void aml_end(struct aml *aml);

/* Containers, each up to its aml_end(). */
void aml_scope(struct aml *aml, const char *name);
void aml_device(struct aml *aml, const char *name);
void aml_method(struct aml *aml, const char *name, unsigned int args); /* serialized */
void aml_if(struct aml *aml);		      /* the condition, then what it guards */
void aml_package(struct aml *aml, uint8_t n); /* @n objects */
void aml_resources(struct aml *aml);	      /* a buffer of the descriptors below */

/* aml_name - declare @name; the object follows. */
void aml_name(struct aml *aml, const char *name);
/* aml_reference - an object that was declared, as an operand. */
void aml_reference(struct aml *aml, const char *name);
void aml_integer(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text); /* ASCII */
void aml_op(struct aml *aml, enum aml_op op);

/* aml_io_region - an operation region of @len I/O ports from @port on. */
void aml_io_region(struct aml *aml, const char *name, uint16_t port, uint8_t len);

/* aml_byte_field - a field of @region, accessed by bytes; its units follow, then aml_end(). */
void aml_byte_field(struct aml *aml, const char *region);
/* aml_field_unit - the next @bits of the field; at most 63. */
void aml_field_unit(struct aml *aml, const char *name, unsigned int bits);

/* Resource descriptors (ACPI 6.5, 6.4). Lengths are in ports and bytes. */
void aml_resource_io(struct aml *aml, uint16_t port, uint8_t len);
/* aml_resource_memory - @base + @size may lie anywhere; the descriptor fits the address. */
void aml_resource_memory(struct aml *aml, uint64_t base, uint64_t size);
/* aml_resource_interrupt - edge-triggered, active high. @shared: several devices have this @gsi. */
void aml_resource_interrupt(struct aml *aml, uint32_t gsi, bool shared);

#endif
