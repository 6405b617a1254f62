/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * narrow.h - a camera that has forgotten all of its formats but one: a media backend over another.
 *
 * The kernel's virtual camera has every format that could be converted to, so that nothing would be
 * converted. All else of it stays.
 */
#ifndef VMM_CONVERT_HOST_NARROW_H
#define VMM_CONVERT_HOST_NARROW_H

#include "devices/media/backend.h"

/* narrow_new - @below is the new backend's. Fails the test (cmocka) if there is no memory. */
struct media_backend *narrow_new(struct media_backend *below, uint32_t pixelformat);

#endif
