/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vma_budget.h - how many mappings guests can make this process have, over all media devices.
 *
 * Linux gives a process vm.max_map_count of them, 65530 by default, counted after neighbours that
 * are alike have become one. When they are used up, threads, memory and files fail to come where
 * nobody expects it; so what guests ask for ends before. Any thread.
 */
#ifndef VMM_MEDIA_VMA_BUDGET_H
#define VMM_MEDIA_VMA_BUDGET_H

#include "base.h"

#define VMA_BUDGET_MAX 40000

/* vma_budget_take - @n mappings are about to be made. Return: false: they must not be. */
bool vma_budget_take(size_t n);

/* vma_budget_give - @n of those taken are gone. */
void vma_budget_give(size_t n);

#endif
