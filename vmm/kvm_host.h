/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm_host.h - what KVM of this host can do, in words, for --check-host. Main thread.
 */
#ifndef VMM_KVM_HOST_H
#define VMM_KVM_HOST_H

#include <stdio.h>

#include "base.h"

/*
 * kvm_host_report - print what KVM offers, and for each thing that is missing a sentence.
 * Return: whether a machine can run here.
 */
bool kvm_host_report(FILE *out);

#endif
