/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base.h - what every part uses: sizes, alignment, scope-bound cleanup, attributes.
 *
 * Macros and one-line inlines only. Any thread.
 */
#ifndef VMM_BASE_H
#define VMM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define TIB (GIB * 1024)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* MIN, MAX - of two values of one type; each is evaluated once. */
#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

/* ALIGN_UP, ALIGN_DOWN - @a is a power of two. ALIGN_UP wraps to 0 beyond the type's range. */
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)	 ALIGN_DOWN((x) + ((__typeof__(x))(a)-1), a)

#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _cleanup_(fn)	    __attribute__((cleanup(fn)))
#define _unused_	    __attribute__((unused))
#define _noreturn_	    __attribute__((noreturn))

/* freep, closep - for _cleanup_: free a pointer, close a file descriptor that is not negative. */
static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif
