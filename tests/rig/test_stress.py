#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
A guest with media devices under stress: programs that stream are killed at any moment, the driver is
unloaded and loaded again, the camera goes away from the host and comes back. Guest and vmm come
through, lose no memory, and a new open works.

    test_stress.py "" [TEXT]    only the cases with TEXT in their names

With VMM_LONG set in the environment (./check --long), for longer. Figures are in the log.
"""
import pathlib
import re
import sys
import time

import footprint
import hosted
import media_image
import media_modules
from disk_guest import SCRATCH
from hosted import is_long
from tap import expect
from test_compliance import SYNTHETIC, Host, MediaGuest

CAMERA, PLANES, TRANSFORMER = "vivid-000-vid-cap", "vivid-001-vid-cap", "vim2m"
NODES = (CAMERA, PLANES, TRANSFORMER, SYNTHETIC)
CPUS = 2
GUEST_KIB = 512 << 10

PROCESSES = 8
KILL_TIMES, KILL_SECONDS = (10, 60) if is_long() else (1, 15)
WARM_UP_SECONDS = 10 if is_long() else 5
RELOADS = 50 if is_long() else 3
UNBINDS = 20 if is_long() else 2

# The host's driver, whose devices are one device of the bus.
DRIVER = pathlib.Path("/sys/bus/platform/drivers/vivid")
DEVICE = "vivid.0"

# What may be more afterwards: memory that the guest's kernel keeps for itself, vmm's heap.
GUEST_GROWTH_KIB = 8 << 10
VMM_GROWTH_KIB = 4 << 10
VMM_GROWTH_MAPPINGS = 8

# A file is closed behind the answer to the guest.
SETTLE_SECONDS = 30

STREAM = "v4l2-ctl -d {node} --stream-mmap --stream-count={frames} --stream-to={file}"


def note(text):
    """For the log; and a sign that all goes on."""
    print(f"# {text}", flush=True)


class State:
    """What guest and vmm hold at a moment at which nobody uses a node."""

    def __init__(self, shell):
        shell.run("sync; echo 3 >/proc/sys/vm/drop_caches")
        memory = dict(re.findall(r"(\w+): +(\d+) kB", shell.run("cat /proc/meminfo")))
        pins = dict(re.findall(r"(nr_foll_pin_\w+) (\d+)", shell.run("cat /proc/vmstat")))
        self.free = int(memory["MemFree"])
        self.slab = int(memory["SUnreclaim"])
        self.pinned = int(pins["nr_foll_pin_acquired"]) - int(pins["nr_foll_pin_released"])
        self.users = shell.run("cat /sys/module/virtio_media/refcnt")
        self.vmm = footprint.measure(shell.process.pid, GUEST_KIB)

    def text(self):
        return (f"guest: {self.free} KiB free, {self.slab} KiB of slabs; vmm: "
                f"{sum(self.vmm.fds.values())} descriptors, {self.vmm.mappings} mappings, "
                f"{self.vmm.kib} KiB")

    def lost(self, before):
        """What is gone since @before, as sentences."""
        found = []
        if self.users != "0":
            found.append(f"the guest's driver still has {self.users} users")
        if self.pinned > before.pinned:
            found.append(f"{self.pinned - before.pinned} pages of programs stay pinned")
        if before.free - self.free > GUEST_GROWTH_KIB:
            found.append("the guest has lost memory")
        if self.vmm.fds != before.vmm.fds:
            found.append(f"vmm's descriptors were {before.vmm.fds}, are {self.vmm.fds}")
        if self.vmm.mappings > before.vmm.mappings + VMM_GROWTH_MAPPINGS:
            found.append("vmm has more mappings")
        if self.vmm.kib > before.vmm.kib + VMM_GROWTH_KIB:
            found.append("vmm has grown")
        return found


class Stress:
    """The cases, one guest for all of them."""

    def __init__(self, work):
        self.work = work
        self.machine = self.shell = None

    def ready(self):
        if self.shell:
            return
        SCRATCH.mkdir(exist_ok=True)
        Host(self.work, ()).load()
        self.machine = MediaGuest(self.work["guest"], NODES, ["--cpus", str(CPUS)])
        self.machine.start()
        self.shell = self.machine.shell
        # what is allocated once is there when the first case begins
        self.kill_loop(WARM_UP_SECONDS)

    def node(self, name=CAMERA):
        return self.machine.paths[name]

    def kill_loop(self, seconds):
        """Return: what the program says."""
        nodes = " ".join(self.machine.paths[name] for name in NODES)
        return self.shell.run(f"kill_loop {seconds} {PROCESSES} {nodes} 2>&1",
                              3 * seconds + hosted.END_SECONDS)

    def stream(self, name=CAMERA, frames=5):
        """A new open works: frames come."""
        words = STREAM.format(node=self.node(name), frames=frames, file="/tmp/frames")
        if name == TRANSFORMER:
            words += " --stream-out-mmap"
        self.shell.run(f"rm -f /tmp/frames; timeout 60 {words} >/tmp/said 2>&1 && "
                       "[ -s /tmp/frames ] || { cat /tmp/said; false; }")

    def around(self, work):
        """Do @work; nothing is lost or wrong afterwards, and every node can be opened anew."""
        before = State(self.shell)
        begin = time.monotonic()
        work()
        for name in NODES:
            self.stream(name)
        after = self.settled(before)
        note(f"{time.monotonic() - begin:.0f} s")
        note(f"before: {before.text()}")
        note(f"after: {after.text()}")
        lost = after.lost(before)
        complaints = self.machine.kernel_complaints()
        if complaints:
            lost.append(f"the guest's kernel: {complaints}")
        expect(not lost, "\n".join([*lost, before.text(), after.text()]))

    def settled(self, before):
        """What there is when all is closed that will be."""
        end = time.monotonic() + SETTLE_SECONDS
        while (state := State(self.shell)).lost(before) and time.monotonic() < end:
            time.sleep(1)
        return state

    def killed(self):
        """Programs are killed while they stream."""
        def work():
            for _ in range(KILL_TIMES):
                said = self.kill_loop(KILL_SECONDS)
                note(said)
                frames = said.partition("frames: ")[2].split()
                expect(len(frames) == len(NODES) and "0" not in frames,
                       f"a node gave none: {said}")
        self.around(work)

    def reloaded(self):
        """The driver is unloaded while nobody uses it, and not while somebody does."""
        def work():
            for number in range(1, RELOADS + 1):
                self.hold()
                code, said = self.shell.run_any("rmmod virtio_media")
                expect(code != 0, f"the driver could be unloaded while a node was open: {said}")
                self.stream()
                self.release()
                self.shell.run("rmmod virtio_media && insmod /modules/*-virtio_media.ko")
                self.stream()
                note(f"{number}")
        self.around(work)

    def hold(self):
        """A program of the guest has the camera open, and does nothing."""
        self.begin(f"exec sleep 100000 <{self.node()}", "held")

    def release(self):
        self.shell.run("kill $(cat /tmp/held.pid)")
        self.finish("held")

    def begin(self, command, name):
        """
        Run @command while others run. Not as a child of the shell, which takes the signal of a
        child that ends for the end of its input.
        """
        self.shell.run(f"rm -f /tmp/{name}.*")
        self.shell.run(f"sh -c '(sh -c \"echo \\$\\$ >/tmp/{name}.pid; {command}\"; "
                       f": >/tmp/{name}.end) </dev/null >/tmp/{name}.said 2>&1 &'")
        self.shell.run(f"until [ -s /tmp/{name}.pid ]; do sleep 0.1; done")

    def finish(self, name):
        """Wait for the end of what began as @name."""
        self.shell.run(f"until [ -e /tmp/{name}.end ]; do sleep 0.1; done")

    def unplugged(self):
        """The camera goes away while it streams, and comes back."""
        def work():
            for number in range(1, UNBINDS + 1):
                self.unplug(held=number % 2 == 0)
                note(f"{number}")
        self.around(work)

    def unplug(self, held):
        """@held: a program keeps the node open that is gone; the host numbers nodes anew then."""
        if held:
            self.hold()
        self.begin("exec " + STREAM.format(node=self.node(), frames=1000000, file="/dev/null"),
                   "stream")
        # it prints a "<" for each frame
        self.shell.run("until grep -q '<<<' /tmp/stream.said; do sleep 0.1; done")
        (DRIVER / "unbind").write_text(DEVICE)
        self.finish("stream")  # it notices that its camera is gone
        code, said = self.shell.run_any(f"timeout 60 v4l2-ctl -d {self.node()} --get-fmt-video")
        expect(code != 0, f"a camera that is gone can be opened: {said}")
        (DRIVER / "bind").write_text(DEVICE)
        self.stream()
        if held:
            self.release()
            self.stream()

    def end(self):
        expect(self.shell.power_off() == hosted.POWER_OFF, "the guest did not power off")


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    stress = Stress(work)

    def case(function):
        def run():
            stress.ready()
            function()
        return run

    return [
        (f"{PROCESSES} programs are killed for {KILL_TIMES * KILL_SECONDS} s", case(stress.killed)),
        (f"the driver is loaded anew {RELOADS} times", case(stress.reloaded)),
        (f"the camera is unplugged {UNBINDS} times", case(stress.unplugged)),
        ("the guest ends", case(stress.end)),
    ]


def prepare(archive, _):
    """What the emulated host needs to know, as JSON takes it."""
    program = hosted.vmm_path().parent.parent / "tests/guest_media/kill_loop"
    guest_kernel, path = media_image.build_cached(archive, "6.12", [("bin/kill_loop", program)],
                                                  "-stress")
    return {
        "guest": {"bzImage": str(guest_kernel.image), "initramfs": str(path)},
        "modules": [str(path) for path in media_modules.modules(archive)],
        "tools": "",
    }


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
