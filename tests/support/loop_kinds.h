/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_kinds.h - run one test program against each implementation of the event loop.
 *
 * The program's argument chooses: "epoll", "uring", or "uring-plain", an io_uring without any of
 * the flags that newer kernels have. On a host without io_uring the latter two are skipped.
 */
#ifndef VMM_TEST_LOOP_KINDS_H
#define VMM_TEST_LOOP_KINDS_H

#include "loop.h"

/*
 * kind_select - read the program's arguments.
 * Return: false if this host cannot do that kind, which has been reported as a skip.
 */
bool kind_select(int argc, char **argv);

/* kind_chosen - as loop_new() wants it. */
enum loop_kind kind_chosen(void);

/* kind_loop - a new loop of the chosen kind; fails the test if there is none. */
struct loop *kind_loop(void);

/* kind_loop_for - one that can do @ops (LOOP_FILE_IO). */
struct loop *kind_loop_for(unsigned int ops);

/*
 * settle - run @loop until all events that are there have been served, and no longer. It does not
 * wait for time to pass.
 */
void settle(struct loop *loop);

/*
 * struct probe - a watch that counts its calls.
 * @take: read what is there. @remove: this one, if not NULL, is removed by each call. @again: a
 * once-watch that watches again from its callback.
 */
struct probe {
	struct loop_watch watch;
	struct loop *loop;
	unsigned int calls;
	uint32_t events; /* of the last call */
	bool take;
	bool again;
	struct probe *remove;
};

void probe_add(struct loop *loop, struct probe *probe, int fd, uint32_t events);
void probe_once(struct loop *loop, struct probe *probe, int fd, uint32_t events);

/* new_eventfd - not blocking, with @count in it. poke - add one to it. */
int new_eventfd(unsigned int count);
void poke(int fd);

#endif
