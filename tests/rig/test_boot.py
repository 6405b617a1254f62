#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Boots Debian's unmodified kernels in vmm, in one emulated host: every kernel with several numbers
of vCPUs and sizes of memory, and every way in which a machine can end.

    test_boot.py cloud|stock [TEXT]     the guests with the cloud kernel, or with the two others;
                                        only the cases with TEXT in their names

With VMM_LONG set in the environment (./check --long): every kernel also as vmlinux, and every end
with 1, 2 and 4 vCPUs.
"""
import signal
import sys

import guest_image
import hosted
import kernel
import tap
from guest import Guest
from hosted import BOOT_SECONDS, END_SECONDS, ENDED, PANIC, POWER_OFF, RESET, vmm_path

CPUS = (1, 2, 4)
MEMORY = ("192M", "1G", "6G")
UNITS = {"M": 1 << 10, "G": 1 << 20}  # in KiB

PARTS = {"cloud": ("6.12-cloud",), "stock": ("6.12", "6.1")}

# What vmm keeps of the first MiB: the BIOS area, and the page before it.
RESERVED_KIB = 1024


class Machine:
    """One kernel and how to boot it. @kernel: a dict made by describe(). @image: a key of it."""

    def __init__(self, description, image="bzImage", cpus=1, memory="256M", options=()):
        self.kernel = description
        self.image = image
        self.cpus = cpus
        self.memory = memory
        self.options = options

    def start(self, run, terminal=False):
        """Start vmm. @run: what the guest's init shall do (see guest_init.sh)."""
        return Guest([
            str(vmm_path()), "--kernel", self.kernel[self.image],
            "--initramfs", self.kernel["initramfs"], "--cpus", str(self.cpus),
            "--memory", self.memory, *self.options,
            "--cmdline", f"console=ttyS0 quiet panic=-1 vmm.run={run}"], terminal)

    def reach_init(self, guest):
        """Wait for init and check what it saw: the kernel, all vCPUs and all memory."""
        line = guest.wait_for(r"init reached cpus=(\d+) memory_kib=(\d+) memtotal_kib=(\d+) "
                              r"kernel=(\S+)\n", BOOT_SECONDS)
        cpus, memory, total = (int(line[i]) for i in (1, 2, 3))
        size = int(self.memory[:-1]) * UNITS[self.memory[-1]]
        tap.expect(cpus == self.cpus, f"{cpus} CPUs seen, not {self.cpus}")
        tap.expect(size - RESERVED_KIB <= memory <= size,
                   f"{memory} KiB of memory seen, not {size}")
        tap.expect(0 < total < memory, f"MemTotal is {total} KiB of {memory}")
        tap.expect(line[4] == self.kernel["release"], f"kernel {line[4]} was booted")


def boots(machine):
    """Reaches init with everything seen, then powers off."""
    with machine.start("poweroff") as guest:
        machine.reach_init(guest)
        ends(guest, POWER_OFF)


def ends(guest, expected):
    code = guest.wait(END_SECONDS)
    if code != expected:
        raise guest.failure(f"exit code {code}, not {expected}")


def ends_by_itself(machine, run, expected):
    with machine.start(run) as guest:
        machine.reach_init(guest)
        ends(guest, expected)


def serial_input_reaches_shell(machine):
    with machine.start("shell") as guest:
        guest.wait_for("/ # ", BOOT_SECONDS)
        guest.send("echo answer=$((6 * 7))\n")
        guest.wait_for(r"\nanswer=42\n", END_SECONDS)
        # more than the FIFO holds, in one go
        guest.send("echo " + "x" * 200 + " | wc -c\n")
        guest.wait_for(r"\n201\n", END_SECONDS)
        guest.send("poweroff -f\n")
        ends(guest, POWER_OFF)


def sigterm_presses_power_button(machine):
    with machine.start("powerbutton") as guest:
        guest.wait_for("waiting for the power button", BOOT_SECONDS)
        guest.signal()
        guest.wait_for("power button pressed", END_SECONDS)
        ends(guest, POWER_OFF)


def second_sigterm_ends_at_once(machine):
    with machine.start("shell") as guest:
        guest.wait_for("/ # ", BOOT_SECONDS)
        guest.signal()
        guest.send("echo still here | tr a-z A-Z\n")
        guest.wait_for("STILL HERE", END_SECONDS)
        guest.signal()
        ends(guest, ENDED)


def escape_keys_work(machine):
    """On a terminal: Ctrl-A a is Ctrl-A, Ctrl-A x ends vmm, the terminal is as before."""
    with machine.start("shell", terminal=True) as guest:
        guest.wait_for("/ # ", BOOT_SECONDS)
        tap.expect(not guest.terminal_is_as_before(), "the terminal was not made raw")
        guest.send('read -r word; echo "$word" | od -c\n')
        guest.send("\x01a.\n")
        guest.wait_for(r"001 +\. +\\n", END_SECONDS)
        guest.send("\x01x")
        ends(guest, ENDED)
        tap.expect(guest.terminal_is_as_before(), "the terminal was not restored")


def terminal_restored_after_fatal_signal(machine):
    with machine.start("shell", terminal=True) as guest:
        guest.wait_for("/ # ", BOOT_SECONDS)
        guest.signal(signal.SIGSEGV)
        guest.wait(END_SECONDS)
        tap.expect(guest.terminal_is_as_before(), "the terminal was not restored")


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    found = []

    def add(name, function, *arguments):
        found.append((name, lambda: function(*arguments)))

    long = hosted.is_long()
    for known in work["kernels"]:
        cloud = "cloud" in known["name"]
        for image in ("bzImage", "vmlinux") if cloud or long else ("bzImage",):
            for cpus in CPUS:
                for memory in ("128M", *MEMORY) if cloud else MEMORY:
                    add(f'{known["name"]} {image} boots with {cpus} vCPUs and {memory}',
                        boots, Machine(known, image, cpus, memory))
        one = Machine(known)
        many = Machine(known, cpus=2)
        # Debian builds the cloud kernel without X86_MPPARSE: no second CPU without ACPI.
        acpi_off = Machine(known, cpus=1 if cloud else 2, options=("--no-acpi",))
        name = known["name"]
        if not cloud and not long:
            add(f"{name} vmlinux boots", boots, Machine(known, "vmlinux", 2))
        add(f"{name} boots without ACPI", ends_by_itself, acpi_off, "reboot", RESET)
        for count in CPUS if long else (1, 2):
            machine = Machine(known, cpus=count)
            for run, code in ("reboot", RESET), ("panic", PANIC), ("triplefault", PANIC):
                add(f"{name} {run} with {count} vCPUs", ends_by_itself, machine, run, code)
        add(f"{name} SIGTERM presses the power button", sigterm_presses_power_button, many)
        add(f"{name} serial input reaches a shell", serial_input_reaches_shell, one)
        if cloud:
            add(f"{name} second SIGTERM ends at once", second_sigterm_ends_at_once, one)
            add(f"{name} escape keys work", escape_keys_work, one)
            add(f"{name} fatal signal restores terminal", terminal_restored_after_fatal_signal,
                one)
    return found


def describe(archive, name):
    """What the emulated host needs to know of a kernel, as JSON."""
    known = kernel.Kernel(archive, name)
    return {
        "name": name,
        "release": known.release,
        "bzImage": str(known.image),
        "vmlinux": str(known.vmlinux()),
        "initramfs": str(guest_image.build(known)),
    }


def prepare(archive, part):
    return {"kernels": [describe(archive, name) for name in PARTS[part]]}


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
