/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kill_loop.c - processes that stream from V4L2 nodes are killed at any moment, and others started.
 *
 *    kill_loop SECONDS PROCESSES NODE...
 *
 * Each process opens one of the nodes and streams for some frames, with MMAP and USERPTR in turn,
 * again and again. Prints what came of it, the last the frames of each node; ends with 1 if a call
 * failed that should not, or a process that was killed did not end.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"

#define PROCESSES_MAX 64
#define NODES_MAX     16

/* Between two kills, at most. */
#define PAUSE_MS 150

/* Of one stream, at most; none within FRAME_MS is a failure, so is a process that lives END_S. */
#define FRAMES_MAX 20
#define FRAME_MS   30000
#define END_S	   30

/* A node that others stream from. */
#define BUSY_MS 20

/* Counted by all processes, in memory that they share. */
struct counts {
	atomic_ulong opened, busy, failed;
	atomic_ulong frames[NODES_MAX];
};

struct work {
	struct counts *counts;
	char **nodes;
	unsigned int nodes_n;
};

static unsigned int random_below(unsigned int n)
{
	return (unsigned int)random() % n;
}

static void pause_ms(unsigned int ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static long now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec;
}

static int take_frames(struct stream *stream, atomic_ulong *frames)
{
	const unsigned int n = 1 + random_below(FRAMES_MAX);
	int r = 0;

	for (unsigned int i = 0; i < n && r == 0; i++) {
		struct stream_frame frame;

		r = stream_take(stream, FRAME_MS, &frame);
		if (r < 0)
			break;
		atomic_fetch_add(frames, 1);
		r = stream_give(stream, &frame);
	}
	return r;
}

/* One stream; ends in any of the ways that programs end one. */
static int stream_once(const struct work *work, unsigned int number)
{
	const uint32_t memory = random_below(2) ? V4L2_MEMORY_MMAP : V4L2_MEMORY_USERPTR;
	static const struct stream_format as_it_is;
	struct stream stream;
	int r = stream_open(&stream, work->nodes[number]);

	if (r == 0) {
		atomic_fetch_add(&work->counts->opened, 1);
		r = stream_start(&stream, memory, &as_it_is);
	}
	if (r == 0)
		r = take_frames(&stream, &work->counts->frames[number]);
	if (r == 0 && random_below(2))
		r = stream_stop(&stream);
	stream_close(&stream);
	return r;
}

static void stream_for_ever(const struct work *work, unsigned int number)
{
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srandom((unsigned int)getpid());
	for (;;) {
		r = stream_once(work, number);
		if (r == -EBUSY) {
			atomic_fetch_add(&work->counts->busy, 1);
			pause_ms(BUSY_MS);
		} else if (r < 0) {
			atomic_fetch_add(&work->counts->failed, 1);
			fprintf(stderr, "kill_loop: %s: %s\n", work->nodes[number], strerror(-r));
			pause_ms(BUSY_MS);
		}
	}
}

static pid_t start(const struct work *work, unsigned int number)
{
	const pid_t pid = fork();

	if (pid == 0)
		stream_for_ever(work, number);
	if (pid < 0) {
		perror("kill_loop: fork");
		exit(EXIT_FAILURE);
	}
	return pid;
}

static void kill_one(pid_t pid)
{
	const long begin = now_s();

	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (now_s() - begin > END_S) {
			fprintf(stderr, "kill_loop: process %d was killed and does not end\n",
				(int)pid);
			exit(EXIT_FAILURE);
		}
		pause_ms(1);
	}
}

static int report(const struct work *work, unsigned long kills)
{
	const struct counts *counts = work->counts;

	printf("%lu killed, %lu streams, %lu found a node busy, %lu failed, frames:", kills,
	       counts->opened, counts->busy, counts->failed);
	for (unsigned int i = 0; i < work->nodes_n; i++)
		printf(" %lu", counts->frames[i]);
	putchar('\n');
	return counts->failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct work *work, long seconds, unsigned int processes)
{
	const long end = now_s() + seconds;
	pid_t pids[PROCESSES_MAX];
	unsigned long kills = 0;

	for (unsigned int i = 0; i < processes; i++)
		pids[i] = start(work, i % work->nodes_n);
	for (; now_s() < end; kills++) {
		const unsigned int i = random_below(processes);

		pause_ms(random_below(PAUSE_MS));
		kill_one(pids[i]);
		pids[i] = start(work, i % work->nodes_n);
	}
	for (unsigned int i = 0; i < processes; i++)
		kill_one(pids[i]);
	return report(work, kills + processes);
}

int main(int argc, char **argv)
{
	const long seconds = argc > 3 ? atol(argv[1]) : 0;
	const int processes = argc > 3 ? atoi(argv[2]) : 0;
	struct work work = {.nodes = argv + 3, .nodes_n = (unsigned int)(argc - 3)};

	if (seconds < 1 || processes < 1 || processes > PROCESSES_MAX || work.nodes_n > NODES_MAX) {
		fprintf(stderr, "usage: kill_loop SECONDS PROCESSES NODE...\n");
		return EXIT_FAILURE;
	}
	work.counts = mmap(NULL, sizeof(*work.counts), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (work.counts == MAP_FAILED) {
		perror("kill_loop: mmap");
		return EXIT_FAILURE;
	}
	return run(&work, seconds, (unsigned int)processes);
}
