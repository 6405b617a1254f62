/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_vq_split.c - any bytes as what a driver does to a split ring. See vq_fuzz.h.
 */
#include "vq_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	vq_fuzz_run(data, size, false);
	return 0;
}
