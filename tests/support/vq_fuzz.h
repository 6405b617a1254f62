/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vq_fuzz.h - any bytes as what a driver does to one virtqueue of either kind, for fuzzers.
 *
 * One thread. A failed check aborts.
 */
#ifndef VMM_TEST_VQ_FUZZ_H
#define VMM_TEST_VQ_FUZZ_H

#include "base.h"

/*
 * vq_fuzz_run - @data: a byte of features, then records, each a byte that says what happens and its
 * operands; what is missing at the end is 0.
 */
void vq_fuzz_run(const uint8_t *data, size_t size, bool packed);

#endif
