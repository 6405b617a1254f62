/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vcpu.c - the thread of one virtual CPU: KVM_RUN and its exits. See vcpu.h.
 *
 * Implements the exits of Documentation/virt/kvm/api.rst, section 5, that a machine with KVM's own
 * interrupt controllers can see. Stopping is free of races: kvm_run.immediate_exit is set before
 * the signal is sent, so a signal that arrives just before KVM_RUN is not lost.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "thread.h"

struct vcpu {
	int fd;
	unsigned int index;
	const struct vcpu_env *env;
	struct kvm_run *run;
	size_t run_size;
	struct thread thread;
	atomic_bool started;
	atomic_bool stop;
	unsigned int faults; /* since KVM_RUN last came back, or one of them was repaired */
};

#define SIGNAL_STOP SIGRTMIN

/* Of Linux 6.8, newer than Debian 12's header. */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
struct memory_fault {
	uint64_t flags, gpa, size;
};

/* How often KVM_RUN may fail on memory in a row, and how long to wait in between. */
#define FAULTS_MAX    10
#define FAULT_WAIT_NS 1000000

static _Thread_local struct vcpu *current;

struct vcpu *vcpu_current(void)
{
	return current;
}

bool vcpu_stopping(void)
{
	return current && atomic_load(&current->stop);
}

static int map_run(struct vcpu *vcpu, const struct vm *vm, struct error *err)
{
	int size = ioctl(vm_kvm_fd(vm), KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	if (size < (int)sizeof(struct kvm_run))
		return error_set(err, EIO, "KVM_GET_VCPU_MMAP_SIZE failed");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return error_set(err, errno, "cannot map vCPU %u: %s", vcpu->index,
				 strerror(errno));
	vcpu->run = run;
	vcpu->run_size = (size_t)size;
	return 0;
}

static int creation_failed(const struct vm *vm, unsigned int index, int code, struct error *err)
{
	int max = ioctl(vm_fd(vm), KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (max > 0 && index >= (unsigned int)max)
		return error_set(err, code, "KVM of this host allows %d vCPUs at most", max);
	return error_set(err, code, "KVM cannot create vCPU %u: %s", index, strerror(code));
}

int vcpu_new(struct vcpu **out, struct vm *vm, unsigned int index, const struct vcpu_env *env,
	     struct error *err)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int r;

	if (!vcpu)
		return error_set(err, ENOMEM, "out of memory");
	vcpu->index = index;
	vcpu->env = env;
	vcpu->fd = ioctl(vm_fd(vm), KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0) {
		r = creation_failed(vm, index, errno, err);
		goto fail;
	}
	r = map_run(vcpu, vm, err);
	if (r < 0)
		goto fail;
	*out = vcpu;
	return 0;
fail:
	vcpu_free(vcpu);
	return r;
}

/* Signals again and again, for one may arrive just before a system call that then blocks. */
void vcpu_join(struct vcpu *vcpu)
{
	struct timespec until;

	if (!atomic_load(&vcpu->started))
		return;

	do {
		vcpu_stop(vcpu);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += 10 * 1000 * 1000;
		if (until.tv_nsec >= 1000 * 1000 * 1000) {
			until.tv_nsec -= 1000 * 1000 * 1000;
			until.tv_sec++;
		}
	} while (pthread_clockjoin_np(vcpu->thread.id, NULL, CLOCK_MONOTONIC, &until) == ETIMEDOUT);
	atomic_store(&vcpu->started, false);
}

void vcpu_free(struct vcpu *vcpu)
{
	if (!vcpu)
		return;
	vcpu_join(vcpu);
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	closep(&vcpu->fd);
	free(vcpu);
}

int vcpu_fd(const struct vcpu *vcpu)
{
	return vcpu->fd;
}

unsigned int vcpu_index(const struct vcpu *vcpu)
{
	return vcpu->index;
}

static void handle_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	const unsigned int size = run->io.size;

	/* String instructions: several accesses of one port. */
	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint64_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, data, size);
			bus_write(vcpu->env->pio, run->io.port, size, value);
		} else {
			value = bus_read(vcpu->env->pio, run->io.port, size);
			memcpy(data, &value, size);
		}
	}
}

static void handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	const unsigned int size = run->mmio.len;
	uint64_t value = 0;

	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, size);
		bus_write(vcpu->env->mmio, run->mmio.phys_addr, size, value);
	} else {
		value = bus_read(vcpu->env->mmio, run->mmio.phys_addr, size);
		memcpy(run->mmio.data, &value, sizeof(value));
	}
}

static void end(struct vcpu *vcpu, enum vcpu_end end, const char *text)
{
	vcpu->env->ended(vcpu->env->owner, end, text);
}

static void end_internal_error(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	char text[160];

	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION) {
		snprintf(text, sizeof(text), "vCPU %u met an instruction that KVM cannot emulate",
			 vcpu->index);
		end(vcpu, VCPU_CANNOT_EMULATE, text);
		return;
	}
	snprintf(text, sizeof(text), "KVM reports internal error %u on vCPU %u",
		 run->internal.suberror, vcpu->index);
	end(vcpu, VCPU_FAILED, text);
}

/* Return: false when the vCPU has ended. */
static bool handle_exit(struct vcpu *vcpu)
{
	struct vcpu_exits *exits = vcpu->env->exits;
	struct kvm_run *run = vcpu->run;
	char text[160];

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(vcpu);
		return true;
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		return true;
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_SHUTDOWN:
		end(vcpu, VCPU_SHUTDOWN, NULL);
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		end_internal_error(vcpu);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(text, sizeof(text),
			 "the processor refuses to enter vCPU %u, reason 0x%llx", vcpu->index,
			 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		end(vcpu, VCPU_FAILED, text);
		return false;
	default:
		if (exits && exits->take(exits, vcpu, run))
			return true;
		snprintf(text, sizeof(text), "KVM left vCPU %u for unknown reason %u", vcpu->index,
			 run->exit_reason);
		end(vcpu, VCPU_FAILED, text);
		return false;
	}
}

static void run_failed(struct vcpu *vcpu, int code)
{
	char text[160];

	snprintf(text, sizeof(text), "KVM_RUN of vCPU %u failed: %s", vcpu->index, strerror(code));
	end(vcpu, VCPU_FAILED, text);
}

/*
 * KVM could not get at host memory behind an address that the guest touched; the guest's
 * instruction has not been done yet. If nobody finds anything to repair, that may be because
 * another vCPU's thread has just done it, or the device's, so it is worth trying again a few times.
 * Return: whether to go on.
 */
static bool repair_memory(struct vcpu *vcpu)
{
	struct vcpu_fault *fault = vcpu->env->fault;
	const struct timespec wait = {.tv_nsec = FAULT_WAIT_NS};
	struct memory_fault info = {.gpa = VCPU_FAULT_ANYWHERE};

	if (!fault)
		return false;
	if (vcpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		memcpy(&info, vcpu->run->padding, sizeof(info));
	if (fault->repair(fault, info.gpa)) {
		vcpu->faults = 0;
		return true;
	}
	nanosleep(&wait, NULL);
	return ++vcpu->faults < FAULTS_MAX;
}

static void run(void *arg)
{
	struct vcpu *vcpu = arg;
	sigset_t set;

	current = vcpu;
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_STOP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);

	while (!atomic_load(&vcpu->stop)) {
		int code = ioctl(vcpu->fd, KVM_RUN, 0) == 0 ? 0 : errno;

		if (code == EINTR || code == EAGAIN || (code == EFAULT && repair_memory(vcpu)))
			continue;
		if (code != 0) {
			run_failed(vcpu, code);
			break;
		}
		vcpu->faults = 0;
		if (!handle_exit(vcpu))
			break;
	}
}

static void on_stop_signal(int signal)
{
	/* Its arrival is all that is needed: a blocking system call returns EINTR. */
}

int vcpu_start(struct vcpu *vcpu)
{
	const struct sigaction action = {.sa_handler = on_stop_signal};
	char name[16];
	int r;

	if (sigaction(SIGNAL_STOP, &action, NULL) < 0)
		return -errno;
	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	r = thread_start(&vcpu->thread, name, run, vcpu);
	if (r < 0)
		return r;
	vcpu->started = true;
	return 0;
}

void vcpu_stop(struct vcpu *vcpu)
{
	atomic_store(&vcpu->stop, true);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (vcpu->started)
		pthread_kill(vcpu->thread.id, SIGNAL_STOP);
}
