/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dsdt.h - the machine's devices, in AML. Between acpi.c and dsdt.c.
 */
#ifndef VMM_DSDT_H
#define VMM_DSDT_H

#include "aml.h"
#include "firmware.h"

/* What names and processor ids of one byte can tell apart; id 255 stands for all processors. */
#define DSDT_CPUS_MAX	255
#define DSDT_VIRTIO_MAX 256

/*
 * dsdt_write - the definition block's terms, without the table's header.
 * @platform: at most DSDT_CPUS_MAX CPUs and DSDT_VIRTIO_MAX devices.
 */
void dsdt_write(struct aml *aml, const struct acpi_platform *platform);

#endif
