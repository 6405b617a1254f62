/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_convert_none.c - instead of backend_convert.c where there is no libv4lconvert. See
 * backend_convert.h.
 */
#include <errno.h>

#include "devices/media/backend_convert.h"

bool backend_convert_possible(void)
{
	return false;
}

int backend_convert_new(struct media_backend **out, struct loop *loop, struct media_backend *camera,
			struct error *err)
{
	camera->ops->free(camera);
	return error_set(err, EOPNOTSUPP,
			 "convert=on is not possible: this vmm was built without libv4lconvert");
}
