/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - calls into the host that may take long or never come back, kept off a device's thread.
 *
 * A worker is a thread of its own that does jobs one at a time, in the order of their submission.
 * A job that takes longer than WORKER_LIMIT_MS is interrupted by a signal; one that does not come
 * back even then (uninterruptible sleep in the host's driver) is abandoned at WORKER_ABANDON_MS:
 * its thread is left behind with it and a new one does the following jobs. Belongs to the device's
 * thread, whose loop tells it of the end of jobs; only run(), finished() and release() are called
 * elsewhere.
 */
#ifndef VMM_MEDIA_WORKER_H
#define VMM_MEDIA_WORKER_H

#include "base.h"
#include "loop.h"

/* A driver waits five seconds for a command (docs/media.md). */
#define WORKER_LIMIT_MS	  3000
#define WORKER_ABANDON_MS 3500
#define WORKER_GUARD_MS	  500
#define WORKER_STRAYS_MAX 4 /* abandoned jobs that have not come back */

struct worker;

/*
 * struct worker_job - allocated by its owner and zero-initialised. It must hold all that run()
 * needs, because run() may go on when everybody else is gone.
 */
struct worker_job {
	/* On the worker's thread. Return: what done() gets; -EINTR: called again, within the limit.
	 */
	int (*run)(struct worker_job *job);
	/* The same thread, when run() is not called again, also if nobody waits. NULL: nothing. */
	void (*finished)(struct worker_job *job);
	/*
	 * On the device's thread, from its loop, once. @result: of run(); -ETIMEDOUT if the job was
	 * interrupted or abandoned. Nobody but run() touches the job from then on if it was
	 * abandoned, so what is wanted from it is read only if result is not -ETIMEDOUT.
	 */
	void (*done)(struct worker_job *job, int result);
	/* Free the job: after done(), and when run() is not called again. Any thread. */
	void (*release)(struct worker_job *job);
	/* private */
	struct worker *worker;
	struct worker_job *next;
	int result;
	unsigned int state;
};

/* worker_new - @name: of its threads, at most 15 characters. Return: 0 and *@out, or -errno. */
int worker_new(struct worker **out, struct loop *loop, const char *name);

/*
 * worker_set_came_back - have @fn called from the loop when an abandoned job has come back, and was
 * released unless its done() was being called.
 */
void worker_set_came_back(struct worker *worker, void (*fn)(void *owner), void *owner);

/* worker_set_limits - for tests, which cannot wait for so long. Before the first job. */
struct worker_limits {
	unsigned int limit_ms, abandon_ms; /* the latter is the longer one */
	unsigned int guard_ms;		   /* until a call that sleeps is interrupted */
};
void worker_set_limits(struct worker *worker, const struct worker_limits *limits);

/*
 * worker_submit - Return: 0, and done() will be called; -EIO if as many jobs as WORKER_STRAYS_MAX
 * hang: nothing more is tried until one comes back; -errno if no thread can be made. The job is
 * the caller's again then.
 */
int worker_submit(struct worker *worker, struct worker_job *job);

/* worker_strays - abandoned jobs that have not come back. */
unsigned int worker_strays(const struct worker *worker);

/* worker_busy - is there a job that runs or waits, and is not abandoned? */
bool worker_busy(struct worker *worker);

/*
 * worker_hurry - nobody is interested any more in the job that runs: it is interrupted now, as if
 * it had reached its limit. It is abandoned no earlier than without.
 */
void worker_hurry(struct worker *worker);

/*
 * worker_wait - until @is_so(@arg), but @ms at most. It is asked again whenever a job has come
 * back, an abandoned one too, and must not take long. Limits hold meanwhile; done() is called by
 * the loop, as ever. Return: is it so?
 */
bool worker_wait(struct worker *worker, bool (*is_so)(void *arg), void *arg, unsigned int ms);

/*
 * worker_guard_begin, worker_guard_end - around a call of the calling (the device's) thread. If it
 * sleeps in the host it is interrupted with EINTR after a second at most, and twice a second from
 * then on, so that it can give up instead of hanging for good. So is a loop that hangs where it
 * polls, soon after a call or while there are jobs. Costs no system call. They do not nest. An end
 * is due in any case.
 * Return: 0; -errno, and nothing is interrupted.
 */
int worker_guard_begin(struct worker *worker);
void worker_guard_end(struct worker *worker);

/*
 * worker_free - the loop has ended. Jobs that wait are run to their end, within the same limits;
 * done() is called for none, release() for all. Jobs that hang keep their threads. NULL is fine.
 */
void worker_free(struct worker *worker);

#endif
