/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * child.c - a process of its own for a function. See child.h.
 */
#include "child.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void become(int fd, void (*fn)(void))
{
	const struct rlimit no_core = {0}, stack = {.rlim_cur = MIB, .rlim_max = MIB};

	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_STACK, &stack); /* else it may be unlimited */
	dup2(fd, STDERR_FILENO);
	fn();
	_exit(0);
}

void child_run(struct child *child, void (*fn)(void))
{
	size_t len = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		become(fds[1], fn);
	close(fds[1]);
	while ((n = read(fds[0], child->text + len, sizeof(child->text) - 1 - len)) > 0)
		len += (size_t)n;
	child->text[len] = '\0';
	close(fds[0]);
	if (waitpid(pid, &child->status, 0) != pid)
		abort();
}

/* Not a tail call, and nothing that a compiler can tell to be endless. */
static uint8_t recurse(volatile size_t *depth)
{
	volatile uint8_t frame[1024];

	frame[*depth % sizeof(frame)] = (uint8_t)*depth;
	++*depth;
	if (*depth == 0)
		return 0;
	return (uint8_t)(recurse(depth) + frame[(*depth + 1) % sizeof(frame)]);
}

void child_overflow(void)
{
	volatile size_t depth = 0;

	recurse(&depth);
}
