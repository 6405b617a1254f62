/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm.c - the life of a virtual machine, in order: machine, devices, kernel, vCPUs, run, end. The
 * one file that knows all parts. See vmm.h.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "arch.h"
#include "arch/x86_64/memory_map.h"
#include "bus.h"
#include "devices/legacy/acpi_pm.h"
#include "devices/legacy/i8042.h"
#include "devices/legacy/pvpanic.h"
#include "devices/legacy/rtc.h"
#include "exit_code.h"
#include "firmware.h"
#include "gmem.h"
#include "irq.h"
#include "log.h"
#include "loop.h"
#include "vcpu.h"
#include "vm.h"
#include "vmm/config.h"
#include "vmm/lifecycle.h"
#include "vmm/media_devices.h"
#include "vmm/serial_host.h"
#include "vmm/signals.h"
#include "vmm/terminal.h"
#include "vmm/virtio_devices.h"
#include "vmm/virtio_slots.h"
#include "vmm/vmm.h"

/* The map of the machine and the registers of its devices say the same. */
static_assert(PORT_SLEEP_CONTROL == PORT_PM + ACPI_PM_SLEEP_CONTROL, "port map");
static_assert(PORT_SLEEP_STATUS == PORT_PM + ACPI_PM_SLEEP_STATUS, "port map");
static_assert(PORT_RESET == PORT_PM + ACPI_PM_RESET, "port map");
static_assert(PORT_EVENT == PORT_PM + ACPI_PM_EVENT, "port map");
static_assert(RESET_VALUE == ACPI_PM_RESET_VALUE, "port map");

/* struct vmm - everything there is, in the order in which it is made. */
struct vmm {
	const struct config *config;
	struct loop *loop;
	struct lifecycle life;
	struct signals signals;

	struct vm *vm;
	struct gmem *gmem;
	struct bus *pio, *mmio;

	struct irq keyboard_irq, serial_irq, rtc_irq, event_irq;
	struct serial_host *serial;
	struct i8042 *i8042;
	struct rtc *rtc;
	struct acpi_pm *pm;
	struct pvpanic *pvpanic;
	struct virtio_slots *slots;
	struct virtio_devices *devices;
	struct media_devices *media;

	struct boot_entry entry;
	struct arch_cpuid *cpuid;
	struct vcpu_env env;
	struct vcpu *vcpus[CONFIG_CPUS_MAX];
	unsigned int vcpus_n;
	bool terminating; /* the power button was pressed */
	struct loop_timer button;
};

#define BUTTON_REPEAT_NS UINT64_C(1000000000)

/* --- control: what reaches the machine from outside --- */

/* A press that a booting guest does not listen for yet is lost on an edge; so it is repeated. */
static void on_button_timer(struct loop_timer *timer)
{
	struct vmm *vmm = container_of(timer, struct vmm, button);

	if (acpi_pm_repeat_event(vmm->pm) <= 0)
		loop_timer_clear(vmm->loop, timer);
}

static void press_power_button(struct vmm *vmm)
{
	if (!vmm->config->acpi) {
		lifecycle_end(&vmm->life, EXIT_ENDED);
		return;
	}
	vmm->terminating = true;
	log_info("pressing the guest's power button; a second signal ends it at once");
	acpi_pm_press_power_button(vmm->pm);
	loop_timer_set(vmm->loop, &vmm->button, BUTTON_REPEAT_NS, BUTTON_REPEAT_NS,
		       on_button_timer);
}

static void on_terminate(void *owner)
{
	struct vmm *vmm = owner;

	if (vmm->terminating)
		lifecycle_end(&vmm->life, EXIT_ENDED);
	else
		press_power_button(vmm);
}

/* Never ends a machine that is already on its way: a hangup may be told twice. */
static void on_hangup(void *owner)
{
	struct vmm *vmm = owner;

	if (!vmm->terminating)
		press_power_button(vmm);
}

static void on_quit(void *owner)
{
	struct vmm *vmm = owner;

	lifecycle_end(&vmm->life, EXIT_ENDED);
}

static void on_resumed(void *owner)
{
	struct vmm *vmm = owner;

	serial_host_foreground(vmm->serial);
	virtio_devices_foreground(vmm->devices);
}

static void on_winch(void *owner)
{
	struct vmm *vmm = owner;

	virtio_devices_winch(vmm->devices);
}

static const struct signals_ops signals_ops = {
	.terminate = on_terminate,
	.hangup = on_hangup,
	.quit = on_quit,
	.resumed = on_resumed,
	.winch = on_winch,
};

static const struct serial_host_ops serial_host_ops = {
	.quit = on_quit,
};

/* --- what there is, piece by piece --- */

static int make_control(struct vmm *vmm, bool hardware, struct error *err)
{
	int r = loop_new(&vmm->loop, vmm->config->loop, 0, err);

	if (r < 0)
		return r;
	log_debug("event loop: %s", loop_name(vmm->loop));
	lifecycle_init(&vmm->life, vmm->loop, arch_vcpu_is_emergency, hardware);
	return signals_init(&vmm->signals, vmm->loop, &signals_ops, vmm, err);
}

static int make_machine(struct vmm *vmm, struct error *err)
{
	const struct config_memory *memory = &vmm->config->memory;
	const struct gmem_options options = {
		.shared = memory->shared,
		.hugepages = memory->hugepages,
		.prefault = memory->prefault,
		.thp = memory->thp,
	};
	struct gmem_region layout[GMEM_REGIONS_MAX];
	size_t n = arch_memory_layout(memory->size, layout);
	int r;

	r = gmem_new(&vmm->gmem, layout, n, &options, err);
	if (r == 0)
		r = arch_check_memory(vmm->gmem, err);
	if (r == 0)
		r = vm_add_memory(vmm->vm, vmm->gmem, err);
	if (r == 0)
		r = arch_vm_init(vmm->vm, err);
	return r;
}

static int make_irqs(struct vmm *vmm, struct error *err)
{
	const struct {
		struct irq *irq;
		uint32_t gsi;
	} irqs[] = {
		{&vmm->keyboard_irq, GSI_KEYBOARD},
		{&vmm->serial_irq, GSI_SERIAL},
		{&vmm->rtc_irq, GSI_RTC},
		{&vmm->event_irq, GSI_EVENT},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(irqs) && r == 0; i++)
		r = vm_irq_init(vmm->vm, irqs[i].irq, irqs[i].gsi, err);
	return r;
}

static int make_devices(struct vmm *vmm, struct error *err)
{
	struct machine *machine = &vmm->life.machine;
	const bool serial = vmm->config->serial.kind != CHARDEV_OFF;
	int r = bus_new(&vmm->pio, 64 * KIB);

	if (r == 0)
		r = bus_new(&vmm->mmio, 0);
	if (r == 0)
		r = serial_host_new(&vmm->serial, &vmm->serial_irq, &serial_host_ops, vmm);
	if (r == 0 && serial)
		r = serial_host_attach(vmm->serial, vmm->pio, PORT_SERIAL);
	if (r == 0)
		r = i8042_new(&vmm->i8042, machine);
	if (r == 0)
		i8042_set_irq(vmm->i8042, &vmm->keyboard_irq);
	if (r == 0)
		r = i8042_attach(vmm->i8042, vmm->pio, PORT_I8042);
	if (r == 0)
		r = rtc_new(&vmm->rtc, vmm->loop, &vmm->rtc_irq);
	if (r == 0)
		r = rtc_attach(vmm->rtc, vmm->pio, PORT_RTC);
	if (r == 0)
		r = acpi_pm_new(&vmm->pm, machine, &vmm->event_irq);
	if (r == 0)
		r = acpi_pm_attach(vmm->pm, vmm->pio, PORT_PM);
	if (r == 0)
		r = pvpanic_new(&vmm->pvpanic, machine);
	if (r == 0)
		r = pvpanic_attach(vmm->pvpanic, vmm->pio, PORT_PVPANIC);
	if (r < 0)
		return error_set(err, -r, "cannot make the devices: %s", strerror(-r));
	return 0;
}

static void on_failed(void *owner)
{
	struct vmm *vmm = owner;

	lifecycle_end(&vmm->life, EXIT_HOST);
}

static const struct virtio_devices_ops virtio_devices_ops = {
	.quit = on_quit,
	.failed = on_failed,
};

static const struct media_devices_ops media_devices_ops = {
	.failed = on_failed,
};

static int make_virtio(struct vmm *vmm, struct error *err)
{
	int r;

	if (virtio_slots_new(&vmm->slots, vmm->vm, vmm->mmio) < 0)
		return error_set(err, ENOMEM, "out of memory");
	r = virtio_devices_new(&vmm->devices, vmm->config, vmm->gmem, vmm->slots,
			       &virtio_devices_ops, vmm, err);
	if (r < 0)
		return r;
	return media_devices_new(&vmm->media, vmm->config, vmm->gmem, vmm->vm, vmm->slots,
				 &media_devices_ops, vmm, err);
}

/* Return: 0 and *@rsdp, which stays 0 without ACPI. */
static int write_platform_tables(struct vmm *vmm, uint64_t *rsdp, struct error *err)
{
	struct acpi_platform platform = {
		.cpus = vmm->config->cpus,
		.lapic = MAP_LAPIC,
		.ioapic = MAP_IOAPIC,
		.sleep_control = PORT_SLEEP_CONTROL,
		.sleep_status = PORT_SLEEP_STATUS,
		.reset = PORT_RESET,
		.reset_value = RESET_VALUE,
		.event = PORT_EVENT,
		.event_gsi = GSI_EVENT,
		.serial = vmm->config->serial.kind != CHARDEV_OFF,
		.serial_port = PORT_SERIAL,
		.serial_gsi = GSI_SERIAL,
		.rtc_port = PORT_RTC,
		.rtc_gsi = GSI_RTC,
		.pvpanic_port = PORT_PVPANIC,
	};
	int r = reset_vector_write(vmm->gmem, PORT_RESET, RESET_VALUE);

	platform.virtio_n = virtio_slots_list(vmm->slots, &platform.virtio);
	if (r < 0)
		return error_set(err, -r, "cannot write the reset vector: %s", strerror(-r));
	if (vmm->config->acpi)
		return acpi_write_tables(vmm->gmem, MAP_BIOS, MAP_BIOS_MAX, &platform, rsdp, err);
	r = mptable_write(vmm->gmem, MAP_MPTABLE, MAP_MPTABLE_MAX, vmm->config->cpus, MAP_LAPIC,
			  MAP_IOAPIC);
	if (r < 0)
		return error_set(err, -r, "cannot write the MP table: %s", strerror(-r));
	return 0;
}

static int load_kernel(struct vmm *vmm, struct error *err)
{
	_cleanup_(freep) char *cmdline = NULL;
	struct memmap_entry map[MEMMAP_MAX];
	struct boot_request request = {
		.kernel = vmm->config->kernel,
		.initramfs = vmm->config->initramfs,
		.cmdline = vmm->config->cmdline ?: "",
		.memmap = map,
		.memmap_n = arch_memory_map(vmm->gmem, map),
	};
	int r = write_platform_tables(vmm, &request.rsdp, err);

	if (r < 0)
		return r;
	if (!vmm->config->acpi) {
		cmdline = virtio_slots_cmdline(vmm->slots, request.cmdline);
		if (!cmdline)
			return error_set(err, ENOMEM, "out of memory");
		request.cmdline = cmdline;
	}
	return kernel_load(vmm->gmem, &request, &vmm->entry, err);
}

static int make_vcpus(struct vmm *vmm, struct error *err)
{
	int r = arch_cpuid_new(&vmm->cpuid, vmm->vm, vmm->config->cpus, err);

	vmm->env = (struct vcpu_env) {
		.pio = vmm->pio,
		.mmio = vmm->mmio,
		.ended = lifecycle_vcpu_ended,
		.owner = &vmm->life,
	};
	media_devices_env(vmm->media, &vmm->env);
	for (unsigned int i = 0; i < vmm->config->cpus && r == 0; i++) {
		r = vcpu_new(&vmm->vcpus[i], vmm->vm, i, &vmm->env, err);
		if (r < 0)
			break;
		vmm->vcpus_n++;
		r = arch_vcpu_init(vmm->vcpus[i], vmm->cpuid, err);
	}
	arch_cpuid_free(vmm->cpuid);
	vmm->cpuid = NULL;
	if (r == 0)
		r = arch_vcpu_boot(vmm->vcpus[0], vmm->gmem, &vmm->entry, err);
	return r;
}

/* What it cost to get here, for the benchmarks. */
static void log_startup_cost(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	log_debug("%lld us of processor time before the first KVM_RUN",
		  (long long)used.tv_sec * 1000000 + used.tv_nsec / 1000);
}

static int start(struct vmm *vmm, struct error *err)
{
	int r;

	lifecycle_set_vcpus(&vmm->life, vmm->vcpus, vmm->vcpus_n);
	r = virtio_devices_start(vmm->devices, err);
	if (r == 0)
		r = media_devices_start(vmm->media, err);
	if (r < 0)
		return r;
	log_startup_cost();
	for (unsigned int i = 0; i < vmm->vcpus_n && r == 0; i++)
		r = vcpu_start(vmm->vcpus[i]);
	if (r < 0)
		return error_set(err, -r, "cannot start a thread for a vCPU: %s", strerror(-r));
	return 0;
}

static void free_vmm(struct vmm *vmm)
{
	if (vmm->vcpus_n)
		lifecycle_end(&vmm->life, EXIT_ENDED);
	for (unsigned int i = 0; i < vmm->vcpus_n; i++)
		vcpu_join(vmm->vcpus[i]);
	for (unsigned int i = 0; i < vmm->vcpus_n; i++)
		vcpu_free(vmm->vcpus[i]);
	terminal_restore(); /* should a file operation of a disk not come to an end */
	media_devices_stop(vmm->media);
	virtio_devices_stop(vmm->devices);
	virtio_slots_free(vmm->slots);
	virtio_devices_free(vmm->devices);
	pvpanic_free(vmm->pvpanic);
	acpi_pm_free(vmm->pm);
	rtc_free(vmm->rtc);
	i8042_free(vmm->i8042);
	bus_free(vmm->mmio);
	bus_free(vmm->pio);
	serial_host_free(vmm->serial);
	vm_irq_deinit(&vmm->event_irq);
	vm_irq_deinit(&vmm->rtc_irq);
	vm_irq_deinit(&vmm->serial_irq);
	vm_irq_deinit(&vmm->keyboard_irq);
	vm_free(vmm->vm);
	media_devices_free(vmm->media); /* the guest had their windows mapped */
	gmem_free(vmm->gmem);
	if (vmm->terminating)
		loop_timer_clear(vmm->loop, &vmm->button);
	signals_deinit(&vmm->signals);
	loop_free(vmm->loop);
}

/* Prints what went wrong. Return: @code, or EXIT_HOST if it is the host's fault. */
static enum exit_code fail(const struct error *err, enum exit_code code)
{
	log_error("%s", err->text);
	return err->host ? EXIT_HOST : code;
}

static enum exit_code make_and_run(struct vmm *vmm)
{
	struct error err = {0};
	const bool hardware = arch_has_virtualization();
	int r;

	if (vm_new(&vmm->vm, &err) < 0)
		return fail(&err, EXIT_HOST);
	if (!hardware && !vmm->config->software_kvm) {
		log_error(
			"KVM of this host has no hardware virtualization (no vmx or svm among the "
			"processor's flags): it interprets every instruction and cannot run a "
			"Linux kernel; use a host with VT-x or AMD-V, or with nested "
			"virtualization");
		return EXIT_HOST;
	}
	if (make_control(vmm, hardware, &err) < 0 || make_machine(vmm, &err) < 0 ||
	    make_irqs(vmm, &err) < 0 || make_devices(vmm, &err) < 0)
		return fail(&err, EXIT_HOST);
	if (make_virtio(vmm, &err) < 0 || load_kernel(vmm, &err) < 0)
		return fail(&err, EXIT_CONFIG);
	if (make_vcpus(vmm, &err) < 0)
		return fail(&err, EXIT_HOST);
	if (serial_host_open(vmm->serial, &vmm->config->serial, vmm->loop, &err) < 0)
		return fail(&err, EXIT_CONFIG);
	/* Until here a signal ended vmm without more ado. */
	signals_block();
	if (serial_host_start(vmm->serial, &err) < 0 || start(vmm, &err) < 0)
		return fail(&err, EXIT_HOST);
	r = loop_run(vmm->loop);
	if (r < 0) {
		log_error("the event loop failed: %s", strerror(-r));
		return EXIT_HOST;
	}
	return lifecycle_code(&vmm->life);
}

enum exit_code vmm_run(const struct config *config)
{
	struct error err = {0};
	struct vmm vmm = {.config = config,
			  .keyboard_irq.fd = -1,
			  .serial_irq.fd = -1,
			  .rtc_irq.fd = -1,
			  .event_irq.fd = -1};
	enum exit_code code;

	if (config_check(config, &err) < 0)
		return fail(&err, EXIT_CONFIG);
	signals_prepare();
	code = make_and_run(&vmm);
	free_vmm(&vmm);
	return code;
}
