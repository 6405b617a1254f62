/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_vq_threads.c - driver and device at the same time, on two threads: no notification is lost
 * and no byte is seen too early.
 *
 * A side that finds nothing to do waits for a notification of the other's and looks at nothing
 * else, so a lost one ends the test by its time limit. It waits by spinning: the shorter the way
 * from one side to the other, the more often the two meet at the moments that matter.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "vq_rig.h"

#define PATIENCE  20000 /* ms, until a side counts as forgotten */
#define TURN	  250	/* ms for each case on a busy machine: it then ends with fewer requests */
#define RING_SIZE 16
#define PIECE	  8
#define SPINS	  1024 /* until the other thread may want the processor */

static const struct stress_case {
	const char *name;
	unsigned int requests;
	unsigned int burst; /* the driver adds up to so many in a row */
	bool polls;	    /* it looks for used buffers all the time and wants no interrupts */
} cases[] = {
	{"one at a time", 10000, 1, false},
	{"one at a time, polling", 4000, 1, true},
	{"three at a time", 10000, 3, false},
	{"three at a time, polling", 4000, 3, true},
	{"as many as there is room for", 10000, RING_SIZE, false},
};

struct stress {
	struct vq_rig rig;
	const struct stress_case *c;
	atomic_uint kicks;
	atomic_bool ended;  /* the device may go */
	atomic_bool failed; /* a side was forgotten: give up */
};

/* ms */
static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000;
}

/* Wait until @counter is not @seen any more. Return: false if that does not happen. */
static bool wait_for(struct stress *stress, atomic_uint *counter, unsigned int seen)
{
	const int64_t until = now() + PATIENCE;

	for (unsigned int spins = 1; atomic_load(counter) == seen; spins++) {
		if (spins % SPINS)
			continue;
		if (now() > until)
			atomic_store(&stress->failed, true);
		if (atomic_load(&stress->failed))
			return false;
		sched_yield();
	}
	return true;
}

/* Answers each number with its complement. Every third request waits for a later one. */
static void *run_device(void *arg)
{
	struct stress *stress = arg;
	struct vq *vq = stress->rig.vq;
	struct vq_request *held = NULL, *request;
	unsigned int n = 0, kicks = 0;
	uint32_t number;

	while (wait_for(stress, &stress->kicks, kicks)) {
		kicks = atomic_load(&stress->kicks);
		while (vq_pop(vq, &request) > 0) {
			vq_buffer_get(&request->readable, &number, sizeof(number));
			number = ~number;
			vq_buffer_put(&request->writable, &number, sizeof(number));
			if (stress->c->burst > 1 && !held && ++n % 3 == 0) {
				held = request;
				continue;
			}
			vq_push(vq, request, sizeof(number));
			vq_notify(vq);
		}
		if (held)
			vq_push(vq, held, sizeof(number));
		held = NULL;
		vq_notify(vq);
		if (atomic_load(&stress->ended))
			break;
	}
	return NULL;
}

/* Where the two pieces of request @id are. */
static uint64_t data_at(int id)
{
	return VQ_RIG_DATA + (uint64_t)id * 2 * PIECE;
}

static bool add(struct stress *stress, uint32_t number)
{
	struct driver_ring *ring = &stress->rig.ring;
	/* The id that comes next is the one that is free first. */
	const uint64_t gpa = data_at(ring->free_head);
	const struct driver_sg sg[] = {{gpa, 4}, {gpa + PIECE, 4}};
	const uint32_t zero = 0;

	if (ring->free_n < 2)
		return false;
	gmem_write(stress->rig.gmem, gpa, &number, sizeof(number));
	gmem_write(stress->rig.gmem, gpa + PIECE, &zero, sizeof(zero));
	driver_ring_add(ring, sg, 1, 1);
	if (driver_ring_needs_kick(ring))
		atomic_fetch_add(&stress->kicks, 1);
	return true;
}

/* Return: whether there was one; *@ok: and it had the right answer. */
static bool get(struct stress *stress, bool *ok)
{
	uint32_t len, asked, answer;
	int id = driver_ring_get(&stress->rig.ring, &len);

	if (id < 0)
		return false;
	gmem_read(stress->rig.gmem, data_at(id), &asked, 4);
	gmem_read(stress->rig.gmem, data_at(id) + PIECE, &answer, 4);
	*ok = *ok && len == 4 && answer == ~asked;
	return true;
}

/* There is nothing to get: wait until there is. Return: false if it does not come. */
static bool wait_for_used(struct stress *stress, unsigned int *got, bool *ok)
{
	const int64_t until = now() + PATIENCE;
	unsigned int seen;

	if (stress->c->polls) {
		for (unsigned int spins = 1; !get(stress, ok); spins++) {
			if (spins % SPINS == 0 && now() > until)
				return false;
			if (spins % SPINS == 0)
				sched_yield();
		}
		(*got)++;
		return true;
	}
	seen = atomic_load(&stress->rig.interrupts);
	driver_ring_enable_interrupts(&stress->rig.ring);
	if (get(stress, ok))
		(*got)++;
	else if (!wait_for(stress, &stress->rig.interrupts, seen))
		return false;
	driver_ring_disable_interrupts(&stress->rig.ring);
	return true;
}

static const char *run_driver(struct stress *stress)
{
	const int64_t until = now() + TURN;
	unsigned int requests = stress->c->requests, added = 0, got = 0;
	bool ok = true;

	driver_ring_disable_interrupts(&stress->rig.ring);
	while (got < requests) {
		for (unsigned int i = 0; i < stress->c->burst && added < requests; i++)
			if (add(stress, added))
				added++;
		while (get(stress, &ok))
			got++;
		if (got < added && !wait_for_used(stress, &got, &ok))
			return "nobody answered";
		if (got > RING_SIZE && now() > until)
			requests = added;
	}
	return ok ? NULL : "a wrong answer";
}

static void no_notification_is_lost(void **state)
{
	for (size_t i = 0; i < VQ_RIG_KINDS * ARRAY_SIZE(cases); i++) {
		struct stress stress = {.c = &cases[i / VQ_RIG_KINDS]};
		const char *failed;
		pthread_t thread;

		vq_rig_init(&stress.rig, &vq_rig_kinds[i % VQ_RIG_KINDS], RING_SIZE);
		assert_int_equal(pthread_create(&thread, NULL, run_device, &stress), 0);
		failed = run_driver(&stress);
		if (failed)
			atomic_store(&stress.failed, true);
		atomic_store(&stress.ended, true);
		atomic_fetch_add(&stress.kicks, 1);
		pthread_join(thread, NULL);
		if (failed)
			fail_msg("%s, %s: %s", stress.rig.name, stress.c->name, failed);
		assert_null(vq_error(stress.rig.vq));
		vq_rig_deinit(&stress.rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_notification_is_lost),
	};

	return cmocka_run_group_tests_name("vq_threads", tests, NULL, NULL);
}
