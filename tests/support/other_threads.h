/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * other_threads.h - what the process's other threads do: nothing, where they should.
 */
#ifndef VMM_TEST_OTHER_THREADS_H
#define VMM_TEST_OTHER_THREADS_H

/*
 * other_threads_sleeps - how often all threads with names of their own have gone to sleep so far:
 * the same number again says that none was woken in between. For the main thread.
 */
unsigned long other_threads_sleeps(void);

#endif
