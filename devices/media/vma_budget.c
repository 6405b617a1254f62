/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vma_budget.c - how many mappings guests can make this process have. See vma_budget.h.
 */
#include "devices/media/vma_budget.h"

#include <assert.h>
#include <stdatomic.h>

static atomic_size_t taken;

bool vma_budget_take(size_t n)
{
	size_t before = atomic_load(&taken);

	do {
		if (n > VMA_BUDGET_MAX - before)
			return false;
	} while (!atomic_compare_exchange_weak(&taken, &before, before + n));
	return true;
}

void vma_budget_give(size_t n)
{
	const size_t before = atomic_fetch_sub(&taken, n);

	assert(before >= n);
	(void)before;
}
