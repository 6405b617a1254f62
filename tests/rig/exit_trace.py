# SPDX-License-Identifier: BSD-3-Clause
"""
Which accesses of a guest to device registers end in user space: KVM's tracepoints of the emulated
host (Documentation/trace/events.rst), and its statistics.
"""
import collections
import os
import pathlib
import re
import subprocess

from tap import expect

TRACE = pathlib.Path("/sys/kernel/tracing")
STATISTICS = pathlib.Path("/sys/kernel/debug/kvm")
EVENTS = ("kvm/kvm_mmio", "kvm/kvm_userspace_exit", "kvm/kvm_entry")
BUFFER_KIB = 32 << 10

# "vmm-123 [000] ..... 12.345678: kvm_mmio: mmio write len 4 gpa 0xd0000050 val 0x0"
LINE = re.compile(r"^.*-(\d+) +\[.*?: (kvm_\w+): (.*)$")
ACCESS = re.compile(r"mmio (read|unsatisfied-read|write) len \d+ gpa 0x([0-9a-f]+)")


def mount(kind, folder):
    if not os.path.ismount(folder):
        subprocess.run(["mount", "-t", kind, kind, folder], check=True)


def mmio_exits(pid):
    """Accesses to memory-mapped registers that KVM has handed to process @pid, by its own count."""
    mount("debugfs", "/sys/kernel/debug")
    return sum(int((folder / "mmio_exits").read_text())
               for folder in STATISTICS.glob(f"{pid}-*"))


class ExitTrace:
    """
    Counts while it is entered: .accesses and .exits, for each guest physical address how often it
    was accessed at all, and how often this ended in user space.
    """

    def __enter__(self):
        mount("tracefs", TRACE)
        (TRACE / "buffer_size_kb").write_text(str(BUFFER_KIB))
        (TRACE / "trace").write_text("")
        self.enable("1")
        return self

    def __exit__(self, *_):
        self.enable("0")
        self.accesses, self.exits = collections.Counter(), collections.Counter()
        self.count((TRACE / "trace").read_text())
        (TRACE / "trace").write_text("")

    @staticmethod
    def enable(value):
        for event in EVENTS:
            (TRACE / "events" / event / "enable").write_text(value)

    def count(self, text):
        lost = re.search(r"entries-in-buffer/entries-written: (\d+)/(\d+)", text)
        expect(lost and lost[1] == lost[2], f"the trace is not whole: {lost and lost[0]}")
        last = {}  # by vCPU thread: what it accessed since it entered the guest
        for line in text.splitlines():
            match = LINE.match(line)
            if not match:
                continue
            thread, event, rest = match.groups()
            if event == "kvm_entry":
                last.pop(thread, None)
            elif event == "kvm_mmio":
                access = ACCESS.match(rest)
                # a read that user space answers is traced again with its answer
                if access and not (access[1] == "read" and last.get(thread)):
                    last[thread] = int(access[2], 16)
                    self.accesses[last[thread]] += 1
            elif "KVM_EXIT_MMIO" in rest and thread in last:
                self.exits[last[thread]] += 1
