/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lifecycle.c - the end of a machine. See lifecycle.h.
 */
#include "vmm/lifecycle.h"

#include "log.h"

#define RUNNING (-1)

bool lifecycle_end(struct lifecycle *life, enum exit_code code)
{
	int running = RUNNING;

	if (!atomic_compare_exchange_strong(&life->code, &running, (int)code))
		return false;
	for (unsigned int i = 0; i < life->vcpus_n; i++)
		vcpu_stop(life->vcpus[i]);
	loop_stop(life->loop);
	return true;
}

static void on_request(struct machine *machine, enum machine_request request)
{
	struct lifecycle *life = container_of(machine, struct lifecycle, machine);
	const struct vcpu *vcpu = vcpu_current();

	switch (request) {
	case MACHINE_POWER_OFF:
		if (lifecycle_end(life, EXIT_POWER_OFF))
			log_info("the guest powered off");
		break;
	case MACHINE_RESET:
		if (vcpu && life->is_emergency(vcpu)) {
			if (lifecycle_end(life, EXIT_PANIC))
				log_info("the guest's kernel crashed and reset the machine");
		} else if (lifecycle_end(life, EXIT_RESET)) {
			log_info("the guest reset the machine");
		}
		break;
	case MACHINE_PANIC:
		if (lifecycle_end(life, EXIT_PANIC))
			log_info("the guest's kernel panicked");
		break;
	}
}

static const struct machine_ops machine_ops = {.request = on_request};

void lifecycle_init(struct lifecycle *life, struct loop *loop,
		    bool (*is_emergency)(const struct vcpu *vcpu), bool hardware)
{
	*life = (struct lifecycle) {
		.machine.ops = &machine_ops,
		.loop = loop,
		.is_emergency = is_emergency,
		.hardware = hardware,
		.code = RUNNING,
	};
}

void lifecycle_set_vcpus(struct lifecycle *life, struct vcpu **vcpus, unsigned int n)
{
	life->vcpus = vcpus;
	life->vcpus_n = n;
}

void lifecycle_vcpu_ended(void *owner, enum vcpu_end end, const char *text)
{
	struct lifecycle *life = owner;

	if (end == VCPU_SHUTDOWN) {
		if (lifecycle_end(life, EXIT_PANIC))
			log_info("the guest ended in a triple fault");
	} else if (end == VCPU_CANNOT_EMULATE && !life->hardware) {
		if (lifecycle_end(life, EXIT_HOST))
			log_error(
				"%s: this host has no hardware virtualization, so KVM interprets the "
				"guest's code and knows only a part of the instructions",
				text);
	} else if (lifecycle_end(life, EXIT_KVM)) {
		log_error("%s", text);
	}
}

enum exit_code lifecycle_code(const struct lifecycle *life)
{
	return (enum exit_code)atomic_load(&life->code);
}
