/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kvm_window.c - region 0 of a media device as a guest sees it: nothing that vCPUs do to it,
 * mapped or not, read-only or not, and whatever the host maps there meanwhile, ends the machine or
 * takes more memory than the window has. Tests window.c, vm_add_window() and vcpu.c with guests of
 * a few instructions. Exits with 77 where there is no KVM.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "log.h"
#include "tests/support/own_memory.h"
#include "windowvm.h"

#define PAGE	   UINT64_C(4096)
#define HALF	   (4 * MIB)
#define LARGE_HALF GIB
#define PLANES	   PLANE_BACKEND_PLANES
#define PLANE	   PLANE_BACKEND_BYTES

static struct windowvm the_vm;

static uint8_t *plane_at(const struct windowvm *vm, unsigned int plane, uint64_t offset)
{
	return vm->planes.planes[plane] + offset;
}

static uint64_t map(struct windowvm *vm, unsigned int plane, bool writable)
{
	return plane_backend_map(&vm->planes, vm->window, plane, PLANE, writable);
}

static void unmap(struct windowvm *vm, uint64_t offset)
{
	assert_int_equal(media_window_unmap(vm->window, offset), 0);
}

static int setup_one(void **state)
{
	windowvm_init(&the_vm, HALF, 1);
	*state = &the_vm;
	return 0;
}

static int setup_four(void **state)
{
	windowvm_init(&the_vm, HALF, WINDOWVM_VCPUS_MAX);
	*state = &the_vm;
	return 0;
}

static int setup_large(void **state)
{
	windowvm_init(&the_vm, LARGE_HALF, 1);
	*state = &the_vm;
	return 0;
}

static int teardown(void **state)
{
	windowvm_deinit(*state);
	return 0;
}

static void scratch_takes_what_is_written_up_to_one_half(void **state)
{
	struct windowvm *vm = *state;
	const uint64_t before = own_memory_touched();
	const unsigned int vcpus = vm->vcpus;

	WINDOWVM_RUN(vm, sweep, .start = vm->gpa, .end = vm->gpa + 2 * HALF, .stride = PAGE,
		     .reads = 1, .writes = 1, .value = 0x1111);
	assert_true(own_memory_touched() < before + HALF + MIB);
	for (uint64_t i = 0; i < HALF; i += PAGE) {
		assert_int_equal(*(uint64_t *)(void *)(vm->host + i), 0x1111);
		assert_int_equal(*(uint64_t *)(void *)(vm->host + HALF + i), 0);
	}
	assert_int_equal(atomic_load(&vm->exits), vcpus * (HALF / PAGE));
	media_window_reset(vm->window);
	assert_int_equal(own_memory_touched_in(vm->host, 2 * HALF), 0);
}

static void guest_reads_the_buffers_bytes(void **state)
{
	struct windowvm *vm = *state;
	const unsigned int vcpus = vm->vcpus;
	uint64_t ro, sum = 0;

	for (unsigned int i = 0; i < PLANE / 8; i++) {
		const uint64_t value = UINT64_C(0x0123456789abcdef) * (i + 1);

		memcpy(plane_at(vm, 1, i * 8), &value, sizeof(value));
		sum += value;
	}
	ro = map(vm, 1, false);
	WINDOWVM_RUN(vm, sweep, .start = vm->gpa + ro, .end = vm->gpa + ro + PLANE, .stride = 8,
		     .reads = 1);
	for (unsigned int i = 0; i < vcpus; i++)
		assert_true(windowvm_work(vm, i)->sum == sum);
	assert_int_equal(atomic_load(&vm->exits), 0);
}

static void guest_writes_reach_the_buffer_only_where_it_may(void **state)
{
	struct windowvm *vm = *state;
	const uint64_t rw = map(vm, 0, true), ro = map(vm, 1, false);
	const unsigned int vcpus = vm->vcpus;
	uint64_t value;

	memset(plane_at(vm, 1, 0), 0xaa, PLANE);
	/* From one mapping to the other, over all the scratch between them. */
	WINDOWVM_RUN(vm, sweep, .start = vm->gpa + rw, .end = vm->gpa + ro + PLANE, .stride = PAGE,
		     .reads = 1, .writes = 1, .value = 0x2222);
	for (uint64_t i = 0; i < PLANE; i += PAGE) {
		memcpy(&value, plane_at(vm, 0, i), sizeof(value));
		assert_int_equal(value, 0x2222);
	}
	for (uint64_t i = 0; i < PLANE; i++)
		assert_int_equal(*plane_at(vm, 1, i), 0xaa);
	assert_int_equal(atomic_load(&vm->exits), vcpus * (PLANE / PAGE));
}

/* Across all borders: of pages, of mappings, of the halves, and of the region's end. */
static void every_kind_of_access_goes_on(void **state)
{
	struct windowvm *vm = *state;
	const unsigned int vcpus = vm->vcpus;

	map(vm, 0, true);
	map(vm, 1, false);
	memset(plane_at(vm, 1, 0), 0xaa, PLANE);
	WINDOWVM_RUN(vm, kinds, .start = vm->gpa + PAGE - 3, .end = vm->gpa + 2 * HALF,
		     .stride = PAGE);
	for (unsigned int i = 0; i < vcpus; i++)
		assert_int_equal(windowvm_work(vm, i)->rounds, 2 * HALF / PAGE);
	for (uint64_t i = 0; i < PLANE; i++)
		assert_int_equal(*plane_at(vm, 1, i), 0xaa);
	for (uint64_t i = PLANE; i < HALF; i++)
		assert_int_equal(vm->host[HALF + i], 0);
	assert_true(atomic_load(&vm->exits) > 0);
}

/* A large window costs what is touched of it. */
static void large_window_is_touched_sparsely(void **state)
{
	struct windowvm *vm = *state;
	const uint64_t before = own_memory_touched();

	WINDOWVM_RUN(vm, sweep, .start = vm->gpa, .end = vm->gpa + 2 * LARGE_HALF,
		     .stride = 2 * MIB, .reads = 1, .writes = 1, .value = 0x3333);
	assert_int_equal(*(uint64_t *)(void *)(vm->host + LARGE_HALF - 2 * MIB), 0x3333);
	assert_true(own_memory_touched() < before + LARGE_HALF / (2 * MIB) * PAGE + MIB);
}

static bool all_have_begun(const struct windowvm *vm, uint64_t rounds)
{
	for (unsigned int i = 0; i < vm->vcpus; i++)
		if (__atomic_load_n(&windowvm_work(vm, i)->rounds, __ATOMIC_RELAXED) < rounds)
			return false;
	return true;
}

static void start_touching(struct windowvm *vm)
{
	const struct work work = {
		.start = vm->gpa,
		.end = vm->gpa + 2 * HALF,
		.stride = HALF / 8 + PAGE, /* few, but among them what gets mapped */
		.reads = 1,
		.writes = 1,
		.again = 1,
	};

	windowvm_start(vm, guest_sweep, guest_sweep_end, &work);
	while (!all_have_begun(vm, 1) && windowvm_running(vm))
		sched_yield();
}

static void stop_touching(struct windowvm *vm)
{
	uint64_t rounds = 0;

	for (unsigned int i = 0; i < vm->vcpus; i++)
		rounds = MAX(rounds, windowvm_work(vm, i)->rounds);
	/* Each has seen what the host has left there. */
	while (!all_have_begun(vm, rounds + 2) && windowvm_running(vm))
		sched_yield();
	for (unsigned int i = 0; i < vm->vcpus; i++)
		__atomic_store_n(&windowvm_work(vm, i)->again, 0, __ATOMIC_SEQ_CST);
	windowvm_wait(vm);
	windowvm_stop(vm);
}

#define MAPPINGS 300

static void host_maps_and_unmaps_meanwhile(void **state)
{
	struct windowvm *vm = *state;

	start_touching(vm);
	for (unsigned int i = 0; i < MAPPINGS; i++) {
		const uint64_t rw = map(vm, i % PLANES, true), ro = map(vm, i % PLANES, false);

		if (i % 8 == 7) {
			media_window_reset(vm->window);
		} else {
			unmap(vm, ro);
			unmap(vm, rw);
		}
	}
	map(vm, 0, true);
	memset(plane_at(vm, 0, 0), 0xff, 8);
	stop_touching(vm);
	assert_memory_equal(plane_at(vm, 0, 0), "\0\0\0\0\0\0\0\0", 8); /* the guest's value */
	assert_int_equal(atomic_load(&vm->repairs), 0);
}

/* As on kernels that cannot give the guest the pages of some drivers. */
static void memory_that_kvm_cannot_reach_becomes_scratch(void **state)
{
	struct windowvm *vm = *state;
	const uint64_t good = map(vm, 0, true);
	uint64_t bad[2];

	vm->planes.behaviour = PLANE_UNREADABLE;
	bad[0] = map(vm, 1, true);
	bad[1] = map(vm, 1, false);
	WINDOWVM_RUN(vm, sweep, .start = vm->gpa + good, .end = vm->gpa + bad[1] + PLANE,
		     .stride = PAGE, .reads = 1, .writes = 1, .value = 0x4444);
	/* A KVM without hardware accesses memory as we do, and calls it MMIO where that fails. */
	if (arch_has_virtualization()) {
		assert_in_range(atomic_load(&vm->repairs), 1, 2);
		assert_int_equal(*(uint64_t *)(void *)(vm->host + bad[0]), 0x4444);
		assert_int_equal(*(uint64_t *)(void *)(vm->host + bad[1]), 0);
	}
	assert_memory_equal(plane_at(vm, 0, 0), "\x44\x44\0\0\0\0\0\0", 8);
	unmap(vm, bad[0]);
	unmap(vm, bad[1]);
}

static void unreachable_memory_comes_and_goes_meanwhile(void **state)
{
	struct windowvm *vm = *state;

	start_touching(vm);
	for (unsigned int i = 0; i < MAPPINGS; i++) {
		uint64_t rw, ro;

		vm->planes.behaviour = i % 2 ? PLANE_UNREADABLE : PLANE_MAPS;
		rw = map(vm, i % PLANES, true);
		ro = map(vm, i % PLANES, false);
		sched_yield();
		unmap(vm, ro);
		unmap(vm, rw);
	}
	stop_touching(vm);
}

/* Whoever else may write to the host's memory, the guest may not. */
static void readonly_window_is_so_for_the_guest(void **state)
{
	struct windowvm *vm = *state;
	const uint64_t at = vm->gpa + 2 * HALF;
	uint64_t *host =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct error err = {0};

	assert_true(host != MAP_FAILED);
	*host = 0x5555;
	assert_int_equal(vm_add_window(vm->t.vm, at, host, PAGE, true, &err), 0);
	WINDOWVM_RUN(vm, sweep, .start = at, .end = at + 8, .stride = 8, .reads = 1, .writes = 1,
		     .value = 0x6666);
	assert_int_equal(windowvm_work(vm, 0)->sum, 0x5555);
	assert_int_equal(*host, 0x5555);
	munmap(host, PAGE);
}

static void windows_that_kvm_refuses_are_explained(void **state)
{
	struct windowvm *vm = *state;
	const struct {
		const char *name;
		uint64_t gpa, size;
		int result;
	} cases[] = {
		{"over RAM", 0, HALF, -EEXIST},
		{"over another", vm->gpa + HALF, HALF, -EEXIST},
		{"off the page", vm->gpa + 4 * HALF + 1, HALF, -EINVAL},
		{"no bytes", vm->gpa + 4 * HALF, 0, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};

		if (vm_add_window(vm->t.vm, cases[i].gpa, vm->host, cases[i].size, false, &err) !=
		    cases[i].result)
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_non_null(strstr(err.text, "shared memory"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ONE(fn) {#fn ", 1 vCPU", fn, setup_one, teardown, NULL}
#define FOUR(fn)                                                                                   \
	{                                                                                          \
#fn ", 4 vCPUs", fn, setup_four, teardown, NULL                                    \
	}
		ONE(scratch_takes_what_is_written_up_to_one_half),
		FOUR(scratch_takes_what_is_written_up_to_one_half),
		ONE(guest_reads_the_buffers_bytes),
		FOUR(guest_reads_the_buffers_bytes),
		ONE(guest_writes_reach_the_buffer_only_where_it_may),
		FOUR(guest_writes_reach_the_buffer_only_where_it_may),
		ONE(every_kind_of_access_goes_on),
		FOUR(every_kind_of_access_goes_on),
		{"large_window_is_touched_sparsely", large_window_is_touched_sparsely, setup_large,
		 teardown, NULL},
		ONE(host_maps_and_unmaps_meanwhile),
		FOUR(host_maps_and_unmaps_meanwhile),
		ONE(memory_that_kvm_cannot_reach_becomes_scratch),
		FOUR(memory_that_kvm_cannot_reach_becomes_scratch),
		ONE(unreachable_memory_comes_and_goes_meanwhile),
		FOUR(unreachable_memory_comes_and_goes_meanwhile),
		ONE(readonly_window_is_so_for_the_guest),
		ONE(windows_that_kvm_refuses_are_explained),
	};

	if (!testvm_have_kvm()) {
		puts("no usable /dev/kvm on this machine");
		return 77;
	}
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("kvm_window", tests, NULL, NULL);
}
