/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_files.h - what a fake node consists of: for fake_node.c and fake_script.c alone.
 *
 * The node's lock is held in all functions.
 */
#ifndef VMM_TEST_FAKE_FILES_H
#define VMM_TEST_FAKE_FILES_H

#include "fake_node.h"
#include "fake_queue.h"

#define FAKE_EVENTS 256

/* Newer than Debian 12's header: index, count, type, 13 reserved words. */
#define FAKE_REMOVE_BUFS _IOWR('V', 104, uint32_t[16])

struct fake_file {
	struct media_file base;
	struct fake_node *node;
	unsigned int index;
	int fd; /* so that a file costs a descriptor, as a real one does */
	bool closed;
	uint32_t watched;
	struct fake_queue queues[FAKE_TYPES]; /* of a mem-to-mem node */
	struct v4l2_event_subscription subs[16];
	unsigned int subs_n;
	struct v4l2_event events[FAKE_EVENTS];
	unsigned int events_n, sequence;
};

struct fake_node {
	struct media_backend backend;
	struct fake_options options;
	struct loop *loop;
	pthread_mutex_t lock;
	struct loop_post post;
	bool posted, freed, unplugged, poll_error;
	bool orphan; /* its loop is gone */
	bool looked; /* the loop has run, on .thread */
	pthread_t thread;
	int open_result;
	struct fake_file *files[FAKE_FILES];
	unsigned int files_n, closed, maps, early, wakes;
	struct fake_queue queues[FAKE_TYPES]; /* of a node that is not mem-to-mem */
	struct fake_answer answers[256];
	bool answered[256];
	struct fake_seen seen[256];
	struct fake_call log[FAKE_CALLS];
	unsigned int log_n;
	enum fake_hang hang[256];
	unsigned long hang_cmd;
	unsigned int waiting;
	int wake_fd;
	char problem[128];
};

extern const struct media_backend_ops fake_ops, fake_blocking_ops;

/* fake_look - have files that are ready told, soon. */
void fake_look(struct fake_node *node);

void fake_problem(struct fake_node *node, const char *fmt, ...) _printf_(2, 3);
void fake_note_call(struct fake_node *node, const struct fake_file *file, unsigned long cmd,
		    int result);
bool fake_has_type(const struct fake_node *node, uint32_t type);

/* fake_queues - by type, as @file sees them. */
struct fake_queue *fake_queues(struct fake_node *node, struct fake_file *file);

void fake_queue_event(struct fake_file *file, const struct v4l2_event *event);

#endif
